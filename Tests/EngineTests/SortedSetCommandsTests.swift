import Foundation
import HoldfastPlatform
import Store
import TestSupport
import Testing

@testable import Engine

private let families = [
    StringCommands.table, KeyCommands.table, SetCommands.table, SortedSetCommands.table,
    GeoCommands.table,
]

/// Runs the same commands here and on a stock server and compares.
private struct Comparison {
    let stock: StockServer
    let connections: [RESPConnection]
    var replies = 0
    var errors = 0

    init() throws {
        stock = try StockServer()
        connections = [try stock.connect(version: 2), try stock.connect(version: 3)]
    }

    /// One sequence on empty data.
    mutating func round(
        seed: UInt64, limits: SortedSetLimits, commands: Int,
        _ make: (inout CommandGenerator) -> [[UInt8]]
    ) throws {
        var generator = CommandGenerator(seed: seed)
        var choice = PRNG(seed: seed)
        var engineLimits = EngineLimits()
        engineLimits.encodings.sortedSet = limits
        engineLimits.encodings.setEntriesMax = 4
        engineLimits.encodings.setIntegersMax = 3
        let ours = EngineHarness(families, limits: engineLimits)
        let plain = connections[0]
        try plain.command("FLUSHALL")
        try plain.command(
            "CONFIG", "SET", "zset-max-listpack-entries", String(limits.packedMembersMax),
            "zset-max-listpack-value", String(limits.packedMemberBytesMax))
        for number in 0..<commands {
            let words = make(&generator)
            let shown = "seed \(seed), command \(number): \(Request.shown(words))"
            let version = choice.below(2)
            ours.now = SystemClock().wallMilliseconds
            let expected = try connections[version].command(words)
            let actual = ours.run(words, version: version + 2)
            replies += 1
            if actual.isError { errors += 1 }
            let name = String(decoding: words[0], as: UTF8.self).lowercased()
            if name == "zrandmember", !expected.isError {
                // What chance chose differs; how much of what kind doesn't.
                try #require(Self.shape(actual) == Self.shape(expected), "\(shown)")
            } else if name == "zscan", !expected.isError {
                try #require(Self.scanned(actual) == Self.scanned(expected), "\(shown)")
            } else if name.hasPrefix("geo") {
                try #require(actual == expected, "\(shown)")
            } else {
                try #require(Self.modern(actual) == Self.modern(expected), "\(shown)")
            }
        }
        try #require(
            try plain.command("DEBUG", "DIGEST").text == ours.digest, "seed \(seed): digests")
        for name in try plain.command("KEYS", "*").items?.compactMap(\.bytes) ?? []
        where !name.starts(with: Array("set".utf8)) {
            // Sets have had packed lists since 7.2 only.
            let encoding = try plain.command(
                [Array("OBJECT".utf8), Array("ENCODING".utf8), name])
            let mine = ours.run([Array("OBJECT".utf8), Array("ENCODING".utf8), name])
            #expect(mine == encoding, "seed \(seed), \(Reply.quoted(name))")
        }
        ours.checkInvariants()
        let twin = try ours.replayed()
        #expect(twin.digest == ours.digest, "replay of seed \(seed)")
        #expect(EngineHarness.differences(ours.state, twin.state) == [], "replay of seed \(seed)")
    }

    /// Doubles as Redis prints them from 7.2 on, where 7.0 prints 17 digits.
    static func modern(_ reply: Reply) -> Reply {
        func modern(_ text: String) -> String? {
            guard text.contains(where: { $0 == "." || $0 == "e" }), text.count > 2,
                let value = Double(text), value.isFinite,
                String(format: "%.17g", value) == text
            else { return nil }
            var shortest = "\(value)"
            if shortest.hasSuffix(".0") { shortest.removeLast(2) }
            return "double " + shortest
        }
        switch reply {
        case .bulk(let bytes):
            let text = String(decoding: bytes, as: UTF8.self)
            // Ours too goes by what 17 digits of it would be.
            if let value = Double(text), value.isFinite, bytes.count > 2,
                let changed = modern(String(format: "%.17g", value)), Double(text) == value,
                text == String(format: "%.17g", value) || text.count < 24
            {
                return .bulk(changed)
            }
            return reply
        case .double(let text):
            return .double(
                Double(text).flatMap { modern(String(format: "%.17g", $0)) } ?? text)
        case .array(let items): return .array(items.map { Self.modern($0) })
        default: return reply
        }
    }

    private static func shape(_ reply: Reply) -> [String] {
        guard case .array(let items) = reply else { return ["\(reply.isNull) \(reply.isError)"] }
        return items.map { item in
            switch item {
            case .array(let parts): "pair of \(parts.count)"
            case .null: "null"
            default: "item"
            }
        }
    }

    private static func scanned(_ reply: Reply) -> [String] {
        guard let parts = reply.items, parts.count == 2, let items = parts[1].items else {
            return ["\(reply)"]
        }
        let pairs = stride(from: 0, to: items.count - 1, by: 2).map {
            "\(items[$0]) \(modern(items[$0 + 1]))"
        }
        return pairs.sorted() + ["\(items.count)", "\(parts[0])"]
    }
}

@Suite("sorted set commands")
struct SortedSetCommandsTests {
    private static let limits = [
        SortedSetLimits(packedMembersMax: 8, packedMemberBytesMax: 12),
        SortedSetLimits(packedMembersMax: 0, packedMemberBytesMax: 64),
        SortedSetLimits(packedMembersMax: 128, packedMemberBytesMax: 400),
    ]

    private static func seeds(_ count: UInt64) -> ClosedRange<UInt64> {
        let text = ProcessInfo.processInfo.environment["HOLDFAST_SEEDS"] ?? ""
        let numbers = text.split(separator: "-").compactMap { UInt64($0) }
        guard let first = numbers.first, let last = numbers.last, first <= last else {
            return 1...count
        }
        return first...last
    }

    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        var comparison = try Comparison()
        let seeds = Self.seeds(150)
        for seed in seeds {
            try comparison.round(seed: seed, limits: Self.limits[Int(seed % 3)], commands: 200) {
                // Packed sets go by bytes even where scores differ, member by member.
                guard seed % 3 == 2 else { return $0.sortedSetCommand() }
                return $0.sortedSetCommand().map {
                    $0.starts(with: Array("lex".utf8)) ? Array("key".utf8) + $0.dropFirst(3) : $0
                }
            }
        }
        print("\(comparison.replies) replies equal, \(comparison.errors) of them errors")
    }

    @Test("random commands on places answer, store and replay as on a stock server")
    func randomPlaces() throws {
        var comparison = try Comparison()
        let seeds = Self.seeds(100)
        for seed in seeds {
            try comparison.round(seed: seed, limits: Self.limits[Int(seed % 3)], commands: 200) {
                $0.geoCommand()
            }
        }
        print("\(comparison.replies) replies equal, \(comparison.errors) of them errors")
    }
}

@Suite("sorted set commands, one by one")
struct SortedSetDetailTests {
    private func harness(_ limits: SortedSetLimits = SortedSetLimits()) -> EngineHarness {
        var engineLimits = EngineLimits()
        engineLimits.encodings.sortedSet = limits
        return EngineHarness(families, limits: engineLimits)
    }

    @Test(
        "scores print with the fewest digits that tell them, in both forms of a set",
        arguments: [SortedSetLimits(), SortedSetLimits(packedMembersMax: 0)])
    func scores(limits: SortedSetLimits) {
        let ours = harness(limits)
        let isPacked = limits.packedMembersMax > 0
        let cases = [
            ("0.1", "0.1"), ("1e17", "100000000000000000"), ("1e20", "1e+20"), ("5.", "5"),
            ("inf", "inf"), ("-INF", "-inf"), ("0x10", "16"), ("1e-7", "1e-7"),
            ("4611686018427387904", "4611686018427387904"),
            ("9223372036854775807", "9223372036854775807"),
            // A packed list keeps whole numbers, and those have one zero only.
            ("-0", isPacked ? "0" : "-0"),
        ]
        for (given, shown) in cases where given != "9223372036854775807" {
            ours.run("zadd", "k", given, "m")
            #expect(ours.run("zscore", "k", "m") == .bulk(shown), "\(given)")
            #expect(ours.run("zscore", "k", "m", version: 3) == .double(shown), "\(given)")
            ours.run("del", "k")
        }
        #expect(ours.run("zadd", "k", "0.1", "m") == .integer(1))
        #expect(ours.run("zincrby", "k", "0.2", "m") == .bulk("0.30000000000000004"))
        // ZSCAN shows what a packed list holds, and 17 digits of a large set's scores.
        let scanned = ours.run("zscan", "k", "0").items?[1]
        #expect(
            scanned
                == .array([.bulk("m"), .bulk("0.30000000000000004")]))
        ours.run("zadd", "k", "0.1", "m")
        #expect(
            ours.run("zscan", "k", "0", version: 3).items?[1]
                == .array([.bulk("m"), .bulk(isPacked ? "0.1" : "0.10000000000000001")]))
    }

    @Test("ZRANK and ZREVRANK tell the score as well, as from 7.2 on")
    func rankWithScore() {
        let ours = harness()
        ours.run("zadd", "k", "1.5", "a", "2", "b", "3", "c")
        #expect(
            ours.run("zrank", "k", "b", "WITHSCORE") == .array([.integer(1), .bulk("2")]))
        #expect(
            ours.run("zrevrank", "k", "a", "withscore", version: 3)
                == .array([.integer(2), .double("1.5")]))
        #expect(ours.run("zrank", "k", "x", "withscore") == .nullArray)
        #expect(ours.run("zrank", "x", "x", "withscore") == .nullArray)
        #expect(ours.run("zrank", "k", "x") == .null)
        #expect(ours.run("zrank", "k", "a", "score") == .error("ERR syntax error"))
        #expect(
            ours.run("zrank", "k", "a", "withscore", "x")
                == .error("ERR wrong number of arguments for 'zrank' command"))
    }

    @Test("a set becomes a large one beyond the limits, and stays one")
    func encodings() {
        let ours = harness(SortedSetLimits(packedMembersMax: 3, packedMemberBytesMax: 5))
        func encoding(_ key: String) -> String? { ours.run("object", "encoding", key).text }
        ours.run("zadd", "k", "1", "a", "2", "b", "3", "c")
        #expect(encoding("k") == "listpack")
        ours.run("zadd", "k", "4", "c")
        #expect(encoding("k") == "listpack")
        ours.run("zadd", "k", "4", "d")
        #expect(encoding("k") == "skiplist")
        ours.run("zremrangebyrank", "k", "1", "-1")
        #expect(encoding("k") == "skiplist")
        ours.run("zadd", "long", "1", "123456")
        #expect(encoding("long") == "skiplist")
        ours.run("zadd", "long2", "1", "12345")
        ours.run("zadd", "long2", "xx", "1", "123456")
        #expect(encoding("long2") == "listpack")
        ours.run("zadd", "long2", "1", "123456")
        #expect(encoding("long2") == "skiplist")
        // So many members may come that a packed set isn't begun, as from 7.2 on.
        ours.run("zadd", "same", "1", "a", "2", "a", "3", "a", "4", "a")
        #expect(encoding("same") == "skiplist")
        ours.run("zrangestore", "copy", "k", "0", "-1")
        #expect(encoding("copy") == "listpack")
        ours.run("zunionstore", "all", "3", "k", "long", "long2")
        #expect(encoding("all") == "skiplist")
    }

    @Test("what is logged is the command, or what it came to")
    func effects() {
        let ours = harness()
        func effects(_ commands: String...) -> [String] {
            let words = commands.map { $0.split(separator: " ").map(String.init) }
            let start = ours.loggedCount
            for command in words { ours.run(command) }
            return ours.records(since: start).map { $0.joined(separator: " ") }
                .filter { !$0.hasPrefix("SELECT") }
        }
        #expect(effects("zadd k 1 a 2 b 3 c") == ["zadd k 1 a 2 b 3 c"])
        #expect(effects("ZADD k 1 a", "zadd k xx 1 z", "zadd x xx 1 z", "zrem k z") == [])
        #expect(effects("zadd k incr 1.5 a") == ["zadd k incr 1.5 a"])
        #expect(effects("zincrby k 0 a", "zincrby k inf a") == ["zincrby k inf a"])
        #expect(effects("zincrby k -inf a") == [])
        #expect(effects("zpopmin k", "zpopmin k 0", "zpopmin x") == ["zpopmin k"])
        #expect(effects("zmpop 2 x k max count 5") == ["ZPOPMAX k 2"])
        #expect(
            effects("zadd k 1 a 2 b", "bzpopmin x k 0", "bzmpop 0 1 k max")[1...] == [
                "ZPOPMIN k", "ZPOPMAX k 1",
            ])
        #expect(effects("bzpopmax k 0", "bzmpop 0 1 k min count 3") == [])
        #expect(effects("zadd k 1 a", "zunionstore d 1 k")[1...] == ["zunionstore d 1 k"])
        #expect(effects("zinterstore d 2 k x") == ["zinterstore d 2 k x"])
        #expect(effects("zinterstore d 2 k x", "zrangestore d x 0 -1", "zrem x a") == [])
        #expect(
            effects("geoadd g ch 13.361389 38.115556 Palermo 15.087269 37.502669 Catania") == [
                "zadd g ch 3479099956230698 Palermo 3479447370796909 Catania"
            ])
        #expect(effects("geoadd g nx 1 1 Palermo") == [])
        #expect(
            effects(
                "geosearchstore h g fromlonlat 15 37 byradius 200 km",
                "geosearchstore x x fromlonlat 15 37 byradius 200 km") == [
                    "geosearchstore h g fromlonlat 15 37 byradius 200 km"
                ])
    }

    @Test("a command that is refused has changed nothing")
    func refused() {
        let ours = harness()
        ours.run("zadd", "k", "inf", "a")
        ours.run("set", "s", "x")
        let before = ours.digest
        let start = ours.loggedCount
        let refused: [(String, String)] = [
            ("zadd k 1 b x c", "ERR value is not a valid float"),
            ("zadd k incr -inf a", "ERR resulting score is not a number (NaN)"),
            ("zincrby k -inf a", "ERR resulting score is not a number (NaN)"),
            ("zadd k nan b", "ERR value is not a valid float"),
            ("zadd k nx xx 1 b", "ERR XX and NX options at the same time are not compatible"),
            (
                "zadd k gt lt 1 b",
                "ERR GT, LT, and/or NX options at the same time are not compatible"
            ),
            ("zadd k incr 1 b 2 c", "ERR INCR option supports a single increment-element pair"),
            ("zadd k 1", "ERR wrong number of arguments for 'zadd' command"),
            ("zadd k nx 1", "ERR syntax error"),
            ("zunionstore d 0 k", "ERR at least 1 input key is needed for 'zunionstore' command"),
            ("zunionstore d 2 k", "ERR syntax error"),
            ("zunionstore d 1 k weights x", "ERR weight value is not a float"),
            (
                "zrange k 0 -1 limit 0 1",
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
            ),
            (
                "zrange k - + bylex withscores",
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX"
            ),
            ("zrangebyscore k a b", "ERR min or max is not a float"),
            ("zrangebylex k a b", "ERR min or max not valid string range item"),
            ("zmpop 0 k min", "ERR numkeys should be greater than 0"),
            ("zmpop 1 k min count 0", "ERR count should be greater than 0"),
            ("zmpop 9223372036854775807 k min", "ERR syntax error"),
            ("zintercard 1 k limit -1", "ERR LIMIT can't be negative"),
            ("zpopmin k -1", "ERR value is out of range, must be positive"),
            ("zrandmember k -9223372036854775807 withscores", "ERR value is out of range"),
            ("zrandmember k -9223372036854775807", "ERR value is out of range"),
            ("bzpopmin k -1", "ERR timeout is negative"),
            ("geoadd k 200 1 m", "ERR invalid longitude,latitude pair 200.000000,1.000000"),
            ("geodist k a a league", "ERR unsupported unit provided. please use M, KM, FT, MI"),
            ("georadius k 1 1 -1 m", "ERR radius cannot be negative"),
            ("georadiusbymember k x 1 m", "ERR could not decode requested zset member"),
            (
                "GeoSearch k byradius 1 m withdist desc",
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GeoSearch"
            ),
        ]
        for (command, error) in refused {
            let words = command.split(separator: " ").map(String.init)
            #expect(ours.run(words) == .error(error), "\(command)")
        }
        for command in ["zadd s 1 a", "zrange s 0 -1", "zunionstore d 1 s", "bzpopmin s 0"] {
            let words = command.split(separator: " ").map(String.init)
            #expect(
                ours.run(words)
                    == .error("WRONGTYPE Operation against a key holding the wrong kind of value"))
        }
        #expect(ours.digest == before && ours.loggedCount == start)
    }

    @Test("random members are different ones, or as chance has it")
    func randomMembers() {
        for limits in [SortedSetLimits(), SortedSetLimits(packedMembersMax: 0)] {
            let ours = harness(limits)
            for number in 0..<100 { ours.run("zadd", "k", String(number), "m\(number)") }
            for count in [1, 10, 60, 99, 100, 1000] {
                let items = ours.run("zrandmember", "k", String(count)).items ?? []
                #expect(Set(items).count == min(count, 100) && items.count == min(count, 100))
            }
            let seen = Set(ours.run("zrandmember", "k", "-3000").items ?? [])
            #expect(seen.count > 95)
            let pairs = ours.run("zrandmember", "k", "5", "withscores", version: 3).items ?? []
            for pair in pairs {
                #expect(pair.items?[0].text == "m\(pair.items?[1].text ?? "")")
            }
        }
    }

    @Test("known places have their known hashes, distances and neighbours")
    func places() {
        let ours = harness()
        ours.run("geoadd", "g", "13.361389", "38.115556", "P", "15.087269", "37.502669", "C")
        #expect(ours.run("geodist", "g", "P", "C") == .bulk("166274.1516"))
        #expect(ours.run("geodist", "g", "P", "C", "km") == .bulk("166.2742"))
        #expect(ours.run("geodist", "g", "P", "P") == .bulk("0.0000"))
        #expect(
            ours.run("geohash", "g", "P", "C", "x")
                == .array([.bulk("sqc8b49rny0"), .bulk("sqdtr74hyu0"), .null]))
        #expect(
            ours.run("geopos", "g", "P")
                == .array([.array([.bulk("13.36138933897018433"), .bulk("38.11555639549629859")])]))
        #expect(
            ours.run("geosearch", "g", "fromlonlat", "15", "37", "byradius", "200", "km", "asc")
                == .array([.bulk("C"), .bulk("P")]))
    }
}

@Suite("A partial sort")
struct PartialSortTests {
    @Test(
        "has the first items in order, whatever they are", arguments: 1...200 as ClosedRange<UInt64>
    )
    func first(seed: UInt64) {
        var random = PRNG(seed: seed)
        let kinds = [2, 10, 1000][random.below(3)]
        let items = (0..<random.below(300)).map { _ in random.below(kinds) }
        let wanted = random.below(items.count + 1)
        var sorted = items
        partialSort(&sorted, wanted: wanted) { $0 - $1 }
        #expect(sorted.prefix(wanted) == items.sorted().prefix(wanted))
        #expect(sorted.sorted() == items.sorted())
    }
}
