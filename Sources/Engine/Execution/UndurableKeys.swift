public import Log

/// Keys whose newest change is not acknowledged by the disk yet, with the LSN to wait for: what a read of
/// such a key must wait for, so that nobody sees what a power cut could take back.
///
/// Keys are told by touch mark (a 64-bit hash of database and key); a collision makes a reply wait for no
/// reason, at most one sync long.
public struct UndurableKeys: ~Copyable {
    /// Off in policies where a reply doesn't wait for the disk.
    public var isOn = false
    /// Two generations, so that old marks go although new ones keep coming.
    private var older: [UInt64: LSN] = [:]
    private var newer: [UInt64: LSN] = [:]
    private var olderLast = LSN.zero
    private var newerLast = LSN.zero
    /// Set after a change of whole databases: every key has to wait at least for this.
    private var everything: LSN?

    public init() {}

    public var isEmpty: Bool { older.isEmpty && newer.isEmpty && everything == nil }

    mutating func noteAll(until lsn: LSN) { everything = lsn }

    mutating func note(_ mark: UInt64, until lsn: LSN) {
        newer[mark] = lsn
        newerLast = lsn
    }

    /// What a reply that depends on this key has to wait for.
    @inline(__always)
    public func gate(_ mark: UInt64) -> LSN? {
        if _fastPath(isEmpty) { return nil }
        let own = newer[mark] ?? older[mark]
        guard let everything else { return own }
        return own.map { max($0, everything) } ?? everything
    }

    /// What a reply that depends on the whole keyspace has to wait for.
    public var gateForAll: LSN? { isEmpty ? nil : max(olderLast, newerLast, everything ?? .zero) }

    /// Everything before `acknowledged` is safe: forget generations that lie before it whole.
    public mutating func acknowledged(upTo acknowledged: LSN) {
        if let last = everything, last <= acknowledged { everything = nil }
        guard !isEmpty, olderLast <= acknowledged else { return }
        if newerLast <= acknowledged {
            older.removeAll(keepingCapacity: true)
            newer.removeAll(keepingCapacity: true)
        } else {
            older.removeAll(keepingCapacity: true)
            swap(&older, &newer)
            olderLast = newerLast
        }
    }
}
