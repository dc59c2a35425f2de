public import HoldfastBytes
public import HoldfastRESP
public import Log
internal import Store

/// Runs commands on data: looks rows up, prepares groups of commands, calls handlers, and turns what changed
/// into records.
///
/// Everything that can refuse a command (authentication, MULTI, memory, disk) is decided before `run`.
public struct Dispatcher: ~Copyable {
    public let table: CommandTable
    public var context: CommandContext
    /// Calls, time and errors by row; `CommandTable.count` of them.
    public var counters: CommandCounters
    public var watches = WatchTable()
    public var blocked = BlockedKeys()
    public var undurable = UndurableKeys()
    /// While data is loaded nobody is told of keys.
    public var isLoading = false {
        didSet { updateRecording() }
    }
    public let rows: HotRows

    public init(table: CommandTable, context: consuming CommandContext) {
        self.table = table
        self.context = context
        counters = CommandCounters(count: table.count)
        rows = HotRows(table)
    }

    // MARK: Preparing

    /// Looks up the row of every command of a batch and asks the memory system for what they will need:
    /// first the table slots of all first keys, then, when those have had time to arrive, the entries.
    public mutating func prepare(_ batch: inout CommandBatch, database: Int) {
        var hasKeys = false
        var hasMembers = false
        for index in 0..<batch.count {
            let arguments = batch.arguments(of: index)
            var row = rows.cached(arguments[0])
            if row < 0 {
                guard let found = table.lookup(arguments[0]) else { continue }
                row = Int32(truncatingIfNeeded: found)
                rows.remember(arguments[0], row)
            }
            var hash: UInt64 = 0
            let facts = rows.facts(Int(row))
            let firstKey = Int(facts.firstKey)
            if firstKey > 0, firstKey < arguments.count {
                if facts.namesMember { hasMembers = true }
                hash = context.keyspace.hash(arguments[firstKey])
                context.keyspace.prefetchSlot(hash, database)
                hasKeys = true
            }
            batch.note(index, row: row, keyHash: hash)
        }
        guard hasKeys, batch.count > 1 else { return }
        for index in 0..<batch.count {
            let hash = batch[index].keyHash
            if hash != 0 { context.keyspace.prefetchEntry(hash, database) }
        }
        if hasMembers { prepareMembers(batch, database) }
    }

    /// So many look-ups of members are prepared at a time: more would drive each other out of the cache.
    private static let membersMax = 64

    /// Goes one step further for members of big sets and fields of big hashes: page, slot and record.
    private func prepareMembers(_ batch: borrowing CommandBatch, _ database: Int) {
        var lookups = InlineArray<64, MemberTable.Lookup>(repeating: MemberTable.Lookup())
        var count = 0
        for index in 0..<batch.count where count < Self.membersMax {
            let command = batch[index]
            guard command.row >= 0, command.keyHash != 0, rows.facts(Int(command.row)).namesMember
            else { continue }
            let arguments = batch.arguments(of: index)
            guard arguments.count > 2 else { continue }
            let key = HashedKey(arguments[1], hash: command.keyHash)
            lookups[count] = context.keyspace.lookup(arguments[2], key, database)
            lookups[count].prefetchPage()
            count += 1
        }
        for index in 0..<count { lookups[index].prefetchSlot() }
        for index in 0..<count { lookups[index].prefetchRecord() }
    }

    // MARK: Running

    /// Runs a command on data and writes its reply.
    ///
    /// - Parameters:
    ///   - row: of a `.data` command whose arity fits.
    ///   - keyHash: the first key's hash from `prepare`, or 0 to work it out here.
    ///   - canonical: the request's bytes, if they can go into the log as they are.
    /// - Returns: false if the reply is an error.
    @discardableResult
    public mutating func run(
        row: Int, _ arguments: Arguments, keyHash: UInt64, canonical: ByteSlice
    ) -> Bool {
        let facts = rows.facts(row)
        context.arguments = arguments
        context.canonical = canonical
        context.isLogged = false
        context.versionBefore = context.keyspace.version
        context.changeCount = 0
        let firstKey = Int(facts.firstKey)
        context.firstKeyIndex = firstKey
        if _slowPath(context.keyspace.recordsTouched), firstKey == 0, facts.flags.contains(.write) {
            context.keyspace.watchedMarks = watches.marks + blocked.marks
        }
        if firstKey > 0 {
            context.firstKeyHash =
                keyHash != 0 ? keyHash : context.keyspace.hash(arguments[firstKey])
        }
        let replyStart = context.reply.buffer.count
        do throws(CommandError) {
            try rows.call(row, &context)
            finishEffects(facts.flags)
            if _slowPath(context.isListenedTo) { finishNotes(row) }
            return true
        } catch {
            assert(
                context.keyspace.version == context.versionBefore,
                "a refused command changed the keyspace")
            context.reply.buffer.truncate(to: replyStart)
            context.reply.error(error)
            if _slowPath(context.isListenedTo) { finishNotes(row) }
            return false
        }
    }

    /// Completes what the front end tells others of the command.
    @inline(never)
    private mutating func finishNotes(_ row: Int) {
        if context.isReplaying, !context.tellsOfReplay {
            return context.keyspace.forgetNewKeys()
        }
        context.addNewKeys()
        if context.changedKeys.isOn { context.collectChanges(of: table.spec(at: row)) }
    }

    @inline(__always)
    private mutating func finishEffects(_ flags: CommandFlags) {
        let hasChanged = context.keyspace.version != context.versionBefore
        if hasChanged {
            precondition(
                flags.contains(.write) || flags.contains(.mayReplicate),
                "a command without the write flag changed a key")
            context.changes &+= UInt64(max(context.changeCount, 1))
            if !context.isLogged { context.logVerbatim() }
        }
    }

    /// Opens a unit: what is logged until `endUnit` is whole or absent after a crash, and time stands still.
    @inline(__always)
    public mutating func beginUnit(at now: Int64) {
        context.now = now
        context.log.beginUnit()
    }

    /// Closes the unit, and tells WATCH, the reply gate and who waits which keys it changed.
    @inline(__always)
    public mutating func endUnit() {
        context.log.endUnit()
        if _slowPath(context.keyspace.recordsTouched) { noteTouched() }
    }

    private mutating func noteTouched() {
        let hasTouchedAll = context.keyspace.hasTouchedAll
        guard hasTouchedAll || !context.keyspace.touched.isEmpty else { return }
        let end = context.log.appended
        if hasTouchedAll, undurable.isOn { undurable.noteAll(until: end) }
        for mark in context.keyspace.touched {
            watches.touch(mark)
            blocked.touch(mark)
            if undurable.isOn { undurable.note(mark, until: end) }
        }
        context.keyspace.forgetTouched()
        context.changedKeys.restart()
    }

    /// Whether the keyspace has to record changed keys: somebody watches or waits for one, or
    /// replies are gated by key.
    public mutating func updateRecording() {
        let tracks = context.changedKeys.isOn
        context.keyspace.recordsTouched =
            !isLoading && (undurable.isOn || !watches.isEmpty || !blocked.isEmpty || tracks)
        context.keyspace.recordsHashes = tracks
    }

    /// Whether to note which keys change, for clients that cache values.
    public mutating func setTracking(_ isOn: Bool) {
        context.changedKeys.isOn = isOn
        context.updateListening()
        updateRecording()
    }

    /// Which events somebody may hear of.
    public mutating func setWantedEvents(_ kinds: KeyEventKinds) {
        context.keyEvents.wanted = kinds
        context.keyspace.recordsNewKeys = kinds.contains(.new)
        context.updateListening()
    }

    // MARK: The reply gate

    /// What the reply of a command that only read has to wait for: the newest change, not yet durable, of any
    /// key that it names, or of any key at all if it looks at keys that it doesn't name.
    public func readGate(_ row: Int, _ arguments: Arguments, database: Int) -> LSN? {
        let spec = table.spec(at: row)
        if spec.flags.contains(.touchesArbitraryKeys) || spec.keys.isEmpty {
            return spec.flags.contains(.readonly) ? undurable.gateForAll : nil
        }
        let range = spec.legacyKeys
        guard range.first > 0, range.isComplete else { return undurable.gateForAll }
        let last = range.last < 0 ? arguments.count + range.last : range.last
        var gate: LSN?
        for index in stride(
            from: range.first, through: min(last, arguments.count - 1), by: max(range.step, 1))
        {
            let mark = Keyspace.touchMark(
                context.keyspace.hash(arguments[index]), database: database)
            if let lsn = undurable.gate(mark), lsn > gate ?? .zero { gate = lsn }
        }
        return gate
    }

    // MARK: Expiry and replay

    /// Deletes keys and fields of hashes whose deadline has passed, at most `limit`; each key and each hash is
    /// logged as a unit of its own.
    ///
    /// - Returns: how many were deleted; as many as `limit` means that there may be more.
    public mutating func expireDue(at now: Int64, limit: Int) -> Int {
        var deleted = 0
        context.now = now
        for database in 0..<context.keyspace.databaseCount {
            while deleted < limit, let entry = context.keyspace.firstDue(database, at: now) {
                context.log.beginUnit()
                let key = HashedKey(entry.key, hash: context.keyspace.hash(entry.key))
                context.expire(key, database)
                endUnit()
                deleted += 1
            }
            while deleted < limit, let entry = context.keyspace.firstFieldsDue(database, at: now) {
                context.log.beginUnit()
                let key = HashedKey(entry.key, hash: context.keyspace.hash(entry.key))
                deleted += context.expireFields(key, database, entry, limit: limit - deleted)
                endUnit()
            }
        }
        return deleted
    }

    /// Logs that a key expired which was dropped by other means.
    public mutating func logExpiry(of key: ByteSlice, _ database: Int) {
        context.logDeletion(of: key, database, lazily: context.limits.expiresLazily)
        context.statistics.expiredKeys &+= 1
    }

    /// What became of a record of the log.
    public enum Replayed {
        case applied
        /// The command answered with an error and changed nothing.
        case failed
        /// No command on data that the table knows, with as many words as it takes.
        case notOnData
    }

    /// Runs one record of the log: no checks, no expiry, no logging.
    ///
    /// - Parameter row: from `prepare`; -1 if the name is unknown.
    public mutating func replay(
        row: Int, _ arguments: Arguments, keyHash: UInt64, at now: Int64
    ) -> Replayed {
        guard row >= 0 else { return .notOnData }
        var row = row
        var facts = rows.facts(row)
        if _slowPath(facts.hasSubcommands), arguments.count > 1,
            let subcommand = table.lookup(arguments[1], in: row)
        {
            row = subcommand
            facts = rows.facts(row)
        }
        guard facts.isData, facts.accepts(arguments.count) else { return .notOnData }
        context.isReplaying = true
        context.now = now
        // Others' replies may stand before it.
        let replyStart = context.reply.buffer.count
        let succeeded = run(row: row, arguments, keyHash: keyHash, canonical: ByteSlice())
        context.isReplaying = false
        context.reply.buffer.truncate(to: replyStart)
        return succeeded ? .applied : .failed
    }
}

extension ReplyWriter {
    public mutating func error(_ error: CommandError) {
        switch error {
        case .text(let text):
            buffer.append(UInt8(ascii: "-"))
            buffer.append(text)
            buffer.append("\r\n")
        case .message(let text): self.error(text)
        case .bytes(let bytes): self.error(bytes: bytes)
        }
    }
}
