import Engine
import HoldfastPlatform
import TestSupport
import Testing

private let families = [StringCommands.table, BitmapCommands.table]

@Suite("string commands")
struct StringCommandsTests {
    // MARK: Beside a stock server

    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        var run = try DifferentialRun(families)
        run.mayDifferInEncoding = { words, _ in
            // Stock keeps a sum as embstr until it loads its own log, which makes an int of whole numbers.
            // Here it is from the start what SET makes of it, so that replay changes nothing.
            words[0] == Array("incrbyfloat".utf8)
        }
        try run.rounds(seeds: 1...150, commandCount: 100) { $0.stringCommand() }
    }

    // MARK: Encodings

    @Test("each way to write a string leaves the encoding that OBJECT ENCODING names")
    func encodings() throws {
        let long = String(repeating: "x", count: 45)
        let cases: [([[String]], String)] = [
            ([["set", "k", "12"]], "int"),
            ([["set", "k", "-9223372036854775808"]], "int"),
            ([["set", "k", "9223372036854775808"]], "embstr"),
            ([["set", "k", "012"]], "embstr"),
            ([["set", "k", ""]], "embstr"),
            ([["set", "k", String(long.dropLast())]], "embstr"),
            ([["set", "k", long]], "raw"),
            ([["append", "k", "12"]], "int"),
            ([["append", "k", "ab"]], "embstr"),
            ([["set", "k", "1"], ["append", "k", "2"]], "raw"),
            ([["set", "k", "1"], ["append", "k", ""]], "raw"),
            ([["setrange", "k", "0", "1"]], "raw"),
            ([["set", "k", "1"], ["setrange", "k", "0", "2"]], "raw"),
            ([["set", "k", "ab"], ["setrange", "k", "0", ""]], "embstr"),
            ([["setrange", "k", "0", "5"], ["incr", "k"]], "int"),
            ([["set", "k", "2"], ["getset", "k", "x"]], "embstr"),
            ([["mset", "k", "7", "l", "x"]], "int"),
            ([["incrbyfloat", "k", "1.5"]], "embstr"),
            ([["setbit", "k", "7", "1"]], "raw"),
            ([["set", "k", "1"], ["setbit", "k", "3", "0"]], "raw"),
            ([["bitfield", "k", "set", "u8", "0", "49"]], "raw"),
            ([["set", "a", "1"], ["bitop", "or", "k", "a"]], "raw"),
        ]
        let stock = try StockServer()
        let connection = try stock.connect()
        for (commands, encoding) in cases {
            let harness = EngineHarness(families)
            try connection.command("FLUSHALL")
            for words in commands { #expect(try connection.command(words) == harness.run(words)) }
            let shown = try connection.command("OBJECT", "ENCODING", "k").text
            #expect(shown == encoding, "stock after \(commands)")
            #expect(harness.key("k")?.encoding == encoding, "after \(commands)")
            #expect(try harness.replayed().state == harness.state)
        }
    }

    @Test("a sum of floats that is whole is an int, as after a replay")
    func wholeSum() throws {
        let harness = EngineHarness(families)
        harness.run("incrbyfloat", "k", "3")
        #expect(harness.key("k")?.encoding == "int")
        #expect(try harness.replayed().state == harness.state)
    }

    // MARK: Effects

    /// Unix ms of the harness's clock.
    private static let now = 1_700_000_000_000

    @Test(
        "what is logged means the same at any later time",
        arguments: [
            ("set k v", "set k v"),
            ("set k v ex 10", "SET k v PXAT \(now + 10_000)"),
            ("set k v px 10 nx", "SET k v PXAT \(now + 10)"),
            ("set k v exat 1700000100 get", "SET k v PXAT 1700000100000"),
            ("set k v pxat 1700000100000", "SET k v PXAT 1700000100000"),
            ("set k v pxat 1700000100000 get", "SET k v PXAT 1700000100000"),
            ("set k v pxat 1000", "SET k v PXAT 1000"),
            ("set k v nx", "set k v nx"),
            ("set old v nx", ""),
            ("set k v xx", ""),
            ("set old v xx", "set old v xx"),
            ("set old v get", "SET old v"),
            ("set old v xx get keepttl", "SET old v XX KEEPTTL"),
            ("set k v NX Get", "SET k v NX"),
            ("set old v keepttl", "set old v keepttl"),
            ("setex k 10 v", "SET k v PXAT \(now + 10_000)"),
            ("psetex k 10 v", "SET k v PXAT \(now + 10)"),
            ("setnx k v", "setnx k v"),
            ("setnx old v", ""),
            ("mset k v l w", "mset k v l w"),
            ("msetnx k v l w", "msetnx k v l w"),
            ("msetnx k v old w", ""),
            ("append k v", "append k v"),
            ("setrange k 2 v", "setrange k 2 v"),
            ("setrange k 2 \"\"", ""),
            ("incr k", "incr k"),
            ("decrby k 5", "decrby k 5"),
            ("incr text", ""),
            ("getset old v", "SET old v"),
            ("getset k v", "SET k v"),
            ("getdel old", "DEL old"),
            ("getdel k", ""),
            ("getex old", ""),
            ("getex old ex 10", "PEXPIREAT old \(now + 10_000)"),
            ("getex old px 10", "PEXPIREAT old \(now + 10)"),
            ("getex old exat 1700000100", "PEXPIREAT old 1700000100000"),
            ("getex old pxat 1700000100000", "PEXPIREAT old 1700000100000"),
            ("getex old exat 10", "DEL old"),
            ("getex old persist", ""),
            ("getex due persist", "PERSIST due"),
            ("incrbyfloat k 1.5", "SET k 1.5 KEEPTTL"),
            ("incrbyfloat old 0.25", "SET old 5.25 KEEPTTL"),
            ("incrbyfloat text 1", ""),
            ("get old", ""),
            ("getrange old 0 1", ""),
            ("lcs old text", ""),
        ])
    func effects(command: String, logged: String) throws {
        let harness = EngineHarness(families)
        harness.run("mset", "old", "5", "text", "abc")
        harness.run("set", "due", "x", "pxat", "1800000000000")
        let words = command.split(separator: " ").map { $0 == "\"\"" ? "" : String($0) }
        let expected = logged.isEmpty ? [] : [logged.split(separator: " ").map(String.init)]
        #expect(harness.effects(of: words) == expected)
        #expect(try harness.replayed().state == harness.state)
    }

    @Test("lazy freeing turns deletions in the log into UNLINK")
    func lazyDeletion() {
        let harness = EngineHarness(families)
        harness.limits.deletesLazily = true
        harness.limits.expiresLazily = true
        harness.run("mset", "a", "1", "b", "2")
        #expect(
            harness.effects(of: ["getdel", "a"], ["getex", "b", "pxat", "1"])
                == [["UNLINK", "a"], ["UNLINK", "b"]])
    }

    // MARK: Time

    @Test(
        "a key is there until its deadline is past, as in Redis; then its deletion is logged once before anything else"
    )
    func expiry() throws {
        let harness = EngineHarness(families)
        harness.run("set", "k", "v", "px", "100")
        harness.now += 100
        #expect(harness.run("get", "k") == .bulk("v"))
        harness.now += 1
        #expect(
            harness.effects(of: ["get", "k"], ["append", "k", "x"])
                == [["DEL", "k"], ["append", "k", "x"]])
        #expect(harness.statistics.expiredKeys == 1)
        #expect(harness.key("k")?.deadline == nil)
        #expect(try harness.replayed().state == harness.state)
    }

    @Test("changes of a value keep its deadline, replacements drop it")
    func deadlines() {
        let cases: [([String], Bool)] = [
            (["append", "k", "1"], true), (["incr", "k"], true), (["incrbyfloat", "k", "1"], true),
            (["setrange", "k", "1", "x"], true), (["setbit", "k", "1", "1"], true),
            (["bitfield", "k", "incrby", "u8", "0", "1"], true),
            (["set", "k", "v", "keepttl"], true), (["getex", "k"], true),
            (["set", "k", "v"], false), (["mset", "k", "v"], false), (["getset", "k", "v"], false),
            (["bitop", "not", "k", "k"], false), (["getex", "k", "persist"], false),
        ]
        for (words, keeps) in cases {
            let harness = EngineHarness(families)
            harness.run("set", "k", "5", "ex", "100")
            harness.run(words)
            #expect((harness.key("k")?.deadline != nil) == keeps, "\(words)")
        }
    }

    // MARK: Limits

    @Test("no string grows beyond proto-max-bulk-len, but the log may hold longer ones")
    func lengthLimit() throws {
        let harness = EngineHarness(families)
        harness.limits.stringBytesMax = 100
        let refused = Reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
        harness.run("setrange", "k", "98", "xx")
        #expect(harness.run("append", "k", "y") == refused)
        #expect(harness.run("setrange", "k", "99", "yy") == refused)
        #expect(harness.run("setrange", "k", "9223372036854775807", "y") == refused)
        #expect(harness.run("strlen", "k") == .integer(100))
        #expect(harness.run("setbit", "k", "799", "1") == .integer(0))
        #expect(
            harness.run("setbit", "k", "800", "1")
                == .error("ERR bit offset is not an integer or out of range"))
        harness.limits.stringBytesMax = 10
        #expect(try harness.replayed().state == harness.state)
    }

    @Test("a table for LCS that would be too large is refused")
    func lcsLimit() {
        let harness = EngineHarness(families)
        harness.limits.stringBytesMax = 400
        harness.run("mset", "a", "123456789", "b", "123456789", "c", "1234567890")
        #expect(harness.run("lcs", "a", "b", "len") == .integer(9))
        #expect(
            harness.run("lcs", "a", "c")
                == .error(
                    "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"))
    }

    @Test("reads count hits and misses, writes don't")
    func statistics() {
        let harness = EngineHarness(families)
        harness.run("set", "k", "v")
        harness.run("mget", "k", "l", "k")
        harness.run("set", "k", "v", "get")
        harness.run("append", "k", "v")
        harness.run("getdel", "l")
        #expect(harness.statistics.keyspaceHits == 3)
        #expect(harness.statistics.keyspaceMisses == 2)
    }
}
