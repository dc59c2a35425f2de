internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// The primary's stream: into the log as it came, and into the data, a whole unit at a time.
extension CommandLoop {
    /// Applies what is whole of what has come. What the log could not hold, or this server not apply at a start, breaks
    /// the link before anything of it is taken.
    mutating func applyStream(_ connection: PrimaryConnection) {
        while applyHistory(connection),
            let next = state.following.claim.history(
                beginningAt: state.dispatcher.context.log.appended)
        {
            state.goOn(in: next)
        }
    }

    /// The same as far as the history in force goes.
    ///
    /// - Returns: false if the link is lost.
    private mutating func applyHistory(_ connection: PrimaryConnection) -> Bool {
        let size = state.following.claim.bytes(from: state.dispatcher.context.log.appended)
        let input = connection.input.slice.prefix(size)
        var failure: String?
        do throws(StreamUnits.Fault) {
            _ = try connection.units.scan(input, into: &batch) {
                state.dispatcher.fault(ofRecord: $0)
            }
            if input.count == size, connection.units.whole < size {
                failure = "Protocol error from master: a history that begins inside of a command"
            }
        } catch {
            let lsn = state.dispatcher.context.log.appended.advanced(by: error.offset)
            failure = "Protocol error from master at offset \(lsn): \(error.reason)"
        }
        let count = connection.units.whole
        if count > 0 {
            let units = connection.input.slice.prefix(count)
            let first = state.dispatcher.context.log.appended
            state.dispatcher.context.log.append(
                stream: units, database: connection.units.database)
            apply(units, from: first, connection)
            connection.input.consume(count)
            connection.units.applied(count)
            if connection.input.isEmpty, connection.input.capacity > 1 << 20 {
                connection.input.reset()
            }
        }
        if connection.input.count > state.settings.queryBufferMax {
            failure = "The master sends a transaction that is larger than client-query-buffer-limit"
        }
        if let failure { loseLink(failure) }
        return failure == nil
    }

    /// - Parameter units: whole ones, which the log has.
    private mutating func apply(
        _ units: ByteSlice, from first: LSN, _ connection: PrimaryConnection
    ) {
        var limits = RESPLimits()
        limits.bulkBytesMax = Int64(Int32.max)
        var used = 0
        var isInTransaction = false
        while used < units.count {
            batch.removeAll()
            let step: Int
            do throws(ProtocolError) {
                step = try connection.decoder.decode(
                    units.dropFirst(used), into: &batch, limits: limits)
            } catch {
                preconditionFailure("records that were whole can't be read: \(error.reason)")
            }
            precondition(step > 0, "a unit that was whole isn't")
            state.dispatcher.prepare(&batch, database: connection.session.database)
            lastTicks = Ticks.now()
            for index in 0..<batch.count {
                let arguments = batch.arguments(of: index)
                let name = arguments[0]
                if isInTransaction {
                    if name.equalsIgnoringCase("exec") { isInTransaction = false }
                } else {
                    state.dispatcher.beginUnit(at: state.now)
                    isInTransaction = name.equalsIgnoringCase("multi")
                }
                let start = used + (index > 0 ? batch[index - 1].end : 0)
                run(index, arguments, at: first.advanced(by: start), connection)
                if isInTransaction { continue }
                state.dispatcher.endUnit()
                tellOthersOfOwn()
                if _slowPath(state.dispatcher.blocked.hasReady) { serveWaiting() }
            }
            used += step
        }
    }

    private mutating func run(
        _ index: Int, _ arguments: Arguments, at lsn: LSN, _ connection: PrimaryConnection
    ) {
        let command = batch[index]
        let row = Int(command.row)
        state.dispatcher.context.database = connection.session.database
        var failed = false
        switch state.dispatcher.follow(
            row: row, arguments, keyHash: command.keyHash, at: state.now)
        {
        case .applied: break
        case .failed:
            failed = true
            state.statistics.unexpectedErrorReplies &+= 1
            noteFailed(arguments)
            panicIfAsked(arguments)
        case .notOnData: obey(arguments, at: lsn, connection)
        }
        guard row >= 0 else { return }
        let ended = Ticks.now()
        state.dispatcher.counters.ran(row, ticks: ended &- lastTicks, failed: failed)
        lastTicks = ended
        state.statistics.commandsProcessed &+= 1
        if !state.monitors.isEmpty {
            state.showToMonitors(row, arguments, connection.session)
        }
    }

    /// What isn't a command on data.
    private mutating func obey(
        _ arguments: Arguments, at lsn: LSN, _ connection: PrimaryConnection
    ) {
        if arguments[0].equalsIgnoringCase("select") {
            if let number = DecimalText.parse(arguments[1]) {
                connection.session.database = Int(number)
            }
            return
        }
        switch StreamMessage(arguments[0]) {
        case .publish: _ = state.publish(arguments[1], arguments[2])
        case .publishInShard: _ = state.publishInShard(arguments[1], arguments[2])
        case .control:
            if arguments.count > 1, arguments[1].equalsIgnoringCase("getack") {
                connection.ackDue = lsn
            }
        case .ping, .libraries, nil: break
        }
    }

    /// `propagation-error-behavior`: who sets it wants no server with data that may differ. Nothing of this turn is
    /// with the log yet, so a start asks the master for the same again.
    private func panicIfAsked(_ arguments: Arguments) {
        guard state.condition.isReadOnly,
            state.configuration.choiceName(.propagationErrorBehavior) != "ignore"
        else { return }
        state.diagnostics.warning(
            "This replica panicked sending an error to its master after processing the command "
                + "'\(arguments[0].prefix(64).text)' (propagation-error-behavior)")
        _exit(1)
    }

    private mutating func noteFailed(_ arguments: Arguments) {
        state.following.failedCount &+= 1
        let count = state.following.failedCount
        // Each may be one of very many.
        guard count < 10 || count.isMultiple(of: 1000) else { return }
        let words = (0..<min(arguments.count, 4)).map { arguments[$0].prefix(64).text }
        state.diagnostics.warning(
            "== CRITICAL == A command of the master failed here and changed nothing, so the data may differ: "
                + "\(words.joined(separator: " ")) (\(count) so far)")
    }
}
