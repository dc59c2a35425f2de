/// Which history covered which LSNs, as far as that is known: the one in force and those before it.
///
/// A restart as primary and a promotion begin a history where the one before ends. Two logs agree up to the LSN up
/// to which they have a history in common, so a replica that names an id and an LSN within it can go on from there.
public struct Histories: Equatable, Sendable {
    public struct Span: Equatable, Sendable {
        public var id: HistoryID
        /// Where it began, or the first LSN that is known to be of it.
        public var first: LSN

        public init(_ id: HistoryID, from first: LSN) {
            self.id = id
            self.first = first
        }
    }

    /// Oldest first; the last is in force, and there is always one. Each ends where the next begins.
    public private(set) var spans: [Span]

    public init(_ id: HistoryID, from first: LSN) { spans = [Span(id, from: first)] }

    public var current: HistoryID { spans[spans.count - 1].id }

    /// The history before the one in force, and where it ended: Redis's second replication id.
    public var previous: (id: HistoryID, end: LSN)? {
        spans.count > 1 ? (spans[spans.count - 2].id, spans[spans.count - 1].first) : nil
    }

    /// Where `id` ends: `now`, the end of the log, for the history in force; nil for an id that is not known.
    public func end(of id: HistoryID, now: LSN) -> LSN? {
        guard let index = spans.lastIndex(where: { $0.id == id }) else { return nil }
        return index == spans.count - 1 ? now : spans[index + 1].first
    }

    /// The id under which another server may know what this log holds up to its end, `now`: the newest history
    /// that has a record.
    public func offered(at now: LSN) -> HistoryID {
        spans.last { $0.first < now }?.id ?? spans[0].id
    }

    /// Begins a history at `lsn`, where the one in force ends.
    public mutating func begin(_ id: HistoryID, at lsn: LSN) {
        if id == current { return }
        precondition(
            lsn >= spans[spans.count - 1].first, "a history that begins before its forebear")
        spans.append(Span(id, from: lsn))
        if spans.count > Self.countMax { spans.removeFirst() }
    }

    /// What came before the history in force no longer counts.
    public mutating func forgetPrevious() { spans.removeFirst(spans.count - 1) }

    /// A server that is restarted again and again without a write; older ids help nobody.
    private static let countMax = 1_000
}
