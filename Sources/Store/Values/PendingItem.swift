internal import Glibc
public import HoldfastBytes

/// An entry that a group has given to one of its consumers, who has not acknowledged it: a handle on one block,
/// which the group's tree and the consumer's both name.
///
///     0   birth epoch        u32
///     8   the entry's ID     ms, seq
///     24  delivery time      Unix ms
///     32  delivery count
///     40  the consumer's name: address of its `ConsumerName`; 0 while a stream is put together
@safe
public struct PendingItem {
    let raw: UnsafeMutableRawPointer

    static let bytes = 48

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living items get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var word: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    // SAFETY of all accesses: the block is `bytes` long.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    private func get(_ offset: Int) -> UInt64 {
        unsafe raw.load(fromByteOffset: offset, as: UInt64.self)
    }

    @inline(__always)
    private func set(_ offset: Int, _ value: UInt64) {
        unsafe raw.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }

    @inline(__always) public var id: StreamID { StreamID(get(8), get(16)) }

    /// When it was last given to somebody, in Unix ms.
    public internal(set) var deliveryTime: Int64 {
        @inline(__always) get { Int64(bitPattern: get(24)) }
        nonmutating set { set(24, UInt64(bitPattern: newValue)) }
    }

    public internal(set) var deliveryCount: UInt64 {
        @inline(__always) get { get(32) }
        nonmutating set { set(32, newValue) }
    }

    var ownerWord: UInt64 {
        @inline(__always) get { get(40) }
        nonmutating set { set(40, newValue) }
    }

    /// The name of the consumer that it was given to.
    public var consumerName: ByteSlice { ConsumerName(word: ownerWord).bytes }

    static func make(
        _ id: StreamID, time: Int64, count: UInt64, owner: UInt64, epoch: UInt32
    ) -> PendingItem {
        guard let raw = unsafe malloc(bytes) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: UInt64(epoch), as: UInt64.self)
        let item = unsafe PendingItem(raw)
        item.set(8, id.milliseconds)
        item.set(16, id.sequence)
        item.deliveryTime = time
        item.deliveryCount = count
        item.ownerWord = owner
        return item
    }

    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }
}

/// A pending item in a tree.
struct PendingElement: TreeElement {
    let word: UInt64

    @inline(__always) init(word: UInt64) { self.word = word }
    @inline(__always) init(_ item: PendingItem) { word = item.word }

    static var isWeighted: Bool { false }
    @inline(__always) var item: PendingItem { PendingItem(word: word) }
    @inline(__always) var hint: UInt64 { item.id.milliseconds }
}

extension CountedTree<PendingElement> {
    /// At the first item with this ID or a later one.
    @inline(__always)
    func item(atOrAfter id: StreamID) -> Cursor {
        lowerBound(hint: id.milliseconds) { $0.item.id < id }
    }

    @inline(__always)
    func item(_ id: StreamID) -> PendingItem? {
        let cursor = item(atOrAfter: id)
        guard !cursor.isAtEnd, cursor.element.item.id == id else { return nil }
        return cursor.element.item
    }

    /// Puts an item in its place, or in that of another with its ID, which isn't released.
    mutating func put(_ item: PendingItem, _ epochs: inout EpochClock) {
        let id = item.id
        var cursor = self.item(atOrAfter: id)
        if !cursor.isAtEnd, cursor.element.item.id == id {
            replace(at: &cursor, with: PendingElement(item), &epochs)
        } else {
            insert(PendingElement(item), before: &cursor, &epochs)
        }
    }

    /// Takes the item with this ID out, without releasing it.
    @discardableResult
    mutating func take(_ id: StreamID, _ epochs: inout EpochClock) -> PendingItem? {
        var cursor = item(atOrAfter: id)
        guard !cursor.isAtEnd, cursor.element.item.id == id else { return nil }
        return remove(at: &cursor, &epochs).item
    }

    func forEachItem(
        from first: StreamID, through last: StreamID, _ body: (PendingItem) -> Bool
    ) {
        var cursor = item(atOrAfter: first)
        while !cursor.isAtEnd {
            let item = cursor.element.item
            guard item.id <= last, body(item) else { return }
            cursor.next()
        }
    }
}

/// A consumer's name, which stays where it is for the consumer's life: birth epoch u32, length u32, bytes.
@safe
struct ConsumerName {
    let raw: UnsafeMutableRawPointer

    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living names get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    var word: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    // SAFETY: the block is 8 bytes longer than the name.
    var bytes: ByteSlice {
        let count = unsafe raw.load(fromByteOffset: 4, as: UInt32.self)
        return unsafe ByteSlice(base: raw + 8, count: Int(count))
    }

    static func make(_ name: ByteSlice, epoch: UInt32) -> ConsumerName {
        guard let raw = unsafe malloc(8 + name.count) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt32(name.count), toByteOffset: 4, as: UInt32.self)
        unsafe (raw + 8).copyMemory(from: name.pointer, byteCount: name.count)
        return ConsumerName(word: UInt64(UInt(bitPattern: raw)))
    }

    func release(_ epochs: inout EpochClock) {
        unsafe epochs.release(raw, bornIn: raw.load(as: UInt32.self))
    }
}

extension ByteSlice {
    /// The first eight bytes as a number, so that of two names the earlier never has the greater one.
    var nameHint: UInt64 {
        var hint: UInt64 = 0
        for index in 0..<8 { hint = hint << 8 | (index < count ? UInt64(self[index]) : 0) }
        return hint
    }
}
