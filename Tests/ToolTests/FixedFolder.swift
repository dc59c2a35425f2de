import AOFCheck
import Foundation
import HoldfastBytes
import HoldfastPlatform
import Log
import TestSupport
import ToolKit

/// A log folder of known bytes: a base with one key, a sealed segment, and the newest one.
struct FixedFolder {
    static let folder = LogFolder(directory: "/d")
    static let history = HistoryID(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0xdead_beef)

    /// By name.
    var files: [String: [UInt8]] = [:]
    /// For each segment, where its batches begin and end.
    var batches: [String: [Range<Int>]] = [:]
    private var lsn: UInt64 = 100
    private var milliseconds: Int64 = 1_700_000_000_000
    private var manifest = Manifest(history: Self.history)

    static let base = "appendonly.aof.1.base.rdb"
    static let sealed = "appendonly.aof.1.incr.aof"
    static let newest = "appendonly.aof.2.incr.aof"
    static let manifestName = "appendonly.aof.manifest"

    /// - Parameter isDurable: the manifest says that everything is; else only what the batches say.
    init(isDurable: Bool, zeros: Int = 0) {
        files[Self.base] = Self.snapshot
        manifest.lines.append(
            .init(name: Self.base, sequence: 1, type: .base, firstLSN: LSN(lsn)))
        segment(1, Self.sealed)
        batch(Self.sealed, record("SET", "user:1", "Ann"))
        batch(
            Self.sealed, record("MULTI"), record("INCR", "n"), record("LPUSH", "l", "a", "b"),
            record("EXEC"))
        segment(2, Self.newest)
        batch(Self.newest, record("SET", "user:2", "Bob"))
        batch(Self.newest, record("SET", "a b", "c"), record("SELECT", "3"))
        batch(
            Self.newest, record("HSET", "h", "f", "v"), record("FLUSHALL"), record("SET", "z", "9"))
        files[Self.newest]? += [UInt8](repeating: 0, count: zeros)
        if isDurable { manifest.durable = LSN(lsn) }
        var text = ByteBuffer()
        manifest.append(to: &text)
        files[Self.manifestName] = text.copyToArray()
    }

    private func record(_ words: String...) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
        return bytes
    }

    private mutating func segment(_ number: UInt64, _ name: String) {
        manifest.lines.append(
            .init(name: name, sequence: number, type: .incremental, firstLSN: LSN(lsn)))
        var buffer = ByteBuffer()
        BatchEncoder.openingLine(
            into: &buffer, segment: number, firstLSN: LSN(lsn), history: Self.history,
            milliseconds: milliseconds, database: 0)
        files[name] = buffer.copyToArray()
    }

    private mutating func batch(_ name: String, _ records: [UInt8]...) {
        let all = Array(records.joined())
        milliseconds += 20_000
        var buffer = ByteBuffer()
        all.withSlice { slice in
            BatchEncoder.annotation(
                into: &buffer, firstLSN: LSN(lsn), records: slice, milliseconds: milliseconds,
                durable: LSN(lsn))
        }
        let start = files[name]?.count ?? 0
        files[name]? += buffer.copyToArray() + all
        batches[name, default: []].append(start..<start + buffer.count + all.count)
        lsn += UInt64(all.count)
    }

    /// One key, `b`, with the value `1`.
    private static let snapshot: [UInt8] = {
        var bytes = Array("REDIS0010".utf8)
        bytes += [0xfa, 8] + Array("aof-base".utf8) + [0xc0, 1]
        for (name, value) in [("holdfast-history", history.description), ("holdfast-lsn", "100")] {
            bytes += [0xfa, UInt8(name.utf8.count)] + Array(name.utf8)
            bytes += [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        bytes += [0xfe, 0, 0xfb, 1, 0, 0, 1] + Array("b".utf8) + [1] + Array("1".utf8) + [0xff]
        let sum = bytes.withSlice { CRC64.of($0) }
        return bytes + (0..<8).map { UInt8(truncatingIfNeeded: sum >> UInt64(8 * $0)) }
    }()

    /// The folder on a disk in memory.
    func disk() -> SimDisk {
        let disk = SimDisk()
        disk.installFolder("/d")
        disk.installFolder(Self.folder.path)
        for (name, bytes) in files { disk.install(Self.folder.path(of: name), bytes) }
        return disk
    }

    /// The folder on the real disk, under `directory`.
    func write(to directory: String) throws {
        let path = directory + "/appendonlydir"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, bytes) in files {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }
    }
}

/// What a run of aof-check came to.
struct ToolRun {
    var status: Int32
    var output: String

    init(_ words: String..., calledAs name: String = "aof-check", on disk: any FileSystem) {
        self.init(words, calledAs: name, on: disk)
    }

    init(_ words: [String], calledAs name: String = "aof-check", on disk: any FileSystem) {
        let kept = Output.kept()
        status = AOFCheck.run(words, calledAs: name, output: kept, on: disk)
        output = kept.keptText
    }

    /// The value of a field in a JSON output that has it once.
    func field(_ name: String) -> String? {
        guard let start = output.range(of: "\"\(name)\": ") else { return nil }
        let rest = output[start.upperBound...].prefix { $0 != "\n" }
        return rest.trimmingCharacters(in: CharacterSet(charactersIn: "\","))
    }
}
