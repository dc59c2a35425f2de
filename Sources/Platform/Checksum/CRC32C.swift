internal import CISAL
public import HoldfastBytes

/// CRC-32C (Castagnoli, reflected, initial value and final xor all ones): the check of every batch in
/// the log. Computed by libisal with the processor's own instructions where it has them.
public enum CRC32C {
    /// The checksum of some bytes and then of `bytes`, where `crc` is that of the former; 0 begins.
    public static func update(_ crc: UInt32, _ bytes: ByteSlice) -> UInt32 {
        var state = ~crc
        var offset = 0
        while offset < bytes.count {
            // The library counts in 32-bit signed integers.
            let part = bytes.slice(offset..<min(bytes.count, offset + (1 << 30)))
            // SAFETY: libisal only reads the buffer, in spite of its parameter's type.
            unsafe state = crc32_iscsi(
                UnsafeMutablePointer(mutating: part.pointer.assumingMemoryBound(to: UInt8.self)),
                Int32(truncatingIfNeeded: part.count), state)
            offset += part.count
        }
        return ~state
    }

    public static func of(_ bytes: ByteSlice) -> UInt32 { update(0, bytes) }
}
