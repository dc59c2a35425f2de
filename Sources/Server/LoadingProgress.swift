/// How far the loading of the data set is, for INFO's `loading_…` fields and for lines on the way.
struct LoadingProgress {
    /// Unix seconds; 0 when nothing was loaded.
    private(set) var startedAt: Int64 = 0
    private(set) var totalBytes: Int64 = 0
    private(set) var loadedBytes: Int64 = 0
    private var startedNanoseconds: UInt64 = 0
    private var lastPercent: Int64 = 0
    private var lastNanoseconds: UInt64 = 0

    init() {}

    mutating func begin(unixSeconds: Int64, nanoseconds: UInt64) {
        startedAt = unixSeconds
        startedNanoseconds = nanoseconds
        lastNanoseconds = nanoseconds
    }

    /// Takes a new position.
    ///
    /// - Returns: whether it is time for a line: ten per cent or ten seconds further.
    mutating func advance(loaded: Int64, total: Int64, nanoseconds: UInt64) -> Bool {
        loadedBytes = loaded
        totalBytes = total
        let isFarther = percent >= lastPercent + 10
        guard isFarther || nanoseconds &- lastNanoseconds >= 10_000_000_000 else { return false }
        lastPercent = percent / 10 * 10
        lastNanoseconds = nanoseconds
        return true
    }

    var percent: Int64 { totalBytes > 0 ? min(loadedBytes * 100 / totalBytes, 100) : 0 }

    /// Seconds left at the rate so far.
    func secondsLeft(nanoseconds: UInt64) -> Int64 {
        guard loadedBytes > 0 else { return -1 }
        let passed = Double(nanoseconds &- startedNanoseconds) / 1e9
        return Int64(passed * Double(max(totalBytes - loadedBytes, 0)) / Double(loadedBytes))
    }

    func secondsPassed(nanoseconds: UInt64) -> Double {
        Double(nanoseconds &- startedNanoseconds) / 1e9
    }
}
