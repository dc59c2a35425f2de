import HoldfastBytes
import HoldfastRESP
import Testing

private func split(_ line: String) -> [String]? {
    line.withSlice { QuotedWords.split($0) }?.map { String(decoding: $0, as: UTF8.self) }
}

@Test(
    "a line is split as Redis splits it",
    arguments: [
        ("", []), ("   ", []), ("a b", ["a", "b"]), ("  a\tb  ", ["a", "b"]),
        ("\"a b\" c", ["a b", "c"]), ("x\"y\"", ["xy"]), ("'a b'", ["a b"]),
        ("'it\\'s'", ["it's"]), ("'a\\nb'", ["a\\nb"]),
        ("\"a\\nb\\x41\\q\\\\\\\"\"", ["a\nbAq\\\""]), ("\"\"", [""]), ("a\\nb", ["a\\nb"]),
        ("\"\\x4\"", ["x4"]), ("'' \"\" z", ["", "", "z"]),
    ] as [(String, [String])])
func splitting(line: String, words: [String]) {
    #expect(split(line) == words)
}

@Test(
    "unbalanced quotes are told from empty lines",
    arguments: ["\"a", "'a", "\"a\"b", "'a'b", "a \"", "\"a\\\""])
func unbalanced(line: String) {
    #expect(split(line) == nil)
}

@Test("every byte survives being quoted and split again")
func quotingRoundTrip() {
    for first in UInt8.min...UInt8.max {
        let word = [first, 65, 255 - first]
        let quoted = Array(QuotedWords.quotedRepresentation(word).utf8)
        #expect(quoted.withSlice { QuotedWords.split($0) } == [word])
    }
    #expect(
        QuotedWords.quotedRepresentation([7, 8, 9, 10, 13, 0, 34, 92, 200])
            == "\"\\a\\b\\t\\n\\r\\x00\\\"\\\\\\xc8\"")
}

@Test("a line cut anywhere is split or refused, never read past its end")
func cutAnywhere() {
    let line = Array("set \"a\\x41\\\" b\" 'c\\'d' e\"f\"".utf8)
    for count in 0...line.count {
        line.withSlice { _ = QuotedWords.split($0.prefix(count)) }
    }
}
