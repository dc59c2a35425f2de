internal import HoldfastPlatform
internal import Log
internal import RDBCheck
internal import Snapshot

/// The RDB content at the start of a file of a log: its base, or what an AOF file begins with.
struct Base {
    var name: String
    var summary: RDBContent.Summary
    let content: RDBContent
}

/// Somebody pressed Ctrl-C.
struct Interrupted: Error {}

/// Reads the RDB content of a log as rdb-check does, keeping nothing of it.
struct BaseCheck {
    private(set) var bases: [Base] = []
    /// What was wrong with the content, as the reader said it.
    private(set) var error: SnapshotReadError?

    /// - Returns: where the content ends in its file.
    mutating func check(
        _ place: LogSnapshot, mayGoOn: () -> Bool, progress: (Int64) -> Void
    ) throws -> Int64 {
        let content = RDBContent { () throws(SystemError) in try FileSource(place.file) }
        let summary: RDBContent.Summary
        do throws(WalkFailure) {
            summary = try content.check { done in
                progress(place.loadedBytes + done)
                return mayGoOn()
            }
        } catch {
            switch error {
            case .read(let error):
                self.error = error
                throw RecordFault(offset: Int(clamping: error.offset), reason: error.description)
            case .system(let error): throw error
            case .interrupted, .usage, .wrapping: throw Interrupted()
            }
        }
        try Self.check(summary.aux, against: place)
        let name = LogTarget.split(place.path).name
        bases.append(Base(name: name, summary: summary, content: content))
        return summary.isExpanded ? try place.file.size() : summary.end
    }

    /// As a start compares them.
    private static func check(_ aux: SnapshotAux, against place: LogSnapshot) throws(RecordFault) {
        guard place.isBase else { return }
        if let due = place.history?.description, let history = aux.history, history != due {
            throw RecordFault(offset: 0, reason: "the base is of another history, \(history)")
        }
        if let due = place.lsn?.value, let lsn = aux.lsn, lsn != due {
            throw RecordFault(offset: 0, reason: "the base is of LSN \(lsn), not of \(due)")
        }
    }
}
