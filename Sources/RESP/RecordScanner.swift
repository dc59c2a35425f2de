public import HoldfastBytes

/// Finds where records end: RESP arrays of bulk strings, as log files hold them.
///
/// As lenient as Redis's loader about the end of header lines (`\n` or `\r\n`), as strict as
/// redis-check-aof about the CRLF after each argument. Nothing is allocated, whatever a header claims.
public enum RecordScanner {
    public enum Verdict: Equatable, Sendable {
        /// A whole record ends before `end`; `name` is where its first argument's bytes are.
        case whole(end: Int, argumentCount: Int, name: Range<Int>)
        /// The bytes end inside a record.
        case incomplete
        /// No record, whatever follows; `offset` is where it went wrong.
        case invalid(offset: Int, reason: String)
    }

    /// The most arguments that a record may claim: Redis's own bound for a request.
    public static let argumentCountMax = Int(Int32.max)
    /// The most bytes that an argument may claim unless a caller says otherwise: `proto-max-bulk-len`.
    public static let argumentBytesMax = 512 << 20

    /// Scans the record that begins at `start`.
    public static func scan(
        _ bytes: ByteSlice, from start: Int = 0, argumentBytesMax: Int = argumentBytesMax
    ) -> Verdict {
        var cursor = HeaderCursor(bytes: bytes, offset: start)
        guard let count = cursor.header(0x2a, max: argumentCountMax) else { return cursor.failure }
        if count == 0 { return .invalid(offset: start, reason: "a command without arguments") }
        var name = start..<start
        for index in 0..<count {
            guard let size = cursor.header(0x24, max: argumentBytesMax) else {
                return cursor.failure
            }
            let begin = cursor.offset
            // Both are far below what could overflow: a position in memory and a bounded length.
            let end = begin + size
            if index == 0 { name = begin..<end }
            if end + 2 > bytes.count {
                // What is there of the CRLF must fit already.
                if end < bytes.count && bytes[end] != 0x0d { return noLineEnd(end) }
                return .incomplete
            }
            if bytes[end] != 0x0d || bytes[end + 1] != 0x0a { return noLineEnd(end) }
            cursor.offset = end + 2
        }
        return .whole(end: cursor.offset, argumentCount: count, name: name)
    }

    /// What stands at the start of some bytes where a header is due.
    public enum Header: Equatable, Sendable {
        /// `value` is a count of arguments or of bytes; the line ends before `end`.
        case value(Int, end: Int)
        case incomplete
        case invalid(offset: Int, reason: String)
    }

    /// No header line, with its end, is longer.
    public static let headerBytesMax = 27

    /// Reads the `*n` line at the start of `bytes`: for readers that don't hold whole records.
    public static func commandHeader(_ bytes: ByteSlice) -> Header {
        switch header(bytes, 0x2a, max: argumentCountMax) {
        case .value(0, _): .invalid(offset: 0, reason: "a command without arguments")
        case let other: other
        }
    }

    /// Reads the `$n` line at the start of `bytes`.
    public static func argumentHeader(_ bytes: ByteSlice) -> Header {
        header(bytes, 0x24, max: argumentBytesMax)
    }

    private static func header(_ bytes: ByteSlice, _ prefix: UInt8, max: Int) -> Header {
        var cursor = HeaderCursor(bytes: bytes, offset: 0)
        if let value = cursor.header(prefix, max: max) { return .value(value, end: cursor.offset) }
        switch cursor.failure {
        case .invalid(let offset, let reason): return .invalid(offset: offset, reason: reason)
        case .whole, .incomplete: return .incomplete
        }
    }

    public static let noLineEndReason = "no line end after an argument"

    private static func noLineEnd(_ offset: Int) -> Verdict {
        .invalid(offset: offset, reason: noLineEndReason)
    }

    /// The bytes of the second argument of the record that `whole` has just described.
    ///
    /// Only for records of exactly two arguments.
    public static func secondArgument(_ bytes: ByteSlice, name: Range<Int>, end: Int) -> ByteSlice {
        var cursor = HeaderCursor(bytes: bytes, offset: name.upperBound + 2)
        guard let size = cursor.header(0x24, max: Int(Int32.max) * 8), cursor.offset <= end - 2,
            size == end - 2 - cursor.offset
        else { return ByteSlice() }
        return bytes.slice(cursor.offset..<end - 2)
    }
}

/// Reads `*n` and `$n` lines one after the other and remembers why it couldn't.
private struct HeaderCursor {
    let bytes: ByteSlice
    var offset: Int
    var failure: RecordScanner.Verdict = .incomplete

    init(bytes: ByteSlice, offset: Int) {
        self.bytes = bytes
        self.offset = offset
    }

    /// The number after `prefix`, with the offset moved behind its line; nil with `failure` set.
    mutating func header(_ prefix: UInt8, max: Int) -> Int? {
        let count = bytes.count
        guard offset < count else { return fail(.incomplete) }
        guard bytes[offset] == prefix else {
            let what = prefix == 0x2a ? "command" : "argument"
            return invalid(offset, "no \(what) where one is due")
        }
        var index = offset + 1
        var value = 0
        while index < count {
            let byte = bytes[index]
            let digit = byte &- 0x30
            guard digit <= 9 else {
                if index == offset + 1 { return invalid(index, "a length that is no number") }
                if byte == 0x0d {
                    index += 1
                    if index == count { return fail(.incomplete) }
                }
                guard bytes[index] == 0x0a else {
                    return invalid(index, "a length that is no number")
                }
                offset = index + 1
                return value
            }
            value = value * 10 + Int(digit)
            if value > max { return invalid(index, "a length over its bound") }
            index += 1
            // Leading zeros could make a line endless.
            if index - offset > 24 { return invalid(index, "a length over its bound") }
        }
        return fail(.incomplete)
    }

    private mutating func fail(_ verdict: RecordScanner.Verdict) -> Int? {
        failure = verdict
        return nil
    }

    private mutating func invalid(_ offset: Int, _ reason: String) -> Int? {
        fail(.invalid(offset: offset, reason: reason))
    }
}
