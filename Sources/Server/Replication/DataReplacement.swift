internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import Synchronization

/// A full resync from its first byte to the moment where its data takes the place of the old.
///
/// The received snapshot becomes the base of a log that begins anew, at the primary's LSN and in its history. That
/// log's manifest is the one step that counts: killed before it, a start finds the old data whole; after it, the new.
extension CommandLoop {
    mutating func beginFullLoad(_ connection: PrimaryConnection, _ form: PayloadForm) {
        // A primary that knows SYNC only doesn't say of which state its data is: the log is of nobody's history.
        let place = connection.resync ?? (Startup.randomHistory(), LSN.zero)
        connection.isMute = connection.resync == nil
        poller.remove(connection.descriptor)
        var head = connection.input.slice
        if case .length(let bytes) = form {
            head = head.prefix(Int(clamping: bytes))
        }
        let count = head.count
        let plan = FullLoad.Plan(
            descriptor: connection.descriptor, form: form, head: head.copyToArray(),
            history: place.history, lsn: place.lsn,
            path: state.durability.writer == nil && !state.configuration.appendonly
                ? nil : state.receivedPath(),
            databases: state.dispatcher.context.keyspace.databaseCount,
            hasher: state.dispatcher.context.keyspace.hasher,
            loader: state.loaderSettings(dropsExpired: false),
            limits: state.dispatcher.context.limits, milliseconds: state.now,
            timeoutSeconds: max(state.configuration.number(.replTimeout), 1),
            verifies: state.configuration.flag(.saveVerify))
        connection.input.consume(count)
        do throws(SystemError) {
            let load = try FullLoad(plan, connection)
            state.following.stage = .loading(load)
            let seconds = state.monotonicSeconds
            state.updateLink { link in
                link.state = .sync
                link.transfer = PrimaryLink.Transfer(
                    totalBytes: load.source.totalBytes, at: seconds)
            }
            let size = load.source.totalBytes.map { "\($0) bytes from master" }
            state.diagnostics.notice(
                "MASTER <-> REPLICA sync: receiving "
                    + "\(size ?? "streamed RDB from master with EOF") to disk and memory")
            load.start(wake: state.wake)
        } catch {
            Socket.close(connection.descriptor)
            state.following.stage = .waiting(until: 0)
            state.retryLink(
                "Opening the temp file needed for MASTER <-> REPLICA synchronization: \(error)")
        }
    }

    /// Shows how far it is, and takes in how it ended.
    mutating func tendFullLoad(_ load: FullLoad) {
        let lastByte = Int64(load.source.lastByteAt / 1_000_000_000)
        state.updateLink { link in
            link.transfer?.readBytes = load.source.bytesRead
            link.transfer?.lastByteAt = lastByte
            link.lastByteAt = lastByte
        }
        guard let outcome = load.outcome else { return }
        load.join()
        let connection = load.connection
        state.following.stage = .waiting(until: 0)
        var failure: String?
        switch outcome {
        case .failure(let error):
            failure = "MASTER <-> REPLICA sync failed: \(error.reason)"
        case .success(let loaded):
            failure = replaceData(with: load, loaded)
            closeDoomed()
            if failure != nil, let path = load.plan.path {
                // What stays of it is litter, which the next start removes.
                do throws(SystemError) { try LinuxFileSystem().remove(path) } catch {}
            }
        }
        if let failure {
            Socket.close(connection.descriptor)
            return state.retryLink(failure)
        }
        do throws(SystemError) {
            try poller.add(connection.descriptor, token: Self.linkToken, .readable)
        } catch {
            Socket.close(connection.descriptor)
            return state.retryLink("Can't wait for the primary: \(error.reason)")
        }
        connection.lastByteAt = turnNanoseconds
        state.following.claim.needsFullResync = connection.isMute
        state.following.isHandingOver = false
        beginStream(connection)
        state.diagnostics.notice("MASTER <-> REPLICA sync: Finished with success")
        if !connection.input.isEmpty { applyStream(connection) }
    }

    /// - Returns: why the old data stays.
    private mutating func replaceData(with load: FullLoad, _ loaded: FullLoad.Loaded) -> String? {
        if let refusal = state.refusal(of: loaded, history: load.plan.history) { return refusal }
        guard let keyspace = load.takeKeyspace() else { return "no data" }
        // All that is promised to clients of the old data is settled first.
        submit()
        state.cancelSnapshots()
        state.saving.installing = nil
        endTransfers()
        if load.plan.path != nil {
            if let failure = state.beginLog(with: load, loaded) {
                state.dispose(of: keyspace)
                return failure
            }
        } else {
            state.dispatcher.context.log = LogBuffer(
                start: load.plan.lsn, database: loaded.database)
            state.replication.histories = Histories(load.plan.history, from: load.plan.lsn)
        }
        state.dispatcher.context.logsEffects = false
        for session in state.sessions.all {
            session.gates = ReplyGates()
            session.transactionGate = nil
            session.lastWrite = .zero
        }
        state.dispose(of: state.dispatcher.replaceData(with: keyspace))
        state.saving.functions = loaded.functions
        state.saving.keysLoaded = loaded.keyCount
        state.beginAnewForReplicas()
        tellOthersOfOwn()
        if state.dispatcher.blocked.hasReady { serveWaiting() }
        return nil
    }
}

extension CommandLoop {
    /// Stops the threads that serve own replicas: they read the old data and the old log.
    private mutating func endTransfers() {
        state.disconnectReplicas()
        closeDoomed()
        for transfer in state.replicas.transfers {
            // Closed by its thread, if that still uses the socket.
            close(transfer.session)
            if !transfer.isAbandoned { transfer.abandon() }
            transfer.join()
        }
        finishTransfers()
    }
}

extension ServerState {
    /// Own replicas begin anew with the new data.
    fileprivate mutating func beginAnewForReplicas() {
        replicas.unreadable = nil
        replicas.doubtfulBase = nil
        if replicas.backlog != nil { startBacklog() }
    }

    /// A name that isn't in use, for a snapshot that is being received; what a killed process leaves under it is
    /// removed at a start.
    fileprivate mutating func receivedPath() -> String {
        following.loadCount += 1
        return logFolder.path(
            of:
                "\(LogFolder.temporaryBasePrefix)resync-\(identity.processID)-\(following.loadCount).aof"
        )
    }

    fileprivate func refusal(of loaded: FullLoad.Loaded, history: HistoryID) -> String? {
        let keys = (0..<dispatcher.context.keyspace.databaseCount)
            .reduce(0) { $0 + dispatcher.context.keyspace.count($1) }
        guard !configuration.flag(.replicaAllowEmptyFullSync),
            StreamClaim.refusesData(
                keysComing: loaded.keyCount, of: history, keysHeld: keys,
                histories: replication.histories)
        else { return nil }
        return
            "Full resync refused: the master is empty and of an unknown history (\(history)), and this server "
            + "holds \(keys) keys. If they are to be dropped, say CONFIG SET replica-allow-empty-full-sync yes, "
            + "or FLUSHALL before REPLICAOF"
    }

    /// Puts the received snapshot in force as the base of a new log.
    ///
    /// - Returns: why it isn't.
    fileprivate mutating func beginLog(
        with load: FullLoad, _ loaded: FullLoad.Loaded
    ) -> String? {
        guard let path = load.plan.path else { return nil }
        if let writer = durability.writer {
            do throws(SystemError) {
                try writer.close(patienceMilliseconds: 1000)
            } catch {
                // Of what is to be dropped, its newest part isn't on disk: nobody may be told that it is.
                diagnostics.warning("The last writes to the old log failed: \(error)")
                for session in sessions.all where !session.gates.isEmpty { doomed.append(session) }
            }
        }
        let fileSystem = LinuxFileSystem()
        var settings = RecoverySettings(folder: logFolder, freshHistory: load.plan.history)
        settings.dumpName = configuration.text(.dbfilename)
        let lock = durability.lock
        do {
            let log = try ReceivedLog.begin(
                with: path, bytes: loaded.bytes, at: load.plan.lsn, history: loaded.history,
                database: loaded.database, settings, on: fileSystem, lock: lock)
            let writer = try LogWriter.open(
                log, in: settings.folder, settings: LogWriterSettings(configuration),
                fileSystem: fileSystem, clock: SystemClock(), wake: wake)
            attach(writer, log)
        } catch {
            reopenLog(settings, lock)
            return "The log can't begin with the received data: \(error)"
        }
        durability.recovery = settings
        saving.rule.succeeded(bytes: durability.writer?.report().currentBytes ?? loaded.bytes)
        return nil
    }

    /// Goes on in the old log, whose writer has ended; without any if that fails, too: then reads are served, and no
    /// write is, until a full resync or a BGREWRITEAOF succeeds, or the log is turned off.
    private mutating func reopenLog(_ settings: RecoverySettings, _ lock: (any File)?) {
        let end = dispatcher.context.log.appended
        lock?.close()
        do {
            let log = try ReceivedLog.reopen(endingAt: end, settings, on: LinuxFileSystem())
            do {
                let writer = try LogWriter.open(
                    log, in: settings.folder, settings: LogWriterSettings(configuration),
                    fileSystem: LinuxFileSystem(), clock: SystemClock(), wake: wake)
                attach(writer, log)
                durability.recovery = settings
            } catch {
                log.lock?.close()
                throw error
            }
        } catch {
            diagnostics.warning(
                "== CRITICAL == The old log can't be gone on with: \(error). No write is taken until a full resync "
                    + "succeeds, or BGREWRITEAOF, which begins a log with what is in memory."
            )
            durability = Durability(writer: nil, policy: durability.policy)
            durability.isLost = true
            updateCondition()
            following.claim.needsFullResync = true
        }
        dispatcher.context.logsEffects = false
    }

    /// Gives memory back on a thread of its own.
    fileprivate mutating func dispose(of keyspace: consuming Keyspace) {
        let disposal = Disposal(keyspace)
        following.disposals.removeAll { $0.joinIfDone() }
        following.disposals.append(disposal)
        disposal.start()
    }
}

/// Data on its way out.
final class Disposal: @unchecked Sendable {
    // Sendable: the keyspace belongs to the thread from its start on.
    private var keyspace: Keyspace?
    private let isDone = Atomic(false)
    private var thread: WorkerThread?

    init(_ keyspace: consuming Keyspace) { self.keyspace = consume keyspace }

    func start() {
        do throws(SystemError) {
            thread = try WorkerThread(name: "holdfast-free") { [self] in
                WorkerThread.lowerPriority()
                keyspace = nil
                isDone.store(true, ordering: .releasing)
            }
        } catch {
            // Then it takes this thread's time.
            keyspace = nil
            isDone.store(true, ordering: .releasing)
        }
    }

    func joinIfDone() -> Bool {
        guard isDone.load(ordering: .acquiring) else { return false }
        thread?.join()
        return true
    }
}
