import HoldfastBytes
import Snapshot
import Store

/// Spells a value out: `list a b`, `set 1 2`, `zset a:1 b:2.5`, `hash f=v g=w@1000`. Members are sorted unless their
/// order means something.
struct DescribingSink: ValueSink {
    private(set) var kind = ""
    private var parts: [String] = []
    private var names: Set<String> = []
    private(set) var hasEnded = false

    var text: String {
        let isOrdered = ["list", "string", "int", "stream"].contains(kind)
        return ([kind] + (isOrdered ? parts : parts.sorted())).joined(separator: " ")
    }

    private static func spelled(_ bytes: ByteSlice) -> String {
        let text = bytes.prefix(64).copyToArray().map { byte in
            (33...126).contains(byte) ? String(UnicodeScalar(byte)) : "\\\(byte)"
        }
        return text.joined() + (bytes.count > 64 ? "…\(bytes.count)" : "")
    }

    private mutating func add(_ name: String, _ rest: String = "") -> Bool {
        parts.append(name + rest)
        return names.insert(name).inserted
    }

    mutating func string(_ bytes: ByteSlice) {
        kind = "string"
        parts = [Self.spelled(bytes)]
    }

    mutating func integer(_ value: Int64) {
        kind = "string"
        parts = ["\(value)"]
    }

    mutating func beginList() { kind = "list" }
    mutating func element(_ bytes: ByteSlice) { parts.append(Self.spelled(bytes)) }
    mutating func node(_ list: PackedList) {
        forEach(list) { element($0) }
    }

    mutating func beginSet(count: Int) { kind = "set" }
    mutating func member(_ bytes: ByteSlice) -> Bool { add(Self.spelled(bytes)) }
    mutating func set(_ members: PackedList) -> Bool {
        kind = "set"
        forEach(members) { _ = member($0) }
        return true
    }
    mutating func set(_ members: IntegerSet) -> Bool {
        kind = "set"
        for index in 0..<members.count { parts.append("\(members.element(at: index))") }
        return true
    }

    mutating func beginSortedSet(count: Int) { kind = "zset" }
    mutating func member(_ bytes: ByteSlice, score: Double) -> Bool {
        add(Self.spelled(bytes), ":" + DoubleText.text(score))
    }
    mutating func sortedSet(_ pairs: PackedList, isOrdered: Bool) -> Bool {
        kind = "zset"
        forEachPair(pairs) { name, score in
            _ = member(name, score: DoubleText.parse(score) ?? .nan)
        }
        return true
    }

    mutating func beginHash(count: Int) { kind = "hash" }
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) -> Bool {
        add(Self.spelled(name), "=" + Self.spelled(value) + (deadline.map { "@\($0)" } ?? ""))
    }
    mutating func hash(_ pairs: PackedList) -> Bool {
        kind = "hash"
        forEachPair(pairs) { name, value in _ = field(name, value, deadline: nil) }
        return true
    }

    mutating func beginStream() { kind = "stream" }
    mutating func streamNode(_ master: StreamID, _ list: ByteSlice) {
        parts.append("node \(master)")
        forEach(PackedList(list)) { parts.append(Self.spelled($0)) }
    }
    mutating func streamEntries(count: UInt64, lastID: StreamID, history: StreamBuilder.History?) {
        parts.append("count \(count) last \(lastID)")
        if let history {
            parts.append(
                "first \(history.firstID) deleted \(history.maxDeletedID) added \(history.addedCount)"
            )
        }
    }
    mutating func streamGroup(_ name: ByteSlice, lastID: StreamID, entriesRead: Int64?) {
        parts.append("group \(Self.spelled(name)) last \(lastID) read \(entriesRead ?? -2)")
    }
    mutating func streamPending(_ id: StreamID, time: Int64, count: UInt64) {
        parts.append("pending \(id) \(time) \(count)")
    }
    mutating func streamConsumer(_ name: ByteSlice, seenTime: Int64, activeTime: Int64) {
        parts.append("consumer \(Self.spelled(name)) seen \(seenTime) active \(activeTime)")
    }
    mutating func streamConsumerItem(_ id: StreamID) { parts.append("has \(id)") }

    mutating func end() { hasEnded = true }

    private func forEach(_ list: PackedList, _ body: (ByteSlice) -> Void) {
        let isGood = PackedList.walk(list.bytes) { element in
            element.withBytes(body)
            return true
        }
        if !isGood { Array("(damaged)".utf8).withSlice(body) }
    }

    private func forEachPair(_ list: PackedList, _ body: (ByteSlice, ByteSlice) -> Void) {
        var name: [UInt8]?
        forEach(list) { bytes in
            if let known = name.take() {
                known.withSlice { body($0, bytes) }
            } else {
                name = bytes.copyToArray()
            }
        }
    }
}
