public import HoldfastPlatform

/// Counts and latencies since the start.
public struct LogWriterFigures: Sendable {
    public var writeMicroseconds = Histogram()
    public var syncMicroseconds = Histogram()
    /// Turns that found a sync running for longer than it should, and left the writing to another thread.
    public var delayedSyncs = 0
    public var failures = 0
    public var heals = 0
    public var segmentsMade = 0
    /// The file that `wal-archive-command` took last.
    public var archivedName: String?
    public var archiveFailures = 0
    /// Why it failed the last time; nil if it didn't.
    public var archiveError: String?
    var growthWasAllowed = true
}

/// The log writer at one moment, for INFO and the metrics page.
public struct LogWriterReport: Sendable {
    public var appended = LSN.zero
    public var written = LSN.zero
    public var durable = LSN.zero
    /// Not handed to the kernel yet (`aof_buffer_length`).
    public var queuedBytes = 0
    /// Not on stable storage.
    public var unsyncedBytes = 0
    /// Age of the oldest record that isn't on stable storage.
    public var unsyncedMilliseconds = 0
    /// `aof_pending_bio_fsync`.
    public var isSyncRunning = false
    /// The last write or sync failed and nothing has succeeded since (`aof_last_write_status:err`).
    public var isFailing = false
    public var lastError: SystemError?
    public var growthAllowed = true
    /// All files of the manifest together, without preallocated zeros (`aof_current_size`).
    public var currentBytes: Int64 = 0
    /// `aof_base_size`.
    public var baseBytes: Int64 = 0
    /// Superseded segments that are kept.
    public var retainedBytes: Int64 = 0
    /// Where the oldest segment on disk begins.
    public var firstLSN = LSN.zero
    public var segment: UInt64 = 0
    public var segmentCount = 0
    /// Files that the archive hasn't got yet.
    public var archivePending = 0
    public var figures = LogWriterFigures()
}
