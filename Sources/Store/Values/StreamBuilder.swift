public import HoldfastBytes

/// Why parts that came from outside don't make a stream.
public enum StreamFault: Error, Equatable, Sendable {
    /// No list of entries: damaged, or its counts or order wrong.
    case damagedNode
    case repeatedNode
    /// More or fewer entries than the stream is said to have.
    case wrongCount
    /// An entry beyond the ID that is said to be the last.
    case wrongLastID
    case repeatedGroup
    case repeatedPendingItem
    case repeatedConsumer
    /// A consumer has an item that its group doesn't have, or that another consumer has.
    case strayPendingItem
    /// No consumer has one of the group's items.
    case unownedPendingItem
}

/// Puts a stream together from the parts that an RDB file has, in the file's order:
///
///     addNode …, finishEntries, then for each group: addGroup, addPending …, then addConsumer with
///     addConsumerItem …; finish
///
/// What is given up halfway is freed.
public struct StreamBuilder: ~Copyable {
    private let stream: StreamValue
    private var clock: EpochClock
    private var liveCount = 0
    private var group: ConsumerGroup?
    private var consumer: StreamConsumer?
    private var ownedCount = 0
    private var isFinished = false

    /// - Parameter epoch: the keyspace's current one.
    public init(epoch: UInt32) {
        clock = EpochClock(building: epoch)
        stream = StreamValue.make(epoch: epoch)
    }

    deinit {
        guard !isFinished else { return }
        var parts = ReleaseStack()
        unsafe parts.push(stream.raw, .stream)
        var clock = EpochClock()
        parts.releaseSome(.max, &clock)
    }

    /// Adds a node with the bytes of its list, which are checked to the last.
    public mutating func addNode(_ master: StreamID, _ list: ByteSlice) throws(StreamFault) {
        guard let live = StreamNodeCheck(list, master: master)?.liveCount else {
            throw .damagedNode
        }
        var tree = stream.nodes
        var cursor = tree.end()
        let isBehind = !cursor.previous() || cursor.element.node.masterID < master
        let node = StreamNode.make(master: master, list: list, epoch: clock.current)
        if isBehind {
            stream.append(node: node, &clock)
        } else {
            cursor = tree.lowerBound(hint: master.milliseconds) { $0.node.masterID < master }
            if !cursor.isAtEnd, cursor.element.node.masterID == master {
                node.release(&clock)
                throw .repeatedNode
            }
            tree.insert(NodeElement(node), before: &cursor, &clock)
            stream.nodes = tree
        }
        liveCount += live
    }

    /// What newer files tell of a stream's past.
    public struct History: Sendable {
        public var firstID: StreamID
        public var maxDeletedID: StreamID
        public var addedCount: UInt64

        public init(firstID: StreamID, maxDeletedID: StreamID, addedCount: UInt64) {
            self.firstID = firstID
            self.maxDeletedID = maxDeletedID
            self.addedCount = addedCount
        }
    }

    /// - Parameters:
    ///   - count: the number of live entries.
    ///   - history: nil for a file that has none; then nothing is taken to have been deleted.
    public mutating func finishEntries(
        count: UInt64, lastID: StreamID, history: History?
    ) throws(StreamFault) {
        guard count == UInt64(liveCount) else { throw .wrongCount }
        var last: StreamID?
        var isInOrder = true
        stream.nodes.forEach { element, _ in
            element.node.forEachEntry { entry in
                if let before = last, entry.id <= before { isInOrder = false }
                last = entry.id
                return true
            }
        }
        guard isInOrder else { throw .damagedNode }
        guard last ?? .zero <= lastID else { throw .wrongLastID }
        stream.count = liveCount
        stream.lastID = lastID
        var first = StreamID.zero
        stream.forEach(limit: 1) {
            first = $0.id
            return false
        }
        stream.firstID = first
        stream.maxDeletedID = history?.maxDeletedID ?? .zero
        stream.addedCount = history?.addedCount ?? count
    }

    // MARK: Groups

    /// - Parameter entriesRead: -1 for unknown; nil if the file doesn't tell, to estimate it.
    public mutating func addGroup(
        _ name: ByteSlice, lastID: StreamID, entriesRead: Int64?
    ) throws(StreamFault) {
        try finishGroup()
        guard stream.group(name) == nil else { throw .repeatedGroup }
        let read = entriesRead ?? stream.addedCount(upTo: lastID) ?? -1
        var root = stream
        group = root.addGroup(name, lastID: lastID, entriesRead: read == -1 ? nil : read, &clock)
    }

    /// Adds an item that is pending in the newest group.
    public mutating func addPending(
        _ id: StreamID, time: Int64, count: UInt64
    ) throws(StreamFault) {
        guard let group else { throw .strayPendingItem }
        var tree = group.pending
        var cursor = tree.item(atOrAfter: id)
        if !cursor.isAtEnd, cursor.element.item.id == id { throw .repeatedPendingItem }
        let item = PendingItem.make(id, time: time, count: count, owner: 0, epoch: clock.current)
        tree.insert(PendingElement(item), before: &cursor, &clock)
        group.pending = tree
    }

    /// Adds a consumer to the newest group.
    ///
    /// - Parameter activeTime: -1 for never.
    public mutating func addConsumer(
        _ name: ByteSlice, seenTime: Int64, activeTime: Int64
    ) throws(StreamFault) {
        guard let group, group.consumer(name) == nil else { throw .repeatedConsumer }
        consumer = group.addConsumer(name, seenTime: seenTime, activeTime: activeTime, &clock)
    }

    /// Gives the newest consumer one of its group's items.
    public mutating func addConsumerItem(_ id: StreamID) throws(StreamFault) {
        guard let group, let consumer, let item = group.pending.item(id), item.ownerWord == 0 else {
            throw .strayPendingItem
        }
        item.ownerWord = consumer.keptName.word
        consumer.put(item, &clock)
        ownedCount += 1
    }

    private mutating func finishGroup() throws(StreamFault) {
        if let group, group.pendingCount != ownedCount { throw .unownedPendingItem }
        group = nil
        consumer = nil
        ownedCount = 0
    }

    /// The stream, which now belongs to the caller.
    public consuming func finish() throws(StreamFault) -> StreamValue {
        try finishGroup()
        isFinished = true
        return stream
    }
}
