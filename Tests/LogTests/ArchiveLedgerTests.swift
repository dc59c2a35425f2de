import HoldfastBytes
import HoldfastPlatform
import TestSupport
import Testing

@testable import Log

@Suite("What the archive gets, in which order")
struct ArchiveLedgerTests {
    private func segment(_ number: UInt64, _ first: UInt64, _ end: UInt64) -> SealedSegment {
        SealedSegment(
            name: "\(number).incr", sequence: number, firstLSN: LSN(first), end: LSN(end),
            bytes: 10, milliseconds: 0)
    }

    private func base(_ number: UInt64, _ lsn: UInt64) -> LogBase {
        LogBase(name: "\(number).base", sequence: number, lsn: LSN(lsn), bytes: 10)
    }

    private func mark(_ segment: UInt64, _ base: UInt64) -> ArchiveMark {
        var mark = ArchiveMark()
        mark.segment = segment
        mark.base = base
        return mark
    }

    @Test("files go in the order of their LSNs, a base before the segment that begins at it")
    func order() {
        var ledger = ArchiveLedger(ArchiveMark())
        let segments = [segment(1, 0, 50), segment(2, 50, 90), segment(4, 90, 120)]
        let bases = [base(1, 50), base(2, 120)]
        var names: [String] = []
        while let task = ledger.next(segments: segments, bases: bases, manifest: nil) {
            switch task {
            case .segment(let name, _), .base(let name, _): names.append(name)
            case .manifest: Issue.record("there is none")
            }
            ledger.note(task)
        }
        #expect(names == ["1.incr", "1.base", "2.incr", "4.incr", "2.base"])
        #expect(ledger.mark == mark(4, 2))
    }

    @Test("the archive's manifest lists what it has, and nothing without its base")
    func manifest() throws {
        let history = HistoryID(1, 2, 3)
        let sealed = [segment(3, 50, 90), segment(4, 90, 120)]
        let inForce = Manifest(
            history: history, durable: LSN(150),
            lines: [
                base(2, 50).line,
                .init(name: "1.incr", sequence: 1, type: .history, firstLSN: LSN(0)),
                .init(name: "3.incr", sequence: 3, type: .incremental, firstLSN: LSN(50)),
                .init(name: "4.incr", sequence: 4, type: .incremental, firstLSN: LSN(90), bytes: 9),
                .init(name: "5.incr", sequence: 5, type: .incremental, firstLSN: LSN(120)),
            ])
        func names(_ mark: ArchiveMark) -> [String]? {
            ArchiveLedger(mark).manifest(of: inForce, base: base(2, 50), sealed: sealed)?
                .lines.map(\.name)
        }
        #expect(names(mark(4, 1)) == nil)
        #expect(names(mark(2, 2)) == ["2.base"])
        #expect(names(mark(3, 2)) == ["2.base", "3.incr"])
        #expect(names(mark(4, 2)) == ["2.base", "3.incr", "4.incr"])
        var ledger = ArchiveLedger(mark(4, 2))
        let manifest = try #require(
            ledger.manifest(of: inForce, base: base(2, 50), sealed: sealed))
        #expect(manifest.durable == LSN(120))
        #expect(manifest.lines.last?.bytes == 9)
        // It goes before the next file, and once.
        let next = segment(5, 120, 130)
        let task = ledger.next(segments: [next], bases: [], manifest: manifest)
        #expect(task == .manifest(manifest))
        ledger.note(.manifest(manifest))
        #expect(
            ledger.next(segments: [next], bases: [], manifest: manifest)
                == .segment(name: "5.incr", 5))
    }

    @Test("a mark reads back; one that was changed counts for nothing")
    func markBytes() throws {
        let disk = SimDisk()
        disk.installFolder("data")
        let folder = LogFolder(directory: "data")
        try disk.createFolder(folder.path)
        #expect(ArchiveMark.read(folder, on: disk) == ArchiveMark())
        try mark(17, 3).write(folder, on: disk)
        #expect(ArchiveMark.read(folder, on: disk) == mark(17, 3))
        let bytes = try disk.readWhole(folder.path(of: ArchiveMark.name), bytesMax: 100)
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("#HFA 1 17 3 "))
        for index in bytes.indices {
            for bit in 0..<8 {
                var changed = bytes
                changed[index] ^= 1 << bit
                #expect(changed.withSlice { ArchiveMark(parsing: $0) } == nil)
            }
            #expect(Array(bytes[..<index]).withSlice { ArchiveMark(parsing: $0) } == nil)
        }
    }

    @Test("per cent signs in the command")
    func expansion() {
        let expand = { LogArchiver.expand($0, path: "/a b/f", name: "f") }
        #expect(expand("cp \"%p\" /x/%f") == "cp \"/a b/f\" /x/f")
        #expect(expand("date +%%s; %q %") == "date +%s; %q %")
        #expect(expand("%%p %%%p") == "%p %/a b/f")
    }

    @Test("what the archive lacks is not retired, bases included")
    func retention() throws {
        var settings = LogWriterSettings.small(.always)
        settings.archiveCommand = "true"
        let log = try LogWriterFixture(settings)
        func rewrite() throws {
            let lsn = log.writer.rollHere()
            let sequence = log.writer.nextBaseSequence
            let base = LogBase(
                name: log.folder.baseName(sequence), sequence: sequence, lsn: lsn, bytes: 4)
            let file = try log.disk.open(log.folder.path(of: base.name), .createOrTruncate)
            try Array("base".utf8).withSlice { (bytes) throws(SystemError) in
                try file.writeAll(bytes, at: 0)
            }
            try file.sync()
            #expect(log.settle())
            log.writer.install(base)
            #expect(log.settle())
        }
        for _ in 0..<3 {
            for _ in 0..<10 { log.turn(12) }
            #expect(log.settle())
            try rewrite()
        }
        log.writer.retire()
        #expect(log.settle())
        let before = try log.disk.list(log.folder.path)
        #expect(before.count { log.folder.isBase($0) } == 3)
        #expect(before.contains(log.folder.segmentName(1)))
        let pending = log.writer.report().archivePending
        var done: [String] = []
        while let name = log.writer.archiveNext() { done.append(name) }
        #expect(done.filter { $0 != log.folder.manifestName }.count == pending)
        #expect(done.last == log.folder.manifestName)
        #expect(log.writer.report().archivePending == 0)
        log.writer.retire()
        #expect(log.settle())
        let after = try log.disk.list(log.folder.path)
        #expect(after.count { log.folder.isBase($0) } == 1)
        #expect(after.count { log.folder.segment(of: $0) != nil } == 1)
    }
}
