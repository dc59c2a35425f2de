internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import TestSupport

/// A replica's connection, at its primary.
final class ReplicaSession {
    let socket: SimSocket
    let feed = ReplicaFeed()
    var decoder = CommandDecoder()
    var input = ByteBuffer()
    var output: [UInt8] = []
    /// What a thread sends it.
    var transfer: Transfer?
    var isDoomed = false

    enum Transfer {
        /// A snapshot, which is made whole at once and sent bit by bit.
        case snapshot([UInt8], of: LSN)
        case files(LogCursor, pending: [UInt8])
    }

    var peer: Int { socket.peer }

    init(_ socket: SimSocket) { self.socket = socket }
}

/// The primary's side: who may go on, and what is sent.
extension SimProcess {
    func disconnectReplicas() {
        for session in sessions { session.isDoomed = true }
    }

    func closeDoomed() {
        for session in sessions where session.isDoomed { session.socket.close() }
        sessions.removeAll { $0.isDoomed }
    }

    // MARK: What they say

    func receive(_ session: ReplicaSession) {
        guard let bytes = session.socket.read(16 << 10) else {
            session.isDoomed = true
            return closeDoomed()
        }
        if bytes.isEmpty { return }
        session.input.append(bytes)
        session.feed.heardAt = Int64(now / 1_000_000_000)
        while !session.isDoomed {
            // Signs of life between commands.
            while !session.input.isEmpty, session.input.slice[0] == 10 { session.input.consume(1) }
            if session.input.isEmpty { break }
            var words: [[[UInt8]]] = []
            batch.removeAll()
            do throws(ProtocolError) {
                let used = try session.decoder.decode(
                    session.input.slice, into: &batch, limits: RESPLimits())
                for index in 0..<batch.count {
                    let arguments = batch.arguments(of: index)
                    words.append((0..<arguments.count).map { arguments[$0].copyToArray() })
                }
                batch.removeAll()
                session.input.consume(used)
                if used == 0 { break }
            } catch {
                judge.fail("a replica's commands can't be read: \(error.reason)")
                session.isDoomed = true
            }
            for command in words { obey(command, session) }
        }
    }

    private func obey(_ words: [[UInt8]], _ session: ReplicaSession) {
        let texts = words.map { String(decoding: $0, as: UTF8.self) }
        switch texts[0].uppercased() {
        case "PING": session.output += Array("+PONG\r\n".utf8)
        case "REPLCONF":
            if texts[1] == "ACK" { return acknowledge(session, texts) }
            for option in texts.dropFirst(2) where texts[1] == "capa" {
                if option == "eof" { session.feed.readsToMark = true }
                if option == "psync2" { session.feed.followsHistories = true }
                if option == LinkHandshake.lz4Capability { session.feed.readsLZ4 = true }
                if option == Resumption.capability, cluster.tellsForks {
                    session.feed.readsForks = true
                }
            }
            session.output += Array("+OK\r\n".utf8)
        case "PSYNC": psync(words, session)
        default: judge.fail("a replica says \(texts)")
        }
    }

    private func acknowledge(_ session: ReplicaSession, _ texts: [String]) {
        guard session.feed.isAttached, let offset = Int64(texts[2]) else { return }
        let synced = texts.count > 4 ? Int64(texts[4]) : nil
        if case .nonsense = session.feed.acknowledge(offset, durable: synced, end: end) {
            judge.fail("node \(session.peer) acknowledges \(texts), which was never sent")
            session.isDoomed = true
        }
    }

    private func psync(_ words: [[UInt8]], _ session: ReplicaSession) {
        if replication.isCutOff {
            session.output += Array("-NOMASTERLINK Can't SYNC\r\n".utf8)
            return
        }
        let feed = session.feed
        guard let offset = Int64(String(decoding: words[2], as: UTF8.self)) else { return }
        let answer = words[1].withSlice { id in
            PartialResync.answer(
                id: id, offset: offset, histories: replication.histories, end: end,
                followed: isPrimary ? nil : claim, isKept: isKept)
        }
        cluster.say("node \(node.number): PSYNC of node \(session.peer): \(answer)")
        feed.heardAt = Int64(now / 1_000_000_000)
        switch answer {
        case .goOn(let lsn):
            replication.partialCount += 1
            cluster.tally.partials += 1
            feed.phase = .online
            feed.cursor = lsn
            let resumption = words[1].withSlice {
                Resumption(from: $0, in: replication.histories, for: feed)
            }
            session.output += Array("+\(resumption.line)\r\n".utf8)
        case .notYet:
            session.output += Array("-NOMASTERLINK Can't SYNC while behind\r\n".utf8)
            return
        case .full(let reason):
            checkNeed(of: session, id: words[1], offset: offset, reason)
            replication.fullCount += 1
            cluster.tally.fulls += 1
            feed.phase = .waiting
        }
        if backlog == nil { startBacklog() }
    }

    func isKept(_ lsn: LSN) -> Bool {
        KeptStream.holds(
            lsn, in: backlog, logged: dispatcher.context.log.first, unreadable: unreadable,
            extent: writer.extent)
    }

    /// R6: with what is really so in mind, was there no other way?
    private func checkNeed(
        of session: ReplicaSession, id: [UInt8], offset: Int64, _ reason: FullResyncReason
    ) {
        guard let history = id.withSlice({ HistoryID($0) }) else {
            if let replica = cluster.nodes[session.peer].process, replica.end > .zero,
                !replica.isPrimary
            {
                judge.fail(
                    "R6: node \(session.peer) asks for everything with a log up to \(replica.end)")
            }
            return
        }
        let lsn = LSN(UInt64(offset - 1))
        if case .beyondEnd = reason, node.settings.policy == .always,
            let life = judge.lineage.life(of: history), cluster.owners[life] == node.number
        {
            judge.fail(
                "R9: node \(node.number) has sent LSN \(lsn) of \(history), and lost it: \(reason)")
        }
        guard lsn > .zero, isKept(lsn), unreadable == nil else { return }
        let current = replication.histories.current
        if judge.lineage.isPrefix(history, lsn, of: current, end) {
            cluster.needless(
                "R6: node \(node.number) at \(end) of \(replication.histories.spans) sends everything to "
                    + "node \(session.peer) at \(lsn) of \(history): \(reason)",
                isForkUnknown: !cluster.tellsForks && reason != .gone)
        }
    }

    func startBacklog() {
        backlog = Backlog(
            at: dispatcher.context.log.first, bytesWanted: node.options.backlogBytes)
        dispatcher.context.logsEffects = replication.isPrimary
    }

    // MARK: What they get

    func serveReplicas() {
        for session in sessions { flush(session) }
        for session in sessions where session.feed.phase == .waiting && session.output.isEmpty {
            beginResync(session)
        }
        let limit = min(backlog?.end ?? .zero, acknowledged)
        for session in sessions {
            send(session)
            feed(session, upTo: limit)
        }
        if var kept = backlog.take() {
            KeptStream.trim(
                &kept, for: sessions.lazy.map(\.feed), hasLog: true,
                slackBytes: node.options.slackBytes)
            backlog = kept
        }
        closeDoomed()
        for socket in cluster.network.accept(node.number) {
            sessions.append(ReplicaSession(socket))
        }
    }

    private func flush(_ session: ReplicaSession) {
        guard !session.output.isEmpty else { return }
        guard let count = session.socket.write(session.output) else {
            session.isDoomed = true
            return
        }
        session.output.removeFirst(count)
    }

    private func feed(_ session: ReplicaSession, upTo limit: LSN) {
        let replica = session.feed
        guard replica.phase == .online, session.output.isEmpty, !session.isDoomed else { return }
        while replica.cursor < limit {
            let bytes = backlog?.slice(from: replica.cursor, upTo: limit) ?? ByteSlice()
            if bytes.isEmpty {
                let cursor = LogCursor(from: replica.cursor, on: disk) { [writer] in
                    writer.extent(at: $0)
                }
                replica.phase = .catchingUp
                session.transfer = .files(cursor, pending: [])
                cluster.tally.catchUps += 1
                return
            }
            guard let count = session.socket.write(bytes) else {
                session.isDoomed = true
                return
            }
            replica.cursor = replica.cursor.advanced(by: count)
            if count < bytes.count { return }
        }
    }

    /// What a replica's thread does.
    private func send(_ session: ReplicaSession) {
        guard let transfer = session.transfer, !session.isDoomed else { return }
        switch transfer {
        case .snapshot(var bytes, let lsn):
            // Nothing leaves that a crash could take back.
            guard lsn <= acknowledged else { return }
            guard let count = session.socket.write(bytes) else {
                session.isDoomed = true
                return
            }
            bytes.removeFirst(count)
            guard bytes.isEmpty else {
                session.transfer = .snapshot(bytes, of: lsn)
                return
            }
            session.transfer = nil
            session.feed.heardAt = Int64(now / 1_000_000_000)
            session.feed.snapshotSent(endsByMark: node.options.endsByMark)
        case .files(let cursor, var pending):
            guard let count = session.socket.write(pending) else {
                session.isDoomed = true
                return
            }
            pending.removeFirst(count)
            session.transfer = .files(cursor, pending: pending)
            guard pending.isEmpty else { return }
            if cursor.lsn >= backlog?.handOver ?? .zero {
                session.transfer = nil
                session.feed.cursor = cursor.lsn
                session.feed.phase = .online
                return
            }
            guard cursor.lsn < acknowledged else { return }
            var buffer = ByteBuffer()
            do throws(LogCursorError) {
                try cursor.read(
                    into: &buffer, upTo: acknowledged, bytesMax: node.options.feedChunkBytes)
                session.transfer = .files(cursor, pending: buffer.copyToArray())
            } catch {
                switch error {
                case .gone(let lsn), .damaged(_, let lsn, _):
                    unreadable = max(unreadable ?? .zero, lsn)
                    if case .damaged = error { judge.fail("node \(node.number): \(error)") }
                case .system: break
                }
                cluster.say("node \(node.number): the log can't be read: \(error)")
                session.isDoomed = true
            }
        }
    }

    /// A frozen view becomes a snapshot on its way.
    private func beginResync(_ session: ReplicaSession) {
        let lsn = end
        session.feed.phase = .receiving
        session.feed.cursor = lsn
        var header = SnapshotHeader()
        header.history = replication.histories.current.description
        header.lsn = lsn.value
        header.milliseconds = wall
        header.replicationID = header.history
        header.replicationOffset = lsn.value
        header.streamDatabase = dispatcher.context.log.database
        var settings = SnapshotSettings()
        settings.compression = session.feed.readsLZ4 ? .lz4 : .none
        let view = dispatcher.context.keyspace.freeze()
        let epoch = view.epoch
        let sink = MemorySink()
        do throws(SnapshotWriteError) {
            _ = try SnapshotWriter.write(
                view, header: header, settings: settings, to: sink, progress: SnapshotProgress())
        } catch {
            judge.fail("a snapshot in memory failed: \(error)")
        }
        _ = consume view
        dispatcher.context.keyspace.thaw(epoch)
        var bytes = Array("+FULLRESYNC \(replication.histories.current) \(lsn)\r\n".utf8)
        if node.options.endsByMark {
            let mark = Array(HistoryID(random.next(), random.next(), 7).description.utf8)
            bytes += Array("$EOF:".utf8) + mark + [13, 10] + sink.bytes + mark
        } else {
            bytes += Array("$\(sink.bytes.count)\r\n".utf8) + sink.bytes
        }
        dispatcher.context.log.forgetDatabase()
        session.transfer = .snapshot(bytes, of: lsn)
    }

    // MARK: Now and then

    func tendReplicas() {
        let seconds = Int64(now / 1_000_000_000)
        for session in sessions where session.output.isEmpty {
            switch session.feed.phase {
            case .waiting: _ = session.socket.write([10])
            case .loading, .online, .catchingUp:
                if seconds - session.feed.heardAt > Int64(node.options.timeoutSeconds) {
                    session.isDoomed = true
                }
            default: break
            }
        }
        closeDoomed()
    }

    func pingReplicas() {
        guard isPrimary, !sessions.isEmpty, now - pingedAt > 2_000_000_000, cluster.pings else {
            return
        }
        pingedAt = now
        dispatcher.context.log.beginRecord(
            database: dispatcher.context.log.database, argumentCount: 1)
        dispatcher.context.log.append(argument: "PING")
    }

    func askReplicas() {
        wantsAcks = false
        guard !sessions.isEmpty, isPrimary else { return }
        dispatcher.context.log.beginRecord(
            database: dispatcher.context.log.database, argumentCount: 3)
        dispatcher.context.log.append(argument: "REPLCONF")
        dispatcher.context.log.append(argument: "GETACK")
        dispatcher.context.log.append(argument: "*")
    }
}
