internal import CLinux
internal import Glibc

/// What a counted tree keeps in its leaves: one word, which usually is the address of a block.
public protocol TreeElement {
    init(word: UInt64)
    var word: UInt64 { get }

    /// Whether elements bear a weight of their own. Without, each counts 1 and leaves keep no weights.
    static var isWeighted: Bool { get }

    /// A cheap stand-in for the order: of two elements the earlier never has the greater hint. A tree that
    /// is ordered by position alone needs none.
    var hint: UInt64 { get }

    /// Asks the memory system for what comparing this element will look at.
    func prefetch()

    /// How many elements a leaf holds, and how many children an inner node; smaller in tests.
    static var leafCapacity: Int { get }
    static var innerCapacity: Int { get }
}

extension TreeElement {
    public var hint: UInt64 { 0 }
    @inline(__always) public func prefetch() {}
    public static var leafCapacity: Int { isWeighted ? 31 : 62 }
    public static var innerCapacity: Int { 63 }
}

/// A node of a counted tree: a handle on one block.
///
///     0   birth epoch                      u32
///     4   level: 0 for a leaf              u8
///     5   room: elements or children that the block has place for   u8
///     6   number of elements or children   u16
///     8   sum of the weights below         u64
///     16  a leaf without weights: words; one with weights: pairs of word and weight
///         an inner node: the children's addresses, their weights, the hints of their first elements and
///         the words of their first elements, `innerCapacity` of each
///
/// A full leaf takes 512 bytes, an inner node 2,032, which are allocation classes (2,048) nearly without
/// waste. A tree of few elements is one leaf that begins with 64 bytes and doubles.
@safe
struct TreeNode<Element: TreeElement> {
    let raw: UnsafeMutableRawPointer

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    /// - Parameter word: the address of a node, as a parent or `address` gave it.
    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living nodes get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var address: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    static var headerBytes: Int { 16 }
    @inline(__always) static var elementBytes: Int { Element.isWeighted ? 16 : 8 }
    @inline(__always) static var innerBytes: Int { headerBytes + Element.innerCapacity * 32 }

    // SAFETY of every load and store below: a block has place for `room` elements or `innerCapacity`
    // children, and callers' indexes are below that.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }
    @inline(__always) var level: Int { Int(unsafe raw.load(fromByteOffset: 4, as: UInt8.self)) }
    @inline(__always) var isLeaf: Bool { level == 0 }
    @inline(__always) var room: Int { Int(unsafe raw.load(fromByteOffset: 5, as: UInt8.self)) }

    @inline(__always)
    var count: Int {
        get { Int(unsafe raw.load(fromByteOffset: 6, as: UInt16.self)) }
        nonmutating set {
            unsafe raw.storeBytes(
                of: UInt16(truncatingIfNeeded: newValue), toByteOffset: 6, as: UInt16.self)
        }
    }

    @inline(__always)
    var total: Int {
        get { unsafe raw.load(fromByteOffset: 8, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 8, as: Int.self) }
    }

    @inline(__always)
    private func word(_ offset: Int) -> UInt64 {
        unsafe raw.load(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func set(_ offset: Int, _ value: UInt64) {
        unsafe raw.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func move(from: Int, to: Int, bytes: Int) {
        unsafe _ = memmove(raw + to, raw + from, bytes)
    }

    // MARK: Leaves

    @inline(__always)
    func element(_ slot: Int) -> Element {
        Element(word: word(16 &+ slot &* Self.elementBytes))
    }

    @inline(__always)
    func weight(_ slot: Int) -> Int {
        Element.isWeighted ? Int(truncatingIfNeeded: word(24 &+ slot &* 16)) : 1
    }

    @inline(__always)
    func setElement(_ slot: Int, _ element: Element, _ weight: Int) {
        set(16 &+ slot &* Self.elementBytes, element.word)
        if Element.isWeighted { set(24 &+ slot &* 16, UInt64(truncatingIfNeeded: weight)) }
    }

    /// Sum of the weights of the elements before `slot`.
    @inline(__always)
    func weightBefore(_ slot: Int) -> Int {
        guard Element.isWeighted else { return slot }
        var sum = 0
        for index in 0..<slot { sum &+= weight(index) }
        return sum
    }

    /// Puts an element in; there must be room.
    @inline(__always)
    func insertElement(_ slot: Int, _ element: Element, _ weight: Int) {
        let count = count
        precondition(slot <= count && count < room, "no room in the leaf")
        let offset = 16 &+ slot &* Self.elementBytes
        move(
            from: offset, to: offset &+ Self.elementBytes,
            bytes: (count &- slot) &* Self.elementBytes)
        setElement(slot, element, weight)
        self.count = count &+ 1
        total &+= Element.isWeighted ? weight : 1
    }

    /// Takes the elements of `range` out.
    @inline(__always)
    func removeElements(_ range: Range<Int>) {
        let count = count
        precondition(range.upperBound <= count, "no such elements in the leaf")
        if Element.isWeighted {
            for slot in range { total &-= weight(slot) }
        } else {
            total &-= range.count
        }
        move(
            from: 16 &+ range.upperBound &* Self.elementBytes,
            to: 16 &+ range.lowerBound &* Self.elementBytes,
            bytes: (count &- range.upperBound) &* Self.elementBytes)
        self.count = count &- range.count
    }

    // MARK: Inner nodes

    @inline(__always)
    private static func column(_ index: Int) -> Int { 16 &+ index &* Element.innerCapacity &* 8 }
    @inline(__always) private static var weights: Int { column(1) }
    @inline(__always) private static var hints: Int { column(2) }
    @inline(__always) private static var firsts: Int { column(3) }

    @inline(__always)
    func child(_ slot: Int) -> TreeNode { TreeNode(word: word(16 &+ slot &* 8)) }

    @inline(__always)
    func childWeight(_ slot: Int) -> Int {
        Int(truncatingIfNeeded: word(Self.weights &+ slot &* 8))
    }

    @inline(__always)
    func childHint(_ slot: Int) -> UInt64 { word(Self.hints &+ slot &* 8) }

    @inline(__always)
    func childFirst(_ slot: Int) -> Element { Element(word: word(Self.firsts &+ slot &* 8)) }

    @inline(__always)
    func setChildAddress(_ slot: Int, _ child: TreeNode) { set(16 &+ slot &* 8, child.address) }

    @inline(__always)
    func setChildWeight(_ slot: Int, _ weight: Int) {
        set(Self.weights &+ slot &* 8, UInt64(truncatingIfNeeded: weight))
    }

    @inline(__always)
    func setChildFirst(_ slot: Int, _ first: Element) {
        set(Self.hints &+ slot &* 8, first.hint)
        set(Self.firsts &+ slot &* 8, first.word)
    }

    /// The first element below this node.
    @inline(__always)
    var first: Element { isLeaf ? element(0) : childFirst(0) }

    /// Writes down what the child at `slot` weighs and begins with, and nothing of this node's sum.
    func refreshChild(_ slot: Int) {
        let child = child(slot)
        setChildWeight(slot, child.total)
        setChildFirst(slot, child.first)
    }

    /// Sum of the weights of the children before `slot`.
    @inline(__always)
    func childWeightBefore(_ slot: Int) -> Int {
        var sum = 0
        for index in 0..<slot { sum &+= childWeight(index) }
        return sum
    }

    func sumUp() {
        total = isLeaf ? weightBefore(count) : childWeightBefore(count)
    }

    /// Puts a child in, with its weight and first element; the sum is left to the caller.
    func insertChild(_ slot: Int, _ child: TreeNode) {
        let count = count
        precondition(slot <= count && count < Element.innerCapacity, "no room in the inner node")
        let bytes = (count - slot) * 8
        for column in 0..<4 {
            let base = Self.column(column)
            move(from: base + slot * 8, to: base + slot * 8 + 8, bytes: bytes)
        }
        self.count = count + 1
        setChildAddress(slot, child)
        refreshChild(slot)
    }

    /// Takes the children of `range` out; the sum is left to the caller.
    func removeChildren(_ range: Range<Int>) {
        let count = count
        precondition(range.upperBound <= count, "no such children")
        let bytes = (count - range.upperBound) * 8
        for column in 0..<4 {
            let base = Self.column(column)
            move(from: base + range.upperBound * 8, to: base + range.lowerBound * 8, bytes: bytes)
        }
        self.count = count - range.count
    }

    // MARK: Both

    /// How many elements or children a node of this kind may have.
    @inline(__always)
    var capacity: Int { isLeaf ? Element.leafCapacity : Element.innerCapacity }

    /// Whether it holds so little that it should be joined with a sibling.
    @inline(__always)
    var isSparse: Bool { count &* 3 < capacity }

    /// Appends `range` of `other`, a node of the same level; both sums are left to the caller.
    func append(_ range: Range<Int>, of other: TreeNode) {
        copy(range, of: other, to: count)
        count += range.count
    }

    /// Puts all of `other`, a node of the same level, in front; sums are left to the caller.
    func prepend(_ other: TreeNode) {
        let added = other.count
        let held = count
        precondition(added + held <= (isLeaf ? room : Element.innerCapacity), "no room to join")
        if isLeaf {
            move(
                from: 16, to: 16 + added * Self.elementBytes, bytes: held * Self.elementBytes)
        } else {
            for column in 0..<4 {
                let base = Self.column(column)
                move(from: base, to: base + added * 8, bytes: held * 8)
            }
        }
        copy(0..<added, of: other, to: 0)
        count = held + added
    }

    private func copy(_ range: Range<Int>, of other: TreeNode, to slot: Int) {
        precondition(level == other.level, "nodes of two levels")
        precondition(
            range.upperBound <= other.count
                && slot + range.count <= (isLeaf ? room : Element.innerCapacity),
            "copy out of bounds")
        if isLeaf {
            let size = Self.elementBytes
            unsafe _ = memcpy(
                raw + 16 + slot * size, other.raw + 16 + range.lowerBound * size,
                range.count * size)
            return
        }
        for column in 0..<4 {
            let base = Self.column(column)
            unsafe _ = memcpy(
                raw + base + slot * 8, other.raw + base + range.lowerBound * 8, range.count * 8)
        }
    }

    /// Drops everything from `slot` on, without looking at it; the sum is left to the caller.
    func truncate(_ slot: Int) { count = slot }

    /// Bytes of memory that the node's own block takes.
    var allocatedBytes: Int { unsafe hf_allocated_bytes(raw) }

    // MARK: Making

    /// A leaf with place for at least `wanted` elements: block sizes double up to the full one.
    static func makeLeaf(_ wanted: Int, epoch: UInt32) -> TreeNode {
        var room = (64 - headerBytes) / elementBytes
        while room < wanted { room = ((room * elementBytes + headerBytes) * 2 - 16) / elementBytes }
        room = min(room, Element.leafCapacity)
        precondition(room >= wanted && room < 256, "leaf of \(wanted) elements")
        return make(
            bytes: headerBytes + room * elementBytes, level: 0, room: room, epoch: epoch)
    }

    static func makeInner(level: Int, epoch: UInt32) -> TreeNode {
        make(
            bytes: innerBytes, level: level, room: Element.innerCapacity, epoch: epoch)
    }

    private static func make(bytes: Int, level: Int, room: Int, epoch: UInt32) -> TreeNode {
        guard let raw = unsafe malloc(bytes) else { fatalError("out of memory") }
        // SAFETY: the block is longer than the header.
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt8(level), toByteOffset: 4, as: UInt8.self)
        unsafe raw.storeBytes(of: UInt8(room), toByteOffset: 5, as: UInt8.self)
        unsafe raw.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
        unsafe raw.storeBytes(of: 0, toByteOffset: 8, as: Int.self)
        return unsafe TreeNode(raw)
    }

    /// A copy that is born now; with `room` for more elements if asked for.
    func copied(epoch: UInt32, room wanted: Int = 0) -> TreeNode {
        let copy =
            isLeaf
            ? Self.makeLeaf(max(wanted, count), epoch: epoch)
            : Self.makeInner(level: level, epoch: epoch)
        copy.append(0..<count, of: self)
        copy.total = total
        return copy
    }

    /// This node if it may be changed, else a copy that replaces it; `link` the parent then.
    @inline(__always)
    func writable(_ epochs: inout EpochClock) -> TreeNode {
        if _fastPath(epoch > epochs.frozen) { return self }
        return replaced(&epochs, room: room)
    }

    /// A copy in the place of this node, which is released.
    func replaced(_ epochs: inout EpochClock, room: Int) -> TreeNode {
        let copy = copied(epoch: epochs.current, room: room)
        release(&epochs)
        return copy
    }

    /// Gives up the node's own block, and nothing of what it names.
    @inline(__always)
    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }
}
