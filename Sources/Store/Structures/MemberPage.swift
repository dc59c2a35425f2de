internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A member of a set, or a field of a hash with its value: a handle into a `MemberTable`, valid until that
/// table's next change.
///
///     head    1 or 2 bytes: the member's length code, times two, plus one if there is a deadline
///     member  its bytes; if the code says outside, the address of an `OutsideBytes`
///     head    1 or 2 bytes: the value's length code, if the table has values
///     value   as the member
///     deadline in Unix ms, if flagged   i64
///
/// A head below 128 is one byte; else its low seven bits with the top bit set, then the rest. A length code is
/// the length, or 257 for bytes that lie outside: they are too long to move around with a page.
@safe
public struct MemberRecord {
    let raw: UnsafeMutableRawPointer
    let hasValues: Bool

    /// The longest member or value that lies within its page.
    static let insideMax = 256
    static let outsideCode = 257

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer, hasValues: Bool) {
        unsafe self.raw = raw
        self.hasValues = hasValues
    }

    /// What tells the record from all others of its table.
    public struct Place: Hashable {
        fileprivate let address: UInt
    }

    public var place: Place { Place(address: UInt(bitPattern: unsafe raw)) }

    // SAFETY of all loads and stores: a record is as long as `bytes`, which made its room, says; an
    // outside code is followed by the address of a live block.

    /// The number in the head at `offset`, and how long that head is.
    @inline(__always)
    private func head(at offset: Int) -> (number: Int, bytes: Int) {
        let first = Int(unsafe raw.load(fromByteOffset: offset, as: UInt8.self))
        if _fastPath(first < 128) { return (first, 1) }
        return (
            first & 127 | Int(unsafe raw.load(fromByteOffset: offset + 1, as: UInt8.self)) << 7, 2
        )
    }

    @inline(__always)
    private static func headBytes(_ number: Int) -> Int { number < 128 ? 1 : 2 }

    @inline(__always)
    private static func code(_ bytes: ByteSlice) -> Int {
        bytes.count <= insideMax ? bytes.count : outsideCode
    }

    @inline(__always)
    private static func contentBytes(_ code: Int) -> Int { code <= insideMax ? code : 8 }

    @inline(__always)
    private func content(_ code: Int, at offset: Int) -> ByteSlice {
        if _fastPath(code <= Self.insideMax) {
            return unsafe ByteSlice(base: raw + offset, count: code)
        }
        return outside(at: offset).bytes
    }

    private func outside(at offset: Int) -> OutsideBytes {
        let address = unsafe raw.loadUnaligned(fromByteOffset: offset, as: UInt.self)
        return unsafe OutsideBytes(
            UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped)
    }

    @inline(__always)
    public var member: ByteSlice {
        let (number, offset) = head(at: 0)
        return content(number >> 1, at: offset)
    }

    /// Where the value's head is: where the record ends, or its deadline begins, if it has no value.
    @inline(__always)
    private var valueOffset: Int {
        let (number, offset) = head(at: 0)
        return offset + Self.contentBytes(number >> 1)
    }

    /// The value; no bytes for a member of a set.
    @inline(__always)
    public var value: ByteSlice {
        guard hasValues else { return ByteSlice() }
        let start = valueOffset
        let (code, bytes) = head(at: start)
        return content(code, at: start + bytes)
    }

    @inline(__always)
    public var hasDeadline: Bool { unsafe raw.load(as: UInt8.self) & 1 != 0 }

    @inline(__always)
    private var deadlineOffset: Int {
        let start = valueOffset
        guard hasValues else { return start }
        let (code, bytes) = head(at: start)
        return start + bytes + Self.contentBytes(code)
    }

    /// When the field expires, in Unix ms; nil if it does not.
    @inline(__always)
    public var deadline: Int64? {
        guard hasDeadline else { return nil }
        return unsafe raw.loadUnaligned(fromByteOffset: deadlineOffset, as: Int64.self)
    }

    @inline(__always)
    public func isExpired(at now: Int64) -> Bool {
        guard let deadline else { return false }
        return deadline < now
    }

    /// How long the record is.
    @inline(__always)
    var bytes: Int { deadlineOffset + (hasDeadline ? 8 : 0) }

    /// How long a record of these parts is.
    @inline(__always)
    static func bytes(member: ByteSlice, value: ByteSlice?, hasDeadline: Bool) -> Int {
        let code = code(member)
        var bytes = headBytes(code << 1) + contentBytes(code) + (hasDeadline ? 8 : 0)
        if let value {
            let code = Self.code(value)
            bytes += headBytes(code) + contentBytes(code)
        }
        return bytes
    }

    // MARK: Writing; only into a page of the present

    @inline(__always)
    private func putHead(_ number: Int, at offset: Int) -> Int {
        if _fastPath(number < 128) {
            unsafe raw.storeBytes(
                of: UInt8(truncatingIfNeeded: number), toByteOffset: offset, as: UInt8.self)
            return offset + 1
        }
        unsafe raw.storeBytes(
            of: UInt8(truncatingIfNeeded: number | 128), toByteOffset: offset, as: UInt8.self)
        unsafe raw.storeBytes(
            of: UInt8(truncatingIfNeeded: number >> 7), toByteOffset: offset + 1, as: UInt8.self)
        return offset + 2
    }

    /// - Returns: where the record goes on.
    @inline(__always)
    private func putContent(
        _ bytes: ByteSlice, at offset: Int, epoch: UInt32, _ allocated: inout Int
    ) -> Int {
        if _fastPath(bytes.count <= Self.insideMax) {
            unsafe (raw + offset).copyMemory(from: bytes.pointer, byteCount: bytes.count)
            return offset + bytes.count
        }
        let outside = OutsideBytes.make(bytes, epoch: epoch)
        allocated += outside.allocatedBytes
        unsafe raw.storeBytes(
            of: UInt(bitPattern: outside.raw), toByteOffset: offset, as: UInt.self)
        return offset + 8
    }

    /// Fills a record for which `bytes(member:value:hasDeadline:)` bytes of room were made.
    @inline(__always)
    func fill(
        member: ByteSlice, value: ByteSlice?, deadline: Int64?, epoch: UInt32,
        _ allocated: inout Int
    ) {
        var offset = putHead(Self.code(member) << 1 | (deadline == nil ? 0 : 1), at: 0)
        offset = putContent(member, at: offset, epoch: epoch, &allocated)
        if let value {
            offset = putHead(Self.code(value), at: offset)
            offset = putContent(value, at: offset, epoch: epoch, &allocated)
        }
        if let deadline {
            unsafe raw.storeBytes(of: deadline, toByteOffset: offset, as: Int64.self)
        }
    }

    /// Writes `value` over the present one, if it takes no more room.
    ///
    /// - Returns: how many bytes at the record's end are free now; nil if nothing was done.
    @inline(__always)
    func overwriteValue(_ value: ByteSlice) -> Int? {
        let start = valueOffset
        let (code, bytes) = head(at: start)
        guard code <= Self.insideMax, value.count <= code else { return nil }
        if value.count == code {
            unsafe (raw + start + bytes).copyMemory(from: value.pointer, byteCount: code)
            return 0
        }
        let deadline = deadline
        var end = putHead(value.count, at: start)
        unsafe (raw + end).copyMemory(from: value.pointer, byteCount: value.count)
        end += value.count
        if let deadline {
            unsafe raw.storeBytes(of: deadline, toByteOffset: end, as: Int64.self)
        }
        return bytes + code - Self.headBytes(value.count) - value.count
    }

    func overwriteDeadline(_ deadline: Int64) {
        assert(hasDeadline)
        unsafe raw.storeBytes(of: deadline, toByteOffset: deadlineOffset, as: Int64.self)
    }

    /// Takes the deadline off, which leaves eight free bytes at the end.
    func dropDeadline() {
        let first = unsafe raw.load(as: UInt8.self)
        unsafe raw.storeBytes(of: first & ~1, as: UInt8.self)
    }

    /// Releases the bytes that lie outside.
    @inline(__always)
    func releaseOutside(_ epochs: inout EpochClock, _ allocated: inout Int) {
        let (number, offset) = head(at: 0)
        if _slowPath(number >> 1 == Self.outsideCode) {
            outside(at: offset).release(&epochs, &allocated)
        }
        guard hasValues else { return }
        let start = valueOffset
        let (code, bytes) = head(at: start)
        if _slowPath(code == Self.outsideCode) {
            outside(at: start + bytes).release(&epochs, &allocated)
        }
    }

    /// Gives a record that is a copy its own bytes outside.
    func copyOutside(_ epoch: UInt32, _ allocated: inout Int) {
        let (number, offset) = head(at: 0)
        if number >> 1 == Self.outsideCode {
            _ = putContent(outside(at: offset).bytes, at: offset, epoch: epoch, &allocated)
        }
        guard hasValues else { return }
        let start = valueOffset
        let (code, bytes) = head(at: start)
        if code == Self.outsideCode {
            _ = putContent(
                outside(at: start + bytes).bytes, at: start + bytes, epoch: epoch, &allocated)
        }
    }

    /// Calls `body` with each block of bytes that lie outside.
    func forEachOutside(_ body: (OutsideBytes) -> Void) {
        let (number, offset) = head(at: 0)
        if number >> 1 == Self.outsideCode { body(outside(at: offset)) }
        guard hasValues else { return }
        let start = valueOffset
        let (code, bytes) = head(at: start)
        if code == Self.outsideCode { body(outside(at: start + bytes)) }
    }
}

/// Bytes too long for a page. They never change.
///
///     0   birth epoch   u32, then 4 bytes unused
///     8   length        i64
///     16  bytes
@safe
struct OutsideBytes {
    let raw: UnsafeMutableRawPointer

    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY: the block is 16 bytes longer than `count` says, which `make` sets for good.

    var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }
    var bytes: ByteSlice {
        unsafe ByteSlice(base: raw + 16, count: raw.load(fromByteOffset: 8, as: Int.self))
    }
    var allocatedBytes: Int { MemberPage.allocationClass(16 + bytes.count) }

    static func make(_ bytes: ByteSlice, epoch: UInt32) -> OutsideBytes {
        guard let raw = unsafe malloc(16 + bytes.count) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: bytes.count, toByteOffset: 8, as: Int.self)
        unsafe (raw + 16).copyMemory(from: bytes.pointer, byteCount: bytes.count)
        return unsafe OutsideBytes(raw)
    }

    func release(_ epochs: inout EpochClock, _ allocated: inout Int) {
        allocated -= allocatedBytes
        unsafe epochs.release(raw, bornIn: epoch)
    }
}

/// One page of a `MemberTable`: a block of as many bytes as its records need, rounded up to an allocation class.
///
///     0   birth epoch                                             u32
///     4   local depth: how many top bits of the hash all share    u8
///     6   number of records                                       u16
///     8   length of the block                                     u16
///     10  bytes from the first record to the block's end          u16
///     12  how many of them no record uses any more                u16
///     16  no field's deadline is earlier than this                i64
///     24  a slot for each record, 4 bytes: 16 bits of hash (the tag) above the distance of the record
///         from the block's end; in order of tags
///     …   free
///     …   records
///
/// Tags are evenly spread, so a tag's slot is found a few slots from where it would be if they were exactly so.
/// Distances count from the end, so that a page moves into a longer block as it is.
@safe
struct MemberPage {
    let raw: UnsafeMutableRawPointer

    static let headerBytes = 24
    static let slotBytes = 4
    /// The longest block.
    static let bytesMax = 57344

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY of all loads and stores: the block is `room` bytes long; slots end before the records begin,
    // and every slot's distance lies within the records, which `open`, the only maker of slots, sees to.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    var depth: Int { Int(unsafe raw.load(fromByteOffset: 4, as: UInt8.self)) }

    @inline(__always)
    var count: Int {
        get { Int(unsafe raw.load(fromByteOffset: 6, as: UInt16.self)) }
        nonmutating set {
            unsafe raw.storeBytes(
                of: UInt16(truncatingIfNeeded: newValue), toByteOffset: 6, as: UInt16.self)
        }
    }

    @inline(__always)
    var room: Int { Int(unsafe raw.load(fromByteOffset: 8, as: UInt16.self)) }

    @inline(__always)
    var recordBytes: Int {
        get { Int(unsafe raw.load(fromByteOffset: 10, as: UInt16.self)) }
        nonmutating set {
            unsafe raw.storeBytes(
                of: UInt16(truncatingIfNeeded: newValue), toByteOffset: 10, as: UInt16.self)
        }
    }

    @inline(__always)
    var deadBytes: Int {
        get { Int(unsafe raw.load(fromByteOffset: 12, as: UInt16.self)) }
        nonmutating set {
            unsafe raw.storeBytes(
                of: UInt16(truncatingIfNeeded: newValue), toByteOffset: 12, as: UInt16.self)
        }
    }

    @inline(__always)
    var deadlineMin: Int64 {
        get { unsafe raw.load(fromByteOffset: 16, as: Int64.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 16, as: Int64.self) }
    }

    /// What slots and records take, without the header.
    @inline(__always)
    var liveBytes: Int { count &* Self.slotBytes &+ recordBytes &- deadBytes }

    @inline(__always)
    var freeBytes: Int { room &- Self.headerBytes &- count &* Self.slotBytes &- recordBytes }

    @inline(__always)
    private func slot(_ index: Int) -> UInt32 {
        unsafe raw.load(
            fromByteOffset: Self.headerBytes &+ index &* Self.slotBytes, as: UInt32.self)
    }

    @inline(__always)
    private func setSlot(_ index: Int, _ value: UInt32) {
        unsafe raw.storeBytes(
            of: value, toByteOffset: Self.headerBytes &+ index &* Self.slotBytes, as: UInt32.self)
    }

    @inline(__always)
    func tag(_ index: Int) -> UInt32 { slot(index) >> 16 }

    @inline(__always)
    func record(_ index: Int, hasValues: Bool) -> MemberRecord {
        unsafe MemberRecord(raw + room - Int(slot(index) & 0xFFFF), hasValues: hasValues)
    }

    // MARK: Finding

    /// Asks the memory system for the slots in which `tag` is looked for; the header should be there by then.
    @inline(__always)
    func prefetchSlot(_ tag: UInt32) {
        let index = Int((tag &* UInt32(truncatingIfNeeded: count)) >> 16)
        unsafe hf_prefetch(raw + Self.headerBytes + index &* Self.slotBytes)
    }

    /// Asks the memory system for the record that `tag` will most likely lead to.
    @inline(__always)
    func prefetchRecord(_ tag: UInt32) {
        let index = lowerBound(tag)
        guard index < count else { return }
        let record = unsafe raw + room - Int(slot(index) & 0xFFFF)
        unsafe hf_prefetch(record)
        unsafe hf_prefetch(record + 31)
    }

    /// The first slot whose tag is not below `tag`.
    @inline(__always)
    func lowerBound(_ tag: UInt32) -> Int {
        let count = count
        var index = Int((tag &* UInt32(truncatingIfNeeded: count)) >> 16)
        let wanted = tag << 16
        if index < count && slot(index) < wanted {
            repeat { index &+= 1 } while index < count && slot(index) < wanted
        } else {
            while index > 0 && slot(index &- 1) >= wanted { index &-= 1 }
        }
        return index
    }

    @inline(__always)
    func find(_ tag: UInt32, _ member: ByteSlice, hasValues: Bool) -> Int? {
        var index = lowerBound(tag)
        let count = count
        while index < count, self.tag(index) == tag {
            if record(index, hasValues: hasValues).member == member { return index }
            index &+= 1
        }
        return nil
    }

    // MARK: Making and changing

    /// The smallest block that the allocator gives for so many bytes.
    @inline(__always)
    static func allocationClass(_ bytes: Int) -> Int {
        if bytes <= 128 { return (bytes &+ 15) & ~15 }
        // Four classes from each power of two to the next.
        let spacing = 1 << (61 &- (bytes &- 1).leadingZeroBitCount)
        return (bytes &+ spacing &- 1) & ~(spacing &- 1)
    }

    /// An empty page in a block of `room` bytes.
    static func make(room: Int, depth: Int, epoch: UInt32) -> MemberPage {
        precondition(room <= bytesMax, "too many members share 32 bits of their hashes")
        guard let raw = unsafe malloc(room) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(
            of: UInt32(truncatingIfNeeded: depth), toByteOffset: 4, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt64(room), toByteOffset: 8, as: UInt64.self)
        unsafe raw.storeBytes(of: Int64.max, toByteOffset: 16, as: Int64.self)
        return unsafe MemberPage(raw)
    }

    /// Makes room for a record of `bytes` bytes at slot `index`.
    @inline(__always)
    func open(_ index: Int, tag: UInt32, bytes: Int, hasValues: Bool) -> MemberRecord {
        assert(bytes + Self.slotBytes <= freeBytes)
        let count = count
        let start = unsafe raw + Self.headerBytes + index &* Self.slotBytes
        unsafe _ = memmove(start + Self.slotBytes, start, (count &- index) &* Self.slotBytes)
        let distance = recordBytes &+ bytes
        recordBytes = distance
        setSlot(index, tag << 16 | UInt32(truncatingIfNeeded: distance))
        self.count = count &+ 1
        return record(index, hasValues: hasValues)
    }

    /// Takes slot `index` out; its record of `bytes` bytes is dead.
    @inline(__always)
    func close(_ index: Int, bytes: Int) {
        let count = count &- 1
        let start = unsafe raw + Self.headerBytes + index &* Self.slotBytes
        unsafe _ = memmove(start, start + Self.slotBytes, (count &- index) &* Self.slotBytes)
        self.count = count
        deadBytes += bytes
    }

    /// Adds a copy of a record behind all others of this page.
    @inline(__always)
    func append(_ record: MemberRecord, tag: UInt32) {
        let bytes = record.bytes
        let index = count
        assert(bytes + Self.slotBytes <= freeBytes)
        let distance = recordBytes &+ bytes
        recordBytes = distance
        count = index &+ 1
        setSlot(index, tag << 16 | UInt32(truncatingIfNeeded: distance))
        unsafe _ = memcpy(raw + room - distance, record.raw, bytes)
    }

    /// The same records in another block, without dead bytes.
    func copy(room: Int, epoch: UInt32, hasValues: Bool) -> MemberPage {
        let copy = Self.make(room: room, depth: depth, epoch: epoch)
        copy.deadlineMin = deadlineMin
        if deadBytes == 0 {
            unsafe _ = memcpy(
                copy.raw + Self.headerBytes, raw + Self.headerBytes, count * Self.slotBytes)
            unsafe _ = memcpy(
                copy.raw + room - recordBytes, raw + self.room - recordBytes, recordBytes)
            copy.count = count
            copy.recordBytes = recordBytes
            return copy
        }
        for index in 0..<count {
            copy.append(record(index, hasValues: hasValues), tag: tag(index))
        }
        return copy
    }

    @inline(__always)
    func release(_ epochs: inout EpochClock, _ allocated: inout Int) {
        allocated -= room
        unsafe epochs.release(raw, bornIn: epoch)
    }
}
