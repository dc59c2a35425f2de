internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A list too long for one packed value: a sequence of nodes, each a packed list or one large element.
///
/// The first and the last node hang on the root, where pushes and pops find them without a search; those between
/// them are a counted tree, weighted by their numbers of elements, so that an element is found by index in
/// O(log n). Redis calls it a quicklist.
///
///     0   birth epoch              u32
///     8   number of elements       u64
///     16  the tree's word          u64
///     24  the first node's word, 0 if there is but one node
///     32  the last node's word
///
/// Between calls no node is empty; only a list that is about to be removed or filled has no node at all.
@safe
public struct ListNodes: CollectionRoot {
    public private(set) var raw: UnsafeMutableRawPointer

    static let bytes = 40

    @inline(__always)
    @unsafe public init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY of all accesses: a root's block is `bytes` long.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    /// The number of elements.
    @inline(__always)
    public internal(set) var count: Int {
        get { unsafe raw.load(fromByteOffset: 8, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 8, as: Int.self) }
    }

    @inline(__always)
    var tree: CountedTree<ListNode> {
        get { CountedTree(word: unsafe raw.load(fromByteOffset: 16, as: UInt64.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: newValue.word, toByteOffset: 16, as: UInt64.self)
        }
    }

    @inline(__always)
    private var firstWord: UInt64 {
        get { unsafe raw.load(fromByteOffset: 24, as: UInt64.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 24, as: UInt64.self) }
    }

    @inline(__always)
    private var lastWord: UInt64 {
        get { unsafe raw.load(fromByteOffset: 32, as: UInt64.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 32, as: UInt64.self) }
    }

    @inline(__always) var first: ListNode { ListNode(word: hasFirst ? firstWord : lastWord) }
    @inline(__always) var last: ListNode { ListNode(word: lastWord) }
    /// There are at least two nodes.
    @inline(__always) var hasFirst: Bool { firstWord != 0 }
    var isEmpty: Bool { lastWord == 0 }

    /// The number of nodes.
    public var nodeCount: Int { isEmpty ? 0 : hasFirst ? tree.elementCount + 2 : 1 }

    /// The list as one packed list, if it is but one node and so small that it may become a packed value again.
    @inline(__always)
    public func packed(below limit: ListNodeLimit) -> PackedList? {
        if _fastPath(hasFirst) { return nil }
        guard !isEmpty, !last.isSingle else { return nil }
        let list = last.list
        return limit.isWellBelow(bytes: list.byteCount, elements: list.count) ? list : nil
    }

    // MARK: Making

    /// A list without elements, to be filled at once.
    static func make(epoch: UInt32) -> ListNodes {
        guard let raw = unsafe malloc(bytes) else { fatalError("out of memory") }
        unsafe memset(raw, 0, bytes)
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        return unsafe ListNodes(raw)
    }

    /// A list with the elements of `list`, in one node.
    static func make(_ list: PackedList, epoch: UInt32) -> ListNodes {
        let made = make(epoch: epoch)
        if !list.isEmpty {
            let block = PackedBlock.make(
                payload: list.bytes, room: list.byteCount, epoch: epoch)
            made.lastWord = block.address
            made.count = list.count
        }
        return made
    }

    /// Makes the root's block one that may be changed.
    @inline(__always)
    mutating func prepare(_ epochs: inout EpochClock) {
        if _slowPath(epoch <= epochs.frozen) { copyRoot(&epochs) }
    }

    private mutating func copyRoot(_ epochs: inout EpochClock) {
        guard let twin = unsafe malloc(Self.bytes) else { fatalError("out of memory") }
        // SAFETY: both blocks are that long.
        unsafe twin.copyMemory(from: raw, byteCount: Self.bytes)
        unsafe twin.storeBytes(of: epochs.current, as: UInt32.self)
        unsafe epochs.release(raw, bornIn: epoch)
        unsafe raw = twin
    }

    /// A copy of the whole that shares nothing.
    func copy(_ epochs: inout EpochClock) -> ListNodes {
        let twin = Self.make(epoch: epochs.current)
        twin.count = count
        if hasFirst { twin.firstWord = first.copy(epoch: epochs.current).word }
        if !isEmpty { twin.lastWord = last.copy(epoch: epochs.current).word }
        var copied = CountedTree<ListNode>()
        tree.forEach { node, weight in
            copied.append(node.copy(epoch: epochs.current), weight: weight, &epochs)
        }
        twin.tree = copied
        return twin
    }

    // MARK: Places

    /// Where a node stands; good until nodes come or go.
    struct Place {
        enum Part { case first, middle, last }

        var part: Part
        /// In the middle, where in the tree.
        var cursor: TreeCursor<ListNode>

        fileprivate init(_ part: Part, _ cursor: TreeCursor<ListNode>) {
            self.part = part
            self.cursor = cursor
        }
    }

    var firstPlace: Place { Place(hasFirst ? .first : .last, tree.first()) }
    var lastPlace: Place { Place(.last, tree.end()) }

    @inline(__always)
    func node(_ place: Place) -> ListNode {
        switch place.part {
        case .first: first
        case .middle: place.cursor.element
        case .last: last
        }
    }

    @inline(__always)
    func next(_ place: Place) -> Place? {
        switch place.part {
        case .last: return nil
        case .first:
            let cursor = tree.first()
            return Place(cursor.isAtEnd ? .last : .middle, cursor)
        case .middle:
            var cursor = place.cursor
            cursor.next()
            return Place(cursor.isAtEnd ? .last : .middle, cursor)
        }
    }

    @inline(__always)
    func previous(_ place: Place) -> Place? {
        var cursor: TreeCursor<ListNode>
        switch place.part {
        case .first: return nil
        case .middle: cursor = place.cursor
        case .last:
            guard hasFirst else { return nil }
            cursor = tree.end()
        }
        return cursor.previous() ? Place(.middle, cursor) : Place(.first, cursor)
    }

    /// The node that holds the element with this index, and the element's index in it.
    @inline(__always)
    func find(_ index: Int) -> (place: Place, inner: Int) {
        precondition(index >= 0 && index < count, "list index out of bounds")
        var index = index
        if hasFirst {
            let firstCount = first.count
            if index < firstCount { return (Place(.first, TreeCursor()), index) }
            index -= firstCount
            let middleCount = tree.count
            if index < middleCount {
                let (cursor, inner) = tree.at(index)
                return (Place(.middle, cursor), inner)
            }
            index -= middleCount
        }
        return (lastPlace, index)
    }

    /// Lets a node stand where another stood, or the same after a change; its block isn't released.
    @inline(__always)
    func set(_ place: inout Place, _ node: ListNode, _ epochs: inout EpochClock) {
        switch place.part {
        case .first: firstWord = node.word
        case .last: lastWord = node.word
        case .middle:
            let weight = node.count
            if place.cursor.element.word == node.word, place.cursor.weight == weight { return }
            var tree = tree
            tree.replace(at: &place.cursor, with: node, weight: weight, &epochs)
            self.tree = tree
        }
    }

    /// Puts a node before the one at `place`.
    ///
    /// - Returns: the new node's place, or behind the old one, for further nodes.
    func insert(_ node: ListNode, before place: Place, _ epochs: inout EpochClock) -> Place {
        var tree = tree
        var cursor: TreeCursor<ListNode>
        switch place.part {
        case .first:
            cursor = tree.first()
            tree.insert(first, weight: first.count, before: &cursor, &epochs)
            firstWord = node.word
            self.tree = tree
            return Place(.first, cursor)
        case .middle:
            cursor = place.cursor
        case .last:
            guard hasFirst else {
                firstWord = node.word
                return Place(.first, tree.first())
            }
            cursor = tree.end()
        }
        tree.insert(node, weight: node.count, before: &cursor, &epochs)
        self.tree = tree
        return Place(.middle, cursor)
    }

    /// Puts a node behind the one at `place`.
    ///
    /// - Returns: the new node's place.
    func insert(_ node: ListNode, after place: Place, _ epochs: inout EpochClock) -> Place {
        var tree = tree
        var cursor: TreeCursor<ListNode>
        switch place.part {
        case .first:
            cursor = tree.first()
            tree.insert(node, weight: node.count, before: &cursor, &epochs)
        case .middle:
            cursor = place.cursor
            tree.insert(node, weight: node.count, after: &cursor, &epochs)
        case .last:
            if hasFirst {
                tree.append(last, weight: last.count, &epochs)
            } else {
                firstWord = lastWord
            }
            lastWord = node.word
            self.tree = tree
            return Place(.last, tree.end())
        }
        self.tree = tree
        return Place(.middle, cursor)
    }

    /// Takes the node at `place` out; its block isn't released.
    ///
    /// - Returns: where the following node is now; nil if it was the last.
    @discardableResult
    func remove(_ place: Place, _ epochs: inout EpochClock) -> Place? {
        var tree = tree
        switch place.part {
        case .first:
            guard !tree.isEmpty else {
                firstWord = 0
                return lastPlace
            }
            var cursor = tree.first()
            firstWord = tree.remove(at: &cursor, &epochs).word
            self.tree = tree
            return firstPlace
        case .middle:
            var cursor = place.cursor
            tree.remove(at: &cursor, &epochs)
            self.tree = tree
            return Place(cursor.isAtEnd ? .last : .middle, cursor)
        case .last:
            if !tree.isEmpty {
                var cursor = tree.last()
                lastWord = tree.remove(at: &cursor, &epochs).word
                self.tree = tree
            } else {
                lastWord = firstWord
                firstWord = 0
            }
            return nil
        }
    }

    // MARK: The ends

    /// Puts an element behind all others.
    @inline(__always)
    public mutating func append(
        _ bytes: ByteSlice, _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        prepare(&epochs)
        let word = lastWord
        if _fastPath(word != 0 && word & 1 == 0) {
            var block = ListNode(word: word).block
            if _fastPath(limit.fits(bytes, into: block.list)) {
                block.makeWritable(byteCount: block.list.byteCount, &epochs)
                block.append(bytes)
                lastWord = block.address
                count &+= 1
                return
            }
        }
        appendNode(bytes, limit, &epochs)
    }

    private func appendNode(
        _ bytes: ByteSlice, _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        push(ListNode.make(bytes, limit, epoch: epochs.current), &epochs)
        count += 1
    }

    /// Puts a node behind all others; the caller counts its elements.
    func push(_ node: ListNode, _ epochs: inout EpochClock) {
        if isEmpty {
            lastWord = node.word
        } else {
            _ = insert(node, after: lastPlace, &epochs)
        }
    }

    /// Puts an element before all others.
    @inline(__always)
    public mutating func prepend(
        _ bytes: ByteSlice, _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        prepare(&epochs)
        let isFirst = hasFirst
        let word = isFirst ? firstWord : lastWord
        if _fastPath(word != 0 && word & 1 == 0) {
            var block = ListNode(word: word).block
            if _fastPath(limit.fits(bytes, into: block.list)) {
                block.makeWritable(byteCount: block.list.byteCount, &epochs)
                block.prepend(bytes)
                if isFirst { firstWord = block.address } else { lastWord = block.address }
                count &+= 1
                return
            }
        }
        prependNode(bytes, limit, &epochs)
    }

    private func prependNode(
        _ bytes: ByteSlice, _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        let node = ListNode.make(bytes, limit, epoch: epochs.current)
        if isEmpty {
            lastWord = node.word
        } else {
            _ = insert(node, before: firstPlace, &epochs)
        }
        count += 1
    }

    /// Takes the first element out, which must be there.
    @inline(__always)
    public mutating func removeFirst(_ epochs: inout EpochClock) {
        prepare(&epochs)
        let isFirst = hasFirst
        let node = first
        count &-= 1
        if _fastPath(!node.isSingle), _fastPath(node.list.count > 1) {
            var block = node.writableBlock(&epochs)
            block.delete(at: PackedList.headerBytes)
            if isFirst { firstWord = block.address } else { lastWord = block.address }
        } else {
            dropFirstNode(&epochs)
        }
    }

    private func dropFirstNode(_ epochs: inout EpochClock) {
        let node = first
        remove(firstPlace, &epochs)
        node.release(&epochs)
    }

    /// Takes the last element out, which must be there.
    @inline(__always)
    public mutating func removeLast(_ epochs: inout EpochClock) {
        prepare(&epochs)
        let node = last
        count &-= 1
        if _fastPath(!node.isSingle), _fastPath(node.list.count > 1),
            let offset = node.list.lastOffset
        {
            var block = node.writableBlock(&epochs)
            block.delete(at: offset)
            lastWord = block.address
        } else {
            dropLastNode(&epochs)
        }
    }

    private func dropLastNode(_ epochs: inout EpochClock) {
        let node = last
        remove(lastPlace, &epochs)
        node.release(&epochs)
    }

    /// Takes out `dropped` elements at the beginning; O(log n) and what is dropped.
    public mutating func removeFirst(_ dropped: Int, _ epochs: inout EpochClock) {
        precondition(dropped >= 0 && dropped <= count, "removed more elements than there are")
        prepare(&epochs)
        count -= dropped
        var left = dropped
        if hasFirst, left > 0 {
            let firstCount = first.count
            guard left >= firstCount else { return shortenFirst(left, &epochs) }
            left -= firstCount
            first.release(&epochs)
            var tree = tree
            let whole = min(left, tree.count)
            let (cursor, inner) = tree.at(whole)
            let isCut = !cursor.isAtEnd && inner > 0
            tree.remove(0..<whole - (isCut ? inner : 0), &epochs) { $0.release(&$1) }
            left -= whole - (isCut ? inner : 0)
            firstWord = 0
            if !tree.isEmpty {
                var cursor = tree.first()
                firstWord = tree.remove(at: &cursor, &epochs).word
            }
            self.tree = tree
            if hasFirst { return shortenFirst(left, &epochs) }
        }
        guard left > 0 else { return }
        if left == last.count {
            last.release(&epochs)
            lastWord = 0
        } else {
            shortenFirst(left, &epochs)
        }
    }

    /// Takes elements out of the first node, fewer than it has.
    private func shortenFirst(_ dropped: Int, _ epochs: inout EpochClock) {
        guard dropped > 0 else { return }
        var block = first.writableBlock(&epochs)
        block.deleteRange(index: 0, count: dropped)
        if hasFirst { firstWord = block.address } else { lastWord = block.address }
    }

    /// Takes out `dropped` elements at the end; O(log n) and what is dropped.
    public mutating func removeLast(_ dropped: Int, _ epochs: inout EpochClock) {
        precondition(dropped >= 0 && dropped <= count, "removed more elements than there are")
        prepare(&epochs)
        count -= dropped
        var left = dropped
        if hasFirst, left > 0 {
            let lastCount = last.count
            guard left >= lastCount else { return shortenLast(left, &epochs) }
            left -= lastCount
            last.release(&epochs)
            var tree = tree
            let kept = max(tree.count - left, 0)
            let (cursor, inner) = tree.at(kept)
            // The end of the last node that stays, even if only in part.
            let end = inner > 0 && !cursor.isAtEnd ? kept - inner + cursor.weight : kept
            left -= tree.count - end
            tree.remove(end..<tree.count, &epochs) { $0.release(&$1) }
            if tree.isEmpty {
                lastWord = firstWord
                firstWord = 0
            } else {
                var cursor = tree.last()
                lastWord = tree.remove(at: &cursor, &epochs).word
            }
            self.tree = tree
        }
        guard left > 0 else { return }
        if left == last.count {
            precondition(!hasFirst, "a node was dropped too many")
            last.release(&epochs)
            lastWord = 0
        } else {
            shortenLast(left, &epochs)
        }
    }

    private func shortenLast(_ dropped: Int, _ epochs: inout EpochClock) {
        guard dropped > 0 else { return }
        var block = last.writableBlock(&epochs)
        block.deleteRange(index: -dropped, count: dropped)
        lastWord = block.address
    }

    // MARK: Giving up

    /// Releases the root alone.
    func releaseRoot(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }

    /// Bytes of memory that the list holds.
    var memoryBytes: Int {
        var sum = unsafe hf_allocated_bytes(raw) + tree.memoryBytes
        if hasFirst { sum += first.memoryBytes }
        if !isEmpty { sum += last.memoryBytes }
        tree.forEach { node, _ in sum += node.memoryBytes }
        return sum
    }

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    public func checkInvariants(_ epochs: borrowing EpochClock) {
        tree.checkInvariants(epochs)
        precondition(hasFirst || tree.isEmpty, "a tree without a first node")
        precondition(!isEmpty || !hasFirst, "a first node without a last")
        var sum = 0
        var place: Place? = isEmpty ? nil : firstPlace
        while let here = place {
            let node = node(here)
            precondition(node.count > 0, "an empty node")
            if here.part == .middle {
                precondition(here.cursor.weight == node.count, "a node's weight")
            }
            if !node.isSingle {
                precondition(PackedList.isValid(node.list.bytes, deep: true), "a node's bytes")
                precondition(node.block.epoch <= epochs.current, "a node from the future")
            }
            sum += node.count
            place = next(here)
        }
        precondition(sum == count, "count of a list: \(count), not \(sum)")
    }
}
