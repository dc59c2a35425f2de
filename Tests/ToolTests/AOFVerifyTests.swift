import Foundation
import HoldfastBytes
import HoldfastPlatform
import Log
import TestSupport
import Testing

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
