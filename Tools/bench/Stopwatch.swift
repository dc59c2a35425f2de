internal import HoldfastPlatform

/// Time since it was made.
struct Stopwatch {
    private let start = SystemClock().monotonicNanoseconds
    var nanoseconds: UInt64 { SystemClock().monotonicNanoseconds - start }
    var seconds: Double { Double(nanoseconds) / 1e9 }
}

extension Array where Element == Double {
    /// The middle one, or the mean of the two in the middle; NaN of nothing.
    var median: Double {
        if isEmpty { return .nan }
        let sorted = self.sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }

    /// The one that `share` of all lie below; NaN of nothing.
    func percentile(_ share: Double) -> Double {
        if isEmpty { return .nan }
        return sorted()[Swift.min(Int(Double(count) * share), count - 1)]
    }
}
