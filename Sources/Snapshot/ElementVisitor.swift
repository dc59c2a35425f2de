public import HoldfastBytes
public import Store

/// Takes the elements of values one by one, however the file packs them.
///
/// What it is given is valid during the call, and may be a token of the reader's `LongStrings`.
public protocol ElementVisitor: ~Copyable {
    /// Whether packed values are to be taken apart at all; if not, only sizes and checks are of interest.
    static var wantsPacked: Bool { get }

    mutating func string(_ bytes: ByteSlice)
    mutating func element(_ bytes: ByteSlice)
    mutating func member(_ bytes: ByteSlice)
    mutating func member(_ bytes: ByteSlice, score: Double)
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?)
    /// A live entry of a stream.
    mutating func entry(_ entry: StreamEntry)
    /// What a stream says of itself, behind its entries.
    mutating func streamState(count: UInt64, lastID: StreamID, history: StreamBuilder.History?)
    mutating func group(_ name: ByteSlice, lastID: StreamID, entriesRead: Int64?)
    mutating func pending(_ id: StreamID, time: Int64, count: UInt64)
    mutating func consumer(_ name: ByteSlice, seenTime: Int64, activeTime: Int64)
    mutating func consumerItem(_ id: StreamID)
    /// Elements that `wantsPacked` kept back.
    mutating func packed(elements: Int, bytes: Int)
    /// A packed value too long to be looked into, or of which some elements were too long to be given.
    mutating func passedOver(bytes: UInt64)
}

extension ElementVisitor where Self: ~Copyable {
    public static var wantsPacked: Bool { true }
    public mutating func streamState(
        count: UInt64, lastID: StreamID, history: StreamBuilder.History?
    ) {}
    public mutating func group(_ name: ByteSlice, lastID: StreamID, entriesRead: Int64?) {}
    public mutating func pending(_ id: StreamID, time: Int64, count: UInt64) {}
    public mutating func consumer(_ name: ByteSlice, seenTime: Int64, activeTime: Int64) {}
    public mutating func consumerItem(_ id: StreamID) {}
    public mutating func packed(elements: Int, bytes: Int) {}
}

/// Checks a value as a loader does, in memory that doesn't depend on its length, and shows its elements to a visitor.
///
/// Members that are there twice are found in packed values, and in others up to `uniqueCount` of one value.
public struct CheckingSink<Visitor: ElementVisitor>: ValueSink {
    public var visitor: Visitor
    /// Of the value at hand, as far as it was read.
    public private(set) var elementCount: UInt64 = 0
    private let hasher: ByteHash
    private var stream: StreamCheck?
    private var seen: MemberHashes

    /// - Parameter uniqueCount: 0: members of values that aren't packed are not compared.
    public init(_ visitor: Visitor, uniqueCount: Int = 3 << 20) {
        self.visitor = visitor
        hasher = ByteHash(seed: .random(in: 0 ... .max))
        seen = MemberHashes(countMax: uniqueCount)
    }

    /// Another value comes.
    @inline(__always)
    public mutating func begin() { elementCount = 0 }

    public mutating func string(_ bytes: ByteSlice) { visitor.string(bytes) }

    public mutating func integer(_ value: Int64) {
        PackedElement.integer(value).withBytes { visitor.string($0) }
    }

    public mutating func beginList() {}

    public mutating func element(_ bytes: ByteSlice) {
        elementCount &+= 1
        visitor.element(bytes)
    }

    public mutating func node(_ list: PackedList) {
        if !take(list, each: 1) { forEach(list) { $0.visitor.element($1) } }
    }

    /// Whether the list was counted, and need not be taken apart.
    private mutating func take(_ list: PackedList, each: Int) -> Bool {
        let count = list.count / each
        elementCount &+= UInt64(count)
        if Visitor.wantsPacked { return false }
        visitor.packed(elements: count, bytes: list.byteCount)
        return true
    }

    private mutating func forEach(_ list: PackedList, _ body: (inout Self, ByteSlice) -> Void) {
        var next = list.firstOffset
        while let offset = next {
            list[offset].withBytes { body(&self, $0) }
            next = list.next(after: offset)
        }
    }

    private mutating func forEachPair(
        _ list: PackedList, _ body: (inout Self, ByteSlice, PackedElement) -> Void
    ) {
        var next = list.firstOffset
        while let offset = next, let second = list.next(after: offset) {
            list[offset].withBytes { body(&self, $0, list[second]) }
            next = list.next(after: second)
        }
    }

    public mutating func beginSet(count: Int) { seen.begin(count: count) }

    public mutating func member(_ bytes: ByteSlice) -> Bool {
        elementCount &+= 1
        visitor.member(bytes)
        return seen.insert(hasher.hash(bytes))
    }

    public mutating func set(_ members: PackedList) -> Bool {
        if !take(members, each: 1) { forEach(members) { $0.visitor.member($1) } }
        return true
    }

    public mutating func set(_ members: IntegerSet) -> Bool {
        elementCount &+= UInt64(members.count)
        guard Visitor.wantsPacked else {
            visitor.packed(elements: members.count, bytes: members.byteCount)
            return true
        }
        for index in 0..<members.count {
            PackedElement.integer(members.element(at: index)).withBytes { visitor.member($0) }
        }
        return true
    }

    public mutating func beginSortedSet(count: Int) { seen.begin(count: count) }

    public mutating func member(_ bytes: ByteSlice, score: Double) -> Bool {
        elementCount &+= 1
        visitor.member(bytes, score: score)
        return seen.insert(hasher.hash(bytes))
    }

    public mutating func sortedSet(_ pairs: PackedList, isOrdered: Bool) -> Bool {
        if take(pairs, each: 2) { return true }
        forEachPair(pairs) { sink, name, score in
            switch score {
            case .integer(let value): sink.visitor.member(name, score: Double(value))
            case .bytes(let text): sink.visitor.member(name, score: DoubleText.parse(text) ?? 0)
            }
        }
        return true
    }

    public mutating func beginHash(count: Int) { seen.begin(count: count) }

    public mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) -> Bool {
        elementCount &+= 1
        visitor.field(name, value, deadline: deadline)
        return seen.insert(hasher.hash(name))
    }

    public mutating func hash(_ pairs: PackedList) -> Bool {
        if take(pairs, each: 2) { return true }
        forEachPair(pairs) { sink, name, value in
            value.withBytes { sink.visitor.field(name, $0, deadline: nil) }
        }
        return true
    }

    // MARK: Streams

    private var isStream = false
    private var isStreamPassedOver = false

    public mutating func beginStream() {
        stream = StreamCheck(hasher: hasher)
        isStream = true
        isStreamPassedOver = false
    }

    public mutating func streamNode(_ master: StreamID, _ list: ByteSlice) throws(StreamFault) {
        guard let node = try stream?.node(master, list) else { return }
        if Visitor.wantsPacked {
            node.forEachLive { visitor.entry($0) }
        } else {
            visitor.packed(elements: node.liveCount, bytes: list.count)
        }
    }

    public mutating func streamEntries(
        count: UInt64, lastID: StreamID, history: StreamBuilder.History?
    ) throws(StreamFault) {
        if !isStreamPassedOver { try stream?.entries(count: count, lastID: lastID) }
        elementCount = count
        visitor.streamState(count: count, lastID: lastID, history: history)
    }

    public mutating func streamGroup(
        _ name: ByteSlice, lastID: StreamID, entriesRead: Int64?
    ) throws(StreamFault) {
        try stream?.group(name)
        visitor.group(name, lastID: lastID, entriesRead: entriesRead)
    }

    public mutating func streamPending(
        _ id: StreamID, time: Int64, count: UInt64
    ) throws(StreamFault) {
        try stream?.pending(id)
        visitor.pending(id, time: time, count: count)
    }

    public mutating func streamConsumer(
        _ name: ByteSlice, seenTime: Int64, activeTime: Int64
    ) throws(StreamFault) {
        try stream?.consumer(name)
        visitor.consumer(name, seenTime: seenTime, activeTime: activeTime)
    }

    public mutating func streamConsumerItem(_ id: StreamID) throws(StreamFault) {
        try stream?.consumerItem(id)
        visitor.consumerItem(id)
    }

    @inline(__always)
    public mutating func end() throws(StreamFault) {
        if _slowPath(isStream) { try endStream() }
    }

    private mutating func endStream() throws(StreamFault) {
        isStream = false
        defer { stream = nil }
        try stream?.finish()
    }

    public mutating func passedOver(bytes: UInt64) {
        isStreamPassedOver = true
        visitor.passedOver(bytes: bytes)
    }
}

/// Which members of one value were there already, by a 64-bit hash, which chance makes equal once in 2⁶⁴ pairs.
///
/// Sixteen tables, so that what grows at a time is small.
struct MemberHashes {
    private let countMax: Int
    private var tables: [MemberHashTable]
    private var isOn = false
    private var count = 0
    private var used = 0

    init(countMax: Int) {
        self.countMax = countMax
        tables = [MemberHashTable()]
    }

    /// A value of `count` members comes; above the bound nothing is compared.
    ///
    /// The room grows with the members that really come: nobody vouches for the count, and a packed list may tell less
    /// than there are.
    mutating func begin(count: Int) {
        isOn = count <= countMax
        self.count = 0
        // A small value uses one table only.
        for index in 0..<used { tables[index].clear() }
        used = isOn ? (count <= 4096 ? 1 : 16) : 0
        while tables.count < used { tables.append(MemberHashTable()) }
    }

    @inline(__always)
    mutating func insert(_ hash: UInt64) -> Bool {
        if !isOn { return true }
        count &+= 1
        if _slowPath(count > countMax) {
            isOn = false
            return true
        }
        return tables[used == 1 ? 0 : Int(hash >> 60)].insert(hash == 0 ? 1 : hash)
    }
}

private struct MemberHashTable {
    private var slots = [UInt64](repeating: 0, count: 64)
    private var mask = 63
    private var count = 0

    mutating func clear() {
        if slots.count > 1 << 13 { slots = [UInt64](repeating: 0, count: 64) }
        // Only as much of the room as a value needs is used, so that only that must be cleared.
        for index in 0...min(mask, slots.count - 1) { slots[index] = 0 }
        mask = 63
        count = 0
    }

    @inline(__always)
    mutating func insert(_ hash: UInt64) -> Bool {
        if _slowPath(count &* 4 >= (mask &+ 1) &* 3) { grow() }
        return put(hash)
    }

    @inline(__always)
    private mutating func put(_ hash: UInt64) -> Bool {
        var slot = Int(truncatingIfNeeded: hash >> 20) & mask
        while slots[slot] != 0 {
            if slots[slot] == hash { return false }
            slot = (slot + 1) & mask
        }
        slots[slot] = hash
        count &+= 1
        return true
    }

    private mutating func grow() {
        let old = slots
        let size = mask + 1
        slots = [UInt64](repeating: 0, count: size * 2)
        mask = size * 2 - 1
        count = 0
        for index in 0..<size where old[index] != 0 { _ = put(old[index]) }
    }
}
