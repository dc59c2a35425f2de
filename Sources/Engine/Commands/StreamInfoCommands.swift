internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// XINFO: what there is to tell of a stream, its groups and their consumers.
enum StreamInfoCommands {
    /// The stream that XINFO names.
    private static func find(
        _ context: inout CommandContext
    ) throws(CommandError) -> StreamValue {
        guard let stream = try context.lookupStream(context.key(at: 2)) else { throw .noSuchKey }
        return stream
    }

    @Sendable
    static func consumers(_ context: inout CommandContext) throws(CommandError) {
        let stream = try find(&context)
        guard let group = stream.group(context.arguments[3]) else {
            throw .quoting(
                "NOGROUP No such consumer group '", "' for key name '", "'",
                names: context.arguments[3], context.arguments[2])
        }
        let now = context.now
        context.reply.array(group.consumerCount)
        group.forEachConsumer { consumer in
            context.reply.map(4)
            context.reply.bulk("name")
            context.reply.bulk(consumer.name)
            context.reply.bulk("pending")
            context.reply.integer(consumer.pendingCount)
            context.reply.bulk("idle")
            context.reply.integer(max(now &- consumer.seenTime, 0))
            context.reply.bulk("inactive")
            context.reply.integer(consumer.activeTime == -1 ? -1 : now &- consumer.activeTime)
        }
    }

    @Sendable
    static func groups(_ context: inout CommandContext) throws(CommandError) {
        let stream = try find(&context)
        context.reply.array(stream.groupCount)
        stream.forEachGroup { group in
            context.reply.map(6)
            context.reply.bulk("name")
            context.reply.bulk(group.name)
            context.reply.bulk("consumers")
            context.reply.integer(group.consumerCount)
            context.reply.bulk("pending")
            context.reply.integer(group.pendingCount)
            context.reply.bulk("last-delivered-id")
            context.reply.bulk(group.lastID)
            context.reply.bulk("entries-read")
            context.reply.optional(group.entriesRead)
            context.reply.bulk("lag")
            context.reply.optional(stream.lag(of: group))
        }
    }

    @Sendable
    static func stream(_ context: inout CommandContext) throws(CommandError) {
        let stream = try find(&context)
        guard context.arguments.count > 3 else {
            context.reply.map(10)
            replyHead(stream, &context.reply)
            context.reply.bulk("groups")
            context.reply.integer(stream.groupCount)
            context.reply.bulk("first-entry")
            var found = stream.forEach(limit: 1) { entry in
                context.reply.streamEntry(entry)
                return true
            }
            if found == 0 { context.reply.null() }
            context.reply.bulk("last-entry")
            found = stream.forEachBackwards(limit: 1) { entry in
                context.reply.streamEntry(entry)
                return true
            }
            if found == 0 { context.reply.null() }
            return
        }
        let count = try fullCount(context)
        context.reply.map(9)
        replyHead(stream, &context.reply)
        context.reply.bulk("entries")
        let mark = context.reply.beginArray()
        let written = stream.forEach(limit: count) { entry in
            context.reply.streamEntry(entry)
            return true
        }
        context.reply.endArray(mark, count: written)
        context.reply.bulk("groups")
        context.reply.array(stream.groupCount)
        stream.forEachGroup { replyWhole($0, of: stream, count, &context.reply) }
    }

    /// The count of FULL: 10 unless one is given; all for 0.
    private static func fullCount(
        _ context: borrowing CommandContext
    ) throws(CommandError) -> Int {
        let arguments = context.arguments
        let isComplete = arguments.count == 4 || arguments.count == 6
        guard isComplete, arguments[3].equalsIgnoringCase("full"),
            arguments.count == 4 || arguments[4].equalsIgnoringCase("count")
        else {
            throw .bytes(
                Array("ERR unknown subcommand or wrong number of arguments for '".utf8)
                    + arguments[1].prefix(128).copyToArray()
                    + Array("'. Try \(arguments[0].text.uppercased()) HELP.".utf8))
        }
        guard arguments.count == 6 else { return 10 }
        let count = try context.integer(at: 5)
        if count < 0 { return 10 }
        return count == 0 ? .max : Int(count)
    }

    private static func replyHead(_ stream: StreamValue, _ reply: inout ReplyWriter) {
        reply.bulk("length")
        reply.integer(stream.count)
        reply.bulk("radix-tree-keys")
        reply.integer(stream.nodeCount)
        reply.bulk("radix-tree-nodes")
        reply.integer(stream.radixNodeCount)
        reply.bulk("last-generated-id")
        reply.bulk(stream.lastID)
        reply.bulk("max-deleted-entry-id")
        reply.bulk(stream.maxDeletedID)
        reply.bulk("entries-added")
        reply.integer(Int64(truncatingIfNeeded: stream.addedCount))
        reply.bulk("recorded-first-entry-id")
        reply.bulk(stream.firstID)
    }

    private static func replyWhole(
        _ group: ConsumerGroup, of stream: StreamValue, _ limit: Int, _ reply: inout ReplyWriter
    ) {
        reply.map(7)
        reply.bulk("name")
        reply.bulk(group.name)
        reply.bulk("last-delivered-id")
        reply.bulk(group.lastID)
        reply.bulk("entries-read")
        reply.optional(group.entriesRead)
        reply.bulk("lag")
        reply.optional(stream.lag(of: group))
        reply.bulk("pel-count")
        reply.integer(group.pendingCount)
        reply.bulk("pending")
        reply.array(min(limit, group.pendingCount))
        var left = limit
        group.forEachPending { item in
            reply.array(4)
            reply.bulk(item.id)
            reply.bulk(item.consumerName)
            reply.integer(item.deliveryTime)
            reply.integer(Int64(truncatingIfNeeded: item.deliveryCount))
            left -= 1
            return left > 0
        }
        reply.bulk("consumers")
        reply.array(group.consumerCount)
        group.forEachConsumer { consumer in
            reply.map(5)
            reply.bulk("name")
            reply.bulk(consumer.name)
            reply.bulk("seen-time")
            reply.integer(consumer.seenTime)
            reply.bulk("active-time")
            reply.integer(consumer.activeTime)
            reply.bulk("pel-count")
            reply.integer(consumer.pendingCount)
            reply.bulk("pending")
            reply.array(min(limit, consumer.pendingCount))
            var left = limit
            consumer.forEachPending { item in
                reply.array(3)
                reply.bulk(item.id)
                reply.integer(item.deliveryTime)
                reply.integer(Int64(truncatingIfNeeded: item.deliveryCount))
                left -= 1
                return left > 0
            }
        }
    }

    private static let helpLines: [StaticString] = [
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
        "HELP",
        "    Prints this help.",
    ]

    @Sendable
    static func help(_ context: inout CommandContext) throws(CommandError) {
        context.reply.array(helpLines.count)
        for line in helpLines { context.reply.simple(line) }
    }

    static let table: [CommandSpec] = [
        CommandSpec(
            "xinfo", -2, [], .stream, .container,
            subcommands: [
                CommandSpec(
                    "xinfo|consumers", 4, [.readonly], .stream, keys: [.at(2, .ro, [.access])],
                    tips: [.nondeterministicOutput], .data(consumers)),
                CommandSpec(
                    "xinfo|groups", 3, [.readonly], .stream, keys: [.at(2, .ro, [.access])],
                    .data(groups)),
                CommandSpec("xinfo|help", 2, [.loading, .stale], .stream, .data(help)),
                CommandSpec(
                    "xinfo|stream", -3, [.readonly], .stream, keys: [.at(2, .ro, [.access])],
                    .data(stream)),
            ])
    ]
}
