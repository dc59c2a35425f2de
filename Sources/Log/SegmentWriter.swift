internal import HoldfastBytes
internal import HoldfastPlatform

/// One open segment file: appends batches at an explicit offset, zeroes ahead, seals.
///
/// Nothing here retries: an error leaves `offset` and `end` at the last whole batch that was written,
/// and the owner decides. Whatever stands in the file beyond `offset` means nothing.
///
/// `append`, `seal` and `close` are called by one thread at a time; `sync` may run beside `append`,
/// and covers what `append` had returned for before it began. `zeroAhead` may run beside both, outside of the
/// range that is written.
final class SegmentWriter: @unchecked Sendable {
    // Sendable because the owner lets one job at a time use the mutable part (see LogWriterCore).
    let file: any File
    let number: UInt64
    let name: String
    let firstLSN: LSN
    /// Where the next batch goes.
    private(set) var offset: Int64
    /// The LSN of the next batch.
    private(set) var end: LSN
    private var scratch = ByteBuffer()

    /// Batches are gathered into one write up to this size; larger ones are written from where they are.
    private static let gatherBytesMax = 256 << 10
    private static let gatherBatchBytesMax = 64 << 10
    private static let zeros = [UInt8](repeating: 0, count: 256 << 10)

    /// Goes on in an open file whose whole batches end at `offset`.
    init(
        resuming file: any File, number: UInt64, name: String, firstLSN: LSN, offset: Int64,
        end: LSN
    ) {
        self.file = file
        self.number = number
        self.name = name
        self.firstLSN = firstLSN
        self.offset = offset
        self.end = end
    }

    /// What a new segment's opening line says.
    struct Opening: Sendable {
        var number: UInt64
        var name: String
        var firstLSN: LSN
        var history: HistoryID
        var milliseconds: Int64
        var database: Int
    }

    /// Makes the file (emptied if there) and writes its opening line. Nothing is synced yet.
    static func create(
        _ opening: Opening, in folder: LogFolder, on fileSystem: any FileSystem
    ) throws(SystemError) -> SegmentWriter {
        let file = try fileSystem.open(folder.path(of: opening.name), .createOrTruncate)
        var line = ByteBuffer()
        BatchEncoder.openingLine(
            into: &line, segment: opening.number, firstLSN: opening.firstLSN,
            history: opening.history, milliseconds: opening.milliseconds,
            database: opening.database)
        do throws(SystemError) {
            try file.writeAll(line.slice, at: 0)
        } catch {
            file.close()
            throw error
        }
        return SegmentWriter(
            resuming: file, number: opening.number, name: opening.name,
            firstLSN: opening.firstLSN, offset: Int64(line.count), end: opening.firstLSN)
    }

    /// Writes `batches`, each with its annotation, right after the last one.
    ///
    /// - Parameter durable: what is known to be on stable storage.
    func append(_ batches: [Batch], durable: LSN) throws(SystemError) {
        var at = offset
        var next = end
        scratch.removeAll()
        for batch in batches {
            precondition(batch.first == next, "batch \(batch.first) does not follow \(next)")
            next = batch.end
            let isGathered = batch.count <= Self.gatherBatchBytesMax
            if !scratch.isEmpty
                && scratch.count + (isGathered ? batch.count : 0) > Self.gatherBytesMax
            {
                try writeScratch(&at)
            }
            let records = batch.records
            BatchEncoder.annotation(
                into: &scratch, firstLSN: batch.first, records: records,
                milliseconds: batch.milliseconds, durable: durable)
            if isGathered {
                scratch.append(records)
            } else {
                try file.writeAll(scratch.slice, records, at: at)
                at += Int64(scratch.count + records.count)
                scratch.removeAll()
            }
        }
        if !scratch.isEmpty { try writeScratch(&at) }
        offset = at
        end = next
    }

    private func writeScratch(_ at: inout Int64) throws(SystemError) {
        try file.writeAll(scratch.slice, at: at)
        at += Int64(scratch.count)
        scratch.removeAll()
    }

    /// Puts everything written on stable storage.
    func sync() throws(SystemError) { try file.sync() }

    /// Fills `range` with zeros through `handle`, a second opening of the same file, and syncs: an error
    /// that the second one sees is still reported to the next sync of the first.
    static func zeroAhead(_ range: Range<Int64>, through handle: any File) throws(SystemError) {
        var at = range.lowerBound
        while at < range.upperBound {
            let size = Int(min(Int64(zeros.count), range.upperBound - at))
            try zeros.withSlice { (slice) throws(SystemError) in
                try handle.writeAll(slice.prefix(size), at: at)
            }
            at += Int64(size)
        }
        try handle.sync()
    }

    /// Cuts the file after the last whole batch and syncs it: exact to the byte from here on.
    func seal() throws(SystemError) {
        try file.truncate(to: offset)
        try file.sync()
    }

    func close() { file.close() }
}
