public import HoldfastPlatform
internal import Synchronization

/// A clock that stands still until a test moves it. The wall clock can be made to jump either way.
public final class SimClock: Clock {
    private let wall: Atomic<Int64>
    private let monotonic: Atomic<UInt64>

    public init(wallMilliseconds: Int64 = 1_700_000_000_000, monotonicNanoseconds: UInt64 = 1) {
        wall = Atomic(wallMilliseconds)
        monotonic = Atomic(monotonicNanoseconds)
    }

    public var wallMilliseconds: Int64 { wall.load(ordering: .relaxed) }
    public var monotonicNanoseconds: UInt64 { monotonic.load(ordering: .relaxed) }

    /// Moves both clocks on.
    public func advance(milliseconds: Int) {
        wall.wrappingAdd(Int64(milliseconds), ordering: .relaxed)
        monotonic.wrappingAdd(UInt64(milliseconds) * 1_000_000, ordering: .relaxed)
    }

    /// Sets the wall clock alone, as an operator or NTP would.
    public func jumpWall(to milliseconds: Int64) { wall.store(milliseconds, ordering: .relaxed) }
}
