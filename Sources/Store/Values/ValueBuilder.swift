public import HoldfastBytes

/// Makes a value of the parts that a file gives, outside of the keyspace, and in the encoding that it would have if
/// commands had made it: `begin`, the parts, and then `Keyspace.setValue`.
///
/// Slices of whole values that it is given must stay valid until the value is set. A value that isn't set is freed
/// by the next `begin`.
public struct ValueBuilder: ~Copyable {
    private enum State {
        case nothing
        case string(ByteSlice)
        case integer(Int64)
        /// Bytes that became no copy of ours.
        case whole(ValueType, Encoding, ByteSlice)
        /// In `packed`.
        case packed(ValueType, Encoding)
        case table(ValueType, MemberTable)
        case sortedSet(SortedSetRoot)
        case list(ListNodes)
        case stream(StreamValue)
    }

    private let limits: EncodingLimits
    private let hasher: ByteHash
    private var state = State.nothing
    private var clock = EpochClock()
    private var packed = PackedBlock.scratch()
    private var stream: StreamBuilder?
    /// Members of the packed value at hand.
    private var count = 0
    private var longest = 0

    public init(limits: EncodingLimits, hasher: ByteHash) {
        self.limits = limits
        self.hasher = hasher
    }

    deinit {
        var clock = EpochClock()
        Self.free(state, &clock)
        packed.free()
    }

    /// Begins a value that will be set in a keyspace whose current epoch is `epoch`.
    public mutating func begin(epoch: UInt32) {
        Self.free(state, &clock)
        state = .nothing
        stream = nil
        if clock.current != epoch { clock = EpochClock(building: epoch) }
    }

    private static func free(_ state: State, _ clock: inout EpochClock) {
        switch state {
        case .nothing, .string, .integer, .whole, .packed: break
        case .table(_, let table): unsafe free(table.raw, .hashtable, &clock)
        case .sortedSet(let root): root.release(&clock)
        case .list(let nodes): unsafe free(nodes.raw, .quicklist, &clock)
        case .stream(let stream): unsafe free(stream.raw, .stream, &clock)
        }
    }

    private static func free(
        _ root: UnsafeMutableRawPointer, _ encoding: Encoding, _ clock: inout EpochClock
    ) {
        var parts = ReleaseStack()
        unsafe parts.push(root, ReleaseStack.Kind(of: encoding))
        parts.releaseSome(.max, &clock)
    }

    // MARK: Strings

    public mutating func string(_ bytes: ByteSlice) { state = .string(bytes) }

    public mutating func integer(_ value: Int64) { state = .integer(value) }

    // MARK: Lists

    public mutating func beginList() {
        packed.setEmptyList()
        state = .packed(.list, .listpack)
        count = 0
    }

    public mutating func element(_ bytes: ByteSlice) {
        if case .packed = state {
            let list = packed.list
            guard
                limits.listNodes.isExceeded(
                    bytes: list.byteCount + bytes.count, elements: list.count + 1)
            else { return packed.append(bytes) }
            state = .list(ListNodes.make(list, epoch: clock.current))
        }
        guard case .list(var nodes) = state else {
            preconditionFailure("an element without a list")
        }
        nodes.append(bytes, limits.listNodes, &clock)
        state = .list(nodes)
    }

    /// Adds elements that were a node, and stay one.
    public mutating func node(_ list: PackedList) {
        if case .packed = state {
            if packed.list.isEmpty { return packed.setPayload(list.bytes) }
            state = .list(ListNodes.make(packed.list, epoch: clock.current))
        }
        guard case .list(var nodes) = state else {
            preconditionFailure("an element without a list")
        }
        nodes.append(.packed(list), &clock)
        state = .list(nodes)
    }

    // MARK: Sets

    public mutating func beginSet(count: Int) {
        if count <= limits.setIntegersMax {
            packed.setEmptyIntegerSet()
            state = .packed(.set, .intset)
        } else {
            state = .table(.set, MemberTable(hasValues: false, &clock))
        }
        self.count = 0
    }

    /// Adds a member; false if it is there.
    public mutating func member(_ bytes: ByteSlice) -> Bool {
        switch state {
        case .packed(_, .intset):
            if let value = DecimalText.parse(bytes) { return packed.insertInteger(value) }
            unpackIntegers(adding: bytes)
            return member(bytes)
        case .packed:
            if packed.list.find(bytes) != nil { return false }
            if fits(bytes, entries: limits.setEntriesMax, bytesMax: limits.setBytesMax) {
                packed.append(bytes)
                count += 1
                return true
            }
            state = .table(.set, table(of: packed.list, elements: 1))
            return member(bytes)
        case .table(_, var table):
            let isNew = table.insert(hasher.hash(bytes), bytes, &clock, hasher)
            state = .table(.set, table)
            return isNew
        default: preconditionFailure("a member without a set")
        }
    }

    private func fits(_ bytes: ByteSlice, entries: Int, bytesMax: Int) -> Bool {
        count < entries && bytes.count <= bytesMax && packed.list.canAdd(bytes.count + 16)
    }

    /// Makes the integers at hand a packed list, or a table if they with `next` don't fit into one.
    private mutating func unpackIntegers(adding next: ByteSlice) {
        let integers = packed.integerSet
        let isShort =
            integers.count < limits.setEntriesMax && next.count <= limits.setBytesMax
            && limits.setBytesMax >= 20
        if isShort {
            var list = PackedBlock.scratch(room: 12 * (integers.count + 1) + 16)
            list.setEmptyList()
            for index in 0..<integers.count { list.append(integer: integers.element(at: index)) }
            count = integers.count
            packed.free()
            packed = list
            state = .packed(.set, .listpack)
        } else {
            state = .table(.set, table(of: integers))
        }
    }

    public mutating func set(_ members: IntegerSet) -> Bool {
        if members.count <= limits.setIntegersMax {
            state = .whole(.set, .intset, members.bytes)
        } else {
            state = .table(.set, table(of: members))
        }
        return true
    }

    private mutating func table(of members: IntegerSet) -> MemberTable {
        var table = MemberTable(hasValues: false, &clock)
        for index in 0..<members.count {
            PackedElement.integer(members.element(at: index)).withBytes { bytes in
                _ = table.insert(hasher.hash(bytes), bytes, &clock, hasher)
            }
        }
        return table
    }

    /// Takes a whole set; false if a member is there twice, which may also go unnoticed.
    public mutating func set(_ members: PackedList) -> Bool {
        if members.count <= limits.setEntriesMax {
            state = .whole(.set, .listpack, members.bytes)
            return true
        }
        let made = table(of: members, elements: 1)
        state = .table(.set, made)
        return made.count == members.count
    }

    /// A table of what is in a packed list: members, or fields with their values.
    private mutating func table(of list: PackedList, elements: Int) -> MemberTable {
        var table = MemberTable(hasValues: elements == 2, &clock)
        var next = list.firstOffset
        while let offset = next {
            next = list.next(after: offset)
            list[offset].withBytes { member in
                guard elements == 2 else {
                    _ = table.insert(hasher.hash(member), member, &clock, hasher)
                    return
                }
                guard let place = next else { return }
                next = list.next(after: place)
                list[place].withBytes { value in
                    _ = table.insert(hasher.hash(member), member, value: value, &clock, hasher)
                }
            }
        }
        return table
    }

    // MARK: Hashes

    public mutating func beginHash(count: Int) {
        if count <= limits.hashEntriesMax {
            packed.setEmptyList()
            state = .packed(.hash, .listpack)
        } else {
            state = .table(.hash, MemberTable(hasValues: true, &clock))
        }
        self.count = 0
    }

    /// Adds a field; false if it is there.
    public mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) -> Bool {
        switch state {
        case .packed:
            if packed.list.find(name, skipping: 1) != nil { return false }
            if deadline == nil, value.count <= limits.hashBytesMax,
                packed.list.canAdd(name.count + value.count + 32),
                fits(name, entries: limits.hashEntriesMax, bytesMax: limits.hashBytesMax)
            {
                packed.append(name)
                packed.append(value)
                count += 1
                return true
            }
            state = .table(.hash, table(of: packed.list, elements: 2))
            return field(name, value, deadline: deadline)
        case .table(_, var table):
            let isNew = table.insert(
                hasher.hash(name), name, value: value, deadline: deadline, &clock, hasher)
            state = .table(.hash, table)
            return isNew
        default: preconditionFailure("a field without a hash")
        }
    }

    /// Takes a whole hash; false if a field is there twice, which may also go unnoticed.
    public mutating func hash(_ pairs: PackedList) -> Bool {
        let fields = pairs.count / 2
        if fields <= limits.hashEntriesMax {
            state = .whole(.hash, .listpack, pairs.bytes)
            return true
        }
        let made = table(of: pairs, elements: 2)
        state = .table(.hash, made)
        return made.count == fields
    }

    // MARK: Sorted sets

    public mutating func beginSortedSet(count: Int) {
        state = .sortedSet(SortedSetRoot.make(epoch: clock.current))
        longest = 0
    }

    /// Adds a member; false if it is there.
    public mutating func member(_ bytes: ByteSlice, score: Double) -> Bool {
        guard case .sortedSet(var root) = state else {
            preconditionFailure("a score without a sorted set")
        }
        let hash = hasher.hash(bytes)
        if root.find(hash, bytes) != nil { return false }
        root.insert(hash, bytes, score, &clock, hasher)
        state = .sortedSet(root)
        longest = max(longest, bytes.count)
        return true
    }

    /// Takes a whole sorted set, whose scores are numbers; false if a member is there twice, which may also go
    /// unnoticed.
    public mutating func sortedSet(_ pairs: PackedList) -> Bool {
        let members = pairs.count / 2
        if members <= limits.sortedSetEntriesMax, Self.isOrdered(pairs) {
            state = .whole(.sortedSet, .listpack, pairs.bytes)
            return true
        }
        beginSortedSet(count: members)
        var next = pairs.firstOffset
        while let offset = next, let place = pairs.next(after: offset) {
            let score = Self.score(pairs[place])
            let isNew = pairs[offset].withBytes { member($0, score: score) }
            if !isNew { return false }
            next = pairs.next(after: place)
        }
        return true
    }

    private static func score(_ element: PackedElement) -> Double {
        switch element {
        case .integer(let value): Double(value)
        case .bytes(let text): DoubleText.parse(text) ?? 0
        }
    }

    /// Whether the members come by score, and by name where scores are equal.
    private static func isOrdered(_ pairs: PackedList) -> Bool {
        var last: (score: Double, offset: Int)?
        var next = pairs.firstOffset
        while let offset = next, let place = pairs.next(after: offset) {
            let score = score(pairs[place])
            if let last {
                if score < last.score { return false }
                if score == last.score,
                    pairs[last.offset].withBytes({ before in
                        pairs[offset].withBytes { before.compare($0) }
                    }) >= 0
                {
                    return false
                }
            }
            last = (score, offset)
            next = pairs.next(after: place)
        }
        return true
    }

    // MARK: Streams

    public mutating func beginStream() { stream = StreamBuilder(epoch: clock.current) }

    public mutating func streamNode(
        _ master: StreamID, _ list: ByteSlice
    ) throws(StreamFault) { try stream?.addNode(master, list) }

    public mutating func streamEntries(
        count: UInt64, lastID: StreamID, history: StreamBuilder.History?
    ) throws(StreamFault) {
        try stream?.finishEntries(count: count, lastID: lastID, history: history)
    }

    public mutating func streamGroup(
        _ name: ByteSlice, lastID: StreamID, entriesRead: Int64?
    ) throws(StreamFault) {
        try stream?.addGroup(name, lastID: lastID, entriesRead: entriesRead)
    }

    public mutating func streamPending(
        _ id: StreamID, time: Int64, count: UInt64
    ) throws(StreamFault) { try stream?.addPending(id, time: time, count: count) }

    public mutating func streamConsumer(
        _ name: ByteSlice, seenTime: Int64, activeTime: Int64
    ) throws(StreamFault) {
        try stream?.addConsumer(name, seenTime: seenTime, activeTime: activeTime)
    }

    public mutating func streamConsumerItem(_ id: StreamID) throws(StreamFault) {
        try stream?.addConsumerItem(id)
    }

    // MARK: The whole

    /// The value is complete.
    public mutating func end() throws(StreamFault) {
        if let stream = stream.take() {
            state = .stream(try stream.finish())
        } else if case .sortedSet(let root) = state, root.count <= limits.sortedSetEntriesMax,
            longest <= limits.sortedSetBytesMax
        {
            packed.setEmptyList()
            root.tree.forEach { item, _ in packed.appendMember(item.key, item.score) }
            root.release(&clock)
            state = .packed(.sortedSet, .listpack)
        }
    }

    // MARK: Setting

    fileprivate mutating func set(
        _ key: HashedKey, _ database: Int, in keyspace: inout Keyspace, deadline: DeadlineChange
    ) {
        switch state {
        case .nothing: preconditionFailure("no value was built")
        case .string(let bytes):
            keyspace.setString(key, database, to: bytes, deadline: deadline)
        case .integer(let value):
            keyspace.setInteger(key, database, to: value, deadline: deadline)
        case .whole(let type, let encoding, let bytes):
            keyspace.setPacked(key, database, type, encoding, to: bytes, deadline: deadline)
        case .packed(.list, _)
        where limits.listNodes.isExceeded(
            bytes: packed.list.byteCount, elements: packed.list.count):
            let nodes = ListNodes.make(packed.list, epoch: clock.current)
            keyspace.setRoot(key, database, .list, .quicklist, to: nodes, deadline: deadline)
        case .packed(let type, let encoding):
            keyspace.setPacked(
                key, database, type, encoding, to: packed.payload(of: encoding),
                deadline: deadline)
        case .table(let type, let table):
            keyspace.setRoot(key, database, type, .hashtable, to: table, deadline: deadline)
        case .sortedSet(let root):
            keyspace.setRoot(key, database, .sortedSet, .skiplist, to: root, deadline: deadline)
        case .list(let nodes):
            keyspace.setRoot(key, database, .list, .quicklist, to: nodes, deadline: deadline)
        case .stream(let stream):
            keyspace.setRoot(key, database, .stream, .stream, to: stream, deadline: deadline)
        }
        state = .nothing
    }
}

extension Keyspace {
    /// Sets a key to the value that `builder` has made, which is complete and was begun in the current epoch.
    public mutating func setValue(
        _ key: HashedKey, _ database: Int, from builder: inout ValueBuilder,
        deadline: DeadlineChange
    ) {
        builder.set(key, database, in: &self, deadline: deadline)
    }
}
