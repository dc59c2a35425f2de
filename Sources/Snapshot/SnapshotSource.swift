internal import Glibc
internal import HoldfastBytes
public import HoldfastPlatform
internal import Synchronization

/// Where a snapshot's bytes come from, front to back. Called by one thread at a time, which need not be the
/// one that made it.
public protocol SnapshotSource: AnyObject, Sendable {
    /// How many bytes there are, if that is known. Lengths and counts beyond it are refused at once.
    var totalBytes: Int64? { get }
    /// How many bytes were read so far; any thread may ask.
    var bytesRead: Int64 { get }
    /// Reads up to `buffer.count` bytes, at least one; 0 at the end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
}

/// A file, from some offset on.
public final class FileSource: SnapshotSource, @unchecked Sendable {
    // Sendable because one thread at a time reads, by the protocol's rule.
    public let totalBytes: Int64?
    private let file: any File
    private var offset: Int64
    private let count = Atomic<Int64>(0)
    private let end: Int64

    /// - Parameter bytes: where the file ends for us; nil for its size.
    public init(_ file: any File, from offset: Int64 = 0, bytes: Int64? = nil) throws(SystemError) {
        self.file = file
        self.offset = offset
        end = max(min(try file.size(), bytes ?? .max), offset)
        totalBytes = end - offset
    }

    public var bytesRead: Int64 { count.load(ordering: .relaxed) }

    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let wanted = min(Int64(buffer.count), end - offset)
        guard wanted > 0 else { return 0 }
        let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)])
        let got = try unsafe file.read(at: offset, into: target)
        // The file got shorter while it was read.
        if got == 0 { throw SystemError(call: "read", path: file.path, errno: EIO) }
        offset += Int64(got)
        count.add(Int64(got), ordering: .relaxed)
        return got
    }
}

/// Bytes in memory.
public final class MemorySource: SnapshotSource, @unchecked Sendable {
    // Sendable because one thread at a time reads, by the protocol's rule.
    private let bytes: [UInt8]
    private var offset = 0
    private let count = Atomic<Int64>(0)

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    public var bytesRead: Int64 { count.load(ordering: .relaxed) }

    public var totalBytes: Int64? { Int64(bytes.count) }

    public func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let got = min(buffer.count, bytes.count - offset)
        unsafe buffer.copyBytes(from: bytes[offset..<offset + got])
        offset += got
        count.add(Int64(got), ordering: .relaxed)
        return got
    }
}
