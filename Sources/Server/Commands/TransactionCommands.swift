internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// MULTI, EXEC, DISCARD, WATCH, UNWATCH.
enum TransactionCommands {
    @Sendable
    static func multi(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if session.transaction != nil { throw .text("ERR MULTI calls can not be nested") }
        session.transaction = Transaction()
        state.reply.ok()
    }

    @Sendable
    static func discard(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if session.transaction == nil { throw .text("ERR DISCARD without MULTI") }
        state.dropTransaction(session)
        state.reply.ok()
    }

    /// Runs what was queued as one unit: no other command comes between, and the log holds all of its effects
    /// or none.
    @Sendable
    static func exec(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let transaction = session.transaction else { throw .text("ERR EXEC without MULTI") }
        if transaction.isBroken {
            state.dropTransaction(session)
            throw .text("EXECABORT Transaction discarded because of previous errors.")
        }
        if state.hasExpiredWatch(session) { session.watcher?.makeDirty() }
        let isDirty = session.watcher?.isDirty == true
        state.dropTransaction(session)
        if isDirty { return state.reply.nullArray() }
        state.reply.array(transaction.queued.count)
        state.dispatcher.beginUnit(at: state.now)
        // Nobody waits inside of a transaction: what can't be served answers as if its time had run out.
        state.dispatcher.context.allowsBlocking = false
        state.isInTransaction = true
        for queued in transaction.queued { state.runQueued(queued, session) }
        state.isInTransaction = false
        state.dispatcher.context.allowsBlocking = true
        state.dispatcher.endUnit()
    }

    /// The error of an EXEC that itself is refused.
    static func aborted(by reason: CommandError) -> CommandError {
        var text: [UInt8]
        switch reason {
        case .text(let string): text = Array(string.description.utf8)
        case .message(let string): text = Array(string.utf8)
        case .bytes(let bytes): text = bytes
        }
        if text.starts(with: "ERR ".utf8) { text.removeFirst(4) }
        return .bytes(Array("EXECABORT Transaction discarded because of: ".utf8) + text)
    }

    @Sendable
    static func watch(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if session.transaction != nil { throw .text("ERR WATCH inside MULTI is not allowed") }
        // What has expired already is deleted before it is watched: that it goes breaks no transaction.
        state.dispatcher.beginUnit(at: state.now)
        for index in 1..<arguments.count {
            let key = state.dispatcher.context.keyspace.hashed(arguments[index])
            _ = state.dispatcher.context.live(key, session.database)
        }
        state.dispatcher.endUnit()
        let watcher = session.watcher ?? WatchTable.Watcher()
        session.watcher = watcher
        for index in 1..<arguments.count {
            let key = state.dispatcher.context.keyspace.hashed(arguments[index])
            state.dispatcher.watches.watch(
                Keyspace.touchMark(key.hash, database: session.database), watcher)
            let entry = state.dispatcher.context.keyspace.find(key, session.database)
            if let deadline = entry?.deadline, deadline > state.now {
                session.watchedDeadlines.append(
                    .init(key: arguments[index].copyToArray(), database: session.database))
            }
        }
        state.dispatcher.updateRecording()
        state.reply.ok()
    }

    @Sendable
    static func unwatch(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.unwatch(session)
        state.reply.ok()
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "discard", 1, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions, discard)
        rows.add("exec", 1, [.noScript, .loading, .stale, .skipSlowlog], .transactions, exec)
        rows.add(
            "multi", 1, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions, multi)
        rows.add(
            "unwatch", 1, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions, unwatch)
        rows.add(
            "watch", -2, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions,
            keys: [.from(1, .ro)], watch)
    }
}

extension ServerState {
    /// Forgets the transaction and what it watches.
    mutating func dropTransaction(_ session: Session) {
        session.transaction = nil
        unwatch(session)
    }

    mutating func unwatch(_ session: Session) {
        guard let watcher = session.watcher else { return }
        dispatcher.watches.unwatch(watcher)
        dispatcher.updateRecording()
        session.watcher = nil
        session.watchedDeadlines = []
    }

    /// Whether a watched key that was alive at WATCH has expired since, deleted or not.
    fileprivate func hasExpiredWatch(_ session: Session) -> Bool {
        session.watchedDeadlines.contains { watched in
            watched.key.withSlice { bytes in
                let key = dispatcher.context.keyspace.hashed(bytes)
                let entry = dispatcher.context.keyspace.find(key, watched.database)
                return entry?.isExpired(at: now) ?? false
            }
        }
    }

    /// Runs one command of a transaction, inside the unit that EXEC has opened.
    fileprivate mutating func runQueued(_ queued: Transaction.Queued, _ session: Session) {
        var batch = CommandBatch()
        batch.appendCommand(queued.words)
        let arguments = batch.arguments(of: 0)
        let mark = reply.buffer.count
        let started = Ticks.now()
        var succeeded = true
        dispatcher.context.database = session.database
        if session.restrictions.contains(.limited),
            let denial = denial(queued.row, arguments, session, isInTransaction: true)
        {
            reply.error(denial.textInTransaction)
            return noteError(replyAt: mark)
        }
        if session.restrictions.contains(.limited) {
            limitReading(session, queued.row, arguments)
        }
        if case .session(let handler) = dispatcher.table.spec(at: queued.row).handler {
            do throws(CommandError) {
                try handlers[handler](&self, session, arguments)
            } catch {
                reply.buffer.truncate(to: mark)
                reply.error(error)
                succeeded = false
            }
        } else {
            let before = dispatcher.context.keyspace.version
            allowLocalExpiry(dispatcher.table.facts(at: queued.row).flags)
            succeeded = dispatcher.run(
                row: queued.row, arguments, keyHash: 0, canonical: ByteSlice())
            endLocalExpiry()
            if dispatcher.context.keyspace.version == before, settings.readsAreGated,
                let lsn = dispatcher.readGate(queued.row, arguments, database: session.database)
            {
                session.transactionGate = max(session.transactionGate ?? .zero, lsn)
            }
        }
        reply.version = session.version
        // Now, so that what a later command reads doesn't count as changed by this one.
        if dispatcher.context.isListenedTo { collectMessages(session) }
        if session.tracking != nil { rememberRead(session, queued.row, arguments) }
        if !monitors.isEmpty { showToMonitors(queued.row, arguments, session) }
        if !succeeded { noteError(replyAt: mark) }
        let ticks = Ticks.now() &- started
        dispatcher.counters.ran(queued.row, ticks: ticks, failed: !succeeded)
        if ticks >= slowTicks { noteSlow(queued.row, arguments, ticks, session) }
        statistics.commandsProcessed &+= 1
    }
}
