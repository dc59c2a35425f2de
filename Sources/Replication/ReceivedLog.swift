public import HoldfastPlatform
public import Log

/// The log of a replica that begins anew with a snapshot of its primary.
public enum ReceivedLog {
    /// Makes a received snapshot the base of a log that begins anew. The manifest that the writer makes when it opens
    /// is the one step that counts: killed before it, a start finds the old data whole; after it, the new.
    ///
    /// - Parameters:
    ///   - path: the snapshot, whole and durable, in the log's folder.
    ///   - lsn: of which it is a state, in `settings.freshHistory`.
    ///   - history: that the snapshot says it is of; nil for the same.
    ///   - database: selected in the stream behind it.
    ///   - lock: held by the old log, whose writer has ended.
    public static func begin(
        with path: String, bytes: Int64, at lsn: LSN, history: HistoryID?, database: Int,
        _ settings: RecoverySettings, on fileSystem: any FileSystem, lock: (any File)?
    ) throws -> RecoveredLog {
        var log = try LogReader.beginAnew(settings, at: lsn, on: fileSystem, lock: lock)
        let base = LogBase(
            name: log.nextBaseName(in: settings.folder), sequence: log.nextBaseSequence, lsn: lsn,
            bytes: bytes, history: history)
        try fileSystem.rename(path, to: settings.folder.path(of: base.name))
        try fileSystem.syncFolder(settings.folder.path)
        log.database = database
        log.adopt(base)
        return log
    }

    /// The old log again, whose writer has ended and whose data is in memory.
    ///
    /// - Parameter end: where it must end.
    public static func reopen(
        endingAt end: LSN, _ settings: RecoverySettings, on fileSystem: any FileSystem
    ) throws -> RecoveredLog {
        let log = try LogReader.recover(settings, on: fileSystem) { _ in
            // The data is in memory.
        } snapshot: { place in
            try place.file.size()
        }
        guard log.end == end else {
            log.lock?.close()
            throw EndMismatch(end: log.end, due: end)
        }
        return log
    }

    struct EndMismatch: Error, CustomStringConvertible {
        let end: LSN
        let due: LSN
        var description: String { "it ends at LSN \(end), not at \(due)" }
    }
}
