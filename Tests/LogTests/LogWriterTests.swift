import HoldfastBytes
import HoldfastPlatform
import TestSupport
import Testing

@testable import Log

@Suite("Writing the log")
struct LogWriterTests {
    @Test("always: the turn itself writes and syncs when it may", arguments: [true, false])
    func inlineSync(isAllowed: Bool) throws {
        let log = try LogWriterFixture(.small(.always))
        log.writer.settle()
        log.turn(inlineAllowed: isAllowed)
        #expect(log.writer.stepCount == (isAllowed ? 1 : 0))
        log.writer.settle()
        #expect(log.writer.watermarks.durable == log.buffer.appended)
    }

    @Test("always: batches that come during a sync ride together on the next one")
    func groupCommit() throws {
        let log = try LogWriterFixture(.small(.always))
        log.writer.settle()
        log.turn()
        log.writer.advance(step: 0)
        for _ in 0..<5 { log.turn() }
        #expect(log.writer.stepCount == 1)
        log.writer.advance(step: 0)
        let before = log.disk.calls
        #expect(log.writer.takeWrite())
        log.writer.advance(step: 0)
        #expect(log.disk.calls == before + 2, "one write and one sync")
        log.writer.advance(step: 0)
        #expect(log.writer.watermarks.durable == log.buffer.appended)
    }

    @Test("everysec: a turn writes beside a running sync, and that sync doesn't cover it")
    func writeBesideSync() throws {
        let log = try LogWriterFixture(.small(.everysec))
        log.writer.settle()
        log.turn()
        log.writer.advance(step: 0)
        log.writer.advance(step: 0)
        let first = log.writer.watermarks.written
        log.writer.syncNow()
        #expect(log.writer.takeSync())
        log.turn()
        #expect(log.writer.stepCount == 2)
        log.writer.advance(step: 1)
        log.writer.advance(step: 1)
        #expect(log.writer.watermarks.written == log.buffer.appended)
        log.writer.advance(step: 0)
        log.writer.advance(step: 0)
        #expect(log.writer.watermarks.durable == first)
    }

    @Test("everysec: a sync that hangs makes turns leave the writing to the WAL thread, then hold")
    func hungSync() throws {
        let log = try LogWriterFixture(.small(.everysec))
        log.writer.settle()
        log.turn()
        log.writer.advance(step: 0)
        log.writer.advance(step: 0)
        log.writer.syncNow()
        #expect(log.writer.takeSync())
        log.clock.advance(milliseconds: 51)
        log.turn()
        #expect(log.writer.stepCount == 1)
        #expect(!log.writer.shouldHoldWriters)
        log.clock.advance(milliseconds: 1_000)
        #expect(log.writer.shouldHoldWriters)
        #expect(log.writer.report().figures.delayedSyncs == 0)
        log.clock.advance(milliseconds: 1_000)
        log.writer.settle()
        #expect(!log.writer.shouldHoldWriters)
        #expect(log.writer.report().figures.delayedSyncs == 1, "it took longer than two seconds")
    }

    @Test("everysec: syncs by itself within the bound")
    func everysec() throws {
        let log = try LogWriterFixture(.small(.everysec))
        log.writer.settle()
        log.turn()
        log.writer.settle()
        #expect(log.writer.watermarks.written == log.buffer.appended)
        #expect(log.writer.watermarks.durable == .zero)
        log.clock.advance(milliseconds: 500)
        log.writer.settle()
        #expect(log.writer.watermarks.durable == log.buffer.appended)
    }

    @Test(
        "segments roll at a batch border and all that was appended reads back",
        arguments: SyncPolicy.allCases)
    func rolls(policy: SyncPolicy) throws {
        let log = try LogWriterFixture(.small(policy))
        for index in 0..<100 {
            log.turn(1 + index % 7, database: index % 3)
            if index % 3 == 0 { log.writer.settle() }
        }
        #expect(log.close())
        let report = log.writer.report()
        #expect(report.segmentCount > 3)
        let stream = try StreamOracle.read(log.folder, on: log.disk, isExact: true)
        #expect(stream == log.appended)
        log.disk.powerCut()
        #expect(try StreamOracle.read(log.folder, on: log.disk, isExact: true) == log.appended)
    }

    @Test("the time in the log never goes back")
    func clockGuard() throws {
        let log = try LogWriterFixture(.small(.always))
        log.turn()
        log.clock.jumpWall(to: 1_000)
        log.turn()
        #expect(log.close())
        _ = try StreamOracle.read(log.folder, on: log.disk, isExact: true)
    }

    @Test("preallocated zeros end the open segment, and a clean stop cuts them off")
    func preallocation() throws {
        var settings = LogWriterSettings.small(.always)
        settings.segmentBytesMax = 1 << 20
        let log = try LogWriterFixture(settings)
        log.turn()
        log.writer.settle()
        let path = log.folder.path(of: log.folder.segmentName(1))
        let size = try #require(log.disk.contents(path)).count
        #expect(size > 100_000)
        #expect(try StreamOracle.read(log.folder, on: log.disk, isExact: false) == log.appended)
        #expect(log.close())
        #expect(try #require(log.disk.contents(path)).count < 1_000)
        #expect(try StreamOracle.read(log.folder, on: log.disk, isExact: true) == log.appended)
    }

    @Test("retired segments leave manifest and folder, the others stay")
    func retention() throws {
        let log = try LogWriterFixture(.small(.always))
        for _ in 0..<100 {
            log.turn(3)
            log.writer.settle()
        }
        let before = log.writer.report()
        log.writer.settings.retainBytes = 2_000
        let base = LogBase(
            name: log.folder.baseName(1), sequence: 1, lsn: log.writer.rollHere(), bytes: 18)
        let file = try log.disk.open(log.folder.path(of: base.name), .createOrTruncate)
        try emptySnapshot.withSlice { try file.writeAll($0, at: 0) }
        try file.sync()
        log.writer.install(base)
        log.writer.settle()
        guard case .installed(base)? = log.writer.takeBaseOutcome() else {
            Issue.record("the base was not put in force")
            return
        }
        let after = log.writer.report()
        #expect(after.segmentCount == 1 && before.segmentCount > 5)
        #expect(after.retainedBytes > 0 && after.retainedBytes <= 2_000)
        log.turn(3)
        log.writer.settings.retainBytes = 0
        log.writer.retire()
        log.writer.settle()
        #expect(log.writer.report().retainedBytes == 0)
        #expect(log.close())
        let names = try log.disk.list(log.folder.path).filter { $0.hasSuffix(".aof") }
        #expect(names.count == 1)
    }
}
