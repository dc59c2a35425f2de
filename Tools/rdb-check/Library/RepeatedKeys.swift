internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store

/// Finds keys that a file has twice, by 64-bit hashes, in memory that doesn't depend on their number.
final class RepeatedKeys {
    private let hasher = ByteHash(seed: .random(in: 0 ... .max))
    private var spill: Spill?
    private(set) var failure: SystemError?
    /// The first hashes, as long as they are few.
    private var few: [UInt64] = []
    /// The newest hashes of each partition, which go to the spill together.
    private var newest: [UInt64] = []
    private var counts: [Int] = []

    private static let partitions = 256
    private static let newestMax = 64
    private static let fewMax = 4096

    @inline(__always)
    func hash(_ key: ByteSlice, _ database: Int) -> UInt64 {
        hasher.hash(key) &+ UInt64(truncatingIfNeeded: database) &* 0x9e37_79b9_7f4a_7c15
    }

    @inline(__always)
    func add(_ key: ByteSlice, _ database: Int) {
        let hash = hash(key, database)
        if _slowPath(spill == nil) { return addToFew(hash) }
        deal(hash)
    }

    private func addToFew(_ hash: UInt64) {
        few.append(hash)
        guard few.count >= Self.fewMax else { return }
        spill = Spill(partitions: Self.partitions, bufferBytes: 48 << 10)
        newest = [UInt64](repeating: 0, count: Self.partitions * Self.newestMax)
        counts = [Int](repeating: 0, count: Self.partitions)
        for hash in few { deal(hash) }
        few = []
    }

    @inline(__always)
    private func deal(_ hash: UInt64) {
        let partition = Int(hash >> 56)
        let count = counts[partition]
        newest[partition &* Self.newestMax &+ count] = hash
        counts[partition] = count &+ 1
        if _slowPath(count &+ 1 == Self.newestMax) { move(partition) }
    }

    @inline(never)
    private func move(_ partition: Int) {
        let count = counts[partition]
        counts[partition] = 0
        guard failure == nil else { return }
        do throws(SystemError) {
            let start = partition * Self.newestMax
            try spill?.append(to: partition) { buffer in
                for index in start..<start + count { buffer.appendWord(newest[index]) }
            }
        } catch { failure = error }
    }

    /// The hashes that came more than once, at most a thousand.
    func find() -> Set<UInt64> {
        var found: Set<UInt64> = []
        var slots: [UInt64] = []
        guard let spill else {
            var bytes = ByteBuffer()
            for hash in few { bytes.appendWord(hash) }
            Self.look(bytes.slice, &slots, &found)
            return found
        }
        for partition in 0..<spill.count where failure == nil {
            move(partition)
            do throws(SystemError) {
                try spill.take(partition) { Self.look($0, &slots, &found) }
            } catch { failure = error }
        }
        return found
    }

    private static func look(
        _ hashes: ByteSlice, _ slots: inout [UInt64], _ found: inout Set<UInt64>
    ) {
        let count = hashes.count / 8
        var size = 16
        while size < count * 2 { size *= 2 }
        if slots.count < size { slots = [UInt64](repeating: 0, count: size) }
        for index in 0..<size { slots[index] = 0 }
        for index in 0..<count {
            let hash = hashes.load64(at: index * 8) | 1
            var slot = Int(truncatingIfNeeded: hash >> 8) & (size - 1)
            while slots[slot] != 0 {
                if slots[slot] == hash, found.count < 1000 {
                    found.insert(hash)
                    break
                }
                slot = (slot + 1) & (size - 1)
            }
            if slots[slot] == 0 { slots[slot] = hash }
        }
    }
}

// MARK: Which they are

extension RepeatedKeys {
    /// The first key of a file that was there before.
    struct Finding {
        var key: [UInt8]
        var database: Int
        var form: UInt8
        /// Where its second record begins.
        var offset: Int64
        /// How many there are.
        var count = 1
    }

    private struct Visitor: PlainVisitor {
        let hashes: Set<UInt64>
        let repeated: RepeatedKeys
        var seen: Set<Name> = []
        var finding: Finding?

        struct Name: Hashable {
            var database: Int
            var key: [UInt8]
        }

        mutating func begin(_ key: KeyFacts) -> Bool {
            guard hashes.contains(repeated.hash(key.key, key.database) | 1) else { return false }
            let name = Name(database: key.database, key: key.key.copyToArray())
            if seen.insert(name).inserted { return false }
            if finding == nil {
                finding = Finding(
                    key: name.key, database: name.database, form: key.head.form.rawValue,
                    offset: key.head.offset)
            } else {
                finding?.count += 1
            }
            return false
        }
        mutating func end(_ key: KeyFacts) {}
    }

    /// Reads the file again to tell which keys have these hashes; nil if chance made the hashes of others equal.
    func locate(
        _ hashes: Set<UInt64>, in source: any SnapshotSource, _ goOn: (Int64) -> Bool
    ) throws(WalkFailure) -> Finding? {
        var walk = try RDBCheckSession.opening { () throws(SystemError) in
            try Walk(
                source, Visitor(hashes: hashes, repeated: self), longStrings: LongStrings())
        }
        try walk.run(goOn)
        return walk.sink.visitor.finding
    }
}
