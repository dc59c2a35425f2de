internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import Synchronization

/// The replicas of this server, and what is kept for them.
struct Replicas {
    /// Those that have asked for the stream, oldest first.
    private(set) var sessions: [Session] = []
    /// Threads at work, also for sessions that are gone already.
    var transfers: [ReplicaTransfer] = []
    /// There from the first replica on.
    var backlog: Backlog?
    /// Where in memory the threads may hand their replicas back.
    let handOver = HandOver()
    /// When the first of those that wait for a full resync came, in ns of the monotonic clock.
    var waitingSince: UInt64 = 0
    var hasWaiting = false
    /// Monotonic seconds at which the last replica left.
    var emptySince: Int64 = 0
    var pingedAt: Int64 = 0
    /// The files can't be read at this LSN, found out by trying.
    var unreadable: LSN?
    /// A base that a replica was sent and hasn't confirmed, for whatever reason: it isn't sent again.
    var doubtfulBase: String?
    /// Somebody waits for replicas: they are to be asked how far they are.
    var wantsAcks = false
    /// Bytes sent to replicas.
    var sentBytes: UInt64 = 0

    var isEmpty: Bool { sessions.isEmpty }
    /// There is something to do at the end of a turn.
    var isActive: Bool { !sessions.isEmpty || !transfers.isEmpty }

    mutating func add(_ session: Session) { sessions.append(session) }
    mutating func remove(_ session: Session) { sessions.removeAll { $0 === session } }

    func transfer(of session: Session) -> ReplicaTransfer? {
        transfers.first { $0.session === session && !$0.isAbandoned }
    }

    /// How far each of them is.
    var feeds: some Sequence<ReplicaFeed> { sessions.lazy.compactMap(\.replica) }
}

/// A mark that the command thread sets and the threads of lagging replicas read.
final class HandOver: Sendable {
    private let mark = Atomic<UInt64>(0)

    /// From here on memory serves better than the files.
    var lsn: LSN {
        get { LSN(mark.load(ordering: .relaxed)) }
        set { mark.store(newValue.value, ordering: .relaxed) }
    }
}

extension Session {
    /// It has asked for the stream.
    var isReplica: Bool { replica?.isAttached ?? false }
}

extension ServerState {
    // MARK: Coming and going

    /// From here on the session gets the stream, or everything and then the stream.
    mutating func attachReplica(_ session: Session) {
        guard let feed = session.replica else { return }
        feed.heardAt = monotonicSeconds
        if replicas.isEmpty { replicas.pingedAt = feed.heardAt }
        replicas.add(session)
        // Nothing but the stream is sent from here on.
        leavePubSub(session)
        disableTracking(session)
        leaveMonitor(session)
        session.updateRestrictions()
        if !session.isUnixSocket, configuration.flag(.replDisableTcpNodelay) {
            Socket.setNoDelay(session.descriptor, false)
        }
        if replicas.backlog == nil { startBacklog() }
        updateGoodReplicas()
    }

    /// Takes a session that ends off the list.
    ///
    /// - Returns: true if a thread still uses its socket, and closes it later.
    mutating func leaveReplicas(_ session: Session) -> Bool {
        guard session.isReplica else { return false }
        replicas.remove(session)
        replicas.hasWaiting = replicas.sessions.contains { $0.replica?.phase == .waiting }
        if replicas.isEmpty { replicas.emptySince = monotonicSeconds }
        diagnostics.notice("Connection with replica \(replicaName(session)) lost.")
        noteUnconfirmedBase(session)
        updateGoodReplicas()
        guard let transfer = replicas.transfer(of: session) else { return false }
        transfer.abandon()
        return true
    }

    /// Ends the links of all replicas; they come back by themselves and ask anew.
    ///
    /// From this moment on nothing more is sent to them: what is logged next may be of another history than the one
    /// that they were told.
    mutating func disconnectReplicas() {
        for session in replicas.sessions {
            session.replica?.phase = .ending
            replicas.transfer(of: session)?.output.cancel()
        }
        doomed += replicas.sessions
    }

    /// The address and port at which it says that it listens.
    func replicaName(_ session: Session) -> String {
        let feed = session.replica
        let host = feed?.announcedAddress ?? ""
        return "\(host.isEmpty ? session.address.host : host):\(feed?.listeningPort ?? 0)"
    }

    // MARK: What is kept for them

    /// Keeps the stream in memory from here on.
    mutating func startBacklog() {
        replicas.backlog = Backlog(
            at: dispatcher.context.log.first,
            bytesWanted: configuration.number(.replBacklogSize))
        dispatcher.context.logsEffects = replication.isPrimary
    }

    /// Keeps nothing in memory any more.
    mutating func endBacklog() {
        replicas.backlog = nil
        guard durability.writer == nil else { return }
        // Nothing counts the changes from here on, so nobody can go on from here.
        dispatcher.context.logsEffects = false
        replication.histories.begin(
            Startup.randomHistory(), at: dispatcher.context.log.appended)
        replication.histories.forgetPrevious()
    }

    /// The end of what may be sent: nothing leaves that a crash of this server could take back, as far as the policy
    /// goes.
    var feedLimit: LSN {
        min(replicas.backlog?.end ?? .zero, durability.acknowledged)
    }

    /// Whether the stream can be read from `lsn` on.
    func isKept(_ lsn: LSN) -> Bool {
        KeptStream.holds(
            lsn, in: replicas.backlog, logged: dispatcher.context.log.first,
            unreadable: replicas.unreadable, extent: durability.writer.map { $0.extent })
    }

    // MARK: min-replicas

    /// - Parameter newConfiguration: that is about to be in force.
    mutating func updateGoodReplicas(_ newConfiguration: Configuration? = nil) {
        let configuration = newConfiguration ?? configuration
        let wanted = configuration.number(.minReplicasToWrite)
        let lagMax = configuration.number(.minReplicasMaxLag)
        condition.lacksReplicas =
            wanted > 0 && lagMax > 0 && replication.isPrimary
            && replicas.feeds.goodCount(now: monotonicSeconds, lagMax: Int64(lagMax)) < wanted
    }
}
