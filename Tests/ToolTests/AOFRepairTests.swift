import Foundation
import HoldfastBytes
import HoldfastPlatform
import Log
import TestSupport
import Testing

/// `fix` and `cut`, on disks in memory, and what a real start says to what they leave.
@Suite("aof-check fix and cut")
struct AOFRepairTests {
    private static let path = FixedFolder.folder.path

    @Test("whatever bit was flipped, what fix leaves is sound and a prefix")
    func fixesFlips() throws {
        let whole = FixedFolder(isDurable: true)
        let all = lines(ToolRun("cat", Self.path, on: whole.disk()))
        for name in [FixedFolder.sealed, FixedFolder.newest, FixedFolder.manifestName] {
            let bytes = whole.files[name] ?? []
            for position in stride(from: 0, to: bytes.count, by: 3) {
                var damaged = whole
                damaged.files[name]?[position] ^= 1 << UInt8(position % 8)
                let disk = damaged.disk()
                let run = ToolRun("fix", "--yes", Self.path, on: disk)
                // A version that was flipped looks newer, and is left alone.
                if run.status == 4 { continue }
                #expect(run.status == 0, "\(name) \(position): \(run.output)")
                #expect(ToolRun(Self.path, on: disk).status == 0)
                let left = lines(ToolRun("cat", Self.path, on: disk))
                #expect(all.starts(with: left), "\(name) \(position)")
            }
        }
    }

    private func lines(_ run: ToolRun) -> [Substring] { run.output.split(separator: "\n") }

    @Test("what fix takes away is kept")
    func keeps() throws {
        var damaged = FixedFolder(isDurable: true)
        let last = try #require(damaged.batches[FixedFolder.newest]?.last)
        let tail = Array(damaged.files[FixedFolder.newest]?[last] ?? [])
        damaged.files[FixedFolder.newest]?[last.lowerBound + 50] ^= 1
        let disk = damaged.disk()
        let dry = ToolRun("fix", "--dry-run", Self.path, on: disk)
        #expect(dry.status == 1)
        #expect(
            disk.contents(FixedFolder.folder.path(of: FixedFolder.newest))?.count == last.upperBound
        )
        // Nobody can be asked here.
        #expect(ToolRun("fix", Self.path, on: disk).status == 1)
        #expect(ToolRun("fix", "--yes", Self.path, on: disk).status == 0)
        let names = try disk.list(Self.path)
        let side = try #require(names.first { $0.contains(".cut-") })
        var kept = disk.contents(FixedFolder.folder.path(of: side)) ?? []
        kept[50] ^= 1
        #expect(kept == tail)
        #expect(
            disk.contents("\(Self.path)/quarantine/\(FixedFolder.manifestName)")
                == damaged.files[FixedFolder.manifestName])
    }

    @Test("a base that is damaged is nothing to cut at")
    func baseIsLost() throws {
        var damaged = FixedFolder(isDurable: true)
        damaged.files[FixedFolder.base]?[20] ^= 1
        let disk = damaged.disk()
        let run = ToolRun("fix", "--yes", Self.path, on: disk)
        #expect(run.status == 1)
        #expect(run.output.contains("no repair"))
        #expect(
            disk.contents(FixedFolder.folder.path(of: FixedFolder.base))
                == damaged.files[FixedFolder.base])
    }

    @Test("a cut to any LSN ends at a unit's end at or before it")
    func cutsAnywhere() throws {
        let whole = FixedFolder(isDurable: true)
        let source = whole.disk()
        let all = lines(ToolRun("cat", "--json", Self.path, on: source))
        let end = try #require(Int(ToolRun("--json", Self.path, on: source).field("end_lsn") ?? ""))
        var last = 0
        for lsn in 100...end {
            let disk = whole.disk()
            let run = ToolRun(
                "cut", "--json", "--to-lsn", "\(lsn)", "-o", "/d/out", Self.path, on: disk)
            #expect(run.status == 0, "\(lsn): \(run.output)")
            let found = try #require(Int(run.field("end_lsn") ?? ""))
            #expect(found <= lsn && found >= last, "\(lsn) gave \(found)")
            last = found
            let left = lines(ToolRun("cat", "--json", "/d/out", on: disk))
            #expect(all.starts(with: left), "\(lsn)")
            let opened = left.count { $0.contains("\"MULTI\"") }
            let closed = left.count { $0.contains("\"EXEC\"") }
            #expect(opened == closed, "\(lsn)")
        }
        #expect(last == end)
        let before = whole.disk()
        let run = ToolRun("cut", "--to-lsn", "99", "-o", "/d/out", Self.path, on: before)
        #expect(run.status == 2)
    }

    @Test("a cut before a command, and to a time")
    func cutsElsewhere() throws {
        let whole = FixedFolder(isDurable: true)
        let disk = whole.disk()
        #expect(
            ToolRun("cut", "--before-command", "flushall", "-o", "/d/a", Self.path, on: disk)
                .status == 0)
        let left = lines(ToolRun("cat", "/d/a", on: disk))
        #expect(left.last?.contains("HSET h f v") == true)
        #expect(
            ToolRun("cut", "--before-command", "NOSUCH", "-o", "/d/b", Self.path, on: disk).status
                == 2)
        let time = "1700000040.5"
        #expect(
            ToolRun("cut", "--to-time", time, "-o", "/d/c", Self.path, on: disk).status == 0)
        #expect(lines(ToolRun("cat", "/d/c", on: disk)).last?.contains("EXEC") == true)
        // Nothing is written into a folder that holds something.
        #expect(
            ToolRun("cut", "--to-time", time, "-o", "/d/c", Self.path, on: disk).status == 2)
        #expect(ToolRun("cut", "-o", "/d/e", Self.path, on: disk).status == 2)
    }

    @Test("cat, points and stats show what is there")
    func tours() throws {
        let disk = FixedFolder(isDurable: true).disk()
        #expect(lines(ToolRun("cat", "--match", "user:*", Self.path, on: disk)).count == 2)
        #expect(lines(ToolRun("cat", "--regex", "^user:[12]$", Self.path, on: disk)).count == 2)
        #expect(
            lines(ToolRun("cat", "--cmd", "flushall", "--db", "3", Self.path, on: disk)).count == 1)
        #expect(lines(ToolRun("cat", "--tail", "2", Self.path, on: disk)).count == 2)
        #expect(lines(ToolRun("cat", "--since", "1700000100", Self.path, on: disk)).count == 3)
        #expect(lines(ToolRun("cat", "--until", "1700000020", Self.path, on: disk)).count == 1)
        #expect(lines(ToolRun("cat", "--lsn", "100..100", Self.path, on: disk)).count == 1)
        #expect(
            ToolRun("cat", "--escape", "hex", "--tail", "1", Self.path, on: disk).output.contains(
                "7a"))
        #expect(ToolRun("cat", "--regex", "(", Self.path, on: disk).status == 2)
        #expect(ToolRun("cat", "--lsn", "-5..3", Self.path, on: disk).status == 2)
        let points = ToolRun("points", Self.path, on: disk).output
        #expect(points.contains("FLUSHALL") && points.contains("cut --to-lsn"))
        let stats = ToolRun("stats", "--json", Self.path, on: disk)
        #expect(stats.field("commands") == "11")
        #expect(stats.output.contains("\"user:\""))
        #expect(stats.field("replay_ms_estimate") == "0")
        let share = try #require(Double(stats.field("compressed_share_estimate") ?? ""))
        #expect(0.1 < share && share < 1)
    }
}
