internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import TestSupport

/// One life of a server: the real engine, log writer, recovery and replication, with the loop's steps in the loop's
/// order and neither threads nor sockets.
final class SimProcess {
    unowned let node: SimNode
    unowned let cluster: Cluster
    let life: Int
    var random: PRNG
    var dispatcher: Dispatcher
    var batch = CommandBatch()
    var writer: SteppedLogWriter
    var lock: (any File)?
    var recovery: RecoverySettings
    var replication: ReplicationState

    // As a primary.
    var sessions: [ReplicaSession] = []
    var backlog: Backlog?
    var unreadable: LSN?
    var wantsAcks = false
    var pingedAt: UInt64 = 0
    var waiting: [WaitingWrite] = []
    var rewrite: LogBase?

    // As a replica.
    var claim = StreamClaim()
    var stage = LinkStage.none
    var secondAt: UInt64 = 0
    private var checkedEnd = LSN.zero
    var loadCount = 0

    static let databases = 3

    var judge: Judge { cluster.judge }
    var disk: SimDisk { node.disk }
    var now: UInt64 { cluster.clock.monotonicNanoseconds }
    var wall: Int64 { cluster.clock.wallMilliseconds }
    var isPrimary: Bool { replication.isPrimary }
    var end: LSN { dispatcher.context.log.appended }

    /// Everything before is as safe as the policy promises.
    var acknowledged: LSN {
        node.settings.policy == .always ? writer.watermarks.durable : writer.watermarks.written
    }

    // MARK: Start

    /// Recovers what is on the disk and opens the log.
    init(_ node: SimNode, _ cluster: Cluster, life: Int, seed: UInt64) throws {
        self.node = node
        self.cluster = cluster
        self.life = life
        random = PRNG(seed: seed)
        var context = CommandContext(
            keyspace: Keyspace(databases: Self.databases, seed: random.next()),
            log: LogBuffer(start: .zero), seed: random.next())
        context.logsEffects = false
        var dispatcher = Dispatcher(table: cluster.table, context: context)
        dispatcher.isLoading = true
        let fresh = cluster.judge.newID()
        recovery = RecoverySettings(folder: node.folder, freshHistory: fresh)
        var found: [(LSN, [UInt8])] = []
        var replayer = RecordReplayer()
        let wall = cluster.clock.wallMilliseconds
        var log = try LogReader.recover(recovery, on: node.disk) { records in
            found.append((records.firstLSN, records.records.copyToArray()))
            try replayer.apply(records, to: &dispatcher, now: wall)
        } snapshot: { place in
            try Self.load(place, into: &dispatcher.context.keyspace)
        }
        dispatcher.isLoading = false
        if replayer.failedCount > 0 {
            cluster.judge.fail("R2: node \(node.number): records failed at a start")
        }
        replication = ReplicationState(histories: log.histories)
        if let primary = node.primary { replication.role = .replica(Self.link(to: primary)) }
        if log.isFresh {
            cluster.judge.begun(fresh, after: nil, at: .zero, life: life)
        } else {
            for (lsn, bytes) in found {
                if let fault = cluster.judge.lineage.compare(bytes, at: lsn, in: log.history) {
                    cluster.judge.fail("R1: node \(node.number) recovered \(fault)")
                }
            }
        }
        let recovered = log.histories
        // As a start does it: the old id is valid up to here only.
        if !log.isFresh, replication.isPrimary {
            let id = cluster.judge.newID()
            cluster.judge.begun(id, after: log.history, at: log.end, life: life)
            log.beginHistory(id)
        }
        do {
            writer = try SteppedLogWriter(
                log, in: node.folder, settings: node.settings, fileSystem: node.disk,
                clock: cluster.clock)
        } catch {
            log.lock?.close()
            throw error
        }
        self.dispatcher = dispatcher
        attach(log)
        node.pageDrops = node.disk.pageDrops
        node.dataNumber += 1
        judge.recovered(
            node.number, recovered.current, log.end, keepsWritten: cluster.keepsWritten(node))
        checkData()
        if isPrimary, !node.isWiped {
            judge.leads(node.number, replication.histories.current, log.end)
        }
        if !isPrimary { beginFollowing() }
    }

    /// From here on effects go to the writer.
    func attach(_ log: RecoveredLog) {
        lock = log.lock
        replication.histories = log.histories
        claim.knowsHistory = !log.isFresh
        dispatcher.context.log = LogBuffer(start: log.end, database: log.database)
        dispatcher.context.logsEffects = replication.isPrimary
        dispatcher.context.holdsExpiry = !replication.isPrimary
    }

    static func link(to primary: Int) -> PrimaryLink {
        PrimaryLink(host: "node", port: primary)
    }

    static func load(_ place: LogSnapshot, into keyspace: inout Keyspace) throws -> Int64 {
        var loader = try SnapshotLoader(
            try FileSource(place.file), settings: SnapshotLoaderSettings())
        while try loader.step(into: &keyspace, bytes: 1 << 20) {}
        if let expected = place.lsn?.value, let lsn = loader.aux.lsn, lsn != expected {
            throw RecordFault(offset: 0, reason: "the base is of LSN \(lsn), not of \(expected)")
        }
        if let expected = place.history?.description, let history = loader.aux.history,
            history != expected
        {
            throw RecordFault(offset: 0, reason: "the base is of history \(history)")
        }
        return loader.isExpanded ? try place.file.size() : loader.offset
    }

    // MARK: A turn

    /// The steps of the loop in their order.
    ///
    /// - Parameter commands: that clients have sent.
    func turn(commands: Int) {
        for session in sessions { receive(session) }
        if commands > 0, isPrimary, !writer.isFailing, !writer.shouldHoldWriters {
            for _ in 0..<commands { runCommand() }
        }
        handleLink()
        if isPrimary, random.oneIn(4) {
            _ = dispatcher.expireDue(at: wall, limit: 20)
        }
        tendWaiting()
        if now - secondAt >= 1_000_000_000 {
            secondAt = now
            tendLinkEachSecond()
            tendReplicas()
            pingReplicas()
        }
        tendLink()
        submit()
        finishLinkTurn()
        tendRewrite()
        serveReplicas()
        dispatcher.context.keyspace.freeRetired(limit: 64)
        checkInvariants()
    }

    /// What the log's threads do meanwhile, in any interleaving.
    func runThreads() {
        for _ in 0..<random.below(5) where !disk.isOff {
            if writer.stepCount > 0, random.oneIn(2) {
                writer.advance(step: random.below(writer.stepCount))
            } else {
                _ = random.oneIn(2) ? writer.takeWrite() : writer.takeSync()
            }
        }
        if random.oneIn(20) { writer.settle() }
    }

    func submit() {
        if wantsAcks { askReplicas() }
        submitLog()
    }

    func submitLog() {
        guard !dispatcher.context.log.isEmpty else { return }
        judge.logged(
            dispatcher.context.log.slice.copyToArray(), at: dispatcher.context.log.first,
            in: replication.histories.current, node: node.number, life: life)
        if backlog != nil {
            backlog?.append(dispatcher.context.log.slice)
            if sessions.isEmpty { backlog?.trim() }
        }
        writer.submit(&dispatcher.context.log, inlineAllowed: random.oneIn(2))
    }

    /// Lets what is logged from now on be of history `id`.
    func beginHistory(_ id: HistoryID) {
        submitLog()
        _ = writer.beginHistory(id)
        replication.histories.begin(id, at: end)
        dispatcher.context.log.forgetDatabase()
    }

    // MARK: Roles

    func follow(_ primary: Int) {
        endLink()
        waiting.removeAll { $0.replicas > 0 }
        replication.role = .replica(Self.link(to: primary))
        dispatcher.context.logsEffects = false
        dispatcher.context.holdsExpiry = true
        beginFollowing()
    }

    func promote() {
        guard !isPrimary else { return }
        endLink()
        stage = .none
        claim.needsFullResync = false
        replication.role = .primary
        dispatcher.context.logsEffects = true
        dispatcher.context.holdsExpiry = false
        submitLog()
        let id = judge.newID()
        judge.begun(id, after: replication.histories.current, at: end, life: life)
        beginHistory(id)
        judge.leads(node.number, id, end)
        disconnectReplicas()
    }

    /// The clean stop; false if the disk didn't let it.
    func close() -> Bool {
        submit()
        return closeWriter()
    }

    func closeWriter() -> Bool {
        writer.beginClosing()
        for _ in 0..<12 {
            writer.settle()
            if writer.isClosed { return writer.lastError == nil }
            if disk.isOff { return false }
            cluster.clock.advance(milliseconds: 100)
        }
        return false
    }

    // MARK: Checks

    var digest: String { dispatcher.context.keyspace.digest().hex }

    func checkData() {
        judge.compare(
            replication.histories, end: dispatcher.context.log.first, digest: digest,
            node: node.number)
    }

    private func checkInvariants() {
        guard dispatcher.context.log.isEmpty, end != checkedEnd else { return }
        checkedEnd = end
        // Digests cost more than all else: all nodes take them at the same LSNs.
        judge.compare(
            replication.histories, end: end, digest: end.value % 4 == 0 ? digest : nil,
            node: node.number)
    }

    var keyCount: Int {
        (0..<Self.databases).reduce(0) { $0 + dispatcher.context.keyspace.count($1) }
    }
}
