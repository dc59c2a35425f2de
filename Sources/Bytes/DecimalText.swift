/// Whole numbers as Redis reads and prints them: an optional minus, no plus sign, no leading zeros, no
/// blanks, and exactly the range of Int64.
public enum DecimalText {
    /// The number that `bytes` spells, or nil.
    @inlinable
    public static func parse(_ bytes: ByteSlice) -> Int64? {
        let count = bytes.count
        if count == 0 || count > 20 { return nil }
        var index = 0
        let isNegative = bytes[0] == 45
        if isNegative {
            index = 1
            if count == 1 { return nil }
        }
        let first = bytes[index] &- 48
        if first == 0 { return count == 1 ? 0 : nil }
        if first > 9 { return nil }
        var magnitude = UInt64(first)
        index += 1
        while index < count {
            let digit = bytes[index] &- 48
            if digit > 9 { return nil }
            let (product, overflowed) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(digit))
            if overflowed || carried { return nil }
            magnitude = sum
            index += 1
        }
        if isNegative {
            return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
        }
        return magnitude < 1 << 63 ? Int64(magnitude) : nil
    }

    /// How many bytes `append` will write.
    @inlinable
    public static func length(_ value: Int64) -> Int {
        var magnitude = value.magnitude
        var digits = 1
        while magnitude >= 10 {
            magnitude /= 10
            digits += 1
        }
        return value < 0 ? digits + 1 : digits
    }

    /// Writes `value` at the start of `digits` and returns how many bytes it takes.
    @inlinable
    public static func write(_ value: Int64, into digits: inout InlineArray<20, UInt8>) -> Int {
        let size = length(value)
        var magnitude = value.magnitude
        var index = size
        repeat {
            index -= 1
            let (quotient, digit) = magnitude.quotientAndRemainder(dividingBy: 10)
            digits[index] = UInt8(truncatingIfNeeded: digit) &+ 48
            magnitude = quotient
        } while magnitude > 0
        if value < 0 { digits[0] = 45 }
        return size
    }
}

extension ByteBuffer {
    /// Appends `value` in decimal.
    @inlinable
    public mutating func append(decimal value: Int64) {
        if value >= 0 && value < 10 {
            append(UInt8(truncatingIfNeeded: value) &+ 48)
            return
        }
        let size = DecimalText.length(value)
        unsafe appendInPlace(size) { target in
            var magnitude = value.magnitude
            var index = size
            // SAFETY: `size` counts exactly the digits and the sign.
            repeat {
                index -= 1
                let (quotient, digit) = magnitude.quotientAndRemainder(dividingBy: 10)
                unsafe target[index] = UInt8(truncatingIfNeeded: digit) &+ 48
                magnitude = quotient
            } while magnitude > 0
            if value < 0 { unsafe target[0] = 45 }
            return size
        }
    }

    /// Appends `value` in decimal.
    public mutating func append(unsigned value: UInt64) {
        if let signed = Int64(exactly: value) { return append(decimal: signed) }
        let (quotient, digit) = value.quotientAndRemainder(dividingBy: 10)
        append(decimal: Int64(quotient))
        append(UInt8(truncatingIfNeeded: digit) &+ 48)
    }
}
