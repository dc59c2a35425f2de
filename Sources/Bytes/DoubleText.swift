internal import CLinux

/// Floating-point numbers as Redis reads and prints them.
///
/// Printing (7.2): whole numbers up to 2^62 as integers, all else with the fewest digits that read back
/// as the same double: `0.1`, `1e+20`, `1e-7`, `inf`, `-inf`, `nan`, `-0`.
///
/// Reading: the whole text, as C's strtod in the C locale takes it (decimal, exponent, hexadecimal,
/// `inf`, `infinity`, either sign), without leading or trailing blanks; not a NaN, nothing that overflows
/// and nothing that underflows to zero.
///
/// INCRBYFLOAT and HINCRBYFLOAT work in the platform's long double (80 bits on x86-64, where results
/// equal the peer's digit for digit) and print with 17 decimals, trailing zeros cut.
public enum DoubleText {
    /// The number that `bytes` spells, or nil.
    public static func parse(_ bytes: ByteSlice) -> Double? {
        var value = 0.0
        // SAFETY: the shim reads `count` bytes and writes one double.
        return unsafe hf_parse_double(bytes.pointer, bytes.count, &value) == 1 ? value : nil
    }

    /// How a number is printed.
    public static func text(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        if value == 0 { return value.sign == .minus ? "-0" : "0" }
        if value.magnitude <= 4_611_686_018_427_387_904, value == value.rounded(.towardZero) {
            return String(Int64(value))
        }
        let (digits, exponent) = shortestDigits(value.magnitude)
        return (value < 0 ? "-" : "") + laidOut(digits, exponent: exponent, isNegative: value < 0)
    }

    /// The significant digits and the power of ten of the last one.
    ///
    /// The standard library's description has the fewest digits that round trip, in one of two layouts
    /// (`123.45`, `1.2345e-07`); only the digits are taken from it.
    private static func shortestDigits(_ magnitude: Double) -> (digits: [UInt8], exponent: Int) {
        var digits: [UInt8] = []
        var exponent = 0
        var isFraction = false
        var written = Array(magnitude.description.utf8)[...]
        if let mark = written.firstIndex(of: UInt8(ascii: "e")) {
            exponent = Int(String(decoding: written[(mark + 1)...], as: UTF8.self)) ?? 0
            written = written[..<mark]
        }
        for byte in written {
            if byte == UInt8(ascii: ".") {
                isFraction = true
            } else {
                digits.append(byte)
                if isFraction { exponent -= 1 }
            }
        }
        while digits.count > 1 && digits.last == UInt8(ascii: "0") {
            digits.removeLast()
            exponent += 1
        }
        let leadingZeros = digits.prefix { $0 == UInt8(ascii: "0") }.count
        return (Array(digits.dropFirst(min(leadingZeros, digits.count - 1))), exponent)
    }

    /// The peer's choice between plain and scientific notation (its `fpconv_dtoa`).
    private static func laidOut(_ digits: [UInt8], exponent: Int, isNegative: Bool) -> String {
        let count = digits.count
        let scientific = exponent + count - 1
        var bytes: [UInt8] = []
        if exponent >= 0 && abs(scientific) < count + 7 {
            bytes = digits + [UInt8](repeating: UInt8(ascii: "0"), count: exponent)
        } else if exponent < 0 && (exponent > -7 || abs(scientific) < 4) {
            let whole = count + exponent
            if whole <= 0 {
                bytes = Array("0.".utf8)
                bytes += [UInt8](repeating: UInt8(ascii: "0"), count: -whole)
                bytes += digits
            } else {
                bytes = digits[..<whole] + [UInt8(ascii: ".")] + digits[whole...]
            }
        } else {
            bytes = [digits[0]]
            if count > 1 { bytes += [UInt8(ascii: ".")] + digits[1...] }
            bytes += Array("e\(scientific < 0 ? "-" : "+")\(abs(scientific))".utf8)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Long double

    /// Why a sum has no answer.
    public enum SumError: Error, Equatable, Sendable {
        /// The stored text isn't a number.
        case storedIsNotFloat
        /// The increment's text isn't a number.
        case incrementIsNotFloat
        /// The sum is infinite or not a number.
        case notFinite
    }

    /// `stored + increment` as INCRBYFLOAT prints it; a missing value counts as `0`.
    public static func sum(
        stored: ByteSlice, increment: ByteSlice
    ) throws(SumError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(HF_LONG_DOUBLE_ROOM))
        let room = result.count
        let length = unsafe result.withUnsafeMutableBytes { target in
            // SAFETY: the shim reads the two counted texts and writes at most `room` bytes.
            unsafe hf_add_long_double(
                stored.pointer, stored.count, increment.pointer, increment.count,
                target.baseAddress, room)
        }
        switch length {
        case -1: throw .storedIsNotFloat
        case -2: throw .incrementIsNotFloat
        case ..<0: throw .notFinite
        default:
            result.removeLast(result.count - length)
            return result
        }
    }

    /// Why a number of seconds is no time to wait.
    public enum MillisecondsError: Error, Sendable { case invalid, negative, tooLarge }

    /// A number of seconds, in long double, as whole milliseconds, rounded up; a negative number that rounds to 0
    /// is 0.
    public static func milliseconds(
        ofSeconds bytes: ByteSlice
    ) throws(MillisecondsError) -> Int64 {
        var value: Int64 = 0
        // SAFETY: the shim reads `count` bytes and writes one number.
        switch unsafe hf_parse_milliseconds(bytes.pointer, bytes.count, &value) {
        case 1: return value
        case 2: throw .negative
        case 3: throw .tooLarge
        default: throw .invalid
        }
    }

    /// What a text is in long double: HINCRBYFLOAT refuses an infinite increment before it looks at the
    /// hash, with an error of its own.
    public enum LongDoubleKind: Sendable { case invalid, finite, infinite }

    public static func longDoubleKind(_ bytes: ByteSlice) -> LongDoubleKind {
        // SAFETY: the shim reads `count` bytes.
        switch unsafe hf_long_double_kind(bytes.pointer, bytes.count) {
        case 1: .finite
        case 2: .infinite
        default: .invalid
        }
    }
}

extension DoubleText {
    /// As `parse`, but as leniently as Redis reads the ends of a range of scores: leading blanks, nothing at all,
    /// whatever follows a NUL, and numbers that overflow, which are infinite then.
    public static func parseBound(_ bytes: ByteSlice) -> Double? {
        var value = 0.0
        // SAFETY: the shim reads `count` bytes and writes one double.
        return unsafe hf_parse_bound(bytes.pointer, bytes.count, &value) == 1 ? value : nil
    }

    /// As `parseBound`, but nothing that overflows or underflows: what SORT sorts by.
    public static func parseWeight(_ bytes: ByteSlice) -> Double? {
        var value = 0.0
        // SAFETY: the shim reads `count` bytes and writes one double.
        return unsafe hf_parse_weight(bytes.pointer, bytes.count, &value) == 1 ? value : nil
    }
}

extension ByteBuffer {
    /// Appends a finite or infinite number in at most 17 significant digits, as C's `%.17g`.
    public mutating func append(double17 value: Double) {
        unsafe appendInPlace(32) { room in
            // SAFETY: the shim writes at most as many bytes as it is told.
            unsafe hf_format_17(value, room.baseAddress, room.count)
        }
    }

    /// Appends a number with 6 decimals, as C's `%f`.
    public mutating func append(decimals6 value: Double) {
        unsafe appendInPlace(Int(HF_DOUBLE_ROOM)) { room in
            // SAFETY: the shim writes at most as many bytes as it is told.
            unsafe hf_format_6(value, room.baseAddress, room.count)
        }
    }

    /// Appends a finite number with 17 decimals, trailing zeros cut, as Redis prints coordinates.
    public mutating func append(decimals17 value: Double) {
        unsafe appendInPlace(Int(HF_DOUBLE_ROOM)) { room in
            // SAFETY: the shim writes at most as many bytes as it is told.
            unsafe hf_format_decimals(value, room.baseAddress, room.count)
        }
    }

    /// Appends `value` as `DoubleText.text` prints it.
    public mutating func append(double value: Double) { append(text: DoubleText.text(value)) }
}
