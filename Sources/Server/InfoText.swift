/// The text of INFO while it is written: sections with an empty line between, `name:value` lines.
struct InfoText {
    private(set) var text = ""

    mutating func section(_ title: String) {
        if !text.isEmpty { text += "\r\n" }
        text += "# \(title)\r\n"
    }

    mutating func field(_ name: String, _ value: String) { text += "\(name):\(value)\r\n" }
    mutating func field(_ name: String, _ value: some FixedWidthInteger) {
        text += "\(name):\(value)\r\n"
    }
    mutating func field(_ name: String, _ value: Bool) { text += "\(name):\(value ? 1 : 0)\r\n" }

    mutating func field(_ name: String, _ value: Double, decimals: Int) {
        field(name, FixedText.text(value, decimals))
    }

    /// Bytes, and in a second line the same for people.
    mutating func bytes(_ name: String, _ value: Int) {
        field(name, value)
        field("\(name)_human", HumanBytes.text(value))
    }
}

/// Numbers with a fixed count of decimals, as `%.2f` writes them.
enum FixedText {
    static func text(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "0" }
        var factor = 1
        for _ in 0..<decimals { factor *= 10 }
        let scaled = Int((abs(value) * Double(factor)).rounded(.toNearestOrEven))
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % factor)
        let zeros = String(repeating: "0", count: decimals - fraction.count)
        return "\(sign)\(scaled / factor).\(zeros)\(fraction)"
    }
}

/// Bytes with the unit that suits them: `895.13K`.
enum HumanBytes {
    static func text(_ bytes: Int) -> String {
        if bytes < 1024 { return "\(bytes)B" }
        var value = Double(bytes) / 1024
        for unit in ["K", "M", "G", "T"] {
            if value < 1024 { return FixedText.text(value, 2) + unit }
            value /= 1024
        }
        return FixedText.text(value, 2) + "P"
    }
}
