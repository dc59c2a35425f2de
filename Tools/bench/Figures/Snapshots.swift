internal import Foundation

/// What BGSAVE and BGREWRITEAOF cost those who use the server meanwhile.
func snapshotTables(_ options: Options) throws -> [Table] {
    let counts = options.isLarge ? [2_000_000, 5_000_000] : [2_000_000]
    return try counts.flatMap { count in
        try SnapshotKind.allCases.map {
            try snapshotTable($0, keys: options.scaled(count), options)
        }
    }
}

enum SnapshotKind: String, CaseIterable {
    case save = "BGSAVE"
    case rewrite = "BGREWRITEAOF"

    var policy: LogPolicy { self == .save ? .none : .everysec }
    private var inProgress: String {
        self == .save ? "rdb_bgsave_in_progress" : "aof_rewrite_in_progress"
    }
    private var status: String {
        self == .save ? "rdb_last_bgsave_status" : "aof_last_bgrewrite_status"
    }

    /// Makes one and calls `watch` every few milliseconds until the server calls it done.
    /// - Returns: the seconds.
    func run(_ connection: Connection, _ watch: () throws -> Void) throws -> Double {
        let clock = Stopwatch()
        let reply = try connection.command(rawValue)
        guard reply.hasPrefix("+") else { throw BenchError("\(rawValue): \(reply)") }
        while try connection.info("persistence", inProgress) != "0" {
            if clock.seconds > 120 { throw BenchError("\(rawValue) does not end") }
            try watch()
            usleep(10_000)
        }
        let seconds = clock.seconds
        guard try connection.info("persistence", status) == "ok" else {
            throw BenchError("\(rawValue) failed")
        }
        return seconds
    }
}

private struct SnapshotSample {
    var seconds = 0.0
    var extraBytes = 0.0
    var freezeMicroseconds = 0.0
    var fileBytes = 0.0
    /// Of the probe, in microseconds.
    var latencies: [Double] = []
    var latenciesBefore: [Double] = []
    /// Per second, of the background load.
    var sets = 0.0
}

private func snapshotTable(
    _ kind: SnapshotKind, keys: Int, _ options: Options
) throws -> Table {
    let rate = BackgroundLoad.setsPerMillisecond * 1_000
    var table = Table(
        "\(kind.rawValue) of \(grouped(Double(keys))) strings",
        how:
            "Values of 100 B, \(kind.policy == .none ? "`appendonly no`" : "`appendfsync everysec`"), each "
            + "with its default compression; meanwhile one connection SETs \(grouped(Double(rate))) "
            + "random keys a second and a probe sends PING or GET every ms. Extra memory is the peak of "
            + "proportional set sizes (Pss) of the server and its children above what it was "
            + "before, in a save of its own; freeze is what INFO says (`last_freeze_us`, `latest_fork_usec`).",
        header: Table.pairHeader)
    let servers = try Pair { side in
        // What redis-server does by default.
        try ServerUnderTest.started(
            side, kind.policy, options, extraArguments: ["--aof-use-rdb-preamble", "yes"])
    }
    for side in Side.allCases {
        try pipeline(servers[side].connect(), 0..<keys) { $0.set($1) }
    }
    let samples = try interleaved(rounds: options.rounds) { side in
        try sample(kind, servers[side], keys: keys, options)
    }
    table.add(
        "extra memory, MB", samples.medians { $0.extraBytes / 1e6 }, decimals: 1, .atMost(0.15))
    let freeze = samples.medians(\.freezeMicroseconds)
    table.rows.append([
        "freeze, µs", grouped(freeze.ours), grouped(freeze.stock), fixed(freeze.ratio, 3),
        freeze.ours < 1_000
            ? "< 1,000 µs met" : "< 1,000 µs MISSED by \(fixed(freeze.ours / 1_000, 2))x",
    ])
    func addProbe(
        _ name: String, _ reach: Reach? = nil, _ latencies: (SnapshotSample) -> [Double]
    ) {
        table.add("\(name), longest µs", samples.medians { latencies($0).percentile(1) }, reach)
        // One round has too few for it.
        let all = samples.map { $0.flatMap(latencies).percentile(0.999) }
        table.add("\(name), p99.9 µs of all rounds", all, reach)
    }
    addProbe("probe", .atMost(0.5), \.latencies)
    addProbe("probe before it", nil, \.latenciesBefore)
    table.add("duration, s", samples.medians(\.seconds), decimals: 2, .atMost(0.6))
    table.add("SET/s meanwhile", samples.medians(\.sets))
    let file = samples.medians { $0.fileBytes / 1e6 }
    if kind == .save {
        table.add("file, MB (lz4; redis lzf)", file, decimals: 1, .atMost(1.1))
    } else {
        table.add("base file, MB (lzf)", file, decimals: 1)
    }
    return table
}

private func sample(
    _ kind: SnapshotKind, _ server: ServerUnderTest, keys: Int, _ options: Options
) throws -> SnapshotSample {
    try server.settle()
    let connection = try server.connect()
    var sample = SnapshotSample()
    let calm = try BackgroundLoad.run(server, keys: keys) {
        usleep(UInt32(options.secondsPerRound * 500_000))
    }
    sample.latenciesBefore = calm.latencies

    let busy = try BackgroundLoad.run(server, keys: keys) {
        sample.seconds = try kind.run(connection) {}
    }
    sample.latencies = busy.latencies
    sample.sets = Double(busy.sets) / busy.seconds
    let freeze =
        try server.side == .ours
        ? connection.info("persistence", "last_freeze_us")
        : connection.info("stats", "latest_fork_usec")
    sample.freezeMicroseconds = Double(freeze) ?? .nan
    sample.fileBytes = snapshotBytes(kind, server)
    sample.extraBytes = try extraMemory(kind, server, keys: keys)
    return sample
}

/// Of one more snapshot: reading what processes take walks their page tables, for milliseconds each time, which
/// the probe would notice.
private func extraMemory(
    _ kind: SnapshotKind, _ server: ServerUnderTest, keys: Int
) throws -> Double {
    try server.settle()
    let connection = try server.connect()
    let process = try server.process
    let before = try process.memoryWithChildren
    var peak = before
    _ = try BackgroundLoad.run(server, keys: keys) {
        var last = Stopwatch()
        _ = try kind.run(connection) {
            if last.seconds < 0.05 { return }
            peak = max(peak, try process.memoryWithChildren)
            last = Stopwatch()
        }
        peak = max(peak, try process.memoryWithChildren)
    }
    return peak - before
}

private func snapshotBytes(_ kind: SnapshotKind, _ server: ServerUnderTest) -> Double {
    if kind == .save { return fileBytes(server.folder + "/dump.rdb") }
    let folder = server.folder + "/appendonlydir"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    // Retired bases may stay for a while: the newest counts.
    let number = { (name: String) in
        Int(name.split(separator: ".").compactMap { Int($0) }.first ?? 0)
    }
    let base = names.filter { $0.contains(".base.") }.max { number($0) < number($1) }
    return base.map { fileBytes(folder + "/" + $0) } ?? .nan
}
