import HoldfastBytes
import HoldfastPlatform
import HoldfastRESP
import Log
import Store
import Testing

@testable import Engine

@Suite("keys that are watched or not yet durable")
struct WatchTests {
    /// A dispatcher that runs words as units.
    private final class Rig {
        var dispatcher: Dispatcher
        private var batch = CommandBatch()

        init() {
            let families = [StringCommands.table, KeyCommands.table, DatabaseCommands.table]
            let context = CommandContext(
                keyspace: Keyspace(databases: 4, seed: 1), log: LogBuffer(start: .zero), seed: 1)
            dispatcher = Dispatcher(table: CommandTable(families: families), context: context)
        }

        func run(_ words: String..., database: Int = 0) {
            batch.appendCommand(words.map { Array($0.utf8) })
            dispatcher.prepare(&batch, database: database)
            dispatcher.context.database = database
            dispatcher.beginUnit(at: 1000)
            dispatcher.run(
                row: Int(batch[0].row), batch.arguments(of: 0), keyHash: batch[0].keyHash,
                canonical: ByteSlice())
            dispatcher.endUnit()
            batch.removeAll()
        }

        func mark(_ key: String, _ database: Int = 0) -> UInt64 {
            key.withSlice {
                Keyspace.touchMark(dispatcher.context.keyspace.hash($0), database: database)
            }
        }

        /// Whether a transaction that watches `key` fails after `change`.
        func isDirtied(_ key: String, _ database: Int = 0, by change: () -> Void) -> Bool {
            let watcher = WatchTable.Watcher()
            dispatcher.watches.watch(mark(key, database), watcher)
            dispatcher.updateRecording()
            change()
            defer {
                dispatcher.watches.unwatch(watcher)
                dispatcher.updateRecording()
            }
            return watcher.isDirty
        }
    }

    @Test("a change of the key fails a transaction, a change of another doesn't")
    func single() {
        let rig = Rig()
        rig.run("SET", "k", "v")
        #expect(rig.isDirtied("k") { rig.run("SET", "k", "v") })
        #expect(!rig.isDirtied("k") { rig.run("SET", "l", "v") })
        #expect(!rig.isDirtied("k") { rig.run("GET", "k") })
        #expect(!rig.isDirtied("k", 1) { rig.run("SET", "k", "v") })
        #expect(rig.isDirtied("k") { rig.run("EXPIRE", "k", "1000") })
        #expect(rig.isDirtied("m") { rig.run("RENAME", "k", "m") })
        #expect(rig.isDirtied("m") { rig.run("MOVE", "m", "2") })
        #expect(rig.isDirtied("m", 3) { rig.run("COPY", "m", "m", "DB", "3", database: 2) })
    }

    @Test("emptying and exchanging databases fails those that watch a key which is or was there")
    func whole() {
        let rig = Rig()
        func fill() {
            rig.run("SET", "here", "v")
            rig.run("SET", "there", "v", database: 1)
        }
        fill()
        #expect(rig.isDirtied("here") { rig.run("FLUSHDB") })
        fill()
        #expect(!rig.isDirtied("gone") { rig.run("FLUSHDB") })
        fill()
        #expect(!rig.isDirtied("there", 1) { rig.run("FLUSHDB") })
        #expect(rig.isDirtied("there", 1) { rig.run("FLUSHALL", "SYNC") })
        #expect(!rig.isDirtied("there", 1) { rig.run("FLUSHALL") })
        fill()
        #expect(rig.isDirtied("here") { rig.run("SWAPDB", "0", "1") })
        #expect(rig.isDirtied("here") { rig.run("SWAPDB", "1", "0") })
        #expect(rig.isDirtied("here", 1) { rig.run("SWAPDB", "1", "0") })
        #expect(!rig.isDirtied("gone") { rig.run("SWAPDB", "1", "0") })
        #expect(!rig.isDirtied("here", 2) { rig.run("SWAPDB", "1", "0") })
        #expect(!rig.isDirtied("here") { rig.run("SWAPDB", "0", "0") })
    }

    @Test("after a whole database changed, every key waits for the disk until that is durable")
    func gateForWholeDatabases() {
        let rig = Rig()
        rig.dispatcher.undurable.isOn = true
        rig.dispatcher.updateRecording()
        rig.run("SET", "k", "v")
        let first = rig.dispatcher.context.log.appended
        #expect(rig.dispatcher.undurable.gate(rig.mark("k")) == first)
        #expect(rig.dispatcher.undurable.gate(rig.mark("other")) == nil)
        rig.run("FLUSHALL")
        let second = rig.dispatcher.context.log.appended
        #expect(rig.dispatcher.undurable.gate(rig.mark("k")) == second)
        #expect(rig.dispatcher.undurable.gate(rig.mark("other")) == second)
        #expect(rig.dispatcher.undurable.gateForAll == second)
        rig.dispatcher.undurable.acknowledged(upTo: first)
        #expect(rig.dispatcher.undurable.gate(rig.mark("other")) == second)
        rig.run("SET", "k", "v")
        let third = rig.dispatcher.context.log.appended
        #expect(rig.dispatcher.undurable.gate(rig.mark("k")) == third)
        rig.dispatcher.undurable.acknowledged(upTo: second)
        #expect(rig.dispatcher.undurable.gate(rig.mark("other")) == nil)
        #expect(rig.dispatcher.undurable.gate(rig.mark("k")) == third)
        rig.dispatcher.undurable.acknowledged(upTo: third)
        #expect(rig.dispatcher.undurable.gate(rig.mark("k")) == nil)
        #expect(rig.dispatcher.undurable.isEmpty == true)
    }

    @Test("a key gates until its newest change is acknowledged, whatever comes after")
    func newestChange() {
        var keys = UndurableKeys()
        keys.isOn = true
        var lsn = LSN.zero
        for round in 0..<100 as Range<UInt64> {
            // Marks are told apart by their top bits.
            for key in 0..<10 as Range<UInt64> {
                lsn = lsn.advanced(by: 1)
                keys.note((round * 10 + key) << 50, until: lsn)
            }
            let acknowledged = LSN(round < 2 ? 0 : (round - 2) * 10)
            keys.acknowledged(upTo: acknowledged)
            for earlier in 0...round {
                let noted = LSN(earlier * 10 + 1)
                let gate = keys.gate(earlier * 10 << 50)
                #expect(gate == (noted > acknowledged ? noted : nil))
            }
            #expect(keys.gate(1_500 << 50) == nil, "a key that nobody changed")
            #expect(keys.gateForAll == lsn)
        }
        keys.acknowledged(upTo: lsn)
        #expect(keys.isEmpty == true)
        #expect(keys.gateForAll == nil)
    }

    @Test("keys that share a cell wait for the newer change, never for less")
    func sharedCell() {
        var keys = UndurableKeys()
        keys.note(7, until: LSN(10))
        keys.note(8, until: LSN(20))
        #expect(keys.gate(7) == LSN(20))
        keys.acknowledged(upTo: LSN(10))
        #expect(keys.gate(7) == LSN(20))
        keys.acknowledged(upTo: LSN(20))
        #expect(keys.gate(7) == nil)
    }
}
