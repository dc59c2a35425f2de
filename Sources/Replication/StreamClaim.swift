public import Log

/// What a replica knows of its own log, and with that, what it may ask its primary for.
public struct StreamClaim: Sendable {
    /// The log isn't known to be of any primary's history: only a full resync will do.
    public var needsFullResync = false
    /// The log is of a history that others may know, even if it has no record.
    public var knowsHistory = false

    /// Histories that begin further on in the stream, as the primary has said.
    private var ahead: [Histories.Span] = []

    public init() {}

    /// From where the stream is to go on; nil to ask for everything.
    ///
    /// - Parameter end: of the log.
    public func place(in histories: Histories, end: LSN) -> (history: HistoryID, end: LSN)? {
        guard !needsFullResync, end > .zero || knowsHistory else { return nil }
        return (histories.offered(at: end), end)
    }

    // MARK: The stream

    /// The primary goes on from `end`.
    ///
    /// - Returns: the history that what follows is of, up to where `history(beginningAt:)` names another one.
    public mutating func resume(
        _ resumption: Resumption, in histories: Histories, end: LSN
    ) -> HistoryID {
        let asked = histories.offered(at: end)
        ahead = resumption.ahead
        if ahead.isEmpty { return resumption.history ?? asked }
        return history(beginningAt: end) ?? asked
    }

    /// How many of the bytes from `lsn` on are of the history in force.
    public func bytes(from lsn: LSN) -> Int {
        ahead.first.map { Int($0.first.value - lsn.value) } ?? .max
    }

    /// The history that begins at `lsn`, once.
    public mutating func history(beginningAt lsn: LSN) -> HistoryID? {
        let due = ahead.prefix { $0.first <= lsn }
        ahead.removeFirst(due.count)
        return due.last?.id
    }

    /// Whether the stream comes to this history further on.
    public func expects(_ history: HistoryID) -> Bool { ahead.contains { $0.id == history } }

    /// The link is gone, and with it what the primary has said.
    public mutating func streamEnds() { ahead = [] }

    /// The stream follows from the end of the log.
    public mutating func streamBegins() { knowsHistory = !needsFullResync }

    /// An empty primary that nobody here has heard of is more likely a mistake than the wish to lose everything.
    ///
    /// - Parameters:
    ///   - keysComing: in a whole snapshot of `history`.
    ///   - keysHeld: which it would take the place of.
    ///   - histories: of the log.
    public static func refusesData(
        keysComing: Int, of history: HistoryID, keysHeld: Int, histories: Histories
    ) -> Bool {
        keysComing == 0 && keysHeld > 0 && histories.end(of: history, now: .zero) == nil
    }

    /// What a replica may say that it has: no more than a crash of it would leave, as far as its policy goes.
    ///
    /// - Parameters:
    ///   - acknowledged: everything before is as safe as the policy promises.
    ///   - durable: everything before is on stable storage; nil without a log.
    public static func acknowledgement(
        applied: LSN, acknowledged: LSN, durable: LSN?
    ) -> [String] {
        let offset = min(applied, acknowledged)
        let synced = durable.map { ["FACK", "\(min(applied, $0))"] } ?? []
        return ["REPLCONF", "ACK", "\(offset)"] + synced
    }
}
