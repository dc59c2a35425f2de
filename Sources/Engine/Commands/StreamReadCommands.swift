internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// XREAD and XREADGROUP.
enum StreamReadCommands {
    /// What the two ask for.
    private struct Request {
        var isGroup: Bool
        /// Of each stream; 0 for no limit.
        var count = 0
        var timeout: Int64?
        var skipsAcknowledging = false
        /// Where the group's name stands, and behind it the consumer's.
        var group: Int?
        /// Where the first key stands.
        var firstKey = 0
        var streamCount = 0

        func key(_ number: Int) -> Int { firstKey + number }
        func id(_ number: Int) -> Int { firstKey + streamCount + number }
    }

    /// From where a stream is to be read.
    private enum Start {
        /// After an ID.
        case after(StreamID)
        /// `>`: what the group has not read yet.
        case unread
    }

    @Sendable
    static func xread(_ context: inout CommandContext) throws(CommandError) {
        let request = try parse(context, isGroup: false)
        var starts: [Start] = []
        starts.reserveCapacity(request.streamCount)
        var isSettled = true
        for number in 0..<request.streamCount {
            let stream = try context.lookupStream(context.key(at: request.key(number)))
            let word = context.arguments[request.id(number)]
            if word == ByteSlice("$") {
                starts.append(.after(stream?.lastID ?? .zero))
                isSettled = false
            } else if word == ByteSlice(">") {
                throw .text(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
                )
            } else {
                starts.append(.after(try context.streamID(at: request.id(number))))
            }
        }
        let mark = context.reply.beginArray()
        var served = 0
        for number in 0..<request.streamCount {
            guard case .after(let id) = starts[number],
                let stream = try context.lookupStream(context.key(at: request.key(number))),
                let last = stream.lastLiveID, last > id, let first = id.next
            else { continue }
            served += 1
            if !context.reply.isRESP3 { context.reply.array(2) }
            context.reply.bulk(context.arguments[request.key(number)])
            let entries = context.reply.beginArray()
            let count = stream.forEach(
                from: first, limit: request.count > 0 ? request.count : .max
            ) { entry in
                context.reply.streamEntry(entry)
                return true
            }
            context.reply.endArray(entries, count: count)
        }
        if served > 0 { return context.reply.endStreams(mark, count: served) }
        wait(&context, request, settling: isSettled ? nil : starts)
    }

    /// Waits for entries if the command asks for that, else replies that there are none.
    ///
    /// - Parameter starts: the IDs to wait with, if words of the command mean another at another time.
    private static func wait(
        _ context: inout CommandContext, _ request: Request, settling starts: [Start]? = nil
    ) {
        if let timeout = request.timeout {
            let arguments = context.arguments
            let hasBegun = context.block(
                BlockRequest(
                    keys: (0..<request.streamCount).map { request.key($0) }, type: .stream,
                    milliseconds: timeout, wakesOnAnyChange: request.isGroup,
                    replacement: starts.map { settled(arguments, request, $0) }))
            if hasBegun { return }
        }
        context.reply.nullArray()
    }

    /// The words with IDs in place of `$`.
    private static func settled(
        _ arguments: Arguments, _ request: Request, _ starts: [Start]
    ) -> [[UInt8]] {
        var words = (0..<arguments.count).map { arguments[$0].copyToArray() }
        for (number, start) in starts.enumerated() {
            if case .after(let id) = start {
                words[request.id(number)] = id.withText { $0.copyToArray() }
            }
        }
        return words
    }

    private static func parse(
        _ context: borrowing CommandContext, isGroup: Bool
    ) throws(CommandError) -> Request {
        let arguments = context.arguments
        var request = Request(isGroup: isGroup)
        var index = 1
        while index < arguments.count {
            let word = arguments[index]
            let more = arguments.count - index - 1
            if word.equalsIgnoringCase("block"), more > 0 {
                index += 1
                request.timeout = try context.timeoutMilliseconds(at: index)
            } else if word.equalsIgnoringCase("count"), more > 0 {
                index += 1
                request.count = Int(max(try context.integer(at: index), 0))
            } else if word.equalsIgnoringCase("streams"), more > 0 {
                request.firstKey = index + 1
                if more % 2 != 0 {
                    throw .text(
                        isGroup
                            ? "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
                            : "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be specified."
                    )
                }
                request.streamCount = more / 2
                break
            } else if word.equalsIgnoringCase("group"), more >= 2 {
                guard isGroup else {
                    throw .text(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."
                    )
                }
                request.group = index + 1
                index += 2
            } else if word.equalsIgnoringCase("noack") {
                guard isGroup else {
                    throw .text(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."
                    )
                }
                request.skipsAcknowledging = true
            } else {
                throw .syntax
            }
            index += 1
        }
        if request.firstKey == 0 { throw .syntax }
        if isGroup, request.group == nil {
            throw .text("ERR Missing GROUP option for XREADGROUP")
        }
        return request
    }

    // MARK: XREADGROUP

    @Sendable
    static func xreadgroup(_ context: inout CommandContext) throws(CommandError) {
        let request = try parse(context, isGroup: true)
        let groupIndex = request.group ?? 0
        let groupName = context.arguments[groupIndex]
        var starts: [Start] = []
        starts.reserveCapacity(request.streamCount)
        for number in 0..<request.streamCount {
            let name = context.arguments[request.key(number)]
            let stream = try context.lookupStream(context.key(at: request.key(number)))
            guard stream?.group(groupName) != nil else {
                throw .quoting(
                    "NOGROUP No such key '", "' or consumer group '",
                    "' in XREADGROUP with GROUP option", names: name, groupName)
            }
            let word = context.arguments[request.id(number)]
            if word == ByteSlice("$") {
                throw .text(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."
                )
            } else if word == ByteSlice(">") {
                starts.append(.unread)
            } else {
                let id = try context.streamID(at: request.id(number))
                starts.append(id == .max ? .unread : .after(id))
            }
        }
        // Each effect is logged for itself.
        context.logNothing()
        let mark = context.reply.beginArray()
        var served = 0
        for number in 0..<request.streamCount {
            let key = context.key(at: request.key(number))
            guard let entry = try context.lookupStreamForWrite(key) else { continue }
            if serve(&context, key, entry, starts[number], request) { served += 1 }
        }
        if served > 0 { return context.reply.endStreams(mark, count: served) }
        wait(&context, request)
    }

    /// Replies with what one stream has for the consumer.
    ///
    /// - Returns: false if it has nothing.
    private static func serve(
        _ context: inout CommandContext, _ key: HashedKey, _ entry: Entry, _ start: Start,
        _ request: Request
    ) -> Bool {
        let groupName = context.arguments[request.group ?? 0]
        let consumerName = context.arguments[(request.group ?? 0) + 1]
        let now = context.now
        let limit = request.count > 0 ? request.count : .max
        var isServed = false
        var isNew = false
        context.editStream(key, entry) { stream, epochs, reply, effects in
            guard let group = stream.writableGroup(groupName, &epochs) else { return false }
            let consumer: StreamConsumer
            if let known = group.writableConsumer(consumerName, &epochs) {
                consumer = known
            } else {
                consumer = group.addConsumer(consumerName, seenTime: now, &epochs)
                isNew = true
            }
            consumer.seenTime = now
            if isNew, request.skipsAcknowledging { effects.creation(consumer, group) }
            let last: StreamID
            switch start {
            case .after(let id):
                isServed = true
                beginStream(key, &reply)
                replyHistory(
                    of: stream, group, consumer, after: id, limit: limit, now, &epochs, &reply)
                return isNew && request.skipsAcknowledging
            case .unread:
                last = group.lastID
                guard let newest = stream.lastLiveID, newest > last else {
                    return isNew && request.skipsAcknowledging
                }
            }
            isServed = true
            beginStream(key, &reply)
            let mark = reply.beginArray()
            let source = stream
            let count = source.forEach(from: last.next ?? .max, limit: limit) { entry in
                advance(group, to: entry.id, in: source)
                reply.streamEntry(entry)
                if !request.skipsAcknowledging {
                    group.assign(entry.id, to: consumer, time: now, count: 1, &epochs)
                    consumer.activeTime = now
                    if let item = group.pendingItem(entry.id) { effects.claim(item, group) }
                }
                return true
            }
            reply.endArray(mark, count: count)
            effects.position(group)
            return true
        }
        if isNew { context.notify(.stream, "xgroup-createconsumer", key) }
        return isServed
    }

    private static func beginStream(_ key: HashedKey, _ reply: inout ReplyWriter) {
        if !reply.isRESP3 { reply.array(2) }
        reply.bulk(key.bytes)
    }

    /// Notes that the group has read up to `id`, the next entry after the last that it read.
    private static func advance(_ group: ConsumerGroup, to id: StreamID, in stream: StreamValue) {
        if let read = group.entriesRead, !stream.hasDeleted(from: id) {
            group.entriesRead = read &+ 1
        } else if stream.addedCount > 0 {
            group.entriesRead = stream.addedCount(upTo: id)
        }
        group.lastID = id
    }

    /// Replies with entries that are pending for the consumer.
    private static func replyHistory(
        of stream: StreamValue, _ group: ConsumerGroup, _ consumer: StreamConsumer,
        after id: StreamID, limit: Int, _ now: Int64, _ epochs: inout EpochClock,
        _ reply: inout ReplyWriter
    ) {
        let mark = reply.beginArray()
        var count = 0
        var next = id.next
        while count < limit, let first = next, let item = consumer.pendingItem(atOrAfter: first) {
            let id = item.id
            if let entry = stream.entry(id) {
                reply.streamEntry(entry)
                group.assign(
                    id, to: consumer, time: now, count: item.deliveryCount &+ 1, &epochs)
            } else {
                reply.array(2)
                reply.bulk(id)
                reply.nullArray()
            }
            count += 1
            next = id.next
        }
        reply.endArray(mark, count: count)
    }

    static let table: [CommandSpec] = [
        CommandSpec(
            "xread", -4, [.readonly, .blocking], .stream,
            keys: [.after("STREAMS", from: 1, to: -1, limit: 2, .ro, [.access])], .data(xread)),
        CommandSpec(
            "xreadgroup", -7, [.write, .blocking], .stream,
            keys: [.after("STREAMS", from: 4, to: -1, limit: 2, .ro, [.access])],
            .data(xreadgroup)),
    ]
}

extension ReplyWriter {
    /// Puts the head before what XREAD replies of `count` streams: pairs of a key and entries.
    fileprivate mutating func endStreams(_ mark: Int, count: Int) {
        if isRESP3 { endMap(mark, count: count) } else { endArray(mark, count: count) }
    }
}
