public import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Which keys were changed, by name as far as it is known: what clients that cache values are told.
///
/// Off unless somebody tracks keys. The dispatcher fills it after each command, from the keyspace's list of
/// changed hashes and the command's own words; the front end empties it when the unit is over.
public struct ChangedKeys: ~Copyable {
    /// The dispatcher keeps it in step with what the keyspace records.
    public internal(set) var isOn = false

    public struct Change {
        public let hash: UInt64
        /// The change is nobody's doing: the key expired or was evicted.
        public let isUnattributed: Bool
        fileprivate let nameStart: Int
        fileprivate let nameCount: Int
    }

    public private(set) var changes: [Change] = []
    /// All keys of a database were deleted.
    public private(set) var hasFlushed = false
    private var names = ByteBuffer()
    /// Of the keyspace's list, so many have been seen.
    private var seen = 0

    init() {}

    public var isEmpty: Bool { changes.isEmpty && !hasFlushed }

    /// The key's name, nil if it isn't known; valid until the changes are forgotten or another one comes.
    public func name(of change: Change) -> ByteSlice? {
        if change.nameCount < 0 { return nil }
        return names.slice.slice(change.nameStart..<change.nameStart + change.nameCount)
    }

    public mutating func forgetAll() {
        changes.removeAll(keepingCapacity: true)
        names.removeAll()
        hasFlushed = false
    }

    mutating func add(_ hash: UInt64, name: ByteSlice?, isUnattributed: Bool) {
        changes.append(
            Change(
                hash: hash, isUnattributed: isUnattributed, nameStart: names.count,
                nameCount: name?.count ?? -1))
        if let name { names.append(name) }
    }

    mutating func noteFlush() { hasFlushed = true }

    /// The keyspace has forgotten its list.
    mutating func restart() { seen = 0 }

    /// What the keyspace has recorded since the last call.
    fileprivate mutating func takeNew(_ hashes: [UInt64]) -> ArraySlice<UInt64> {
        defer { seen = hashes.count }
        return hashes[min(seen, hashes.count)...]
    }

    fileprivate func contains(_ hash: UInt64, from first: Int) -> Bool {
        changes[first...].contains { $0.hash == hash }
    }
}

extension CommandContext {
    /// The key is about to go, and no client's command is to blame.
    @inline(__always)
    mutating func noteUnattributedChange(_ key: HashedKey) {
        if _slowPath(changedKeys.isOn) {
            changedKeys.add(key.hash, name: key.bytes, isUnattributed: true)
        }
    }

    /// FLUSHDB and FLUSHALL: whoever tracks keys forgets them all.
    mutating func noteFlush() {
        if changedKeys.isOn { changedKeys.noteFlush() }
    }

    /// Names the keys that the command which just ran has changed.
    mutating func collectChanges(of spec: CommandSpec) {
        let first = changedKeys.changes.count
        let hashes = changedKeys.takeNew(keyspace.touchedHashes)
        guard !hashes.isEmpty else { return }
        let words = arguments
        var positions: [KeyPosition] = []
        _ = spec.findKeys(count: words.count, word: { words[$0] }, into: &positions)
        let named = positions.map { words[$0.index] }
        let namedHashes = named.map { keyspace.hash($0) }
        for hash in hashes where !changedKeys.contains(hash, from: first) {
            let place = namedHashes.firstIndex(of: hash)
            changedKeys.add(hash, name: place.map { named[$0] }, isUnattributed: false)
        }
    }
}
