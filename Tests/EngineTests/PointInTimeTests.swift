import Engine
import HoldfastPlatform
import Snapshot
import Store
import TestSupport
import Testing

/// A snapshot is the data of one instant of the log, whatever happens while it is written.
@Suite("point in time")
struct PointInTimeTests {
    private static let databases = 3

    /// The usual limits, or small ones, so that values change their encoding all the time.
    private static func limits(_ seed: UInt64) -> EngineLimits {
        var limits = EngineLimits()
        if seed % 2 == 0 { return limits }
        limits.encodings.setIntegersMax = 6
        limits.encodings.setEntriesMax = 5
        limits.encodings.hashEntriesMax = 6
        limits.encodings.sortedSetEntriesMax = 6
        limits.encodings.listNodeSize = 3
        return limits
    }

    private static func harness(_ seed: UInt64) -> EngineHarness {
        let harness = EngineHarness(
            CommandFamilies.data, databases: databases, seed: seed, limits: limits(seed))
        harness.now = 1_700_000_000_000
        return harness
    }

    /// What is known of a view besides what it shows.
    private struct Instant {
        var epoch: UInt32
        var digest: String
        var logged: Int
        var now: Int64
    }

    private static func instant(_ harness: EngineHarness, _ epoch: UInt32) -> Instant {
        Instant(
            epoch: epoch, digest: harness.digest, logged: harness.loggedCount, now: harness.now)
    }

    private static func step(
        _ harness: EngineHarness, _ generator: inout AllTypesGenerator, _ random: inout PRNG
    ) {
        if random.oneIn(20) { harness.database = random.below(databases) }
        if random.oneIn(3) { harness.now += Int64(random.below(40)) }
        harness.run(generator.command())
        if random.oneIn(5) { harness.expireDue() }
    }

    private static func file(
        of view: borrowing FrozenView, _ compression: SnapshotCompression = .none
    ) throws -> [UInt8] {
        var settings = SnapshotSettings()
        settings.compression = compression
        settings.pieceBytes = 8 << 10
        let sink = MemorySink()
        try SnapshotWriter.write(
            view, header: SnapshotHeader(), settings: settings, to: sink,
            progress: SnapshotProgress())
        return sink.bytes
    }

    private static func digest(ofFile file: [UInt8]) throws -> String {
        var settings = SnapshotLoaderSettings()
        settings.reader.sanitizes = true
        var keyspace = Keyspace(databases: databases, seed: 99)
        var loader = try SnapshotLoader(MemorySource(file), settings: settings)
        while try loader.step(into: &keyspace, bytes: 1 << 20) {}
        keyspace.checkInvariants()
        return keyspace.digest().hex
    }

    /// The digest of a fresh engine that was given the log up to an instant.
    private static func digest(
        ofLog logged: [UInt8], upTo instant: Instant, _ seed: UInt64
    ) throws -> String {
        let twin = harness(seed)
        twin.now = instant.now
        try twin.replay(Array(logged[..<instant.logged]))
        return twin.digest
    }

    /// A view that several may be alive of, in an array.
    private final class Living {
        let view: FrozenView
        let instant: Instant
        /// The file that it made when it was frozen.
        let early: [UInt8]?

        init(_ view: consuming FrozenView, _ instant: Instant, writesNow: Bool) throws {
            self.early = writesNow ? try PointInTimeTests.file(of: view) : nil
            self.view = view
            self.instant = instant
        }
    }

    @Test(
        "every view of several, written at any later moment, is the log's data at its own instant",
        arguments: DifferentialSeeds.seeds(1...5))
    func views(seed: UInt64) throws {
        let harness = Self.harness(seed)
        var generator = AllTypesGenerator(seed: seed)
        var random = PRNG(seed: seed)
        var living: [Living] = []
        var checked = 0
        /// Takes the view out, so that nothing holds it any more at return; gives its epoch.
        func check(_ index: Int) throws -> UInt32 {
            let ended = living.remove(at: index)
            let compression: SnapshotCompression = [.none, .lzf, .lz4][random.below(3)]
            let plain = try Self.file(of: ended.view)
            // Not only equal data: every byte, with consumer groups and deadlines.
            if let early = ended.early { try #require(plain == early, "seed \(seed)") }
            let file =
                compression == .none ? plain : try Self.file(of: ended.view, compression)
            try #require(
                try Self.digest(ofFile: file) == ended.instant.digest,
                "seed \(seed), LSN \(ended.instant.logged), \(compression)")
            if checked % 3 == 0 {
                let replayed = try Self.digest(
                    ofLog: harness.loggedBytes, upTo: ended.instant, seed)
                try #require(
                    replayed == ended.instant.digest,
                    "seed \(seed), log up to \(ended.instant.logged)")
            }
            checked += 1
            return ended.instant.epoch
        }
        for _ in 0..<2_500 {
            Self.step(harness, &generator, &random)
            if living.count < 4, random.oneIn(70) {
                let view = harness.freeze()
                let instant = Self.instant(harness, view.epoch)
                living.append(try Living(view, instant, writesNow: random.oneIn(2)))
            }
            if !living.isEmpty, random.oneIn(80) {
                harness.thaw(try check(random.below(living.count)))
            }
        }
        while !living.isEmpty { harness.thaw(try check(random.below(living.count))) }
        harness.checkInvariants()
        let twin = Self.harness(seed)
        twin.now = harness.now
        try twin.replay(harness.loggedBytes)
        #expect(twin.digest == harness.digest, "seed \(seed)")
        #expect(checked > 10)
    }

    @Test("views that threads write while commands go on are the log's data at their instants")
    func threads() throws {
        let seed: UInt64 = 5
        let disk = SimDisk(seed: seed)
        disk.installFolder("data")
        let harness = Self.harness(seed)
        var generator = AllTypesGenerator(seed: seed)
        var random = PRNG(seed: seed)
        for _ in 0..<400 { Self.step(harness, &generator, &random) }
        var running: [(job: SnapshotJob, instant: Instant)] = []
        var ended: [(path: String, instant: Instant)] = []
        var begun = 0
        var meanwhile = 0
        while ended.count < 12 {
            Self.step(harness, &generator, &random)
            if running.count < 3, begun < 12, random.oneIn(30) {
                let view = harness.freeze()
                let instant = Self.instant(harness, view.epoch)
                begun += 1
                var settings = SnapshotSettings()
                settings.compression = [.none, .lzf, .lz4][begun % 3]
                settings.pieceBytes = 4 << 10
                // Slow enough for commands to meet it at work.
                let job = SnapshotJob(
                    view, purpose: .dump, header: SnapshotHeader(), settings: settings,
                    place: SnapshotPlace(
                        folder: "data", name: "\(begun).rdb", temporaryName: "temp-\(begun).rdb"),
                    progress: SnapshotProgress(keyDelayMicroseconds: 50), on: disk, wake: {})
                job.start()
                running.append((job, instant))
            }
            meanwhile += running.count
            for index in running.indices.reversed() {
                guard let outcome = running[index].job.outcome else { continue }
                let (job, instant) = running.remove(at: index)
                job.join()
                _ = try outcome.get()
                harness.thaw(job.epoch)
                ended.append((job.place.path, instant))
            }
        }
        #expect(meanwhile > 0)
        harness.checkInvariants()
        for (path, instant) in ended {
            let file = try #require(disk.contents(path))
            #expect(try Self.digest(ofFile: file) == instant.digest, "\(path)")
            #expect(
                try Self.digest(ofLog: harness.loggedBytes, upTo: instant, seed)
                    == instant.digest, "\(path)")
        }
    }
}
