internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// Where a log is to end: behind a whole batch, or behind some units of the one that follows.
struct CutPoint {
    /// What is taken of one batch of ours: its first records, to be written as a batch of their own.
    struct Part {
        /// Where the records are in the file.
        var recordsOffset: Int64
        var bytes: Int
        var milliseconds: Int64
    }

    /// The file that becomes the last; nil for none at all.
    var file: String?
    /// The end in it of the last whole batch that is kept.
    var offset: Int64 = 0
    /// The end of the whole batches.
    var lsn = LSN.zero
    var milliseconds: Int64 = 0
    var part: Part?

    var end: LSN { lsn.advanced(by: part?.bytes ?? 0) }
}

/// What `aof-check cut` was asked for.
enum CutWish {
    case time(Int64)
    case lsn(UInt64)
    /// Lower case.
    case command(String)

    init(_ arguments: ParsedArguments, now: Int64) throws(UsageError) {
        let given = ["to-time", "to-lsn", "before-command"].filter(arguments.has)
        guard given.count == 1 else {
            throw UsageError("give one of --to-time, --to-lsn and --before-command")
        }
        if let text = arguments.value("to-time") {
            self = .time(try LogRange.moment(text, "to-time", now))
        } else if let text = arguments.value("to-lsn") {
            guard let lsn = UInt64(text), lsn < 1 << 63 else {
                throw UsageError("--to-lsn wants an LSN, not \(text)")
            }
            self = .lsn(lsn)
        } else {
            self = .command(arguments.value("before-command")?.lowercased() ?? "")
        }
    }
}

/// Finds the place for a wish while batches go by.
struct CutSearch {
    let wish: CutWish
    /// The place as it is now: behind everything seen that is to stay.
    private(set) var point = CutPoint()
    /// The last place before the command that was asked for.
    private(set) var found: CutPoint?
    /// Batches have times.
    private(set) var hasTimes = false

    init(_ wish: CutWish) { self.wish = wish }

    /// - Throws: `EnoughRead` when the place is known.
    mutating func see(_ batch: RecordBatch) throws {
        guard let place = batch.place else { return }
        if batch.milliseconds > 0 { hasTimes = true }
        switch wish {
        case .time(let moment):
            if batch.milliseconds > moment { throw EnoughRead() }
        case .lsn(let lsn):
            if batch.endLSN.value > lsn {
                if batch.firstLSN.value > lsn { throw EnoughRead() }
                begin(batch, place)
                take(batch, place) { $0 <= lsn }
                throw EnoughRead()
            }
        case .command(let name):
            var hit: UInt64?
            batch.forEachRecord { record in
                guard let first = record.arguments.first, first.kept.text.lowercased() == name
                else { return }
                // Of several in one batch the last, as over all.
                hit = record.lsn.value
            }
            if let hit {
                let before = point
                begin(batch, place)
                take(batch, place) { $0 <= hit }
                found = point
                point = before
            }
        }
        point = CutPoint(
            file: place.name, offset: place.range.upperBound, lsn: batch.endLSN,
            milliseconds: batch.milliseconds)
    }

    /// Moves to just before `batch`, which may begin a file.
    private mutating func begin(_ batch: RecordBatch, _ place: RecordBatch.Place) {
        if point.file == place.name { return }
        point = CutPoint(
            file: place.name, offset: place.range.lowerBound, lsn: batch.firstLSN,
            milliseconds: point.milliseconds)
    }

    /// Takes the units of `batch` that end where `isKept` says.
    private mutating func take(
        _ batch: RecordBatch, _ place: RecordBatch.Place, isKept: (UInt64) -> Bool
    ) {
        // What is too large to hold is taken whole or not at all.
        guard batch.isHeld else { return }
        var bytes = 0
        batch.forEachRecord { record in
            let end = record.lsn.value + UInt64(record.byteCount)
            guard isKept(end) else { return }
            let isEnd = record.arguments.first?.kept.equalsIgnoringCase("exec") ?? false
            if !record.isInTransaction || isEnd { bytes = Int(end - batch.firstLSN.value) }
        }
        guard bytes > 0 else { return }
        guard place.isSegment else {
            // Plain commands can end anywhere.
            point.offset = place.fileOffset(Int64(bytes))
            point.lsn = batch.firstLSN.advanced(by: bytes)
            return
        }
        point.part = CutPoint.Part(
            recordsOffset: place.recordsOffset, bytes: bytes, milliseconds: batch.milliseconds)
    }
}
