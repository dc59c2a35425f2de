public import HoldfastBytes
public import HoldfastPlatform
public import HoldfastRESP
public import Log
public import Store

/// What a command on data may see: its arguments, the keyspace, a reply and the log's buffer. No socket, no
/// file, no configuration beyond `limits`.
///
/// One context serves the whole program. The dispatcher sets the fields of the call before it runs a handler;
/// a handler that throws must have changed nothing.
public struct CommandContext: ~Copyable {
    public var keyspace: Keyspace
    public var log: LogBuffer
    public var reply = ReplyWriter()
    public var limits = EngineLimits() {
        didSet { keyspace.keepsAccess = limits.countsAccesses }
    }
    public var statistics = EngineStatistics()
    public var keyEvents = KeyEventQueue()
    public var changedKeys = ChangedKeys()
    /// Somebody waits for events or changes: each command is followed by a look at what to tell.
    public private(set) var isListenedTo = false

    mutating func updateListening() {
        isListenedTo = changedKeys.isOn || !keyEvents.wanted.isEmpty
    }

    public var random: PRNG

    // MARK: The call

    /// The words of the command, name first.
    public internal(set) var arguments = Arguments()
    /// The first key and its hash, if the dispatcher has worked it out; see `key(at:)`.
    var firstKeyHash: UInt64 = 0
    var firstKeyIndex = 0
    /// The database selected by whoever runs the command.
    public var database = 0
    /// Unix ms, the same for a whole unit (a command, a transaction): what expires does so between units.
    public internal(set) var now: Int64 = 0
    /// Microseconds within `now`'s millisecond, for TIME; the loop may set it with each reading of its clock.
    public var microsecond: Int64 = 0
    /// The command comes from the log: nothing expires, and nothing is logged again.
    public internal(set) var isReplaying = false
    /// What comes from the log is new: whoever listens for changes of keys hears of it.
    var tellsOfReplay = false
    /// Writes are paused: what has expired is treated as gone, and stays in memory until the pause ends.
    public var holdsExpiry = false
    /// A command that can't be served may wait for its keys; see `block`.
    public var allowsBlocking = false
    /// What the command that ran last waits for, if it could not be served; whoever ran it takes it over.
    public var blockRequest: BlockRequest?
    /// FLUSHALL has run: whoever keeps snapshots takes this back when the one there is up to date again.
    public var hasFlushedAll = false
    /// False with `appendonly no`: there is nobody to read what would be logged.
    public var logsEffects = true
    /// The request as it came, when it can go into the log as it stands.
    var canonical = ByteSlice()
    /// The handler logged its effect itself, or said that there is none.
    var isLogged = false
    /// The keyspace's version before the command, moved on by what expired meanwhile.
    var versionBefore: UInt64 = 0
    /// How many changes the command counts as for the save points, if it's more than one.
    var changeCount = 0
    /// All changes since the start, as Redis counts them; not what expired.
    public internal(set) var changes: UInt64 = 0

    public init(keyspace: consuming Keyspace, log: consuming LogBuffer, seed: UInt64) {
        self.keyspace = keyspace
        self.log = log
        random = PRNG(seed: seed)
    }

    // MARK: Keys

    /// Argument `index` as a key.
    @inline(__always)
    public func key(at index: Int) -> HashedKey {
        let bytes = arguments[index]
        if index == firstKeyIndex { return HashedKey(bytes, hash: firstKeyHash) }
        return keyspace.hashed(bytes)
    }

    /// The key's entry for a command that reads: counts a hit or a miss, and notes the access.
    @inline(__always)
    public mutating func lookup(_ key: HashedKey) -> Entry? {
        guard let entry = live(key, database) else {
            statistics.keyspaceMisses &+= 1
            notify(.miss, "keymiss", key)
            return nil
        }
        statistics.keyspaceHits &+= 1
        touch(entry)
        return entry
    }

    /// As `lookup`, for a command that looks at the key and not at its value: not an access.
    @inline(__always)
    public mutating func lookupUntouched(_ key: HashedKey) -> Entry? {
        guard let entry = live(key, database) else {
            statistics.keyspaceMisses &+= 1
            notify(.miss, "keymiss", key)
            return nil
        }
        statistics.keyspaceHits &+= 1
        return entry
    }

    /// As `lookupUntouched`, for OBJECT and its like, which tell nobody of a miss.
    @inline(__always)
    public mutating func lookupSilently(_ key: HashedKey) -> Entry? {
        guard let entry = live(key, database) else {
            statistics.keyspaceMisses &+= 1
            return nil
        }
        statistics.keyspaceHits &+= 1
        return entry
    }

    /// The key's entry for a command that writes, or for a look that should leave no trace in statistics.
    @inline(__always)
    public mutating func lookupForWrite(_ key: HashedKey) -> Entry? { live(key, database) }

    /// The key's entry in a database; an expired key is deleted, logged and nil.
    @inline(__always)
    public mutating func live(_ key: HashedKey, _ database: Int) -> Entry? {
        guard let entry = keyspace.find(key, database) else { return nil }
        if _slowPath(entry.hasDeadline), entry.isExpired(at: now), !isReplaying {
            if !holdsExpiry { expire(key, database) }
            return nil
        }
        return entry
    }

    /// For a command that overwrites a key unseen: if it has expired, those who listen hear of that first.
    @inline(__always)
    mutating func deleteIfExpired(_ key: HashedKey) {
        if _slowPath(isListenedTo) { _ = live(key, database) }
    }

    /// Notes the access in what OBJECT IDLETIME and FREQ show, unless the client asked for no touching.
    @inline(__always)
    public func touch(_ entry: Entry) {
        if limits.tracksAccess {
            entry.access = AccessClock.touched(entry.access, keyspace.accessNow, limits)
        }
    }

    /// Deletes a key whose deadline has passed and logs the deletion.
    mutating func expire(_ key: HashedKey, _ database: Int) {
        let before = keyspace.version
        logDeletion(of: key.bytes, database, lazily: limits.expiresLazily)
        notify(.expired, "expired", key.bytes, in: database)
        noteUnattributedChange(key)
        keyspace.remove(key, database)
        versionBefore &+= keyspace.version &- before
        statistics.expiredKeys &+= 1
    }

    /// The string under `key`, or nil if there is no such key.
    @inline(__always)
    public mutating func lookupString(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookup(key) else { return nil }
        if !entry.isString { throw .wrongType }
        return entry
    }

    @inline(__always)
    public mutating func lookupStringForWrite(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookupForWrite(key) else { return nil }
        if !entry.isString { throw .wrongType }
        return entry
    }

    /// Replies with a string value as a bulk.
    @inline(__always)
    public mutating func replyString(_ entry: Entry) {
        if let integer = entry.integer {
            reply.bulk(decimal: integer)
        } else {
            reply.bulk(entry.bytes)
        }
    }

    // MARK: Arguments

    /// Argument `index` as a number, exactly as Redis reads them.
    @inline(__always)
    public func integer(at index: Int) throws(CommandError) -> Int64 {
        guard let value = DecimalText.parse(arguments[index]) else { throw .notAnInteger }
        return value
    }

    /// Argument `index` as the number of a database.
    public func databaseNumber(at index: Int) throws(CommandError) -> Int {
        let value = try integer(at: index)
        guard value >= Int32.min, value <= Int32.max else {
            throw .text(
                "ERR value is out of range, value must between -2147483648 and 2147483647")
        }
        guard value >= 0, value < Int64(keyspace.databaseCount) else { throw .databaseOutOfRange }
        return Int(value)
    }

    // MARK: Effects
    //
    // A write is logged as it came if it changed anything. A handler whose outcome was decided by the clock, by
    // chance or by state says what to log instead, before or after it makes the change.

    /// Logs the command as it came although no key changed.
    public mutating func logVerbatim() {
        isLogged = true
        guard logsEffects, !isReplaying else { return }
        if !canonical.isEmpty {
            log.append(database: database, verbatim: canonical)
        } else {
            log.beginRecord(database: database, argumentCount: arguments.count)
            for index in 0..<arguments.count { log.append(argument: arguments[index]) }
        }
    }

    /// The command has no effect worth logging, or has logged it by other means.
    public mutating func logNothing() { isLogged = true }

    /// Logs `name key`.
    public mutating func logInstead(_ name: StaticString, _ key: ByteSlice) {
        isLogged = true
        guard logsEffects, !isReplaying else { return }
        log.beginRecord(database: database, argumentCount: 2)
        log.append(argument: name)
        log.append(argument: key)
    }

    /// Logs `name key number`, for example `PEXPIREAT k 1700000000000`.
    public mutating func logInstead(_ name: StaticString, _ key: ByteSlice, _ number: Int64) {
        isLogged = true
        guard logsEffects, !isReplaying else { return }
        log.beginRecord(database: database, argumentCount: 3)
        log.append(argument: name)
        log.append(argument: key)
        log.append(decimal: number)
    }

    /// Logs `name` with all of `words`.
    public mutating func logInstead(_ name: StaticString, words: [ByteSlice]) {
        isLogged = true
        guard logsEffects, !isReplaying else { return }
        log.beginRecord(database: database, argumentCount: words.count + 1)
        log.append(argument: name)
        for word in words { log.append(argument: word) }
    }

    /// Logs the deletion of a key that expired or was evicted, besides whatever the command itself logs.
    mutating func logDeletion(of key: ByteSlice, _ database: Int, lazily: Bool) {
        guard logsEffects, !isReplaying else { return }
        log.beginRecord(database: database, argumentCount: 2)
        log.append(argument: lazily ? "UNLINK" : "DEL")
        log.append(argument: key)
    }
}

/// The settings that commands on data depend on; the server keeps them as the configuration says.
public struct EngineLimits: Sendable {
    /// `proto-max-bulk-len`: no string value grows beyond.
    public var stringBytesMax = 512 << 20
    /// `maxmemory-policy` names an LFU policy: accesses are counted instead of timed.
    public var countsAccesses = false
    public var lfuLogFactor = 10
    public var lfuDecayMinutes = 1
    /// False for the length of a call by a client with NO-TOUCH on.
    public var tracksAccess = true
    /// False for the length of a call by a user who may not read every key: SORT's BY and GET are refused.
    public var readsAnyKey = true
    /// `lazyfree-lazy-expire`: expiry is logged as UNLINK.
    public var expiresLazily = false
    /// `lazyfree-lazy-user-del`, for what GETDEL and past deadlines log.
    public var deletesLazily = false
    /// `stream-node-max-bytes` and `stream-node-max-entries`.
    public var stream = StreamLimits()
    /// `lazyfree-lazy-server-del`, for what a value past its deadline leaves of the one it replaces.
    public var replacesLazily = false
    /// Up to where values are kept packed.
    public var encodings = EncodingLimits()
    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    public var skipsPayloadChecksums = false
    /// `rdbcompression`, for the strings in payloads.
    public var compressesPayloads = true
    /// `rdb-version`: the version of payloads; nil for the lowest that holds the value.
    public var payloadVersion: Int?
    /// `hll-sparse-max-bytes`: the longest HyperLogLog that stays sparse when it grows.
    public var hllSparseBytesMax = 3000

    public init() {}
}

/// What INFO stats shows of commands on data.
public struct EngineStatistics: Sendable {
    public var keyspaceHits: UInt64 = 0
    public var keyspaceMisses: UInt64 = 0
    public var expiredKeys: UInt64 = 0
    public var evictedKeys: UInt64 = 0
    /// The share of keys found due in the last pass of the expiry cycle, in per cent.
    public var expiredStalePercent = 0.0
    public var expiredTimeCapReached: UInt64 = 0

    public init() {}
}
