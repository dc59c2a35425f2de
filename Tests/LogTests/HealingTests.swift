import HoldfastBytes
import HoldfastPlatform
import TestSupport
import Testing

@testable import Log

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Healing after a failed write or sync")
struct HealingTests {
    /// A fixed history of turns; returns false once `number` lies beyond its last call.
    private func run(
        policy: SyncPolicy, fault: SimFault, number: Int, seed: UInt64
    ) throws -> Bool {
        let log = try LogWriterFixture(.small(policy), disk: SimDisk(seed: seed))
        let first = log.disk.calls
        log.disk.fail(call: first + number, fault)
        for index in 0..<24 {
            let durable = log.writer.watermarks.durable
            log.turn(1 + index % 5, database: index % 2, inlineAllowed: index % 3 != 0)
            if index % 2 == 0 {
                log.writer.settle()
                log.clock.advance(milliseconds: 300)
            }
            #expect(log.writer.watermarks.durable >= durable)
        }
        #expect(log.settle(), "call \(number): never heals")
        let durable = Int(log.writer.watermarks.durable.value)
        #expect(durable == log.appended.count)
        let wasMet = log.disk.calls >= first + number
        log.disk.clearFaults()
        #expect(log.close())
        let stream = try StreamOracle.read(log.folder, on: log.disk, isExact: true)
        #expect(stream == log.appended, "call \(number)")
        log.disk.powerCut()
        let after = try StreamOracle.read(log.folder, on: log.disk, isExact: false)
        #expect(after == log.appended, "call \(number), after a power cut")
        return wasMet && number < 400
    }

    @Test(
        "whichever call fails, nothing is lost and it heals by itself",
        arguments: SyncPolicy.allCases, [SimFault.error(EIO), .error(ENOSPC), .short])
    func failEachCall(policy: SyncPolicy, fault: SimFault) throws {
        var number = 1
        while try run(policy: policy, fault: fault, number: number, seed: UInt64(number)) {
            number += 1
        }
        #expect(number > 30)
    }

    @Test("after a failed sync nothing is acknowledged until another segment holds it")
    func neverFalsely() throws {
        let log = try LogWriterFixture(.small(.always))
        log.writer.settle()
        log.turn()
        log.disk.fail(call: log.disk.calls + 2, .error(EIO))
        log.writer.advance(step: 0)
        log.writer.advance(step: 0)
        #expect(log.writer.isFailing)
        #expect(log.writer.watermarks.durable == .zero)
        log.turn()
        #expect(log.writer.stepCount == 0, "a poisoned segment gets no more bytes")
        #expect(log.settle())
        #expect(log.writer.report().segmentCount == 2)
    }

    @Test("while the disk stays broken nothing is acknowledged, and when it works again all is")
    func longOutage() throws {
        let log = try LogWriterFixture(.small(.everysec))
        log.turn()
        #expect(log.settle())
        let durable = log.writer.watermarks.durable
        log.disk.setFaultRate(10_000)
        for _ in 0..<20 {
            log.turn()
            log.writer.settle()
            log.clock.advance(milliseconds: 400)
        }
        #expect(log.writer.isFailing)
        #expect(log.writer.watermarks.durable == durable)
        #expect(log.writer.shouldHoldWriters)
        log.disk.setFaultRate(0)
        log.clock.advance(milliseconds: 1_000)
        log.writer.settle()
        #expect(!log.writer.isFailing, "heals within a second of the disk")
        #expect(log.settle())
        #expect(log.close())
        #expect(try StreamOracle.read(log.folder, on: log.disk, isExact: true) == log.appended)
    }

    @Test("a full disk refuses growth first, and service comes back with the room")
    func diskFull() throws {
        var settings = LogWriterSettings.small(.always)
        settings.reserveBytes = 1 << 20
        let disk = SimDisk(quota: 60_000)
        let log = try LogWriterFixture(settings, disk: disk)
        log.writer.settle()
        #expect(log.writer.growthAllowed)
        var turns = 0
        while log.writer.growthAllowed && turns < 1_000 {
            log.turn(5)
            log.writer.settle()
            log.clock.advance(milliseconds: 100)
            log.writer.settle()
            turns += 1
        }
        #expect(!log.writer.growthAllowed)
        #expect(!log.writer.isFailing, "the log itself hasn't failed yet")
        #expect(log.settle())
        // Somebody goes on writing all the same.
        for _ in 0..<400 {
            log.turn(5)
            log.writer.settle()
            log.clock.advance(milliseconds: 100)
        }
        #expect(log.writer.isFailing)
        disk.setQuota(1_000_000)
        log.clock.advance(milliseconds: 1_000)
        #expect(log.settle())
        log.clock.advance(milliseconds: 1_000)
        log.writer.settle()
        #expect(log.writer.growthAllowed)
        #expect(log.close())
        #expect(try StreamOracle.read(log.folder, on: log.disk, isExact: true) == log.appended)
    }
}
