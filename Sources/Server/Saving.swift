internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot
internal import Store

/// Snapshots and rewrites: what runs, what waits for its turn, and how the last ones ended.
struct Saving {
    /// What runs in the background; one at a time, as in Redis.
    var job: SnapshotJob?
    var jobStartedAt: Int64 = 0
    var jobChanges: UInt64 = 0
    /// The history that was in force when it began.
    var jobHistory: HistoryID?
    /// The base that the log was asked to put in force.
    var installing: LogBase?

    /// To begin at the end of this turn, between two commands.
    var isSaveDue = false
    var isRewriteDue = false
    /// To begin when what runs has ended.
    var isSaveScheduled = false
    var isRewriteScheduled = false

    var points = SavePoints()
    /// Unix seconds of the last good snapshot, or of the start.
    var savedAt: Int64 = 0
    /// How many changes there were until then.
    var savedChanges: UInt64 = 0
    var triedAt: Int64 = 0
    var hasFailed = false
    var saveSeconds: Int64 = -1
    var saveCount = 0

    var rule = RewriteRule()
    var rewriteHasFailed = false
    var rewriteSeconds: Int64 = -1
    var rewriteCount = 0

    /// Failures of the archive's command that have been reported.
    var archiveFailures = 0

    /// From the last load of a snapshot.
    var keysLoaded = 0
    var keysExpired = 0
    var loadedAux: SnapshotAux?
    /// Function libraries that came with a snapshot; they go into the next one.
    var functions: [[UInt8]] = []

    var isSaving: Bool {
        if isSaveDue { return true }
        if case .dump? = job?.purpose { return true }
        return false
    }

    var isRewriting: Bool {
        if isRewriteDue || installing != nil { return true }
        if case .base? = job?.purpose { return true }
        return false
    }

    var isActive: Bool { job != nil || installing != nil || isSaveDue || isRewriteDue }
}

extension ServerState {
    /// Counts from here on: at the start, when all data is loaded.
    mutating func beginSaving() {
        saving.savedAt = now / 1000
        saving.savedChanges = dispatcher.context.changes
        if let report = durability.writer?.report() {
            saving.rule.bytesBefore = report.currentBytes
        }
    }

    // MARK: Beginning

    /// Begins what is due; at the end of a turn, when all effects are with the log and no command is half done.
    mutating func beginDueSnapshot() {
        if dispatcher.context.hasFlushedAll { saveAfterFlush() }
        guard saving.job == nil, saving.installing == nil else { return }
        if saving.isSaveDue {
            saving.isSaveDue = false
            begin(.dump)
        } else if saving.isRewriteDue {
            saving.isRewriteDue = false
            guard let writer = durability.writer else { return rewriteWithoutLog() }
            let lsn = writer.rollHere()
            begin(.base(sequence: writer.nextBaseSequence, lsn: lsn.value))
        }
    }

    /// BGREWRITEAOF with `appendonly no`: leaves a log of all data in its folder, and goes on without one; with one,
    /// if it was lost. Everybody waits for it.
    private mutating func rewriteWithoutLog() {
        let started = clock.monotonicNanoseconds
        let wasLost = durability.isLost
        let problem = turnLogOn(configuration) ?? (wasLost ? nil : turnLogOff())
        saving.rewriteSeconds = Int64((clock.monotonicNanoseconds &- started) / 1_000_000_000)
        saving.rewriteHasFailed = problem != nil
        if let problem {
            diagnostics.warning("Background AOF rewrite error: \(problem)")
        } else {
            saving.rewriteCount += 1
            diagnostics.notice("Background AOF rewrite finished successfully")
        }
    }

    /// After a FLUSHALL a save that runs would bring back what was flushed, and so would the dump that is there.
    private mutating func saveAfterFlush() {
        dispatcher.context.hasFlushedAll = false
        if case .dump? = saving.job?.purpose {
            saving.job?.cancel()
            finishSnapshots()
        }
        guard !saving.points.points.isEmpty else { return }
        // The error is in the diagnostics, and by the save points another attempt follows.
        do throws(SnapshotWriteError) { try saveNow() } catch {}
        updateCondition()
    }

    private mutating func begin(_ purpose: SnapshotJob.Purpose) {
        let before = clock.monotonicNanoseconds
        let view = dispatcher.context.keyspace.freeze()
        let frozen = clock.monotonicNanoseconds &- before
        statistics.lastFreezeMicroseconds = Int64(frozen / 1000)
        let job = SnapshotJob(
            view, purpose: purpose, header: snapshotHeader(isBase: purpose.isBase),
            settings: snapshotSettings(isBase: purpose.isBase), place: place(of: purpose),
            progress: SnapshotProgress(
                keyDelayMicroseconds: configuration.number(.rdbKeySaveDelay)),
            on: LinuxFileSystem(), wake: wake)
        saving.job = job
        saving.jobStartedAt = now / 1000
        saving.jobHistory = purpose.isBase ? baseHistory : replication.histories.current
        saving.jobChanges = dispatcher.context.changes
        if purpose.isBase {
            diagnostics.notice(
                "Background append only file rewriting started by thread of pid \(identity.processID)"
            )
        } else {
            saving.triedAt = now / 1000
            diagnostics.notice("Background saving started by thread of pid \(identity.processID)")
        }
        job.start()
    }

    /// Takes in what has ended meanwhile; after a wake-up, and now and then.
    mutating func finishSnapshots() {
        if let job = saving.job, let outcome = job.outcome {
            job.join()
            saving.job = nil
            dispatcher.context.keyspace.thaw(job.epoch)
            finish(job, outcome)
        }
        if saving.installing != nil, let outcome = durability.writer?.takeBaseOutcome() {
            saving.installing = nil
            finish(outcome)
        }
        guard !saving.isActive else { return }
        if saving.isRewriteScheduled {
            saving.isRewriteScheduled = false
            saving.isRewriteDue = true
        } else if saving.isSaveScheduled {
            saving.isSaveScheduled = false
            saving.isSaveDue = true
        }
    }

    private mutating func finish(
        _ job: SnapshotJob, _ outcome: Result<SnapshotSummary, SnapshotWriteError>
    ) {
        switch (job.purpose, outcome) {
        case (.dump, .success(let summary)):
            noteSaved(changes: saving.jobChanges, seconds: now / 1000 - saving.jobStartedAt)
            diagnostics.notice(
                "DB saved on disk: \(summary.keys) keys, \(summary.bytes) bytes")
            diagnostics.notice("Background saving terminated with success")
        case (.dump, .failure(let error)):
            // Who asked for its end knows of it.
            if error != .cancelled { saving.hasFailed = true }
            saving.saveSeconds = now / 1000 - saving.jobStartedAt
            diagnostics.warning("Background saving error: \(error)")
        case (.base(let sequence, let lsn), .success(let summary)):
            let base = LogBase(
                name: job.place.name, sequence: sequence, lsn: LSN(lsn), bytes: summary.bytes,
                history: saving.jobHistory)
            saving.installing = base
            durability.writer?.install(base)
        case (.base, .failure(let error)):
            if error != .cancelled {
                saving.rewriteHasFailed = true
                saving.rule.failed(now: now / 1000)
            }
            saving.rewriteSeconds = now / 1000 - saving.jobStartedAt
            diagnostics.warning("Background AOF rewrite error: \(error)")
        }
        updateCondition()
    }

    private mutating func finish(_ outcome: LogBaseOutcome) {
        saving.rewriteSeconds = now / 1000 - saving.jobStartedAt
        switch outcome {
        case .installed(let base):
            saving.rewriteHasFailed = false
            saving.rewriteCount += 1
            saving.rule.succeeded(bytes: durability.writer?.report().currentBytes ?? base.bytes)
            diagnostics.notice(
                "Background AOF rewrite finished successfully: \(base.name), LSN \(base.lsn), "
                    + "\(base.bytes) bytes")
        case .failed(let base, let error):
            saving.rewriteHasFailed = true
            saving.rule.failed(now: now / 1000)
            diagnostics.warning("Background AOF rewrite error: \(base.name): \(error)")
        }
    }

    private mutating func noteSaved(changes: UInt64, seconds: Int64) {
        saving.savedAt = now / 1000
        saving.savedChanges = changes
        saving.hasFailed = false
        saving.saveSeconds = seconds
        saving.saveCount += 1
    }

    /// Stops what runs and waits for its end.
    mutating func cancelSnapshots() {
        saving.isSaveDue = false
        saving.isRewriteDue = false
        saving.isSaveScheduled = false
        saving.isRewriteScheduled = false
        guard let job = saving.job else { return }
        job.cancel()
        finishSnapshots()
    }

    // MARK: Here and now

    /// Writes the dump on this thread.
    mutating func saveNow() throws(SnapshotWriteError) {
        let started = now / 1000
        saving.triedAt = started
        let changes = dispatcher.context.changes
        do throws(SnapshotWriteError) {
            let summary = try write(place(of: .dump), isBase: false)
            noteSaved(changes: changes, seconds: clock.wallMilliseconds / 1000 - started)
            diagnostics.notice("DB saved on disk: \(summary.keys) keys, \(summary.bytes) bytes")
        } catch {
            saving.hasFailed = true
            diagnostics.warning("Error saving DB on disk: \(error)")
            throw error
        }
    }

    /// Writes all data to a file, on this thread.
    ///
    /// - Parameter history: the log that the data is a state of; nil for the one in force.
    mutating func write(
        _ place: SnapshotPlace, isBase: Bool, history: String? = nil
    ) throws(SnapshotWriteError) -> SnapshotSummary {
        var header = snapshotHeader(isBase: isBase)
        if let history { header.history = history }
        let settings = snapshotSettings(isBase: isBase)
        let view = dispatcher.context.keyspace.freeze()
        let epoch = view.epoch
        do throws(SnapshotWriteError) {
            let summary = try SnapshotFile.write(
                view, header: header, settings: settings, to: place, on: LinuxFileSystem(),
                progress: SnapshotProgress(
                    keyDelayMicroseconds: configuration.number(.rdbKeySaveDelay)))
            _ = consume view
            dispatcher.context.keyspace.thaw(epoch)
            return summary
        } catch {
            _ = consume view
            dispatcher.context.keyspace.thaw(epoch)
            throw error
        }
    }

    // MARK: What a snapshot says and looks like

    func snapshotHeader(isBase: Bool) -> SnapshotHeader {
        var header = SnapshotHeader()
        header.redisVersion = HoldfastVersion.redis
        header.createdSeconds = clock.wallMilliseconds / 1000
        header.usedMemoryBytes = Int64(allocator.read().allocated)
        header.isBase = isBase
        header.history = (isBase ? baseHistory : replication.histories.current).description
        header.lsn = dispatcher.context.log.appended.value
        header.milliseconds = now
        header.functions = saving.functions
        // Replicas may be sent the base, and then the stream from where it stands.
        if isBase { header.streamDatabase = dispatcher.context.log.database }
        if replicas.backlog != nil {
            // Who starts from this file and without a log knows where it stands; without a backlog nothing
            // counts what has changed.
            header.replicationID = header.history
            header.replicationOffset = header.lsn
            header.streamDatabase = dispatcher.context.log.database
        }
        return header
    }

    /// The history that all data is of. A base may be all that is kept of what was before a new history, and replicas
    /// at that place know only the old id.
    private var baseHistory: HistoryID {
        replication.histories.offered(at: dispatcher.context.log.appended)
    }

    func snapshotSettings(isBase: Bool) -> SnapshotSettings {
        var settings = SnapshotSettings()
        let name = configuration.choiceName(isBase ? .aofBaseCompression : .rdbCompression)
        settings.compression =
            switch name {
            case "lz4": .lz4
            case "lzf": .lzf
            default: .none
            }
        if !configuration.flag(.rdbcompression) { settings.compression = .none }
        settings.hasChecksum = configuration.flag(.rdbchecksum)
        settings.version = Int(configuration.choiceName(.rdbVersion))
        return settings
    }

    private func place(of purpose: SnapshotJob.Purpose) -> SnapshotPlace {
        var place: SnapshotPlace
        switch purpose {
        case .dump:
            place = SnapshotPlace(
                folder: configuration.dir, name: configuration.text(.dbfilename),
                temporaryName: "temp-\(identity.processID).rdb")
        case .base(let sequence, _):
            let folder = logFolder
            place = SnapshotPlace(
                folder: folder.path, name: folder.baseName(sequence),
                temporaryName: "\(LogFolder.temporaryBasePrefix)bg-\(identity.processID).aof")
        }
        place.verifies = configuration.flag(.saveVerify)
        return place
    }

    var logFolder: LogFolder {
        LogFolder(
            directory: configuration.dir, folderName: configuration.appenddirname,
            fileName: configuration.appendfilename)
    }

    // MARK: Now and then

    /// Ten times a second: ends, begins by rule, retention.
    mutating func runSavingCron() {
        finishSnapshots()
        durability.writer?.retire()
        reportArchiving()
        guard !saving.isActive, !condition.isLoading else { return }
        let seconds = now / 1000
        if let point = saving.points.due(
            changes: Int64(clamping: changesSinceSave), saved: seconds - saving.savedAt,
            tried: saving.hasFailed ? seconds - saving.triedAt : nil)
        {
            diagnostics.notice("\(point.changes) changes in \(point.seconds) seconds. Saving...")
            saving.isSaveDue = true
            return
        }
        guard let report = durability.writer?.report() else { return }
        if let growth = saving.rule.dueGrowth(bytes: report.currentBytes, now: seconds) {
            diagnostics.notice("Starting automatic rewriting of AOF on \(growth)% growth")
            saving.isRewriteDue = true
        }
    }

    /// Tells of each time that the archive's command has failed.
    private mutating func reportArchiving() {
        guard let figures = durability.writer?.report().figures else { return }
        defer { saving.archiveFailures = figures.archiveFailures }
        if figures.archiveFailures > saving.archiveFailures, let reason = figures.archiveError {
            diagnostics.warning("wal-archive-command failed and is tried again: \(reason)")
        }
    }

    var changesSinceSave: UInt64 { dispatcher.context.changes &- saving.savedChanges }
}

extension SnapshotJob.Purpose {
    var isBase: Bool {
        if case .base = self { return true }
        return false
    }
}
