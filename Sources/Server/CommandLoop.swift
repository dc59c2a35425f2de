internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// The command thread: one turn after another, each of which
///
/// 1. reads the sockets that are ready and executes what has arrived, in groups,
/// 2. deletes some of what has expired,
/// 3. hands all effects to the log as one batch,
/// 4. sends the replies that may leave.
///
/// Nothing leaves before step 3, so whatever a client learns has been handed to the log.
struct CommandLoop: ~Copyable {
    var poller: Poller
    var listeners: [Listener]
    let wakeUp: WakeUp
    let signals: Signals
    var state: ServerState
    var batch = CommandBatch()
    /// The waiting command that is tried again.
    var retryBatch = CommandBatch()
    /// Waiting commands are being tried again.
    var isServing = false
    var scratch = ByteBuffer()
    /// Sessions with replies in this turn's buffer.
    var replied: [Session] = []
    /// Sessions with replies that wait for the log or for the peer to read.
    var gated: [Session] = []
    /// Sessions whose next command waits until writers may go on.
    var held: [Session] = []
    /// One of them waits for nothing but the next turn.
    var hasYielded = false
    var turnHadReads = false
    /// Ends of the most recent turns that served something which needn't wait for the disk.
    var ungatedTurns = 0
    var readyAverage = 1.0
    var cron = Cron()
    /// The monotonic clock at the beginning of the turn.
    var turnNanoseconds: UInt64 = 0
    /// The earliest deadline of any key, as of the end of the last turn's commands.
    var nextDeadline: Int64?
    /// When the command before this one ended.
    var lastTicks: UInt64 = 0

    static let listenerToken: UInt64 = 1 << 63
    static let wakeToken: UInt64 = 1 << 62
    static let signalToken: UInt64 = 1 << 61
    static let readBytes = 64 << 10
    static let acceptsPerTurn = 1000
    /// A session with more replies than this goes on in the next turn.
    static let replyBytesPerTurn = 4 << 20
    static let expiryPerTurn = 200

    init(
        poller: consuming Poller, listeners: [Listener], wakeUp: WakeUp, signals: Signals,
        state: consuming ServerState
    ) {
        self.poller = poller
        self.listeners = listeners
        self.wakeUp = wakeUp
        self.signals = signals
        self.state = state
    }

    /// Begins to listen to everything but sessions; call it once, before `run`.
    func register() throws(SystemError) {
        try poller.add(wakeUp.descriptor, token: Self.wakeToken, .readable)
        try poller.add(signals.descriptor, token: Self.signalToken, .readable)
        for (index, listener) in listeners.enumerated() {
            try poller.add(
                listener.descriptor, token: Self.listenerToken | UInt64(index), .readable)
        }
    }

    /// Serves until somebody asks for the end.
    mutating func run() {
        while state.shutdown == nil { turn() }
    }

    // MARK: One turn

    mutating func turn() {
        gather()
        let ready = poller.wait(milliseconds: waitMilliseconds())
        let began = Ticks.now()
        turnNanoseconds = state.clock.monotonicNanoseconds
        if let report = state.guardedClock.read(state.clock, nanoseconds: turnNanoseconds) {
            state.report(report)
        }
        state.dispatcher.context.keyspace.accessNow = AccessClock.now(
            milliseconds: state.now, state.dispatcher.context.limits)
        readyAverage = readyAverage * 0.9 + Double(ready) * 0.1
        let commandsBefore = state.statistics.commandsProcessed
        turnHadReads = false
        for index in 0..<ready { handle(poller.event(at: index)) }
        if !state.waits.released.isEmpty { releaseWaiting() }
        let commandsDone = Ticks.now()
        expireSome()
        if state.waits.hasWork || state.dispatcher.blocked.hasReady { tendWaiting() }
        if cron.isDue(at: turnNanoseconds) { runCron() }
        let cronDone = Ticks.now()
        submit()
        if _slowPath(state.delayedShutdown != nil) { state.tendShutdown() }
        if _slowPath(state.failover != nil) { state.tendFailover() }
        if state.condition.isReplica { finishLinkTurn() }
        state.beginDueSnapshot()
        sendReplies()
        if _slowPath(state.replicas.isActive) { serveReplicas() }
        if !held.isEmpty { resumeHeld() }
        if state.listenersToAdopt != nil { adoptListeners() }
        state.dispatcher.context.keyspace.freeRetired(limit: 256)
        let ended = Ticks.now()
        state.statistics.noteTurn(
            ticks: ended &- began, commandTicks: commandsDone &- began,
            cronTicks: cronDone &- commandsDone, logTicks: ended &- cronDone,
            // CONFIG RESETSTAT may have run in between.
            commands: max(state.statistics.commandsProcessed, commandsBefore) - commandsBefore)
    }

    /// A short pause before waiting, while work keeps coming in bursts: more of it is then served by one
    /// turn. Measured to win at one command per round trip, where system calls are all that counts.
    func gather() {
        guard state.settings.gatherMicroseconds > 0, readyAverage > 1.3 else { return }
        let end =
            Ticks.now() &+ state.tickScale.ticks(UInt64(state.settings.gatherMicroseconds))
        while Ticks.now() < end {}
    }

    func waitMilliseconds() -> Int32 {
        if hasYielded { return 0 }
        if state.dispatcher.context.keyspace.hasRetired { return 0 }
        if !state.waits.resumed.isEmpty { return 0 }
        var wait = cron.millisecondsLeft(at: turnNanoseconds)
        if let left = state.waits.deadlines.millisecondsLeft(at: turnNanoseconds) {
            wait = min(wait, left)
        }
        if state.condition.pausedUntil == 0, state.settings.isActiveExpireOn,
            let deadline = nextDeadline
        {
            // A key has expired when its deadline is past, not while it is the present.
            wait = min(wait, max(deadline - state.now, -1) + 1)
        }
        if state.condition.pausedUntil > 0 {
            wait = min(wait, max(state.condition.pausedUntil - state.now, 0))
        }
        return Int32(clamping: max(wait, 0))
    }

    mutating func handle(_ event: Poller.Event) {
        if event.token == Self.linkToken {
            handleLink(event)
        } else if event.token & Self.listenerToken != 0 {
            accept(listeners[Int(event.token & 0xFFFF)])
        } else if event.token & Self.wakeToken != 0 {
            wakeUp.drain()
            state.finishSnapshots()
            state.updateCondition()
            tendLink()
        } else if event.token & Self.signalToken != 0 {
            while let signal = signals.next() { state.receive(signal: signal) }
        } else if let session = state.sessions.session(token: event.token) {
            if event.isReadable || event.isBroken {
                if session.isHeld {
                    if event.isBroken { close(session) }
                } else {
                    receive(session)
                }
            }
            if event.isWritable, !session.isClosed {
                flush(session)
                if session.replica != nil { feedMore(session) }
            }
        }
    }

    // MARK: Expiry and the log

    mutating func expireSome() {
        nextDeadline = state.nextDeadline()
        guard state.settings.isActiveExpireOn, !state.condition.isLoading,
            state.condition.pausedUntil == 0,
            let deadline = nextDeadline, deadline < state.now
        else { return }
        let limit = Self.expiryPerTurn * state.settings.activeExpireEffort
        _ = state.dispatcher.expireDue(at: state.now, limit: limit)
        tellOthersOfOwn()
        nextDeadline = state.nextDeadline()
    }

    /// Hands the turn's effects to the log. Writing and syncing happen here and now if nobody is kept
    /// waiting by it, else on the log's own thread.
    mutating func submit() {
        if state.tracking.hasBroadcasts {
            state.broadcastChanges()
            tellOthersOfOwn()
        }
        ungatedTurns = turnHadReads ? 16 : max(ungatedTurns - 1, 0)
        if _slowPath(state.replicas.wantsAcks) { state.askReplicas() }
        defer {
            if _slowPath(state.waits.wantsSync) {
                state.waits.wantsSync = false
                state.durability.writer?.syncNow()
            }
        }
        guard !state.dispatcher.context.log.isEmpty else { return }
        state.submitLog(inlineAllowed: ungatedTurns == 0 && replied.count + gated.count <= 1)
        if let id = state.replication.dueHistory {
            state.replication.dueHistory = nil
            state.beginHistory(id)
        }
        state.updateCondition()
    }

    // MARK: Now and then

    mutating func runCron() {
        cron.ran(at: turnNanoseconds)
        state.runCron()
        state.allocator.decay()
        tendLink()
        if cron.isNewSecond {
            tendLinkEachSecond()
            closeIdle()
            tendReplicas()
            state.pingReplicas(cron.second)
            for session in state.sessions.all where session.wantsWritable {
                if isOverOutputLimit(session) { waitWritable(session) }
            }
        }
    }

    mutating func closeIdle() {
        let limit = Int64(state.settings.idleTimeoutSeconds)
        guard limit > 0 else { return }
        for session in state.sessions.all
        where !session.isHeld && session.parked == nil && !session.isReplica
            && cron.second - session.lastActiveAt > limit
        {
            state.diagnostics.verbose("Closing idle client")
            close(session)
        }
    }

    /// Takes over the listeners that CONFIG SET has opened.
    mutating func adoptListeners() {
        guard let adopted = state.listenersToAdopt else { return }
        state.listenersToAdopt = nil
        for listener in listeners where !listener.isUnix {
            poller.remove(listener.descriptor)
            listener.close()
        }
        listeners = listeners.filter { $0.isUnix } + adopted
        for (index, listener) in listeners.enumerated() {
            poller.remove(listener.descriptor)
            do throws(SystemError) {
                try poller.add(
                    listener.descriptor, token: Self.listenerToken | UInt64(index), .readable)
            } catch {
                state.diagnostics.warning("Can't listen at \(listener.name): \(error.reason)")
            }
        }
    }
}

/// When the next round of periodic work is due: ten times a second.
struct Cron {
    var next: UInt64 = 0
    /// Seconds of the monotonic clock at the last round.
    var second: Int64 = 0
    private(set) var isNewSecond = false

    func isDue(at now: UInt64) -> Bool { now >= next }

    func millisecondsLeft(at now: UInt64) -> Int64 {
        now >= next ? 0 : Int64((next - now) / 1_000_000) + 1
    }

    mutating func ran(at now: UInt64) {
        next = now + 100_000_000
        let current = Int64(now / 1_000_000_000)
        isNewSecond = current != second
        second = current
    }
}
