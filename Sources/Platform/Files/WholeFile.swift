internal import Glibc
public import HoldfastBytes

// The loops around calls that may do less than asked.

extension File {
    /// Writes all of `head` and `body` at `offset`. After an error any part may have been written.
    public func writeAll(_ head: ByteSlice, _ body: ByteSlice = ByteSlice(), at offset: Int64)
        throws(SystemError)
    {
        var done = 0
        let total = head.count + body.count
        while done < total {
            let written = try write(
                head.dropFirst(done), body.dropFirst(max(0, done - head.count)),
                at: offset + Int64(done))
            // A write that takes nothing and reports nothing would loop for ever.
            if written <= 0 { throw SystemError(call: "write", path: path, errno: EIO) }
            done += min(written, total - done)
        }
    }

    /// Appends the bytes in `offset..<offset + size` to `buffer`, fewer if the file ends before.
    /// - Returns: how many were appended.
    @discardableResult
    public func readAll(at offset: Int64, count size: Int, into buffer: inout ByteBuffer)
        throws(SystemError) -> Int
    {
        var done = 0
        while done < size {
            let before = buffer.count
            // SAFETY: `appendInPlace` hands out room for what is left to read.
            try unsafe buffer.appendInPlace(size - done) { (target) throws(SystemError) in
                try unsafe read(at: offset + Int64(done), into: target)
            }
            let got = buffer.count - before
            if got == 0 { break }
            done += got
        }
        return done
    }
}

extension FileSystem {
    /// The whole of a small file.
    ///
    /// Fails with EFBIG, before memory is taken, if the file is longer than `bytesMax`.
    public func readWhole(_ path: String, bytesMax: Int) throws(SystemError) -> [UInt8] {
        let file = try open(path, .read)
        defer { file.close() }
        let size = try file.size()
        if size > Int64(bytesMax) { throw SystemError(call: "read", path: path, errno: EFBIG) }
        var buffer = ByteBuffer()
        try file.readAll(at: 0, count: Int(size), into: &buffer)
        return buffer.copyToArray()
    }
}
