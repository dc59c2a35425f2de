internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

// Sorted sets by rank, by score and by member: reading, storing, counting and removing ranges.

/// How a range of a sorted set is told.
private enum RangeKind {
    case rank
    case score
    case member
}

/// A range as told, read from two arguments.
private enum SortedSetRange {
    case ranks(Int64, Int64)
    case scores(ScoreRange)
    case members(MemberRange)

    init(
        _ context: borrowing CommandContext, _ kind: RangeKind, min: Int, max: Int
    ) throws(CommandError) {
        let low = context.arguments[min]
        let high = context.arguments[max]
        switch kind {
        case .rank:
            self = .ranks(try context.integer(at: min), try context.integer(at: max))
        case .score:
            guard let (lower, excludesMin) = Self.score(low),
                let (upper, excludesMax) = Self.score(high)
            else { throw .text("ERR min or max is not a float") }
            self = .scores(
                ScoreRange(
                    min: lower, max: upper, excludesMin: excludesMin, excludesMax: excludesMax))
        case .member:
            guard let lower = Self.member(low), let upper = Self.member(high) else {
                throw .text("ERR min or max not valid string range item")
            }
            self = .members(MemberRange(min: lower, max: upper))
        }
    }

    /// `1`, `(1`, `-inf`, …
    private static func score(_ word: ByteSlice) -> (Double, Bool)? {
        let excludes = word.count > 0 && word[0] == UInt8(ascii: "(")
        let number = excludes ? word.dropFirst(1) : word
        if let whole = DecimalText.parse(number) { return (Double(whole), excludes) }
        return DoubleText.parseBound(number).map { ($0, excludes) }
    }

    /// `-`, `+`, `[member` or `(member`.
    private static func member(_ word: ByteSlice) -> MemberRange.Bound? {
        guard word.count > 0 else { return nil }
        // What a C string ends with ends the signs.
        let isSign = word.count == 1 || word[1] == 0
        switch word[0] {
        case UInt8(ascii: "-"): return isSign ? .least : nil
        case UInt8(ascii: "+"): return isSign ? .greatest : nil
        case UInt8(ascii: "["): return .including(word.dropFirst(1))
        case UInt8(ascii: "("): return .excluding(word.dropFirst(1))
        default: return nil
        }
    }

    /// The ranks of what is asked for, but for the first `offset` in the direction of reading, and of the rest not
    /// more than `limit`.
    ///
    /// - Parameters:
    ///   - offset: a negative one skips everything.
    ///   - limit: negative for no limit.
    func ranks(
        in set: SortedSetView, reversed: Bool, offset: Int64 = 0, limit: Int64 = -1
    ) -> Range<Int> {
        let count = set.count
        let skipped = offset < 0 ? count : Int(min(offset, Int64(count)))
        var found: Range<Int>
        switch self {
        case .ranks(let start, let stop):
            var low = start < 0 ? max(start + Int64(count), 0) : start
            var high = stop < 0 ? stop + Int64(count) : min(stop, Int64(count) - 1)
            guard low <= high, low < count else { return 0..<0 }
            if reversed { (low, high) = (Int64(count) - 1 - high, Int64(count) - 1 - low) }
            return Int(low)..<Int(high) + 1
        case .scores(let range):
            found = set.ranks(range)
            guard found.count > skipped else { return 0..<0 }
            found =
                reversed
                ? found.lowerBound..<found.upperBound - skipped
                : found.lowerBound + skipped..<found.upperBound
        case .members(let range):
            found = set.ranks(range, skipped: skipped, reversed: reversed)
        }
        guard limit >= 0, limit < Int64(found.count) else { return found }
        return reversed
            ? found.upperBound - Int(limit)..<found.upperBound
            : found.lowerBound..<found.lowerBound + Int(limit)
    }
}

extension SortedSetCommands {
    // MARK: Reading

    @Sendable
    static func zrange(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand())
    }

    @Sendable
    static func zrangestore(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand(stores: true))
    }

    @Sendable
    static func zrevrange(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand(kind: .rank, isReversed: true))
    }

    @Sendable
    static func zrangebyscore(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand(kind: .score, isReversed: false))
    }

    @Sendable
    static func zrevrangebyscore(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand(kind: .score, isReversed: true))
    }

    @Sendable
    static func zrangebylex(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand(kind: .member, isReversed: false))
    }

    @Sendable
    static func zrevrangebylex(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, RangeCommand(kind: .member, isReversed: true))
    }

    /// One of the commands that read a range; what is nil may be chosen by an option.
    private struct RangeCommand {
        var kind: RangeKind?
        var isReversed: Bool?
        var stores = false
        var withScores = false
        var offset: Int64 = 0
        var limit: Int64 = -1

        /// Reads the options from argument `first` on.
        mutating func readOptions(
            _ context: borrowing CommandContext, from first: Int
        ) throws(CommandError) {
            let arguments = context.arguments
            let choosesDirection = isReversed == nil
            let choosesKind = kind == nil
            var index = first
            while index < arguments.count {
                let word = arguments[index]
                if !stores, word.equalsIgnoringCase("withscores") {
                    withScores = true
                } else if word.equalsIgnoringCase("limit"), arguments.count - index > 2 {
                    offset = try context.integer(at: index + 1)
                    limit = try context.integer(at: index + 2)
                    index += 2
                } else if choosesDirection, isReversed == nil, word.equalsIgnoringCase("rev") {
                    isReversed = true
                } else if choosesKind, kind == nil, word.equalsIgnoringCase("bylex") {
                    kind = .member
                } else if choosesKind, kind == nil, word.equalsIgnoringCase("byscore") {
                    kind = .score
                } else {
                    throw .syntax
                }
                index += 1
            }
            if limit != -1, kind ?? .rank == .rank {
                throw .text(
                    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
                )
            }
            if withScores, kind == .member {
                throw .text(
                    "ERR syntax error, WITHSCORES not supported in combination with BYLEX")
            }
        }
    }

    private static func range(
        _ context: inout CommandContext, _ command: RangeCommand
    ) throws(CommandError) {
        var command = command
        let source = command.stores ? 2 : 1
        try command.readOptions(context, from: source + 3)
        let kind = command.kind ?? .rank
        let isReversed = command.isReversed ?? false
        // By score and by member, a reversed range is told from its greater end.
        let isSwapped = isReversed && kind != .rank
        let asked = try SortedSetRange(
            context, kind, min: isSwapped ? source + 2 : source + 1,
            max: isSwapped ? source + 1 : source + 2)
        guard let entry = try context.lookupSortedSet(context.key(at: source)) else {
            if command.stores { return store(&context, ScoredMembers(), "zrangestore") }
            return context.reply.array(0)
        }
        let set = SortedSetView(entry)
        let ranks = asked.ranks(
            in: set, reversed: isReversed, offset: command.offset, limit: command.limit)
        if command.stores {
            var members = ScoredMembers()
            set.forEach(ranks) { element, score in
                element.withBytes { members.append($0, score) }
            }
            members.sort()
            return store(&context, members, "zrangestore")
        }
        let withScores = command.withScores
        context.reply.array(
            withScores && !context.reply.isRESP3 ? ranks.count * 2 : ranks.count)
        set.forEach(ranks, reversed: isReversed) { element, score in
            context.reply.member(element, score, withScores: withScores)
        }
    }

    /// Sets the first key to a sorted set with these members, deletes it if there are none, and replies with
    /// their number.
    ///
    /// - Parameter members: sorted.
    static func store(
        _ context: inout CommandContext, _ members: borrowing ScoredMembers, _ event: StaticString,
        at index: Int = 1
    ) {
        let target = context.key(at: index)
        let isThere = context.live(target, context.database) != nil
        if members.count > 0 || isThere {
            context.keyspace.setSortedSet(
                target, context.database, to: members, context.limits.encodings.sortedSet)
        }
        if members.count > 0 {
            context.notify(.sortedSet, event, target)
        } else if isThere {
            context.notify(.generic, "del", target)
        }
        context.reply.integer(members.count)
    }

    // MARK: Counting

    @Sendable
    static func zcount(_ context: inout CommandContext) throws(CommandError) {
        try count(&context, .score)
    }

    @Sendable
    static func zlexcount(_ context: inout CommandContext) throws(CommandError) {
        try count(&context, .member)
    }

    private static func count(
        _ context: inout CommandContext, _ kind: RangeKind
    ) throws(CommandError) {
        let asked = try SortedSetRange(context, kind, min: 2, max: 3)
        let entry = try context.lookupSortedSet(context.key(at: 1))
        context.reply.integer(
            entry.map { asked.ranks(in: SortedSetView($0), reversed: false).count } ?? 0)
    }

    // MARK: Removing

    @Sendable
    static func zremrangebyrank(_ context: inout CommandContext) throws(CommandError) {
        try removeRange(&context, .rank, "zremrangebyrank")
    }

    @Sendable
    static func zremrangebyscore(_ context: inout CommandContext) throws(CommandError) {
        try removeRange(&context, .score, "zremrangebyscore")
    }

    @Sendable
    static func zremrangebylex(_ context: inout CommandContext) throws(CommandError) {
        try removeRange(&context, .member, "zremrangebylex")
    }

    private static func removeRange(
        _ context: inout CommandContext, _ kind: RangeKind, _ event: StaticString
    ) throws(CommandError) {
        let asked = try SortedSetRange(context, kind, min: 2, max: 3)
        let key = context.key(at: 1)
        guard let entry = try context.lookupSortedSetForWrite(key) else {
            return context.reply.integer(0)
        }
        let set = SortedSetView(entry)
        let held = set.count
        let ranks = asked.ranks(in: set, reversed: false)
        context.keyspace.removeSortedSetMembers(key, context.database, entry, ranks: ranks)
        if !ranks.isEmpty {
            context.notify(.sortedSet, event, key)
            if ranks.count == held { context.notify(.generic, "del", key) }
        }
        context.changeCount = ranks.count
        context.reply.integer(ranks.count)
    }
}
