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
            let ticks = hf_ticks()
            // A counter that stood still or went back (a machine that was moved) measures nothing.
            guard ticks > startTicks else { return }
            ticksPerMicrosecond = Double(ticks - startTicks) * 1_000 / Double(nanoseconds)
        }

        /// Microseconds that `ticks` took, rounded down; `UInt64.max` if they are more.
        public func microseconds(_ ticks: UInt64) -> UInt64 {
            UInt64(exactly: (Double(ticks) / ticksPerMicrosecond).rounded(.down)) ?? .max
        }

        /// Ticks in `microseconds`, rounded; `UInt64.max` if they are more.
        public func ticks(_ microseconds: UInt64) -> UInt64 {
            UInt64(exactly: (Double(microseconds) * ticksPerMicrosecond).rounded()) ?? .max
        }
    }
}
