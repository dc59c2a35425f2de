internal import Foundation
internal import HoldfastPlatform
internal import Synchronization

/// Whether commands wait for a table that grows: the latency of single SETs beside a loader that adds keys, and,
/// to tell apart what else makes them wait, beside one that writes as many keys that are there already.
func growthTables(_ options: Options) throws -> [Table] {
    let first = options.scaled(1_000_000)
    let last = options.scaled(5_000_000)
    let added = "\(grouped(Double(first))) to \(grouped(Double(last))) keys"
    // Every round needs fresh servers; three tell a stall that is always there from an accident.
    let rounds = try interleaved(rounds: min(options.rounds, 3)) { side in
        let server = try ServerUnderTest.started(side, .none, options)
        try load(server.connect(), keys: 0..<first, valueBytes: 32)
        var growing = try probe(server, besideLoading: first..<last, existing: first)
        growing.turns = try serverTurns(server)
        var steady = try probe(server, besideLoading: first..<last, existing: first)
        steady.turns = try serverTurns(server)
        return (growing: growing, steady: steady)
    }
    let growing = rounds.map { $0.reduce(into: Latencies()) { $0.merge($1.growing) } }
    let steady = rounds.map { $0.reduce(into: Latencies()) { $0.merge($1.steady) } }

    var verdicts = Table(
        "Growth of the table",
        how:
            "Single SETs on one connection while another loads \(added) in pipelines of 64; then the same "
            + "beside SETs of keys that exist, where nothing grows. All three processes share the cores, "
            + "so both have waits that neither server makes.",
        header: [
            "", "p50 µs", "p99.9 µs", "max µs", "SETs", "over 1 ms", "the same, no growth", "reach",
        ])
    for side in Side.allCases {
        let grow = growing[side]
        let rest = steady[side]
        verdicts.rows.append([
            side.name, fixed(grow.percentile(0.5), 1), fixed(grow.percentile(0.999), 1),
            fixed(grow.percentile(1), 1), grouped(Double(grow.count)), "\(grow.overOneMillisecond)",
            "\(rest.overOneMillisecond) of \(grouped(Double(rest.count)))",
            side == .ours ? growthVerdict(grow, rest) : "",
        ])
    }
    var histogram = Table(
        "Growth of the table: histogram",
        how: "SETs by latency while the table grows, and while not.",
        header: ["", "holdfast", "no growth", "redis", "no growth"])
    for (index, name) in Latencies.names.enumerated() {
        let cells = [growing.ours, steady.ours, growing.stock, steady.stock]
        histogram.rows.append([name] + cells.map { grouped(Double($0.cells[index])) })
    }
    // What the server counts itself holds the loader's pipelines, and waits for a core.
    for name in growing.ours.turns.keys.sorted() {
        let cells = [growing.ours, steady.ours, growing.stock, steady.stock]
        histogram.rows.append(
            ["INFO \(name), largest"] + cells.map { $0.turns[name].map(grouped) ?? "–" })
    }
    return [verdicts, histogram]
}

/// A growing table may not have more long waits than chance gives beside those of the steady one.
private func growthVerdict(_ growing: Latencies, _ steady: Latencies) -> String {
    let seen = Double(growing.overOneMillisecond)
    let expected = Double(steady.overOneMillisecond) * growing.seconds / steady.seconds
    return seen <= expected + 3 * (seen + expected).squareRoot()
        ? "no stall over 1 ms by growing: met"
        : "MISSED: \(Int(seen)) over 1 ms, expected \(fixed(expected, 0))"
}

/// Latencies in cells by powers of two, and in finer ones for percentiles.
private struct Latencies {
    /// Upper ends in microseconds; the last cell has none.
    static let ends: [UInt64] = [32, 64, 128, 256, 512, 1_000, 2_000, 4_000, 8_000, 16_000]
    static var names: [String] {
        ends.map { "up to \(grouped(Double($0))) µs" } + ["longer"]
    }

    private var all: [UInt64] = []
    private(set) var cells = [Int](repeating: 0, count: ends.count + 1)
    private(set) var overOneMillisecond = 0
    var seconds = 0.0
    /// What the server counted of its turns meanwhile.
    var turns: [String: Double] = [:]

    var count: Int { all.count }

    mutating func record(nanoseconds: UInt64) {
        all.append(nanoseconds)
        cells[Self.ends.firstIndex { nanoseconds <= $0 * 1_000 } ?? Self.ends.count] += 1
        if nanoseconds > 1_000_000 { overOneMillisecond += 1 }
    }

    mutating func merge(_ other: Latencies) {
        all += other.all
        for index in cells.indices { cells[index] += other.cells[index] }
        overOneMillisecond += other.overOneMillisecond
        seconds += other.seconds
        turns.merge(other.turns, uniquingKeysWith: max)
    }

    /// Microseconds.
    func percentile(_ share: Double) -> Double {
        let sorted = all.sorted()
        guard let last = sorted.indices.last else { return .nan }
        return Double(sorted[min(Int(Double(sorted.count) * share), last)]) / 1_000
    }
}

/// Times single SETs of keys below `existing` for as long as the loader needs.
private func probe(
    _ server: ServerUnderTest, besideLoading keys: Range<Int>, existing: Int
) throws -> Latencies {
    let connection = try server.connect()
    _ = try connection.command("CONFIG", "RESETSTAT")
    let port = server.port
    let isLoading = Atomic(true)
    let failure = Mutex<String?>(nil)
    let loader = try WorkerThread(name: "loader") {
        do {
            // Short pipelines: a turn of the server is the pipeline, and shall not hide what growing takes.
            try load(Connection(port: port), keys: keys, valueBytes: 32, batch: 64)
        } catch {
            failure.withLock { $0 = "\(error)" }
        }
        isLoading.store(false, ordering: .releasing)
    }
    defer { loader.join() }
    var latencies = Latencies()
    var random = PRNG(seed: 2)
    var command = CommandBatch.set(valueBytes: 32, count: 1)
    let clock = Stopwatch()
    while isLoading.load(ordering: .acquiring) {
        command.setKey(random.below(existing))
        let one = Stopwatch()
        try connection.send(command.bytes)
        try connection.receiveLines(1)
        latencies.record(nanoseconds: one.nanoseconds)
    }
    latencies.seconds = clock.seconds
    if let problem = failure.withLock({ $0 }) { throw BenchError(problem) }
    return latencies
}

/// What the server itself says of its turns since CONFIG RESETSTAT, in its own units, if it does.
private func serverTurns(_ server: ServerUnderTest) throws -> [String: Double] {
    var turns: [String: Double] = [:]
    for section in ["stats", "debug"] {
        let reply = try server.connect().command("INFO", section)
        for line in reply.split(whereSeparator: \.isNewline) where line.hasPrefix("eventloop_") {
            let halves = line.split(separator: ":")
            if halves.count == 2, let value = Double(halves[1]) { turns[String(halves[0])] = value }
        }
    }
    return turns
}
