internal import HoldfastBytes
public import HoldfastPlatform

/// Where recovery left the log, and so where writing goes on.
public struct LogWriterOpening: Sendable {
    /// A segment that may be written on.
    public struct OpenSegment: Sendable {
        public var name: String
        public var number: UInt64
        public var firstLSN: LSN
        /// Where its last whole batch ends in the file; what follows is dropped.
        public var offset: Int64

        public init(name: String, number: UInt64, firstLSN: LSN, offset: Int64) {
            self.name = name
            self.number = number
            self.firstLSN = firstLSN
            self.offset = offset
        }
    }

    public var folder: LogFolder
    public var history: HistoryID
    /// The one in force; without lines if the log is new.
    public var manifest: Manifest
    /// The end of the recovered stream.
    public var end: LSN
    /// The database selected there.
    public var database: Int
    /// The time of the last batch; 0 if there is none.
    public var milliseconds: Int64
    /// The highest durable LSN that the manifest or an annotation records.
    public var durable: LSN
    /// Nil if a new segment must begin: there is none, or the last one isn't ours.
    public var open: OpenSegment?
    /// Bytes in use of the files before the open one.
    public var sealedBytes: [String: Int64]
    /// A new segment gets this number or a higher one: files that no manifest names may have lower ones.
    public var segmentMin: UInt64 = 1

    public init(
        folder: LogFolder, history: HistoryID, manifest: Manifest = Manifest(), end: LSN = .zero,
        database: Int = 0, milliseconds: Int64 = 0, durable: LSN = .zero,
        open: OpenSegment? = nil, sealedBytes: [String: Int64] = [:]
    ) {
        self.folder = folder
        self.history = history
        self.manifest = manifest
        self.end = end
        self.database = database
        self.milliseconds = milliseconds
        self.durable = durable
        self.open = open
        self.sealedBytes = sealedBytes
    }
}

extension LogWriter {
    /// Makes the recovered log durable, opens it for writing and starts the threads.
    ///
    /// At return everything up to `opening.end` is on stable storage under the manifest in force.
    /// - Parameter wake: see `LogWriter`.
    public static func open(
        _ opening: LogWriterOpening, settings: LogWriterSettings, fileSystem: any FileSystem,
        clock: any Clock, wake: @escaping @Sendable () -> Void
    ) throws(SystemError) -> LogWriter {
        let world = LogWorld(opening, settings: settings, fileSystem: fileSystem, clock: clock)
        let start = try LogWriterStart(opening, world)
        return try LogWriter(settings: settings, world: world, start: start, wake: wake)
    }
}

extension LogWorld {
    init(
        _ opening: LogWriterOpening, settings: LogWriterSettings, fileSystem: any FileSystem,
        clock: any Clock
    ) {
        self.init(
            fileSystem: fileSystem, clock: clock, folder: opening.folder, history: opening.history,
            reserve: DiskReserve(folder: opening.folder.path, bytes: settings.reserveBytes))
    }
}

extension LogWriterStart {
    /// Does the opening's I/O.
    init(_ opening: LogWriterOpening, _ world: LogWorld) throws(SystemError) {
        let folder = opening.folder
        let fileSystem = world.fileSystem
        if try fileSystem.kind(of: folder.path) == nil {
            try fileSystem.createFolder(folder.path)
            try fileSystem.syncFolder(folder.directory)
        }
        world.reserve.open(folder.path, on: fileSystem)
        manifest = opening.manifest
        manifest.history = opening.history
        nextNumber = max(manifest.sequenceMax + 1, opening.segmentMin)
        milliseconds = opening.milliseconds
        database = opening.database
        let incremental = opening.manifest.lines.filter { $0.type == .incremental }
        sealed = []
        for (index, line) in incremental.enumerated() where line.name != opening.open?.name {
            let next = index + 1 < incremental.count ? incremental[index + 1].firstLSN : opening.end
            sealed.append(
                (line.name, line.sequence, next ?? opening.end, opening.sealedBytes[line.name] ?? 0)
            )
        }
        if let last = opening.open {
            segment = try Self.resume(last, opening, world)
            // What a process that was killed renamed last may not be stable yet.
            try fileSystem.syncFolder(folder.path)
        } else {
            let line = SegmentWriter.Opening(
                number: nextNumber, name: folder.segmentName(nextNumber), firstLSN: opening.end,
                history: opening.history, milliseconds: opening.milliseconds,
                database: opening.database)
            nextNumber += 1
            segment = try LogJob.fill(line, with: [], world)
            manifest.durable = opening.end
            manifest.addSegment(line)
            try manifest.swap(into: folder, on: fileSystem)
        }
    }

    /// Cuts the file at its last whole batch and makes all of it durable.
    ///
    /// Reading a byte back doesn't prove that it is on the medium: a process that was killed after a failed
    /// sync leaves pages that look clean and were never written. So what isn't recorded as durable is
    /// written once more in its place before the sync.
    private static func resume(
        _ last: LogWriterOpening.OpenSegment, _ opening: LogWriterOpening, _ world: LogWorld
    ) throws(SystemError) -> SegmentWriter {
        let file = try world.fileSystem.open(opening.folder.path(of: last.name), .readWrite)
        do throws(SystemError) {
            if try file.size() != last.offset { try file.truncate(to: last.offset) }
            let known = max(opening.durable, opening.manifest.durable)
            if known < opening.end {
                try rewrite(
                    file, from: offset(of: known, in: file, end: last.offset), to: last.offset)
            }
            try file.sync()
        } catch {
            file.close()
            throw error
        }
        return SegmentWriter(
            resuming: file, number: last.number, name: last.name, firstLSN: last.firstLSN,
            offset: last.offset, end: opening.end)
    }

    private static let stepBytes = 1 << 20

    private static func rewrite(
        _ file: any File, from start: Int64, to end: Int64
    ) throws(SystemError) {
        var at = start
        var buffer = ByteBuffer()
        while at < end {
            buffer.removeAll()
            let size = Int(min(Int64(stepBytes), end - at))
            let got = try file.readAll(at: at, count: size, into: &buffer)
            if got == 0 { break }
            try file.writeAll(buffer.slice, at: at)
            at += Int64(got)
        }
    }

    /// Where the batch begins that holds `lsn`, or the first one after it; 0 if that can't be told.
    private static func offset(
        of lsn: LSN, in file: any File, end: Int64
    ) throws(SystemError) -> Int64 {
        var window = ByteBuffer()
        var windowStart: Int64 = 0
        func fill(_ at: Int64) throws(SystemError) -> ByteSlice {
            let isInside =
                at >= windowStart
                && at + Int64(LogFormat.lineBytesMax * 2) <= windowStart + Int64(window.count)
            if !isInside {
                window.removeAll()
                windowStart = at
                let size = Int(min(Int64(stepBytes), max(0, end - at)))
                try file.readAll(at: at, count: size, into: &window)
            }
            return window.slice.dropFirst(Int(at - windowStart))
        }
        guard case .line(let opening) = BatchDecoder.opening(try fill(0)) else { return 0 }
        var at = Int64(opening.totalBytes)
        while at < end, case .line(let batch) = BatchDecoder.annotation(try fill(at)) {
            if batch.endLSN > lsn { return at }
            at += Int64(batch.lineBytes) + batch.recordBytes
        }
        return at
    }
}
