internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A stream: entries with ascending IDs, and the groups that read them together. A handle on its root block:
///
///     0   birth epoch      u32
///     8   tree of nodes, in order of their master IDs
///     16  the last node's address, 0 if there is none
///     24  live entries
///     32  last ID          ms, seq
///     48  first live ID    ms, seq; 0-0 if there is none
///     64  greatest deleted ID   ms, seq
///     80  entries ever added
///     88  tree of groups, in order of their names
///
/// All parts follow the rule of epochs: what a snapshot sees is copied before it is changed, each part for itself.
@safe
public struct StreamValue: CollectionRoot {
    public private(set) var raw: UnsafeMutableRawPointer

    static let rootBytes = 96

    @inline(__always)
    @unsafe public init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY of all accesses: a root block is `rootBytes` long.

    @inline(__always)
    private func get(_ offset: Int) -> UInt64 {
        unsafe raw.load(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func set(_ offset: Int, _ value: UInt64) {
        unsafe raw.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func getID(_ offset: Int) -> StreamID { StreamID(get(offset), get(offset &+ 8)) }

    @inline(__always)
    private func setID(_ offset: Int, _ id: StreamID) {
        set(offset, id.milliseconds)
        set(offset &+ 8, id.sequence)
    }

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    var nodes: CountedTree<NodeElement> {
        get { CountedTree(word: get(8)) }
        nonmutating set { set(8, newValue.word) }
    }

    private var lastNode: UInt64 {
        @inline(__always) get { get(16) }
        nonmutating set { set(16, newValue) }
    }

    /// The number of live entries.
    public internal(set) var count: Int {
        @inline(__always) get { Int(truncatingIfNeeded: get(24)) }
        nonmutating set { set(24, UInt64(truncatingIfNeeded: newValue)) }
    }

    /// The ID that every new entry's must exceed.
    public internal(set) var lastID: StreamID {
        @inline(__always) get { getID(32) }
        nonmutating set { setID(32, newValue) }
    }

    /// The first live entry's ID; 0-0 if there is none.
    public internal(set) var firstID: StreamID {
        @inline(__always) get { getID(48) }
        nonmutating set { setID(48, newValue) }
    }

    /// The greatest ID that was deleted on demand.
    public internal(set) var maxDeletedID: StreamID {
        @inline(__always) get { getID(64) }
        nonmutating set { setID(64, newValue) }
    }

    /// How many entries were ever added.
    public internal(set) var addedCount: UInt64 {
        @inline(__always) get { get(80) }
        nonmutating set { set(80, newValue) }
    }

    var groups: CountedTree<GroupElement> {
        get { CountedTree(word: get(88)) }
        nonmutating set { set(88, newValue.word) }
    }

    public var nodeCount: Int { nodes.count }
    public var groupCount: Int { groups.count }

    // MARK: Making

    /// A stream without entries.
    public static func make(epoch: UInt32) -> StreamValue {
        guard let raw = unsafe malloc(rootBytes) else { fatalError("out of memory") }
        unsafe _ = memset(raw, 0, rootBytes)
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        return unsafe StreamValue(raw)
    }

    /// Makes the root block one that may be changed.
    @inline(__always)
    mutating func makeWritable(_ epochs: inout EpochClock) {
        if _fastPath(epoch > epochs.frozen) { return }
        let twin = Self.make(epoch: epochs.current)
        unsafe (twin.raw + 8).copyMemory(from: raw + 8, byteCount: Self.rootBytes - 8)
        unsafe epochs.release(raw, bornIn: epoch)
        self = twin
    }

    // MARK: Adding

    /// Whether an entry is small enough to be stored.
    ///
    /// - Parameter payload: bytes of all names and values together.
    public static func canStore(payload: Int, fieldCount: Int) -> Bool {
        payload + 20 * (fieldCount + 5) <= StreamNode.listBytesMax - 64
    }

    /// Adds an entry whose ID must exceed `lastID`.
    ///
    /// - Parameters:
    ///   - payload: bytes of all names and values together.
    ///   - word: gives names and values by turns, `2 * fieldCount` of them, none out of this stream.
    public mutating func append(
        _ id: StreamID, fieldCount: Int, payload: Int, limits: StreamLimits,
        _ epochs: inout EpochClock, word: (Int) -> ByteSlice
    ) {
        precondition(id > lastID, "entries of a stream out of order")
        makeWritable(&epochs)
        if _fastPath(lastNode != 0), StreamNode(word: lastNode).takes(payload: payload, limits) {
            var node = StreamNode(word: lastNode)
            _ = node.makeWritable(&epochs)
            node.append(id, fieldCount: fieldCount, payload: payload, word: word)
            if _slowPath(node.word != lastNode) { replaceLast(by: node, &epochs) }
        } else {
            startNode(id, fieldCount, payload, &epochs, word)
        }
        let added = count &+ 1
        count = added
        addedCount &+= 1
        lastID = id
        if added == 1 { firstID = id }
    }

    private func replaceLast(by node: StreamNode, _ epochs: inout EpochClock) {
        var tree = nodes
        var cursor = tree.last()
        tree.replace(at: &cursor, with: NodeElement(node), &epochs)
        nodes = tree
        lastNode = node.word
    }

    private func startNode(
        _ id: StreamID, _ fieldCount: Int, _ payload: Int, _ epochs: inout EpochClock,
        _ word: (Int) -> ByteSlice
    ) {
        var previous: StreamNode?
        if lastNode != 0 {
            var full = StreamNode(word: lastNode)
            if full.epoch > epochs.frozen, full.trim() { replaceLast(by: full, &epochs) }
            previous = full
        }
        var node = StreamNode.make(
            master: id, fieldCount: fieldCount, field: { word(2 * $0) }, after: previous,
            epoch: epochs.current)
        node.append(id, fieldCount: fieldCount, payload: payload, word: word)
        var tree = nodes
        tree.append(NodeElement(node), &epochs)
        nodes = tree
        lastNode = node.word
    }

    /// Adds a node behind all others; for building from parts.
    func append(node: StreamNode, _ epochs: inout EpochClock) {
        var tree = nodes
        tree.append(NodeElement(node), &epochs)
        nodes = tree
        lastNode = node.word
    }

    // MARK: Reading

    /// The live entries with IDs from `first` to `last`, both included.
    ///
    /// - Parameters:
    ///   - limit: no more than these.
    ///   - body: says whether to go on.
    /// - Returns: how many entries `body` was given.
    @inline(__always)
    @discardableResult
    public func forEach(
        from first: StreamID = .zero, through last: StreamID = .max, limit: Int = .max,
        _ body: (StreamEntry) -> Bool
    ) -> Int {
        guard limit > 0, count > 0, first <= last else { return 0 }
        var given = 0
        var cursor = nodes.node(atOrBefore: first)
        while !cursor.isAtEnd {
            let goesOn = cursor.element.node.forEachEntry { entry in
                guard entry.id >= first, !entry.isDeleted else { return true }
                guard entry.id <= last else { return false }
                given &+= 1
                return body(entry) && given < limit
            }
            guard goesOn else { break }
            cursor.next()
        }
        return given
    }

    /// As `forEach`, from the last entry to the first.
    @discardableResult
    public func forEachBackwards(
        from first: StreamID = .zero, through last: StreamID = .max, limit: Int = .max,
        _ body: (StreamEntry) -> Bool
    ) -> Int {
        guard limit > 0, count > 0, first <= last else { return 0 }
        var given = 0
        var cursor = nodes.node(atOrBefore: last)
        while !cursor.isAtEnd {
            let goesOn = cursor.element.node.forEachEntryBackwards { entry in
                guard entry.id <= last, !entry.isDeleted else { return true }
                guard entry.id >= first else { return false }
                given &+= 1
                return body(entry) && given < limit
            }
            guard goesOn, cursor.previous() else { break }
        }
        return given
    }

    /// The live entry with this ID.
    public func entry(_ id: StreamID) -> StreamEntry? {
        var found: StreamEntry?
        forEach(from: id, through: id, limit: 1) {
            found = $0
            return false
        }
        return found
    }

    public func contains(_ id: StreamID) -> Bool { entry(id) != nil }

    /// The last live entry's ID.
    public var lastLiveID: StreamID? {
        var id: StreamID?
        forEachBackwards(limit: 1) {
            id = $0.id
            return false
        }
        return id
    }

    /// The first entry's ID, a deleted one's too if its node is still there; the greatest ID if there is none.
    public var edgeID: StreamID {
        let first = nodes.first()
        return first.isAtEnd ? .max : first.element.node.masterID
    }

    private var firstLiveID: StreamID? {
        var id: StreamID?
        forEach(limit: 1) {
            id = $0.id
            return false
        }
        return id
    }

    // MARK: Deleting

    /// Deletes an entry on demand.
    ///
    /// - Returns: false if there is none with this ID.
    public mutating func delete(_ id: StreamID, _ epochs: inout EpochClock) -> Bool {
        guard let offset = entry(id)?.offset else { return false }
        makeWritable(&epochs)
        var tree = nodes
        var cursor = tree.node(atOrBefore: id)
        var node = cursor.element.node
        let isLast = node.word == lastNode
        let master = node.master
        if master.live == 1 {
            tree.remove(at: &cursor, &epochs)
            node.release(&epochs)
            if isLast {
                let last = tree.last()
                lastNode = last.isAtEnd ? 0 : last.element.word
            }
        } else {
            let before = node.word
            _ = node.makeWritable(&epochs)
            node.setDeleted(at: offset)
            node.setCounts(live: master.live - 1, deleted: master.deleted + 1)
            if node.word != before {
                tree.replace(at: &cursor, with: NodeElement(node), &epochs)
                if isLast { lastNode = node.word }
            }
        }
        nodes = tree
        count -= 1
        if id > maxDeletedID { maxDeletedID = id }
        if count == 0 {
            firstID = .zero
        } else if id == firstID {
            firstID = firstLiveID ?? .zero
        }
        return true
    }

    /// What trimming keeps.
    public enum Trim: Sendable {
        /// As many of the newest entries.
        case count(Int)
        /// Entries from this ID on.
        case from(StreamID)
    }

    /// Deletes the oldest entries beyond what `trim` keeps.
    ///
    /// - Parameters:
    ///   - wholeNodesOnly: leaves what would need a part of a node deleted.
    ///   - limit: no node is touched with which more would be deleted; 0 for no limit.
    /// - Returns: how many entries were deleted.
    public mutating func trim(
        _ trim: Trim, wholeNodesOnly: Bool, limit: Int, _ epochs: inout EpochClock
    ) -> Int {
        guard isBeyond(trim) else { return 0 }
        makeWritable(&epochs)
        var deleted = 0
        var tree = nodes
        var cursor = tree.first()
        while !cursor.isAtEnd {
            if case .count(let kept) = trim, count <= kept { break }
            var node = cursor.element.node
            let master = node.master
            if limit > 0, deleted + master.live > limit { break }
            if isWholly(node, master.live, beyond: trim) {
                tree.remove(at: &cursor, &epochs)
                node.release(&epochs)
                count -= master.live
                deleted += master.live
                continue
            }
            if wholeNodesOnly { break }
            let before = node.word
            _ = node.makeWritable(&epochs)
            let cut = cutFront(of: node, trim)
            deleted += cut
            node.setCounts(live: master.live - cut, deleted: master.deleted + cut)
            if node.word != before {
                if before == lastNode { lastNode = node.word }
                tree.replace(at: &cursor, with: NodeElement(node), &epochs)
            }
            break
        }
        nodes = tree
        if tree.isEmpty { lastNode = 0 }
        if count == 0 {
            firstID = .zero
        } else if deleted > 0 {
            firstID = firstLiveID ?? .zero
        }
        return deleted
    }

    private func isBeyond(_ trim: Trim) -> Bool {
        switch trim {
        case .count(let kept): count > kept
        case .from(let id): edgeID < id
        }
    }

    private func isWholly(_ node: StreamNode, _ live: Int, beyond trim: Trim) -> Bool {
        switch trim {
        case .count(let kept): return count - live >= kept
        case .from(let id):
            // A deleted entry at the end keeps the node where it is, as in Redis.
            var last = StreamID.zero
            _ = node.forEachEntryBackwards { entry in
                last = entry.id
                return false
            }
            return last < id
        }
    }

    /// Flags the node's first entries as deleted, and returns how many. The node keeps its place.
    private func cutFront(of node: StreamNode, _ trim: Trim) -> Int {
        var cut = 0
        node.forEachEntry { entry in
            switch trim {
            case .count(let kept): if count <= kept { return false }
            case .from(let id): if entry.id >= id { return false }
            }
            if !entry.isDeleted {
                node.setDeleted(at: entry.offset)
                cut += 1
                count -= 1
            }
            return true
        }
        return cut
    }

    // MARK: Counters

    /// Sets what the stream remembers of its past; nil leaves a part as it is.
    public mutating func setHistory(
        lastID: StreamID, addedCount: UInt64?, maxDeletedID: StreamID?, _ epochs: inout EpochClock
    ) {
        makeWritable(&epochs)
        self.lastID = lastID
        if let addedCount { self.addedCount = addedCount }
        if let maxDeletedID { self.maxDeletedID = maxDeletedID }
    }

    /// How many entries were ever added up to the one with this ID; nil if that can't be told.
    public func addedCount(upTo id: StreamID) -> Int64? {
        let added = Int64(truncatingIfNeeded: addedCount)
        guard added != 0 else { return 0 }
        if count == 0, id <= lastID { return added }
        if id == lastID { return added }
        if id > lastID { return nil }
        guard maxDeletedID.isZero || maxDeletedID < firstID else { return nil }
        if id < firstID { return added &- Int64(count) }
        if id == firstID { return added &- Int64(count) &+ 1 }
        return nil
    }

    /// Whether an entry was deleted on demand at or after this ID, among those there are.
    public func hasDeleted(from id: StreamID) -> Bool {
        count > 0 && !maxDeletedID.isZero && firstID <= maxDeletedID && id <= maxDeletedID
    }

    /// How many entries the group has still to read; nil if that can't be told.
    public func lag(of group: ConsumerGroup) -> Int64? {
        let added = Int64(truncatingIfNeeded: addedCount)
        guard added != 0 else { return 0 }
        if let read = group.entriesRead, !hasDeleted(from: group.lastID) { return added &- read }
        return addedCount(upTo: group.lastID).map { added &- $0 }
    }
}

/// A node in a stream's tree.
@safe
struct NodeElement: TreeElement {
    let word: UInt64

    @inline(__always) init(word: UInt64) { self.word = word }
    @inline(__always) init(_ node: StreamNode) { word = node.word }

    static var isWeighted: Bool { false }
    @inline(__always) var node: StreamNode { StreamNode(word: word) }
    @inline(__always) var hint: UInt64 { node.masterID.milliseconds }
}

extension CountedTree<NodeElement> {
    /// At the last node that begins at or before `id`, else at the first.
    @inline(__always)
    func node(atOrBefore id: StreamID) -> Cursor {
        if id.isZero { return first() }
        if id == .max { return last() }
        var cursor = lowerBound(hint: id.milliseconds) { $0.node.masterID <= id }
        _ = cursor.previous()
        return cursor
    }
}
