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
        for key in ["s0", "s1", "s2", "text"] {
            let words =
                ["xgroup", "createconsumer", key].map { Array($0.utf8) }
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
            return .array(
                items.map { withoutTimes($0) }.filter { !"\($0)".contains("count\": :0") })
        case .array(let items): return .array(items.map { withoutTimes($0) })
        case .map(let pairs):
            return .map(
                pairs.compactMap { pair in
                    guard let name = pair.key.text, name != "active-time", name != "seen-time"
                    else {
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
                    throw Difference(
                        description: "seed \(seed), \(key): no node \(node) in \(dump)")
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

/// Effects, times and waiting, which the random commands leave out.
@Suite("stream commands by themselves")
struct StreamEffectsTests {
    private func made(_ lines: String...) -> EngineHarness {
        let harness = EngineHarness(families)
        for line in lines { harness.run(line.split(separator: " ").map(String.init)) }
        return harness
    }

    private func effects(_ harness: EngineHarness, _ line: String) -> [String] {
        harness.effects(of: line.split(separator: " ").map(String.init))
            .map { $0.joined(separator: " ") }
    }

    @Test("an entry without an ID gets one from the clock, which the log names")
    func automaticIDs() throws {
        let harness = made()
        let now = harness.now
        #expect(harness.run("xadd", "s", "*", "a", "b") == .bulk("\(now)-0"))
        #expect(harness.run("xadd", "s", "*", "a", "b") == .bulk("\(now)-1"))
        harness.now -= 5
        #expect(effects(harness, "xadd s * a b") == ["xadd s \(now)-2 a b"])
        #expect(effects(harness, "XADD s \(now)-* a b") == ["XADD s \(now)-3 a b"])
        #expect(effects(harness, "xadd s \(now + 1)-* a b") == ["xadd s \(now + 1)-0 a b"])
        #expect(effects(harness, "xadd s \(now + 1)-1 a b") == ["xadd s \(now + 1)-1 a b"])
        let replayed = try harness.replayed()
        #expect(replayed.digest == harness.digest)
        harness.run("xadd", "m", "18446744073709551615-18446744073709551614", "a", "b")
        #expect(
            harness.run("xadd", "m", "*", "a", "b")
                == .bulk("18446744073709551615-18446744073709551615"))
        #expect(
            harness.run("xadd", "m", "*", "a", "b")
                == .error(
                    "ERR The stream has exhausted the last possible ID, unable to add more items"))
        harness.run("xadd", "e", "7-18446744073709551615", "a", "b")
        #expect(
            harness.run("xadd", "e", "7-*", "a", "b")
                == .error(
                    "ERR The ID specified in XADD is equal or smaller than the target stream top item"
                ))
    }

    @Test("trimming by approximation is logged as what came of it")
    func trimEffects() throws {
        let harness = made()
        harness.limits.stream = StreamLimits(nodeBytes: 0, nodeEntries: 3)
        for number in 1...10 { harness.run("xadd", "s", "\(number)-0", "a", "b") }
        #expect(
            effects(harness, "xadd s MAXLEN ~ 5 11-0 a b") == ["xadd s MAXLEN = 5 11-0 a b"])
        #expect(effects(harness, "xtrim s maxlen ~ 5") == [])
        #expect(
            effects(harness, "xadd s nomkstream minid ~ 10-0 limit 100 12-* a b")
                == ["xadd s nomkstream minid = 10-0 limit 100 12-0 a b"])
        #expect(effects(harness, "xtrim s minid ~ 12 limit 0") == [])
        #expect(effects(harness, "xtrim s maxlen ~ 0 limit 0") == ["xtrim s maxlen = 0 limit 0"])
        #expect(effects(harness, "xadd s 13-0 a b") == ["xadd s 13-0 a b"])
        #expect(effects(harness, "xtrim s maxlen 0") == ["xtrim s maxlen 0"])
        #expect(effects(harness, "xtrim s maxlen 0") == [])
        #expect(harness.run("exists", "s").isError || harness.run("xlen", "s") == .integer(0))
        #expect(try harness.replayed().digest == harness.digest)
    }

    @Test("reading for a group is logged as claims and the group's position")
    func readEffects() throws {
        let harness = made(
            "xadd s 1-0 a b", "xadd s 2-0 a b", "xadd s 3-0 a b", "xadd s 4-0 a b",
            "xgroup create s g 0")
        let now = harness.now
        #expect(
            effects(harness, "xreadgroup group g c count 2 streams s >") == [
                "MULTI",
                "XCLAIM s g c 0 1-0 TIME \(now) RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
                "XCLAIM s g c 0 2-0 TIME \(now) RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
                "XGROUP SETID s g 2-0 ENTRIESREAD 2",
                "EXEC",
            ])
        #expect(effects(harness, "xreadgroup group g c streams s 0") == [])
        #expect(
            effects(harness, "xreadgroup group g d count 1 noack streams s >") == [
                "MULTI", "XGROUP CREATECONSUMER s g d", "XGROUP SETID s g 3-0 ENTRIESREAD 3",
                "EXEC",
            ])
        #expect(
            effects(harness, "xreadgroup group g d count 1 noack streams s >")
                == ["XGROUP SETID s g 4-0 ENTRIESREAD 4"])
        #expect(effects(harness, "xreadgroup group g d streams s >") == [])
        #expect(
            effects(harness, "xclaim s g d 0 1-0 9-9")
                == ["XCLAIM s g d 0 1-0 TIME \(now) RETRYCOUNT 3 FORCE JUSTID LASTID 4-0"])
        #expect(effects(harness, "xclaim s g d 100 1-0 2-0") == [])
        #expect(
            effects(harness, "xclaim s g d 0 9-9 lastid 5-0")
                == ["XGROUP SETID s g 5-0 ENTRIESREAD 4"])
        harness.run("xdel", "s", "2-0")
        #expect(
            effects(harness, "xautoclaim s g e 0 0 justid") == [
                "MULTI",
                "XCLAIM s g e 0 1-0 TIME \(now) RETRYCOUNT 3 FORCE JUSTID LASTID 5-0",
                "XCLAIM s g c 0 2-0 TIME \(now) RETRYCOUNT 2 FORCE JUSTID LASTID 5-0",
                "EXEC",
            ])
        #expect(effects(harness, "xack s g 1-0 7-7") == ["xack s g 1-0 7-7"])
        #expect(effects(harness, "xack s g 1-0") == [])
        #expect(effects(harness, "xgroup delconsumer s g c") == ["xgroup delconsumer s g c"])
        #expect(effects(harness, "xgroup delconsumer s g c") == [])
        #expect(effects(harness, "xgroup createconsumer s g e") == [])
        #expect(effects(harness, "xgroup destroy s g") == ["xgroup destroy s g"])
        #expect(effects(harness, "xgroup destroy s g") == [])
        #expect(try harness.replayed().digest == harness.digest)
    }

    @Test("times of consumers are those of 7.2: seen when it asks, active when it gets something")
    func times() {
        let harness = made("xadd s 1-0 a b", "xgroup create s g 0", "xgroup createconsumer s g c")
        harness.now += 100
        #expect(
            harness.run("xinfo", "consumers", "s", "g")
                == .array([
                    .array([
                        .bulk("name"), .bulk("c"), .bulk("pending"), .integer(0), .bulk("idle"),
                        .integer(100), .bulk("inactive"), .integer(-1),
                    ])
                ]))
        harness.run("xreadgroup", "group", "g", "c", "streams", "s", ">")
        harness.now += 10
        harness.run("xreadgroup", "group", "g", "c", "streams", "s", ">")
        harness.now += 1
        let reply = harness.run("xinfo", "consumers", "s", "g").items?.first?.items
        #expect(reply?[5] == .integer(1))
        #expect(reply?[7] == .integer(11))
        #expect(
            harness.run("xpending", "s", "g", "idle", "11", "-", "+", "10").items?.count == 1)
        #expect(
            harness.run("xpending", "s", "g", "idle", "12", "-", "+", "10").items?.count == 0)
    }

    @Test("a snapshot's value is what a copy of the key is", arguments: [1, 2])
    func removal(groups: Int) throws {
        let harness = EngineHarness([StringCommands.table, KeyCommands.table, StreamCommands.table])
        for number in 1...300 { harness.run("xadd", "s", "\(number)", "a", "\(number)") }
        for group in 0..<groups {
            harness.run("xgroup", "create", "s", "g\(group)", "0")
            harness.run(
                "xreadgroup", "group", "g\(group)", "c", "count", "200", "streams", "s", ">")
        }
        harness.run("copy", "s", "t")
        harness.run("xdel", "s", "1", "2")
        harness.run("xack", "s", "g0", "5")
        #expect(harness.run("xlen", "t") == .integer(300))
        #expect(harness.run("xpending", "t", "g0").items?.first == .integer(200))
        #expect(harness.run("xpending", "s", "g0").items?.first == .integer(199))
        harness.run("del", "s")
        #expect(harness.run("xrange", "t", "-", "+", "count", "2").items?.count == 2)
        #expect(harness.run("object", "encoding", "t") == .bulk("stream"))
        harness.run("rename", "t", "u")
        #expect(harness.run("type", "u") == .simple("stream"))
    }
}
