internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Snapshot
internal import Store

/// From snapshot files to the keyspace: a base of the log, or `dbfilename`.
extension CommandLoop {
    /// Loads what recovery found: the log's base, or a dump beside a log that holds nothing.
    mutating func load(_ place: LogSnapshot) throws -> Int64? {
        var loader = try state.loader(of: place)
        while try state.step(&loader) {
            try loader.aux.check(against: place)
            state.advanceLoading(
                loaded: place.loadedBytes + loader.sourceOffset, total: place.totalBytes)
            serveWhileLoading()
        }
        return try state.endLoad(of: place, loader)
    }

    /// Loads `dbfilename`, if there is one: the start without a log.
    mutating func loadDump() throws {
        let path = "\(state.configuration.dir)/\(state.configuration.text(.dbfilename))"
        let fileSystem = LinuxFileSystem()
        guard try fileSystem.kind(of: path) == .file else { return }
        state.beginLoading()
        let file = try fileSystem.open(path, .read)
        defer { file.close() }
        let place = LogSnapshot(
            file: file, path: path, history: nil, lsn: nil, isBase: false, loadedBytes: 0,
            totalBytes: try file.size())
        do {
            _ = try load(place)
        } catch {
            throw StartError(
                message:
                    "Fatal error loading the DB, \(path): \(error). Exiting; the file is as it was. "
                    + "Run redis-check-rdb on it, or move it away to start empty.")
        }
        state.endLoading()
        state.resumeHistory()
    }
}

extension SnapshotAux {
    /// A base must be of the log that names it.
    func check(against place: LogSnapshot) throws(RecordFault) {
        guard place.isBase else { return }
        if let expected = place.history?.description, let history, history != expected {
            throw RecordFault(
                offset: 0, reason: "the base is of another history, \(history.prefix(40))")
        }
        if let expected = place.lsn?.value, let lsn, lsn != expected {
            throw RecordFault(offset: 0, reason: "the base is of LSN \(lsn), not of \(expected)")
        }
    }
}

extension ServerState {
    /// As `CommandLoop.load`, while everybody waits.
    mutating func load(_ place: LogSnapshot) throws -> Int64? {
        var loader = try loader(of: place)
        while try step(&loader) {}
        return try endLoad(of: place, loader)
    }

    func loader(of place: LogSnapshot) throws -> SnapshotLoader {
        try SnapshotLoader(
            try FileSource(place.file), settings: loaderSettings(dropsExpired: !place.isBase))
    }

    /// - Returns: where the snapshot ends in its file.
    mutating func endLoad(
        of place: LogSnapshot, _ loader: borrowing SnapshotLoader
    ) throws -> Int64 {
        try loader.aux.check(against: place)
        noteLoaded(loader)
        return loader.isExpanded ? try place.file.size() : loader.offset
    }

    func loaderSettings(dropsExpired: Bool) -> SnapshotLoaderSettings {
        var settings = SnapshotLoaderSettings()
        if dropsExpired { settings.dropsExpiredAt = clock.wallMilliseconds }
        settings.keyDelayMicroseconds = configuration.number(.keyLoadDelay)
        settings.limits = dispatcher.context.limits.encodings
        settings.reader.verifiesChecksum = configuration.flag(.rdbchecksum)
        settings.reader.sanitizes = configuration.choiceName(.sanitizeDumpPayload) == "yes"
        return settings
    }

    /// One stretch of loading; false at the end.
    mutating func step(
        _ loader: inout SnapshotLoader, dropped: (Int, ByteSlice) -> Void = { _, _ in }
    ) throws(SnapshotReadError) -> Bool {
        let limits = dispatcher.context.limits
        let milliseconds = now
        return try loader.step(
            into: &dispatcher.context.keyspace, bytes: Self.loadingStretch,
            access: { idle, frequency in
                AccessClock.loaded(
                    idleSeconds: idle, frequency: frequency, milliseconds: milliseconds, limits)
            }, dropped: dropped)
    }

    private static let loadingStretch = 1 << 20

    mutating func noteLoaded(_ loader: borrowing SnapshotLoader) {
        saving.keysLoaded = loader.keysLoaded
        saving.keysExpired = loader.keysExpired
        saving.functions = loader.functions
        saving.loadedAux = loader.aux
        var text =
            "Done loading RDB, keys loaded: \(loader.keysLoaded), keys expired: \(loader.keysExpired)"
        if loader.keysEmpty > 0 { text += ", empty keys skipped: \(loader.keysEmpty)" }
        diagnostics.notice(text + ".")
    }

    mutating func endLoading() {
        condition.isLoading = false
        ProgressBar.clear()
        let seconds = loading.secondsPassed(nanoseconds: clock.monotonicNanoseconds)
        var text = ByteBuffer()
        text.append(decimal: Int64(seconds * 1000))
        diagnostics.notice("DB loaded from disk: \(text.slice.text) ms")
    }

    /// Makes all data the first base of a log that holds nothing yet: `log` then begins with it.
    mutating func writeFirstBase(of log: inout RecoveredLog) throws {
        let folder = logFolder
        var place = SnapshotPlace(
            folder: folder.path, name: log.nextBaseName(in: folder),
            temporaryName: "\(LogFolder.temporaryBasePrefix)\(identity.processID).aof")
        place.verifies = configuration.flag(.saveVerify)
        precondition(
            log.end == dispatcher.context.log.appended,
            "a first base that isn't where the log begins")
        let summary = try write(place, isBase: true, history: log.history.description)
        log.adopt(
            LogBase(
                name: place.name, sequence: log.nextBaseSequence, lsn: log.end, bytes: summary.bytes
            ))
    }
}
