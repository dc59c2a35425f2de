internal import CLZF
internal import HoldfastBytes

/// LZF by liblzf: how redis-server compresses single strings.
enum LZF {
    /// No control byte of a stream stands for more than 264 bytes, and the shortest has two bytes more.
    static let expansionMax = 88

    /// Shorter strings are never compressed.
    static let bytesMin = 21

    /// Appends `bytes` compressed, if that saves at least four bytes; else nothing.
    ///
    /// - Returns: how many bytes were appended.
    static func compress(_ bytes: ByteSlice, into output: inout ByteBuffer) -> Int {
        guard bytes.count >= bytesMin, bytes.count <= Int(Int32.max) else { return 0 }
        let before = output.count
        unsafe output.appendInPlace(bytes.count - 4) { target in
            // SAFETY: the library reads and writes at most the counts given.
            unsafe Int(
                lzf_compress(
                    bytes.pointer, UInt32(bytes.count), target.baseAddress, UInt32(target.count)))
        }
        return output.count - before
    }

    /// Appends what `bytes` stand for, which must be exactly `count` bytes.
    ///
    /// - Returns: whether it was.
    static func expand(_ bytes: ByteSlice, count: Int, into output: inout ByteBuffer) -> Bool {
        guard count > 0, count <= Int(UInt32.max), bytes.count <= Int(UInt32.max) else {
            return false
        }
        let before = output.count
        unsafe output.appendInPlace(count) { target in
            // SAFETY: the library reads and writes at most the counts given, and checks its input.
            unsafe Int(
                lzf_decompress(
                    bytes.pointer, UInt32(bytes.count), target.baseAddress, UInt32(target.count)))
        }
        return output.count - before == count
    }
}
