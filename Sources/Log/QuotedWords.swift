internal import HoldfastBytes

/// Redis's words with quotes, as in its configuration and manifest: `"..."` with backslash escapes,
/// `'...'` with `\'` only.
enum QuotedWords {
    /// The words of a line, or nil if a quote isn't closed or something follows a closing quote.
    static func split(_ line: ByteSlice) -> [[UInt8]]? {
        var words: [[UInt8]] = []
        var index = 0
        let count = line.count
        while true {
            while index < count && isSpace(line[index]) { index += 1 }
            if index == count { return words }
            var word: [UInt8] = []
            scan: while index < count {
                let byte = line[index]
                switch byte {
                case 0x20, 0x0a, 0x0d, 0x09, 0: break scan
                case 0x22:
                    guard doubleQuoted(line, &index, &word) else { return nil }
                    break scan
                case 0x27:
                    guard singleQuoted(line, &index, &word) else { return nil }
                    break scan
                default:
                    word.append(byte)
                    index += 1
                }
            }
            words.append(word)
            if index < count && line[index] == 0 { return words }
        }
    }

    /// Appends `word`, in quotes if it couldn't stand without.
    static func append(_ word: String, to buffer: inout ByteBuffer) {
        let bytes = Array(word.utf8)
        let isPlain = bytes.allSatisfy {
            $0 > 0x20 && $0 < 0x7f && ![0x22, 0x27, 0x5c].contains($0)
        }
        if isPlain && !bytes.isEmpty {
            buffer.append(bytes)
            return
        }
        buffer.append(0x22)
        for byte in bytes {
            switch byte {
            case 0x22, 0x5c: buffer.append([0x5c, byte])
            case 0x0a: buffer.append("\\n")
            case 0x0d: buffer.append("\\r")
            case 0x09: buffer.append("\\t")
            case 0x07: buffer.append("\\a")
            case 0x08: buffer.append("\\b")
            case 0x20..<0x7f: buffer.append(byte)
            default:
                buffer.append("\\x")
                HexText.append(UInt64(byte), digits: 2, to: &buffer)
            }
        }
        buffer.append(0x22)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (byte >= 0x09 && byte <= 0x0d)
    }

    /// Whether a closing quote just before `index` may stand there.
    private static func endsWord(_ line: ByteSlice, _ index: Int) -> Bool {
        index == line.count || isSpace(line[index]) || line[index] == 0
    }

    private static func doubleQuoted(
        _ line: ByteSlice, _ index: inout Int, _ word: inout [UInt8]
    ) -> Bool {
        index += 1
        while index < line.count {
            let byte = line[index]
            if byte == 0x22 {
                index += 1
                return endsWord(line, index)
            }
            guard byte == 0x5c, index + 1 < line.count else {
                word.append(byte)
                index += 1
                continue
            }
            let escape = line[index + 1]
            if escape == 0x78, index + 3 < line.count, let high = nibble(line[index + 2]),
                let low = nibble(line[index + 3])
            {
                word.append(high << 4 | low)
                index += 4
                continue
            }
            switch escape {
            case 0x6e: word.append(0x0a)
            case 0x72: word.append(0x0d)
            case 0x74: word.append(0x09)
            case 0x62: word.append(0x08)
            case 0x61: word.append(0x07)
            default: word.append(escape)
            }
            index += 2
        }
        return false
    }

    private static func singleQuoted(
        _ line: ByteSlice, _ index: inout Int, _ word: inout [UInt8]
    ) -> Bool {
        index += 1
        while index < line.count {
            let byte = line[index]
            if byte == 0x5c, index + 1 < line.count, line[index + 1] == 0x27 {
                word.append(0x27)
                index += 2
            } else if byte == 0x27 {
                index += 1
                return endsWord(line, index)
            } else {
                word.append(byte)
                index += 1
            }
        }
        return false
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
