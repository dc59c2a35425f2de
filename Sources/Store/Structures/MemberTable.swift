internal import CLinux
internal import Glibc
public import HoldfastBytes

/// The members of a big set, or the fields of a big hash with their values: extendible hashing as in `Table`,
/// with the members inside the pages.
///
/// The directory is indexed by the hash's top bits and names the page; the low 16 bits are the tag that finds
/// the record within it. A page grows through the allocator's classes up to 4 KiB, then splits in two; two
/// siblings that have become small join again, and the directory shrinks with them. So a member costs its bytes,
/// 5 more, and about a tenth for what pages hold free.
///
/// Root, one block:
///
///     0   birth epoch                                        u32
///     4   depth of the directory                             u8
///     5   flags: 1 there are values                          u8
///     8   number of members                                  u64
///     16  number of pages                                    u32
///     20  how many of them are as deep as the directory      u32
///     24  the density: no page has more records than this for each of its places in the directory   u32
///     32  the number of members when the density was last raised or found   u64
///     40  bytes allocated for pages and outside bytes        u64
///     48  no field's deadline is earlier than this           i64
///     56  how many fields have a deadline                    u64
///     64  the directory: 2^depth addresses of pages
///
/// Root and pages are copied on write (`EpochClock`): whoever changes one makes it private first, the root
/// before the page. Records move with their pages; bytes outside are never written twice.
///
/// A member or value passed to a changing method must not lie in the same table, except for `remove`.
@safe
public struct MemberTable: CollectionRoot {
    public private(set) var raw: UnsafeMutableRawPointer

    static let headerBytes = 64
    /// A page of more bytes than this splits, if it has `splitCountMin` records.
    static let splitBytes = 4096
    /// So few records stay together even if they are long, or the directory would be much larger than the
    /// pages are many.
    static let splitCountMin = 16
    /// Two siblings that need no more than this join.
    static let joinBytes = 2048
    static let depthMax = 32
    private static let hasValuesFlag: UInt8 = 1

    @inline(__always)
    @unsafe public init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    /// A table without members. It belongs to whoever calls, until a key's entry holds it.
    public init(hasValues: Bool, _ epochs: inout EpochClock) {
        let page = MemberPage.make(room: 64, depth: 0, epoch: epochs.current)
        unsafe raw = Self.allocate(depth: 0)
        // SAFETY: the block holds the header and one directory entry.
        unsafe raw.storeBytes(of: epochs.current, as: UInt32.self)
        unsafe raw.storeBytes(
            of: hasValues ? Self.hasValuesFlag : 0, toByteOffset: 5, as: UInt8.self)
        pageCount = 1
        deepestCount = 1
        allocatedBytes = page.room
        deadlineMin = Int64.max
        setPage(0, page)
    }

    private static func allocate(depth: Int) -> UnsafeMutableRawPointer {
        guard let raw = unsafe malloc(headerBytes + 8 << depth) else { fatalError("out of memory") }
        unsafe _ = memset(raw, 0, headerBytes)
        unsafe raw.storeBytes(of: UInt8(depth), toByteOffset: 4, as: UInt8.self)
        return unsafe raw
    }

    // SAFETY of all loads and stores: the root's block is `headerBytes + 8 * 2^depth` long, and an index into
    // the directory comes from `depth` bits of a hash or a loop over the directory. Every directory
    // entry is the address of a live page.

    @inline(__always) private var epoch: UInt32 { unsafe raw.load(as: UInt32.self) }

    @inline(__always)
    private var depth: Int { Int(unsafe raw.load(fromByteOffset: 4, as: UInt8.self)) }

    /// Whether the members are fields with values.
    @inline(__always)
    public var hasValues: Bool { unsafe raw.load(fromByteOffset: 5, as: UInt8.self) & 1 != 0 }

    @inline(__always)
    public private(set) var count: Int {
        get { unsafe raw.load(fromByteOffset: 8, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 8, as: Int.self) }
    }

    @inline(__always)
    private(set) var pageCount: Int {
        get { Int(unsafe raw.load(fromByteOffset: 16, as: UInt32.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: UInt32(newValue), toByteOffset: 16, as: UInt32.self)
        }
    }

    @inline(__always)
    private var deepestCount: Int {
        get { Int(unsafe raw.load(fromByteOffset: 20, as: UInt32.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: UInt32(newValue), toByteOffset: 20, as: UInt32.self)
        }
    }

    @inline(__always)
    private var density: Int {
        get { Int(unsafe raw.load(fromByteOffset: 24, as: UInt32.self)) }
        nonmutating set {
            unsafe raw.storeBytes(of: UInt32(newValue), toByteOffset: 24, as: UInt32.self)
        }
    }

    private var densityCount: Int {
        get { unsafe raw.load(fromByteOffset: 32, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 32, as: Int.self) }
    }

    @inline(__always)
    private var allocatedBytes: Int {
        get { unsafe raw.load(fromByteOffset: 40, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 40, as: Int.self) }
    }

    /// No field's deadline, in Unix ms, is earlier; `Int64.max` if no field has one.
    public private(set) var deadlineMin: Int64 {
        get { unsafe raw.load(fromByteOffset: 48, as: Int64.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 48, as: Int64.self) }
    }

    /// How many fields have a deadline.
    public private(set) var deadlineCount: Int {
        get { unsafe raw.load(fromByteOffset: 56, as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 56, as: Int.self) }
    }

    /// Bytes of memory that the table holds.
    public var memoryBytes: Int {
        MemberPage.allocationClass(Self.headerBytes + 8 << depth) + allocatedBytes
    }

    @inline(__always)
    private func page(_ index: Int) -> MemberPage {
        let address = unsafe raw.load(
            fromByteOffset: Self.headerBytes &+ index &* 8, as: UInt.self)
        return unsafe MemberPage(
            UnsafeMutableRawPointer(bitPattern: address).unsafelyUnwrapped)
    }

    @inline(__always)
    private func setPage(_ index: Int, _ page: MemberPage) {
        unsafe raw.storeBytes(
            of: UInt(bitPattern: page.raw), toByteOffset: Self.headerBytes &+ index &* 8,
            as: UInt.self)
    }

    /// How many places in the directory the page has, as a power of two.
    @inline(__always)
    private func span(_ page: MemberPage) -> Int { depth &- page.depth }

    @inline(__always)
    private func index(of hash: UInt64) -> Int {
        // A shift by 64, for the directory of one entry, has to give 0.
        Int(truncatingIfNeeded: (hash &>> 1) &>> UInt64(truncatingIfNeeded: 63 &- depth))
    }

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash & 0xFFFF) }

    // MARK: Looking up

    /// The record of `member`, whose hash is `hash`.
    @inline(__always)
    public func find(_ hash: UInt64, _ member: ByteSlice) -> MemberRecord? {
        let hasValues = hasValues
        let page = page(index(of: hash))
        guard let index = page.find(Self.tag(hash), member, hasValues: hasValues) else {
            return nil
        }
        return page.record(index, hasValues: hasValues)
    }

    @inline(__always)
    public func contains(_ hash: UInt64, _ member: ByteSlice) -> Bool {
        page(index(of: hash)).find(Self.tag(hash), member, hasValues: hasValues) != nil
    }

    /// A look-up to come, worked out ahead so that memory can be asked for in steps, for many look-ups side by side.
    ///
    /// For a moment only: nothing may change between the steps.
    @safe
    public struct Lookup {
        private let root: UnsafeMutableRawPointer?
        private let hash: UInt64

        /// None.
        @inline(__always)
        public init() {
            unsafe root = nil
            hash = 0
        }

        @inline(__always)
        init(_ table: MemberTable, _ hash: UInt64) {
            unsafe root = table.raw
            self.hash = hash
        }

        @inline(__always)
        private var page: MemberPage? {
            // SAFETY: the root is that of a live table, by the type's rule.
            guard let root = unsafe root else { return nil }
            let table = unsafe MemberTable(root)
            return table.page(table.index(of: hash))
        }

        @inline(__always)
        public func prefetchPage() {
            if let page { unsafe hf_prefetch(page.raw) }
        }

        @inline(__always)
        public func prefetchSlot() { page?.prefetchSlot(MemberTable.tag(hash)) }

        @inline(__always)
        public func prefetchRecord() { page?.prefetchRecord(MemberTable.tag(hash)) }
    }

    // MARK: Changing

    /// Makes the root private to the present.
    @inline(__always)
    private mutating func makeRootWritable(_ epochs: inout EpochClock) {
        if _fastPath(epoch > epochs.frozen) { return }
        copyRoot(&epochs)
    }

    private mutating func copyRoot(_ epochs: inout EpochClock) {
        let old = unsafe raw
        let bytes = Self.headerBytes + 8 << depth
        unsafe raw = Self.allocate(depth: depth)
        unsafe _ = memcpy(raw, old, bytes)
        unsafe raw.storeBytes(of: epochs.current, as: UInt32.self)
        unsafe epochs.release(old, bornIn: old.load(as: UInt32.self))
    }

    /// Lets every directory entry of `page`'s range, in which `index` lies, name it.
    private func point(_ index: Int, at page: MemberPage) {
        let span = span(page)
        let first = (index >> span) << span
        for place in first..<first + 1 << span { setPage(place, page) }
    }

    /// Puts a copy of `page`, in a block of `room` bytes, in its place.
    private func replace(
        _ index: Int, _ page: MemberPage, room: Int, _ epochs: inout EpochClock
    ) -> MemberPage {
        let copy = page.copy(room: room, epoch: epochs.current, hasValues: hasValues)
        point(index, at: copy)
        allocatedBytes += room
        page.release(&epochs, &allocatedBytes)
        return copy
    }

    /// The page at `index`, private to the present.
    @inline(__always)
    private func writablePage(_ index: Int, _ epochs: inout EpochClock) -> MemberPage {
        let page = page(index)
        if _fastPath(page.epoch > epochs.frozen) { return page }
        return replace(index, page, room: page.room, &epochs)
    }

    /// The page for `hash`, private to the present and with `bytes` free bytes.
    private mutating func makeRoom(
        _ hash: UInt64, bytes: Int, _ epochs: inout EpochClock, _ hasher: ByteHash
    ) -> MemberPage {
        var page = page(index(of: hash))
        var needed = MemberPage.headerBytes + page.liveBytes + bytes
        while needed > Self.splitBytes, page.count >= Self.splitCountMin,
            page.depth < Self.depthMax
        {
            split(hash, page, &epochs, hasher)
            page = self.page(index(of: hash))
            needed = MemberPage.headerBytes + page.liveBytes + bytes
        }
        if page.freeBytes >= bytes && page.epoch > epochs.frozen { return page }
        var room = MemberPage.allocationClass(needed)
        // Where little is dead, clearing it out gives room for a few records only: better to grow, so that
        // adding and removing in turn doesn't copy the page each time.
        if page.deadBytes > 0, room - needed < room / 32, room < Self.splitBytes {
            room = MemberPage.allocationClass(room + 1)
        }
        return replace(index(of: hash), page, room: room, &epochs)
    }

    /// Replaces a page by two, one for each value of the next bit of the hash.
    private mutating func split(
        _ hash: UInt64, _ page: MemberPage, _ epochs: inout EpochClock, _ hasher: ByteHash
    ) {
        let local = page.depth + 1
        if local > depth { doubleDirectory(&epochs) }
        let (low, high) = divide(page, epochs.current, hasher)
        let span = depth - local
        let first = (index(of: hash) >> (span + 1)) << (span + 1)
        point(first, at: low)
        point(first + 1 << span, at: high)
        pageCount += 1
        if local == depth { deepestCount += 2 }
        raiseDensity(low)
        raiseDensity(high)
        page.release(&epochs, &allocatedBytes)
    }

    private func divide(
        _ page: MemberPage, _ epoch: UInt32, _ hasher: ByteHash
    ) -> (low: MemberPage, high: MemberPage) {
        let hasValues = hasValues
        let count = page.count
        let shift = UInt64(63 - page.depth)
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { sides in
            var bytes: (low: Int, high: Int) = (0, 0)
            for slot in 0..<count {
                let record = page.record(slot, hasValues: hasValues)
                let side = UInt8(truncatingIfNeeded: hasher.hash(record.member) >> shift) & 1
                unsafe sides.initializeElement(at: slot, to: side)
                let size = record.bytes + MemberPage.slotBytes
                if side == 0 { bytes.low += size } else { bytes.high += size }
            }
            let low = makePage(bytes.low, depth: page.depth + 1, epoch)
            let high = makePage(bytes.high, depth: page.depth + 1, epoch)
            for slot in 0..<count {
                let record = page.record(slot, hasValues: hasValues)
                unsafe (sides[slot] == 0 ? low : high).append(record, tag: page.tag(slot))
            }
            low.deadlineMin = page.deadlineMin
            high.deadlineMin = page.deadlineMin
            return (low, high)
        }
    }

    private func makePage(_ bytes: Int, depth: Int, _ epoch: UInt32) -> MemberPage {
        let room = MemberPage.allocationClass(MemberPage.headerBytes + bytes)
        allocatedBytes += room
        return MemberPage.make(room: room, depth: depth, epoch: epoch)
    }

    private mutating func doubleDirectory(_ epochs: inout EpochClock) {
        let size = 1 << depth
        let new = unsafe Self(Self.allocate(depth: depth + 1))
        for place in 0..<size {
            let page = page(place)
            new.setPage(place * 2, page)
            new.setPage(place * 2 + 1, page)
        }
        adopt(new, &epochs)
        deepestCount = 0
        density = (density + 1) / 2
    }

    /// Halves the directory as long as it is far larger than needed.
    private mutating func shrinkDirectory(_ epochs: inout EpochClock) {
        while deepestCount == 0, depth > 0, pageCount * 4 <= 1 << depth {
            let new = unsafe Self(Self.allocate(depth: depth - 1))
            var deepest = 0
            for place in 0..<1 << (depth - 1) {
                let page = page(place * 2)
                new.setPage(place, page)
                if page.depth == depth - 1 { deepest += 1 }
            }
            adopt(new, &epochs)
            deepestCount = deepest
            findDensity()
        }
    }

    /// Goes on with the root `new`, which has a directory but no header yet.
    private mutating func adopt(_ new: MemberTable, _ epochs: inout EpochClock) {
        let old = self
        let depth = UInt8(new.depth)
        unsafe raw = new.raw
        unsafe _ = memcpy(raw, old.raw, Self.headerBytes)
        unsafe raw.storeBytes(of: epochs.current, as: UInt32.self)
        unsafe raw.storeBytes(of: depth, toByteOffset: 4, as: UInt8.self)
        unsafe epochs.release(old.raw, bornIn: old.epoch)
    }

    @inline(__always)
    private func density(of page: MemberPage) -> Int {
        let span = span(page)
        return (page.count &+ (1 << span) &- 1) >> span
    }

    @inline(__always)
    private func raiseDensity(_ page: MemberPage) {
        let found = density(of: page)
        if found > density {
            density = found
            densityCount = count
        }
    }

    /// Finds the density anew, where much has been removed.
    private func findDensity() {
        var found = 1
        forEachPage { page in found = max(found, density(of: page)) }
        density = found
        densityCount = count
    }

    /// Adds a member unless it is there.
    ///
    /// - Parameter value: what the field gets if the table has values; nil otherwise.
    /// - Returns: whether it was added.
    @inline(__always)
    @discardableResult
    public mutating func insert(
        _ hash: UInt64, _ member: ByteSlice, value: ByteSlice? = nil, deadline: Int64? = nil,
        _ epochs: inout EpochClock, _ hasher: ByteHash
    ) -> Bool {
        let hasValues = hasValues
        assert(hasValues == (value != nil), "a table has values or it has none")
        let tag = Self.tag(hash)
        var page = page(index(of: hash))
        var slot = page.lowerBound(tag)
        let pageCount = page.count
        while slot < pageCount, page.tag(slot) == tag {
            if page.record(slot, hasValues: hasValues).member == member { return false }
            slot &+= 1
        }
        makeRootWritable(&epochs)
        let bytes = MemberRecord.bytes(
            member: member, value: value, hasDeadline: deadline != nil)
        if _slowPath(
            page.freeBytes < bytes + MemberPage.slotBytes || page.epoch <= epochs.frozen)
        {
            page = makeRoom(hash, bytes: bytes + MemberPage.slotBytes, &epochs, hasher)
            slot = page.lowerBound(tag)
        }
        let record = page.open(slot, tag: tag, bytes: bytes, hasValues: hasValues)
        record.fill(
            member: member, value: value, deadline: deadline, epoch: epochs.current,
            &allocatedBytes)
        count &+= 1
        raiseDensity(page)
        if let deadline { noteDeadline(deadline, page) }
        return true
    }

    private func noteDeadline(_ deadline: Int64, _ page: MemberPage) {
        deadlineCount += 1
        page.deadlineMin = min(page.deadlineMin, deadline)
        deadlineMin = min(deadlineMin, deadline)
    }

    /// Sets a field, which gets this deadline or none.
    ///
    /// - Returns: whether the field is new.
    @inline(__always)
    @discardableResult
    public mutating func set(
        _ hash: UInt64, _ member: ByteSlice, to value: ByteSlice, deadline: Int64? = nil,
        _ epochs: inout EpochClock, _ hasher: ByteHash
    ) -> Bool {
        assert(hasValues, "a table has values or it has none")
        let tag = Self.tag(hash)
        let place = index(of: hash)
        guard let slot = page(place).find(tag, member, hasValues: true) else {
            insert(hash, member, value: value, deadline: deadline, &epochs, hasher)
            return true
        }
        makeRootWritable(&epochs)
        let page = writablePage(place, &epochs)
        let record = page.record(slot, hasValues: true)
        if _fastPath(deadline == nil && !record.hasDeadline),
            let freed = record.overwriteValue(value)
        {
            page.deadBytes += freed
            return false
        }
        drop(page, slot, &epochs)
        insert(hash, member, value: value, deadline: deadline, &epochs, hasher)
        return false
    }

    /// Gives a field another deadline, or takes it away.
    ///
    /// - Returns: whether there is such a field.
    @discardableResult
    public mutating func setDeadline(
        _ hash: UInt64, _ member: ByteSlice, to deadline: Int64?, _ epochs: inout EpochClock,
        _ hasher: ByteHash
    ) -> Bool {
        let tag = Self.tag(hash)
        let place = index(of: hash)
        guard let slot = page(place).find(tag, member, hasValues: hasValues) else { return false }
        makeRootWritable(&epochs)
        let page = writablePage(place, &epochs)
        let record = page.record(slot, hasValues: hasValues)
        switch (record.hasDeadline, deadline) {
        case (false, nil): break
        case (true, let deadline?):
            record.overwriteDeadline(deadline)
            deadlineCount -= 1
            noteDeadline(deadline, page)
        case (true, nil):
            record.dropDeadline()
            page.deadBytes += 8
            deadlineCount -= 1
        case (false, let deadline?):
            // The record moves, and its bytes may be freed with it: carry them over.
            let member = member.copyToArray()
            let value = hasValues ? record.value.copyToArray() : nil
            drop(page, slot, &epochs)
            member.withSlice { member in
                if let value {
                    value.withSlice {
                        _ = insert(hash, member, value: $0, deadline: deadline, &epochs, hasher)
                    }
                } else {
                    insert(hash, member, deadline: deadline, &epochs, hasher)
                }
            }
        }
        return true
    }

    /// Takes a record out of a page of the present, and leaves the page as large as it is.
    @inline(__always)
    private func drop(_ page: MemberPage, _ slot: Int, _ epochs: inout EpochClock) {
        let record = page.record(slot, hasValues: hasValues)
        if record.hasDeadline { deadlineCount -= 1 }
        let bytes = record.bytes
        record.releaseOutside(&epochs, &allocatedBytes)
        page.close(slot, bytes: bytes)
        count &-= 1
    }

    /// Removes a member; it may be a slice of this very table, which then is no longer valid.
    ///
    /// - Returns: whether it was there.
    @inline(__always)
    @discardableResult
    public mutating func remove(
        _ hash: UInt64, _ member: ByteSlice, _ epochs: inout EpochClock
    ) -> Bool {
        let place = index(of: hash)
        guard let slot = page(place).find(Self.tag(hash), member, hasValues: hasValues) else {
            return false
        }
        makeRootWritable(&epochs)
        let page = writablePage(place, &epochs)
        drop(page, slot, &epochs)
        if _slowPath(isLoose(page)) { settle(hash, &epochs) }
        return true
    }

    /// Whether so much of the page is unused that it should move into a smaller block.
    @inline(__always)
    private func isLoose(_ page: MemberPage) -> Bool {
        page.room &- MemberPage.headerBytes &- page.liveBytes > page.room / 4 &+ 32
    }

    /// Makes the page for `hash` smaller, from which something was removed: joined with its sibling if both are
    /// small, or in a shorter block.
    private mutating func settle(_ hash: UInt64, _ epochs: inout EpochClock) {
        var page = page(index(of: hash))
        while page.depth > 0, page.liveBytes <= Self.joinBytes / 2 {
            let span = span(page)
            let own = index(of: hash) >> span
            let sibling = self.page((own ^ 1) << span)
            guard sibling.depth == page.depth,
                MemberPage.headerBytes + page.liveBytes + sibling.liveBytes <= Self.joinBytes
            else { break }
            let joined = join(page, sibling, epochs.current)
            if page.depth == depth { deepestCount -= 2 }
            pageCount -= 1
            point(own << span, at: joined)
            page.release(&epochs, &allocatedBytes)
            sibling.release(&epochs, &allocatedBytes)
            page = joined
        }
        if isLoose(page) {
            _ = replace(
                index(of: hash), page,
                room: MemberPage.allocationClass(MemberPage.headerBytes + page.liveBytes), &epochs)
        }
        shrinkDirectory(&epochs)
        if count < densityCount / 2 { findDensity() }
    }

    /// A page with the records of two siblings, in order of their tags.
    private func join(_ left: MemberPage, _ right: MemberPage, _ epoch: UInt32) -> MemberPage {
        let hasValues = hasValues
        let joined = makePage(
            left.liveBytes + right.liveBytes, depth: left.depth - 1, epoch)
        var other = 0
        for slot in 0..<left.count {
            let tag = left.tag(slot)
            while other < right.count, right.tag(other) < tag {
                joined.append(right.record(other, hasValues: hasValues), tag: right.tag(other))
                other += 1
            }
            joined.append(left.record(slot, hasValues: hasValues), tag: tag)
        }
        while other < right.count {
            joined.append(right.record(other, hasValues: hasValues), tag: right.tag(other))
            other += 1
        }
        joined.deadlineMin = min(left.deadlineMin, right.deadlineMin)
        return joined
    }

    /// Removes up to `limit` fields whose deadline has come, after showing each to `body`; call again if it were
    /// as many.
    ///
    /// Looks at every page's header: for a bounded number of times per second.
    public mutating func removeDue(
        at now: Int64, limit: Int, _ epochs: inout EpochClock, _ body: (MemberRecord) -> Void
    ) -> Int {
        guard deadlineMin < now else { return 0 }
        makeRootWritable(&epochs)
        var removed = 0
        var earliest = Int64.max
        var prefix: UInt64 = 0
        while true {
            var page = page(index(of: prefix))
            let local = page.depth
            if page.deadlineMin < now {
                page = writablePage(index(of: prefix), &epochs)
                removed += removeDue(page, at: now, limit: limit - removed, &epochs, body)
            }
            earliest = min(earliest, page.deadlineMin)
            if isLoose(page) { settle(prefix, &epochs) }
            guard local > 0 else { break }
            // The page may be the join of one seen before: its range begins at a multiple of its size.
            let size = UInt64(1) << UInt64(64 - local)
            let (next, isOver) = (prefix & ~(size - 1)).addingReportingOverflow(size)
            if isOver { break }
            prefix = next
        }
        deadlineMin = earliest
        return removed
    }

    private func removeDue(
        _ page: MemberPage, at now: Int64, limit: Int, _ epochs: inout EpochClock,
        _ body: (MemberRecord) -> Void
    ) -> Int {
        var removed = 0
        var earliest = Int64.max
        var slot = page.count
        while slot > 0 {
            slot -= 1
            let record = page.record(slot, hasValues: hasValues)
            guard let deadline = record.deadline else { continue }
            if deadline < now, removed < limit {
                body(record)
                drop(page, slot, &epochs)
                removed += 1
            } else {
                earliest = min(earliest, deadline)
            }
        }
        page.deadlineMin = earliest
        return removed
    }

    // MARK: Walking

    @inline(__always)
    private func forEachPage<E: Error>(_ body: (MemberPage) throws(E) -> Void) throws(E) {
        var place = 0
        while place < 1 << depth {
            let page = page(place)
            place += 1 << span(page)
            try body(page)
        }
    }

    /// Calls `body` with every record, in no order; the table must not change meanwhile.
    @inline(__always)
    public func forEach<E: Error>(_ body: (MemberRecord) throws(E) -> Void) throws(E) {
        let hasValues = hasValues
        try forEachPage { (page) throws(E) in
            for slot in 0..<page.count { try body(page.record(slot, hasValues: hasValues)) }
        }
    }

    /// One step of a scan: calls `body` with some records, and returns the cursor to go on with, 0 when done.
    ///
    /// Every member that is there from the first step to the last is given at least once, whatever happens to
    /// the table meanwhile. The cursor holds the position as a prefix of the hash, a tag within the page, and
    /// the page's depth when the cursor was made: if the page has since been joined with its sibling, the
    /// joined page is walked from its start.
    ///
    /// - Parameters:
    ///   - cursor: 0, or what an earlier step returned; anything else gives some valid position.
    ///   - wanted: the step ends once so many records were given.
    public func scan<E: Error>(
        from cursor: UInt64, wanted: Int, _ body: (MemberRecord) throws(E) -> Void
    ) throws(E) -> UInt64 {
        let hasValues = hasValues
        // Cursor: depth in bits 0..<6, tag in 6..<22, the hash's top 32 bits in 22..<54.
        var tag = UInt32(truncatingIfNeeded: cursor >> 6) & 0xFFFF
        var prefix = (cursor >> 22) << 32
        var given = 0
        // Pages are hardly ever empty; if they are, a step must not take long all the same.
        var pagesLeft = 64 + min(wanted, 1 << 32)
        var isFirst = true
        while true {
            let page = page(index(of: prefix))
            let local = page.depth
            if isFirst {
                isFirst = false
                if local < Int(cursor & 63) { tag = 0 }
                prefix = local == 0 ? 0 : (prefix >> UInt64(64 - local)) << UInt64(64 - local)
            }
            var slot = page.lowerBound(tag)
            while slot < page.count {
                let found = page.tag(slot)
                // All records of one tag come in one step: the cursor can't stand between them.
                if given >= wanted, slot == 0 || page.tag(slot - 1) != found {
                    return (prefix >> 32) << 22 | UInt64(found) << 6 | UInt64(local)
                }
                try body(page.record(slot, hasValues: hasValues))
                given += 1
                slot += 1
            }
            guard local > 0 else { return 0 }
            let (next, isOver) = prefix.addingReportingOverflow(1 << UInt64(64 - local))
            if isOver { return 0 }
            prefix = next
            tag = 0
            pagesLeft -= 1
            if given >= wanted || pagesLeft <= 0 {
                return (prefix >> 32) << 22
            }
        }
    }

    /// A record, each as likely as any other.
    public func random(_ next: () -> UInt64) -> MemberRecord? {
        let count = count
        guard count > 0 else { return nil }
        // A page has 2^span places in the directory, and the one at distance k from the first stands for its
        // records k, k + 2^span, and so on: at most `density` of them. So a random place and a random number
        // below the density name each record with the same probability, and often none.
        for _ in 0..<256 {
            let bits = next()
            let place = index(of: bits)
            let page = page(place)
            let span = span(page)
            let step = Int(((bits & 0xFFFF_FFFF) &* UInt64(density)) >> 32)
            let slot = step << span | place & (1 << span &- 1)
            if slot < page.count { return page.record(slot, hasValues: hasValues) }
        }
        // Somebody has removed all but a few neighbours in the order of hashes: count the pages off.
        var left = Int(next().multipliedFullWidth(by: UInt64(count)).high)
        var place = 0
        while place < 1 << depth {
            let page = page(place)
            if left < page.count { return page.record(left, hasValues: hasValues) }
            left -= page.count
            place += 1 << span(page)
        }
        preconditionFailure("the table has fewer members than it counts")
    }

    // MARK: Copying and releasing

    /// A table with the same content, for another key.
    func copy(_ epoch: UInt32) -> MemberTable {
        let bytes = Self.headerBytes + 8 << depth
        let twin = unsafe Self(Self.allocate(depth: depth))
        unsafe _ = memcpy(twin.raw, raw, bytes)
        unsafe twin.raw.storeBytes(of: epoch, as: UInt32.self)
        twin.allocatedBytes = 0
        var place = 0
        while place < 1 << depth {
            let page = page(place)
            let room = MemberPage.allocationClass(MemberPage.headerBytes + page.liveBytes)
            let copy = page.copy(room: room, epoch: epoch, hasValues: hasValues)
            twin.allocatedBytes += room
            for slot in 0..<copy.count {
                copy.record(slot, hasValues: hasValues).copyOutside(epoch, &twin.allocatedBytes)
            }
            twin.point(place, at: copy)
            place += 1 << span(page)
        }
        return twin
    }

    /// Releases the root, after giving every page to `body`.
    func releaseRoot(_ epochs: inout EpochClock, _ body: (UnsafeMutableRawPointer) -> Void) {
        forEachPage { unsafe body($0.raw) }
        unsafe epochs.release(raw, bornIn: epoch)
    }

    /// Releases a page with all bytes outside of it.
    static func releasePage(
        _ raw: UnsafeMutableRawPointer, hasValues: Bool, _ epochs: inout EpochClock
    ) {
        let page = unsafe MemberPage(raw)
        var allocated = 0
        for slot in 0..<page.count {
            page.record(slot, hasValues: hasValues).releaseOutside(&epochs, &allocated)
        }
        page.release(&epochs, &allocated)
    }

    // MARK: Checking

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    func checkInvariants(_ hasher: ByteHash) {
        var members = 0
        var pages = 0
        var deepest = 0
        var bytes = 0
        var deadlines = 0
        var place = 0
        while place < 1 << depth {
            let page = page(place)
            let local = page.depth
            precondition(local <= depth && local <= Self.depthMax, "page deeper than directory")
            let size = 1 << (depth - local)
            precondition(place % size == 0, "page's range is not aligned")
            for other in place..<place + size {
                precondition(
                    unsafe self.page(other).raw == page.raw,
                    "directory entry \(other) names another page")
            }
            precondition(density >= density(of: page), "a page is denser than the density")
            precondition(page.deadlineMin >= deadlineMin, "a page's earliest deadline is missed")
            checkPage(page, prefix: UInt64(place >> (depth - local)), hasher, &bytes, &deadlines)
            members += page.count
            pages += 1
            deepest += local == depth ? 1 : 0
            place += size
        }
        precondition(members == count, "\(members) members, counted \(count)")
        precondition(pages == pageCount, "\(pages) pages, counted \(pageCount)")
        precondition(deepest == deepestCount, "\(deepest) deepest, counted \(deepestCount)")
        precondition(deadlines == deadlineCount, "\(deadlines) deadlines, not \(deadlineCount)")
        precondition(bytes == allocatedBytes, "\(bytes) bytes, counted \(allocatedBytes)")
    }

    private func checkPage(
        _ page: MemberPage, prefix: UInt64, _ hasher: ByteHash, _ bytes: inout Int,
        _ deadlines: inout Int
    ) {
        bytes += page.room
        precondition(page.freeBytes >= 0, "slots and records overlap")
        precondition(
            page.room == MemberPage.allocationClass(page.room), "a page wastes what it could use")
        var live = 0
        for slot in 0..<page.count {
            let record = page.record(slot, hasValues: hasValues)
            let hash = hasher.hash(record.member)
            precondition(page.tag(slot) == Self.tag(hash), "slot's tag is not its member's")
            precondition(slot == 0 || page.tag(slot - 1) <= page.tag(slot), "slots out of order")
            precondition(
                page.depth == 0 || hash >> UInt64(64 - page.depth) == prefix,
                "member in the wrong page")
            let found = find(hash, record.member)
            precondition(
                unsafe found?.raw == record.raw,
                "a record can't be reached, or its member is there twice")
            live += record.bytes
            record.forEachOutside { bytes += $0.allocatedBytes }
            if let deadline = record.deadline {
                deadlines += 1
                precondition(deadline >= page.deadlineMin, "deadline before the page's earliest")
            }
        }
        precondition(live == page.recordBytes - page.deadBytes, "page miscounts its bytes")
    }
}
