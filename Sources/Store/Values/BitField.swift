public import HoldfastBytes

/// Strings as rows of bits: bit 0 is the highest bit of byte 0. Whole words at a time wherever that can be.
public enum BitField {
    // MARK: Counting and searching

    /// How many bits are set in all of `bytes`.
    public static func count(_ bytes: ByteSlice) -> Int {
        var total = 0
        var offset = 0
        // Four words a round: their counts don't wait for one another.
        while offset + 32 <= bytes.count {
            let first =
                word(bytes, offset).nonzeroBitCount &+ word(bytes, offset &+ 8).nonzeroBitCount
            let second =
                word(bytes, offset &+ 16).nonzeroBitCount
                &+ word(bytes, offset &+ 24).nonzeroBitCount
            total &+= first &+ second
            offset &+= 32
        }
        while offset < bytes.count {
            total &+= bytes[offset].nonzeroBitCount
            offset &+= 1
        }
        return total
    }

    /// How many of the bits `range` are set; they must lie inside `bytes`.
    public static func count(_ bytes: ByteSlice, bits range: Range<Int>) -> Int {
        guard !range.isEmpty else { return 0 }
        let first = range.lowerBound >> 3
        let last = (range.upperBound - 1) >> 3
        var total = count(bytes.slice(first..<last + 1))
        // Take back what lies before the range in its first byte and behind it in its last.
        let before = UInt8(truncatingIfNeeded: 0xFF00 >> (range.lowerBound & 7))
        let behind = UInt8(truncatingIfNeeded: 0x7F >> ((range.upperBound - 1) & 7))
        total -= (bytes[first] & before).nonzeroBitCount
        total -= (bytes[last] & behind).nonzeroBitCount
        return total
    }

    /// The first of the bits `range` that is `wanted`, or nil; they must lie inside `bytes`.
    public static func firstBit(_ wanted: Bool, in bytes: ByteSlice, bits range: Range<Int>) -> Int?
    {
        guard !range.isEmpty else { return nil }
        let end = (range.upperBound + 7) >> 3
        // With the sought bit as 1, the first one is a count of leading zeros away.
        let flip: UInt8 = wanted ? 0 : 0xFF
        var offset = range.lowerBound >> 3
        let head = (bytes[offset] ^ flip) & (0xFF >> UInt8(range.lowerBound & 7))
        if head != 0 { return inside(range, offset, head) }
        offset += 1
        let nothing: UInt64 = wanted ? 0 : .max
        while offset + 8 <= end, word(bytes, offset) == nothing { offset += 8 }
        while offset < end {
            let byte = bytes[offset] ^ flip
            if byte != 0 { return inside(range, offset, byte) }
            offset += 1
        }
        return nil
    }

    /// The position of the highest bit of `byte` at `offset`, unless it lies behind `range`.
    private static func inside(_ range: Range<Int>, _ offset: Int, _ byte: UInt8) -> Int? {
        let position = offset << 3 + byte.leadingZeroBitCount
        return position < range.upperBound ? position : nil
    }

    @inline(__always)
    private static func word(_ bytes: ByteSlice, _ offset: Int) -> UInt64 {
        assert(offset >= 0 && offset + 8 <= bytes.count)
        // SAFETY: the loops above stop a word before the end.
        return unsafe bytes.pointer.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    // MARK: Numbers of any width

    /// The number of `width` bits (1 to 64) at bit `offset`, high bits first; bits behind the end are 0.
    public static func number(_ bytes: ByteSlice, at offset: Int, width: Int) -> UInt64 {
        var value: UInt64 = 0
        var missing = width
        var position = offset
        while missing > 0 {
            let index = position >> 3
            let inByte = position & 7
            let taken = min(8 - inByte, missing)
            let byte = index < bytes.count ? bytes[index] : 0
            let part = (byte << UInt8(inByte)) >> UInt8(8 - taken)
            value = value << UInt64(taken) | UInt64(part)
            position += taken
            missing -= taken
        }
        return value
    }

    /// The same as a signed number in two's complement.
    public static func signedNumber(_ bytes: ByteSlice, at offset: Int, width: Int) -> Int64 {
        let unused = UInt64(64 - width)
        return Int64(bitPattern: number(bytes, at: offset, width: width) << unused) >> Int64(unused)
    }

    /// What BITOP does with two rows of bits.
    public enum Operation: Sendable {
        case and
        case or
        case xor
    }
}

extension StringEditor {
    /// Puts the low `width` bits of `value` at bit `offset`; they must lie inside the string.
    public mutating func setNumber(_ value: UInt64, at offset: Int, width: Int) {
        var missing = width
        var position = offset
        while missing > 0 {
            let index = position >> 3
            let inByte = position & 7
            let taken = min(8 - inByte, missing)
            let part = UInt8(truncatingIfNeeded: value >> UInt64(missing - taken))
            let shift = UInt8(8 - inByte - taken)
            let mask = UInt8(truncatingIfNeeded: 0xFF >> (8 - taken)) << shift
            self[index] = (self[index] & ~mask) | ((part << shift) & mask)
            position += taken
            missing -= taken
        }
    }

    /// Combines the string with `other`, which counts as followed by zeros and is no longer than the string.
    public mutating func combine(_ operation: BitField.Operation, with other: ByteSlice) {
        switch operation {
        case .and:
            merge(other) { $0 & $1 }
            clear(from: other.count)
        case .or: merge(other) { $0 | $1 }
        case .xor: merge(other) { $0 ^ $1 }
        }
    }

    /// Turns every bit over.
    public mutating func invert() { merge(bytes) { ~($0 & $1) } }
}
