import Engine
import Foundation
import HoldfastPlatform
import TestSupport
import Testing

@Suite("key and database commands")
struct KeyCommandsTests {
    private static let families = [
        StringCommands.table, KeyCommands.table, DatabaseCommands.table,
    ]

    private func harness(_ limits: EngineLimits = EngineLimits()) -> EngineHarness {
        EngineHarness(Self.families, limits: limits)
    }

    // MARK: Beside a stock server

    /// Seeds of random sequences: fixed ones, so that a failure can be repeated by the number it prints.
    private static let seeds: [UInt64] = Array(1...100)

    @Test("random commands over three databases answer, store and replay as on a stock server")
    func randomCommands() throws {
        let stock = try StockServer()
        let connections = [try stock.connect(version: 2), try stock.connect(version: 3)]
        var compared = 0
        for seed in Self.seeds {
            var generator = KeyCommandGenerator(seed: seed)
            var choice = PRNG(seed: seed)
            let ours = harness()
            for connection in connections {
                try connection.command("FLUSHALL")
                try connection.command("SELECT", "0")
            }
            for number in 0..<300 {
                let words = generator.command()
                let shown = "seed \(seed), command \(number): \(Request.shown(words))"
                let name = String(decoding: words[0], as: UTF8.self).lowercased()
                if name == "select" {
                    let replies = try connections.map { try $0.command(words) }
                    if replies[0] == .ok, let text = String(bytes: words[1], encoding: .utf8) {
                        ours.database = Int(text) ?? 0
                    }
                    continue
                }
                let version = choice.below(2)
                // Only deadlines far off or long gone are used, so a clock a moment apart makes no difference.
                ours.now = SystemClock().wallMilliseconds
                let expected = try connections[version].command(words)
                let actual = ours.run(words, version: version + 2)
                compared += 1
                switch name {
                case "keys": try #require(actual.unordered == expected.unordered, "\(shown)")
                case "scan":
                    // Cursors are each server's own; one step was asked to give all.
                    let (mine, other) = (Self.scanned(actual), Self.scanned(expected))
                    try #require(mine == other, "\(shown)")
                case "randomkey":
                    try #require(actual.isNull == expected.isNull, "\(shown)")
                    if let key = actual.bytes {
                        let exists = try connections[version].command([Array("EXISTS".utf8), key])
                        try #require(exists == .integer(1), "\(shown)")
                    }
                case "object" where expected == .integer(1):
                    // A copy of a small integer is not shared there; only the original is.
                    try #require(actual.integer != nil, "\(shown)")
                case "dbsize":
                    // Neither counts by what has expired, and each deletes that in its own time.
                    break
                case "ttl", "pttl", "expiretime", "pexpiretime":
                    let distance = (actual.integer ?? .min).subtractingReportingOverflow(
                        expected.integer ?? .max)
                    try #require(
                        !distance.overflow && distance.partialValue.magnitude < 2000, "\(shown)")
                default: try #require(actual == expected, "\(shown)")
                }
            }
            try compareData(ours, connections[0], seed)
            #expect(
                EngineHarness.differences(ours.state, try ours.replayed().state) == [],
                "replay of seed \(seed)")
        }
        print("key commands: \(compared) replies equal, seeds 1…\(Self.seeds.count)")
    }

    private static func scanned(_ reply: Reply) -> Reply? {
        guard let items = reply.items, items.count == 2 else { return reply }
        return items[1].unordered
    }

    /// Reads everything, which makes the stock server delete what has expired, and compares.
    private func compareData(
        _ ours: EngineHarness, _ connection: RESPConnection, _ seed: UInt64
    ) throws {
        ours.now = SystemClock().wallMilliseconds
        ours.expireDue()
        for database in 0..<3 {
            try connection.command("SELECT", String(database))
            let all = (0..<6).map { "key\($0)" } + (0..<3).map { "num\($0)" }
            _ = try connection.command(["EXISTS"] + all)
            let names = try connection.command("KEYS", "*").items?.compactMap(\.bytes) ?? []
            let state = ours.state(of: database)
            #expect(Set(names) == Set(state.keys), "seed \(seed), database \(database)")
            for name in names {
                func ask(_ words: String...) throws -> Reply {
                    try connection.command(words.map { Array($0.utf8) } + [name])
                }
                let key = "seed \(seed), \(database):\(Reply.quoted(name))"
                #expect(try ask("GET").bytes == state[name]?.value, "\(key)")
                #expect(try ask("OBJECT", "ENCODING").text == state[name]?.encoding, "\(key)")
                let deadline = try ask("PEXPIRETIME").integer ?? -2
                let distance = (state[name]?.deadline ?? -1).subtractingReportingOverflow(deadline)
                #expect(!distance.overflow && distance.partialValue.magnitude < 2000, "\(key)")
            }
        }
        #expect(try connection.command("DEBUG", "DIGEST").text == ours.digest, "seed \(seed)")
    }

    // MARK: Effects

    private func check(
        _ setup: [[String]], _ command: [String], logs expected: [[String]],
        limits: EngineLimits = EngineLimits()
    ) {
        let harness = harness(limits)
        for words in setup { harness.run(words) }
        let start = harness.loggedCount
        let reply = harness.run(command)
        #expect(harness.records(since: start) == expected, "\(command) → \(reply)")
    }

    private static let now = 1_700_000_000_000

    @Test("deadlines are logged as points in time, with the options that were asked for")
    func expireEffects() {
        let set = [["SET", "k", "v"]]
        let later = String(Self.now + 10_000)
        check(set, ["EXPIRE", "k", "10"], logs: [["PEXPIREAT", "k", later]])
        check(set, ["pexpire", "k", "10000"], logs: [["PEXPIREAT", "k", later]])
        check(set, ["EXPIREAT", "k", "1700000010"], logs: [["PEXPIREAT", "k", later]])
        check(set, ["PEXPIREAT", "k", later], logs: [["PEXPIREAT", "k", later]])
        check(set, ["EXPIRE", "k", "10", "nx"], logs: [["PEXPIREAT", "k", later, "nx"]])
        check(
            set, ["EXPIRE", "k", "10", "LT", "LT"], logs: [["PEXPIREAT", "k", later, "LT", "LT"]])
        check(set, ["EXPIRE", "k", "10", "XX"], logs: [])
        check(set, ["EXPIRE", "k", "10", "GT"], logs: [])
        check(set, ["EXPIRE", "other", "10"], logs: [])
        check(set, ["EXPIRE", "k", "0"], logs: [["DEL", "k"]])
        check(set, ["PEXPIREAT", "k", "-5"], logs: [["DEL", "k"]])
        check(set, ["PEXPIREAT", "k", String(Self.now)], logs: [["DEL", "k"]])
        check(set, ["PEXPIREAT", "k", "1", "XX"], logs: [])
        var lazy = EngineLimits()
        lazy.expiresLazily = true
        check(set, ["EXPIRE", "k", "-1"], logs: [["UNLINK", "k"]], limits: lazy)
        check(set, ["PERSIST", "k"], logs: [])
        check(set + [["EXPIRE", "k", "10"]], ["PERSIST", "k"], logs: [["PERSIST", "k"]])
    }

    @Test("other changes are logged as they came, and nothing when nothing changed")
    func verbatimEffects() {
        let set = [["SET", "k", "v"], ["SET", "l", "w"]]
        for command in [
            ["DEL", "gone", "k", "k"], ["unlink", "l", "k"], ["RENAME", "k", "l"],
            ["RENAMENX", "k", "m"], ["COPY", "k", "m"], ["COPY", "k", "l", "REPLACE"],
            ["copy", "k", "k", "DB", "3", "replace"], ["MOVE", "k", "2"], ["SWAPDB", "0", "0"],
            ["SWAPDB", "1", "0"], ["FLUSHDB"], ["FLUSHALL", "ASYNC"], ["flushall", "sync"],
        ] { check(set, command, logs: [command]) }
        for command in [["FLUSHALL"], ["FLUSHDB", "SYNC"]] { check([], command, logs: [command]) }
        for command in [
            ["DEL", "gone"], ["UNLINK", "gone"], ["RENAME", "gone", "k"], ["RENAME", "k", "k"],
            ["RENAMENX", "k", "l"], ["RENAMENX", "k", "k"], ["COPY", "k", "l"],
            ["COPY", "gone", "l", "REPLACE"], ["COPY", "k", "k"], ["MOVE", "gone", "1"],
            ["MOVE", "k", "0"], ["TOUCH", "k"], ["EXISTS", "k"], ["TYPE", "k"], ["TTL", "k"],
            ["KEYS", "*"], ["SCAN", "0"], ["RANDOMKEY"], ["OBJECT", "ENCODING", "k"], ["DBSIZE"],
            ["TIME"], ["LOLWUT"], ["SWAPDB", "0", "16"], ["FLUSHALL", "now"],
        ] { check(set, command, logs: []) }
    }

    @Test("changes of other databases are replayed there")
    func otherDatabases() throws {
        let harness = harness()
        harness.run("SET", "k", "0")
        harness.database = 3
        harness.run("SET", "k", "3", "PXAT", "33177117420000")
        harness.run("COPY", "k", "c", "DB", "5")
        harness.run("MOVE", "k", "7")
        harness.run("SWAPDB", "0", "7")
        #expect(harness.records().last == ["SWAPDB", "0", "7"])
        #expect(harness.state[0]?.count == 1)
        #expect(harness.state[5]?[Array("c".utf8)]?.deadline == 33_177_117_420_000)
        #expect(try harness.replayed().state == harness.state)
        harness.run("FLUSHDB")
        harness.database = 0
        harness.run("FLUSHDB")
        #expect(try harness.replayed().state == harness.state)
        #expect(harness.state[0] == nil)
        #expect(harness.state[7]?.count == 1)
    }

    // MARK: Time

    @Test("whoever meets an expired key deletes it, and logs that before its own record")
    func lazyExpiry() {
        let deletion = ["DEL", "k"]
        let cases: [([String], [[String]])] = [
            (["GET", "k"], [deletion]), (["TTL", "k"], [deletion]), (["EXISTS", "k"], [deletion]),
            (["TYPE", "k"], [deletion]), (["TOUCH", "k"], [deletion]),
            (["OBJECT", "ENCODING", "k"], [deletion]), (["RANDOMKEY"], []),
            (["SCAN", "0", "COUNT", "100"], [deletion]), (["KEYS", "*"], []),
            (["DEL", "k"], [deletion]), (["PERSIST", "k"], [deletion]),
            (["EXPIRE", "k", "10"], [deletion]), (["RENAME", "k", "l"], [deletion]),
            (["MOVE", "k", "1"], [deletion]), (["COPY", "k", "l"], [deletion]),
            (["DEL", "k", "l"], [["MULTI"], deletion, ["DEL", "k", "l"], ["EXEC"]]),
            (["RENAME", "l", "k"], [["MULTI"], deletion, ["RENAME", "l", "k"], ["EXEC"]]),
            (["RENAMENX", "l", "k"], [["MULTI"], deletion, ["RENAMENX", "l", "k"], ["EXEC"]]),
            (["COPY", "l", "k"], [["MULTI"], deletion, ["COPY", "l", "k"], ["EXEC"]]),
        ]
        for (command, expected) in cases {
            let harness = harness()
            harness.run("SET", "k", "v", "PX", "5")
            harness.run("SET", "l", "w")
            harness.now += 6
            let start = harness.loggedCount
            let reply = harness.run(command)
            let records = harness.records(since: start)
            if command == ["RANDOMKEY"] {
                // By chance it met the expired key or not.
                #expect(reply == .bulk("l"))
                #expect(records == [] || records == [deletion])
            } else {
                #expect(records == expected, "\(command)")
            }
            #expect(
                harness.run("GET", "k").isNull == !expected.contains {
                    $0.last == "k" && $0.count == 3 && $0[0] != "DEL"
                })
        }
    }

    @Test("an expired key in the other database is deleted there")
    func lazyExpiryElsewhere() throws {
        let harness = harness()
        harness.database = 1
        harness.run("SET", "k", "old", "PX", "5")
        harness.database = 0
        harness.run("SET", "k", "new")
        harness.now += 6
        let start = harness.loggedCount
        #expect(harness.run("MOVE", "k", "1") == .integer(1))
        #expect(
            harness.records(since: start) == [
                ["SELECT", "1"], ["MULTI"], ["DEL", "k"], ["SELECT", "0"], ["MOVE", "k", "1"],
                ["EXEC"],
            ])
        #expect(try harness.replayed().state == harness.state)
    }

    @Test("what is due is deleted in order, each as a unit of its own, as many as asked for")
    func expireDue() {
        let harness = harness()
        for number in 0..<20 {
            harness.database = number % 2
            harness.run("SET", "k\(number)", "v", "PX", String(1000 - number * 10))
        }
        harness.now += 901
        let start = harness.loggedCount
        #expect(harness.expireDue(limit: 3) == 3)
        #expect(harness.expireDue() == 7)
        #expect(harness.expireDue() == 0)
        let names = harness.records(since: start).filter { $0[0] == "DEL" }.map { $0[1] }
        #expect(
            names == (5...9).reversed().map { "k\($0 * 2)" }
                + (5...9).reversed().map { "k\($0 * 2 + 1)" })
        #expect(!harness.records(since: start).contains(["MULTI"]))
        #expect(harness.statistics.expiredKeys == 10)
    }

    @Test("times left are rounded to seconds, and the ends of Int64 do no harm")
    func timesLeft() {
        let harness = harness()
        harness.run("SET", "k", "v", "PX", "1499")
        #expect(harness.run("TTL", "k") == .integer(1))
        #expect(harness.run("PTTL", "k") == .integer(1499))
        harness.now -= 1
        #expect(harness.run("TTL", "k") == .integer(2))
        harness.run("PEXPIREAT", "k", "9223372036854775807")
        #expect(harness.run("PEXPIRETIME", "k") == .integer(.max))
        #expect(harness.run("EXPIRETIME", "k") == .integer(-9_223_372_036_854_775))
        #expect(harness.run("TTL", "k").integer ?? 0 > 9_000_000_000_000_000)
        #expect(harness.run("TTL", "none") == .integer(-2))
        harness.run("PERSIST", "k")
        #expect(harness.run("PTTL", "k") == .integer(-1))
    }

    // MARK: Looks

    @Test("SCAN walks all keys whatever the count, by pattern and type")
    func scan() {
        let harness = harness()
        for number in 0..<2000 { harness.run("SET", "k\(number)", "v") }
        for options in [[], ["COUNT", "1"], ["COUNT", "777"], ["COUNT", "9223372036854775807"]] {
            var names: [String] = []
            var cursor = "0"
            repeat {
                let reply = harness.run(["SCAN", cursor] + options).items ?? []
                cursor = reply.first?.text ?? "0"
                names += reply.last?.items?.compactMap(\.text) ?? []
            } while cursor != "0"
            #expect(names.count == 2000 && Set(names).count == 2000, "\(options)")
        }
        let all = ["SCAN", "0", "COUNT", "100000"]
        func count(_ words: [String]) -> Int? { harness.run(all + words).items?.last?.items?.count }
        #expect(count(["MATCH", "k1?"]) == 10)
        #expect(count(["TYPE", "STRING"]) == 2000)
        #expect(count(["TYPE", "hash"]) == 0)
        #expect(harness.run("SCAN", "18446744073709551615").items?.count == 2)
        #expect(harness.run("SCAN", "18446744073709551616") == .error("ERR invalid cursor"))
    }

    @Test("only looking at a key leaves its idle time, using or touching it doesn't")
    func idleTime() {
        let harness = harness()
        func idle() -> Int64? { harness.run("OBJECT", "IDLETIME", "k").integer }
        harness.run("SET", "k", "v")
        harness.now += 10_000
        for words in [
            ["TTL", "k"], ["TYPE", "k"], ["EXISTS", "k"], ["OBJECT", "ENCODING", "k"],
        ] {
            harness.run(words)
        }
        #expect(idle() == 10)
        for words in [
            ["GET", "k"], ["TOUCH", "k"], ["EXPIRE", "k", "100"], ["PERSIST", "k"],
            ["SET", "k", "w"],
        ] {
            harness.now += 10_000
            harness.run(words)
            #expect(idle() == 0, "\(words)")
        }
        #expect(harness.run("OBJECT", "FREQ", "k").isError)
    }

    @Test("with an LFU policy a key keeps its count through new values and deadlines")
    func frequency() {
        var limits = EngineLimits()
        limits.countsAccesses = true
        limits.lfuLogFactor = 0
        let harness = harness(limits)
        harness.limits = limits
        func count() -> Int64? { harness.run("OBJECT", "FREQ", "k").integer }
        harness.run("SET", "k", "v")
        #expect(count() == 5)
        for _ in 0..<20 { harness.run("GET", "k") }
        #expect(count() == 25)
        harness.run("SET", "k", "another value")
        harness.run("EXPIRE", "k", "100")
        #expect((count() ?? 0) >= 25)
        #expect(harness.run("OBJECT", "IDLETIME", "k").isError)
        harness.run("PERSIST", "k")
        harness.now += 10 * 60_000
        #expect((count() ?? 100) < 20)
    }

    @Test("RANDOMKEY is null without keys, also when all of them have expired")
    func randomkey() {
        let harness = harness()
        #expect(harness.run("RANDOMKEY") == .null)
        for number in 0..<50 { harness.run("SET", "k\(number)", "v", "PX", "5") }
        harness.now += 6
        #expect(harness.run("RANDOMKEY", version: 3) == .null)
        #expect(harness.run("DBSIZE") == .integer(0))
    }

    @Test("TIME and LOLWUT give what clients look for")
    func timeAndLolwut() {
        let harness = harness()
        harness.now = 1_700_000_000_123
        #expect(harness.run("TIME") == .array([.bulk("1700000000"), .bulk("123000")]))
        let text = harness.run("LOLWUT", "VERSION", "5", "20", "3").text ?? ""
        #expect(text.contains("Redis ver. "))
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == 7)
        #expect(harness.run("LOLWUT", "VERSION", "x").isError)
        for words in [
            ["LOLWUT", "0", "-1"], ["LOLWUT", "1"], ["LOLWUT", "VERSION", "6", "999999999"],
        ] {
            #expect(!harness.run(words).isError)
        }
        if case .verbatim(let format, _) = harness.run("LOLWUT", version: 3) {
            #expect(format == "txt")
        } else {
            Issue.record("not verbatim in RESP3")
        }
    }
}
