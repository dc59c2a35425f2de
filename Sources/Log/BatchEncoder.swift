public import HoldfastBytes
internal import HoldfastPlatform

/// Writes the lines that `BatchDecoder` reads; the grammar stands in LogFormat.swift.
public enum BatchEncoder {
    /// Appends the annotation that precedes `records` in the file; the records themselves are not
    /// appended, so that they can be written from where they are.
    ///
    /// - Parameter records: at least one whole record, no MULTI left open.
    /// - Parameter milliseconds: Unix time, not below that of the batch before.
    /// - Parameter durable: what is known to be on stable storage now; at most `firstLSN`.
    public static func annotation(
        into buffer: inout ByteBuffer, firstLSN: LSN, records: ByteSlice, milliseconds: Int64,
        durable: LSN
    ) {
        precondition(!records.isEmpty, "a batch holds at least one record")
        precondition(durable <= firstLSN, "durable \(durable) is beyond \(firstLSN)")
        precondition(milliseconds >= 0, "negative time: \(milliseconds)")
        let start = buffer.count
        buffer.reserve(LogFormat.lineBytesMax)
        buffer.append(LogFormat.annotationTag)
        buffer.append(firstLSN)
        buffer.append(space)
        buffer.append(decimal: Int64(records.count))
        buffer.append(space)
        buffer.append(decimal: milliseconds)
        buffer.append(space)
        buffer.append(durable)
        finish(&buffer, from: start, covering: records)
        assert(buffer.count - start <= LogFormat.annotationBytesMax, "annotation too long")
    }

    /// Appends a segment's opening line and the SELECT that follows it: all that stands before the
    /// segment's first batch.
    ///
    /// - Parameter database: the one selected in the stream of records at `firstLSN`.
    public static func openingLine(
        into buffer: inout ByteBuffer, segment: UInt64, firstLSN: LSN, history: HistoryID,
        milliseconds: Int64, database: Int
    ) {
        precondition(segment > 0 && segment < 1 << 63, "segment number \(segment) out of bounds")
        precondition(milliseconds >= 0, "negative time: \(milliseconds)")
        var select = ByteBuffer()
        appendSelect(into: &select, database: database)
        let start = buffer.count
        buffer.append(LogFormat.openingTag)
        buffer.append(decimal: LogFormat.version)
        buffer.append(space)
        buffer.append(decimal: Int64(segment))
        buffer.append(space)
        buffer.append(firstLSN)
        buffer.append(space)
        history.append(to: &buffer)
        buffer.append(space)
        buffer.append(decimal: milliseconds)
        buffer.append(space)
        buffer.append(decimal: Int64(select.count))
        finish(&buffer, from: start, covering: select.slice)
        assert(buffer.count - start <= LogFormat.openingBytesMax, "opening line too long")
        buffer.append(select.slice)
    }

    /// The record of `SELECT database`; nothing for database 0, in which every loader begins.
    static func appendSelect(into buffer: inout ByteBuffer, database: Int) {
        precondition(database >= 0 && database < 1 << 31, "database \(database) out of bounds")
        if database == 0 { return }
        buffer.append("*2\r\n$6\r\nSELECT\r\n$")
        buffer.append(decimal: Int64(DecimalText.length(Int64(database))))
        buffer.append("\r\n")
        buffer.append(decimal: Int64(database))
        buffer.append("\r\n")
    }

    private static var space: UInt8 { 0x20 }

    /// Ends the line that began at `start` with the checksum of its text and of `covered`.
    private static func finish(
        _ buffer: inout ByteBuffer, from start: Int, covering covered: ByteSlice
    ) {
        let crc = CRC32C.update(CRC32C.of(buffer.slice.dropFirst(start)), covered)
        buffer.append(space)
        HexText.append(UInt64(crc), digits: 8, to: &buffer)
        buffer.append("\r\n")
    }
}

extension ByteBuffer {
    /// Appends an LSN in decimal.
    mutating func append(_ lsn: LSN) {
        precondition(lsn.value < 1 << 63, "LSN \(lsn) out of bounds")
        append(decimal: Int64(lsn.value))
    }
}
