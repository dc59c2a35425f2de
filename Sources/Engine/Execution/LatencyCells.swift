/// How often a command took how long: counts in cells of ticks, exact below 32, within 1/16 above.
///
/// Memory comes with the first count, and lives until the owner calls `free`.
@safe
struct LatencyCells {
    private static let linearBits = 4
    /// Longer is counted as this long: two hours even with the fastest counter.
    private static let ticksMax: UInt64 = 1 << 45 - 1
    private static let count = (46 - linearBits) << linearBits

    private var cells: UnsafeMutablePointer<UInt64>?

    init() { unsafe cells = nil }

    @inline(__always)
    private static func cell(_ ticks: UInt64) -> Int {
        let ticks = min(ticks, ticksMax)
        if ticks < 1 << (linearBits + 1) { return Int(truncatingIfNeeded: ticks) }
        let shift = 63 &- ticks.leadingZeroBitCount &- linearBits
        return (shift << linearBits) &+ Int(truncatingIfNeeded: ticks >> UInt64(shift))
    }

    /// The largest number of ticks that falls into `cell`.
    private static func upperEnd(_ cell: Int) -> UInt64 {
        if cell < 1 << (linearBits + 1) { return UInt64(cell) }
        let shift = (cell >> linearBits) - 1
        let lead = UInt64(cell - (shift << linearBits))
        return ((lead + 1) << UInt64(shift)) - 1
    }

    // SAFETY of the pointer below: made with `count` cells, and `cell` gives no index beyond them.

    @inline(__always)
    mutating func add(_ ticks: UInt64) {
        if _slowPath(unsafe cells == nil) { make() }
        unsafe cells.unsafelyUnwrapped[Self.cell(ticks)] &+= 1
    }

    @inline(never)
    private mutating func make() {
        let made = UnsafeMutablePointer<UInt64>.allocate(capacity: Self.count)
        unsafe made.initialize(repeating: 0, count: Self.count)
        unsafe cells = made
    }

    mutating func free() {
        unsafe cells?.deallocate()
        unsafe cells = nil
    }

    /// The cells that counted something, shortest first, each by its longest time.
    var steps: [(ticks: UInt64, count: UInt64)] {
        guard let cells = unsafe cells else { return [] }
        return (0..<Self.count).compactMap { cell in
            let count = unsafe cells[cell]
            return count == 0 ? nil : (Self.upperEnd(cell), count)
        }
    }
}
