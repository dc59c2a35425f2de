/// Wall time that is safe to expire keys by: it never goes back, and a sudden jump ahead is held until an
/// operator says that it is right, lest a wrong clock delete everything that has a deadline.
public struct GuardedClock: Sendable {
    /// What a reading found out of the ordinary.
    public enum Report: Equatable, Sendable {
        /// The wall clock went back by so many ms; time stands still until it has caught up.
        case wentBack(Int64)
        /// The wall clock jumped ahead by so many ms more than time has passed; the jump is held.
        case heldJump(Int64)
    }

    /// The largest jump ahead that is taken as it is, in ms; 0 takes all (`clock-jump-limit`).
    public var jumpLimit: Int64
    public private(set) var milliseconds: Int64
    private var monotonic: UInt64
    /// What is held back from the wall clock.
    public private(set) var held: Int64 = 0
    private var isBehind = false

    public init(_ clock: some Clock, jumpLimit: Int64, notBefore: Int64 = 0) {
        self.jumpLimit = jumpLimit
        milliseconds = max(clock.wallMilliseconds, notBefore)
        monotonic = clock.monotonicNanoseconds
    }

    /// Reads the clock.
    ///
    /// - Parameter now: the monotonic clock, as read just before.
    /// - Returns: a report when the clock just began to misbehave.
    public mutating func read(_ clock: some Clock, nanoseconds now: UInt64) -> Report? {
        var wall = clock.wallMilliseconds - held
        let passed = Int64((now &- monotonic) / 1_000_000)
        monotonic = monotonic &+ UInt64(passed) &* 1_000_000
        if held > 0, wall < milliseconds {
            // The clock that had jumped was put right: what was held is no longer ahead.
            let returned = min(held, milliseconds + passed - wall)
            held -= returned
            wall += returned
        }
        if wall < milliseconds {
            let back = milliseconds - wall
            // A few ms are ordinary adjustment.
            guard !isBehind, back > 100 else { return nil }
            isBehind = true
            return .wentBack(back)
        }
        isBehind = false
        let ahead = wall - milliseconds - passed
        if jumpLimit > 0, ahead > jumpLimit {
            held += ahead
            milliseconds += passed
            return .heldJump(ahead)
        }
        milliseconds = wall
        return nil
    }

    /// Takes the wall clock as it is.
    public mutating func acceptJump() { held = 0 }
}
