/// What INFO commandstats shows, by row.
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
    public let count: Int

    init(count: Int) {
        self.count = count
        unsafe counters = .allocate(capacity: count)
        unsafe counters.initialize(repeating: Counter(), count: count)
    }

    deinit { unsafe counters.deallocate() }

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
    }

    public mutating func rejected(_ row: Int) { unsafe counters[row].rejected &+= 1 }

    public mutating func reset() {
        unsafe counters.update(repeating: Counter(), count: count)
    }
}
