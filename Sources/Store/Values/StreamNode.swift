internal import CLinux
internal import Glibc
internal import HoldfastBytes

/// A run of a stream's entries in one block: a handle on raw memory.
///
///     0   birth epoch                        u32
///     4   room: bytes that the list may take   u32
///     8   master ID: ms, seq                 u64, u64
///     24  a packed list, exactly as an RDB file has it
///
/// The list:
///
///     master:  live entries | deleted entries | n | field names 1 … n | 0
///     entry:   flags | ms - master's | seq - master's | [n | field 1 | value 1 … ]    or   [value 1 … n]
///              | number of the elements before this one in the entry
///
/// An entry with the master's field names keeps only its values (flag 2). A deleted entry stays (flag 1). A node whose
/// last live entry is deleted on demand is dropped; trimming may leave one without any.
@safe
struct StreamNode {
    private(set) var raw: UnsafeMutableRawPointer

    static let headerBytes = 24
    static let deletedFlag: Int64 = 1
    static let sameFieldsFlag: Int64 = 2
    /// No node's list grows beyond, as in Redis.
    static let listBytesMax = 1 << 30
    /// A first node begins with this, and later ones with as much as the one before took, up to the other.
    private static let firstRoom = 104
    private static let foreseenRoomMax = 8192

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living nodes get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var word: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    // SAFETY of all accesses: a block is `headerBytes + room` long, and its list no longer than `room`.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    private(set) var room: Int {
        get { Int(unsafe raw.load(fromByteOffset: 4, as: UInt32.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: UInt32(newValue), toByteOffset: 4, as: UInt32.self)
        }
    }

    @inline(__always)
    var masterID: StreamID {
        unsafe StreamID(
            raw.load(fromByteOffset: 8, as: UInt64.self),
            raw.load(fromByteOffset: 16, as: UInt64.self))
    }

    @inline(__always)
    var listBytes: Int { Int(unsafe raw.load(fromByteOffset: 24, as: UInt32.self)) }

    @inline(__always)
    private var listPointer: UnsafeMutableRawPointer { unsafe raw + Self.headerBytes }

    @inline(__always)
    var list: PackedList {
        unsafe PackedList(ByteSlice(base: listPointer, count: listBytes))
    }

    var memoryBytes: Int { unsafe hf_allocated_bytes(raw) }

    // MARK: Making

    /// A node without entries yet.
    ///
    /// - Parameter previous: the stream's last node, which is taken as a measure of what will come.
    static func make(
        master: StreamID, fieldCount: Int, field: (Int) -> ByteSlice, after previous: StreamNode?,
        epoch: UInt32
    ) -> StreamNode {
        var bytes = PackedList.headerBytes + 1 + 2 + 2 + 2
        bytes += ElementForm(Int64(fieldCount)).elementBytes
        for index in 0..<fieldCount { bytes += ElementForm(field(index)).elementBytes }
        let foreseen = min(previous?.listBytes ?? firstRoom, foreseenRoomMax)
        let node = allocate(master: master, room: max(bytes, foreseen), epoch: epoch)
        // SAFETY: `bytes` is the sum of what is written here.
        var target = unsafe node.listPointer + PackedList.headerBytes
        unsafe put(ElementForm(0), &target)
        unsafe put(ElementForm(0), &target)
        unsafe put(ElementForm(Int64(fieldCount)), &target)
        for index in 0..<fieldCount { unsafe put(ElementForm(field(index)), &target) }
        unsafe put(ElementForm(0), &target)
        unsafe target.storeBytes(of: PackedList.end, as: UInt8.self)
        node.setHeader(bytes: bytes, count: fieldCount + 4)
        return node
    }

    /// A node with the bytes of a list that has been validated (`StreamNodeCheck`).
    static func make(master: StreamID, list: ByteSlice, epoch: UInt32) -> StreamNode {
        let node = allocate(master: master, room: list.count, epoch: epoch)
        // SAFETY: the block has room for the list.
        unsafe node.listPointer.copyMemory(from: list.pointer, byteCount: list.count)
        return node
    }

    private static func allocate(master: StreamID, room: Int, epoch: UInt32) -> StreamNode {
        let size = PackedBlock.sizeClass(headerBytes + room)
        guard let raw = unsafe malloc(size) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt32(size - headerBytes), toByteOffset: 4, as: UInt32.self)
        unsafe raw.storeBytes(of: master.milliseconds, toByteOffset: 8, as: UInt64.self)
        unsafe raw.storeBytes(of: master.sequence, toByteOffset: 16, as: UInt64.self)
        return unsafe StreamNode(raw)
    }

    func copied(epoch: UInt32) -> StreamNode {
        Self.make(master: masterID, list: list.bytes, epoch: epoch)
    }

    /// Makes a node that may be changed: itself, or a copy if a snapshot sees it; then this one is released.
    ///
    /// - Returns: whether it is another one now.
    @inline(__always)
    mutating func makeWritable(_ epochs: inout EpochClock) -> Bool {
        if _fastPath(epoch > epochs.frozen) { return false }
        let twin = copied(epoch: epochs.current)
        release(&epochs)
        self = twin
        return true
    }

    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }

    // MARK: The master entry

    @inline(__always)
    private static func integer(at offset: Int, in list: PackedList) -> Int64 {
        guard case .integer(let value) = list[offset] else {
            preconditionFailure("a stream's node without a number where one belongs")
        }
        return value
    }

    /// The numbers at the front, and where the field names begin.
    @inline(__always)
    var master: (live: Int, deleted: Int, fieldCount: Int, fields: Int) { Self.master(of: list) }

    @inline(__always)
    static func master(
        of list: PackedList
    ) -> (live: Int, deleted: Int, fieldCount: Int, fields: Int) {
        var offset = PackedList.headerBytes
        let live = integer(at: offset, in: list)
        offset &+= list.elementBytes(at: offset)
        let deleted = integer(at: offset, in: list)
        offset &+= list.elementBytes(at: offset)
        let fieldCount = integer(at: offset, in: list)
        offset &+= list.elementBytes(at: offset)
        return (Int(live), Int(deleted), Int(fieldCount), offset)
    }

    var live: Int { Int(Self.integer(at: PackedList.headerBytes, in: list)) }

    /// Sets the numbers of live and deleted entries. The node must be writable and may move.
    mutating func setCounts(live: Int, deleted: Int) {
        replaceInteger(at: PackedList.headerBytes, with: Int64(live))
        let next = PackedList.headerBytes + list.elementBytes(at: PackedList.headerBytes)
        replaceInteger(at: next, with: Int64(deleted))
    }

    private mutating func replaceInteger(at offset: Int, with value: Int64) {
        let form = ElementForm(value)
        let bytes = listBytes
        let old = list.elementBytes(at: offset)
        let change = form.elementBytes - old
        if change > 0 { reserve(bytes + change) }
        if change != 0 {
            // SAFETY: both ranges end at the list's old and new ends, which fit.
            unsafe _ = memmove(
                listPointer + offset + form.elementBytes, listPointer + offset + old,
                bytes - offset - old)
            unsafe raw.storeBytes(of: UInt32(bytes + change), toByteOffset: 24, as: UInt32.self)
        }
        unsafe form.write(listPointer + offset)
    }

    // MARK: Adding

    /// Whether an entry with `payload` bytes of names and values still goes into this node.
    @inline(__always)
    func takes(payload: Int, _ limits: StreamLimits) -> Bool {
        guard listBytes + payload < limits.nodeBytes else { return false }
        guard limits.nodeEntries > 0 else { return true }
        let master = master
        return master.live + master.deleted < limits.nodeEntries
    }

    /// Adds an entry at the end. The node must be writable and may move.
    ///
    /// - Parameters:
    ///   - payload: bytes of all names and values together.
    ///   - word: gives names and values by turns, `2 * fieldCount` of them, none from this node.
    mutating func append(_ id: StreamID, fieldCount: Int, payload: Int, word: (Int) -> ByteSlice) {
        let master = master
        var isSame = master.fieldCount == fieldCount
        if isSame {
            let list = list
            var offset = master.fields
            for index in 0..<fieldCount {
                guard list[offset].equals(word(2 &* index)) else {
                    isSame = false
                    break
                }
                offset &+= list.elementBytes(at: offset)
            }
        }
        let elements = isSame ? fieldCount &+ 4 : 2 &* fieldCount &+ 5
        let bytes = listBytes
        // An element takes at most 10 bytes more than its text, and a number at most 10.
        if _slowPath(bytes &+ payload &+ 10 &* elements > room) {
            reserve(bytes + exactBytes(id, fieldCount, isSame: isSame, word: word))
        }
        let masterID = masterID
        // SAFETY: room was reserved for the most that the elements may take.
        var target = unsafe listPointer + (bytes - 1)
        unsafe Self.put(ElementForm(isSame ? Self.sameFieldsFlag : 0), &target)
        unsafe Self.put(
            ElementForm(Int64(bitPattern: id.milliseconds &- masterID.milliseconds)), &target)
        unsafe Self.put(ElementForm(Int64(bitPattern: id.sequence &- masterID.sequence)), &target)
        if isSame {
            for index in 0..<fieldCount {
                unsafe Self.put(ElementForm(word(2 &* index &+ 1)), &target)
            }
        } else {
            unsafe Self.put(ElementForm(Int64(fieldCount)), &target)
            for index in 0..<2 &* fieldCount { unsafe Self.put(ElementForm(word(index)), &target) }
        }
        unsafe Self.put(ElementForm(Int64(elements &- 1)), &target)
        unsafe target.storeBytes(of: PackedList.end, as: UInt8.self)
        let end = unsafe target - listPointer + 1
        let count = unsafe raw.load(fromByteOffset: 28, as: UInt16.self)
        setHeader(bytes: end, count: Int(count) + elements)
        // The number of live entries is one byte up to 127.
        let liveOffset = Self.headerBytes + PackedList.headerBytes
        let live = unsafe raw.load(fromByteOffset: liveOffset, as: UInt8.self)
        if _fastPath(live < 127) {
            unsafe raw.storeBytes(of: live &+ 1, toByteOffset: liveOffset, as: UInt8.self)
        } else {
            replaceInteger(at: PackedList.headerBytes, with: Int64(master.live + 1))
        }
    }

    /// The bytes that an entry takes.
    private func exactBytes(
        _ id: StreamID, _ fieldCount: Int, isSame: Bool, word: (Int) -> ByteSlice
    ) -> Int {
        let masterID = masterID
        var bytes = 2 + ElementForm(Int64(2 * fieldCount + 4)).elementBytes
        bytes +=
            ElementForm(Int64(bitPattern: id.milliseconds &- masterID.milliseconds)).elementBytes
        bytes += ElementForm(Int64(bitPattern: id.sequence &- masterID.sequence)).elementBytes
        if !isSame { bytes += ElementForm(Int64(fieldCount)).elementBytes }
        for index in 0..<fieldCount {
            if !isSame { bytes += ElementForm(word(2 * index)).elementBytes }
            bytes += ElementForm(word(2 * index + 1)).elementBytes
        }
        return bytes
    }

    /// Writes an element and moves on behind it.
    @inline(__always)
    @unsafe
    private static func put(_ form: ElementForm, _ target: inout UnsafeMutableRawPointer) {
        // SAFETY: the caller has room for the element.
        unsafe form.write(target)
        unsafe target += form.elementBytes
    }

    @inline(__always)
    private func setHeader(bytes: Int, count: Int) {
        assert(bytes <= room)
        unsafe raw.storeBytes(of: UInt32(bytes), toByteOffset: 24, as: UInt32.self)
        unsafe raw.storeBytes(
            of: UInt16(min(count, PackedList.unknownCount)), toByteOffset: 28, as: UInt16.self)
    }

    /// Makes room for a list of `bytes`: while the node is small twice what it takes, later a quarter more.
    private mutating func reserve(_ bytes: Int) {
        guard bytes > room else { return }
        let grown = room < 2048 ? 2 * (room + Self.headerBytes) : room + Self.headerBytes + room / 4
        resize(max(Self.headerBytes + bytes, grown))
    }

    /// Gives back room that no entry will use any more.
    ///
    /// - Returns: whether the node has moved.
    mutating func trim() -> Bool {
        let size = PackedBlock.sizeClass(Self.headerBytes + listBytes)
        guard size < Self.headerBytes + room else { return false }
        let before = word
        resize(size)
        return word != before
    }

    private mutating func resize(_ bytes: Int) {
        let size = PackedBlock.sizeClass(bytes)
        guard let moved = unsafe realloc(raw, size) else { fatalError("out of memory") }
        unsafe raw = moved
        room = size - Self.headerBytes
    }

    // MARK: Deleting

    /// Flags the entry whose flags lie at `offset` as deleted; the counts are left to the caller.
    func setDeleted(at offset: Int) {
        // SAFETY: flags are 0 … 3, one byte.
        let flags = unsafe raw.load(fromByteOffset: Self.headerBytes + offset, as: UInt8.self)
        assert(flags <= 3)
        unsafe raw.storeBytes(
            of: flags | UInt8(Self.deletedFlag), toByteOffset: Self.headerBytes + offset,
            as: UInt8.self)
    }
}

/// When a stream begins a new node; the settings `stream-node-max-bytes` and `stream-node-max-entries`.
public struct StreamLimits: Sendable {
    /// The bytes that a node's list may reach.
    var nodeBytes: Int
    /// The entries that a node may hold, deleted ones included; 0 for no limit.
    var nodeEntries: Int

    /// - Parameters:
    ///   - nodeBytes: 0 for no limit but the format's.
    ///   - nodeEntries: 0 for no limit.
    public init(nodeBytes: Int = 4096, nodeEntries: Int = 100) {
        let bytes = nodeBytes > 0 ? nodeBytes : StreamNode.listBytesMax
        self.nodeBytes = min(bytes, StreamNode.listBytesMax)
        self.nodeEntries = max(nodeEntries, 0)
    }

    /// How many entries an approximate trim deletes at most if nobody says otherwise: a hundred nodes.
    public var defaultTrimLimit: Int {
        guard nodeEntries > 0 else { return 10_000 }
        return nodeEntries >= 10_000 ? 1_000_000 : nodeEntries * 100
    }
}
