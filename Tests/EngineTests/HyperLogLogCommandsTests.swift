import Engine
import HoldfastPlatform
import Store
import TestSupport
import Testing

private let families = [
    StringCommands.table, BitmapCommands.table, KeyCommands.table, HyperLogLogCommands.table,
]

@Suite("HyperLogLog commands")
struct HyperLogLogCommandsTests {
    // MARK: Beside a stock server

    @Test(
        "random commands answer, store and replay as on a stock server, on strings spoilt as well",
        arguments: [false, true])
    func randomCommands(spoils: Bool) throws {
        var run = try DifferentialRun(families)
        run.mayDifferInEncoding = { words, isLogged in
            // Stock makes a string raw before it finds that nothing changes, and doesn't log that.
            let name = String(decoding: words[0], as: UTF8.self)
            return (name.hasPrefix("pf") || name == "setbit") && !isLogged
        }
        try run.rounds(seeds: 1...40, commandCount: 100) {
            $0.hyperLogLogCommand(spoils: spoils)
        }
    }

    @Test("the bytes and the estimate after each of many elements are stock's, sparse and dense")
    func growth() throws {
        let stock = try StockServer()
        let connection = try stock.connect(version: 2)
        let harness = EngineHarness(families)
        var random = PRNG(seed: 7)
        var count = 0
        while count < 4_000 {
            let size = count < 600 ? 1 : 1 + random.below(100)
            let words = ["pfadd", "k"] + (0..<size).map { "element \(count + $0)" }
            count += size
            #expect(try connection.command(words) == harness.run(words))
            #expect(
                try connection.command(["get", "k"]) == harness.run("get", "k"), "\(count) elements"
            )
            #expect(try connection.command(["pfcount", "k"]) == harness.run("pfcount", "k"))
        }
        #expect(harness.run("pfdebug", "encoding", "k") == .simple("dense"))
    }

    // MARK: Effects

    @Test(
        "what changes nothing is not logged, and a count that refreshes the estimate is",
        arguments: [
            ("pfadd k", "pfadd k"),
            ("pfadd a", ""),
            ("pfadd a x", ""),
            ("pfadd a y", "pfadd a y"),
            ("pfcount a", "pfcount a"),
            ("pfcount a b", ""),
            ("pfcount b", ""),
            ("pfcount none", ""),
            ("pfmerge a b", "pfmerge a b"),
            ("pfmerge k", "pfmerge k"),
            ("pfdebug encoding a", ""),
            ("pfdebug todense a", "pfdebug todense a"),
            ("pfdebug getreg a", "pfdebug getreg a"),
            ("pfdebug decode a", ""),
        ])
    func effects(command: String, logged: String) throws {
        let harness = EngineHarness(families)
        harness.run("pfadd", "a", "x")
        harness.run("pfadd", "b", "y", "z")
        harness.run("pfcount", "b")
        let before = harness.state
        let words = command.split(separator: " ").map(String.init)
        let expected = logged.isEmpty ? [] : [logged.split(separator: " ").map(String.init)]
        #expect(harness.effects(of: words) == expected)
        #expect(try harness.replayed().state == harness.state)
        if logged.isEmpty { #expect(harness.state == before) }
    }

    @Test("an element that can't be added because the runs are wrong leaves all as it was")
    func refused() {
        let harness = EngineHarness(families)
        harness.run("pfadd", "a", "x")
        // The second half of the registers is missing: some elements can still be added.
        harness.run("setrange", "a", "16", "\u{5f}\u{7f}")
        let before = harness.state
        let words = ["pfadd", "a"] + (0..<50).map { "e\($0)" }
        #expect(harness.run(words) == .error("INVALIDOBJ Corrupted HLL object detected"))
        #expect(harness.state == before)
    }

    @Test("the deadline stays, and a longest sparse length of 0 makes all dense")
    func settings() {
        let harness = EngineHarness(families)
        harness.run("pfadd", "a", "x")
        harness.run("pexpire", "a", "10000")
        harness.run("pfadd", "a", "y")
        #expect(harness.key("a")?.deadline != nil)
        #expect(harness.run("pfselftest") == .simple("OK"))
    }
}
