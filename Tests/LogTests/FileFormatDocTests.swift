internal import Foundation
import HoldfastBytes
import Testing

@testable import Log

/// docs/file-formats.md against the code: what it quotes and what it shows in hex.
@Suite("docs/file-formats.md")
struct FileFormatDocTests {
    private static let text: String = {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let page = root.appendingPathComponent("docs/file-formats.md")
        return (try? String(contentsOf: page, encoding: .utf8)) ?? ""
    }()

    private let history = HistoryID(0x0011_2233_4455_6677, 0x8899_aabb_ccdd_eeff, 0x0123_4567)
    private let set: StaticString = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nabc\r\n"
    private let transaction: StaticString =
        "*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n*1\r\n$4\r\nEXEC\r\n"

    /// The lines of the block that is fenced as `language`.
    private func block(_ language: String) throws -> [Substring] {
        let lines = Self.text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "```\(language)"))
        let rest = lines[(start + 1)...]
        let end = try #require(rest.firstIndex(of: "```"))
        return Array(rest[..<end])
    }

    private func segmentBytes() throws -> [UInt8] {
        var bytes: [UInt8] = []
        for line in try block("hex") {
            let columns = line.dropFirst(6).prefix(47)
            #expect(Int(line.prefix(4), radix: 16) == bytes.count, "\(line)")
            for pair in columns.split(separator: " ") {
                bytes.append(try #require(UInt8(pair, radix: 16), "\(line)"))
            }
        }
        return bytes
    }

    @Test("the segment in hex is what the encoder writes")
    func hexIsEncoded() throws {
        var buffer = ByteBuffer()
        BatchEncoder.openingLine(
            into: &buffer, segment: 2, firstLSN: LSN(171), history: history,
            milliseconds: 1_700_000_000_000, database: 3)
        BatchEncoder.annotation(
            into: &buffer, firstLSN: LSN(171), records: ByteSlice(set),
            milliseconds: 1_700_000_000_017, durable: LSN(171))
        buffer.append(set)
        BatchEncoder.annotation(
            into: &buffer, firstLSN: LSN(200), records: ByteSlice(transaction),
            milliseconds: 1_700_000_000_020, durable: LSN(171))
        buffer.append(transaction)
        #expect(try segmentBytes() == buffer.copyToArray())
    }

    @Test("the segment in hex is read back")
    func hexIsDecoded() throws {
        let bytes = try segmentBytes()
        bytes.withSlice { bytes in
            guard case .line(let opening) = BatchDecoder.opening(bytes) else {
                Issue.record("no opening line")
                return
            }
            #expect(
                opening
                    == SegmentOpening(
                        segment: 2, firstLSN: LSN(171), history: history,
                        milliseconds: 1_700_000_000_000, database: 3, totalBytes: 104))
            var rest = bytes.dropFirst(opening.totalBytes)
            for expected in [set, transaction] {
                guard case .line(let batch) = BatchDecoder.annotation(rest) else {
                    Issue.record("no annotation")
                    return
                }
                let records = rest.dropFirst(batch.lineBytes).prefix(Int(batch.recordBytes))
                #expect(records == ByteSlice(expected))
                #expect(BatchDecoder.isIntact(batch, line: rest, records: records))
                rest = rest.dropFirst(batch.lineBytes + records.count)
            }
            #expect(rest.isEmpty)
        }
    }

    @Test("the manifest shown is what is written for the same files")
    func manifestIsWritten() throws {
        let shown = try block("manifest").joined(separator: "\n") + "\n"
        let manifest = try Array(shown.utf8).withSlice { try Manifest(parsing: $0) }
        #expect(manifest.history == history)
        #expect(manifest.durable == LSN(171))
        #expect(manifest.lines.map(\.firstLSN) == [.zero, LSN(171)])
        var buffer = ByteBuffer()
        manifest.append(to: &buffer)
        #expect(buffer.slice.text == shown)
    }

    @Test(
        "the sizes quoted are the code's",
        arguments: [
            ("lineBytesMax", LogFormat.lineBytesMax),
            ("openingBytesMax", LogFormat.openingBytesMax),
            ("annotationBytesMax", LogFormat.annotationBytesMax),
            ("manifestLineBytesMax", LogFormat.manifestLineBytesMax),
            ("selectBytesMax", LogFormat.selectBytesMax),
            ("crcFieldBytes", LogFormat.crcFieldBytes),
        ])
    func sizes(name: String, bytes: Int) {
        #expect(Self.text.contains("| `LogFormat.\(name)` | \(bytes) |"))
    }
}
