/// What INFO commandstats and latencystats show, by row.
@safe
public struct CommandCounters: ~Copyable {
    public struct Counter: Sendable {
        public var calls: UInt64 = 0
        /// In the loop's ticks; the server turns them into µs.
        public var ticks: UInt64 = 0
        public var rejected: UInt64 = 0
        public var failed: UInt64 = 0

        public init() {}
    }

    private let counters: UnsafeMutablePointer<Counter>
    private let latencies: UnsafeMutablePointer<LatencyCells>
    public let count: Int
    /// `latency-tracking`: whether `ran` notes how long single calls took.
    public var tracksLatency = true

    init(count: Int) {
        self.count = count
        unsafe counters = .allocate(capacity: count)
        unsafe counters.initialize(repeating: Counter(), count: count)
        unsafe latencies = .allocate(capacity: count)
        unsafe latencies.initialize(repeating: LatencyCells(), count: count)
    }

    deinit {
        for row in 0..<count { unsafe latencies[row].free() }
        unsafe latencies.deallocate()
        unsafe counters.deallocate()
    }

    @inline(__always)
    public subscript(_ row: Int) -> Counter {
        get {
            precondition(row >= 0 && row < count)
            // SAFETY: in bounds by the check; all were initialised.
            return unsafe counters[row]
        }
        set {
            precondition(row >= 0 && row < count)
            unsafe counters[row] = newValue
        }
    }

    @inline(__always)
    public mutating func ran(_ row: Int, ticks: UInt64, failed: Bool) {
        precondition(row >= 0 && row < count)
        // SAFETY: as above.
        unsafe counters[row].calls &+= 1
        unsafe counters[row].ticks &+= ticks
        if failed { unsafe counters[row].failed &+= 1 }
        if tracksLatency { unsafe latencies[row].add(ticks) }
    }

    /// How long the calls of a command took that were tracked: steps of ticks, shortest first, with how many
    /// calls took no longer than that and longer than the step before.
    public func latencySteps(_ row: Int) -> [(ticks: UInt64, count: UInt64)] {
        precondition(row >= 0 && row < count)
        // SAFETY: as above.
        return unsafe latencies[row].steps
    }

    public mutating func rejected(_ row: Int) { unsafe counters[row].rejected &+= 1 }

    public mutating func reset() {
        unsafe counters.update(repeating: Counter(), count: count)
        for row in 0..<count { unsafe latencies[row].free() }
    }
}
