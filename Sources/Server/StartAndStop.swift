internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// The first and the last thing the command thread does.
extension CommandLoop {
    /// Loads the log and opens it for writing; clients that come meanwhile are told that data is loading.
    mutating func openLog() throws {
        let configuration = state.configuration
        let folder = LogFolder(
            directory: configuration.dir, folderName: configuration.appenddirname,
            fileName: configuration.appendfilename)
        var settings = RecoverySettings(folder: folder, freshHistory: Startup.randomHistory())
        settings.dumpName = configuration.text(.dbfilename)
        settings.loadsTruncated = configuration.flag(.aofLoadTruncated)
        settings.mayStartEmpty = configuration.flag(.allowEmptyStart)
        let path = folder.path
        // SAFETY: the path is passed as a terminated string for the length of the call.
        let isNew = unsafe access(path, F_OK) != 0
        var hasBegun = false
        defer {
            // A start that fails leaves nothing behind: a folder with something in it stays.
            if isNew, !hasBegun {
                // SAFETY: as above.
                unsafe _ = rmdir(path)
            }
        }
        var log = try load(settings)
        // What a crash took from this log may live on in a replica: the old id is valid up to here only.
        if !log.isFresh, state.replication.isPrimary {
            log.beginHistory(Startup.randomHistory())
        }
        if log.hasImportedDump { try state.writeFirstBase(of: &log) }
        let writer = try LogWriter.open(
            log, in: folder, settings: LogWriterSettings(configuration),
            fileSystem: LinuxFileSystem(), clock: SystemClock(), wake: state.wake)
        hasBegun = true
        state.attach(writer, log)
        state.durability.recovery = settings
    }

    /// Recovery: every record of the log to the keyspace.
    mutating func load(_ settings: RecoverySettings) throws -> RecoveredLog {
        var replayer = RecordReplayer(
            endsAtFailure: state.configuration.choiceName(.propagationErrorBehavior) == "panic")
        state.beginLoading()
        let now = state.clock.wallMilliseconds
        let log = try LogReader.recover(settings, on: LinuxFileSystem()) { records in
            try replayer.apply(records, to: &state.dispatcher, now: now)
        } snapshot: { place in
            try load(place)
        } progress: { loaded, total in
            state.advanceLoading(loaded: loaded, total: total)
            serveWhileLoading()
        }
        state.endLoading(log, replayer)
        return log
    }

    /// A short look at the sockets between two stretches of loading.
    mutating func serveWhileLoading() {
        let ready = poller.wait(milliseconds: 0)
        guard ready > 0 else { return }
        for index in 0..<ready { handle(poller.event(at: index)) }
        sendReplies()
        if state.shutdown != nil {
            // Nothing was changed yet, so there is nothing to finish.
            state.diagnostics.notice(
                "Stopped while loading. Redis is now ready to exit, bye bye...")
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
