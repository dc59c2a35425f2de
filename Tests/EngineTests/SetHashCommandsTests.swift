import Engine
import Foundation
import HoldfastPlatform
import Store
import TestSupport
import Testing

@Suite("commands on sets and hashes")
struct SetHashCommandsTests {
    private static let families = [
        StringCommands.table, KeyCommands.table, DatabaseCommands.table, SetCommands.table,
        HashCommands.table,
    ]

    /// Small limits, so that values change their encoding all the time.
    private static var limits: EngineLimits {
        var limits = EngineLimits()
        limits.encodings.setIntegersMax = 6
        limits.encodings.setEntriesMax = 5
        limits.encodings.setBytesMax = 10
        limits.encodings.hashEntriesMax = 6
        limits.encodings.hashBytesMax = 10
        return limits
    }

    // MARK: Beside a stock server

    private static let seeds: [UInt64] = Array(1...120)

    /// Commands whose reply has no order.
    private static let unordered: Set<String> = [
        "smembers", "sinter", "sunion", "sdiff", "hkeys", "hvals", "hgetall", "sscan", "hscan",
    ]

    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        let stock = try StockServer()
        let connections = [2: try stock.connect(version: 2), 3: try stock.connect(version: 3)]
        guard let plain = connections[2] else { return }
        for (name, value) in [
            ("set-max-intset-entries", "6"), ("hash-max-listpack-entries", "6"),
            ("hash-max-listpack-value", "10"),
        ] { try plain.command("CONFIG", "SET", name, value) }
        var compared = 0
        var errors = 0
        for seed in Self.seeds {
            var generator = SetHashCommandGenerator(seed: seed)
            var random = PRNG(seed: seed)
            let ours = EngineHarness(Self.families, limits: Self.limits)
            try plain.command("FLUSHALL")
            for number in 0..<400 {
                let words = generator.command()
                let version = random.oneIn(2) ? 3 : 2
                guard let connection = connections[version] else { continue }
                ours.now = SystemClock().wallMilliseconds
                let actual = ours.run(words, version: version)
                let shown =
                    "seed \(seed), command \(number), RESP\(version): \(Request.shown(words)) → \(actual)"
                compared += 1
                if actual.isError { errors += 1 }
                let name = String(decoding: words[0], as: UTF8.self).lowercased()
                if name == "spop", !actual.isError,
                    actual.bytes != nil || actual.items?.isEmpty == false
                {
                    try followPop(words, actual, plain, shown)
                    continue
                }
                let expected = try connection.command(words)
                if ["srandmember", "hrandfield"].contains(name), !expected.isError {
                    try checkChoice(words, actual, expected, plain, shown)
                } else if Self.unordered.contains(name) {
                    try #require(
                        Self.inOrder(name, actual) == Self.inOrder(name, expected),
                        "\(shown), not \(expected)")
                } else {
                    try #require(actual == expected, "\(shown), not \(expected)")
                }
            }
            try compareData(ours, plain, seed)
            let twin = try ours.replayed()
            #expect(twin.digest == ours.digest, "replay of seed \(seed)")
        }
        #expect(errors * 4 < compared)
        print("sets and hashes: \(compared) replies equal, \(errors) of them errors")
    }

    /// The elements of a reply in an order of their own; pairs stay together.
    private static func inOrder(_ name: String, _ reply: Reply) -> Reply {
        switch name {
        case "sscan", "hscan":
            guard let items = reply.items, items.count == 2, let elements = items[1].items else {
                return reply
            }
            let cursor = items[0]
            return .array([cursor, name == "hscan" ? pairs(elements) : .array(elements).unordered])
        case "hgetall":
            guard case .array(let elements) = reply else { return reply.unordered }
            return pairs(elements)
        default: return reply.unordered
        }
    }

    private static func pairs(_ elements: [Reply]) -> Reply {
        guard elements.count % 2 == 0 else { return .array(elements) }
        return Reply.array(
            stride(from: 0, to: elements.count, by: 2).map {
                .array([elements[$0], elements[$0 + 1]])
            }
        ).unordered
    }

    /// Removes from the stock server's set what was popped from ours.
    private func followPop(
        _ words: [[UInt8]], _ reply: Reply, _ stock: RESPConnection, _ shown: String
    ) throws {
        let members = reply.items?.compactMap(\.bytes) ?? [reply.bytes ?? []]
        let size = try #require(try stock.command([Array("SCARD".utf8), words[1]]).integer)
        if words.count > 2 {
            let wanted = try #require(Int64(String(decoding: words[2], as: UTF8.self)))
            try #require(members.count == min(wanted, size), "\(shown)")
        }
        let removed = try stock.command([Array("SREM".utf8), words[1]] + members).integer
        try #require(removed == Int64(members.count), "\(shown)")
    }

    /// Checks what was chosen at random against the stock server's data and the shape of its reply.
    private func checkChoice(
        _ words: [[UInt8]], _ actual: Reply, _ expected: Reply, _ stock: RESPConnection,
        _ shown: String
    ) throws {
        try #require(actual.items?.count == expected.items?.count, "\(shown), not \(expected)")
        try #require(actual.isNull == expected.isNull, "\(shown), not \(expected)")
        guard !actual.isNull else { return }
        let isHash = words[0].first == UInt8(ascii: "h") || words[0].first == UInt8(ascii: "H")
        let showsValues = words.count == 4
        var elements = actual.items ?? [actual]
        if showsValues, elements.contains(where: { $0.items != nil }) {
            elements = elements.flatMap { $0.items ?? [] }
        }
        var chosen: [[UInt8]] = []
        for index in stride(from: 0, to: elements.count, by: showsValues ? 2 : 1) {
            let member = try #require(elements[index].bytes, "\(shown)")
            chosen.append(member)
            if showsValues {
                let value = try stock.command([Array("HGET".utf8), words[1], member])
                try #require(value.bytes == elements[index + 1].bytes, "\(shown)")
            } else {
                let ask = Array((isHash ? "HEXISTS" : "SISMEMBER").utf8)
                try #require(try stock.command([ask, words[1], member]) == .integer(1), "\(shown)")
            }
        }
        if words.count > 2, words[2].first != UInt8(ascii: "-") {
            try #require(Set(chosen).count == chosen.count, "\(shown)")
        }
    }

    private func compareData(
        _ ours: EngineHarness, _ connection: RESPConnection, _ seed: UInt64
    ) throws {
        #expect(try connection.command("DEBUG", "DIGEST").text == ours.digest, "seed \(seed)")
        let names = try connection.command("KEYS", "*").items?.compactMap(\.text) ?? []
        for name in names {
            let type = try connection.command("TYPE", name).text
            var encoding = ours.run("OBJECT", "ENCODING", name).text
            // Before 7.2 only integers were packed in sets.
            if type == "set", encoding == "listpack" { encoding = "hashtable" }
            let expected = try connection.command("OBJECT", "ENCODING", name).text
            #expect(encoding == expected, "seed \(seed), \(name)")
        }
    }

    // MARK: Encodings

    private func harness(_ limits: EngineLimits = EngineLimits()) -> EngineHarness {
        EngineHarness(Self.families, limits: limits)
    }

    private func encoding(_ harness: EngineHarness, _ key: String) -> String? {
        harness.run("OBJECT", "ENCODING", key).text
    }

    @Test("a set's encoding follows its members as in 7.2")
    func setEncodings() {
        let ours = harness(Self.limits)
        ours.run("SADD", "k", "1", "2", "3")
        #expect(encoding(ours, "k") == "intset")
        ours.run("SADD", "k", "a")
        #expect(encoding(ours, "k") == "listpack")
        ours.run("SADD", "k", "b")
        #expect(encoding(ours, "k") == "listpack")
        ours.run("SADD", "k", "a")
        #expect(encoding(ours, "k") == "listpack")
        ours.run("SADD", "k", "c")
        #expect(encoding(ours, "k") == "hashtable")
        ours.run("SREM", "k", "c", "b", "a")
        #expect(encoding(ours, "k") == "hashtable")

        ours.run("SADD", "i", "1", "2", "3", "4", "5", "6")
        #expect(encoding(ours, "i") == "intset")
        ours.run("SADD", "i", "7")
        #expect(encoding(ours, "i") == "hashtable")
        ours.run("SREM", "i", "7")
        // The result has few enough integers, whatever its source was.
        ours.run("SINTERSTORE", "j", "i", "i")
        #expect(encoding(ours, "j") == "intset")
        ours.run("SUNIONSTORE", "u", "j", "k")
        #expect(encoding(ours, "u") == "intset")

        ours.run("SADD", "l", "12345678901")
        #expect(encoding(ours, "l") == "intset")
        ours.run("SADD", "l", "x")
        #expect(encoding(ours, "l") == "hashtable", "an integer's digits count as bytes")
        ours.run("SADD", "m", "aaaaaaaaaaa")
        #expect(encoding(ours, "m") == "hashtable")
        // So many at once make it a table, though few are different.
        ours.run("SADD", "n", "a", "a", "a", "a", "a", "a")
        #expect(encoding(ours, "n") == "hashtable")
        ours.run("SADD", "o", "1")
        ours.run("SADD", "o", "1", "1", "1", "1", "1", "1", "1", "1")
        #expect(encoding(ours, "o") == "intset")
        ours.run("SADD", "o", "1", "1", "1", "1", "1", "1", "1", "2")
        #expect(encoding(ours, "o") == "hashtable")
    }

    @Test("a hash's encoding follows its fields")
    func hashEncodings() {
        let ours = harness(Self.limits)
        ours.run("HSET", "k", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6")
        #expect(encoding(ours, "k") == "listpack")
        ours.run("HSET", "k", "a", "7")
        #expect(encoding(ours, "k") == "listpack")
        ours.run("HSET", "k", "g", "7")
        #expect(encoding(ours, "k") == "hashtable")
        #expect(ours.run("HLEN", "k") == .integer(7))
        ours.run("HSET", "l", "a", "1")
        ours.run("HINCRBYFLOAT", "l", "a", "1000000000000")
        #expect(encoding(ours, "l") == "hashtable")
    }

    @Test("big sets and hashes hold what they were given, and COPY makes another")
    func big() {
        let ours = harness()
        for number in 0..<3000 {
            ours.run("SADD", "s", "member:\(number)")
            ours.run("HSET", "h", "field:\(number)", "value:\(number)")
        }
        #expect(ours.run("COPY", "h", "h2") == .integer(1))
        #expect(ours.run("COPY", "s", "s2") == .integer(1))
        #expect(ours.run("SDIFF", "s", "s2").items?.isEmpty == true)
        #expect(ours.run("SINTERCARD", "2", "s", "s2") == .integer(3000))
        #expect(ours.run("SINTERCARD", "2", "s", "s2", "LIMIT", "7") == .integer(7))
        for number in stride(from: 0, to: 3000, by: 2) {
            ours.run("SREM", "s", "member:\(number)")
            ours.run("HDEL", "h", "field:\(number)")
        }
        #expect(ours.run("HLEN", "h") == .integer(1500))
        #expect(ours.run("HLEN", "h2") == .integer(3000))
        #expect(ours.run("HGET", "h2", "field:2") == .bulk("value:2"))
        #expect(ours.run("SDIFFSTORE", "d", "s2", "s") == .integer(1500))
        #expect(ours.run("SPOP", "d", "1499").items?.count == 1499)
        #expect(ours.run("SCARD", "d") == .integer(1))
        #expect(ours.run("SRANDMEMBER", "s", "1400").items.map { Set($0).count } == 1400)
        #expect(ours.run("SRANDMEMBER", "s", "100").items.map { Set($0).count } == 100)
        #expect(ours.run("HRANDFIELD", "h", "100").items.map { Set($0).count } == 100)
        #expect(ours.run("SRANDMEMBER", "s", "-4000").items?.count == 4000)
        #expect(ours.run("SRANDMEMBER", "s", "-9223372036854775807").isError)
    }

    // MARK: Effects

    private func check(
        _ setup: [[String]], _ command: [String], logs expected: [[String]],
        limits: EngineLimits = EngineLimits()
    ) {
        let ours = harness(limits)
        for words in setup { ours.run(words) }
        let start = ours.loggedCount
        let reply = ours.run(command)
        #expect(ours.records(since: start) == expected, "\(command) → \(reply)")
    }

    @Test("what chance decided is logged as what came of it")
    func effects() {
        let one = [["SADD", "k", "a"]]
        check(one, ["SPOP", "k"], logs: [["SREM", "k", "a"]])
        check(one, ["SPOP", "k", "1"], logs: [["DEL", "k"]])
        check(one, ["SPOP", "k", "0"], logs: [])
        var lazily = EngineLimits()
        lazily.replacesLazily = true
        check(one, ["SPOP", "k", "5"], logs: [["UNLINK", "k"]], limits: lazily)
        check(one, ["SADD", "k", "a"], logs: [])
        check(one, ["SADD", "k", "a", "b"], logs: [["SADD", "k", "a", "b"]])
        check(one, ["SREM", "k", "b"], logs: [])
        check(one, ["SMOVE", "k", "l", "b"], logs: [])
        check(one, ["SMOVE", "k", "l", "a"], logs: [["SMOVE", "k", "l", "a"]])
        check(one, ["SINTERSTORE", "d", "k", "none"], logs: [])
        check(one, ["SINTERSTORE", "k", "k", "none"], logs: [["SINTERSTORE", "k", "k", "none"]])
        let hash = [["HSET", "h", "f", "1"]]
        check(hash, ["HSET", "h", "f", "1"], logs: [["HSET", "h", "f", "1"]])
        check(hash, ["HSETNX", "h", "f", "2"], logs: [])
        check(hash, ["HDEL", "h", "g"], logs: [])
        check(hash, ["HINCRBY", "h", "f", "2"], logs: [["HINCRBY", "h", "f", "2"]])
        check(hash, ["HINCRBYFLOAT", "h", "f", "0.5"], logs: [["HSET", "h", "f", "1.5"]])
    }

    @Test("popping many is logged in records of 1024 members, and replays to the same")
    func popMany() throws {
        for isInteger in [false, true] {
            var limits = EngineLimits()
            limits.encodings.setIntegersMax = 10_000
            let ours = harness(limits)
            ours.run(["SADD", "k"] + (0..<3000).map { isInteger ? "\($0)" : "m\($0)" })
            let start = ours.loggedCount
            #expect(ours.run("SPOP", "k", "2500").items.map { Set($0).count } == 2500)
            let records = ours.records(since: start).filter { $0[0] == "SREM" }
            #expect(records.map(\.count) == [1026, 1026, 454])
            #expect(ours.run("SCARD", "k") == .integer(500))
            #expect(try ours.replayed().digest == ours.digest)
        }
    }
}
