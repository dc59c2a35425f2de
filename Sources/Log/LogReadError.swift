public import HoldfastPlatform

/// Why a log can't be recovered. Nothing on disk has been changed when one of these is thrown by a
/// check; `description` is one line for operators that names the thing and what to do.
public enum LogReadError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The disk refused a call. Mend that and start again.
    case system(SystemError)
    /// Another server uses the folder.
    case locked(folder: String)
    /// The manifest can't be relied on.
    case manifest(path: String, ManifestError)
    /// A file that the manifest lists isn't there.
    case missing(path: String)
    /// Damage that no crash leaves.
    case corrupt(folder: String, file: String, offset: Int64, lsn: LSN, reason: String)
    /// A plain AOF file ends in something unfinished, which may not be cut here.
    case unfinished(file: String, offset: Int64, lsn: LSN, reason: String)
    /// The base holds an RDB, which this version doesn't read.
    case snapshotBase(path: String)
    /// A file holds data and no manifest names it.
    case unlisted(path: String)
    /// An RDB file stands beside an empty log.
    case strayDump(path: String)

    public var description: String {
        switch self {
        case .system(let error):
            return "\(error); nothing was changed, mend the cause and start again"
        case .locked(let folder):
            return "\(folder) is in use by another server; stop that one or choose another dir"
        case .manifest(let path, let error):
            let place = error.lineNumber > 0 ? " at line \(error.lineNumber) '\(error.line)'" : ""
            return "\(error.reason): reading the manifest file \(path)\(place); "
                + "restore it from a backup, or run aof-check on the folder"
        case .missing(let path):
            return "The append log file \(path) doesn't exist: No such file or directory; "
                + "the manifest lists it, restore it from a backup"
        case .corrupt(let folder, let file, let offset, let lsn, let reason):
            return "Bad file format reading the append only file \(file): \(reason), at offset "
                + "\(offset), LSN \(lsn); no crash does this. Make a backup, then run: "
                + "aof-check \(folder)"
        case .unfinished(let file, let offset, let lsn, let reason):
            return "Unexpected end of file reading the append only file \(file): \(reason), at "
                + "offset \(offset), LSN \(lsn); make a backup, then set aof-load-truncated yes "
                + "or run redis-check-aof --fix"
        case .snapshotBase(let path):
            return "the RDB content of \(path) isn't read here; run rdb-check on it"
        case .unlisted(let path):
            return "\(path) holds data but no manifest lists it; restore the manifest, move the "
                + "file away, or start with --allow-empty-start yes to insist on an empty log"
        case .strayDump(let path):
            return "\(path) exists but the append only log is empty: a start would load it"
        }
    }
}

/// Thrown by whoever applies records, to say which of them is wrong.
public struct RecordFault: Error, Equatable, Sendable {
    /// Where the record begins in `RecordBatch.records`.
    public var offset: Int
    public var reason: String

    public init(offset: Int, reason: String) {
        self.offset = offset
        self.reason = reason
    }
}
