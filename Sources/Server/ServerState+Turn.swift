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
        let microseconds = Int64(clamping: tickScale.microseconds(ticks))
        latency.add(
            dispatcher.table.facts(at: row).flags.contains(.fast) ? "fast-command" : "command",
            milliseconds: microseconds / 1000, unixSeconds: now / 1000)
        guard settings.slowLogMicroseconds >= 0, microseconds >= settings.slowLogMicroseconds,
            !dispatcher.table.facts(at: row).flags.contains(.skipSlowlog)
        else { return }
        slowLog.add(
            arguments, hiding: secretWords(row, arguments), microseconds: microseconds,
            unixSeconds: now / 1000, address: session.address.text, name: session.name)
    }

    /// The words of a command that nobody may read later: passwords.
    func secretWords(_ row: Int, _ arguments: Arguments) -> Set<Int> {
        switch dispatcher.table.spec(at: row).name {
        case "auth":
            return Set(1..<arguments.count)
        case "hello":
            guard
                let option = (2..<max(arguments.count, 2)).first(where: {
                    arguments[$0].equalsIgnoringCase("auth")
                })
            else { return [] }
            return Set(option + 1..<min(option + 3, arguments.count))
        case "migrate":
            return MigrateCommand.secretWords(arguments)
        case "acl|setuser":
            return Set(2..<arguments.count)
        case "config|set":
            let values = stride(from: 3, to: arguments.count, by: 2)
            return Set(values.filter { Configuration.isSensitive(arguments[$0 - 1].copyToArray()) })
        default:
            return []
        }
    }

    /// Works out from how many ticks on a command must be looked at by `noteSlow`.
    mutating func updateSlowTicks() {
        var microseconds = Int64.max
        if settings.slowLogMicroseconds >= 0 { microseconds = settings.slowLogMicroseconds }
        if latency.threshold > 0 {
            // Settings may be any number.
            microseconds = min(microseconds, min(latency.threshold, .max / 1_000) * 1_000)
        }
        slowTicks = tickScale.ticks(UInt64(max(microseconds, 0)))
    }

    // MARK: Time

    mutating func report(_ report: GuardedClock.Report) {
        switch report {
        case .wentBack(let milliseconds):
            diagnostics.warning(
                "The system clock went back by \(milliseconds) ms; time stands still here until it has caught up."
            )
        case .heldJump(let milliseconds):
            diagnostics.warning(
                "The system clock jumped ahead by \(milliseconds) ms. Keys expire by the time before the jump; "
                    + "if the clock is right now, say CONFIG SET clock-jump-limit 0.")
        }
    }

    /// The earliest deadline of any key that this server has to delete.
    func nextDeadline() -> Int64? {
        // Its primary deletes, and a replica follows.
        if condition.isReplica { return nil }
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
        if condition.pausedUntil > 0, now >= condition.pausedUntil { endPause() }
        condition.snapshotRefusal =
            saving.hasFailed && !saving.points.points.isEmpty
                && configuration.flag(.stopWritesOnBgsaveError)
            ? Self.snapshotRefusal : nil
        guard let writer = durability.writer else {
            condition.writeRefusal = durability.isLost ? Self.lostLogRefusal : nil
            return
        }
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

    private static let snapshotRefusal =
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
        + "disk. Commands that may modify the data set are disabled, because this instance is "
        + "configured to report errors during writes if RDB snapshotting fails "
        + "(stop-writes-on-bgsave-error option). Please check the Redis logs for details about the "
        + "RDB error."

    private static let lostLogRefusal =
        "MISCONF Errors writing to the AOF file: the log could not be gone on with after a full resync that failed. "
        + "BGREWRITEAOF begins one with what is in memory."

    mutating func endPause() {
        condition.pausedUntil = 0
        dispatcher.context.holdsExpiry = condition.isReplica
    }

    /// Reads the allocator's figures: for the peak, and for `maxmemory`.
    mutating func updateMemory() {
        let used = allocator.read().allocated
        statistics.peakMemory = max(statistics.peakMemory, used)
        let isPrimarysBusiness =
            condition.isReplica && configuration.flag(.replicaIgnoreMaxmemory)
        condition.isOutOfMemory =
            settings.memoryMax > 0 && used > settings.memoryMax && !isPrimarysBusiness
    }

    // MARK: Now and then

    /// Ten times a second.
    mutating func runCron() {
        if settings.isCronPaused { return }
        tickScale.calibrate(clock)
        updateSlowTicks()
        updateCondition()
        updateMemory()
        runSavingCron()
        migrations.closeIdle(at: monotonicSeconds)
        let nanoseconds = clock.monotonicNanoseconds
        statistics.instantaneous.sample(
            .commands, statistics.commandsProcessed, nanoseconds: nanoseconds)
        statistics.instantaneous.sample(
            .inputBytes, statistics.inputBytes, nanoseconds: nanoseconds)
        statistics.instantaneous.sample(
            .outputBytes, statistics.outputBytes, nanoseconds: nanoseconds)
        statistics.instantaneous.sample(.turns, statistics.turns, nanoseconds: nanoseconds)
    }

    // MARK: Signals

    mutating func receive(signal: String) {
        if signal == "SIGHUP" { return }
        diagnostics.signalReceived("Received \(signal) scheduling shutdown...")
        _ = requestShutdown(ShutdownRequest(signal: signal))
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
