import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// The verdicts against real starts: ours, and redis-server's.
@Suite("aof-check against servers", .serialized)
struct AOFStartTests {
    /// A folder that a real server wrote: a base, kept and current segments, and an open tail.
    private static func written() throws -> [String: [UInt8]] {
        let server = try ServerProcess([
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--rdb-compression",
            "no",
        ])
        let connection = try server.connect()
        for index in 0..<20 { _ = try connection.command("SET", "user:\(index)", "value \(index)") }
        _ = try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        for index in 0..<20 {
            _ = try connection.command("RPUSH", "list", "\(index)")
            _ = try connection.command("MULTI")
            _ = try connection.command("INCR", "n")
            _ = try connection.command("SADD", "set", "\(index)")
            _ = try connection.command("EXEC")
        }
        server.kill()
        let path = server.folder.file("appendonlydir")
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path)
        where name != "holdfast.reserve" {
            files[name] = Array(try Data(contentsOf: URL(filePath: "\(path)/\(name)")))
        }
        // The open segment is zeroed far ahead; a little of it is enough here.
        for (name, bytes) in files where name.hasSuffix(".incr.aof") {
            let end = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
            files[name] = Array(bytes.prefix(end + 64))
        }
        return files
    }

    private static func damage(
        _ files: inout [String: [UInt8]], _ random: inout PRNG
    ) -> String {
        let name = files.keys.sorted().randomElement(using: &random) ?? ""
        let count = files[name]?.count ?? 0
        guard count > 0 else { return "nothing" }
        let position = Int.random(in: 0..<count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0, 1:
            files[name]?[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            return "a bit of byte \(position) of \(name)"
        case 2:
            files[name] = Array(files[name]?.prefix(position) ?? [])
            return "\(name) cut to \(position)"
        case 3:
            for index in position..<min(count, position + 32) { files[name]?[index] = 0 }
            return "zeros at \(position) of \(name)"
        case 4:
            files[name]? += Array("*1\r\n$4\r\nPING".utf8)
            return "an unfinished command behind \(name)"
        default:
            files[name] = nil
            return "no \(name)"
        }
    }

    private static func write(_ files: [String: [UInt8]], to folder: TemporaryFolder) throws {
        let path = folder.file("appendonlydir")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, bytes) in files {
            try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
        }
    }

    private static func starts(_ folder: TemporaryFolder) throws -> Bool {
        let server = try ServerProcess(
            ["--appendonly", "yes", "--save", ""], folder: folder, waits: false)
        do {
            try server.waitUntilItAnswers()
            return true
        } catch { return false }
    }

    @Test("on damaged folders, a start does what aof-check says; and what fix leaves starts")
    func agreesWithStarts() throws {
        let whole = try Self.written()
        let seed =
            ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
            ?? .random(in: 0...UInt64(UInt32.max))
        print("damaged folders: SEED=\(seed)")
        var random = PRNG(seed: seed)
        for round in 0..<120 {
            var files = whole
            let what = Self.damage(&files, &random)
            let folder = try TemporaryFolder()
            try Self.write(files, to: folder)
            let path = folder.file("appendonlydir")
            let run = ToolRun("--json", path, on: LinuxFileSystem())
            let isAccepted = run.status == 0 || run.status == 5
            #expect(try Self.starts(folder) == isAccepted, "\(what): \(run.output)")
            if isAccepted || round % 3 != 0 { continue }
            let fix = ToolRun("fix", "--yes", path, on: LinuxFileSystem())
            if fix.status != 0 {
                #expect(
                    fix.output.contains("no repair") || fix.status == 4, "\(what): \(fix.output)")
                continue
            }
            #expect(try Self.starts(folder), "\(what): \(fix.output)")
        }
    }

    @Test("what cut writes is loaded by our server and by redis-server alike")
    func cutStarts() throws {
        let folder = try TemporaryFolder()
        try Self.write(try Self.written(), to: folder)
        let source = folder.file("appendonlydir")
        let points = ToolRun("cat", "--cmd", "RPUSH", source, on: LinuxFileSystem())
        let lines = points.output.split(separator: "\n")
        let words = try #require(lines.dropFirst(7).first).split(separator: " ")
        let out = try TemporaryFolder()
        let run = ToolRun(
            "cut", "--to-lsn", String(words[1]), "-o", out.file("data"), source,
            on: LinuxFileSystem())
        #expect(run.status == 0, "\(run.output)")
        let stock = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: out.file("data") + "/appendonlydir", toPath: stock.file("appendonlydir"))
        let ours = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: out.file("data") + "/appendonlydir", toPath: ours.file("appendonlydir"))
        let server = try ServerProcess(["--appendonly", "yes", "--save", ""], folder: ours)
        let redis = try StockServer(["--appendonly", "yes"], folder: stock)
        for connection in [try server.connect(), try redis.connect()] {
            #expect(try connection.command("LLEN", "list") == .integer(7))
            #expect(try connection.command("GET", "n") == .bulk("7"))
            #expect(try connection.command("DBSIZE") == .integer(23))
        }
    }

    @Test("a cut reaches before the base, while the segments of that time are kept")
    func cutBeforeTheBase() throws {
        let folder = try TemporaryFolder()
        try Self.write(try Self.written(), to: folder)
        let source = folder.file("appendonlydir")
        let cat = ToolRun("cat", "--match", "user:7", source, on: LinuxFileSystem())
        let words = try #require(cat.output.split(separator: "\n").first).split(separator: " ")
        let run = ToolRun(
            "cut", "--to-lsn", String(words[1]), "-o", folder.file("cut"), source,
            on: LinuxFileSystem())
        #expect(run.status == 0, "\(run.output)")
        let ours = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: folder.file("cut") + "/appendonlydir", toPath: ours.file("appendonlydir"))
        let server = try ServerProcess(["--appendonly", "yes", "--save", ""], folder: ours)
        #expect(try server.connect().command("DBSIZE") == .integer(7))
    }
}
