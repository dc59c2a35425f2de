import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Log

private let set = record("SET", "a", "1")
private let other = record("SET", "bb", "22")
private let name = "appendonly.aof.1.incr.aof"
private let path = testFolder.path(of: name)

/// A folder as redis-server leaves it, with one incremental file after what `before` says.
private func disk(_ bytes: [UInt8], before: [(String, [UInt8])] = []) -> MemoryDisk {
    var folder = FolderBuilder()
    var text = ""
    for (index, file) in before.enumerated() {
        folder.plainFile(file.0, file.1)
        text += "file \(file.0) seq \(index + 1) type \(index == 0 ? "b" : "i")\n"
    }
    folder.plainFile(name, bytes)
    folder.writeManifest(text: text + "file \(name) seq 9 type i\n")
    return MemoryDisk(folder.contents)
}

private func text(_ string: String) -> [UInt8] { Array(string.utf8) }

@Suite("plain AOF files")
struct PlainAOFTests {
    @Test("base and incremental files are loaded in order, each from database 0")
    func order() throws {
        let select = record("SELECT", "5")
        let disk = disk(other, before: [("b.aof", select + set), ("c.aof", set)])
        let loaded = try recover(disk)
        #expect(loaded.records == select + set + set + other)
        #expect(loaded.databases == [0, 0, 0])
        #expect(loaded.beginnings == [true, true, true])
        #expect(loaded.firstLSNs == [0, 50, 77].map { UInt64($0) })
        #expect(loaded.log.end.value == UInt64(loaded.records.count))
        #expect(loaded.log.history == freshHistory)
        #expect(loaded.log.nextSegment == 10)
        #expect(loaded.log.files.map(\.kind) == [.plain, .plain, .plain])
    }

    @Test("lines that begin with # are skipped wherever a command may start")
    func comments() throws {
        let transaction = record("MULTI") + set + record("EXEC")
        let withComments =
            text("#\n") + text("#TS:1700000000\r\n#a\0*$\"\r\n") + set + text("#TS:1700000001\r\n")
            + record("MULTI") + text("#x\n") + set + text("#TS:1700000002\r\n#y\r\n")
            + record("EXEC") + text("#end")
        let loaded = try recover(disk(withComments))
        #expect(loaded.records == set + transaction)
        #expect(loaded.log.lastMilliseconds == 1_700_000_002_000)
        #expect(loaded.log.cut == nil)
        let longest = text("#" + String(repeating: "x", count: 1021) + "\n")
        #expect(try recover(disk(longest + set)).records == set)
        #expect(throws: LogReadError.self) { try recover(disk([0x23] + longest + set)) }
        #expect(try recover(disk([])).records == [])
    }

    @Test("what isn't a command is refused, and nothing is changed")
    func garbage() throws {
        for bytes in [
            text("SET a b\r\n"), text("\r\n"), text(" #x\n"), text("*0\r\n"), text("*-1\r\n"),
            set + text("x") + set, set + [0] + set, set + text("*1\r\n#x\r\n$4\r\nPING\r\n"),
            text("*1\r\n$-1\r\n"), set + text("*1\r\n$4\r\nPINGxx"),
            set + text("#HFB 1 2 3 4 00000000\r\n") + other,
            record("MULTI") + text("#HFS 1\r\n") + record("EXEC"),
        ] {
            let disk = disk(bytes)
            let contents = disk.contents
            #expect(throws: LogReadError.self, "\(String(decoding: bytes, as: UTF8.self))") {
                try recover(disk)
            }
            #expect(disk.contents == contents)
        }
    }

    @Test("the last file cut inside a command loses that command, and the cut bytes are kept")
    func everyCut() throws {
        let whole = set + other
        for kept in 0..<whole.count {
            let disk = disk(Array(whole.prefix(kept)))
            let contents = disk.contents
            let isBetween = kept == 0 || kept == set.count
            if !isBetween {
                #expect(throws: LogReadError.self) {
                    try recover(disk, settings(loadsTruncated: false))
                }
                #expect(disk.contents == contents)
            }
            let loaded = try recover(disk)
            let expected = kept < set.count ? [] : set
            #expect(loaded.records == expected)
            #expect(disk.contents.files[path] == expected)
            if let cut = loaded.log.cut {
                let side = try #require(cut.sideFile)
                #expect(!isBetween)
                #expect(
                    disk.contents.files[testFolder.path(of: side)]
                        == Array(whole[expected.count..<kept]))
            } else {
                #expect(isBetween)
            }
        }
    }

    @Test("an open MULTI is cut from its beginning, whether its last command is whole or torn")
    func openTransaction() throws {
        for tail in [[], Array(other.prefix(9)), text("#TS:1\r\n")] {
            let disk = disk(set + record("MULTI") + other + tail)
            #expect(try recover(disk).records == set)
            #expect(disk.contents.files[path] == set)
        }
    }

    @Test("only zeros after the last command are a torn tail")
    func zeros() throws {
        for bytes in [
            set + [0, 0, 0], set + Array(other.prefix(7)) + [0, 0],
            set + record("MULTI") + [0, 0],
        ] {
            let disk = disk(bytes)
            #expect(throws: LogReadError.self) {
                try recover(disk, settings(loadsTruncated: false))
            }
            #expect(try recover(disk).records == set)
            #expect(disk.contents.files[path] == set)
        }
    }

    @Test("a file that isn't the last is never cut")
    func cutInTheMiddle() throws {
        let disk = disk(set, before: [("b.aof", set), ("c.aof", Array(other.prefix(20)))])
        let contents = disk.contents
        #expect(throws: LogReadError.self) { try recover(disk) }
        #expect(disk.contents == contents)
    }

    @Test("Redis's own oddities load: nested MULTI, EXEC alone, bare newlines")
    func oddities() throws {
        for bytes in [
            record("MULTI") + set + record("multi") + set + record("EXEC"), record("EXEC") + set,
            text("*1\n$4\nPING\r\n"),
        ] {
            #expect(try recover(disk(bytes)).records == bytes)
        }
    }

    @Test("an empty RDB base is accepted, with commands behind it; any other is refused by name")
    func snapshots() throws {
        let snapshot = emptySnapshot
        #expect(try recover(disk(set, before: [("b.rdb", snapshot)])).records == set)
        #expect(
            try recover(disk(set, before: [("b.rdb", snapshot + other)])).records == other + set)
        for bit in 9 * 8..<snapshot.count * 8 {
            var flipped = snapshot
            flipped[bit / 8] ^= 1 << (bit % 8)
            let disk = disk(set, before: [("b.rdb", flipped)])
            #expect(throws: LogReadError.snapshotBase(path: testFolder.path(of: "b.rdb"))) {
                try recover(disk)
            }
        }
        for kept in 5..<snapshot.count {
            let disk = disk(set, before: [("b.rdb", Array(snapshot.prefix(kept)))])
            #expect(throws: LogReadError.snapshotBase(path: testFolder.path(of: "b.rdb"))) {
                try recover(disk)
            }
        }
    }

    @Test("commands that redis-server appended to a segment of ours are loaded")
    func foreignTail() throws {
        var folder = FolderBuilder()
        folder.segment(1, database: 2)
        folder.batch(record("SET", "x", "y"))
        folder.raw(record("SELECT", "0") + text("#TS:1700000009\r\n") + set + other)
        folder.writeManifest()
        let disk = MemoryDisk(folder.contents)
        let loaded = try recover(disk)
        #expect(loaded.records == folder.records + record("SELECT", "0") + set + other)
        #expect(loaded.databases == [2, 2, 0])
        #expect(loaded.log.notices.contains { $0.contains("plain commands") })
        #expect(loaded.log.end.value == UInt64(loaded.records.count))
        #expect(disk.contents == folder.contents)
        // Later, as an older segment, it stays so.
        folder.lsn = loaded.log.end.value
        var early = folder
        early.segment(2)
        early.writeManifest()
        let earlier = early.contents
        #expect(throws: LogReadError.self) { try recover(MemoryDisk(earlier)) }
        folder.milliseconds = loaded.log.lastMilliseconds
        folder.segment(2)
        folder.batch(record("SET", "z", "z"))
        folder.writeManifest()
        #expect(
            try recover(MemoryDisk(folder.contents)).records
                == loaded.records + record("SET", "z", "z"))
    }

    @Test("the unfinished end of such commands is cut, other bytes among them are refused")
    func damagedForeignTail() throws {
        var folder = FolderBuilder()
        folder.segment(1)
        folder.batch(set)
        folder.raw(other + other.dropLast())
        folder.writeManifest()
        let contents = folder.contents
        #expect(try recover(MemoryDisk(contents)).records == set + other)
        #expect(throws: LogReadError.self) {
            try recover(MemoryDisk(contents), settings(loadsTruncated: false))
        }
        folder.raw(other)
        let damaged = folder.contents
        #expect(throws: LogReadError.self) { try recover(MemoryDisk(damaged)) }
    }

    @Test("segments of ours stay readable in a manifest that redis-server rewrote")
    func rewrittenManifest() throws {
        var folder = FolderBuilder(lsn: 500)
        folder.segment(1, database: 1)
        folder.batch(set)
        folder.segment(2)
        folder.batch(other)
        folder.plainFile("appendonly.aof.3.incr.aof", set)
        folder.writeManifest(
            text: (1...3).map { "file appendonly.aof.\($0).incr.aof seq \($0) type i\n" }.joined())
        let loaded = try recover(MemoryDisk(folder.contents))
        #expect(loaded.records == set + other + set)
        #expect(loaded.databases == [1, 0, 0])
        #expect(loaded.firstLSNs == [500, 527, 556])
        #expect(loaded.log.history == testHistory)
        #expect(loaded.log.manifest.lines.map(\.firstLSN) == [LSN(500), LSN(527), nil])
        // And a segment whose opening line was hit doesn't pass for a plain file.
        folder.contents.files[path]?[1] ^= 1
        let contents = folder.contents
        #expect(throws: LogReadError.self) { try recover(MemoryDisk(contents)) }
    }
}

/// As redis-server 7.0 writes it: header, auxiliary fields, end of file, checksum.
var emptySnapshot: [UInt8] {
    var bytes = utf8("REDIS0010")
    for (key, value) in [
        ("redis-ver", utf8("\u{6}7.0.15")), ("redis-bits", [0xc0, 0x40]),
        ("ctime", [0xc2, 1, 2, 3, 4]), ("used-mem", [0xc1, 1, 2]), ("aof-base", [0xc0, 1]),
        ("long", [0x40, 70] + [UInt8](repeating: 65, count: 70)),
    ] {
        bytes += [0xfa, UInt8(key.utf8.count)] + utf8(key) + value
    }
    bytes.append(0xff)
    let crc = bytes.withSlice { CRC64.of($0) }
    for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: crc >> UInt64(shift)))
    }
    return bytes
}

private func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
