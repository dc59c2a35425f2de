internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on keys of any type.
public enum KeyCommands {
    // MARK: Presence

    /// DEL and UNLINK: freeing is the keyspace's business, so the two differ by name only.
    @Sendable
    static func del(_ context: inout CommandContext) throws(CommandError) {
        var removed = 0
        for index in 1..<context.arguments.count {
            let key = context.key(at: index)
            guard context.live(key, context.database) != nil else { continue }
            context.keyspace.remove(key, context.database)
            context.notify(.generic, "del", key)
            removed += 1
        }
        context.changeCount = removed
        context.reply.integer(removed)
    }

    @Sendable
    static func exists(_ context: inout CommandContext) throws(CommandError) {
        var found = 0
        for index in 1..<context.arguments.count
        where context.lookupUntouched(context.key(at: index)) != nil { found += 1 }
        context.reply.integer(found)
    }

    @Sendable
    static func touch(_ context: inout CommandContext) throws(CommandError) {
        var found = 0
        for index in 1..<context.arguments.count
        where context.lookup(context.key(at: index)) != nil { found += 1 }
        context.reply.integer(found)
    }

    @Sendable
    static func type(_ context: inout CommandContext) throws(CommandError) {
        let entry = context.lookupUntouched(context.key(at: 1))
        context.reply.simple(entry?.type.name ?? "none")
    }

    // MARK: Names

    @Sendable
    static func rename(_ context: inout CommandContext) throws(CommandError) {
        _ = try rename(&context, onlyIfAbsent: false)
        context.reply.ok()
    }

    @Sendable
    static func renamenx(_ context: inout CommandContext) throws(CommandError) {
        context.reply.integer(try rename(&context, onlyIfAbsent: true) ? 1 : 0)
    }

    private static func rename(
        _ context: inout CommandContext, onlyIfAbsent: Bool
    ) throws(CommandError) -> Bool {
        let source = context.key(at: 1)
        let target = context.key(at: 2)
        let database = context.database
        guard let entry = context.live(source, database) else { throw .noSuchKey }
        context.touch(entry)
        if source.bytes == target.bytes { return false }
        let replaces = context.live(target, database) != nil
        if replaces, onlyIfAbsent { return false }
        context.keyspace.move(source, database, to: target, database)
        // What stood there counts as deleted before.
        if replaces { context.notify(.new, "new", target) }
        context.notify(.generic, "rename_from", source)
        context.notify(.generic, "rename_to", target)
        return true
    }

    @Sendable
    static func move(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let target = try context.databaseNumber(at: 2)
        guard target != context.database else { throw .sameObject }
        guard context.live(key, context.database) != nil, context.live(key, target) == nil else {
            context.reply.integer(0)
            return
        }
        context.keyspace.move(key, context.database, to: key, target)
        context.notify(.generic, "move_from", key)
        context.notify(.generic, "move_to", key.bytes, in: target)
        context.reply.integer(1)
    }

    @Sendable
    static func copy(_ context: inout CommandContext) throws(CommandError) {
        let source = context.key(at: 1)
        let target = context.key(at: 2)
        var targetDatabase = context.database
        var replaces = false
        var index = 3
        while index < context.arguments.count {
            let word = context.arguments[index]
            if word.equalsIgnoringCase("replace") {
                replaces = true
            } else if word.equalsIgnoringCase("db"), index + 1 < context.arguments.count {
                index += 1
                targetDatabase = try context.databaseNumber(at: index)
            } else {
                throw .syntax
            }
            index += 1
        }
        if targetDatabase == context.database, source.bytes == target.bytes { throw .sameObject }
        guard context.lookup(source) != nil else {
            context.reply.integer(0)
            return
        }
        let isThere = context.live(target, targetDatabase) != nil
        guard replaces || !isThere else {
            context.reply.integer(0)
            return
        }
        context.keyspace.copy(source, context.database, to: target, targetDatabase)
        if isThere { context.notify(.new, "new", target.bytes, in: targetDatabase) }
        context.notify(.generic, "copy_to", target.bytes, in: targetDatabase)
        context.reply.integer(1)
    }

    // MARK: Deadlines

    @Sendable
    static func expire(_ context: inout CommandContext) throws(CommandError) {
        try setDeadline(&context, isSeconds: true, isRelative: true, command: "expire")
    }

    @Sendable
    static func expireat(_ context: inout CommandContext) throws(CommandError) {
        try setDeadline(&context, isSeconds: true, isRelative: false, command: "expireat")
    }

    @Sendable
    static func pexpire(_ context: inout CommandContext) throws(CommandError) {
        try setDeadline(&context, isSeconds: false, isRelative: true, command: "pexpire")
    }

    @Sendable
    static func pexpireat(_ context: inout CommandContext) throws(CommandError) {
        try setDeadline(&context, isSeconds: false, isRelative: false, command: "pexpireat")
    }

    private static func setDeadline(
        _ context: inout CommandContext, isSeconds: Bool, isRelative: Bool, command: String
    ) throws(CommandError) {
        let condition = try DeadlineCondition(&context)
        let key = context.key(at: 1)
        var deadline = try context.integer(at: 2)
        if isSeconds {
            let (product, isOver) = deadline.multipliedReportingOverflow(by: 1000)
            if isOver { throw .invalidExpireTime(command) }
            deadline = product
        }
        if isRelative {
            let (sum, isOver) = deadline.addingReportingOverflow(context.now)
            if isOver { throw .invalidExpireTime(command) }
            deadline = sum
        }
        guard let entry = context.live(key, context.database) else {
            context.reply.integer(0)
            return
        }
        context.touch(entry)
        guard condition.allows(deadline, over: entry.deadline) else {
            context.reply.integer(0)
            return
        }
        context.reply.integer(1)
        if deadline <= context.now, !context.isReplaying {
            context.logInstead(context.limits.expiresLazily ? "UNLINK" : "DEL", key.bytes)
            context.keyspace.remove(key, context.database)
            context.notify(.generic, "del", key)
            return
        }
        logDeadline(&context, key.bytes, deadline)
        context.keyspace.setDeadline(key, context.database, to: deadline)
        context.notify(.generic, "expire", key)
    }

    /// "In ten seconds" would mean something else at replay, so the log gets the point in time. The options
    /// stay as they are: what they ask was true and is true again at replay.
    private static func logDeadline(
        _ context: inout CommandContext, _ key: ByteSlice, _ deadline: Int64
    ) {
        if context.arguments.count == 3 { return context.logInstead("PEXPIREAT", key, deadline) }
        var text = ByteBuffer()
        text.append(decimal: deadline)
        var words = [key, text.slice]
        for index in 3..<context.arguments.count { words.append(context.arguments[index]) }
        context.logInstead("PEXPIREAT", words: words)
    }

    /// The options NX, XX, GT and LT of the EXPIRE family, from argument 3 on.
    private struct DeadlineCondition {
        private var onlyWithout = false
        private var onlyWith = false
        private var onlyLater = false
        private var onlyEarlier = false

        init(_ context: inout CommandContext) throws(CommandError) {
            var index = 3
            while index < context.arguments.count {
                let word = context.arguments[index]
                if word.equalsIgnoringCase("nx") {
                    onlyWithout = true
                } else if word.equalsIgnoringCase("xx") {
                    onlyWith = true
                } else if word.equalsIgnoringCase("gt") {
                    onlyLater = true
                } else if word.equalsIgnoringCase("lt") {
                    onlyEarlier = true
                } else {
                    throw .bytes(Array("ERR Unsupported option ".utf8) + word.copyToArray())
                }
                index += 1
            }
            if onlyWithout && (onlyWith || onlyLater || onlyEarlier) {
                throw .text(
                    "ERR NX and XX, GT or LT options at the same time are not compatible")
            }
            if onlyLater && onlyEarlier {
                throw .text("ERR GT and LT options at the same time are not compatible")
            }
        }

        /// A key without a deadline counts as one that lives for ever.
        func allows(_ new: Int64, over old: Int64?) -> Bool {
            guard let old else { return !onlyWith && !onlyLater }
            return !onlyWithout && !(onlyLater && new <= old) && !(onlyEarlier && new >= old)
        }
    }

    @Sendable
    static func persist(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard let entry = context.live(key, context.database) else {
            context.reply.integer(0)
            return
        }
        context.touch(entry)
        guard entry.hasDeadline else {
            context.reply.integer(0)
            return
        }
        context.keyspace.setDeadline(key, context.database, to: nil)
        context.notify(.generic, "persist", key)
        context.reply.integer(1)
    }

    @Sendable
    static func ttl(_ context: inout CommandContext) throws(CommandError) {
        replyDeadline(&context, isSeconds: true, isRelative: true)
    }

    @Sendable
    static func pttl(_ context: inout CommandContext) throws(CommandError) {
        replyDeadline(&context, isSeconds: false, isRelative: true)
    }

    @Sendable
    static func expiretime(_ context: inout CommandContext) throws(CommandError) {
        replyDeadline(&context, isSeconds: true, isRelative: false)
    }

    @Sendable
    static func pexpiretime(_ context: inout CommandContext) throws(CommandError) {
        replyDeadline(&context, isSeconds: false, isRelative: false)
    }

    /// -2 without the key, -1 without a deadline; seconds are rounded.
    private static func replyDeadline(
        _ context: inout CommandContext, isSeconds: Bool, isRelative: Bool
    ) {
        guard let entry = context.lookupUntouched(context.key(at: 1)) else {
            return context.reply.integer(-2)
        }
        guard let deadline = entry.deadline else { return context.reply.integer(-1) }
        // Deadlines reach to the ends of Int64; the sums wrap as Redis's do.
        let time = isRelative ? max(deadline &- context.now, 0) : deadline
        context.reply.integer(isSeconds ? (time &+ 500) / 1000 : time)
    }

    // MARK: Walking

    @Sendable
    static func keys(_ context: inout CommandContext) throws(CommandError) {
        let pattern = context.arguments[1]
        let matchesAll = pattern.count == 1 && pattern[0] == UInt8(ascii: "*")
        let now = context.isReplaying ? Int64.min : context.now
        let start = context.reply.beginArray()
        var found = 0
        // The keyspace can't be walked while the reply, its neighbour in the context, is written.
        var names = ByteBuffer()
        context.keyspace.forEach(context.database) { entry in
            let key = entry.key
            guard matchesAll || Glob.matches(pattern, key), !entry.isExpired(at: now) else {
                return
            }
            names.append(UInt8(ascii: "$"))
            names.append(decimal: Int64(key.count))
            names.append("\r\n")
            names.append(key)
            names.append("\r\n")
            found += 1
        }
        context.reply.buffer.append(names.slice)
        context.reply.endArray(start, count: found)
    }

    @Sendable
    static func scan(_ context: inout CommandContext) throws(CommandError) {
        let cursor = try scanCursor(context.arguments[1])
        let options = try ScanOptions(&context)
        let database = context.database
        let now = context.isReplaying ? Int64.min : context.now
        var found = 0
        var names = ByteBuffer()
        var expired: [[UInt8]] = []
        let next = context.keyspace.scan(database, from: cursor, wanted: options.count) { entry in
            guard options.accepts(entry) else { return }
            if entry.isExpired(at: now) { return expired.append(entry.key.copyToArray()) }
            names.append(UInt8(ascii: "$"))
            names.append(decimal: Int64(entry.key.count))
            names.append("\r\n")
            names.append(entry.key)
            names.append("\r\n")
            found += 1
        }
        for name in expired {
            name.withSlice { _ = context.live(context.keyspace.hashed($0), database) }
        }
        context.reply.array(2)
        var text = ByteBuffer()
        text.append(unsigned: next)
        context.reply.bulk(text.slice)
        context.reply.array(found)
        context.reply.buffer.append(names.slice)
    }

    /// An unsigned number of 64 bits as C reads one: with a sign if it likes, up to a NUL, nothing for 0.
    static func scanCursor(_ word: ByteSlice) throws(CommandError) -> UInt64 {
        var index = 0
        let isNegative = word.count > 1 && word[0] == UInt8(ascii: "-")
        if isNegative || (word.count > 1 && word[0] == UInt8(ascii: "+")) { index = 1 }
        if index < word.count, index > 0, word[index] &- 48 > 9 { throw .invalidCursor }
        var cursor: UInt64 = 0
        while index < word.count, word[index] != 0 {
            let digit = word[index] &- 48
            let (product, isOver) = cursor.multipliedReportingOverflow(by: 10)
            let (sum, isCarried) = product.addingReportingOverflow(UInt64(digit))
            if digit > 9 || isOver || isCarried { throw .invalidCursor }
            cursor = sum
            index += 1
        }
        return isNegative ? 0 &- cursor : cursor
    }

    private struct ScanOptions {
        var count = 10
        private var pattern: ByteSlice?
        private var typeName: ByteSlice?

        init(_ context: inout CommandContext) throws(CommandError) {
            var index = 2
            while index < context.arguments.count {
                let word = context.arguments[index]
                guard index + 1 < context.arguments.count else { throw .syntax }
                if word.equalsIgnoringCase("count") {
                    let wanted = try context.integer(at: index + 1)
                    if wanted < 1 { throw .syntax }
                    count = Int(wanted)
                } else if word.equalsIgnoringCase("match") {
                    let value = context.arguments[index + 1]
                    let matchesAll = value.count == 1 && value[0] == UInt8(ascii: "*")
                    pattern = matchesAll ? nil : value
                } else if word.equalsIgnoringCase("type") {
                    typeName = context.arguments[index + 1]
                } else {
                    throw .syntax
                }
                index += 2
            }
        }

        func accepts(_ entry: Entry) -> Bool {
            if let pattern, !Glob.matches(pattern, entry.key) { return false }
            if let typeName, !typeName.equalsIgnoringCase(entry.type.name) { return false }
            return true
        }
    }

    @Sendable
    static func randomkey(_ context: inout CommandContext) throws(CommandError) {
        let database = context.database
        var tries = 0
        while true {
            tries += 1
            var random = context.random
            let chosen = context.keyspace.random(database) { random.next() }
            context.random = random
            guard let chosen else { return context.reply.null() }
            // Where nothing may be deleted, all may have expired: any will do then.
            if context.holdsExpiry, tries > 100 { return context.reply.bulk(chosen.key) }
            // An expired one is deleted on the way.
            let key = context.keyspace.hashed(chosen.key)
            if let entry = context.live(key, database) { return context.reply.bulk(entry.key) }
        }
    }

    // MARK: OBJECT

    @Sendable
    static func objectEncoding(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = context.lookupSilently(context.key(at: 2)) else {
            return context.reply.null()
        }
        context.reply.bulk(entry.encodingName(context.limits.encodings))
    }

    /// What Redis shows for the small integers that all its keys share.
    private static let sharedReferences: Int64 = 2_147_483_647

    @Sendable
    static func objectRefcount(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = context.lookupSilently(context.key(at: 2)) else {
            return context.reply.null()
        }
        let isShared = entry.integer.map { $0 >= 0 && $0 < 10_000 } ?? false
        context.reply.integer(isShared ? sharedReferences : 1)
    }

    @Sendable
    static func objectIdletime(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = context.lookupSilently(context.key(at: 2)) else {
            return context.reply.null()
        }
        if context.limits.countsAccesses {
            throw .text(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
            )
        }
        context.reply.integer(AccessClock.idleSeconds(entry.access, context.keyspace.accessNow))
    }

    @Sendable
    static func objectFreq(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = context.lookupSilently(context.key(at: 2)) else {
            return context.reply.null()
        }
        guard context.limits.countsAccesses else {
            throw .text(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
            )
        }
        let count = AccessClock.decayed(entry.access, context.keyspace.accessNow, context.limits)
        context.reply.integer(Int64(count))
    }

    private static let objectHelpLines: [StaticString] = [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
    ]

    @Sendable
    static func objectHelp(_ context: inout CommandContext) throws(CommandError) {
        context.reply.array(objectHelpLines.count)
        for line in objectHelpLines { context.reply.simple(line) }
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "copy", -3, [.write, .denyOOM], .generic,
            keys: [.first(.ro, [.access]), .at(2, .ow, [.update])], .data(copy)),
        CommandSpec(
            "del", -2, [.write], .generic, keys: [.from(1, .rm, [.delete])],
            tips: [.requestMultiShard, .responseAggregateSum], .data(del)),
        CommandSpec(
            "exists", -2, [.readonly, .fast], .generic, keys: [.from(1, .ro)],
            tips: [.requestMultiShard, .responseAggregateSum], .data(exists)),
        CommandSpec(
            "expire", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .data(expire)),
        CommandSpec(
            "expireat", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])],
            .data(expireat)),
        CommandSpec(
            "expiretime", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            .data(expiretime)),
        CommandSpec(
            "keys", 2, [.readonly], .generic,
            tips: [.requestAllShards, .nondeterministicOutputOrder], acl: [.keyspace, .dangerous],
            .data(keys)),
        CommandSpec(
            "move", 3, [.write, .fast], .generic, keys: [.first(.rw, [.access, .update])],
            .data(move)),
        CommandSpec(
            "object", -2, [], .generic, .container,
            subcommands: [
                CommandSpec(
                    "object|encoding", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .data(objectEncoding)),
                CommandSpec(
                    "object|freq", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .data(objectFreq)),
                CommandSpec("object|help", 2, [.loading, .stale], .generic, .data(objectHelp)),
                CommandSpec(
                    "object|idletime", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .data(objectIdletime)),
                CommandSpec(
                    "object|refcount", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .data(objectRefcount)),
            ]),
        CommandSpec(
            "persist", 2, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .data(persist)),
        CommandSpec(
            "pexpire", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .data(pexpire)
        ),
        CommandSpec(
            "pexpireat", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])],
            .data(pexpireat)),
        CommandSpec(
            "pexpiretime", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            .data(pexpiretime)),
        CommandSpec(
            "pttl", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(pttl)),
        CommandSpec(
            "randomkey", 1, [.readonly, .touchesArbitraryKeys], .generic,
            tips: [.requestAllShards, .responseSpecial, .nondeterministicOutput], .data(randomkey)),
        CommandSpec(
            "rename", 3, [.write], .generic,
            keys: [.first(.rw, [.access, .delete]), .at(2, .ow, [.update])], .data(rename)),
        CommandSpec(
            "renamenx", 3, [.write, .fast], .generic,
            keys: [.first(.rw, [.access, .delete]), .at(2, .ow, [.insert])], .data(renamenx)),
        CommandSpec(
            "scan", -2, [.readonly, .touchesArbitraryKeys], .generic,
            tips: [.nondeterministicOutput, .requestSpecial, .responseSpecial], .data(scan)),
        CommandSpec(
            "touch", -2, [.readonly, .fast], .generic, keys: [.from(1, .ro)],
            tips: [.requestMultiShard, .responseAggregateSum], .data(touch)),
        CommandSpec(
            "ttl", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(ttl)),
        CommandSpec("type", 2, [.readonly, .fast], .generic, keys: [.first(.ro)], .data(type)),
        CommandSpec(
            "unlink", -2, [.write, .fast], .generic, keys: [.from(1, .rm, [.delete])],
            tips: [.requestMultiShard, .responseAggregateSum], .data(del)),
    ]
}
