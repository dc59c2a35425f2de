public import HoldfastBytes
public import HoldfastPlatform

/// Why a snapshot could not be written.
public enum SnapshotWriteError: Error, Equatable, Sendable, CustomStringConvertible {
    case system(SystemError)
    /// Somebody called `SnapshotProgress.cancel`.
    case cancelled

    public var description: String {
        switch self {
        case .system(let error): error.description
        case .cancelled: "cancelled"
        }
    }
}

/// Where a snapshot goes: pieces of about a MiB, in order, from one thread.
public protocol SnapshotSink: AnyObject {
    func write(_ bytes: ByteSlice) throws(SnapshotWriteError)
}

/// A file that is written from its beginning. It is for the caller to sync, rename and close it.
public final class FileSink: SnapshotSink {
    public let file: any File
    /// What was written so far.
    public private(set) var bytesWritten: Int64 = 0
    private var synced: Int64 = 0
    private let syncBytes: Int64

    /// - Parameter syncBytes: the file is synced each time so many bytes were written, so that the last
    ///   sync is short; 0 for never.
    public init(_ file: any File, syncBytes: Int64 = 4 << 20) {
        self.file = file
        self.syncBytes = syncBytes
    }

    public func write(_ bytes: ByteSlice) throws(SnapshotWriteError) {
        do throws(SystemError) {
            try file.writeAll(bytes, at: bytesWritten)
            bytesWritten += Int64(bytes.count)
            if syncBytes > 0, bytesWritten - synced >= syncBytes {
                synced = bytesWritten
                try file.sync()
            }
        } catch { throw .system(error) }
    }
}

/// Memory.
public final class MemorySink: SnapshotSink {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public func write(_ bytes: ByteSlice) { self.bytes += bytes.copyToArray() }
}
