import HoldfastBytes
import HoldfastPlatform
import TestSupport

@testable import Log

/// A stepped writer on a simulated disk, with what was appended to it.
final class LogWriterFixture {
    let disk: SimDisk
    let clock = SimClock()
    let folder = LogFolder(directory: "data")
    let history = HistoryID(1, 2, 3)
    let writer: SteppedLogWriter
    var buffer: LogBuffer
    var appended: [UInt8] = []
    private var count = 0

    init(_ settings: LogWriterSettings, disk: SimDisk = SimDisk()) throws {
        self.disk = disk
        disk.installFolder("data")
        let log = try LogReader.recover(
            RecoverySettings(folder: folder, freshHistory: history), on: disk, apply: { _ in })
        writer = try SteppedLogWriter(
            log, in: folder, settings: settings, fileSystem: disk, clock: clock)
        buffer = LogBuffer(start: .zero)
    }

    /// Appends one turn of `records` SETs and hands it over.
    func turn(_ records: Int = 1, database: Int = 0, inlineAllowed: Bool = true) {
        for _ in 0..<records {
            count += 1
            buffer.beginRecord(database: database, argumentCount: 3)
            buffer.append(argument: "SET")
            "key:\(count)".withSlice { buffer.append(argument: $0) }
            buffer.append(decimal: Int64(count))
        }
        appended += buffer.slice.copyToArray()
        writer.submit(&buffer, inlineAllowed: inlineAllowed)
    }

    /// Lets time pass and everything happen until all is durable; false if it doesn't come to that.
    func settle(rounds: Int = 60) -> Bool {
        for _ in 0..<rounds {
            writer.syncNow()
            writer.settle()
            if writer.watermarks.durable == writer.watermarks.appended && !writer.isFailing {
                return true
            }
            clock.advance(milliseconds: 250)
        }
        return false
    }

    func close() -> Bool {
        writer.beginClosing()
        for _ in 0..<60 {
            writer.settle()
            if writer.isClosed { return true }
            clock.advance(milliseconds: 250)
        }
        return false
    }
}

extension LogWriterSettings {
    static func small(_ policy: SyncPolicy) -> LogWriterSettings {
        var settings = LogWriterSettings()
        settings.policy = policy
        settings.segmentBytesMax = 2_000
        settings.reserveBytes = 0
        return settings
    }
}
