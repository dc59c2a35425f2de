internal import CCrypto
public import HoldfastBytes

/// SHA-256, by OpenSSL's libcrypto: how passwords are kept.
public enum SHA256 {
    /// The digest in 64 lower-case hexadecimal digits.
    public static func hexadecimal(_ bytes: ByteSlice) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        // SAFETY: the library reads `count` bytes and writes 32.
        unsafe _ = CCrypto.SHA256(
            bytes.pointer.assumingMemoryBound(to: UInt8.self), bytes.count, &digest)
        let digits = Array("0123456789abcdef".utf8)
        return digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}
