/// What a start from a log of many SETs costs.
func recoveryTable(_ options: Options) throws -> Table {
    let count = options.scaled(3_000_000)
    var table = Table(
        "Recovery",
        how:
            "Start from a log of \(grouped(Double(count))) SETs (keys of 16 B, values of 32 B), each server "
            + "from the one it wrote, until PING is answered with PONG; seconds.",
        header: ["", "holdfast", "redis", "ratio", "reach"])
    try withBothServers(.everysec, options) { servers in
        for side in Side.allCases {
            try load(servers[side].connect(), keys: 0..<count, valueBytes: 32)
            try servers[side].stop()
        }
        let starts = try interleaved(rounds: options.rounds) { side in
            let server = servers[side]
            let seconds = try server.start()
            let cpu = try server.process.cpuMicroseconds / 1e6
            let keys = try server.keyCount()
            if keys != count {
                throw BenchError("\(side.name) found \(keys) keys of \(count) again")
            }
            try server.stop()
            return (cpu: cpu, seconds: seconds)
        }
        let cpu = starts.medians(\.cpu)
        let seconds = starts.medians(\.seconds)
        table.rows = [
            [
                "CPU time", fixed(cpu.ours, 2), fixed(cpu.stock, 2), fixed(cpu.ratio, 2),
                Reach.atMost(0.5).verdict(cpu.ratio),
            ],
            [
                "elapsed", fixed(seconds.ours, 2), fixed(seconds.stock, 2),
                fixed(seconds.ratio, 2), "",
            ],
        ]
    }
    return table
}
