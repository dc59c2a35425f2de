import HoldfastBytes
import TestSupport
import Testing

private func matches(_ pattern: [UInt8], _ text: [UInt8], ignoringCase: Bool = false) -> Bool {
    pattern.withSlice { pattern in
        text.withSlice { Glob.matches(pattern, $0, ignoringCase: ignoringCase) }
    }
}

private func matches(_ pattern: String, _ text: String, ignoringCase: Bool = false) -> Bool {
    matches(Array(pattern.utf8), Array(text.utf8), ignoringCase: ignoringCase)
}

@Test(
    "a pattern matches what Redis says it matches",
    arguments: [
        ("", "", true), ("*", "", false), ("*", "a", true), ("**", "abc", true),
        ("a*", "a", true), ("a*c", "abbbc", true), ("a*c", "abbb", false), ("?", "", false),
        ("a?c", "abc", true), ("[abc]", "b", true), ("[^abc]", "b", false), ("[^a]", "b", true),
        ("[a-c]x", "bx", true), ("[c-a]x", "bx", true), ("[a-c]", "d", false), ("[a", "a", true),
        ("[", "[", false), ("[^", "x", true), ("\\*", "*", true), ("\\*", "a", false),
        ("a\\", "a\\", true), ("[\\]]", "]", true), ("[]]", "]", false), ("a*b*c", "axxbyyc", true),
        ("*a*a*a", "bbaabab", false), ("h[a-]llo", "h-llo", false), ("*\\", "x\\", true),
    ])
func globTable(pattern: String, text: String, isMatch: Bool) {
    #expect(matches(pattern, text) == isMatch)
}

@Test("case is folded on request, but not for an escaped byte in a bracket")
func globCase() {
    #expect(matches("MaxMem*", "maxmemory", ignoringCase: true))
    #expect(!matches("MaxMem*", "maxmemory"))
    #expect(matches("[A-C]", "b", ignoringCase: true))
    #expect(!matches("[\\A]", "a", ignoringCase: true))
}

@Test("a pattern made to explode is decided at once")
func globIsBounded() {
    let pattern = String(repeating: "a*", count: 5_000) + "b"
    #expect(!matches(pattern, String(repeating: "a", count: 20_000)))
}

@Test("random patterns match in stock redis-server exactly when they match here")
func globAgainstStock() throws {
    let stock = try StockServer()
    let connection = try stock.connect()
    let seed = TestSeed.next("patterns")
    var generator = SplitMix(state: seed)
    let patternBytes: [UInt8] = Array("ab*?[]^-\\".utf8) + [0xff, 0x80]
    let textBytes: [UInt8] = Array("ab]^-*\\".utf8) + [0xff]
    for _ in 0..<3_000 {
        let pattern = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
            patternBytes.randomElement(using: &generator) ?? 97
        }
        let text = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            textBytes.randomElement(using: &generator) ?? 97
        }
        try connection.command("FLUSHALL")
        _ = try connection.command([Array("SET".utf8), text, [1]])
        let found = try connection.command([Array("KEYS".utf8), pattern]).items?.count == 1
        #expect(
            matches(pattern, text) == found,
            "\(Reply.quoted(pattern)) on \(Reply.quoted(text)), seed \(seed)")
    }
}

/// A small repeatable generator; `state` is the seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
