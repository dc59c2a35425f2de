internal import CISAL
public import HoldfastBytes

/// CRC-64 as Redis uses it in RDB files (Jones polynomial, reflected, initial value 0, no final xor).
public enum CRC64 {
    /// The checksum of some bytes and then of `bytes`, where `crc` is that of the former; 0 begins.
    public static func update(_ crc: UInt64, _ bytes: ByteSlice) -> UInt64 {
        // libisal inverts the value before and after, which Redis doesn't.
        // SAFETY: the library reads `count` bytes.
        unsafe ~crc64_jones_refl(
            ~crc, bytes.pointer.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
    }

    public static func of(_ bytes: ByteSlice) -> UInt64 { update(0, bytes) }
}
