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
            fileSystem: fileSystem, clock: clock, folder: folder, history: log.history,
            reserve: DiskReserve(folder: folder.path, bytes: settings.reserveBytes))
    }
}

/// Where a log writer goes on.
struct LogWriterStart {
    /// A segment that was sealed before.
    struct Sealed {
        var name: String
        var end: LSN
        var bytes: Int64
    }

    /// Open, exact and durable.
    var segment: SegmentWriter
    /// In force.
    var manifest: Manifest
    var nextNumber: UInt64
    /// The time of the last batch.
    var milliseconds: Int64
    /// The database selected at the end of the stream.
    var database: Int
    var sealed: [Sealed]
    var baseBytes: Int64

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
        milliseconds = log.lastMilliseconds
        database = log.database
        let baseName = log.manifest.base?.name
        sealed = log.files.filter { $0.name != baseName }.map {
            Sealed(name: $0.name, end: $0.endLSN, bytes: $0.bytes)
        }
        baseBytes = log.files.first { $0.name == baseName }?.bytes ?? 0
        let opening = SegmentWriter.Opening(
            number: nextNumber, name: folder.segmentName(nextNumber), firstLSN: log.end,
            history: log.history, milliseconds: log.lastMilliseconds, database: log.database)
        nextNumber += 1
        segment = try LogJob.fill(opening, with: [], world)
        manifest.durable = log.end
        manifest.addSegment(opening)
        try manifest.swap(into: folder, on: world.fileSystem)
        Self.removeUnlistedHealing(manifest, world)
    }

    /// Attempts at healing that a crash interrupted hold nothing that was acknowledged.
    private static func removeUnlistedHealing(_ manifest: Manifest, _ world: LogWorld) {
        let listed = Set(manifest.lines.map(\.name))
        do throws(SystemError) {
            for name in try world.fileSystem.list(world.folder.path)
            where world.folder.isHealingSegment(name) && !listed.contains(name) {
                try world.fileSystem.remove(world.folder.path(of: name))
            }
        } catch {
            // Litter that stays does no harm.
        }
    }
}
