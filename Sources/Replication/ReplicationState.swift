public import Log

/// What a server is to others.
public enum ReplicationRole: Sendable {
    /// It takes writes.
    case primary
    /// It follows another server.
    case replica(PrimaryLink)
}

/// A replica's link to its primary, as INFO and ROLE show it.
public struct PrimaryLink: Sendable {
    /// The names are those of ROLE.
    public enum State: String, Sendable {
        case none, connect, connecting, handshake, sync, connected
    }

    public var host: String
    public var port: Int
    public var state = State.connect
    /// Monotonic seconds of the last byte from the primary; nil without any.
    public var lastByteAt: Int64?
    /// Monotonic seconds since which the link is down; nil if it never was up.
    public var downSince: Int64?
    /// The end of what was received, which may be beyond what was applied.
    public var received = LSN.zero
    /// A full resync is being received.
    public var transfer: Transfer?

    public struct Transfer: Sendable {
        /// Nil when the primary doesn't say.
        public var totalBytes: Int64?
        public var readBytes: Int64 = 0
        public var lastByteAt: Int64

        public init(totalBytes: Int64?, at seconds: Int64) {
            self.totalBytes = totalBytes
            lastByteAt = seconds
        }
    }

    public var isUp: Bool { state == .connected }

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }
}

/// Where primary and replica sides meet: who this server is in replication, and which histories its log holds.
public struct ReplicationState: Sendable {
    public var role = ReplicationRole.primary
    public var histories: Histories
    /// To begin at the end of the turn.
    public var dueHistory: HistoryID?
    /// Resyncs served, by kind: `sync_full`, `sync_partial_ok`, `sync_partial_err`.
    public var fullCount = 0
    /// Of the full ones, those that were sent the log's base: `sync_full_from_base`.
    public var baseCount = 0
    public var partialCount = 0
    public var refusedPartialCount = 0

    public init(histories: Histories) { self.histories = histories }

    public var isPrimary: Bool {
        if case .primary = role { return true }
        return false
    }

    /// It follows a primary and isn't connected with it: nobody can be told where the stream goes on.
    public var isCutOff: Bool {
        if case .replica(let link) = role { return !link.isUp }
        return false
    }
}
