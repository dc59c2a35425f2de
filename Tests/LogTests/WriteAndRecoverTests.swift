import HoldfastBytes
import HoldfastPlatform
import TestSupport
import Testing

@testable import Log

/// Writer and reader against each other: what the real writer left on a disk that lost power, the real
/// recovery reads, and the next writer goes on from there.
@Suite("writing, crashing and recovering in turns")
struct WriteAndRecoverTests {
    /// Several lives of one log on one disk; each ends in a power cut, a kill or a clean stop.
    @Test(
        "every life finds a prefix of what was written, with all that was durable",
        arguments: 0..<90)
    func lives(seed: UInt64) throws {
        var random = PRNG(seed: seed)
        let disk = SimDisk(seed: seed)
        disk.installFolder("data")
        let clock = SimClock()
        let folder = LogFolder(directory: "data")
        var stream: [UInt8] = []
        var durable = 0
        var count = 0
        var histories: [Histories.Span] = []
        for life in 0..<6 {
            // The power may fail during a recovery, too.
            if Bool.random(using: &random) {
                disk.powerFails(atCall: disk.calls + Int.random(in: 1...8, using: &random))
                let settings = RecoverySettings(folder: folder, freshHistory: testHistory)
                do throws(LogReadError) {
                    _ = try LogReader.recover(settings, on: disk, apply: { _ in })
                } catch {
                    guard case .system = error else { throw error }
                }
                disk.powerFails(atCall: nil)
                disk.powerCut()
            }
            var found: [UInt8] = []
            var recovered = try LogReader.recover(
                RecoverySettings(folder: folder, freshHistory: testHistory), on: disk,
                apply: { found += $0.records.copyToArray() })
            let place: Comment = "seed \(seed), life \(life)"
            #expect(life == 0 || !recovered.isFresh, place)
            #expect(found.count >= durable, place)
            #expect(stream.starts(with: found), place)
            #expect(recovered.end == LSN(UInt64(found.count)), place)
            stream = found
            // Which history a byte is of is known for as long as the byte is there.
            let known = recovered.histories.spans
            if life > 0 {
                #expect(histories.starts(with: known), place)
                #expect(
                    histories.dropFirst(known.count).allSatisfy { $0.first >= recovered.end }, place
                )
            }
            if life > 0, Bool.random(using: &random) {
                recovered.beginHistory(HistoryID(seed, UInt64(life), 0))
            }
            histories = recovered.histories.spans

            let writer = try SteppedLogWriter(
                recovered, in: folder,
                settings: .small([.always, .everysec, .no][Int(seed % 3)]),
                fileSystem: disk, clock: clock)
            if seed % 4 == 0 { disk.setFaultRate(300) }
            var buffer = LogBuffer(start: recovered.end, database: recovered.database)
            for _ in 0..<Int.random(in: 1...25, using: &random) {
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    count += 1
                    buffer.beginRecord(database: count % 3, argumentCount: 3)
                    buffer.append(argument: "SET")
                    "key:\(count)".withSlice { buffer.append(argument: $0) }
                    buffer.append(decimal: Int64(count))
                }
                stream += buffer.slice.copyToArray()
                writer.submit(&buffer, inlineAllowed: true)
                if Int.random(in: 0..<6, using: &random) == 0 {
                    let id = HistoryID(seed, UInt64(life), UInt32(count))
                    histories.append(.init(id, from: writer.beginHistory(id)))
                }
                switch Int.random(in: 0..<8, using: &random) {
                case 0: writer.settle()
                case 1:
                    writer.syncNow()
                    writer.settle()
                case 2...5:
                    // Writes without syncs; a step runs at first and is finished later.
                    _ = writer.takeWrite()
                    if writer.stepCount > 0 { writer.advance(step: 0) }
                default: clock.advance(milliseconds: 300)
                }
            }
            disk.setFaultRate(0)
            disk.clearFaults()
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                durable = Int(writer.watermarks.durable.value)
                disk.powerCut()
            case 1:
                durable = Int(writer.watermarks.durable.value)
                disk.processKill()
            default:
                writer.beginClosing()
                for _ in 0..<60 where !writer.isClosed {
                    writer.settle()
                    clock.advance(milliseconds: 250)
                }
                #expect(writer.isClosed, place)
                durable = stream.count
                disk.processKill()
            }
        }
    }
}
