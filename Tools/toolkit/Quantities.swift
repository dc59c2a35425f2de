internal import HoldfastBytes

/// Sizes, durations and counts, as people write and read them.
public enum Quantities {
    /// `64mb`, `1.5GiB`, `10k`, `300`: in bytes. `k`, `m` and `g` are powers of 1000, `kb`, `KiB` and so on of
    /// 1024, as in redis.conf.
    public static func size(_ text: String) -> Int64? {
        let units: [String: Double] = [
            "": 1, "b": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "kb": 1024, "kib": 1024,
            "mb": 1_048_576, "mib": 1_048_576, "gb": 1_073_741_824, "gib": 1_073_741_824,
            "tb": 1_099_511_627_776, "tib": 1_099_511_627_776,
        ]
        return scaled(text, units)
    }

    /// `90s`, `1h30m`, `7d`, `250ms`, or plain seconds: in milliseconds.
    public static func milliseconds(_ text: String) -> Int64? {
        let units: [String: Double] = [
            "": 1000, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000,
            "d": 86_400_000, "w": 604_800_000,
        ]
        var total: Int64 = 0
        var rest = Substring(text)
        if rest.isEmpty { return nil }
        while !rest.isEmpty {
            let number = rest.prefix { $0.isNumber || $0 == "." }
            let unit = rest.dropFirst(number.count).prefix { $0.isLetter }
            let length = number.count + unit.count
            // Only a number that stands alone may do without a unit.
            if unit.isEmpty && length != text.count { return nil }
            guard length > 0, let part = scaled(String(rest.prefix(length)), units) else {
                return nil
            }
            let (sum, overflowed) = total.addingReportingOverflow(part)
            if overflowed { return nil }
            total = sum
            rest = rest.dropFirst(length)
        }
        return total
    }

    private static func scaled(_ text: String, _ units: [String: Double]) -> Int64? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        let unit = text.dropFirst(digits.count).lowercased()
        guard !digits.isEmpty, let factor = units[unit] else { return nil }
        if let whole = Int64(digits), factor < 1e15 {
            let (product, overflowed) = whole.multipliedReportingOverflow(by: Int64(factor))
            return overflowed ? nil : product
        }
        guard let number = Double(digits), number * factor < 9e18 else { return nil }
        return Int64(number * factor)
    }

    /// `LOW..HIGH`, either of which may be missing, or one value, which is both.
    public static func range(_ text: String, _ parse: (String) -> Int64?) -> ClosedRange<Int64>? {
        guard let dots = text.range(of: "..") else {
            return parse(text).map { $0...$0 }
        }
        let low = text[..<dots.lowerBound]
        let high = text[dots.upperBound...]
        guard let from = low.isEmpty ? 0 : parse(String(low)),
            let to = high.isEmpty ? Int64.max : parse(String(high)), from <= to
        else { return nil }
        return from...to
    }

    // MARK: - Printing

    /// `1.5 MiB`; below 1 KiB in bytes.
    public static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        if count.magnitude < 1024 { return "\(count) B" }
        var value = Double(count)
        var unit = 0
        while abs(value) >= 1023.95 && unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(decimal(value, digits: 1)) \(units[unit])"
    }

    /// `12,345,678`.
    public static func count(_ number: Int64) -> String {
        var digits = Array(String(number.magnitude).utf8)
        var index = digits.count - 3
        while index > 0 {
            digits.insert(UInt8(ascii: ","), at: index)
            index -= 3
        }
        return (number < 0 ? "-" : "") + String(decoding: digits, as: UTF8.self)
    }

    public static func count(_ number: UInt64) -> String { count(Int64(clamping: number)) }
    public static func count(_ number: Int) -> String { count(Int64(number)) }

    /// `250 ms`, `1.5 s`, `2m 05s`, `3h 10m`, `4d 02h`.
    public static func duration(milliseconds: Int64) -> String {
        if milliseconds < 0 { return "-" + duration(milliseconds: -max(milliseconds, -.max)) }
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        let seconds = milliseconds / 1000
        if seconds < 60 { return "\(decimal(Double(milliseconds) / 1000, digits: 1)) s" }
        func pair(_ high: Int64, _ highUnit: String, _ low: Int64, _ lowUnit: String) -> String {
            "\(high)\(highUnit) \(low < 10 ? "0" : "")\(low)\(lowUnit)"
        }
        if seconds < 3600 { return pair(seconds / 60, "m", seconds % 60, "s") }
        if seconds < 86_400 { return pair(seconds / 3600, "h", seconds % 3600 / 60, "m") }
        return pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h")
    }

    /// `number` with so many decimals, at most 6.
    public static func decimal(_ number: Double, digits: Int) -> String {
        guard number.isFinite, abs(number) < 1e12 else { return "\(number)" }
        var power: Int64 = 1
        for _ in 0..<min(digits, 6) { power *= 10 }
        let scaled = Int64((number * Double(power)).rounded())
        let sign = scaled < 0 ? "-" : ""
        let size = Int64(scaled.magnitude)
        if power == 1 { return "\(sign)\(size)" }
        return "\(sign)\(size / power).\(String(power + size % power).dropFirst())"
    }
}

extension String {
    fileprivate func range(of dots: String) -> Range<String.Index>? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(dots) {
                return index..<self.index(index, offsetBy: dots.count)
            }
            index = self.index(after: index)
        }
        return nil
    }
}
