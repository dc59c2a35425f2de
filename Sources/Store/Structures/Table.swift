internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A paged hash table of entries: extendible hashing.
///
/// The directory is indexed by the hash's top bits and names the page; within a page, slots are probed
/// linearly from a home slot that the hash's low 16 bits give. A full page splits in two, so growing costs
/// one page at a time and never a rehash of everything; doubling the directory copies 8 bytes per page.
///
/// Page, 4096 bytes, aligned to its size:
///
///     0    number of slots in use   u16
///     2    local depth: how many top bits of the hash all its entries share   u8
///     4    birth epoch              u32
///     64   504 slots of 8 bytes: 16 bits of hash (the tag) above a 48-bit entry address; 0 is empty
///
/// Directory entry: the page's address, with bit 0 set while a snapshot needs the page as it is. That bit
/// lies in a word that a lookup loads anyway.
@safe
public struct Table: ~Copyable {
    static let slotsPerPage = 504
    static let pageBytes = 4096
    static let slotsOffset = 64
    /// A page splits beyond this many entries (81 %): probe runs stay within about two cache lines.
    static let splitCount = 408
    /// Two sibling pages join again when they hold no more than this together.
    static let mergeCount = 160
    static let depthMax = 40
    private static let frozenBit: UInt = 1
    private static let addressMask: UInt64 = (1 << 48) - 1

    private var directory: UnsafeMutablePointer<UInt>
    private var depth: Int
    public private(set) var count: Int
    public private(set) var pageCount: Int

    public init() {
        depth = 1
        unsafe directory = .allocate(capacity: 2)
        unsafe directory.initialize(repeating: 0, count: 2)
        count = 0
        pageCount = 0
    }

    deinit { unsafe directory.deallocate() }

    /// Bytes of memory held by directory and pages.
    public var memoryBytes: Int { (8 << depth) + pageCount * Self.pageBytes }

    @inline(__always) private var shift: UInt64 { UInt64(truncatingIfNeeded: 64 - depth) }

    @inline(__always)
    static func tag(_ hash: UInt64) -> UInt64 { hash & 0xFFFF }

    @inline(__always)
    static func home(_ tag: UInt64) -> Int {
        Int(truncatingIfNeeded: (tag &* UInt64(slotsPerPage)) >> 16)
    }

    @inline(__always)
    private func page(_ index: Int) -> UnsafeMutableRawPointer? {
        // SAFETY: callers' indexes come from `depth` bits of a hash.
        unsafe UnsafeMutableRawPointer(bitPattern: directory[index] & ~Self.frozenBit)
    }

    @inline(__always)
    private func index(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> shift) }

    // SAFETY of the page accessors: a page is `pageBytes` long, slot numbers are below `slotsPerPage`.

    @inline(__always)
    private static func slot(_ page: UnsafeMutableRawPointer, _ slot: Int) -> UInt64 {
        unsafe page.load(fromByteOffset: slotsOffset &+ slot &* 8, as: UInt64.self)
    }

    @inline(__always)
    private static func setSlot(_ page: UnsafeMutableRawPointer, _ slot: Int, _ value: UInt64) {
        unsafe page.storeBytes(of: value, toByteOffset: slotsOffset &+ slot &* 8, as: UInt64.self)
    }

    @inline(__always)
    private static func used(_ page: UnsafeMutableRawPointer) -> Int {
        Int(unsafe page.load(as: UInt16.self))
    }

    @inline(__always)
    private static func setUsed(_ page: UnsafeMutableRawPointer, _ count: Int) {
        unsafe page.storeBytes(of: UInt16(truncatingIfNeeded: count), as: UInt16.self)
    }

    @inline(__always)
    private static func localDepth(_ page: UnsafeMutableRawPointer) -> Int {
        Int(unsafe page.load(fromByteOffset: 2, as: UInt8.self))
    }

    private static func birth(_ page: UnsafeMutableRawPointer) -> UInt32 {
        unsafe page.load(fromByteOffset: 4, as: UInt32.self)
    }

    @inline(__always)
    private static func entry(_ slot: UInt64) -> Entry {
        // SAFETY: a slot that is not 0 holds the address of a live entry.
        unsafe Entry(
            UnsafeMutableRawPointer(bitPattern: UInt(slot & addressMask)).unsafelyUnwrapped)
    }

    @inline(__always)
    private static func pack(_ entry: Entry, tag: UInt64) -> UInt64 {
        unsafe UInt64(UInt(bitPattern: entry.raw)) | tag << 48
    }

    // MARK: Looking up

    /// Asks the memory system for the slot that a lookup of `hash` begins with.
    @inline(__always)
    public func prefetchSlot(_ hash: UInt64) {
        if let page = unsafe page(index(of: hash)) {
            unsafe hf_prefetch(page + Self.slotsOffset + Self.home(Self.tag(hash)) &* 8)
        }
    }

    /// Asks the memory system for the entry that a lookup of `hash` will most likely compare.
    @inline(__always)
    public func prefetchEntry(_ hash: UInt64) {
        guard let page = unsafe page(index(of: hash)) else { return }
        let tag = Self.tag(hash)
        var slot = Self.home(tag)
        // A few slots: longer runs are rare and not worth walking twice.
        for _ in 0..<4 {
            let value = unsafe Self.slot(page, slot)
            if value == 0 { return }
            if value >> 48 == tag {
                unsafe hf_prefetch(UnsafeRawPointer(bitPattern: UInt(value & Self.addressMask)))
                return
            }
            slot += 1
            if slot == Self.slotsPerPage { slot = 0 }
        }
    }

    @inline(__always)
    private func findSlot(_ hash: UInt64, _ key: ByteSlice) -> (Int, Entry)? {
        guard let page = unsafe page(index(of: hash)) else { return nil }
        let tag = Self.tag(hash)
        var slot = Self.home(tag)
        while true {
            let value = unsafe Self.slot(page, slot)
            if value == 0 { return nil }
            if value >> 48 == tag {
                let entry = Self.entry(value)
                if entry.key == key { return (slot, entry) }
            }
            slot += 1
            if slot == Self.slotsPerPage { slot = 0 }
        }
    }

    @inline(__always)
    public func find(_ hash: UInt64, _ key: ByteSlice) -> Entry? {
        findSlot(hash, key)?.1
    }

    /// Whether any key has this hash.
    func contains(_ hash: UInt64, hasher: ByteHash) -> Bool {
        guard let page = unsafe page(index(of: hash)) else { return false }
        let tag = Self.tag(hash)
        var slot = Self.home(tag)
        while true {
            let value = unsafe Self.slot(page, slot)
            if value == 0 { return false }
            if value >> 48 == tag, hasher.hash(Self.entry(value).key) == hash { return true }
            slot += 1
            if slot == Self.slotsPerPage { slot = 0 }
        }
    }

    /// The entry with this hash that `accepts`, if any: how the deadline index finds what is due.
    func find(_ hash: UInt64, hasher: ByteHash, where accepts: (Entry) -> Bool) -> Entry? {
        guard let page = unsafe page(index(of: hash)) else { return nil }
        let tag = Self.tag(hash)
        var slot = Self.home(tag)
        while true {
            let value = unsafe Self.slot(page, slot)
            if value == 0 { return nil }
            if value >> 48 == tag {
                let entry = Self.entry(value)
                if accepts(entry), hasher.hash(entry.key) == hash { return entry }
            }
            slot += 1
            if slot == Self.slotsPerPage { slot = 0 }
        }
    }

    // MARK: Changing

    /// The page for `hash`, private to the present: made if missing, copied if a snapshot needs it.
    @inline(__always)
    private mutating func writablePage(
        _ hash: UInt64, _ epochs: inout EpochClock
    ) -> UnsafeMutableRawPointer {
        let index = index(of: hash)
        let word = unsafe directory[index]
        if _fastPath(word != 0 && word & Self.frozenBit == 0) {
            return unsafe UnsafeMutableRawPointer(bitPattern: word).unsafelyUnwrapped
        }
        return unsafe preparePage(index, &epochs)
    }

    private mutating func preparePage(
        _ index: Int, _ epochs: inout EpochClock
    ) -> UnsafeMutableRawPointer {
        guard let old = unsafe page(index) else {
            // Only an empty table has no page: the first one serves the whole directory.
            let first = unsafe Self.makePage(localDepth: 0, epoch: epochs.current)
            pageCount += 1
            for slot in 0..<1 << depth { unsafe directory[slot] = UInt(bitPattern: first) }
            return unsafe first
        }
        let isFrozen = unsafe directory[index] & Self.frozenBit != 0
        if unsafe isFrozen && Self.birth(old) > epochs.frozen {
            // The snapshot is gone; the bit is only a leftover.
            unsafe point(index, at: old)
            return unsafe old
        }
        let copy = unsafe Self.makePage(
            localDepth: Self.localDepth(old), epoch: epochs.current)
        unsafe memcpy(copy + Self.slotsOffset, old + Self.slotsOffset, Self.slotsPerPage * 8)
        unsafe Self.setUsed(copy, Self.used(old))
        unsafe point(index, at: copy)
        unsafe epochs.release(old, bornIn: Self.birth(old))
        return unsafe copy
    }

    private static func makePage(localDepth: Int, epoch: UInt32) -> UnsafeMutableRawPointer {
        var block: UnsafeMutableRawPointer?
        guard unsafe posix_memalign(&block, pageBytes, pageBytes) == 0, let page = unsafe block
        else {
            fatalError("out of memory")
        }
        unsafe memset(page, 0, pageBytes)
        unsafe page.storeBytes(of: UInt8(localDepth), toByteOffset: 2, as: UInt8.self)
        unsafe page.storeBytes(of: epoch, toByteOffset: 4, as: UInt32.self)
        return unsafe page
    }

    /// Lets every directory entry that shares `index`'s page name `page`, unfrozen.
    private mutating func point(_ index: Int, at page: UnsafeMutableRawPointer) {
        let span = unsafe depth - Self.localDepth(page)
        let first = (index >> span) << span
        for slot in first..<first + (1 << span) { unsafe directory[slot] = UInt(bitPattern: page) }
    }

    /// Puts `entry` where `old`, an entry of this table with the same key, stands.
    @inline(__always)
    mutating func replace(
        _ hash: UInt64, _ old: Entry, with entry: Entry, _ epochs: inout EpochClock
    ) {
        let page = unsafe writablePage(hash, &epochs)
        let tag = Self.tag(hash)
        let wanted = Self.pack(old, tag: tag)
        var slot = Self.home(tag)
        while true {
            let value = unsafe Self.slot(page, slot)
            if value == wanted { break }
            precondition(value != 0, "the entry to replace is not in the table")
            slot += 1
            if slot == Self.slotsPerPage { slot = 0 }
        }
        unsafe Self.setSlot(page, slot, Self.pack(entry, tag: tag))
    }

    /// Adds an entry whose key is not in the table.
    mutating func insert(
        _ hash: UInt64, _ entry: Entry, _ epochs: inout EpochClock, _ hasher: ByteHash
    ) {
        var page = unsafe writablePage(hash, &epochs)
        while unsafe Self.used(page) >= Self.splitCount {
            guard unsafe Self.localDepth(page) < Self.depthMax else {
                // More than 400 keys that share 40 bits of a seeded hash: let the page fill up.
                precondition(unsafe Self.used(page) < Self.slotsPerPage - 1, "hash page overflow")
                break
            }
            unsafe split(hash, page, &epochs, hasher)
            unsafe page = writablePage(hash, &epochs)
        }
        unsafe Self.place(page, Self.pack(entry, tag: Self.tag(hash)))
        unsafe Self.setUsed(page, Self.used(page) + 1)
        count += 1
    }

    @inline(__always)
    private static func place(_ page: UnsafeMutableRawPointer, _ value: UInt64) {
        var slot = home(value >> 48)
        while unsafe Self.slot(page, slot) != 0 {
            slot += 1
            if slot == slotsPerPage { slot = 0 }
        }
        unsafe setSlot(page, slot, value)
    }

    /// Replaces a full page by two, one per value of the next bit of the hash.
    private mutating func split(
        _ hash: UInt64, _ page: UnsafeMutableRawPointer, _ epochs: inout EpochClock,
        _ hasher: ByteHash
    ) {
        let local = unsafe Self.localDepth(page)
        if local == depth { doubleDirectory() }
        let index = index(of: hash)
        let low = unsafe Self.makePage(localDepth: local + 1, epoch: epochs.current)
        let high = unsafe Self.makePage(localDepth: local + 1, epoch: epochs.current)
        let bit = UInt64(1) << UInt64(63 - local)
        var lowCount = 0
        var highCount = 0
        // Hashing needs every key; asking for the entries ahead lets the misses overlap.
        for slot in 0..<Self.slotsPerPage {
            if slot + 16 < Self.slotsPerPage {
                let ahead = unsafe Self.slot(page, slot + 16)
                unsafe hf_prefetch(UnsafeRawPointer(bitPattern: UInt(ahead & Self.addressMask)))
            }
            let value = unsafe Self.slot(page, slot)
            if value == 0 { continue }
            if hasher.hash(Self.entry(value).key) & bit == 0 {
                unsafe Self.place(low, value)
                lowCount += 1
            } else {
                unsafe Self.place(high, value)
                highCount += 1
            }
        }
        unsafe Self.setUsed(low, lowCount)
        unsafe Self.setUsed(high, highCount)
        let span = depth - local
        let first = (index >> span) << span
        let middle = first + (1 << (span - 1))
        for slot in first..<middle { unsafe directory[slot] = UInt(bitPattern: low) }
        for slot in middle..<first + 1 << span { unsafe directory[slot] = UInt(bitPattern: high) }
        pageCount += 1
        unsafe epochs.release(page, bornIn: Self.birth(page))
    }

    private mutating func doubleDirectory() {
        let old = unsafe directory
        let size = 1 << depth
        unsafe directory = .allocate(capacity: size * 2)
        for slot in 0..<size {
            let word = unsafe old[slot]
            unsafe (directory + slot * 2).initialize(to: word)
            unsafe (directory + slot * 2 + 1).initialize(to: word)
        }
        unsafe old.deallocate()
        depth += 1
    }

    /// Takes the entry with this key out and returns it for release.
    mutating func remove(_ hash: UInt64, _ key: ByteSlice, _ epochs: inout EpochClock) -> Entry? {
        guard let (slot, entry) = findSlot(hash, key) else { return nil }
        let page = unsafe writablePage(hash, &epochs)
        // Close the gap: move back every entry of the run that may not stand before its home.
        var hole = slot
        var next = slot
        while true {
            next += 1
            if next == Self.slotsPerPage { next = 0 }
            let value = unsafe Self.slot(page, next)
            if value == 0 { break }
            let home = Self.home(value >> 48)
            let isHomeBetween =
                hole <= next ? (home > hole && home <= next) : (home > hole || home <= next)
            if !isHomeBetween {
                unsafe Self.setSlot(page, hole, value)
                hole = next
            }
        }
        unsafe Self.setSlot(page, hole, 0)
        let used = unsafe Self.used(page) - 1
        unsafe Self.setUsed(page, used)
        count -= 1
        if used < Self.mergeCount / 2 { unsafe merge(index(of: hash), page, &epochs) }
        return entry
    }

    /// Joins `page` with its sibling while both are nearly empty; the sibling of the joined page may have
    /// become a match since the two last looked.
    private mutating func merge(
        _ index: Int, _ page: UnsafeMutableRawPointer, _ epochs: inout EpochClock
    ) {
        while true {
            let local = unsafe Self.localDepth(page)
            guard local > 0, epochs.frozen == 0 else { return }
            let span = depth - local
            let siblingIndex = ((index >> span) ^ 1) << span
            guard let sibling = unsafe self.page(siblingIndex),
                unsafe Self.localDepth(sibling) == local,
                unsafe Self.used(page) + Self.used(sibling) <= Self.mergeCount
            else { return }
            for slot in 0..<Self.slotsPerPage {
                let value = unsafe Self.slot(sibling, slot)
                if value != 0 { unsafe Self.place(page, value) }
            }
            unsafe Self.setUsed(page, Self.used(page) + Self.used(sibling))
            unsafe page.storeBytes(of: UInt8(local - 1), toByteOffset: 2, as: UInt8.self)
            unsafe point(index, at: page)
            unsafe free(sibling)
            pageCount -= 1
        }
    }

    // MARK: Walking

    /// Calls `body` with every entry, in no order; the table must not change meanwhile.
    public func forEach<E: Error>(_ body: (Entry) throws(E) -> Void) throws(E) {
        try unsafe Self.forEach(directory: directory, depth: depth, body)
    }

    private static func forEach<E: Error>(
        directory: UnsafePointer<UInt>, depth: Int, _ body: (Entry) throws(E) -> Void
    ) throws(E) {
        var index = 0
        while index < 1 << depth {
            guard
                let page = unsafe UnsafeMutableRawPointer(
                    bitPattern: directory[index] & ~frozenBit)
            else { return }
            for slot in 0..<slotsPerPage {
                let value = unsafe Self.slot(page, slot)
                if value != 0 { try body(entry(value)) }
            }
            index += unsafe 1 << (depth - localDepth(page))
        }
    }

    /// One step of a scan: calls `body` with every entry of some home slots, and returns the cursor to go on
    /// with, 0 when done.
    ///
    /// Every entry that is in the table from the first step to the last is given at least once, whatever
    /// happens to the table meanwhile. The cursor holds the position as a prefix of the hash (which splitting
    /// a page doesn't change), the home slot within the page, and the page's depth when the cursor was made:
    /// if the page has since been joined with its sibling, the joined page is walked from its start.
    ///
    /// - Parameters:
    ///   - cursor: 0, or what an earlier step returned; anything else gives some valid position.
    ///   - wanted: the step ends once so many entries were given.
    public func scan<E: Error>(
        from cursor: UInt64, wanted: Int, _ body: (Entry) throws(E) -> Void
    ) throws(E) -> UInt64 {
        guard count > 0 else { return 0 }
        // A step visits a whole page at most for every ten entries wanted, so that emptiness is no stall.
        let visitsMax = min(max(wanted, 1), 1 << 40) * 10 + Self.slotsPerPage
        // Cursor: depth in bits 0..<6, home slot in 6..<15, the hash's top 40 bits in 15..<55.
        let cursorDepth = Int(cursor & 63)
        var home = min(Int((cursor >> 6) & 511), Self.slotsPerPage)
        var prefix = ((cursor >> 15) & ((1 << 40) - 1)) << 24
        guard var page = unsafe page(index(of: prefix)) else { return 0 }
        var local = unsafe Self.localDepth(page)
        if local < cursorDepth { home = 0 }
        prefix = local == 0 ? 0 : (prefix >> UInt64(64 - local)) << UInt64(64 - local)
        var given = 0
        var visited = 0
        while true {
            while home < Self.slotsPerPage {
                if given >= wanted || visited >= visitsMax {
                    return ((prefix >> 24) << 15) | (UInt64(home) << 6) | UInt64(local)
                }
                var slot = home
                while true {
                    let value = unsafe Self.slot(page, slot)
                    if value == 0 { break }
                    if Self.home(value >> 48) == home {
                        try body(Self.entry(value))
                        given += 1
                    }
                    slot += 1
                    if slot == Self.slotsPerPage { slot = 0 }
                }
                home += 1
                visited += 1
            }
            // The next page begins where this one's range of hashes ends.
            guard local > 0 else { return 0 }
            let (next, isOver) = prefix.addingReportingOverflow(1 << UInt64(64 - local))
            if isOver { return 0 }
            prefix = next
            home = 0
            guard let following = unsafe self.page(index(of: prefix)) else { return 0 }
            unsafe page = following
            local = unsafe Self.localDepth(page)
        }
    }

    /// Some entry, each about as likely as any other unless most of the table is empty.
    public func random(_ next: () -> UInt64) -> Entry? {
        guard count > 0 else { return nil }
        // Pages stand for equal shares of all hashes, so a random hash and then a random slot is fair.
        for _ in 0..<256 {
            guard let page = unsafe page(index(of: next())) else { return nil }
            let value = unsafe Self.slot(page, Int(next() % UInt64(Self.slotsPerPage)))
            if value != 0 { return Self.entry(value) }
        }
        // Hardly anything there: take what comes next after a random place.
        var index = index(of: next())
        while true {
            guard let page = unsafe page(index) else { return nil }
            if unsafe Self.used(page) > 0 {
                var slot = Int(next() % UInt64(Self.slotsPerPage))
                while true {
                    let value = unsafe Self.slot(page, slot)
                    if value != 0 { return Self.entry(value) }
                    slot += 1
                    if slot == Self.slotsPerPage { slot = 0 }
                }
            }
            let span = unsafe depth - Self.localDepth(page)
            index = (((index >> span) + 1) << span) & ((1 << depth) - 1)
        }
    }

    // MARK: Snapshots

    /// The table as it is now, for a reader on another thread; from here on this table copies what the
    /// reader may see before changing it. `EpochClock.freeze` goes with it.
    mutating func freeze() -> FrozenTable {
        let size = 1 << depth
        let copy = UnsafeMutablePointer<UInt>.allocate(capacity: size)
        unsafe copy.initialize(from: directory, count: size)
        for slot in 0..<size where unsafe directory[slot] != 0 {
            unsafe directory[slot] |= Self.frozenBit
        }
        return unsafe FrozenTable(directory: copy, depth: depth, count: count)
    }

    /// Clears the frozen bits once the snapshot is gone; a write that comes first clears its own page's.
    mutating func thaw() {
        for slot in 0..<1 << depth { unsafe directory[slot] &= ~Self.frozenBit }
    }

    // MARK: Tearing down

    /// Frees the page that directory entry `index` names, with its entries: one step of freeing a table
    /// that nobody looks at any more.
    ///
    /// - Parameter values: gets what the entries' values consist of.
    /// - Returns: the directory entry to go on with (nil when all is freed), and how many blocks were freed.
    mutating func freePage(
        at index: Int, values: inout ReleaseStack
    ) -> (next: Int?, freed: Int) {
        guard index < 1 << depth, let page = unsafe page(index) else { return (nil, 0) }
        for slot in 0..<Self.slotsPerPage {
            if slot + 8 < Self.slotsPerPage {
                let ahead = unsafe Self.slot(page, slot + 8)
                unsafe hf_prefetch(UnsafeRawPointer(bitPattern: UInt(ahead & Self.addressMask)))
            }
            let value = unsafe Self.slot(page, slot)
            if value != 0 { Self.entry(value).free(values: &values) }
        }
        let freed = unsafe Self.used(page) + 1
        count -= freed - 1
        pageCount -= 1
        let next = unsafe index + 1 << (depth - Self.localDepth(page))
        unsafe Glibc.free(page)
        return (next < 1 << depth ? next : nil, freed)
    }

    // MARK: Checking

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    func checkInvariants(_ hasher: ByteHash) {
        var entries = 0
        var pages = 0
        var index = 0
        while index < 1 << depth {
            guard let page = unsafe page(index) else {
                precondition(count == 0 && pageCount == 0, "no page at \(index)")
                return
            }
            let local = unsafe Self.localDepth(page)
            precondition(local <= depth && local <= Self.depthMax, "page deeper than directory")
            let span = 1 << (depth - local)
            precondition(index % span == 0, "page's range is not aligned")
            for other in index..<index + span {
                precondition(
                    unsafe self.page(other) == page, "directory entry \(other) names another page")
            }
            entries += unsafe checkPage(page, prefix: index >> (depth - local), local, hasher)
            pages += 1
            index += span
        }
        precondition(entries == count, "\(entries) entries, counted \(count)")
        precondition(pages == pageCount, "\(pages) pages, counted \(pageCount)")
    }

    private func checkPage(
        _ page: UnsafeMutableRawPointer, prefix: Int, _ local: Int, _ hasher: ByteHash
    ) -> Int {
        var entries = 0
        for slot in 0..<Self.slotsPerPage {
            let value = unsafe Self.slot(page, slot)
            if value == 0 { continue }
            entries += 1
            let entry = Self.entry(value)
            let hash = hasher.hash(entry.key)
            precondition(Self.tag(hash) == value >> 48, "slot's tag is not its key's")
            precondition(
                local == 0 || Int(hash >> UInt64(64 - local)) == prefix, "entry in the wrong page")
            let found = find(hash, entry.key)
            precondition(
                unsafe found?.raw == entry.raw,
                "an entry can't be reached, or its key is there twice")
        }
        precondition(unsafe entries == Self.used(page), "page miscounts its entries")
        precondition(entries < Self.slotsPerPage, "page without an empty slot")
        return entries
    }

    /// A table's content at the moment it was frozen. Any one thread may read it until the keyspace thaws.
    @safe
    public struct FrozenTable: ~Copyable, @unchecked Sendable {
        // Sendable: pages and entries reachable from here are never written while the epoch is frozen
        // (but for an entry's access field, which readers of a snapshot don't use).
        private let directory: UnsafeMutablePointer<UInt>
        private let depth: Int
        public let count: Int

        fileprivate init(directory: UnsafeMutablePointer<UInt>, depth: Int, count: Int) {
            unsafe self.directory = directory
            self.depth = depth
            self.count = count
        }

        deinit { unsafe directory.deallocate() }

        public func forEach<E: Error>(_ body: (Entry) throws(E) -> Void) throws(E) {
            try unsafe Table.forEach(directory: directory, depth: depth, body)
        }
    }
}
