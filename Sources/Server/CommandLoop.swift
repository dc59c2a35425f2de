internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
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
    private var poller: Poller
    private var listeners: [Listener]
    private let wakeUp: WakeUp
    private let signals: Signals
    var state: ServerState
    private var batch = CommandBatch()
    private var transactionBatch = CommandBatch()
    private var scratch = ByteBuffer()
    /// Sessions with replies in this turn's buffer.
    private var replied: [Session] = []
    /// Sessions with replies that wait for the log or for the peer to read.
    private var gated: [Session] = []
    /// Sessions whose next command waits until writers may go on.
    private var held: [Session] = []
    private var turnHadReads = false
    private var turnHadWrites = false
    /// Ends of the most recent turns that served something which needn't wait for the disk.
    private var ungatedTurns = 0
    private var readyAverage = 1.0
    private var cron = Cron()
    /// The monotonic clock at the beginning of the turn.
    private var turnNanoseconds: UInt64 = 0
    /// The earliest deadline of any key, as of the end of the last turn's commands.
    private var nextDeadline: Int64?
    /// When the command before this one ended.
    private var lastTicks: UInt64 = 0

    private static let listenerToken: UInt64 = 1 << 63
    private static let wakeToken: UInt64 = 1 << 62
    private static let signalToken: UInt64 = 1 << 61
    private static let readBytes = 64 << 10
    private static let acceptsPerTurn = 1000
    private static let expiryPerTurn = 200

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

    private mutating func turn() {
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
        turnHadWrites = false
        for index in 0..<ready { handle(poller.event(at: index)) }
        let commandsDone = Ticks.now()
        expireSome()
        if cron.isDue(at: turnNanoseconds) { runCron() }
        let cronDone = Ticks.now()
        submit()
        sendReplies()
        if !held.isEmpty { resumeHeld() }
        if state.listenersToAdopt != nil { adoptListeners() }
        state.dispatcher.context.keyspace.freeRetired(limit: 256)
        let ended = Ticks.now()
        state.statistics.noteTurn(
            ticks: ended &- began, commandTicks: commandsDone &- began,
            cronTicks: cronDone &- commandsDone, logTicks: ended &- cronDone,
            commands: state.statistics.commandsProcessed &- commandsBefore)
    }

    /// A short pause before waiting, while work keeps coming in bursts: more of it is then served by one
    /// turn. Measured to win at one command per round trip, where system calls are all that counts.
    private func gather() {
        guard state.settings.gatherMicroseconds > 0, readyAverage > 1.3 else { return }
        let end =
            Ticks.now()
            &+ UInt64(
                Double(state.settings.gatherMicroseconds) * state.tickScale.ticksPerMicrosecond)
        while Ticks.now() < end {}
    }

    private func waitMilliseconds() -> Int32 {
        if state.dispatcher.context.keyspace.hasRetired { return 0 }
        var wait = cron.millisecondsLeft(at: turnNanoseconds)
        if state.condition.pausedUntil == 0, state.settings.isActiveExpireOn,
            let deadline = nextDeadline
        {
            wait = min(wait, max(deadline - state.now, 0))
        }
        if state.condition.pausedUntil > 0 {
            wait = min(wait, max(state.condition.pausedUntil - state.now, 0))
        }
        return Int32(clamping: max(wait, 0))
    }

    private mutating func handle(_ event: Poller.Event) {
        if event.token & Self.listenerToken != 0 {
            accept(listeners[Int(event.token & 0xFFFF)])
        } else if event.token & Self.wakeToken != 0 {
            wakeUp.drain()
            state.updateCondition()
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
            if event.isWritable, !session.isClosed { flush(session) }
        }
    }

    // MARK: Connections

    private mutating func accept(_ listener: Listener) {
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

    private mutating func open(_ descriptor: Int32, _ address: PeerAddress, _ listener: Listener) {
        state.statistics.connectionsReceived += 1
        if state.sessions.count >= state.settings.clientsMax {
            return refuse(descriptor, "-ERR max number of clients reached\r\n")
        }
        if state.settings.isProtected, state.settings.password.isEmpty, !address.isLocal {
            return refuse(descriptor, Self.protectedModeText)
        }
        if !listener.isUnix {
            Socket.prepare(descriptor, keepAliveSeconds: state.settings.keepAliveSeconds)
        }
        let session = Session(
            id: state.sessions.makeID(), descriptor: descriptor, address: address,
            localAddress: listener.isUnix ? address : Socket.localAddress(descriptor),
            isUnixSocket: listener.isUnix, now: state.monotonicSeconds)
        session.isAuthenticated = state.settings.password.isEmpty
        do throws(SystemError) {
            try poller.add(descriptor, token: session.token, .readable)
        } catch {
            Socket.close(descriptor)
            return
        }
        state.sessions.add(session)
    }

    private mutating func refuse(_ descriptor: Int32, _ text: StaticString) {
        state.statistics.connectionsRejected += 1
        _ = Socket.write(descriptor, ByteSlice(text))
        Socket.close(descriptor)
    }

    private static let protectedModeText: StaticString = """
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
        poller.remove(session.descriptor)
        Socket.close(session.descriptor)
        state.sessions.remove(session)
    }

    private func updateInterest(_ session: Session) {
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

    // MARK: Reading

    private mutating func receive(_ session: Session) {
        let transfer: Socket.Transfer
        if session.input.isEmpty {
            scratch.removeAll()
            transfer = Socket.read(session.descriptor, into: &scratch, room: Self.readBytes)
        } else {
            let missing = session.decoder.missingBytesHint - session.input.count
            let room = min(max(missing, Self.readBytes), 1 << 20)
            transfer = Socket.read(session.descriptor, into: &session.input, room: room)
        }
        switch transfer {
        case .wouldBlock: return
        case .closed: return close(session)
        case .moved(let count):
            state.statistics.inputBytes &+= UInt64(count)
            state.statistics.readsProcessed &+= 1
            session.inputBytesTotal += count
            session.lastActiveAt = cron.second
        }
        if session.input.isEmpty {
            let used = execute(session, scratch.slice)
            if used < scratch.count, !session.isClosed {
                session.input.append(scratch.slice.dropFirst(used))
            }
        } else {
            executeKept(session)
        }
        if session.input.count > state.settings.queryBufferMax {
            state.statistics.queryBufferDisconnections += 1
            state.diagnostics.warning(
                "Closing client that reached max query buffer length: \(state.describe(session))")
            close(session)
        }
    }

    /// Executes input that is kept with the session.
    private mutating func executeKept(_ session: Session) {
        let used = execute(session, session.input.slice)
        session.input.consume(used)
        if session.input.isEmpty { session.input.reset() }
    }

    /// Executes the whole commands in `input`.
    ///
    /// - Returns: how many bytes are done with; the rest must be given again, with more behind it.
    private mutating func execute(_ session: Session, _ input: ByteSlice) -> Int {
        let replyStart = state.reply.buffer.count
        state.reply.version = session.version
        var used = 0
        var limits = RESPLimits()
        limits.bulkBytesMax = Int64(state.dispatcher.context.limits.stringBytesMax)
        execution: while used < input.count {
            limits.isAuthenticated = session.isAuthenticated
            batch.removeAll()
            var failure: ProtocolError?
            let start = used
            do throws(ProtocolError) {
                used += try session.decoder.decode(
                    input.dropFirst(start), into: &batch, limits: limits)
            } catch {
                failure = error
            }
            lastTicks = Ticks.now()
            state.dispatcher.prepare(&batch, database: session.database)
            for index in 0..<batch.count {
                guard runCommand(index, session, replyStart: replyStart) else {
                    // Held back: the command and all behind it are decoded again when it may run.
                    used = start + (index > 0 ? batch[index - 1].end : 0)
                    session.decoder.restart()
                    break execution
                }
                if session.closesAfterReply {
                    used = input.count
                    break execution
                }
            }
            if let failure {
                state.reply.error("ERR Protocol error: \(failure.reason)")
                state.statistics.errorReplies &+= 1
                state.diagnostics.verbose(
                    "Protocol error (\(failure.reason)) from client: \(state.describe(session)).")
                session.closesAfterReply = true
                used = input.count
                break
            }
            if used == start { break }
        }
        noteReplies(session, from: replyStart)
        if session.closesAfterReply { updateInterest(session) }
        return used
    }

    /// Runs command `index` of the batch.
    ///
    /// - Returns: false if it has to wait: it has not run.
    @inline(__always)
    private mutating func runCommand(_ index: Int, _ session: Session, replyStart: Int) -> Bool {
        let command = batch[index]
        let row = Int(command.row)
        if _fastPath(row >= 0 && session.isPlain && state.condition.isPlain) {
            let facts = state.dispatcher.rows.facts(row)
            if _fastPath(
                facts.isData && facts.accepts(command.argumentCount))
            {
                runData(
                    row, facts, batch.arguments(of: index), keyHash: command.keyHash,
                    canonical: command.canonical, session, replyStart: replyStart)
                return true
            }
        }
        return runChecked(
            row >= 0 ? row : nil, batch.arguments(of: index), session, replyStart: replyStart)
    }

    /// Runs a command on data that nothing stands against.
    @inline(__always)
    private mutating func runData(
        _ row: Int, _ facts: CommandTable.CommandFacts, _ arguments: Arguments, keyHash: UInt64,
        canonical: ByteSlice, _ session: Session, replyStart: Int
    ) {
        let mark = state.dispatcher.context.reply.buffer.count
        let before = state.dispatcher.context.log.appended
        state.dispatcher.context.database = session.database
        state.dispatcher.beginUnit(at: state.now)
        let succeeded = state.dispatcher.run(
            row: row, arguments, keyHash: keyHash, canonical: canonical)
        state.dispatcher.endUnit()
        let after = state.dispatcher.context.log.appended
        if after != before {
            turnHadWrites = true
            session.gates.add(
                at: session.producedBytes + mark - replyStart, after,
                batchStart: state.dispatcher.context.log.first)
        } else {
            turnHadReads = true
            if !state.dispatcher.undurable.isEmpty {
                gateRead(row, arguments, session, at: session.producedBytes + mark - replyStart)
            }
        }
        // One reading of the clock per command: each begins where the one before it ended.
        let ended = Ticks.now()
        let ticks = ended &- lastTicks
        lastTicks = ended
        state.dispatcher.counters.ran(row, ticks: ticks, failed: !succeeded)
        state.statistics.commandsProcessed &+= 1
        session.commandCount &+= 1
        session.lastRow = row
        if _slowPath(!succeeded) { state.noteError(replyAt: mark) }
        if _slowPath(ticks >= state.slowTicks) {
            state.noteSlow(row, arguments, ticks, session)
        }
    }

    /// What a read saw may not be durable yet: then its reply waits as the write's own does.
    private mutating func gateRead(
        _ row: Int, _ arguments: Arguments, _ session: Session, at position: Int
    ) {
        guard state.settings.readsAreGated,
            let lsn = state.dispatcher.readGate(row, arguments, database: session.database),
            lsn > state.durability.acknowledged
        else { return }
        session.gates.add(at: position, lsn, batchStart: state.dispatcher.context.log.first)
    }

    /// Runs a command after all checks; what can't be decided in a glance comes here.
    ///
    /// - Returns: false if it has to wait.
    private mutating func runChecked(
        _ named: Int?, _ arguments: Arguments, _ session: Session, replyStart: Int
    ) -> Bool {
        let mark = state.reply.buffer.count
        if session.replyMode == .skipNext { session.replyMode = .skipThis }
        switch state.admit(named, arguments, session) {
        case .wait:
            hold(session)
            return false
        case .refuse(let row, let reason):
            var error = reason
            if let row, state.dispatcher.table.spec(at: row).name == "exec" {
                // Also outside of a transaction, as in Redis.
                state.dropTransaction(session)
                error = TransactionCommands.aborted(by: reason)
            }
            state.reply.error(error)
            state.noteError(replyAt: mark)
            if let row { state.dispatcher.counters.rejected(row) }
            session.transaction?.isBroken = true
            if isAttack(arguments) { return dropAttacker(session) }
        case .queue(let row):
            session.queue(row, arguments)
            state.reply.simple("QUEUED")
        case .run(let row):
            state.dispatcher.context.limits.tracksAccess = !session.hasNoTouch
            runAdmitted(row, arguments, session, replyStart: replyStart)
            state.dispatcher.context.limits.tracksAccess = true
        }
        switch session.replyMode {
        case .on: break
        case .off: state.reply.buffer.truncate(to: mark)
        case .skipNext: state.reply.buffer.truncate(to: mark)
        case .skipThis:
            state.reply.buffer.truncate(to: mark)
            session.replyMode = .on
        }
        return true
    }

    private mutating func runAdmitted(
        _ row: Int, _ arguments: Arguments, _ session: Session, replyStart: Int
    ) {
        let facts = state.dispatcher.rows.facts(row)
        guard case .session(let handler) = state.dispatcher.table.spec(at: row).handler else {
            return runData(
                row, facts, arguments, keyHash: 0, canonical: ByteSlice(), session,
                replyStart: replyStart)
        }
        lastTicks = Ticks.now()
        let mark = state.reply.buffer.count
        let batchStart = state.dispatcher.context.log.first
        let before = state.dispatcher.context.log.appended
        state.dispatcher.context.database = session.database
        session.lastRow = row
        var succeeded = true
        do throws(CommandError) {
            try state.handlers[handler](&state, session, arguments)
        } catch {
            state.reply.buffer.truncate(to: mark)
            state.reply.error(error)
            state.noteError(replyAt: mark)
            succeeded = false
        }
        state.reply.version = session.version
        if state.dispatcher.context.log.appended != before {
            turnHadWrites = true
            session.gates.add(
                at: session.producedBytes + mark - replyStart,
                state.dispatcher.context.log.appended, batchStart: batchStart)
        } else if let lsn = session.transactionGate {
            session.transactionGate = nil
            session.gates.add(
                at: session.producedBytes + mark - replyStart, lsn, batchStart: batchStart)
        }
        let ended = Ticks.now()
        let ticks = ended &- lastTicks
        lastTicks = ended
        state.dispatcher.counters.ran(row, ticks: ticks, failed: !succeeded)
        state.statistics.commandsProcessed &+= 1
        session.commandCount &+= 1
        session.lastRow = row
        if ticks >= state.slowTicks { state.noteSlow(row, arguments, ticks, session) }
        closeDoomed()
    }

    /// Closes sessions that a command (CLIENT KILL) has condemned.
    private mutating func closeDoomed() {
        guard !state.doomed.isEmpty else { return }
        for session in state.doomed { close(session) }
        state.doomed = []
    }

    /// `POST` or `Host:` as a command: a browser was made to talk to us.
    private func isAttack(_ arguments: Arguments) -> Bool {
        arguments[0].equalsIgnoringCase("post") || arguments[0].equalsIgnoringCase("host:")
    }

    private mutating func dropAttacker(_ session: Session) -> Bool {
        state.diagnostics.warning(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
                + "commands to the server. This is likely due to an attacker attempting to use Cross "
                + "Protocol Scripting to compromise your instance. Connection aborted.")
        close(session)
        session.closesAfterReply = true
        return true
    }

    // MARK: Held sessions

    private mutating func hold(_ session: Session) {
        guard !session.isHeld else { return }
        session.isHeld = true
        held.append(session)
        updateInterest(session)
    }

    /// Lets held sessions try again; those that still have to wait come back into the list.
    private mutating func resumeHeld() {
        state.updateCondition()
        let waiting = held
        held = []
        var hasWork = false
        for session in waiting where !session.isClosed {
            session.isHeld = false
            executeKept(session)
            updateInterest(session)
            hasWork = true
        }
        if hasWork {
            submit()
            sendReplies()
        }
    }

    // MARK: Expiry and the log

    private mutating func expireSome() {
        nextDeadline = state.nextDeadline()
        guard state.settings.isActiveExpireOn, !state.condition.isLoading,
            state.condition.pausedUntil == 0,
            let deadline = nextDeadline, deadline <= state.now
        else { return }
        let limit = Self.expiryPerTurn * state.settings.activeExpireEffort
        _ = state.dispatcher.expireDue(at: state.now, limit: limit)
        nextDeadline = state.nextDeadline()
    }

    /// Hands the turn's effects to the log. Writing and syncing happen here and now if nobody is kept
    /// waiting by it, else on the log's own thread.
    private mutating func submit() {
        ungatedTurns = turnHadReads ? 16 : max(ungatedTurns - 1, 0)
        guard !state.dispatcher.context.log.isEmpty else { return }
        state.durability.submit(
            &state.dispatcher.context.log, inlineAllowed: ungatedTurns == 0)
        state.updateCondition()
    }

    // MARK: Replies

    /// Notes that the reply buffer from `start` on belongs to `session`.
    private mutating func noteReplies(_ session: Session, from start: Int) {
        let end = state.reply.buffer.count
        guard end > start || session.closesAfterReply, !session.isClosed else { return }
        session.producedBytes += end - start
        if let range = session.turnRange {
            if range.upperBound == start {
                session.turnRange = range.lowerBound..<end
            } else {
                session.output.append(state.reply.buffer.slice.slice(range))
                session.output.append(state.reply.buffer.slice.slice(start..<end))
                session.turnRange = start..<start
            }
        } else if session.output.isEmpty {
            session.turnRange = start..<end
            replied.append(session)
        } else {
            session.output.append(state.reply.buffer.slice.slice(start..<end))
            session.turnRange = start..<start
            replied.append(session)
        }
    }

    private mutating func sendReplies() {
        let acknowledged = state.durability.acknowledged
        state.dispatcher.undurable.acknowledged(upTo: acknowledged)
        if !gated.isEmpty {
            let waiting = gated
            gated = []
            for session in waiting {
                session.isGated = false
                if !session.isClosed { flush(session) }
            }
        }
        for session in replied {
            let range = session.turnRange ?? 0..<0
            session.turnRange = nil
            if session.isClosed { continue }
            let bytes = state.reply.buffer.slice.slice(range)
            if session.output.isEmpty,
                session.gates.isEmpty
                    || session.gates.limit(acknowledged: acknowledged) >= session.producedBytes
            {
                sendDirectly(session, bytes)
            } else {
                session.output.append(bytes)
                flush(session)
            }
        }
        replied.removeAll(keepingCapacity: true)
        if state.reply.buffer.capacity > 8 << 20 {
            state.reply.buffer.reset()
        } else {
            state.reply.buffer.removeAll()
        }
    }

    /// Sends replies straight from the loop's buffer; what the socket doesn't take is kept.
    @inline(__always)
    private mutating func sendDirectly(_ session: Session, _ bytes: ByteSlice) {
        switch Socket.write(session.descriptor, bytes) {
        case .moved(let count):
            session.sentBytes += count
            state.statistics.outputBytes &+= UInt64(count)
            state.statistics.writesProcessed &+= 1
            if count < bytes.count {
                session.output.append(bytes.dropFirst(count))
                waitWritable(session)
            } else if session.closesAfterReply {
                close(session)
            }
        case .wouldBlock:
            session.output.append(bytes)
            waitWritable(session)
        case .closed:
            close(session)
        }
    }

    /// Sends what is kept of a session's replies, as far as its gates and its socket allow.
    private mutating func flush(_ session: Session) {
        let limit = session.gates.limit(acknowledged: state.durability.acknowledged)
        let allowed = min(session.output.count, max(limit &- session.sentBytes, 0))
        if allowed < session.output.count, !session.isGated {
            session.isGated = true
            gated.append(session)
        }
        if allowed > 0 {
            switch Socket.write(session.descriptor, session.output.slice.prefix(allowed)) {
            case .moved(let count):
                session.sentBytes += count
                state.statistics.outputBytes &+= UInt64(count)
                state.statistics.writesProcessed &+= 1
                session.output.consume(count)
                if count < allowed { return waitWritable(session) }
            case .wouldBlock:
                return waitWritable(session)
            case .closed:
                return close(session)
            }
        }
        if session.wantsWritable {
            session.wantsWritable = false
            session.softLimitSince = 0
            updateInterest(session)
        }
        if session.output.isEmpty {
            session.output.reset()
            if session.closesAfterReply { close(session) }
        }
    }

    private mutating func waitWritable(_ session: Session) {
        if isOverOutputLimit(session) {
            state.statistics.outputBufferDisconnections += 1
            state.diagnostics.warning(
                "Client \(state.describe(session)) scheduled to be closed ASAP for overcoming of "
                    + "output buffer limits.")
            return close(session)
        }
        if !session.wantsWritable {
            session.wantsWritable = true
            updateInterest(session)
        }
    }

    private func isOverOutputLimit(_ session: Session) -> Bool {
        let limits = state.settings.outputLimits
        let size = session.output.count
        if limits.hard > 0 && size >= limits.hard { return true }
        guard limits.soft > 0, size >= limits.soft else {
            session.softLimitSince = 0
            return false
        }
        if session.softLimitSince == 0 { session.softLimitSince = cron.second }
        return cron.second - session.softLimitSince >= Int64(limits.softSeconds)
    }

    // MARK: Now and then

    private mutating func runCron() {
        cron.ran(at: turnNanoseconds)
        state.runCron()
        if cron.isNewSecond {
            closeIdle()
            for session in state.sessions.all where session.wantsWritable {
                if isOverOutputLimit(session) { waitWritable(session) }
            }
        }
    }

    private mutating func closeIdle() {
        let limit = Int64(state.settings.idleTimeoutSeconds)
        guard limit > 0 else { return }
        for session in state.sessions.all
        where !session.isHeld && cron.second - session.lastActiveAt > limit {
            state.diagnostics.verbose("Closing idle client")
            close(session)
        }
    }

    /// Takes over the listeners that CONFIG SET has opened.
    private mutating func adoptListeners() {
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

    // MARK: Start and end

    /// Loads the log and opens it for writing; clients that come meanwhile are told that data is loading.
    mutating func openLog(wake: @escaping @Sendable () -> Void) throws {
        let configuration = state.configuration
        let folder = LogFolder(
            directory: configuration.dir, folderName: configuration.appenddirname,
            fileName: configuration.appendfilename)
        var settings = RecoverySettings(folder: folder, freshHistory: Startup.randomHistory())
        settings.dumpName = configuration.text(.dbfilename)
        settings.loadsTruncated = configuration.flag(.aofLoadTruncated)
        settings.mayStartEmpty = configuration.flag(.allowEmptyStart)
        let log = try load(settings)
        let writer = try LogWriter.open(
            log, in: folder, settings: LogWriterSettings(configuration),
            fileSystem: LinuxFileSystem(), clock: SystemClock(), wake: wake)
        state.attach(writer, log)
        state.durability.recovery = settings
    }

    /// Recovery: every record of the log to the keyspace.
    private mutating func load(_ settings: RecoverySettings) throws -> RecoveredLog {
        var replayer = RecordReplayer()
        state.beginLoading()
        let now = state.clock.wallMilliseconds
        let log = try LogReader.recover(settings, on: LinuxFileSystem()) { records in
            try replayer.apply(records, to: &state.dispatcher, now: now)
        } progress: { loaded, total in
            state.advanceLoading(loaded: loaded, total: total)
            serveWhileLoading()
        }
        state.endLoading(log, replayer)
        return log
    }

    /// A short look at the sockets between two stretches of loading.
    private mutating func serveWhileLoading() {
        let ready = poller.wait(milliseconds: 0)
        guard ready > 0 else { return }
        for index in 0..<ready { handle(poller.event(at: index)) }
        sendReplies()
        if state.shutdown != nil {
            // Nothing was changed yet, so there is nothing to finish.
            state.diagnostics.notice("Stopped while loading. Redis is now ready to exit, bye bye...")
            exit(0)
        }
    }

    /// The clean stop: no more commands, everything durable, then the replies that still may leave.
    mutating func shutDown() throws {
        state.diagnostics.notice("User requested shutdown...")
        if let writer = state.durability.writer {
            state.diagnostics.notice("Calling fsync() on the AOF file.")
            submit()
            try writer.close()
        }
        sendReplies()
        for session in state.sessions.all { close(session) }
        for listener in listeners {
            if listener.isUnix { state.diagnostics.notice("Removing the unix socket file.") }
            listener.close()
        }
        state.diagnostics.notice("Redis is now ready to exit, bye bye...")
    }
}

/// When the next round of periodic work is due: ten times a second.
private struct Cron {
    private var next: UInt64 = 0
    /// Seconds of the monotonic clock at the last round.
    private(set) var second: Int64 = 0
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
