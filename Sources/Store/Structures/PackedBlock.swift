internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A block that holds a packed value: the bytes of a listpack or intset, with room to grow.
///
///     0   birth epoch   u32
///     4   room          u32
///     8   payload
///
/// How long the payload is follows from its own first bytes.
@safe
public struct PackedBlock {
    var raw: UnsafeMutableRawPointer

    static let headerBytes = 8

    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY: a block is `headerBytes + room` bytes long, and its payload says no more than its room.

    var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }
    var room: Int { Int(unsafe raw.load(fromByteOffset: 4, as: UInt32.self)) }
    var address: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    static func make(payload: ByteSlice, room: Int, epoch: UInt32) -> PackedBlock {
        precondition(payload.count <= room && room <= 1 << 30, "packed block of \(room) bytes")
        guard let raw = unsafe malloc(headerBytes + room) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt32(room), toByteOffset: 4, as: UInt32.self)
        unsafe (raw + headerBytes).copyMemory(from: payload.pointer, byteCount: payload.count)
        return unsafe PackedBlock(raw)
    }

    /// The listpack or intset in the block.
    public func payload(of encoding: Encoding) -> ByteSlice {
        let count: UInt32
        if encoding == .listpack {
            count = unsafe raw.load(fromByteOffset: Self.headerBytes, as: UInt32.self)
        } else {
            let width = unsafe raw.load(fromByteOffset: Self.headerBytes, as: UInt32.self)
            let members = unsafe raw.load(fromByteOffset: Self.headerBytes + 4, as: UInt32.self)
            count = 8 + width * members
        }
        return unsafe ByteSlice(base: raw + Self.headerBytes, count: Int(count))
    }

    /// Puts another payload in place of what is there.
    mutating func setPayload(_ payload: ByteSlice) {
        if payload.count > room { grow(to: payload.count) }
        unsafe (raw + Self.headerBytes).copyMemory(
            from: payload.pointer, byteCount: payload.count)
    }

    private mutating func grow(to room: Int) {
        guard let grown = unsafe realloc(raw, Self.headerBytes + room) else {
            fatalError("out of memory")
        }
        unsafe raw = grown
        unsafe raw.storeBytes(of: UInt32(room), toByteOffset: 4, as: UInt32.self)
    }

    /// Makes the block one that may be changed: a copy, if a snapshot sees it.
    mutating func makeWritable(byteCount: Int, _ epochs: inout EpochClock) {
        guard epoch <= epochs.frozen else { return }
        let payload = unsafe ByteSlice(base: raw + Self.headerBytes, count: byteCount)
        let copy = PackedBlock.make(payload: payload, room: byteCount, epoch: epochs.current)
        unsafe epochs.release(raw, bornIn: epoch)
        self = copy
    }
}
