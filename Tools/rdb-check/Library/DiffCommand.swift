internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check diff: each key of both files becomes a short record with the digest of its value, dealt out by the key's hash;
// then partition by partition is compared.
//
//     u32 length of the key | u32 database | 16 bytes of its digest | i64 deadline, all ones for none | key

struct KeyRecords {
    private let hasher: ByteHash
    let spill: Spill
    var failure: SystemError?

    static let headBytes = 32

    init(_ hasher: ByteHash, partitions: Int) {
        self.hasher = hasher
        spill = Spill(partitions: partitions)
    }

    mutating func add(_ key: KeyFacts, _ digest: KeyDigest?) {
        guard failure == nil else { return }
        let hash = hasher.hash(key.key)
        let partition = Int(hash >> 40) % spill.count
        let halves = digest?.digest.halves ?? (0, 0)
        do throws(SystemError) {
            try spill.append(to: partition) { buffer in
                buffer.appendWord(
                    UInt64(UInt32(truncatingIfNeeded: key.key.count))
                        | UInt64(UInt32(truncatingIfNeeded: key.database)) << 32)
                buffer.appendWord(halves.0)
                buffer.appendWord(halves.1)
                buffer.appendWord(UInt64(bitPattern: key.head.deadline ?? -1))
                buffer.append(key.key)
            }
        } catch { failure = error }
    }
}

/// What two files have in common, and what not.
struct Difference {
    struct Sample {
        var kind: String
        var key: [UInt8]
        var database: Int
    }

    var equal: UInt64 = 0
    var onlyFirst: UInt64 = 0
    var onlySecond: UInt64 = 0
    var changed: UInt64 = 0
    /// Equal but for the moment of the deadline.
    var moved: UInt64 = 0
    var samples: [Sample] = []
    let samplesMax: Int

    init(samplesMax: Int) { self.samplesMax = samplesMax }

    var isNone: Bool { onlyFirst + onlySecond + changed + moved == 0 }

    private struct Record {
        let bytes: ByteSlice
        let end: Int

        init?(_ all: ByteSlice, _ offset: Int) {
            guard offset + KeyRecords.headBytes <= all.count else { return nil }
            let count = Int(UInt32(truncatingIfNeeded: all.load64(at: offset)))
            guard offset + KeyRecords.headBytes + count <= all.count else { return nil }
            end = offset + KeyRecords.headBytes + count
            bytes = all.slice(offset..<end)
        }

        /// Length and database together.
        var head: UInt64 { bytes.load64(at: 0) }
        var database: Int { Int(head >> 32) }
        var key: ByteSlice { bytes.dropFirst(KeyRecords.headBytes) }
        var deadline: UInt64 { bytes.load64(at: 24) }

        func isSameKey(_ other: Record) -> Bool { head == other.head && key == other.key }
        func isSameValue(_ other: Record) -> Bool {
            bytes.load64(at: 8) == other.bytes.load64(at: 8)
                && bytes.load64(at: 16) == other.bytes.load64(at: 16)
        }
    }

    /// Compares a partition of both files.
    mutating func compare(_ first: ByteSlice, _ second: ByteSlice, _ hasher: ByteHash) {
        var count = 0
        var offset = 0
        while let record = Record(first, offset) {
            count += 1
            offset = record.end
        }
        var size = 16
        while size < count * 2 { size *= 2 }
        // Offset + 1 of a record; the highest bit says that it was found.
        var slots = [UInt32](repeating: 0, count: size)
        offset = 0
        while let record = Record(first, offset) {
            var slot = Self.slot(record, hasher, size)
            while slots[slot] != 0 { slot = (slot + 1) & (size - 1) }
            slots[slot] = UInt32(truncatingIfNeeded: offset + 1)
            offset = record.end
        }
        offset = 0
        while let record = Record(second, offset) {
            offset = record.end
            var slot = Self.slot(record, hasher, size)
            var found: Record?
            while slots[slot] != 0 {
                let place = Int(slots[slot] & 0x7fff_ffff) - 1
                if let other = Record(first, place), record.isSameKey(other) {
                    found = other
                    break
                }
                slot = (slot + 1) & (size - 1)
            }
            guard let found else {
                onlySecond += 1
                keep("added", record)
                continue
            }
            slots[slot] |= 0x8000_0000
            let hasNone = (found.deadline == .max, record.deadline == .max)
            if !record.isSameValue(found) {
                changed += 1
                keep(hasNone.0 == hasNone.1 ? "changed" : "changed or deadline", record)
            } else if record.deadline != found.deadline {
                moved += 1
                keep("deadline", record)
            } else {
                equal += 1
            }
        }
        for slot in slots where slot != 0 && slot & 0x8000_0000 == 0 {
            onlyFirst += 1
            if let record = Record(first, Int(slot) - 1) { keep("removed", record) }
        }
    }

    private static func slot(_ record: Record, _ hasher: ByteHash, _ size: Int) -> Int {
        Int(truncatingIfNeeded: hasher.hash(record.key) &+ record.head >> 32) & (size - 1)
    }

    private mutating func keep(_ kind: String, _ record: Record) {
        guard samples.count < samplesMax else { return }
        samples.append(
            Sample(
                kind: kind, key: record.key.prefix(4096).copyToArray(), database: record.database))
    }
}

extension RDBCheckSession {
    /// Names of keys, whatever they hold.
    private struct NameVisitor: PlainVisitor {
        let selection: Selection
        let onKey: (KeyFacts) -> Void
        mutating func begin(_ key: KeyFacts) -> Bool {
            if selection.mayAccept(key) { onKey(key) }
            return false
        }
        mutating func end(_ key: KeyFacts) {}
    }

    func diff() throws(WalkFailure) -> ExitCode {
        let paths = arguments.operands
        guard paths[0] != "-" || paths[1] != "-" else {
            throw .usage(UsageError("only one of the files can be standard input"))
        }
        let samplesMax = try number("count", 20)
        var total: Int64 = 0
        for path in paths {
            total +=
                try Self.opening { () throws(SystemError) in try InputFile(path) }.bytes ?? 1 << 30
        }
        let hasher = ByteHash(seed: .random(in: 0 ... .max))
        let partitions = Int(min(max(total / (4 << 20), 16), 400))
        var sides: [KeyRecords] = []
        for path in paths {
            sides.append(try records(path, hasher, partitions))
        }
        var difference = Difference(samplesMax: samplesMax)
        for partition in 0..<partitions {
            guard console.mayGoOn else { throw .interrupted }
            do throws(SystemError) {
                let second = sides[1].spill
                let failure = try sides[0].spill.take(partition) { first -> SystemError? in
                    do throws(SystemError) {
                        try second.take(partition) { difference.compare(first, $0, hasher) }
                        return nil
                    } catch { return error }
                }
                if let failure { throw failure }
            } catch { throw .system(error) }
        }
        print(difference, paths)
        return difference.isNone ? .sound : .damaged
    }

    func number(_ option: String, _ standard: Int) throws(WalkFailure) -> Int {
        guard let text = arguments.value(option) else { return standard }
        guard let number = Int(text), 0...1_000_000 ~= number else {
            throw .usage(UsageError("--\(option) wants a number up to 1000000, not \(text)"))
        }
        return number
    }

    private func records(
        _ path: String, _ hasher: ByteHash, _ partitions: Int
    ) throws(WalkFailure) -> KeyRecords {
        let longStrings = LongStrings()
        let selection = try Selection(arguments, longStrings)
        let box = RecordsBox(KeyRecords(hasher, partitions: partitions))
        if arguments.has("keys") {
            let visitor = NameVisitor(selection: selection) { box.records.add($0, nil) }
            _ = try walk(path, visitor, longStrings: longStrings)
        } else {
            var visitor = DigestVisitor(longStrings)
            visitor.selection = selection
            visitor.keepsSums = false
            visitor.onKey = { box.records.add($0, $1) }
            let walk = try walk(path, visitor, longStrings: longStrings)
            if walk.sink.visitor.passedOver > 0 || walk.sink.visitor.modules > 0 {
                complain(
                    "\(path): \(walk.sink.visitor.passedOver + walk.sink.visitor.modules) values could not be looked into"
                )
            }
        }
        try selection.check()
        if let failure = box.records.failure { throw .system(failure) }
        return box.records
    }

    private final class RecordsBox {
        var records: KeyRecords
        init(_ records: KeyRecords) { self.records = records }
    }

    private func print(_ difference: Difference, _ paths: [String]) {
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("format", 1)
            json.beginArray("files")
            for path in paths { json.value(nil, path) }
            json.endArray()
            json.value("same", difference.isNone)
            json.value("equal", difference.equal)
            json.value("removed", difference.onlyFirst)
            json.value("added", difference.onlySecond)
            json.value("changed", difference.changed)
            json.value("deadline", difference.moved)
            json.beginArray("samples")
            for sample in difference.samples {
                json.beginObject()
                json.value("what", sample.kind)
                json.value("db", sample.database)
                sample.key.withSlice { json.value("key", bytes: $0) }
                json.endObject()
            }
            json.endArray()
            json.endObject()
            json.endDocument()
            return
        }
        console.say(difference.isNone ? "SAME" : "DIFFERENT")
        if console.isQuiet { return }
        func row(_ name: String, _ count: UInt64) {
            console.say("  " + Self.pad(name, 28) + Self.padLeft(Quantities.count(count), 14))
        }
        row("equal", difference.equal)
        row("only in \(paths[0].suffix(18))", difference.onlyFirst)
        row("only in \(paths[1].suffix(18))", difference.onlySecond)
        row("changed", difference.changed)
        row("only the deadline changed", difference.moved)
        for sample in difference.samples {
            let mark =
                switch sample.kind {
                case "removed": "-"
                case "added": "+"
                default: "~"
                }
            let name = sample.key.withSlice { keyText.text($0, bytesMax: 200) }
            console.say("\(mark) db \(sample.database) \(name)  (\(sample.kind))")
        }
        let shown = UInt64(difference.samples.count)
        let all =
            difference.onlyFirst + difference.onlySecond + difference.changed + difference.moved
        if all > shown { console.say("and \(Quantities.count(all - shown)) more: -n N shows more") }
    }
}
