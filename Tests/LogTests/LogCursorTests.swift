import HoldfastBytes
import HoldfastPlatform
import TestSupport
import Testing

@testable import Log

@Suite("reading the stream beside the writer")
struct LogCursorTests {
    private func cursor(_ fixture: LogWriterFixture, from lsn: LSN) -> LogCursor {
        LogCursor(from: lsn, on: fixture.disk) { fixture.writer.extent(at: $0) }
    }

    private func read(
        _ cursor: LogCursor, upTo end: LSN, bytesMax: Int = 1 << 20
    ) throws -> [UInt8] {
        var buffer = ByteBuffer()
        var result: [UInt8] = []
        while cursor.lsn < end {
            let before = cursor.lsn
            try cursor.read(into: &buffer, upTo: end, bytesMax: bytesMax)
            #expect(cursor.lsn > before)
            result += buffer.copyToArray()
            buffer.removeAll()
        }
        return result
    }

    @Test("each LSN of several segments is a place to begin")
    func everyStart() throws {
        let fixture = try LogWriterFixture(.small(.always))
        for index in 0..<60 {
            fixture.turn(1 + index % 5, database: index % 3)
            fixture.writer.settle()
        }
        #expect(fixture.settle())
        #expect(fixture.writer.report().segmentCount > 2)
        let end = fixture.writer.watermarks.written
        for start in stride(from: 0, through: fixture.appended.count, by: 13) {
            let bytes = try read(cursor(fixture, from: LSN(UInt64(start))), upTo: end)
            #expect(bytes == Array(fixture.appended[start...]), "from \(start)")
        }
    }

    @Test("a cursor follows a log that grows and rolls", arguments: [1, 50, 700, 1 << 20])
    func follows(bytesMax: Int) throws {
        let fixture = try LogWriterFixture(.small(.everysec))
        let reader = cursor(fixture, from: .zero)
        var bytes: [UInt8] = []
        for index in 0..<200 {
            fixture.turn(1 + index % 3)
            fixture.writer.settle()
            bytes += try read(
                reader, upTo: fixture.writer.watermarks.written, bytesMax: bytesMax)
        }
        #expect(fixture.settle())
        bytes += try read(reader, upTo: fixture.writer.watermarks.written)
        #expect(bytes == fixture.appended)
    }

    @Test("healing in between loses nothing and repeats nothing", arguments: 0..<40)
    func heals(seed: UInt64) throws {
        var random = PRNG(seed: seed)
        let fixture = try LogWriterFixture(.small(.everysec), disk: SimDisk(seed: seed))
        let reader = cursor(fixture, from: .zero)
        var bytes: [UInt8] = []
        for _ in 0..<60 {
            fixture.disk.setFaultRate(Int.random(in: 0..<4, using: &random) == 0 ? 200 : 0)
            fixture.turn(Int.random(in: 1...4, using: &random))
            fixture.writer.settle()
            fixture.clock.advance(milliseconds: 400)
            fixture.disk.setFaultRate(0)
            bytes += try read(reader, upTo: fixture.writer.watermarks.written)
        }
        #expect(fixture.settle(), "seed \(seed)")
        bytes += try read(reader, upTo: fixture.writer.watermarks.written)
        #expect(bytes == fixture.appended, "seed \(seed)")
    }

    @Test("a batch larger than the window is checked before any of it is given out")
    func largeBatch() throws {
        var settings = LogWriterSettings.small(.always)
        settings.segmentBytesMax = 1 << 30
        let fixture = try LogWriterFixture(settings)
        fixture.turn(40_000)
        #expect(fixture.settle())
        let end = fixture.writer.watermarks.written
        #expect(fixture.appended.count > 1 << 20)
        #expect(try read(cursor(fixture, from: .zero), upTo: end) == fixture.appended)

        let segment = try #require(fixture.writer.extent(at: .zero))
        let file = try fixture.disk.open(segment.path, .readWrite)
        try [UInt8(ascii: "?")].withSlice { try file.writeAll($0, at: 1_000_000) }
        var buffer = ByteBuffer()
        let damaged = cursor(fixture, from: .zero)
        #expect(throws: LogCursorError.self) {
            try damaged.read(into: &buffer, upTo: end, bytesMax: 1 << 20)
        }
        let count = buffer.count
        #expect(count == 0)
    }

    @Test("what is no longer kept is gone, not skipped")
    func gone() throws {
        let fixture = try LogWriterFixture(.small(.always))
        for _ in 0..<60 {
            fixture.turn(3)
            fixture.writer.settle()
        }
        #expect(fixture.settle())
        let start = LSN(10)
        let first = try #require(fixture.writer.extent(at: start))
        try fixture.disk.remove(first.path)
        var buffer = ByteBuffer()
        let reader = cursor(fixture, from: start)
        #expect(throws: LogCursorError.self) {
            try reader.read(into: &buffer, upTo: fixture.writer.watermarks.written, bytesMax: 100)
        }
        let count = buffer.count
        #expect(count == 0)
    }

    @Test("from a base that is held the stream can be read, whatever bases come after it")
    func heldBase() throws {
        let fixture = try LogWriterFixture(.small(.always))
        fixture.writer.settings.retainReplicaBytes = 1 << 20
        func begin(_ sequence: UInt64) throws -> LogBase {
            for _ in 0..<20 {
                fixture.turn(3)
                fixture.writer.settle()
            }
            let base = LogBase(
                name: fixture.folder.baseName(sequence), sequence: sequence,
                lsn: fixture.writer.rollHere(), bytes: 18)
            let file = try fixture.disk.open(
                fixture.folder.path(of: base.name), .createOrTruncate)
            try emptySnapshot.withSlice { try file.writeAll($0, at: 0) }
            try file.sync()
            fixture.writer.install(base)
            return base
        }
        #expect(fixture.writer.holdBase { _ in true } == nil)
        let base = try begin(1)
        fixture.writer.settle()
        #expect(fixture.writer.holdBase { _ in false } == nil)
        #expect(fixture.writer.holdBase { _ in true } == base)
        for sequence in 2...4 {
            let next = try begin(UInt64(sequence))
            // The one in force may be on its way out.
            #expect(fixture.writer.holdBase { _ in true } == nil)
            fixture.writer.settle()
            #expect(fixture.writer.holdBase { _ in true } == next)
        }
        fixture.turn(3)
        #expect(fixture.settle())
        let bytes = try read(
            cursor(fixture, from: base.lsn), upTo: fixture.writer.watermarks.written)
        #expect(bytes == Array(fixture.appended[Int(base.lsn.value)...]))
        fixture.writer.retain(from: nil)
        fixture.writer.retire()
        fixture.writer.settle()
        #expect(fixture.writer.extent(at: base.lsn) == nil)
    }

    @Test("segments that a replica needs stay, up to their own bound")
    func floor() {
        let segments = (0..<10).map { index in
            SealedSegment(
                name: "\(index)", sequence: UInt64(index), firstLSN: LSN(UInt64(index) * 100),
                end: LSN(UInt64(index) * 100 + 100), bytes: 100, milliseconds: 0)
        }
        func kept(_ floor: UInt64?, _ bytesMax: Int64, _ replicaBytesMax: Int64) -> Int {
            Retention(
                bytesMax: bytesMax, millisecondsMax: 0, floor: floor.map { LSN($0) },
                replicaBytesMax: replicaBytesMax
            ).kept(segments, now: 0).count
        }
        #expect(kept(nil, 250, 10_000) == 2)
        #expect(kept(450, 250, 10_000) == 6)
        #expect(kept(500, 250, 10_000) == 5)
        #expect(kept(0, 250, 10_000) == 10)
        #expect(kept(0, 250, 350) == 3)
        #expect(kept(950, 250, 10_000) == 2)
    }
}
