internal import CLinux
internal import Glibc

/// The directory block of a `ItemTable`, whose comment has the byte picture.
@safe
struct ItemDirectory {
    private let raw: UnsafeMutableRawPointer

    private static let headerBytes = 24

    /// - Parameter word: the address of a living directory.
    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living directories get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var word: UInt64 { UInt64(UInt(bitPattern: unsafe raw)) }

    // SAFETY of every load and store below: a directory is as long as its depth says, and indexes have no more
    // than that many bits.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }
    @inline(__always) var depth: Int { Int(unsafe raw.load(fromByteOffset: 4, as: UInt8.self)) }

    @inline(__always)
    var count: Int {
        get { unsafe raw.load(fromByteOffset: 8, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 8, as: Int.self) }
    }

    var pageCount: Int {
        get { unsafe raw.load(fromByteOffset: 16, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 16, as: Int.self) }
    }

    @inline(__always)
    func page(_ index: Int) -> ItemPage {
        ItemPage(
            word: unsafe raw.load(fromByteOffset: Self.headerBytes &+ index &* 8, as: UInt64.self))
    }

    @inline(__always)
    func index(of hash: UInt64) -> Int {
        // In two steps, for a shift by 64 gives no zero.
        Int(truncatingIfNeeded: (hash &>> 1) &>> UInt64(truncatingIfNeeded: 63 &- depth))
    }

    @inline(__always)
    func page(of hash: UInt64) -> ItemPage { page(index(of: hash)) }

    func setPage(_ index: Int, _ page: ItemPage) {
        unsafe raw.storeBytes(
            of: page.word, toByteOffset: Self.headerBytes + index * 8, as: UInt64.self)
    }

    /// Lets all entries whose hashes share `localDepth` top bits with `hash` name `page`.
    func setPages(of hash: UInt64, localDepth: Int, _ page: ItemPage) {
        let span = depth - localDepth
        let first = (index(of: hash) >> span) << span
        for index in first..<first + 1 << span { setPage(index, page) }
    }

    var allocatedBytes: Int { unsafe hf_allocated_bytes(raw) }

    /// A directory whose entries are not set yet.
    static func make(depth: Int, epoch: UInt32) -> ItemDirectory {
        guard let raw = unsafe malloc(headerBytes + 8 << depth) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt8(depth), toByteOffset: 4, as: UInt8.self)
        unsafe raw.storeBytes(of: 0, toByteOffset: 8, as: Int.self)
        unsafe raw.storeBytes(of: 0, toByteOffset: 16, as: Int.self)
        return ItemDirectory(word: UInt64(UInt(bitPattern: raw)))
    }

    func copied(epoch: UInt32) -> ItemDirectory { lowered(to: depth, epoch: epoch) }

    /// A directory of less depth with the same pages, none of which is deeper.
    func lowered(to depth: Int, epoch: UInt32) -> ItemDirectory {
        let made = Self.make(depth: depth, epoch: epoch)
        made.count = count
        made.pageCount = pageCount
        let step = self.depth - depth
        for index in 0..<1 << depth { made.setPage(index, page(index << step)) }
        return made
    }

    /// A directory one bit deeper with the same pages.
    func doubled(epoch: UInt32) -> ItemDirectory {
        let made = Self.make(depth: depth + 1, epoch: epoch)
        made.count = count
        made.pageCount = pageCount
        for index in 0..<2 << depth { made.setPage(index, page(index >> 1)) }
        return made
    }

    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }
}

/// A page of a `ItemTable`, whose comment has the byte picture.
@safe
struct ItemPage {
    private let raw: UnsafeMutableRawPointer

    private static let headerBytes = 16
    /// Sizes are allocation classes; the steps between the greater ones keep pages from 65 to 81 % full.
    private static let sizes: InlineArray<10, Int> = [
        64, 128, 256, 512, 1024, 2048, 2560, 3072, 3584, 4096,
    ]
    /// Two sibling pages join when they hold no more than this together.
    static let joinedMax = 160

    /// - Parameter word: the address of a living page.
    @inline(__always)
    init(word: UInt64) {
        // SAFETY: only words of living pages get here, and those are not 0.
        unsafe raw = UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped
    }

    @inline(__always) var word: UInt64 { UInt64(UInt(bitPattern: unsafe raw)) }

    // SAFETY of every load and store below: a page has `room` slots, and slot numbers are below that.

    @inline(__always) var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    var used: Int {
        get { Int(unsafe raw.load(fromByteOffset: 4, as: UInt16.self)) }
        nonmutating set {
            unsafe raw.storeBytes(
                of: UInt16(truncatingIfNeeded: newValue), toByteOffset: 4, as: UInt16.self)
        }
    }

    @inline(__always)
    var room: Int { Int(unsafe raw.load(fromByteOffset: 6, as: UInt16.self)) }

    @inline(__always)
    var localDepth: Int { Int(unsafe raw.load(fromByteOffset: 8, as: UInt8.self)) }

    @inline(__always)
    subscript(_ slot: Int) -> UInt64 {
        get {
            unsafe raw.load(fromByteOffset: Self.headerBytes &+ slot &* 8, as: UInt64.self)
        }
        nonmutating set {
            unsafe raw.storeBytes(
                of: newValue, toByteOffset: Self.headerBytes &+ slot &* 8, as: UInt64.self)
        }
    }

    @inline(__always)
    func home(_ tag: UInt64) -> Int {
        Int(truncatingIfNeeded: (tag &* UInt64(truncatingIfNeeded: room)) &>> 16)
    }

    /// The least tag whose home is `home` or beyond.
    func firstTag(_ home: Int) -> UInt64 {
        (UInt64(home) << 16 + UInt64(room) - 1) / UInt64(room)
    }

    @inline(__always)
    func next(_ slot: Int) -> Int { slot &+ 1 == room ? 0 : slot &+ 1 }

    @inline(__always)
    func prefetchHome(_ tag: UInt64) {
        unsafe hf_prefetch(raw + Self.headerBytes + home(tag) &* 8)
    }

    /// Whether one more item would make probing slow: 13 of 16 slots are in use.
    @inline(__always)
    var isFull: Bool { (used &+ 1) &* 16 > room &* 13 }

    /// Whether the page is less than a quarter as full as it may be.
    @inline(__always)
    var isSparse: Bool { used &* 64 < room &* 13 && room > 6 }

    /// The next greater size of a page in bytes.
    var greaterSize: Int? {
        let bytes = Self.headerBytes + room * 8
        for index in Self.sizes.indices where Self.sizes[index] > bytes {
            return Self.sizes[index]
        }
        return nil
    }

    /// The least size in bytes of a page that holds so many items and isn't full.
    static func size(items: Int) -> Int {
        for index in sizes.indices where (items + 1) * 16 <= (sizes[index] - headerBytes) / 8 * 13 {
            return sizes[index]
        }
        return sizes[sizes.count - 1]
    }

    var allocatedBytes: Int { unsafe hf_allocated_bytes(raw) }

    /// An empty page for so many items.
    static func make(items: Int, localDepth: Int, epoch: UInt32) -> ItemPage {
        make(size: size(items: items), localDepth: localDepth, epoch: epoch)
    }

    private static func make(size: Int, localDepth: Int, epoch: UInt32) -> ItemPage {
        guard let raw = unsafe calloc(1, size) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: epoch, as: UInt32.self)
        unsafe raw.storeBytes(
            of: UInt16((size - headerBytes) / 8), toByteOffset: 6, as: UInt16.self)
        unsafe raw.storeBytes(of: UInt8(localDepth), toByteOffset: 8, as: UInt8.self)
        return ItemPage(word: UInt64(UInt(bitPattern: raw)))
    }

    func copied(epoch: UInt32) -> ItemPage {
        let size = Self.headerBytes + room * 8
        guard let copy = unsafe malloc(size) else { fatalError("out of memory") }
        unsafe copy.copyMemory(from: raw, byteCount: size)
        unsafe copy.storeBytes(of: epoch, as: UInt32.self)
        return ItemPage(word: UInt64(UInt(bitPattern: copy)))
    }

    /// A page of another size with the same items.
    func resized(_ size: Int, localDepth: Int, epoch: UInt32) -> ItemPage {
        let made = Self.make(size: size, localDepth: localDepth, epoch: epoch)
        made.takeAll(of: self)
        return made
    }

    func takeAll(of other: ItemPage) {
        for slot in 0..<other.room where other[slot] != 0 { place(other[slot]) }
        used += other.used
        precondition(used < room, "page overflow")
    }

    /// Puts a slot's value where there is place; the count is left to the caller.
    @inline(__always)
    func place(_ value: UInt64) {
        var slot = home(value &>> 48)
        while self[slot] != 0 { slot = next(slot) }
        self[slot] = value
    }

    /// Empties a slot and closes the gap: moves back every item of the run that may stand there.
    func clear(_ slot: Int) {
        var hole = slot
        var other = slot
        while true {
            other = next(other)
            let value = self[other]
            if value == 0 { break }
            let home = home(value &>> 48)
            let isHomeBetween =
                hole <= other ? (home > hole && home <= other) : (home > hole || home <= other)
            if !isHomeBetween {
                self[hole] = value
                hole = other
            }
        }
        self[hole] = 0
    }

    func release(_ epochs: inout EpochClock) { unsafe epochs.release(raw, bornIn: epoch) }
}
