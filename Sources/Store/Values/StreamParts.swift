internal import CLinux
public import HoldfastBytes

// What concerns a stream as a whole: giving it up, copying, measuring and checking it, its digest.

extension ReleaseStack.Kind {
    /// Whether a part is one of a stream's, which `StreamValue.dismantle` takes apart.
    var isOfStream: Bool {
        switch self {
        case .stream, .streamNodes, .streamGroup, .streamGroups, .streamConsumers, .pendingItems,
            .pendingNames:
            true
        default: false
        }
    }
}

extension StreamValue {
    /// Releases one part of a stream and pushes what it names.
    @unsafe
    static func dismantle(
        _ block: UnsafeMutableRawPointer, _ kind: ReleaseStack.Kind, _ stack: inout ReleaseStack,
        _ epochs: inout EpochClock
    ) {
        // SAFETY: the block is what its kind says, and nothing else names it any more.
        let word = UInt64(UInt(bitPattern: block))
        switch kind {
        case .stream:
            let stream = unsafe StreamValue(block)
            stack.push(tree: stream.nodes.word, .streamNodes)
            stack.push(tree: stream.groups.word, .streamGroups)
            unsafe epochs.release(block, bornIn: stream.epoch)
        case .streamNodes:
            CountedTree<NodeElement>.dismantle(node: word, &epochs) {
                stack.push(tree: $0, .streamNodes)
            } each: {
                $0.node.release(&$1)
            }
        case .streamGroups:
            CountedTree<GroupElement>.dismantle(node: word, &epochs) {
                stack.push(tree: $0, .streamGroups)
            } each: { element, _ in
                stack.push(tree: element.word, .streamGroup)
            }
        case .streamGroup:
            let group = ConsumerGroup(word: word)
            stack.push(tree: group.pending.word, .pendingItems)
            stack.push(tree: group.consumers.word, .streamConsumers)
            group.release(&epochs)
        case .streamConsumers:
            CountedTree<ConsumerElement>.dismantle(node: word, &epochs) {
                stack.push(tree: $0, .streamConsumers)
            } each: { element, epochs in
                let consumer = element.consumer
                stack.push(tree: consumer.pending.word, .pendingNames)
                consumer.keptName.release(&epochs)
                consumer.release(&epochs)
            }
        case .pendingItems:
            CountedTree<PendingElement>.dismantle(node: word, &epochs) {
                stack.push(tree: $0, .pendingItems)
            } each: {
                $0.item.release(&$1)
            }
        case .pendingNames:
            CountedTree<PendingElement>.dismantle(node: word, &epochs) {
                stack.push(tree: $0, .pendingNames)
            } each: { _, _ in
            }
        default: preconditionFailure("no part of a stream")
        }
    }

    // MARK: Nodes

    /// The nodes in order, for writing them down: master ID and the bytes of the list, as an RDB file has them.
    public func forEachNode<E: Error>(
        _ body: (StreamID, ByteSlice) throws(E) -> Void
    ) throws(E) {
        try nodes.forEach { element, _ throws(E) in
            try body(element.node.masterID, element.node.list.bytes)
        }
    }

    // MARK: Copying

    /// A stream of its own with the same content.
    func copied(epoch: UInt32) -> StreamValue {
        var clock = EpochClock(building: epoch)
        let twin = Self.make(epoch: epoch)
        nodes.forEach { element, _ in twin.append(node: element.node.copied(epoch: epoch), &clock) }
        twin.count = count
        twin.lastID = lastID
        twin.firstID = firstID
        twin.maxDeletedID = maxDeletedID
        twin.addedCount = addedCount
        var made = CountedTree<GroupElement>()
        forEachGroup { group in
            made.append(GroupElement(group.deeplyCopied(&clock)), &clock)
        }
        twin.groups = made
        return twin
    }

    // MARK: Memory

    /// Bytes of memory that the stream holds, in blocks as the allocator rounds them. The sizes of many nodes are
    /// estimated from some.
    public var memoryBytes: Int {
        var sum = unsafe hf_allocated_bytes(raw) + nodes.memoryBytes + groups.memoryBytes
        let sampled = min(nodeCount, 512)
        var nodeBytes = 0
        var cursor = nodes.first()
        for _ in 0..<sampled {
            nodeBytes += cursor.element.node.memoryBytes
            cursor.next()
        }
        if sampled > 0 { sum += nodeBytes * nodeCount / sampled }
        forEachGroup { group in
            sum += unsafe hf_allocated_bytes(group.raw)
            sum += group.pending.memoryBytes + group.consumers.memoryBytes
            sum += group.pendingCount * PackedBlock.sizeClass(PendingItem.bytes)
            group.forEachConsumer { consumer in
                sum += unsafe hf_allocated_bytes(consumer.raw) + consumer.pending.memoryBytes
                sum += unsafe hf_allocated_bytes(consumer.keptName.raw)
            }
        }
        return sum
    }

    /// How many nodes Redis's radix tree would have for the same macro nodes: what XINFO STREAM tells.
    public var radixNodeCount: Int {
        guard nodeCount > 0 else { return 1 }
        // The nodes of the tree where keys part, as (bytes in common before them), along the way to the newest key.
        var open: [Int] = []
        var total = 0
        /// A node for the bytes between two places, if there are any besides the one that leads there.
        func addRun(from upper: Int, to lower: Int) { if lower - upper > 1 { total += 1 } }
        func close(downTo depth: Int) {
            while let last = open.last, last > depth {
                open.removeLast()
                addRun(from: max(open.last ?? -1, depth), to: last)
            }
        }
        var previous: StreamID?
        var commonBefore = -1
        nodes.forEach { element, _ in
            let id = element.node.masterID
            if let previous {
                let common = previous.commonBytes(id)
                // The leaf of the key before hangs on the deeper of its two neighbours' parting places.
                addRun(from: max(commonBefore, common), to: 16)
                close(downTo: common)
                if open.last != common {
                    open.append(common)
                    total += 1
                }
                commonBefore = common
            }
            total += 1
            previous = id
        }
        addRun(from: commonBefore, to: 16)
        close(downTo: -1)
        return total
    }

    // MARK: Checking

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    public func checkInvariants(_ epochs: borrowing EpochClock) {
        nodes.checkInvariants(epochs)
        groups.checkInvariants(epochs)
        var live = 0
        var last: StreamID?
        var lastNode: UInt64 = 0
        nodes.forEach { element, _ in
            let node = element.node
            let found = StreamNodeCheck(node.list.bytes, master: node.masterID)?.liveCount
            precondition(found != nil, "a damaged node")
            precondition(node.list.byteCount <= node.room, "a node without room for its list")
            live += found ?? 0
            node.forEachEntry { entry in
                precondition(last.map { $0 < entry.id } ?? true, "entries out of order")
                last = entry.id
                return true
            }
            lastNode = node.word
        }
        precondition(live == count, "count of entries: \(live), not \(count)")
        precondition(lastNode == nodesEnd, "the last node is another")
        precondition(last ?? .zero <= lastID, "last ID before the last entry")
        var first = StreamID.zero
        forEach(limit: 1) {
            first = $0.id
            return true
        }
        precondition(first == firstID, "first ID \(firstID), not \(first)")
        forEachGroup { $0.checkInvariants(epochs) }
    }

    private var nodesEnd: UInt64 {
        unsafe raw.load(fromByteOffset: 16, as: UInt64.self)
    }
}

extension ConsumerGroup {
    fileprivate func deeplyCopied(_ epochs: inout EpochClock) -> ConsumerGroup {
        let epoch = epochs.current
        let twin = Self.make(name, lastID: lastID, entriesRead: entriesRead, epoch: epoch)
        var items = CountedTree<PendingElement>()
        pending.forEach { element, _ in
            let item = element.item
            let copy = PendingItem.make(
                item.id, time: item.deliveryTime, count: item.deliveryCount, owner: 0, epoch: epoch)
            items.append(PendingElement(copy), &epochs)
        }
        twin.pending = items
        var readers = CountedTree<ConsumerElement>()
        consumers.forEach { element, _ in
            let consumer = element.consumer
            let kept = ConsumerName.make(consumer.name, epoch: epoch)
            let copy = StreamConsumer.make(
                kept, seenTime: consumer.seenTime, activeTime: consumer.activeTime, epoch: epoch)
            var own = CountedTree<PendingElement>()
            consumer.pending.forEach { element, _ in
                guard let item = items.item(element.item.id) else {
                    preconditionFailure("a consumer's item is not its group's")
                }
                item.ownerWord = kept.word
                own.append(PendingElement(item), &epochs)
            }
            copy.pending = own
            readers.append(ConsumerElement(copy), &epochs)
        }
        twin.consumers = readers
        return twin
    }

    func checkInvariants(_ epochs: borrowing EpochClock) {
        pending.checkInvariants(epochs)
        consumers.checkInvariants(epochs)
        var held = 0
        forEachConsumer { consumer in
            consumer.pending.checkInvariants(epochs)
            held += consumer.pendingCount
            var last: StreamID?
            consumer.forEachPending { item in
                precondition(last.map { $0 < item.id } ?? true, "pending items out of order")
                last = item.id
                precondition(item.ownerWord == consumer.keptName.word, "another's item")
                precondition(pendingItem(item.id)?.word == item.word, "an item of no group")
                return true
            }
        }
        precondition(held == pendingCount, "pending items without a consumer")
    }
}

extension StreamID {
    /// How many bytes two IDs have in common at the front, the most significant byte first.
    fileprivate func commonBytes(_ other: StreamID) -> Int {
        let high = milliseconds ^ other.milliseconds
        if high != 0 { return high.leadingZeroBitCount / 8 }
        let low = sequence ^ other.sequence
        return low == 0 ? 16 : 8 + low.leadingZeroBitCount / 8
    }
}

extension ReleaseStack {
    /// Pushes a tree's root node, or another part known by its word, unless the word is 0.
    mutating func push(tree word: UInt64, _ kind: Kind) {
        guard let block = unsafe UnsafeMutableRawPointer(bitPattern: UInt(word)) else { return }
        unsafe push(block, kind)
    }
}

extension Keyspace {
    /// Removes a group of the stream in `entry`, which is what `find` gives for the key; its memory goes back bit by
    /// bit.
    ///
    /// - Returns: false if there is no such group.
    public mutating func removeGroup(
        _ name: ByteSlice, _ key: HashedKey, _ database: Int, _ entry: Entry
    ) -> Bool {
        var removed: UInt64 = 0
        editRoot(key, database, entry, as: StreamValue.self) { stream, epochs in
            removed = stream.takeGroup(name, &epochs)
            return removed != 0
        }
        guard removed != 0 else { return false }
        removedValues.push(tree: removed, .streamGroup)
        return true
    }
}

extension StreamValue {
    /// Takes a group out and gives its word; 0 if there is none.
    fileprivate mutating func takeGroup(_ name: ByteSlice, _ epochs: inout EpochClock) -> UInt64 {
        var tree = groups
        var cursor = tree.group(atOrAfter: name)
        guard !cursor.isAtEnd, cursor.element.group.name == name else { return 0 }
        makeWritable(&epochs)
        let word = tree.remove(at: &cursor, &epochs).word
        groups = tree
        return word
    }
}
