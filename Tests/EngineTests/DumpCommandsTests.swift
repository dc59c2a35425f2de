import Engine
import Foundation
import HoldfastPlatform
import TestSupport
import Testing

@Suite("DUMP and RESTORE")
struct DumpCommandsTests {
    private static let families = [
        StringCommands.table, KeyCommands.table, DatabaseCommands.table, DumpCommands.table,
    ]

    private func harness(_ limits: EngineLimits = EngineLimits()) -> EngineHarness {
        EngineHarness(Self.families, limits: limits)
    }

    private static func words(_ text: String...) -> [[UInt8]] { text.map { Array($0.utf8) } }

    // MARK: Beside a stock server

    @Test("values of every form go from a stock server to ours and back unchanged")
    func exchange() throws {
        let stock = try StockServer()
        let connection = try stock.connect()
        for maker in ValueMakers.commands {
            let shown = "\(maker.joined(separator: "; ").prefix(200))"
            try connection.command("FLUSHALL")
            for command in maker {
                _ = try connection.command(command.split(separator: " ").map { Array($0.utf8) })
            }
            let payload = try #require(
                try connection.command("DUMP", "k").bytes, "\(shown)")
            let digest = try connection.command("DEBUG", "DIGEST-VALUE", "k")
            let ours = harness()
            let restore = Self.words("RESTORE", "k", "0") + [payload]
            #expect(ours.run(restore) == .ok, "\(shown)")
            let again = try #require(ours.run("DUMP", "k").bytes, "\(shown)")
            #expect(ours.run(Self.words("RESTORE", "twice", "0") + [again]) == .ok)
            #expect(ours.run("DUMP", "twice").bytes == again, "\(shown)")
            // What was restored is logged, and the log gives the same; the order of members may be another.
            let replayed = try #require(try ours.replayed().run("DUMP", "k").bytes)
            for returned in [again, replayed] {
                let words = Self.words("RESTORE", "back", "0") + [returned]
                #expect(try connection.command(words + Self.words("REPLACE")) == .ok, "\(shown)")
                let back = try connection.command("DEBUG", "DIGEST-VALUE", "back")
                #expect(back == digest, "\(shown)")
                // A string that was edited in place has another encoding there before it is dumped.
                if try connection.command("TYPE", "k") == .simple(Array("string".utf8)) { continue }
                #expect(
                    try connection.command("OBJECT", "ENCODING", "k")
                        == connection.command("OBJECT", "ENCODING", "back"), "\(shown)")
            }
        }
    }

    @Test("options, deadlines and damaged payloads are answered as by a stock server")
    func answers() throws {
        let stock = try StockServer()
        let connection = try stock.connect()
        try connection.command("SET", "k", "hello")
        try connection.command("SADD", "s", "1", "2", "3")
        let payloads = try ["k", "s"].map { try #require(try connection.command("DUMP", $0).bytes) }
        var random = PRNG(seed: 11)
        let ours = harness()
        let options = [
            "REPLACE", "replace", "ABSTTL", "IDLETIME", "FREQ", "10", "0", "-1", "255", "256", "x",
            "9223372036854775807", "",
        ]
        let deadlines = [
            "0", "0", "0", "1000000", "4102444800000", "-1", "x", "", "1", "1000",
            "9223372036854775807",
        ]
        for number in 0..<4000 {
            var words = Self.words(
                random.oneIn(20) ? "RESTORE-ASKING" : "RESTORE", "key\(random.below(3))",
                deadlines[random.below(deadlines.count)])
            var payload = payloads[random.below(2)]
            if random.oneIn(6) {
                payload[random.below(payload.count)] ^= 1 << UInt8(random.below(8))
            }
            if random.oneIn(20) { payload = Array(payload.prefix(random.below(payload.count))) }
            words.append(payload)
            for _ in 0..<random.below(4) {
                words += Self.words(options[random.below(options.count)])
            }
            if random.oneIn(5) { words = Self.words("DEL", "key\(random.below(3))") }
            // "1" and "1000" are long past with ABSTTL and far too close without.
            let isAbsolute = words.dropFirst(4).contains { $0 == Array("ABSTTL".utf8) }
            if !isAbsolute, words.count > 3,
                ["1", "1000"].contains(String(decoding: words[2], as: UTF8.self))
            {
                continue
            }
            ours.now = SystemClock().wallMilliseconds
            let expected = try connection.command(words)
            let actual = ours.run(words)
            #expect(actual == expected, "\(number): \(Request.shown(words))")
            for name in ["key0", "key1", "key2"] {
                #expect(
                    ours.run("EXISTS", name) == (try connection.command("EXISTS", name)),
                    "\(number): \(Request.shown(words))")
            }
        }
    }

    // MARK: Effects

    @Test("a restored value is logged with its deadline, and verbatim if it has none")
    func effects() throws {
        let ours = harness()
        ours.run("SET", "k", "hello")
        let payload = try #require(ours.run("DUMP", "k").bytes)
        func logged(_ words: [[UInt8]]) -> [[[UInt8]]] {
            let start = ours.loggedCount
            ours.run(words)
            return ours.recordBytes(since: start)
        }
        let plain = Self.words("RESTORE", "a", "0") + [payload]
        #expect(logged(plain) == [plain])
        let relative = Self.words("RESTORE", "b", "1000") + [payload] + Self.words("REPLACE")
        let absolute = Self.words("RESTORE", "b", "\(ours.now + 1000)") + [payload]
        #expect(logged(relative) == [absolute + Self.words("REPLACE", "ABSTTL")])
        let given =
            Self.words("RESTORE", "c", "\(ours.now + 5)") + [payload] + Self.words("ABSTTL")
        #expect(logged(given) == [given])
        let past =
            Self.words("RESTORE", "a", "1000") + [payload] + Self.words("ABSTTL", "REPLACE")
        #expect(logged(past) == [Self.words("DEL", "a")])
        #expect(logged(past) == [])
        #expect(ours.run("EXISTS", "a") == .integer(0))
    }

    @Test("access times and counters are taken over where the policy uses them")
    func access() throws {
        let ours = harness()
        ours.run("SET", "k", "hello")
        let payload = try #require(ours.run("DUMP", "k").bytes)
        ours.run(Self.words("RESTORE", "a", "0") + [payload] + Self.words("IDLETIME", "1000"))
        #expect(ours.run("OBJECT", "IDLETIME", "a") == .integer(1000))
        ours.run(Self.words("RESTORE", "b", "0") + [payload] + Self.words("FREQ", "77"))
        #expect(ours.run("OBJECT", "IDLETIME", "b") == .integer(0))
        ours.limits.countsAccesses = true
        ours.run(Self.words("RESTORE", "c", "0") + [payload] + Self.words("FREQ", "77"))
        #expect(ours.run("OBJECT", "FREQ", "c") == .integer(77))
    }
}
