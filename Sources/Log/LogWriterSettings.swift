/// What an operator chooses about writing the log. All can be changed while it runs.
public struct LogWriterSettings: Sendable {
    /// `appendfsync`.
    public var policy: SyncPolicy = .everysec
    /// `wal-segment-size`: a segment is rolled at the first batch border at or past it.
    public var segmentBytesMax: Int64 = 64 << 20
    /// `wal-preallocate`: zero the open segment ahead (only done in `always`, where it pays).
    public var preallocates = true
    /// `max-unsynced-bytes`.
    public var unsyncedBytesMax = 64 << 20
    /// `max-unsynced-ms`.
    public var unsyncedMillisecondsMax = 1_000
    /// `wal-reserve`; at most a tenth of what is free at start is kept.
    public var reserveBytes: Int64 = 64 << 20
    /// `wal-retain-size`: segments before the base stay while all of them together are no larger.
    public var retainBytes: Int64 = 0
    /// `wal-retain-time`: they stay no longer than this; 0 for any time.
    public var retainMilliseconds: Int64 = 0
    /// `wal-archive-command`: gets each sealed segment and each base; empty for none.
    public var archiveCommand = ""
    /// `wal-retain-replica-size`: those that a connected replica still needs stay up to this size.
    public var retainReplicaBytes: Int64 = 0

    public init() {}

    var schedule: SyncSchedule {
        SyncSchedule(
            policy: policy, unsyncedBytesMax: unsyncedBytesMax,
            unsyncedNanosecondsMax: UInt64(max(0, unsyncedMillisecondsMax)) * 1_000_000)
    }

    /// How far zeroes are written ahead in one go.
    var zeroChunk: Int64 { min(4 << 20, max(4_096, segmentBytesMax / 4)) }
}
