internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication

/// The replica's side of the link on the command thread: connecting, the first lines, the stream, acknowledgements.
///
/// A full resync leaves this thread: `FullLoad` has the socket until the data is whole.
extension CommandLoop {
    static let linkToken = UInt64.max

    // MARK: Now and then

    /// Begins and ends attempts; at each wake-up and ten times a second.
    mutating func tendLink() {
        state.following.abandoned.removeAll { attempt in
            guard attempt.outcome != nil else { return false }
            attempt.join()
            return true
        }
        state.following.abandonedLoads.removeAll { load in
            guard load.outcome != nil else { return false }
            load.join()
            Socket.close(load.plan.descriptor)
            return true
        }
        switch state.following.stage {
        case .none, .streaming: break
        case .waiting(let until): if turnNanoseconds >= until { connectLink() }
        case .connecting(let attempt):
            if let outcome = attempt.outcome { connected(attempt, outcome) }
        case .greeting(let connection): dropIfSilent(connection)
        case .loading(let load): tendFullLoad(load)
        }
    }

    /// Once a second.
    mutating func tendLinkEachSecond() {
        guard case .streaming(let connection) = state.following.stage else { return }
        if dropIfSilent(connection) { return }
        acknowledge(connection, state.dispatcher.context.log.appended)
    }

    @discardableResult
    private mutating func dropIfSilent(_ connection: PrimaryConnection) -> Bool {
        let limit = UInt64(max(state.configuration.number(.replTimeout), 1)) * 1_000_000_000
        guard turnNanoseconds > connection.lastByteAt,
            turnNanoseconds - connection.lastByteAt > limit, !connection.isPaused
        else { return false }
        if case .streaming = state.following.stage {
            loseLink("MASTER timeout: no data nor PING received...", soon: true)
        } else {
            loseLink("Timeout connecting to the MASTER...", soon: true)
        }
        return true
    }

    /// Drops the link; a partial resync is asked for when it is made again.
    mutating func loseLink(_ reason: String, soon: Bool = false) {
        if let connection = state.following.connection { poller.remove(connection.descriptor) }
        state.retryLink(reason, soon: soon)
    }

    // MARK: Connecting

    private mutating func connectLink() {
        guard let link = state.primaryLink else { return }
        let attempt = ConnectAttempt()
        let source = state.configuration.text(.bindSourceAddr)
        state.diagnostics.notice("Connecting to MASTER \(link.host):\(link.port)")
        attempt.start(
            host: link.host, port: link.port, from: source.isEmpty ? nil : source,
            milliseconds: max(state.configuration.number(.replTimeout), 1) * 1000, wake: state.wake)
        state.following.stage = .connecting(attempt)
        state.updateLink { $0.state = .connecting }
        state.diagnostics.notice("MASTER <-> REPLICA sync started")
    }

    private mutating func connected(
        _ attempt: ConnectAttempt, _ outcome: Result<Int32, SystemError>
    ) {
        attempt.join()
        guard let link = state.primaryLink else { return }
        let descriptor: Int32
        switch outcome {
        case .success(let made): descriptor = made
        case .failure(let error):
            return state.retryLink("Error condition on socket for SYNC: \(error.reason)")
        }
        Socket.prepare(descriptor, keepAliveSeconds: state.settings.keepAliveSeconds)
        let session = Session(
            id: state.sessions.makeID(), descriptor: descriptor,
            address: PeerAddress(text: "\(link.host):\(link.port)", isLocal: false),
            localAddress: Socket.localAddress(descriptor), isUnixSocket: false,
            now: state.monotonicSeconds)
        session.isPrimary = true
        let connection = PrimaryConnection(
            descriptor, LinkHandshake(request()), session: session, now: turnNanoseconds)
        do throws(SystemError) {
            try poller.add(descriptor, token: Self.linkToken, .readable)
        } catch {
            Socket.close(descriptor)
            return state.retryLink("Can't wait for the primary: \(error.reason)")
        }
        state.diagnostics.notice("Non blocking connect for SYNC fired the event.")
        state.following.stage = .greeting(connection)
        state.updateLink { $0.state = .handshake }
        send(connection, connection.handshake.opening)
    }

    private func request() -> LinkHandshake.Request {
        var request = LinkHandshake.Request()
        request.user = state.configuration.bytes(.masteruser)
        request.password = state.configuration.bytes(.masterauth)
        let port = state.configuration.number(.replicaAnnouncePort)
        request.port = port > 0 ? port : state.configuration.port
        request.address = state.configuration.bytes(.replicaAnnounceIp)
        request.isFailover = state.following.isHandingOver
        request.place = state.following.claim.place(
            in: state.replication.histories, end: state.dispatcher.context.log.appended)
        return request
    }

    // MARK: Reading and writing

    mutating func handleLink(_ event: Poller.Event) {
        guard let connection = state.following.connection else { return }
        if event.isWritable { flush(connection) }
        guard event.isReadable || event.isBroken else { return }
        if connection.isPaused {
            if event.isBroken { loseLink("Connection with master lost.") }
            return
        }
        let isOpen = read(connection)
        if case .greeting = state.following.stage { greet(connection) }
        if case .streaming = state.following.stage { applyStream(connection) }
        guard !isOpen, state.following.connection === connection else { return }
        // At once where all was well: the primary may have its reasons. Where it wasn't, in a while.
        var wasStreaming = false
        if case .streaming = state.following.stage { wasStreaming = true }
        loseLink("Connection with master lost.", soon: wasStreaming)
    }

    /// So many bytes are taken in a turn, so that clients are served as well.
    private static let linkBytesPerTurn = 1 << 20

    /// - Returns: false if the other end has closed.
    private mutating func read(_ connection: PrimaryConnection) -> Bool {
        var taken = 0
        defer {
            if taken > 0 {
                connection.lastByteAt = turnNanoseconds
                state.statistics.inputBytes &+= UInt64(taken)
                state.statistics.linkInputBytes &+= UInt64(taken)
                let seconds = state.monotonicSeconds
                let end = state.dispatcher.context.log.appended.advanced(by: connection.input.count)
                state.updateLink { link in
                    link.lastByteAt = seconds
                    if link.isUp { link.received = end }
                }
            }
        }
        // The first lines come in small pieces, and what follows them may belong to another thread.
        var limit = Self.linkBytesPerTurn
        if case .greeting = state.following.stage { limit = LinkHandshake.lineBytesMax }
        while taken < limit {
            let room = min(max(connection.input.count, 64 << 10), limit)
            switch Socket.read(connection.descriptor, into: &connection.input, room: room) {
            case .wouldBlock: return true
            case .closed: return false
            case .moved(let count):
                taken += count
                if count < room { return true }
            }
        }
        return true
    }

    mutating func send(_ connection: PrimaryConnection, _ bytes: [UInt8]) {
        connection.output.append(bytes)
        flush(connection)
    }

    private mutating func flush(_ connection: PrimaryConnection) {
        if !connection.output.isEmpty {
            switch Socket.write(connection.descriptor, connection.output.slice) {
            case .moved(let count):
                state.statistics.outputBytes &+= UInt64(count)
                connection.output.consume(count)
            case .wouldBlock: break
            // Reading will tell.
            case .closed: connection.output.removeAll()
            }
        }
        let wants = !connection.output.isEmpty
        guard wants != connection.wantsWritable else { return }
        connection.wantsWritable = wants
        updateInterest(connection)
    }

    private func updateInterest(_ connection: PrimaryConnection) {
        var interest: Poller.Interest = []
        if !connection.isPaused { interest.insert(.readable) }
        if connection.wantsWritable { interest.insert(.writable) }
        // Registered as long as it is open; a failure would end in a timeout of the link.
        try? poller.change(connection.descriptor, token: Self.linkToken, interest)
    }

    // MARK: The first lines

    private mutating func greet(_ connection: PrimaryConnection) {
        while case .greeting = state.following.stage, !connection.input.isEmpty {
            let (used, action) = connection.handshake.take(connection.input.slice)
            connection.input.consume(used)
            switch action {
            case .wait:
                if used == 0 { return }
            case .send(let bytes):
                send(connection, bytes)
            case .resume(let resumption):
                resume(connection, resumption)
            case .fullResync(let history, let lsn):
                connection.resync = (history, lsn)
                let seconds = state.monotonicSeconds
                state.updateLink { link in
                    link.state = .sync
                    link.transfer = PrimaryLink.Transfer(totalBytes: nil, at: seconds)
                }
                state.diagnostics.notice("Full resync from master: \(history):\(lsn)")
            case .receive(let form):
                beginFullLoad(connection, form)
            case .retry(let reason):
                if state.failover != nil {
                    state.abortFailover("Failover target rejected psync request: \(reason)")
                } else {
                    loseLink(reason)
                }
            }
        }
    }

    private mutating func resume(_ connection: PrimaryConnection, _ resumption: Resumption) {
        let end = state.dispatcher.context.log.appended
        let asked = state.replication.histories.offered(at: end)
        state.following.isHandingOver = false
        state.diagnostics.notice("Successful partial resynchronization with master.")
        if let history = resumption.history, history != asked {
            state.diagnostics.notice("Master replication ID changed to \(history)")
        }
        state.goOn(
            in: state.following.claim.resume(
                resumption, in: state.replication.histories, end: end))
        beginStream(connection)
    }

    /// The stream follows from the end of the log.
    mutating func beginStream(_ connection: PrimaryConnection) {
        connection.units = StreamUnits(database: state.dispatcher.context.log.database)
        connection.session.database = state.dispatcher.context.log.database
        state.following.stage = .streaming(connection)
        state.following.lastFailure = ""
        state.following.claim.streamBegins()
        // Siblings may come for the stream when this server becomes primary.
        if state.replicas.backlog == nil { state.startBacklog() }
        let end = state.dispatcher.context.log.appended
        state.updateLink { link in
            link.state = .connected
            link.downSince = nil
            link.transfer = nil
            link.received = end
        }
        // Also one that knows no PSYNC may hold the stream back until it hears from the replica.
        acknowledge(connection, end, isFirst: true)
    }

    // MARK: Acknowledgements

    /// Tells the primary how far this server is: applied and as safe as the policy promises, and durable.
    mutating func acknowledge(
        _ connection: PrimaryConnection, _ applied: LSN, isFirst: Bool = false
    ) {
        if connection.isMute, !isFirst { return }
        send(
            connection,
            LinkHandshake.command(
                StreamClaim.acknowledgement(
                    applied: applied, acknowledged: state.durability.acknowledged,
                    durable: state.durability.writer?.watermarks.durable)))
    }

    /// At the end of a turn, when its records are with the log: answers GETACK as soon as what it asks about is safe,
    /// and lets the stream go on when the disk has caught up.
    mutating func finishLinkTurn() {
        if case .waiting(let until) = state.following.stage, turnNanoseconds >= until { tendLink() }
        guard case .streaming(let connection) = state.following.stage else { return }
        if let due = connection.ackDue, due <= state.durability.acknowledged {
            connection.ackDue = nil
            acknowledge(connection, due)
        }
        let mustPause = state.condition.holdsWriters && !state.ignoresFailingLog()
        if connection.isPaused != mustPause {
            connection.isPaused = mustPause
            connection.lastByteAt = turnNanoseconds
            updateInterest(connection)
        }
    }
}

extension ServerState {
    /// `replica-ignore-disk-write-errors`: the stream is applied although nothing of it reaches the disk. It waits in
    /// memory for the log to heal, however much it becomes.
    fileprivate mutating func ignoresFailingLog() -> Bool {
        guard configuration.flag(.replicaIgnoreDiskWriteErrors),
            durability.writer?.isFailing == true
        else { return false }
        let seconds = monotonicSeconds
        if seconds - following.toldOfFailingLogAt >= 10 {
            following.toldOfFailingLogAt = seconds
            diagnostics.warning(
                "Replica is applying a command even though it is unable to write to disk.")
        }
        return true
    }

    /// What follows the end of the log is of `history`.
    mutating func goOn(in history: HistoryID) {
        guard history != replication.histories.current else { return }
        beginHistory(history)
        disconnectReplicas()
    }
}
