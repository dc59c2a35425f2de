internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on the groups of a stream and on what is pending in them.
enum StreamGroupCommands {
    // MARK: XGROUP

    private static let keyMissing = CommandError.text(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically."
    )

    private static func noGroup(_ context: borrowing CommandContext) -> CommandError {
        .quoting(
            "NOGROUP No such consumer group '", "' for key name '", "'",
            names: context.arguments[3], context.arguments[2])
    }

    private static func unknownForm(_ context: borrowing CommandContext) -> CommandError {
        let container = context.arguments[0].text.uppercased()
        return .bytes(
            Array("ERR unknown subcommand or wrong number of arguments for '".utf8)
                + context.arguments[1].prefix(128).copyToArray()
                + Array("'. Try \(container) HELP.".utf8))
    }

    /// What stands behind the ID of CREATE and SETID.
    private struct Options {
        var makesStream = false
        var entriesRead: Int64?

        init(_ context: borrowing CommandContext, isCreate: Bool) throws(CommandError) {
            var index = 5
            while index < context.arguments.count {
                let word = context.arguments[index]
                if isCreate, word.equalsIgnoringCase("mkstream") {
                    makesStream = true
                    index += 1
                } else if word.equalsIgnoringCase("entriesread"),
                    index + 1 < context.arguments.count
                {
                    let read = try context.integer(at: index + 1)
                    // Counters that went round the end of 64 bits are logged as they are.
                    if read < -1, !context.isReplaying {
                        throw .text("ERR value for ENTRIESREAD must be positive or -1")
                    }
                    entriesRead = read == -1 ? nil : read
                    index += 2
                } else {
                    throw StreamGroupCommands.unknownForm(context)
                }
            }
        }
    }

    @Sendable
    static func create(_ context: inout CommandContext) throws(CommandError) {
        let options = try Options(context, isCreate: true)
        let key = context.key(at: 2)
        let name = context.arguments[3]
        var entry = try context.lookupStreamForWrite(key)
        if entry == nil, !options.makesStream { throw keyMissing }
        guard context.arguments.count <= 8 else { throw unknownForm(context) }
        let stream = entry?.root(StreamValue.self)
        let id: StreamID
        if context.arguments[4] == ByteSlice("$") {
            id = stream?.lastID ?? .zero
        } else {
            id = try context.streamID(at: 4)
        }
        if stream?.group(name) != nil {
            throw .text("BUSYGROUP Consumer Group name already exists")
        }
        if entry == nil {
            context.makeStream(key)
            entry = context.keyspace.find(key, context.database)
        }
        guard let entry else { preconditionFailure("a stream was made and is not there") }
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            stream.addGroup(name, lastID: id, entriesRead: options.entriesRead, &epochs)
            return true
        }
        context.notify(.stream, "xgroup-create", key)
        context.reply.ok()
    }

    /// The entry of a stream that has the group named.
    private static func entryWithGroup(
        _ context: inout CommandContext, _ key: HashedKey
    ) throws(CommandError) -> Entry {
        guard let entry = try context.lookupStreamForWrite(key) else { throw keyMissing }
        guard entry.root(StreamValue.self).group(context.arguments[3]) != nil else {
            throw noGroup(context)
        }
        return entry
    }

    @Sendable
    static func setid(_ context: inout CommandContext) throws(CommandError) {
        let options = try Options(context, isCreate: false)
        let key = context.key(at: 2)
        let entry = try entryWithGroup(&context, key)
        guard context.arguments.count == 5 || context.arguments.count == 7 else {
            throw unknownForm(context)
        }
        let id: StreamID
        if context.arguments[4] == ByteSlice("$") {
            id = entry.root(StreamValue.self).lastID
        } else {
            guard let given = StreamID(context.arguments[4], form: .orEdges) else {
                throw CommandContext.invalidStreamID
            }
            id = given
        }
        let name = context.arguments[3]
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            let group = stream.writableGroup(name, &epochs)
            group?.lastID = id
            group?.entriesRead = options.entriesRead
            return true
        }
        context.notify(.stream, "xgroup-setid", key)
        context.reply.ok()
    }

    @Sendable
    static func destroy(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 2)
        guard let entry = try context.lookupStreamForWrite(key) else { throw keyMissing }
        guard context.keyspace.removeGroup(context.arguments[3], key, context.database, entry)
        else { return context.reply.integer(0) }
        context.notify(.stream, "xgroup-destroy", key)
        context.reply.integer(1)
    }

    @Sendable
    static func createconsumer(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 2)
        let entry = try entryWithGroup(&context, key)
        let (group, name, now) = (context.arguments[3], context.arguments[4], context.now)
        let isNew = context.keyspace.editRoot(
            key, context.database, entry, as: StreamValue.self
        ) { (stream, epochs) in
            guard let group = stream.writableGroup(group, &epochs), group.consumer(name) == nil
            else { return false }
            _ = group.addConsumer(name, seenTime: now, &epochs)
            return true
        }
        if isNew { context.notify(.stream, "xgroup-createconsumer", key) }
        context.reply.integer(isNew ? 1 : 0)
    }

    @Sendable
    static func delconsumer(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 2)
        let entry = try entryWithGroup(&context, key)
        let (group, name) = (context.arguments[3], context.arguments[4])
        var pending: Int?
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            pending = stream.writableGroup(group, &epochs)?.removeConsumer(name, &epochs)
            return pending != nil
        }
        if pending != nil { context.notify(.stream, "xgroup-delconsumer", key) }
        context.reply.integer(pending ?? 0)
    }

    private static let helpLines: [StaticString] = [
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
        "HELP",
        "    Prints this help.",
    ]

    @Sendable
    static func help(_ context: inout CommandContext) throws(CommandError) {
        context.reply.array(helpLines.count)
        for line in helpLines { context.reply.simple(line) }
    }

    // MARK: XACK

    @Sendable
    static func xack(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let arguments = context.arguments
        guard let entry = context.lookup(key) else { return context.reply.integer(0) }
        if entry.type != .stream { throw .wrongType }
        guard entry.root(StreamValue.self).group(arguments[2]) != nil else {
            return context.reply.integer(0)
        }
        for index in 3..<arguments.count { _ = try context.streamID(at: index) }
        var acknowledged = 0
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            guard let group = stream.writableGroup(arguments[2], &epochs) else { return false }
            for index in 3..<arguments.count {
                guard let id = StreamID(arguments[index]) else { continue }
                if group.acknowledge(id, &epochs) { acknowledged += 1 }
            }
            return acknowledged > 0
        }
        context.changeCount = acknowledged
        context.reply.integer(acknowledged)
    }

    // MARK: XPENDING

    @Sendable
    static func xpending(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        guard arguments.count == 3 || (6...9).contains(arguments.count) else { throw .syntax }
        guard arguments.count > 3 else {
            return replySummary(try group(&context), &context.reply)
        }
        var index = 3
        var idle: Int64 = 0
        if arguments[3].equalsIgnoringCase("idle") {
            idle = try context.integer(at: 4)
            guard arguments.count >= 8 else { throw .syntax }
            index = 5
        }
        let limit = try context.integer(at: index + 2)
        let first = try context.rangeStart(at: index)
        let last = try context.rangeEnd(at: index + 1)
        let group = try group(&context)
        let mark = context.reply.beginArray()
        var count: Int64 = 0
        let now = context.now
        if limit > 0, index + 3 < arguments.count {
            group.consumer(arguments[index + 3])?.forEachPending(from: first, through: last) {
                if replyItem($0, idle: idle, now, &context.reply) { count += 1 }
                return count < limit
            }
        } else if limit > 0 {
            group.forEachPending(from: first, through: last) {
                if replyItem($0, idle: idle, now, &context.reply) { count += 1 }
                return count < limit
            }
        }
        context.reply.endArray(mark, count: Int(count))
    }

    /// - Returns: false, without a reply, for an item that hasn't been idle so long.
    private static func replyItem(
        _ item: PendingItem, idle: Int64, _ now: Int64, _ reply: inout ReplyWriter
    ) -> Bool {
        let elapsed = now &- item.deliveryTime
        if idle != 0, elapsed < idle { return false }
        reply.array(4)
        reply.bulk(item.id)
        reply.bulk(item.consumerName)
        reply.integer(max(elapsed, 0))
        reply.integer(Int64(truncatingIfNeeded: item.deliveryCount))
        return true
    }

    /// The group that words 1 and 2 name.
    private static func group(
        _ context: inout CommandContext
    ) throws(CommandError) -> ConsumerGroup {
        let stream = try context.lookupStream(context.key(at: 1))
        guard let group = stream?.group(context.arguments[2]) else { throw noKeyOrGroup(context) }
        return group
    }

    private static func noKeyOrGroup(_ context: borrowing CommandContext) -> CommandError {
        .quoting(
            "NOGROUP No such key '", "' or consumer group '", "'", names: context.arguments[1],
            context.arguments[2])
    }

    private static func replySummary(_ group: ConsumerGroup, _ reply: inout ReplyWriter) {
        reply.array(4)
        reply.integer(group.pendingCount)
        guard let first = group.pendingItem(atOrAfter: .zero), let last = group.lastPendingItem
        else {
            reply.null()
            reply.null()
            reply.nullArray()
            return
        }
        reply.bulk(first.id)
        reply.bulk(last.id)
        let mark = reply.beginArray()
        var count = 0
        group.forEachConsumer { consumer in
            guard consumer.pendingCount > 0 else { return }
            reply.array(2)
            reply.bulk(consumer.name)
            reply.bulk(decimal: Int64(consumer.pendingCount))
            count += 1
        }
        reply.endArray(mark, count: count)
    }

    // MARK: XCLAIM

    /// What XCLAIM's words behind the IDs say.
    private struct ClaimOptions {
        var makesItems = false
        var repliesIDsOnly = false
        var time: Int64 = -1
        var count: Int64 = -1
        var lastID = StreamID.zero

        init(_ context: borrowing CommandContext, from start: Int) throws(CommandError) {
            var index = start
            while index < context.arguments.count {
                let word = context.arguments[index]
                let hasMore = index + 1 < context.arguments.count
                if word.equalsIgnoringCase("force") {
                    makesItems = true
                } else if word.equalsIgnoringCase("justid") {
                    repliesIDsOnly = true
                } else if word.equalsIgnoringCase("idle"), hasMore {
                    index += 1
                    let idle = try Self.integer(
                        context, index, "ERR Invalid IDLE option argument for XCLAIM")
                    time = context.now &- idle
                } else if word.equalsIgnoringCase("time"), hasMore {
                    index += 1
                    time = try Self.integer(
                        context, index, "ERR Invalid TIME option argument for XCLAIM")
                } else if word.equalsIgnoringCase("retrycount"), hasMore {
                    index += 1
                    count = try Self.integer(
                        context, index, "ERR Invalid RETRYCOUNT option argument for XCLAIM")
                } else if word.equalsIgnoringCase("lastid"), hasMore {
                    index += 1
                    lastID = try context.streamID(at: index)
                } else {
                    throw .quoting("ERR Unrecognized XCLAIM option '", "'", names: word)
                }
                index += 1
            }
            // A time that can't be is not worth an error: clients compute it from clocks of their own.
            if time < 0 || time > context.now { time = context.now }
        }

        static func integer(
            _ context: borrowing CommandContext, _ index: Int, _ message: StaticString
        ) throws(CommandError) -> Int64 {
            guard let number = DecimalText.parse(context.arguments[index]) else {
                throw .text(message)
            }
            return number
        }
    }

    @Sendable
    static func xclaim(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        let key = context.key(at: 1)
        guard let entry = context.lookup(key) else { throw noKeyOrGroup(context) }
        if entry.type != .stream { throw .wrongType }
        guard entry.root(StreamValue.self).group(arguments[2]) != nil else {
            throw noKeyOrGroup(context)
        }
        let idle = try ClaimOptions.integer(
            context, 4, "ERR Invalid min-idle-time argument for XCLAIM")
        var end = 5
        while end < arguments.count, StreamID(arguments[end]) != nil { end += 1 }
        let options = try ClaimOptions(context, from: end)
        let now = context.now
        var isNew = false
        context.logNothing()
        context.editStream(key, entry) { stream, epochs, reply, effects in
            guard let group = stream.writableGroup(arguments[2], &epochs) else { return false }
            var hasMoved = false
            if options.lastID > group.lastID {
                group.lastID = options.lastID
                hasMoved = true
            }
            var hasChanged = hasMoved
            let claim = Claim(
                group, arguments[3], now: now, repliesIDsOnly: options.repliesIDsOnly, &epochs)
            isNew = claim.isNew
            let mark = reply.beginArray()
            var count = 0
            for index in 5..<end {
                guard let id = StreamID(arguments[index]) else { continue }
                let item = group.pendingItem(id)
                guard let found = stream.entry(id) else {
                    guard let item else { continue }
                    effects.claim(item, group)
                    hasMoved = false
                    hasChanged = true
                    _ = group.acknowledge(id, &epochs)
                    continue
                }
                guard item != nil || options.makesItems else { continue }
                if let item, idle > 0, now &- item.deliveryTime < idle { continue }
                // An item that is made here was delivered once, and is now again.
                var deliveries = item?.deliveryCount ?? 1
                if options.count >= 0 {
                    deliveries = UInt64(options.count)
                } else if !options.repliesIDsOnly {
                    deliveries &+= 1
                }
                claim.take(found, time: options.time, count: deliveries, &epochs, &reply)
                if let item = group.pendingItem(id) { effects.claim(item, group) }
                hasMoved = false
                hasChanged = true
                count += 1
            }
            if hasMoved { effects.position(group) }
            reply.endArray(mark, count: count)
            return hasChanged
        }
        if isNew { context.notify(.stream, "xgroup-createconsumer", key) }
    }

    /// A consumer about to take over pending entries.
    private struct Claim {
        let group: ConsumerGroup
        let consumer: StreamConsumer
        let now: Int64
        let repliesIDsOnly: Bool
        let isNew: Bool

        init(
            _ group: ConsumerGroup, _ name: ByteSlice, now: Int64, repliesIDsOnly: Bool,
            _ epochs: inout EpochClock
        ) {
            self.group = group
            self.now = now
            self.repliesIDsOnly = repliesIDsOnly
            if let known = group.writableConsumer(name, &epochs) {
                consumer = known
                isNew = false
            } else {
                consumer = group.addConsumer(name, seenTime: now, &epochs)
                isNew = true
            }
            consumer.seenTime = now
        }

        func take(
            _ entry: StreamEntry, time: Int64, count: UInt64, _ epochs: inout EpochClock,
            _ reply: inout ReplyWriter
        ) {
            group.assign(entry.id, to: consumer, time: time, count: count, &epochs)
            consumer.activeTime = now
            if repliesIDsOnly { reply.bulk(entry.id) } else { reply.streamEntry(entry) }
        }
    }

    // MARK: XAUTOCLAIM

    @Sendable
    static func xautoclaim(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        let key = context.key(at: 1)
        let found = context.lookup(key)
        let idle = try ClaimOptions.integer(
            context, 4, "ERR Invalid min-idle-time argument for XAUTOCLAIM")
        let start = try context.rangeStart(at: 5)
        var limit = 100
        var repliesIDsOnly = false
        var index = 6
        while index < arguments.count {
            if arguments[index].equalsIgnoringCase("count"), index + 1 < arguments.count {
                guard let count = DecimalText.parse(arguments[index + 1]), count >= 1,
                    count <= Int64.max / 16
                else { throw .text("ERR COUNT must be > 0") }
                limit = Int(count)
                index += 1
            } else if arguments[index].equalsIgnoringCase("justid") {
                repliesIDsOnly = true
            } else {
                throw .syntax
            }
            index += 1
        }
        if let found, found.type != .stream { throw .wrongType }
        guard let entry = found, entry.root(StreamValue.self).group(arguments[2]) != nil else {
            throw noKeyOrGroup(context)
        }
        let now = context.now
        var isNew = false
        context.logNothing()
        context.editStream(key, entry) { stream, epochs, reply, effects in
            guard let group = stream.writableGroup(arguments[2], &epochs) else { return false }
            let claim = Claim(
                group, arguments[3], now: now, repliesIDsOnly: repliesIDsOnly, &epochs)
            isNew = claim.isNew
            reply.array(3)
            let mark = reply.beginArray()
            var count = 0
            var deleted: [StreamID] = []
            var attemptsLeft = limit * 10
            var next: StreamID? = start
            while attemptsLeft > 0, count + deleted.count < limit, let id = next,
                let item = group.pendingItem(atOrAfter: id)
            {
                attemptsLeft -= 1
                let id = item.id
                next = id.next
                guard let entry = stream.entry(id) else {
                    effects.claim(item, group)
                    _ = group.acknowledge(id, &epochs)
                    deleted.append(id)
                    continue
                }
                if idle > 0, now &- item.deliveryTime < idle { continue }
                let deliveries = repliesIDsOnly ? item.deliveryCount : item.deliveryCount &+ 1
                claim.take(entry, time: now, count: deliveries, &epochs, &reply)
                if let item = group.pendingItem(id) { effects.claim(item, group) }
                count += 1
            }
            let following = next.flatMap { group.pendingItem(atOrAfter: $0)?.id } ?? .zero
            reply.endArray(mark, count: count)
            reply.insert(bulk: following, at: mark)
            reply.array(deleted.count)
            for id in deleted { reply.bulk(id) }
            return count > 0 || !deleted.isEmpty
        }
        if isNew { context.notify(.stream, "xgroup-createconsumer", key) }
    }

    // MARK: Table

    static let table: [CommandSpec] = [
        CommandSpec(
            "xack", -4, [.write, .fast], .stream, keys: [.first(.rw, [.update])], .data(xack)),
        CommandSpec(
            "xautoclaim", -6, [.write, .fast], .stream, keys: [.first(.rw, [.delete])],
            tips: [.nondeterministicOutput], .data(xautoclaim)),
        CommandSpec(
            "xclaim", -6, [.write, .fast], .stream, keys: [.first(.rw, [.update])],
            tips: [.nondeterministicOutput], .data(xclaim)),
        CommandSpec(
            "xgroup", -2, [], .stream, .container,
            subcommands: [
                CommandSpec(
                    "xgroup|create", -5, [.write, .denyOOM], .stream,
                    keys: [.at(2, .rw, [.insert])], .data(create)),
                CommandSpec(
                    "xgroup|createconsumer", 5, [.write, .denyOOM], .stream,
                    keys: [.at(2, .rw, [.insert])], .data(createconsumer)),
                CommandSpec(
                    "xgroup|delconsumer", 5, [.write], .stream, keys: [.at(2, .rw, [.delete])],
                    .data(delconsumer)),
                CommandSpec(
                    "xgroup|destroy", 4, [.write], .stream, keys: [.at(2, .rw, [.delete])],
                    .data(destroy)),
                CommandSpec("xgroup|help", 2, [.loading, .stale], .stream, .data(help)),
                CommandSpec(
                    "xgroup|setid", -5, [.write], .stream, keys: [.at(2, .rw, [.update])],
                    .data(setid)),
            ]),
        CommandSpec(
            "xpending", -3, [.readonly], .stream, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(xpending)),
    ]
}

extension ReplyWriter {
    /// Puts an ID before what was written from `mark` on.
    fileprivate mutating func insert(bulk id: StreamID, at mark: Int) {
        var writer = ReplyWriter()
        writer.bulk(id)
        buffer.insert(writer.buffer.slice, at: mark)
    }
}
