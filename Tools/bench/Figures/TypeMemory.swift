/// Resident memory of one large value of each type, and of many small hashes.
func typeMemoryTable(_ options: Options) throws -> Table {
    let count = options.scaled(1_000_000)
    let million = grouped(Double(count))
    let hashes = options.scaled(200_000)
    var table = Table(
        "Memory by type",
        how:
            "Growth of resident memory (VmRSS), in bytes per element or per small hash; members, elements, "
            + "fields and values of 20 B (in small hashes fields of 7 B and values of 8 B), scores with a "
            + "fraction, in no order; `appendonly no`; fresh servers each time.",
        header: Table.pairHeader)

    func add(
        _ label: String, _ reach: Double, _ count: Int,
        _ build: (inout CommandBuffer, Int) -> Void
    ) throws {
        let growth = try interleaved(rounds: min(options.rounds, 3)) { side in
            let server = try ServerUnderTest.started(side, .none, options)
            let connection = try server.connect()
            let empty = try server.process.residentBytes
            try pipeline(connection, 0..<count, build)
            try server.settle()
            return try server.process.residentBytes - empty
        }
        table.add(
            label, growth.medians { $0 / Double(count) }, decimals: 1, .atMost(reach))
    }

    try add("sorted set of \(million) members", 0.55, count) { buffer, number in
        buffer.command("ZADD", words: 3)
        buffer.word("zset")
        buffer.word("\(scrambled(number, below: count)).5")
        buffer.word("member:", number, digits: 13)
    }
    try add("hash of \(million) fields", 0.65, count) { buffer, number in
        buffer.command("HSET", words: 3)
        buffer.word("hash")
        buffer.word("field:", number, digits: 14)
        buffer.word("value:", scrambled(number, below: count), digits: 14)
    }
    try add("set of \(million) strings", 0.5, count) { buffer, number in
        buffer.command("SADD", words: 2)
        buffer.word("set")
        buffer.word("member:", number, digits: 13)
    }
    try add("list of \(million) elements", 1, count) { buffer, number in
        buffer.command("RPUSH", words: 2)
        buffer.word("list")
        buffer.word("element:", number, digits: 12)
    }
    try add("stream of \(million) entries", 1, count) { buffer, number in
        buffer.command("XADD", words: 4, replyLines: 2)
        buffer.word("stream")
        buffer.word("\(1_700_000_000_000 + number)-0")
        buffer.word("field")
        buffer.word("value:", number, digits: 14)
    }
    try add("\(grouped(Double(hashes))) hashes of 5 fields", 0.85, hashes) { buffer, number in
        buffer.command("HSET", words: 11)
        buffer.word("hash:", number, digits: 11)
        for field in 0..<5 {
            buffer.word("field:", field)
            buffer.word("", scrambled(number, below: hashes), digits: 8)
        }
    }
    return table
}
