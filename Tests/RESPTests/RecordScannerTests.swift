import HoldfastBytes
import HoldfastRESP
import Testing

private func scan(_ text: String, from: Int = 0, max: Int = RecordScanner.argumentBytesMax)
    -> RecordScanner.Verdict
{
    text.withSlice { RecordScanner.scan($0, from: from, argumentBytesMax: max) }
}

@Suite("where records end")
struct RecordScannerTests {
    private let set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\n"

    @Test("a whole record is measured, whatever follows it")
    func whole() {
        let end = set.utf8.count
        #expect(scan(set) == .whole(end: end, argumentCount: 3, name: 8..<11))
        #expect(scan(set + "\0\0") == .whole(end: end, argumentCount: 3, name: 8..<11))
        #expect(
            scan(set + set, from: end)
                == .whole(end: 2 * end, argumentCount: 3, name: end + 8..<end + 11))
        #expect(scan("*1\r\n$0\r\n\r\n") == .whole(end: 10, argumentCount: 1, name: 8..<8))
    }

    @Test("header lines may end in a bare newline, as for Redis's loader")
    func bareNewlines() {
        #expect(scan("*1\n$4\nPING\r\n") == .whole(end: 12, argumentCount: 1, name: 6..<10))
    }

    @Test("a record cut anywhere is incomplete")
    func everyCut() {
        for kept in 0..<set.utf8.count {
            let part = String(decoding: Array(set.utf8).prefix(kept), as: UTF8.self)
            #expect(scan(part) == .incomplete, "kept \(kept)")
        }
    }

    @Test(
        "what can't become a record is refused where it goes wrong",
        arguments: [
            ("PING\r\n", 0), ("\r\n", 0), ("\0", 0), ("*0\r\n", 0), ("*-1\r\n", 1), ("*\r\n", 1),
            ("*x\r\n", 1), ("*2147483648\r\n", 10), ("*1\r*", 3), ("*1\r\n*", 4),
            ("*1\r\n$-1\r\n", 5), ("*1\r\n$536870913\r\n", 13), ("*1\r\n$1\r\nab", 9),
            ("*1\r\n$1\r\na\r\r", 9), ("*00000000000000000000000000001\r\n", 25),
            ("*1\r\n#TS:1\r\n", 4), ("*1 \r\n", 2),
        ])
    func refused(text: String, at: Int) {
        guard case .invalid(let offset, _) = scan(text) else {
            Issue.record("accepted \(text)")
            return
        }
        #expect(offset == at)
    }

    @Test("huge claims cost nothing and stay incomplete")
    func hugeClaims() {
        #expect(scan("*2147483647\r\n$536870912\r\nabc") == .incomplete)
        #expect(scan("*1\r\n$9\r\n", max: 8) != .incomplete)
    }

    @Test("the second argument of two")
    func secondArgument() {
        "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n".withSlice { bytes in
            guard case .whole(let end, 2, let name) = RecordScanner.scan(bytes) else {
                Issue.record("not whole")
                return
            }
            #expect(RecordScanner.secondArgument(bytes, name: name, end: end).text == "12")
        }
    }
}
