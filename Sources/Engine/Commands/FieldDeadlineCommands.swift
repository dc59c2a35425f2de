internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// Commands on the deadlines of a hash's fields, as Redis has them since 7.4.
enum FieldDeadlineCommands {
    /// What is replied for each field.
    private enum Outcome {
        static let noField: Int64 = -2
        static let noDeadline: Int64 = -1
        static let unmet: Int64 = 0
        static let done: Int64 = 1
        static let deleted: Int64 = 2
    }

    /// The latest deadline that Redis takes, in Unix ms.
    private static let deadlineMax: Int64 = 0xFFFF_FFFF_FFFE >> 2

    // MARK: Setting

    @Sendable
    static func hexpire(_ context: inout CommandContext) throws(CommandError) {
        try setDeadlines(&context, isSeconds: true, isRelative: true, command: "hexpire")
    }

    @Sendable
    static func hpexpire(_ context: inout CommandContext) throws(CommandError) {
        try setDeadlines(&context, isSeconds: false, isRelative: true, command: "hpexpire")
    }

    @Sendable
    static func hexpireat(_ context: inout CommandContext) throws(CommandError) {
        try setDeadlines(&context, isSeconds: true, isRelative: false, command: "hexpireat")
    }

    @Sendable
    static func hpexpireat(_ context: inout CommandContext) throws(CommandError) {
        try setDeadlines(&context, isSeconds: false, isRelative: false, command: "hpexpireat")
    }

    private enum Condition {
        case always, onlyWithout, onlyWith, onlyLater, onlyEarlier

        init?(_ word: ByteSlice) {
            if word.equalsIgnoringCase("nx") {
                self = .onlyWithout
            } else if word.equalsIgnoringCase("xx") {
                self = .onlyWith
            } else if word.equalsIgnoringCase("gt") {
                self = .onlyLater
            } else if word.equalsIgnoringCase("lt") {
                self = .onlyEarlier
            } else {
                return nil
            }
        }

        /// A field without a deadline counts as one that stays for ever.
        func allows(_ new: Int64, over old: Int64?) -> Bool {
            switch self {
            case .always: true
            case .onlyWithout: old == nil
            case .onlyWith: old != nil
            case .onlyLater: old.map { new > $0 } ?? false
            case .onlyEarlier: old.map { new < $0 } ?? true
            }
        }
    }

    private static func setDeadlines(
        _ context: inout CommandContext, isSeconds: Bool, isRelative: Bool, command: String
    ) throws(CommandError) {
        let arguments = context.arguments
        let key = context.key(at: 1)
        let entry = try context.lookupHashForWrite(key)
        let deadline = try deadline(
            context, isSeconds: isSeconds, isRelative: isRelative, command: command)
        let condition = Condition(arguments[3])
        let first = try firstField(
            context, from: condition == nil ? 3 : 4,
            "ERR Parameter `numFields` should be greater than 0")
        context.reply.array(arguments.count - first)
        guard let entry else {
            for _ in first..<arguments.count { context.reply.integer(Outcome.noField) }
            return
        }
        let isPast = deadline <= context.now && !context.isReplaying
        let hash = context.hash(entry)
        let hasher = context.keyspace.hasher
        var changed: [ByteSlice] = []
        for index in first..<arguments.count {
            let field = arguments[index]
            let old: Int64?
            switch hash.deadline(of: field, hasher) {
            case .noField:
                context.reply.integer(Outcome.noField)
                continue
            case .none: old = nil
            case .at(let time): old = time
            }
            // A field named again has the new deadline already, or is gone.
            let isAgain = changed.contains { $0 == field }
            if isAgain, isPast {
                context.reply.integer(Outcome.noField)
            } else if !(condition ?? .always).allows(deadline, over: isAgain ? deadline : old) {
                context.reply.integer(Outcome.unmet)
            } else {
                if !isAgain { changed.append(field) }
                context.reply.integer(isPast ? Outcome.deleted : Outcome.done)
            }
        }
        if changed.isEmpty { return context.logNothing() }
        if isPast {
            delete(&context, key, entry, changed)
        } else {
            context.keyspace.setFieldDeadlines(
                key, context.database, entry, changed, to: deadline)
            context.notify(.hash, "hexpire", key)
            log(&context, key, deadline, condition == nil ? nil : arguments[3], changed)
        }
    }

    /// Argument 2 as a point in time.
    private static func deadline(
        _ context: borrowing CommandContext, isSeconds: Bool, isRelative: Bool, command: String
    ) throws(CommandError) -> Int64 {
        var deadline = try context.integer(at: 2)
        if deadline < 0 { throw .text("ERR invalid expire time, must be >= 0") }
        if isSeconds {
            if deadline > deadlineMax / 1000 { throw .invalidExpireTime(command) }
            deadline *= 1000
        }
        let start = isRelative ? context.now : 0
        if deadline > deadlineMax - start { throw .invalidExpireTime(command) }
        return deadline + start
    }

    /// Checks `FIELDS number field …` from argument `index` on.
    ///
    /// - Returns: the first field's index; fields go on to the last argument.
    private static func firstField(
        _ context: borrowing CommandContext, from index: Int, _ message: StaticString
    ) throws(CommandError) -> Int {
        let arguments = context.arguments
        guard arguments[index].equalsIgnoringCase("fields") else {
            throw .text(
                "ERR Mandatory argument FIELDS is missing or not at the right position")
        }
        guard index + 1 < arguments.count, let number = DecimalText.parse(arguments[index + 1]),
            number >= 1
        else { throw .text(message) }
        guard number == arguments.count - index - 2 else {
            throw .text("ERR The `numfields` parameter must match the number of arguments")
        }
        return index + 2
    }

    /// A time that has passed deletes the fields.
    private static func delete(
        _ context: inout CommandContext, _ key: HashedKey, _ entry: Entry, _ fields: [ByteSlice]
    ) {
        let (_, isEmpty) = context.keyspace.removeFields(
            key, context.database, entry, count: fields.count
        ) { fields[$0] }
        context.logInstead("HDEL", words: [key.bytes] + fields)
        context.notify(.hash, "hdel", key)
        if isEmpty {
            context.keyspace.remove(key, context.database)
            context.notify(.generic, "del", key)
        }
    }

    private static func log(
        _ context: inout CommandContext, _ key: HashedKey, _ deadline: Int64,
        _ option: ByteSlice?, _ fields: [ByteSlice]
    ) {
        let count = 5 + (option == nil ? 0 : 1) + fields.count
        guard context.beginEffect("HPEXPIREAT", count: count) else { return }
        context.log.append(argument: key.bytes)
        context.log.append(decimal: deadline)
        if let option { context.log.append(argument: option) }
        context.log.append(argument: "FIELDS")
        context.log.append(decimal: Int64(fields.count))
        for field in fields { context.log.append(argument: field) }
    }

    @Sendable
    static func hpersist(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        let key = context.key(at: 1)
        let entry = try context.lookupHashForWrite(key)
        let first = try firstField(
            context, from: 2, "ERR Number of fields must be a positive integer")
        context.reply.array(arguments.count - first)
        guard let entry else {
            for _ in first..<arguments.count { context.reply.integer(Outcome.noField) }
            return
        }
        let hash = context.hash(entry)
        let hasher = context.keyspace.hasher
        var changed: [ByteSlice] = []
        for index in first..<arguments.count {
            let field = arguments[index]
            switch hash.deadline(of: field, hasher) {
            case .noField: context.reply.integer(Outcome.noField)
            case .none: context.reply.integer(Outcome.noDeadline)
            case .at:
                let isAgain = changed.contains { $0 == field }
                if !isAgain { changed.append(field) }
                context.reply.integer(isAgain ? Outcome.noDeadline : Outcome.done)
            }
        }
        if changed.isEmpty { return }
        context.keyspace.setFieldDeadlines(key, context.database, entry, changed, to: nil)
        context.notify(.hash, "hpersist", key)
    }

    // MARK: Reading

    @Sendable
    static func httl(_ context: inout CommandContext) throws(CommandError) {
        try replyDeadlines(&context, isSeconds: true, isRelative: true)
    }

    @Sendable
    static func hpttl(_ context: inout CommandContext) throws(CommandError) {
        try replyDeadlines(&context, isSeconds: false, isRelative: true)
    }

    @Sendable
    static func hexpiretime(_ context: inout CommandContext) throws(CommandError) {
        try replyDeadlines(&context, isSeconds: true, isRelative: false)
    }

    @Sendable
    static func hpexpiretime(_ context: inout CommandContext) throws(CommandError) {
        try replyDeadlines(&context, isSeconds: false, isRelative: false)
    }

    private static func replyDeadlines(
        _ context: inout CommandContext, isSeconds: Bool, isRelative: Bool
    ) throws(CommandError) {
        let hash = try context.lookupHash(context.key(at: 1))
        let first = try firstField(
            context, from: 2, "ERR Number of fields must be a positive integer")
        let arguments = context.arguments
        let hasher = context.keyspace.hasher
        context.reply.array(arguments.count - first)
        for index in first..<arguments.count {
            switch hash?.deadline(of: arguments[index], hasher) ?? .noField {
            case .noField: context.reply.integer(Outcome.noField)
            case .none: context.reply.integer(Outcome.noDeadline)
            case .at(let deadline):
                let time = deadline - (isRelative ? context.now : 0)
                // Seconds are rounded up: what is left is never shown as nothing.
                context.reply.integer(isSeconds ? (time + 999) / 1000 : time)
            }
        }
    }

    // MARK: Table

    private static func expiring(
        _ name: String, _ handler: @escaping DataHandler
    ) -> CommandSpec {
        CommandSpec(
            name, -6, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.update])],
            .data(handler))
    }

    private static func reading(_ name: String, _ handler: @escaping DataHandler) -> CommandSpec {
        CommandSpec(
            name, -5, [.readonly, .fast], .hash, keys: [.first(.ro, [.access])], .data(handler))
    }

    static let table: [CommandSpec] = [
        expiring("hexpire", hexpire),
        expiring("hexpireat", hexpireat),
        reading("hexpiretime", hexpiretime),
        CommandSpec(
            "hpersist", -5, [.write, .fast], .hash, keys: [.first(.rw, [.update])],
            .data(hpersist)),
        expiring("hpexpire", hpexpire),
        expiring("hpexpireat", hpexpireat),
        reading("hpexpiretime", hpexpiretime),
        reading("hpttl", hpttl),
        reading("httl", httl),
    ]
}

extension CommandContext {
    /// So many fields of a hash expire at once; the rest is treated as gone until its turn comes.
    private static let dueFieldsMax = 1000

    /// Whether fields of the hash have expired and are to be deleted.
    @inline(__always)
    func hasDueFields(_ entry: Entry) -> Bool {
        guard let earliest = entry.fieldDeadlineMin else { return false }
        return earliest < now && !isReplaying && !holdsExpiry
    }

    /// Deletes fields of the hash that have expired.
    ///
    /// - Returns: the key's entry, if any field is left.
    @inline(never)
    mutating func withoutDueFields(_ key: HashedKey, _ entry: Entry) -> Entry? {
        _ = expireFields(key, database, entry, limit: Self.dueFieldsMax)
        return keyspace.find(key, database)
    }

    /// Deletes up to `limit` fields of a hash whose deadline has passed, and logs that.
    ///
    /// - Returns: how many were deleted.
    mutating func expireFields(
        _ key: HashedKey, _ database: Int, _ entry: Entry, limit: Int
    ) -> Int {
        let before = keyspace.version
        var names = ByteBuffer()
        var ends: [Int] = []
        let (removed, isEmpty) = keyspace.removeDueFields(
            key, database, entry, at: now, limit: limit
        ) { field in
            names.append(field)
            ends.append(names.count)
        }
        guard removed > 0 else { return 0 }
        if logsEffects, !isReplaying {
            log.beginRecord(database: database, argumentCount: 2 + removed)
            log.append(argument: "HDEL")
            log.append(argument: key.bytes)
            var start = 0
            for end in ends {
                log.append(argument: names.slice.slice(start..<end))
                start = end
            }
        }
        notify(.hash, "hexpired", key.bytes, in: database)
        noteUnattributedChange(key)
        if isEmpty {
            notify(.generic, "del", key.bytes, in: database)
            keyspace.remove(key, database)
        }
        versionBefore &+= keyspace.version &- before
        return removed
    }
}
