/// Commands on every type, by depth of pipelines.
func typesTable(_ options: Options) throws -> Table {
    let count = options.isQuick ? 50_000 : 1_000_000
    var table = Table(
        "Commands by type",
        how:
            "`appendonly no` on both; redis-benchmark, 50 clients, \(grouped(Double(count))) keys, members "
            + "or fields, values of 3 B; as many requests to both, on empty servers where the command "
            + "writes. ZRANGE and LRANGE give 10 and 100 elements, of \(grouped(Double(count))) members "
            + "and of 1,000 elements.",
        header: Comparison.header)
    try withBothServers(.none, options) { servers in
        for test in TypeTest.all {
            if test.isReading {
                for side in Side.allCases { try test.prepare(servers[side], count: count) }
            }
            for pipeline in [16, 64] {
                let load = RedisBenchmark(
                    command: test.command(count), clients: 50, pipeline: pipeline, keys: count)
                func run(_ side: Side, _ requests: Int) throws -> RedisBenchmark.Sample {
                    if !test.isReading { try test.prepare(servers[side], count: requests) }
                    let sample = try load.run(servers[side], requests: requests)
                    if sample.errors > 0 || !sample.perSecond.isFinite {
                        throw BenchError("\(test.name): \(side.name) has refused it")
                    }
                    return sample
                }
                let rate = try run(.stock, options.isQuick ? 16_000 : 96_000).perSecond
                let whole = min(Int(rate * (options.isQuick ? 0.2 : 2.5)), 8_000_000)
                let requests = max(whole / pipeline, 50) * pipeline
                let row = Comparison(
                    label: "\(test.name), pipeline \(pipeline)",
                    samples: try interleaved(rounds: options.rounds) { try run($0, requests) },
                    throughput: .atLeast(test.isLimitedByLoad ? 1.0 : 1.3),
                    cpu: .atMost(pipeline == 16 ? 0.6 : 0.45))
                table.rows.append(row.cells)
            }
        }
    }
    return table
}

private struct TypeTest {
    enum Content {
        case nothing
        /// So many elements as there will be requests.
        case list
        case shortList, sortedSet
    }

    let name: String
    /// Words, with spaces between; `#` stands for half the count.
    let words: String
    var content = Content.nothing
    var isReading = false
    /// redis-benchmark itself is the limit.
    var isLimitedByLoad = false

    static let all = [
        TypeTest(name: "INCR", words: "INCR counter:__rand_int__"),
        TypeTest(name: "LPUSH", words: "LPUSH mylist xxx", isLimitedByLoad: true),
        TypeTest(name: "RPOP", words: "RPOP mylist", content: .list, isLimitedByLoad: true),
        TypeTest(name: "SADD", words: "SADD myset element:__rand_int__"),
        TypeTest(name: "HSET", words: "HSET myhash element:__rand_int__ xxx"),
        TypeTest(name: "ZADD", words: "ZADD myzset __rand_int__ element:__rand_int__"),
        TypeTest(
            name: "LRANGE_100", words: "LRANGE mylist 0 99", content: .shortList, isReading: true),
        TypeTest(
            name: "MSET (10)",
            words: "MSET" + String(repeating: " key:__rand_int__ xxx", count: 10)),
        TypeTest(name: "XADD", words: "XADD mystream * myfield xxx"),
        TypeTest(
            name: "ZRANGE by rank", words: "ZRANGE myzset # #9", content: .sortedSet,
            isReading: true),
        TypeTest(
            name: "ZRANGE by score", words: "ZRANGE myzset __rand_int__ +inf BYSCORE LIMIT 0 10",
            content: .sortedSet, isReading: true),
    ]

    func command(_ count: Int) -> [String] {
        // A rank in the middle, and the one nine further.
        words.split(separator: " ").map {
            $0 == "#" ? "\(count / 2)" : $0 == "#9" ? "\(count / 2 + 9)" : String($0)
        }
    }

    /// Empties the server and gives it what the command needs.
    func prepare(_ server: ServerUnderTest, count: Int) throws {
        let connection = try server.connect()
        guard try connection.command("FLUSHALL").hasPrefix("+") else {
            throw BenchError("FLUSHALL is refused")
        }
        switch content {
        case .nothing: break
        case .list, .shortList:
            let elements = content == .list ? count : 1_000
            try pipeline(connection, 0..<elements / 50 + 1, batch: 16) { buffer, _ in
                buffer.command("LPUSH", words: 51)
                buffer.word("mylist")
                for _ in 0..<50 { buffer.word("xxx") }
            }
        case .sortedSet:
            try pipeline(connection, 0..<count) { buffer, number in
                let number = scrambled(number, below: count)
                buffer.command("ZADD", words: 3)
                buffer.word("myzset")
                buffer.word("", number)
                buffer.word("element:", number, digits: 12)
            }
        }
        try server.settle()
    }
}
