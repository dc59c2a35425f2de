public import HoldfastBytes

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

    /// Begins a database that holds keys; call in the order of their numbers.
    public mutating func begin(database: Int) {
        mix(SHA1.hash(bigEndian: UInt32(truncatingIfNeeded: database)))
    }

    /// Adds a key of the database that was begun last.
    public mutating func add(_ key: KeyDigest) { add(keys: SHA1.hash(key.digest)) }

    /// Adds several: the SHA-1 of their digests, xored.
    public mutating func add(keys sum: SHA1.Digest) { digest = digest ^ sum }

    mutating func add(_ entry: Entry) {
        var single = KeyDigest(key: SHA1.hash(entry.key), type: entry.type)
        single.addValue(of: entry)
        add(single)
    }

    /// The digest of a key's value alone, as DEBUG DIGEST-VALUE shows it.
    public static func ofValue(_ entry: Entry) -> DataDigest {
        var single = KeyDigest(key: nil, type: entry.type)
        single.addValue(of: entry)
        var result = DataDigest()
        result.digest = single.digest
        return result
    }

    private mutating func mix(_ other: SHA1.Digest) { digest = SHA1.hash(digest ^ other) }
}

/// The digest of one key, put together from the parts of its value: what `DataDigest` adds up.
///
/// Strings are given by their own SHA-1, so that one too long to hold can take part.
public struct KeyDigest: Equatable, Sendable {
    public private(set) var digest = SHA1.Digest()

    /// - Parameter key: the SHA-1 of the key; nil for the digest of the value alone.
    public init(key: SHA1.Digest?, type: ValueType) {
        if let key { mix(key) }
        mix(SHA1.hash(bigEndian: UInt32(type.rawValue)))
    }

    private mutating func mix(_ other: SHA1.Digest) { digest = SHA1.hash(digest ^ other) }

    /// A string, or the next element of a list.
    @inline(__always)
    public mutating func append(_ element: SHA1.Digest) { mix(element) }

    /// A member of a set.
    @inline(__always)
    public mutating func add(member: SHA1.Digest) { digest = digest ^ member }

    /// A member of a sorted set: it counts with its score in 17 digits.
    public mutating func add(member: SHA1.Digest, score: Double) {
        var text = ByteBuffer()
        text.append(double17: score)
        add(pair: member, SHA1.hash(text.slice))
    }

    /// A field of a hash, expired or not: a deadline's time doesn't count.
    public mutating func add(field: SHA1.Digest, value: SHA1.Digest) { add(pair: field, value) }

    private mutating func add(pair first: SHA1.Digest, _ second: SHA1.Digest) {
        let pair = SHA1.hash(SHA1.hash(SHA1.Digest() ^ first) ^ second)
        digest = digest ^ SHA1.hash(pair)
    }

    /// The next entry of a stream: its ID, written with a full stop, then names and values; nothing of groups.
    public mutating func append(_ entry: StreamEntry) {
        var next = self
        entry.id.withText(separator: UInt8(ascii: ".")) { next.mix(SHA1.hash($0)) }
        entry.forEachWord { word in word.withBytes { next.mix(SHA1.hash($0)) } }
        self = next
    }

    /// The key has a deadline. Call last.
    public mutating func addDeadline() { digest = digest ^ SHA1.hash(ByteSlice("!!expire!!")) }

    fileprivate mutating func addValue(of entry: Entry) {
        var sum = self
        switch entry.type {
        case .string:
            if let integer = entry.integer {
                var text = ByteBuffer()
                text.append(decimal: integer)
                sum.append(SHA1.hash(text.slice))
            } else {
                sum.append(SHA1.hash(entry.bytes))
            }
        case .list:
            ListValue(entry).forEach { element in
                element.withBytes { sum.append(SHA1.hash($0)) }
            }
        case .stream:
            entry.root(StreamValue.self).forEach { entry in
                sum.append(entry)
                return true
            }
        case .sortedSet:
            SortedSetView(entry).forEach { element, score in
                sum.add(member: element.withBytes { SHA1.hash($0) }, score: score)
            }
        case .set:
            SetValue(entry).forEach { member in
                sum.add(member: member.withBytes { SHA1.hash($0) })
            }
        case .hash:
            HashValue(entry, at: Int64.min).forEach { field, value in
                sum.add(
                    field: field.withBytes { SHA1.hash($0) },
                    value: value.withBytes { SHA1.hash($0) })
            }
        }
        if entry.hasDeadline { sum.addDeadline() }
        self = sum
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
