public import HoldfastPlatform

/// Writes the log: takes each turn's records from the command thread, hands them to the kernel,
/// syncs by policy, rolls segments, and heals after a failed write or sync.
///
/// Three threads take part. The command thread calls `submit` and writes by itself when nothing stands
/// in the way (in `always` it also syncs, when its caller says that nobody else is waiting for the
/// turn). The WAL thread writes what the command thread left, and rolls, heals and retires. The sync
/// thread syncs beside the writing, zeroes ahead and watches the free space. All decisions are made
/// in `LogWriterCore` under one lock, which is never held during I/O.
///
/// Whoever answers a client reads `watermarks`: in `always` a reply to a write waits for `durable`, else for
/// `written`. After progress on another thread `wake` is called, on that thread.
public final class LogWriter: @unchecked Sendable {
    // Sendable because `core` and the flags below it are used with `monitor` held only.
    public let watermarks: Watermarks

    private let world: LogWorld
    private let wake: @Sendable () -> Void
    private let monitor = Monitor()
    private let writeNews: Condition
    private let syncNews: Condition
    private let closeNews: Condition
    private let core: LogWriterCore
    private var isWriteThreadAsleep = false
    private var syncThreadSleepsUntil: UInt64 = 0
    private var isStopping = false
    private var threads: [WorkerThread] = []
    private var archiver: LogArchiver?

    /// Starts the threads.
    ///
    /// - Parameter wake: called from another thread after the written or durable watermark or one of
    ///   `shouldHoldWriters`, `isFailing`, `growthAllowed` may have changed; must not block.
    init(
        settings: LogWriterSettings, world: LogWorld, start: LogWriterStart,
        wake: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        self.world = world
        self.wake = wake
        writeNews = Condition(of: monitor)
        syncNews = Condition(of: monitor)
        closeNews = Condition(of: monitor)
        core = LogWriterCore(settings: settings, world: world, start: start)
        watermarks = core.watermarks
        // The threads hold this object until `close` or `stop` has ended them.
        threads.append(try WorkerThread(name: "holdfast-wal") { self.runWriteThread() })
        do throws(SystemError) {
            threads.append(try WorkerThread(name: "holdfast-sync") { self.runSyncThread() })
        } catch {
            stop()
            throw error
        }
        archiver = LogArchiver(world) {
            self.monitor.withLock { self.core.archiveOrder() }
        } done: { task, failure in
            self.monitor.withLock { self.core.finishArchiving(task, failure: failure) }
            self.wake()
        }
        if !settings.archiveCommand.isEmpty { archiver?.look() }
    }

    // MARK: Command thread

    /// Takes the records of a turn as one batch; call at the end of each turn, also with nothing in it.
    ///
    /// On return the buffer is empty and the batch may be queued, written or durable: see `watermarks`.
    /// - Parameter inlineAllowed: whether the turn may take as long as a sync. Only `always` asks; writing
    ///   without a sync is done here whenever the disk doesn't look stuck.
    public func submit(_ buffer: inout LogBuffer, inlineAllowed: Bool) {
        if buffer.isEmpty { return }
        let now = world.now()
        monitor.lock()
        core.enqueue(&buffer, now: now)
        if let job = core.takeInlineJob(isSyncAllowed: inlineAllowed, now: now) {
            monitor.unlock()
            job.run(world)
            monitor.lock()
            core.finish(job)
        }
        signalThreads(now: now)
        monitor.unlock()
    }

    /// Whether new writes must wait, so that what a power cut can take stays bounded. Ask each turn.
    public var shouldHoldWriters: Bool {
        let now = world.now()
        return monitor.withLock { core.mustHoldWriters(now: now) }
    }

    /// The last write or sync failed and the log hasn't healed yet: nothing new becomes durable, and
    /// writes should be refused or held.
    public var isFailing: Bool { monitor.withLock { core.isFailing } }

    /// Why, if it is failing.
    public var lastError: SystemError? { monitor.withLock { core.lastError } }

    /// False while less than the reserve is free: refuse writes that grow, let deletes through.
    public var growthAllowed: Bool { world.reserve.growthAllowed }

    // MARK: Any thread

    /// Starts a sync of all that was submitted; returns at once. `watermarks.durable` tells.
    public func syncNow() {
        let now = world.now()
        monitor.withLock {
            core.requestSync()
            signalThreads(now: now)
        }
    }

    public var settings: LogWriterSettings {
        get { monitor.withLock { core.settings } }
        set {
            let now = world.now()
            monitor.withLock {
                let isNew = core.settings.archiveCommand != newValue.archiveCommand
                core.settings = newValue
                signalThreads(now: now)
                if isNew { archiver?.look(restarts: true) }
            }
        }
    }

    public func setPolicy(_ policy: SyncPolicy) { settings.policy = policy }

    /// Lets go of segments before the base that the retention settings no longer keep. Call now and then.
    public func retire() {
        let now = world.now()
        monitor.withLock {
            core.retire()
            signalThreads(now: now)
        }
    }

    /// The file that holds the stream at `lsn`; nil if none does from there on to the end without a gap.
    public func extent(at lsn: LSN) -> LogExtent? { monitor.withLock { core.extent(at: lsn) } }

    /// Reads the stream from `lsn` on, on another thread.
    public func cursor(from lsn: LSN) -> LogCursor {
        LogCursor(from: lsn, on: world.fileSystem) { self.extent(at: $0) }
    }

    /// The base in force, and from it on the stream, for a replica that gets everything. Open its file before anything
    /// else is asked of the writer: a newer base may take its place, but an open file stays. Go on with `retain`.
    ///
    /// - Parameter isWanted: quick; the writer waits for it.
    /// - Returns: nil if it isn't wanted, or the stream doesn't go on from it in files of ours.
    public func holdBase(if isWanted: (LogBase) -> Bool) -> LogBase? {
        monitor.withLock { core.holdBase(if: isWanted) }
    }

    /// Holds segments that a connected replica still needs, up to the size that the settings allow.
    ///
    /// - Parameter lsn: the lowest that is needed; nil if none is.
    public func retain(from lsn: LSN?) { monitor.withLock { core.replicaFloor = lsn } }

    /// Lets a new segment begin at the end of all that was submitted, where a base may take the place of what
    /// is before.
    ///
    /// - Returns: that LSN. The segment is made in the background.
    public func rollHere() -> LSN {
        let now = world.now()
        return monitor.withLock {
            let lsn = core.rollHere()
            signalThreads(now: now)
            return lsn
        }
    }

    /// Lets what is submitted from now on stand in segments of another history: after a promotion, or when
    /// the primary that is followed has begun one.
    ///
    /// - Returns: where it begins. The segment is made in the background, before the first batch goes into it.
    public func beginHistory(_ id: HistoryID) -> LSN {
        let now = world.now()
        return monitor.withLock {
            let lsn = core.beginHistory(id)
            signalThreads(now: now)
            return lsn
        }
    }

    /// Puts a base in force: the manifest begins with it, and what is before its LSN is kept or dropped as the
    /// retention settings say. `takeBaseOutcome` tells, after a wake-up.
    ///
    /// - Parameter base: its file is durable in the folder, and its LSN is one that `rollHere` has returned.
    public func install(_ base: LogBase) {
        let now = world.now()
        monitor.withLock {
            core.install(base)
            signalThreads(now: now)
        }
    }

    /// How the last `install` ended, once.
    public func takeBaseOutcome() -> LogBaseOutcome? { monitor.withLock { core.takeBaseOutcome() } }

    /// The number for the next base's name.
    public var nextBaseSequence: UInt64 { monitor.withLock { core.nextBaseSequence } }

    public func report() -> LogWriterReport {
        let now = world.now()
        return monitor.withLock { core.report(now: now) }
    }

    // MARK: End

    /// The clean stop: writes and syncs all that was submitted, leaves the segment exact, ends the
    /// threads. Nothing may be submitted any more.
    ///
    /// - Parameter patienceMilliseconds: how long a failing disk may take to heal.
    /// - Throws: the disk's error, if not everything could be made durable in that time.
    public func close(patienceMilliseconds: Int = 10_000) throws(SystemError) {
        let deadline = world.now() &+ UInt64(max(0, patienceMilliseconds)) * 1_000_000
        monitor.lock()
        core.beginClosing()
        writeNews.signal()
        while !core.isClosed && (!core.isFailing || world.now() < deadline) {
            closeNews.wait(untilNanoseconds: world.now() &+ 50_000_000)
        }
        let error = core.lastError
        monitor.unlock()
        stop()
        if let error { throw error }
    }

    /// Ends the threads and leaves everything as it is, as a crash of the process would.
    public func stop() {
        let archiver = monitor.withLock { self.archiver }
        archiver?.stop()
        monitor.withLock {
            self.archiver = nil
            isStopping = true
            writeNews.signal()
            syncNews.signal()
        }
        for thread in threads { thread.join() }
        threads = []
    }

    // MARK: Threads

    /// Wakes the threads that have something to do and don't know it.
    private func signalThreads(now: UInt64) {
        if isWriteThreadAsleep && core.hasWriteWork {
            isWriteThreadAsleep = false
            writeNews.signal()
        }
        if syncThreadSleepsUntil > now && core.nextSyncTime(now: now) < syncThreadSleepsUntil {
            syncThreadSleepsUntil = 0
            syncNews.signal()
        }
    }

    private func runWriteThread() {
        monitor.lock()
        while !isStopping {
            if let job = core.takeWriteJob(now: world.now()) {
                perform(job)
            } else {
                isWriteThreadAsleep = true
                if let time = core.nextWriteTime {
                    writeNews.wait(untilNanoseconds: time)
                } else {
                    writeNews.wait()
                }
                isWriteThreadAsleep = false
            }
        }
        monitor.unlock()
    }

    private func runSyncThread() {
        monitor.lock()
        while !isStopping {
            let now = world.now()
            if let job = core.takeSyncJob(now: now) {
                perform(job)
            } else {
                let time = core.nextSyncTime(now: now)
                syncThreadSleepsUntil = time
                syncNews.wait(untilNanoseconds: time)
                syncThreadSleepsUntil = 0
            }
        }
        monitor.unlock()
    }

    /// Runs `job` without the lock; called and returns with it.
    private func perform(_ job: LogJob) {
        monitor.unlock()
        job.run(world)
        monitor.lock()
        let isNews = core.finish(job)
        switch job {
        case .roll, .heal, .rebase:
            if !core.settings.archiveCommand.isEmpty { archiver?.look() }
        default: break
        }
        signalThreads(now: world.now())
        if core.isClosed { closeNews.signal() }
        if isNews {
            monitor.unlock()
            wake()
            monitor.lock()
        }
    }
}
