/// Which keys are due next: pairs of (deadline, hash of key) in order.
///
/// An order of two levels: a list of chunks of at most 256 pairs each, every chunk sorted and all of a chunk
/// before all of the next. Adding and removing find the chunk by bisection and move at most 4 KiB; finding
/// what is due looks at the front. Removal is exact, so a key whose deadline moves a thousand times leaves
/// nothing behind. Two keys with the same deadline and hash are two equal pairs.
struct DeadlineIndex: ~Copyable {
    struct Pair: Comparable {
        var deadline: Int64
        var hash: UInt64

        @inline(__always)
        static func < (left: Pair, right: Pair) -> Bool {
            left.deadline != right.deadline
                ? left.deadline < right.deadline : left.hash < right.hash
        }
    }

    private static let chunkMax = 256
    private var chunks: [[Pair]] = []
    /// The first pair of each chunk, side by side for the bisection.
    private var firsts: [Pair] = []
    private(set) var count = 0

    init() {}

    /// The earliest pair.
    var first: Pair? { firsts.first }

    /// About how many bytes the index holds.
    var memoryBytes: Int { chunks.count * (Self.chunkMax * 16 + 32 + 24) }

    /// The chunk that `pair` belongs to; there is at least one.
    private func chunk(for pair: Pair) -> Int {
        var low = 0
        var high = firsts.count
        while low < high {
            let middle = (low + high) / 2
            if firsts[middle] <= pair { low = middle + 1 } else { high = middle }
        }
        return max(low - 1, 0)
    }

    private static func position(_ pair: Pair, in chunk: [Pair]) -> Int {
        var low = 0
        var high = chunk.count
        while low < high {
            let middle = (low + high) / 2
            if chunk[middle] < pair { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func insert(deadline: Int64, hash: UInt64) {
        let pair = Pair(deadline: deadline, hash: hash)
        count += 1
        guard !chunks.isEmpty else {
            chunks.append([pair])
            firsts.append(pair)
            return
        }
        let at = chunk(for: pair)
        chunks[at].insert(pair, at: Self.position(pair, in: chunks[at]))
        firsts[at] = chunks[at][0]
        guard chunks[at].count > Self.chunkMax else { return }
        // Deadlines mostly come in rising order: split the last chunk near its end, so that chunks stay full.
        let isLast = at == chunks.count - 1
        let cut = isLast ? Self.chunkMax - 16 : Self.chunkMax / 2
        let upper = Array(chunks[at][cut...])
        chunks[at].removeSubrange(cut...)
        chunks.insert(upper, at: at + 1)
        firsts.insert(upper[0], at: at + 1)
    }

    /// Removes one such pair; it must be there.
    mutating func remove(deadline: Int64, hash: UInt64) {
        let pair = Pair(deadline: deadline, hash: hash)
        precondition(!chunks.isEmpty, "deadline index lost a pair")
        let at = chunk(for: pair)
        let position = Self.position(pair, in: chunks[at])
        // An equal run may begin in the chunk before; then this chunk's own first pair is the equal one.
        precondition(
            position < chunks[at].count && chunks[at][position] == pair,
            "deadline index lost a pair")
        chunks[at].remove(at: position)
        count -= 1
        if chunks[at].isEmpty {
            chunks.remove(at: at)
            firsts.remove(at: at)
            return
        }
        firsts[at] = chunks[at][0]
        // Chunks that were thinned out join, or a few pairs would hold the memory of many.
        if chunks[at].count < Self.chunkMax / 8, at + 1 < chunks.count,
            chunks[at].count + chunks[at + 1].count <= Self.chunkMax / 2
        {
            chunks[at].append(contentsOf: chunks[at + 1])
            chunks.remove(at: at + 1)
            firsts.remove(at: at + 1)
        }
    }

    /// Frees up to `limit` chunks of an index that nobody looks at any more; false when none is left.
    mutating func freeSome(_ limit: Int) -> Bool {
        chunks.removeLast(min(limit, chunks.count))
        return !chunks.isEmpty
    }

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    func checkInvariants() {
        precondition(chunks.count == firsts.count)
        var last = Pair(deadline: .min, hash: 0)
        var total = 0
        for (index, chunk) in chunks.enumerated() {
            precondition(!chunk.isEmpty && chunk.count <= Self.chunkMax, "chunk of \(chunk.count)")
            precondition(firsts[index] == chunk[0], "chunk's first pair is not noted")
            for pair in chunk {
                precondition(last <= pair, "pairs out of order")
                last = pair
            }
            total += chunk.count
        }
        precondition(total == count, "\(total) pairs, counted \(count)")
    }

    /// All pairs in order; for tests.
    var pairs: [Pair] { chunks.flatMap { $0 } }
}
