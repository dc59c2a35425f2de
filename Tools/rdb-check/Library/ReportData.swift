internal import HoldfastBytes
internal import Snapshot
internal import ToolKit

/// What `report` adds up, in memory that doesn't depend on the file's length.
final class ReportData {
    struct Sum {
        var keys: UInt64 = 0
        var bytes: Int64 = 0
        var memory: Int64 = 0
        var elements: UInt64 = 0

        mutating func add(_ key: KeyFacts, _ memory: Int64) {
            keys += 1
            bytes &+= key.recordBytes
            self.memory &+= memory
            elements &+= key.elements
        }
    }

    /// A part of the tree of prefixes.
    final class Node {
        let name: String
        var sum = Sum()
        var children: [[UInt8]: Node] = [:]

        init(_ name: String) { self.name = name }

        /// The largest first.
        var sorted: [Node] { children.values.sorted { $0.sum.bytes > $1.sum.bytes } }
    }

    static let lifetimes: [(name: String, milliseconds: Int64)] = [
        ("past", 0), ("under 1 min", 60_000), ("under 1 h", 3_600_000), ("under 1 day", 86_400_000),
        ("under 1 week", 604_800_000), ("under 30 days", 2_592_000_000), ("longer", .max),
    ]

    var all = Sum()
    var withDeadline = Sum()
    private(set) var types: [String: Sum] = [:]
    private(set) var encodings: [String: Sum] = [:]
    /// By the power of two that a key's bytes reach.
    private(set) var sizes = [Sum](repeating: Sum(), count: 48)
    private(set) var deadlines = [Sum](repeating: Sum(), count: ReportData.lifetimes.count)
    let root = Node("")
    var ranking = Ranking(count: 20)
    private var nodeCount = 0
    private let separators: Set<UInt8>
    private let now: Int64
    private let longStrings: LongStrings

    private static let nodesMax = 20_000
    private static let depthMax = 4

    init(separators: Set<UInt8>, now: Int64, _ longStrings: LongStrings) {
        self.separators = separators
        self.now = now
        self.longStrings = longStrings
    }

    func add(_ key: KeyFacts, _ memory: Int64) {
        all.add(key, memory)
        types[key.typeName, default: Sum()].add(key, memory)
        encodings["\(key.head.form.name)", default: Sum()].add(key, memory)
        let power = max(0, 63 - max(key.recordBytes, 1).leadingZeroBitCount)
        sizes[min(power, sizes.count - 1)].add(key, memory)
        if let deadline = key.head.deadline {
            withDeadline.add(key, memory)
            let left = deadline.subtractingReportingOverflow(now)
            let lifetime = left.overflow ? Int64.max : left.partialValue
            let place = Self.lifetimes.firstIndex { lifetime <= $0.milliseconds }
            deadlines[place ?? deadlines.count - 1].add(key, memory)
        }
        named(longStrings, key.key) { addPrefix($0, key, memory) }
        if ranking.takes(key.recordBytes) {
            ranking.add(
                RankedKey(
                    rank: key.recordBytes,
                    key: named(longStrings, key.key) { $0.prefix(200).copyToArray() },
                    database: key.database, type: key.typeName, bytes: key.recordBytes,
                    elements: key.elements, memory: memory, deadline: key.head.deadline))
        }
    }

    private func addPrefix(_ name: ByteSlice, _ key: KeyFacts, _ memory: Int64) {
        var node = root
        node.sum.add(key, memory)
        var start = 0
        for _ in 0..<Self.depthMax {
            var end = start
            while end < name.count, end - start < 64, !separators.contains(name[end]) { end += 1 }
            guard end < name.count, separators.contains(name[end]) else { return }
            guard let next = child(of: node, Self.part(name.slice(start..<end + 1))) else { return }
            node = next
            node.sum.add(key, memory)
            start = end + 1
        }
    }

    /// A part of a name with its separator; numbers and the like are all the same.
    private static func part(_ bytes: ByteSlice) -> [UInt8] {
        var digits = 0
        for index in 0..<bytes.count - 1 {
            switch bytes[index] {
            case 0x30...0x39: digits += 1
            case 0x61...0x66, 0x41...0x46, 0x2d: continue
            default: return bytes.copyToArray()
            }
        }
        let isNumber = digits == bytes.count - 1 || (bytes.count > 8 && digits * 3 >= bytes.count)
        guard isNumber, bytes.count > 1 else { return bytes.copyToArray() }
        return [0x23, bytes[bytes.count - 1]]
    }

    private func child(of node: Node, _ part: [UInt8]) -> Node? {
        if let known = node.children[part] { return known }
        guard nodeCount < Self.nodesMax else { return nil }
        nodeCount += 1
        let made = Node(node.name + part.withSlice { KeyText.utf8.text($0) })
        node.children[part] = made
        return made
    }

    /// What is worth a look.
    var advice: [String] {
        var lines: [String] = []
        guard all.keys > 0, all.bytes > 0 else { return [] }
        let share = { (part: Int64) in Int(Double(part) * 100 / Double(self.all.bytes)) }
        if deadlines[0].keys > 0 {
            lines.append(
                "\(Quantities.count(deadlines[0].keys)) keys (\(share(deadlines[0].bytes)) % of the bytes) are past their deadline and go away when the file is loaded."
            )
        }
        if let largest = ranking.sorted.first, share(largest.bytes) >= 10 {
            lines.append(
                "One key holds \(share(largest.bytes)) % of all bytes: \(largest.key.withSlice { KeyText.utf8.text($0, bytesMax: 80) })."
            )
        }
        if withDeadline.keys == 0 {
            lines.append("No key has a deadline: nothing goes away by itself.")
        }
        if let strings = types["string"], strings.keys > 10_000,
            strings.memory / Int64(strings.keys) < 112
        {
            lines.append(
                "Most strings are short: kept as fields of hashes they take a fraction of the memory."
            )
        }
        return lines
    }
}
