public import HoldfastPlatform

/// What a start may do with a log folder, and where that is.
public struct RecoverySettings: Sendable {
    public var folder: LogFolder
    /// `dbfilename`: the RDB file of a server without AOF, beside the log folder.
    public var dumpName: String = "dump.rdb"
    /// `aof-load-truncated`: whether the unfinished end of a plain AOF file may be cut.
    public var loadsTruncated = true
    /// `--allow-empty-start`: begin empty even where that looks like a mistake.
    public var mayStartEmpty = false
    /// The id to take where there is no history yet, drawn at random by the caller.
    public var freshHistory: HistoryID
    /// Batches, commands and transactions above it are read without being held whole, for readers with bounded
    /// memory; `RecordBatch.isHeld` tells them. Whoever applies records must hold all.
    public var heldBytesMax: Int64 = .max

    public init(folder: LogFolder, freshHistory: HistoryID) {
        self.folder = folder
        self.freshHistory = freshHistory
    }
}

/// Thrown by a reader of logs that can't read RDB content: it passes over an empty base only.
public struct SnapshotsUnread: Error {
    public init() {}
}

/// RDB content at the start of a file.
public struct LogSnapshot {
    public let file: any File
    public let path: String
    /// The history and the LSN that it must be of, as far as they are known.
    public let history: HistoryID?
    public let lsn: LSN?
    /// The log's own base; else an RDB file from elsewhere.
    public let isBase: Bool
    /// For reports of progress: what was loaded before, and is to be loaded in all.
    public let loadedBytes: Int64
    public let totalBytes: Int64

    public init(
        file: any File, path: String, history: HistoryID?, lsn: LSN?, isBase: Bool,
        loadedBytes: Int64, totalBytes: Int64
    ) {
        self.file = file
        self.path = path
        self.history = history
        self.lsn = lsn
        self.isBase = isBase
        self.loadedBytes = loadedBytes
        self.totalBytes = totalBytes
    }
}

/// Recovery: from a log folder to its records, in order, and to the point where a writer goes on.
public enum LogReader {
    public typealias Apply = (RecordBatch) throws -> Void
    /// Bytes loaded and bytes to load; called about once a MiB and at each file's end.
    public typealias Progress = (_ loadedBytes: Int64, _ totalBytes: Int64) -> Void
    /// Loads the RDB content that a file begins with. Reports its progress by itself.
    ///
    /// - Returns: where it ends in the file; nil if it is to be left alone, which only a dump beside an empty
    ///   log may be.
    /// - Throws: `SnapshotsUnread` from a caller that knows nothing of RDB content; `RecordFault` or anything else
    ///   for content that can't be relied on.
    public typealias LoadSnapshot = (LogSnapshot) throws -> Int64?

    /// Reads the log, gives all its records to `apply`, cuts a torn tail, and makes what was read
    /// durable. A start that throws has changed nothing on disk, except if the disk itself failed at the
    /// last step.
    ///
    /// - Parameter apply: may throw `RecordFault` (or anything) for a record it can't apply; the log is
    ///   then refused as corrupt, with the place.
    public static func recover(
        _ settings: RecoverySettings, on fileSystem: any FileSystem, apply: Apply,
        snapshot: LoadSnapshot = { _ in throw SnapshotsUnread() },
        progress: Progress = { _, _ in }
    ) throws(LogReadError) -> RecoveredLog {
        var recovery = Recovery(settings, fileSystem, isInspection: false)
        do throws(LogReadError) {
            return try recovery.run(apply, snapshot, progress)
        } catch {
            recovery.lock?.close()
            throw error
        }
    }

    /// A log that begins at `lsn` in a new history, in a folder that may hold another: for a server that has
    /// data and had no log. Takes the lock and reads names only; nothing is changed until a writer is opened.
    ///
    /// - Parameter lock: held by a writer that has ended, if the folder is locked already. After an error it still
    ///   is.
    public static func beginAnew(
        _ settings: RecoverySettings, at lsn: LSN, on fileSystem: any FileSystem,
        lock: (any File)? = nil
    ) throws(LogReadError) -> RecoveredLog {
        var recovery = Recovery(settings, fileSystem, isInspection: false)
        recovery.lock = lock
        do throws(LogReadError) {
            return try recovery.beginAnew(at: lsn)
        } catch {
            if lock == nil { recovery.lock?.close() }
            throw error
        }
    }

    /// The same reading and the same verdict, changing nothing and taking no lock.
    ///
    /// - Parameter listing: read as if this were the manifest; nil for the one on disk.
    public static func inspect(
        _ settings: RecoverySettings, listing manifest: Manifest? = nil,
        on fileSystem: any FileSystem, apply: Apply = { _ in },
        snapshot: LoadSnapshot = { _ in throw SnapshotsUnread() },
        progress: Progress = { _, _ in }
    ) throws(LogReadError) -> RecoveredLog {
        var recovery = Recovery(settings, fileSystem, isInspection: true)
        guard let manifest else { return try recovery.run(apply, snapshot, progress) }
        return try recovery.inspect(manifest, apply, snapshot, progress)
    }

    /// The same for one file that stands alone: a plain AOF, an RDB with commands behind it, or a segment.
    public static func inspectFile(
        _ path: String, _ settings: RecoverySettings, on fileSystem: any FileSystem,
        apply: Apply = { _ in }, snapshot: LoadSnapshot = { _ in throw SnapshotsUnread() },
        progress: Progress = { _, _ in }
    ) throws(LogReadError) -> RecoveredLog {
        var settings = settings
        settings.folder = LogFolder(standingAlone: path)
        var recovery = Recovery(settings, fileSystem, isInspection: true)
        return try recovery.inspectFile(apply, snapshot, progress)
    }
}
