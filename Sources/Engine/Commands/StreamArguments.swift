internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// What XADD and XTRIM ask for besides their entries.
struct StreamTrimOptions {
    /// The ID that XADD shall give.
    enum NewID: Equatable {
        /// `*`
        case automatic
        /// `ms-*`
        case anySequence(UInt64)
        case exactly(StreamID)
    }

    var id = NewID.automatic
    /// NOMKSTREAM
    var onlyIfExists = false
    var trim: StreamValue.Trim?
    /// `~`
    var isApproximate = false
    /// 0 for none.
    var limit = 0
    /// Where the word behind MAXLEN or MINID stands, and its `=` or `~` before it.
    var thresholdIndex = 0

    /// Reads the options, and for XADD the ID behind them.
    ///
    /// - Returns: where XADD's ID stands.
    mutating func parse(
        _ context: borrowing CommandContext, isAdd: Bool
    ) throws(CommandError) -> Int {
        let arguments = context.arguments
        var givenLimit: Int64?
        var index = 2
        while index < arguments.count {
            let word = arguments[index]
            let hasMore = index + 1 < arguments.count
            if isAdd, word.count == 1, word[0] == UInt8(ascii: "*") { break }
            if word.equalsIgnoringCase("maxlen"), hasMore {
                try beginTrim(&index, arguments)
                let kept = try context.integer(at: index)
                if kept < 0 { throw .text("ERR The MAXLEN argument must be >= 0.") }
                trim = .count(Int(kept))
            } else if word.equalsIgnoringCase("minid"), hasMore {
                try beginTrim(&index, arguments)
                trim = .from(try context.streamID(at: index))
            } else if word.equalsIgnoringCase("limit"), hasMore {
                index += 1
                let number = try context.integer(at: index)
                if number < 0 { throw .text("ERR The LIMIT argument must be >= 0.") }
                givenLimit = number
            } else if isAdd, word.equalsIgnoringCase("nomkstream") {
                onlyIfExists = true
            } else if isAdd {
                if let milliseconds = StreamID.milliseconds(withAnySequence: word) {
                    id = .anySequence(milliseconds)
                } else {
                    id = .exactly(try context.streamID(at: index))
                }
                break
            } else {
                throw .syntax
            }
            index += 1
        }
        try settleLimit(givenLimit, context, isAdd: isAdd)
        return index
    }

    /// Goes from MAXLEN or MINID on to the word that follows, past `=` or `~`.
    private mutating func beginTrim(
        _ index: inout Int, _ arguments: Arguments
    ) throws(CommandError) {
        if trim != nil {
            throw .text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        }
        isApproximate = false
        index += 1
        let next = arguments[index]
        if index + 1 < arguments.count, next.count == 1 {
            if next[0] == UInt8(ascii: "~") {
                isApproximate = true
                index += 1
            } else if next[0] == UInt8(ascii: "=") {
                index += 1
            }
        }
        thresholdIndex = index
    }

    private mutating func settleLimit(
        _ given: Int64?, _ context: borrowing CommandContext, isAdd: Bool
    ) throws(CommandError) {
        if given ?? 0 > 0, trim == nil {
            throw .text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
        }
        if !isAdd, trim == nil {
            throw .text("ERR syntax error, XTRIM must be called with a trimming strategy")
        }
        // What was logged names the outcome and has no limit any more, though the word may still stand there.
        if context.isReplaying { return }
        if let given {
            guard isApproximate else {
                throw .text("ERR syntax error, LIMIT cannot be used without the special ~ option")
            }
            limit = Int(given)
        } else if isApproximate {
            limit = context.limits.stream.defaultTrimLimit
        }
    }
}

extension CommandContext {
    static var invalidStreamID: CommandError {
        .text("ERR Invalid stream ID specified as stream command argument")
    }

    /// Argument `index` as an ID.
    @inline(__always)
    func streamID(at index: Int) throws(CommandError) -> StreamID {
        guard let id = StreamID(arguments[index]) else { throw Self.invalidStreamID }
        return id
    }

    /// Argument `index` as the first ID of a range: an ID, one behind which it begins, `-` or `+`.
    func rangeStart(at index: Int) throws(CommandError) -> StreamID {
        let (id, isExcluded) = try rangeEdge(at: index, missing: 0)
        guard isExcluded else { return id }
        guard let next = id.next else { throw .text("ERR invalid start ID for the interval") }
        return next
    }

    /// Argument `index` as the last ID of a range.
    func rangeEnd(at index: Int) throws(CommandError) -> StreamID {
        let (id, isExcluded) = try rangeEdge(at: index, missing: .max)
        guard isExcluded else { return id }
        guard let previous = id.previous else {
            throw .text("ERR invalid end ID for the interval")
        }
        return previous
    }

    private func rangeEdge(
        at index: Int, missing: UInt64
    ) throws(CommandError) -> (StreamID, isExcluded: Bool) {
        let word = arguments[index]
        if word.count > 1, word[0] == UInt8(ascii: "(") {
            guard let id = StreamID(word.dropFirst(1), missing: missing) else {
                throw Self.invalidStreamID
            }
            return (id, true)
        }
        guard let id = StreamID(word, missing: missing, form: .orEdges) else {
            throw Self.invalidStreamID
        }
        return (id, false)
    }

    // MARK: Streams

    /// The stream under `key`, for a command that reads.
    @inline(__always)
    mutating func lookupStream(_ key: HashedKey) throws(CommandError) -> StreamValue? {
        guard let entry = lookup(key) else { return nil }
        if entry.type != .stream { throw .wrongType }
        return entry.root(StreamValue.self)
    }

    @inline(__always)
    mutating func lookupStreamForWrite(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookupForWrite(key) else { return nil }
        if entry.type != .stream { throw .wrongType }
        return entry
    }

    /// Makes an empty stream under a key that doesn't exist.
    mutating func makeStream(_ key: HashedKey) {
        let stream = StreamValue.make(epoch: keyspace.epochs.current)
        keyspace.setRoot(key, database, .stream, .stream, to: stream, deadline: .clear)
    }

    /// As the keyspace's door, for a change that writes replies and effects on the way.
    ///
    /// - Returns: whether `body` said that it changed what is logged.
    @discardableResult
    mutating func editStream(
        _ key: HashedKey, _ entry: Entry,
        _ body: (
            inout StreamValue, inout EpochClock, inout ReplyWriter, inout StreamEffects
        ) -> Bool
    ) -> Bool {
        var reply = ReplyWriter()
        swap(&reply, &self.reply)
        var effects = StreamEffects(
            log: LogBuffer(start: .zero), isOn: logsEffects && !isReplaying, database: database,
            key: key.bytes)
        swap(&effects.log, &log)
        let hasChanged = keyspace.editRoot(key, database, entry, as: StreamValue.self) {
            (stream, epochs) in body(&stream, &epochs, &reply, &effects)
        }
        swap(&reply, &self.reply)
        swap(&effects.log, &log)
        return hasChanged
    }

    /// Logs the command with what was worked out in the place of what was asked for.
    ///
    /// - Parameters:
    ///   - threshold: where XADD or XTRIM have their threshold, if the outcome is to be logged instead.
    ///   - id: where XADD's ID stands, and which it got.
    mutating func logStreamWords(
        _ key: HashedKey, _ threshold: Int?, _ options: StreamTrimOptions,
        id: (index: Int, id: StreamID)?
    ) {
        isLogged = true
        guard logsEffects, !isReplaying else { return }
        log.beginRecord(database: database, argumentCount: arguments.count)
        for index in 0..<arguments.count {
            if let id, index == id.index {
                id.id.withText { log.append(argument: $0) }
            } else if let threshold, index == threshold - 1 {
                log.append(argument: "=")
            } else if index == threshold,
                let stream = keyspace.find(key, database)?.root(StreamValue.self)
            {
                switch options.trim {
                case .from: stream.edgeID.withText { log.append(argument: $0) }
                default: log.append(decimal: Int64(stream.count))
                }
            } else {
                log.append(argument: arguments[index])
            }
        }
    }
}

/// Logs what became of a group.
struct StreamEffects: ~Copyable {
    var log: LogBuffer
    let isOn: Bool
    let database: Int
    let key: ByteSlice

    /// What a pending item is now.
    mutating func claim(_ item: PendingItem, _ group: ConsumerGroup) {
        guard isOn else { return }
        log.beginRecord(database: database, argumentCount: 14)
        log.append(argument: "XCLAIM")
        log.append(argument: key)
        log.append(argument: group.name)
        log.append(argument: item.consumerName)
        log.append(argument: "0")
        item.id.withText { log.append(argument: $0) }
        log.append(argument: "TIME")
        log.append(decimal: item.deliveryTime)
        log.append(argument: "RETRYCOUNT")
        log.append(decimal: Int64(truncatingIfNeeded: item.deliveryCount))
        log.append(argument: "FORCE")
        log.append(argument: "JUSTID")
        log.append(argument: "LASTID")
        group.lastID.withText { log.append(argument: $0) }
    }

    /// How far a group has read.
    mutating func position(_ group: ConsumerGroup) {
        guard isOn else { return }
        log.beginRecord(database: database, argumentCount: 7)
        log.append(argument: "XGROUP")
        log.append(argument: "SETID")
        log.append(argument: key)
        log.append(argument: group.name)
        group.lastID.withText { log.append(argument: $0) }
        log.append(argument: "ENTRIESREAD")
        log.append(decimal: group.entriesRead ?? -1)
    }

    mutating func creation(_ consumer: StreamConsumer, _ group: ConsumerGroup) {
        guard isOn else { return }
        log.beginRecord(database: database, argumentCount: 5)
        log.append(argument: "XGROUP")
        log.append(argument: "CREATECONSUMER")
        log.append(argument: key)
        log.append(argument: group.name)
        log.append(argument: consumer.name)
    }
}

extension ReplyWriter {
    mutating func bulk(_ id: StreamID) { id.withText { bulk($0) } }

    /// An ID and, if it is known, an entry's names and values.
    @inline(__always)
    mutating func streamEntry(_ entry: StreamEntry) {
        buffer.append("*2\r\n")
        bulk(entry.id)
        array(2 &* entry.fieldCount)
        entry.forEachWord { word in
            switch word {
            case .bytes(let bytes): bulk(bytes)
            case .integer(let integer): bulk(decimal: integer)
            }
        }
    }

    mutating func optional(_ integer: Int64?) {
        if let integer { self.integer(integer) } else { null() }
    }
}

extension CommandError {
    /// An error that quotes names that clients gave: `parts` by turns text and name.
    static func quoting(_ parts: StaticString..., names: ByteSlice...) -> CommandError {
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            bytes += ByteSlice(part).copyToArray()
            if index < names.count { bytes += names[index].copyToArray() }
        }
        return .bytes(bytes)
    }
}
