public import HoldfastBytes

/// The identity of one line of LSNs: 40 lower-case hex digits, Redis's replication id. Two logs with the
/// same id hold the same bytes at the same LSNs.
public struct HistoryID: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let middle: UInt64
    private let low: UInt32

    /// An id of 160 bits that the caller drew at random.
    public init(_ high: UInt64, _ middle: UInt64, _ low: UInt32) {
        self.high = high
        self.middle = middle
        self.low = low
    }

    /// The id that `text` spells, or nil unless it is exactly 40 lower-case hex digits.
    public init?(_ text: ByteSlice) {
        guard text.count == Self.textBytes,
            let high = HexText.parse(text.slice(0..<16)),
            let middle = HexText.parse(text.slice(16..<32)),
            let low = HexText.parse(text.slice(32..<40))
        else { return nil }
        self.init(high, middle, UInt32(truncatingIfNeeded: low))
    }

    public static let textBytes = 40

    public func append(to buffer: inout ByteBuffer) {
        HexText.append(high, digits: 16, to: &buffer)
        HexText.append(middle, digits: 16, to: &buffer)
        HexText.append(UInt64(low), digits: 8, to: &buffer)
    }

    public var description: String {
        var buffer = ByteBuffer()
        append(to: &buffer)
        return buffer.slice.text
    }
}

/// Lower-case hex of a fixed number of digits.
enum HexText {
    /// The number that 1 to 16 lower-case digits spell; nil for anything else.
    static func parse(_ text: ByteSlice) -> UInt64? {
        guard text.count >= 1, text.count <= 16 else { return nil }
        var value: UInt64 = 0
        for index in 0..<text.count {
            let byte = text[index]
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x61 + 10)
            default: return nil
            }
        }
        return value
    }

    static func append(_ value: UInt64, digits: Int, to buffer: inout ByteBuffer) {
        for index in stride(from: digits - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: value >> UInt64(4 * index)) & 15
            buffer.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
        }
    }
}
