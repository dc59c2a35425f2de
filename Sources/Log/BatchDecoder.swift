public import HoldfastBytes
internal import HoldfastPlatform

/// What a segment's opening line says.
public struct SegmentOpening: Equatable, Sendable {
    public var segment: UInt64
    public var firstLSN: LSN
    public var history: HistoryID
    public var milliseconds: Int64
    /// The database in which the segment's records begin.
    public var database: Int
    /// The opening line and the SELECT after it: where the first batch begins in the file.
    public var totalBytes: Int
}

/// What a batch's annotation says. It is worth nothing until `isIntact` has compared the checksum.
public struct BatchAnnotation: Equatable, Sendable {
    public var firstLSN: LSN
    public var recordBytes: Int64
    public var milliseconds: Int64
    public var durable: LSN
    /// The bytes of the line with its end: where the records begin.
    public var lineBytes: Int
    var crc: UInt32

    /// The LSN after the batch's last record.
    public var endLSN: LSN { LSN(firstLSN.value + UInt64(recordBytes)) }
}

/// What stands at the start of some bytes.
public enum LineVerdict<Line: Equatable & Sendable>: Equatable, Sendable {
    case line(Line)
    /// Could become a line if more bytes followed.
    case incomplete
    /// No line of this kind, whatever follows. The text says why, for operators.
    case invalid(String)
}

/// Reads the lines that `BatchEncoder` writes; the grammar stands in LogFormat.swift. Nothing is
/// accepted that the encoder wouldn't write.
public enum BatchDecoder {
    /// Reads the annotation at the start of `bytes`, which may go on after it.
    public static func annotation(_ bytes: ByteSlice) -> LineVerdict<BatchAnnotation> {
        switch text(bytes, tag: LogFormat.annotationTag, bytesMax: LogFormat.annotationBytesMax) {
        case .incomplete: return .incomplete
        case .invalid(let reason): return .invalid(reason)
        case .line(let lineBytes):
            var fields = FieldCursor(
                bytes.slice(LogFormat.annotationTag.utf8CodeUnitCount..<lineBytes - 2))
            guard let first = fields.number(), let size = fields.number(),
                let milliseconds = fields.number(), let durable = fields.number(),
                let crc = fields.checksum(), fields.isAtEnd
            else { return .invalid("annotation is damaged") }
            guard size > 0, size <= Int64.max - first else {
                return .invalid("annotation has an impossible length")
            }
            guard durable <= first else {
                return .invalid("annotation has a durable LSN beyond its own")
            }
            return .line(
                BatchAnnotation(
                    firstLSN: LSN(UInt64(first)), recordBytes: size, milliseconds: milliseconds,
                    durable: LSN(UInt64(durable)), lineBytes: lineBytes, crc: crc))
        }
    }

    /// Whether the checksum in `annotation` is that of its own text and of `records`.
    ///
    /// - Parameter line: bytes that begin with the line from which `annotation` was read.
    public static func isIntact(
        _ annotation: BatchAnnotation, line: ByteSlice, records: ByteSlice
    ) -> Bool {
        Int64(records.count) == annotation.recordBytes
            && CRC32C.update(checksumOfText(annotation, line: line), records) == annotation.crc
    }

    /// The checksum of the annotation's own text, for a caller that adds the records part by part.
    static func checksumOfText(_ annotation: BatchAnnotation, line: ByteSlice) -> UInt32 {
        CRC32C.of(line.prefix(annotation.lineBytes - 2 - LogFormat.crcFieldBytes))
    }

    /// Reads the opening line and the SELECT at the start of `bytes`, which may go on after them.
    public static func opening(_ bytes: ByteSlice) -> LineVerdict<SegmentOpening> {
        switch text(bytes, tag: LogFormat.openingTag, bytesMax: LogFormat.openingBytesMax) {
        case .incomplete: return .incomplete
        case .invalid(let reason): return .invalid(reason)
        case .line(let lineBytes):
            var fields = FieldCursor(
                bytes.slice(LogFormat.openingTag.utf8CodeUnitCount..<lineBytes - 2))
            guard let version = fields.number() else {
                return .invalid("opening line is damaged")
            }
            guard version == LogFormat.version else {
                return .invalid(LogFormat.unknownVersion(version))
            }
            guard let segment = fields.number(), let first = fields.number(),
                let history = fields.history(), let milliseconds = fields.number(),
                let selectBytes = fields.number(), let crc = fields.checksum(), fields.isAtEnd,
                selectBytes <= Int64(LogFormat.selectBytesMax)
            else { return .invalid("opening line is damaged") }
            let end = lineBytes + Int(selectBytes)
            if bytes.count < end { return .incomplete }
            let select = bytes.slice(lineBytes..<end)
            let textCRC = CRC32C.of(bytes.prefix(lineBytes - 2 - LogFormat.crcFieldBytes))
            guard CRC32C.update(textCRC, select) == crc else {
                return .invalid("opening line fails its checksum")
            }
            guard segment > 0, let database = Self.database(ofSelect: select) else {
                return .invalid("opening line is damaged")
            }
            return .line(
                SegmentOpening(
                    segment: UInt64(segment), firstLSN: LSN(UInt64(first)), history: history,
                    milliseconds: milliseconds, database: database, totalBytes: end))
        }
    }

    /// The length, with its CRLF, of a line that starts with `tag`.
    private static func text(_ bytes: ByteSlice, tag: StaticString, bytesMax: Int)
        -> LineVerdict<Int>
    {
        let tag = ByteSlice(tag)
        let common = min(tag.count, bytes.count)
        guard bytes.prefix(common) == tag.prefix(common) else {
            return .invalid("no \(tag.prefix(4).text) line where one is due")
        }
        var end = common
        let limit = min(bytes.count, bytesMax)
        while end < limit {
            if bytes[end] == 0x0a {
                guard end >= tag.count + LogFormat.crcFieldBytes, bytes[end - 1] == 0x0d else {
                    return .invalid("\(tag.prefix(4).text) line is damaged")
                }
                return .line(end + 1)
            }
            end += 1
        }
        return end < bytesMax ? .incomplete : .invalid("\(tag.prefix(4).text) line has no end")
    }

    /// The database that an opening SELECT names: exactly as the encoder writes it.
    private static func database(ofSelect select: ByteSlice) -> Int? {
        if select.isEmpty { return 0 }
        guard select.count > 2 else { return nil }
        let end = select.count - 2
        var start = end
        while start > 0 && select[start - 1] != 0x0a { start -= 1 }
        guard let number = FieldCursor.digits(select.slice(start..<end)), number > 0,
            number < 1 << 31
        else { return nil }
        // Writing it again tells whether all the rest is canonical too.
        var canonical = ByteBuffer()
        BatchEncoder.appendSelect(into: &canonical, database: Int(number))
        return canonical.slice == select ? Int(number) : nil
    }
}

/// Reads blank-separated fields strictly: one space between two, no signs, no leading zeros.
struct FieldCursor {
    private let bytes: ByteSlice
    private var next = 0

    init(_ bytes: ByteSlice) { self.bytes = bytes }

    var isAtEnd: Bool { next > bytes.count }

    mutating func number() -> Int64? { word().flatMap(Self.digits) }

    mutating func history() -> HistoryID? { word().flatMap { HistoryID($0) } }

    /// Exactly eight hex digits.
    mutating func checksum() -> UInt32? {
        guard let word = word(), word.count == 8, let value = HexText.parse(word) else {
            return nil
        }
        return UInt32(truncatingIfNeeded: value)
    }

    static func digits(_ word: ByteSlice) -> Int64? {
        guard let first = word.isEmpty ? nil : word[0], first != 0x2d else { return nil }
        return DecimalText.parse(word)
    }

    private mutating func word() -> ByteSlice? {
        guard next <= bytes.count else { return nil }
        var end = next
        while end < bytes.count && bytes[end] != 0x20 { end += 1 }
        defer { next = end + 1 }
        return bytes.slice(next..<end)
    }
}
