internal import Glibc
internal import HoldfastPlatform

/// Says how far a long reading is: on a terminal one line that is redrawn at most ten times a second and is
/// gone at the end, else a plain line every ten seconds. On standard error.
public final class Progress {
    private let label: String
    private let totalBytes: Int64
    private let isShown: Bool
    private let isTerminal: Bool
    private let clock = SystemClock()
    private let start: UInt64
    private var next: UInt64
    private var hasDrawn = false

    private static let redrawNanoseconds: UInt64 = 100_000_000
    private static let lineNanoseconds: UInt64 = 10_000_000_000
    private static let barWidth: Int64 = 24

    /// - Parameter totalBytes: 0 if it isn't known.
    public init(_ label: String, totalBytes: Int64, isShown: Bool = true) {
        self.label = label
        self.totalBytes = totalBytes
        self.isShown = isShown
        isTerminal = StandardError.isTerminal
        start = clock.monotonicNanoseconds
        // What is done in a moment needs no bar.
        next = start + (isTerminal ? 3 * Self.redrawNanoseconds : Self.lineNanoseconds)
    }

    deinit { finish() }

    /// Call as often as there is something to say, about once a MiB.
    public func update(_ doneBytes: Int64) {
        guard isShown else { return }
        let now = clock.monotonicNanoseconds
        guard now >= next else { return }
        next = now + (isTerminal ? Self.redrawNanoseconds : Self.lineNanoseconds)
        let line = Self.line(
            label, done: doneBytes, total: totalBytes, nanoseconds: now - start,
            isTerminal: isTerminal, isUnicode: Self.isUnicode)
        StandardError.write(isTerminal ? "\r\(line)\u{1B}[K" : line + "\n")
        hasDrawn = true
    }

    /// Takes the line away.
    public func finish() {
        if hasDrawn && isTerminal { StandardError.write("\r\u{1B}[K") }
        hasDrawn = false
    }

    static func line(
        _ label: String, done: Int64, total: Int64, nanoseconds: UInt64, isTerminal: Bool,
        isUnicode: Bool
    ) -> String {
        let seconds = max(Double(nanoseconds) / 1e9, 1e-3)
        let rate = Double(done) / seconds
        let speed = "\(Quantities.bytes(Int64(rate)))/s"
        guard total > 0 else { return "\(label)  \(Quantities.bytes(done))  \(speed)" }
        let share = min(max(done, 0), total)
        let percent = Int64(Double(share) * 100 / Double(total))
        var text = label
        if isTerminal {
            let filled = Int(percent * barWidth / 100)
            let full = isUnicode ? "━" : "#"
            let empty = isUnicode ? "─" : "."
            text += "  " + String(repeating: full, count: filled)
            text += String(repeating: empty, count: Int(barWidth) - filled)
        }
        text += "  \(percent) %  \(Quantities.bytes(share)) of \(Quantities.bytes(total))  \(speed)"
        if rate > 0 {
            let left = Double(total - share) / rate * 1000
            text += "  \(Quantities.duration(milliseconds: Int64(min(left, 1e15)))) left"
        }
        return text
    }

    private static var isUnicode: Bool {
        for name in ["LC_ALL", "LC_CTYPE", "LANG"] {
            // SAFETY: getenv's text is copied before anything changes the environment.
            guard let value = unsafe getenv(name).map({ unsafe String(cString: $0) }),
                !value.isEmpty
            else { continue }
            let text = value.lowercased()
            return text.hasSuffix("utf-8") || text.hasSuffix("utf8")
        }
        return false
    }
}
