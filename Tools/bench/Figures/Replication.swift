internal import Foundation

/// How a replica gets its data, and how it comes back after an absence. Each side's replica is of its own kind.
func replicationTables(_ options: Options) throws -> [Table] {
    [try bootstrapTable(options), try absenceTable(options)]
}

/// What makes two servers of one side a primary and its replica.
private struct Couple {
    let primary: ServerUnderTest
    let replica: ServerUnderTest

    /// Makes `replica` follow, and waits until it has all data.
    /// - Returns: the seconds.
    @discardableResult
    func join() throws -> Double {
        let clock = Stopwatch()
        let connection = try replica.connect()
        let reply = try connection.command("REPLICAOF", "127.0.0.1", String(primary.port))
        guard reply.hasPrefix("+OK") else { throw BenchError("REPLICAOF: \(reply)") }
        try waitForSync()
        return clock.seconds
    }

    /// Waits until the link is up and the replica has all that the primary has.
    func waitForSync() throws {
        let clock = Stopwatch()
        while clock.seconds < 120 {
            if try isInSync() { return }
            usleep(5_000)
        }
        throw BenchError("the replica is not in sync after 120 s")
    }

    private func isInSync() throws -> Bool {
        // It may be loading still.
        guard let there = try? replica.connect(), let here = try? primary.connect() else {
            return false
        }
        guard (try? there.info("replication", "master_link_status")) == "up" else { return false }
        let offset = try here.info("replication", "master_repl_offset")
        return (try? there.info("replication", "slave_repl_offset")) == offset
    }
}

// MARK: Bootstrap

private struct BootstrapSample {
    var seconds = 0.0
    var extraBytes = 0.0
    var latencies: [Double] = []
}

private func bootstrapTable(_ options: Options) throws -> Table {
    let keys = options.scaled(2_000_000)
    var table = Table(
        "Bootstrap of a replica with \(grouped(Double(keys))) strings",
        how:
            "Values of 100 B, `appendfsync everysec`, `repl-diskless-sync-delay 0`; from REPLICAOF to a link that is up with "
            + "all data there. Meanwhile one connection SETs 20,000 random keys a second on the primary and a probe sends PING or GET "
            + "every ms. Extra memory is the peak of the primary's proportional set size (Pss, with children) above what it was before, "
            + "in a bootstrap of its own without that load.",
        header: Table.pairHeader)
    let primaries = try Pair { side in
        try ServerUnderTest.started(
            side, .everysec, options, extraArguments: ["--repl-diskless-sync-delay", "0"])
    }
    for side in Side.allCases {
        try pipeline(primaries[side].connect(), 0..<keys) { $0.set($1) }
    }
    let samples = try interleaved(rounds: options.rounds) { side in
        try bootstrap(primaries[side], keys: keys, options)
    }
    table.add("time, s", samples.medians(\.seconds), decimals: 2, .atMost(0.6))
    table.add(
        "probe, longest µs", samples.medians { $0.latencies.percentile(1) }, .atMost(0.5))
    table.add(
        "probe, p99.9 µs of all rounds",
        samples.map { $0.flatMap(\.latencies).percentile(0.999) })
    table.add("extra memory, MB", samples.medians { $0.extraBytes / 1e6 }, decimals: 1)
    return table
}

private func bootstrap(
    _ primary: ServerUnderTest, keys: Int, _ options: Options
) throws -> BootstrapSample {
    var sample = BootstrapSample()
    try primary.settle()
    do {
        let replica = try ServerUnderTest.started(primary.side, .everysec, options)
        let busy = try BackgroundLoad.run(primary, keys: keys) {
            // A primary that is written to is never quite reached: the link counts.
            let clock = Stopwatch()
            let connection = try replica.connect()
            _ = try connection.command("REPLICAOF", "127.0.0.1", String(primary.port))
            while clock.seconds < 120 {
                let status = try? replica.connect().info("replication", "master_link_status")
                if status == "up", (try? replica.keyCount()) ?? 0 >= keys { break }
                usleep(10_000)
            }
            sample.seconds = clock.seconds
        }
        sample.latencies = busy.latencies
    }
    try primary.settle()
    let replica = try ServerUnderTest.started(primary.side, .everysec, options)
    let process = try primary.process
    let before = try process.memoryWithChildren
    var peak = before
    _ = try replica.connect().command("REPLICAOF", "127.0.0.1", String(primary.port))
    let clock = Stopwatch()
    while clock.seconds < 120 {
        peak = max(peak, try process.memoryWithChildren)
        let status = try? replica.connect().info("replication", "master_link_status")
        if status == "up", (try? replica.keyCount()) ?? 0 >= keys { break }
        usleep(50_000)
    }
    sample.extraBytes = peak - before
    return sample
}

// MARK: After an absence

private enum Absence: String, CaseIterable {
    case missed = "64 MB missed while the replica was killed"
    case replicaKilled = "replica killed"
    case primaryKilled = "primary killed"
}

private struct AbsenceSample {
    /// From when both answer again.
    var seconds = 0.0
    var fullSyncs = 0.0
}

private func absenceTable(_ options: Options) throws -> Table {
    let keys = options.scaled(1_000_000)
    var table = Table(
        "A replica after an absence",
        how:
            "\(grouped(Double(keys))) strings of 100 B, `appendfsync everysec` on both, else default settings; kill -9, and the seconds from "
            + "when the killed one answers PING again (data loaded) to the replica having all that its primary has. Full syncs are "
            + "what the primary counts (`sync_full`).",
        header: Table.pairHeader)
    for absence in Absence.allCases {
        let samples = try interleaved(rounds: min(options.rounds, 3)) { side in
            try sample(absence, side, keys: keys, options)
        }
        table.add(
            "\(absence.rawValue), s", samples.medians(\.seconds), decimals: 3)
        table.add("\(absence.rawValue), full syncs", samples.medians(\.fullSyncs))
    }
    return table
}

private func sample(
    _ absence: Absence, _ side: Side, keys: Int, _ options: Options
) throws -> AbsenceSample {
    let couple = Couple(
        primary: try ServerUnderTest.started(side, .everysec, options),
        replica: try ServerUnderTest.started(side, .everysec, options))
    try pipeline(couple.primary.connect(), 0..<keys) { $0.set($1) }
    try couple.join()
    let fullBefore = try fullSyncs(couple.primary)
    var sample = AbsenceSample()
    switch absence {
    case .missed, .replicaKilled:
        try couple.replica.process.end(by: SIGKILL)
        if absence == .missed {
            // A command of such a SET has about 150 bytes.
            try pipeline(couple.primary.connect(), 0..<(64 << 20) / 150) { $0.set($1) }
        }
        couple.replica.extraArguments = ["--replicaof", "127.0.0.1 \(couple.primary.port)"]
        try couple.replica.start()
        let clock = Stopwatch()
        try couple.waitForSync()
        sample.seconds = clock.seconds
        sample.fullSyncs = try fullSyncs(couple.primary) - fullBefore
    case .primaryKilled:
        try couple.primary.process.end(by: SIGKILL)
        try couple.primary.start(onSamePort: true)
        let clock = Stopwatch()
        try couple.waitForSync()
        sample.seconds = clock.seconds
        sample.fullSyncs = try fullSyncs(couple.primary)
    }
    return sample
}

private func fullSyncs(_ server: ServerUnderTest) throws -> Double {
    Double(try server.connect().info("stats", "sync_full")) ?? .nan
}
