internal import Glibc

/// Epoch numbers and the frees that wait for them.
///
/// Every page, node and entry bears the epoch in which it was made. `freeze` ends an epoch: what was made up to
/// then belongs to the snapshot and is never changed again while the snapshot lives; the first write to it
/// makes a copy, and the original is retired here, to be freed when no snapshot needs it. Several snapshots may
/// live at once: a copy is made of what the newest of them sees.
///
/// With no snapshot alive `frozen` is 0, all birth epochs are above it, and the price is one compare.
@safe
public struct EpochClock: ~Copyable {
    /// Blocks retired in one epoch: snapshots of earlier epochs may still need them.
    @safe
    private struct Generation {
        var epoch: UInt32
        var blocks: [UnsafeMutableRawPointer]
    }

    /// The epoch that new pages and entries are born in.
    public private(set) var current: UInt32 = 1
    /// Whatever was born at or before this epoch must not change: the newest live snapshot's, or 0.
    public private(set) var frozen: UInt32 = 0
    /// The epochs of the live snapshots, ascending.
    private var live: [UInt32] = []
    /// Blocks that a live snapshot may still need, the oldest generation first.
    private var generations: [Generation] = []
    /// Blocks that nobody needs; the first `freedCount` are gone already.
    private var ready: [UnsafeMutableRawPointer] = unsafe []
    private var freedCount = 0

    public init() {}

    /// A clock for values that no keyspace holds yet and so no snapshot sees; they are born in `epoch`.
    init(building epoch: UInt32) { current = epoch }

    deinit {
        for index in unsafe freedCount..<ready.count { unsafe free(ready[index]) }
        for generation in generations {
            for index in unsafe generation.blocks.indices { unsafe free(generation.blocks[index]) }
        }
    }

    /// How many snapshots live.
    var liveCount: Int { live.count }

    /// The number of blocks that wait to be freed.
    public var retiredCount: Int { generations.reduce(readyCount) { unsafe $0 + $1.blocks.count } }

    /// The number of blocks that `freeSome` would free.
    var readyCount: Int { unsafe ready.count - freedCount }

    /// Whether a snapshot lives that saw what was there before `epoch`.
    func isSeen(before epoch: UInt32) -> Bool { live.first.map { $0 < epoch } ?? false }

    /// Ends the current epoch and returns it: the new snapshot's, for `thaw`.
    mutating func freeze() -> UInt32 {
        frozen = current
        live.append(current)
        current += 1
        return frozen
    }

    /// The snapshot of `epoch` is done; what only it needed may go, a few blocks at a time through `freeSome`.
    mutating func thaw(_ epoch: UInt32) {
        guard let index = live.firstIndex(of: epoch) else {
            preconditionFailure("no snapshot lives in epoch \(epoch)")
        }
        live.remove(at: index)
        frozen = live.last ?? 0
        while let oldest = generations.first, !isSeen(before: oldest.epoch) {
            if unsafe ready.isEmpty {
                unsafe ready = oldest.blocks
            } else {
                unsafe ready.append(contentsOf: oldest.blocks)
            }
            generations.removeFirst()
        }
    }

    /// Frees `block`, or keeps it for the live snapshots if it was born in time to be part of one.
    @inline(__always)
    mutating func release(_ block: UnsafeMutableRawPointer, bornIn epoch: UInt32) {
        if epoch > frozen {
            unsafe free(block)
        } else {
            unsafe retire(block)
        }
    }

    private mutating func retire(_ block: UnsafeMutableRawPointer) {
        if generations.last?.epoch != current {
            unsafe generations.append(Generation(epoch: current, blocks: []))
        }
        unsafe generations[generations.count - 1].blocks.append(block)
    }

    /// Frees up to `limit` blocks that no snapshot needs any more; for the end of a turn.
    ///
    /// - Returns: how many were freed.
    @discardableResult
    mutating func freeSome(_ limit: Int) -> Int {
        let count = min(limit, readyCount)
        guard count > 0 else { return 0 }
        for index in freedCount..<freedCount + count { unsafe free(ready[index]) }
        freedCount += count
        if readyCount == 0 {
            unsafe ready = []
            freedCount = 0
        }
        return count
    }
}
