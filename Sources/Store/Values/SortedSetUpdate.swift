public import HoldfastBytes

/// What ZADD does with each of its members, and what has come of it.
public struct SortedSetUpdate {
    /// Members that are there stay as they are.
    public var onlyAdds = false
    /// Members that are not there are not added.
    public var onlyUpdates = false
    /// A score changes only to a greater one, or only to a lesser one.
    public var onlyRaises = false
    public var onlyLowers = false
    /// Scores are added to what there is.
    public var increments = false

    public private(set) var added = 0
    public private(set) var updated = 0
    /// Members added, updated, or found with that score.
    public private(set) var accepted = 0
    /// The last accepted member's score.
    public private(set) var score = 0.0
    /// An increment made something that is not a number; nothing was changed by it.
    public private(set) var isNaN = false

    public init() {}

    @inline(__always) public var hasChanged: Bool { added &+ updated > 0 }

    mutating func forgetOutcome() {
        added = 0
        updated = 0
        accepted = 0
    }

    /// The score that a member shall get: nil to leave it alone.
    @inline(__always)
    private mutating func settle(_ old: Double, _ score: Double) -> Double? {
        if onlyAdds { return nil }
        let new = increments ? old + score : score
        if new.isNaN {
            isNaN = true
            return nil
        }
        if (onlyLowers && new >= old) || (onlyRaises && new <= old) { return nil }
        accepted &+= 1
        self.score = new
        if new == old { return nil }
        updated &+= 1
        return new
    }

    @inline(__always)
    private mutating func settleNew(_ score: Double) -> Bool {
        if onlyUpdates { return false }
        accepted &+= 1
        added &+= 1
        self.score = score
        return true
    }

    /// Applies the update to one member of a packed set.
    ///
    /// - Returns: false, with nothing done, if the set must become a large one first.
    @inline(__always)
    public mutating func apply(
        _ member: ByteSlice, _ score: Double, to block: inout PackedBlock,
        _ limits: SortedSetLimits
    ) -> Bool {
        let list = block.list
        if let offset = list.findMember(member) {
            if let new = settle(list.score(of: offset), score) {
                block.updateMember(at: offset, member, to: new)
            }
            return true
        }
        if onlyUpdates { return true }
        guard block.canAddMember(member, limits) else { return false }
        if settleNew(score) { block.insertMember(member, score) }
        return true
    }

    /// Applies the update to one member of a large set.
    @inline(__always)
    public mutating func apply(
        _ member: ByteSlice, _ score: Double, to root: inout SortedSetRoot,
        _ epochs: inout EpochClock, _ hasher: ByteHash
    ) {
        let hash = hasher.hash(member)
        if let item = root.find(hash, member) {
            if let new = settle(item.score, score) { root.update(hash, item, to: new, &epochs) }
        } else if settleNew(score) {
            root.insert(hash, member, score, &epochs, hasher)
        }
    }
}

extension Keyspace {
    /// Applies an update to members of the sorted set under a key, which is made if there is none, and made a
    /// large one when it passes the limits.
    ///
    /// - Parameters:
    ///   - entry: what `find` gives for the key.
    ///   - count: how many members there are to come, at least 1.
    ///   - longest: the length of the longest.
    ///   - pair: gives them by their number.
    public mutating func updateSortedSet(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, _ update: inout SortedSetUpdate,
        count: Int, longest: Int, _ limits: SortedSetLimits,
        _ pair: (Int) -> (member: ByteSlice, score: Double)
    ) {
        var number = 0
        guard var entry = entry else {
            if !update.onlyUpdates {
                createSortedSet(
                    key, database, &update, count: count, longest: longest, limits, pair)
            }
            return
        }
        if entry.encoding == .listpack {
            editPacked(key, database, entry) { block in
                while number < count {
                    let (member, score) = pair(number)
                    guard update.apply(member, score, to: &block, limits) else { break }
                    number += 1
                }
                return update.hasChanged
            }
            if number == count { return }
            guard let edited = find(key, database) else { preconditionFailure("lost a key") }
            entry = enlargeSortedSet(key, database, edited)
        }
        let hasher = hasher
        editRoot(key, database, entry, as: SortedSetRoot.self) { root, epochs in
            while number < count {
                let (member, score) = pair(number)
                update.apply(member, score, to: &root, &epochs, hasher)
                number += 1
            }
            return update.hasChanged
        }
    }

    private mutating func createSortedSet(
        _ key: HashedKey, _ database: Int, _ update: inout SortedSetUpdate, count: Int,
        longest: Int, _ limits: SortedSetLimits,
        _ pair: (Int) -> (member: ByteSlice, score: Double)
    ) {
        if limits.allowsPacked(members: count, longest: longest) {
            var number = 0
            buildPackedList(key, database, .sortedSet, deadline: .clear) { block in
                while number < count {
                    let (member, score) = pair(number)
                    // By the limits all fit; a list of a GiB may not.
                    guard update.apply(member, score, to: &block, limits) else { return false }
                    number += 1
                }
                return true
            }
            if number == count { return }
            update.forgetOutcome()
        }
        var root = makeSortedSet()
        for number in 0..<count {
            let (member, score) = pair(number)
            update.apply(member, score, to: &root, &epochs, hasher)
        }
        setRoot(key, database, .sortedSet, .skiplist, to: root, deadline: .clear)
    }
}
