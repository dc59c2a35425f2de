internal import HoldfastPlatform
internal import Log
internal import Snapshot

/// What was read of an RDB: the base of a log, or what an AOF file begins with.
struct BaseSummary {
    var name: String
    var version = 0
    var keys = 0
    var deadlines = 0
    var isExpanded = false
    var lacksChecksum = false
    var aux = SnapshotAux()
    /// Where it ends in its file.
    var end: Int64 = 0
}

/// Somebody pressed Ctrl-C.
struct Interrupted: Error {}

/// Reads the RDB content of a log with the server's reader, keeping nothing of it.
struct BaseCheck {
    private(set) var summaries: [BaseSummary] = []
    /// What was wrong with the content, as the reader said it.
    private(set) var error: SnapshotReadError?

    mutating func check(
        _ place: LogSnapshot, mayGoOn: () -> Bool, progress: (Int64) -> Void
    ) throws -> Int64 {
        let name = LogTarget.split(place.path).name
        var summary = BaseSummary(name: name)
        do {
            let source = try FileSource(place.file)
            var reader = try SnapshotReader(source)
            try read(&reader, place, &summary, mayGoOn: mayGoOn) {
                progress(place.loadedBytes + source.bytesRead)
            }
        } catch let error as SnapshotReadError {
            self.error = error
            throw RecordFault(offset: Int(clamping: error.offset), reason: error.description)
        }
        summaries.append(summary)
        return summary.end
    }

    private func read(
        _ reader: inout SnapshotReader, _ place: LogSnapshot, _ summary: inout BaseSummary,
        mayGoOn: () -> Bool, progress: () -> Void
    ) throws {
        var nextLook: Int64 = 0
        var isDone = false
        while !isDone {
            switch try reader.next() {
            case .key(let head):
                summary.keys += 1
                if head.deadline != nil { summary.deadlines += 1 }
                try reader.skipValue(head)
            case .end: isDone = true
            case .aux, .function, .database, .sizes, .passedOver: break
            }
            if reader.offset >= nextLook {
                nextLook = reader.offset + 1 << 20
                progress()
                if !mayGoOn() { throw Interrupted() }
            }
        }
        summary.version = reader.version
        summary.aux = reader.aux
        summary.isExpanded = reader.isExpanded
        summary.lacksChecksum = reader.lacksChecksum
        summary.end = reader.isExpanded ? try place.file.size() : reader.offset
        guard place.isBase else { return }
        // As a start compares them.
        if let due = place.history?.description, let history = reader.aux.history, history != due {
            throw RecordFault(offset: 0, reason: "the base is of another history, \(history)")
        }
        if let due = place.lsn?.value, let lsn = reader.aux.lsn, lsn != due {
            throw RecordFault(offset: 0, reason: "the base is of LSN \(lsn), not of \(due)")
        }
    }
}
