/// When a write is acknowledged and when the disk is made to sync (`appendfsync`).
public enum SyncPolicy: String, Sendable, CaseIterable {
    /// Every batch is synced before its replies leave.
    case always
    /// In the background, so that never more than `unsyncedNanosecondsMax` are unsynced.
    case everysec
    /// When the system likes; here only to bound what healing keeps in memory.
    case no
}

/// Decides when to sync and when writers must wait: facts in, decision out, no clock of its own.
///
/// With `everysec` a sync starts when the oldest unsynced record has half the allowed age, or when half
/// the allowed bytes are unsynced, so that a disk that works never makes writers wait; one that hangs
/// makes them wait at the bound. With `no` the bytes alone start a sync, because what isn't synced is
/// kept in memory for healing; writers wait at four times the bound. With `always` the writer
/// syncs with each write, and only the queue's size makes writers wait.
public struct SyncSchedule: Sendable {
    public var policy: SyncPolicy
    public var unsyncedBytesMax: Int
    public var unsyncedNanosecondsMax: UInt64

    public init(policy: SyncPolicy, unsyncedBytesMax: Int, unsyncedNanosecondsMax: UInt64) {
        self.policy = policy
        self.unsyncedBytesMax = max(unsyncedBytesMax, 1)
        self.unsyncedNanosecondsMax = unsyncedNanosecondsMax
    }

    /// What the writer knows at one moment. Times are monotonic ns.
    public struct Facts: Sendable {
        /// Bytes in the queue, not handed to the kernel.
        public var queuedBytes: Int
        /// Written but not durable.
        public var unsyncedBytes: Int
        /// When the oldest record that isn't durable was appended; nil if all is.
        public var oldestUnsyncedAt: UInt64?
        /// When the oldest written record that isn't durable was appended.
        public var oldestWrittenAt: UInt64?
        public var isSyncRunning: Bool
        /// Somebody waits for a record to be durable that isn't.
        public var isSyncRequested: Bool

        public init(
            queuedBytes: Int = 0, unsyncedBytes: Int = 0, oldestUnsyncedAt: UInt64? = nil,
            oldestWrittenAt: UInt64? = nil, isSyncRunning: Bool = false,
            isSyncRequested: Bool = false
        ) {
            self.queuedBytes = queuedBytes
            self.unsyncedBytes = unsyncedBytes
            self.oldestUnsyncedAt = oldestUnsyncedAt
            self.oldestWrittenAt = oldestWrittenAt
            self.isSyncRunning = isSyncRunning
            self.isSyncRequested = isSyncRequested
        }
    }

    public enum Decision: Equatable, Sendable {
        case syncNow
        /// Look again at this time, or when something happens.
        case wait(until: UInt64)
        /// Look again when something happens.
        case idle
    }

    /// Whether a sync beside the writing should begin.
    public func decide(_ facts: Facts, now: UInt64) -> Decision {
        guard facts.unsyncedBytes > 0, !facts.isSyncRunning else { return .idle }
        if facts.isSyncRequested { return .syncNow }
        switch policy {
        case .always:
            // Written without being synced: left over from another policy.
            return .syncNow
        case .everysec:
            if facts.unsyncedBytes >= unsyncedBytesMax / 2 { return .syncNow }
            guard let oldest = facts.oldestWrittenAt else { return .syncNow }
            let due = oldest &+ unsyncedNanosecondsMax / 2
            return now >= due ? .syncNow : .wait(until: due)
        case .no:
            return facts.unsyncedBytes >= unsyncedBytesMax / 2 ? .syncNow : .idle
        }
    }

    /// Whether new writes must wait so that the promised bounds hold.
    public func mustHoldWriters(_ facts: Facts, now: UInt64) -> Bool {
        let pending = facts.queuedBytes + facts.unsyncedBytes
        switch policy {
        case .always:
            return facts.queuedBytes >= unsyncedBytesMax
        case .everysec:
            if pending >= unsyncedBytesMax { return true }
            guard let oldest = facts.oldestUnsyncedAt else { return false }
            return now &- oldest >= unsyncedNanosecondsMax && now >= oldest
        case .no:
            return facts.queuedBytes >= unsyncedBytesMax || pending / 4 >= unsyncedBytesMax
        }
    }
}
