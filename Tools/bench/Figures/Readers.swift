internal import Foundation
internal import HoldfastPlatform

/// One client that reads while eight others write with a sync before each reply.
func readersTable(_ options: Options) throws -> Table {
    var table = Table(
        "A reader beside synced writers",
        how: "One blocking GET client, alone and beside 8 SET clients of redis-benchmark "
            + "(`appendfsync always`); latencies in µs, medians of the rounds.",
        header: ["", "holdfast", "redis", "ratio", "reach"])
    try withBothServers(.always, options) { servers in
        try prefill(servers, options)
        let alone = try interleaved(rounds: options.rounds) { side in
            try readAlone(servers[side], options)
        }
        let beside = try interleaved(rounds: options.rounds) { side in
            try readBesideWriters(servers[side], options)
        }
        func row(
            _ label: String, _ values: Pair<Double>, decimals: Int = 0, _ reach: Reach? = nil
        ) {
            let cell = { decimals == 0 ? grouped($0) : fixed($0, decimals) }
            table.rows.append([
                label, cell(values.ours), cell(values.stock), fixed(values.ratio, 2),
                reach.verdict(values.ratio),
            ])
        }
        let rateAlone = alone.medians(\.reads)
        let rateBeside = beside.medians(\.reads)
        row("GET/s alone", rateAlone)
        row("p50 alone", alone.medians(\.p50), decimals: 1)
        row("p99 alone", alone.medians(\.p99), decimals: 1)
        row("GET/s beside writers", rateBeside, .atLeast(3))
        row(
            "share of its rate alone", Pair { rateBeside[$0] / rateAlone[$0] }, decimals: 2)
        row("p50 beside writers", beside.medians(\.p50), decimals: 1)
        row("p99 beside writers", beside.medians(\.p99), decimals: 1, .atMost(0.4))
        row("SET/s of the writers", beside.medians(\.writes))
    }
    return table
}

private struct Reading {
    /// Per second.
    var reads: Double
    /// Microseconds.
    var p50: Double
    var p99: Double
    /// Per second, by the clients beside it.
    var writes = 0.0
}

private func readAlone(_ server: ServerUnderTest, _ options: Options) throws -> Reading {
    let connection = try server.connect()
    var random = PRNG(seed: 1)
    var command = CommandBatch.get()
    var latencies = Histogram()
    let clock = Stopwatch()
    while clock.seconds < options.secondsPerRound {
        command.setKey(random.below(options.keys))
        let one = Stopwatch()
        try connection.send(command.bytes)
        // The value's length and the value.
        try connection.receiveLines(2)
        latencies.record(one.nanoseconds)
    }
    return Reading(
        reads: Double(latencies.count) / clock.seconds,
        p50: Double(latencies.percentile(0.5)) / 1_000,
        p99: Double(latencies.percentile(0.99)) / 1_000)
}

private func readBesideWriters(_ server: ServerUnderTest, _ options: Options) throws -> Reading {
    let folder = try Leftovers.shared.makeFolder()
    defer { Leftovers.shared.removeFolder(folder) }
    let load = RedisBenchmark(test: .set, clients: 8, keys: options.keys)
    // More requests than it can send; it is ended with the round.
    let writers = try ChildProcess(
        load.words(port: server.port, requests: 1_000_000_000, format: "-q"),
        outputPath: folder + "/output")
    // Until the writers have started, the reader would be alone.
    usleep(300_000)
    var reading = try readAlone(server, options)
    guard writers.isRunning else { throw BenchError("redis-benchmark ended: \(writers.output)") }
    writers.end(by: SIGKILL)
    // "SET: rps=1234.0 (overall: 1200.5) avg_msec=…", again and again over itself.
    let rate = writers.output.components(separatedBy: "rps=").last?
        .components(separatedBy: "overall: ").dropFirst().first?.prefix { $0 != ")" }
    reading.writes = rate.flatMap { Double($0) } ?? .nan
    return reading
}
