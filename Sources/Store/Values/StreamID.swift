internal import Glibc
public import HoldfastBytes

/// What names an entry of a stream: the millisecond it was added in, and a number within it.
public struct StreamID: Comparable, Hashable, Sendable {
    public var milliseconds: UInt64
    public var sequence: UInt64

    @inlinable
    public init(_ milliseconds: UInt64, _ sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// Before every entry.
    public static let zero = StreamID(0, 0)
    public static let max = StreamID(.max, .max)

    @inlinable
    public static func < (left: StreamID, right: StreamID) -> Bool {
        left.milliseconds < right.milliseconds
            || (left.milliseconds == right.milliseconds && left.sequence < right.sequence)
    }

    @inlinable public var isZero: Bool { milliseconds == 0 && sequence == 0 }

    /// The ID directly after this one; nil after the last there is.
    public var next: StreamID? {
        if sequence < .max { return StreamID(milliseconds, sequence + 1) }
        return milliseconds < .max ? StreamID(milliseconds + 1, 0) : nil
    }

    /// The ID directly before this one; nil before the first.
    public var previous: StreamID? {
        if sequence > 0 { return StreamID(milliseconds, sequence - 1) }
        return milliseconds > 0 ? StreamID(milliseconds - 1, .max) : nil
    }

    // MARK: Text

    /// What a text may mean besides an ID.
    public enum Form: Sendable {
        /// `ms-seq`, or `ms` alone.
        case plain
        /// Also `-` and `+`, the first and last IDs.
        case orEdges
    }

    /// The ID that `text` spells; nil if it spells none.
    ///
    /// Reads what Redis reads, which is more than it writes: blanks and a plus in front of a number, and zeros.
    /// - Parameter missing: the sequence number if the text has none.
    public init?(_ text: ByteSlice, missing: UInt64 = 0, form: Form = .plain) {
        guard let parts = Self.split(text, form) else { return nil }
        switch parts {
        case .edge(let id): self = id
        case .numbers(let first, let second):
            guard let milliseconds = Self.number(first) else { return nil }
            var sequence = missing
            if let second {
                guard let number = Self.number(second) else { return nil }
                sequence = number
            }
            self.init(milliseconds, sequence)
        }
    }

    /// The milliseconds of a text `ms-*`, which leaves the sequence number to the server; nil for other texts.
    public static func milliseconds(withAnySequence text: ByteSlice) -> UInt64? {
        guard case .numbers(let first, let second?) = split(text, .plain), second.count == 1,
            second[0] == UInt8(ascii: "*")
        else { return nil }
        return number(first)
    }

    private enum Parts {
        case edge(StreamID)
        case numbers(ByteSlice, ByteSlice?)
    }

    private static func split(_ text: ByteSlice, _ form: Form) -> Parts? {
        guard text.count <= 127 else { return nil }
        // A zero byte ends the text.
        var count = 0
        var dash: Int?
        while count < text.count, text[count] != 0 {
            if dash == nil, text[count] == UInt8(ascii: "-") { dash = count }
            count += 1
        }
        let text = text.prefix(count)
        if count == 1, text[0] == UInt8(ascii: "-") || text[0] == UInt8(ascii: "+") {
            guard case .orEdges = form else { return nil }
            return .edge(dash == 0 ? .zero : .max)
        }
        guard let dash else { return .numbers(text, nil) }
        return .numbers(text.prefix(dash), text.dropFirst(dash + 1))
    }

    /// A number without sign, as the C library reads it if it isn't canonical.
    private static func number(_ text: ByteSlice) -> UInt64? {
        if let number = DecimalText.parse(text) { return UInt64(exactly: number) }
        var index = 0
        while index < text.count, text[index] == 32 || (9...13).contains(text[index]) { index += 1 }
        var isNegative = false
        if index < text.count, text[index] == UInt8(ascii: "+") || text[index] == UInt8(ascii: "-")
        {
            isNegative = text[index] == UInt8(ascii: "-")
            index += 1
        }
        guard index < text.count else { return nil }
        var number: UInt64 = 0
        while index < text.count {
            let digit = text[index] &- 48
            guard digit <= 9 else { return nil }
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(digit))
            guard !overflowed, !carried else { return nil }
            number = sum
            index += 1
        }
        return isNegative ? 0 &- number : number
    }

    /// Runs `body` with the ID's text, `ms-seq`.
    @inline(__always)
    public func withText<R, E: Error>(
        separator: UInt8 = UInt8(ascii: "-"), _ body: (ByteSlice) throws(E) -> R
    ) throws(E) -> R {
        var text = InlineArray<41, UInt8>(repeating: 0)
        var start = Self.write(sequence, into: &text, before: 41)
        start -= 1
        text[start] = separator
        start = Self.write(milliseconds, into: &text, before: start)
        let span = text.span
        // SAFETY: `text` stays in place while its span is in use, and `start` lies inside.
        return try unsafe span.withUnsafeBytes { (raw) throws(E) -> R in
            guard let base = raw.baseAddress else { return try body(ByteSlice()) }
            return try body(unsafe ByteSlice(base: base + start, count: 41 - start))
        }
    }

    /// Writes digits that end before `end` and returns where they begin.
    @inline(__always)
    private static func write(
        _ number: UInt64, into text: inout InlineArray<41, UInt8>, before end: Int
    ) -> Int {
        var left = number
        var index = end
        repeat {
            index &-= 1
            let (quotient, digit) = left.quotientAndRemainder(dividingBy: 10)
            text[index] = UInt8(truncatingIfNeeded: digit) &+ 48
            left = quotient
        } while left > 0
        return index
    }
}

extension StreamID: CustomStringConvertible {
    public var description: String { "\(milliseconds)-\(sequence)" }
}
