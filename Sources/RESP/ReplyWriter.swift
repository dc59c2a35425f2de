public import HoldfastBytes

/// Writes replies in the protocol version a session speaks.
///
/// Aggregates are written head first: `array(2)` and then two replies. Where the count is known only
/// afterwards, `begin…`/`end…` put the head in front.
public struct ReplyWriter: ~Copyable {
    public var buffer: ByteBuffer
    /// 2 or 3.
    public var version: Int

    @inlinable
    public init() {
        buffer = ByteBuffer()
        version = 2
    }

    @inlinable public var isRESP3: Bool { version == 3 }

    // MARK: Simple replies

    @inlinable
    public mutating func ok() { buffer.append("+OK\r\n") }

    /// A simple string that is known to hold no line end.
    public mutating func simple(_ text: StaticString) {
        buffer.append(UInt8(ascii: "+"))
        buffer.append(text)
        buffer.append("\r\n")
    }

    public mutating func simple(_ text: String) {
        buffer.append(UInt8(ascii: "+"))
        buffer.append(text: text)
        buffer.append("\r\n")
    }

    /// An error reply; `text` begins with its code word. Line ends become blanks.
    public mutating func error(_ text: String) {
        buffer.append(UInt8(ascii: "-"))
        for byte in text.utf8 { buffer.append(byte == 13 || byte == 10 ? 32 : byte) }
        buffer.append("\r\n")
    }

    /// As `error`, from bytes that may not be UTF-8.
    public mutating func error(bytes: [UInt8]) {
        buffer.append(UInt8(ascii: "-"))
        for byte in bytes { buffer.append(byte == 13 || byte == 10 ? 32 : byte) }
        buffer.append("\r\n")
    }

    @inlinable
    public mutating func integer(_ value: Int64) { head(UInt8(ascii: ":"), value) }

    @inlinable
    public mutating func integer(_ value: Int) { head(UInt8(ascii: ":"), Int64(value)) }

    @inlinable
    mutating func head(_ mark: UInt8, _ value: Int64) {
        buffer.append(mark)
        buffer.append(decimal: value)
        buffer.append("\r\n")
    }

    @inlinable
    public mutating func bulk(_ bytes: ByteSlice) {
        head(UInt8(ascii: "$"), Int64(bytes.count))
        buffer.append(bytes)
        buffer.append("\r\n")
    }

    public mutating func bulk(_ text: String) {
        head(UInt8(ascii: "$"), Int64(text.utf8.count))
        buffer.append(text: text)
        buffer.append("\r\n")
    }

    public mutating func bulk(_ bytes: [UInt8]) {
        head(UInt8(ascii: "$"), Int64(bytes.count))
        buffer.append(bytes)
        buffer.append("\r\n")
    }

    public mutating func bulk(_ text: StaticString) { bulk(ByteSlice(text)) }

    /// A number as a bulk string.
    public mutating func bulk(decimal value: Int64) {
        head(UInt8(ascii: "$"), Int64(DecimalText.length(value)))
        buffer.append(decimal: value)
        buffer.append("\r\n")
    }

    /// `$-1` or `_`.
    @inlinable
    public mutating func null() {
        if isRESP3 { buffer.append("_\r\n") } else { buffer.append("$-1\r\n") }
    }

    /// `*-1` or `_`.
    public mutating func nullArray() {
        if isRESP3 { buffer.append("_\r\n") } else { buffer.append("*-1\r\n") }
    }

    public mutating func boolean(_ value: Bool) {
        if isRESP3 {
            buffer.append(value ? "#t\r\n" : "#f\r\n")
        } else {
            integer(value ? 1 : 0)
        }
    }

    /// A double, given as its text: `,1.5` or a bulk string.
    public mutating func double(text: String) {
        if isRESP3 {
            buffer.append(UInt8(ascii: ","))
            buffer.append(text: text)
            buffer.append("\r\n")
        } else {
            bulk(text)
        }
    }

    /// Text for people: verbatim in RESP3, bulk in RESP2.
    public mutating func verbatim(_ text: String) {
        guard isRESP3 else { return bulk(text) }
        head(UInt8(ascii: "="), Int64(text.utf8.count + 4))
        buffer.append("txt:")
        buffer.append(text: text)
        buffer.append("\r\n")
    }

    // MARK: Aggregates

    public mutating func array(_ count: Int) { head(UInt8(ascii: "*"), Int64(count)) }

    /// `count` pairs follow.
    public mutating func map(_ count: Int) {
        if isRESP3 {
            head(UInt8(ascii: "%"), Int64(count))
        } else {
            head(UInt8(ascii: "*"), Int64(count * 2))
        }
    }

    public mutating func set(_ count: Int) {
        head(isRESP3 ? UInt8(ascii: "~") : UInt8(ascii: "*"), Int64(count))
    }

    public mutating func push(_ count: Int) {
        head(isRESP3 ? UInt8(ascii: ">") : UInt8(ascii: "*"), Int64(count))
    }

    /// Where an array of yet unknown length begins; hand it to `endArray` once the count is known.
    public mutating func beginArray() -> Int { buffer.count }

    public mutating func endArray(_ mark: Int, count: Int) {
        insertHead(UInt8(ascii: "*"), count, at: mark)
    }

    /// As `endArray`, for `count` pairs.
    public mutating func endMap(_ mark: Int, count: Int) {
        if isRESP3 {
            insertHead(UInt8(ascii: "%"), count, at: mark)
        } else {
            insertHead(UInt8(ascii: "*"), count * 2, at: mark)
        }
    }

    /// As `endArray`, for a set.
    public mutating func endSet(_ mark: Int, count: Int) {
        insertHead(isRESP3 ? UInt8(ascii: "~") : UInt8(ascii: "*"), count, at: mark)
    }

    private mutating func insertHead(_ kind: UInt8, _ count: Int, at mark: Int) {
        let start = buffer.count
        head(kind, Int64(count))
        let size = buffer.count - start
        // Most replies are short, and moving them is cheap.
        buffer.rotate(last: size, to: mark)
    }
}
