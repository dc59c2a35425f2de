import Engine
import Foundation
import HoldfastPlatform
import Store
import TestSupport
import Testing

private let families = [
    StringCommands.table, KeyCommands.table, SetCommands.table, HashCommands.table,
    SortedSetCommands.table, ListCommands.table, SortCommands.table,
]

@Suite("SORT")
struct SortCommandsTests {
    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        let stock = try StockServer()
        let connections = [2: try stock.connect(version: 2), 3: try stock.connect(version: 3)]
        guard let plain = connections[2] else { return }
        var compared = 0
        var errors = 0
        for seed in 1...80 as ClosedRange<UInt64> {
            var generator = CommandGenerator(seed: seed)
            var random = PRNG(seed: seed)
            let ours = EngineHarness(families)
            try plain.command("FLUSHALL")
            for number in 0..<300 {
                let (words, isAmbiguous) = generator.sortCommand()
                let version = random.oneIn(2) ? 3 : 2
                guard let connection = connections[version] else { continue }
                ours.now = SystemClock().wallMilliseconds
                let actual = ours.run(words, version: version)
                let expected = try connection.command(words)
                compared += 1
                if actual.isError { errors += 1 }
                let note =
                    "seed \(seed), command \(number), RESP\(version): \(Request.shown(words))"
                if isAmbiguous, let mine = actual.items, let others = expected.items {
                    try #require(mine.count == others.count, "\(note) → \(mine), not \(others)")
                } else {
                    try #require(actual == expected, "\(note) → \(actual), not \(expected)")
                }
            }
            let twin = try ours.replayed()
            for key in ["d0", "d1", "list0", "list1"] {
                let expected = try plain.command("lrange", key, "0", "-1")
                #expect(ours.run("lrange", key, "0", "-1") == expected, "seed \(seed), \(key)")
                #expect(twin.run("lrange", key, "0", "-1") == expected, "seed \(seed), \(key)")
            }
        }
        print("\(compared) replies compared with stock's, \(errors) of them errors")
    }

    private func filled() -> EngineHarness {
        let harness = EngineHarness(families)
        harness.run("rpush", "l", "3", "1", "2", "1")
        harness.run("sadd", "s", "b", "a", "c")
        harness.run("zadd", "z", "3", "a", "2", "b", "1", "c")
        harness.run("mset", "w_1", "30", "w_2", "20", "w_3", "10")
        return harness
    }

    @Test(
        "only what is stored is logged, and only if it changes something",
        arguments: [
            ("sort l", ""),
            ("sort l store d", "sort l store d"),
            ("sort l store l", "sort l store l"),
            ("sort l limit 9 1 store d", ""),
            ("sort l limit 9 1 store s", "sort l limit 9 1 store s"),
            ("sort none store d", ""),
            ("sort none store z", "sort none store z"),
            ("sort s by nosort store d", "sort s by nosort store d"),
            ("sort_ro l by w_* get # get w_*", ""),
            ("sort s store d", ""),
        ])
    func effects(command: String, logged: String) throws {
        let harness = filled()
        let words = command.split(separator: " ").map(String.init)
        let expected = logged.isEmpty ? [] : [logged.split(separator: " ").map(String.init)]
        #expect(harness.effects(of: words) == expected)
        let twin = try harness.replayed()
        for key in ["l", "d"] {
            #expect(twin.run("lrange", key, "0", "-1") == harness.run("lrange", key, "0", "-1"))
        }
    }

    @Test("weights that have expired count as missing, and their deletion is logged first")
    func expired() {
        let harness = filled()
        harness.run("pexpire", "w_3", "10")
        harness.now += 11
        #expect(
            harness.effects(of: ["sort", "l", "by", "w_*", "get", "w_*", "store", "d"])
                == [
                    ["MULTI"], ["DEL", "w_3"],
                    ["sort", "l", "by", "w_*", "get", "w_*", "store", "d"], ["EXEC"],
                ])
        let stored = harness.run("lrange", "d", "0", "-1").items?.compactMap(\.text)
        #expect(stored == ["", "20", "30", "30"])
    }

    @Test("numbers that no double can hold are refused")
    func range() {
        let harness = EngineHarness(families)
        for text in ["1e400", "1e-320", "nan", "1 "] {
            harness.run("rpush", "k", text)
            #expect(
                harness.run("sort", "k")
                    == .error("ERR One or more scores can't be converted into double"), "\(text)")
            harness.run("del", "k")
        }
    }

    @Test("members of a set whose weights are equal are stored in the order of their bytes")
    func ties() {
        let harness = filled()
        harness.run("sort", "s", "by", "none_*", "alpha", "store", "d")
        let stored = harness.run("lrange", "d", "0", "-1").items?.compactMap(\.text)
        #expect(stored == ["a", "b", "c"])
    }
}
