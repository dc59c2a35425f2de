import Engine
import Glibc
import HoldfastBytes
import HoldfastPlatform
import Snapshot
import Store
import TestSupport
import Testing

/// Whatever happens while a snapshot is written, its name has the old file, whole, or the new one, whole.
@Suite("snapshot files on a simulated disk")
struct SnapshotFileTests {
    private static let path = "data/dump.rdb"
    private static let temporary = "data/temp-1.rdb"
    private static let old = Array("the snapshot before".utf8)

    private static func harness() -> EngineHarness {
        let harness = EngineHarness(CommandFamilies.data, databases: 2)
        var generator = AllTypesGenerator(seed: 3)
        for number in 0..<600 {
            harness.database = number % 2
            harness.run(generator.command())
        }
        return harness
    }

    private static func disk(seed: UInt64) -> SimDisk {
        let disk = SimDisk(seed: seed)
        disk.installFolder("data")
        disk.install(path, old)
        return disk
    }

    @discardableResult
    private static func write(
        _ harness: EngineHarness, on fileSystem: any FileSystem, verifies: Bool = true,
        progress: SnapshotProgress = SnapshotProgress()
    ) throws(SnapshotWriteError) -> SnapshotSummary {
        var place = SnapshotPlace(folder: "data", name: "dump.rdb", temporaryName: "temp-1.rdb")
        place.verifies = verifies
        var settings = SnapshotSettings()
        // Many calls: an LZ4 frame of this size would be one.
        settings.compression = .none
        settings.pieceBytes = 2 << 10
        let view = harness.freeze()
        let epoch = view.epoch
        do throws(SnapshotWriteError) {
            let summary = try SnapshotFile.write(
                view, header: SnapshotHeader(), settings: settings, to: place, on: fileSystem,
                progress: progress)
            _ = consume view
            harness.thaw(epoch)
            return summary
        } catch {
            _ = consume view
            harness.thaw(epoch)
            throw error
        }
    }

    private static func whole(_ harness: EngineHarness) throws -> [UInt8] {
        let disk = disk(seed: 1)
        try write(harness, on: disk)
        let bytes = try #require(disk.contents(path))
        #expect(bytes.count > 8 << 10)
        return bytes
    }

    enum Fault: CaseIterable {
        case inputOutput, noSpace, short

        var fault: SimFault {
            switch self {
            case .inputOutput: .error(EIO)
            case .noSpace: .error(ENOSPC)
            case .short: .short
            }
        }
    }

    @Test(
        "whichever call fails, the old file or the new one is whole, and nothing else is left",
        arguments: Fault.allCases)
    func everyCallFails(fault: Fault) throws {
        let harness = Self.harness()
        let new = try Self.whole(harness)
        var number = 1
        var failures = 0
        while true {
            let disk = Self.disk(seed: UInt64(number))
            disk.fail(call: number, fault.fault)
            var hasFailed = false
            do {
                try Self.write(harness, on: disk)
            } catch { hasFailed = true }
            let wasMet = disk.calls >= number
            let found = disk.contents(Self.path)
            #expect(found == new || hasFailed && found == Self.old, "call \(number), \(fault)")
            #expect(disk.paths == ["data", Self.path], "call \(number), \(fault)")
            disk.clearFaults()
            disk.powerCut()
            let kept = disk.contents(Self.path)
            #expect(kept == new || hasFailed && kept == Self.old, "call \(number), \(fault)")
            if hasFailed {
                failures += 1
                // The next attempt succeeds.
                try Self.write(harness, on: disk)
                #expect(disk.contents(Self.path) == new)
            }
            if !wasMet { break }
            number += 1
        }
        #expect(number > 8)
        #expect(
            fault == .short ? failures == 0 : failures == number - 1, "\(failures) of \(number)")
    }

    @Test("wherever the power fails, the old file or the new one is whole")
    func everyPowerCut() throws {
        let harness = Self.harness()
        let new = try Self.whole(harness)
        var number = 1
        var olds = 0
        var isReached = true
        while isReached {
            for seed in 1...6 {
                let disk = Self.disk(seed: UInt64(number * 100 + seed))
                disk.powerFails(atCall: number)
                var hasFailed = false
                do {
                    try Self.write(harness, on: disk)
                } catch { hasFailed = true }
                isReached = disk.isOff
                disk.powerCut()
                let kept = disk.contents(Self.path)
                #expect(
                    kept == new || hasFailed && kept == Self.old, "call \(number), seed \(seed)")
                if kept == Self.old { olds += 1 }
                // What is left over is in nobody's way.
                try Self.write(harness, on: disk)
                #expect(disk.contents(Self.path) == new)
                #expect(disk.paths == ["data", Self.path])
            }
            number += 1
        }
        #expect(number > 8)
        #expect(olds > 0)
    }

    @Test("a byte that the disk changes is found before the file gets its name, wherever it is")
    func verify() throws {
        let harness = Self.harness()
        let new = try Self.whole(harness)
        for offset in stride(from: 0, to: new.count, by: max(1, new.count / 40)) {
            let disk = Self.disk(seed: 1)
            let flipping = FlippingFileSystem(disk, offset: Int64(offset))
            #expect(throws: SnapshotWriteError.self, "offset \(offset)") {
                try Self.write(harness, on: flipping)
            }
            #expect(disk.contents(Self.path) == Self.old)
            #expect(disk.paths == ["data", Self.path])
            // Without the look back the file has its name, and a load finds the fault.
            try Self.write(harness, on: flipping, verifies: false)
            let spoilt = try #require(disk.contents(Self.path))
            #expect(spoilt != new && spoilt.count == new.count)
            #expect(throws: SnapshotReadError.self, "offset \(offset)") {
                var keyspace = Keyspace(databases: 2, seed: 1)
                var loader = try SnapshotLoader(
                    MemorySource(spoilt), settings: SnapshotLoaderSettings())
                while try loader.step(into: &keyspace, bytes: 1 << 20) {}
            }
        }
    }

    @Test("one that is cancelled leaves the old file and nothing else")
    func cancelled() throws {
        let harness = Self.harness()
        let disk = Self.disk(seed: 1)
        let progress = SnapshotProgress()
        progress.cancel()
        #expect(throws: SnapshotWriteError.cancelled) {
            try Self.write(harness, on: disk, progress: progress)
        }
        #expect(disk.contents(Self.path) == Self.old)
        #expect(disk.paths == ["data", Self.path])
    }

    @Test("a disk that is full in the middle of it keeps the old file and gets its room back")
    func full() throws {
        let harness = Self.harness()
        let disk = SimDisk(seed: 1, quota: 6 << 10)
        disk.installFolder("data")
        disk.install(Self.path, Self.old)
        #expect(throws: SnapshotWriteError.self) { try Self.write(harness, on: disk) }
        #expect(disk.contents(Self.path) == Self.old)
        #expect(disk.paths == ["data", Self.path])
        #expect(try disk.freeBytes(at: "data") == Int64(6 << 10) - Int64(Self.old.count))
    }
}

/// A disk that flips a bit of the byte at one offset of whatever is written.
private final class FlippingFileSystem: FileSystem {
    private let disk: SimDisk
    private let offset: Int64

    init(_ disk: SimDisk, offset: Int64) {
        self.disk = disk
        self.offset = offset
    }

    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> any File {
        FlippingFile(try disk.open(path, mode), offset: offset)
    }
    func list(_ folder: String) throws(SystemError) -> [String] { try disk.list(folder) }
    func kind(of path: String) throws(SystemError) -> FileKind? { try disk.kind(of: path) }
    func createFolder(_ path: String) throws(SystemError) { try disk.createFolder(path) }
    func rename(_ from: String, to: String) throws(SystemError) { try disk.rename(from, to: to) }
    func remove(_ path: String) throws(SystemError) { try disk.remove(path) }
    func syncFolder(_ path: String) throws(SystemError) { try disk.syncFolder(path) }
    func freeBytes(at path: String) throws(SystemError) -> Int64 { try disk.freeBytes(at: path) }
    func lock(_ path: String) throws(SystemError) -> any File { try disk.lock(path) }
}

private final class FlippingFile: File {
    private let file: any File
    private let offset: Int64

    init(_ file: any File, offset: Int64) {
        self.file = file
        self.offset = offset
    }

    var path: String { file.path }
    func size() throws(SystemError) -> Int64 { try file.size() }
    func read(
        at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int { try unsafe file.read(at: offset, into: buffer) }

    func write(
        _ head: ByteSlice, _ body: ByteSlice, at start: Int64
    ) throws(SystemError) -> Int {
        var bytes = head.copyToArray() + body.copyToArray()
        let index = Int(offset - start)
        if bytes.indices.contains(index) { bytes[index] ^= 4 }
        return try bytes.withSlice { slice throws(SystemError) in
            try file.write(slice, ByteSlice(), at: start)
        }
    }

    func sync() throws(SystemError) { try file.sync() }
    func truncate(to size: Int64) throws(SystemError) { try file.truncate(to: size) }
    func reserve(upTo size: Int64) throws(SystemError) { try file.reserve(upTo: size) }
    func close() { file.close() }
}
