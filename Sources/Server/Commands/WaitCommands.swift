internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Log

/// WAIT and WAITAOF: until what the session has written is as safe as it asks for.
enum WaitCommands {
    /// Replicas that have confirmed what the session wrote. There are none yet.
    private static let replicas: Int64 = 0

    @Sendable
    static func wait(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let wanted = DecimalText.parse(arguments[1]) else { throw .notAnInteger }
        let timeout = try state.timeout(arguments[2])
        if replicas >= wanted || state.isInTransaction { return state.reply.integer(replicas) }
        state.park(session, session.lastRow, arguments.copied, milliseconds: timeout) {
            (state, _) in state.reply.integer(Self.replicas)
        }
    }

    /// `WAITAOF numlocal numreplicas timeout`; unlike in Redis nobody waits for the next second: the log is
    /// synced at once.
    @Sendable
    static func waitAOF(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
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
        let isDurable = state.isDurable(session)
        if isDurable || local == 0, replicas >= wanted || state.isInTransaction {
            return state.replyDurability(session)
        }
        if state.isInTransaction { return state.replyDurability(session) }
        state.park(session, session.lastRow, arguments.copied, milliseconds: timeout) {
            (state, session) in state.replyDurability(session)
        }
        if local > 0, replicas >= wanted {
            state.waits.forDisk.append(session)
            state.waits.wantsSync = true
        }
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

    /// All that the session has written is on stable storage; without a log nothing can be.
    func isDurable(_ session: Session) -> Bool {
        guard let writer = durability.writer else { return true }
        return writer.watermarks.durable >= session.lastWrite
    }

    fileprivate mutating func replyDurability(_ session: Session) {
        reply.array(2)
        reply.integer(isDurable(session) ? 1 : 0)
        reply.integer(0)
    }
}

extension CommandLoop {
    /// Ends the waits of sessions whose writes the disk has confirmed.
    mutating func endDiskWaits() {
        let waiting = state.waits.forDisk
        state.waits.forDisk = []
        for session in waiting where session.parked != nil && !session.isClosed {
            if state.isDurable(session) {
                endWait(session, .timeout)
            } else {
                state.waits.forDisk.append(session)
            }
        }
    }
}
