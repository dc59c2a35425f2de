public import HoldfastBytes
public import Log

// The decision whether a replica may go on where it was: a pure function, each of its answers tested.

/// What a primary answers to `PSYNC <id> <offset>`.
public enum ResyncAnswer: Equatable, Sendable {
    /// The stream goes on at this LSN.
    case goOn(from: LSN)
    /// The replica needs everything.
    case full(FullResyncReason)
    /// This server follows the same history and hasn't got that far yet: it can't tell.
    case notYet
}

public enum FullResyncReason: Equatable, Sendable, CustomStringConvertible {
    /// It says itself that it has nothing.
    case asked
    /// No history of this log has that id.
    case unknownHistory
    /// The history ended before: the replica has bytes that this log never had, or has lost.
    case beyondEnd(LSN)
    /// Neither memory nor a retained segment holds the stream from there on.
    case gone

    public var description: String {
        switch self {
        case .asked: "the replica asked for it"
        case .unknownHistory: "its history is not one of this log"
        case .beyondEnd(let end): "its history ended at LSN \(end) in this log"
        case .gone: "what it misses is no longer kept"
        }
    }
}

public enum PartialResync {
    /// Decides about a request.
    ///
    /// Redis counts the offset from 1: it names the next byte that is wanted.
    ///
    /// - Parameters:
    ///   - end: of the log.
    ///   - followed: what this server knows of the stream that it follows itself; nil for a primary.
    ///   - isKept: whether the stream can be read from an LSN on.
    public static func answer(
        id: ByteSlice, offset: Int64, histories: Histories, end: LSN, followed: StreamClaim?,
        isKept: (LSN) -> Bool
    ) -> ResyncAnswer {
        if id.count == 1, id[0] == UInt8(ascii: "?") { return .full(.asked) }
        guard let history = HistoryID(ignoringCase: id) else { return .full(.unknownHistory) }
        if let followed, followed.expects(history) { return .notYet }
        guard let last = histories.end(of: history, now: end) else {
            return .full(.unknownHistory)
        }
        guard offset > 0 else { return .full(.gone) }
        let lsn = LSN(UInt64(offset) - 1)
        guard lsn <= last else {
            // What it has more of, this server's primary has, too.
            if followed != nil, history == histories.current, offset <= LinkHandshake.offsetMax {
                return .notYet
            }
            return .full(.beyondEnd(last))
        }
        return isKept(lsn) ? .goOn(from: lsn) : .full(.gone)
    }
}

extension HistoryID {
    /// As `init(_:)`, for an id that somebody may have written in upper case.
    init?(ignoringCase text: ByteSlice) {
        guard text.count == Self.textBytes else { return nil }
        let lower = text.copyToArray().map { $0 >= 0x41 && $0 <= 0x46 ? $0 | 0x20 : $0 }
        guard let id = lower.withSlice({ HistoryID($0) }) else { return nil }
        self = id
    }
}
