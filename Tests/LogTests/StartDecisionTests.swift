import HoldfastBytes
import Testing

@testable import Log

@Suite("what a start does")
struct StartDecisionTests {
    @Test("no combination begins empty over data unless that is insisted on")
    func exhaustive() {
        for bits in 0..<96 {
            var facts = StartFacts(manifest: [.absent, .empty, .lists][bits / 32])
            facts.hasSingleFile = bits & 1 != 0
            facts.unlistedData = bits & 2 != 0 ? "x" : nil
            facts.hasDump = bits & 4 != 0
            facts.mayStartEmpty = bits & 8 != 0
            facts.importWasInterrupted = bits & 16 != 0 && facts.manifest == .lists
            let decision = StartDecision(facts)
            let lists = facts.manifest == .lists
            let imports = facts.hasSingleFile && (!lists || facts.importWasInterrupted)
            if facts.unlistedData != nil && !facts.mayStartEmpty {
                #expect(decision == .refuseUnlisted("x"), "\(facts)")
            } else if imports {
                #expect(decision == .importSingleFile, "\(facts)")
            } else if lists {
                #expect(
                    decision == (facts.unlistedData == nil ? .load : .refuseUnlisted("x")),
                    "\(facts)")
            } else if facts.hasDump && !facts.mayStartEmpty {
                #expect(decision == .importDump, "\(facts)")
            } else {
                #expect(decision == .fresh, "\(facts)")
            }
        }
    }

    @Test("names of files are told apart")
    func names() {
        #expect(testFolder.segmentName(12) == "appendonly.aof.12.incr.aof")
        #expect(testFolder.segment(of: "appendonly.aof.12.incr.aof") == 12)
        for other in [
            "appendonly.aof..incr.aof", "appendonly.aof.x.incr.aof", "appendonly.aof.0.incr.aof",
            "other.aof.1.incr.aof", "appendonly.aof.1.incr.aof.cut-9", "appendonly.aof.incr.aof",
            "appendonly.aof.+1.incr.aof", "appendonly.aof.1.base.aof", "appendonly.aof.manifest",
        ] {
            #expect(testFolder.segment(of: other) == nil, "\(other)")
        }
        #expect(testFolder.isBase("appendonly.aof.1.base.rdb"))
        #expect(testFolder.isBase("appendonly.aof.1.base.aof"))
        #expect(!testFolder.isBase("appendonly.aof.1.incr.aof"))
    }

    private func start(
        _ files: [String: [UInt8]], folders: [String] = [], mayStartEmpty: Bool = false
    ) throws -> (Loaded, MemoryDisk.Contents) {
        var contents = MemoryDisk.Contents(files: files)
        for folder in folders { contents.folders.insert(folder) }
        let disk = MemoryDisk(contents)
        let loaded = try recover(disk, settings(mayStartEmpty: mayStartEmpty))
        return (loaded, disk.contents)
    }

    @Test("nothing there, or a folder without files of ours, is a fresh start")
    func fresh() throws {
        let (loaded, contents) = try start([:])
        #expect(loaded.log.isFresh)
        #expect(loaded.log.nextSegment == 1)
        #expect(loaded.log.history == freshHistory)
        #expect(contents.folders.contains(testFolder.path))
        #expect(contents.files.isEmpty)
        let other = [
            testFolder.path(of: "note.txt"): [UInt8(1)],
            testFolder.manifestPath: Array("# x\n".utf8),
        ]
        #expect(try start(other, folders: [testFolder.path]).0.log.isFresh)
    }

    @Test("who can't load a dump.rdb refuses one beside an empty log by name, and makes nothing")
    func dump() throws {
        let files = ["/d/dump.rdb": Array("REDIS0011".utf8)]
        #expect(throws: LogReadError.strayDump(path: "/d/dump.rdb")) { try start(files) }
        #expect(try start(files, mayStartEmpty: true).0.log.isFresh)
        var folder = FolderBuilder()
        folder.segment(1)
        folder.writeManifest()
        folder.contents.files["/d/dump.rdb"] = files["/d/dump.rdb"]
        let contents = folder.contents
        #expect(throws: LogReadError.strayDump(path: "/d/dump.rdb")) {
            try recover(MemoryDisk(contents))
        }
        _ = try recover(MemoryDisk(contents), settings(mayStartEmpty: true))
        folder.batch(record("SET", "a", "b"))
        #expect(try recover(MemoryDisk(folder.contents)).records == folder.records)
    }

    @Test("segments without a manifest are refused; insisting overwrites none of them")
    func lostManifest() throws {
        var folder = FolderBuilder()
        folder.segment(8)
        folder.batch(record("SET", "a", "b"))
        let contents = folder.contents
        let path = testFolder.path(of: "appendonly.aof.8.incr.aof")
        #expect(throws: LogReadError.unlisted(path: path)) { try recover(MemoryDisk(contents)) }
        let loaded = try recover(MemoryDisk(contents), settings(mayStartEmpty: true))
        #expect(loaded.log.isFresh)
        #expect(loaded.log.nextSegment == 9)
        for (name, bytes) in [
            ("appendonly.aof.1.incr.aof", record("SET", "a", "b")),
            ("appendonly.aof.1.base.rdb", Array("REDIS0011".utf8)),
        ] {
            let path = testFolder.path(of: name)
            #expect(throws: LogReadError.unlisted(path: path)) {
                try start([path: bytes], folders: [testFolder.path])
            }
        }
    }

    @Test("a crash of the very first start leaves a fresh start")
    func crashedFirstStart() throws {
        var folder = FolderBuilder()
        folder.segment(1, isListed: false)
        let path = testFolder.path(of: testFolder.segmentName(1))
        let bytes = try #require(folder.contents.files[path])
        for kept in 0...bytes.count {
            folder.contents.files[path] = Array(bytes.prefix(kept))
            let loaded = try recover(MemoryDisk(folder.contents))
            #expect(loaded.log.isFresh)
            #expect(loaded.log.nextSegment == 1)
        }
    }

    @Test("a listed file that is missing is refused, a retired one may be")
    func missing() throws {
        var folder = FolderBuilder()
        folder.writeManifest(
            text: "file a seq 1 type h\nfile appendonly.aof.1.incr.aof seq 1 type i\n")
        let contents = folder.contents
        let path = testFolder.path(of: "appendonly.aof.1.incr.aof")
        #expect(throws: LogReadError.missing(path: path)) { try recover(MemoryDisk(contents)) }
        folder.plainFile("appendonly.aof.1.incr.aof", record("SET", "a", "b"))
        #expect(try recover(MemoryDisk(folder.contents)).records == record("SET", "a", "b"))
    }

    @Test("an old single file is loaded, then moved into the folder; a crash in between is mended")
    func singleFile() throws {
        let records = record("SELECT", "2") + record("SET", "a", "b")
        let (loaded, contents) = try start(["/d/appendonly.aof": records])
        #expect(loaded.records == records)
        #expect(loaded.log.database == 2)
        let moved = testFolder.path(of: "appendonly.aof")
        #expect(contents.files.keys.sorted() == [moved, testFolder.manifestPath])
        #expect(contents.files[moved] == records)
        let again = try recover(MemoryDisk(contents))
        #expect(again.records == records)
        #expect(again.log.nextSegment == 1)
        #expect(again.log.history == freshHistory)
        // After the manifest, before the rename.
        var between = contents
        between.files["/d/appendonly.aof"] = between.files.removeValue(forKey: moved)
        let disk = MemoryDisk(between)
        #expect(try recover(disk).records == records)
        #expect(disk.contents == contents)
    }

    @Test("a damaged single file stays where it is")
    func damagedSingleFile() throws {
        let contents = MemoryDisk.Contents(files: ["/d/appendonly.aof": Array("SET a b\r\n".utf8)])
        let disk = MemoryDisk(contents)
        #expect(throws: LogReadError.self) { try recover(disk) }
        #expect(disk.contents == contents)
    }
}
