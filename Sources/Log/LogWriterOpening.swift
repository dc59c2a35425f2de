internal import HoldfastBytes
public import HoldfastPlatform

// From recovery to writing: what recovery left is durable and exact, and writing goes on in a segment
// of its own.

extension LogWriter {
    /// Begins a new segment at the end of the recovered log, puts it into the manifest and starts the
    /// threads. At return all of that is durable.
    ///
    /// - Parameters:
    ///   - log: from `LogReader.recover`, with its lock held for as long as the writer lives.
    ///   - wake: see `LogWriter`.
    public static func open(
        _ log: RecoveredLog, in folder: LogFolder, settings: LogWriterSettings,
        fileSystem: any FileSystem, clock: any Clock, wake: @escaping @Sendable () -> Void
    ) throws(SystemError) -> LogWriter {
        let world = LogWorld(log, folder, settings, fileSystem, clock)
        let start = try LogWriterStart(log, world)
        return try LogWriter(settings: settings, world: world, start: start, wake: wake)
    }
}

extension LogWorld {
    init(
        _ log: RecoveredLog, _ folder: LogFolder, _ settings: LogWriterSettings,
        _ fileSystem: any FileSystem, _ clock: any Clock
    ) {
        self.init(
            fileSystem: fileSystem, clock: clock, folder: folder,
            reserve: DiskReserve(folder: folder.path, bytes: settings.reserveBytes))
    }
}

/// Where a log writer goes on.
struct LogWriterStart {
    /// Open, exact and durable.
    var segment: SegmentWriter
    /// In force.
    var manifest: Manifest
    var nextNumber: UInt64
    /// In force from the open segment on.
    var history: HistoryID
    /// The time of the last batch.
    var milliseconds: Int64
    /// The database selected at the end of the stream.
    var database: Int
    /// Segments in force, and such as the base has superseded.
    var sealed: [SealedSegment]
    var superseded: [SealedSegment] = []
    var base: LogBase?
    var olderBases: [LogBase] = []
    var archived = ArchiveMark()

    /// Does the I/O of opening.
    init(_ log: RecoveredLog, _ world: LogWorld) throws(SystemError) {
        let folder = world.folder
        if try world.fileSystem.kind(of: folder.path) == nil {
            try world.fileSystem.createFolder(folder.path)
            try world.fileSystem.syncFolder(folder.directory)
        }
        world.reserve.open(folder.path, on: world.fileSystem)
        manifest = log.manifest
        nextNumber = log.nextSegment
        history = log.history
        milliseconds = log.lastMilliseconds
        database = log.database
        sealed = []
        for file in log.files {
            guard let line = log.manifest.lines.first(where: { $0.name == file.name }) else {
                continue
            }
            if line.type == .base {
                base = LogBase(
                    name: file.name, sequence: line.sequence, lsn: line.firstLSN ?? file.endLSN,
                    bytes: file.bytes, history: line.history)
            } else {
                sealed.append(
                    SealedSegment(
                        name: file.name, sequence: line.sequence, firstLSN: file.firstLSN,
                        end: file.endLSN, bytes: file.bytes, milliseconds: file.lastMilliseconds,
                        isPlain: file.kind == .plain || file.hasPlainTail))
            }
        }
        let opening = SegmentWriter.Opening(
            number: nextNumber, name: folder.segmentName(nextNumber), firstLSN: log.end,
            history: log.history, milliseconds: log.lastMilliseconds, database: log.database)
        nextNumber += 1
        segment = try LogJob.fill(opening, with: [], world)
        manifest.durable = log.end
        try findSuperseded(world, before: sealed.first?.firstLSN ?? log.end)
        manifest.addSegment(opening)
        try manifest.swap(into: folder, on: world.fileSystem)
        findArchiveMark(world)
        let listed = Set(manifest.lines.map(\.name))
        world.remove(log.replacedFiles.filter { !listed.contains($0) })
        Self.removeLitter(manifest, world)
    }

    /// Looks for the segments and the base that the manifest keeps from before its base. What isn't there any
    /// more is left out.
    private mutating func findSuperseded(_ world: LogWorld, before end: LSN) throws(SystemError) {
        var end = end
        var gone: Set<String> = []
        for line in manifest.lines.reversed() where line.type == .history {
            let path = world.folder.path(of: line.name)
            guard let lsn = line.firstLSN, try world.fileSystem.kind(of: path) == .file else {
                gone.insert(line.name)
                continue
            }
            let file = try world.fileSystem.open(path, .read)
            defer { file.close() }
            let size = try file.size()
            let bytes = line.bytes ?? size
            if world.folder.isBase(line.name) {
                olderBases.insert(
                    LogBase(
                        name: line.name, sequence: line.sequence, lsn: lsn, bytes: bytes,
                        history: line.history), at: 0)
            } else {
                // Its age is not known without reading it: it counts from this start.
                superseded.insert(
                    SealedSegment(
                        name: line.name, sequence: line.sequence, firstLSN: lsn, end: end,
                        bytes: bytes, milliseconds: world.clock.wallMilliseconds), at: 0)
                end = lsn
            }
        }
        manifest.lines.removeAll { gone.contains($0.name) }
    }

    /// A mark beyond what there is belongs to a log that was here before.
    private mutating func findArchiveMark(_ world: LogWorld) {
        archived = ArchiveMark.read(world.folder, on: world.fileSystem)
        let bases = olderBases.map(\.sequence) + [base?.sequence].compactMap { $0 }
        if archived.segment >= segment.number || archived.base > bases.max() ?? 0 {
            archived = ArchiveMark()
            world.remove([ArchiveMark.name])
        }
    }

    /// Attempts at healing that a crash interrupted hold nothing that was acknowledged; bases that aren't whole
    /// hold what the log has. The folder is locked, so nobody is writing them.
    private static func removeLitter(_ manifest: Manifest, _ world: LogWorld) {
        let listed = Set(manifest.lines.map(\.name))
        do throws(SystemError) {
            for name in try world.fileSystem.list(world.folder.path)
            where world.folder.isHealingSegment(name) && !listed.contains(name)
                || name.hasPrefix(LogFolder.temporaryBasePrefix)
            {
                try world.fileSystem.remove(world.folder.path(of: name))
            }
        } catch {
            // Litter that stays does no harm.
        }
    }
}
