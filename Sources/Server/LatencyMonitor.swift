/// Times by event for LATENCY: the worst per second, the last 160 seconds that had any.
struct LatencyMonitor {
    struct Sample {
        var unixSeconds: Int64
        var milliseconds: Int64
    }

    struct Event {
        fileprivate(set) var samples: [Sample] = []
        fileprivate(set) var maximum: Int64 = 0
    }

    private static let samplesMax = 160
    /// `latency-monitor-threshold` in ms; 0 turns the monitor off.
    var threshold: Int64 = 0
    private(set) var events: [String: Event] = [:]

    mutating func add(_ event: String, milliseconds: Int64, unixSeconds: Int64) {
        guard threshold > 0, milliseconds >= threshold else { return }
        var history = events[event] ?? Event()
        history.maximum = max(history.maximum, milliseconds)
        if let last = history.samples.last, last.unixSeconds == unixSeconds {
            history.samples[history.samples.count - 1].milliseconds = max(
                last.milliseconds, milliseconds)
        } else {
            history.samples.append(Sample(unixSeconds: unixSeconds, milliseconds: milliseconds))
            if history.samples.count > Self.samplesMax { history.samples.removeFirst() }
        }
        events[event] = history
    }

    /// Forgets the named events, or all; returns how many there were.
    mutating func reset(_ names: [String]) -> Int {
        guard !names.isEmpty else {
            defer { events = [:] }
            return events.count
        }
        return names.reduce(0) { $0 + (events.removeValue(forKey: $1) == nil ? 0 : 1) }
    }
}
