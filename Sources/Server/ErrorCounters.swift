internal import HoldfastBytes

/// Error replies by their code word, for INFO errorstats.
struct ErrorCounters {
    /// A client can't make codes up, but scripts will be able to: bounded as in Redis.
    private static let codesMax = 128
    private(set) var counts: [String: UInt64] = [:]

    mutating func note(_ code: String) {
        if let count = counts[code] {
            counts[code] = count + 1
        } else if counts.count < Self.codesMax {
            counts[code] = 1
        }
    }

    mutating func reset() { counts = [:] }
}
