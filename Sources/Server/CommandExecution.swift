internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// From bytes that have arrived to commands that have run: step 1 of a turn.
///
/// A command that nothing stands against takes the short way, `runData`. Everything else (unknown names, sessions
/// that are in the middle of something, a server that is loading or short of disk) goes through
/// `ServerState.admit` first.
extension CommandLoop {
    mutating func receive(_ session: Session) {
        let transfer: Socket.Transfer
        if session.input.isEmpty, session.parked == nil {
            scratch.removeAll()
            transfer = Socket.read(session.descriptor, into: &scratch, room: Self.readBytes)
        } else {
            let missing = session.decoder.missingBytesHint - session.input.count
            let room = min(max(missing, Self.readBytes), 1 << 20)
            transfer = Socket.read(session.descriptor, into: &session.input, room: room)
        }
        switch transfer {
        case .wouldBlock: return
        case .closed:
            state.endWait(session)
            // It sends no more, but may still wait for what the disk has to confirm first.
            guard session.isGated, !session.wantsWritable else { return close(session) }
            session.closesAfterReply = true
            return updateInterest(session)
        case .moved(let count):
            state.statistics.inputBytes &+= UInt64(count)
            state.statistics.readsProcessed &+= 1
            session.inputBytesTotal += count
            session.lastActiveAt = cron.second
            // An empty line, too, is a sign of life.
            session.replica?.heardAt = cron.second
        }
        if session.parked != nil {
            // Kept until the wait is over.
        } else if session.input.isEmpty {
            let used = execute(session, scratch.slice)
            if used < scratch.count, !session.isClosed {
                session.input.append(scratch.slice.dropFirst(used))
            }
        } else {
            executeKept(session)
        }
        if session.input.count > state.settings.queryBufferMax {
            state.statistics.queryBufferDisconnections += 1
            state.diagnostics.warning(
                "Closing client that reached max query buffer length: \(state.describe(session))")
            close(session)
        }
    }

    /// Executes input that is kept with the session.
    mutating func executeKept(_ session: Session) {
        let used = execute(session, session.input.slice)
        session.input.consume(used)
        if session.input.isEmpty { session.input.reset() }
    }

    /// Executes the whole commands in `input`.
    ///
    /// - Returns: how many bytes are done with; the rest must be given again, with more behind it.
    mutating func execute(_ session: Session, _ input: ByteSlice) -> Int {
        let replyStart = state.reply.buffer.count
        state.reply.version = session.version
        var used = 0
        var limits = RESPLimits()
        limits.bulkBytesMax = Int64(state.dispatcher.context.limits.stringBytesMax)
        let replyLimit = outputLimits(of: session).replyBytesMax
        let replyBytesMax = min(Self.replyBytesPerTurn, replyLimit)
        execution: while used < input.count {
            limits.isAuthenticated = session.isAuthenticated
            batch.removeAll()
            var failure: ProtocolError?
            let start = used
            do throws(ProtocolError) {
                used += try session.decoder.decode(
                    input.dropFirst(start), into: &batch, limits: limits)
            } catch {
                failure = error
            }
            lastTicks = Ticks.now()
            state.dispatcher.prepare(&batch, database: session.database)
            for index in 0..<batch.count {
                guard runCommand(index, session, replyStart: replyStart) else {
                    // Held back: the command and all behind it are decoded again when it may run.
                    used = start + (index > 0 ? batch[index - 1].end : 0)
                    session.decoder.restart()
                    break execution
                }
                if session.closesAfterReply || session.isClosed {
                    used = input.count
                    break execution
                }
                if _slowPath(session.parked != nil) {
                    used = start + batch[index].end
                    session.decoder.restart()
                    break execution
                }
                if _slowPath(state.reply.buffer.count - replyStart > replyBytesMax) {
                    if state.reply.buffer.count - replyStart > replyLimit {
                        state.reply.buffer.truncate(to: replyStart)
                        closeForOutput(session)
                        used = input.count
                        break execution
                    }
                    // The rest in the next turn, when these replies have left, or the session has been
                    // closed for not reading them.
                    used = start + batch[index].end
                    session.decoder.restart()
                    if used < input.count { yield(session) }
                    break execution
                }
            }
            if failure != nil, session.isAuthenticated, !limits.isAuthenticated {
                // It was read by the limits of a stranger, but a command before it was the right AUTH.
                used = start + (batch.count > 0 ? batch[batch.count - 1].end : 0)
                session.decoder.restart()
                continue
            }
            if let failure {
                state.reply.error(bytes: Array("ERR Protocol error: ".utf8) + failure.bytes)
                state.statistics.errorReplies &+= 1
                state.diagnostics.verbose(
                    "Protocol error (\(failure.reason)) from client: \(state.describe(session)).")
                session.closesAfterReply = true
                used = input.count
                break
            }
            if used == start { break }
        }
        noteReplies(session, from: replyStart)
        if session.closesAfterReply { updateInterest(session) }
        return used
    }

    /// Runs command `index` of the batch.
    ///
    /// - Returns: false if it has to wait: it has not run.
    @inline(__always)
    mutating func runCommand(_ index: Int, _ session: Session, replyStart: Int) -> Bool {
        let command = batch[index]
        let row = Int(command.row)
        if _fastPath(row >= 0 && session.isPlain && state.condition.isPlain) {
            let facts = state.dispatcher.rows.facts(row)
            if _fastPath(
                facts.isData && facts.accepts(command.argumentCount)
                    && !(state.condition.isReplica && facts.flags.contains(.write)))
            {
                runData(
                    row, facts, batch.arguments(of: index), keyHash: command.keyHash,
                    canonical: command.canonical, session, replyStart: replyStart)
                if _slowPath(state.dispatcher.context.isListenedTo) {
                    tellOthers(session, replyStart: replyStart, isGated: true)
                }
                return true
            }
        }
        return runChecked(
            row >= 0 ? row : nil, batch.arguments(of: index), session, replyStart: replyStart)
    }

    /// Runs a command on data that nothing stands against.
    @inline(__always)
    mutating func runData(
        _ row: Int, _ facts: CommandTable.CommandFacts, _ arguments: Arguments, keyHash: UInt64,
        canonical: ByteSlice, _ session: Session, replyStart: Int
    ) {
        let mark = state.dispatcher.context.reply.buffer.count
        let before = state.dispatcher.context.log.appended
        state.dispatcher.context.database = session.database
        state.dispatcher.beginUnit(at: state.now)
        let succeeded = state.dispatcher.run(
            row: row, arguments, keyHash: keyHash, canonical: canonical)
        state.dispatcher.endUnit()
        let after = state.dispatcher.context.log.appended
        if after != before {
            session.lastWrite = after
            session.gates.add(
                at: session.producedBytes + mark - replyStart, after,
                batchStart: state.dispatcher.context.log.first)
        } else {
            turnHadReads = true
            if !state.dispatcher.undurable.isEmpty {
                gateRead(row, arguments, session, at: session.producedBytes + mark - replyStart)
            }
        }
        if _slowPath(state.dispatcher.context.blockRequest != nil) {
            return state.parkForKeys(row, arguments, session)
        }
        // One reading of the clock per command: each begins where the one before it ended.
        let ended = Ticks.now()
        let ticks = ended &- lastTicks
        lastTicks = ended
        state.dispatcher.counters.ran(row, ticks: ticks, failed: !succeeded)
        state.statistics.commandsProcessed &+= 1
        session.commandCount &+= 1
        session.lastRow = row
        if _slowPath(!succeeded) { state.noteError(replyAt: mark) }
        if _slowPath(ticks >= state.slowTicks) {
            state.noteSlow(row, arguments, ticks, session)
        }
        if _slowPath(state.dispatcher.blocked.hasReady) {
            if state.dispatcher.context.isListenedTo { state.collectMessages(session) }
            serveWaiting()
        }
    }

    /// What a read saw may not be durable yet: then its reply waits as the write's own does.
    mutating func gateRead(
        _ row: Int, _ arguments: Arguments, _ session: Session, at position: Int
    ) {
        guard state.settings.readsAreGated,
            let lsn = state.dispatcher.readGate(row, arguments, database: session.database),
            lsn > state.durability.acknowledged
        else { return }
        session.gates.add(at: position, lsn, batchStart: state.dispatcher.context.log.first)
    }

    /// Runs a command after all checks; what can't be decided in a glance comes here.
    ///
    /// - Returns: false if it has to wait.
    mutating func runChecked(
        _ named: Int?, _ arguments: Arguments, _ session: Session, replyStart: Int
    ) -> Bool {
        let mark = state.reply.buffer.count
        let appended = state.dispatcher.context.log.appended
        // Replies would stand in the middle of the stream.
        let isReplica = session.isReplica
        defer { if _slowPath(isReplica) { state.reply.buffer.truncate(to: mark) } }
        var ran = -1
        if session.replyMode == .skipNext { session.replyMode = .skipThis }
        switch state.admit(named, arguments, session) {
        case .wait:
            hold(session)
            return false
        case .refuse(let row, let reason):
            var error = reason
            if let row, state.dispatcher.table.spec(at: row).name == "exec" {
                // Also outside of a transaction, as in Redis.
                state.dropTransaction(session)
                error = TransactionCommands.aborted(by: reason)
            }
            state.reply.error(error)
            state.noteError(replyAt: mark)
            if let row { state.dispatcher.counters.rejected(row) }
            session.transaction?.isBroken = true
            if isAttack(arguments) { return dropAttacker(session) }
        case .queue(let row):
            session.queue(row, arguments)
            state.reply.simple("QUEUED")
        case .run(let row):
            state.dispatcher.context.limits.tracksAccess = !session.hasNoTouch
            let isLimited = session.restrictions.contains(.limited)
            if isLimited { state.limitReading(session, row, arguments) }
            runAdmitted(row, arguments, session, replyStart: replyStart)
            state.dispatcher.context.limits.tracksAccess = true
            if isLimited { state.dispatcher.context.limits.readsAnyKey = true }
            ran = row
        }
        if session.parked == nil { applyReplyMode(session, from: mark) }
        if ran >= 0 {
            let isGated =
                state.dispatcher.context.log.appended != appended && !state.logsForReplicasOnly
            state.logsForReplicasOnly = false
            finishChecked(ran, arguments, session, replyStart: replyStart, isGated: isGated)
        }
        return true
    }

    /// Drops the reply that begins at `mark` if the session doesn't want it.
    mutating func applyReplyMode(_ session: Session, from mark: Int) {
        if session.replyMode != .on, !state.pushesReply { state.reply.buffer.truncate(to: mark) }
        state.pushesReply = false
        if session.replyMode == .skipThis { session.replyMode = .on }
    }

    /// What follows a command besides its reply.
    private mutating func finishChecked(
        _ row: Int, _ arguments: Arguments, _ session: Session, replyStart: Int, isGated: Bool
    ) {
        if !state.monitors.isEmpty { state.showToMonitors(row, arguments, session) }
        if state.dispatcher.context.isListenedTo || !state.outbox.isEmpty {
            tellOthers(session, replyStart: replyStart, isGated: isGated)
        }
        guard let tracking = session.tracking else { return }
        state.rememberRead(session, row, arguments)
        // Of keys that had to make room.
        if !state.outbox.isEmpty { tellOthers(session, replyStart: replyStart, isGated: false) }
        let isClient = state.dispatcher.table.spec(at: row).containerName == "client"
        if session.transaction == nil, !isClient { tracking.hasCachingWord = false }
    }

    mutating func runAdmitted(
        _ row: Int, _ arguments: Arguments, _ session: Session, replyStart: Int
    ) {
        let facts = state.dispatcher.rows.facts(row)
        guard case .session(let handler) = state.dispatcher.table.spec(at: row).handler else {
            state.allowLocalExpiry(facts.flags)
            runData(
                row, facts, arguments, keyHash: 0, canonical: ByteSlice(), session,
                replyStart: replyStart)
            return state.endLocalExpiry()
        }
        lastTicks = Ticks.now()
        let mark = state.reply.buffer.count
        let batchStart = state.dispatcher.context.log.first
        let before = state.dispatcher.context.log.appended
        state.dispatcher.context.database = session.database
        session.lastRow = row
        var succeeded = true
        do throws(CommandError) {
            try state.handlers[handler](&state, session, arguments)
        } catch {
            state.reply.buffer.truncate(to: mark)
            state.reply.error(error)
            state.noteError(replyAt: mark)
            succeeded = false
        }
        state.reply.version = session.version
        if state.dispatcher.context.log.appended != before, !state.logsForReplicasOnly {
            session.lastWrite = state.dispatcher.context.log.appended
            session.gates.add(
                at: session.producedBytes + mark - replyStart,
                state.dispatcher.context.log.appended, batchStart: batchStart)
        } else if let lsn = session.transactionGate {
            session.transactionGate = nil
            session.gates.add(
                at: session.producedBytes + mark - replyStart, lsn, batchStart: batchStart)
        }
        if session.parked != nil && state.waits.didPark { return }
        let ended = Ticks.now()
        let ticks = ended &- lastTicks
        lastTicks = ended
        state.dispatcher.counters.ran(row, ticks: ticks, failed: !succeeded)
        state.statistics.commandsProcessed &+= 1
        session.commandCount &+= 1
        session.lastRow = row
        if ticks >= state.slowTicks { state.noteSlow(row, arguments, ticks, session) }
        closeDoomed()
        if !state.waits.released.isEmpty { releaseWaiting() }
        if state.dispatcher.blocked.hasReady {
            if state.dispatcher.context.isListenedTo { state.collectMessages(session) }
            serveWaiting()
        }
    }

    /// Closes sessions that a command (CLIENT KILL) has condemned.
    mutating func closeDoomed() {
        guard !state.doomed.isEmpty else { return }
        for session in state.doomed { close(session) }
        state.doomed = []
    }

    /// `POST` or `Host:` as a command: a browser was made to talk to us.
    func isAttack(_ arguments: Arguments) -> Bool {
        arguments[0].equalsIgnoringCase("post") || arguments[0].equalsIgnoringCase("host:")
    }

    mutating func dropAttacker(_ session: Session) -> Bool {
        state.diagnostics.warning(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
                + "commands to the server. This is likely due to an attacker attempting to use Cross "
                + "Protocol Scripting to compromise your instance. Connection aborted.")
        close(session)
        session.closesAfterReply = true
        return true
    }

    // MARK: Held sessions

    mutating func hold(_ session: Session) {
        guard !session.isHeld else { return }
        session.isHeld = true
        held.append(session)
        updateInterest(session)
    }

    /// Puts off the rest of a session's input to the next turn.
    mutating func yield(_ session: Session) {
        hasYielded = true
        hold(session)
    }

    /// Lets held sessions try again; those that still have to wait come back into the list.
    mutating func resumeHeld() {
        state.updateCondition()
        let waiting = held
        held = []
        hasYielded = false
        var hasWork = false
        for session in waiting where !session.isClosed {
            session.isHeld = false
            executeKept(session)
            updateInterest(session)
            hasWork = true
        }
        if hasWork {
            if !state.waits.resumed.isEmpty { resumeReleased() }
            submit()
            sendReplies()
        }
    }
}
