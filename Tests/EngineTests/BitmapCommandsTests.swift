import Engine
import HoldfastPlatform
import TestSupport
import Testing

private let families = [StringCommands.table, BitmapCommands.table]

@Suite("bitmap commands")
struct BitmapCommandsTests {
    // MARK: Beside a stock server

    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        var run = try DifferentialRun(families)
        run.mayDifferInEncoding = { words, isLogged in
            // Stock makes a string raw before it finds that no bit changes, and doesn't log that. Here what is
            // not logged changes nothing.
            let name = String(decoding: words[0], as: UTF8.self)
            return (name == "setbit" || name == "bitfield") && !isLogged
        }
        try run.rounds(seeds: 1...150, commandCount: 100) { $0.bitmapCommand() }
    }

    @Test("a field's number so large that its bit overflows is refused, where stock wraps around")
    func offsetOverflow() {
        let harness = EngineHarness(families)
        #expect(
            harness.run("bitfield", "k", "get", "u8", "#2305843009213693952")
                == .error("ERR bit offset is not an integer or out of range"))
    }

    // MARK: Effects

    @Test(
        "what changes no bit is not logged",
        arguments: [
            ("setbit k 3 1", "setbit k 3 1"),
            ("setbit k 3 0", "setbit k 3 0"),
            ("setbit a 1 1", ""),
            ("setbit a 0 0", ""),
            ("setbit a 100 0", "setbit a 100 0"),
            ("bitfield a get u8 0", ""),
            ("bitfield a set u8 0 97", ""),
            ("bitfield a set u8 0 98", "bitfield a set u8 0 98"),
            ("bitfield a set u8 0 98 set u8 0 97", "bitfield a set u8 0 98 set u8 0 97"),
            ("bitfield a overflow fail incrby u8 0 200", ""),
            ("bitfield a incrby u8 0 0", ""),
            ("bitfield k overflow fail incrby u2 0 10", "bitfield k overflow fail incrby u2 0 10"),
            ("bitop and k a b", "bitop and k a b"),
            ("bitop or k x y", ""),
            ("bitop or a x y", "bitop or a x y"),
            ("bitop not a a", "bitop not a a"),
            ("bitcount a", ""),
            ("bitpos a 1", ""),
            ("getbit a 1", ""),
        ])
    func effects(command: String, logged: String) throws {
        let harness = EngineHarness(families)
        harness.run("mset", "a", "a", "b", "bc")
        let before = harness.state
        let words = command.split(separator: " ").map(String.init)
        let expected = logged.isEmpty ? [] : [logged.split(separator: " ").map(String.init)]
        #expect(harness.effects(of: words) == expected)
        #expect(try harness.replayed().state == harness.state)
        if logged.isEmpty { #expect(harness.state == before) }
    }

    @Test("sources that have expired count as empty, and their deletion comes first in the log")
    func expiredSources() throws {
        let harness = EngineHarness(families)
        harness.run("set", "a", "abc", "px", "10")
        harness.run("set", "b", "b")
        harness.now += 11
        #expect(
            harness.effects(of: ["bitop", "or", "k", "a", "b"])
                == [["MULTI"], ["DEL", "a"], ["bitop", "or", "k", "a", "b"], ["EXEC"]])
        #expect(harness.key("k")?.value == Array("b".utf8))
        #expect(try harness.replayed().state == harness.state)
    }

    // MARK: Against plain loops

    @Test("counts and positions agree with looking at each bit, for every range of short strings")
    func everyRange() {
        var random = PRNG(seed: 11)
        for count in [1, 7, 8, 9, 17, 40] {
            // Mostly equal bytes, so that the first differing bit is far off.
            for fill in [UInt8(0), 0xFF] {
                var bytes = [UInt8](repeating: fill, count: count)
                bytes[random.below(count)] ^= UInt8(1) << UInt8(random.below(8))
                let bits: [Bool] = (0..<count * 8).map { place in
                    bytes[place / 8] & (0x80 >> UInt8(place % 8)) != 0
                }
                let harness = EngineHarness(families)
                harness.run([Array("set".utf8), Array("k".utf8), bytes])
                for first in stride(from: 0, to: bits.count, by: count > 9 ? 5 : 1) {
                    for last in stride(from: first, to: bits.count, by: count > 9 ? 3 : 1) {
                        let range = [String(first), String(last), "bit"]
                        let set = bits[first...last].count { $0 }
                        #expect(
                            harness.run(["bitcount", "k"] + range) == .integer(Int64(set)))
                        for wanted in [0, 1] {
                            let found = bits[first...last].firstIndex(of: wanted == 1) ?? -1
                            #expect(
                                harness.run(["bitpos", "k", String(wanted)] + range)
                                    == .integer(Int64(found)))
                        }
                    }
                }
            }
        }
    }

    @Test("long strings combine and count as short ones do")
    func longStrings() throws {
        var random = PRNG(seed: 12)
        let harness = EngineHarness(families)
        let lengths = [100_003, 65_536, 70_001]
        let sources = lengths.map { length in
            (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        }
        for (index, source) in sources.enumerated() {
            harness.run([Array("set".utf8), Array("s\(index)".utf8), source])
            let set = source.reduce(0) { $0 + $1.nonzeroBitCount }
            #expect(harness.run("bitcount", "s\(index)") == .integer(Int64(set)))
        }
        func byte(_ source: [UInt8], _ index: Int) -> UInt8 {
            index < source.count ? source[index] : 0
        }
        let operations: [(String, (UInt8, UInt8) -> UInt8)] = [
            ("and", { $0 & $1 }), ("or", { $0 | $1 }), ("xor", { $0 ^ $1 }),
        ]
        for (name, operation) in operations {
            let expected = (0..<100_003).map { index in
                operation(
                    operation(byte(sources[0], index), byte(sources[1], index)),
                    byte(sources[2], index))
            }
            #expect(harness.run("bitop", name, "k", "s1", "s0", "s2") == .integer(100_003))
            #expect(harness.key("k")?.value == expected, "\(name)")
        }
        #expect(harness.run("bitop", "not", "s0", "s0") == .integer(100_003))
        #expect(harness.key("s0")?.value == sources[0].map { ~$0 })
        #expect(try harness.replayed().state == harness.state)
    }
}
