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
    private var retired: [UnsafeMutableRawPointer] = unsafe []
    private var freedCount = 0

    public init() {}

    deinit {
        for index in unsafe freedCount..<retired.count { unsafe free(retired[index]) }
    }

    /// The number of blocks that wait to be freed.
    public var retiredCount: Int { unsafe retired.count - freedCount }

    /// Ends the current epoch. One snapshot at a time: the caller thaws before it freezes again.
    mutating func freeze() {
        precondition(frozen == 0, "a snapshot is alive already")
        frozen = current
        current += 1
    }

    /// The snapshot is done; what it needed may go, a few blocks at a time through `freeSome`.
    mutating func thaw() { frozen = 0 }

    /// Frees `block`, or keeps it for the live snapshot if it was born in time to be part of it.
    @inline(__always)
    mutating func release(_ block: UnsafeMutableRawPointer, bornIn epoch: UInt32) {
        if epoch > frozen {
            unsafe free(block)
        } else {
            unsafe retired.append(block)
        }
    }

    /// Frees up to `limit` retired blocks once no snapshot is alive; for the end of a turn.
    public mutating func freeSome(_ limit: Int) {
        guard frozen == 0, unsafe !retired.isEmpty else { return }
        for _ in 0..<limit {
            guard unsafe freedCount < retired.count else { break }
            unsafe free(retired[freedCount])
            freedCount += 1
        }
        if unsafe freedCount == retired.count {
            unsafe retired = []
            freedCount = 0
        }
    }
}
