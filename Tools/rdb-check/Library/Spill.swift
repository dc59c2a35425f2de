internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform

/// Records that don't fit in memory, dealt out to partitions: each has a buffer, and all share a temporary file, which has
/// no name, so that nothing is left behind however the program ends.
final class Spill {
    let count: Int
    private let bufferBytes: Int
    private let buffers: [Buffer]
    private var file: Int32 = -1
    private var fileBytes: Int64 = 0

    /// A partition: what is in memory, and where the rest lies in the file.
    private final class Buffer {
        var bytes = ByteBuffer()
        var parts: [(offset: Int64, count: Int)] = []
    }

    init(partitions count: Int, bufferBytes: Int = 16 << 10) {
        self.count = count
        self.bufferBytes = bufferBytes
        buffers = (0..<count).map { _ in Buffer() }
    }

    deinit { if file >= 0 { _ = close(file) } }

    /// Appends a record to a partition.
    @inline(__always)
    func append(
        to partition: Int, _ body: (inout ByteBuffer) -> Void
    ) throws(SystemError) {
        let buffer = buffers[partition]
        body(&buffer.bytes)
        if _slowPath(buffer.bytes.count >= bufferBytes) { try flush(buffer) }
    }

    private func flush(_ buffer: Buffer) throws(SystemError) {
        if file < 0 { file = try Self.temporaryFile() }
        let count = buffer.bytes.count
        try Self.write(buffer.bytes.slice, to: file)
        buffer.parts.append((fileBytes, count))
        fileBytes += Int64(count)
        buffer.bytes.removeAll()
    }

    /// Gives all of a partition to `body`, and forgets it.
    func take<R>(_ partition: Int, _ body: (ByteSlice) -> R) throws(SystemError) -> R {
        let buffer = buffers[partition]
        defer {
            buffer.bytes.reset()
            buffer.parts = []
        }
        if buffer.parts.isEmpty { return body(buffer.bytes.slice) }
        var whole = ByteBuffer()
        whole.reserve(buffer.parts.reduce(buffer.bytes.count) { $0 + $1.count })
        for part in buffer.parts { try read(part.offset, part.count, into: &whole) }
        whole.append(buffer.bytes.slice)
        return body(whole.slice)
    }

    private func read(
        _ offset: Int64, _ count: Int, into whole: inout ByteBuffer
    ) throws(SystemError) {
        var done = 0
        while done < count {
            var code: Int32 = 0
            let before = whole.count
            unsafe whole.appendInPlace(count - done) { target in
                // SAFETY: the kernel writes at most the count given.
                let got = unsafe pread(
                    file, target.baseAddress, target.count, off_t(offset + Int64(done)))
                code = got > 0 ? 0 : got == 0 ? EIO : errno
                return max(got, 0)
            }
            done += whole.count - before
            if code != 0, code != EINTR {
                throw SystemError(call: "read", path: Self.folder, errno: code)
            }
        }
    }

    static func write(_ bytes: ByteSlice, to file: Int32) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            // SAFETY: the kernel reads exactly the slice.
            let got = unsafe Glibc.write(file, rest.pointer, rest.count)
            let code = errno
            if got > 0 {
                rest = rest.dropFirst(got)
            } else if code != EINTR {
                throw SystemError(call: "write", path: folder, errno: got == 0 ? EIO : code)
            }
        }
    }

    static var folder: String {
        // SAFETY: the text is copied before anything changes the environment.
        unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
    }

    static func temporaryFile() throws(SystemError) -> Int32 {
        var name = Array("\(folder)/holdfast-XXXXXX".utf8CString)
        let file = unsafe mkstemp(&name)
        if file < 0 { throw SystemError(call: "mkstemp", path: folder, errno: errno) }
        unsafe _ = unlink(&name)
        return file
    }
}

extension ByteBuffer {
    @inline(__always)
    mutating func appendWord(_ word: UInt64) {
        unsafe appendInPlace(8) { target in
            // SAFETY: eight bytes were reserved.
            unsafe target.storeBytes(of: word.littleEndian, as: UInt64.self)
            return 8
        }
    }
}
