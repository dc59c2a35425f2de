internal import HoldfastPlatform

/// The longest that one command takes on a large value, among many commands sent one by one.
func worstCommandTable(_ options: Options) throws -> Table {
    let count = options.scaled(1_000_000)
    var table = Table(
        "Worst single command",
        how:
            "Values of \(grouped(Double(count))) elements (20 B), one command at a time, as the client sees "
            + "it; the medians of p50, and the shortest of the rounds' longest, which whatever else the "
            + "machine does cannot cause.",
        header: [
            "", "commands", "p50 µs", "redis p50 µs", "longest µs", "redis longest µs", "ratio",
            "reach",
        ])
    let cases = WorstCase.all(count, options)
    let rounds = try interleaved(rounds: min(options.rounds, 3)) { side in
        let server = try ServerUnderTest.started(side, .none, options)
        let connection = try server.connect()
        try fill(connection, count)
        try server.settle()
        var random = PRNG(seed: 4)
        return try cases.map { try $0.latencies(connection, &random) }
    }
    for (index, one) in cases.enumerated() {
        let middle = rounds.medians { $0[index].median }
        let longest = rounds.map { samples in
            samples.compactMap { $0[index].max() }.min() ?? .nan
        }
        let isMet = longest.ours <= longest.stock || longest.ours < 1_000
        table.rows.append([
            one.label, grouped(Double(one.samples)), fixed(middle.ours, 1), fixed(middle.stock, 1),
            fixed(longest.ours, 1), fixed(longest.stock, 1), fixed(longest.ratio, 2),
            "≤ 1, or under 1 ms: " + (isMet ? "met" : "MISSED by \(fixed(longest.ratio, 2))x"),
        ])
    }
    return table
}

private func fill(_ connection: Connection, _ count: Int) throws {
    try pipeline(connection, 0..<count) { buffer, number in
        buffer.command("ZADD", words: 3)
        buffer.word("zset")
        buffer.word("", scrambled(number, below: count))
        buffer.word("member:", number, digits: 13)
    }
    try pipeline(connection, 0..<count) { buffer, number in
        buffer.command("HSET", words: 3)
        buffer.word("hash")
        buffer.word("field:", number, digits: 14)
        buffer.word("value:", number, digits: 14)
    }
    try pipeline(connection, 0..<count) { buffer, number in
        buffer.command("RPUSH", words: 2)
        buffer.word("list")
        buffer.word("element:", number, digits: 12)
    }
}

private struct WorstCase {
    let label: String
    let samples: Int
    let build: (inout CommandBuffer, Int, inout PRNG) -> Void

    static func all(_ count: Int, _ options: Options) -> [WorstCase] {
        // A million and these pass 2^20, where a table with one cell for each grows.
        let added = options.scaled(60_000)
        let others = options.scaled(5_000)
        // Within a tenth around the middle.
        let middle = { (random: inout PRNG) in
            count * 9 / 20 + random.below(count / 10)
        }
        return [
            WorstCase(label: "ZADD of a new member", samples: added) { buffer, number, random in
                buffer.command("ZADD", words: 3)
                buffer.word("zset")
                buffer.word("", random.below(count))
                buffer.word("member:", count + number, digits: 13)
            },
            WorstCase(label: "HSET of a new field", samples: added) { buffer, number, _ in
                buffer.command("HSET", words: 3)
                buffer.word("hash")
                buffer.word("field:", count + number, digits: 14)
                buffer.word("value:", number, digits: 14)
            },
            WorstCase(label: "ZRANK", samples: others) { buffer, _, random in
                buffer.command("ZRANK", words: 2)
                buffer.word("zset")
                buffer.word("member:", random.below(count), digits: 13)
            },
            WorstCase(label: "LINDEX in the middle", samples: others) { buffer, _, random in
                buffer.command("LINDEX", words: 2, replyLines: 2)
                buffer.word("list")
                buffer.word("", middle(&random))
            },
            WorstCase(label: "LSET in the middle", samples: others) { buffer, number, random in
                buffer.command("LSET", words: 3)
                buffer.word("list")
                buffer.word("", middle(&random))
                buffer.word("another:", number, digits: 12)
            },
            // Its place is found by comparing elements, in both.
            WorstCase(label: "LINSERT in the middle", samples: 100) { buffer, number, _ in
                buffer.command("LINSERT", words: 4)
                buffer.word("list")
                buffer.word("BEFORE")
                // An element that LSET has left.
                buffer.word("element:", count * 11 / 20 + 1, digits: 12)
                buffer.word("between:", number, digits: 12)
            },
        ]
    }

    /// Microseconds.
    func latencies(_ connection: Connection, _ random: inout PRNG) throws -> [Double] {
        var buffer = CommandBuffer()
        return try (0..<samples).map { number in
            buffer.removeAll()
            build(&buffer, number, &random)
            let one = Stopwatch()
            try connection.send(buffer.bytes)
            try connection.receiveLines(buffer.replyLines)
            return Double(one.nanoseconds) / 1_000
        }
    }
}
