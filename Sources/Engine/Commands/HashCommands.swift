internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// Commands on hashes; those on the deadlines of fields are in `FieldDeadlineCommands`.
public enum HashCommands {
    // MARK: Setting

    @Sendable
    static func hset(_ context: inout CommandContext) throws(CommandError) {
        let added = try setAll(&context, "hset")
        context.reply.integer(added)
    }

    @Sendable
    static func hmset(_ context: inout CommandContext) throws(CommandError) {
        _ = try setAll(&context, "hmset")
        context.reply.ok()
    }

    @inline(__always)
    private static func setAll(
        _ context: inout CommandContext, _ command: String
    ) throws(CommandError) -> Int {
        let arguments = context.arguments
        guard arguments.count % 2 == 0 else { throw .wrongArity(command) }
        let key = context.key(at: 1)
        let entry = try context.lookupHashForWrite(key)
        let limits = context.limits.encodings
        let added = context.keyspace.setFields(
            key, context.database, entry, count: (arguments.count - 2) / 2, limits
        ) { FieldWords(arguments[2 &* $0 &+ 2], arguments[2 &* $0 &+ 3]) }
        context.changeCount = (arguments.count - 2) / 2
        context.notify(.hash, "hset", key)
        return added
    }

    @Sendable
    static func hsetnx(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let entry = try context.lookupHashForWrite(key)
        let words = FieldWords(context.arguments[2], context.arguments[3])
        if let entry, context.hash(entry).find(words.field, context.keyspace.hasher) != nil {
            return context.reply.integer(0)
        }
        let limits = context.limits.encodings
        _ = context.keyspace.setFields(key, context.database, entry, count: 1, limits) { _ in words
        }
        context.notify(.hash, "hset", key)
        context.reply.integer(1)
    }

    @Sendable
    static func hdel(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard let entry = try context.lookupHashForWrite(key) else {
            return context.reply.integer(0)
        }
        let arguments = context.arguments
        let (removed, isEmpty) = context.keyspace.removeFields(
            key, context.database, entry, count: arguments.count - 2
        ) { arguments[$0 &+ 2] }
        context.changeCount = removed
        if removed > 0 {
            context.notify(.hash, "hdel", key)
            if isEmpty {
                context.keyspace.remove(key, context.database)
                context.notify(.generic, "del", key)
            }
        }
        context.reply.integer(removed)
    }

    // MARK: Counting

    @Sendable
    static func hincrby(_ context: inout CommandContext) throws(CommandError) {
        let increment = try context.integer(at: 3)
        let key = context.key(at: 1)
        let entry = try context.lookupHashForWrite(key)
        let field = context.arguments[2]
        var value: Int64 = 0
        if let entry, let old = context.hash(entry).find(field, context.keyspace.hasher) {
            guard let number = old.integerValue else {
                throw .text("ERR hash value is not an integer")
            }
            value = number
        }
        let (sum, isOver) = value.addingReportingOverflow(increment)
        if isOver { throw .overflow }
        PackedElement.integer(sum).withBytes { text in
            setCounted(&context, key, entry, FieldWords(field, text))
        }
        context.notify(.hash, "hincrby", key)
        context.reply.integer(sum)
    }

    /// Sets a field to what counting made of it; it keeps its deadline.
    private static func setCounted(
        _ context: inout CommandContext, _ key: HashedKey, _ entry: Entry?, _ words: FieldWords
    ) {
        let limits = context.limits.encodings
        _ = context.keyspace.setFields(
            key, context.database, entry, count: 1, keepsDeadlines: true, limits
        ) { _ in words }
    }

    @Sendable
    static func hincrbyfloat(_ context: inout CommandContext) throws(CommandError) {
        let increment = context.arguments[3]
        switch DoubleText.longDoubleKind(increment) {
        case .invalid: throw .notAFloat
        case .infinite: throw .text("ERR value is NaN or Infinity")
        case .finite: break
        }
        let key = context.key(at: 1)
        let entry = try context.lookupHashForWrite(key)
        let field = context.arguments[2]
        let old = entry.flatMap { context.hash($0).find(field, context.keyspace.hasher) }
        let sum: [UInt8]
        do throws(DoubleText.SumError) {
            sum = try (old ?? .integer(0)).withBytes { (stored) throws(DoubleText.SumError) in
                try DoubleText.sum(stored: stored, increment: increment)
            }
        } catch {
            switch error {
            case .storedIsNotFloat: throw .text("ERR hash value is not a float")
            case .incrementIsNotFloat: throw .notAFloat
            case .notFinite: throw .text("ERR increment would produce NaN or Infinity")
            }
        }
        sum.withSlice { text in
            let hadDeadline = old != nil && (entry.map { context.hash($0).hasDeadlines } ?? false)
            setCounted(&context, key, entry, FieldWords(field, text))
            context.notify(.hash, "hincrbyfloat", key)
            context.reply.bulk(text)
            logSum(&context, key, FieldWords(field, text), hadDeadline: hadDeadline)
        }
    }

    /// What was added isn't logged but what came out: arithmetic may differ where the log is read. Setting the
    /// field would take its deadline away, so that is logged again.
    private static func logSum(
        _ context: inout CommandContext, _ key: HashedKey, _ words: FieldWords, hadDeadline: Bool
    ) {
        context.logInstead("HSET", words: [key.bytes, words.field, words.value])
        guard hadDeadline, let entry = context.keyspace.find(key, context.database),
            case .at(let deadline) = context.hash(entry).deadline(
                of: words.field, context.keyspace.hasher),
            context.beginEffect("HPEXPIREAT", count: 6)
        else { return }
        context.log.append(argument: key.bytes)
        context.log.append(decimal: deadline)
        context.log.append(argument: "FIELDS")
        context.log.append(decimal: 1)
        context.log.append(argument: words.field)
    }

    // MARK: Reading

    @Sendable
    static func hget(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        guard let value = hash?.find(context.arguments[2], context.keyspace.hasher) else {
            return context.reply.null()
        }
        context.reply.bulk(value)
    }

    @Sendable
    static func hmget(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        let hasher = context.keyspace.hasher
        context.reply.array(context.arguments.count - 2)
        for index in 2..<context.arguments.count {
            if let value = hash?.find(context.arguments[index], hasher) {
                context.reply.bulk(value)
            } else {
                context.reply.null()
            }
        }
    }

    @Sendable
    static func hexists(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        let value = hash?.find(context.arguments[2], context.keyspace.hasher)
        context.reply.integer(value == nil ? 0 : 1)
    }

    @Sendable
    static func hstrlen(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        let value = hash?.find(context.arguments[2], context.keyspace.hasher)
        context.reply.integer(value?.count ?? 0)
    }

    @Sendable
    static func hlen(_ context: inout CommandContext) throws(CommandError) {
        context.reply.integer(try context.lookupHash(context.key(at: 1))?.count ?? 0)
    }

    @Sendable
    static func hgetall(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        context.reply.map(hash?.liveCount ?? 0)
        hash?.forEach { field, value in
            context.reply.bulk(field)
            context.reply.bulk(value)
        }
    }

    @Sendable
    static func hkeys(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        context.reply.array(hash?.liveCount ?? 0)
        hash?.forEach { field, _ in context.reply.bulk(field) }
    }

    @Sendable
    static func hvals(_ context: inout CommandContext) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        context.reply.array(hash?.liveCount ?? 0)
        hash?.forEach { _, value in context.reply.bulk(value) }
    }

    @Sendable
    static func hscan(_ context: inout CommandContext) throws(CommandError) {
        let cursor = try KeyCommands.scanCursor(context.arguments[2])
        guard let hash = try context.lookupHash(context.key(at: 1)) else {
            return CollectionScan.replyEmpty(&context)
        }
        let scan = try CollectionScan(&context, takesNoValues: true)
        var elements = ReplyWriter()
        var count = 0
        let next = hash.scan(from: cursor, wanted: scan.wanted) { field, value in
            guard scan.accepts(field) else { return }
            elements.bulk(field)
            count += 1
            guard !scan.hidesValues else { return }
            elements.bulk(value)
            count += 1
        }
        CollectionScan.reply(&context, next: next, count: count, elements)
    }

    // MARK: Chance

    @Sendable
    static func hrandfield(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        guard arguments.count > 2 else {
            guard let hash = try context.lookupHash(context.key(at: 1)) else {
                return context.reply.null()
            }
            return context.withRandom { context, next in
                if let (field, _) = hash.random(next) {
                    context.reply.bulk(field)
                } else {
                    context.reply.null()
                }
            }
        }
        let wanted = try context.elementCount(at: 2)
        var showsValues = false
        if arguments.count > 3 {
            guard arguments.count == 4, arguments[3].equalsIgnoringCase("withvalues") else {
                throw .syntax
            }
            showsValues = true
            if wanted.magnitude > Int.max / 2 { throw .text("ERR value is out of range") }
        }
        guard let hash = try context.lookupHash(context.key(at: 1)), wanted != 0 else {
            return context.reply.array(0)
        }
        let size = hash.liveCount
        if wanted < 0, size > 0 {
            try CommandContext.checkRepetitions(wanted, of: hash.count, bytes: hash.bytes)
            beginPairs(&context, -wanted, showsValues)
            return context.withRandom { context, next in
                for _ in 0..<(-wanted) {
                    if let (field, value) = hash.random(next) {
                        reply(&context, field, showsValues ? value : nil)
                    }
                }
            }
        }
        let count = max(min(wanted, size), 0)
        beginPairs(&context, count, showsValues)
        if count == size {
            return hash.forEach { reply(&context, $0, showsValues ? $1 : nil) }
        }
        context.withRandom { context, next in
            guard let table = hash.quietTable, wanted < size / 4 else {
                return hash.sample(count, next) { reply(&context, $0, showsValues ? $1 : nil) }
            }
            var seen: Set<MemberRecord.Place> = []
            while seen.count < wanted, let record = table.random(next) {
                guard seen.insert(record.place).inserted else { continue }
                reply(&context, .bytes(record.member), showsValues ? .bytes(record.value) : nil)
            }
        }
    }

    private static func beginPairs(
        _ context: inout CommandContext, _ count: Int, _ showsValues: Bool
    ) {
        context.reply.array(showsValues && !context.reply.isRESP3 ? count * 2 : count)
    }

    @inline(__always)
    private static func reply(
        _ context: inout CommandContext, _ field: PackedElement, _ value: PackedElement?
    ) {
        guard let value else { return context.reply.bulk(field) }
        if context.reply.isRESP3 { context.reply.array(2) }
        context.reply.bulk(field)
        context.reply.bulk(value)
    }

    // MARK: Table

    public static let table: [CommandSpec] =
        [
            CommandSpec(
                "hdel", -3, [.write, .fast], .hash, keys: [.first(.rw, [.delete])], .data(hdel)),
            CommandSpec(
                "hexists", 3, [.readonly, .fast], .hash, keys: [.first(.ro)], .data(hexists)),
            CommandSpec(
                "hget", 3, [.readonly, .fast], .hash, keys: [.first(.ro, [.access])], .data(hget)),
            CommandSpec(
                "hgetall", 2, [.readonly], .hash, keys: [.first(.ro, [.access])],
                tips: [.nondeterministicOutputOrder], .data(hgetall)),
            CommandSpec(
                "hincrby", 4, [.write, .denyOOM, .fast], .hash,
                keys: [.first(.rw, [.access, .update])], .data(hincrby)),
            CommandSpec(
                "hincrbyfloat", 4, [.write, .denyOOM, .fast], .hash,
                keys: [.first(.rw, [.access, .update])], .data(hincrbyfloat)),
            CommandSpec(
                "hkeys", 2, [.readonly], .hash, keys: [.first(.ro, [.access])],
                tips: [.nondeterministicOutputOrder], .data(hkeys)),
            CommandSpec("hlen", 2, [.readonly, .fast], .hash, keys: [.first(.ro)], .data(hlen)),
            CommandSpec(
                "hmget", -3, [.readonly, .fast], .hash, keys: [.first(.ro, [.access])], .data(hmget)
            ),
            CommandSpec(
                "hmset", -4, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.update])],
                .data(hmset)),
            CommandSpec(
                "hrandfield", -2, [.readonly], .hash, keys: [.first(.ro, [.access])],
                tips: [.nondeterministicOutput], .data(hrandfield)),
            CommandSpec(
                "hscan", -3, [.readonly], .hash, keys: [.first(.ro, [.access])],
                tips: [.nondeterministicOutput], .data(hscan)),
            CommandSpec(
                "hset", -4, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.update])],
                .data(hset)),
            CommandSpec(
                "hsetnx", 4, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.insert])],
                .data(hsetnx)),
            CommandSpec(
                "hstrlen", 3, [.readonly, .fast], .hash, keys: [.first(.ro)], .data(hstrlen)),
            CommandSpec(
                "hvals", 2, [.readonly], .hash, keys: [.first(.ro, [.access])],
                tips: [.nondeterministicOutputOrder], .data(hvals)),
        ] + FieldDeadlineCommands.table
}

extension CommandContext {
    /// A hash as it is now.
    @inline(__always)
    func hash(_ entry: Entry) -> HashValue { HashValue(entry, at: isReplaying ? Int64.min : now) }

    /// The hash under `key` for a command that reads, or nil if there is no such key.
    @inline(__always)
    mutating func lookupHash(_ key: HashedKey) throws(CommandError) -> HashValue? {
        guard let entry = lookup(key) else { return nil }
        if entry.type != .hash { throw .wrongType }
        if _slowPath(hasDueFields(entry)) { return withoutDueFields(key, entry).map { hash($0) } }
        return hash(entry)
    }

    @inline(__always)
    mutating func lookupHashForWrite(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookupForWrite(key) else { return nil }
        if entry.type != .hash { throw .wrongType }
        if _slowPath(hasDueFields(entry)) { return withoutDueFields(key, entry) }
        return entry
    }
}
