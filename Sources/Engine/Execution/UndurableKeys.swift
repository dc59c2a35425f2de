public import Log

/// Keys whose newest change is not acknowledged by the disk yet, with the LSN to wait for: what a read of
/// such a key must wait for, so that nobody sees what a power cut could take back.
///
/// A table of LSNs by the top bits of the key's touch mark (a hash of database and key), one store per write and
/// nothing to clear: an LSN that has been acknowledged since gates nothing. Two keys may share a cell; then a
/// reply waits for no reason, at most one sync long.
@safe
public struct UndurableKeys: ~Copyable {
    private static let bits: UInt64 = 14

    /// Off in policies where a reply doesn't wait for the disk.
    public var isOn = false
    private let cells: UnsafeMutablePointer<LSN>
    private var last = LSN.zero
    /// After a change of whole databases every key has to wait at least for this.
    private var everything = LSN.zero
    private var acknowledged = LSN.zero

    public init() {
        unsafe cells = .allocate(capacity: 1 << Self.bits)
        unsafe cells.initialize(repeating: .zero, count: 1 << Self.bits)
    }

    deinit { unsafe cells.deallocate() }

    /// Nothing has to wait.
    @inline(__always)
    public var isEmpty: Bool { last <= acknowledged }

    @inline(__always)
    private static func cell(_ mark: UInt64) -> Int { Int(mark >> (64 - bits)) }

    mutating func noteAll(until lsn: LSN) {
        everything = lsn
        last = lsn
    }

    @inline(__always)
    mutating func note(_ mark: UInt64, until lsn: LSN) {
        // SAFETY: a cell's number has as many bits as the table.
        unsafe cells[Self.cell(mark)] = lsn
        last = lsn
    }

    /// What a reply that depends on this key has to wait for.
    @inline(__always)
    public func gate(_ mark: UInt64) -> LSN? {
        if isEmpty { return nil }
        // SAFETY: as above.
        let lsn = unsafe max(cells[Self.cell(mark)], everything)
        return lsn > acknowledged ? lsn : nil
    }

    /// What a reply that depends on the whole keyspace has to wait for.
    public var gateForAll: LSN? { isEmpty ? nil : last }

    /// LSNs begin anew: what was noted means nothing any more.
    mutating func forgetAll() {
        // SAFETY: as many cells as were allocated.
        unsafe cells.update(repeating: .zero, count: 1 << Self.bits)
        last = .zero
        everything = .zero
        acknowledged = .zero
    }

    /// Everything before `lsn` is safe.
    public mutating func acknowledged(upTo lsn: LSN) { acknowledged = lsn }
}
