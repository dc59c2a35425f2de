internal import Log

/// A promise that replication didn't keep.
public struct BrokenPromise: Error, CustomStringConvertible {
    public let description: String
}

/// A write of a client, and who is known to have it.
final class ClientWrite {
    enum Safety { case written, durable }

    let node: Int
    let history: HistoryID
    let end: LSN
    /// Those that have said that they have it, and how safely.
    var holders: [Int: Safety] = [:]
    /// A failover to a node that never said that it has it took it away, or a power cut that it wasn't safe from.
    var isSuperseded = false

    init(node: Int, history: HistoryID, end: LSN) {
        self.node = node
        self.history = history
        self.end = end
    }
}

/// Knows everything that ever happened, and compares with it what nodes do:
///
/// - R1 what a node logs as a replica is what its primary logged at the same LSN of the same history;
/// - R2 data at an LSN of a history is the same on every node, also after recoveries and full resyncs;
/// - R3 what a node says of its histories is so;
/// - R4 what a node has acknowledged is there after a kill, and after a power cut as its policy promises;
/// - R5 so a write that WAIT confirmed for all replicas survives any promotion, and one that was acknowledged in
///   `always` everything but a failover;
/// - R6 a full resync happens only if the replica's log isn't the beginning of the primary's, or the primary no longer
///   keeps what follows;
/// - R7 an empty node doesn't take others' data away;
/// - R8 when faults end all nodes come to the same history, LSN and data;
/// - R9 in `always` no node sends what it can lose.
final class Judge {
    private(set) var lineage = Lineage()
    private var digests: [Lineage.Place: (digest: String, node: Int)] = [:]
    private var writes: [ClientWrite] = []
    private var historyCount: UInt64 = 0
    /// The first promise that was broken.
    private(set) var broken: BrokenPromise?

    func fail(_ text: String) {
        if broken == nil { broken = BrokenPromise(description: text) }
    }

    // MARK: Histories and bytes

    func newID() -> HistoryID {
        historyCount += 1
        return HistoryID(historyCount, 0, 0)
    }

    func begun(_ id: HistoryID, after parent: HistoryID?, at lsn: LSN, life: Int) {
        lineage.begin(id, after: parent, at: lsn, life: life)
    }

    func logged(_ bytes: [UInt8], at lsn: LSN, in id: HistoryID, node: Int, life: Int) {
        if let fault = lineage.log(bytes, at: lsn, in: id, life: life) {
            fail("R1: node \(node): \(fault)")
        }
    }

    /// Compares a node's data and what it believes of its log with what is so.
    func compare(_ histories: Histories, end: LSN, digest: String?, node: Int) {
        let spans = histories.spans
        for (index, span) in spans.enumerated() where index + 1 < spans.count {
            let last = spans[index + 1].first
            guard last > span.first else { continue }
            if !lineage.isPrefix(span.id, last, of: histories.current, end) {
                fail(
                    "R3: node \(node) takes \(span.id) up to \(last) for a part of its log: \(spans)"
                )
            }
        }
        guard let digest else { return }
        let place = lineage.place(histories.current, end)
        if let known = digests[place] {
            if known.digest != digest {
                fail(
                    "R2: data of node \(node) differs from that of node \(known.node) at LSN \(end) of "
                        + "\(histories.current)")
            }
        } else {
            digests[place] = (digest, node)
        }
    }

    // MARK: Writes

    func add(_ write: ClientWrite) { writes.append(write) }

    private func has(_ history: HistoryID, _ end: LSN, _ write: ClientWrite) -> Bool {
        lineage.isPrefix(write.history, write.end, of: history, end)
    }

    /// A node has come back with what it found on its disk.
    func recovered(_ node: Int, _ history: HistoryID, _ end: LSN, keepsWritten: Bool) {
        for write in writes where !write.isSuperseded {
            guard let safety = write.holders[node], !has(history, end, write) else { continue }
            if keepsWritten || safety == .durable {
                fail(
                    "R4: node \(node) has lost what it had acknowledged: LSN \(write.end) of \(write.history); it "
                        + "ends at \(end) of \(history)")
            }
            write.holders[node] = nil
        }
    }

    /// A node takes writes from here on: what it doesn't have is no more.
    func leads(_ node: Int, _ history: HistoryID, _ end: LSN) {
        for write in writes where !write.isSuperseded && !has(history, end, write) {
            if write.holders[node] != nil {
                fail("R5: node \(node) leads without LSN \(write.end) of \(write.history)")
            }
            write.isSuperseded = true
        }
    }

    /// A node's data gives way to that of `source`.
    func replaced(_ node: Int, from source: Int, _ history: HistoryID, _ end: LSN, hadKeys: Bool) {
        for write in writes where !write.isSuperseded {
            guard !has(history, end, write) else { continue }
            // What it has got since it made the snapshot follows in the stream.
            let isOlder = lineage.isPrefix(history, end, of: write.history, write.end)
            if write.holders[source] != nil, !isOlder {
                fail("R5: node \(source) gives data without LSN \(write.end) of \(write.history)")
            }
            guard write.holders[node] != nil else { continue }
            write.holders[node] = nil
            if hadKeys, isOlder {
                fail(
                    "R5: node \(node) has given up LSN \(write.end) of \(write.history), which it had acknowledged, "
                        + "for older data of node \(source) at \(end) of \(history)")
            }
            write.isSuperseded = true
        }
    }

    /// A node's disk is empty: what it had it has no more.
    func forgot(_ node: Int) {
        for write in writes { write.holders[node] = nil }
    }

    func finished(_ history: HistoryID, _ end: LSN) {
        for write in writes where !write.isSuperseded && !write.holders.isEmpty {
            if !has(history, end, write) {
                fail(
                    "R5: LSN \(write.end) of \(write.history), which nodes \(write.holders.keys.sorted()) had "
                        + "acknowledged, is gone; all are at \(end) of \(history)")
            }
        }
    }

    var confirmedCount: Int { writes.count { $0.holders.count > 1 } }
    var acknowledgedCount: Int { writes.count { !$0.holders.isEmpty } }
    var supersededCount: Int { writes.count { $0.isSuperseded && !$0.holders.isEmpty } }
}
