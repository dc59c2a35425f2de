internal import Foundation

/// A result as a table of texts; the first column is to the left.
struct Table {
    let title: String
    /// How it was measured, in a sentence or two.
    let how: String
    let header: [String]
    var rows: [[String]] = []

    init(_ title: String, how: String, header: [String]) {
        self.title = title
        self.how = how
        self.header = header
    }

    var text: String {
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        let lines = ([header] + rows).map { row in
            row.indices.map { column in
                let pad = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + pad : pad + row[column]
            }.joined(separator: "  ")
        }
        return (["", "== \(title)", how] + lines).joined(separator: "\n")
    }

    var markdown: String {
        let rule = header.indices.map { $0 == 0 ? "---" : "---:" }
        let lines = ([header, rule] + rows).map { "| " + $0.joined(separator: " | ") + " |" }
        return (["## \(title)", "", how, ""] + lines).joined(separator: "\n") + "\n"
    }
}

/// What a ratio shall come to.
enum Reach {
    case atLeast(Double)
    case atMost(Double)

    /// "met", or by what factor it is missed.
    func verdict(_ ratio: Double) -> String {
        if !ratio.isFinite { return "not measured" }
        switch self {
        case .atLeast(let bound):
            return ratio >= bound ? "≥ \(short(bound)) met" : missed(bound, by: bound / ratio)
        case .atMost(let bound):
            return ratio <= bound ? "≤ \(short(bound)) met" : missed(bound, by: ratio / bound)
        }
    }

    private func missed(_ bound: Double, by factor: Double) -> String {
        let sign = if case .atLeast = self { "≥" } else { "≤" }
        return "\(sign) \(short(bound)) MISSED by \(fixed(factor, 2))x"
    }

    private func short(_ bound: Double) -> String { String(format: "%g", bound) }
}

extension Reach? {
    func verdict(_ ratio: Double) -> String {
        switch self {
        case .none: ""
        case .some(let reach): reach.verdict(ratio)
        }
    }
}

extension Table {
    static let pairHeader = ["", "holdfast", "redis", "ratio", "reach"]

    /// A row below `pairHeader`. Without `decimals`, with commas between thousands.
    mutating func add(
        _ label: String, _ values: Pair<Double>, decimals: Int? = nil, _ reach: Reach? = nil
    ) {
        let cell = { (value: Double) in decimals.map { fixed(value, $0) } ?? grouped(value) }
        rows.append([
            label, cell(values.ours), cell(values.stock), fixed(values.ratio, 2),
            reach.verdict(values.ratio),
        ])
    }
}

func fixed(_ number: Double, _ decimals: Int) -> String {
    number.isFinite ? String(format: "%.\(decimals)f", number) : "–"
}

/// With a comma between thousands.
func grouped(_ number: Double) -> String {
    if !number.isFinite { return "–" }
    var digits = String(Int(number.rounded()))
    var place = digits.count - 3
    while place > 0 {
        digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
        place -= 3
    }
    return digits
}

/// When and where the tables of one run were made.
struct RunDescription {
    let lines: [String]

    init(_ options: Options) {
        let file = { try? String(contentsOfFile: $0, encoding: .utf8) }
        let model =
            file("/proc/cpuinfo")?.split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":").last
            .map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        let kernel = file("/proc/sys/kernel/osrelease")?.trimmingCharacters(in: .newlines)
        let memory = Double(ProcessInfo.processInfo.physicalMemory) / Double(1 << 30)
        let date = ISO8601DateFormatter.string(
            from: Date(), timeZone: .gmt, formatOptions: [.withFullDate])
        let command = (["Tools/dev/bench"] + CommandLine.arguments.dropFirst())
            .joined(separator: " ")
        lines = [
            "Date: \(date)",
            "Machine: \(ProcessInfo.processInfo.activeProcessorCount) cores, \(model), "
                + "\(fixed(memory, 0)) GiB, Linux \(kernel ?? "unknown")",
            "Servers: \(Self.version(options.server)); \(Self.version(options.stock))",
            "Command: `\(command)` (\(options.rounds) rounds, servers in turns; medians)",
        ]
    }

    private static func version(_ program: String) -> String {
        guard let folder = try? Leftovers.shared.makeFolder() else { return program }
        defer { Leftovers.shared.removeFolder(folder) }
        let child = try? ChildProcess([program, "--version"], outputPath: folder + "/output")
        guard let child, child.waitForEnd(seconds: 10) else { return program }
        // "Redis server v=7.0.15 sha=…": the words behind tell builds apart, not readers.
        return child.output.split(separator: " ").prefix(3).joined(separator: " ")
    }

    static let note = """
        Only ratios within one run mean something: both servers take turns on one machine, with the \
        load generator on the same cores. Absolute figures depend on the machine and on what else it did.
        """

    func markdown(_ tables: [Table]) -> String {
        let head = ["# Benchmarks", "", Self.note, ""] + lines.map { "- \($0)" } + [""]
        return head.joined(separator: "\n") + "\n"
            + tables.map(\.markdown).joined(separator: "\n")
    }
}
