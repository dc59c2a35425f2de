import Engine
import Foundation
import HoldfastPlatform
import Store
import TestSupport
import Testing

@Suite("list commands")
struct ListCommandsTests {
    private static let families = [
        ListCommands.table, BlockingListCommands.table, StringCommands.table, KeyCommands.table,
        DatabaseCommands.table,
    ]

    private func harness(nodeSize: Int = -2, singleBytes: Int? = nil) -> EngineHarness {
        var limits = EngineLimits()
        limits.encodings.listNodeSize = nodeSize
        if let singleBytes { limits.encodings.listSingleBytesMin = singleBytes }
        return EngineHarness(Self.families, limits: limits)
    }

    // MARK: Beside a stock server

    /// Fixed ones, so that a failure can be repeated by the number it prints; or as `HOLDFAST_SEEDS` says.
    private static var seeds: ClosedRange<UInt64> {
        let text = ProcessInfo.processInfo.environment["HOLDFAST_SEEDS"] ?? ""
        let numbers = text.split(separator: "-").compactMap { UInt64($0) }
        guard let first = numbers.first, let last = numbers.last, first <= last else {
            return 1...200
        }
        return first...last
    }

    @Test("random commands answer, store and replay as on a stock server, whatever nodes hold")
    func randomCommands() throws {
        let stock = try StockServer()
        let connections = [try stock.connect(version: 2), try stock.connect(version: 3)]
        let sizes: [(Int, Int?)] = [
            (-2, nil), (1, nil), (2, nil), (5, nil), (-1, nil), (12, 60), (3, 2), (-3, 300),
        ]
        var compared = 0
        var errors = 0
        for seed in Self.seeds {
            var generator = ListCommandGenerator(seed: seed)
            var choice = PRNG(seed: seed)
            let size = sizes[Int(seed) % sizes.count]
            let ours = harness(nodeSize: size.0, singleBytes: size.1)
            try connections[0].command("FLUSHALL")
            for number in 0..<400 {
                let words = generator.command()
                let version = choice.below(2)
                ours.now = SystemClock().wallMilliseconds
                let expected = try ask(connections[version], words)
                let actual = ours.run(words, version: version + 2)
                compared += 1
                if expected.isError { errors += 1 }
                try #require(
                    actual == expected || Self.isChangeOf72(words, actual),
                    "seed \(seed), command \(number), RESP\(version + 2): \(Request.shown(words)) stock: \(expected) ours: \(actual)"
                )
            }
            let digest = try connections[0].command("DEBUG", "DIGEST")
            #expect(digest == .simple(ours.digest), "seed \(seed)")
            let again = try ours.replayed()
            #expect(again.digest == ours.digest, "seed \(seed): replay")
            #expect(
                EngineHarness.differences(ours.state, again.state) == [], "seed \(seed): replay")
        }
        print("\(compared) replies equal stock's, \(errors) of them errors, seeds \(Self.seeds)")
    }

    /// 7.0 negates a rank that can't be negated, and adds a time to the clock unseen.
    private static func isChangeOf72(_ words: [[UInt8]], _ ours: Reply) -> Bool {
        if ours.text == "ERR timeout is out of range" { return true }
        return words.contains(Array("-9223372036854775808".utf8)) && words[0].count == 4
            && ours.text?.hasPrefix("ERR value is out of range, value must between") == true
    }

    /// What a command that waits answers in a transaction, where nobody waits, is what it answers here.
    private func ask(_ connection: RESPConnection, _ words: [[UInt8]]) throws -> Reply {
        guard words[0].first == UInt8(ascii: "b") || words[0].first == UInt8(ascii: "B") else {
            return try connection.command(words)
        }
        try connection.command("MULTI")
        let queued = try connection.command(words)
        let replies = try connection.command("EXEC")
        return queued.isError ? queued : replies.items?.first ?? replies
    }

    // MARK: Encodings

    @Test(
        "a list is a listpack up to the limit, many nodes beyond, and a listpack again at half of it"
    )
    func encodings() {
        let ours = harness(nodeSize: 4)
        func encoding() -> String { ours.key("k")?.encoding ?? "none" }
        ours.run("RPUSH", "k", "a", "b", "c", "d")
        #expect(encoding() == "listpack")
        ours.run("RPUSH", "k", "e")
        #expect(encoding() == "quicklist")
        ours.run("LPOP", "k")
        #expect(encoding() == "quicklist")
        ours.run("LPOP", "k")
        ours.run("RPOP", "k")
        // One node is left, with two elements.
        #expect(encoding() == "listpack")
        ours.run("DEL", "k")
        ours.run("RPUSH", "k", "1", "2", "3", "4", "5")
        ours.run("LTRIM", "k", "0", "1")
        #expect(encoding() == "listpack")
        // As in Redis, a value put in place of another counts as one more.
        ours.run("RPUSH", "k", "3", "4")
        ours.run("LSET", "k", "0", "x")
        #expect(encoding() == "quicklist")
        ours.run("LREM", "k", "0", "3")
        #expect(encoding() == "quicklist")
        ours.run("LREM", "k", "0", "4")
        #expect(encoding() == "listpack")
        #expect(ours.run("LRANGE", "k", "0", "-1") == .array([.bulk("x"), .bulk("2")]))
    }

    @Test("a list grows by bytes into many nodes, and a long element alone does so")
    func encodingsByBytes() {
        let ours = harness(nodeSize: -1)
        let long = String(repeating: "x", count: 4090)
        ours.run("RPUSH", "k", long)
        #expect(ours.key("k")?.encoding == "quicklist")
        ours.run("LSET", "k", "0", "short")
        #expect(ours.key("k")?.encoding == "listpack")
        ours.run("RPUSH", "k", String(repeating: "y", count: 4080))
        #expect(ours.key("k")?.encoding == "listpack")
        ours.run("LPUSH", "k", "one more")
        #expect(ours.key("k")?.encoding == "quicklist")
    }

    // MARK: Effects

    @Test("what is logged is what was done")
    func effects() {
        let ours = harness()
        ours.run("RPUSH", "k", "a", "b", "c", "d", "e", "f")
        #expect(ours.effects(of: ["BLPOP", "none", "k", "0"]) == [["LPOP", "k"]])
        #expect(ours.effects(of: ["BRPOP", "k", "0"]) == [["RPOP", "k"]])
        #expect(
            ours.effects(of: ["BLMOVE", "k", "l", "left", "RIGHT", "1"]) == [
                ["LMOVE", "k", "l", "left", "RIGHT"]
            ])
        #expect(ours.effects(of: ["BRPOPLPUSH", "k", "l", "1"]) == [["RPOPLPUSH", "k", "l"]])
        #expect(
            ours.effects(of: ["BLMPOP", "1", "2", "none", "k", "LEFT", "COUNT", "9"]) == [
                ["LPOP", "k", "2"]
            ])
        #expect(ours.effects(of: ["LMPOP", "1", "l", "RIGHT"]) == [["RPOP", "l", "1"]])
        for words in [
            ["LPOP", "none"], ["LPOP", "l", "0"], ["LREM", "l", "0", "x"], ["BLPOP", "none", "1"],
            ["LINSERT", "l", "BEFORE", "x", "y"], ["LPUSHX", "none", "x"],
            ["LTRIM", "l", "0", "-1"],
        ] {
            #expect(ours.effects(of: words) == [], "\(words)")
        }
        #expect(
            ours.effects(of: ["LMOVE", "l", "l", "LEFT", "RIGHT"]) == [
                ["LMOVE", "l", "l", "LEFT", "RIGHT"]
            ])
    }

    // MARK: Bounds

    @Test("huge numbers are taken as Redis takes them")
    func hugeNumbers() {
        let ours = harness()
        ours.run("RPUSH", "k", "a", "b", "c")
        let most = "9223372036854775807"
        let least = "-9223372036854775808"
        #expect(ours.run("LRANGE", "k", least, most).items?.count == 3)
        #expect(ours.run("LRANGE", "k", most, least) == .array([]))
        #expect(ours.run("LINDEX", "k", least).isNull)
        #expect(ours.run("LPOS", "k", "a", "MAXLEN", most, "COUNT", most) == .array([.integer(0)]))
        #expect(ours.run("LPOS", "k", "a", "RANK", least).isError)
        #expect(ours.run("LREM", "k", least, "none") == .integer(0))
        #expect(ours.run("LMPOP", most, "k", "LEFT").isError)
        #expect(ours.run("LMPOP", "1", "k", "LEFT", "COUNT", most).items?.count == 2)
        #expect(ours.run("EXISTS", "k") == .integer(0))
    }
}
