/// Steps of times that double, as LATENCY HISTOGRAM shows them.
enum LatencyBuckets {
    /// - Parameter steps: microseconds and counts, shortest first.
    /// - Returns: each upper bound (1, 2, 4, 8, 16, 33, 66 … µs) that more calls stay below than below the
    ///   one before, with the number of calls up to there.
    static func cumulative(
        _ steps: [(microseconds: UInt64, count: UInt64)]
    ) -> [(microseconds: UInt64, count: UInt64)] {
        var buckets: [(microseconds: UInt64, count: UInt64)] = []
        var total: UInt64 = 0
        var next = steps.startIndex
        var nanoseconds: UInt64 = 1024
        while next < steps.endIndex {
            // Redis's histogram has two significant digits: the bounds show as the ends of its cells.
            let bound = (nanoseconds + nanoseconds / 128 - 1) / 1000
            let before = total
            while next < steps.endIndex, steps[next].microseconds <= bound || nanoseconds >= 1 << 40
            {
                total += steps[next].count
                next += 1
            }
            if total > before { buckets.append((bound, total)) }
            nanoseconds *= 2
        }
        return buckets
    }
}

/// The picture of LATENCY GRAPH: one column for each second that had a sample, the newest at the right.
enum LatencyGraph {
    private static let rowCount = 4
    private static let columnsMax = 80
    private static let marks: [Character] = ["_", "o", "#"]

    static func text(_ name: String, _ event: LatencyMonitor.Event, unixSeconds: Int64) -> String {
        let samples = event.samples.suffix(columnsMax)
        let times = samples.map(\.milliseconds)
        let high = times.max() ?? 0
        let low = times.min() ?? 0
        var text =
            "\(name) - high \(high) ms, low \(low) ms (all time high \(event.maximum) ms)\n"
            + String(repeating: "-", count: columnsMax) + "\n"
        let levels = Int64(rowCount * marks.count)
        for row in (0..<rowCount).reversed() {
            for time in times {
                let level = high == low ? levels - 1 : (time - low) * (levels - 1) / (high - low)
                let inRow = Int(level) - row * marks.count
                if inRow < 0 {
                    text += " "
                } else {
                    text += inRow < marks.count ? String(marks[inRow]) : "|"
                }
            }
            text += "\n"
        }
        // Ages stand upright below their columns.
        let ages = samples.map { Array(age(max(unixSeconds - $0.unixSeconds, 0))) }
        for line in 0..<(ages.map(\.count).max() ?? 0) {
            text += "\n"
            for age in ages { text += line < age.count ? String(age[line]) : " " }
        }
        return text + "\n"
    }

    private static func age(_ seconds: Int64) -> String {
        if seconds < 60 { return "\(seconds)s" }
        if seconds < 3600 { return "\(seconds / 60)m" }
        if seconds < 86400 { return "\(seconds / 3600)h" }
        return "\(seconds / 86400)d"
    }
}
