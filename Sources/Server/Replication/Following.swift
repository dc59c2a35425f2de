internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication

/// What a replica keeps of its link to the primary. What others are shown of it is in `ReplicationState.role`.
struct Following {
    enum Stage {
        /// No primary is followed.
        case none
        /// There is no connection; the next attempt comes at this time (monotonic ns).
        case waiting(until: UInt64)
        case connecting(ConnectAttempt)
        /// The first lines are exchanged.
        case greeting(PrimaryConnection)
        /// A full resync is received by another thread.
        case loading(FullLoad)
        case streaming(PrimaryConnection)
    }

    var stage = Stage.none
    var claim = StreamClaim()
    /// The primary has been asked for a failover: it becomes primary first.
    var isHandingOver = false
    /// Attempts that were given up and still run.
    var abandoned: [ConnectAttempt] = []
    var abandonedLoads: [FullLoad] = []
    /// Full resyncs begun, for the names of their files.
    var loadCount = 0
    /// Old data on its way out.
    var disposals: [Disposal] = []
    /// Why the last attempt failed; told once.
    var lastFailure = ""
    /// Records of the stream that failed as commands.
    var failedCount: UInt64 = 0
    /// Monotonic seconds at which was told last that the stream is applied though the log fails.
    var toldOfFailingLogAt: Int64 = 0

    /// The full resync that is received.
    var load: FullLoad? {
        if case .loading(let load) = stage { return load }
        return nil
    }

    /// The connection while this thread reads from it.
    var connection: PrimaryConnection? {
        switch stage {
        case .greeting(let connection), .streaming(let connection): connection
        case .none, .waiting, .connecting, .loading: nil
        }
    }
}

/// A connection to the primary: what has come and isn't applied, and what is to be sent.
final class PrimaryConnection {
    let descriptor: Int32
    var handshake: LinkHandshake
    var input = ByteBuffer()
    var output = ByteBuffer()
    var units = StreamUnits(database: 0)
    var decoder = CommandDecoder()
    /// Whom MONITOR names as the author.
    let session: Session
    /// Monotonic ns.
    var lastByteAt: UInt64
    /// What a full resync will be of, once the primary has said so.
    var resync: (history: HistoryID, lsn: LSN)?
    /// GETACK has asked for this to be acknowledged.
    var ackDue: LSN?
    var isPaused = false
    var wantsWritable = false
    /// The primary knows no acknowledgements.
    var isMute = false

    init(
        _ descriptor: Int32, _ handshake: LinkHandshake, session: Session, now: UInt64
    ) {
        self.descriptor = descriptor
        self.handshake = handshake
        self.session = session
        lastByteAt = now
    }
}

/// Looks the primary up and connects to it, on a thread of its own.
final class ConnectAttempt: @unchecked Sendable {
    // Sendable: `result` is touched with the monitor held, `thread` by the command thread only.
    private let monitor = Monitor()
    private var result: Result<Int32, SystemError>?
    private var isAbandoned = false
    private var thread: WorkerThread?

    /// - Parameter wake: called on the other thread when there is an outcome.
    func start(
        host: String, port: Int, from source: String?, milliseconds: Int,
        wake: @escaping @Sendable () -> Void
    ) {
        do throws(SystemError) {
            thread = try WorkerThread(name: "holdfast-link") { [self] in
                do throws(SystemError) {
                    let descriptor = try Socket.connect(
                        host: host, port: UInt16(clamping: port), from: source,
                        milliseconds: milliseconds)
                    end(.success(descriptor))
                } catch { end(.failure(error)) }
                wake()
            }
        } catch { end(.failure(error)) }
    }

    private func end(_ outcome: Result<Int32, SystemError>) {
        monitor.withLock {
            if isAbandoned, case .success(let descriptor) = outcome { Socket.close(descriptor) }
            result = outcome
        }
    }

    /// How it ended; nil while it runs.
    var outcome: Result<Int32, SystemError>? { monitor.withLock { result } }

    /// Nobody wants the connection any more.
    func abandon() {
        monitor.withLock {
            if !isAbandoned, case .success(let descriptor) = result { Socket.close(descriptor) }
            isAbandoned = true
        }
    }

    func join() {
        thread?.join()
        thread = nil
    }
}

// MARK: - Roles

extension ServerState {
    /// Whose replica this server is, as others are shown it.
    var primaryLink: PrimaryLink? {
        if case .replica(let link) = replication.role { return link }
        return nil
    }

    mutating func updateLink(_ body: (inout PrimaryLink) -> Void) {
        guard case .replica(var link) = replication.role else { return }
        body(&link)
        replication.role = .replica(link)
        updateRoleConditions()
    }

    /// What commands may do depends on the role.
    ///
    /// - Parameter configuration: one that is about to be in force.
    mutating func updateRoleConditions(_ configuration: Configuration? = nil) {
        let configuration = configuration ?? self.configuration
        let link = primaryLink
        condition.isReplica = link != nil
        condition.isReadOnly = link != nil && configuration.flag(.replicaReadOnly)
        condition.isStale =
            link.map { !$0.isUp } ?? false && !configuration.flag(.replicaServeStaleData)
        dispatcher.context.holdsExpiry = link != nil || condition.pausedUntil > 0
    }

    /// A client that may write to a replica can't do so over what has expired: for its command that goes, and nobody
    /// else hears of it.
    mutating func allowLocalExpiry(_ flags: CommandFlags) {
        guard condition.isReplica, flags.contains(.write) else { return }
        dispatcher.context.holdsExpiry = condition.pausedUntil > 0
    }

    mutating func endLocalExpiry() {
        if condition.isReplica { dispatcher.context.holdsExpiry = true }
    }

    /// Takes the role that the configuration says, before any data is loaded.
    mutating func takeConfiguredRole() {
        guard case .primary(let address?) = configuration[.replicaof] else { return }
        replication.role = .replica(PrimaryLink(host: address.host, port: address.port))
        diagnostics.role = .replica
        updateRoleConditions()
    }

    /// Begins to follow the configured primary, when all data is loaded.
    mutating func beginFollowing() {
        guard primaryLink != nil else { return }
        dispatcher.context.logsEffects = false
        following.stage = .waiting(until: 0)
    }

    /// Becomes a replica of `address`, or changes over to it. The data stays until other data has come whole.
    mutating func follow(_ address: PrimaryAddress, isHandingOver: Bool = false) {
        endLink()
        unblockAll()
        replication.role = .replica(PrimaryLink(host: address.host, port: address.port))
        following.isHandingOver = isHandingOver
        following.lastFailure = ""
        configuration.setPrimary(address)
        diagnostics.role = .replica
        updateRoleConditions()
        beginFollowing()
    }

    /// Stops following and takes writes from now on, in a history of its own.
    mutating func promote() {
        guard primaryLink != nil else { return }
        endLink()
        following.stage = .none
        following.claim.needsFullResync = false
        following.isHandingOver = false
        replication.role = .primary
        configuration.setPrimary(nil)
        diagnostics.role = .primary
        dispatcher.context.logsEffects = durability.writer != nil || replicas.backlog != nil
        updateRoleConditions()
        beginHistory(Startup.randomHistory())
        disconnectReplicas()
    }

    /// Whoever waits for keys, replicas or the disk is told that there is a new order, and let go.
    private mutating func unblockAll() {
        for session in sessions.all where session.parked?.isReleased == false {
            session.parked?.isReleased = true
            session.closesAfterReply = true
            waits.released.append(
                (
                    session,
                    .error(
                        .message(
                            "UNBLOCKED force unblock from blocking operation, "
                                + "instance state changed (master -> replica?)"))
                ))
        }
    }

    // MARK: The link

    /// Drops the connection, or what is to become one, and stops a full resync.
    mutating func endLink() {
        switch following.stage {
        case .none, .waiting: break
        case .connecting(let attempt):
            attempt.abandon()
            following.abandoned.append(attempt)
        case .greeting(let connection), .streaming(let connection):
            Socket.close(connection.descriptor)
        case .loading(let load):
            load.cancel()
            following.abandonedLoads.append(load)
        }
        following.claim.streamEnds()
        let seconds = monotonicSeconds
        updateLink { link in
            if link.isUp { link.downSince = seconds }
            link.state = .connect
            link.transfer = nil
        }
        if primaryLink != nil { following.stage = .waiting(until: 0) }
    }

    /// Drops the link after a failure and tries again in a while.
    ///
    /// - Parameter soon: at once.
    mutating func retryLink(_ reason: String, soon: Bool = false) {
        if reason != following.lastFailure { diagnostics.warning(reason) }
        following.lastFailure = reason
        endLink()
        following.stage = .waiting(
            until: soon ? 0 : clock.monotonicNanoseconds &+ Self.retryNanoseconds)
    }

    static let retryNanoseconds: UInt64 = 1_000_000_000
}
