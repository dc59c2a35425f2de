internal import Foundation

/// How long a start from a snapshot takes.
func loadTables(_ options: Options) throws -> [Table] {
    try [3_000_000, 5_000_000].map { try loadTable(options.scaled($0), options) }
}

/// Keys in turn: five strings of 100 B, two hashes, a sorted set, a list and a set, of five elements each.
private func mixed(_ buffer: inout CommandBuffer, _ number: Int) {
    switch number % 10 {
    case 0..<5:
        buffer.command("SET", words: 2)
        buffer.word("key:", number, digits: 12)
        buffer.record(number)
    case 5, 6:
        buffer.command("HSET", words: 11)
        buffer.word("key:", number, digits: 12)
        for field in 0..<5 {
            buffer.word("field:", field)
            buffer.word("value:", number, digits: 14)
        }
    case 7:
        buffer.command("ZADD", words: 11)
        buffer.word("key:", number, digits: 12)
        for member in 0..<5 {
            buffer.word("\(number % 1_000 + member).5")
            buffer.word("member:", member)
        }
    default:
        buffer.command(number % 10 == 8 ? "RPUSH" : "SADD", words: 6)
        buffer.word("key:", number, digits: 12)
        for element in 0..<5 { buffer.word("element:", number + element, digits: 12) }
    }
}

/// A file that one of the servers loads.
private enum LoadCase: String, CaseIterable {
    case stock = "redis, its own file (lzf)"
    case lz4 = "holdfast, its own file (lz4)"
    case lzf = "holdfast, its own file (lzf)"
    case foreign = "holdfast, the file of redis"

    var side: Side { self == .stock ? .stock : .ours }
    /// In the folder of its server.
    var file: String { self == .lz4 ? "lz4.rdb" : self == .lzf ? "lzf.rdb" : "stock.rdb" }
}

private func loadTable(_ count: Int, _ options: Options) throws -> Table {
    let rounds = min(options.rounds, 3)
    var table = Table(
        "Load of \(grouped(Double(count))) mixed keys",
        how:
            "Start from a snapshot until PING is answered with PONG, `appendonly no`: half strings of 100 B, "
            + "a fifth hashes, a tenth each sorted sets, lists and sets, of 5 elements; medians of "
            + "\(rounds) rounds.",
        header: ["", "file MB", "elapsed s", "ratio", "reach", "CPU s", "CPU ratio"])
    let servers = try Pair { try ServerUnderTest.started($0, .none, options) }
    func save(_ side: Side, as name: String) throws {
        let server = servers[side]
        let reply = try server.connect().command("SAVE")
        guard reply.hasPrefix("+") else { throw BenchError("SAVE: \(reply)") }
        try FileManager.default.moveItem(
            atPath: server.folder + "/dump.rdb", toPath: server.folder + "/" + name)
    }
    for side in Side.allCases {
        try pipeline(servers[side].connect(), 0..<count, batch: 256, mixed)
    }
    try save(.stock, as: LoadCase.stock.file)
    try save(.ours, as: LoadCase.lz4.file)
    _ = try servers.ours.connect().command("CONFIG", "SET", "rdb-compression", "lzf")
    try save(.ours, as: LoadCase.lzf.file)
    try FileManager.default.copyItem(
        atPath: servers.stock.folder + "/" + LoadCase.stock.file,
        toPath: servers.ours.folder + "/" + LoadCase.foreign.file)
    for side in Side.allCases { try servers[side].stop() }

    var samples: [LoadCase: [(seconds: Double, cpu: Double)]] = [:]
    for _ in 0..<rounds {
        for one in LoadCase.allCases {
            let server = servers[one.side]
            server.extraArguments = ["--dbfilename", one.file]
            // Rarely, since each attempt takes time of the one who loads.
            let seconds = try server.start(pollMicroseconds: 20_000)
            let cpu = try server.process.cpuMicroseconds / 1e6
            let keys = try server.keyCount()
            if keys != count { throw BenchError("\(one.rawValue): \(keys) keys of \(count)") }
            try server.stop()
            samples[one, default: []].append((seconds, cpu))
        }
    }
    let median = { (one: LoadCase) in
        (
            samples[one, default: []].map(\.seconds).median,
            samples[one, default: []].map(\.cpu).median
        )
    }
    let (stockSeconds, stockCPU) = median(.stock)
    for one in LoadCase.allCases {
        let (seconds, cpu) = median(one)
        let isOurs = one != .stock
        table.rows.append([
            one.rawValue, fixed(fileBytes(servers[one.side].folder + "/" + one.file) / 1e6, 1),
            fixed(seconds, 2), isOurs ? fixed(seconds / stockSeconds, 2) : "",
            isOurs ? Reach.atMost(0.5).verdict(seconds / stockSeconds) : "", fixed(cpu, 2),
            isOurs ? fixed(cpu / stockCPU, 2) : "",
        ])
    }
    return table
}

/// The size of a file; NaN without one.
func fileBytes(_ path: String) -> Double {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return (attributes?[.size] as? NSNumber)?.doubleValue ?? .nan
}
