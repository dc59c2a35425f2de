import Glibc
import HoldfastBytes
import HoldfastPlatform
import Synchronization
import TestSupport
import Testing

@testable import Log

@Suite("The log writer with its threads", .serialized)
struct LogWriterThreadTests {
    /// Wakes as the command loop's eventfd would.
    private final class Wake: Sendable {
        let monitor = Monitor()
        let news: Condition
        let count = Atomic(0)
        init() { news = Condition(of: monitor) }

        func call() {
            monitor.withLock {
                _ = count.wrappingAdd(1, ordering: .relaxed)
                news.signal()
            }
        }

        /// Waits until `body` gives true; the deadline is for a broken writer only.
        func wait(_ body: () -> Bool) -> Bool {
            let clock = SystemClock()
            let deadline = clock.monotonicNanoseconds + 20_000_000_000
            return monitor.withLock {
                while !body() {
                    if clock.monotonicNanoseconds > deadline { return false }
                    news.wait(untilNanoseconds: clock.monotonicNanoseconds + 5_000_000)
                }
                return true
            }
        }
    }

    private func run(
        _ policy: SyncPolicy, on fileSystem: any FileSystem, in folder: LogFolder, turns: Int,
        disturb: (Int) -> Void = { _ in }
    ) throws -> [UInt8] {
        var settings = LogWriterSettings()
        settings.policy = policy
        settings.segmentBytesMax = 20_000
        settings.unsyncedBytesMax = 30_000
        settings.unsyncedMillisecondsMax = 20
        let wake = Wake()
        let log = try LogReader.recover(
            RecoverySettings(folder: folder, freshHistory: HistoryID(4, 5, 6)), on: fileSystem,
            apply: { _ in })
        defer { log.lock?.close() }
        let writer = try LogWriter.open(
            log, in: folder, settings: settings, fileSystem: fileSystem, clock: SystemClock(),
            wake: { wake.call() })
        var buffer = LogBuffer(start: log.end, database: log.database)
        var appended: [UInt8] = []
        for turn in 0..<turns {
            disturb(turn)
            for record in 0...turn % 4 {
                buffer.beginRecord(database: turn / 100 % 3, argumentCount: 3)
                buffer.append(argument: "SET")
                buffer.append(decimal: Int64(turn))
                buffer.append(decimal: Int64(record))
            }
            appended += buffer.slice.copyToArray()
            writer.submit(&buffer, inlineAllowed: turn % 3 != 0)
            let marks = writer.watermarks
            #expect(marks.durable <= marks.written && marks.written <= marks.appended)
            if writer.shouldHoldWriters {
                #expect(wake.wait { !writer.shouldHoldWriters }, "held for ever")
            }
            if turn % 50 == 49 {
                writer.syncNow()
                let end = buffer.appended
                #expect(wake.wait { marks.durable >= end }, "never durable")
            }
        }
        try writer.close()
        #expect(writer.watermarks.durable == buffer.appended)
        return appended
    }

    @Test("on a real disk all that was appended reads back", arguments: SyncPolicy.allCases)
    func realDisk(policy: SyncPolicy) throws {
        let directory =
            "/tmp/holdfast-log-\(getpid())-\(policy)-\(SystemClock().monotonicNanoseconds)"
        let disk = LinuxFileSystem()
        try disk.createFolder(directory)
        let folder = LogFolder(directory: directory)
        defer {
            for name in (try? disk.list(folder.path)) ?? [] {
                try? disk.remove(folder.path(of: name))
            }
            unsafe rmdir(folder.path)
            unsafe rmdir(directory)
        }
        let first = try run(policy, on: disk, in: folder, turns: 600)
        let second = try run(policy, on: disk, in: folder, turns: 100)
        let stream = try StreamOracle.read(folder, on: disk, isExact: true)
        #expect(stream.count >= first.count + second.count)
        #expect(stream.prefix(first.count) == first[...])
    }

    @Test("with faults all along it heals, and all reads back", arguments: SyncPolicy.allCases)
    func faults(policy: SyncPolicy) throws {
        let disk = SimDisk(seed: 11)
        disk.installFolder("data")
        let folder = LogFolder(directory: "data")
        let appended = try run(policy, on: disk, in: folder, turns: 300) { turn in
            if turn % 60 == 30 { disk.fail(call: disk.calls + 1 + turn % 5, .error(EIO)) }
            if turn % 60 == 45 { disk.fail(call: disk.calls + 2, .error(ENOSPC)) }
        }
        #expect(try StreamOracle.read(folder, on: disk, isExact: true) == appended)
        disk.powerCut()
        #expect(try StreamOracle.read(folder, on: disk, isExact: true) == appended)
    }
}
