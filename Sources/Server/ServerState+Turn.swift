internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// What the command loop notes and asks between commands.
extension ServerState {
    // MARK: Errors and slow commands

    /// Counts the error reply that begins at `mark` of the reply buffer.
    mutating func noteError(replyAt mark: Int) {
        statistics.errorReplies &+= 1
        let line = reply.buffer.slice.dropFirst(mark + 1)
        var end = 0
        while end < line.count, line[end] != 32, line[end] != 13 { end += 1 }
        errors.note(line.prefix(end).text)
    }

    mutating func noteSlow(
        _ row: Int, _ arguments: Arguments, _ ticks: UInt64, _ session: Session
    ) {
        let microseconds = Int64(tickScale.microseconds(ticks))
        latency.add(
            dispatcher.table.facts(at: row).flags.contains(.fast) ? "fast-command" : "command",
            milliseconds: microseconds / 1000, unixSeconds: now / 1000)
        guard settings.slowLogMicroseconds >= 0, microseconds >= settings.slowLogMicroseconds,
            !dispatcher.table.facts(at: row).flags.contains(.skipSlowlog)
        else { return }
        slowLog.add(
            arguments, microseconds: microseconds, unixSeconds: now / 1000,
            address: session.address.text, name: session.name)
    }

    /// Works out from how many ticks on a command must be looked at by `noteSlow`.
    mutating func updateSlowTicks() {
        var microseconds = Int64.max
        if settings.slowLogMicroseconds >= 0 { microseconds = settings.slowLogMicroseconds }
        if latency.threshold > 0 { microseconds = min(microseconds, latency.threshold * 1000) }
        slowTicks =
            microseconds == .max
            ? .max : UInt64(Double(microseconds) * tickScale.ticksPerMicrosecond)
    }

    // MARK: Time

    mutating func report(_ report: GuardedClock.Report) {
        switch report {
        case .wentBack(let milliseconds):
            diagnostics.warning(
                "The system clock went back by \(milliseconds) ms; time stands still here until it has caught up.")
        case .heldJump(let milliseconds):
            diagnostics.warning(
                "The system clock jumped ahead by \(milliseconds) ms. Keys expire by the time before the jump; "
                    + "if the clock is right now, say CONFIG SET clock-jump-limit 0.")
        }
    }

    /// The earliest deadline of any key.
    func nextDeadline() -> Int64? {
        var earliest: Int64?
        for database in 0..<dispatcher.context.keyspace.databaseCount {
            if let deadline = dispatcher.context.keyspace.nextDeadline(database),
                deadline < earliest ?? .max
            {
                earliest = deadline
            }
        }
        return earliest
    }

    // MARK: Condition

    /// Takes over what the log says about itself.
    mutating func updateCondition() {
        if condition.pausedUntil > 0, now >= condition.pausedUntil { condition.pausedUntil = 0 }
        guard let writer = durability.writer else { return }
        condition.holdsWriters = writer.shouldHoldWriters
        condition.writeRefusal = nil
        condition.growthRefusal = nil
        if writer.isFailing {
            let reason = writer.lastError?.reason ?? "unknown error"
            condition.writeRefusal = "MISCONF Errors writing to the AOF file: \(reason)"
        } else if !writer.growthAllowed {
            condition.growthRefusal =
                "MISCONF Errors writing to the AOF file: No space left on device"
        }
    }

    // MARK: Now and then

    /// Ten times a second.
    mutating func runCron() {
        tickScale.calibrate(clock)
        updateSlowTicks()
        updateCondition()
        let nanoseconds = clock.monotonicNanoseconds
        statistics.instantaneous.sample(
            .commands, statistics.commandsProcessed, nanoseconds: nanoseconds)
        statistics.instantaneous.sample(
            .inputBytes, statistics.inputBytes, nanoseconds: nanoseconds)
        statistics.instantaneous.sample(
            .outputBytes, statistics.outputBytes, nanoseconds: nanoseconds)
        statistics.instantaneous.sample(.turns, statistics.turns, nanoseconds: nanoseconds)
    }

    /// A session as CLIENT LIST shows it, for messages.
    func describe(_ session: Session) -> String {
        "id=\(session.id) addr=\(session.address.text) fd=\(session.descriptor)"
    }

    // MARK: Signals

    mutating func receive(signal: String) {
        if signal == "SIGHUP" { return }
        diagnostics.signalReceived("Received \(signal) scheduling shutdown...")
        shutdown = ShutdownRequest(signal: signal)
    }
}

extension ServerStatistics {
    mutating func noteTurn(
        ticks: UInt64, commandTicks: UInt64, cronTicks: UInt64, logTicks: UInt64, commands: UInt64
    ) {
        turns &+= 1
        turnTicks &+= ticks
        self.commandTicks &+= commandTicks
        self.cronTicks &+= cronTicks
        self.logTicks &+= logTicks
        if ticks > longestTurnTicks { longestTurnTicks = ticks }
        if commands > commandsPerTurnMax { commandsPerTurnMax = commands }
    }
}
