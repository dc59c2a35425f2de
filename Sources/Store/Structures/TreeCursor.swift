/// A place in a counted tree: at an element, or behind the last one.
///
/// A cursor is valid until the tree changes, other than by a call that was given this cursor: such calls
/// leave it at a useful place, which they name. Moving it reads and writes nothing but the cursor.
public struct TreeCursor<Element: TreeElement> {
    /// Inner nodes from the root down: the address, and above 48 bits the slot that was taken.
    var path: InlineArray<16, UInt64>
    /// How many inner nodes there are.
    var depth: Int
    /// The leaf's address, 0 in an empty tree.
    var leafWord: UInt64
    var slot: Int

    static var depthMax: Int { 16 }

    @inline(__always)
    init() {
        path = InlineArray(repeating: 0)
        depth = 0
        leafWord = 0
        slot = 0
    }

    @inline(__always) var leaf: TreeNode<Element> { TreeNode(word: leafWord) }

    @inline(__always)
    func node(_ index: Int) -> TreeNode<Element> {
        TreeNode(word: path[index] & 0xFFFF_FFFF_FFFF)
    }

    @inline(__always)
    func slot(_ index: Int) -> Int { Int(truncatingIfNeeded: path[index] >> 48) }

    @inline(__always)
    mutating func set(_ index: Int, _ node: TreeNode<Element>, _ slot: Int) {
        path[index] = node.address | UInt64(truncatingIfNeeded: slot) << 48
    }

    /// Whether the cursor stands behind the last element.
    @inline(__always)
    public var isAtEnd: Bool { leafWord == 0 || slot >= leaf.count }

    /// The element here; there must be one.
    @inline(__always)
    public var element: Element {
        precondition(!isAtEnd, "no element at the end of a tree")
        return leaf.element(slot)
    }

    /// The weight of the element here.
    @inline(__always)
    public var weight: Int {
        precondition(!isAtEnd, "no element at the end of a tree")
        return leaf.weight(slot)
    }

    /// Sum of the weights of all elements before this place.
    public var position: Int {
        guard leafWord != 0 else { return 0 }
        var sum = leaf.weightBefore(slot)
        for index in 0..<depth { sum += node(index).childWeightBefore(slot(index)) }
        return sum
    }

    /// Goes on to the next element, or to the end.
    @inline(__always)
    public mutating func next() {
        guard !isAtEnd else { return }
        slot &+= 1
        if _slowPath(slot == leaf.count) { settle() }
    }

    /// Goes back to the element before.
    ///
    /// - Returns: false, without moving, at the first element.
    @inline(__always)
    public mutating func previous() -> Bool {
        if _fastPath(slot > 0) {
            slot &-= 1
            return true
        }
        return retreat()
    }

    /// From behind a leaf's last element goes on to the next leaf, if there is one.
    mutating func settle() {
        guard leafWord != 0, slot >= leaf.count else { return }
        var index = depth - 1
        while index >= 0 {
            let parent = node(index)
            let next = slot(index) + 1
            if next < parent.count {
                set(index, parent, next)
                descendFirst(from: index)
                return
            }
            index -= 1
        }
    }

    private mutating func retreat() -> Bool {
        var index = depth - 1
        while index >= 0 {
            let parent = node(index)
            let taken = slot(index)
            if taken > 0 {
                set(index, parent, taken - 1)
                descendLast(from: index)
                slot = leaf.count - 1
                return true
            }
            index -= 1
        }
        return false
    }

    /// Goes to the first element below the child that the inner node at `index` of the path has taken.
    mutating func descendFirst(from index: Int) {
        var node = node(index).child(slot(index))
        var index = index + 1
        while index < depth {
            set(index, node, 0)
            node = node.child(0)
            index += 1
        }
        leafWord = node.address
        slot = 0
    }

    /// Goes behind the last element below the child that the inner node at `index` of the path has taken.
    mutating func descendLast(from index: Int) {
        var node = node(index).child(slot(index))
        var index = index + 1
        while index < depth {
            let last = node.count - 1
            set(index, node, last)
            node = node.child(last)
            index += 1
        }
        leafWord = node.address
        slot = leaf.count
    }
}
