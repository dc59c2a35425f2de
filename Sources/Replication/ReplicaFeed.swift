public import Log

/// One replica as its primary sees it: what it said of itself, how far it has got, and what it is sent next.
///
/// Its life, from left to right; any step may be the last:
///
///     introducing ─ PSYNC ┬─ partial ───────────────────────────► online ◄─► catching up
///                         └─ full ─► waiting ─► receiving ─► loading ┘
///
/// Nothing is queued for it: it is a cursor into the stream. Lives on the command thread.
public final class ReplicaFeed {
    public enum Phase: Sendable {
        /// Commands that come before PSYNC: not a replica yet.
        case introducing
        /// A full resync begins at the end of a turn.
        case waiting
        /// A thread sends it a snapshot.
        case receiving
        /// It was sent all of a snapshot whose end it finds by a mark; its first ACK says that it is ready.
        case loading
        /// It is sent the stream from memory.
        case online
        /// A thread sends it the stream from the files.
        case catchingUp
        /// Its link is about to be closed: it gets not a byte more.
        case ending
    }

    public var phase = Phase.introducing
    /// The next byte of the stream to send.
    public var cursor = LSN.zero

    // MARK: What it said of itself

    public var listeningPort = 0
    /// `replica-announce-ip`; empty if it didn't say.
    public var announcedAddress = ""
    /// It finds the end of a snapshot by a mark.
    public var readsToMark = false
    /// It wants to hear our history's id.
    public var followsHistories = false
    /// It hears from us where histories begin (`Resumption`).
    public var readsForks = false
    /// It reads LZ4 frames.
    public var readsLZ4 = false
    /// It ends with the snapshot.
    public var wantsSnapshotOnly = false
    public var filter = SnapshotFilter.everything
    /// It came by SYNC: it may never say how far it has got.
    public var isSilent = false

    /// What the snapshot is to hold.
    public enum SnapshotFilter: Sendable { case everything, functions, nothing }

    // MARK: A full resync from the log's base

    /// It may be sent the log's base, if that is cheaper than a snapshot; false once that was looked at.
    public var mayTakeBase = true
    /// The base that it is sent, until it says that it has loaded it.
    public var unconfirmedBase: String?

    // MARK: How far it has got

    /// Everything before was applied, as it says.
    public private(set) var acknowledged = LSN.zero
    /// Everything before is on its disk, as it says.
    public private(set) var durable = LSN.zero
    /// Monotonic seconds of its last sign of life.
    public var heardAt: Int64 = 0

    public init() {}

    /// It has asked for the stream and has not been let down.
    public var isAttached: Bool { phase != .introducing }
    /// It gets, or could get, the stream.
    public var isOnline: Bool {
        switch phase {
        case .loading, .online, .catchingUp: true
        case .introducing, .waiting, .receiving, .ending: false
        }
    }

    /// ROLE's and INFO's word.
    public var stateName: String {
        switch phase {
        case .introducing, .waiting, .ending: "wait_bgsave"
        case .receiving: "send_bulk"
        case .loading, .online, .catchingUp: "online"
        }
    }

    /// The least that must be kept of the stream for it; nil while it needs nothing.
    public var needed: LSN? {
        switch phase {
        case .introducing, .waiting, .ending: nil
        case .receiving, .loading, .online, .catchingUp: wantsSnapshotOnly ? nil : cursor
        }
    }

    // MARK: What it says on the way

    public enum AckOutcome: Sendable {
        case taken
        /// It has loaded its snapshot: the stream may begin.
        case isReady
        /// It claims to have what nobody has sent it.
        case nonsense
    }

    /// `REPLCONF ACK <offset> [FACK <offset>]`. Numbers that go back mean nothing, as in Redis.
    ///
    /// - Parameter end: of the log; a claim beyond it would make WAIT a lie.
    public func acknowledge(_ offset: Int64, durable synced: Int64?, end: LSN) -> AckOutcome {
        if offset > 0 {
            guard LSN(UInt64(offset)) <= end else { return .nonsense }
            acknowledged = max(acknowledged, LSN(UInt64(offset)))
        }
        if let synced, synced > 0 {
            guard LSN(UInt64(synced)) <= end else { return .nonsense }
            durable = max(durable, LSN(UInt64(synced)))
        }
        if phase == .receiving { isReady = true } else { unconfirmedBase = nil }
        guard phase == .loading else { return .taken }
        phase = .online
        return .isReady
    }

    /// Its first ACK has come before this side knew that all is sent.
    private var isReady = false

    /// All of a snapshot was sent.
    public func snapshotSent(endsByMark: Bool) {
        // A mark is looked for in what comes; only the replica knows when it has found it.
        phase = endsByMark && !isReady ? .loading : .online
    }

    /// Whether it was heard of lately enough for `min-replicas-max-lag`.
    public func isGood(now seconds: Int64, lagMax: Int64) -> Bool {
        isOnline && seconds - heardAt <= lagMax
    }
}
