/// A counted B+ tree: a sequence of elements, each with a weight, that knows the sum of weights before every
/// place. Elements are kept in the order in which they are put; a tree that is ordered by content is
/// searched with `lowerBound` and inserted into at the place found.
///
/// The tree is one word (0 when empty), to be kept in the root block of a value. Changing follows the rule of
/// epochs: each node on the way down is copied first if a snapshot needs it. So whoever holds the word of a
/// frozen tree may read it from another thread.
///
/// The tree owns its nodes and not what its elements name: whoever takes an element out releases it.
public struct CountedTree<Element: TreeElement> {
    typealias Node = TreeNode<Element>
    public typealias Cursor = TreeCursor<Element>

    /// The root's address, 0 when the tree is empty.
    public private(set) var word: UInt64

    @inline(__always)
    public init() { word = 0 }

    /// - Parameter word: what `word` of a living tree gave.
    @inline(__always)
    public init(word: UInt64) { self.word = word }

    @inline(__always) private var root: Node { Node(word: word) }

    @inline(__always) public var isEmpty: Bool { word == 0 }

    /// The sum of all weights; without weights, the number of elements.
    @inline(__always) public var count: Int { word == 0 ? 0 : root.total }

    /// The number of elements. With weights it takes a walk over the nodes above the leaves.
    public var elementCount: Int {
        guard word != 0 else { return 0 }
        return Element.isWeighted ? Self.elements(root) : root.total
    }

    private static func elements(_ node: Node) -> Int {
        guard !node.isLeaf else { return node.count }
        var sum = 0
        for slot in 0..<node.count { sum += elements(node.child(slot)) }
        return sum
    }

    // MARK: Finding

    /// At the first element, or at the end of an empty tree.
    public func first() -> Cursor {
        var cursor = Cursor()
        guard word != 0 else { return cursor }
        descend(&cursor) { _ in 0 }
        return cursor
    }

    /// Behind the last element.
    public func end() -> Cursor {
        var cursor = Cursor()
        guard word != 0 else { return cursor }
        descend(&cursor) { $0.count - 1 }
        cursor.slot = cursor.leaf.count
        return cursor
    }

    /// At the last element, or at the end of an empty tree.
    public func last() -> Cursor {
        var cursor = end()
        _ = cursor.previous()
        return cursor
    }

    /// From the root to a leaf, at each inner node by the child that `choose` names.
    @inline(__always)
    private func descend(_ cursor: inout Cursor, _ choose: (Node) -> Int) {
        var node = root
        let depth = node.level
        precondition(depth <= Cursor.depthMax, "tree too deep")
        cursor.depth = depth
        var index = 0
        while index < depth {
            let slot = choose(node)
            cursor.set(index, node, slot)
            node = node.child(slot)
            index &+= 1
        }
        cursor.leafWord = node.address
        cursor.slot = 0
    }

    /// The element that covers `position` when weights are laid end to end, and how far into it that is.
    ///
    /// - Parameter position: from 0; at `count` and beyond it gives the end and the rest.
    public func at(_ position: Int) -> (cursor: Cursor, offset: Int) {
        precondition(position >= 0, "negative position")
        var rest = position
        guard position < count else { return (end(), position - count) }
        var cursor = Cursor()
        descend(&cursor) { node in
            var slot = 0
            while true {
                let weight = node.childWeight(slot)
                if rest < weight { return slot }
                rest &-= weight
                slot &+= 1
            }
        }
        if Element.isWeighted {
            let leaf = cursor.leaf
            while true {
                let weight = leaf.weight(cursor.slot)
                if rest < weight { break }
                rest &-= weight
                cursor.slot &+= 1
            }
        } else {
            cursor.slot = rest
            rest = 0
        }
        return (cursor, rest)
    }

    /// The first element for which `isBefore` is false, or the end. `isBefore` must be true for some elements
    /// from the beginning and false for all after them.
    ///
    /// - Parameter hint: of what is searched. Elements with a lesser hint must be before and those with a
    ///   greater one not; for them inner nodes don't ask `isBefore`.
    @inline(__always)
    public func lowerBound(hint: UInt64, _ isBefore: (Element) -> Bool) -> Cursor {
        var cursor = partition(hint: hint, isBefore)
        if cursor.leafWord != 0, cursor.slot == cursor.leaf.count { cursor.settle() }
        return cursor
    }

    /// As `lowerBound`, but between two leaves it stays behind the last element of the first.
    @inline(__always)
    private func partition(hint: UInt64, _ isBefore: (Element) -> Bool) -> Cursor {
        var cursor = descended(hint: hint, isBefore)
        guard cursor.leafWord != 0 else { return cursor }
        let leaf = cursor.leaf
        var low = 0
        var high = leaf.count
        while low < high {
            let middle = (low &+ high) &>> 1
            // One of these two is next; what they name is on its way while this one is compared.
            leaf.element((low &+ middle) &>> 1).prefetch()
            leaf.element(min((middle &+ 1 &+ high) &>> 1, high &- 1)).prefetch()
            if isBefore(leaf.element(middle)) { low = middle &+ 1 } else { high = middle }
        }
        cursor.slot = low
        return cursor
    }

    /// The place of an element that is known to be in the tree.
    ///
    /// - Parameters:
    ///   - hint: the element's.
    ///   - isBefore: whether another comes before it. It is asked by inner nodes only: within a leaf the element
    ///     is told by its word.
    @inline(__always)
    public func find(
        _ element: Element, hint: UInt64, _ isBefore: (Element) -> Bool
    ) -> Cursor {
        var cursor = descended(hint: hint, isBefore)
        precondition(cursor.leafWord != 0, "an element of an empty tree")
        let leaf = cursor.leaf
        let count = leaf.count
        while cursor.slot < count, leaf.element(cursor.slot).word != element.word {
            cursor.slot &+= 1
        }
        // The first element of a leaf is looked for in the leaf before.
        if cursor.slot == count { cursor.settle() }
        precondition(cursor.element.word == element.word, "the element is not in its place")
        return cursor
    }

    /// At the beginning of the leaf in which `isBefore` may turn false.
    @inline(__always)
    private func descended(hint: UInt64, _ isBefore: (Element) -> Bool) -> Cursor {
        var cursor = Cursor()
        guard word != 0 else { return cursor }
        descend(&cursor) { node in
            // The last child that begins before what is searched; the first if none does.
            var low = 1
            var high = node.count
            while low < high {
                let middle = (low &+ high) &>> 1
                let other = node.childHint(middle)
                if other < hint || (other == hint && isBefore(node.childFirst(middle))) {
                    low = middle &+ 1
                } else {
                    high = middle
                }
            }
            return low &- 1
        }
        return cursor
    }

    // MARK: Changing

    /// Makes every node on the way to the cursor writable.
    @inline(__always)
    private mutating func prepare(_ cursor: inout Cursor, _ epochs: inout EpochClock) {
        if _fastPath(epochs.frozen == 0) { return }
        copyPath(&cursor, &epochs)
    }

    private mutating func copyPath(_ cursor: inout Cursor, _ epochs: inout EpochClock) {
        var node = root.writable(&epochs)
        word = node.address
        for index in 0..<cursor.depth {
            let slot = cursor.slot(index)
            cursor.set(index, node, slot)
            let child = node.child(slot).writable(&epochs)
            node.setChildAddress(slot, child)
            node = child
        }
        cursor.leafWord = node.address
    }

    /// Puts an element where `isBefore` turns false (see `lowerBound`), and returns its place.
    @inline(__always)
    @discardableResult
    public mutating func insert(
        _ element: Element, weight: Int = 1, hint: UInt64, _ epochs: inout EpochClock,
        _ isBefore: (Element) -> Bool
    ) -> Cursor {
        var cursor = partition(hint: hint, isBefore)
        insert(element, weight: weight, before: &cursor, &epochs)
        return cursor
    }

    /// Puts an element behind all others.
    public mutating func append(
        _ element: Element, weight: Int = 1, _ epochs: inout EpochClock
    ) {
        var cursor = end()
        insert(element, weight: weight, before: &cursor, &epochs)
    }

    /// Puts an element directly behind the one at the cursor. The cursor is at the new one afterwards.
    public mutating func insert(
        _ element: Element, weight: Int = 1, after cursor: inout Cursor,
        _ epochs: inout EpochClock
    ) {
        precondition(!cursor.isAtEnd, "nothing to insert behind")
        cursor.slot += 1
        insert(element, weight: weight, before: &cursor, &epochs)
    }

    /// Puts an element before the cursor. The cursor is at the new one afterwards.
    public mutating func insert(
        _ element: Element, weight: Int = 1, before cursor: inout Cursor,
        _ epochs: inout EpochClock
    ) {
        precondition(weight > 0, "an element without weight")
        guard word != 0 else {
            let leaf = Node.makeLeaf(1, epoch: epochs.current)
            leaf.insertElement(0, element, weight)
            word = leaf.address
            cursor = Cursor()
            cursor.leafWord = word
            return
        }
        prepare(&cursor, &epochs)
        var leaf = cursor.leaf
        if _slowPath(leaf.count == leaf.room) {
            if leaf.room == Element.leafCapacity {
                split(&cursor, element, weight, &epochs)
                return
            }
            leaf = leaf.replaced(&epochs, room: leaf.count + 1)
            link(leaf, &cursor)
        }
        leaf.insertElement(cursor.slot, element, weight)
        raise(cursor, by: Element.isWeighted ? weight : 1)
        if cursor.slot == 0 { refreshFirst(cursor) }
    }

    /// Lets the tree name another leaf at the cursor.
    private mutating func link(_ leaf: Node, _ cursor: inout Cursor) {
        cursor.leafWord = leaf.address
        if cursor.depth == 0 {
            word = leaf.address
        } else {
            cursor.node(cursor.depth - 1).setChildAddress(cursor.slot(cursor.depth - 1), leaf)
        }
    }

    /// Adds to the sums of all inner nodes on the way to the cursor.
    @inline(__always)
    private func raise(_ cursor: Cursor, by weight: Int) {
        var index = cursor.depth &- 1
        while index >= 0 {
            let node = cursor.node(index)
            let slot = cursor.slot(index)
            node.setChildWeight(slot, node.childWeight(slot) &+ weight)
            node.total &+= weight
            index &-= 1
        }
    }

    /// After the first element of the cursor's leaf has changed.
    private func refreshFirst(_ cursor: Cursor) {
        let first = cursor.leaf.element(0)
        var index = cursor.depth - 1
        while index >= 0 {
            let slot = cursor.slot(index)
            cursor.node(index).setChildFirst(slot, first)
            if slot > 0 { return }
            index -= 1
        }
    }

    /// Puts an element into a full leaf.
    private mutating func split(
        _ cursor: inout Cursor, _ element: Element, _ weight: Int, _ epochs: inout EpochClock
    ) {
        let leaf = cursor.leaf
        let added = Node.makeLeaf(Element.leafCapacity, epoch: epochs.current)
        let slot = cursor.slot
        let outer = outerSide(cursor, above: cursor.depth)
        var isAddedBefore = false
        if slot == leaf.count && outer.isLast {
            // Elements that come in order leave full leaves behind.
            added.insertElement(0, element, weight)
            cursor.leafWord = added.address
            cursor.slot = 0
        } else if slot == 0 && outer.isFirst {
            added.insertElement(0, element, weight)
            cursor.leafWord = added.address
            isAddedBefore = true
        } else {
            let half = leaf.count / 2
            added.append(half..<leaf.count, of: leaf)
            leaf.truncate(half)
            leaf.sumUp()
            added.sumUp()
            if slot <= half {
                leaf.insertElement(slot, element, weight)
            } else {
                added.insertElement(slot - half, element, weight)
                cursor.leafWord = added.address
                cursor.slot = slot - half
            }
        }
        insertChild(
            added, isBefore: isAddedBefore, old: leaf,
            isFollowed: cursor.leafWord == added.address, above: cursor.depth, &cursor, &epochs)
    }

    /// Whether the inner nodes of the path before `index` all took their first, or their last, child.
    private func outerSide(_ cursor: Cursor, above index: Int) -> (isFirst: Bool, isLast: Bool) {
        var isFirst = true
        var isLast = true
        for upper in 0..<index {
            let slot = cursor.slot(upper)
            if slot != 0 { isFirst = false }
            if slot != cursor.node(upper).count - 1 { isLast = false }
        }
        return (isFirst, isLast)
    }

    /// Puts `added` beside `old`, its sibling from the same split, into the inner node above, which may split
    /// in turn; brings weights and first elements up to date all the way to the root.
    ///
    /// - Parameters:
    ///   - isFollowed: whether the cursor goes on in `added` and not in `old`.
    ///   - index: where in the path the two would stand, were they inner nodes.
    private mutating func insertChild(
        _ added: Node, isBefore: Bool, old: Node, isFollowed: Bool, above index: Int,
        _ cursor: inout Cursor, _ epochs: inout EpochClock
    ) {
        guard index > 0 else {
            let root = Node.makeInner(level: old.level + 1, epoch: epochs.current)
            root.insertChild(0, old)
            root.insertChild(isBefore ? 0 : 1, added)
            root.sumUp()
            word = root.address
            precondition(cursor.depth < Cursor.depthMax, "tree too deep")
            var upper = cursor.depth
            while upper > 0 {
                cursor.path[upper] = cursor.path[upper - 1]
                upper -= 1
            }
            cursor.depth += 1
            cursor.set(0, root, isFollowed == isBefore ? 0 : 1)
            return
        }
        let parent = cursor.node(index - 1)
        let oldSlot = cursor.slot(index - 1)
        let newSlot = isBefore ? oldSlot : oldSlot + 1
        // Where the cursor goes on once `added` is in.
        let taken = isFollowed ? newSlot : (isBefore ? oldSlot + 1 : oldSlot)
        if parent.count < Element.innerCapacity {
            parent.refreshChild(oldSlot)
            parent.insertChild(newSlot, added)
            parent.sumUp()
            cursor.set(index - 1, parent, taken)
            refreshUpwards(cursor, above: index - 1)
            return
        }
        parent.refreshChild(oldSlot)
        let sibling = Node.makeInner(level: parent.level, epoch: epochs.current)
        let outer = outerSide(cursor, above: index - 1)
        var isSiblingBefore = false
        var isSiblingFollowed: Bool
        if newSlot == parent.count && outer.isLast {
            sibling.insertChild(0, added)
            isSiblingFollowed = isFollowed
            cursor.set(index - 1, isFollowed ? sibling : parent, isFollowed ? 0 : taken)
        } else if newSlot == 0 && outer.isFirst {
            sibling.insertChild(0, added)
            isSiblingBefore = true
            isSiblingFollowed = isFollowed
            cursor.set(index - 1, isFollowed ? sibling : parent, isFollowed ? 0 : taken - 1)
        } else {
            let half = parent.count / 2
            sibling.append(half..<parent.count, of: parent)
            parent.truncate(half)
            // The border is at `border` once `added` is in.
            let border: Int
            if newSlot <= half {
                parent.insertChild(newSlot, added)
                border = half + 1
            } else {
                sibling.insertChild(newSlot - half, added)
                border = half
            }
            isSiblingFollowed = taken >= border
            cursor.set(
                index - 1, isSiblingFollowed ? sibling : parent,
                isSiblingFollowed ? taken - border : taken)
        }
        parent.sumUp()
        sibling.sumUp()
        insertChild(
            sibling, isBefore: isSiblingBefore, old: parent, isFollowed: isSiblingFollowed,
            above: index - 1, &cursor, &epochs)
    }

    /// Brings weights and first elements up to date in the inner nodes of the path before `index`.
    private func refreshUpwards(_ cursor: Cursor, above index: Int) {
        var upper = index - 1
        while upper >= 0 {
            let node = cursor.node(upper)
            node.refreshChild(cursor.slot(upper))
            node.sumUp()
            upper -= 1
        }
    }

    /// Lets another element, or the same with another weight, stand at the cursor. The old one isn't released.
    public mutating func replace(
        at cursor: inout Cursor, with element: Element, weight: Int = 1,
        _ epochs: inout EpochClock
    ) {
        precondition(!cursor.isAtEnd, "nothing to replace")
        precondition(weight > 0, "an element without weight")
        prepare(&cursor, &epochs)
        let leaf = cursor.leaf
        if Element.isWeighted {
            let change = weight &- leaf.weight(cursor.slot)
            if change != 0 {
                leaf.total &+= change
                raise(cursor, by: change)
            }
        }
        leaf.setElement(cursor.slot, element, weight)
        if cursor.slot == 0 { refreshFirst(cursor) }
    }

    /// Takes the element at the cursor out; the caller releases it. The cursor is at the following element
    /// afterwards, or at the end.
    @discardableResult
    public mutating func remove(
        at cursor: inout Cursor, _ epochs: inout EpochClock
    ) -> Element {
        precondition(!cursor.isAtEnd, "nothing to remove")
        prepare(&cursor, &epochs)
        let leaf = cursor.leaf
        let slot = cursor.slot
        let element = leaf.element(slot)
        let weight = leaf.weight(slot)
        leaf.removeElements(slot..<slot + 1)
        if _slowPath(leaf.isSparse) {
            shrink(&cursor, &epochs)
        } else {
            raise(cursor, by: -weight)
            if slot == 0 { refreshFirst(cursor) }
            if slot == leaf.count { cursor.settle() }
        }
        return element
    }

    /// After the leaf at the cursor lost elements: drops or joins nodes that hold little, from the leaf
    /// upwards, and brings the inner nodes up to date.
    private mutating func shrink(_ cursor: inout Cursor, _ epochs: inout EpochClock) {
        var node = cursor.leaf
        var index = cursor.depth
        // The highest inner node whose child at the cursor is gone.
        var gone: Int?
        while index > 0 {
            let parent = cursor.node(index - 1)
            let slot = cursor.slot(index - 1)
            if node.count == 0 {
                node.release(&epochs)
                parent.removeChildren(slot..<slot + 1)
                gone = index - 1
            } else {
                parent.refreshChild(slot)
                if node.isSparse { join(node, index, &cursor, &epochs) }
            }
            parent.sumUp()
            node = parent
            index -= 1
        }
        if node.count == 0 {
            node.release(&epochs)
            word = 0
            cursor = Cursor()
            return
        }
        if let gone { settle(&cursor, below: gone) }
        lowerRoot(&cursor, &epochs)
        if cursor.slot == cursor.leaf.count { cursor.settle() }
    }

    /// After a child went that stood where the inner node at `index` of the path says: to the next one there
    /// is, or to the end.
    private func settle(_ cursor: inout Cursor, below index: Int) {
        let node = cursor.node(index)
        let slot = cursor.slot(index)
        if slot < node.count {
            cursor.descendFirst(from: index)
        } else {
            cursor.set(index, node, slot - 1)
            cursor.descendLast(from: index)
        }
    }

    /// Joins `node`, which holds little, with a sibling if both together leave room to grow. It is the cursor's
    /// leaf or the inner node at `index` of the path, and goes on holding what the cursor is at.
    private func join(
        _ node: Node, _ index: Int, _ cursor: inout Cursor, _ epochs: inout EpochClock
    ) {
        let parent = cursor.node(index - 1)
        let slot = cursor.slot(index - 1)
        let limit = node.capacity * 3 / 4
        if slot > 0, parent.child(slot - 1).count + node.count <= limit {
            let left = parent.child(slot - 1)
            let shift = left.count
            node.prepend(left)
            node.sumUp()
            left.release(&epochs)
            parent.removeChildren(slot - 1..<slot)
            parent.refreshChild(slot - 1)
            cursor.set(index - 1, parent, slot - 1)
            if index == cursor.depth {
                cursor.slot += shift
            } else {
                cursor.set(index, node, cursor.slot(index) + shift)
            }
        } else if slot + 1 < parent.count, parent.child(slot + 1).count + node.count <= limit {
            let right = parent.child(slot + 1)
            node.append(0..<right.count, of: right)
            node.sumUp()
            right.release(&epochs)
            parent.removeChildren(slot + 1..<slot + 2)
            parent.refreshChild(slot)
        }
    }

    /// A root with one child gives way to it.
    private mutating func lowerRoot(_ cursor: inout Cursor, _ epochs: inout EpochClock) {
        var dropped = 0
        while !root.isLeaf, root.count == 1 {
            let old = root
            word = old.child(0).address
            old.release(&epochs)
            dropped += 1
        }
        guard dropped > 0 else { return }
        cursor.depth -= dropped
        for index in 0..<cursor.depth { cursor.path[index] = cursor.path[index + dropped] }
    }

    // MARK: Ranges

    /// Takes out all elements that lie in `range` when weights are laid end to end: O(log n) and what is
    /// visited. The range's ends must be ends of elements.
    ///
    /// - Parameter each: is given every element that is taken out, in order, to release it.
    public mutating func remove(
        _ range: Range<Int>, _ epochs: inout EpochClock,
        each: (Element, inout EpochClock) -> Void
    ) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "range out of bounds")
        guard !range.isEmpty else { return }
        guard range.count < count else {
            releaseAll(&epochs, each: each)
            return
        }
        let root = root.writable(&epochs)
        word = root.address
        Self.remove(range, from: root, &epochs, each)
        // Little may be left in the nodes on both sides of the gap, and only there.
        if range.lowerBound > 0 { tidy(at: range.lowerBound - 1, &epochs) }
        if range.lowerBound < count { tidy(at: range.lowerBound, &epochs) }
    }

    /// - Parameter node: writable.
    private static func remove(
        _ range: Range<Int>, from node: Node, _ epochs: inout EpochClock,
        _ each: (Element, inout EpochClock) -> Void
    ) {
        var position = 0
        // The slots to take out as a whole.
        var low = node.count
        var high = 0
        for slot in 0..<node.count {
            let weight = node.isLeaf ? node.weight(slot) : node.childWeight(slot)
            defer { position += weight }
            let end = position + weight
            if end <= range.lowerBound { continue }
            if position >= range.upperBound { break }
            let isWhole = position >= range.lowerBound && end <= range.upperBound
            if node.isLeaf {
                precondition(isWhole, "the range cuts an element")
                each(node.element(slot), &epochs)
            } else if isWhole {
                release(node.child(slot), &epochs, each)
            } else {
                let child = node.child(slot).writable(&epochs)
                node.setChildAddress(slot, child)
                let part =
                    max(
                        range.lowerBound - position, 0)..<min(range.upperBound - position, weight)
                remove(part, from: child, &epochs, each)
                node.refreshChild(slot)
                continue
            }
            low = min(low, slot)
            high = slot + 1
        }
        if low < high {
            if node.isLeaf {
                node.removeElements(low..<high)
            } else {
                node.removeChildren(low..<high)
            }
        }
        if !node.isLeaf { node.sumUp() }
    }

    /// Joins what holds little on the way to `position`.
    private mutating func tidy(at position: Int, _ epochs: inout EpochClock) {
        var cursor = at(position).cursor
        prepare(&cursor, &epochs)
        shrink(&cursor, &epochs)
    }

    // MARK: The whole

    /// Gives up the whole tree, which is empty afterwards.
    ///
    /// - Parameter each: is given every element, to release it.
    public mutating func releaseAll(
        _ epochs: inout EpochClock, each: (Element, inout EpochClock) -> Void
    ) {
        guard word != 0 else { return }
        Self.release(root, &epochs, each)
        word = 0
    }

    private static func release(
        _ node: Node, _ epochs: inout EpochClock, _ each: (Element, inout EpochClock) -> Void
    ) {
        if node.isLeaf {
            for slot in 0..<node.count { each(node.element(slot), &epochs) }
        } else {
            for slot in 0..<node.count { release(node.child(slot), &epochs, each) }
        }
        node.release(&epochs)
    }

    /// One step of giving up a tree piece by piece: releases the node at `word`, and nothing below it.
    ///
    /// - Parameters:
    ///   - child: is given the word of every child node, to be dismantled later.
    ///   - each: is given every element of a leaf, to release it.
    public static func dismantle(
        node word: UInt64, _ epochs: inout EpochClock, child: (UInt64) -> Void,
        each: (Element, inout EpochClock) -> Void
    ) {
        let node = Node(word: word)
        for slot in 0..<node.count {
            if node.isLeaf {
                each(node.element(slot), &epochs)
            } else {
                child(node.child(slot).address)
            }
        }
        node.release(&epochs)
    }

    /// Bytes of memory that the nodes take, without what elements name.
    public var memoryBytes: Int {
        word == 0 ? 0 : Self.memoryBytes(root)
    }

    private static func memoryBytes(_ node: Node) -> Int {
        guard !node.isLeaf else { return node.allocatedBytes }
        var sum = node.allocatedBytes
        for slot in 0..<node.count { sum += memoryBytes(node.child(slot)) }
        return sum
    }

    /// Calls `body` with every element and weight in order; the tree must not change meanwhile.
    @inline(__always)
    public func forEach<E: Error>(_ body: (Element, Int) throws(E) -> Void) throws(E) {
        var cursor = first()
        while !cursor.isAtEnd {
            let leaf = cursor.leaf
            for slot in 0..<leaf.count { try body(leaf.element(slot), leaf.weight(slot)) }
            cursor.slot = leaf.count
            cursor.settle()
        }
    }

    // MARK: Checking

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    ///
    /// - Parameter epochs: no node may be younger than the current epoch.
    public func checkInvariants(_ epochs: borrowing EpochClock) {
        guard word != 0 else { return }
        precondition(root.isLeaf || root.count > 1, "a root with one child")
        Self.check(root, current: epochs.current)
    }

    private static func check(_ node: Node, current: UInt32) {
        precondition(node.count > 0 && node.count <= node.capacity, "count \(node.count)")
        precondition(node.epoch <= current, "a node from the future")
        guard !node.isLeaf else {
            precondition(node.count <= node.room, "more elements than the leaf has room for")
            precondition(node.total == node.weightBefore(node.count), "sum of a leaf")
            return
        }
        precondition(node.total == node.childWeightBefore(node.count), "sum of an inner node")
        for slot in 0..<node.count {
            let child = node.child(slot)
            precondition(child.level == node.level - 1, "levels of node and child")
            precondition(child.level > 0 || child.room == Element.leafCapacity, "small leaf")
            precondition(node.childWeight(slot) == child.total, "weight of a child")
            precondition(node.childFirst(slot).word == child.first.word, "a child's first element")
            precondition(node.childHint(slot) == child.first.hint, "a child's hint")
            precondition(
                slot == 0 || node.childHint(slot - 1) <= node.childHint(slot),
                "hints out of order")
            check(child, current: current)
        }
    }
}
