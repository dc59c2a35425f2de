/// Moments in Unix milliseconds, as people write and read them: always in UTC.
public enum Moments {
    /// `2026-11-21T16:13:10.123Z`.
    public static func text(_ milliseconds: Int64) -> String {
        let (days, rest) = floorDivide(milliseconds, 86_400_000)
        let (year, month, day) = civil(days)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let clock =
            "\(two(rest / 3_600_000)):\(two(rest / 60_000 % 60)):\(two(rest / 1000 % 60))"
        let thousandths = String(1000 + rest % 1000).dropFirst()
        let years = year >= 0 && year < 1000 ? String(String(10_000 + year).dropFirst()) : "\(year)"
        return "\(years)-\(two(month))-\(two(day))T\(clock).\(thousandths)Z"
    }

    /// The moment that `text` names:
    /// - `2026-11-21`, `2026-11-21T16:13`, `2026-11-21 16:13:10.5`, with `Z` or an offset as `+01:00`, else UTC;
    /// - Unix seconds, with decimals if wanted, or Unix milliseconds (twelve digits or more);
    /// - `-10m`, `-1h30m`: so long before `now`; `now`.
    public static func parse(_ text: String, now: Int64) -> Int64? {
        if text == "now" { return now }
        if text.hasPrefix("-") {
            guard let back = Quantities.milliseconds(String(text.dropFirst())), back <= now else {
                return nil
            }
            return now - back
        }
        if text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 == 0x2e }), !text.isEmpty {
            if let whole = Int64(text) {
                if whole >= 100_000_000_000 { return whole }
                return whole * 1000
            }
            guard let seconds = Double(text), seconds < 1e14 else { return nil }
            return Int64((seconds * 1000).rounded())
        }
        return calendar(Array(text.utf8))
    }

    private static func calendar(_ text: [UInt8]) -> Int64? {
        var cursor = Cursor(text: text)
        guard let year = cursor.number(digits: 4), cursor.skip("-"),
            let month = cursor.number(digits: 2), (1...12).contains(month), cursor.skip("-"),
            let day = cursor.number(digits: 2), day >= 1, day <= daysIn(month, of: year)
        else { return nil }
        var result = days(year, month, day) * 86_400_000
        if cursor.isAtEnd { return result }
        if cursor.skip("T") || cursor.skip("t") || cursor.skip(" ") {
            guard let hour = cursor.number(digits: 2), hour < 24, cursor.skip(":"),
                let minute = cursor.number(digits: 2), minute < 60
            else { return nil }
            result += hour * 3_600_000 + minute * 60_000
            if cursor.skip(":") {
                guard let second = cursor.number(digits: 2), second < 60 else { return nil }
                result += second * 1000
                if cursor.skip(".") {
                    guard let part = cursor.thousandths() else { return nil }
                    result += part
                }
            }
        }
        if cursor.isAtEnd || ((cursor.skip("Z") || cursor.skip("z")) && cursor.isAtEnd) {
            return result
        }
        let isAhead = cursor.skip("+")
        guard isAhead || cursor.skip("-"), let hours = cursor.number(digits: 2), hours < 24
        else { return nil }
        _ = cursor.skip(":")
        guard let minutes = cursor.number(digits: 2), minutes < 60, cursor.isAtEnd else {
            return nil
        }
        let shift = hours * 3_600_000 + minutes * 60_000
        return isAhead ? result - shift : result + shift
    }

    private struct Cursor {
        let text: [UInt8]
        var index = 0
        var isAtEnd: Bool { index == text.count }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard index < text.count, UInt32(text[index]) == character.value else { return false }
            index += 1
            return true
        }

        mutating func number(digits: Int) -> Int64? {
            guard text.count - index >= digits else { return nil }
            var value: Int64 = 0
            for byte in text[index..<index + digits] {
                guard byte >= 0x30, byte <= 0x39 else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            index += digits
            return value
        }

        /// Decimals of a second; those past the third are dropped.
        mutating func thousandths() -> Int64? {
            var value: Int64 = 0
            var count = 0
            while index < text.count, text[index] >= 0x30, text[index] <= 0x39 {
                if count < 3 { value = value * 10 + Int64(text[index] - 0x30) }
                count += 1
                index += 1
            }
            if count == 0 { return nil }
            for _ in min(count, 3)..<3 { value *= 10 }
            return value
        }
    }

    // MARK: - The calendar: years that begin in March make a leap day the last of its year.

    private static func floorDivide(_ value: Int64, _ by: Int64) -> (Int64, Int64) {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: by)
        return rest < 0 ? (quotient - 1, rest + by) : (quotient, rest)
    }

    private static func daysIn(_ month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }

    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, inEra) = floorDivide(shifted, 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + inEra * 365 + inEra / 4 - inEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, inEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (inEra - inEra / 1460 + inEra / 36_524 - inEra / 146_096) / 365
        let dayOfYear = inEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}
