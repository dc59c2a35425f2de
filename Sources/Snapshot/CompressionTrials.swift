/// Which strings are worth an attempt to compress them: where many of a size in a row got no shorter, most that follow are
/// written as they are.
///
/// An attempt costs several times what copying does, and strings that are random, encrypted or compressed
/// already get no shorter one by one. Sizes are told apart by powers of two, so that many short ones say nothing of a long one.
struct CompressionTrials {
    /// So many failures in a row are needed.
    private static let patience: UInt8 = 64
    /// Then one of so many is tried, so that a change is noticed.
    private static let interval: UInt8 = 16

    private var failures = InlineArray<64, UInt8>(repeating: 0)
    private var waiting = InlineArray<64, UInt8>(repeating: 0)

    private static func kind(_ count: Int) -> Int { 63 - (count | 1).leadingZeroBitCount }

    /// Whether to try a string of `count` bytes.
    mutating func isDue(_ count: Int) -> Bool {
        let kind = Self.kind(count)
        guard failures[kind] >= Self.patience else { return true }
        waiting[kind] += 1
        guard waiting[kind] >= Self.interval else { return false }
        waiting[kind] = 0
        return true
    }

    /// Takes in how an attempt ended.
    mutating func note(_ count: Int, gotShorter: Bool) {
        let kind = Self.kind(count)
        failures[kind] = gotShorter ? 0 : min(failures[kind] + 1, Self.patience)
    }
}
