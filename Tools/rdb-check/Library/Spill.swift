internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform

/// Records that don't fit in memory, dealt out to partitions: each has a buffer, and beyond that a temporary file that
/// has no name, so that nothing is left behind however the program ends.
final class Spill {
    let count: Int
    private var buffers: [ByteBufferBox]
    private var files: [Int32]
    private var written: [Int64]
    private let bufferBytes: Int

    /// A buffer that can stand in an array.
    private final class ByteBufferBox {
        var buffer = ByteBuffer()
    }

    init(partitions count: Int, bufferBytes: Int = 16 << 10) {
        self.count = count
        self.bufferBytes = bufferBytes
        buffers = (0..<count).map { _ in ByteBufferBox() }
        files = [Int32](repeating: -1, count: count)
        written = [Int64](repeating: 0, count: count)
    }

    deinit { for file in files where file >= 0 { _ = close(file) } }

    /// Appends a record to a partition.
    @inline(__always)
    func append(
        to partition: Int, _ body: (inout ByteBuffer) -> Void
    ) throws(SystemError) {
        let box = buffers[partition]
        body(&box.buffer)
        if _slowPath(box.buffer.count >= bufferBytes) { try flush(partition) }
    }

    private func flush(_ partition: Int) throws(SystemError) {
        if files[partition] < 0 { files[partition] = try Self.temporaryFile() }
        let box = buffers[partition]
        try Self.write(box.buffer.slice, to: files[partition])
        written[partition] += Int64(box.buffer.count)
        box.buffer.removeAll()
    }

    func bytes(of partition: Int) -> Int64 {
        written[partition] + Int64(buffers[partition].buffer.count)
    }

    /// Gives all of a partition to `body`, and forgets it.
    func take<R>(_ partition: Int, _ body: (ByteSlice) -> R) throws(SystemError) -> R {
        let box = buffers[partition]
        defer { box.buffer.reset() }
        guard files[partition] >= 0 else { return body(box.buffer.slice) }
        try flush(partition)
        let file = files[partition]
        defer {
            _ = close(file)
            files[partition] = -1
        }
        var whole = ByteBuffer()
        let total = Int(written[partition])
        whole.reserve(total)
        while whole.count < total {
            let at = whole.count
            var code: Int32 = 0
            unsafe whole.appendInPlace(min(total - at, 1 << 20)) { target in
                // SAFETY: the kernel writes at most the count given.
                let got = unsafe pread(file, target.baseAddress, target.count, off_t(at))
                code = got > 0 ? 0 : got == 0 ? EIO : errno
                return max(got, 0)
            }
            if code != 0, code != EINTR {
                throw SystemError(call: "read", path: Self.folder, errno: code)
            }
        }
        return body(whole.slice)
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

/// Finds keys that a file has twice, by 64-bit hashes, in memory that doesn't depend on their number.
final class RepeatedKeys {
    private let hasher = ByteHash(seed: .random(in: 0 ... .max))
    private let spill = Spill(partitions: partitions, bufferBytes: 48 << 10)
    private(set) var failure: SystemError?
    /// The newest hashes of each partition, which go to the spill together.
    private var newest = [UInt64](repeating: 0, count: partitions * newestMax)
    private var counts = [Int](repeating: 0, count: partitions)

    private static let partitions = 256
    private static let newestMax = 64

    @inline(__always)
    func hash(_ key: ByteSlice, _ database: Int) -> UInt64 {
        hasher.hash(key) &+ UInt64(truncatingIfNeeded: database) &* 0x9e37_79b9_7f4a_7c15
    }

    @inline(__always)
    func add(_ key: ByteSlice, _ database: Int) {
        let hash = hash(key, database)
        let partition = Int(hash >> 56)
        let count = counts[partition]
        newest[partition &* Self.newestMax &+ count] = hash
        counts[partition] = count &+ 1
        if _slowPath(count &+ 1 == Self.newestMax) { move(partition) }
    }

    @inline(never)
    private func move(_ partition: Int) {
        let count = counts[partition]
        counts[partition] = 0
        guard failure == nil else { return }
        do throws(SystemError) {
            let start = partition * Self.newestMax
            try spill.append(to: partition) { buffer in
                for index in start..<start + count { buffer.appendWord(newest[index]) }
            }
        } catch { failure = error }
    }

    /// The hashes that came more than once, at most a thousand.
    func find() -> Set<UInt64> {
        var found: Set<UInt64> = []
        var slots: [UInt64] = []
        for partition in 0..<spill.count where failure == nil {
            move(partition)
            do throws(SystemError) {
                try spill.take(partition) { Self.look($0, &slots, &found) }
            } catch { failure = error }
        }
        return found
    }

    private static func look(_ hashes: ByteSlice, _ slots: inout [UInt64], _ found: inout Set<UInt64>) {
        let count = hashes.count / 8
        var size = 16
        while size < count * 2 { size *= 2 }
        if slots.count < size { slots = [UInt64](repeating: 0, count: size) }
        for index in 0..<size { slots[index] = 0 }
        for index in 0..<count {
            let hash = hashes.load64(at: index * 8) | 1
            var slot = Int(truncatingIfNeeded: hash >> 8) & (size - 1)
            while slots[slot] != 0 {
                if slots[slot] == hash, found.count < 1000 {
                    found.insert(hash)
                    break
                }
                slot = (slot + 1) & (size - 1)
            }
            if slots[slot] == 0 { slots[slot] = hash }
        }
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
