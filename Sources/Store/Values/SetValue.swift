public import HoldfastBytes

/// The members of a set, whatever its encoding: a view for reading, valid until the key's next change.
///
/// Members that are integers come as integers from an intset or a listpack, and as bytes from a table.
public enum SetValue {
    case integers(IntegerSet)
    case packed(PackedList)
    case table(MemberTable)

    /// - Parameter entry: must hold a set.
    @inline(__always)
    public init(_ entry: Entry) {
        switch entry.encoding {
        case .hashtable: self = .table(entry.root(MemberTable.self))
        case .intset: self = .integers(IntegerSet(entry.packed))
        default: self = .packed(PackedList(entry.packed))
        }
    }

    public var count: Int {
        switch self {
        case .integers(let set): set.count
        case .packed(let list): list.count
        case .table(let table): table.count
        }
    }

    /// Bytes of memory that the members take, about.
    public var bytes: Int {
        switch self {
        case .integers(let set): set.byteCount
        case .packed(let list): list.byteCount
        case .table(let table): table.memoryBytes
        }
    }

    @inline(__always)
    public func contains(_ member: ByteSlice, _ hasher: ByteHash) -> Bool {
        switch self {
        case .integers(let set): DecimalText.parse(member).map { set.contains($0) } ?? false
        case .packed(let list): list.find(member) != nil
        case .table(let table): table.contains(hasher.hash(member), member)
        }
    }

    public func contains(_ member: PackedElement, _ hasher: ByteHash) -> Bool {
        if case .integer(let value) = member, case .integers(let set) = self {
            return set.contains(value)
        }
        return member.withBytes { contains($0, hasher) }
    }

    /// Calls `body` with every member, in no order that means anything; the set must not change meanwhile.
    @inline(__always)
    public func forEach<E: Error>(_ body: (PackedElement) throws(E) -> Void) throws(E) {
        switch self {
        case .integers(let set):
            for index in 0..<set.count { try body(.integer(set.element(at: index))) }
        case .packed(let list):
            var next = list.firstOffset
            while let offset = next {
                try body(list[offset])
                next = list.next(after: offset)
            }
        case .table(let table):
            try table.forEach { (record) throws(E) in try body(.bytes(record.member)) }
        }
    }

    /// A member, each as likely as any other; nil only of a set without members.
    public func random(_ next: () -> UInt64) -> PackedElement? {
        switch self {
        case .integers(let set):
            if set.isEmpty { return nil }
            return .integer(set.element(at: below(set.count, next)))
        case .packed(let list):
            return list.offset(ofIndex: below(list.count, next)).map { list[$0] }
        case .table(let table):
            return table.random(next).map { .bytes($0.member) }
        }
    }

    /// Calls `body` with `wanted` different members, every choice of so many as likely as any other; `wanted`
    /// is at most `count`. Walks through all members.
    public func sample<E: Error>(
        _ wanted: Int, _ next: () -> UInt64, _ body: (PackedElement) throws(E) -> Void
    ) throws(E) {
        var left = count
        var missing = wanted
        try forEach { (member) throws(E) in
            if missing > 0, below(left, next) < missing {
                missing -= 1
                try body(member)
            }
            left -= 1
        }
    }
}

/// A number below `bound`, which must be above 0, each as likely as any other within 2⁻³².
func below(_ bound: Int, _ next: () -> UInt64) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
}

extension EncodingLimits {
    /// How many members an intset may have, whatever is configured: no more than 2^30 fit.
    var integersMax: Int { min(setIntegersMax, 1 << 30) }
}

extension PackedBlock {
    /// What came of adding a member to a packed set.
    enum Added {
        case isNew
        case isThere
        /// The set has to change its encoding first.
        case doesNotFit
    }

    /// Adds a member if that leaves the encoding as it is.
    fileprivate mutating func add(
        _ member: PackedElement, _ encoding: Encoding, _ limits: borrowing EncodingLimits
    ) -> Added {
        if encoding == .intset {
            guard let value = member.integerValue else { return .doesNotFit }
            if integerSet.count < limits.integersMax {
                return insertInteger(value) ? .isNew : .isThere
            }
            return integerSet.contains(value) ? .isThere : .doesNotFit
        }
        if member.withBytes({ list.find($0) }) != nil { return .isThere }
        guard list.count < limits.setEntriesMax, member.count <= limits.setBytesMax,
            list.canAdd(member.count + 16)
        else { return .doesNotFit }
        switch member {
        case .integer(let value): append(integer: value)
        case .bytes(let bytes): append(bytes)
        }
        return .isNew
    }

    /// Removes a member; false if it isn't there.
    fileprivate mutating func remove(_ member: PackedElement, _ encoding: Encoding) -> Bool {
        if encoding == .intset {
            return member.integerValue.map { removeInteger($0) } ?? false
        }
        guard let offset = member.withBytes({ list.find($0) }) else { return false }
        delete(at: offset)
        return true
    }
}

/// A set in the making, outside of the keyspace, which changes its encoding as a key's set does.
public struct SetBuilder: ~Copyable {
    private var clock: EpochClock
    private let hasher: ByteHash
    private let limits: EncodingLimits
    public private(set) var encoding: Encoding
    /// The set while its encoding is intset or listpack.
    private var packed = PackedBlock.scratch()
    private var table: MemberTable?

    /// An empty set for a key of `keyspace`; to be given to it before its epoch ends.
    ///
    /// - Parameter encoding: what to begin with: intset, listpack or hashtable.
    public init(
        for keyspace: borrowing Keyspace, _ limits: EncodingLimits, _ encoding: Encoding = .intset
    ) {
        clock = EpochClock(building: keyspace.epochs.current)
        hasher = keyspace.hasher
        self.limits = limits
        self.encoding = encoding
        switch encoding {
        case .intset: packed.setEmptyIntegerSet()
        case .hashtable: table = MemberTable(hasValues: false, &clock)
        default: packed.setEmptyList()
        }
    }

    deinit {
        packed.free()
        guard let table else { return }
        var clock = EpochClock()
        var parts = ReleaseStack()
        // SAFETY: nothing else names the table's root.
        unsafe parts.push(table.raw, .memberTable)
        parts.releaseSome(.max, &clock)
    }

    /// The encoding that a new set has to begin with when so many members will be added.
    public static func encoding(
        first: ByteSlice, count: Int, _ limits: EncodingLimits
    ) -> Encoding {
        if count <= limits.setIntegersMax, DecimalText.parse(first) != nil { return .intset }
        return count <= limits.setEntriesMax ? .listpack : .hashtable
    }

    /// The members so far; valid until the next change.
    public var value: SetValue {
        if let table { return .table(table) }
        return encoding == .intset ? .integers(packed.integerSet) : .packed(packed.list)
    }

    public var count: Int { value.count }

    /// Adds a member.
    ///
    /// - Parameter member: must not be one of this set's.
    /// - Returns: whether it wasn't there.
    @discardableResult
    public mutating func add(_ member: PackedElement) -> Bool {
        if table != nil { return insert(member) }
        switch packed.add(member, encoding, limits) {
        case .isNew: return true
        case .isThere: return false
        case .doesNotFit:
            makeRoom(for: member)
            return add(member)
        }
    }

    private mutating func insert(_ member: PackedElement) -> Bool {
        guard var table else { return false }
        self.table = nil
        let isNew = member.withBytes { table.insert(hasher.hash($0), $0, &clock, hasher) }
        self.table = table
        return isNew
    }

    @discardableResult
    public mutating func remove(_ member: PackedElement) -> Bool {
        guard var table else { return packed.remove(member, encoding) }
        self.table = nil
        let wasThere = member.withBytes { table.remove(hasher.hash($0), $0, &clock) }
        self.table = table
        return wasThere
    }

    /// Changes the encoding so that `member`, which does not fit, will.
    private mutating func makeRoom(for member: PackedElement) {
        guard encoding == .intset, member.integerValue == nil else { return makeTable() }
        let integers = packed.integerSet
        // The longest are the first and the last.
        let longest = max(
            integers.min.map { DecimalText.length($0) } ?? 0,
            integers.max.map { DecimalText.length($0) } ?? 0)
        guard integers.count < limits.setEntriesMax, member.count <= limits.setBytesMax,
            longest <= limits.setBytesMax,
            integers.count * 12 + member.count < PackedBlock.payloadBytesMax
        else { return makeTable() }
        var list = PackedBlock.scratch(room: integers.count * 6 + member.count + 16)
        list.setEmptyList()
        for index in 0..<integers.count { list.append(integer: integers.element(at: index)) }
        packed.free()
        packed = list
        encoding = .listpack
    }

    /// Makes it a table, whatever it holds.
    public mutating func makeTable() {
        guard table == nil else { return }
        var table = MemberTable(hasValues: false, &clock)
        value.forEach { member in
            member.withBytes { _ = table.insert(hasher.hash($0), $0, &clock, hasher) }
        }
        self.table = table
        encoding = .hashtable
    }

    /// Makes it an intset, if all members are integers and not too many.
    public mutating func makeIntegers() {
        guard encoding != .intset, count <= limits.integersMax else { return }
        var integers = PackedBlock.scratch(room: 8 + 8 * count)
        integers.setEmptyIntegerSet()
        var areAll = true
        value.forEach { member in
            if let integer = member.integerValue {
                _ = integers.insertInteger(integer)
            } else {
                areAll = false
            }
        }
        guard areAll else { return integers.free() }
        packed.free()
        packed = integers
        if let table {
            var parts = ReleaseStack()
            // SAFETY: nothing else names the table's root.
            unsafe parts.push(table.raw, .memberTable)
            parts.releaseSome(.max, &clock)
        }
        table = nil
        encoding = .intset
    }

    /// Adds the members of an encoded set without looking at limits.
    fileprivate mutating func take(_ value: SetValue) {
        switch value {
        case .integers(let set):
            packed.setPayload(set.bytes)
            encoding = .intset
        case .packed(let list):
            packed.setPayload(list.bytes)
            encoding = .listpack
        case .table: value.forEach { add($0) }
        }
    }

    fileprivate mutating func give(
        _ key: HashedKey, _ database: Int, to keyspace: inout Keyspace, deadline: DeadlineChange
    ) {
        if let table {
            keyspace.setRoot(key, database, .set, .hashtable, to: table, deadline: deadline)
            self.table = nil
        } else {
            keyspace.setPacked(
                key, database, .set, encoding, to: packed.payload(of: encoding),
                deadline: deadline)
        }
    }
}

extension Keyspace {
    /// Sets a key to the set that `builder` has made, which has members and can't be used any more.
    public mutating func setSet(
        _ key: HashedKey, _ database: Int, from builder: inout SetBuilder, deadline: DeadlineChange
    ) {
        builder.give(key, database, to: &self, deadline: deadline)
    }

    /// Adds `count` members to a set, which is made if `entry`, what `find` gives for the key, is nil.
    ///
    /// - Returns: how many of them weren't there.
    @inline(__always)
    public mutating func addMembers(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, count: Int,
        _ limits: borrowing EncodingLimits, _ member: (Int) -> ByteSlice
    ) -> Int {
        if _fastPath(entry != nil), let entry, entry.encoding == .hashtable {
            let hasher = hasher
            var added = 0
            editRoot(key, database, entry, as: MemberTable.self) { table, epochs in
                for index in 0..<count {
                    let bytes = member(index)
                    if table.insert(hasher.hash(bytes), bytes, &epochs, hasher) { added += 1 }
                }
                return added > 0
            }
            return added
        }
        return addToPacked(key, database, entry, count: count, copy limits, member)
    }

    private mutating func addToPacked(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, count: Int, _ limits: EncodingLimits,
        _ member: (Int) -> ByteSlice
    ) -> Int {
        guard let entry else {
            var builder = SetBuilder(
                for: self, limits,
                SetBuilder.encoding(first: member(0), count: count, limits))
            for index in 0..<count { builder.add(.bytes(member(index))) }
            let added = builder.count
            setSet(key, database, from: &builder, deadline: .clear)
            return added
        }
        let encoding = entry.encoding
        var index = 0
        var added = 0
        let isMany =
            encoding == .intset ? count > limits.setIntegersMax : count > limits.setEntriesMax
        if isMany {
            // So many at once make it a table, if any of them is new.
            let value = SetValue(entry)
            while index < count, value.contains(member(index), hasher) { index += 1 }
        } else {
            editPacked(key, database, entry) { block in
                adding: while index < count {
                    switch block.add(.bytes(member(index)), encoding, limits) {
                    case .isNew: added += 1
                    case .isThere: break
                    case .doesNotFit: break adding
                    }
                    index += 1
                }
                return added > 0
            }
        }
        guard index < count, let entry = find(key, database) else { return added }
        var builder = SetBuilder(for: self, limits)
        builder.take(SetValue(entry))
        if isMany { builder.makeTable() }
        while index < count {
            if builder.add(.bytes(member(index))) { added += 1 }
            index += 1
        }
        setSet(key, database, from: &builder, deadline: .keep)
        return added
    }

    /// Removes `count` members from a set; the caller removes a key whose set has become empty.
    ///
    /// - Parameter entry: what `find` gives for the key.
    /// - Returns: how many of them were there, and whether any member is left.
    @inline(__always)
    public mutating func removeMembers(
        _ key: HashedKey, _ database: Int, _ entry: Entry, count: Int,
        _ member: (Int) -> PackedElement
    ) -> (removed: Int, isEmpty: Bool) {
        let encoding = entry.encoding
        var removed = 0
        var isEmpty = false
        if encoding == .hashtable {
            let hasher = hasher
            editRoot(key, database, entry, as: MemberTable.self) { table, epochs in
                for index in 0..<count {
                    member(index).withBytes {
                        if table.remove(hasher.hash($0), $0, &epochs) { removed += 1 }
                    }
                }
                isEmpty = table.count == 0
                return removed > 0
            }
        } else {
            editPacked(key, database, entry) { block in
                for index in 0..<count where block.remove(member(index), encoding) { removed += 1 }
                isEmpty = encoding == .intset ? block.integerSet.isEmpty : block.list.isEmpty
                return removed > 0
            }
        }
        return (removed, isEmpty)
    }
}
