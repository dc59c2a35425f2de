import HoldfastBytes
import HoldfastRESP
import Testing

@testable import Log

private let history = HistoryID(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0xdead_beef)

private func annotation(
    _ records: StaticString, first: UInt64 = 171, ms: Int64 = 1_700_000_000_017,
    durable: UInt64 = 140
) -> [UInt8] {
    var buffer = ByteBuffer()
    BatchEncoder.annotation(
        into: &buffer, firstLSN: LSN(first), records: ByteSlice(records), milliseconds: ms,
        durable: LSN(durable))
    return buffer.copyToArray()
}

private func opening(
    segment: UInt64 = 2, first: UInt64 = 171, ms: Int64 = 1_700_000_000_000, database: Int
) -> [UInt8] {
    var buffer = ByteBuffer()
    BatchEncoder.openingLine(
        into: &buffer, segment: segment, firstLSN: LSN(first), history: history, milliseconds: ms,
        database: database)
    return buffer.copyToArray()
}

private func decodedAnnotation(_ bytes: [UInt8]) -> LineVerdict<BatchAnnotation> {
    bytes.withSlice { BatchDecoder.annotation($0) }
}

private func decodedOpening(_ bytes: [UInt8]) -> LineVerdict<SegmentOpening> {
    bytes.withSlice { BatchDecoder.opening($0) }
}

@Suite("annotations and opening lines")
struct BatchCodingTests {
    private let set: StaticString = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nabc\r\n"

    @Test("an annotation reads back as it was written")
    func annotationRoundTrip() throws {
        let line = annotation(set)
        guard case .line(let read) = decodedAnnotation(line) else {
            Issue.record("not read back")
            return
        }
        #expect(read.firstLSN == LSN(171))
        #expect(read.recordBytes == 29)
        #expect(read.milliseconds == 1_700_000_000_017)
        #expect(read.durable == LSN(140))
        #expect(read.lineBytes == line.count)
        #expect(read.endLSN == LSN(200))
        let records = ByteSlice(set)
        line.withSlice { line in
            #expect(BatchDecoder.isIntact(read, line: line, records: records))
            #expect(!BatchDecoder.isIntact(read, line: line, records: records.prefix(28)))
        }
    }

    @Test(
        "an opening line reads back as it was written", arguments: [0, 1, 9, 10, 15, 2_147_483_647])
    func openingRoundTrip(database: Int) {
        let bytes = opening(database: database)
        #expect(
            decodedOpening(bytes + [0x2a])
                == .line(
                    SegmentOpening(
                        segment: 2, firstLSN: LSN(171), history: history,
                        milliseconds: 1_700_000_000_000, database: database,
                        totalBytes: bytes.count)))
    }

    @Test("the longest lines stay within their bound")
    func longest() {
        let big = UInt64(Int64.max) - 1
        let line = annotation("*1\r\n", first: big - 4, ms: .max, durable: big - 4)
        #expect(line.count <= LogFormat.annotationBytesMax)
        #expect(LogFormat.annotationBytesMax <= LogFormat.lineBytesMax)
        let first = opening(segment: big, first: big, ms: .max, database: 1 << 30)
        #expect(first.count <= LogFormat.openingBytesMax + LogFormat.selectBytesMax)
        #expect(LogFormat.openingBytesMax <= LogFormat.lineBytesMax)
        #expect(LogFormat.manifestLineBytesMax <= LogFormat.lineBytesMax)
        guard case .line = decodedAnnotation(line), case .line = decodedOpening(first) else {
            Issue.record("not read back")
            return
        }
    }

    @Test("a line cut anywhere is incomplete")
    func everyCut() {
        let line = annotation(set)
        for kept in 0..<line.count {
            #expect(decodedAnnotation(Array(line.prefix(kept))) == .incomplete)
        }
        let first = opening(database: 12)
        for kept in 0..<first.count {
            #expect(decodedOpening(Array(first.prefix(kept))) == .incomplete)
        }
    }

    @Test("no single flipped bit leaves a line that passes")
    func everyFlip() {
        let line = annotation(set)
        let records = ByteSlice(set)
        for bit in 0..<line.count * 8 {
            var flipped = line
            flipped[bit / 8] ^= 1 << (bit % 8)
            guard case .line(let read) = decodedAnnotation(flipped) else { continue }
            flipped.withSlice { line in
                #expect(!BatchDecoder.isIntact(read, line: line, records: records), "bit \(bit)")
            }
        }
        for database in [0, 3, 11] {
            let first = opening(database: database)
            for bit in 0..<first.count * 8 {
                var flipped = first
                flipped[bit / 8] ^= 1 << (bit % 8)
                if case .line = decodedOpening(flipped) { Issue.record("bit \(bit) passed") }
            }
        }
    }

    @Test(
        "a line of another form is refused",
        arguments: [
            "#HFB 0171 31 1 140 00000000\r\n", "#HFB 171 31 1 140  00000000\r\n",
            "#HFB 171 31 1 140 0000000\r\n", "#HFB 171 31 1 140 0000000A\r\n",
            "#HFB 171 0 1 140 00000000\r\n", "#HFB 171 -1 1 140 00000000\r\n",
            "#HFB 171 31 1 172 00000000\r\n", "#HFB 171 31 1 140 00000000\n",
            "#HFB 171 31 1 140 00000000 \r\n", "#HFB 171 31 1 140 1 00000000\r\n",
            "#HFB 9223372036854775807 1 1 0 00000000\r\n",
            "#HFB 9223372036854775808 1 1 0 00000000\r\n",
            "#HFC 171 31 1 140 00000000\r\n", " #HFB 171 31 1 140 00000000\r\n", "#HFB \r\n",
            "#HFB 171 31 1 -0 00000000\r\n",
        ])
    func otherForms(text: String) {
        guard case .invalid = decodedAnnotation(Array(text.utf8)) else {
            Issue.record("accepted \(text)")
            return
        }
    }

    @Test("an opening line of a later version is refused by name")
    func laterVersion() {
        let text = "#HFS 2 1 0 0123456789012345678901234567890123456789 1 0 00000000\r\n"
        #expect(
            decodedOpening(Array(text.utf8))
                == .invalid("format version 2 is not known to this program"))
    }

    @Test("history ids are 40 lower-case digits and nothing else")
    func historyText() {
        #expect(history.description == "0123456789abcdeffedcba9876543210deadbeef")
        #expect(HistoryID(ByteSlice("0123456789abcdeffedcba9876543210deadbeef")) == history)
        #expect(HistoryID(ByteSlice("0123456789abcdeffedcba9876543210deadbeeF")) == nil)
        #expect(HistoryID(ByteSlice("0123456789abcdeffedcba9876543210deadbee")) == nil)
        #expect(HistoryID(ByteSlice("0123456789abcdeffedcba9876543210deadbeef0")) == nil)
    }
}
