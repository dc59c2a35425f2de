internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication

/// WAIT and WAITAOF: until what the session has written is as safe as it asks for.
enum WaitCommands {
    @Sendable
    static func wait(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        try state.refuseOnReplica("WAIT")
        guard let wanted = DecimalText.parse(arguments[1]) else { throw .notAnInteger }
        let timeout = try state.timeout(arguments[2])
        let confirmed = state.replicas.feeds.count(acknowledging: session.lastWrite)
        if confirmed >= wanted || state.isInTransaction { return state.reply.integer(confirmed) }
        state.park(session, session.lastRow, arguments.copied, milliseconds: timeout) {
            (state, session) in
            state.reply.integer(state.replicas.feeds.count(acknowledging: session.lastWrite))
        }
        state.await(session, Session.Awaited(replicas: wanted))
        state.replicas.wantsAcks = true
    }

    /// `WAITAOF numlocal numreplicas timeout`; unlike in Redis nobody waits for the next second: the log is
    /// synced at once.
    @Sendable
    static func waitAOF(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        try state.refuseOnReplica("WAITAOF")
        guard let local = DecimalText.parse(arguments[1]) else { throw .notAnInteger }
        guard local == 0 || local == 1 else {
            throw .text("ERR value is out of range, value must between 0 and 1")
        }
        guard let wanted = DecimalText.parse(arguments[2]) else { throw .notAnInteger }
        guard wanted >= 0 else { throw .text("ERR value is out of range, must be positive") }
        let timeout = try state.timeout(arguments[3])
        if local > 0, state.durability.writer == nil {
            throw .text(
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.")
        }
        if local > 0, state.durability.writer?.isFailing == true, !state.isDurable(session) {
            throw ServerState.syncFailed
        }
        let awaited = Session.Awaited(isLocal: local > 0, durableReplicas: wanted)
        if state.isSafe(session, awaited) || state.isInTransaction {
            return state.replyDurability(session)
        }
        state.park(session, session.lastRow, arguments.copied, milliseconds: timeout) {
            (state, session) in state.replyDurability(session)
        }
        state.await(session, awaited)
        if local > 0 { state.waits.wantsSync = true }
        if wanted > 0 { state.replicas.wantsAcks = true }
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "wait", 3, [], .generic, tips: [.requestAllShards, .responseAggregateMin],
            acl: [.connection], wait)
        rows.add(
            "waitaof", 4, [.noScript], .generic, tips: [.requestAllShards, .responseAggregateMin],
            acl: [.connection], waitAOF)
    }
}

extension Session {
    /// What WAIT or WAITAOF waits for.
    struct Awaited {
        /// On this server's disk.
        var isLocal = false
        /// Applied by so many replicas.
        var replicas: Int64 = 0
        /// On so many replicas' disks.
        var durableReplicas: Int64 = 0
    }
}

extension ServerState {
    /// A time in milliseconds that may be 0, for ever.
    fileprivate func timeout(_ word: ByteSlice) throws(CommandError) -> Int64 {
        guard let timeout = DecimalText.parse(word) else {
            throw .text("ERR timeout is not an integer or out of range")
        }
        if timeout < 0 { throw .text("ERR timeout is negative") }
        if timeout.addingReportingOverflow(now).overflow {
            throw .text("ERR timeout is out of range")
        }
        return timeout
    }

    fileprivate func refuseOnReplica(_ command: String) throws(CommandError) {
        if replication.isPrimary { return }
        throw .message(
            "ERR \(command) cannot be used with replica instances. Please also note that since Redis 4.0 "
                + "if a replica is configured to be writable (which is not the default) writes to replicas "
                + "are just local and are not propagated.")
    }

    /// All that the session has written is on stable storage; without a log nothing can be.
    func isDurable(_ session: Session) -> Bool {
        guard let writer = durability.writer else { return true }
        return writer.watermarks.durable >= session.lastWrite
    }

    fileprivate mutating func await(_ session: Session, _ awaited: Session.Awaited) {
        session.awaited = awaited
        if !waits.forSafety.contains(where: { $0 === session }) { waits.forSafety.append(session) }
    }

    func isSafe(_ session: Session, _ awaited: Session.Awaited) -> Bool {
        if awaited.isLocal, !isDurable(session) { return false }
        if awaited.replicas > 0,
            replicas.feeds.count(acknowledging: session.lastWrite) < awaited.replicas
        {
            return false
        }
        return awaited.durableReplicas == 0
            || replicas.feeds.count(durable: session.lastWrite) >= awaited.durableReplicas
    }

    fileprivate mutating func replyDurability(_ session: Session) {
        reply.array(2)
        let isLocal =
            durability.writer == nil ? session.lastWrite == .zero : isDurable(session)
        reply.integer(isLocal ? 1 : 0)
        reply.integer(replicas.feeds.count(durable: session.lastWrite))
    }

    /// A count would claim to know.
    fileprivate static let syncFailed: CommandError = .text(
        "MISCONF Errors writing to the AOF file: what was written is not known to be durable")
}

extension CommandLoop {
    /// Ends the waits of sessions whose writes are as safe as they asked for, or can't become so.
    mutating func endSafetyWaits() {
        state.waits.replicasHaveMoved = false
        let isFailing = state.durability.writer?.isFailing ?? false
        let waiting = state.waits.forSafety
        state.waits.forSafety = []
        for session in waiting where session.parked != nil && !session.isClosed {
            guard let awaited = session.awaited else { continue }
            if state.isSafe(session, awaited) {
                endWait(session, .timeout)
            } else if isFailing, awaited.isLocal {
                endWait(session, .error(ServerState.syncFailed))
            } else {
                state.waits.forSafety.append(session)
            }
        }
    }
}
