import HoldfastBytes
import Store
import TestSupport
import Testing

@testable import Engine
@testable import Log

@Suite("records of the log are applied to the keyspace")
struct RecordReplayerTests {
    private final class Rig {
        var dispatcher: Dispatcher
        var replayer = RecordReplayer()

        init() {
            let families = [StringCommands.table, KeyCommands.table, DatabaseCommands.table]
            dispatcher = Dispatcher(
                table: CommandTable(families: families),
                context: CommandContext(
                    keyspace: Keyspace(databases: 4, seed: 1), log: LogBuffer(start: .zero), seed: 1
                ))
        }

        /// Applies `bytes`; the fault, if there is one.
        func apply(_ bytes: [UInt8], database: Int = 0) -> RecordFault? {
            bytes.withSlice { records in
                let batch = RecordBatch(
                    records: records, firstLSN: .zero, milliseconds: 0, database: database,
                    beginsFile: true)
                do throws(RecordFault) {
                    try replayer.apply(batch, to: &dispatcher, now: 1_700_000_000_000)
                    return nil
                } catch {
                    return error
                }
            }
        }

        func keys(_ database: Int) -> [String] {
            var keys: [String] = []
            dispatcher.context.keyspace.forEach(database) { keys.append($0.key.text) }
            return keys.sorted()
        }
    }

    private static func record(_ words: String...) -> [UInt8] { Request.encode(words) }

    @Test("records go where SELECT or the batch says, and are counted")
    func databases() {
        let rig = Rig()
        let bytes =
            Self.record("SET", "a", "1") + Self.record("SELECT", "3") + Self.record("set", "b", "2")
            + Self.record("select", "0") + Self.record("MSET", "c", "3", "d", "4")
        #expect(rig.apply(bytes, database: 2) == nil)
        #expect(rig.keys(0) == ["c", "d"])
        #expect(rig.keys(2) == ["a"])
        #expect(rig.keys(3) == ["b"])
        #expect(rig.replayer.count == 3)
        #expect(rig.replayer.failedCount == 0)
        #expect(rig.dispatcher.context.log.count == 0, "a replay logs nothing")
    }

    @Test("a transaction's marks are no records, and more than a batch of records is applied")
    func many() {
        let rig = Rig()
        var bytes = Self.record("MULTI")
        for index in 0..<100 { bytes += Self.record("SET", "k\(index)", "v") }
        bytes += Self.record("EXEC")
        #expect(rig.apply(bytes) == nil)
        #expect(rig.replayer.count == 100)
        #expect(rig.keys(0).count == 100)
    }

    @Test("a record that fails as a command is counted and changes nothing")
    func failed() {
        let rig = Rig()
        let long = String(repeating: "x", count: 100)
        let bytes =
            Self.record("SET", "k", "text") + Self.record("INCR", "k")
            + Self.record("INCRBY", "k", long, "") + Self.record("SET", "l", "v")
        let fault = rig.apply(bytes)
        // A wrong number of words is no failure of a command but no command at all.
        #expect(fault?.offset == (Self.record("SET", "k", "text") + Self.record("INCR", "k")).count)
        #expect(rig.replayer.failedCount == 1)
        #expect(rig.replayer.firstFailure == "INCR k")
        #expect(rig.apply(Self.record("INCRBY", "k", long)) == nil)
        #expect(rig.replayer.failedCount == 2)
        #expect(rig.replayer.firstFailure == "INCR k", "the first one is kept")
        #expect(rig.apply(Self.record("SET", "l", "v")) == nil)
        #expect(rig.keys(0) == ["k", "l"])
    }

    @Test(
        "a database that isn't there is a fault, with the place",
        arguments: ["4", "-1", "x", "", "99999999999999999999", "01", "9223372036854775807"])
    func wrongDatabase(number: String) {
        let rig = Rig()
        let first = Self.record("SET", "k", "v")
        let fault = rig.apply(first + Self.record("SELECT", number) + first)
        #expect(
            fault
                == RecordFault(
                    offset: first.count, reason: "database \(number) is not configured"))
        #expect(rig.replayer.count == 1)
    }

    @Test("what names no command on data is a fault, also far behind")
    func unknown() {
        let good = Self.record("SET", "k", "v")
        for count in [0, 1, 31, 32, 33, 70] {
            for words in [["NOSUCH", "k"], ["SET", "k"], ["SELECT"], ["SELECT", "1", "2"], [""]] {
                let rig = Rig()
                let bytes = Array((0..<count).map { _ in good }.joined())
                let fault = rig.apply(bytes + Request.encode(words) + good)
                #expect(fault?.offset == bytes.count)
                #expect(
                    fault?.reason
                        == "unknown command '\(words[0])' or wrong number of arguments")
                #expect(rig.replayer.count == UInt64(count))
            }
        }
    }

    @Test("a record cut anywhere is a fault where it begins, and the next run is not hurt by it")
    func unfinished() {
        let good = Self.record("SET", "key", "value")
        let rig = Rig()
        for cut in 1..<good.count {
            let fault = rig.apply(good + good[..<cut])
            #expect(fault?.offset == good.count, "cut at \(cut)")
            #expect(rig.apply(good) == nil, "after a cut at \(cut)")
        }
        #expect(rig.apply(Array("*1\r\n+x\r\n".utf8))?.reason == "expected '$', got '+'")
        #expect(rig.apply(good) == nil)
        #expect(rig.apply([]) == nil)
    }
}
