internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

// Unions, intersections and differences of sorted sets and sets, whose members all have the score 1.

private enum Combination {
    case union
    case intersection
    case difference
}

private enum Aggregation {
    case sum
    case min
    case max

    /// What becomes of the score of a member that is in a further set.
    func callAsFunction(_ score: Double, _ other: Double) -> Double {
        switch self {
        case .sum:
            let sum = score + other
            // Infinities that cancel out.
            return sum.isNaN ? 0 : sum
        case .min: return other < score ? other : score
        case .max: return other > score ? other : score
        }
    }
}

/// One of the sets to combine.
private struct Operand {
    /// Nil if there is no such key.
    let entry: Entry?
    var weight = 1.0
    let count: Int

    init(_ entry: Entry?) throws(CommandError) {
        self.entry = entry
        guard let entry else {
            count = 0
            return
        }
        switch entry.type {
        case .sortedSet: count = SortedSetView(entry).count
        case .set: count = PlainSet(entry).count
        default: throw .wrongType
        }
    }

    func weighted(_ score: Double) -> Double {
        let product = weight * score
        return product.isNaN ? 0 : product
    }

    /// Calls `body` with every member and its score until it says to stop.
    func forEach(_ body: (ByteSlice, Double) -> Bool) {
        guard let entry else { return }
        if entry.type == .set { return PlainSet(entry).forEach { body($0, 1) } }
        var isDone = false
        SortedSetView(entry).forEach { element, score in
            if !isDone { isDone = element.withBytes { !body($0, score) } }
        }
    }

    func score(_ hash: UInt64, _ member: ByteSlice) -> Double? {
        guard let entry else { return nil }
        if entry.type == .set { return PlainSet(entry).contains(hash, member) ? 1 : nil }
        return SortedSetView(entry).score(hash, member)
    }
}

/// A set to be read, whichever form it has.
private enum PlainSet {
    case integers(IntegerSet)
    case packed(PackedList)
    case large(MemberTable)

    init(_ entry: Entry) {
        switch entry.encoding {
        case .intset: self = .integers(IntegerSet(entry.packed))
        case .listpack: self = .packed(PackedList(entry.packed))
        default: self = .large(entry.root(MemberTable.self))
        }
    }

    var count: Int {
        switch self {
        case .integers(let set): set.count
        case .packed(let list): list.count
        case .large(let table): table.count
        }
    }

    func contains(_ hash: UInt64, _ member: ByteSlice) -> Bool {
        switch self {
        case .integers(let set): DecimalText.parse(member).map { set.contains($0) } ?? false
        case .packed(let list): list.find(member) != nil
        case .large(let table): table.contains(hash, member)
        }
    }

    func forEach(_ body: (ByteSlice) -> Bool) {
        switch self {
        case .integers(let set):
            for index in 0..<set.count {
                if !PackedElement.integer(set.element(at: index)).withBytes(body) { return }
            }
        case .packed(let list):
            var offset = list.firstOffset
            while let here = offset {
                if !list[here].withBytes(body) { return }
                offset = list.next(after: here)
            }
        case .large(let table):
            var isDone = false
            table.forEach { record in
                if !isDone { isDone = !body(record.member) }
            }
        }
    }
}

extension SortedSetCommands {
    @Sendable
    static func zunion(_ context: inout CommandContext) throws(CommandError) {
        try reply(&context, .union, "zunion")
    }

    @Sendable
    static func zinter(_ context: inout CommandContext) throws(CommandError) {
        try reply(&context, .intersection, "zinter")
    }

    @Sendable
    static func zdiff(_ context: inout CommandContext) throws(CommandError) {
        try reply(&context, .difference, "zdiff")
    }

    @Sendable
    static func zunionstore(_ context: inout CommandContext) throws(CommandError) {
        try store(&context, .union, "zunionstore")
    }

    @Sendable
    static func zinterstore(_ context: inout CommandContext) throws(CommandError) {
        try store(&context, .intersection, "zinterstore")
    }

    @Sendable
    static func zdiffstore(_ context: inout CommandContext) throws(CommandError) {
        try store(&context, .difference, "zdiffstore")
    }

    private static func reply(
        _ context: inout CommandContext, _ combination: Combination, _ name: StaticString
    ) throws(CommandError) {
        var request = try CombineRequest(
            &context, combination, "\(name)", numberAt: 1, stores: false)
        let members = request.combine(context.keyspace)
        let isFlat = request.withScores && !context.reply.isRESP3
        context.reply.array(isFlat ? members.count * 2 : members.count)
        for index in 0..<members.count {
            context.reply.member(
                .bytes(members.member(index)), members.score(index),
                withScores: request.withScores)
        }
    }

    private static func store(
        _ context: inout CommandContext, _ combination: Combination, _ name: StaticString
    ) throws(CommandError) {
        var request = try CombineRequest(
            &context, combination, "\(name)", numberAt: 2, stores: true)
        let members = request.combine(context.keyspace)
        store(&context, members, name)
    }

    @Sendable
    static func zintercard(_ context: inout CommandContext) throws(CommandError) {
        let request = try CombineRequest(
            &context, .intersection, "zintercard", numberAt: 1, stores: false, counts: true)
        context.reply.integer(request.countIntersection(context.keyspace))
    }
}

/// What one of these commands is asked for.
private struct CombineRequest {
    private let combination: Combination
    private var operands: [Operand] = []
    private var aggregation = Aggregation.sum
    private(set) var withScores = false
    /// 0 for none.
    private var limit = 0

    /// - Parameters:
    ///   - index: where the number of keys stands.
    ///   - counts: only the number of members is wanted.
    init(
        _ context: inout CommandContext, _ combination: Combination, _ name: String,
        numberAt index: Int, stores: Bool, counts: Bool = false
    ) throws(CommandError) {
        self.combination = combination
        let arguments = context.arguments
        let number = try context.integer(at: index)
        guard number >= 1 else {
            throw .message("ERR at least 1 input key is needed for '\(name)' command")
        }
        guard number <= Int64(arguments.count - index - 1) else { throw .syntax }
        let count = Int(number)
        for position in index + 1...index + count {
            operands.append(try Operand(context.lookup(context.key(at: position))))
        }
        var next = index + count + 1
        while next < arguments.count {
            let left = arguments.count - next
            let word = arguments[next]
            let isWeighable = combination != .difference && !counts
            if isWeighable, left > count, word.equalsIgnoringCase("weights") {
                for operand in 0..<count {
                    guard let weight = DoubleText.parse(arguments[next + 1 + operand]) else {
                        throw .text("ERR weight value is not a float")
                    }
                    operands[operand].weight = weight
                }
                next += count + 1
            } else if isWeighable, left >= 2, word.equalsIgnoringCase("aggregate") {
                let chosen = arguments[next + 1]
                if chosen.equalsIgnoringCase("sum") {
                    aggregation = .sum
                } else if chosen.equalsIgnoringCase("min") {
                    aggregation = .min
                } else if chosen.equalsIgnoringCase("max") {
                    aggregation = .max
                } else {
                    throw .syntax
                }
                next += 2
            } else if !stores, !counts, word.equalsIgnoringCase("withscores") {
                withScores = true
                next += 1
            } else if counts, left >= 2, word.equalsIgnoringCase("limit") {
                let wanted = DecimalText.parse(arguments[next + 1])
                guard let wanted, wanted >= 0 else { throw .text("ERR LIMIT can't be negative") }
                limit = Int(wanted)
                next += 2
            } else {
                throw .syntax
            }
        }
    }

    /// The result, sorted.
    mutating func combine(_ keyspace: borrowing Keyspace) -> ScoredMembers {
        let hasher = keyspace.hasher
        var result = ScoredMembers()
        switch combination {
        case .union:
            sortOperands()
            unite(into: &result, hasher)
        case .intersection:
            sortOperands()
            let aggregation = aggregation
            intersect(hasher) { member, scores in
                var sum = scores(0)
                for index in 1..<max(operands.count, 1) { sum = aggregation(sum, scores(index)) }
                result.append(member, sum)
                return true
            }
        case .difference:
            let others = operands.dropFirst()
            operands[0].forEach { member, score in
                let hash = hasher.hash(member)
                if !others.contains(where: { $0.score(hash, member) != nil }) {
                    result.append(member, score)
                }
                return true
            }
        }
        result.sort()
        return result
    }

    /// Smallest first, else as they came: sums of fractions depend on the order, so it is Redis's.
    private mutating func sortOperands() {
        let order = operands.indices.sorted {
            (operands[$0].count, $0) < (operands[$1].count, $1)
        }
        operands = order.map { operands[$0] }
    }

    private func unite(into result: inout ScoredMembers, _ hasher: ByteHash) {
        for operand in operands {
            operand.forEach { member, score in
                let weighted = operand.weighted(score)
                // Sets don't hold a member twice.
                if operands.count == 1 {
                    result.append(member, weighted)
                    return true
                }
                let hash = hasher.hash(member)
                if let index = result.find(member, hash: hash) {
                    result.setScore(index, aggregation(result.score(index), weighted))
                } else {
                    result.append(member, hash: hash, weighted)
                }
                return true
            }
        }
    }

    /// Calls `body` with each member that is in all sets, and a function that gives its score in each of them,
    /// until it says to stop.
    private func intersect(
        _ hasher: ByteHash, _ body: (ByteSlice, (Int) -> Double) -> Bool
    ) {
        guard operands[0].count > 0 else { return }
        var scores = [Double](repeating: 0, count: operands.count)
        operands[0].forEach { member, score in
            scores[0] = operands[0].weighted(score)
            let hash = hasher.hash(member)
            for index in 1..<max(operands.count, 1) {
                guard let other = operands[index].score(hash, member) else { return true }
                scores[index] = operands[index].weight * other
            }
            return body(member) { scores[$0] }
        }
    }

    func countIntersection(_ keyspace: borrowing Keyspace) -> Int {
        var sorted = self
        sorted.sortOperands()
        var count = 0
        sorted.intersect(keyspace.hasher) { _, _ in
            count += 1
            return limit == 0 || count < limit
        }
        return count
    }
}
