public import HoldfastBytes

/// Finds out whether parts that came from outside make a stream, without putting one together: the rules are those
/// of `StreamBuilder`, the calls and their order too.
///
/// Memory is bounded. Beyond `exactCount` pending items of one group their owners are compared by sums of hashes,
/// which tells that something is wrong but not for which item.
public struct StreamCheck {
    /// So many items of a kind are remembered one by one.
    private static let exactCount = 1 << 19

    private let hasher: ByteHash
    private var liveCount: UInt64 = 0
    /// Of all nodes so far, if they come in order.
    private var last: StreamID?
    private var lastMaster: StreamID?
    /// The nodes of a stream whose nodes don't come in order.
    private var spans: [(master: StreamID, first: StreamID?, last: StreamID?)] = []
    private var isInOrder = true
    private var groupNames: Set<UInt64> = []
    private var group: Group?

    private struct Group {
        var pending: [StreamID] = []
        var owned: [Bool] = []
        var isSorted = true
        var pendingCount = 0
        var ownedCount = 0
        var pendingSum: UInt64 = 0
        var ownedSum: UInt64 = 0
        var consumers: Set<UInt64> = []
    }

    public init(hasher: ByteHash) { self.hasher = hasher }

    /// - Returns: the node, to be read while the bytes are valid.
    public mutating func node(
        _ master: StreamID, _ list: ByteSlice
    ) throws(StreamFault) -> StreamNodeCheck {
        guard let node = StreamNodeCheck(list, master: master) else { throw .damagedNode }
        liveCount &+= UInt64(node.liveCount)
        if let before = lastMaster, master <= before {
            if master == before { throw .repeatedNode }
            isInOrder = false
        }
        lastMaster = max(master, lastMaster ?? .zero)
        if spans.count < Self.exactCount { spans.append((master, node.firstID, node.lastID)) }
        if isInOrder, let first = node.firstID {
            if let last, first <= last { throw .damagedNode }
            last = node.lastID
        }
        return node
    }

    public mutating func entries(count: UInt64, lastID: StreamID) throws(StreamFault) {
        guard count == liveCount else { throw .wrongCount }
        if !isInOrder { try sortSpans() }
        guard last ?? .zero <= lastID else { throw .wrongLastID }
        spans = []
    }

    private mutating func sortSpans() throws(StreamFault) {
        guard spans.count < Self.exactCount else { throw .damagedNode }
        spans.sort { $0.master < $1.master }
        last = nil
        for (index, span) in spans.enumerated() {
            if index > 0, spans[index - 1].master == span.master { throw .repeatedNode }
            guard let first = span.first else { continue }
            if let last, first <= last { throw .damagedNode }
            last = span.last
        }
    }

    public mutating func group(_ name: ByteSlice) throws(StreamFault) {
        try finish()
        guard groupNames.count >= Self.exactCount || groupNames.insert(hasher.hash(name)).inserted
        else { throw .repeatedGroup }
        group = Group()
    }

    public mutating func pending(_ id: StreamID) throws(StreamFault) {
        guard group != nil else { throw .strayPendingItem }
        // In place: a copy of the group would copy its items.
        if let before = group?.pending.last, id <= before {
            if id == before { throw .repeatedPendingItem }
            group?.isSorted = false
        }
        group?.pendingCount += 1
        group?.pendingSum &+= Self.mixed(id)
        if group?.pending.count ?? 0 < Self.exactCount { group?.pending.append(id) }
    }

    public mutating func consumer(_ name: ByteSlice) throws(StreamFault) {
        guard var made = group.take() else { throw .repeatedConsumer }
        defer { group = made }
        if made.consumers.isEmpty { try Self.seal(&made) }
        guard
            made.consumers.count >= Self.exactCount
                || made.consumers.insert(hasher.hash(name)).inserted
        else { throw .repeatedConsumer }
    }

    /// All pending items are known.
    private static func seal(_ group: inout Group) throws(StreamFault) {
        if !group.isSorted {
            group.pending.sort()
            for (left, right) in zip(group.pending, group.pending.dropFirst()) where left == right {
                throw .repeatedPendingItem
            }
        }
        group.owned = [Bool](repeating: false, count: group.pending.count)
    }

    public mutating func consumerItem(_ id: StreamID) throws(StreamFault) {
        guard group != nil else { throw .strayPendingItem }
        group?.ownedCount += 1
        group?.ownedSum &+= Self.mixed(id)
        guard let count = group?.pendingCount, count <= Self.exactCount else { return }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if let found = group?.pending[middle], found < id {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < count, group?.pending[low] == id, group?.owned[low] == false else {
            throw .strayPendingItem
        }
        group?.owned[low] = true
    }

    /// The stream is complete; call last.
    public mutating func finish() throws(StreamFault) {
        guard let done = group.take() else { return }
        guard done.pendingCount == done.ownedCount, done.pendingSum == done.ownedSum else {
            throw .unownedPendingItem
        }
    }

    private static func mixed(_ id: StreamID) -> UInt64 {
        var mixed = id.milliseconds &* 0x9e37_79b9_7f4a_7c15 &+ id.sequence
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
