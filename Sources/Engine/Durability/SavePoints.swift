/// When a snapshot is made by itself: `save` and what went before.
public struct SavePoints: Sendable {
    public struct Point: Equatable, Sendable {
        public var seconds: Int64
        public var changes: Int64

        public init(seconds: Int64, changes: Int64) {
            self.seconds = seconds
            self.changes = changes
        }
    }

    /// After a failed attempt it is not tried again for so long.
    private static let retrySeconds: Int64 = 5

    public var points: [Point] = []

    public init() {}

    /// The point that asks for a snapshot now.
    ///
    /// - Parameters:
    ///   - changes: since the last good snapshot.
    ///   - saved: seconds since then.
    ///   - tried: seconds since the last attempt, if that failed.
    public func due(changes: Int64, saved: Int64, tried: Int64?) -> Point? {
        if let tried, tried <= Self.retrySeconds { return nil }
        return points.first { changes >= $0.changes && saved > $0.seconds }
    }
}

/// When the log is rewritten by itself: `auto-aof-rewrite-percentage` and `auto-aof-rewrite-min-size`.
public struct RewriteRule: Sendable {
    public var growthPercent = 100
    public var bytesMin: Int64 = 64 << 20
    /// The log's size after the last rewrite, or at the start.
    public var bytesBefore: Int64 = 0
    /// Rewrites that failed in a row.
    public private(set) var failures = 0
    private var retryAt: Int64 = 0

    private static let failuresFree = 3
    private static let minutesMax: Int64 = 60

    public init() {}

    /// The growth in per cent, if it asks for a rewrite at `now` (Unix seconds).
    public func dueGrowth(bytes: Int64, now: Int64) -> Int64? {
        guard growthPercent > 0, bytes > bytesMin else { return nil }
        if failures >= Self.failuresFree, now < retryAt { return nil }
        let before = Double(max(bytesBefore, 1))
        let growth = Double(bytes) * 100 / before - 100
        return growth >= Double(growthPercent) ? Int64(min(growth, 1e15)) : nil
    }

    public mutating func succeeded(bytes: Int64) {
        bytesBefore = bytes
        failures = 0
    }

    /// From the third failure in a row on the next attempt waits: 1, 2, 4 minutes and so on up to an hour.
    public mutating func failed(now: Int64) {
        failures += 1
        guard failures >= Self.failuresFree else { return }
        let minutes = min(
            Int64(1) << Int64(min(failures - Self.failuresFree, 6)), Self.minutesMax)
        retryAt = now + minutes * 60
    }
}
