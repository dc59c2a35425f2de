internal import Log

/// Every history that any node has begun, and every byte that was logged in it: what all data is compared with.
///
/// A history goes on from a place in another one, so an id and an LSN name one sequence of bytes from the first on.
struct Lineage {
    struct Line {
        let parent: HistoryID?
        let first: UInt64
        /// Which life of which node may log in it.
        let life: Int
        var bytes: [UInt8] = []
        var end: UInt64 { first + UInt64(bytes.count) }
    }

    /// All before `end` in a history, under the oldest id that it has.
    struct Place: Hashable {
        let history: HistoryID
        let end: UInt64
    }

    private var lines: [HistoryID: Line] = [:]

    mutating func begin(_ id: HistoryID, after parent: HistoryID?, at lsn: LSN, life: Int) {
        precondition(lines[id] == nil, "two histories of one id")
        lines[id] = Line(parent: parent, first: lsn.value, life: life)
    }

    func life(of id: HistoryID) -> Int? { lines[id]?.life }

    /// Notes what a node has logged.
    ///
    /// - Returns: what is wrong with it.
    mutating func log(_ bytes: [UInt8], at lsn: LSN, in id: HistoryID, life: Int) -> String? {
        guard let line = lines[id] else { return "bytes of a history that nobody has begun" }
        guard line.life == life else { return compare(bytes, at: lsn, in: id) }
        guard lsn.value == line.end else {
            return "its own history \(id) goes on at \(lsn), not at \(line.end)"
        }
        lines[id]?.bytes += bytes
        return nil
    }

    /// - Returns: what is wrong with bytes that are to be of `id`.
    func compare(_ bytes: [UInt8], at lsn: LSN, in id: HistoryID) -> String? {
        var id = id
        var end = lsn.value + UInt64(bytes.count)
        while end > lsn.value {
            guard let line = lines[id] else { return "unknown history \(id)" }
            if end > line.first {
                guard end <= line.end else {
                    return "bytes up to \(end) of \(id), which ends at \(line.end)"
                }
                let from = max(lsn.value, line.first)
                let mine = bytes[Int(from - lsn.value)..<Int(end - lsn.value)]
                let theirs = line.bytes[Int(from - line.first)..<Int(end - line.first)]
                guard mine.elementsEqual(theirs) else {
                    return "other bytes in \(from)..<\(end) than \(id) has"
                }
                end = from
            }
            guard end > lsn.value else { break }
            guard let parent = line.parent else { return "bytes before \(id) began" }
            id = parent
        }
        return nil
    }

    func place(_ id: HistoryID, _ end: LSN) -> Place {
        var id = id
        while let line = lines[id], end.value <= line.first, let parent = line.parent {
            id = parent
        }
        return Place(history: id, end: end.value)
    }

    /// Whether all before `end` in `id` is also the beginning of what `other` holds up to `otherEnd`.
    func isPrefix(_ id: HistoryID, _ end: LSN, of other: HistoryID, _ otherEnd: LSN) -> Bool {
        if end == .zero { return true }
        let wanted = place(id, end)
        var cut = otherEnd.value
        var next: HistoryID? = other
        while let history = next, let line = lines[history] {
            if history == wanted.history { return wanted.end <= cut }
            cut = min(cut, line.first)
            next = line.parent
        }
        return false
    }
}
