internal import Engine
internal import TestSupport

/// Commands on data: each gives one well-formed reply, and replaying what they logged gives the same keys.
///
/// The input names commands of the table by their row and words by their number in a list, or spells them.
enum CommandsTarget {
    private static let families = CommandFamilies.data
    private static let names = families.joined().map(\.name)
    private static let commandsMax = 100

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var limits = EngineLimits()
        limits.stringBytesMax = 1 << 16
        let harness = EngineHarness(families, databases: 3, limits: limits)
        var input = InputCursor(bytes)
        var history: [String] = []
        for _ in 0..<commandsMax where !input.isAtEnd {
            let head = input.byte()
            if head >= 250 {
                harness.now += Int64(input.number16())
                harness.expireDue(limit: head == 255 ? 1 : .max)
                continue
            }
            let words = command(head, &input)
            harness.database = input.byte() % 3
            history.append(Request.shown(words))
            let version = head % 2 + 2
            let reply = harness.runRaw(words, version: version)
            let count: Int
            do throws(ReplyParser.Malformed) {
                count = try ReplyParser.all(reply).count
            } catch { throw FuzzFailure("\(error.description) to \(history)") }
            try expect(count == 1, "\(count) replies to \(history)")
        }
        harness.expireDue()
        let twin: EngineHarness
        do throws(EngineHarness.ReplayFailure) {
            twin = try harness.replayed()
        } catch { throw FuzzFailure("\(error.description) after \(history)") }
        let differences = EngineHarness.differences(harness.state, twin.state)
        try expect(differences.isEmpty, "\(differences) after \(history)")
        try expect(harness.digest == twin.digest, "the digest differs after \(history)")
        try expect(twin.loggedCount == 0, "a replay logs")
    }

    private static func command(_ head: Int, _ input: inout InputCursor) -> [[UInt8]] {
        var words = [Array(names[head % names.count].utf8)]
        for _ in 0..<input.byte() % 9 {
            let choice = input.byte()
            if choice < vocabulary.count {
                words.append(Array(vocabulary[choice].utf8))
            } else {
                words.append(input.bytes(choice % 32))
            }
        }
        return words
    }

    /// Append only: inputs in the corpus name words by their place.
    private static let vocabulary = [
        "k0", "k1", "k2", "k3", "", "0", "1", "-1", "2", "7", "8", "10", "100", "-100", "65535",
        "65536", "524288", "4294967295", "4294967296", "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808", "1.5", "-0.1", "1e5", "inf", "nan", "1e-30", "1700000000",
        "1700000001", "1700000000000", "1700000000001", "1700000005000", "1000", "EX", "PX", "EXAT",
        "PXAT", "NX", "XX", "GT", "LT", "KEEPTTL", "GET", "PERSIST", "AND", "OR", "XOR", "NOT",
        "u8",
        "i8", "u63", "i64", "u1", "#0", "#1", "#9", "OVERFLOW", "WRAP", "SAT", "FAIL", "INCRBY",
        "SET", "LEN", "IDX", "MINMATCHLEN", "WITHMATCHLEN", "COUNT", "MATCH", "TYPE", "string",
        "list", "*", "k*", "k?", "[k]0", "REPLACE", "DB", "ASYNC", "SYNC", "BYTE", "BIT",
        "encoding",
        "refcount", "idletime", "freq", "help", "abc", "ab", "abcabc", "value of some length",
        "a value that is longer than what fits into the short form of strings", "\r\n", "01", "+1",
        " 1", "-0", "0x10", "ABSTTL", "FREQ", "IDLETIME",
    ]
}
