internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import TestSupport

enum LinkStage {
    case none
    case waiting(until: UInt64)
    case greeting(PrimaryConnection)
    case loading(SimLoad)
    case streaming(PrimaryConnection)
}

/// A replica's connection to its primary.
final class PrimaryConnection {
    let socket: SimSocket
    var handshake: LinkHandshake
    var input = ByteBuffer()
    var output: [UInt8] = []
    var units = StreamUnits(database: 0)
    var decoder = CommandDecoder()
    var database = 0
    var lastByteAt: UInt64
    var resync: (history: HistoryID, lsn: LSN)?
    var ackDue: LSN?
    var isPaused = false

    init(_ socket: SimSocket, _ handshake: LinkHandshake, now: UInt64) {
        self.socket = socket
        self.handshake = handshake
        lastByteAt = now
    }
}

/// A full resync as it comes in.
final class SimLoad {
    let connection: PrimaryConnection
    let path: String
    let file: any File
    var reader: PayloadReader
    var bytes: [UInt8] = []

    init(_ connection: PrimaryConnection, _ form: PayloadForm, path: String, file: any File) {
        self.connection = connection
        self.path = path
        self.file = file
        reader = PayloadReader(form)
    }
}

/// The replica's side: connecting, the first lines, the stream, acknowledgements.
extension SimProcess {
    func beginFollowing() {
        dispatcher.context.logsEffects = false
        stage = .waiting(until: 0)
    }

    func updateLink(_ body: (inout PrimaryLink) -> Void) {
        guard case .replica(var link) = replication.role else { return }
        body(&link)
        replication.role = .replica(link)
    }

    func endLink() {
        switch stage {
        case .none, .waiting: break
        case .greeting(let connection), .streaming(let connection): connection.socket.close()
        case .loading(let load):
            load.file.close()
            load.connection.socket.close()
        }
        claim.streamEnds()
        updateLink { $0.state = .connect }
        if !isPrimary { stage = .waiting(until: 0) }
    }

    func loseLink(_ reason: String, soon: Bool = false) {
        cluster.say("node \(node.number): \(reason)")
        endLink()
        stage = .waiting(until: soon ? 0 : now + 1_000_000_000)
    }

    // MARK: Now and then

    func tendLink() {
        guard case .replica(let link) = replication.role else { return }
        let timeout = node.options.timeoutSeconds * 1_000_000_000
        switch stage {
        case .none, .streaming: break
        case .waiting(let until):
            guard now >= until else { break }
            guard cluster.network.reaches(node.number, link.port),
                cluster.nodes[link.port].process != nil
            else { return loseLink("node \(link.port) can't be reached") }
            var request = LinkHandshake.Request()
            request.port = node.number
            request.place = claim.place(in: replication.histories, end: end)
            let connection = PrimaryConnection(
                cluster.network.connect(node.number, to: link.port), LinkHandshake(request),
                now: now)
            stage = .greeting(connection)
            updateLink { $0.state = .handshake }
            send(connection, connection.handshake.opening)
        case .greeting(let connection):
            if now - connection.lastByteAt > timeout { loseLink("silence", soon: true) }
        case .loading(let load):
            if now - load.connection.lastByteAt > timeout { loseLink("silence", soon: true) }
        }
    }

    func tendLinkEachSecond() {
        switch stage {
        case .streaming(let connection):
            if now - connection.lastByteAt > node.options.timeoutSeconds * 1_000_000_000,
                !connection.isPaused
            {
                return loseLink("MASTER timeout", soon: true)
            }
            acknowledge(connection, end)
        case .loading(let load): _ = load.connection.socket.write([10])
        case .none, .waiting, .greeting: break
        }
    }

    // MARK: Bytes

    func handleLink() {
        switch stage {
        case .none, .waiting: break
        case .loading(let load): receive(load)
        case .greeting(let connection), .streaming(let connection):
            flush(connection)
            if connection.isPaused { return }
            var limit = 16 << 10
            if case .greeting = stage { limit = 64 }
            guard let bytes = connection.socket.read(limit) else {
                var wasStreaming = false
                if case .streaming = stage { wasStreaming = true }
                return loseLink("connection with master lost", soon: wasStreaming)
            }
            if bytes.isEmpty { return }
            connection.lastByteAt = now
            connection.input.append(bytes)
            if case .greeting = stage { greet(connection) }
            if case .streaming = stage { applyStream(connection) }
        }
    }

    private func send(_ connection: PrimaryConnection, _ bytes: [UInt8]) {
        connection.output += bytes
        flush(connection)
    }

    private func flush(_ connection: PrimaryConnection) {
        guard !connection.output.isEmpty else { return }
        let count = connection.socket.write(connection.output) ?? connection.output.count
        connection.output.removeFirst(count)
    }

    private func greet(_ connection: PrimaryConnection) {
        while case .greeting = stage, !connection.input.isEmpty {
            let (used, action) = connection.handshake.take(connection.input.slice)
            connection.input.consume(used)
            switch action {
            case .wait: if used == 0 { return }
            case .send(let bytes): send(connection, bytes)
            case .resume(let resumption):
                goOn(in: claim.resume(resumption, in: replication.histories, end: end))
                beginStream(connection)
            case .fullResync(let history, let lsn):
                connection.resync = (history, lsn)
                updateLink { $0.state = .sync }
            case .receive(let form): beginLoad(connection, form)
            case .retry(let reason): loseLink(reason)
            }
        }
    }

    private func goOn(in history: HistoryID) {
        guard history != replication.histories.current else { return }
        beginHistory(history)
        disconnectReplicas()
    }

    private func beginStream(_ connection: PrimaryConnection) {
        connection.units = StreamUnits(database: dispatcher.context.log.database)
        connection.database = dispatcher.context.log.database
        stage = .streaming(connection)
        claim.streamBegins()
        connection.socket.dataNumber = node.dataNumber
        if backlog == nil { startBacklog() }
        updateLink { $0.state = .connected }
        acknowledge(connection, end)
    }

    // MARK: The stream

    private func applyStream(_ connection: PrimaryConnection) {
        applyHistory(connection)
        while let next = claim.history(beginningAt: end) {
            goOn(in: next)
            applyHistory(connection)
        }
    }

    private func applyHistory(_ connection: PrimaryConnection) {
        let size = claim.bytes(from: end)
        let input = connection.input.slice.prefix(size)
        do throws(StreamUnits.Fault) {
            _ = try connection.units.scan(input, into: &batch) {
                dispatcher.fault(ofRecord: $0)
            }
        } catch {
            judge.fail("R1: node \(node.number) can't take the stream: \(error)")
        }
        batch.removeAll()
        let count = connection.units.whole
        if input.count == size, count < size {
            judge.fail("R3: node \(node.number): a history that begins inside of a command")
        }
        guard count > 0 else { return }
        let units = connection.input.slice.prefix(count)
        let first = end
        dispatcher.context.log.append(stream: units, database: connection.units.database)
        apply(units, from: first, connection)
        connection.input.consume(count)
        connection.units.applied(count)
    }

    private func apply(_ units: ByteSlice, from first: LSN, _ connection: PrimaryConnection) {
        var used = 0
        var isInTransaction = false
        while used < units.count {
            batch.removeAll()
            var step = 0
            do throws(ProtocolError) {
                step = try connection.decoder.decode(
                    units.dropFirst(used), into: &batch, limits: RESPLimits())
            } catch { judge.fail("records that were whole can't be read: \(error.reason)") }
            guard step > 0 else { return judge.fail("a unit that was whole isn't") }
            dispatcher.prepare(&batch, database: connection.database)
            for index in 0..<batch.count {
                let arguments = batch.arguments(of: index)
                let name = arguments[0]
                if isInTransaction {
                    if name.equalsIgnoringCase("exec") { isInTransaction = false }
                } else {
                    dispatcher.beginUnit(at: wall)
                    isInTransaction = name.equalsIgnoringCase("multi")
                }
                let start = used + (index > 0 ? batch[index - 1].end : 0)
                run(index, arguments, at: first.advanced(by: start), connection)
                if !isInTransaction { dispatcher.endUnit() }
            }
            used += step
        }
        batch.removeAll()
    }

    private func run(
        _ index: Int, _ arguments: Arguments, at lsn: LSN, _ connection: PrimaryConnection
    ) {
        let command = batch[index]
        dispatcher.context.database = connection.database
        switch dispatcher.follow(
            row: Int(command.row), arguments, keyHash: command.keyHash, at: wall)
        {
        case .applied: break
        case .failed: judge.fail("R2: a command of the stream failed at node \(node.number)")
        case .notOnData:
            if arguments[0].equalsIgnoringCase("select") {
                connection.database = DecimalText.parse(arguments[1]).map { Int($0) } ?? 0
            } else if StreamMessage(arguments[0]) == .control {
                connection.ackDue = lsn
            }
        }
    }

    // MARK: Acknowledgements

    private func acknowledge(_ connection: PrimaryConnection, _ applied: LSN) {
        send(
            connection,
            LinkHandshake.command(
                StreamClaim.acknowledgement(
                    applied: applied, acknowledged: acknowledged,
                    durable: writer.watermarks.durable)))
    }

    func finishLinkTurn() {
        guard case .streaming(let connection) = stage else { return }
        if let due = connection.ackDue, due <= acknowledged {
            connection.ackDue = nil
            acknowledge(connection, due)
        }
        let mustPause = writer.shouldHoldWriters
        if connection.isPaused != mustPause {
            connection.isPaused = mustPause
            connection.lastByteAt = now
        }
    }

    // MARK: All data

    private func beginLoad(_ connection: PrimaryConnection, _ form: PayloadForm) {
        loadCount += 1
        let path = node.folder.path(
            of: "\(LogFolder.temporaryBasePrefix)resync-\(life)-\(loadCount).aof")
        do throws(SystemError) {
            let file = try disk.open(path, .createOrTruncate)
            let load = SimLoad(connection, form, path: path, file: file)
            stage = .loading(load)
            updateLink { $0.state = .sync }
            var head = connection.input.slice.copyToArray()
            if case .length(let bytes) = form { head = Array(head.prefix(Int(bytes))) }
            connection.input.consume(head.count)
            take(head, load)
        } catch {
            loseLink("no file for the resync: \(error)")
        }
    }

    private func receive(_ load: SimLoad) {
        guard let bytes = load.connection.socket.read(load.reader.room(upTo: 16 << 10)) else {
            return loseLink("connection lost in a resync")
        }
        if !bytes.isEmpty {
            load.connection.lastByteAt = now
            take(bytes, load)
        }
    }

    private func take(_ bytes: [UInt8], _ load: SimLoad) {
        do {
            try bytes.withSlice { slice throws(SystemError) in
                try load.reader.take(slice) { part throws(SystemError) in
                    try load.file.writeAll(part, at: Int64(load.bytes.count))
                    load.bytes += part.copyToArray()
                }
            }
            if load.reader.isAtEnd { try finish(load) }
        } catch {
            loseLink("the resync failed: \(error)")
            // What stays of it is litter.
            do throws(SystemError) { try disk.remove(load.path) } catch {}
        }
    }

    private struct Refusal: Error, CustomStringConvertible { let description: String }

    private func finish(_ load: SimLoad) throws {
        guard let place = load.connection.resync else { throw Refusal(description: "no place") }
        var keyspace = Keyspace(
            databases: Self.databases, hasher: dispatcher.context.keyspace.hasher)
        var loader = try SnapshotLoader(
            MemorySource(load.bytes), settings: SnapshotLoaderSettings())
        while try loader.step(into: &keyspace, bytes: 1 << 20) {}
        let keysComing = loader.keysLoaded
        let database = loader.aux.streamDatabase ?? 0
        guard loader.aux.history == place.history.description, loader.aux.lsn == place.lsn.value
        else { return judge.fail("a snapshot of another state than was announced") }
        try load.file.sync()
        load.file.close()
        let refuses = StreamClaim.refusesData(
            keysComing: keysComing, of: place.history, keysHeld: keyCount,
            histories: replication.histories)
        if refuses {
            cluster.tally.refusals += 1
            throw Refusal(description: "the master is empty")
        }
        if keysComing == 0, keyCount > 0, cluster.nodes[load.connection.socket.peer].isWiped {
            judge.fail("R7: node \(node.number) gives its data away for nothing")
        }
        let hadKeys = keyCount > 0
        try replaceData(with: keyspace, load, place.history, place.lsn, database)
        cluster.say("node \(node.number): has all data of \(place.history) at \(place.lsn)")
        judge.replaced(
            node.number, from: load.connection.socket.peer, place.history, place.lsn,
            hadKeys: hadKeys)
        claim.needsFullResync = false
        node.isWiped = false
        node.dataNumber += 1
        checkData()
        beginStream(load.connection)
        if !load.connection.input.isEmpty { applyStream(load.connection) }
    }

    private func replaceData(
        with keyspace: consuming Keyspace, _ load: SimLoad, _ history: HistoryID, _ lsn: LSN,
        _ database: Int
    ) throws {
        stage = .waiting(until: 0)
        submit()
        disconnectReplicas()
        closeDoomed()
        rewrite = nil
        waiting = []
        var settings = RecoverySettings(folder: node.folder, freshHistory: history)
        settings.dumpName = recovery.dumpName
        let oldEnd = end
        _ = closeWriter()
        do {
            let log = try ReceivedLog.begin(
                with: load.path, bytes: Int64(load.bytes.count), at: lsn, history: nil,
                database: database,
                settings, on: disk, lock: lock)
            writer = try SteppedLogWriter(
                log, in: node.folder, settings: node.settings, fileSystem: disk,
                clock: cluster.clock)
            attach(log)
        } catch {
            let reason = "\(error)"
            lock?.close()
            do {
                let log = try ReceivedLog.reopen(endingAt: oldEnd, settings, on: disk)
                do {
                    writer = try SteppedLogWriter(
                        log, in: node.folder, settings: node.settings, fileSystem: disk,
                        clock: cluster.clock)
                    attach(log)
                } catch {
                    log.lock?.close()
                    throw error
                }
            } catch {
                // A call that failed had its effect, or the disk goes on failing. The server goes on without a log, and
                // says so; here its life ends, and either of the logs may be found.
                judge.replaced(
                    node.number, from: load.connection.socket.peer, history, lsn, hadKeys: false)
                node.dataNumber += 1
                cluster.say("node \(node.number): the old log can't be gone on with: \(error)")
                cluster.condemn(node)
            }
            throw Refusal(description: reason)
        }
        recovery = settings
        _ = dispatcher.replaceData(with: keyspace)
        unreadable = nil
        if backlog != nil { startBacklog() }
    }
}
