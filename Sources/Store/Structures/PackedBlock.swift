internal import CLinux
internal import Glibc
public import HoldfastBytes

/// The bytes of a packed list or an integer set in an allocation of their own, with room to grow.
///
///     0   birth epoch   u32
///     4   room: payload bytes that fit   u32
///     8   payload
///
/// The payload's own format says how long it is; the block doesn't know. A block is changed in place only if no
/// snapshot sees it (`makeWritable`). It grows to the allocator's size classes, a quarter apart, so that filling it
/// bit by bit moves each byte a few times and wastes less than a fifth; payloads that should waste nothing end at
/// `PackedBlock.room(for:)`, 8184 and not 8192 for example.
@safe
public struct PackedBlock {
    var raw: UnsafeMutableRawPointer

    static let headerBytes = 8
    /// The longest payload there is, as in Redis.
    public static let payloadBytesMax = 1 << 30
    /// Blocks below this size are not made smaller when their payload shrinks.
    private static let shrinkableBytesMin = 2048

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY of all accesses: a block is `headerBytes + room` long, which only `make` and `resize` set.

    @inline(__always)
    var epoch: UInt32 {
        get { unsafe raw.load(as: UInt32.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, as: UInt32.self) }
    }

    /// The payload bytes that fit without moving the block.
    @inline(__always)
    var room: Int { Int(unsafe raw.load(fromByteOffset: 4, as: UInt32.self)) }

    @inline(__always)
    var payloadPointer: UnsafeMutableRawPointer { unsafe raw + Self.headerBytes }

    /// The block's address as an entry's word.
    var address: UInt64 { UInt64(UInt(bitPattern: unsafe raw)) }

    /// Bytes of memory the block takes.
    var memoryBytes: Int { unsafe hf_allocated_bytes(raw) }

    /// The payload of a value with this encoding, which must be a packed one.
    @inline(__always)
    public func payload(of encoding: Encoding) -> ByteSlice {
        encoding == .intset ? integerSet.bytes : list.bytes
    }

    /// The payload as a packed list, which it must be.
    @inline(__always)
    public var list: PackedList {
        // SAFETY: a packed list begins with its length.
        let count = Int(unsafe raw.load(fromByteOffset: Self.headerBytes, as: UInt32.self))
        assert(count <= room)
        return unsafe PackedList(ByteSlice(base: payloadPointer, count: count))
    }

    /// The payload as an integer set, which it must be.
    @inline(__always)
    public var integerSet: IntegerSet {
        // SAFETY: an integer set begins with the width and the number of its elements.
        let width = Int(unsafe raw.load(fromByteOffset: Self.headerBytes, as: UInt32.self))
        let count = Int(unsafe raw.load(fromByteOffset: Self.headerBytes + 4, as: UInt32.self))
        let byteCount = IntegerSet.headerBytes + width * count
        assert(byteCount <= room)
        return unsafe IntegerSet(ByteSlice(base: payloadPointer, count: byteCount))
    }

    // MARK: Making

    /// The size that the allocator gives for `bytes`: four classes in each doubling.
    @inline(__always)
    static func sizeClass(_ bytes: Int) -> Int {
        if bytes <= 64 { return (bytes + 15) & ~15 }
        let step = 1 << (Int.bitWidth - (bytes - 1).leadingZeroBitCount - 3)
        return (bytes + step - 1) & ~(step - 1)
    }

    /// The room that a block made for `bytes` of payload has.
    static func room(for bytes: Int) -> Int { sizeClass(headerBytes + bytes) - headerBytes }

    /// A new block with a copy of `payload`.
    ///
    /// - Parameter room: payload bytes that must fit; rounded up to what the allocator gives anyway.
    static func make(payload: ByteSlice, room: Int, epoch: UInt32) -> PackedBlock {
        precondition(payload.count <= room && room <= payloadBytesMax, "packed block too long")
        let size = sizeClass(headerBytes + room)
        guard let raw = unsafe malloc(size) else { fatalError("out of memory") }
        // SAFETY: the block is `size` bytes long, at least the header and the payload.
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt32(size - headerBytes), toByteOffset: 4, as: UInt32.self)
        unsafe (raw + headerBytes).copyMemory(from: payload.pointer, byteCount: payload.count)
        return unsafe PackedBlock(raw)
    }

    /// A block of its own with the same payload, for the current epoch.
    ///
    /// - Parameter byteCount: the payload's length, as its format says.
    func copy(byteCount: Int, epoch: UInt32) -> PackedBlock {
        unsafe Self.make(
            payload: ByteSlice(base: payloadPointer, count: byteCount), room: byteCount,
            epoch: epoch)
    }

    /// Makes a block that may be changed: itself, or a copy if a snapshot sees it; then the old one is released.
    ///
    /// - Parameter byteCount: the payload's length, as its format says.
    @inline(__always)
    mutating func makeWritable(byteCount: Int, _ epochs: inout EpochClock) {
        if _fastPath(epoch > epochs.frozen) { return }
        let twin = copy(byteCount: byteCount, epoch: epochs.current)
        release(&epochs)
        self = twin
    }

    /// Gives the block back, when nothing names it any more.
    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }

    /// A block to build a payload in, which belongs to the caller: `free` it.
    public static func scratch(room: Int = 120) -> PackedBlock {
        make(payload: ByteSlice(), room: room, epoch: .max)
    }

    /// Frees a block that no snapshot can know.
    public func free() { unsafe Glibc.free(raw) }

    // MARK: Changing

    /// Replaces the whole payload. The source must not lie in this block.
    public mutating func setPayload(_ payload: ByteSlice) {
        if payload.count > room { resize(payload.count) } else { shrink(payload.count) }
        // SAFETY: the room suffices now.
        unsafe payloadPointer.copyMemory(from: payload.pointer, byteCount: payload.count)
    }

    /// Makes room for a payload of `bytes`.
    @inline(__always)
    mutating func reserve(_ bytes: Int) {
        if _slowPath(bytes > room) { resize(bytes) }
    }

    /// Gives room back if the block has twice what `bytes` of payload need.
    @inline(__always)
    mutating func shrink(_ bytes: Int) {
        if _slowPath(room >= Self.shrinkableBytesMin && bytes <= room / 2) { resize(bytes) }
    }

    /// Gives back all room beyond `bytes` of payload; for a block that is not expected to grow.
    mutating func trim(_ bytes: Int) {
        if room > Self.room(for: bytes) { resize(bytes) }
    }

    private mutating func resize(_ bytes: Int) {
        precondition(bytes <= Self.payloadBytesMax, "packed block too long")
        let size = Self.sizeClass(Self.headerBytes + bytes)
        guard let moved = unsafe realloc(raw, size) else { fatalError("out of memory") }
        unsafe raw = moved
        unsafe raw.storeBytes(
            of: UInt32(size - Self.headerBytes), toByteOffset: 4, as: UInt32.self)
    }

    /// Turns the `removed` payload bytes at `offset` into `added` bytes that the caller fills, and moves what
    /// lies behind them.
    ///
    /// - Parameter byteCount: the payload's length before.
    @inline(__always)
    mutating func splice(
        at offset: Int, removing removed: Int, adding added: Int, of byteCount: Int
    ) {
        assert(offset >= 0 && removed >= 0 && added >= 0 && offset + removed <= byteCount)
        let edited = byteCount - removed + added
        if added > removed { reserve(edited) }
        if added != removed {
            // SAFETY: both ranges end at or before `byteCount` and `edited`, which fit.
            unsafe _ = memmove(
                payloadPointer + offset + added, payloadPointer + offset + removed,
                byteCount - offset - removed)
        }
        if removed > added { shrink(edited) }
    }
}
