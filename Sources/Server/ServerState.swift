internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// What commands about sessions and the server may see. `CommandLoop` owns the one there is and lends it to
/// them; the loop's own descriptors and buffers stay with the loop.
struct ServerState: ~Copyable {
    var dispatcher: Dispatcher
    var sessions = SessionTable()
    var settings = ServerSettings()
    var configuration: Configuration
    var statistics = ServerStatistics()
    var condition = ServerCondition()
    var users: UserTable
    var accessLog = AccessLog()
    /// Whose command runs that may end sessions.
    var running: Session?
    var slowLog = SlowLog()
    var latency = LatencyMonitor()
    var errors = ErrorCounters()
    var pubSub = PubSub()
    var tracking = TrackingTable()
    var monitors: [Session] = [] {
        didSet { condition.hasMonitors = !monitors.isEmpty }
    }
    /// What the command that runs has for other sessions.
    var outbox = Outbox()
    /// The reply of the command that runs consists of pushes, which CLIENT REPLY doesn't silence.
    var pushesReply = false
    /// What the command that runs has logged means something to replicas only: no reply waits for it.
    var logsForReplicasOnly = false
    /// The commands of a transaction are being run.
    var isInTransaction = false
    let diagnostics: Diagnostics
    let clock: any Clock
    var guardedClock: GuardedClock
    var tickScale: Ticks.Scale
    var durability: Durability
    let handlers: [SessionHandler]
    var identity: ServerIdentity
    let allocator: any AllocatorStatistics
    /// Sessions that a command has condemned; the loop closes them when the command is done.
    var doomed: [Session] = []
    var waits = WaitTable()
    /// TCP listeners that take the place of those in use.
    var listenersToAdopt: [Listener]?
    /// Wakes the loop, from any thread.
    var wake: @Sendable () -> Void = {}
    var loading = LoadingProgress()
    var saving = Saving()
    var migrations = MigrationLinks()
    /// Who this server is to others, and the histories of its log; without a log there is one that ends with the
    /// process.
    var replication: ReplicationState
    var replicas = Replicas()
    /// The link to the primary, while one is followed.
    var following = Following()
    /// Ticks from which a command is slow, or never.
    var slowTicks = UInt64.max
    /// A change of places with a replica that is under way.
    var failover: Failover?
    /// A shutdown that waits for replicas that lag, and until when.
    var delayedShutdown: DelayedShutdown?
    /// Set by SHUTDOWN or a signal; the loop ends after this turn.
    var shutdown: ShutdownRequest?

    /// The reply of the command that runs.
    var reply: ReplyWriter {
        _read { yield dispatcher.context.reply }
        _modify { yield &dispatcher.context.reply }
    }

    /// Unix ms of this turn, guarded against jumps.
    var now: Int64 { guardedClock.milliseconds }

    /// Seconds of the monotonic clock, for ages and idle times.
    var monotonicSeconds: Int64 { Int64(clock.monotonicNanoseconds / 1_000_000_000) }
}

/// A command about the session or the server. It writes its reply to `state.reply`, or throws.
typealias SessionHandler =
    @Sendable (inout ServerState, Session, Arguments) throws(CommandError) -> Void

/// The rows of commands about sessions and the server, each with its function; `Engine` knows them by index.
struct SessionRows {
    private(set) var specs: [CommandSpec] = []
    private(set) var handlers: [SessionHandler] = []

    mutating func add(
        _ name: String, _ arity: Int, _ flags: CommandFlags, _ group: CommandGroup,
        keys: [KeySpec] = [], tips: [CommandTip] = [], acl: ACLCategories? = nil,
        _ handler: @escaping SessionHandler
    ) {
        specs.append(
            CommandSpec(
                name, arity, flags, group, keys: keys, tips: tips, acl: acl,
                .session(handlers.count)))
        handlers.append(handler)
    }

    /// A command that has only subcommands; they are added as rows of their own, `client|list`.
    mutating func addContainer(
        _ name: String, _ arity: Int, _ flags: CommandFlags, _ group: CommandGroup,
        acl: ACLCategories? = nil
    ) {
        specs.append(CommandSpec(name, arity, flags, group, acl: acl ?? [], .container))
    }
}

/// What keeps commands from simply running.
struct ServerCondition {
    /// The data set is being loaded: most commands get -LOADING.
    var isLoading = false
    /// The reason why writes are refused with MISCONF, if they are.
    var writeRefusal: String?
    /// The same for writes, while snapshots fail.
    var snapshotRefusal: String?
    /// The same for writes that can grow the data: the disk is nearly full. Deletes go on.
    var growthRefusal: String?
    /// More memory is in use than `maxmemory` allows: what makes the data set grow is refused.
    var isOutOfMemory = false
    /// Writes wait: more is unsynced than allowed.
    var holdsWriters = false
    /// CLIENT PAUSE: until when (Unix ms), and whether for writes only.
    var pausedUntil: Int64 = 0
    var pausesWritesOnly = false
    /// Somebody wants to see every command.
    var hasMonitors = false
    /// Fewer replicas are in touch than writes need: `min-replicas-to-write`.
    var lacksReplicas = false
    /// It follows a primary, which alone decides what expires and is evicted.
    var isReplica = false
    /// Clients may not write: `replica-read-only`.
    var isReadOnly = false
    /// A replica without its primary, of which clients don't want to know: `replica-serve-stale-data no`.
    var isStale = false

    /// Nothing does.
    var isPlain: Bool {
        !isLoading && writeRefusal == nil && snapshotRefusal == nil && growthRefusal == nil
            && !holdsWriters
            && pausedUntil == 0 && !isOutOfMemory && !hasMonitors && !lacksReplicas && !isStale
    }
}

/// What INFO shows of the server's work.
struct ServerStatistics {
    var connectionsReceived: UInt64 = 0
    var connectionsRejected: UInt64 = 0
    var commandsProcessed: UInt64 = 0
    var inputBytes: UInt64 = 0
    var outputBytes: UInt64 = 0
    /// What the primary sent; part of `inputBytes`.
    var linkInputBytes: UInt64 = 0
    var errorReplies: UInt64 = 0
    var unexpectedErrorReplies: UInt64 = 0
    var turns: UInt64 = 0
    var turnTicks: UInt64 = 0
    var commandTicks: UInt64 = 0
    var logTicks: UInt64 = 0
    var cronTicks: UInt64 = 0
    var longestTurnTicks: UInt64 = 0
    var commandsPerTurnMax: UInt64 = 0
    var readsProcessed: UInt64 = 0
    var writesProcessed: UInt64 = 0
    var authenticationFailures: UInt64 = 0
    var deniedCommands: UInt64 = 0
    var deniedKeys: UInt64 = 0
    var deniedChannels: UInt64 = 0
    var queryBufferDisconnections: UInt64 = 0
    var outputBufferDisconnections: UInt64 = 0
    var peakMemory = 0
    var lastFreezeMicroseconds: Int64 = 0
    /// In use before any data was loaded.
    var startMemory = 0
    var instantaneous = InstantaneousRates()
}

/// Rates over the last 16 tenths of a second, as INFO's `instantaneous_…` fields.
struct InstantaneousRates {
    private var samples: [[Double]] = [[], [], [], []]
    private var last: [(value: UInt64, at: UInt64)] = Array(repeating: (0, 0), count: 4)

    enum Quantity: Int { case commands, inputBytes, outputBytes, turns }

    mutating func sample(_ quantity: Quantity, _ value: UInt64, nanoseconds: UInt64) {
        let (before, at) = last[quantity.rawValue]
        last[quantity.rawValue] = (value, nanoseconds)
        guard at > 0, nanoseconds > at else { return }
        // Counters begin anew at CONFIG RESETSTAT.
        let rate = Double(value >= before ? value - before : 0) * 1e9 / Double(nanoseconds - at)
        samples[quantity.rawValue].append(rate)
        if samples[quantity.rawValue].count > 16 { samples[quantity.rawValue].removeFirst() }
    }

    func rate(_ quantity: Quantity) -> Double {
        let all = samples[quantity.rawValue]
        return all.isEmpty ? 0 : all.reduce(0, +) / Double(all.count)
    }
}

/// Who this server is.
struct ServerIdentity: Sendable {
    /// 40 hex digits, new at every start.
    let runID: String
    let processID: Int32
    let startedAt: Int64
    let executable: String
    let configurationFile: String
}

/// Figures of the memory allocator, in bytes; the program that links the allocator gives them.
public protocol AllocatorStatistics: Sendable {
    var name: String { get }
    /// In use by the program, held in pages in use, and resident.
    func read() -> (allocated: Int, active: Int, resident: Int, retained: Int)
    /// Gives back what has been free for long enough; called ten times a second.
    func decay()
    func purge()
}

/// Why the server stops.
struct ShutdownRequest {
    var saves: Bool?
    var isForced = false
    var isNow = false
    var signal: String?
}
