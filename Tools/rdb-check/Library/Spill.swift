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

/// Finds keys that a file has twice, by 64-bit hashes, in memory that doesn't depend on their number.
final class RepeatedKeys {
    private let hasher = ByteHash(seed: .random(in: 0 ... .max))
    private var spill: Spill?
    private(set) var failure: SystemError?
    /// The first hashes, as long as they are few.
    private var few: [UInt64] = []
    /// The newest hashes of each partition, which go to the spill together.
    private var newest: [UInt64] = []
    private var counts: [Int] = []

    private static let partitions = 256
    private static let newestMax = 64
    private static let fewMax = 4096

    @inline(__always)
    func hash(_ key: ByteSlice, _ database: Int) -> UInt64 {
        hasher.hash(key) &+ UInt64(truncatingIfNeeded: database) &* 0x9e37_79b9_7f4a_7c15
    }

    @inline(__always)
    func add(_ key: ByteSlice, _ database: Int) {
        let hash = hash(key, database)
        if _slowPath(spill == nil) { return addToFew(hash) }
        deal(hash)
    }

    private func addToFew(_ hash: UInt64) {
        few.append(hash)
        guard few.count >= Self.fewMax else { return }
        spill = Spill(partitions: Self.partitions, bufferBytes: 48 << 10)
        newest = [UInt64](repeating: 0, count: Self.partitions * Self.newestMax)
        counts = [Int](repeating: 0, count: Self.partitions)
        for hash in few { deal(hash) }
        few = []
    }

    @inline(__always)
    private func deal(_ hash: UInt64) {
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
            try spill?.append(to: partition) { buffer in
                for index in start..<start + count { buffer.appendWord(newest[index]) }
            }
        } catch { failure = error }
    }

    /// The hashes that came more than once, at most a thousand.
    func find() -> Set<UInt64> {
        var found: Set<UInt64> = []
        var slots: [UInt64] = []
        guard let spill else {
            var bytes = ByteBuffer()
            for hash in few { bytes.appendWord(hash) }
            Self.look(bytes.slice, &slots, &found)
            return found
        }
        for partition in 0..<spill.count where failure == nil {
            move(partition)
            do throws(SystemError) {
                try spill.take(partition) { Self.look($0, &slots, &found) }
            } catch { failure = error }
        }
        return found
    }

    private static func look(
        _ hashes: ByteSlice, _ slots: inout [UInt64], _ found: inout Set<UInt64>
    ) {
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
