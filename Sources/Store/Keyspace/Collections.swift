internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A handle on the root of a structure that holds one key's value: a block that begins with its birth epoch.
public protocol CollectionRoot {
    @unsafe init(_ raw: UnsafeMutableRawPointer)
    @unsafe var raw: UnsafeMutableRawPointer { get }
}

// Values of more than one part: what an entry holds of them, and the doors that change them.

extension Entry {
    /// The bytes of a listpack or intset; valid until the key's next change.
    @inline(__always)
    public var packed: ByteSlice {
        assert(encoding.isPacked)
        return packedBlock?.payload(of: encoding) ?? inlineBytes
    }

    /// The block that holds a packed value too long for the entry.
    var packedBlock: PackedBlock? {
        guard hasWord else { return nil }
        return unsafe UnsafeMutableRawPointer(bitPattern: UInt(word)).map { unsafe PackedBlock($0) }
    }

    /// The value's structure, which must be of this type: the encoding says so.
    @inline(__always)
    public func root<Root: CollectionRoot>(_: Root.Type) -> Root {
        assert(hasWord && !isString && !encoding.isPacked)
        // SAFETY: the word of an entry with such an encoding is the address of its live root.
        return unsafe Root(UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped)
    }

    /// Bytes of memory that the entry and its value hold.
    public var memoryBytes: Int {
        if let blob { return unsafe blockBytes + hf_allocated_bytes(blob.raw) }
        guard hasWord, !isString else { return blockBytes }
        if let packedBlock, encoding.isPacked {
            return unsafe blockBytes + hf_allocated_bytes(packedBlock.raw)
        }
        return blockBytes + structureBytes
    }

    /// Bytes of memory that the value's structure holds, its root included.
    private var structureBytes: Int {
        switch encoding {
        case .int, .embstr, .raw, .listpack, .intset: 0
        case .hashtable: root(MemberTable.self).memoryBytes
        case .quicklist: root(ListNodes.self).memoryBytes
        case .stream: root(StreamValue.self).memoryBytes
        case .skiplist: root(SortedSetRoot.self).memoryBytes
        }
    }
}

extension Keyspace {
    /// Packed values up to this length lie inside their entry.
    static let packedInlineMax = 512

    // MARK: Packed values

    /// Sets a key to a packed value: the bytes of a listpack or intset.
    public mutating func setPacked(
        _ key: HashedKey, _ database: Int, _ type: ValueType, _ encoding: Encoding,
        to bytes: ByteSlice, deadline: DeadlineChange
    ) {
        let old = find(key, database)
        let entry = packedEntry(
            key.bytes, kind: type.rawValue | encoding.rawValue << 4, bytes,
            deadline: resolve(deadline, old))
        put(entry, over: old, key, database)
    }

    private func packedEntry(
        _ key: ByteSlice, kind: UInt8, _ bytes: ByteSlice, deadline: Int64?
    ) -> Entry {
        guard bytes.count > Self.packedInlineMax else {
            let entry = Entry.make(
                key: key, kind: kind, deadline: deadline, word: nil, inlineCount: bytes.count,
                epoch: epochs.current)
            entry.fillInline(bytes)
            return entry
        }
        let block = PackedBlock.make(payload: bytes, room: bytes.count, epoch: epochs.current)
        return Entry.make(
            key: key, kind: kind, deadline: deadline, word: block.address, inlineCount: 0,
            epoch: epochs.current)
    }

    /// Lets `body` change the packed value of `entry`, which is what `find` gives for the key. Type, encoding and
    /// deadline stay.
    ///
    /// - Parameter body: gets a block that holds the value and may be changed; says whether it changed it.
    /// - Returns: what `body` said.
    @discardableResult
    public mutating func editPacked(
        _ key: HashedKey, _ database: Int, _ entry: Entry, _ body: (inout PackedBlock) -> Bool
    ) -> Bool {
        let encoding = entry.encoding
        guard entry.hasWord else {
            scratch.setPayload(entry.inlineBytes)
            guard body(&scratch) else { return false }
            storeInline(scratch.payload(of: encoding), key, database, over: entry)
            return true
        }
        let entry = writable(entry, key, database)
        guard var block = entry.packedBlock else {
            preconditionFailure("packed value without block")
        }
        block.makeWritable(byteCount: block.payload(of: encoding).count, &epochs)
        let hasChanged = body(&block)
        entry.word = block.address
        if hasChanged { didEdit(entry, key, database) }
        return hasChanged
    }

    /// Puts an edited packed value back into its entry, or into a block if it has outgrown it.
    private mutating func storeInline(
        _ bytes: ByteSlice, _ key: HashedKey, _ database: Int, over entry: Entry
    ) {
        if bytes.count <= Self.packedInlineMax, entry.epoch > epochs.frozen,
            entry.refillInline(bytes)
        {
            didEdit(entry, key, database)
            return
        }
        let edited = packedEntry(key.bytes, kind: entry.kind, bytes, deadline: entry.deadline)
        put(edited, over: entry, key, database)
    }

    // MARK: Structures

    /// Sets a key to the value that `root` holds, which now belongs to the keyspace.
    public mutating func setRoot(
        _ key: HashedKey, _ database: Int, _ type: ValueType, _ encoding: Encoding,
        to root: some CollectionRoot, deadline: DeadlineChange
    ) {
        let old = find(key, database)
        let entry = Entry.make(
            key: key.bytes, kind: type.rawValue | encoding.rawValue << 4,
            deadline: resolve(deadline, old), word: unsafe UInt64(UInt(bitPattern: root.raw)),
            inlineCount: 0, epoch: epochs.current)
        put(entry, over: old, key, database)
    }

    /// Lets `body` change the structure that holds the value of `entry`, which is what `find` gives for the key.
    ///
    /// - Parameter body: says whether it changed the value. It may replace the root.
    /// - Returns: what `body` said.
    @discardableResult
    @inline(__always)
    public mutating func editRoot<Root: CollectionRoot>(
        _ key: HashedKey, _ database: Int, _ entry: Entry, as: Root.Type,
        _ body: (inout Root, inout EpochClock) -> Bool
    ) -> Bool {
        let entry = writable(entry, key, database)
        var root = entry.root(Root.self)
        let hasChanged = body(&root, &epochs)
        entry.word = unsafe UInt64(UInt(bitPattern: root.raw))
        if hasChanged { didEdit(entry, key, database) }
        return hasChanged
    }

    /// An entry for the same value that may be changed: `entry` itself unless a snapshot sees it.
    @inline(__always)
    private mutating func writable(
        _ entry: Entry, _ key: HashedKey, _ database: Int
    ) -> Entry {
        if _fastPath(entry.epoch > epochs.frozen) { return entry }
        return replaceFrozen(entry, key, database)
    }

    private mutating func replaceFrozen(
        _ entry: Entry, _ key: HashedKey, _ database: Int
    ) -> Entry {
        let twin = takingValue(of: entry, key: entry.key, deadline: entry.deadline)
        replace(entry, by: twin, key, database)
        return twin
    }

    @inline(__always)
    private mutating func didEdit(_ entry: Entry, _ key: HashedKey, _ database: Int) {
        if _fastPath(!keepsAccess) { entry.access = accessNow }
        didChange(key.hash, database)
    }

    /// The address of a copy of what `entry` holds outside of itself.
    mutating func copyOfValue(_ entry: Entry) -> UInt64 {
        if let blob = entry.blob {
            let twin = Blob.make(room: blob.count, epoch: epochs.current)
            twin.write(blob.bytes, at: 0)
            twin.count = blob.count
            return twin.address
        }
        switch entry.encoding {
        case .int: return entry.word
        case .embstr, .raw: preconditionFailure("string without bytes")
        case .listpack, .intset:
            let bytes = entry.packed
            return PackedBlock.make(payload: bytes, room: bytes.count, epoch: epochs.current)
                .address
        case .stream:
            let twin = entry.root(StreamValue.self).copied(epoch: epochs.current)
            return unsafe UInt64(UInt(bitPattern: twin.raw))
        case .hashtable:
            return unsafe UInt64(
                UInt(bitPattern: entry.root(MemberTable.self).copy(epochs.current).raw))
        case .quicklist:
            return unsafe UInt64(UInt(bitPattern: entry.root(ListNodes.self).copy(&epochs).raw))
        case .skiplist:
            let copy = entry.root(SortedSetRoot.self).copied(epoch: epochs.current, hasher)
            return unsafe UInt64(UInt(bitPattern: copy.raw))
        }
    }
}
