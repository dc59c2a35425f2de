internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Snapshot
internal import Store

/// What DEBUG does with the whole data set and the whole process.
extension ServerState {
    /// Forgets all data and takes it from the log folder again, as a start would; without a log, from what the
    /// folder holds of a rewrite.
    mutating func reloadLog() throws(CommandError) {
        let settings =
            durability.recovery
            ?? RecoverySettings(folder: logFolder, freshHistory: Startup.randomHistory())
        let writer = durability.writer
        if dispatcher.context.log.isUnitOpen {
            throw .text("ERR loading is not possible inside a transaction")
        }
        if let writer { try writeAll(writer) }
        let end = dispatcher.context.log.appended
        // Replies of this turn stand in the buffer that replaying clears.
        var replies = ReplyWriter()
        swap(&replies, &dispatcher.context.reply)
        for database in 0..<dispatcher.context.keyspace.databaseCount {
            dispatcher.context.keyspace.removeAll(database)
        }
        dispatcher.context.keyspace.freeRetired(limit: .max)
        var replayer = RecordReplayer()
        let now = now
        var failure: String?
        do throws(LogReadError) {
            let log = try LogReader.inspect(settings, on: LinuxFileSystem()) { records in
                try replayer.apply(records, to: &dispatcher, now: now)
            } snapshot: { place in
                try load(place)
            }
            if writer != nil, log.end != end {
                failure = "the log ends at LSN \(log.end), not at \(end)"
            }
        } catch {
            failure = "\(error)"
        }
        swap(&replies, &dispatcher.context.reply)
        saving.savedChanges = dispatcher.context.changes
        // Every key may have changed for those who watch.
        dispatcher.beginUnit(at: now)
        dispatcher.endUnit()
        if let failure {
            diagnostics.warning("Loading the log again failed: \(failure)")
            throw .message("ERR Error trying to load the AOF: \(failure)")
        }
        diagnostics.notice("Log loaded again by DEBUG: \(replayer.count) records, LSN \(end)")
    }

    struct ReloadOptions {
        var saves = true
        var flushes = true
        /// Keys that are there already are replaced.
        var merges = false
    }

    /// Saves a snapshot and takes all data from it again.
    mutating func reloadSnapshot(_ options: ReloadOptions) throws(CommandError) {
        if dispatcher.context.log.isUnitOpen {
            throw .text("ERR loading is not possible inside a transaction")
        }
        if options.saves {
            if saving.isSaving { throw .text("ERR Background save already in progress") }
            do throws(SnapshotWriteError) {
                try saveNow()
            } catch { throw .message("ERR Error trying to save the DB: \(error)") }
        }
        dispatcher.beginUnit(at: now)
        if options.flushes {
            for database in 0..<dispatcher.context.keyspace.databaseCount {
                dispatcher.context.keyspace.removeAll(database)
            }
        }
        var failure: String?
        do {
            try reloadDump(merges: options.merges)
        } catch {
            failure = "\(error)"
        }
        // Every key may have changed for those who watch.
        dispatcher.endUnit()
        // What the log says and what is in memory may differ now: a base mends that.
        if !options.saves || !options.flushes || failure != nil, durability.writer != nil {
            saving.isRewriteDue = true
        }
        if let failure {
            diagnostics.warning("Loading the snapshot again failed: \(failure)")
            throw .text("ERR Error trying to load the RDB dump, check server logs")
        }
        diagnostics.notice("DB reloaded by DEBUG RELOAD")
    }

    private mutating func reloadDump(merges: Bool) throws {
        let path = "\(configuration.dir)/\(configuration.text(.dbfilename))"
        let file = try LinuxFileSystem().open(path, .read)
        defer { file.close() }
        var settings = loaderSettings(dropsExpired: true)
        settings.replacesKeys = merges
        var loader = try SnapshotLoader(try FileSource(file), settings: settings)
        var dropped: [(database: Int, key: [UInt8])] = []
        while try step(&loader, dropped: { dropped.append(($0, $1.copyToArray())) }) {}
        noteLoaded(loader)
        for (database, key) in dropped {
            key.withSlice { dispatcher.logExpiry(of: $0, database) }
        }
    }

    /// Hands over what this turn has appended and waits until all of it can be read back.
    private mutating func writeAll(_ writer: LogWriter) throws(CommandError) {
        let end = dispatcher.context.log.appended
        durability.submit(&dispatcher.context.log, inlineAllowed: false)
        let start = clock.monotonicNanoseconds
        while writer.watermarks.written < end {
            guard clock.monotonicNanoseconds &- start < 30_000_000_000 else {
                throw .text("ERR the log could not be written within 30 seconds")
            }
            // Another thread writes; nothing here could be woken by it.
            usleep(200)
        }
    }

    /// Sets a string unless the key exists, and logs that as SET.
    mutating func setIfMissing(_ key: ByteSlice, _ database: Int, to value: ByteSlice) {
        let hashed = dispatcher.context.keyspace.hashed(key)
        guard dispatcher.context.keyspace.find(hashed, database) == nil else { return }
        dispatcher.context.keyspace.setString(hashed, database, to: value, deadline: .clear)
        guard dispatcher.context.logsEffects else { return }
        dispatcher.context.log.beginRecord(database: database, argumentCount: 3)
        dispatcher.context.log.append(argument: "SET")
        dispatcher.context.log.append(argument: key)
        dispatcher.context.log.append(argument: value)
    }

    /// Replaces the process by a new one of the same program and arguments.
    ///
    /// - Parameter inOrder: whether everything is made durable first.
    mutating func restart(
        inOrder: Bool, afterMilliseconds milliseconds: Int
    ) throws(CommandError) {
        if milliseconds > 0 { usleep(UInt32(clamping: milliseconds) &* 1000) }
        if inOrder, let writer = durability.writer {
            durability.submit(&dispatcher.context.log, inlineAllowed: false)
            do throws(SystemError) {
                try writer.close()
            } catch {
                throw .message("ERR failed to restart the server: \(error.reason)")
            }
        }
        diagnostics.warning(inOrder ? "DEBUG RESTART" : "DEBUG CRASH-AND-RECOVER")
        // SAFETY: copies that end with a null pointer; the call doesn't return unless it fails.
        var words = unsafe CommandLine.arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        unsafe execv(identity.executable, words)
        diagnostics.warning("Can't start \(identity.executable) again: errno \(errno)")
        exit(1)
    }
}
