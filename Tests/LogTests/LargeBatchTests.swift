import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Log

/// Readers with bounded memory check what they don't hold: the verdict must not depend on that.
@Suite("batches that aren't held")
struct LargeBatchTests {
    private struct Outcome: Equatable {
        var error: LogReadError?
        var end: LSN?
        var cut: CutTail?
        /// What each record begins with, and where it stands.
        var records: [String] = []
    }

    private func inspect(_ disk: MemoryDisk, heldBytesMax: Int64) -> Outcome {
        var settings = settings()
        settings.heldBytesMax = heldBytesMax
        var outcome = Outcome()
        do throws(LogReadError) {
            let log = try LogReader.inspect(settings, on: disk) { batch in
                batch.forEachRecord { record in
                    let words = record.arguments.map { "\($0.count):\($0.kept.prefix(16).text)" }
                    outcome.records.append(
                        "\(record.lsn) \(record.byteCount) [\(record.database)] "
                            + "\(record.isInTransaction) \(words)")
                }
            }
            outcome.end = log.end
            outcome.cut = log.cut
        } catch { outcome.error = error }
        return outcome
    }

    private func compare(_ contents: MemoryDisk.Contents, held: Int64, _ what: String) {
        let disk = MemoryDisk(contents)
        let bounded = inspect(disk, heldBytesMax: held)
        #expect(bounded == inspect(disk, heldBytesMax: .max), "\(what)")
    }

    @Test("every flipped bit of a segment is judged alike")
    func segments() throws {
        var builder = FolderBuilder()
        builder.segment(1)
        builder.batch(record("SET", "a", "1"), record("SELECT", "3"))
        builder.batch(record("MULTI"), record("INCR", "n"), record("EXEC"))
        builder.batch(record("SET", "a b", "x"), record("DEL", "a", "b", "c"))
        builder.writeManifest()
        compare(builder.contents, held: 0, "whole")
        let path = testFolder.path(of: testFolder.segmentName(1))
        let bytes = try #require(builder.contents.files[path])
        for position in bytes.indices {
            for bit in 0..<8 {
                var contents = builder.contents
                contents.files[path]?[position] ^= 1 << UInt8(bit)
                compare(contents, held: 0, "bit \(bit) of byte \(position)")
            }
            var contents = builder.contents
            contents.files[path] = Array(bytes[..<position])
            compare(contents, held: 0, "cut to \(position)")
        }
    }

    @Test("an intact batch of nonsense is judged alike")
    func nonsense() {
        let good = record("SET", "k", "v")
        for bad in [
            Array("*1\r\n$4\r\nPI".utf8), Array("*0\r\n".utf8), Array("*1\r\n$4\r\nPINGxx".utf8),
            Array("PING\r\n".utf8), record("MULTI"), record("EXEC"), record("SELECT", "x"),
            record("SELECT", "99999999999999999999999999999999999999"), Array("*2\r\n$3\r\n".utf8),
            record("MULTI") + record("MULTI"), Array("*1\r\n$99999999999\r\n".utf8),
        ] {
            var builder = FolderBuilder()
            builder.segment(1)
            builder.batch(good)
            builder.batch(good + bad + (bad.count % 2 == 0 ? good : []))
            builder.writeManifest()
            compare(builder.contents, held: 0, String(decoding: bad, as: UTF8.self))
        }
    }

    @Test("a plain transaction larger than memory is judged alike, whole, cut or damaged")
    func plain() throws {
        let value = String(repeating: "v", count: 1_300_000)
        var bytes = record("SET", "a", "1")
        var marks: [Int] = []
        for part in [
            record("MULTI"), Array("#TS:1700000000\r\n".utf8), record("SELECT", "2"),
            record("SET", "b", value), Array("#TS:1700000001\r\n".utf8),
            record("SET", "c", value), record("EXEC"), record("SET", "d", "4"),
        ] {
            marks += [bytes.count, bytes.count + 1, bytes.count + 5, bytes.count + part.count - 1]
            bytes += part
        }
        var builder = FolderBuilder()
        let name = "appendonly.aof.1.incr.aof"
        func contents(_ bytes: [UInt8]) -> MemoryDisk.Contents {
            builder.plainFile(name, bytes)
            builder.writeManifest(text: "file \(name) seq 1 type i\n")
            return builder.contents
        }
        compare(contents(bytes), held: 1000, "whole")
        #expect(inspect(MemoryDisk(contents(bytes)), heldBytesMax: 1000).records.count == 7)
        for mark in marks where mark < bytes.count {
            compare(contents(Array(bytes[..<mark])), held: 1000, "cut to \(mark)")
            var changed = bytes
            changed[mark] ^= 0x20
            compare(contents(changed), held: 1000, "byte \(mark) changed")
            compare(
                contents(Array(bytes[..<mark]) + [UInt8](repeating: 0, count: 2_000_000)),
                held: 1000, "zeros from \(mark)")
        }
    }
}
