import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("The keyspace")
struct KeyspaceTests {
    @Test("agrees with a model through all its doors", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func model(seed: UInt64) {
        var keyspace = Keyspace(databases: 3, seed: seed)
        var driver = KeyspaceDriver(seed: seed, databases: 3)
        driver.universe = [20, 300, 3000][Int(seed % 3)]
        for step in 0..<6000 {
            driver.step(&keyspace)
            if step % 1000 == 999 {
                keyspace.checkInvariants()
                #expect(KeyspaceModel(keyspace) == driver.model, "seed \(seed), step \(step)")
                for database in 0..<3 {
                    #expect(keyspace.count(database) == driver.model.databases[database].count)
                    let deadlines = driver.model.databases[database].values.compactMap(\.deadline)
                    #expect(keyspace.deadlineCount(database) == deadlines.count)
                    #expect(keyspace.nextDeadline(database) == deadlines.min())
                }
            }
        }
        keyspace.freeRetired(limit: .max)
        #expect(keyspace.retiredCount == 0)
    }

    @Test("chooses a string's encoding as Redis does")
    func encodings() {
        var keyspace = Keyspace(databases: 1, seed: 1)
        let cases: [(String, Encoding)] = [
            ("0", .int), ("-1", .int), ("9223372036854775807", .int),
            ("-9223372036854775808", .int),
            ("9223372036854775808", .embstr), ("-9223372036854775809", .embstr), ("-0", .embstr),
            ("+1", .embstr), ("01", .embstr), (" 1", .embstr), ("1 ", .embstr), ("", .embstr),
            ("1.0", .embstr), (String(repeating: "a", count: 44), .embstr),
            (String(repeating: "a", count: 45), .raw),
            (String(repeating: "a", count: Keyspace.inlineMax), .raw),
            (String(repeating: "a", count: Keyspace.inlineMax + 1), .raw),
        ]
        for (text, encoding) in cases {
            "k".withSlice { key in
                text.withSlice {
                    keyspace.setString(keyspace.hashed(key), 0, to: $0, deadline: .clear)
                }
            }
            let expected = KeyspaceModel.Value(bytes: Array(text.utf8), encoding: encoding)
            #expect(keyspace.value(Array("k".utf8), 0) == expected)
        }
    }

    @Test("hands out what is due, the earliest first, and only that")
    func due() {
        var keyspace = Keyspace(databases: 2, seed: 3)
        var random = PRNG(seed: 3)
        var deadlines: [Int64] = []
        for number in 0..<500 {
            let deadline = Int64(random.below(100))
            deadlines.append(deadline)
            "k\(number)".withSlice { key in
                keyspace.setInteger(keyspace.hashed(key), 1, to: 1, deadline: .set(deadline))
            }
        }
        for now in [Int64(-1), 10, 50, 100] {
            var given: [Int64] = []
            while let entry = keyspace.firstDue(1, at: now) {
                given.append(entry.deadline ?? -1)
                keyspace.remove(keyspace.hashed(entry.key), 1)
            }
            #expect(given == deadlines.filter { $0 < now }.sorted())
            deadlines.removeAll { $0 < now }
        }
        #expect(keyspace.firstDue(0, at: .max) == nil)
    }

    @Test("notes changed keys for those who watch, and whole databases by their watched keys")
    func touched() {
        var keyspace = Keyspace(databases: 2, seed: 5)
        func mark(_ name: String, _ database: Int) -> UInt64 {
            name.withSlice { Keyspace.touchMark(keyspace.hash($0), database: database) }
        }
        "here".withSlice { keyspace.setInteger(keyspace.hashed($0), 0, to: 1, deadline: .clear) }
        #expect(keyspace.touched == [])
        keyspace.recordsTouched = true
        "here".withSlice { keyspace.setInteger(keyspace.hashed($0), 0, to: 2, deadline: .clear) }
        #expect(keyspace.touched == [mark("here", 0)])
        #expect(keyspace.hasTouchedAll == false)
        keyspace.forgetTouched()

        keyspace.watchedMarks = [mark("here", 0), mark("here", 1), mark("gone", 0)]
        keyspace.swapDatabases(0, 1, now: 0)
        #expect(Set(keyspace.touched) == [mark("here", 0), mark("here", 1)])
        #expect(keyspace.hasTouchedAll == true)
        keyspace.forgetTouched()

        keyspace.removeAll(0)
        #expect(keyspace.touched == [], "database 0 was empty")
        keyspace.removeAll(1)
        #expect(keyspace.touched == [mark("here", 1)])
    }

    @Test("an emptied database's memory goes back in bounded steps")
    func emptying() {
        var keyspace = Keyspace(databases: 1, seed: 8)
        let count = 30_000
        for number in 0..<count {
            "key:\(number)".withSlice { key in
                let deadline = DeadlineChange.set(Int64(number))
                keyspace.setInteger(keyspace.hashed(key), 0, to: 1, deadline: deadline)
            }
        }
        #expect(keyspace.removeAll(0) == count)
        #expect(keyspace.count(0) == 0)
        #expect(keyspace.nextDeadline(0) == nil)
        #expect(keyspace.retiredCount > count / 2)
        var turns = 0
        while keyspace.retiredCount > 0 {
            let before = keyspace.retiredCount
            keyspace.freeRetired(limit: 256)
            #expect(before - keyspace.retiredCount < 256 + 2 * Table.slotsPerPage)
            turns += 1
        }
        #expect(turns > 10)
    }

    @Test("a short key with a short value takes one block without waste")
    func entrySizes() {
        var keyspace = Keyspace(databases: 1, seed: 2)
        func bytes(_ key: Int, _ value: Int, _ deadline: DeadlineChange = .clear) -> Int {
            String(repeating: "k", count: key).withSlice { key in
                String(repeating: "v", count: value).withSlice {
                    keyspace.setString(keyspace.hashed(key), 0, to: $0, deadline: deadline)
                }
                return keyspace.find(keyspace.hashed(key), 0)?.memoryBytes ?? 0
            }
        }
        // glibc's blocks give 8 more than a multiple of 16, jemalloc's classes begin at 8 and 16.
        #expect(bytes(16, 32) <= 72)
        #expect(bytes(16, 24, .set(1)) <= 72)
        #expect(bytes(16, 64) <= 104)
        #expect(bytes(1, 1) <= 24)
        #expect(bytes(16, 1024) <= 1064)
        #expect(bytes(16, 1025) <= 1025 + 16 + 24 + 24 + 32)
        #expect(bytes(70_000, 1) <= 70_000 + 64)
    }
}
