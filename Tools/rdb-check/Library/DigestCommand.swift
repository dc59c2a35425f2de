internal import HoldfastBytes
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check digest.

/// Puts the digest of each key together, and those of the keys of each database.
struct DigestVisitor: KeyVisitor {
    let longStrings: LongStrings
    private var single = KeyDigest(key: nil, type: .string)
    private(set) var passedOver: UInt64 = 0
    private(set) var modules: UInt64 = 0
    /// Called with each key's digest.
    var onKey: (KeyFacts, KeyDigest) -> Void = { _, _ in }
    var keepsSums = true
    /// Says which keys are wanted.
    var selection: Selection?
    private var sum = KeySum()

    init(_ longStrings: LongStrings) { self.longStrings = longStrings }

    mutating func begin(_ key: KeyFacts) -> Bool {
        if let selection, !selection.mayAccept(key) { return false }
        guard let type = key.head.form.valueType else {
            modules += 1
            return false
        }
        single = KeyDigest(key: longStrings.digest(key.key), type: type)
        return true
    }

    mutating func string(_ bytes: ByteSlice) { single.append(longStrings.digest(bytes)) }
    mutating func element(_ bytes: ByteSlice) { single.append(longStrings.digest(bytes)) }
    mutating func member(_ bytes: ByteSlice) { single.add(member: longStrings.digest(bytes)) }
    mutating func member(_ bytes: ByteSlice, score: Double) {
        single.add(member: longStrings.digest(bytes), score: score)
    }
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {
        single.add(field: longStrings.digest(name), value: longStrings.digest(value))
    }
    mutating func entry(_ entry: StreamEntry) { single.append(entry) }
    mutating func passedOver(bytes: UInt64) { passedOver += 1 }

    mutating func end(_ key: KeyFacts) {
        // An empty value is one that a server leaves out.
        if key.elements == 0, key.head.form.valueType != .string, key.head.form.valueType != .stream
        {
            return
        }
        if let selection, !selection.accepts(key) { return }
        if key.head.deadline != nil { single.addDeadline() }
        onKey(key, single)
        if keepsSums { sum.add(single, key.database) }
    }

    /// Of all data.
    var digest: DataDigest { sum.digest }
}

/// The sums of the digests of keys, by database, which a file may leave and come back to.
struct KeySum {
    private var sums: [Int: SHA1.Digest] = [:]
    private var number = -1
    private var current = SHA1.Digest()

    mutating func add(_ key: KeyDigest, _ database: Int) {
        if database != number {
            keep()
            number = database
            current = sums[database] ?? SHA1.Digest()
        }
        current = current ^ SHA1.hash(key.digest)
    }

    private mutating func keep() { if number >= 0 { sums[number] = current } }

    var digest: DataDigest {
        var all = self
        all.keep()
        var result = DataDigest()
        for (number, sum) in all.sums.sorted(by: { $0.key < $1.key }) {
            result.begin(database: number)
            result.add(keys: sum)
        }
        return result
    }
}

extension RDBCheckSession {
    func digest() throws(WalkFailure) -> ExitCode {
        let longStrings = LongStrings()
        let walk = try walk(path, DigestVisitor(longStrings), longStrings: longStrings)
        let visitor = walk.sink.visitor
        if visitor.passedOver > 0 {
            complain(
                "\(path): \(visitor.passedOver) packed values are too long to be looked into, so that there is no digest"
            )
            return .foreign
        }
        if visitor.modules > 0 {
            complain("\(path): \(visitor.modules) values of modules are not in the digest")
        }
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("format", 1)
            json.value("file", path)
            json.value("digest", visitor.digest.hex)
            json.value("keys", walk.tally.keys)
            json.endObject()
            json.endDocument()
        } else {
            console.say(visitor.digest.hex)
        }
        return .sound
    }
}
