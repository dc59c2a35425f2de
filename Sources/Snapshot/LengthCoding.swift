internal import HoldfastBytes

/// RDB's whole numbers:
///
///     00xxxxxx                  6 bits
///     01xxxxxx 1 byte           14 bits, the highest first
///     0x80 4 bytes              32 bits, the highest first
///     0x81 8 bytes              64 bits, the highest first
///     11xxxxxx                  no number: a string in the encoding xxxxxx
///
/// Written in the shortest form, read in any.
enum LengthCoding {
    static let bits32: UInt8 = 0x80
    static let bits64: UInt8 = 0x81
    static let encodingMark: UInt8 = 0xc0
}

extension ByteBuffer {
    @inline(__always)
    mutating func append(length value: UInt64) {
        if value < 1 << 6 {
            append(UInt8(truncatingIfNeeded: value))
        } else if value < 1 << 14 {
            append(UInt8(truncatingIfNeeded: value >> 8) | 0x40)
            append(UInt8(truncatingIfNeeded: value))
        } else {
            appendLong(length: value)
        }
    }

    @inline(__always)
    mutating func append(length value: Int) { append(length: UInt64(value)) }

    private mutating func appendLong(length value: UInt64) {
        let isShort = value <= UInt64(UInt32.max)
        append(isShort ? LengthCoding.bits32 : LengthCoding.bits64)
        append(bigEndian: value, bytes: isShort ? 4 : 8)
    }

    mutating func append(bigEndian value: UInt64, bytes: Int) {
        for index in (0..<bytes).reversed() {
            append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }

    mutating func append(littleEndian value: UInt64, bytes: Int) {
        for index in 0..<bytes { append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
    }
}

extension SnapshotInput {
    /// What stands where a string may stand: its length, or the number of its encoding.
    enum LengthOrEncoding {
        case length(UInt64)
        case encoding(UInt8)
    }

    @inline(__always)
    mutating func lengthOrEncoding() throws(ReadFault) -> LengthOrEncoding {
        let first = try byte()
        switch first {
        case 0..<0x40: return .length(UInt64(first))
        case 0x40..<0x80: return .length(UInt64(first & 0x3f) << 8 | UInt64(try byte()))
        case LengthCoding.encodingMark...: return .encoding(first & 0x3f)
        default: return .length(try longLength(first))
        }
    }

    private mutating func longLength(_ first: UInt8) throws(ReadFault) -> UInt64 {
        switch first {
        case LengthCoding.bits32: return try bigEndian(4)
        case LengthCoding.bits64: return try bigEndian(8)
        default: throw ReadFault(reason: .badLength, offset: offset - 1)
        }
    }

    @inline(__always)
    mutating func length() throws(ReadFault) -> UInt64 {
        switch try lengthOrEncoding() {
        case .length(let value): return value
        case .encoding: throw ReadFault(reason: .badLength, offset: offset - 1)
        }
    }

    /// How many elements of at least `bytesEach` bytes come: never more than there can be.
    mutating func count(bytesEach: Int = 1) throws(ReadFault) -> Int {
        let start = offset
        let count = try length()
        let most = UInt64(max(bytesLeftMax, 0)) / UInt64(bytesEach)
        guard count <= most, count < 1 << 48 else {
            throw ReadFault(reason: .tooMany, offset: start)
        }
        return Int(count)
    }
}
