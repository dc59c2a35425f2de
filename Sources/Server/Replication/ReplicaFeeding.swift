internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// What replicas get at the end of a turn, and now and then.
///
/// Those that keep up are sent the stream straight from the backlog, which holds one copy for all. One that falls
/// behind it is handed to a thread that reads the files, and comes back when it has caught up.
extension CommandLoop {
    /// The step of a turn after the replies.
    mutating func serveReplicas() {
        if !state.replicas.transfers.isEmpty { finishTransfers() }
        if state.replicas.hasWaiting { beginDueResyncs() }
        let limit = state.feedLimit
        for session in state.replicas.sessions
        where session.replica?.phase == .online && !session.wantsWritable {
            feed(session, upTo: limit)
        }
        if state.durability.writer == nil { closeLaggards() }
        state.trimBacklog()
        closeDoomed()
    }

    /// Sends what the socket takes of the stream up to `limit`.
    mutating func feed(_ session: Session, upTo limit: LSN) {
        guard let replica = session.replica, replica.phase == .online, !session.isClosed,
            session.output.isEmpty, session.turnRange == nil
        else { return }
        while replica.cursor < limit {
            let bytes =
                state.replicas.backlog?.slice(from: replica.cursor, upTo: limit) ?? ByteSlice()
            if bytes.isEmpty { return catchUp(session, replica) }
            switch Socket.write(session.descriptor, bytes) {
            case .moved(let count):
                replica.cursor = replica.cursor.advanced(by: count)
                session.producedBytes += count
                session.sentBytes += count
                state.statistics.outputBytes &+= UInt64(count)
                state.replicas.sentBytes &+= UInt64(count)
                if count < bytes.count { return awaitWritable(session) }
            case .wouldBlock:
                return awaitWritable(session)
            case .closed:
                return close(session)
            }
        }
    }

    private mutating func awaitWritable(_ session: Session) {
        session.wantsWritable = true
        updateInterest(session)
    }

    /// Its socket takes bytes again.
    mutating func feedMore(_ session: Session) {
        guard session.replica?.phase == .online, !session.wantsWritable else { return }
        feed(session, upTo: state.feedLimit)
    }

    // MARK: From the files

    /// Lets a thread send what memory no longer has.
    private mutating func catchUp(_ session: Session, _ replica: ReplicaFeed) {
        guard let writer = state.durability.writer else {
            state.diagnostics.warning(
                "Replica \(state.replicaName(session)) lags by more than is kept, closing the link."
            )
            return close(session)
        }
        replica.phase = .catchingUp
        state.diagnostics.verbose(
            "Replica \(state.replicaName(session)) is served from the log's files from LSN \(replica.cursor)."
        )
        // It may be loading what it was sent before, and reads nothing meanwhile; that it lives is asked elsewhere.
        let transfer = ReplicaTransfer(
            session, view: nil,
            output: state.output(to: session, isPatient: !replica.isSilent),
            now: turnNanoseconds, wake: state.wake)
        let feed = FileFeed(
            writer: writer, policy: state.durability.policy, start: replica.cursor,
            handOver: state.replicas.handOver)
        state.replicas.transfers.append(transfer)
        state.markHandOver()
        transfer.start {
            (output, _) throws(ReplicaTransfer.TransferError) in try feed.run(output)
        }
    }

    /// Takes in what threads have done.
    mutating func finishTransfers() {
        state.markHandOver()
        let ended = state.replicas.transfers.filter { $0.outcome != nil }
        guard !ended.isEmpty else { return }
        state.replicas.transfers.removeAll { $0.outcome != nil }
        for transfer in ended {
            transfer.join()
            if let epoch = transfer.epoch { state.dispatcher.context.keyspace.thaw(epoch) }
            let sent = transfer.output.bytesSent
            state.statistics.outputBytes &+= UInt64(sent)
            state.replicas.sentBytes &+= UInt64(sent)
            if transfer.isAbandoned {
                Socket.close(transfer.session.descriptor)
            } else if let outcome = transfer.outcome {
                finish(transfer, outcome)
            }
        }
    }

    private mutating func finish(
        _ transfer: ReplicaTransfer, _ outcome: Result<LSN, ReplicaTransfer.TransferError>
    ) {
        let session = transfer.session
        guard let replica = session.replica, replica.phase != .ending else { return }
        let name = state.replicaName(session)
        switch outcome {
        case .success(let lsn):
            session.producedBytes += transfer.output.bytesSent
            session.sentBytes += transfer.output.bytesSent
            if replica.phase == .receiving { return finishResync(session, replica, transfer) }
            replica.cursor = lsn
            replica.phase = .online
            state.diagnostics.verbose("Replica \(name) has caught up from the files at LSN \(lsn).")
        case .failure(.output(let error)):
            state.diagnostics.warning("Sending to replica \(name) failed: \(error)")
            close(session)
        case .failure(.base(let fault)):
            endBaseTransfer(session, replica, fault)
        case .failure(.log(let error)):
            switch error {
            case .gone(let lsn), .damaged(_, let lsn, _):
                state.replicas.unreadable = max(state.replicas.unreadable ?? .zero, lsn)
            case .system: break
            }
            state.diagnostics.warning(
                "The log can't be read for replica \(name), which must begin anew: \(error)")
            close(session)
        }
    }

    // MARK: Now and then

    /// Once a second.
    mutating func tendReplicas() {
        let seconds = cron.second
        let timeout = Int64(state.configuration.number(.replTimeout))
        for session in state.replicas.sessions {
            guard let replica = session.replica else { continue }
            switch replica.phase {
            case .waiting:
                // A sign of life for as long as nothing else is sent.
                if session.output.isEmpty, session.turnRange == nil {
                    _ = Socket.write(session.descriptor, ByteSlice("\n"))
                }
            case .loading, .online, .catchingUp:
                guard !replica.isSilent, seconds - replica.heardAt > timeout else { break }
                state.diagnostics.warning(
                    "Disconnecting timedout replica (streaming sync): \(state.replicaName(session))"
                )
                close(session)
            case .introducing, .receiving, .ending: break
            }
        }
        state.tendBacklog(seconds)
    }

    /// Without files, memory is what a lagging replica costs: `client-output-buffer-limit replica` bounds it.
    private mutating func closeLaggards() {
        guard let end = state.replicas.backlog?.end else { return }
        let limits = state.settings.replicaOutputLimits
        for session in state.replicas.sessions {
            guard let needed = session.replica?.needed else { continue }
            let lag = Int(end.value - min(needed, end).value)
            let wanted = state.replicas.backlog?.bytesWanted ?? 0
            var isOver = limits.hard > 0 && lag > max(limits.hard, wanted)
            if limits.soft > 0, lag > max(limits.soft, wanted) {
                if session.softLimitSince == 0 { session.softLimitSince = cron.second }
                isOver =
                    isOver || cron.second - session.softLimitSince >= Int64(limits.softSeconds)
            } else {
                session.softLimitSince = 0
            }
            guard isOver else { continue }
            state.statistics.outputBufferDisconnections += 1
            state.diagnostics.warning(
                "Client \(state.describe(session)) scheduled to be closed ASAP for overcoming of "
                    + "output buffer limits.")
            close(session)
        }
    }
}

extension ServerState {
    /// Drops what the backlog needn't keep.
    mutating func trimBacklog() {
        guard var backlog = replicas.backlog.take() else { return }
        KeptStream.trim(&backlog, for: replicas.feeds, hasLog: durability.writer != nil)
        replicas.backlog = backlog
    }

    /// Says from where on threads may give their replicas back.
    mutating func markHandOver() {
        guard let backlog = replicas.backlog else { return }
        replicas.handOver.lsn = backlog.handOver
    }

    /// - Parameter isPatient: whether it may take nothing for any time.
    func output(to session: Session, isPatient: Bool = false) -> SocketOutput {
        SocketOutput(
            session.descriptor, peer: replicaName(session),
            patienceSeconds: isPatient
                ? Int(Int32.max) : configuration.number(.replTimeout))
    }

    /// Once a second: what is kept for replicas that have left.
    mutating func tendBacklog(_ seconds: Int64) {
        updateGoodReplicas()
        durability.writer?.retain(from: replicas.feeds.needed)
        guard replicas.isEmpty, replicas.backlog != nil, replication.isPrimary else { return }
        let life = Int64(configuration.number(.replBacklogTtl))
        guard life > 0, seconds - replicas.emptySince > life else { return }
        diagnostics.notice(
            "Replication backlog freed after \(life) seconds without connected replicas.")
        endBacklog()
    }

    // MARK: Records that are for replicas only

    /// `PING`, every `repl-ping-replica-period` seconds. They have their place in the log like any other record.
    mutating func pingReplicas(_ seconds: Int64) {
        // Not while a failover waits for a replica to have everything.
        guard !replicas.isEmpty, replication.isPrimary, failover == nil,
            !dispatcher.context.log.isUnitOpen
        else { return }
        guard seconds - replicas.pingedAt >= Int64(configuration.number(.replPingReplicaPeriod))
        else { return }
        replicas.pingedAt = seconds
        dispatcher.context.log.beginRecord(
            database: dispatcher.context.log.database, argumentCount: 1)
        dispatcher.context.log.append(argument: "PING")
    }

    /// `REPLCONF GETACK *`: those who wait needn't wait for the next second.
    mutating func askReplicas() {
        replicas.wantsAcks = false
        guard !replicas.isEmpty, replication.isPrimary, !dispatcher.context.log.isUnitOpen else {
            return
        }
        dispatcher.context.log.beginRecord(
            database: dispatcher.context.log.database, argumentCount: 3)
        dispatcher.context.log.append(argument: "REPLCONF")
        dispatcher.context.log.append(argument: "GETACK")
        dispatcher.context.log.append(argument: "*")
    }

    /// Lets replicas publish what was published here. Its record changes nothing, so nobody's reply waits for it.
    mutating func replicatePublish(_ arguments: Arguments) {
        guard !replicas.isEmpty, replication.isPrimary else { return }
        logsForReplicasOnly = !isInTransaction
        dispatcher.context.log.beginRecord(
            database: dispatcher.context.log.database, argumentCount: arguments.count)
        for index in 0..<arguments.count {
            dispatcher.context.log.append(argument: arguments[index])
        }
    }
}
