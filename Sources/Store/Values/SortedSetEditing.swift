public import HoldfastBytes

// Changing sorted sets: the packed form within its block, the change from one form to the other, and building.

/// When a sorted set becomes a large one: beyond so many members, or with a longer member.
public struct SortedSetLimits: Sendable, Equatable {
    public var packedMembersMax: Int
    public var packedMemberBytesMax: Int

    public init(packedMembersMax: Int = 128, packedMemberBytesMax: Int = 64) {
        self.packedMembersMax = packedMembersMax
        self.packedMemberBytesMax = packedMemberBytesMax
    }

    public func allowsPacked(members: Int, longest: Int) -> Bool {
        members <= packedMembersMax && longest <= packedMemberBytesMax
    }
}

extension PackedBlock {
    /// The most bytes that a score takes in a packed list, with all that belongs to it.
    private static var scoreBytesMax: Int { 32 }

    /// Whether a member can be added without passing the limits.
    @inline(__always)
    public func canAddMember(_ member: ByteSlice, _ limits: SortedSetLimits) -> Bool {
        let list = list
        return limits.allowsPacked(members: list.count / 2 + 1, longest: member.count)
            && list.canAdd(member.count + 16 + Self.scoreBytesMax)
    }

    /// Puts a member that is not there in its place.
    public mutating func insertMember(_ member: ByteSlice, _ score: Double) {
        let place = list.placeForMember(member, score)
        insert(member, before: place)
        insert(score: score, after: place)
    }

    /// Puts a member behind all others, where it must belong.
    public mutating func appendMember(_ member: ByteSlice, _ score: Double) {
        append(member)
        if let whole = Self.integer(score) {
            append(integer: whole)
        } else {
            var text = ByteBuffer()
            text.append(double: score)
            append(text.slice)
        }
    }

    /// Gives the member at `offset` another score, and its place.
    ///
    /// - Parameter member: its bytes, which must not lie in this block.
    public mutating func updateMember(at offset: Int, _ member: ByteSlice, to score: Double) {
        delete(at: offset, elements: 2)
        insertMember(member, score)
    }

    private mutating func insert(score: Double, after offset: Int) {
        if let whole = Self.integer(score) {
            let next = list.next(after: offset) ?? list.endOffset
            insert(integer: whole, before: next)
        } else {
            var text = ByteBuffer()
            text.append(double: score)
            insert(text.slice, after: offset)
        }
    }

    /// A score as the integer that a packed list keeps for it. Beyond 2^62 and for fractions there is none.
    @inline(__always)
    static func integer(_ score: Double) -> Int64? {
        guard score.magnitude <= 4_611_686_018_427_387_904 else { return nil }
        let whole = Int64(score)
        return Double(whole) == score ? whole : nil
    }

    /// Takes a member out, if it is there.
    public mutating func removeMember(_ member: ByteSlice) -> Bool {
        guard let offset = list.findMember(member) else { return false }
        delete(at: offset, elements: 2)
        return true
    }

    /// Takes the members whose ranks lie in `range` out.
    public mutating func removeMembers(_ range: Range<Int>) {
        deleteRange(index: range.lowerBound * 2, count: range.count * 2)
    }
}

extension PackedList {
    /// The offset of the first member that comes behind this one, or the list's end.
    fileprivate func placeForMember(_ member: ByteSlice, _ score: Double) -> Int {
        var offset = firstOffset
        while let here = offset {
            let other = self.score(of: here)
            if other > score { return here }
            if other == score, self[here].withBytes({ $0.compare(member) }) > 0 { return here }
            offset = nextMember(after: here)
        }
        return endOffset
    }
}

extension Keyspace {
    // MARK: Packed

    /// Sets a key to a packed list that `body` fills, from empty.
    ///
    /// - Parameter body: says whether the list shall be kept. It must not touch other values.
    public mutating func buildPackedList(
        _ key: HashedKey, _ database: Int, _ type: ValueType, deadline: DeadlineChange,
        _ body: (inout PackedBlock) -> Bool
    ) {
        scratch.setEmptyList()
        guard body(&scratch) else { return }
        let bytes = scratch.list.bytes
        setPacked(key, database, type, .listpack, to: bytes, deadline: deadline)
    }

    // MARK: Large

    /// An empty large set that belongs to nobody: to be filled with `add`, then kept with `setRoot` or given up
    /// with `discard`.
    public mutating func makeSortedSet() -> SortedSetRoot {
        SortedSetRoot.make(epoch: epochs.current)
    }

    /// Adds a member to a set that belongs to nobody yet.
    ///
    /// - Returns: false if it was there already; nothing was changed then.
    @discardableResult
    public mutating func add(
        _ member: ByteSlice, _ score: Double, to root: inout SortedSetRoot
    ) -> Bool {
        let hash = hasher.hash(member)
        guard root.find(hash, member) == nil else { return false }
        root.insert(hash, member, score, &epochs, hasher)
        return true
    }

    public mutating func discard(_ root: SortedSetRoot) { root.release(&epochs) }

    /// Makes a packed sorted set a large one.
    ///
    /// - Returns: the entry afterwards.
    public mutating func enlargeSortedSet(
        _ key: HashedKey, _ database: Int, _ entry: Entry
    ) -> Entry {
        var root = makeSortedSet()
        SortedSetView(entry).forEach { element, score in
            element.withBytes {
                root.append(hasher.hash($0), $0, score, &epochs, hasher)
            }
        }
        setRoot(key, database, .sortedSet, .skiplist, to: root, deadline: .keep)
        guard let changed = find(key, database) else { preconditionFailure("lost a key") }
        return changed
    }

    // MARK: Either

    /// Takes out the members whose ranks lie in `range`, which must lie in the set, and the key with the last of
    /// them.
    public mutating func removeSortedSetMembers(
        _ key: HashedKey, _ database: Int, _ entry: Entry, ranks range: Range<Int>
    ) {
        guard !range.isEmpty else { return }
        if range.count == SortedSetView(entry).count {
            remove(key, database)
        } else if entry.encoding == .listpack {
            editPacked(key, database, entry) { block in
                block.removeMembers(range)
                return true
            }
        } else {
            let hasher = hasher
            editRoot(key, database, entry, as: SortedSetRoot.self) { root, epochs in
                root.remove(ranks: range, &epochs, hasher)
                return true
            }
        }
    }

    /// Sets a key to a sorted set with these members, or removes it if there are none; a deadline is cleared.
    ///
    /// - Parameter members: sorted.
    public mutating func setSortedSet(
        _ key: HashedKey, _ database: Int, to members: borrowing ScoredMembers,
        _ limits: SortedSetLimits
    ) {
        guard members.count > 0 else {
            remove(key, database)
            return
        }
        if limits.allowsPacked(members: members.count, longest: members.longest),
            members.byteCount < PackedBlock.payloadBytesMax / 2
        {
            buildPackedList(key, database, .sortedSet, deadline: .clear) { block in
                for index in 0..<members.count {
                    block.appendMember(members.member(index), members.score(index))
                }
                return true
            }
            return
        }
        var root = makeSortedSet()
        for index in 0..<members.count {
            let member = members.member(index)
            root.append(hasher.hash(member), member, members.score(index), &epochs, hasher)
        }
        setRoot(key, database, .sortedSet, .skiplist, to: root, deadline: .clear)
    }
}

/// Members with scores that a command collects: each once, to be replied or made a sorted set.
public struct ScoredMembers: ~Copyable {
    private struct Item {
        var offset: Int
        var count: Int
        var hash: UInt64
        var score: Double
    }

    private var bytes = ByteBuffer()
    private var items: [Item] = []
    /// Open addressing: item numbers from 1, 0 is empty. Made with the first search.
    private var slots: [UInt32] = []
    public private(set) var longest = 0

    public init() {}

    public var count: Int { items.count }
    var byteCount: Int { bytes.count }

    public func score(_ index: Int) -> Double { items[index].score }

    /// Valid until the next change.
    public func member(_ index: Int) -> ByteSlice {
        bytes.slice.slice(items[index].offset..<items[index].offset + items[index].count)
    }

    public mutating func setScore(_ index: Int, _ score: Double) { items[index].score = score }

    /// Adds a member, which must not be there.
    public mutating func append(_ member: ByteSlice, hash: UInt64 = 0, _ score: Double) {
        items.append(Item(offset: bytes.count, count: member.count, hash: hash, score: score))
        bytes.append(member)
        longest = max(longest, member.count)
        if !slots.isEmpty {
            if items.count * 2 > slots.count { index() } else { note(items.count - 1) }
        }
    }

    /// The number of a member. All must have been added with their hashes.
    public mutating func find(_ member: ByteSlice, hash: UInt64) -> Int? {
        if slots.isEmpty { index() }
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash >> 16) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot]) - 1
            if items[number].hash == hash, self.member(number) == member { return number }
            slot = (slot + 1) & mask
        }
        return nil
    }

    private mutating func index() {
        var size = 64
        while size < items.count * 4 { size *= 2 }
        slots = [UInt32](repeating: 0, count: size)
        for number in items.indices { note(number) }
    }

    private mutating func note(_ number: Int) {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: items[number].hash >> 16) & mask
        while slots[slot] != 0 { slot = (slot + 1) & mask }
        slots[slot] = UInt32(number + 1)
    }

    /// Puts the members into the order of sorted sets. Nothing can be searched afterwards.
    public mutating func sort() {
        slots = []
        let all = bytes.slice
        items.sort { left, right in
            if left.score != right.score { return left.score < right.score }
            let a = all.slice(left.offset..<left.offset + left.count)
            return a.compare(all.slice(right.offset..<right.offset + right.count)) < 0
        }
    }
}
