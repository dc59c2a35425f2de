public import HoldfastBytes
public import HoldfastPlatform
public import Store

public struct SnapshotLoaderSettings: Sendable {
    public var reader = SnapshotReaderSettings()
    /// Keys whose deadline lies at or before this moment (Unix ms) are dropped: what a primary does with a
    /// snapshot, but not with the base of a log.
    public var dropsExpiredAt: Int64?
    /// A key that is there already is replaced; else it is an error.
    public var replacesKeys = false
    public var limits = EncodingLimits()
    /// `key-load-delay`: µs to sleep after each key; below 0, 1 µs after so many keys.
    public var keyDelayMicroseconds = 0

    public init() {}
}

/// Loads an RDB into a keyspace, bit by bit: whoever calls `step` does what else is to be done in between, and
/// drops the loader to stop.
public struct SnapshotLoader: ~Copyable {
    private var reader: SnapshotReader
    private let settings: SnapshotLoaderSettings
    private let source: any SnapshotSource
    /// Function libraries, as the file has them.
    public private(set) var functions: [[UInt8]] = []
    public private(set) var keysLoaded = 0
    public private(set) var keysExpired = 0
    /// Keys with an empty value, which no server should have written.
    public private(set) var keysEmpty = 0
    public private(set) var isDone = false
    private var builder: ValueBuilder?

    public init(
        _ source: any SnapshotSource, settings: SnapshotLoaderSettings
    ) throws(SystemError) {
        self.source = source
        self.settings = settings
        reader = try SnapshotReader(source, settings: settings.reader)
    }

    /// How far it is, in bytes of the RDB: what an LZ4 frame holds, not the frame.
    public var offset: Int64 { reader.offset }
    public var isExpanded: Bool { reader.isExpanded }
    public var version: Int { reader.version }
    public var aux: SnapshotAux { reader.aux }
    public var lacksChecksum: Bool { reader.lacksChecksum }

    /// How far it is in the source: exact for a plain RDB, and about so far in an LZ4 frame.
    public var sourceOffset: Int64 { isExpanded ? min(source.bytesRead, offset) : offset }
    public var totalBytes: Int64 { source.totalBytes ?? 0 }

    /// Loads about `bytes` more of the RDB, at least one item.
    ///
    /// The keyspace should be empty at first: a key that is there already is an error. After an error it holds
    /// what was loaded before.
    /// - Parameters:
    ///   - access: what access tracking is to keep of a key, by the seconds since its last access or its
    ///     counter, if the file has either.
    ///   - dropped: called with each key that was dropped since it had expired.
    /// - Returns: false when the end was reached, and the checksum was right.
    public mutating func step(
        into keyspace: inout Keyspace, bytes: Int,
        access: (_ idleSeconds: UInt64?, _ frequency: UInt8?) -> UInt32? = { _, _ in nil },
        dropped: (_ database: Int, _ key: ByteSlice) -> Void = { _, _ in }
    ) throws(SnapshotReadError) -> Bool {
        let end = reader.offset + Int64(bytes)
        var builder =
            self.builder.take() ?? ValueBuilder(limits: settings.limits, hasher: keyspace.hasher)
        while !isDone, reader.offset < end {
            switch try reader.next() {
            case .key(let head):
                try load(head, with: &builder, into: &keyspace, access: access, dropped: dropped)
                if settings.keyDelayMicroseconds != 0 {
                    Pause.afterKey(settings.keyDelayMicroseconds, count: keysLoaded)
                }
            case .database(let number):
                guard number < keyspace.databaseCount else {
                    throw reader.failure(
                        ReadFault(
                            reason: .badDatabase, offset: reader.offset, detail: Int64(number)))
                }
            case .function: functions.append(reader.text.copyToArray())
            case .aux, .sizes, .passedOver: break
            case .end: isDone = true
            }
        }
        self.builder = consume builder
        return !isDone
    }

    private mutating func load(
        _ head: SnapshotReader.KeyHead, with builder: inout ValueBuilder,
        into keyspace: inout Keyspace,
        access: (UInt64?, UInt8?) -> UInt32?, dropped: (Int, ByteSlice) -> Void
    ) throws(SnapshotReadError) {
        if let deadline = head.deadline, let now = settings.dropsExpiredAt, deadline < now {
            dropped(reader.database, reader.key)
            try reader.skipValue(head)
            keysExpired += 1
            return
        }
        let hash = keyspace.hash(reader.key)
        let database = reader.database
        // The memory arrives while the value is read.
        keyspace.prefetchSlot(hash, database)
        builder.begin(epoch: keyspace.epochs.current)
        do throws(SnapshotReadError) {
            try reader.readValue(head, into: &builder)
        } catch {
            guard error.reason == .emptyValue else { throw error }
            keysEmpty += 1
            return
        }
        // Only now: reading the value may have moved the key.
        let key = HashedKey(reader.key, hash: hash)
        guard
            keyspace.setValue(
                key, database, from: &builder, deadline: head.deadline,
                replaces: settings.replacesKeys)
        else { throw reader.failure(ReadFault(reason: .duplicateKey, offset: head.offset)) }
        keysLoaded += 1
        if head.idleSeconds != nil || head.frequency != nil,
            let kept = access(head.idleSeconds, head.frequency)
        {
            keyspace.find(key, database)?.access = kept
        }
    }
}
