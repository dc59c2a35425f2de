internal import Glibc

/// Where the time comes from. Both clocks can be read from any thread.
public protocol Clock: Sendable {
    /// Unix time in milliseconds; may jump either way.
    var wallMilliseconds: Int64 { get }
    /// Never goes back and knows no leap; the origin means nothing.
    var monotonicNanoseconds: UInt64 { get }
    /// Unix time in microseconds, as exactly as the clock knows it; for people to read.
    var wallMicroseconds: Int64 { get }
}

extension Clock {
    public var wallMicroseconds: Int64 { wallMilliseconds * 1_000 }
}

/// The machine's clocks.
public struct SystemClock: Clock {
    public init() {}

    public var wallMilliseconds: Int64 {
        var now = timespec()
        // SAFETY: the call fills the struct it is given; these two clocks always exist.
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }

    public var wallMicroseconds: Int64 {
        var now = timespec()
        // SAFETY: as above.
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1_000
    }

    public var monotonicNanoseconds: UInt64 {
        var now = timespec()
        // SAFETY: as above.
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
