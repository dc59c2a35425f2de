internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// Commands on streams. Here: the entries. `StreamGroupCommands` has groups, `StreamReadCommands` XREAD and
/// XREADGROUP, `StreamInfoCommands` XINFO.
public enum StreamCommands {
    // MARK: XADD

    @Sendable
    static func xadd(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        var options = StreamTrimOptions()
        let idIndex = try options.parse(context, isAdd: true)
        let first = idIndex + 1
        let wordCount = arguments.count - first
        guard wordCount >= 2, wordCount & 1 == 0 else { throw .wrongArity("xadd") }
        if options.id == .exactly(.zero) {
            throw .text("ERR The ID specified in XADD must be greater than 0-0")
        }
        let key = context.key(at: 1)
        var entry = try context.lookupStreamForWrite(key)
        if entry == nil, options.onlyIfExists { return context.reply.null() }
        let last = entry?.root(StreamValue.self).lastID ?? .zero
        let id = try resolve(options.id, after: last, now: context.now)
        var payload = 0
        for index in first..<arguments.count { payload &+= arguments[index].count }
        guard StreamValue.canStore(payload: payload, fieldCount: wordCount / 2) else {
            throw .text("ERR Elements are too large to be stored")
        }
        if entry == nil {
            context.makeStream(key)
            entry = context.keyspace.find(key, context.database)
        }
        guard let entry else { preconditionFailure("a stream was made and is not there") }
        let limits = context.limits.stream
        var trimmed = 0
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            stream.append(
                id, fieldCount: wordCount / 2, payload: payload, limits: limits, &epochs
            ) { arguments[first &+ $0] }
            if let trim = options.trim {
                trimmed = stream.trim(
                    trim, wholeNodesOnly: options.isApproximate, limit: options.limit, &epochs)
            }
            return true
        }
        context.reply.bulk(id)
        context.notify(.stream, "xadd", key)
        if trimmed > 0 { context.notify(.stream, "xtrim", key) }
        if options.id != .exactly(id) || options.isApproximate {
            context.logStreamWords(
                key, options.isApproximate ? options.thresholdIndex : nil, options,
                id: (idIndex, id))
        }
    }

    /// The ID for a new entry.
    private static func resolve(
        _ wanted: StreamTrimOptions.NewID, after last: StreamID, now: Int64
    ) throws(CommandError) -> StreamID {
        if last == .max {
            throw .text(
                "ERR The stream has exhausted the last possible ID, unable to add more items")
        }
        switch wanted {
        case .automatic:
            let milliseconds = UInt64(max(now, 0))
            if milliseconds > last.milliseconds { return StreamID(milliseconds, 0) }
            if let next = last.next { return next }
        case .anySequence(let milliseconds):
            if milliseconds > last.milliseconds { return StreamID(milliseconds, 0) }
            if milliseconds == last.milliseconds, last.sequence < .max {
                return StreamID(milliseconds, last.sequence + 1)
            }
        case .exactly(let id):
            if id > last { return id }
        }
        throw .text(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item")
    }

    // MARK: Reading

    @Sendable
    static func xlen(_ context: inout CommandContext) throws(CommandError) {
        let stream = try context.lookupStream(context.key(at: 1))
        context.reply.integer(stream?.count ?? 0)
    }

    @Sendable
    static func xrange(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, isReversed: false)
    }

    @Sendable
    static func xrevrange(_ context: inout CommandContext) throws(CommandError) {
        try range(&context, isReversed: true)
    }

    private static func range(
        _ context: inout CommandContext, isReversed: Bool
    ) throws(CommandError) {
        let first = try context.rangeStart(at: isReversed ? 3 : 2)
        let last = try context.rangeEnd(at: isReversed ? 2 : 3)
        var limit: Int64?
        var index = 4
        while index < context.arguments.count {
            guard context.arguments[index].equalsIgnoringCase("count"),
                index + 1 < context.arguments.count
            else { throw .syntax }
            let count = try context.integer(at: index + 1)
            limit = max(count, 0)
            index += 2
        }
        guard let stream = try context.lookupStream(context.key(at: 1)) else {
            return context.reply.array(0)
        }
        if limit == 0 { return context.reply.nullArray() }
        let mark = context.reply.beginArray()
        let count: Int
        if isReversed {
            count = stream.forEachBackwards(
                from: first, through: last, limit: Int(limit ?? .max)
            ) { entry in
                context.reply.streamEntry(entry)
                return true
            }
        } else {
            count = stream.forEach(from: first, through: last, limit: Int(limit ?? .max)) { entry in
                context.reply.streamEntry(entry)
                return true
            }
        }
        context.reply.endArray(mark, count: count)
    }

    // MARK: Deleting

    @Sendable
    static func xdel(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard let entry = try context.lookupStreamForWrite(key) else {
            return context.reply.integer(0)
        }
        for index in 2..<context.arguments.count { _ = try context.streamID(at: index) }
        let arguments = context.arguments
        var deleted = 0
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            for index in 2..<arguments.count {
                guard let id = StreamID(arguments[index]) else { continue }
                if stream.delete(id, &epochs) { deleted += 1 }
            }
            return deleted > 0
        }
        if deleted > 0 { context.notify(.stream, "xdel", key) }
        context.changeCount = deleted
        context.reply.integer(deleted)
    }

    @Sendable
    static func xtrim(_ context: inout CommandContext) throws(CommandError) {
        var options = StreamTrimOptions()
        _ = try options.parse(context, isAdd: false)
        let key = context.key(at: 1)
        guard let entry = try context.lookupStreamForWrite(key), let trim = options.trim else {
            return context.reply.integer(0)
        }
        var deleted = 0
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            deleted = stream.trim(
                trim, wholeNodesOnly: options.isApproximate, limit: options.limit, &epochs)
            return deleted > 0
        }
        if deleted > 0 {
            context.notify(.stream, "xtrim", key)
            if options.isApproximate {
                context.logStreamWords(key, options.thresholdIndex, options, id: nil)
            }
        }
        context.changeCount = deleted
        context.reply.integer(deleted)
    }

    // MARK: XSETID

    @Sendable
    static func xsetid(_ context: inout CommandContext) throws(CommandError) {
        let id = try context.streamID(at: 2)
        var added: Int64?
        var maxDeleted = StreamID.zero
        var index = 3
        while index < context.arguments.count {
            let word = context.arguments[index]
            guard index + 1 < context.arguments.count else { throw .syntax }
            if word.equalsIgnoringCase("entriesadded") {
                let number = try context.integer(at: index + 1)
                if number < 0 { throw .text("ERR entries_added must be positive") }
                added = number
            } else if word.equalsIgnoringCase("maxdeletedid") {
                maxDeleted = try context.streamID(at: index + 1)
                if id < maxDeleted {
                    throw .text(
                        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
                    )
                }
            } else {
                throw .syntax
            }
            index += 2
        }
        let key = context.key(at: 1)
        guard let entry = try context.lookupStreamForWrite(key) else { throw .noSuchKey }
        let stream = entry.root(StreamValue.self)
        if id < stream.maxDeletedID {
            throw .text(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")
        }
        if let last = stream.lastLiveID {
            if id < last {
                throw .text(
                    "ERR The ID specified in XSETID is smaller than the target stream top item")
            }
            if let added, Int64(stream.count) > added {
                throw .text(
                    "ERR The entries_added specified in XSETID is smaller than the target stream length"
                )
            }
        }
        context.keyspace.editRoot(key, context.database, entry, as: StreamValue.self) {
            (stream, epochs) in
            stream.setHistory(
                lastID: id, addedCount: added.map { UInt64($0) },
                maxDeletedID: maxDeleted.isZero ? nil : maxDeleted, &epochs)
            return true
        }
        context.notify(.stream, "xsetid", key)
        context.reply.ok()
    }

    // MARK: Table

    public static let table: [CommandSpec] =
        [
            CommandSpec(
                "xadd", -5, [.write, .denyOOM, .fast], .stream, keys: [.first(.rw, [.update])],
                tips: [.nondeterministicOutput], .data(xadd)),
            CommandSpec(
                "xdel", -3, [.write, .fast], .stream, keys: [.first(.rw, [.delete])], .data(xdel)),
            CommandSpec("xlen", 2, [.readonly, .fast], .stream, keys: [.first(.ro)], .data(xlen)),
            CommandSpec(
                "xrange", -4, [.readonly], .stream, keys: [.first(.ro, [.access])], .data(xrange)),
            CommandSpec(
                "xrevrange", -4, [.readonly], .stream, keys: [.first(.ro, [.access])],
                .data(xrevrange)),
            CommandSpec(
                "xsetid", -3, [.write, .denyOOM, .fast], .stream, keys: [.first(.rw, [.update])],
                .data(xsetid)),
            CommandSpec(
                "xtrim", -4, [.write], .stream, keys: [.first(.rw, [.delete])],
                tips: [.nondeterministicOutput], .data(xtrim)),
        ] + StreamReadCommands.table + StreamGroupCommands.table + StreamInfoCommands.table
}
