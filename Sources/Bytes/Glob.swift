/// Glob patterns as Redis matches them: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, `\x`.
///
/// Every element but `*` takes exactly one byte, so on a mismatch only the latest `*` needs to take one
/// byte more: no recursion, and at most pattern length times text length steps.
///
/// Oddities kept from the peer: an empty text matches the empty pattern only (not `*`); a bracket that is
/// never closed ends with the pattern; range bounds are compared as signed bytes and swap when reversed;
/// an escaped byte in a bracket is compared exactly even when case is ignored.
public enum Glob {
    /// Whether `pattern` has an element that can match more than one text; an escape alone doesn't count.
    public static func isPattern(_ pattern: ByteSlice) -> Bool {
        for index in 0..<pattern.count {
            switch pattern[index] {
            case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["): return true
            default: continue
            }
        }
        return false
    }

    /// Whether `pattern` matches the whole of `text`.
    public static func matches(
        _ pattern: ByteSlice, _ text: ByteSlice, ignoringCase: Bool = false
    ) -> Bool {
        if text.isEmpty { return pattern.isEmpty }
        var at = 0
        var position = 0
        // Where to go on when the elements after the latest `*` didn't match: its element, and the
        // first byte it has not taken yet.
        var afterStar: Int?
        var untaken = 0
        while position < text.count {
            if at < pattern.count {
                if pattern[at] == UInt8(ascii: "*") {
                    at += 1
                    if at == pattern.count { return true }
                    afterStar = at
                    untaken = position
                    continue
                }
                let element = match(pattern, at, text[position], ignoringCase)
                if element.isMatch {
                    at = element.next
                    position += 1
                    continue
                }
            }
            guard let restart = afterStar else { return false }
            untaken += 1
            position = untaken
            at = restart
        }
        while at < pattern.count && pattern[at] == UInt8(ascii: "*") { at += 1 }
        return at == pattern.count
    }

    /// Compares the one-byte element at `start` with `byte`; `next` is where the following one begins.
    private static func match(
        _ pattern: ByteSlice, _ start: Int, _ byte: UInt8, _ ignoringCase: Bool
    ) -> (isMatch: Bool, next: Int) {
        switch pattern[start] {
        case UInt8(ascii: "?"):
            return (true, start + 1)
        case UInt8(ascii: "["):
            return matchBracket(pattern, start + 1, byte, ignoringCase)
        case UInt8(ascii: "\\") where start + 1 < pattern.count:
            return (isEqual(pattern[start + 1], byte, ignoringCase), start + 2)
        default:
            return (isEqual(pattern[start], byte, ignoringCase), start + 1)
        }
    }

    private static func matchBracket(
        _ pattern: ByteSlice, _ start: Int, _ byte: UInt8, _ ignoringCase: Bool
    ) -> (isMatch: Bool, next: Int) {
        var at = start
        let isNegated = at < pattern.count && pattern[at] == UInt8(ascii: "^")
        if isNegated { at += 1 }
        var isListed = false
        while at < pattern.count && pattern[at] != UInt8(ascii: "]") {
            let left = pattern.count - at
            if left >= 2 && pattern[at] == UInt8(ascii: "\\") {
                if pattern[at + 1] == byte { isListed = true }
                at += 2
            } else if left >= 3 && pattern[at + 1] == UInt8(ascii: "-") {
                var low = Int8(bitPattern: pattern[at])
                var high = Int8(bitPattern: pattern[at + 2])
                if low > high { swap(&low, &high) }
                var value = Int8(bitPattern: byte)
                if ignoringCase {
                    low = lowercase(low)
                    high = lowercase(high)
                    value = lowercase(value)
                }
                if value >= low && value <= high { isListed = true }
                at += 3
            } else {
                if isEqual(pattern[at], byte, ignoringCase) { isListed = true }
                at += 1
            }
        }
        return (isListed != isNegated, min(at + 1, pattern.count))
    }

    private static func isEqual(_ left: UInt8, _ right: UInt8, _ ignoringCase: Bool) -> Bool {
        left == right || (ignoringCase && lowercase(left) == lowercase(right))
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    private static func lowercase(_ byte: Int8) -> Int8 {
        Int8(bitPattern: lowercase(UInt8(bitPattern: byte)))
    }
}
