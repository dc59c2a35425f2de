internal import CLinux

/// The cheapest clock there is, for timing single commands: the processor's counter where there is one.
public enum Ticks {
    @inline(__always)
    public static func now() -> UInt64 { hf_ticks() }

    /// How many ticks make a microsecond, measured against the monotonic clock since an earlier moment.
    public struct Scale: Sendable {
        private let startTicks: UInt64
        private let startNanoseconds: UInt64
        public private(set) var ticksPerMicrosecond: Double

        public init(_ clock: some Clock) {
            startTicks = hf_ticks()
            startNanoseconds = clock.monotonicNanoseconds
            // A guess until the first `calibrate`; off by a factor for a tenth of a second at most.
            ticksPerMicrosecond = hf_ticks_are_tsc() != 0 ? 2_500 : 1_000
        }

        /// Takes the time since the start as the new measure; call it now and then.
        public mutating func calibrate(_ clock: some Clock) {
            let nanoseconds = clock.monotonicNanoseconds &- startNanoseconds
            guard nanoseconds > 10_000_000 else { return }
            ticksPerMicrosecond = Double(hf_ticks() &- startTicks) * 1_000 / Double(nanoseconds)
        }

        public func microseconds(_ ticks: UInt64) -> UInt64 {
            UInt64(Double(ticks) / ticksPerMicrosecond)
        }
    }
}
