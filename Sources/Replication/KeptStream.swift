public import Log

// What of the stream is kept for replicas: in memory, in files, and for how long.

/// Where the stream can be read.
public enum KeptStream {
    /// Whether the stream can be read from `lsn` on.
    ///
    /// - Parameters:
    ///   - logged: the end of what the log was given.
    ///   - unreadable: the files can't be read at this LSN, found out by trying.
    ///   - extent: `LogWriter.extent`; nil without a log.
    public static func holds(
        _ lsn: LSN, in backlog: Backlog?, logged: LSN, unreadable: LSN?,
        extent: ((LSN) -> LogExtent?)?
    ) -> Bool {
        if let backlog, lsn >= backlog.first, lsn <= backlog.end { return true }
        guard let extent, lsn <= logged else { return false }
        if let unreadable, lsn <= unreadable { return false }
        return extent(lsn) != nil
    }

    /// Drops what the backlog needn't keep.
    ///
    /// - Parameter slackBytes: so much more than wanted may stay in memory while a replica that is online has not
    ///   been sent it.
    public static func trim(
        _ backlog: inout Backlog, for feeds: some Sequence<ReplicaFeed>, hasLog: Bool,
        slackBytes: Int = 16 << 20
    ) {
        guard hasLog else { return backlog.trim(keeping: feeds.needed) }
        let online = feeds.lazy.filter { $0.phase == .online }.map(\.cursor).min()
        let slack = UInt64(backlog.bytesWanted + slackBytes)
        let oldest = backlog.end.value > slack ? LSN(backlog.end.value - slack) : .zero
        backlog.trim(keeping: online.map { max($0, oldest) })
    }
}

extension Backlog {
    /// From here on whoever reads files is served from memory again: some way inside what it holds, so that it
    /// doesn't fall out of it at once.
    public var handOver: LSN { first.advanced(by: count / 2) }
}

extension Sequence where Element == ReplicaFeed {
    /// How many have confirmed everything before `lsn`.
    public func count(acknowledging lsn: LSN) -> Int64 {
        Int64(count { $0.isOnline && $0.acknowledged >= lsn })
    }

    /// How many have it on their disks.
    public func count(durable lsn: LSN) -> Int64 {
        Int64(count { $0.isOnline && $0.durable >= lsn })
    }

    public func goodCount(now seconds: Int64, lagMax: Int64) -> Int {
        count { $0.isGood(now: seconds, lagMax: lagMax) }
    }

    /// The least of the stream that one of them may still ask for.
    public var needed: LSN? { compactMap(\.needed).min() }
}
