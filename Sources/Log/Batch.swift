internal import HoldfastBytes

/// The records of one turn, kept from hand-over until they are durable: a failed sync can make any of
/// them be written again elsewhere.
final class Batch: @unchecked Sendable {
    // Sendable because it is filled on the command thread before it is enqueued under the writer's lock,
    // and changed again only after it was taken off the queue under that lock.
    var bytes = ByteBuffer()
    var first = LSN.zero
    /// The database that the stream has selected before the first record.
    var databaseBefore = 0
    /// Monotonic ns.
    var appendedAt: UInt64 = 0
    /// Unix time; never below that of the batch before.
    var milliseconds: Int64 = 0

    var count: Int { bytes.count }
    var end: LSN { first.advanced(by: bytes.count) }
}

/// The batches that aren't durable, oldest first, and a few emptied ones for use again.
struct BatchQueue {
    private var items: [Batch] = []
    private var head = 0
    private var spare: [Batch] = []
    private var spareBytes = 0

    /// Emptied buffers are kept for use again up to so many bytes, and none that alone is too large.
    private static let spareBytesMax = 8 << 20
    private static let spareCountMax = 1_024
    private static let oneSpareBytesMax = 1 << 20

    var count: Int { items.count - head }
    var isEmpty: Bool { head == items.count }
    var first: Batch? { isEmpty ? nil : items[head] }
    subscript(_ index: Int) -> Batch { items[head + index] }

    mutating func append(_ batch: Batch) { items.append(batch) }

    func copy(_ range: Range<Int>) -> [Batch] {
        Array(items[head + range.lowerBound..<head + range.upperBound])
    }

    /// An empty batch, with memory from an earlier one if there is any.
    mutating func takeEmpty() -> Batch {
        guard let batch = spare.popLast() else { return Batch() }
        spareBytes -= batch.bytes.capacity
        return batch
    }

    /// Drops the oldest batches that end at or before `lsn`; returns how many.
    mutating func drop(upTo lsn: LSN) -> Int {
        var dropped = 0
        while head < items.count, items[head].end <= lsn {
            recycle(items[head])
            head += 1
            dropped += 1
        }
        if head == items.count {
            items.removeAll(keepingCapacity: items.capacity <= 4_096)
            head = 0
        } else if head >= 1_024 && head >= items.count / 2 {
            items.removeFirst(head)
            head = 0
        }
        return dropped
    }

    private mutating func recycle(_ batch: Batch) {
        let held = batch.bytes.capacity
        guard held <= Self.oneSpareBytesMax, spareBytes + held <= Self.spareBytesMax,
            spare.count < Self.spareCountMax
        else { return }
        batch.bytes.removeAll()
        spareBytes += held
        spare.append(batch)
    }
}
