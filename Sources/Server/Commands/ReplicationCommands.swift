internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication

/// What replicas say to their primary, and ROLE.
enum ReplicationCommands {
    // MARK: REPLCONF

    /// `REPLCONF option value …`: what a replica is and can, before it asks for the stream, and how far it has got,
    /// after.
    @Sendable
    static func replconf(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard arguments.count % 2 == 1 else { throw .syntax }
        let feed = session.replica ?? ReplicaFeed()
        session.replica = feed
        var index = 1
        while index < arguments.count {
            let option = arguments[index]
            let value = arguments[index + 1]
            index += 2
            if option.equalsIgnoringCase("ack") {
                return state.acknowledge(session, feed, value, arguments, index)
            }
            // Between replica and primary the other way round; nothing to do here.
            if option.equalsIgnoringCase("getack") { return }
            try set(option, value, feed)
        }
        state.reply.ok()
    }

    private static func set(
        _ option: ByteSlice, _ value: ByteSlice, _ feed: ReplicaFeed
    ) throws(CommandError) {
        if option.equalsIgnoringCase("listening-port") {
            guard let port = DecimalText.parse(value) else { throw .notAnInteger }
            feed.listeningPort = Int(clamping: port)
        } else if option.equalsIgnoringCase("ip-address") {
            guard value.count < 255 else {
                throw .message(
                    "ERR REPLCONF ip-address provided by replica instance is too long: \(value.count) bytes"
                )
            }
            feed.announcedAddress = value.text
        } else if option.equalsIgnoringCase("capa") {
            if value.equalsIgnoringCase("eof") { feed.readsToMark = true }
            if value.equalsIgnoringCase("psync2") { feed.followsHistories = true }
            if value.equalsIgnoringCase("holdfast-lz4") { feed.readsLZ4 = true }
            if value.equalsIgnoringCase("holdfast-forks") { feed.readsForks = true }
        } else if option.equalsIgnoringCase("rdb-only") {
            guard let number = DecimalText.parse(value), number == 0 || number == 1 else {
                throw .text("ERR value is out of range, value must between 0 and 1")
            }
            feed.wantsSnapshotOnly = number == 1
        } else if option.equalsIgnoringCase("rdb-filter-only") {
            try setFilter(value, feed)
        } else if !option.equalsIgnoringCase("version") {
            throw .bytes(
                Array("ERR Unrecognized REPLCONF option: ".utf8) + option.copyToArray())
        }
    }

    /// A list of what is wanted; only `functions` can be. An empty one wants nothing.
    private static func setFilter(
        _ value: ByteSlice, _ feed: ReplicaFeed
    ) throws(CommandError) {
        guard let words = QuotedWords.split(value) else {
            throw .text("ERR Missing rdb-filter-only values")
        }
        feed.filter = .nothing
        for word in words {
            guard word.withSlice({ $0.equalsIgnoringCase("functions") }) else {
                throw .bytes(Array("ERR Unsupported rdb-filter-only option: ".utf8) + word)
            }
            feed.filter = .functions
        }
    }

    // MARK: PSYNC and SYNC

    /// `PSYNC id offset`: go on from there, or begin anew.
    @Sendable
    static func psync(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if session.isReplica { return }
        if arguments.count > 3, arguments[3].equalsIgnoringCase("failover") {
            try state.acceptFailover(arguments)
        }
        let feed = try state.beginSync(session)
        guard let offset = DecimalText.parse(arguments[2]) else { throw .notAnInteger }
        let end = state.dispatcher.context.log.appended
        let answer = PartialResync.answer(
            id: arguments[1], offset: offset, histories: state.replication.histories, end: end,
            followed: state.replication.isPrimary ? nil : state.following.claim
        ) { state.isKept($0) }
        let name = state.replicaName(session)
        switch answer {
        case .goOn(let lsn):
            state.replication.partialCount += 1
            feed.phase = .online
            feed.cursor = lsn
            state.attachReplica(session)
            state.diagnostics.notice(
                "Partial resynchronization request from \(name) accepted. Sending "
                    + "\(end.value - lsn.value) bytes of backlog starting from offset \(offset).")
            state.reply.simple(
                Resumption(from: arguments[1], in: state.replication.histories, for: feed).line)
        case .notYet:
            // It has from our primary what has yet to come here. Everything from here would take it back.
            throw .text("NOMASTERLINK Can't SYNC while behind what is asked for")
        case .full(let reason):
            if reason != .asked {
                state.replication.refusedPartialCount += 1
                state.diagnostics.notice(
                    "Partial resynchronization not accepted: \(reason) (replica \(name) asked for "
                        + "'\(arguments[1].prefix(64).text)' from offset \(offset)).")
            }
            try state.beginFullSync(session, feed)
        }
    }

    /// `SYNC`: everything, from who knows no PSYNC.
    @Sendable
    static func sync(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if session.isReplica { return }
        let feed = try state.beginSync(session)
        feed.isSilent = true
        try state.beginFullSync(session, feed)
    }

    // MARK: ROLE

    @Sendable
    static func role(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let end = Int64(clamping: state.dispatcher.context.log.appended.value)
        switch state.replication.role {
        case .primary:
            let online = state.replicas.sessions.filter { $0.replica?.isOnline ?? false }
            state.reply.array(3)
            state.reply.bulk("master")
            state.reply.integer(end)
            state.reply.array(online.count)
            for replica in online {
                guard let feed = replica.replica else { continue }
                let host = feed.announcedAddress
                state.reply.array(3)
                state.reply.bulk(Array((host.isEmpty ? replica.address.host : host).utf8))
                state.reply.bulk(Array("\(feed.listeningPort)".utf8))
                state.reply.bulk(Array("\(feed.acknowledged)".utf8))
            }
        case .replica(let link):
            state.reply.array(5)
            state.reply.bulk("slave")
            state.reply.bulk(Array(link.host.utf8))
            state.reply.integer(link.port)
            state.reply.bulk(Array(link.state.rawValue.utf8))
            state.reply.integer(link.isUp ? end : -1)
        }
    }

    static func register(_ rows: inout SessionRows) {
        rows.add("failover", -1, [.admin, .noScript, .stale], .server, FailoverCommand.failover)
        rows.add("psync", -3, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, psync)
        rows.add(
            "replconf", -1, [.admin, .noScript, .loading, .stale, .allowBusy], .server, replconf)
        rows.add(
            "role", 1, [.noScript, .loading, .stale, .fast, .sentinel], .server,
            acl: [.admin, .dangerous], role)
        rows.add("sync", 1, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, sync)
    }
}

extension ServerState {
    /// `REPLCONF ACK offset [FACK offset]`. Never answered.
    fileprivate mutating func acknowledge(
        _ session: Session, _ feed: ReplicaFeed, _ value: ByteSlice, _ arguments: Arguments,
        _ next: Int
    ) {
        guard feed.isAttached, let offset = DecimalText.parse(value) else { return }
        var synced: Int64?
        if next + 1 < arguments.count, arguments[next].equalsIgnoringCase("fack") {
            synced = DecimalText.parse(arguments[next + 1])
        }
        switch feed.acknowledge(
            offset, durable: synced, end: dispatcher.context.log.appended)
        {
        case .taken: break
        case .isReady:
            diagnostics.notice("Synchronization with replica \(replicaName(session)) succeeded")
        case .nonsense:
            diagnostics.warning(
                "Replica \(replicaName(session)) acknowledges what was never sent (\(offset)), closing the link."
            )
            doomed.append(session)
        }
        waits.replicasHaveMoved = true
        updateGoodReplicas()
    }

    /// Checks what stands against any kind of sync.
    fileprivate mutating func beginSync(_ session: Session) throws(CommandError) -> ReplicaFeed {
        if replication.isCutOff {
            throw .text("NOMASTERLINK Can't SYNC while not connected with my master")
        }
        if failover != nil { throw .text("NOMASTERLINK Can't SYNC while failing over") }
        if session.pendingBytes > 0 || !session.output.isEmpty {
            throw .text("ERR SYNC and PSYNC are invalid with pending output")
        }
        let feed = session.replica ?? ReplicaFeed()
        session.replica = feed
        diagnostics.notice("Replica \(replicaName(session)) asks for synchronization")
        return feed
    }

    fileprivate mutating func beginFullSync(
        _ session: Session, _ feed: ReplicaFeed
    ) throws(CommandError) {
        if feed.filter != .everything, !feed.readsToMark {
            throw .text("ERR Filtered replica requires EOF capability")
        }
        replication.fullCount += 1
        diagnostics.notice("Full resync requested by replica \(replicaName(session))")
        feed.phase = .waiting
        if !replicas.hasWaiting { replicas.waitingSince = clock.monotonicNanoseconds }
        replicas.hasWaiting = true
        attachReplica(session)
    }

    /// `PSYNC id offset FAILOVER`: the primary wants to change places with this replica.
    fileprivate mutating func acceptFailover(_ arguments: Arguments) throws(CommandError) {
        guard case .replica = replication.role else {
            throw .text("ERR PSYNC FAILOVER can't be sent to a master.")
        }
        guard arguments[1].text.lowercased() == replication.histories.current.description else {
            throw .text("ERR PSYNC FAILOVER replid must match my replid.")
        }
        promote()
        diagnostics.notice("MASTER MODE enabled (failover request)")
    }
}
