/// SET and GET with and without a log, by depth of pipelines.
func throughputTable(_ options: Options) throws -> Table {
    var table = Table(
        "Throughput",
        how: "redis-benchmark, 50 clients, \(grouped(Double(options.keys))) keys, values of 64 B; "
            + "server CPU is user and system time of all threads.",
        header: Comparison.header)
    for policy in [LogPolicy.none, .everysec] {
        try withBothServers(policy, options) { servers in
            try prefill(servers, options)
            for pipeline in [1, 16, 64] {
                for test in RedisBenchmark.Test.allCases {
                    let load = RedisBenchmark(
                        test: test, clients: 50, pipeline: pipeline, keys: options.keys)
                    let row = Comparison(
                        label: "\(test.name), \(policy.rawValue), pipeline \(pipeline)",
                        samples: try load.compare(servers, options),
                        throughput: throughputReach(policy, pipeline),
                        cpu: cpuReach(policy, pipeline))
                    table.rows.append(row.cells)
                }
            }
        }
    }
    return table
}

private func throughputReach(_ policy: LogPolicy, _ pipeline: Int) -> Reach {
    switch pipeline {
    case 1: .atLeast(1.0)
    case 16: .atLeast(1.8)
    default: .atLeast(policy == .none ? 3.5 : 3)
    }
}

private func cpuReach(_ policy: LogPolicy, _ pipeline: Int) -> Reach? {
    switch (pipeline, policy) {
    case (1, _): .atMost(0.9)
    case (16, .none): .atMost(0.45)
    case (64, .none): .atMost(0.25)
    default: nil
    }
}

/// SET with a sync before each reply, by number of clients.
func alwaysTable(_ options: Options) throws -> Table {
    var table = Table(
        "Synced writes",
        how: "`appendfsync always`: redis-benchmark, SET, \(grouped(Double(options.keys))) keys, "
            + "values of 64 B.",
        header: Comparison.header)
    try withBothServers(.always, options) { servers in
        try prefill(servers, options)
        let cases = [(1, 1, 1.2), (50, 1, 1.25), (200, 1, 1.0), (50, 16, 2.2)]
        for (clients, pipeline, reach) in cases {
            let load = RedisBenchmark(
                test: .set, clients: clients, pipeline: pipeline, keys: options.keys)
            let row = Comparison(
                label: "SET, \(clients) clients, pipeline \(pipeline)",
                samples: try load.compare(servers, options), throughput: .atLeast(reach), cpu: nil)
            table.rows.append(row.cells)
        }
    }
    return table
}

/// SET and GET, by number of clients up to 10,000.
func connectionsTable(_ options: Options) throws -> Table {
    var table = Table(
        "Connections",
        how: "redis-benchmark without log and pipeline, values of 64 B. CPU includes accepting the "
            + "connections; errors are error replies and failed connections of all rounds.",
        header: Comparison.header + ["errors", "redis errors"])
    try withBothServers(.none, options) { servers in
        try prefill(servers, options)
        // Ten thousand connections take redis-benchmark ten seconds to make: too long for a quick look, and
        // for calibrating each row.
        let counts = options.isQuick ? [50, 500, 2_000] : [50, 500, 1_000, 2_000, 5_000, 10_000]
        let requests = try RedisBenchmark(test: .get, clients: 50, keys: options.keys)
            .calibrate(servers, options)
        for clients in counts {
            for test in RedisBenchmark.Test.allCases {
                let load = RedisBenchmark(test: test, clients: clients, keys: options.keys)
                let samples = try load.compare(servers, requests: requests, options)
                let row = Comparison(
                    label: "\(test.name), \(grouped(Double(clients))) clients",
                    samples: samples, throughput: .atLeast(0.95), cpu: nil)
                let errors = samples.map { $0.reduce(0) { $0 + $1.errors } }
                let ours = errors.ours == 0 ? "none" : "\(errors.ours) MISSED"
                table.rows.append(row.cells + [ours, "\(errors.stock)"])
            }
        }
    }
    return table
}

/// Gives every key that loads pick a value.
func prefill(_ servers: Pair<ServerUnderTest>, _ options: Options) throws {
    for side in Side.allCases {
        try load(servers[side].connect(), keys: 0..<options.keys, valueBytes: 64)
    }
}

/// One row: rates and CPU of both sides, with ratios and what they shall come to.
struct Comparison {
    let label: String
    let samples: Pair<[RedisBenchmark.Sample]>
    let throughput: Reach
    let cpu: Reach?

    static let header = [
        "", "ops/s", "redis ops/s", "ratio", "reach", "CPU µs/op", "redis µs/op", "CPU ratio",
        "CPU reach",
    ]

    var cells: [String] {
        let rate = samples.medians(\.perSecond)
        let time = samples.medians(\.cpuMicroseconds)
        return [
            label, grouped(rate.ours), grouped(rate.stock), fixed(rate.ratio, 2),
            throughput.verdict(rate.ratio), fixed(time.ours, 2), fixed(time.stock, 2),
            fixed(time.ratio, 2), cpu.verdict(time.ratio),
        ]
    }
}
