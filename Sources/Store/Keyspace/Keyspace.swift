internal import Glibc
public import HoldfastBytes

/// The hash and bytes of a key: what every door of the keyspace takes.
public struct HashedKey {
    public let bytes: ByteSlice
    public let hash: UInt64

    @inlinable
    public init(_ bytes: ByteSlice, hash: UInt64) {
        self.bytes = bytes
        self.hash = hash
    }
}

/// What happens to a key's deadline when its value is set.
public enum DeadlineChange {
    case clear
    case keep
    case set(Int64)
}

/// All keys of all databases. Its methods are the only doors that change a key.
///
/// Pure memory: no clock (times are passed in, expiry is the caller's decision), no files, no locks; one
/// thread owns it. `version` rises with every change, which is how the dispatcher knows that a command
/// changed something; `touched` names the keys, for WATCH and for the reply gate.
@safe
public struct Keyspace: ~Copyable {
    private let databases: UnsafeMutablePointer<NumberedDatabase>
    public let databaseCount: Int
    public internal(set) var epochs = EpochClock()
    public let hasher: ByteHash

    /// Rises with every change of any key.
    public private(set) var version: UInt64 = 0
    /// While set, every changed key's `touchMark` is appended to `touched`.
    public var recordsTouched = false
    /// Marks of keys changed since the list was last emptied.
    public private(set) var touched: [UInt64] = []
    /// A database was emptied or exchanged since then: any key may have changed, and of those only the
    /// watched ones are in `touched`.
    public private(set) var hasTouchedAll = false
    /// While set, the hash of every changed key is appended to `touchedHashes`, whatever its database.
    public var recordsHashes = false
    public private(set) var touchedHashes: [UInt64] = []
    /// While set, `newKeys` lists the keys that came into being.
    public var recordsNewKeys = false
    public private(set) var newKeys: [NewKey] = []
    private var newKeyBytes = ByteBuffer()

    /// A key that wasn't there before.
    public struct NewKey {
        public let database: Int
        fileprivate let start: Int
        fileprivate let count: Int
    }

    /// Marks that somebody watches: what emptying and exchanging databases looks for. The caller keeps it
    /// current while `recordsTouched` is set.
    public var watchedMarks: [UInt64] = []

    /// What access tracking writes into an entry when it is made or used; the caller keeps it current.
    public var accessNow: UInt32 = 0
    /// A new value takes over what access tracking knows of the key: accesses are counted, not timed.
    public var keepsAccess = false

    /// Emptied databases whose memory is given back bit by bit, the oldest first.
    private var detached: [DetachedDatabase] = []
    /// Parts of removed values on their way out.
    var removedValues = ReleaseStack()
    /// Where a packed value that lies inside its entry is edited.
    var scratch = PackedBlock.make(payload: ByteSlice(), room: 1024, epoch: .max)

    public init(databases count: Int, seed: UInt64) {
        self.init(databases: count, hasher: ByteHash(seed: seed))
    }

    /// An empty one that hashes as another does, so that hashes and marks of keys mean the same in both.
    public init(databases count: Int, hasher: ByteHash) {
        precondition(count > 0)
        unsafe databases = .allocate(capacity: count)
        for index in 0..<count { unsafe (databases + index).initialize(to: NumberedDatabase()) }
        databaseCount = count
        self.hasher = hasher
    }

    /// Goes on in the place of `other`: changes count on, and the same of them is recorded.
    public mutating func takePlace(of other: borrowing Keyspace) {
        precondition(frozenCount == 0 && other.frozenCount == 0, "a frozen keyspace is replaced")
        version = other.version &+ version &+ 1
        recordsTouched = other.recordsTouched
        recordsHashes = other.recordsHashes
        recordsNewKeys = other.recordsNewKeys
        watchedMarks = other.watchedMarks
        accessNow = other.accessNow
        keepsAccess = other.keepsAccess
        forgetTouched()
        forgetNewKeys()
    }

    private var frozenCount: Int { epochs.liveCount }

    deinit {
        var values = ReleaseStack()
        var none = EpochClock()
        for database in detached { _ = database.freeSome(.max, values: &values) }
        for index in 0..<databaseCount {
            var next: Int? = 0
            while let page = next {
                unsafe next = databases[index].table.freePage(at: page, values: &values).next
            }
        }
        values.releaseSome(.max, &none)
        var removed = removedValues
        removed.releaseSome(.max, &none)
        unsafe free(scratch.raw)
        unsafe databases.deinitialize(count: databaseCount)
        unsafe databases.deallocate()
    }

    @inline(__always)
    public func hash(_ key: ByteSlice) -> UInt64 { hasher.hash(key) }

    @inline(__always)
    public func hashed(_ key: ByteSlice) -> HashedKey { HashedKey(key, hash: hasher.hash(key)) }

    /// A key's mark in `touched`: its hash, told apart by database.
    @inline(__always)
    public static func touchMark(_ hash: UInt64, database: Int) -> UInt64 {
        hash &+ UInt64(truncatingIfNeeded: database) &* 0x9E37_79B9_7F4A_7C15
    }

    @inline(__always)
    mutating func didChange(_ hash: UInt64, _ database: Int) {
        version &+= 1
        if _slowPath(recordsTouched) {
            touched.append(Self.touchMark(hash, database: database))
            if recordsHashes { touchedHashes.append(hash) }
        }
    }

    /// Valid until new keys are forgotten or another one comes.
    public func newKeyBytes(_ key: NewKey) -> ByteSlice {
        newKeyBytes.slice.slice(key.start..<key.start + key.count)
    }

    public mutating func forgetNewKeys() {
        if newKeys.isEmpty { return }
        newKeys.removeAll(keepingCapacity: true)
        newKeyBytes.removeAll()
    }

    private mutating func noteNew(_ key: ByteSlice, _ database: Int) {
        newKeys.append(NewKey(database: database, start: newKeyBytes.count, count: key.count))
        newKeyBytes.append(key)
    }

    public mutating func forgetTouched() {
        touched.removeAll(keepingCapacity: true)
        touchedHashes.removeAll(keepingCapacity: true)
        hasTouchedAll = false
    }

    /// Walks everything and stops the process at the first thing that doesn't agree; for tests.
    public func checkInvariants() {
        for database in 0..<databaseCount {
            unsafe databases[database].table.checkInvariants(hasher)
            unsafe databases[database].deadlines.checkInvariants()
            var expected: [DeadlineIndex.Pair] = []
            var fields: [DeadlineIndex.Pair] = []
            unsafe databases[database].fieldDeadlines.checkInvariants()
            unsafe databases[database].table.forEach { entry in
                entry.fieldTable?.checkInvariants(hasher)
                if let deadline = entry.fieldDeadlineMin {
                    fields.append(.init(deadline: deadline, hash: hasher.hash(entry.key)))
                }
                if let deadline = entry.deadline {
                    expected.append(.init(deadline: deadline, hash: hasher.hash(entry.key)))
                }
                if entry.encoding == .skiplist {
                    entry.root(SortedSetRoot.self).checkInvariants(epochs, hasher)
                }
            }
            precondition(
                unsafe expected.sorted() == databases[database].deadlines.pairs,
                "the deadline index of database \(database) disagrees with its keys")
            precondition(
                unsafe fields.sorted() == databases[database].fieldDeadlines.pairs,
                "the index of fields' deadlines of database \(database) disagrees with its keys")
        }
    }

    // MARK: Reading

    public func count(_ database: Int) -> Int { unsafe databases[database].table.count }

    /// How many keys of the database have a deadline.
    public func deadlineCount(_ database: Int) -> Int {
        unsafe databases[database].deadlines.count
    }

    /// Bytes of memory held by a database's directory and pages.
    public func tableBytes(_ database: Int) -> Int {
        unsafe databases[database].table.memoryBytes
    }

    /// Bytes of memory held by a database's index of deadlines.
    public func deadlineBytes(_ database: Int) -> Int {
        unsafe databases[database].deadlines.memoryBytes
            + databases[database].fieldDeadlines.memoryBytes
    }

    public func pageCount(_ database: Int) -> Int { unsafe databases[database].table.pageCount }

    @inline(__always)
    public func prefetchSlot(_ hash: UInt64, _ database: Int) {
        unsafe databases[database].table.prefetchSlot(hash)
    }

    @inline(__always)
    public func prefetchEntry(_ hash: UInt64, _ database: Int) {
        unsafe databases[database].table.prefetchEntry(hash)
    }

    /// The look-up of a member in the set, or of a field in the hash, that `key` holds; none if it is no table.
    @inline(__always)
    public func lookup(
        _ member: ByteSlice, _ key: HashedKey, _ database: Int
    ) -> MemberTable.Lookup {
        guard let entry = find(key, database), entry.encoding == .hashtable else {
            return MemberTable.Lookup()
        }
        return MemberTable.Lookup(entry.root(MemberTable.self), hasher.hash(member))
    }

    /// The key's entry, expired or not.
    @inline(__always)
    public func find(_ key: HashedKey, _ database: Int) -> Entry? {
        unsafe databases[database].table.find(key.hash, key.bytes)
    }

    /// Calls `body` with every entry of the database; nothing may change meanwhile.
    public func forEach<E: Error>(
        _ database: Int, _ body: (Entry) throws(E) -> Void
    ) throws(E) {
        try unsafe databases[database].table.forEach(body)
    }

    /// One step of SCAN; see `Table.scan` for what the cursor promises.
    public func scan<E: Error>(
        _ database: Int, from cursor: UInt64, wanted: Int, _ body: (Entry) throws(E) -> Void
    ) throws(E) -> UInt64 {
        try unsafe databases[database].table.scan(from: cursor, wanted: wanted, body)
    }

    public func random(_ database: Int, _ next: () -> UInt64) -> Entry? {
        unsafe databases[database].table.random(next)
    }

    /// Some key whose deadline has passed, the one due first.
    public func firstDue(_ database: Int, at now: Int64) -> Entry? {
        guard let pair = unsafe databases[database].deadlines.first, pair.deadline < now else {
            return nil
        }
        let entry = unsafe databases[database].table.find(pair.hash, hasher: hasher) {
            $0.deadline == pair.deadline
        }
        precondition(entry != nil, "deadline index names a key that is not there")
        return entry
    }

    /// Some key with a hash of which fields may have expired, the one due first.
    public func firstFieldsDue(_ database: Int, at now: Int64) -> Entry? {
        guard let pair = unsafe databases[database].fieldDeadlines.first, pair.deadline < now
        else { return nil }
        let entry = unsafe databases[database].table.find(pair.hash, hasher: hasher) {
            $0.fieldDeadlineMin == pair.deadline
        }
        precondition(entry != nil, "deadline index names a hash that is not there")
        return entry
    }

    /// Keeps the index when the earliest deadline of a hash's fields has changed; `Int64.max` is none.
    mutating func moveFieldDeadline(
        _ hash: UInt64, _ database: Int, from before: Int64, to after: Int64
    ) {
        if before != Int64.max {
            unsafe databases[database].fieldDeadlines.remove(deadline: before, hash: hash)
        }
        if after != Int64.max {
            unsafe databases[database].fieldDeadlines.insert(deadline: after, hash: hash)
        }
    }

    /// The earliest deadline in the database, of a key or of a field.
    public func nextDeadline(_ database: Int) -> Int64? {
        let keys = unsafe databases[database].deadlines.first?.deadline
        guard let fields = unsafe databases[database].fieldDeadlines.first?.deadline else {
            return keys
        }
        return keys.map { min($0, fields) } ?? fields
    }

    // MARK: Strings

    /// Sets a string to `value`, choosing its encoding as Redis does: int where the bytes spell an Int64,
    /// embstr up to 44 bytes, raw beyond.
    @inline(__always)
    public mutating func setString(
        _ key: HashedKey, _ database: Int, to value: ByteSlice, deadline: DeadlineChange
    ) {
        if value.count <= 20, let integer = DecimalText.parse(value) {
            setInteger(key, database, to: integer, deadline: deadline)
            return
        }
        let encoding: Encoding = value.count <= 44 ? .embstr : .raw
        setBytes(key, database, to: value, encoding: encoding, deadline: deadline)
    }

    /// Sets a string to exactly these bytes, with the encoding name given.
    public mutating func setBytes(
        _ key: HashedKey, _ database: Int, to value: ByteSlice, encoding: Encoding,
        deadline: DeadlineChange
    ) {
        let kind = encoding.rawValue << 4
        let old = find(key, database)
        if let old, canOverwrite(old, with: value, deadline) {
            old.setKind(kind)
            old.fillInline(value)
            if _fastPath(!keepsAccess) { old.access = accessNow }
            didChange(key.hash, database)
            return
        }
        let entry = Self.stringEntry(
            key.bytes, kind: kind, value, deadline: resolve(deadline, old), epoch: epochs.current)
        put(entry, over: old, key, database)
    }

    /// A new entry with the bytes of a string.
    @inline(__always)
    static func stringEntry(
        _ key: ByteSlice, kind: UInt8, _ value: ByteSlice, deadline: Int64?, epoch: UInt32
    ) -> Entry {
        guard value.count > Self.inlineMax else {
            let entry = Entry.make(
                key: key, kind: kind, deadline: deadline, word: nil, inlineCount: value.count,
                epoch: epoch)
            entry.fillInline(value)
            return entry
        }
        let blob = Blob.make(room: value.count, epoch: epoch)
        blob.write(value, at: 0)
        blob.count = value.count
        return Entry.make(
            key: key, kind: kind, deadline: deadline, word: blob.address, inlineCount: 0,
            epoch: epoch)
    }

    /// Values longer than this live in a blob of their own: an entry that must be copied stays small.
    static let inlineMax = 1024

    @inline(__always)
    private func canOverwrite(_ old: Entry, with value: ByteSlice, _ deadline: DeadlineChange)
        -> Bool
    {
        guard old.isString, !old.hasWord, old.inlineCount == value.count, old.epoch > epochs.frozen
        else { return false }
        switch deadline {
        case .clear: return !old.hasDeadline
        case .keep: return true
        case .set: return false
        }
    }

    func resolve(_ change: DeadlineChange, _ old: Entry?) -> Int64? {
        switch change {
        case .clear: nil
        case .keep: old?.deadline
        case .set(let deadline): deadline
        }
    }

    public mutating func setInteger(
        _ key: HashedKey, _ database: Int, to value: Int64, deadline: DeadlineChange
    ) {
        setInteger(key, database, over: find(key, database), to: value, deadline: deadline)
    }

    /// As above, over `old`: what `find` gives for the key.
    @inline(__always)
    public mutating func setInteger(
        _ key: HashedKey, _ database: Int, over old: Entry?, to value: Int64,
        deadline: DeadlineChange
    ) {
        let kind = Encoding.int.rawValue << 4
        if let old, old.kind == kind, old.epoch > epochs.frozen {
            let keeps: Bool
            switch deadline {
            case .clear: keeps = !old.hasDeadline
            case .keep: keeps = true
            case .set: keeps = false
            }
            if keeps {
                old.word = UInt64(bitPattern: value)
                if _fastPath(!keepsAccess) { old.access = accessNow }
                didChange(key.hash, database)
                return
            }
        }
        let entry = Entry.make(
            key: key.bytes, kind: kind, deadline: resolve(deadline, old),
            word: UInt64(bitPattern: value), inlineCount: 0, epoch: epochs.current)
        put(entry, over: old, key, database)
    }

    /// Makes the string at least `count` bytes long (zeros at the end) and lets `body` write into it; a
    /// missing key becomes an empty string first. The encoding becomes raw and the deadline stays.
    ///
    /// - Returns: the length afterwards.
    @discardableResult
    public mutating func editString(
        _ key: HashedKey, _ database: Int, growTo count: Int, _ body: (inout StringEditor) -> Void
    ) -> Int {
        let blob = privateBlob(key, database, over: find(key, database), room: count)
        if blob.count < count {
            blob.zero(blob.count..<count)
            blob.count = count
        }
        var editor = StringEditor(blob: blob)
        body(&editor)
        didChange(key.hash, database)
        return blob.count
    }

    /// Sets a string to `count` zero bytes and lets `body` write into it. Until `body` returns, the key and
    /// all others hold what they held, so it may read them. The encoding is raw; no deadline stays.
    public mutating func buildString(
        _ key: HashedKey, _ database: Int, count: Int, _ body: (inout StringEditor) -> Void
    ) {
        let blob = Blob.make(room: count, epoch: epochs.current)
        blob.zero(0..<count)
        blob.count = count
        var editor = StringEditor(blob: blob)
        body(&editor)
        let entry = Entry.make(
            key: key.bytes, kind: Encoding.raw.rawValue << 4, deadline: nil, word: blob.address,
            inlineCount: 0, epoch: epochs.current)
        put(entry, over: find(key, database), key, database)
    }

    /// Appends `value` to the string `old`, which is what `find` gives for the key; amortised O(length of
    /// `value`).
    public mutating func appendString(
        _ key: HashedKey, _ database: Int, over old: Entry, _ value: ByteSlice
    ) -> Int {
        let blob = privateBlob(key, database, over: old, room: old.stringCount + value.count)
        blob.write(value, at: blob.count)
        blob.count += value.count
        didChange(key.hash, database)
        return blob.count
    }

    /// The key's string as a blob that may be written, with room for `room` bytes.
    private mutating func privateBlob(
        _ key: HashedKey, _ database: Int, over old: Entry?, room: Int
    ) -> Blob {
        let kind = Encoding.raw.rawValue << 4
        if let old, let blob = old.blob, blob.epoch > epochs.frozen, old.epoch > epochs.frozen,
            blob.room >= room
        {
            old.setKind(kind)
            if _fastPath(!keepsAccess) { old.access = accessNow }
            return blob
        }
        // Room to grow as Redis gives: double up to 1 MiB, then 1 MiB more; none for the first content.
        var grown = room
        if old != nil { grown = room < 1 << 20 ? room * 2 : room + 1 << 20 }
        let blob = Blob.make(room: max(grown, old?.stringCount ?? 0), epoch: epochs.current)
        if let old {
            if let integer = old.integer {
                var text = ByteBuffer()
                text.append(decimal: integer)
                blob.write(text.slice, at: 0)
                blob.count = text.count
            } else {
                blob.write(old.bytes, at: 0)
                blob.count = old.bytes.count
            }
        }
        let entry = Entry.make(
            key: key.bytes, kind: kind, deadline: old?.deadline, word: blob.address,
            inlineCount: 0, epoch: epochs.current)
        put(entry, over: old, key, database)
        return blob
    }

    // MARK: Any key

    /// Puts `entry` into the table, over `old` if that is what stands there, and keeps the deadline index.
    ///
    /// - Parameter takesValue: `entry` has taken over the value of `old`, of which only the block goes.
    mutating func put(
        _ entry: Entry, over old: Entry?, _ key: HashedKey, _ database: Int,
        takesValue: Bool = false
    ) {
        let base = unsafe databases
        if let old {
            entry.access = keepsAccess ? old.access : accessNow
            let before = old.deadline
            let after = entry.deadline
            if before != after {
                if let before {
                    unsafe base[database].deadlines.remove(deadline: before, hash: key.hash)
                }
                if let after {
                    unsafe base[database].deadlines.insert(deadline: after, hash: key.hash)
                }
            }
            if !takesValue { exchangeFieldDeadline(old, entry, key.hash, database) }
            // The bytes of `key` may be those of `old`, so it goes only after its last use.
            unsafe base[database].table.replace(key.hash, old, with: entry, &epochs)
            didChange(key.hash, database)
            if takesValue {
                unsafe epochs.release(old.raw, bornIn: old.epoch)
            } else {
                release(old)
            }
        } else {
            entry.access = accessNow
            if let deadline = entry.deadline {
                unsafe base[database].deadlines.insert(deadline: deadline, hash: key.hash)
            }
            exchangeFieldDeadline(nil, entry, key.hash, database)
            unsafe base[database].table.insert(key.hash, entry, &epochs, hasher)
            didChange(key.hash, database)
            if _slowPath(recordsNewKeys) { noteNew(key.bytes, database) }
        }
    }

    /// Keeps the index of fields' deadlines when a key's value is exchanged for another.
    @inline(__always)
    private mutating func exchangeFieldDeadline(
        _ old: Entry?, _ new: Entry?, _ hash: UInt64, _ database: Int
    ) {
        let before = old?.fieldDeadlineMin
        let after = new?.fieldDeadlineMin
        if _slowPath(before != after) {
            moveFieldDeadline(hash, database, from: before ?? Int64.max, to: after ?? Int64.max)
        }
    }

    private mutating func release(_ entry: Entry) {
        if _slowPath(entry.hasWord) {
            entry.pushValue(to: &removedValues)
            // Small values go at once, large ones bit by bit.
            removedValues.releaseSome(Self.freedWithKey, &epochs)
        }
        unsafe epochs.release(entry.raw, bornIn: entry.epoch)
    }

    /// So many parts of removed values are freed when a key is removed.
    private static let freedWithKey = 256

    /// Puts `entry` in the place of `old`, whose value it has taken over; not a change of the key.
    mutating func replace(
        _ old: Entry, by entry: Entry, _ key: HashedKey, _ database: Int
    ) {
        let base = unsafe databases
        unsafe base[database].table.replace(key.hash, old, with: entry, &epochs)
        unsafe epochs.release(old.raw, bornIn: old.epoch)
    }

    /// Removes the key; false if it isn't there.
    @discardableResult
    public mutating func remove(_ key: HashedKey, _ database: Int) -> Bool {
        guard let entry = detach(key, database) else { return false }
        release(entry)
        return true
    }

    /// Takes the entry out without releasing it.
    private mutating func detach(_ key: HashedKey, _ database: Int) -> Entry? {
        let base = unsafe databases
        guard
            let entry = unsafe base[database].table.remove(key.hash, key.bytes, &epochs)
        else { return nil }
        if let deadline = entry.deadline {
            unsafe base[database].deadlines.remove(deadline: deadline, hash: key.hash)
        }
        exchangeFieldDeadline(entry, nil, key.hash, database)
        didChange(key.hash, database)
        return entry
    }

    /// Sets or clears a key's deadline; the key must exist.
    public mutating func setDeadline(_ key: HashedKey, _ database: Int, to deadline: Int64?) {
        guard let old = find(key, database) else {
            preconditionFailure("deadline of a missing key")
        }
        if let deadline, let before = old.deadline, old.epoch > epochs.frozen {
            let base = unsafe databases
            unsafe base[database].deadlines.remove(deadline: before, hash: key.hash)
            unsafe base[database].deadlines.insert(deadline: deadline, hash: key.hash)
            old.setDeadlineInPlace(deadline)
            didChange(key.hash, database)
            return
        }
        put(
            takingValue(of: old, key: key.bytes, deadline: deadline), over: old, key, database,
            takesValue: true)
    }

    /// A new entry that takes over the value of `old`, whose block alone is then to be released.
    ///
    /// What lies outside of the entries bears its own epoch, so both may name it while a snapshot sees `old`.
    func takingValue(of old: Entry, key: ByteSlice, deadline: Int64?) -> Entry {
        let entry = Entry.make(
            key: key, kind: old.kind, deadline: deadline, word: old.hasWord ? old.word : nil,
            inlineCount: old.hasWord ? 0 : old.inlineCount, epoch: epochs.current)
        if !old.hasWord { entry.fillInline(old.inlineBytes) }
        entry.access = old.access
        return entry
    }

    /// Moves a value with its deadline to another name or database, replacing what is there.
    ///
    /// The source must exist, and the two must differ.
    public mutating func move(
        _ source: HashedKey, _ sourceDatabase: Int, to target: HashedKey, _ targetDatabase: Int
    ) {
        guard let old = detach(source, sourceDatabase) else {
            preconditionFailure("moved a missing key")
        }
        let access = old.access
        let entry = takingValue(of: old, key: target.bytes, deadline: old.deadline)
        put(entry, over: find(target, targetDatabase), target, targetDatabase)
        entry.access = access
        unsafe epochs.release(old.raw, bornIn: old.epoch)
    }

    /// Copies a value with its deadline, replacing what is at the target; the source must exist.
    public mutating func copy(
        _ source: HashedKey, _ sourceDatabase: Int, to target: HashedKey, _ targetDatabase: Int
    ) {
        guard let old = find(source, sourceDatabase) else {
            preconditionFailure("copied a missing key")
        }
        let entry = takingValue(of: old, key: target.bytes, deadline: old.deadline)
        if old.hasWord { entry.word = copyOfValue(old) }
        put(entry, over: find(target, targetDatabase), target, targetDatabase)
    }

    // MARK: Whole databases

    /// Exchanges two databases.
    ///
    /// - Parameter now: Unix ms; a key whose deadline has passed counts as absent for who watches it.
    public mutating func swapDatabases(_ first: Int, _ second: Int, now: Int64) {
        guard first != second else { return }
        touchAll(first, second, now: now)
        let base = unsafe databases
        let held = unsafe (base + first).move()
        unsafe (base + first).moveInitialize(from: base + second, count: 1)
        unsafe (base + second).initialize(to: held)
        version &+= 1
    }

    /// Removes all keys of a database and returns how many there were.
    ///
    /// Takes the same time for any number of keys: the memory goes back later, through `freeRetired`.
    @discardableResult
    public mutating func removeAll(_ database: Int) -> Int {
        let base = unsafe databases
        let removed = unsafe base[database].table.count
        guard removed > 0 else { return 0 }
        touchAll(database, database, now: nil)
        let held = unsafe (base + database).move()
        unsafe (base + database).initialize(to: NumberedDatabase())
        detached.append(DetachedDatabase(held, in: epochs.current))
        version &+= 1
        freeRetired(limit: Self.freedAtOnce)
        return removed
    }

    /// So many blocks, a fraction of a ms, are freed at once when a database is emptied.
    private static let freedAtOnce = 4096

    /// Whether a key of this hash is there whose deadline hasn't passed.
    private func isAlive(_ hash: UInt64, _ database: Int, _ now: Int64?) -> Bool {
        let found = unsafe databases[database].table.find(hash, hasher: hasher) { entry in
            guard let now, let deadline = entry.deadline else { return true }
            return deadline >= now
        }
        return found != nil
    }

    /// Notes that every key of two databases (or of one, named twice) may have changed.
    private mutating func touchAll(_ first: Int, _ second: Int, now: Int64?) {
        guard recordsTouched else { return }
        hasTouchedAll = true
        for mark in watchedMarks {
            for number in first == second ? [first] : [first, second] {
                let hash = mark &- Self.touchMark(0, database: number)
                if isAlive(hash, first, now) || isAlive(hash, second, now) { touched.append(mark) }
            }
        }
    }

    // MARK: Epochs

    /// Frees some blocks, about `limit`, that belonged to emptied databases or removed values, or that a
    /// finished snapshot no longer needs; for the end of a turn.
    public mutating func freeRetired(limit: Int) {
        var left = limit - epochs.freeSome(limit)
        while left > 0 {
            left -= removedValues.releaseSome(left, &epochs)
            // What was emptied after a snapshot began is part of it. What was emptied before can go.
            guard left > 0, let oldest = detached.first, !epochs.isSeen(before: oldest.epoch) else {
                return
            }
            let (freed, isDone) = oldest.freeSome(left, values: &removedValues)
            if isDone { detached.removeFirst() }
            left -= freed
        }
    }

    /// Blocks wait to be freed and may be: the caller goes on with `freeRetired`.
    public var hasRetired: Bool {
        if epochs.readyCount > 0 || !removedValues.isEmpty { return true }
        return detached.first.map { !epochs.isSeen(before: $0.epoch) } ?? false
    }

    /// The number of blocks that wait to be freed; about one for each key of an emptied database.
    public var retiredCount: Int {
        detached.reduce(epochs.retiredCount + removedValues.count) { $0 + $1.count }
    }

    /// The state of all databases at this moment, to be read by one other thread until `thaw`. Several views
    /// may live at once.
    ///
    /// Takes time in proportion to the number of pages, not of keys: 8 bytes are copied per page.
    public mutating func freeze() -> FrozenView {
        let base = unsafe databases
        var view = FrozenView(epoch: epochs.freeze())
        for index in 0..<databaseCount where unsafe base[index].table.count > 0 {
            view.add(
                index, unsafe base[index].table.freeze(),
                deadlineCount: unsafe base[index].deadlines.count,
                fieldDeadlineCount: unsafe base[index].fieldDeadlines.count)
        }
        return view
    }

    /// The reader of the view of `epoch` is done: what only it saw may be changed in place again.
    public mutating func thaw(_ epoch: UInt32) {
        epochs.thaw(epoch)
        guard epochs.frozen == 0 else { return }
        for index in 0..<databaseCount { unsafe databases[index].table.thaw() }
    }
}

/// An emptied database on its way out.
private final class DetachedDatabase {
    private var database: NumberedDatabase
    /// The epoch in which it was emptied.
    let epoch: UInt32
    private var nextPage: Int? = 0

    init(_ database: consuming NumberedDatabase, in epoch: UInt32) {
        self.database = database
        self.epoch = epoch
    }

    /// The blocks that are left.
    var count: Int { max(database.table.count + database.table.pageCount, 1) }

    /// Frees about `limit` blocks, at least a page with its entries.
    func freeSome(_ limit: Int, values: inout ReleaseStack) -> (freed: Int, isDone: Bool) {
        var freed = 0
        while freed < limit {
            if let page = nextPage {
                let step = database.table.freePage(at: page, values: &values)
                nextPage = step.next
                freed += step.freed
            } else if database.deadlines.freeSome(16) || database.fieldDeadlines.freeSome(16) {
                freed += 16
            } else {
                return (freed, true)
            }
        }
        return (freed, false)
    }
}

/// The bytes of a string that is being changed in place.
public struct StringEditor {
    private let blob: Blob

    init(blob: Blob) { self.blob = blob }

    public var count: Int { blob.count }
    public var bytes: ByteSlice { blob.bytes }

    /// Puts `bytes` at `offset`; they must fit into the string.
    public mutating func replace(at offset: Int, with bytes: ByteSlice) {
        precondition(offset + bytes.count <= blob.count, "edit beyond the string")
        blob.write(bytes, at: offset)
    }

    public subscript(_ offset: Int) -> UInt8 {
        get { blob.bytes[offset] }
        set {
            precondition(offset < blob.count, "edit beyond the string")
            blob.setByte(newValue, at: offset)
        }
    }
    /// Replaces each word by what `body` makes of it and the word of `other` there, which may be these bytes.
    @inline(__always)
    mutating func merge(_ other: ByteSlice, _ body: (UInt64, UInt64) -> UInt64) {
        blob.merge(other, body)
    }

    /// Makes all bytes from `offset` on zero.
    mutating func clear(from offset: Int) { blob.zero(offset..<count) }
}
