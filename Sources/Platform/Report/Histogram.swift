/// Counts of a quantity (microseconds, bytes) in log-linear cells: exact below 32, within 1/16 above.
///
/// About 8 KiB, recording is a handful of instructions. Not for use by two threads at once.
public struct Histogram: Sendable {
    private static let linearBits = 4
    private static let cells = (65 - linearBits) << linearBits

    private var counts: [UInt64]
    public private(set) var count: UInt64 = 0
    public private(set) var maximum: UInt64 = 0
    public private(set) var sum: UInt64 = 0

    public init() { counts = Array(repeating: 0, count: Self.cells) }

    private static func cell(_ value: UInt64) -> Int {
        if value < 1 << (linearBits + 1) { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - linearBits
        return (shift << linearBits) + Int(value >> UInt64(shift))
    }

    /// The largest value that falls into `cell`.
    private static func upperEnd(_ cell: Int) -> UInt64 {
        if cell < 1 << (linearBits + 1) { return UInt64(cell) }
        let shift = (cell >> linearBits) - 1
        let lead = UInt64(cell - (shift << linearBits))
        return ((lead + 1) << UInt64(shift)) &- 1
    }

    public mutating func record(_ value: UInt64) {
        counts[Self.cell(value)] += 1
        count += 1
        sum = sum.addingReportingOverflow(value).partialValue
        if value > maximum { maximum = value }
    }

    /// A value that `share` (0...1) of the recorded ones don't exceed; 0 when nothing was recorded.
    public func percentile(_ share: Double) -> UInt64 {
        if count == 0 { return 0 }
        let bounded = share < 0 ? 0 : share > 1 ? 1 : share
        let wanted = max(1, UInt64((Double(count) * bounded).rounded(.up)))
        var seen: UInt64 = 0
        for (index, cellCount) in counts.enumerated() {
            seen += cellCount
            if seen >= wanted { return min(Self.upperEnd(index), maximum) }
        }
        return maximum
    }

    public mutating func reset() { self = Histogram() }
}
