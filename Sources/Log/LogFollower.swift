internal import HoldfastBytes
public import HoldfastPlatform

/// Reads on where an inspection of a folder ended, while a server writes there.
///
/// What isn't whole yet is left for the next call: a batch that is being written looks torn.
public struct LogFollower: ~Copyable {
    private let folder: LogFolder
    private var name: String?
    private var offset: Int64
    private var lsn: LSN
    private var milliseconds: Int64
    private var database: Int
    private var file: (any File)?

    /// - Parameter log: as `LogReader.inspect` left it.
    public init(_ folder: LogFolder, after log: RecoveredLog) {
        self.folder = folder
        name = log.files.last?.name
        offset = log.files.last?.bytes ?? 0
        lsn = log.end
        milliseconds = log.lastMilliseconds
        database = log.database
    }

    deinit { file?.close() }

    /// Gives all whole batches that are new.
    ///
    /// - Returns: whether there was nothing more to read.
    public mutating func poll(on disk: any FileSystem, apply: LogReader.Apply) throws -> Bool {
        if let name, try readOn(name, disk, apply) { return false }
        return try !goToNextFile(disk)
    }

    private mutating func readOn(
        _ name: String, _ disk: any FileSystem, _ apply: LogReader.Apply
    ) throws -> Bool {
        let opened = try file ?? disk.open(folder.path(of: name), .read)
        file = opened
        guard try opened.size() > offset else { return false }
        var reader = try SegmentReader(opened, after: milliseconds)
        if offset == 0 {
            guard case .line = try reader.readOpening() else { return false }
        } else {
            reader.resume(at: offset, lsn: lsn, database: database)
        }
        var hasRead = false
        while true {
            let from = reader.offset
            let before = reader.database
            guard case .batch(let annotation, let records) = try reader.next() else { break }
            hasRead = true
            try apply(
                RecordBatch(
                    records: records, firstLSN: annotation.firstLSN,
                    milliseconds: annotation.milliseconds, database: before, beginsFile: false,
                    place: RecordBatch.Place(
                        name: name, file: opened, range: from..<reader.offset,
                        recordsOffset: from + Int64(annotation.lineBytes))))
        }
        offset = reader.offset
        lsn = reader.lsn
        milliseconds = reader.milliseconds
        database = reader.database
        return hasRead
    }

    /// Goes to the segment that begins where this one ends, once a manifest lists one.
    private mutating func goToNextFile(_ disk: any FileSystem) throws -> Bool {
        let bytes = try disk.readWhole(folder.manifestPath, bytesMax: Manifest.bytesMax)
        let manifest = try bytes.withSlice { try Manifest(parsing: $0) }
        let next = manifest.lines.first { line in
            line.type == .incremental && line.firstLSN == lsn && line.name != name
        }
        guard let next else { return false }
        file?.close()
        file = nil
        name = next.name
        offset = 0
        return true
    }
}
