internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check top: the keys that take most.

/// A key as lists of the largest show it.
struct RankedKey {
    var rank: Int64
    var key: [UInt8]
    var database: Int
    var type: String
    var bytes: Int64
    var elements: UInt64
    var memory: Int64
    var deadline: Int64?
}

/// Keeps the `count` keys of the highest rank: a heap with the lowest of them on top.
struct Ranking {
    let count: Int
    private var heap: [RankedKey] = []

    init(count: Int) { self.count = count }

    /// Whether a key of this rank would be kept.
    @inline(__always)
    func takes(_ rank: Int64) -> Bool { heap.count < count || (heap.first?.rank ?? .max) < rank }

    mutating func add(_ key: RankedKey) {
        guard count > 0 else { return }
        if heap.count < count {
            heap.append(key)
            var child = heap.count - 1
            while child > 0, heap[child].rank < heap[(child - 1) / 2].rank {
                heap.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
            return
        }
        heap[0] = key
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].rank < heap[least].rank {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    /// The highest first.
    var sorted: [RankedKey] { heap.sorted { $0.rank > $1.rank } }
}

/// Adds up the bytes of a value's elements, for an estimate of the memory that it takes.
struct ValueMeter {
    private(set) var bytes: UInt64 = 0
    /// Elements that are kept one by one.
    private(set) var loose: UInt64 = 0

    mutating func begin() { (bytes, loose) = (0, 0) }
    @inline(__always)
    mutating func add(_ count: UInt64, isLoose: Bool = true) {
        bytes &+= count
        if isLoose { loose &+= 1 }
    }

    /// About what a Holdfast server takes for the key: an entry, the value's bytes, and a record for each element that
    /// stands alone.
    func memory(key: Int) -> Int64 { Int64(clamping: 48 &+ UInt64(key) &+ bytes &+ loose &* 24) }
}

/// Measures keys and hands each to `onKey`.
struct MeasuringVisitor: KeyVisitor {
    static var wantsPacked: Bool { false }
    let selection: Selection
    let longStrings: LongStrings
    let onKey: (KeyFacts, Int64) -> Void
    private var meter = ValueMeter()

    init(
        _ selection: Selection, _ longStrings: LongStrings,
        onKey: @escaping (KeyFacts, Int64) -> Void
    ) {
        self.selection = selection
        self.longStrings = longStrings
        self.onKey = onKey
    }

    mutating func begin(_ key: KeyFacts) -> Bool {
        meter.begin()
        return selection.mayAccept(key)
    }
    mutating func string(_ bytes: ByteSlice) { meter.add(longStrings.count(bytes), isLoose: false) }
    mutating func element(_ bytes: ByteSlice) { meter.add(longStrings.count(bytes)) }
    mutating func member(_ bytes: ByteSlice) { meter.add(longStrings.count(bytes)) }
    mutating func member(_ bytes: ByteSlice, score: Double) {
        meter.add(longStrings.count(bytes) &+ 16)
    }
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {
        meter.add(longStrings.count(name) &+ longStrings.count(value))
    }
    mutating func entry(_ entry: StreamEntry) {}
    mutating func packed(elements: Int, bytes: Int) { meter.add(UInt64(bytes), isLoose: false) }
    mutating func passedOver(bytes: UInt64) { meter.add(bytes, isLoose: false) }
    mutating func end(_ key: KeyFacts) {
        guard selection.accepts(key) else { return }
        onKey(key, meter.memory(key: Int(clamping: longStrings.count(key.key))))
    }
}

extension RDBCheckSession {
    func top() throws(WalkFailure) -> ExitCode {
        let by = arguments.value("by") ?? "bytes"
        let longStrings = LongStrings()
        let selection = try Selection(arguments, longStrings)
        let box = RankingBox(Ranking(count: try number("count", 20)))
        let visitor = MeasuringVisitor(selection, longStrings) { key, memory in
            let rank: Int64
            switch by {
            case "elements": rank = Int64(clamping: key.elements)
            case "memory": rank = memory
            case "ttl":
                guard let deadline = key.head.deadline else { return }
                // The nearest first.
                rank = deadline == .min ? .max : -deadline
            case "freq":
                guard let frequency = key.head.frequency else { return }
                rank = Int64(frequency)
            case "idle":
                guard let idle = key.head.idleSeconds else { return }
                rank = Int64(clamping: idle)
            default: rank = key.recordBytes
            }
            guard box.ranking.takes(rank) else { return }
            box.ranking.add(
                RankedKey(
                    rank: rank,
                    key: named(longStrings, key.key) { $0.prefix(1024).copyToArray() },
                    database: key.database, type: key.typeName, bytes: key.recordBytes,
                    elements: key.elements, memory: memory, deadline: key.head.deadline))
        }
        _ = try walk(path, visitor, longStrings: longStrings)
        try selection.check()
        let keys = box.ranking.sorted
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("format", 1)
            json.value("file", path)
            json.value("by", by)
            json.beginArray("keys")
            for key in keys {
                json.beginObject()
                json.value("db", key.database)
                key.key.withSlice { json.value("key", bytes: $0) }
                json.value("type", key.type)
                json.value("bytes", key.bytes)
                json.value("elements", key.elements)
                json.value("memory", key.memory)
                if let deadline = key.deadline { json.value("deadline", deadline) }
                if by == "freq" || by == "idle" { json.value(by, key.rank) }
                json.endObject()
            }
            json.endArray()
            json.endObject()
            json.endDocument()
            return .sound
        }
        let last = by == "freq" || by == "idle" ? by : "ttl"
        console.say(Self.topRow("type", "bytes", "memory", "elements", last, "db", "key"))
        for key in keys {
            let name = key.key.withSlice { keyText.text($0, bytesMax: 200) }
            console.say(
                Self.topRow(
                    key.type, Quantities.bytes(key.bytes), Quantities.bytes(key.memory),
                    key.type == "string" ? "-" : Quantities.count(key.elements),
                    last == "ttl" ? Self.lifetime(key.deadline, selection.now) : "\(key.rank)",
                    "\(key.database)", name))
        }
        return .sound
    }

    private final class RankingBox {
        var ranking: Ranking
        init(_ ranking: Ranking) { self.ranking = ranking }
    }

    private static func topRow(
        _ type: String, _ bytes: String, _ memory: String, _ elements: String, _ last: String,
        _ database: String, _ key: String
    ) -> String {
        pad(type, 6) + " " + padLeft(bytes, 10) + " " + padLeft(memory, 10) + " "
            + padLeft(elements, 12) + " " + padLeft(last, 9) + " " + padLeft(database, 3) + "  "
            + key
    }
}
