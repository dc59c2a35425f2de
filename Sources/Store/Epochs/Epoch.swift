internal import Glibc

/// Epoch numbers and the frees that wait for them.
///
/// Every page and entry bears the epoch in which it was made. `freeze` ends an epoch: what was made up to
/// then belongs to the snapshot and is never changed again while the snapshot lives; the first write to it
/// makes a copy, and the original is retired here, to be freed when no snapshot needs it.
///
/// With no snapshot alive `frozen` is 0, all birth epochs are above it, and the price is one compare.
@safe
public struct EpochClock: ~Copyable {
    /// The epoch that new pages and entries are born in.
    public private(set) var current: UInt32 = 1
    /// Whatever was born at or before this epoch must not change; 0 when no snapshot lives.
    public private(set) var frozen: UInt32 = 0
    /// Blocks that the live snapshot still needs.
    private var retired: [UnsafeMutableRawPointer] = unsafe []
    /// Blocks that nobody needs; the first `freedCount` are gone already.
    private var ready: [UnsafeMutableRawPointer] = unsafe []
    private var freedCount = 0

    public init() {}

    deinit {
        for index in unsafe freedCount..<ready.count { unsafe free(ready[index]) }
        for index in unsafe 0..<retired.count { unsafe free(retired[index]) }
    }

    /// The number of blocks that wait to be freed.
    public var retiredCount: Int { unsafe retired.count + ready.count - freedCount }

    /// Ends the current epoch. One snapshot at a time: the caller thaws before it freezes again.
    mutating func freeze() {
        precondition(frozen == 0, "a snapshot is alive already")
        frozen = current
        current += 1
    }

    /// The snapshot is done; what it needed may go, a few blocks at a time through `freeSome`.
    mutating func thaw() {
        frozen = 0
        if unsafe ready.isEmpty {
            unsafe swap(&ready, &retired)
        } else {
            unsafe ready.append(contentsOf: retired)
            unsafe retired = []
        }
    }

    /// Frees `block`, or keeps it for the live snapshot if it was born in time to be part of it.
    @inline(__always)
    mutating func release(_ block: UnsafeMutableRawPointer, bornIn epoch: UInt32) {
        if epoch > frozen {
            unsafe free(block)
        } else {
            unsafe retired.append(block)
        }
    }

    /// Frees up to `limit` blocks that no snapshot needs any more; for the end of a turn.
    ///
    /// - Returns: how many were freed.
    @discardableResult
    mutating func freeSome(_ limit: Int) -> Int {
        let count = unsafe min(limit, ready.count - freedCount)
        guard count > 0 else { return 0 }
        for index in freedCount..<freedCount + count { unsafe free(ready[index]) }
        freedCount += count
        if unsafe freedCount == ready.count {
            unsafe ready = []
            freedCount = 0
        }
        return count
    }
}
