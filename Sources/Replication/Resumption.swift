public import HoldfastBytes
public import Log

/// `+CONTINUE`: under which ids the stream goes on.
///
///     +CONTINUE                                    under the id that was asked for
///     +CONTINUE <id>                               under another one, from the next byte on
///     +CONTINUE <id> <id> <LSN> <id> <LSN> …       the histories that begin further on, the last of them <id>
///
/// The third form is for replicas that announce `holdfast-forks`. Without it a replica takes what it gets for part of the
/// newest history, though it may be of the one before, and can't go on later at a server that knows only that.
public struct Resumption: Equatable, Sendable {
    /// Nil if the primary names none.
    public var history: HistoryID?
    /// Histories that begin at or behind the end of the replica's log, in order; the last is `history`.
    public var ahead: [Histories.Span] = []

    /// What a replica announces that reads the third form.
    public static let capability = "holdfast-forks"

    /// So many fit into a line of a handshake.
    private static let aheadMax = 12

    public init(_ history: HistoryID?, ahead: [Histories.Span] = []) {
        self.history = history
        self.ahead = ahead
    }

    /// What a primary answers to a replica that goes on.
    ///
    /// - Parameter id: that it asked for, known in `histories`.
    public init(from id: ByteSlice, in histories: Histories, for feed: ReplicaFeed) {
        guard feed.followsHistories else { return }
        history = histories.current
        guard feed.readsForks, let asked = HistoryID(ignoringCase: id),
            let index = histories.spans.lastIndex(where: { $0.id == asked })
        else { return }
        let later = histories.spans[(index + 1)...]
        // Nobody has a record of a history that ended where it began.
        let inUse = later.indices.filter { index in
            index + 1 == later.endIndex || later[index].first < later[index + 1].first
        }
        if inUse.count <= Self.aheadMax { ahead = inUse.map { later[$0] } }
    }

    public var line: String {
        let words = ["CONTINUE"] + (history.map { ["\($0)"] } ?? [])
        return (words + ahead.flatMap { ["\($0.id)", "\($0.first)"] }).joined(separator: " ")
    }

    /// - Parameters:
    ///   - words: of the line, behind `+CONTINUE`.
    ///   - end: of the replica's log.
    init?(_ words: ArraySlice<ByteSlice>, end: LSN) {
        guard let word = words.first else { return }
        guard let id = Self.history(word) else { return nil }
        history = id
        var rest = words.dropFirst()
        var last = end
        while let word = rest.popFirst() {
            guard let next = Self.history(word), let number = rest.popFirst(),
                let first = DecimalText.parse(number), first >= 0,
                first <= LinkHandshake.offsetMax, LSN(UInt64(first)) >= last
            else { return nil }
            last = LSN(UInt64(first))
            ahead.append(Histories.Span(next, from: last))
        }
        if let newest = ahead.last, newest.id != history { return nil }
    }

    private static func history(_ word: ByteSlice) -> HistoryID? { HistoryID(ignoringCase: word) }
}
