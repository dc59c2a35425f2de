internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// How connections begin and end.
extension CommandLoop {
    mutating func accept(_ listener: Listener) {
        for _ in 0..<Self.acceptsPerTurn {
            let accepted: (Int32, PeerAddress)?
            do throws(SystemError) {
                accepted = try Socket.accept(listener.descriptor)
            } catch {
                state.diagnostics.warning("Accepting client connection: \(error.reason)")
                return
            }
            guard let (descriptor, address) = accepted else { return }
            open(descriptor, listener.isUnix ? .unix(listener.name) : address, listener)
        }
    }

    mutating func open(_ descriptor: Int32, _ address: PeerAddress, _ listener: Listener) {
        state.statistics.connectionsReceived += 1
        if state.sessions.count >= state.settings.clientsMax {
            return refuse(descriptor, "-ERR max number of clients reached\r\n")
        }
        if state.settings.isProtected, state.users.standard.rules.needsNoPassword,
            !address.isLocal
        {
            return refuse(descriptor, Self.protectedModeText)
        }
        if !listener.isUnix {
            Socket.prepare(descriptor, keepAliveSeconds: state.settings.keepAliveSeconds)
        }
        let session = Session(
            id: state.sessions.makeID(), descriptor: descriptor, address: address,
            localAddress: listener.isUnix ? address : Socket.localAddress(descriptor),
            isUnixSocket: listener.isUnix, now: state.monotonicSeconds)
        state.assignStandardUser(session)
        do throws(SystemError) {
            try poller.add(descriptor, token: session.token, .readable)
        } catch {
            Socket.close(descriptor)
            return
        }
        state.sessions.add(session)
    }

    mutating func refuse(_ descriptor: Int32, _ text: StaticString) {
        state.statistics.connectionsRejected += 1
        _ = Socket.write(descriptor, ByteSlice(text))
        Socket.close(descriptor)
    }

    static let protectedModeText: StaticString = """
        -DENIED Redis is running in protected mode because protected mode is enabled and no password is \
        set for the default user. In this mode connections are only accepted from the loopback \
        interface. If you want to connect from external computers to Redis you may adopt one of the \
        following solutions: 1) Just disable protected mode sending the command 'CONFIG SET \
        protected-mode no' from the loopback interface by connecting to Redis from the same host the \
        server is running, however MAKE SURE Redis is not publicly accessible from internet if you do \
        so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the \
        protected mode by editing the Redis configuration file, and setting the protected mode option to \
        'no', and then restarting the server. 3) If you started the server manually just for testing, \
        restart it with the '--protected-mode no' option. 4) Set up an authentication password for the \
        default user. NOTE: You only need to do one of the above things in order for the server to start \
        accepting connections from the outside.\r\n
        """

    mutating func close(_ session: Session) {
        guard !session.isClosed else { return }
        session.isClosed = true
        if let watcher = session.watcher {
            state.dispatcher.watches.unwatch(watcher)
            state.dispatcher.updateRecording()
        }
        state.endWait(session)
        state.leavePubSub(session)
        state.disableTracking(session)
        state.leaveMonitor(session)
        poller.remove(session.descriptor)
        if !state.leaveReplicas(session) { Socket.close(session.descriptor) }
        state.sessions.remove(session)
    }

    func updateInterest(_ session: Session) {
        guard !session.isClosed else { return }
        var interest: Poller.Interest = []
        if !session.isHeld && !session.closesAfterReply {
            interest.insert(.readable)
        }
        if session.wantsWritable { interest.insert(.writable) }
        // The descriptor is registered as long as the session is open; a failure would show as a hang of
        // this one session and is not to be expected.
        try? poller.change(session.descriptor, token: session.token, interest)
    }
}
