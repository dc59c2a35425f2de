import Engine
import HoldfastPlatform
import Store
import TestSupport
import Testing

private let families = [StringCommands.table, StreamCommands.table]

/// Random commands on a stock server and on an engine side by side.
private struct StreamRun {
    private let stock: StockServer
    private let connections: [Int: RESPConnection]
    var replies = 0
    var errors = 0

    struct Difference: Error, CustomStringConvertible {
        let description: String
    }

    init() throws {
        stock = try StockServer(["--rdbcompression", "no"])
        connections = [2: try stock.connect(version: 2), 3: try stock.connect(version: 3)]
    }

    mutating func round(seed: UInt64, count: Int, bytes: Int, entries: Int) throws {
        guard let plain = connections[2], let rich = connections[3] else { return }
        try plain.command("FLUSHALL")
        try plain.command("CONFIG", "SET", "stream-node-max-bytes", "\(bytes)")
        try plain.command("CONFIG", "SET", "stream-node-max-entries", "\(entries)")
        var limits = EngineLimits()
        limits.stream = StreamLimits(nodeBytes: bytes, nodeEntries: entries)
        let harness = EngineHarness(families, limits: limits)
        var words = StreamCommandWords(seed: seed)
        var random = PRNG(seed: seed)
        for number in 0..<count {
            let command = words.command()
            // Descriptions are maps, which RESP2 shows as lists that can't be told from others.
            let name = String(decoding: command[0], as: UTF8.self).lowercased()
            let version = name == "xinfo" || random.oneIn(2) ? 3 : 2
            let connection = version == 3 ? rich : plain
            harness.now = SystemClock().wallMilliseconds
            try makeConsumers(for: command, name, connection, harness)
            if name == "xsetid", harness.run(command) == Self.belowDeleted {
                // Stock 7.0 lets the last ID fall below that of a deleted entry.
                continue
            }
            try connection.send(Request.encode(command))
            let expected = try connection.receiveRaw()
            let actual = harness.runRaw(command, version: version)
            replies += 1
            if actual.first == UInt8(ascii: "-") { errors += 1 }
            if expected == actual { continue }
            let (stocks, ours) = (try one(expected), try one(actual))
            if Self.timeless(stocks, name) != Self.timeless(ours, name) {
                throw Difference(
                    description: """
                        seed \(seed), command \(number), RESP\(version): \(Request.shown(command))
                        stock: \(stocks)
                        ours:  \(ours)
                        """)
            }
        }
        try compareEnd(harness, plain, rich, seed)
    }

    /// Stock 7.0 makes a consumer only when it has something to get.
    private func makeConsumers(
        for command: [[UInt8]], _ name: String, _ connection: RESPConnection,
        _ harness: EngineHarness
    ) throws {
        let start: Int
        switch name {
        case "xclaim", "xautoclaim", "xreadgroup": start = 2
        default: return
        }
        guard command.count > start + 1 else { return }
        for number in 0..<3 {
            let words =
                ["xgroup", "createconsumer", "s\(number)"].map { Array($0.utf8) }
                + command[start...start + 1]
            _ = try connection.command(words)
            harness.run(words)
        }
    }

    private static let belowDeleted = Reply.error(
        "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id")

    private func one(_ bytes: [UInt8]) throws -> Reply {
        guard let reply = try ReplyParser.all(bytes).first else { return .null }
        return reply
    }

    /// The reply with times as old or new, without what only newer servers tell, and with newer words.
    static func timeless(_ reply: Reply, _ name: String) -> Reply {
        switch (name, reply) {
        case ("xpending", .array(let items)):
            return .array(
                items.map { item in
                    guard case .array(var parts) = item, parts.count == 4,
                        let idle = parts[2].integer
                    else { return item }
                    parts[2] = .integer(idle > 10_000_000 ? 1 : 0)
                    return .array(parts)
                })
        case ("xinfo", _): return timelessInfo(reply)
        case (_, .error(let bytes)):
            let text = String(decoding: bytes, as: UTF8.self)
            // 7.2 names the command.
            if text.hasPrefix("ERR Unbalanced") { return .error("ERR Unbalanced") }
            return reply
        default: return reply
        }
    }

    private static func timelessInfo(_ reply: Reply) -> Reply {
        switch reply {
        case .integer(let value) where value > 1_600_000_000_000: return .integer(-2)
        case .array(let items): return .array(items.map(timelessInfo))
        case .map(let pairs):
            return .map(
                pairs.compactMap { pair in
                    switch pair.key.text {
                    case "active-time", "inactive": nil
                    case "idle": .init(pair.key, .null)
                    default: .init(pair.key, timelessInfo(pair.value))
                    }
                })
        default: return reply
        }
    }

    private static func withoutTimes(_ reply: Reply, _ key: String = "") -> Reply {
        switch reply {
        case .array(let items) where key == "pending":
            // The counts and times of what is read again are not logged.
            return .array(items.map { .array(Array(($0.items ?? []).prefix(1))) })
        case .array(let items) where key == "consumers":
            // Nor are consumers that got nothing.
            return .array(items.map { withoutTimes($0) }.filter { !"\($0)".contains("count\": :0") })
        case .array(let items): return .array(items.map { withoutTimes($0) })
        case .map(let pairs):
            return .map(
                pairs.compactMap { pair in
                    guard let name = pair.key.text, name != "active-time", name != "seen-time" else {
                        return nil
                    }
                    return .init(pair.key, withoutTimes(pair.value, name))
                })
        default: return reply
        }
    }

    private func compareEnd(
        _ harness: EngineHarness, _ plain: RESPConnection, _ rich: RESPConnection, _ seed: UInt64
    ) throws {
        func expect(_ left: some Equatable, _ right: some Equatable, _ what: String) throws {
            guard "\(left)" != "\(right)" else { return }
            let (left, right) = ("\(left)", "\(right)")
            // What is long is shown from a little before the first difference.
            let same = max(zip(left, right).prefix { $0 == $1 }.count - 100, 0)
            func shown(_ text: String) -> String { String(text.dropFirst(same).prefix(400)) }
            throw Difference(
                description: "seed \(seed), \(what):\n\(shown(left))\n\(shown(right))")
        }
        try expect(plain.command("DEBUG", "DIGEST").text ?? "", harness.digest, "digest")
        let twin = try harness.replayed()
        try expect(harness.digest, twin.digest, "digest after replay")
        for number in 0..<3 {
            let key = "s\(number)"
            let words = ["xinfo", "stream", key, "full", "count", "0"]
            let mine = harness.run(words, version: 3)
            try expect(
                Self.timelessInfo(try rich.command(words.map { Array($0.utf8) })),
                Self.timelessInfo(mine), "stream \(key)")
            try expect(
                Self.withoutTimes(mine), Self.withoutTimes(twin.run(words, version: 3)),
                "stream \(key) after replay")
            // Nodes lie in memory byte for byte as stock dumps them.
            guard let dump = try plain.command("DUMP", key).bytes else { continue }
            let text = dump.map { UnicodeScalar($0) }
            var haystack = String.UnicodeScalarView()
            haystack.append(contentsOf: text)
            for node in harness.streamNodes(key) {
                if !Self.contains(dump, node) {
                    throw Difference(description: "seed \(seed), \(key): no node \(node) in \(dump)")
                }
            }
        }
    }

    private static func contains(_ bytes: [UInt8], _ part: [UInt8]) -> Bool {
        guard part.count <= bytes.count else { return false }
        return (0...bytes.count - part.count).contains {
            bytes[$0] == part[0] && bytes[$0..<$0 + part.count] == part[...]
        }
    }
}

@Suite("stream commands")
struct StreamCommandsTests {
    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        var run = try StreamRun()
        let sizes = [(0, 2), (150, 0), (4096, 100), (300, 5), (0, 0)]
        for seed in DifferentialSeeds.seeds(1...60) {
            let (bytes, entries) = sizes[Int(seed) % sizes.count]
            try run.round(seed: seed, count: 400, bytes: bytes, entries: entries)
        }
        print("\(run.replies) replies equal stock's, \(run.errors) of them errors")
    }
}
