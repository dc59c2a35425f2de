public import HoldfastBytes
public import HoldfastPlatform

/// The bytes around a place in a file, sixteen a line, with the place marked:
///
///       00000160  2a 33 0d 0a 24 33 0d 0a  53 45 54 0d 0a 24 31 0d  |*3..$3..SET..$1.|
///     > 00000170  0a 6b 0d 0a 24 33 0d 0a  61 62 63 0d 0a 23 48 46  |.k..$3..abc..#HF|
///                             ^^
public enum HexWindow {
    private static let rowBytes: Int64 = 16

    /// The lines around `offset`, `rows` before it and after it.
    public static func lines(
        of file: any File, around offset: Int64, rows: Int = 2
    ) throws(SystemError) -> [String] {
        let row = max(0, offset) / rowBytes * rowBytes
        let first = max(0, row - Int64(rows) * rowBytes)
        var buffer = ByteBuffer()
        let wanted = Int(row - first + rowBytes) + rows * Int(rowBytes)
        try file.readAll(at: first, count: wanted, into: &buffer)
        return lines(buffer.slice, from: first, marked: offset)
    }

    /// The lines of `bytes`, whose first one is at `start`, a multiple of 16.
    public static func lines(_ bytes: ByteSlice, from start: Int64, marked: Int64) -> [String] {
        var lines: [String] = []
        var index = 0
        // A place at the very end of the file has a row of its own if need be.
        while index < bytes.count || start + Int64(index) == marked {
            let row = bytes.slice(min(index, bytes.count)..<min(bytes.count, index + 16))
            let at = start + Int64(index)
            let isMarked = marked >= at && marked < at + rowBytes
            lines.append("\(isMarked ? ">" : " ") \(hex(UInt64(at), digits: 8))  \(text(row))")
            if isMarked {
                let column = Int(marked - at)
                let blanks = 12 + column * 3 + (column >= 8 ? 1 : 0)
                lines.append(String(repeating: " ", count: blanks) + "^^")
            }
            index += 16
        }
        return lines
    }

    private static func text(_ row: ByteSlice) -> String {
        var text = ""
        var letters = ""
        for column in 0..<16 {
            if column == 8 { text += " " }
            guard column < row.count else {
                text += "   "
                continue
            }
            let byte = row[column]
            text += hex(UInt64(byte), digits: 2) + " "
            letters += byte >= 32 && byte < 127 ? String(UnicodeScalar(byte)) : "."
        }
        return "\(text) |\(letters)|"
    }

    /// `value` in lower-case hex, with at least so many digits.
    public static func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
