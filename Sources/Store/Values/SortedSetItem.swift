internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A member of a large sorted set with its score: a handle on one block. Of an item that a snapshot sees nothing
/// changes: a new score makes a new item.
///
///     0    score          f64
///     8    birth epoch    u24, the greatest number once there have been more epochs
///     11   length of the member, or 255   u8
///     12   if so, the length              i64
///     …    member
///
/// A member of 20 bytes takes 32, an allocation class without waste.
@safe
public struct SortedSetItem: TreeElement, TableItem {
    private let raw: UnsafeMutableRawPointer

    public static var isWeighted: Bool { false }

    @inline(__always)
    public init(word: UInt64) {
        // SAFETY: only words of living items are kept, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) public var word: UInt64 { UInt64(UInt(bitPattern: unsafe raw)) }

    // SAFETY of every load below: the block is as long as the lengths say, which `make` wrote.

    @inline(__always) public var score: Double { unsafe raw.load(as: Double.self) }

    /// For an item born after the newest snapshot only, and not while it stands in a tree.
    @inline(__always)
    func setScore(_ score: Double) { unsafe raw.storeBytes(of: score, as: Double.self) }

    @inline(__always) var epoch: UInt32 { epochAndLength & 0xFF_FFFF }

    @inline(__always)
    private var epochAndLength: UInt32 { unsafe raw.load(fromByteOffset: 8, as: UInt32.self) }

    @inline(__always)
    public var key: ByteSlice {
        let length = Int(epochAndLength >> 24)
        if _fastPath(length < 255) { return unsafe ByteSlice(base: raw + 12, count: length) }
        return unsafe ByteSlice(
            base: raw + 20, count: raw.loadUnaligned(fromByteOffset: 12, as: Int.self))
    }

    /// Scores as whole numbers of the same order, both zeros alike.
    @inline(__always)
    public static func hint(_ score: Double) -> UInt64 {
        let bits = (score + 0).bitPattern
        return bits >> 63 == 0 ? bits | 1 << 63 : ~bits
    }

    @inline(__always) public var hint: UInt64 { Self.hint(score) }

    @inline(__always) public func prefetch() { unsafe hf_prefetch(raw) }

    /// Whether the item comes before a member with this score: lesser scores first, then lesser bytes.
    @inline(__always)
    func isBefore(_ score: Double, _ member: ByteSlice) -> Bool {
        let own = self.score
        return own < score || (own == score && key.compare(member) < 0)
    }

    /// Bytes of memory that an item for a member of so many bytes takes.
    @inline(__always)
    static func allocatedBytes(_ count: Int) -> Int {
        let bytes = count + (count < 255 ? 12 : 20)
        if bytes <= 128 { return (bytes &+ 15) & ~15 }
        // Four allocation classes from each power of two to the next.
        let spacing = 1 << (61 &- (bytes &- 1).leadingZeroBitCount)
        return (bytes &+ spacing &- 1) & ~(spacing &- 1)
    }

    @inline(__always)
    static func make(_ member: ByteSlice, _ score: Double, epoch: UInt32) -> SortedSetItem {
        let count = member.count
        let offset = count < 255 ? 12 : 20
        guard let raw = unsafe malloc(offset + count) else { fatalError("out of memory") }
        // SAFETY: the block is as long as the parts written here.
        unsafe raw.storeBytes(of: score, as: Double.self)
        let low = min(epoch, 0xFF_FFFF)
        unsafe raw.storeBytes(
            of: low | UInt32(min(count, 255)) << 24, toByteOffset: 8, as: UInt32.self)
        if count >= 255 { unsafe raw.storeBytes(of: count, toByteOffset: 12, as: Int.self) }
        unsafe (raw + offset).copyMemory(from: member.pointer, byteCount: count)
        return SortedSetItem(word: UInt64(UInt(bitPattern: raw)))
    }

    @inline(__always)
    func release(_ epochs: inout EpochClock) {
        unsafe epochs.release(raw, bornIn: epoch)
    }
}
