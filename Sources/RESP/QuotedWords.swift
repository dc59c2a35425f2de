public import HoldfastBytes

/// A line of words with optional quotes: configuration lines and inline commands are read this way, and
/// MONITOR, messages and rewritten configurations print this way (Redis's `sdssplitargs`, `sdscatrepr`).
///
/// Words are separated by blanks. `"…"` knows `\n \r \t \b \a \xHH` and takes any other escaped byte as
/// itself; `'…'` knows `\'` only; outside quotes a backslash is a plain byte. A quote may open inside a
/// word, but a closing one ends the word, so a blank or the end must follow. A zero byte ends the line.
public enum QuotedWords {
    /// The words of `line`, or nil when its quotes are unbalanced.
    public static func split(_ line: ByteSlice) -> [[UInt8]]? {
        var words: [[UInt8]] = []
        var position = 0
        while true {
            while isBlank(byte(line, position)) { position += 1 }
            if byte(line, position) == 0 { return words }
            guard let word = readWord(line, &position) else { return nil }
            words.append(word)
        }
    }

    /// Reads one word from `position`, which is left after it.
    private static func readWord(_ line: ByteSlice, _ position: inout Int) -> [UInt8]? {
        var word: [UInt8] = []
        while true {
            let next = byte(line, position)
            switch next {
            case 0: return word
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"):
                position += 1
                return word
            case UInt8(ascii: "\""):
                position += 1
                return readQuoted(line, &position, &word) ? word : nil
            case UInt8(ascii: "'"):
                position += 1
                return readSingleQuoted(line, &position, &word) ? word : nil
            default:
                word.append(next)
                position += 1
            }
        }
    }

    private static func readQuoted(
        _ line: ByteSlice, _ position: inout Int, _ word: inout [UInt8]
    ) -> Bool {
        while true {
            let next = byte(line, position)
            let follower = byte(line, position + 1)
            if next == 0 { return false }
            if next == UInt8(ascii: "\"") {
                position += 1
                return follower == 0 || isBlank(follower)
            }
            if next == UInt8(ascii: "\\") && follower != 0 {
                if follower == UInt8(ascii: "x"), let high = hexValue(byte(line, position + 2)),
                    let low = hexValue(byte(line, position + 3))
                {
                    word.append(high << 4 | low)
                    position += 4
                } else {
                    word.append(escaped(follower))
                    position += 2
                }
            } else {
                word.append(next)
                position += 1
            }
        }
    }

    private static func readSingleQuoted(
        _ line: ByteSlice, _ position: inout Int, _ word: inout [UInt8]
    ) -> Bool {
        while true {
            let next = byte(line, position)
            let follower = byte(line, position + 1)
            if next == 0 { return false }
            if next == UInt8(ascii: "'") {
                position += 1
                return follower == 0 || isBlank(follower)
            }
            if next == UInt8(ascii: "\\") && follower == UInt8(ascii: "'") {
                word.append(follower)
                position += 2
            } else {
                word.append(next)
                position += 1
            }
        }
    }

    /// The byte at `position`, zero past the end: a zero byte and the end mean the same.
    private static func byte(_ line: ByteSlice, _ position: Int) -> UInt8 {
        position < line.count ? line[position] : 0
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (byte >= 9 && byte <= 13)
    }

    private static func escaped(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "n"): 10
        case UInt8(ascii: "r"): 13
        case UInt8(ascii: "t"): 9
        case UInt8(ascii: "b"): 8
        case UInt8(ascii: "a"): 7
        default: byte
        }
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension ByteBuffer {
    /// Appends `bytes` in double quotes, everything that isn't printable ASCII escaped; `split` reads it
    /// back as the same bytes.
    public mutating func append(quoted bytes: ByteSlice) {
        let digits: StaticString = "0123456789abcdef"
        let hex = ByteSlice(digits)
        append(UInt8(ascii: "\""))
        for index in 0..<bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 10: append("\\n" as StaticString)
            case 13: append("\\r" as StaticString)
            case 9: append("\\t" as StaticString)
            case 7: append("\\a" as StaticString)
            case 8: append("\\b" as StaticString)
            case 32...126: append(byte)
            default:
                append("\\x" as StaticString)
                append(hex[Int(byte >> 4)])
                append(hex[Int(byte & 15)])
            }
        }
        append(UInt8(ascii: "\""))
    }
}

extension QuotedWords {
    /// `bytes` in double quotes, as text.
    public static func quotedRepresentation(_ bytes: ByteSlice) -> String {
        var buffer = ByteBuffer()
        buffer.append(quoted: bytes)
        return buffer.slice.text
    }

    public static func quotedRepresentation(_ bytes: [UInt8]) -> String {
        bytes.withSlice { quotedRepresentation($0) }
    }
}
