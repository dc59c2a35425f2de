internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A large sorted set: its items in the order of a counted tree, and by member in a table.
///
///     0    birth epoch                           u32, then 4 bytes unused
///     8    word of the tree                      u64
///     16   word of the table                     u64
///     24   bytes of memory that the items take   i64
@safe
public struct SortedSetRoot: CollectionRoot {
    typealias Tree = CountedTree<SortedSetItem>
    typealias Members = ItemTable<SortedSetItem>

    public private(set) var raw: UnsafeMutableRawPointer

    @inline(__always)
    @unsafe public init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    static let bytes = 32

    // SAFETY of every load and store below: a root is `bytes` long.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    var tree: Tree {
        get { Tree(word: unsafe raw.load(fromByteOffset: 8, as: UInt64.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: newValue.word, toByteOffset: 8, as: UInt64.self)
        }
    }

    @inline(__always)
    var members: Members {
        get { Members(word: unsafe raw.load(fromByteOffset: 16, as: UInt64.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: newValue.word, toByteOffset: 16, as: UInt64.self)
        }
    }

    @inline(__always)
    private var itemBytes: Int {
        get { unsafe raw.load(fromByteOffset: 24, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 24, as: Int.self) }
    }

    /// The number of members.
    @inline(__always) public var count: Int { tree.count }

    /// Bytes of memory that the whole value takes.
    public var memoryBytes: Int {
        unsafe hf_allocated_bytes(raw) + tree.memoryBytes + members.memoryBytes + itemBytes
    }

    // MARK: Reading

    /// The item of a member.
    ///
    /// - Parameter hash: the member's, by the keyspace's hasher.
    @inline(__always)
    public func find(_ hash: UInt64, _ member: ByteSlice) -> SortedSetItem? {
        members.find(hash, member)
    }

    /// Where an item of this set stands.
    @inline(__always)
    func cursor(at item: SortedSetItem) -> TreeCursor<SortedSetItem> {
        let score = item.score
        let member = item.key
        return tree.find(item, hint: item.hint) { $0.isBefore(score, member) }
    }

    /// How many members come before an item of this set.
    public func rank(_ item: SortedSetItem) -> Int { cursor(at: item).position }

    /// One step of ZSCAN; see `ItemTable.scan` for what the cursor promises.
    public func scan<E: Error>(
        from cursor: UInt64, wanted: Int, _ body: (SortedSetItem) throws(E) -> Void
    ) throws(E) -> UInt64 {
        try members.scan(from: cursor, wanted: wanted, body)
    }

    // MARK: Changing

    /// An empty set. It must get a member before it becomes a value.
    static func make(epoch: UInt32) -> SortedSetRoot {
        guard let raw = unsafe malloc(bytes) else { fatalError("out of memory") }
        unsafe memset(raw, 0, bytes)
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        return unsafe SortedSetRoot(raw)
    }

    /// Makes the root's block one that may be changed.
    @inline(__always)
    private mutating func prepare(_ epochs: inout EpochClock) {
        if _slowPath(epoch <= epochs.frozen) { copyRoot(&epochs) }
    }

    private mutating func copyRoot(_ epochs: inout EpochClock) {
        let copy = Self.make(epoch: epochs.current)
        copy.tree = tree
        copy.members = members
        copy.itemBytes = itemBytes
        unsafe epochs.release(raw, bornIn: epoch)
        self = copy
    }

    /// Adds a member that is not in the set.
    public mutating func insert(
        _ hash: UInt64, _ member: ByteSlice, _ score: Double, _ epochs: inout EpochClock,
        _ hasher: ByteHash
    ) {
        prepare(&epochs)
        let item = SortedSetItem.make(member, score, epoch: epochs.current)
        var tree = tree
        tree.insert(item, hint: item.hint, &epochs) { $0.isBefore(score, member) }
        self.tree = tree
        var members = members
        members.insert(hash, item, &epochs, hasher)
        self.members = members
        itemBytes += SortedSetItem.allocatedBytes(member.count)
    }

    /// Adds a member that comes after all there are: for building a set from ordered content.
    public mutating func append(
        _ hash: UInt64, _ member: ByteSlice, _ score: Double, _ epochs: inout EpochClock,
        _ hasher: ByteHash
    ) {
        prepare(&epochs)
        let item = SortedSetItem.make(member, score, epoch: epochs.current)
        var tree = tree
        tree.append(item, &epochs)
        self.tree = tree
        var members = members
        members.insert(hash, item, &epochs, hasher)
        self.members = members
        itemBytes += SortedSetItem.allocatedBytes(member.count)
    }

    /// Gives an item of this set another score.
    public mutating func update(
        _ hash: UInt64, _ item: SortedSetItem, to score: Double, _ epochs: inout EpochClock
    ) {
        prepare(&epochs)
        let member = item.key
        let isPrivate = item.epoch > epochs.frozen
        let changed =
            isPrivate ? item : SortedSetItem.make(member, score, epoch: epochs.current)
        var cursor = cursor(at: item)
        var tree = tree
        if Self.keepsPlace(cursor, score, member) {
            if isPrivate { item.setScore(score) }
            tree.replace(at: &cursor, with: changed, &epochs)
        } else {
            tree.remove(at: &cursor, &epochs)
            if isPrivate { item.setScore(score) }
            tree.insert(changed, hint: changed.hint, &epochs) { $0.isBefore(score, member) }
        }
        self.tree = tree
        if isPrivate { return }
        var members = members
        members.replace(hash, item, with: changed, &epochs)
        self.members = members
        item.release(&epochs)
    }

    /// Whether the item at the cursor could have this score without disorder.
    @inline(__always)
    private static func keepsPlace(
        _ cursor: TreeCursor<SortedSetItem>, _ score: Double, _ member: ByteSlice
    ) -> Bool {
        var other = cursor
        if other.previous(), !other.element.isBefore(score, member) { return false }
        other = cursor
        other.next()
        return other.isAtEnd || !other.element.isBefore(score, member)
    }

    /// Takes an item of this set out.
    public mutating func remove(
        _ hash: UInt64, _ item: SortedSetItem, _ epochs: inout EpochClock
    ) {
        prepare(&epochs)
        var cursor = cursor(at: item)
        var tree = tree
        tree.remove(at: &cursor, &epochs)
        self.tree = tree
        var members = members
        members.remove(hash, item.key, &epochs)
        self.members = members
        itemBytes -= SortedSetItem.allocatedBytes(item.key.count)
        item.release(&epochs)
    }

    /// Takes out all members whose ranks lie in `range`.
    public mutating func remove(
        ranks range: Range<Int>, _ epochs: inout EpochClock, _ hasher: ByteHash
    ) {
        guard !range.isEmpty else { return }
        if range.count == 1 {
            let item = tree.at(range.lowerBound).cursor.element
            return remove(hasher.hash(item.key), item, &epochs)
        }
        prepare(&epochs)
        var tree = tree
        var members = members
        var freed = 0
        tree.remove(range, &epochs) { item, epochs in
            let member = item.key
            members.remove(hasher.hash(member), member, &epochs)
            freed += SortedSetItem.allocatedBytes(member.count)
            item.release(&epochs)
        }
        self.tree = tree
        self.members = members
        itemBytes -= freed
    }

    // MARK: The whole

    /// A set with the same members that shares nothing with this one.
    func copied(epoch: UInt32, _ hasher: ByteHash) -> SortedSetRoot {
        var clock = EpochClock(building: epoch)
        var copy = Self.make(epoch: epoch)
        tree.forEach { item, _ in
            copy.append(hasher.hash(item.key), item.key, item.score, &clock, hasher)
        }
        return copy
    }

    /// The first step of giving the value up: releases the root.
    ///
    /// - Returns: the words of tree and table, 0 for an empty one, for their `dismantle` functions. The items
    ///   belong to the table.
    func dismantle(_ epochs: inout EpochClock) -> (tree: UInt64, table: UInt64) {
        let words = (tree.word, members.word)
        unsafe epochs.release(raw, bornIn: epoch)
        return words
    }

    /// Gives up the value at once.
    func release(_ epochs: inout EpochClock) {
        var tree = tree
        var members = members
        tree.releaseAll(&epochs) { _, _ in }
        members.releaseAll(&epochs) { item, epochs in item.release(&epochs) }
        unsafe epochs.release(raw, bornIn: epoch)
    }

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    func checkInvariants(_ epochs: borrowing EpochClock, _ hasher: ByteHash) {
        tree.checkInvariants(epochs)
        members.checkInvariants(hasher)
        precondition(tree.count == members.count, "tree and table disagree")
        var last: SortedSetItem?
        var bytes = 0
        tree.forEach { item, _ in
            if let last { precondition(last.isBefore(item.score, item.key), "disorder") }
            precondition(
                members.find(hasher.hash(item.key), item.key)?.word == item.word,
                "another item in the table")
            bytes += SortedSetItem.allocatedBytes(item.key.count)
            last = item
        }
        precondition(bytes == itemBytes, "\(bytes) bytes of items, counted \(itemBytes)")
    }
}
