import Foundation
import HoldfastBytes
import HoldfastPlatform
import Log
import TestSupport
import Testing
import ToolKit

/// Damage of every place of a small folder, through `aof-check verify`.
@Suite("aof-check verify")
struct AOFVerifyTests {
    private static let path = FixedFolder.folder.path

    /// Whether a start, which changes the disk, accepts what is on it.
    private func starts(_ disk: SimDisk) -> Bool {
        let settings = RecoverySettings(
            folder: FixedFolder.folder, freshHistory: HistoryID(1, 2, 3))
        do throws(LogReadError) {
            // The base was read by the tool already; here its end is enough.
            let size = disk.contents(FixedFolder.folder.path(of: FixedFolder.base))?.count ?? 0
            let log = try LogReader.recover(
                settings, on: disk, apply: { _ in }, snapshot: { _ in Int64(size) })
            log.lock?.close()
            return true
        } catch { return false }
    }

    private func check(
        _ damaged: FixedFolder, _ name: String, at position: Int, _ what: String
    ) {
        let disk = damaged.disk()
        let run = ToolRun("--json", Self.path, on: disk)
        #expect(run.status == 1 || run.status == 4 || run.status == 5, "\(what): \(run.output)")
        #expect(run.field("verdict") != "OK", "\(what)")
        let file = run.field("file") ?? ""
        // A whole end that is too early shows where the next file begins; a manifest without its first line lists
        // nothing, and then what it should list is found unlisted.
        if run.output.contains("it should begin at LSN")
            || run.output.contains("no manifest lists it")
        {
            return
        }
        #expect(file.hasSuffix(name), "\(what) was found in \(file)")
        if name != FixedFolder.base, run.status != 4 {
            let isAccepted = run.status == 5
            #expect(starts(disk) == isAccepted, "\(what): \(run.output)")
        }
        // The place is the batch, or the line, in which the damage is.
        let offset = Int(run.field("offset") ?? "") ?? -1
        if let batch = damaged.batches[name]?.first(where: { $0.contains(position) }) {
            #expect(batch.contains(offset), "\(what) was found at \(offset)")
        } else if damaged.batches[name] != nil, offset > 0 {
            #expect(offset <= position, "\(what) was found at \(offset)")
        }
    }

    @Test("every flipped bit is found, in its file and batch", arguments: [true, false])
    func everyFlippedBit(isDurable: Bool) throws {
        let whole = FixedFolder(isDurable: isDurable, zeros: 16)
        for (name, bytes) in whole.files {
            for position in bytes.indices {
                for bit in 0..<8 {
                    var damaged = whole
                    damaged.files[name]?[position] ^= 1 << UInt8(bit)
                    check(damaged, name, at: position, "bit \(bit) of byte \(position) of \(name)")
                }
            }
        }
    }

    @Test("every truncation is found, in its file")
    func everyTruncation() throws {
        let whole = FixedFolder(isDurable: true)
        for (name, bytes) in whole.files {
            for count in bytes.indices {
                var damaged = whole
                damaged.files[name] = Array(bytes[..<count])
                check(damaged, name, at: count, "\(name) cut to \(count) bytes")
            }
        }
    }

    @Test("an unsynced tail, cut anywhere, is torn and never damage")
    func tornTail() throws {
        let whole = FixedFolder(isDurable: false)
        let bytes = whole.files[FixedFolder.newest] ?? []
        let last = try #require(whole.batches[FixedFolder.newest]?.last)
        for count in last.lowerBound + 1..<last.upperBound {
            var damaged = whole
            damaged.files[FixedFolder.newest] = Array(bytes[..<count])
            let run = ToolRun("--json", Self.path, on: damaged.disk())
            #expect(run.status == 5)
            #expect(run.field("verdict") == "TORN")
            #expect(run.field("offset") == "\(last.lowerBound)")
            #expect(run.field("cut_bytes") == "\(count - last.lowerBound)")
        }
    }

    @Test("missing, unlisted and foreign files have their verdicts")
    func otherStates() throws {
        let whole = FixedFolder(isDurable: true)
        #expect(ToolRun(Self.path, on: whole.disk()).status == 0)
        for name in [FixedFolder.base, FixedFolder.sealed, FixedFolder.newest] {
            var damaged = whole
            damaged.files[name] = nil
            let run = ToolRun("--json", Self.path, on: damaged.disk())
            #expect(run.status == 1)
            #expect(run.field("file")?.hasSuffix(name) == true)
        }
        var lost = whole
        lost.files[FixedFolder.manifestName] = nil
        #expect(ToolRun("--json", Self.path, on: lost.disk()).field("verdict") == "DAMAGED")

        let disk = whole.disk()
        disk.install("/d/newer.rdb", Array("REDIS0099".utf8) + [0xff])
        #expect(ToolRun("/d/newer.rdb", on: disk).status == 4)
        disk.install("/d/program", Array("\u{7f}ELF and so on, for many bytes".utf8))
        #expect(ToolRun("/d/program", on: disk).status == 4)
        #expect(ToolRun("/d/nothing", on: disk).status == 3)
        #expect(ToolRun("--nothing", on: disk).status == 2)
        disk.install("/d/empty.aof", [])
        #expect(ToolRun("/d/empty.aof", on: disk).status == 0)
        // Of several, the worst.
        #expect(ToolRun("/d/empty.aof", "/d/program", on: disk).status == 4)
    }

    @Test(
        "of a base it says what rdb-check says of the file",
        arguments: [
            // Sound ones, and an empty value, which a server leaves out.
            "00 0161", "02 02 0161 0162", "10 12 120000000400816602817602816e020501ff",
            "0b 08 0200000000000000",
            // Wrong elements and ends, and elements that are there twice.
            "10 12 120000000400816602817602816e020502ff", "0b 0e 0200000003000000ff00fe000300",
            "12 01 02 14 1400000005008161020101ded402f2409c0004ff", "02 02 0161 0161",
            "10 13 1300000004008161028101028161028102 02ff", "05 01 0161 000000000000f87f",
        ])
    func base(value: String) throws {
        let bytes = RDBFiles.file(version: 10, [value, "00 0162"])
        try compareBase(bytes)
    }

    @Test("so it does of keys that are there twice")
    func baseWithRepeatedKey() throws {
        var bytes = Array("REDIS0010".utf8) + [0xfe, 0]
        for key in ["x", "y", "x"] { bytes += [0, 1] + Array(key.utf8) + [1, 0x76] }
        let run = try compareBase(bytes + [0xff] + [UInt8](repeating: 0, count: 8))
        #expect(run.status == 1)
        #expect(run.output.contains("the same key twice"))
        #expect(run.field("offset") == "21")
    }

    @Test("values of modules, which a start would refuse, are foreign")
    func baseOfModule() throws {
        var folder = FixedFolder(isDurable: true)
        folder.files[FixedFolder.base] = RDBFiles.file(
            version: 10, ["07 81 0123456789abcdef 02 05 00"])
        let run = ToolRun("--json", Self.path, on: folder.disk())
        #expect(run.status == 4, "\(run.output)")
        #expect(run.output.contains("a value of a module"))
    }

    @discardableResult
    private func compareBase(_ bytes: [UInt8]) throws -> ToolRun {
        let files = try TemporaryFolder()
        try RDBFiles.write(bytes, to: files.file("a.rdb"))
        let (code, report) = try RDBFiles.verify(files.file("a.rdb"))
        var folder = FixedFolder(isDurable: true)
        folder.files[FixedFolder.base] = bytes
        let run = ToolRun("--json", Self.path, on: folder.disk())
        #expect(run.status == code.rawValue, "\(run.output)\n\(report)")
        if let damage = report["damage"] as? [String: Any], let message = damage["message"] {
            #expect(run.output.contains("\(message)"), "\(run.output)\n\(report)")
        }
        return run
    }

    @Test("every file of the folder can be looked at alone")
    func alone() throws {
        let disk = FixedFolder(isDurable: true, zeros: 100).disk()
        for name in [FixedFolder.base, FixedFolder.sealed, FixedFolder.newest] {
            let run = ToolRun(FixedFolder.folder.path(of: name), on: disk)
            #expect(run.status == 0, "\(name): \(run.output)")
        }
        let manifest = ToolRun(FixedFolder.folder.manifestPath, on: disk)
        #expect(manifest.status == 0)
        #expect(ToolRun("/d", on: disk).status == 0)
    }

    @Test(
        "what is printed is what it was", arguments: ["ok", "torn", "damaged", "help", "cat", "ls"])
    func goldens(name: String) throws {
        var folder = FixedFolder(isDurable: name == "damaged")
        var words = [Self.path]
        switch name {
        case "torn": folder.files[FixedFolder.newest]?.removeLast(7)
        case "damaged": folder.files[FixedFolder.sealed]?[130] ^= 1
        case "help": words = ["--help"]
        case "cat", "ls": words = [name, Self.path]
        default: break
        }
        let run = ToolRun(words, on: folder.disk())
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Goldens/aof-check-\(name).txt")
        if ProcessInfo.processInfo.environment["HOLDFAST_UPDATE_GOLDENS"] != nil {
            try run.output.write(to: path, atomically: true, encoding: .utf8)
        }
        let due = try String(contentsOf: path, encoding: .utf8)
        #expect(run.output == due)
    }
}
