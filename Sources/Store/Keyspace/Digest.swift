internal import HoldfastBytes

/// The digest of a data set that DEBUG DIGEST shows: equal for equal keys, values and presence of deadlines,
/// whatever their order in memory, and equal to redis-server's for the same data.
///
///     mix(d, x):   d = SHA1(d xor SHA1(x))
///     of a value:  mix(0, type), then what the type asks for; a deadline xors SHA1("!!expire!!")
///     of a key:    mix(0, key), then the same
///     of all:      for each database with keys mix(all, number), then xor SHA1(key's digest) for each key
///
/// Numbers count as their four bytes, the highest first. A deadline's time doesn't count.
public struct DataDigest: Equatable, Sendable {
    private var digest = SHA1.Digest()

    /// The digest of no data.
    public init() {}

    /// Forty hexadecimal digits.
    public var hex: String { digest.hex }

    mutating func begin(database: Int) {
        mix(SHA1.hash(bigEndian: UInt32(truncatingIfNeeded: database)))
    }

    mutating func add(_ entry: Entry) {
        var single = DataDigest()
        single.mix(SHA1.hash(entry.key))
        single.mixValue(of: entry)
        digest = digest ^ SHA1.hash(single.digest)
    }

    /// The digest of a key's value alone, as DEBUG DIGEST-VALUE shows it.
    public static func ofValue(_ entry: Entry) -> DataDigest {
        var single = DataDigest()
        single.mixValue(of: entry)
        return single
    }

    fileprivate mutating func mix(_ other: SHA1.Digest) { digest = SHA1.hash(digest ^ other) }

    private mutating func mix(_ element: PackedElement) {
        element.withBytes { mix(SHA1.hash($0)) }
    }

    private mutating func mixValue(of entry: Entry) {
        mix(SHA1.hash(bigEndian: UInt32(entry.type.rawValue)))
        switch entry.type {
        case .string:
            if let integer = entry.integer {
                var text = ByteBuffer()
                text.append(decimal: integer)
                mix(SHA1.hash(text.slice))
            } else {
                mix(SHA1.hash(entry.bytes))
            }
        case .list: ListValue(entry).forEach { mix($0) }
        case .stream: mixEntries(of: entry.root(StreamValue.self))
        case .sortedSet: addMembers(SortedSetView(entry))
        case .set:
            SetValue(entry).forEach { member in
                member.withBytes { digest = digest ^ SHA1.hash($0) }
            }
        case .hash:
            // Every field, expired or not: a deadline's time doesn't count.
            HashValue(entry, at: Int64.min).forEach { field, value in
                var pair = DataDigest()
                field.withBytes { pair.mix(SHA1.hash($0)) }
                value.withBytes { pair.mix(SHA1.hash($0)) }
                digest = digest ^ SHA1.hash(pair.digest)
            }
        }
        if entry.hasDeadline { digest = digest ^ SHA1.hash(ByteSlice("!!expire!!")) }
    }

    /// Of each entry its ID, written with a full stop, then names and values; nothing of groups.
    private mutating func mixEntries(of stream: StreamValue) {
        var digest = self
        stream.forEach { entry in
            entry.id.withText(separator: UInt8(ascii: ".")) { digest.mix(SHA1.hash($0)) }
            entry.forEachWord { word in word.withBytes { digest.mix(SHA1.hash($0)) } }
            return true
        }
        self = digest
    }
}

extension DataDigest {
    /// A sorted set's members count in any order: each with its score in 17 digits.
    private mutating func addMembers(_ set: SortedSetView) {
        var sum = digest
        set.forEach { element, score in
            var single = DataDigest()
            element.withBytes { single.mix(SHA1.hash($0)) }
            var text = ByteBuffer()
            text.append(double17: score)
            single.mix(SHA1.hash(text.slice))
            sum = sum ^ SHA1.hash(single.digest)
        }
        digest = sum
    }
}

extension Keyspace {
    /// The digest of all data, expired or not.
    public func digest() -> DataDigest {
        var digest = DataDigest()
        for database in 0..<databaseCount where count(database) > 0 {
            digest.begin(database: database)
            forEach(database) { digest.add($0) }
        }
        return digest
    }
}

extension FrozenView {
    /// The digest of all data that the snapshot sees.
    public func digest() -> DataDigest {
        var digest = DataDigest()
        for database in databases {
            digest.begin(database: database)
            forEach(database) { digest.add($0) }
        }
        return digest
    }
}
