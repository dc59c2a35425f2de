internal import HoldfastBytes

/// The records of one turn, kept from hand-over until they are durable: a failed sync can make any of
/// them be written again elsewhere.
struct Batch: Sendable {
    let block: KeptBlock
    let range: Range<Int>
    let first: LSN
    /// The database that the stream has selected before the first record.
    let databaseBefore: Int
    /// Monotonic ns.
    let appendedAt: UInt64
    /// Unix time; never below that of the batch before.
    let milliseconds: Int64

    var count: Int { range.count }
    var end: LSN { first.advanced(by: range.count) }
    var records: ByteSlice { block.bytes.slice(range) }
}

/// A block with the number of batches in it that aren't durable.
final class KeptBlock: @unchecked Sendable {
    // Sendable because `batches` is used by the queue only, under the writer's lock.
    let bytes: ByteBlock
    var batches = 0

    init(capacity: Int) { bytes = ByteBlock(capacity: capacity) }
}

/// The batches that aren't durable, oldest first.
///
/// Their bytes are copied into large blocks, so that the turn's own buffer stays where it is in the
/// processor's cache (fresh memory for each turn was measured to cost ten times the copy). Blocks
/// are used again; a few are kept.
struct BatchQueue {
    private var items: [Batch] = []
    private var head = 0
    /// The one that is being filled.
    private var open: KeptBlock?
    private var spare: [KeptBlock] = []

    private static let blockBytes = 1 << 20
    private static let spareCountMax = 32

    var count: Int { items.count - head }
    var isEmpty: Bool { head == items.count }
    var first: Batch? { isEmpty ? nil : items[head] }
    subscript(_ index: Int) -> Batch { items[head + index] }

    mutating func append(_ batch: Batch) { items.append(batch) }

    func copy(_ range: Range<Int>) -> [Batch] {
        Array(items[head + range.lowerBound..<head + range.upperBound])
    }

    /// Copies a turn's records to where they stay until they are durable. Must be followed by `append`.
    mutating func keep(_ records: ByteSlice) -> (block: KeptBlock, range: Range<Int>) {
        if let open, let start = open.bytes.append(records) {
            open.batches += 1
            return (open, start..<start + records.count)
        }
        // What would take most of a block gets one of its own.
        let isLarge = records.count > Self.blockBytes / 2
        let block =
            isLarge
            ? KeptBlock(capacity: records.count)
            : spare.popLast() ?? KeptBlock(capacity: Self.blockBytes)
        guard let start = block.bytes.append(records) else {
            preconditionFailure("an empty block of \(block.bytes.capacity) has no room")
        }
        block.batches += 1
        if !isLarge { open = block }
        return (block, start..<start + records.count)
    }

    /// Drops the oldest batches that end at or before `lsn`; returns how many.
    mutating func drop(upTo lsn: LSN) -> Int {
        var dropped = 0
        while head < items.count, items[head].end <= lsn {
            let block = items[head].block
            head += 1
            dropped += 1
            block.batches -= 1
            if block.batches == 0 { recycle(block) }
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

    private mutating func recycle(_ block: KeptBlock) {
        guard block.bytes.capacity == Self.blockBytes else { return }
        block.bytes.empty()
        if block !== open && spare.count < Self.spareCountMax { spare.append(block) }
    }

    /// Gives memory back, some at a time; called now and then while nothing is written.
    mutating func trim() {
        if !spare.isEmpty { spare.removeLast((spare.count + 3) / 4) }
    }
}
