internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// Commands on sets.
public enum SetCommands {
    // MARK: Members

    @Sendable
    static func sadd(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let entry = try context.lookupSetForWrite(key)
        let arguments = context.arguments
        let limits = context.limits.encodings
        let added = context.keyspace.addMembers(
            key, context.database, entry, count: arguments.count - 2, limits
        ) { arguments[$0 &+ 2] }
        context.changeCount = added
        if added > 0 { context.notify(.set, "sadd", key) }
        context.reply.integer(added)
    }

    @Sendable
    static func srem(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard let entry = try context.lookupSetForWrite(key) else {
            return context.reply.integer(0)
        }
        let arguments = context.arguments
        let (removed, isEmpty) = context.keyspace.removeMembers(
            key, context.database, entry, count: arguments.count - 2
        ) { .bytes(arguments[$0 &+ 2]) }
        context.changeCount = removed
        if removed > 0 {
            context.notify(.set, "srem", key)
            if isEmpty { removeEmpty(&context, key) }
        }
        context.reply.integer(removed)
    }

    private static func removeEmpty(_ context: inout CommandContext, _ key: HashedKey) {
        context.keyspace.remove(key, context.database)
        context.notify(.generic, "del", key)
    }

    @Sendable
    static func smove(_ context: inout CommandContext) throws(CommandError) {
        let source = context.key(at: 1)
        let target = context.key(at: 2)
        let member = context.arguments[3]
        let database = context.database
        guard let from = context.lookupForWrite(source) else { return context.reply.integer(0) }
        let to = context.lookupForWrite(target)
        guard from.type == .set, to.map({ $0.type == .set }) ?? true else { throw .wrongType }
        if source.bytes == target.bytes {
            let isThere = SetValue(from).contains(member, context.keyspace.hasher)
            return context.reply.integer(isThere ? 1 : 0)
        }
        let (removed, isEmpty) = context.keyspace.removeMembers(
            source, database, from, count: 1
        ) { _ in .bytes(member) }
        guard removed > 0 else { return context.reply.integer(0) }
        context.notify(.set, "srem", source)
        if isEmpty { removeEmpty(&context, source) }
        let limits = context.limits.encodings
        let added = context.keyspace.addMembers(
            target, database, to, count: 1, limits
        ) { _ in member }
        context.changeCount = removed + added
        if added > 0 { context.notify(.set, "sadd", target) }
        context.reply.integer(1)
    }

    @Sendable
    static func scard(_ context: inout CommandContext) throws(CommandError) {
        context.reply.integer(try context.lookupSet(context.key(at: 1))?.count ?? 0)
    }

    @Sendable
    static func sismember(_ context: inout CommandContext) throws(CommandError) {
        let set = try context.lookupSet(context.key(at: 1))
        let isThere = set?.contains(context.arguments[2], context.keyspace.hasher) ?? false
        context.reply.integer(isThere ? 1 : 0)
    }

    @Sendable
    static func smismember(_ context: inout CommandContext) throws(CommandError) {
        let set = try context.lookupSet(context.key(at: 1))
        let hasher = context.keyspace.hasher
        context.reply.array(context.arguments.count - 2)
        for index in 2..<context.arguments.count {
            let isThere = set?.contains(context.arguments[index], hasher) ?? false
            context.reply.integer(isThere ? 1 : 0)
        }
    }

    @Sendable
    static func smembers(_ context: inout CommandContext) throws(CommandError) {
        let set = try context.lookupSet(context.key(at: 1))
        context.reply.set(set?.count ?? 0)
        set?.forEach { context.reply.bulk($0) }
    }

    @Sendable
    static func sscan(_ context: inout CommandContext) throws(CommandError) {
        let cursor = try KeyCommands.scanCursor(context.arguments[2])
        guard let set = try context.lookupSet(context.key(at: 1)) else {
            return CollectionScan.replyEmpty(&context)
        }
        let scan = try CollectionScan(&context)
        var members = ReplyWriter()
        var count = 0
        func give(_ member: PackedElement) {
            guard scan.accepts(member) else { return }
            members.bulk(member)
            count += 1
        }
        var next: UInt64 = 0
        if case .table(let table) = set {
            next = table.scan(from: cursor, wanted: scan.wanted) { give(.bytes($0.member)) }
        } else {
            set.forEach { give($0) }
        }
        CollectionScan.reply(&context, next: next, count: count, members)
    }

    // MARK: Chance

    @Sendable
    static func srandmember(_ context: inout CommandContext) throws(CommandError) {
        guard context.arguments.count > 2 else {
            guard let set = try context.lookupSet(context.key(at: 1)) else {
                return context.reply.null()
            }
            return context.withRandom { context, next in
                if let member = set.random(next) { context.reply.bulk(member) }
            }
        }
        guard context.arguments.count == 3 else { throw .syntax }
        let wanted = try context.elementCount(at: 2)
        guard let set = try context.lookupSet(context.key(at: 1)), wanted != 0 else {
            return context.reply.array(0)
        }
        if wanted < 0 {
            try CommandContext.checkRepetitions(wanted, of: set.count, bytes: set.bytes)
            context.reply.array(-wanted)
            return context.withRandom { context, next in
                for _ in 0..<(-wanted) {
                    if let member = set.random(next) { context.reply.bulk(member) }
                }
            }
        }
        let size = set.count
        context.reply.array(min(wanted, size))
        if wanted >= size { return set.forEach { context.reply.bulk($0) } }
        context.withRandom { context, next in
            guard case .table(let table) = set, wanted < size / 4 else {
                return set.sample(wanted, next) { context.reply.bulk($0) }
            }
            var seen: Set<MemberRecord.Place> = []
            while seen.count < wanted, let record = table.random(next) {
                if seen.insert(record.place).inserted { context.reply.bulk(record.member) }
            }
        }
    }

    @Sendable
    static func spop(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard context.arguments.count > 2 else { return try popOne(&context, key) }
        guard context.arguments.count == 3 else { throw .syntax }
        guard let number = DecimalText.parse(context.arguments[2]), number >= 0 else {
            throw .mustBePositive
        }
        guard let entry = try context.lookupSetForWrite(key), number > 0 else {
            return context.reply.set(0)
        }
        let wanted = Int(number)
        let set = SetValue(entry)
        context.changeCount = min(wanted, set.count)
        if wanted >= set.count {
            context.notify(.set, "spop", key)
            context.reply.set(set.count)
            set.forEach { context.reply.bulk($0) }
            context.logInstead(context.limits.replacesLazily ? "UNLINK" : "DEL", key.bytes)
            return removeEmpty(&context, key)
        }
        context.reply.set(wanted)
        if case .table = set {
            popFromTable(&context, key, wanted)
        } else {
            popFromPacked(&context, key, entry, wanted)
        }
        context.notify(.set, "spop", key)
    }

    /// The words of a logged SREM at most, besides name and key.
    private static let effectMembersMax = 1024

    private static func popOne(
        _ context: inout CommandContext, _ key: HashedKey
    ) throws(CommandError) {
        guard let entry = try context.lookupSetForWrite(key) else { return context.reply.null() }
        let member = context.withRandom { _, next in SetValue(entry).random(next) }
        guard let member else { return context.reply.null() }
        context.reply.bulk(member)
        // Which one it was is for the log to say.
        if context.beginEffect("SREM", count: 3) {
            context.log.append(argument: key.bytes)
            member.withBytes { context.log.append(argument: $0) }
        }
        let (_, isEmpty) = context.keyspace.removeMembers(key, context.database, entry, count: 1) {
            _ in member
        }
        context.notify(.set, "spop", key)
        if isEmpty { removeEmpty(&context, key) }
    }

    /// Pops fewer members than there are.
    private static func popFromTable(
        _ context: inout CommandContext, _ key: HashedKey, _ wanted: Int
    ) {
        var left = wanted
        var isLogging = false
        while left > 0, let entry = context.keyspace.find(key, context.database) {
            if (wanted - left) % effectMembersMax == 0 {
                isLogging = context.beginEffect("SREM", count: 2 + min(left, effectMembersMax))
                if isLogging { context.log.append(argument: key.bytes) }
            }
            let member = context.withRandom { _, next in SetValue(entry).random(next) }
            guard let member else { preconditionFailure("a set without members") }
            context.reply.bulk(member)
            if isLogging { member.withBytes { context.log.append(argument: $0) } }
            _ = context.keyspace.removeMembers(key, context.database, entry, count: 1) { _ in
                member
            }
            left -= 1
        }
    }

    /// Pops fewer members than there are.
    private static func popFromPacked(
        _ context: inout CommandContext, _ key: HashedKey, _ entry: Entry, _ wanted: Int
    ) {
        // Removing them moves the bytes of the others, so they are copied first.
        var bytes = ByteBuffer()
        var ends: [Int] = []
        context.withRandom { context, next in
            SetValue(entry).sample(wanted, next) { member in
                context.reply.bulk(member)
                member.append(to: &bytes)
                ends.append(bytes.count)
            }
        }
        let all = bytes.slice
        func member(_ index: Int) -> ByteSlice {
            all.slice((index == 0 ? 0 : ends[index - 1])..<ends[index])
        }
        var start = 0
        while start < wanted {
            let count = min(wanted - start, effectMembersMax)
            if context.beginEffect("SREM", count: 2 + count) {
                context.log.append(argument: key.bytes)
                for index in start..<start + count { context.log.append(argument: member(index)) }
            }
            start += count
        }
        _ = context.keyspace.removeMembers(key, context.database, entry, count: wanted) {
            .bytes(member($0))
        }
    }

    // MARK: Many sets

    /// The sets under the keys from argument `first` on, nil for those that aren't there.
    private static func sets(
        _ context: inout CommandContext, _ range: Range<Int>
    ) throws(CommandError) -> [SetValue?] {
        var sets: [SetValue?] = []
        sets.reserveCapacity(range.count)
        for index in range { sets.append(try context.lookupSet(context.key(at: index))) }
        return sets
    }

    @Sendable
    static func sinter(_ context: inout CommandContext) throws(CommandError) {
        let sets = try sets(&context, 1..<context.arguments.count)
        let mark = context.reply.beginArray()
        var count = 0
        intersect(sets, context.keyspace.hasher) { member in
            context.reply.bulk(member)
            count += 1
            return true
        }
        context.reply.endSet(mark, count: count)
    }

    /// Calls `body` with the members that all sets have, until it says no.
    private static func intersect(
        _ sets: [SetValue?], _ hasher: ByteHash, _ body: (PackedElement) -> Bool
    ) {
        var all = sets.compactMap { $0 }
        guard all.count == sets.count else { return }
        all.sort { $0.count < $1.count }
        let smallest = all.removeFirst()
        struct Enough: Error {}
        do throws(Enough) {
            try smallest.forEach { (member) throws(Enough) in
                for other in all where !other.contains(member, hasher) { return }
                if !body(member) { throw Enough() }
            }
        } catch {}
    }

    @Sendable
    static func sintercard(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        guard let number = DecimalText.parse(arguments[1]), number >= 1 else {
            throw .text("ERR numkeys should be greater than 0")
        }
        guard number <= arguments.count - 2 else {
            throw .text("ERR Number of keys can't be greater than number of args")
        }
        let end = 2 + Int(number)
        var limit = Int.max
        var index = end
        while index < arguments.count {
            guard arguments[index].equalsIgnoringCase("limit"), index + 1 < arguments.count else {
                throw .syntax
            }
            guard let value = DecimalText.parse(arguments[index + 1]), value >= 0 else {
                throw .text("ERR LIMIT can't be negative")
            }
            limit = value == 0 ? Int.max : Int(value)
            index += 2
        }
        let sets = try sets(&context, 2..<end)
        var count = 0
        intersect(sets, context.keyspace.hasher) { _ in
            count += 1
            return count < limit
        }
        context.reply.integer(count)
    }

    @Sendable
    static func sinterstore(_ context: inout CommandContext) throws(CommandError) {
        let sets = try sets(&context, 2..<context.arguments.count)
        // What the smallest set is decides what the result begins as.
        var encoding = Encoding.intset
        if let smallest = sets.compactMap({ $0 }).min(by: { $0.count < $1.count }) {
            if case .integers = smallest {} else { encoding = .listpack }
        }
        var builder = SetBuilder(for: context.keyspace, context.limits.encodings, encoding)
        intersect(sets, context.keyspace.hasher) { member in
            builder.add(member)
            return true
        }
        if builder.count > 0 { builder.makeIntegers() }
        store(&context, &builder, "sinterstore")
    }

    @Sendable
    static func sunion(_ context: inout CommandContext) throws(CommandError) {
        let sets = try sets(&context, 1..<context.arguments.count)
        let present = sets.compactMap { $0 }
        if present.count == 1 {
            context.reply.set(present[0].count)
            return present[0].forEach { context.reply.bulk($0) }
        }
        let builder = union(context, present)
        context.reply.set(builder.count)
        builder.value.forEach { context.reply.bulk($0) }
    }

    @Sendable
    static func sunionstore(_ context: inout CommandContext) throws(CommandError) {
        let sets = try sets(&context, 2..<context.arguments.count)
        var builder = union(context, sets.compactMap { $0 })
        store(&context, &builder, "sunionstore")
    }

    private static func union(
        _ context: borrowing CommandContext, _ sets: [SetValue]
    ) -> SetBuilder {
        var builder = SetBuilder(for: context.keyspace, context.limits.encodings)
        for set in sets { set.forEach { _ = builder.add($0) } }
        return builder
    }

    @Sendable
    static func sdiff(_ context: inout CommandContext) throws(CommandError) {
        let range = 1..<context.arguments.count
        let sets = try sets(&context, range)
        guard let first = sets[0], !namesFirstAgain(context.arguments, range) else {
            return context.reply.set(0)
        }
        let others = sets.dropFirst().compactMap { $0 }
        if removesFromCopy(first, others) {
            let builder = difference(context, first, others)
            context.reply.set(builder.count)
            return builder.value.forEach { context.reply.bulk($0) }
        }
        let hasher = context.keyspace.hasher
        let mark = context.reply.beginArray()
        var count = 0
        subtract(first, others, hasher) { member in
            context.reply.bulk(member)
            count += 1
        }
        context.reply.endSet(mark, count: count)
    }

    @Sendable
    static func sdiffstore(_ context: inout CommandContext) throws(CommandError) {
        let range = 2..<context.arguments.count
        let sets = try sets(&context, range)
        var builder: SetBuilder
        if let first = sets[0], !namesFirstAgain(context.arguments, range) {
            builder = difference(context, first, sets.dropFirst().compactMap { $0 })
        } else {
            builder = SetBuilder(for: context.keyspace, context.limits.encodings)
        }
        store(&context, &builder, "sdiffstore")
    }

    /// Whether a set is to be subtracted from itself.
    private static func namesFirstAgain(_ arguments: Arguments, _ range: Range<Int>) -> Bool {
        range.dropFirst().contains { arguments[$0] == arguments[range.lowerBound] }
    }

    /// Whether it is less work to remove the others' members from a copy than to look each member up in the
    /// others. As in Redis, because the way of making the result decides its encoding.
    private static func removesFromCopy(_ first: SetValue, _ others: [SetValue]) -> Bool {
        let lookups = first.count * (others.count + 1) / 2
        return lookups > others.reduce(first.count) { $0 + $1.count }
    }

    private static func difference(
        _ context: borrowing CommandContext, _ first: SetValue, _ others: [SetValue]
    ) -> SetBuilder {
        var builder = SetBuilder(for: context.keyspace, context.limits.encodings)
        if removesFromCopy(first, others) {
            first.forEach { _ = builder.add($0) }
            for other in others where builder.count > 0 {
                other.forEach { _ = builder.remove($0) }
            }
        } else {
            subtract(first, others, context.keyspace.hasher) { _ = builder.add($0) }
        }
        return builder
    }

    private static func subtract(
        _ first: SetValue, _ others: [SetValue], _ hasher: ByteHash,
        _ body: (PackedElement) -> Void
    ) {
        // The largest first: it is the likeliest to have a member.
        let others = others.sorted { $0.count > $1.count }
        first.forEach { member in
            for other in others where other.contains(member, hasher) { return }
            body(member)
        }
    }

    /// Sets the first key to a result, or removes it if that is empty.
    private static func store(
        _ context: inout CommandContext, _ builder: inout SetBuilder, _ event: StaticString
    ) {
        let key = context.key(at: 1)
        let count = builder.count
        context.reply.integer(count)
        if count > 0 {
            context.deleteIfExpired(key)
            context.keyspace.setSet(key, context.database, from: &builder, deadline: .clear)
            context.notify(.set, event, key)
        } else if context.lookupForWrite(key) != nil {
            removeEmpty(&context, key)
        }
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "sadd", -3, [.write, .denyOOM, .fast], .set, keys: [.first(.rw, [.insert])], .data(sadd)
        ),
        CommandSpec("scard", 2, [.readonly, .fast], .set, keys: [.first(.ro)], .data(scard)),
        CommandSpec(
            "sdiff", -2, [.readonly], .set, keys: [.from(1, .ro, [.access])],
            tips: [.nondeterministicOutputOrder], .data(sdiff)),
        CommandSpec(
            "sdiffstore", -3, [.write, .denyOOM], .set,
            keys: [.first(.ow, [.update]), .from(2, .ro, [.access])], .data(sdiffstore)),
        CommandSpec(
            "sinter", -2, [.readonly], .set, keys: [.from(1, .ro, [.access])],
            tips: [.nondeterministicOutputOrder], .data(sinter)),
        CommandSpec(
            "sintercard", -3, [.readonly], .set, keys: [.counted(at: 1, .ro, [.access])],
            .data(sintercard)),
        CommandSpec(
            "sinterstore", -3, [.write, .denyOOM], .set,
            keys: [.first(.rw, [.update]), .from(2, .ro, [.access])], .data(sinterstore)),
        CommandSpec(
            "sismember", 3, [.readonly, .fast], .set, keys: [.first(.ro)], .data(sismember)),
        CommandSpec(
            "smembers", 2, [.readonly], .set, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutputOrder], .data(smembers)),
        CommandSpec(
            "smismember", -3, [.readonly, .fast], .set, keys: [.first(.ro, [.access])],
            .data(smismember)),
        CommandSpec(
            "smove", 4, [.write, .fast], .set,
            keys: [.first(.rw, [.access, .delete]), .at(2, .rw, [.insert])], .data(smove)),
        CommandSpec(
            "spop", -2, [.write, .fast], .set, keys: [.first(.rw, [.access, .delete])],
            tips: [.nondeterministicOutput], .data(spop)),
        CommandSpec(
            "srandmember", -2, [.readonly], .set, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(srandmember)),
        CommandSpec(
            "srem", -3, [.write, .fast], .set, keys: [.first(.rw, [.delete])], .data(srem)),
        CommandSpec(
            "sscan", -3, [.readonly], .set, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(sscan)),
        CommandSpec(
            "sunion", -2, [.readonly], .set, keys: [.from(1, .ro, [.access])],
            tips: [.nondeterministicOutputOrder], .data(sunion)),
        CommandSpec(
            "sunionstore", -3, [.write, .denyOOM], .set,
            keys: [.first(.ow, [.update]), .from(2, .ro, [.access])], .data(sunionstore)),
    ]
}

extension CommandContext {
    /// The set under `key` for a command that reads, or nil if there is no such key.
    @inline(__always)
    mutating func lookupSet(_ key: HashedKey) throws(CommandError) -> SetValue? {
        guard let entry = lookup(key) else { return nil }
        if entry.type != .set { throw .wrongType }
        return SetValue(entry)
    }

    @inline(__always)
    mutating func lookupSetForWrite(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookupForWrite(key) else { return nil }
        if entry.type != .set { throw .wrongType }
        return entry
    }
}
