internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Store

/// Commands on sorted sets, but for those that read ranges (`SortedSetRangeCommands.swift`) and those that
/// combine several sets (`SortedSetCombining.swift`).
public enum SortedSetCommands {
    // MARK: Adding

    @Sendable
    static func zadd(_ context: inout CommandContext) throws(CommandError) {
        try add(&context, SortedSetUpdate())
    }

    @Sendable
    static func zincrby(_ context: inout CommandContext) throws(CommandError) {
        var update = SortedSetUpdate()
        update.increments = true
        try add(&context, update)
    }

    private static func add(
        _ context: inout CommandContext, _ update: SortedSetUpdate
    ) throws(CommandError) {
        let arguments = context.arguments
        var update = update
        var countsUpdates = false
        let first = try options(arguments, &update, &countsUpdates)
        let count = (arguments.count - first) / 2
        let score = try arguments[first].score()
        // All scores are read before anything is changed.
        var longest = arguments[first + 1].count
        for index in 1..<max(count, 1) {
            _ = try arguments[first + index * 2].score()
            longest = max(longest, arguments[first + index * 2 + 1].count)
        }
        try apply(
            &context, &update, count: count, longest: longest,
            score: { $0 == 0 ? score : arguments[first + $0 * 2].knownScore },
            member: { arguments[first + $0 * 2 + 1] })
        context.changeCount = update.added + update.updated
        if !update.increments {
            context.reply.integer(countsUpdates ? update.added + update.updated : update.added)
        } else if update.accepted > 0 {
            context.reply.score(update.score)
        } else {
            context.reply.null()
        }
    }

    /// Reads the options of ZADD; returns where scores and members begin.
    private static func options(
        _ arguments: Arguments, _ update: inout SortedSetUpdate, _ countsUpdates: inout Bool
    ) throws(CommandError) -> Int {
        var index = 2
        while index < arguments.count {
            let word = arguments[index]
            // Numbers begin with no letter but those of inf and nan.
            if word.isEmpty || word[0] < 65 || word.count > 4 { break }
            if word.equalsIgnoringCase("nx") {
                update.onlyAdds = true
            } else if word.equalsIgnoringCase("xx") {
                update.onlyUpdates = true
            } else if word.equalsIgnoringCase("ch") {
                countsUpdates = true
            } else if word.equalsIgnoringCase("incr") {
                update.increments = true
            } else if word.equalsIgnoringCase("gt") {
                update.onlyRaises = true
            } else if word.equalsIgnoringCase("lt") {
                update.onlyLowers = true
            } else {
                break
            }
            index += 1
        }
        let left = arguments.count - index
        if left == 0 || left % 2 != 0 { throw .syntax }
        if update.onlyAdds && update.onlyUpdates {
            throw .text("ERR XX and NX options at the same time are not compatible")
        }
        if (update.onlyRaises && update.onlyAdds) || (update.onlyLowers && update.onlyAdds)
            || (update.onlyRaises && update.onlyLowers)
        {
            throw .text("ERR GT, LT, and/or NX options at the same time are not compatible")
        }
        if update.increments && left > 2 {
            throw .text("ERR INCR option supports a single increment-element pair")
        }
        return index
    }

    /// Applies an update to the sorted set under the first key; GEOADD does the same with scores of its own.
    @inline(__always)
    static func apply(
        _ context: inout CommandContext, _ update: inout SortedSetUpdate, count: Int, longest: Int,
        score: (Int) -> Double, member: (Int) -> ByteSlice
    ) throws(CommandError) {
        let key = context.key(at: 1)
        let entry = try context.lookupSortedSetForWrite(key)
        context.keyspace.updateSortedSet(
            key, context.database, entry, &update, count: count, longest: longest,
            context.limits.encodings.sortedSet
        ) { (member($0), score($0)) }
        if update.isNaN { throw .text("ERR resulting score is not a number (NaN)") }
        if update.hasChanged {
            context.notify(.sortedSet, update.increments ? "zincr" : "zadd", key)
        }
    }

    // MARK: One member, or several

    @Sendable
    static func zcard(_ context: inout CommandContext) throws(CommandError) {
        let entry = try context.lookupSortedSet(context.key(at: 1))
        context.reply.integer(entry.map { SortedSetView($0).count } ?? 0)
    }

    @Sendable
    static func zscore(_ context: inout CommandContext) throws(CommandError) {
        let member = context.arguments[2]
        guard let entry = try context.lookupSortedSet(context.key(at: 1)),
            let score = SortedSetView(entry).score(context.keyspace.hash(member), member)
        else { return context.reply.null() }
        context.reply.score(score)
    }

    @Sendable
    static func zmscore(_ context: inout CommandContext) throws(CommandError) {
        let entry = try context.lookupSortedSet(context.key(at: 1))
        context.reply.array(context.arguments.count - 2)
        guard let entry else {
            for _ in 2..<context.arguments.count { context.reply.null() }
            return
        }
        let set = SortedSetView(entry)
        for index in 2..<context.arguments.count {
            let member = context.arguments[index]
            if let score = set.score(context.keyspace.hash(member), member) {
                context.reply.score(score)
            } else {
                context.reply.null()
            }
        }
    }

    @Sendable
    static func zrank(_ context: inout CommandContext) throws(CommandError) {
        try rank(&context, reversed: false)
    }

    @Sendable
    static func zrevrank(_ context: inout CommandContext) throws(CommandError) {
        try rank(&context, reversed: true)
    }

    private static func rank(
        _ context: inout CommandContext, reversed: Bool
    ) throws(CommandError) {
        var withScore = false
        if context.arguments.count > 4 {
            throw .wrongArity(reversed ? "zrevrank" : "zrank")
        }
        if context.arguments.count == 4 {
            guard context.arguments[3].equalsIgnoringCase("withscore") else { throw .syntax }
            withScore = true
        }
        let member = context.arguments[2]
        guard let entry = try context.lookupSortedSet(context.key(at: 1)),
            let found = SortedSetView(entry).rank(context.keyspace.hash(member), member)
        else { return withScore ? context.reply.nullArray() : context.reply.null() }
        let rank = reversed ? SortedSetView(entry).count - 1 - found.rank : found.rank
        if withScore { context.reply.array(2) }
        context.reply.integer(rank)
        if withScore { context.reply.score(found.score) }
    }

    @Sendable
    static func zrem(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard let entry = try context.lookupSortedSetForWrite(key) else {
            return context.reply.integer(0)
        }
        let arguments = context.arguments
        var removed = 0
        var left = 0
        if entry.encoding == .listpack {
            context.keyspace.editPacked(key, context.database, entry) { block in
                for index in 2..<arguments.count {
                    if block.removeMember(arguments[index]) { removed += 1 }
                }
                left = block.list.count
                return removed > 0
            }
        } else {
            let hasher = context.keyspace.hasher
            context.keyspace.editRoot(
                key, context.database, entry, as: SortedSetRoot.self
            ) { root, epochs in
                for index in 2..<arguments.count {
                    let hash = hasher.hash(arguments[index])
                    guard let item = root.find(hash, arguments[index]) else { continue }
                    root.remove(hash, item, &epochs)
                    removed += 1
                }
                left = root.count
                return removed > 0
            }
        }
        context.changeCount = removed
        if left == 0 { context.keyspace.remove(key, context.database) }
        if removed > 0 {
            context.notify(.sortedSet, "zrem", key)
            if left == 0 { context.notify(.generic, "del", key) }
        }
        context.reply.integer(removed)
    }

    // MARK: Popping

    @Sendable
    static func zpopmin(_ context: inout CommandContext) throws(CommandError) {
        try pop(&context, greatest: false)
    }

    @Sendable
    static func zpopmax(_ context: inout CommandContext) throws(CommandError) {
        try pop(&context, greatest: true)
    }

    private static func pop(
        _ context: inout CommandContext, greatest: Bool
    ) throws(CommandError) {
        if context.arguments.count > 3 { throw .syntax }
        var count: Int?
        if context.arguments.count == 3 {
            guard let wanted = DecimalText.parse(context.arguments[2]), wanted >= 0 else {
                throw .mustBePositive
            }
            count = Int(wanted)
        }
        let key = context.key(at: 1)
        guard let entry = try context.lookupSortedSetForWrite(key), count != 0 else {
            return context.reply.array(0)
        }
        let popped = min(count ?? 1, SortedSetView(entry).count)
        let isNested = context.reply.isRESP3 && count != nil
        context.reply.array(isNested ? popped : popped * 2)
        pop(&context, key, entry, popped, greatest: greatest, isNested: isNested)
    }

    /// Replies with the first or last members and their scores, and takes them out.
    ///
    /// - Parameter count: from 1, and no more than there are.
    private static func pop(
        _ context: inout CommandContext, _ key: HashedKey, _ entry: Entry, _ count: Int,
        greatest: Bool, isNested: Bool
    ) {
        let set = SortedSetView(entry)
        let held = set.count
        let ranks = greatest ? held - count..<held : 0..<count
        set.forEach(ranks, reversed: greatest) { element, score in
            if isNested { context.reply.array(2) }
            context.reply.element(element)
            context.reply.score(score)
        }
        context.keyspace.removeSortedSetMembers(key, context.database, entry, ranks: ranks)
        context.changeCount = count
        context.notify(.sortedSet, greatest ? "zpopmax" : "zpopmin", key)
        if held == count { context.notify(.generic, "del", key) }
    }

    @Sendable
    static func zmpop(_ context: inout CommandContext) throws(CommandError) {
        let request = try PopRequest(context, at: 1)
        if try !pop(&context, request) { context.reply.nullArray() }
    }

    /// What ZMPOP and BZMPOP are asked for.
    private struct PopRequest {
        var keys: Range<Int>
        var greatest = false
        var count = 1

        /// - Parameter index: where the number of keys stands.
        init(_ context: borrowing CommandContext, at index: Int) throws(CommandError) {
            let arguments = context.arguments
            guard let number = DecimalText.parse(arguments[index]), number > 0 else {
                throw .text("ERR numkeys should be greater than 0")
            }
            guard number < Int64(arguments.count - index - 1) else { throw .syntax }
            keys = index + 1..<index + 1 + Int(number)
            var next = keys.upperBound
            if arguments[next].equalsIgnoringCase("max") {
                greatest = true
            } else if !arguments[next].equalsIgnoringCase("min") {
                throw .syntax
            }
            next += 1
            guard next < arguments.count else { return }
            guard next + 2 == arguments.count, arguments[next].equalsIgnoringCase("count") else {
                // A second COUNT is no option any more, but the first is read before that is seen.
                if next + 1 < arguments.count, arguments[next].equalsIgnoringCase("count") {
                    _ = try Self.count(arguments[next + 1])
                }
                throw .syntax
            }
            count = try Self.count(arguments[next + 1])
        }

        private static func count(_ word: ByteSlice) throws(CommandError) -> Int {
            guard let wanted = DecimalText.parse(word), wanted > 0 else {
                throw .text("ERR count should be greater than 0")
            }
            return Int(wanted)
        }
    }

    /// Pops from the first of the keys that holds anything.
    ///
    /// - Returns: false, without a reply, if none does.
    private static func pop(
        _ context: inout CommandContext, _ request: PopRequest
    ) throws(CommandError) -> Bool {
        for index in request.keys {
            let key = context.key(at: index)
            guard let entry = try context.lookupSortedSetForWrite(key) else { continue }
            let popped = min(request.count, SortedSetView(entry).count)
            context.reply.array(2)
            context.reply.bulk(key.bytes)
            context.reply.array(popped)
            context.logInstead(
                request.greatest ? "ZPOPMAX" : "ZPOPMIN", key.bytes, Int64(popped))
            pop(&context, key, entry, popped, greatest: request.greatest, isNested: true)
            return true
        }
        return false
    }

    @Sendable
    static func bzmpop(_ context: inout CommandContext) throws(CommandError) {
        let timeout = try context.timeoutSeconds(at: 1)
        let request = try PopRequest(context, at: 2)
        if try pop(&context, request) { return }
        wait(&context, keys: request.keys, timeout)
    }

    @Sendable
    static func bzpopmin(_ context: inout CommandContext) throws(CommandError) {
        try popOrWait(&context, greatest: false)
    }

    @Sendable
    static func bzpopmax(_ context: inout CommandContext) throws(CommandError) {
        try popOrWait(&context, greatest: true)
    }

    private static func popOrWait(
        _ context: inout CommandContext, greatest: Bool
    ) throws(CommandError) {
        let timeout = try context.timeoutSeconds(at: context.arguments.count - 1)
        let keys = 1..<context.arguments.count - 1
        for index in keys {
            let key = context.key(at: index)
            guard let entry = try context.lookupSortedSetForWrite(key) else { continue }
            context.reply.array(3)
            context.reply.bulk(key.bytes)
            context.logInstead(greatest ? "ZPOPMAX" : "ZPOPMIN", key.bytes)
            return pop(&context, key, entry, 1, greatest: greatest, isNested: false)
        }
        wait(&context, keys: keys, timeout)
    }

    private static func wait(
        _ context: inout CommandContext, keys: Range<Int>, _ timeout: Int64
    ) {
        let waits = context.block(
            BlockRequest(keys: Array(keys), type: .sortedSet, milliseconds: timeout))
        if !waits { context.reply.nullArray() }
    }

    // MARK: Any members

    @Sendable
    static func zrandmember(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        guard arguments.count > 2 else {
            guard let entry = try context.lookupSortedSet(context.key(at: 1)) else {
                return context.reply.null()
            }
            let set = SortedSetView(entry)
            let rank = context.random.below(set.count)
            return set.forEach(rank..<rank + 1) { element, _ in context.reply.element(element) }
        }
        let count = try context.integer(at: 2)
        if count == .min {
            throw .text(
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
            )
        }
        var withScores = false
        if arguments.count > 3 {
            guard arguments.count == 4, arguments[3].equalsIgnoringCase("withscores") else {
                throw .syntax
            }
            withScores = true
            if count.magnitude > UInt64(Int64.max / 2) {
                throw .text("ERR value is out of range")
            }
        }
        guard let entry = try context.lookupSortedSet(context.key(at: 1)), count != 0 else {
            return context.reply.array(0)
        }
        let set = SortedSetView(entry)
        if count < 0 {
            try replyRepeated(&context, set, Int(count.magnitude), withScores)
        } else {
            replyDistinct(&context, set, Int(count), withScores)
        }
    }

    private static func replyHead(
        _ context: inout CommandContext, _ count: Int, _ withScores: Bool
    ) {
        context.reply.array(withScores && !context.reply.isRESP3 ? count * 2 : count)
    }

    private static func reply(
        _ context: inout CommandContext, _ set: SortedSetView, _ ranks: Range<Int>,
        _ withScores: Bool
    ) {
        set.forEach(ranks) { element, score in
            context.reply.member(element, score, withScores: withScores)
        }
    }

    /// Any members, as often as chance has it.
    private static func replyRepeated(
        _ context: inout CommandContext, _ set: SortedSetView, _ count: Int, _ withScores: Bool
    ) throws(CommandError) {
        // No reply needs to be longer than a value may be; a count is no reason to run out of memory.
        let start = context.reply.buffer.count
        let bytesMax = context.limits.stringBytesMax
        guard count <= bytesMax / 6 else { throw .text("ERR value is out of range") }
        let held = set.count
        replyHead(&context, count, withScores)
        for _ in 0..<count {
            let rank = context.random.below(held)
            reply(&context, set, rank..<rank + 1, withScores)
            if context.reply.buffer.count - start > bytesMax {
                context.reply.buffer.truncate(to: start)
                throw .text("ERR value is out of range")
            }
        }
    }

    /// Different members: as many as are wanted, or all there are.
    private static func replyDistinct(
        _ context: inout CommandContext, _ set: SortedSetView, _ count: Int, _ withScores: Bool
    ) {
        let held = set.count
        replyHead(&context, min(count, held), withScores)
        if count >= held { return reply(&context, set, 0..<held, withScores) }
        if count > held / 3 {
            // Walk over all and take each with the chance that it has of those that are left.
            var wanted = count
            var left = held
            set.forEach { element, score in
                if context.random.below(left) < wanted {
                    context.reply.member(element, score, withScores: withScores)
                    wanted -= 1
                }
                left -= 1
            }
            return
        }
        var taken: Set<Int> = []
        while taken.count < count {
            let rank = context.random.below(held)
            guard taken.insert(rank).inserted else { continue }
            reply(&context, set, rank..<rank + 1, withScores)
        }
    }

    // MARK: Scanning

    @Sendable
    static func zscan(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        let cursor = try KeyCommands.scanCursor(arguments[2])
        guard let entry = try context.lookupSortedSet(context.key(at: 1)) else {
            context.reply.array(2)
            context.reply.bulk("0")
            return context.reply.array(0)
        }
        var wanted = 10
        var pattern: ByteSlice?
        var index = 3
        while index < arguments.count {
            guard index + 1 < arguments.count else { throw .syntax }
            if arguments[index].equalsIgnoringCase("count") {
                let number = try context.integer(at: index + 1)
                if number < 1 { throw .syntax }
                wanted = Int(number)
            } else if arguments[index].equalsIgnoringCase("match") {
                let value = arguments[index + 1]
                pattern = value.count == 1 && value[0] == UInt8(ascii: "*") ? nil : value
            } else {
                throw .syntax
            }
            index += 2
        }
        func accepts(_ member: ByteSlice) -> Bool {
            pattern.map { Glob.matches($0, member) } ?? true
        }
        var items = ReplyWriter()
        var found = 0
        var next: UInt64 = 0
        var text = ByteBuffer()
        switch SortedSetView(entry) {
        case .packed(let list):
            SortedSetView.packed(list).forEachText { member, score in
                guard member.withBytes({ accepts($0) }) else { return }
                items.element(member)
                items.element(score)
                found += 2
            }
        case .large(let root):
            next = root.scan(from: cursor, wanted: wanted) { item in
                guard accepts(item.key) else { return }
                items.bulk(item.key)
                text.removeAll()
                text.append(double17: item.score)
                items.bulk(text.slice)
                found += 2
            }
        }
        context.reply.array(2)
        text.removeAll()
        text.append(unsigned: next)
        context.reply.bulk(text.slice)
        context.reply.array(found)
        context.reply.buffer.append(items.buffer.slice)
    }

    // MARK: Table

    public static let table: [CommandSpec] = basicTable + rangeTable + combiningTable

    private static let basicTable: [CommandSpec] = [
        CommandSpec(
            "bzmpop", -5, [.write, .blocking], .sortedSet,
            keys: [.counted(at: 2, .rw, [.access, .delete])], .data(bzmpop)),
        CommandSpec(
            "bzpopmax", -3, [.write, .blocking, .fast], .sortedSet,
            keys: [.from(1, to: -2, .rw, [.access, .delete])], .data(bzpopmax)),
        CommandSpec(
            "bzpopmin", -3, [.write, .blocking, .fast], .sortedSet,
            keys: [.from(1, to: -2, .rw, [.access, .delete])], .data(bzpopmin)),
        CommandSpec(
            "zadd", -4, [.write, .denyOOM, .fast], .sortedSet, keys: [.first(.rw, [.update])],
            .data(zadd)),
        CommandSpec("zcard", 2, [.readonly, .fast], .sortedSet, keys: [.first(.ro)], .data(zcard)),
        CommandSpec(
            "zincrby", 4, [.write, .denyOOM, .fast], .sortedSet,
            keys: [.first(.rw, [.access, .update])], .data(zincrby)),
        CommandSpec(
            "zmpop", -4, [.write], .sortedSet, keys: [.counted(at: 1, .rw, [.access, .delete])],
            .data(zmpop)),
        CommandSpec(
            "zmscore", -3, [.readonly, .fast], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zmscore)),
        CommandSpec(
            "zpopmax", -2, [.write, .fast], .sortedSet, keys: [.first(.rw, [.access, .delete])],
            .data(zpopmax)),
        CommandSpec(
            "zpopmin", -2, [.write, .fast], .sortedSet, keys: [.first(.rw, [.access, .delete])],
            .data(zpopmin)),
        CommandSpec(
            "zrandmember", -2, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(zrandmember)),
        CommandSpec(
            "zrank", -3, [.readonly, .fast], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrank)),
        CommandSpec(
            "zrem", -3, [.write, .fast], .sortedSet, keys: [.first(.rw, [.delete])], .data(zrem)),
        CommandSpec(
            "zrevrank", -3, [.readonly, .fast], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrevrank)),
        CommandSpec(
            "zscan", -3, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(zscan)),
        CommandSpec(
            "zscore", 3, [.readonly, .fast], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zscore)),
    ]

    private static let rangeTable: [CommandSpec] = [
        CommandSpec(
            "zcount", 4, [.readonly, .fast], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zcount)),
        CommandSpec(
            "zlexcount", 4, [.readonly, .fast], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zlexcount)),
        CommandSpec(
            "zrange", -4, [.readonly], .sortedSet, keys: [.first(.ro, [.access])], .data(zrange)),
        CommandSpec(
            "zrangebylex", -4, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrangebylex)),
        CommandSpec(
            "zrangebyscore", -4, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrangebyscore)),
        CommandSpec(
            "zrangestore", -5, [.write, .denyOOM], .sortedSet,
            keys: [.first(.ow, [.update]), .at(2, .ro, [.access])], .data(zrangestore)),
        CommandSpec(
            "zremrangebylex", 4, [.write], .sortedSet, keys: [.first(.rw, [.delete])],
            .data(zremrangebylex)),
        CommandSpec(
            "zremrangebyrank", 4, [.write], .sortedSet, keys: [.first(.rw, [.delete])],
            .data(zremrangebyrank)),
        CommandSpec(
            "zremrangebyscore", 4, [.write], .sortedSet, keys: [.first(.rw, [.delete])],
            .data(zremrangebyscore)),
        CommandSpec(
            "zrevrange", -4, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrevrange)),
        CommandSpec(
            "zrevrangebylex", -4, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrevrangebylex)),
        CommandSpec(
            "zrevrangebyscore", -4, [.readonly], .sortedSet, keys: [.first(.ro, [.access])],
            .data(zrevrangebyscore)),
    ]

    private static let combiningTable: [CommandSpec] = [
        CommandSpec(
            "zdiff", -3, [.readonly], .sortedSet, keys: [.counted(at: 1, .ro, [.access])],
            .data(zdiff)),
        CommandSpec(
            "zdiffstore", -4, [.write, .denyOOM], .sortedSet,
            keys: [.first(.ow, [.update]), .counted(at: 2, .ro, [.access])], .data(zdiffstore)),
        CommandSpec(
            "zinter", -3, [.readonly], .sortedSet, keys: [.counted(at: 1, .ro, [.access])],
            .data(zinter)),
        CommandSpec(
            "zintercard", -3, [.readonly], .sortedSet, keys: [.counted(at: 1, .ro, [.access])],
            .data(zintercard)),
        CommandSpec(
            "zinterstore", -4, [.write, .denyOOM], .sortedSet,
            keys: [.first(.ow, [.update]), .counted(at: 2, .ro, [.access])], .data(zinterstore)),
        CommandSpec(
            "zunion", -3, [.readonly], .sortedSet, keys: [.counted(at: 1, .ro, [.access])],
            .data(zunion)),
        CommandSpec(
            "zunionstore", -4, [.write, .denyOOM], .sortedSet,
            keys: [.first(.ow, [.update]), .counted(at: 2, .ro, [.access])], .data(zunionstore)),
    ]
}

extension CommandContext {
    /// The sorted set under `key`, or nil if there is no such key.
    @inline(__always)
    mutating func lookupSortedSet(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookup(key) else { return nil }
        if entry.type != .sortedSet { throw .wrongType }
        return entry
    }

    @inline(__always)
    mutating func lookupSortedSetForWrite(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookupForWrite(key) else { return nil }
        if entry.type != .sortedSet { throw .wrongType }
        return entry
    }
}

extension ByteSlice {
    /// The number that the bytes spell, as a score.
    @inline(__always)
    func score() throws(CommandError) -> Double {
        if let whole = DecimalText.parse(self) { return Double(whole) }
        guard let value = DoubleText.parse(self) else { throw .notAFloat }
        return value
    }

    /// The same for bytes that have been read before.
    @inline(__always)
    var knownScore: Double {
        if let whole = DecimalText.parse(self) { return Double(whole) }
        return DoubleText.parse(self) ?? 0
    }
}

extension ReplyWriter {
    /// A score: a bulk string, or a double in RESP3.
    @inline(__always)
    mutating func score(_ value: Double) {
        guard value.magnitude < 1e15, let whole = Int64(exactly: value),
            whole != 0 || value.sign == .plus
        else { return double(text: DoubleText.text(value)) }
        if isRESP3 {
            buffer.append(UInt8(ascii: ","))
            buffer.append(decimal: whole)
            buffer.append("\r\n")
        } else {
            bulk(decimal: whole)
        }
    }

    @inline(__always)
    mutating func element(_ element: PackedElement) {
        switch element {
        case .integer(let value): bulk(decimal: value)
        case .bytes(let bytes): bulk(bytes)
        }
    }

    /// A member, with its score if that is wanted: in a pair of their own in RESP3.
    @inline(__always)
    mutating func member(_ element: PackedElement, _ score: Double, withScores: Bool) {
        if withScores {
            if isRESP3 { array(2) }
            self.element(element)
            self.score(score)
        } else {
            self.element(element)
        }
    }
}
