public import HoldfastPlatform

/// Words of random commands: few keys, so that commands meet, and values from the edges.
public struct CommandGenerator {
    public var random: PRNG

    public init(seed: UInt64) { random = PRNG(seed: seed) }

    public mutating func pick<T>(_ choices: [T]) -> T { choices[random.below(choices.count)] }

    public mutating func key() -> [UInt8] {
        random.oneIn(10) ? numericKey() : Array("key\(random.below(6))".utf8)
    }

    /// A key that mostly holds a number.
    public mutating func numericKey() -> [UInt8] {
        random.oneIn(6) ? Array("key0".utf8) : Array("num\(random.below(3))".utf8)
    }

    /// A number as text; mostly harmless, sometimes at a border, sometimes no number at all.
    public mutating func number() -> [UInt8] {
        let text: String =
            switch random.below(12) {
            case 0: pick(["9223372036854775807", "-9223372036854775808", "9223372036854775806"])
            case 1: pick(["9223372036854775808", "-9223372036854775809", "99999999999999999999"])
            case 2: pick(["", " 1", "1 ", "+1", "01", "-0", "0x10", "1.0", "abc", "-", "1e3"])
            case 3: pick(["4294967295", "4294967296", "2147483648", "-2147483649"])
            case 4, 5: String(random.within(-3...3))
            default: String(random.within(-200...200))
            }
        return Array(text.utf8)
    }

    /// A position in a string; large ones are refused rather than made.
    public mutating func offset() -> [UInt8] {
        let text: String =
            switch random.below(14) {
            case 0: pick(["-1", "-100", "-9223372036854775808"])
            case 1: pick(["9223372036854775807", "536870912", "4611686018427387904"])
            case 2: pick(["x", "", "1.5", "+2", "9223372036854775808"])
            case 3: String(random.below(3000))
            default: String(random.below(70))
            }
        return Array(text.utf8)
    }

    /// One end of a range.
    public mutating func index() -> [UInt8] {
        random.oneIn(8) ? number() : Array(String(random.within(-80...80)).utf8)
    }

    public mutating func value() -> [UInt8] {
        switch random.below(12) {
        case 0: return []
        case 1: return number()
        case 2:
            return Array(pick(["3.5", "-0.1", "1e5", "inf", "nan", "1e-30", "0x1p4", " 1"]).utf8)
        case 3: return Array(repeating: UInt8(ascii: "a"), count: pick([43, 44, 45, 46]))
        case 4: return bytes(pick([63, 64, 65, 200, 1023, 1024, 1025, 3000]))
        case 5, 6: return Array(String(random.within(-1000...1000)).utf8)
        case 7: return Array(repeating: random.oneIn(2) ? 0 : 0xFF, count: random.below(40))
        case 8: return Array("ab\r\n$-1\0c".utf8)
        default: return bytes(random.below(30))
        }
    }

    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// A few letters only, so that two strings have something in common.
    public mutating func letters() -> [UInt8] {
        (0..<random.below(24)).map { _ in UInt8(ascii: "a") + UInt8(random.below(3)) }
    }

    public mutating func word(_ text: String) -> [UInt8] {
        Array((random.oneIn(6) ? text.uppercased() : text).utf8)
    }

    /// A time for an expiring option: far ahead, long past, or wrong.
    public mutating func time(_ unit: String) -> [UInt8] {
        if random.oneIn(8) {
            let wrong = [
                "0", "-1", "", "x", "1.5", " 9", "9223372036854775807", "-9223372036854775808",
                "9223372036854775", "9223372036854776", "9223372036854775808",
            ]
            return Array(pick(wrong).utf8)
        }
        let isPast = random.oneIn(6)
        let text: String =
            switch unit.lowercased() {
            case "ex": "100000"
            case "px": "100000000"
            case "exat": isPast ? "1000" : "33177117420"
            case "pxat": isPast ? "1000" : "33177117420000"
            default: "1"
            }
        return Array(text.utf8)
    }
}
