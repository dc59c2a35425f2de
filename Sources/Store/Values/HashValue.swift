public import HoldfastBytes

/// The fields of a hash, whatever its encoding: a view for reading, valid until the key's next change.
///
/// A field whose deadline has passed counts, but is neither found nor shown.
@safe
public struct HashValue {
    enum Form {
        case packed(PackedList)
        case table(MemberTable)
    }

    let form: Form
    /// What is due by then has expired.
    let now: Int64
    /// Some field may have expired.
    let hasDue: Bool

    /// - Parameters:
    ///   - entry: must hold a hash.
    ///   - now: in Unix ms; `Int64.min` to see every field.
    @inline(__always)
    public init(_ entry: Entry, at now: Int64) {
        self.now = now
        if entry.encoding == .hashtable {
            let table = entry.root(MemberTable.self)
            form = .table(table)
            hasDue = table.deadlineMin < now
        } else {
            form = .packed(PackedList(entry.packed))
            hasDue = false
        }
    }

    /// The number of fields, the expired ones among them.
    public var count: Int {
        switch form {
        case .packed(let list): list.count / 2
        case .table(let table): table.count
        }
    }

    /// Bytes of memory that the fields take, about.
    public var bytes: Int {
        switch form {
        case .packed(let list): list.byteCount
        case .table(let table): table.memoryBytes
        }
    }

    /// The number of fields that have not expired. Takes its time if some may have.
    public var liveCount: Int {
        guard hasDue else { return count }
        var live = 0
        forEach { _, _ in live += 1 }
        return live
    }

    /// The table of a hash in which nothing has expired.
    public var quietTable: MemberTable? {
        guard !hasDue, case .table(let table) = form else { return nil }
        return table
    }

    /// Whether any field has a deadline.
    public var hasDeadlines: Bool {
        if case .table(let table) = form { return table.deadlineCount > 0 }
        return false
    }

    /// The field's value.
    @inline(__always)
    public func find(_ field: ByteSlice, _ hasher: ByteHash) -> PackedElement? {
        switch form {
        case .packed(let list):
            guard let offset = list.find(field, skipping: 1), let place = list.next(after: offset)
            else { return nil }
            return list[place]
        case .table(let table):
            guard let record = table.find(hasher.hash(field), field) else { return nil }
            if _slowPath(hasDue), record.isExpired(at: now) { return nil }
            return .bytes(record.value)
        }
    }

    /// The field's deadline, in Unix ms.
    public enum FieldDeadline {
        case noField
        case none
        case at(Int64)
    }

    public func deadline(of field: ByteSlice, _ hasher: ByteHash) -> FieldDeadline {
        switch form {
        case .packed(let list): return list.find(field, skipping: 1) == nil ? .noField : .none
        case .table(let table):
            guard let record = table.find(hasher.hash(field), field), !record.isExpired(at: now)
            else { return .noField }
            return record.deadline.map { .at($0) } ?? .none
        }
    }

    /// Calls `body` with every field and its value; the hash must not change meanwhile.
    @inline(__always)
    public func forEach<E: Error>(
        _ body: (_ field: PackedElement, _ value: PackedElement) throws(E) -> Void
    ) throws(E) {
        switch form {
        case .packed(let list):
            var next = list.firstOffset
            while let offset = next, let place = list.next(after: offset) {
                try body(list[offset], list[place])
                next = list.next(after: place)
            }
        case .table(let table):
            try table.forEach { (record) throws(E) in
                if _slowPath(hasDue), record.isExpired(at: now) { return }
                try body(.bytes(record.member), .bytes(record.value))
            }
        }
    }

    /// One step of a scan of a table (see `MemberTable.scan`); what is packed comes in one step.
    public func scan<E: Error>(
        from cursor: UInt64, wanted: Int,
        _ body: (_ field: PackedElement, _ value: PackedElement) throws(E) -> Void
    ) throws(E) -> UInt64 {
        guard case .table(let table) = form else {
            try forEach(body)
            return 0
        }
        return try table.scan(from: cursor, wanted: wanted) { (record) throws(E) in
            if _slowPath(hasDue), record.isExpired(at: now) { return }
            try body(.bytes(record.member), .bytes(record.value))
        }
    }

    /// A field with its value, each as likely as any other; nil if there is none.
    public func random(_ next: () -> UInt64) -> (field: PackedElement, value: PackedElement)? {
        switch form {
        case .packed(let list):
            guard let offset = list.offset(ofIndex: 2 * below(list.count / 2, next)),
                let place = list.next(after: offset)
            else { return nil }
            return (list[offset], list[place])
        case .table(let table):
            for _ in 0..<100 {
                guard let record = table.random(next) else { return nil }
                if hasDue, record.isExpired(at: now) { continue }
                return (.bytes(record.member), .bytes(record.value))
            }
            // Nearly all have expired.
            let live = liveCount
            guard live > 0 else { return nil }
            var found: (field: PackedElement, value: PackedElement)?
            var left = below(live, next)
            forEach { field, value in
                if left == 0 { found = (field, value) }
                left -= 1
            }
            return found
        }
    }

    /// Calls `body` with `wanted` different fields, every choice of so many as likely as any other; `wanted` is
    /// at most `liveCount`. Walks through all fields.
    public func sample<E: Error>(
        _ wanted: Int, _ next: () -> UInt64,
        _ body: (_ field: PackedElement, _ value: PackedElement) throws(E) -> Void
    ) throws(E) {
        var left = liveCount
        var missing = wanted
        try forEach { (field, value) throws(E) in
            if missing > 0, below(left, next) < missing {
                missing -= 1
                try body(field, value)
            }
            left -= 1
        }
    }
}

/// A field and its value as a command gives them.
public struct FieldWords {
    public var field: ByteSlice
    public var value: ByteSlice

    @inlinable
    public init(_ field: ByteSlice, _ value: ByteSlice) {
        self.field = field
        self.value = value
    }
}

extension Entry {
    /// The table of a hash, whose fields may have deadlines.
    @inline(__always)
    var fieldTable: MemberTable? {
        guard kind == ValueType.hash.rawValue | Encoding.hashtable.rawValue << 4 else { return nil }
        return root(MemberTable.self)
    }

    /// The encoding's name as OBJECT ENCODING shows it: a small hash whose fields have deadlines is a table here,
    /// and packed in Redis.
    public func encodingName(_ limits: EncodingLimits) -> StaticString {
        guard let table = fieldTable, table.deadlineCount > 0, table.count <= limits.hashEntriesMax
        else { return encoding.name }
        var longest = 0
        table.forEach { longest = max(longest, $0.member.count, $0.value.count) }
        return longest > limits.hashBytesMax ? encoding.name : "listpackex"
    }

    /// No field of the hash has an earlier deadline; nil if it has none with a deadline.
    @inline(__always)
    public var fieldDeadlineMin: Int64? {
        guard let table = fieldTable, table.deadlineMin != Int64.max else { return nil }
        return table.deadlineMin
    }
}

extension Keyspace {
    /// Lets `body` change the table of a hash, and keeps the index of its fields' deadlines.
    @inline(__always)
    @discardableResult
    mutating func editFields(
        _ key: HashedKey, _ database: Int, _ entry: Entry,
        _ body: (inout MemberTable, inout EpochClock) -> Bool
    ) -> Bool {
        var before = Int64.max
        var after = Int64.max
        let hasChanged = editRoot(key, database, entry, as: MemberTable.self) { table, epochs in
            before = table.deadlineMin
            let hasChanged = body(&table, &epochs)
            after = table.deadlineMin
            return hasChanged
        }
        if _slowPath(before != after) {
            moveFieldDeadline(key.hash, database, from: before, to: after)
        }
        return hasChanged
    }

    /// Sets `count` fields of a hash, which is made if `entry`, what `find` gives for the key, is nil. Fields that
    /// are set lose their deadline.
    ///
    /// - Parameter keepsDeadlines: fields that are there keep it instead.
    /// - Returns: how many of them weren't there.
    @inline(__always)
    public mutating func setFields(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, count: Int,
        keepsDeadlines: Bool = false, _ limits: borrowing EncodingLimits,
        _ words: (Int) -> FieldWords
    ) -> Int {
        if _fastPath(entry != nil), let entry, entry.encoding == .hashtable {
            return setInTable(
                key, database, entry, 0..<count, keepsDeadlines: keepsDeadlines, words)
        }
        return setInPacked(key, database, entry, count: count, copy limits, words)
    }

    @inline(__always)
    private mutating func setInTable(
        _ key: HashedKey, _ database: Int, _ entry: Entry, _ range: Range<Int>,
        keepsDeadlines: Bool, _ words: (Int) -> FieldWords
    ) -> Int {
        let hasher = hasher
        var added = 0
        editFields(key, database, entry) { table, epochs in
            for index in range {
                let pair = words(index)
                let hash = hasher.hash(pair.field)
                var deadline: Int64?
                if _slowPath(keepsDeadlines), table.deadlineCount > 0 {
                    deadline = table.find(hash, pair.field)?.deadline
                }
                let isNew = table.set(
                    hash, pair.field, to: pair.value, deadline: deadline, &epochs, hasher)
                if isNew { added += 1 }
            }
            return true
        }
        return added
    }

    private mutating func setInPacked(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, count: Int, _ limits: EncodingLimits,
        _ words: (Int) -> FieldWords
    ) -> Int {
        let empty = PackedList.empty
        var fits = count <= limits.hashEntriesMax
        var bytes = entry?.packed.count ?? empty.byteCount
        for index in 0..<count {
            let pair = words(index)
            if max(pair.field.count, pair.value.count) > limits.hashBytesMax { fits = false }
            bytes += pair.field.count + pair.value.count + 24
        }
        if bytes > PackedBlock.payloadBytesMax { fits = false }
        let list = entry.map { PackedList($0.packed) } ?? empty
        guard fits else {
            let entry = makeFieldTable(key, database, entry, list)
            return setInTable(key, database, entry, 0..<count, keepsDeadlines: false, words)
        }
        var added = 0
        var done = 0
        func set(_ block: inout PackedBlock) {
            while done < count {
                let pair = words(done)
                done += 1
                if let offset = block.list.find(pair.field, skipping: 1),
                    let place = block.list.next(after: offset)
                {
                    block.replace(at: place, with: pair.value)
                } else {
                    block.append(pair.field)
                    block.append(pair.value)
                    added += 1
                    if block.list.count / 2 > limits.hashEntriesMax { break }
                }
            }
        }
        let isOver: Bool
        if let entry {
            editPacked(key, database, entry) { block in
                set(&block)
                return true
            }
            isOver = packedList(key, database).count / 2 > limits.hashEntriesMax
        } else {
            scratch.setEmptyList()
            var block = scratch
            set(&block)
            scratch = block
            isOver = block.list.count / 2 > limits.hashEntriesMax
            setPacked(key, database, .hash, .listpack, to: block.list.bytes, deadline: .clear)
        }
        if isOver, let entry = find(key, database) {
            let entry = makeFieldTable(key, database, entry, PackedList(entry.packed))
            if done < count {
                added += setInTable(
                    key, database, entry, done..<count, keepsDeadlines: false, words)
            }
        }
        return added
    }

    private func packedList(_ key: HashedKey, _ database: Int) -> PackedList {
        find(key, database).map { PackedList($0.packed) } ?? PackedList.empty
    }

    /// Makes a packed hash, or none at all, a table.
    ///
    /// - Returns: the key's new entry.
    private mutating func makeFieldTable(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, _ list: PackedList
    ) -> Entry {
        var table = MemberTable(hasValues: true, &epochs)
        var next = list.firstOffset
        while let offset = next, let place = list.next(after: offset) {
            list[offset].withBytes { field in
                list[place].withBytes { value in
                    _ = table.set(hasher.hash(field), field, to: value, &epochs, hasher)
                }
            }
            next = list.next(after: place)
        }
        setRoot(key, database, .hash, .hashtable, to: table, deadline: .keep)
        guard let made = find(key, database) else { preconditionFailure("key was just set") }
        return made
    }

    /// Removes `count` fields from a hash; the caller removes a key whose hash has become empty.
    ///
    /// - Parameter entry: what `find` gives for the key.
    /// - Returns: how many of them were there, and whether any field is left.
    @inline(__always)
    public mutating func removeFields(
        _ key: HashedKey, _ database: Int, _ entry: Entry, count: Int, _ field: (Int) -> ByteSlice
    ) -> (removed: Int, isEmpty: Bool) {
        var removed = 0
        var isEmpty = false
        if entry.encoding == .hashtable {
            let hasher = hasher
            editFields(key, database, entry) { table, epochs in
                for index in 0..<count {
                    let bytes = field(index)
                    if table.remove(hasher.hash(bytes), bytes, &epochs) { removed += 1 }
                }
                isEmpty = table.count == 0
                return removed > 0
            }
        } else {
            editPacked(key, database, entry) { block in
                for index in 0..<count {
                    guard let offset = block.list.find(field(index), skipping: 1) else { continue }
                    block.delete(at: offset, elements: 2)
                    removed += 1
                }
                isEmpty = block.list.isEmpty
                return removed > 0
            }
        }
        return (removed, isEmpty)
    }

    // MARK: Deadlines of fields

    /// Gives fields of a hash other deadlines, or takes them away. A hash with deadlines is a table.
    ///
    /// - Parameter fields: which must be there.
    public mutating func setFieldDeadlines(
        _ key: HashedKey, _ database: Int, _ entry: Entry, _ fields: [ByteSlice],
        to deadline: Int64?
    ) {
        var entry = entry
        if entry.encoding != .hashtable {
            if deadline == nil { return }
            entry = makeFieldTable(key, database, entry, PackedList(entry.packed))
        }
        let hasher = hasher
        editFields(key, database, entry) { table, epochs in
            for field in fields {
                table.setDeadline(hasher.hash(field), field, to: deadline, &epochs, hasher)
            }
            return true
        }
    }

    /// Removes fields of a hash whose deadline has passed, at most `limit`; the caller removes a key whose hash
    /// has become empty.
    ///
    /// - Parameters:
    ///   - entry: what `find` gives for the key.
    ///   - body: gets each field that will be removed.
    /// - Returns: how many were removed, and whether any field is left.
    public mutating func removeDueFields(
        _ key: HashedKey, _ database: Int, _ entry: Entry, at now: Int64, limit: Int,
        _ body: (ByteSlice) -> Void
    ) -> (removed: Int, isEmpty: Bool) {
        guard let table = entry.fieldTable, table.deadlineMin < now else { return (0, false) }
        var removed = 0
        var isEmpty = false
        editFields(key, database, entry) { table, epochs in
            removed = table.removeDue(at: now, limit: limit, &epochs) { body($0.member) }
            isEmpty = table.count == 0
            return removed > 0
        }
        return (removed, isEmpty)
    }
}
