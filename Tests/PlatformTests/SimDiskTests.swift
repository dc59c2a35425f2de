import HoldfastBytes
import HoldfastPlatform
import TestSupport
import Testing

@Suite("The simulated disk")
struct SimDiskTests {
    private func disk(_ seed: UInt64) -> SimDisk {
        let disk = SimDisk(seed: seed)
        disk.installFolder("d")
        return disk
    }

    private func text(_ bytes: [UInt8]?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        "what was synced survives every power cut, name and bytes",
        arguments: 1...50 as ClosedRange<UInt64>)
    func synced(seed: UInt64) throws {
        let disk = disk(seed)
        let file = try disk.open("d/a", .createNew)
        try file.writeAll(ByteSlice("hello"), at: 0)
        try file.sync()
        try disk.syncFolder("d")
        try file.writeAll(ByteSlice("HELLO and more"), at: 0)
        disk.powerCut()
        let after = try #require(text(disk.contents("d/a")))
        #expect(after.count >= 5)
        #expect(throws: SystemError.self) { try file.sync() }
    }

    @Test("an unsynced write survives whole, torn or not at all: all three happen")
    func unsynced() throws {
        var outcomes: Set<Int> = []
        for seed in 1...200 as ClosedRange<UInt64> {
            let disk = disk(seed)
            let file = try disk.open("d/a", .createNew)
            try disk.syncFolder("d")
            try [UInt8](repeating: 7, count: 2_048).withSlice { (slice) throws(SystemError) in
                try file.writeAll(slice, at: 0)
            }
            disk.powerCut()
            outcomes.insert(try #require(disk.contents("d/a")).filter { $0 == 7 }.count)
        }
        #expect(outcomes == [0, 512, 1_024, 1_536, 2_048])
    }

    @Test("an unsynced name may be lost or kept")
    func names() throws {
        var kept = 0
        for seed in 1...100 as ClosedRange<UInt64> {
            let disk = disk(seed)
            _ = try disk.open("d/a", .createNew)
            disk.powerCut()
            if try disk.kind(of: "d/a") != nil { kept += 1 }
        }
        #expect(kept > 10 && kept < 90)
    }

    @Test("after a failed sync a later success proves nothing")
    func failedSync() throws {
        var lost = 0
        for seed in 1...100 as ClosedRange<UInt64> {
            let disk = disk(seed)
            let file = try disk.open("d/a", .createNew)
            try disk.syncFolder("d")
            try file.writeAll(ByteSlice("hello"), at: 0)
            disk.fail(call: disk.calls + 1, .error(5))
            #expect(throws: SystemError.self) { try file.sync() }
            try file.sync()
            disk.powerCut()
            if text(disk.contents("d/a")) != "hello" { lost += 1 }
        }
        #expect(lost > 10 && lost < 90)
    }

    @Test("a failed sync is reported once to every open handle")
    func errorPerHandle() throws {
        let disk = disk(1)
        let one = try disk.open("d/a", .createNew)
        let other = try disk.open("d/a", .readWrite)
        disk.fail(call: disk.calls + 1, .error(5))
        #expect(throws: SystemError.self) { try one.sync() }
        try one.sync()
        #expect(throws: SystemError.self) { try other.sync() }
        try other.sync()
        try disk.open("d/a", .readWrite).sync()
    }

    @Test("a full disk takes what fits")
    func quota() throws {
        let disk = SimDisk(quota: 10)
        disk.installFolder("d")
        let file = try disk.open("d/a", .createNew)
        #expect(try file.write(ByteSlice("hello"), ByteSlice("hello world"), at: 0) == 10)
        #expect(throws: SystemError.self) { try file.writeAll(ByteSlice("x"), at: 10) }
        try disk.remove("d/a")
        #expect(try disk.freeBytes(at: "d") == 10)
    }
}
