import HoldfastBytes
import HoldfastRESP
import Replication
import Testing

@Suite("units of a primary's stream")
struct StreamUnitsTests {
    private func record(_ words: String...) -> [UInt8] {
        Array(
            ("*\(words.count)\r\n"
                + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
    }

    @Test("however the bytes come, whole units are found and nothing else", arguments: 1...80)
    func cuts(size: Int) throws {
        let parts = [
            record("SELECT", "3"), record("SET", "a", String(repeating: "x", count: 100)),
            record("MULTI") + record("SELECT", "5") + record("INCR", "n") + record("EXEC"),
            record("ping"), record("multi") + record("del", "a") + record("exec"),
        ]
        let databases = [3, 3, 5, 5, 5]
        let ends = parts.indices.map { parts[...$0].reduce(0) { $0 + $1.count } }
        let all = parts.flatMap { $0 }
        var units = StreamUnits(database: 0)
        var batch = CommandBatch()
        var input: [UInt8] = []
        var applied = 0
        for start in stride(from: 0, to: all.count, by: size) {
            input += all[start..<min(start + size, all.count)]
            let come = min(start + size, all.count)
            let whole = try input.withSlice { slice throws(StreamUnits.Fault) in
                try units.scan(slice, into: &batch) { _ in nil }
            }
            let due = ends.last { $0 <= come } ?? 0
            #expect(applied + whole == due)
            if due > 0 { #expect(units.database == databases[ends.firstIndex(of: due)!]) }
            // Now and then some are left for later.
            if start % 3 != 0 {
                input.removeFirst(whole)
                units.applied(whole)
                applied += whole
            }
        }
        #expect(applied + units.whole == all.count)
    }

    @Test(
        "what no log may hold is a fault, and what stands before it is whole",
        arguments: [
            "PING\r\n", "\r\n", "\n", "*0\r\n", "*-1\r\n", "*1\r\n$04\r\nPING\r\n",
            "*1\r\n:4\r\n", "*x\r\n", "$4\r\nPING\r\n", "*1\r\n$-1\r\n", "*1\n$4\nPING\n",
            "*1\r\n$4\r\nPINGxx", "*1\r\n$999999999999\r\n", "*99999999999\r\n",
            "*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n",
            "*2\r\n$3\r\nbad\r\n$1\r\nx\r\n",
        ])
    func faults(text: String) throws {
        let good = record("SET", "k", "v")
        let input = good + Array(text.utf8) + record("SET", "k", "v")
        var units = StreamUnits(database: 0)
        var batch = CommandBatch()
        #expect(throws: StreamUnits.Fault.self) {
            _ = try input.withSlice { slice throws(StreamUnits.Fault) in
                try units.scan(slice, into: &batch) {
                    $0[0].equalsIgnoringCase("bad") ? "no such command" : nil
                }
            }
        }
        #expect(units.whole == good.count)
    }

    @Test("many records at once, more than a batch takes")
    func many() throws {
        let input = (0..<1000).flatMap { record("SET", "k\($0)", "v") }
        var units = StreamUnits(database: 0)
        var batch = CommandBatch()
        var judged = 0
        let whole = try input.withSlice { slice throws(StreamUnits.Fault) in
            try units.scan(slice, into: &batch) { _ in
                judged += 1
                return nil
            }
        }
        #expect(whole == input.count && judged == 1000)
    }
}
