import Engine
import HoldfastPlatform
import TestSupport
import Testing

@Suite("deadlines of fields")
struct FieldDeadlineTests {
    private static let now: Int64 = 1_700_000_000_000

    private func harness() -> EngineHarness {
        EngineHarness([
            StringCommands.table, KeyCommands.table, DatabaseCommands.table, HashCommands.table,
        ])
    }

    private func numbers(_ values: Int64...) -> Reply { .array(values.map { .integer($0) }) }

    @Test("each field gets an answer of its own")
    func answers() {
        let ours = harness()
        ours.run("HSET", "h", "a", "1", "b", "2", "c", "3")
        #expect(
            ours.run("HEXPIRE", "h", "10", "FIELDS", "3", "a", "none", "b") == numbers(1, -2, 1))
        #expect(ours.run("HTTL", "h", "FIELDS", "4", "a", "b", "c", "d") == numbers(10, 10, -1, -2))
        #expect(ours.run("HPTTL", "h", "FIELDS", "1", "a") == numbers(10_000))
        #expect(ours.run("HEXPIRETIME", "h", "FIELDS", "1", "a") == numbers(1_700_000_010))
        #expect(ours.run("HPEXPIRETIME", "h", "FIELDS", "1", "a") == numbers(1_700_000_010_000))
        #expect(ours.run("HPERSIST", "h", "FIELDS", "3", "a", "c", "d") == numbers(1, -1, -2))
        #expect(ours.run("HTTL", "h", "FIELDS", "1", "a") == numbers(-1))
        for words in [
            ["HEXPIRE", "none", "10", "FIELDS", "2", "a", "b"],
            ["HTTL", "none", "FIELDS", "2", "a", "b"],
            ["HPERSIST", "none", "FIELDS", "2", "a", "b"],
        ] { #expect(ours.run(words) == numbers(-2, -2)) }
        // What is left of a second counts as a whole one.
        ours.run("HPEXPIRE", "h", "1", "FIELDS", "1", "b")
        #expect(ours.run("HTTL", "h", "FIELDS", "1", "b") == numbers(1))
        #expect(ours.run("OBJECT", "ENCODING", "h") == .bulk("listpackex"))
    }

    @Test("NX, XX, GT and LT decide field by field")
    func conditions() {
        let ours = harness()
        ours.run("HSET", "h", "a", "1", "b", "2")
        func expire(_ seconds: Int, _ option: String) -> Reply {
            ours.run("HEXPIRE", "h", "\(seconds)", option, "FIELDS", "2", "a", "b")
        }
        ours.run("HEXPIRE", "h", "10", "FIELDS", "1", "a")
        #expect(expire(20, "XX") == numbers(1, 0))
        #expect(expire(20, "GT") == numbers(0, 0))
        #expect(expire(30, "gt") == numbers(1, 0))
        #expect(expire(30, "lt") == numbers(0, 1))
        #expect(expire(5, "NX") == numbers(0, 0))
        #expect(expire(5, "LT") == numbers(1, 1))
        #expect(expire(0, "NX") == numbers(0, 0))
        #expect(expire(0, "LT") == numbers(2, 2))
        #expect(ours.run("EXISTS", "h") == .integer(0))
    }

    @Test("what is wrong is refused with Redis's words")
    func refusals() {
        let ours = harness()
        ours.run("HSET", "h", "a", "1")
        ours.run("SET", "s", "x")
        let expected = [
            ("ERR invalid expire time, must be >= 0", "HEXPIRE h -1 FIELDS 1 a"),
            ("ERR value is not an integer or out of range", "HEXPIRE h x FIELDS 1 a"),
            ("ERR invalid expire time in 'hexpire' command", "HEXPIRE h 70368744177664 FIELDS 1 a"),
            (
                "ERR invalid expire time in 'hpexpireat' command",
                "HPEXPIREAT h 70368744177664 FIELDS 1 a"
            ),
            (
                "ERR Mandatory argument FIELDS is missing or not at the right position",
                "HEXPIRE h 10 FIELD 1 a"
            ),
            ("ERR Parameter `numFields` should be greater than 0", "HEXPIRE h 10 FIELDS 0 a"),
            (
                "ERR The `numfields` parameter must match the number of arguments",
                "HEXPIRE h 10 FIELDS 2 a"
            ),
            ("ERR Number of fields must be a positive integer", "HTTL h FIELDS 0 a"),
            (
                "ERR The `numfields` parameter must match the number of arguments",
                "HPERSIST h FIELDS 2 a"
            ),
            ("ERR wrong number of arguments for 'hexpire' command", "HEXPIRE h 10 FIELDS 1"),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                "HEXPIRE s 10 FIELDS 1 a"
            ),
        ]
        for (text, words) in expected {
            #expect(refused(words: words.split(separator: " ").map(String.init), ours) == text)
        }
        #expect(
            ours.run("HPEXPIREAT", "h", "70368744177663", "FIELDS", "1", "a") == numbers(1))
    }

    private func refused(words: [String], _ ours: EngineHarness) -> String {
        let reply = ours.run(words)
        return reply.isError ? reply.text ?? "" : "\(reply)"
    }

    @Test("setting a field takes its deadline away, counting keeps it")
    func setting() throws {
        let ours = harness()
        ours.run("HSET", "h", "a", "1", "b", "2", "c", "3", "d", "4")
        ours.run("HEXPIRE", "h", "10", "FIELDS", "4", "a", "b", "c", "d")
        ours.run("HSET", "h", "a", "1")
        ours.run("HINCRBY", "h", "b", "1")
        ours.run("HINCRBYFLOAT", "h", "c", "0.25")
        ours.run("HMSET", "h", "d", "5")
        let deadlines = ours.run("HTTL", "h", "FIELDS", "4", "a", "b", "c", "d")
        #expect(deadlines == numbers(-1, 10, 10, -1))
        let twin = try ours.replayed()
        #expect(twin.digest == ours.digest)
        #expect(twin.run("HTTL", "h", "FIELDS", "4", "a", "b", "c", "d") == deadlines)
    }

    @Test("a field is gone when its deadline is past, and the key with its last field")
    func expiry() throws {
        let ours = harness()
        for isRead in [true, false] {
            ours.run("HSET", "h", "a", "1", "b", "2", "c", "3")
            ours.run("HPEXPIRE", "h", "100", "FIELDS", "1", "a")
            ours.run("HPEXPIRE", "h", "200", "FIELDS", "2", "b", "c")
            ours.now += 101
            let start = ours.loggedCount
            if isRead {
                #expect(ours.run("HGET", "h", "a") == .null)
            } else {
                #expect(ours.expireDue() == 1)
            }
            #expect(ours.records(since: start) == [["HDEL", "h", "a"]])
            #expect(ours.run("HLEN", "h") == .integer(2))
            #expect(
                ours.run("HKEYS", "h").unordered == Reply.array([.bulk("b"), .bulk("c")]).unordered)
            ours.now += 100
            if isRead {
                #expect(ours.run("HLEN", "h") == .integer(0))
            } else {
                #expect(ours.expireDue() == 2)
            }
            #expect(ours.run("EXISTS", "h") == .integer(0))
            #expect(try ours.replayed(at: 0).digest == ours.digest)
        }
    }

    @Test("deadlines of fields follow the key through COPY, RENAME, MOVE, SWAPDB and DEL")
    func keys() {
        let ours = harness()
        func fill(_ key: String) {
            ours.run("HSET", key, "a", "1", "b", "2")
            ours.run("HEXPIRE", key, "10", "FIELDS", "1", "a")
        }
        fill("h")
        ours.run("COPY", "h", "copied")
        ours.run("RENAME", "h", "renamed")
        fill("moved")
        ours.run("MOVE", "moved", "1")
        fill("gone")
        ours.run("DEL", "gone")
        fill("replaced")
        ours.run("SET", "replaced", "x")
        fill("kept")
        ours.run("EXPIRE", "kept", "100")
        ours.run("PERSIST", "kept")
        ours.run("SWAPDB", "0", "1")
        ours.now += 10_001
        #expect(ours.expireDue() == 4)
        ours.database = 1
        for key in ["copied", "renamed", "kept"] {
            #expect(ours.run("HGETALL", key).items?.count == 2, "\(key)")
        }
        ours.database = 0
        #expect(ours.run("HGETALL", "moved").items?.count == 2)
        #expect(ours.expireDue() == 0)
    }

    @Test("what is logged is a point in time, with the fields that were changed")
    func effects() {
        func check(_ command: String, logs expected: String...) {
            let ours = harness()
            ours.run("HSET", "h", "a", "1", "b", "2")
            ours.run("HEXPIRE", "h", "10", "FIELDS", "1", "a")
            let start = ours.loggedCount
            ours.run(command.split(separator: " ").map(String.init))
            let records = ours.records(since: start).filter { $0 != ["MULTI"] && $0 != ["EXEC"] }
            #expect(
                records == expected.map { $0.split(separator: " ").map(String.init) }, "\(command)")
        }
        check(
            "HEXPIRE h 20 FIELDS 3 a x b", logs: "HPEXPIREAT h 1700000020000 FIELDS 2 a b")
        check("HEXPIRE h 20 NX FIELDS 2 a b", logs: "HPEXPIREAT h 1700000020000 NX FIELDS 1 b")
        check("HEXPIRE h 20 FIELDS 2 a a", logs: "HPEXPIREAT h 1700000020000 FIELDS 1 a")
        check("HEXPIRE h 5 GT FIELDS 1 a")
        check("HPEXPIREAT h 1 FIELDS 1 b", logs: "HDEL h b")
        check("HPEXPIREAT h 1 FIELDS 2 a b", logs: "HDEL h a b")
        check("HPERSIST h FIELDS 1 b")
        check("HPERSIST h FIELDS 2 a b", logs: "HPERSIST h FIELDS 2 a b")
        check(
            "HINCRBYFLOAT h a 1.5", logs: "HSET h a 2.5", "HPEXPIREAT h 1700000010000 FIELDS 1 a")
    }

    @Test("random commands with deadlines do what a plain dictionary does", arguments: 1...10)
    func model(seed: UInt64) throws {
        struct Field: Equatable {
            var value: Int
            var deadline: Int64?
        }
        var random = PRNG(seed: seed)
        let ours = harness()
        var model: [String: [String: Field]] = [:]
        func forget() {
            for key in model.keys {
                model[key] = model[key]?.filter { ($0.value.deadline ?? .max) >= ours.now }
                if model[key]?.isEmpty == true { model[key] = nil }
            }
        }
        let universe = seed % 2 == 0 ? 6 : 800
        for step in 0..<4000 {
            let key = "h\(random.below(2))"
            let field = "f\(random.below(universe))"
            if random.oneIn(4) { ours.now += Int64(random.below(40)) }
            if random.oneIn(7) { ours.expireDue(limit: 1 + random.below(3)) }
            forget()
            let old = model[key]?[field]
            switch random.below(8) {
            case 0..<3:
                ours.run("HSET", key, field, "\(step)")
                model[key, default: [:]][field] = Field(value: step, deadline: nil)
            case 3..<5:
                let time = random.below(400)
                let reply = ours.run("HPEXPIRE", key, "\(time)", "FIELDS", "1", field)
                #expect(reply == numbers(old == nil ? -2 : time == 0 ? 2 : 1))
                if old != nil {
                    // A time that has come already deletes at once.
                    model[key]?[field]?.deadline = time == 0 ? .min : ours.now + Int64(time)
                    forget()
                }
            case 5:
                let reply = ours.run("HPERSIST", key, "FIELDS", "1", field)
                #expect(reply == numbers(old == nil ? -2 : old?.deadline == nil ? -1 : 1))
                model[key]?[field]?.deadline = nil
            case 6:
                #expect(ours.run("HDEL", key, field) == .integer(old == nil ? 0 : 1))
                model[key]?[field] = nil
                forget()
            default:
                let reply = ours.run("HGET", key, field)
                #expect(reply == (old.map { .bulk("\($0.value)") } ?? .null), "step \(step)")
            }
            if step % 200 == 0 { ours.checkInvariants() }
        }
        ours.expireDue()
        forget()
        for key in ["h0", "h1"] {
            #expect(ours.run("HLEN", key) == .integer(Int64(model[key]?.count ?? 0)))
            for (field, state) in model[key] ?? [:] {
                #expect(ours.run("HGET", key, field) == .bulk("\(state.value)"))
                let deadline = ours.run("HPEXPIRETIME", key, "FIELDS", "1", field)
                #expect(deadline == numbers(state.deadline ?? -1))
            }
        }
        let twin = try ours.replayed(at: 0)
        #expect(twin.digest == ours.digest)
    }
}
