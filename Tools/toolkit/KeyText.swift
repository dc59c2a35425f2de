public import HoldfastBytes

/// How keys and values are printed for people and scripts (`--escape`).
public enum KeyText: String, Sendable {
    /// As they are where that is readable, else in double quotes with `\n`, `\"` and `\xHH`, which redis-cli
    /// reads back.
    case utf8
    case hex
    case base64

    public init(_ arguments: ParsedArguments) {
        self = arguments.value("escape").flatMap(KeyText.init(rawValue:)) ?? .utf8
    }

    public func text(_ bytes: ByteSlice) -> String {
        switch self {
        case .utf8: Self.readable(bytes)
        case .hex: Self.hex(bytes)
        case .base64: Self.base64(bytes)
        }
    }

    /// The text of at most `bytesMax` bytes, and how many more there are.
    public func text(_ bytes: ByteSlice, bytesMax: Int) -> String {
        guard bytes.count > bytesMax else { return text(bytes) }
        return "\(text(bytes.prefix(bytesMax)))... (\(bytes.count) bytes)"
    }

    static func readable(_ bytes: ByteSlice) -> String {
        if isPlain(bytes) { return bytes.text }
        let isText = UTF8Check.isValid(bytes)
        var result: [UInt8] = [0x22]
        for index in 0..<bytes.count {
            let byte = bytes[index]
            switch byte {
            case 0x22, 0x5c: result += [0x5c, byte]
            case 0x0a: result += Array("\\n".utf8)
            case 0x0d: result += Array("\\r".utf8)
            case 0x09: result += Array("\\t".utf8)
            case 0x20...0x7e: result.append(byte)
            case 0x80... where isText: result.append(byte)
            default:
                result += Array("\\x".utf8) + Array(HexWindow.hex(UInt64(byte), digits: 2).utf8)
            }
        }
        return String(decoding: result + [0x22], as: UTF8.self)
    }

    /// Needs no quotes to be one word.
    private static func isPlain(_ bytes: ByteSlice) -> Bool {
        if bytes.isEmpty { return false }
        for index in 0..<bytes.count {
            switch bytes[index] {
            case 0x00...0x20, 0x22, 0x27, 0x5c, 0x7f: return false
            default: continue
            }
        }
        return UTF8Check.isValid(bytes)
    }

    static func hex(_ bytes: ByteSlice) -> String {
        let digits = ByteSlice("0123456789abcdef")
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count * 2)
        for index in 0..<bytes.count {
            result.append(digits[Int(bytes[index] >> 4)])
            result.append(digits[Int(bytes[index] & 15)])
        }
        return String(decoding: result, as: UTF8.self)
    }

    static func base64(_ bytes: ByteSlice) -> String {
        let digits = ByteSlice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var result: [UInt8] = []
        result.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let left = min(3, bytes.count - index)
            var group = UInt32(bytes[index]) << 16
            if left > 1 { group |= UInt32(bytes[index + 1]) << 8 }
            if left > 2 { group |= UInt32(bytes[index + 2]) }
            for digit in 0..<4 {
                let isThere = digit <= left
                result.append(
                    isThere ? digits[Int(group >> UInt32(18 - 6 * digit) & 63)] : UInt8(ascii: "="))
            }
            index += 3
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// Whether bytes are a text.
public enum UTF8Check {
    public static func isValid(_ bytes: ByteSlice) -> Bool {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x80 {
                index += 1
                continue
            }
            let (length, lowest): (Int, UInt32) =
                switch byte {
                case 0xc2...0xdf: (2, 0x80)
                case 0xe0...0xef: (3, 0x800)
                case 0xf0...0xf4: (4, 0x10000)
                default: (0, 0)
                }
            guard length > 0, index + length <= bytes.count else { return false }
            var scalar = UInt32(byte) & (0x7f >> UInt32(length))
            for next in index + 1..<index + length {
                guard bytes[next] & 0xc0 == 0x80 else { return false }
                scalar = scalar << 6 | UInt32(bytes[next] & 0x3f)
            }
            guard scalar >= lowest, scalar <= 0x10ffff, !(0xd800...0xdfff).contains(scalar)
            else { return false }
            index += length
        }
        return true
    }
}
