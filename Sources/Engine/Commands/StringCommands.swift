internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// Commands on strings.
public enum StringCommands {
    // MARK: Reading

    @Sendable
    static func get(_ context: inout CommandContext) throws(CommandError) {
        if let entry = try context.lookupString(context.key(at: 1)) {
            context.replyString(entry)
        } else {
            context.reply.null()
        }
    }

    // MARK: Reading parts

    @Sendable
    static func strlen(_ context: inout CommandContext) throws(CommandError) {
        let entry = try context.lookupString(context.key(at: 1))
        context.reply.integer(entry?.stringCount ?? 0)
    }

    @Sendable
    static func getrange(_ context: inout CommandContext) throws(CommandError) {
        let first = try context.integer(at: 2)
        let last = try context.integer(at: 3)
        guard let entry = try context.lookupString(context.key(at: 1)) else {
            context.reply.bulk(ByteSlice())
            return
        }
        entry.withBytes { bytes in
            context.reply.bulk(bytes.slice(range(first, last, count: bytes.count)))
        }
    }

    /// The old name of GETRANGE, from when it was the only one.
    @Sendable
    static func substr(_ context: inout CommandContext) throws(CommandError) {
        try getrange(&context)
    }

    /// What `first` to `last` mean in a string of `count` bytes: both inclusive, negative ones from the end. A
    /// `last` that lies before the string means its first byte, as in Redis.
    private static func range(_ first: Int64, _ last: Int64, count: Int) -> Range<Int> {
        if count == 0 || (first < 0 && last < 0 && first > last) { return 0..<0 }
        let size = Int64(count)
        let lower = max(first < 0 ? first &+ size : first, 0)
        let upper = min(max(last < 0 ? last &+ size : last, 0), size - 1)
        return lower > upper ? 0..<0 : Int(lower)..<Int(upper) + 1
    }

    // MARK: Many keys

    /// Keys hashed ahead, so that the memory system fetches their entries side by side.
    private static let groupSize = 16

    @Sendable
    static func mget(_ context: inout CommandContext) throws(CommandError) {
        context.reply.array(context.arguments.count - 1)
        forEachKey(&context, step: 1) { context, key, _ in
            if let entry = context.lookup(key), entry.isString {
                context.replyString(entry)
            } else {
                context.reply.null()
            }
        }
    }

    @Sendable
    static func mset(_ context: inout CommandContext) throws(CommandError) {
        guard context.arguments.count % 2 == 1 else { throw .wrongArity("mset") }
        setAll(&context)
        context.reply.ok()
    }

    @Sendable
    static func msetnx(_ context: inout CommandContext) throws(CommandError) {
        guard context.arguments.count % 2 == 1 else { throw .wrongArity("msetnx") }
        for index in stride(from: 1, to: context.arguments.count, by: 2) {
            guard context.lookupForWrite(context.key(at: index)) == nil else {
                context.reply.integer(0)
                return
            }
        }
        setAll(&context)
        context.reply.integer(1)
    }

    private static func setAll(_ context: inout CommandContext) {
        context.changeCount = (context.arguments.count - 1) / 2
        forEachKey(&context, step: 2) { context, key, index in
            context.deleteIfExpired(key)
            context.keyspace.setString(
                key, context.database, to: context.arguments[index + 1], deadline: .clear)
            context.notify(.string, "set", key)
        }
    }

    /// Calls `body` with every key of a list of arguments, in order, and its argument's index.
    @inline(__always)
    private static func forEachKey(
        _ context: inout CommandContext, step: Int,
        _ body: (inout CommandContext, HashedKey, Int) -> Void
    ) {
        let count = context.arguments.count
        var hashes = InlineArray<16, UInt64>(repeating: 0)
        var start = 1
        while start < count {
            let size = min((count - start + step - 1) / step, groupSize)
            for place in 0..<size {
                hashes[place] = context.keyspace.hash(context.arguments[start + place * step])
                context.keyspace.prefetchSlot(hashes[place], context.database)
            }
            if size > 1 {
                for place in 0..<size {
                    context.keyspace.prefetchEntry(hashes[place], context.database)
                }
            }
            for place in 0..<size {
                let index = start + place * step
                body(&context, HashedKey(context.arguments[index], hash: hashes[place]), index)
            }
            start += size * step
        }
    }

    // MARK: SET and its kin

    @Sendable
    static func set(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let value = context.arguments[2]
        if _fastPath(context.arguments.count == 3) {
            context.deleteIfExpired(key)
            context.keyspace.setString(key, context.database, to: value, deadline: .clear)
            context.notify(.string, "set", key)
            context.reply.ok()
            return
        }
        let options = try StringOptions(context.arguments, from: 3, of: .set)
        var change: DeadlineChange = options.keepsDeadline ? .keep : .clear
        if let unit = options.unit {
            change = .set(try deadline(&context, at: options.timeIndex, unit, command: "set"))
        }
        let old: Entry?
        if options.returnsOld {
            old = try context.lookupString(key)
            if let old { context.replyString(old) } else { context.reply.null() }
        } else {
            old = context.lookupForWrite(key)
        }
        if (options.onlyIfAbsent && old != nil) || (options.onlyIfPresent && old == nil) {
            if !options.returnsOld { context.reply.null() }
            return
        }
        if !options.returnsOld { context.reply.ok() }
        context.keyspace.setString(key, context.database, to: value, deadline: change)
        context.notify(.string, "set", key)
        if case .set = change { context.notify(.generic, "expire", key) }
        logSet(&context, key.bytes, value, options, change)
    }

    /// The log gets a deadline as a point in time, and nothing that only concerns the reply.
    private static func logSet(
        _ context: inout CommandContext, _ key: ByteSlice, _ value: ByteSlice,
        _ options: StringOptions, _ change: DeadlineChange
    ) {
        if case .set(let deadline) = change {
            context.logInsteadSet(key, value, deadline: deadline)
        } else if options.returnsOld {
            var words = [key, value]
            if options.onlyIfAbsent { words.append(ByteSlice("NX")) }
            if options.onlyIfPresent { words.append(ByteSlice("XX")) }
            if options.keepsDeadline { words.append(ByteSlice("KEEPTTL")) }
            context.logInstead("SET", words: words)
        }
    }

    @Sendable
    static func setnx(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard context.lookupForWrite(key) == nil else {
            context.reply.integer(0)
            return
        }
        context.keyspace.setString(
            key, context.database, to: context.arguments[2], deadline: .clear)
        context.notify(.string, "set", key)
        context.reply.integer(1)
    }

    @Sendable
    static func setex(_ context: inout CommandContext) throws(CommandError) {
        try setExpiring(&context, .seconds, command: "setex")
    }

    @Sendable
    static func psetex(_ context: inout CommandContext) throws(CommandError) {
        try setExpiring(&context, .milliseconds, command: "psetex")
    }

    private static func setExpiring(
        _ context: inout CommandContext, _ unit: TimeUnit, command: String
    ) throws(CommandError) {
        let deadline = try deadline(&context, at: 2, unit, command: command)
        let key = context.key(at: 1)
        let value = context.arguments[3]
        context.deleteIfExpired(key)
        context.keyspace.setString(key, context.database, to: value, deadline: .set(deadline))
        context.notify(.string, "set", key)
        context.notify(.generic, "expire", key)
        context.logInsteadSet(key.bytes, value, deadline: deadline)
        context.reply.ok()
    }

    // MARK: Reading and changing

    @Sendable
    static func getset(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let value = context.arguments[2]
        try replyOld(&context, key)
        context.keyspace.setString(key, context.database, to: value, deadline: .clear)
        context.notify(.string, "set", key)
        context.logInsteadSet(key.bytes, value, deadline: nil)
    }

    @Sendable
    static func getdel(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard try replyOld(&context, key) else { return }
        context.keyspace.remove(key, context.database)
        context.notify(.generic, "del", key)
        context.logInstead(context.limits.deletesLazily ? "UNLINK" : "DEL", key.bytes)
    }

    @Sendable
    static func getex(_ context: inout CommandContext) throws(CommandError) {
        let options = try StringOptions(context.arguments, from: 2, of: .getex)
        let key = context.key(at: 1)
        guard let entry = try context.lookupString(key) else {
            context.reply.null()
            return
        }
        if let unit = options.unit {
            let deadline = try deadline(&context, at: options.timeIndex, unit, command: "getex")
            context.replyString(entry)
            if unit.isPoint, deadline <= context.now, !context.isReplaying {
                context.keyspace.remove(key, context.database)
                context.notify(.generic, "del", key)
                context.logInstead(context.limits.expiresLazily ? "UNLINK" : "DEL", key.bytes)
            } else {
                context.keyspace.setDeadline(key, context.database, to: deadline)
                context.notify(.generic, "expire", key)
                context.logInstead("PEXPIREAT", key.bytes, deadline)
            }
            return
        }
        context.replyString(entry)
        if options.dropsDeadline, entry.hasDeadline {
            context.keyspace.setDeadline(key, context.database, to: nil)
            context.notify(.generic, "persist", key)
            context.logInstead("PERSIST", key.bytes)
        }
    }

    /// Replies with the string under `key` or null; false if there is none.
    @discardableResult
    private static func replyOld(
        _ context: inout CommandContext, _ key: HashedKey
    ) throws(CommandError) -> Bool {
        guard let entry = try context.lookupString(key) else {
            context.reply.null()
            return false
        }
        context.replyString(entry)
        return true
    }

    // MARK: Changing parts

    @Sendable
    static func append(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let value = context.arguments[2]
        guard let old = try context.lookupStringForWrite(key) else {
            context.keyspace.setString(key, context.database, to: value, deadline: .clear)
            context.notify(.string, "append", key)
            context.reply.integer(value.count)
            return
        }
        try context.checkStringLength(Int64(old.stringCount), plus: value.count)
        context.reply.integer(
            context.keyspace.appendString(key, context.database, over: old, value))
        context.notify(.string, "append", key)
    }

    @Sendable
    static func setrange(_ context: inout CommandContext) throws(CommandError) {
        let offset = try context.integer(at: 2)
        let value = context.arguments[3]
        guard offset >= 0 else { throw .offsetOutOfRange }
        let key = context.key(at: 1)
        let old = try context.lookupStringForWrite(key)
        if value.isEmpty {
            context.reply.integer(old?.stringCount ?? 0)
            return
        }
        try context.checkStringLength(offset, plus: value.count)
        let start = Int(offset)
        let count = context.keyspace.editString(
            key, context.database, growTo: start + value.count
        ) { string in
            string.replace(at: start, with: value)
        }
        context.notify(.string, "setrange", key)
        context.reply.integer(count)
    }

    // MARK: Counting

    @Sendable
    static func incr(_ context: inout CommandContext) throws(CommandError) {
        try add(1, &context)
    }

    @Sendable
    static func decr(_ context: inout CommandContext) throws(CommandError) {
        try add(-1, &context)
    }

    @Sendable
    static func incrby(_ context: inout CommandContext) throws(CommandError) {
        try add(try context.integer(at: 2), &context)
    }

    @Sendable
    static func decrby(_ context: inout CommandContext) throws(CommandError) {
        let amount = try context.integer(at: 2)
        guard amount != Int64.min else { throw .text("ERR decrement would overflow") }
        try add(-amount, &context)
    }

    @inline(__always)
    private static func add(
        _ amount: Int64, _ context: inout CommandContext
    ) throws(CommandError) {
        let key = context.key(at: 1)
        let old = try context.lookupStringForWrite(key)
        var value: Int64 = 0
        if let old {
            guard let number = old.integer ?? DecimalText.parse(old.bytes) else {
                throw .notAnInteger
            }
            value = number
        }
        let (sum, isOver) = value.addingReportingOverflow(amount)
        guard !isOver else { throw .overflow }
        context.keyspace.setInteger(key, context.database, over: old, to: sum, deadline: .keep)
        context.notify(.string, "incrby", key)
        context.reply.integer(sum)
    }

    @Sendable
    static func incrbyfloat(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let increment = context.arguments[2]
        let old = try context.lookupStringForWrite(key)
        let sum: [UInt8]
        do throws(DoubleText.SumError) {
            if let old {
                sum = try old.withBytes { (stored) throws(DoubleText.SumError) in
                    try DoubleText.sum(stored: stored, increment: increment)
                }
            } else {
                sum = try DoubleText.sum(stored: ByteSlice("0"), increment: increment)
            }
        } catch {
            throw error == .notFinite
                ? .text("ERR increment would produce NaN or Infinity") : .notAFloat
        }
        sum.withSlice { text in
            // What was added isn't logged but what came out: arithmetic may differ where the log is read.
            context.keyspace.setString(key, context.database, to: text, deadline: .keep)
            context.notify(.string, "incrbyfloat", key)
            context.reply.bulk(text)
            context.logInstead("SET", words: [key.bytes, text, ByteSlice("KEEPTTL")])
        }
    }

    // MARK: Options

    /// The options that SET and GETEX take.
    struct StringOptions {
        enum Command { case set, getex }

        var onlyIfAbsent = false
        var onlyIfPresent = false
        var returnsOld = false
        var keepsDeadline = false
        var dropsDeadline = false
        /// How a deadline is given, if one is, and by which argument. It is read only when all options are
        /// known to be right: a syntax error goes first.
        var unit: TimeUnit?
        var timeIndex = 0

        init(
            _ arguments: Arguments, from first: Int, of command: Command
        ) throws(CommandError) {
            var index = first
            while index < arguments.count {
                let word = arguments[index]
                let isSet = command == .set
                // The same unit twice is no contradiction; the later time counts.
                if let unit = TimeUnit(option: word), self.unit == nil || self.unit == unit,
                    !keepsDeadline, !dropsDeadline, index + 1 < arguments.count
                {
                    self.unit = unit
                    timeIndex = index + 1
                    index += 1
                } else if isSet, !onlyIfPresent, word.equalsIgnoringCase("nx") {
                    onlyIfAbsent = true
                } else if isSet, !onlyIfAbsent, word.equalsIgnoringCase("xx") {
                    onlyIfPresent = true
                } else if isSet, word.equalsIgnoringCase("get") {
                    returnsOld = true
                } else if isSet, unit == nil, word.equalsIgnoringCase("keepttl") {
                    keepsDeadline = true
                } else if !isSet, unit == nil, word.equalsIgnoringCase("persist") {
                    dropsDeadline = true
                } else {
                    throw .syntax
                }
                index += 1
            }
        }
    }

    /// How an option gives a time.
    enum TimeUnit: Equatable {
        case seconds
        case milliseconds
        case pointInSeconds
        case pointInMilliseconds

        init?(option word: ByteSlice) {
            if word.equalsIgnoringCase("ex") {
                self = .seconds
            } else if word.equalsIgnoringCase("px") {
                self = .milliseconds
            } else if word.equalsIgnoringCase("exat") {
                self = .pointInSeconds
            } else if word.equalsIgnoringCase("pxat") {
                self = .pointInMilliseconds
            } else {
                return nil
            }
        }

        var isPoint: Bool { self == .pointInSeconds || self == .pointInMilliseconds }
    }

    /// Argument `index` as a deadline in Unix ms; it must be a positive time that fits.
    static func deadline(
        _ context: inout CommandContext, at index: Int, _ unit: TimeUnit, command: String
    ) throws(CommandError) -> Int64 {
        var value = try context.integer(at: index)
        guard value > 0 else { throw .invalidExpireTime(command) }
        if unit == .seconds || unit == .pointInSeconds {
            guard value <= Int64.max / 1000 else { throw .invalidExpireTime(command) }
            value *= 1000
        }
        if unit == .seconds || unit == .milliseconds {
            let (sum, isOver) = value.addingReportingOverflow(context.now)
            guard !isOver else { throw .invalidExpireTime(command) }
            value = sum
        }
        return value
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "append", 3, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.insert])],
            .data(append)),
        CommandSpec(
            "decr", 2, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.access, .update])],
            .data(decr)),
        CommandSpec(
            "decrby", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .data(decrby)),
        CommandSpec(
            "get", 2, [.readonly, .fast], .string, keys: [.first(.ro, [.access])], .data(get)),
        CommandSpec(
            "getdel", 2, [.write, .fast], .string, keys: [.first(.rw, [.access, .delete])],
            .data(getdel)),
        CommandSpec(
            "getex", -2, [.write, .fast], .string, keys: [.first(.rw, [.access, .update])],
            .data(getex)),
        CommandSpec(
            "getrange", 4, [.readonly], .string, keys: [.first(.ro, [.access])], .data(getrange)),
        CommandSpec(
            "getset", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .data(getset)),
        CommandSpec(
            "incr", 2, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.access, .update])],
            .data(incr)),
        CommandSpec(
            "incrby", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .data(incrby)),
        CommandSpec(
            "incrbyfloat", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .data(incrbyfloat)),
        CommandSpec(
            "lcs", -3, [.readonly], .string, keys: [.from(1, to: 1, .ro, [.access])], .data(lcs)),
        CommandSpec(
            "mget", -2, [.readonly, .fast], .string, keys: [.from(1, .ro, [.access])],
            tips: [.requestMultiShard], .data(mget)),
        CommandSpec(
            "mset", -3, [.write, .denyOOM], .string, keys: [.from(1, step: 2, .ow, [.update])],
            tips: [.requestMultiShard, .responseAllSucceeded], .data(mset)),
        CommandSpec(
            "msetnx", -3, [.write, .denyOOM], .string, keys: [.from(1, step: 2, .ow, [.insert])],
            .data(msetnx)),
        CommandSpec(
            "psetex", 4, [.write, .denyOOM], .string, keys: [.first(.ow, [.update])], .data(psetex)),
        CommandSpec(
            "set", -3, [.write, .denyOOM], .string,
            keys: [.first(.rw, [.access, .update, .variableFlags])], .data(set)),
        CommandSpec(
            "setex", 4, [.write, .denyOOM], .string, keys: [.first(.ow, [.update])], .data(setex)),
        CommandSpec(
            "setnx", 3, [.write, .denyOOM, .fast], .string, keys: [.first(.ow, [.insert])],
            .data(setnx)),
        CommandSpec(
            "setrange", 4, [.write, .denyOOM], .string, keys: [.first(.rw, [.update])],
            .data(setrange)),
        CommandSpec("strlen", 2, [.readonly, .fast], .string, keys: [.first(.ro)], .data(strlen)),
        CommandSpec(
            "substr", 4, [.readonly], .string, keys: [.first(.ro, [.access])], .data(substr)),
    ]
}

extension CommandContext {
    /// Refuses to let a string grow beyond `proto-max-bulk-len`: to `count` bytes and `more`.
    ///
    /// What comes from the log was allowed when it was logged, perhaps by another setting.
    func checkStringLength(_ count: Int64, plus more: Int) throws(CommandError) {
        let (sum, isOver) = count.addingReportingOverflow(Int64(more))
        guard !isOver, sum <= Int64(stringBytesMaxNow) else { throw .stringTooLong }
    }

    /// The bound that strings obey in this call.
    var stringBytesMaxNow: Int {
        isReplaying ? max(limits.stringBytesMax, 1 << 46) : limits.stringBytesMax
    }

    /// Logs `SET key value` or `SET key value PXAT deadline`.
    mutating func logInsteadSet(_ key: ByteSlice, _ value: ByteSlice, deadline: Int64?) {
        isLogged = true
        guard !isReplaying else { return }
        log.beginRecord(database: database, argumentCount: deadline == nil ? 3 : 5)
        log.append(argument: "SET")
        log.append(argument: key)
        log.append(argument: value)
        if let deadline {
            log.append(argument: "PXAT")
            log.append(decimal: deadline)
        }
    }
}
