internal import CLinux
internal import Glibc
public import HoldfastBytes

/// What a member table keeps: a block, known by its address, that tells its key.
public protocol TableItem {
    /// - Parameter word: an address below 2^48.
    init(word: UInt64)
    var word: UInt64 { get }
    var key: ByteSlice { get }
}

/// A hash table inside one key's value: the members of a sorted set by name. It is the keyspace's `Table` made
/// for nesting: all of it hangs on one word, the directory is copied on write as pages are, and pages come in
/// several sizes, so that a small table is small and a large one well filled.
///
/// Directory block:
///
///     0    birth epoch                u32
///     4    depth                      u8
///     8    number of items            i64
///     16   number of pages            i64
///     24   2^depth addresses of pages, found by the hash's top bits
///
/// Page:
///
///     0    birth epoch                u32
///     4    slots in use               u16
///     6    slots there are            u16
///     8    local depth: how many top bits of the hash all its items share   u8
///     16   slots of 8 bytes: 16 bits of hash (the tag) above a 48-bit address; 0 is empty
///
/// Within a page, slots are probed linearly from the home that the tag gives. A page that is 81 % full grows to
/// the next size, and the greatest splits in two.
public struct ItemTable<Item: TableItem> {
    /// The directory's address, 0 when the table is empty.
    public private(set) var word: UInt64

    @inline(__always)
    public init() { word = 0 }

    /// - Parameter word: what `word` of a living table gave.
    @inline(__always)
    public init(word: UInt64) { self.word = word }

    private static var depthMax: Int { 40 }
    private static var addressMask: UInt64 { (1 << 48) - 1 }

    @inline(__always) private var directory: ItemDirectory { ItemDirectory(word: word) }

    /// The number of items.
    @inline(__always) public var count: Int { word == 0 ? 0 : directory.count }

    /// Bytes of memory that directory and pages take, without the items.
    public var memoryBytes: Int {
        guard word != 0 else { return 0 }
        var bytes = directory.allocatedBytes
        forEachPage { bytes += $0.allocatedBytes }
        return bytes
    }

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt64 { hash & 0xFFFF }

    @inline(__always)
    private static func item(_ slot: UInt64) -> Item { Item(word: slot & addressMask) }

    @inline(__always)
    private static func pack(_ item: Item, tag: UInt64) -> UInt64 { item.word | tag << 48 }

    // MARK: Looking up

    /// Asks the memory system for the slot that a lookup of `hash` begins with.
    @inline(__always)
    public func prefetchSlot(_ hash: UInt64) {
        guard word != 0 else { return }
        directory.page(of: hash).prefetchHome(Self.tag(hash))
    }

    @inline(__always)
    private func findSlot(_ hash: UInt64, _ key: ByteSlice) -> (ItemPage, Int, Item)? {
        guard word != 0 else { return nil }
        let page = directory.page(of: hash)
        let tag = Self.tag(hash)
        let room = page.room
        var slot = page.home(tag)
        while true {
            let value = page[slot]
            if value == 0 { return nil }
            if value &>> 48 == tag {
                let item = Self.item(value)
                if item.key == key { return (page, slot, item) }
            }
            slot &+= 1
            if slot == room { slot = 0 }
        }
    }

    /// The item with this key.
    ///
    /// - Parameter hash: the key's.
    @inline(__always)
    public func find(_ hash: UInt64, _ key: ByteSlice) -> Item? { findSlot(hash, key)?.2 }

    // MARK: Changing

    @inline(__always)
    private mutating func prepareDirectory(_ epochs: inout EpochClock) {
        if _fastPath(word != 0 && directory.epoch > epochs.frozen) { return }
        guard word != 0 else {
            let made = ItemDirectory.make(depth: 0, epoch: epochs.current)
            made.setPage(0, ItemPage.make(items: 1, localDepth: 0, epoch: epochs.current))
            made.pageCount = 1
            word = made.word
            return
        }
        let copy = directory.copied(epoch: epochs.current)
        directory.release(&epochs)
        word = copy.word
    }

    /// The page for `hash`, private to the present.
    @inline(__always)
    private mutating func writablePage(_ hash: UInt64, _ epochs: inout EpochClock) -> ItemPage {
        prepareDirectory(&epochs)
        let page = directory.page(of: hash)
        if _fastPath(page.epoch > epochs.frozen) { return page }
        return exchange(hash, page, for: page.copied(epoch: epochs.current), &epochs)
    }

    /// Lets the directory name `added` wherever it named `page`, which is released.
    private func exchange(
        _ hash: UInt64, _ page: ItemPage, for added: ItemPage, _ epochs: inout EpochClock
    ) -> ItemPage {
        directory.setPages(of: hash, localDepth: page.localDepth, added)
        page.release(&epochs)
        return added
    }

    /// Adds an item whose key is not in the table.
    ///
    /// - Parameter hash: of the item's key, made by `hasher`.
    public mutating func insert(
        _ hash: UInt64, _ item: Item, _ epochs: inout EpochClock, _ hasher: ByteHash
    ) {
        var page = writablePage(hash, &epochs)
        while page.isFull {
            if let size = page.greaterSize {
                page = exchange(
                    hash, page,
                    for: page.resized(size, localDepth: page.localDepth, epoch: epochs.current),
                    &epochs)
            } else if page.localDepth < Self.depthMax {
                split(hash, page, &epochs, hasher)
                page = directory.page(of: hash)
            } else {
                // More than 400 keys that share 40 bits of a seeded hash: let the page fill up.
                precondition(page.used < page.room - 1, "hash page overflow")
                break
            }
        }
        page.place(Self.pack(item, tag: Self.tag(hash)))
        page.used += 1
        directory.count += 1
    }

    /// Puts `item` where `old`, an item of this table with the same key, stands.
    public mutating func replace(
        _ hash: UInt64, _ old: Item, with item: Item, _ epochs: inout EpochClock
    ) {
        let page = writablePage(hash, &epochs)
        let tag = Self.tag(hash)
        let wanted = Self.pack(old, tag: tag)
        var slot = page.home(tag)
        while page[slot] != wanted {
            precondition(page[slot] != 0, "the item to replace is not in the table")
            slot = page.next(slot)
        }
        page[slot] = Self.pack(item, tag: tag)
    }

    /// Takes the item with this key out; the caller releases it.
    @discardableResult
    public mutating func remove(
        _ hash: UInt64, _ key: ByteSlice, _ epochs: inout EpochClock
    ) -> Item? {
        guard let (_, slot, item) = findSlot(hash, key) else { return nil }
        let page = writablePage(hash, &epochs)
        page.clear(slot)
        page.used -= 1
        directory.count -= 1
        if directory.count == 0 {
            // The last item's page is the only one: emptied pages have joined.
            releaseBlocks(&epochs)
        } else if page.isSparse {
            shrink(hash, page, &epochs)
        }
        return item
    }

    /// Gives up directory and pages, and no items.
    private mutating func releaseBlocks(_ epochs: inout EpochClock) {
        forEachPage { $0.release(&epochs) }
        directory.release(&epochs)
        word = 0
    }

    /// Replaces a full page by two, one per value of the next bit of the hash.
    private mutating func split(
        _ hash: UInt64, _ page: ItemPage, _ epochs: inout EpochClock, _ hasher: ByteHash
    ) {
        let local = page.localDepth
        if local == directory.depth {
            let doubled = directory.doubled(epoch: epochs.current)
            directory.release(&epochs)
            word = doubled.word
        }
        let bit = UInt64(1) << UInt64(63 - local)
        // Hashing needs every key; asking for the items ahead lets the misses overlap. The bit found is kept
        // in the slots' order until both halves are counted.
        var isHigh = InlineArray<8, UInt64>(repeating: 0)
        var highCount = 0
        let room = page.room
        for slot in 0..<room {
            if slot + 16 < room {
                unsafe hf_prefetch(
                    UnsafeRawPointer(bitPattern: UInt(page[slot + 16] & Self.addressMask)))
            }
            let value = page[slot]
            if value == 0 || hasher.hash(Self.item(value).key) & bit == 0 { continue }
            isHigh[slot >> 6] |= 1 << UInt64(slot & 63)
            highCount += 1
        }
        let low = ItemPage.make(
            items: page.used - highCount, localDepth: local + 1, epoch: epochs.current)
        let high = ItemPage.make(
            items: highCount, localDepth: local + 1, epoch: epochs.current)
        for slot in 0..<room {
            let value = page[slot]
            if value == 0 { continue }
            (isHigh[slot >> 6] >> UInt64(slot & 63) & 1 == 0 ? low : high).place(value)
        }
        low.used = page.used - highCount
        high.used = highCount
        directory.setPages(of: hash & ~bit, localDepth: local + 1, low)
        directory.setPages(of: hash | bit, localDepth: local + 1, high)
        directory.pageCount += 1
        page.release(&epochs)
    }

    /// Joins a sparse page with its sibling as long as both are, or makes it smaller.
    private mutating func shrink(
        _ hash: UInt64, _ page: ItemPage, _ epochs: inout EpochClock
    ) {
        var page = page
        while page.localDepth > 0 {
            let local = page.localDepth
            let bit = UInt64(1) << UInt64(64 - local)
            let sibling = directory.page(of: hash ^ bit)
            guard sibling.localDepth == local, page.used + sibling.used <= ItemPage.joinedMax
            else { break }
            let joined = ItemPage.make(
                items: page.used + sibling.used, localDepth: local - 1, epoch: epochs.current)
            joined.takeAll(of: page)
            joined.takeAll(of: sibling)
            directory.setPages(of: hash, localDepth: local - 1, joined)
            directory.pageCount -= 1
            page.release(&epochs)
            sibling.release(&epochs)
            page = joined
        }
        if page.isSparse, page.used < ItemPage.joinedMax {
            page = exchange(
                hash, page,
                for: page.resized(
                    ItemPage.size(items: page.used), localDepth: page.localDepth,
                    epoch: epochs.current), &epochs)
        }
        lowerDirectory(&epochs)
    }

    /// Halves a directory of many more entries than there are pages, as often as no page needs its depth.
    private mutating func lowerDirectory(_ epochs: inout EpochClock) {
        let pages = directory.pageCount
        // The walk over the directory is worth it now and then only.
        guard pages * 8 <= 1 << directory.depth, pages & (pages - 1) == 0 else { return }
        var deepest = 0
        forEachPage { deepest = max(deepest, $0.localDepth) }
        guard deepest < directory.depth else { return }
        let lowered = directory.lowered(to: deepest, epoch: epochs.current)
        directory.release(&epochs)
        word = lowered.word
    }

    // MARK: Walking

    @inline(__always)
    private func forEachPage(_ body: (ItemPage) -> Void) {
        var index = 0
        while index < 1 << directory.depth {
            let page = directory.page(index)
            // Read first: the body may release the page.
            let span = 1 << (directory.depth - page.localDepth)
            body(page)
            index += span
        }
    }

    /// Calls `body` with every item, in no order; the table must not change meanwhile.
    public func forEach<E: Error>(_ body: (Item) throws(E) -> Void) throws(E) {
        guard word != 0 else { return }
        var index = 0
        while index < 1 << directory.depth {
            let page = directory.page(index)
            for slot in 0..<page.room where page[slot] != 0 { try body(Self.item(page[slot])) }
            index += 1 << (directory.depth - page.localDepth)
        }
    }

    /// One step of a scan: calls `body` with every item of some home slots, and returns the cursor to go on
    /// with, 0 when done.
    ///
    /// Every item that is in the table from the first step to the last is given at least once, whatever happens
    /// to the table meanwhile. The cursor holds the position as a prefix of the hash and a tag, neither of which
    /// depends on the pages' sizes, and the page's depth when it was made: if the page has since been joined
    /// with its sibling, the joined page is walked from its start.
    ///
    /// - Parameters:
    ///   - cursor: 0, or what an earlier step returned; anything else gives some valid position.
    ///   - wanted: the step ends once so many items were given.
    public func scan<E: Error>(
        from cursor: UInt64, wanted: Int, _ body: (Item) throws(E) -> Void
    ) throws(E) -> UInt64 {
        guard word != 0 else { return 0 }
        // A step visits ten slots at most for every item wanted, so that emptiness is no stall.
        let visitsMax = min(max(wanted, 1), 1 << 40) * 10 + 512
        // Cursor: depth in bits 0..<6, tag in 6..<22, the hash's top 40 bits in 22..<62.
        let cursorDepth = Int(cursor & 63)
        var tag = (cursor >> 6) & 0xFFFF
        var prefix = (cursor >> 22) << 24
        var page = directory.page(of: prefix)
        var local = page.localDepth
        if local < cursorDepth { tag = 0 }
        prefix = local == 0 ? 0 : (prefix >> UInt64(64 - local)) << UInt64(64 - local)
        var given = 0
        var visited = 0
        while true {
            var home = page.home(tag)
            while home < page.room {
                if given >= wanted || visited >= visitsMax {
                    return ((prefix >> 24) << 22) | (tag << 6) | UInt64(local)
                }
                var slot = home
                while page[slot] != 0 {
                    let value = page[slot]
                    if page.home(value >> 48) == home, value >> 48 >= tag {
                        try body(Self.item(value))
                        given += 1
                    }
                    slot = page.next(slot)
                }
                visited += 1
                home += 1
                tag = page.firstTag(home)
            }
            // The next page begins where this one's range of hashes ends.
            guard local > 0 else { return 0 }
            let (next, isOver) = prefix.addingReportingOverflow(1 << UInt64(64 - local))
            if isOver { return 0 }
            prefix = next
            tag = 0
            page = directory.page(of: prefix)
            local = page.localDepth
        }
    }

    // MARK: Copying and giving up

    /// A table with new pages, whose items `copy` makes of those here.
    public func copied(epoch: UInt32, _ copy: (Item) -> Item) -> ItemTable {
        guard word != 0 else { return ItemTable() }
        let made = directory.copied(epoch: epoch)
        var index = 0
        while index < 1 << made.depth {
            let page = made.page(index).copied(epoch: epoch)
            for slot in 0..<page.room where page[slot] != 0 {
                page[slot] = Self.pack(copy(Self.item(page[slot])), tag: page[slot] >> 48)
            }
            let span = 1 << (made.depth - page.localDepth)
            for other in index..<index + span { made.setPage(other, page) }
            index += span
        }
        return ItemTable(word: made.word)
    }

    /// Gives up the whole table, which is empty afterwards.
    ///
    /// - Parameter each: is given every item, to release it.
    public mutating func releaseAll(
        _ epochs: inout EpochClock, each: (Item, inout EpochClock) -> Void
    ) {
        guard word != 0 else { return }
        forEachPage { Self.release($0, &epochs, each) }
        directory.release(&epochs)
        word = 0
    }

    private static func release(
        _ page: ItemPage, _ epochs: inout EpochClock, _ each: (Item, inout EpochClock) -> Void
    ) {
        for slot in 0..<page.room where page[slot] != 0 { each(item(page[slot]), &epochs) }
        page.release(&epochs)
    }

    /// One step of giving up a table piece by piece: releases the directory at `word`.
    ///
    /// - Parameter page: is given the word of every page, for `dismantle(page:)`.
    public static func dismantle(
        directory word: UInt64, _ epochs: inout EpochClock, page: (UInt64) -> Void
    ) {
        let table = ItemTable(word: word)
        table.forEachPage { page($0.word) }
        table.directory.release(&epochs)
    }

    /// The other step: releases the page at `word`.
    ///
    /// - Parameter each: is given every item, to release it.
    /// - Returns: how many there were.
    public static func dismantle(
        page word: UInt64, _ epochs: inout EpochClock, each: (Item, inout EpochClock) -> Void
    ) -> Int {
        let page = ItemPage(word: word)
        let count = page.used
        release(page, &epochs, each)
        return count
    }

    // MARK: Checking

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    public func checkInvariants(_ hasher: ByteHash) {
        guard word != 0 else { return }
        var items = 0
        var pages = 0
        var index = 0
        let depth = directory.depth
        while index < 1 << depth {
            let page = directory.page(index)
            let local = page.localDepth
            precondition(local <= depth && local <= Self.depthMax, "page deeper than directory")
            let span = 1 << (depth - local)
            precondition(index % span == 0, "page's range is not aligned")
            for other in index..<index + span {
                precondition(
                    directory.page(other).word == page.word, "\(other) names another page")
            }
            items += check(page, prefix: index >> (depth - local), hasher)
            pages += 1
            index += span
        }
        precondition(items == count && items > 0, "\(items) items, counted \(count)")
        precondition(pages == directory.pageCount, "\(pages) pages")
    }

    private func check(_ page: ItemPage, prefix: Int, _ hasher: ByteHash) -> Int {
        var items = 0
        let local = page.localDepth
        for slot in 0..<page.room where page[slot] != 0 {
            items += 1
            let item = Self.item(page[slot])
            let hash = hasher.hash(item.key)
            precondition(Self.tag(hash) == page[slot] >> 48, "slot's tag is not its key's")
            precondition(
                local == 0 || Int(hash >> UInt64(64 - local)) == prefix, "item in the wrong page")
            precondition(find(hash, item.key)?.word == item.word, "an item can't be reached")
        }
        precondition(items == page.used, "page miscounts its items")
        precondition(items < page.room, "page without an empty slot")
        return items
    }
}
