internal import Glibc
public import HoldfastBytes

/// Consumers that share the entries of a stream: a handle on one block.
///
///     0   birth epoch            u32
///     4   length of the name     u32
///     8   last delivered ID      ms, seq
///     24  entries read, -1 if not known
///     32  tree of pending items, in order of their IDs
///     40  tree of consumers, in order of their names
///     48  name
///
/// A handle that `StreamValue.writableGroup` gave may be changed, until the next change of the stream by other
/// means. Other handles may only be read.
@safe
public struct ConsumerGroup {
    let raw: UnsafeMutableRawPointer

    static let headerBytes = 48

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living groups get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var word: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    // SAFETY of all accesses: the block is `headerBytes` and the name's length long.

    var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    private func get(_ offset: Int) -> UInt64 {
        unsafe raw.load(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func set(_ offset: Int, _ value: UInt64) {
        unsafe raw.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    public var name: ByteSlice {
        let count = unsafe raw.load(fromByteOffset: 4, as: UInt32.self)
        return unsafe ByteSlice(base: raw + Self.headerBytes, count: Int(count))
    }

    /// The ID up to which entries were given to consumers.
    public var lastID: StreamID {
        get { StreamID(get(8), get(16)) }
        nonmutating set {
            set(8, newValue.milliseconds)
            set(16, newValue.sequence)
        }
    }

    /// How many of the entries ever added were read, if that is known.
    public var entriesRead: Int64? {
        get {
            let read = Int64(bitPattern: get(24))
            return read == -1 ? nil : read
        }
        nonmutating set { set(24, UInt64(bitPattern: newValue ?? -1)) }
    }

    var pending: CountedTree<PendingElement> {
        get { CountedTree(word: get(32)) }
        nonmutating set { set(32, newValue.word) }
    }

    var consumers: CountedTree<ConsumerElement> {
        get { CountedTree(word: get(40)) }
        nonmutating set { set(40, newValue.word) }
    }

    public var pendingCount: Int { pending.count }
    public var consumerCount: Int { consumers.count }

    static func make(
        _ name: ByteSlice, lastID: StreamID, entriesRead: Int64?, epoch: UInt32
    ) -> ConsumerGroup {
        guard let raw = unsafe malloc(headerBytes + name.count) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt32(name.count), toByteOffset: 4, as: UInt32.self)
        unsafe (raw + headerBytes).copyMemory(from: name.pointer, byteCount: name.count)
        let group = unsafe ConsumerGroup(raw)
        group.lastID = lastID
        group.entriesRead = entriesRead
        group.pending = CountedTree()
        group.consumers = CountedTree()
        return group
    }

    /// A group with the same parts, born now; the parts keep their epochs.
    func copied(epoch: UInt32) -> ConsumerGroup {
        let twin = Self.make(name, lastID: lastID, entriesRead: entriesRead, epoch: epoch)
        twin.pending = pending
        twin.consumers = consumers
        return twin
    }

    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }

    // MARK: Reading

    public func consumer(_ name: ByteSlice) -> StreamConsumer? {
        let cursor = consumers.consumer(atOrAfter: name)
        guard !cursor.isAtEnd, cursor.element.consumer.name == name else { return nil }
        return cursor.element.consumer
    }

    /// All consumers in order of their names.
    public func forEachConsumer(_ body: (StreamConsumer) -> Void) {
        consumers.forEach { element, _ in body(element.consumer) }
    }

    public func pendingItem(_ id: StreamID) -> PendingItem? { pending.item(id) }

    /// The first item with this ID or a later one.
    public func pendingItem(atOrAfter id: StreamID) -> PendingItem? {
        let cursor = pending.item(atOrAfter: id)
        return cursor.isAtEnd ? nil : cursor.element.item
    }

    public var lastPendingItem: PendingItem? {
        let cursor = pending.last()
        return cursor.isAtEnd ? nil : cursor.element.item
    }

    /// The group's items with IDs from `first` to `last`, while `body` says to go on.
    public func forEachPending(
        from first: StreamID = .zero, through last: StreamID = .max,
        _ body: (PendingItem) -> Bool
    ) { pending.forEachItem(from: first, through: last, body) }

    // MARK: Consumers

    /// The consumer with this name as one that may be changed.
    public func writableConsumer(
        _ name: ByteSlice, _ epochs: inout EpochClock
    ) -> StreamConsumer? {
        var tree = consumers
        var cursor = tree.consumer(atOrAfter: name)
        guard !cursor.isAtEnd, cursor.element.consumer.name == name else { return nil }
        let consumer = cursor.element.consumer
        if _fastPath(consumer.epoch > epochs.frozen) { return consumer }
        let twin = consumer.copied(epoch: epochs.current)
        tree.replace(at: &cursor, with: ConsumerElement(twin), &epochs)
        consumers = tree
        consumer.release(&epochs)
        return twin
    }

    /// Adds a consumer; there must be none with this name. It may be changed.
    public func addConsumer(
        _ name: ByteSlice, seenTime: Int64, activeTime: Int64 = -1, _ epochs: inout EpochClock
    ) -> StreamConsumer {
        let kept = ConsumerName.make(name, epoch: epochs.current)
        let consumer = StreamConsumer.make(
            kept, seenTime: seenTime, activeTime: activeTime, epoch: epochs.current)
        var tree = consumers
        var cursor = tree.consumer(atOrAfter: name)
        precondition(
            cursor.isAtEnd || !(cursor.element.consumer.name == name), "two consumers of one name")
        tree.insert(ConsumerElement(consumer), before: &cursor, &epochs)
        consumers = tree
        return consumer
    }

    /// Removes a consumer with all that is pending for it.
    ///
    /// - Returns: how many items were pending; nil if there is no such consumer.
    public func removeConsumer(_ name: ByteSlice, _ epochs: inout EpochClock) -> Int? {
        guard let consumer = consumer(name) else { return nil }
        var held = consumer.pending
        let count = held.count
        var shared = pending
        held.releaseAll(&epochs) { element, epochs in
            shared.take(element.item.id, &epochs)
            element.item.release(&epochs)
        }
        pending = shared
        var tree = consumers
        var cursor = tree.consumer(atOrAfter: name)
        tree.remove(at: &cursor, &epochs)
        consumers = tree
        consumer.keptName.release(&epochs)
        consumer.release(&epochs)
        return count
    }

    // MARK: Pending items

    /// Makes an entry pending for a consumer, which may have been so before for any consumer or none.
    ///
    /// - Parameter consumer: one of this group that may be changed.
    public func assign(
        _ id: StreamID, to consumer: StreamConsumer, time: Int64, count: UInt64,
        _ epochs: inout EpochClock
    ) {
        var tree = pending
        var cursor = tree.item(atOrAfter: id)
        guard !cursor.isAtEnd, cursor.element.item.id == id else {
            let item = PendingItem.make(
                id, time: time, count: count, owner: consumer.keptName.word, epoch: epochs.current)
            tree.insert(PendingElement(item), before: &cursor, &epochs)
            pending = tree
            consumer.put(item, &epochs)
            return
        }
        let old = cursor.element.item
        let owner = old.ownerWord
        var item = old
        if old.epoch <= epochs.frozen {
            item = PendingItem.make(
                id, time: time, count: count, owner: owner, epoch: epochs.current)
            tree.replace(at: &cursor, with: PendingElement(item), &epochs)
            pending = tree
        }
        if owner != consumer.keptName.word {
            if owner != 0 {
                writableConsumer(ConsumerName(word: owner).bytes, &epochs)?.take(id, &epochs)
            }
            consumer.put(item, &epochs)
        } else if item.word != old.word {
            consumer.put(item, &epochs)
        }
        if item.word != old.word { old.release(&epochs) }
        item.ownerWord = consumer.keptName.word
        item.deliveryTime = time
        item.deliveryCount = count
    }

    /// Ends an entry's being pending.
    ///
    /// - Returns: whether it was.
    public func acknowledge(_ id: StreamID, _ epochs: inout EpochClock) -> Bool {
        var tree = pending
        guard let item = tree.take(id, &epochs) else { return false }
        pending = tree
        writableConsumer(item.consumerName, &epochs)?.take(id, &epochs)
        item.release(&epochs)
        return true
    }
}

/// One reader of a group: a handle on one block.
///
///     0   birth epoch    u32
///     8   when it last asked for entries, in Unix ms
///     16  when it last got some, in Unix ms; -1 for never
///     24  tree of the pending items that are its own, which the group's tree names too
///     32  its name's address
@safe
public struct StreamConsumer {
    let raw: UnsafeMutableRawPointer

    static let bytes = 40

    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living consumers get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var word: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    // SAFETY of all accesses: the block is `bytes` long.

    var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    private func get(_ offset: Int) -> UInt64 {
        unsafe raw.load(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func set(_ offset: Int, _ value: UInt64) {
        unsafe raw.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    public var name: ByteSlice { keptName.bytes }

    public var seenTime: Int64 {
        get { Int64(bitPattern: get(8)) }
        nonmutating set { set(8, UInt64(bitPattern: newValue)) }
    }

    public var activeTime: Int64 {
        get { Int64(bitPattern: get(16)) }
        nonmutating set { set(16, UInt64(bitPattern: newValue)) }
    }

    var pending: CountedTree<PendingElement> {
        get { CountedTree(word: get(24)) }
        nonmutating set { set(24, newValue.word) }
    }

    var keptName: ConsumerName { ConsumerName(word: get(32)) }

    public var pendingCount: Int { pending.count }

    public func pendingItem(atOrAfter id: StreamID) -> PendingItem? {
        let cursor = pending.item(atOrAfter: id)
        return cursor.isAtEnd ? nil : cursor.element.item
    }

    /// The consumer's items with IDs from `first` to `last`, while `body` says to go on.
    public func forEachPending(
        from first: StreamID = .zero, through last: StreamID = .max,
        _ body: (PendingItem) -> Bool
    ) { pending.forEachItem(from: first, through: last, body) }

    static func make(
        _ name: ConsumerName, seenTime: Int64, activeTime: Int64, epoch: UInt32
    ) -> StreamConsumer {
        guard let raw = unsafe malloc(bytes) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: UInt64(epoch), as: UInt64.self)
        let consumer = StreamConsumer(word: UInt64(UInt(bitPattern: raw)))
        consumer.seenTime = seenTime
        consumer.activeTime = activeTime
        consumer.pending = CountedTree()
        consumer.set(32, name.word)
        return consumer
    }

    func copied(epoch: UInt32) -> StreamConsumer {
        let twin = Self.make(
            keptName, seenTime: seenTime, activeTime: activeTime, epoch: epoch)
        twin.pending = pending
        return twin
    }

    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }

    func put(_ item: PendingItem, _ epochs: inout EpochClock) {
        var tree = pending
        tree.put(item, &epochs)
        pending = tree
    }

    func take(_ id: StreamID, _ epochs: inout EpochClock) {
        var tree = pending
        tree.take(id, &epochs)
        pending = tree
    }
}

/// A consumer in its group's tree.
struct ConsumerElement: TreeElement {
    let word: UInt64

    init(word: UInt64) { self.word = word }
    init(_ consumer: StreamConsumer) { word = consumer.word }

    static var isWeighted: Bool { false }
    var consumer: StreamConsumer { StreamConsumer(word: word) }
    var hint: UInt64 { consumer.name.nameHint }
}

extension CountedTree<ConsumerElement> {
    func consumer(atOrAfter name: ByteSlice) -> Cursor {
        lowerBound(hint: name.nameHint) { $0.consumer.name.compare(name) < 0 }
    }
}

/// A group in its stream's tree.
struct GroupElement: TreeElement {
    let word: UInt64

    init(word: UInt64) { self.word = word }
    init(_ group: ConsumerGroup) { word = group.word }

    static var isWeighted: Bool { false }
    var group: ConsumerGroup { ConsumerGroup(word: word) }
    var hint: UInt64 { group.name.nameHint }
}

extension CountedTree<GroupElement> {
    func group(atOrAfter name: ByteSlice) -> Cursor {
        lowerBound(hint: name.nameHint) { $0.group.name.compare(name) < 0 }
    }
}

extension StreamValue {
    public func group(_ name: ByteSlice) -> ConsumerGroup? {
        let cursor = groups.group(atOrAfter: name)
        guard !cursor.isAtEnd, cursor.element.group.name == name else { return nil }
        return cursor.element.group
    }

    /// All groups in order of their names.
    public func forEachGroup(_ body: (ConsumerGroup) -> Void) {
        groups.forEach { element, _ in body(element.group) }
    }

    /// The group with this name as one that may be changed.
    public mutating func writableGroup(
        _ name: ByteSlice, _ epochs: inout EpochClock
    ) -> ConsumerGroup? {
        makeWritable(&epochs)
        var tree = groups
        var cursor = tree.group(atOrAfter: name)
        guard !cursor.isAtEnd, cursor.element.group.name == name else { return nil }
        let group = cursor.element.group
        if _fastPath(group.epoch > epochs.frozen) { return group }
        let twin = group.copied(epoch: epochs.current)
        tree.replace(at: &cursor, with: GroupElement(twin), &epochs)
        groups = tree
        group.release(&epochs)
        return twin
    }

    /// Adds a group; there must be none with this name. It may be changed.
    @discardableResult
    public mutating func addGroup(
        _ name: ByteSlice, lastID: StreamID, entriesRead: Int64?, _ epochs: inout EpochClock
    ) -> ConsumerGroup {
        makeWritable(&epochs)
        let group = ConsumerGroup.make(
            name, lastID: lastID, entriesRead: entriesRead, epoch: epochs.current)
        var tree = groups
        var cursor = tree.group(atOrAfter: name)
        precondition(
            cursor.isAtEnd || !(cursor.element.group.name == name), "two groups of one name")
        tree.insert(GroupElement(group), before: &cursor, &epochs)
        groups = tree
        return group
    }
}
