internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// Commands that wait: running them again when their keys have changed, and ending waits.
///
/// After each unit the keys that it changed are gone through in the order of their changes, and for each key those
/// who wait for it, the longest first. Each runs its command again, as a unit of its own behind the one that woke
/// it and before the next command of any client. What it changes may wake others: their round comes after those
/// that are due already. One that is tried in vain keeps its place and its deadline.
extension CommandLoop {
    /// Lets those try again whose keys have changed.
    mutating func serveWaiting() {
        // Whoever is served changes keys too; those are gone through below, after what is due already.
        guard !isServing else { return }
        isServing = true
        let version = state.reply.version
        let tracksAccess = state.dispatcher.context.limits.tracksAccess
        while var round = state.dispatcher.blocked.nextRound() {
            while let waiter = state.dispatcher.blocked.next(&round) {
                guard state.dispatcher.isWorthTrying(waiter, round.mark, at: state.now),
                    let session = state.sessions.session(token: waiter.owner)
                else { continue }
                retry(session, of: round.mark)
            }
        }
        state.reply.version = version
        state.dispatcher.context.limits.tracksAccess = tracksAccess
        isServing = false
    }

    /// Runs a parked command again.
    ///
    /// - Parameter mark: of the key that makes it worth a try, to come back to if writers have to wait.
    mutating func retry(_ session: Session, of mark: UInt64) {
        guard let parked = session.parked else { return }
        retryBatch.removeAll()
        retryBatch.appendCommand(parked.words)
        let arguments = retryBatch.arguments(of: 0)
        let replyStart = state.reply.buffer.count
        state.reply.version = session.version
        switch state.admit(parked.row, arguments, session) {
        case .wait, .queue:
            state.waits.postponed.append(mark)
            return
        case .refuse(_, let reason):
            state.reply.error(reason)
            state.noteError(replyAt: replyStart)
            state.dispatcher.counters.rejected(parked.row)
        case .run(let row):
            state.waits.didPark = false
            state.dispatcher.context.limits.tracksAccess = !session.hasNoTouch
            lastTicks = Ticks.now()
            runAdmitted(row, arguments, session, replyStart: replyStart)
            if state.dispatcher.context.isListenedTo { state.collectMessages(session) }
            if state.waits.didPark { return }
        }
        endWait(session, replyStart: replyStart)
    }

    /// Ends a wait without success.
    mutating func endWait(_ session: Session, _ end: WaitEnd) {
        guard let parked = session.parked else { return }
        let replyStart = state.reply.buffer.count
        let version = state.reply.version
        state.reply.version = session.version
        var failed = false
        switch end {
        case .timeout:
            parked.timeoutReply(&state, session)
        case .error(let error):
            state.reply.error(error)
            state.noteError(replyAt: replyStart)
            failed = true
        }
        state.reply.version = version
        state.dispatcher.counters.ran(parked.row, ticks: 0, failed: failed)
        state.statistics.commandsProcessed &+= 1
        endWait(session, replyStart: replyStart)
    }

    /// The session goes on; its reply begins at `replyStart` and ends the reply buffer.
    private mutating func endWait(_ session: Session, replyStart: Int) {
        state.endWait(session)
        applyReplyMode(session, from: replyStart)
        noteReplyApart(session, from: replyStart)
        session.lastActiveAt = cron.second
        if !session.input.isEmpty { state.waits.resumed.append(session) }
    }

    // MARK: In a turn

    /// What has to be done for waiting commands when all that arrived has been executed.
    mutating func tendWaiting() {
        if !state.waits.postponed.isEmpty, !state.condition.holdsWriters,
            state.condition.pausedUntil == 0
        {
            for mark in state.waits.postponed { state.dispatcher.blocked.signal(mark) }
            state.waits.postponed = []
        }
        if state.dispatcher.blocked.hasReady { serveWaiting() }
        while let overdue = state.waits.deadlines.nextOverdue(at: turnNanoseconds) {
            guard let session = state.sessions.session(token: overdue.token),
                session.parked?.number == overdue.number
            else { continue }
            endWait(session, .timeout)
        }
        if !state.waits.forSafety.isEmpty { endSafetyWaits() }
        tellOthersOfOwn()
        resumeReleased()
    }

    /// Executes what stands behind commands whose wait is over.
    mutating func resumeReleased() {
        while !state.waits.resumed.isEmpty {
            let sessions = state.waits.resumed
            state.waits.resumed = []
            for session in sessions
            where !session.isClosed && !session.isHeld && session.parked == nil
                && !session.closesAfterReply
            {
                executeKept(session)
            }
        }
    }

    /// Carries out what CLIENT UNBLOCK has decided.
    mutating func releaseWaiting() {
        let released = state.waits.released
        state.waits.released = []
        for (session, end) in released { endWait(session, end) }
    }
}
