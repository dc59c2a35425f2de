/// What SET costs a server that has saved, beside one that has not.
func setCostTable(_ options: Options) throws -> Table {
    let rounds = options.isQuick ? options.rounds : max(options.rounds, 9)
    var table = Table(
        "SET after a snapshot",
        how:
            "CPU of SET (redis-benchmark, 50 clients, pipeline 16, \(grouped(Double(options.keys))) keys, "
            + "values of 64 B, `appendonly no`), µs per operation: two servers of ours in turns, one of "
            + "which finishes a BGSAVE before each of \(rounds) rounds.",
        header: ["", "after a save", "never saved", "ratio", "reach"])
    // Both are ours: the "stock" one is the one that never saves.
    let servers = try Pair { _ in try ServerUnderTest.started(.ours, .none, options) }
    try prefill(servers, options)
    let load = RedisBenchmark(test: .set, clients: 50, pipeline: 16, keys: options.keys)
    let requests = try load.calibrate(servers, options).stock / 16 * 16
    let samples = try interleaved(rounds: rounds) { side in
        let server = servers[side]
        if side == .ours { _ = try SnapshotKind.save.run(server.connect()) {} }
        try server.settle()
        return try load.run(server, requests: requests)
    }
    table.add(
        "SET, pipeline 16", samples.medians(\.cpuMicroseconds), decimals: 3, .atMost(1.02))
    return table
}
