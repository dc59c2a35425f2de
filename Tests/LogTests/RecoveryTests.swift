import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Log

/// A small folder with everything in it: three segments, one that opens in database 3, transactions,
/// durable LSNs that lag, zeros at the end.
private func completeFolder(zeros: Int = 24) -> FolderBuilder {
    var folder = FolderBuilder(lsn: 1000)
    folder.segment(4)
    folder.batch(record("SET", "a", "1"))
    folder.batch(durable: 1000, record("SET", "b", "22"), record("SELECT", "3"))
    folder.segment(5, database: 3)
    folder.batch(record("MULTI"), record("INCR", "n"), record("INCR", "n"), record("EXEC"))
    folder.batch(record("SET", "c", "#HFB 1 2 3\r\n"))
    folder.manifest.durable = LSN(folder.lsn)
    folder.segment(6, database: 3)
    folder.batch(record("SET", "d", "4"))
    let first = folder.lsn
    folder.batch(durable: first, record("SELECT", "0"), record("DEL", "a"))
    folder.batch(durable: first, record("MULTI"), record("SET", "e", "5"), record("EXEC"))
    folder.batch(durable: first, record("SET", "f", "6"))
    folder.raw([UInt8](repeating: 0, count: zeros))
    folder.writeManifest()
    return folder
}

@Suite("recovery of a folder of ours")
struct RecoveryTests {
    @Test("all records come back in order, with place, time and database")
    func roundTrip() throws {
        let folder = completeFolder()
        let disk = MemoryDisk(folder.contents)
        let loaded = try recover(disk)
        #expect(loaded.records == folder.records)
        #expect(loaded.firstLSNs == folder.batches.map(\.firstLSN))
        #expect(loaded.databases == [0, 0, 3, 3, 3, 3, 0, 0])
        #expect(loaded.beginnings == [true, false, true, false, true, false, false, false])
        let log = loaded.log
        #expect(log.end == LSN(folder.lsn))
        #expect(log.history == testHistory)
        #expect(log.database == 0)
        #expect(log.nextSegment == 7)
        #expect(log.lastMilliseconds == folder.milliseconds)
        #expect(log.cut == nil)
        #expect(!log.isFresh)
        #expect(log.manifest.lines == folder.manifest.lines)
        #expect(log.manifest.durable == log.end)
        #expect(log.files.map(\.batches) == [2, 2, 4])
        #expect(log.files.map(\.firstLSN) == folder.manifest.lines.map(\.firstLSN))
    }

    @Test("the preallocated zeros are taken off, and nothing else changes")
    func trimming() throws {
        let disk = MemoryDisk(completeFolder(zeros: 4096).contents)
        _ = try recover(disk)
        #expect(disk.contents == completeFolder(zeros: 0).contents)
    }

    @Test("an inspection changes nothing and takes no lock")
    func inspection() throws {
        var folder = completeFolder(zeros: 0)
        folder.raw(Array("#HFB torn".utf8))
        let disk = MemoryDisk(folder.contents)
        let lock = try disk.lock(testFolder.path)
        let loaded = try recover(disk, inspects: true)
        lock.close()
        #expect(disk.contents == folder.contents)
        #expect(loaded.records == folder.records)
        #expect(loaded.log.cut?.bytes == 9)
    }

    @Test("a folder in use is refused")
    func locked() throws {
        let disk = MemoryDisk(completeFolder().contents)
        let held = try disk.lock(testFolder.path)
        #expect(throws: LogReadError.locked(folder: "/d/appendonlydir")) { try recover(disk) }
        held.close()
        _ = try recover(disk)
    }

    @Test("the newest segment cut anywhere gives a prefix, or is refused below what was durable")
    func everyCutOfTheNewest() throws {
        let folder = completeFolder()
        let name = testFolder.path(of: testFolder.segmentName(6))
        let bytes = try #require(folder.contents.files[name])
        let inNewest = folder.batches.filter { $0.file == name }
        for kept in 0..<bytes.count {
            var contents = folder.contents
            contents.files[name] = Array(bytes.prefix(kept))
            let disk = MemoryDisk(contents)
            let whole = inNewest.filter {
                kept >= end(of: $0, in: bytes)
            }
            let expected = folder.batches.filter { $0.file != name } + whole
            let loaded = try recover(disk)
            #expect(loaded.records == Array(expected.map(\.records).joined()), "kept \(kept)")
            #expect(loaded.log.end.value == expected.last?.endLSN)
            // What is left is clean: the next start cuts nothing and finds the same.
            let again = try recover(disk)
            #expect(again.records == loaded.records)
            #expect(again.log.cut?.bytes ?? 0 == 0)
            if let cut = loaded.log.cut, cut.bytes > 0 {
                let side = try #require(cut.sideFile)
                #expect(
                    disk.contents.files[testFolder.path(of: side)]
                        == Array(bytes[Int(cut.offset)..<Int(cut.offset + cut.bytes)]))
            }
        }
    }

    private func end(of batch: FolderBuilder.Batch, in bytes: [UInt8]) -> Int {
        let line = bytes[batch.offset...].firstIndex(of: 0x0a) ?? bytes.count
        return line + 1 + batch.records.count
    }

    @Test("an older segment or the manifest cut anywhere is refused, and nothing is changed")
    func everyOtherCut() throws {
        let folder = completeFolder()
        let newest = testFolder.path(of: testFolder.segmentName(6))
        for (name, bytes) in folder.contents.files where name != newest {
            for kept in 0..<bytes.count {
                var contents = folder.contents
                contents.files[name] = Array(bytes.prefix(kept))
                let disk = MemoryDisk(contents)
                #expect(throws: LogReadError.self, "\(name) kept \(kept)") { try recover(disk) }
                #expect(disk.contents == contents)
            }
        }
    }

    @Test(
        "every flipped bit is found; what is served is a prefix, cut only where a crash could have")
    func everyFlip() throws {
        for zeros in [0, 24] { try everyFlip(of: completeFolder(zeros: zeros)) }
    }

    private func everyFlip(of folder: FolderBuilder) throws {
        let newest = testFolder.path(of: testFolder.segmentName(6))
        var cuts = 0
        var refusals = 0
        for (name, bytes) in folder.contents.files {
            for bit in 0..<bytes.count * 8 {
                var contents = folder.contents
                contents.files[name]?[bit / 8] ^= 1 << (bit % 8)
                let disk = MemoryDisk(contents)
                let loaded: Loaded
                do throws(LogReadError) {
                    loaded = try recover(disk)
                } catch {
                    refusals += 1
                    if disk.contents != contents { Issue.record("\(name) \(bit): changed") }
                    if case .corrupt(_, let file, let offset, _, _) = error {
                        if file != name && name != testFolder.manifestPath {
                            Issue.record("\(name) \(bit): blamed on \(file)")
                        }
                        // The place named is the damaged batch's beginning.
                        if file == name && offset > bit / 8 {
                            Issue.record("\(name) \(bit): located at \(offset)")
                        }
                    }
                    continue
                }
                cuts += 1
                guard let cut = loaded.log.cut, name == newest else {
                    Issue.record("\(name) \(bit): not found")
                    continue
                }
                // No other annotation may have called a lost byte durable.
                let recorded = folder.batches.filter {
                    !($0.file == name && $0.offset <= bit / 8
                        && bit / 8 < end(of: $0, in: bytes))
                }
                let durable = max(
                    folder.manifest.durable.value, recorded.map(\.durable).max() ?? 0)
                if loaded.log.end.value < durable || cut.lsn != loaded.log.end {
                    Issue.record("\(name) \(bit): cut at \(cut.lsn), durable \(durable)")
                }
                if !folder.records.starts(with: loaded.records)
                    || loaded.records.count != Int(loaded.log.end.value - 1000)
                {
                    Issue.record("\(name) \(bit): wrong records served")
                }
                if Int(cut.offset) > bit / 8 { Issue.record("\(name) \(bit): cut behind it") }
            }
        }
        #expect(cuts > 0 && refusals > 0)
    }

    @Test("valid batches after a bad one are cut with it, unless one says the bad one was durable")
    func laterEvidence() throws {
        for (durable, isCut) in [(UInt64(0), true), (31, false)] {
            var folder = FolderBuilder()
            folder.segment(1)
            folder.batch(record("SET", "a", "one"), record("SET", "b", ""))
            let size = folder.contents.files[testFolder.path(of: testFolder.segmentName(1))]?.count
            folder.batch(durable: durable, record("SET", "c", "1"))
            folder.writeManifest()
            let path = testFolder.path(of: testFolder.segmentName(1))
            folder.contents.files[path]?[try #require(size) - 1] ^= 1
            let disk = MemoryDisk(folder.contents)
            if isCut {
                let loaded = try recover(disk)
                #expect(loaded.records.isEmpty)
                #expect(loaded.log.cut?.lsn == .zero)
            } else {
                #expect(throws: LogReadError.self) { try recover(disk) }
            }
        }
    }

    @Test("an annotation inside a value is no evidence")
    func evidenceInAValue() throws {
        var foreign = FolderBuilder(lsn: 5_000)
        foreign.segment(1)
        foreign.batch(durable: 4_000, record("SET", "x", "y"))
        let copy = try #require(foreign.contents.files.values.first)
        var folder = FolderBuilder()
        folder.segment(1)
        folder.batch(record("SET", "a", "b"))
        folder.batch(record("SET", "log", String(decoding: copy, as: UTF8.self)))
        folder.writeManifest()
        let path = testFolder.path(of: testFolder.segmentName(1))
        folder.contents.files[path]?.removeLast()
        let loaded = try recover(MemoryDisk(folder.contents))
        #expect(loaded.log.end.value == folder.batches[1].firstLSN)
    }

    @Test("a batch with a good checksum and bad records is corruption")
    func intactNonsense() throws {
        for records in [
            Array("*2\r\n$3\r\nGET\r\n".utf8), Array("GET a\r\n".utf8), record("MULTI"),
            record("EXEC"), record("MULTI") + record("MULTI") + record("EXEC"),
            record("SELECT", "x"), record("SET", "a", "b") + [0],
        ] {
            var folder = FolderBuilder()
            folder.segment(1)
            folder.batch(records)
            folder.writeManifest()
            let contents = folder.contents
            #expect(throws: LogReadError.self) { try recover(MemoryDisk(contents)) }
        }
    }

    @Test("a segment out of place is refused by what is wrong with it")
    func misplaced() throws {
        func refusal(_ change: (inout FolderBuilder) -> Void) -> String {
            var folder = completeFolder()
            change(&folder)
            do {
                _ = try recover(MemoryDisk(folder.contents))
                return "accepted"
            } catch { return error.description }
        }
        let five = testFolder.path(of: testFolder.segmentName(5))
        let six = testFolder.path(of: testFolder.segmentName(6))
        #expect(refusal { $0.contents.files[five] = nil }.contains("5.incr.aof doesn't exist"))
        #expect(
            refusal { $0.contents.files.swapAt(five, six) }.contains("segment begins at LSN"))
        #expect(
            refusal {
                $0.manifest.lines.remove(at: 1)
                $0.writeManifest()
            }.contains("it should begin at LSN"))
        #expect(
            refusal {
                $0.manifest.lines[2].sequence = 9
                $0.writeManifest()
            }.contains("segment 6 where the manifest has 9"))
        #expect(
            refusal {
                $0.manifest.history = freshHistory
                $0.writeManifest()
            }.contains("another history"))
        #expect(
            refusal {
                $0.manifest.durable = LSN($0.lsn + 1)
                $0.writeManifest()
            }.contains("was durable"))
        #expect(refusal { $0.raw([1]) } == "accepted")
        let older = refusal { $0.contents.files[five]? += [0] }
        #expect(older.contains("zeros at the end"))
    }

    @Test("bytes after a sealed end that the manifest names are ignored, missing ones refused")
    func sealedEnd() throws {
        var folder = completeFolder()
        let five = testFolder.path(of: testFolder.segmentName(5))
        folder.manifest.lines[1].bytes = Int64(try #require(folder.contents.files[five]).count)
        folder.writeManifest()
        folder.contents.files[five]? += Array("#HFB never acknowledged".utf8)
        let loaded = try recover(MemoryDisk(folder.contents))
        #expect(loaded.records == folder.records)
        #expect(loaded.log.notices.contains { $0.contains("23 bytes after its sealed end") })
        folder.contents.files[five]?.removeLast(24)
        let contents = folder.contents
        #expect(throws: LogReadError.self) { try recover(MemoryDisk(contents)) }
    }

    @Test("a newest segment without its opening line is begun again")
    func tornOpening() throws {
        var folder = completeFolder()
        folder.segment(7)
        folder.manifest.durable = LSN(folder.lsn)
        folder.writeManifest()
        // Only segment 6's preallocated zeros make it inexact: seal it.
        let six = testFolder.path(of: testFolder.segmentName(6))
        folder.contents.files[six]?.removeLast(24)
        let seven = testFolder.path(of: testFolder.segmentName(7))
        for torn in [[], Array("#HFS 1 7".utf8), [UInt8](repeating: 0, count: 100)] {
            folder.contents.files[seven] = torn
            let loaded = try recover(MemoryDisk(folder.contents))
            #expect(loaded.records == folder.records)
            #expect(loaded.log.nextSegment == 7)
            #expect(loaded.log.manifest.lines.count == 3)
        }
    }

    @Test("an unlisted segment is ignored if it holds no batch, refused if it does")
    func orphans() throws {
        var folder = completeFolder()
        folder.segment(7, isListed: false)
        let empty = try recover(MemoryDisk(folder.contents))
        #expect(empty.records == folder.records)
        #expect(empty.log.nextSegment == 7)
        #expect(empty.log.notices.contains { $0.contains("7.incr.aof") })
        let whole = folder.records
        folder.batch(record("SET", "z", "z"))
        let contents = folder.contents
        #expect(throws: LogReadError.unlisted(path: "/d/appendonlydir/appendonly.aof.7.incr.aof")) {
            try recover(MemoryDisk(contents))
        }
        // A retired segment is no orphan.
        var retired = completeFolder()
        retired.plainFile("appendonly.aof.2.incr.aof", record("SET", "old", "1"))
        retired.plainFile("appendonly.aof.9.base.rdb", Array("REDIS0011".utf8))
        #expect(try recover(MemoryDisk(retired.contents)).records == whole)
    }

    @Test("a fault of the applier is reported at its record")
    func applierFaults() throws {
        let folder = completeFolder()
        let disk = MemoryDisk(folder.contents)
        let batch = folder.batches[1]
        let contents = disk.contents
        do {
            _ = try recover(disk) { (records: RecordBatch) throws in
                if records.firstLSN.value == batch.firstLSN {
                    throw RecordFault(offset: 28, reason: "unknown command")
                }
            }
            Issue.record("accepted")
        } catch {
            guard case .corrupt(_, let file, let offset, let lsn, let reason) = error else {
                Issue.record("\(error)")
                return
            }
            let bytes = try #require(folder.contents.files[batch.file])
            #expect(file == batch.file)
            #expect(offset == Int64(end(of: batch, in: bytes) - batch.records.count + 28))
            #expect(lsn.value == batch.firstLSN + 28)
            #expect(reason == "unknown command")
        }
        #expect(disk.contents == contents)
        _ = try recover(disk)
    }

    @Test("a batch larger than the window is read whole, and progress reaches the total")
    func largeBatch() throws {
        var folder = FolderBuilder()
        folder.segment(1)
        for size in [10, 1 << 20, 3 << 20, 5] {
            folder.batch(record("SET", "k", String(repeating: "v", count: size)))
        }
        folder.writeManifest()
        let disk = MemoryDisk(folder.contents)
        var last: (Int64, Int64) = (0, 1)
        var records: [UInt8] = []
        let log = try LogReader.recover(
            settings(), on: disk, apply: { records += $0.records.copyToArray() },
            progress: { last = ($0, $1) })
        #expect(records == folder.records)
        #expect(last.0 == last.1 && last.0 == log.totalBytes)
    }
}

extension Dictionary {
    fileprivate mutating func swapAt(_ one: Key, _ other: Key) {
        let held = self[one]
        self[one] = self[other]
        self[other] = held
    }
}
