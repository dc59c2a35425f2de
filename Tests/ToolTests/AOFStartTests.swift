import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// The verdicts against real starts: ours, and redis-server's.
@Suite("aof-check against servers")
struct AOFStartTests {
    private static func starts(_ folder: TemporaryFolder) throws -> Bool {
        // What an earlier start said is of no interest.
        try? FileManager.default.removeItem(atPath: folder.file("server.log"))
        let server = try ServerProcess(
            ["--appendonly", "yes", "--save", ""], folder: folder, waits: false)
        do {
            try server.waitUntilItAnswers()
            return true
        } catch let error as ServerProcess.Failed {
            if error.description.contains("did not answer") { throw error }
            // Somebody else has the port that was free a moment ago.
            if error.description.contains("bind: Address already in use") {
                return try starts(folder)
            }
            return false
        }
    }

    /// How many damaged folders are judged: `HOLDFAST_DAMAGED_FOLDERS`.
    private static var rounds: Int {
        ProcessInfo.processInfo.environment["HOLDFAST_DAMAGED_FOLDERS"].flatMap { Int($0) } ?? 2000
    }

    /// They are judged by so many at a time.
    private static let parts = 4

    @Test(
        "on damaged folders, a start does what aof-check says; and what fix leaves starts",
        arguments: 0..<parts)
    func agreesWithStarts(part: Int) throws {
        let whole = try DamagedFolders.written()
        var random = PRNG(seed: TestSeed.next("damaged folders") &+ UInt64(part))
        for round in 0..<(Self.rounds + Self.parts - 1) / Self.parts {
            var files = whole
            let what = DamagedFolders.damage(&files, &random)
            let folder = try TemporaryFolder()
            try DamagedFolders.write(files, to: folder)
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

    /// Damages copies of `whole` until so many were mended by fix, and compares what both servers find in each.
    private func fixAndLoad(
        _ whole: [String: [UInt8]], count: Int, _ random: inout PRNG
    ) throws {
        var mended = 0
        while mended < count {
            var files = whole
            let what = DamagedFolders.damage(&files, &random)
            let folder = try TemporaryFolder()
            try DamagedFolders.write(files, to: folder)
            let path = folder.file("appendonlydir")
            let before = ToolRun(path, on: LinuxFileSystem()).status
            let fix = ToolRun("fix", "--yes", path, on: LinuxFileSystem())
            if before == 0 || fix.status != 0 { continue }
            mended += 1
            let (ours, stock) = try DamagedFolders.digests(folder.path)
            #expect(ours == stock && !ours.isError, "\(what): \(fix.output)")
        }
    }

    @Test("what fix leaves of a folder of ours holds the same data for redis-server")
    func fixedIsLoadedByBoth() throws {
        var whole = try DamagedFolders.written()
        // Zeros at the end are room for more, to us; after a clean stop there are none.
        for (name, bytes) in whole where name.hasSuffix(".incr.aof") {
            whole[name] = Array(bytes.prefix((bytes.lastIndex { $0 != 0 } ?? -1) + 1))
        }
        var random = PRNG(seed: TestSeed.next("fixed folders"))
        try fixAndLoad(whole, count: 12, &random)
    }

    @Test(
        "what fix leaves of a folder of redis-server's is loaded by both", arguments: [true, false])
    func fixedStockIsLoadedByBoth(rdbBase: Bool) throws {
        let whole = try DamagedFolders.stock(rdbBase: rdbBase)
        var random = PRNG(seed: TestSeed.next("fixed folders of redis-server's"))
        try fixAndLoad(whole, count: 8, &random)
    }

    @Test("what cut writes is loaded by our server and by redis-server alike")
    func cutStarts() throws {
        let folder = try TemporaryFolder()
        try DamagedFolders.write(try DamagedFolders.written(), to: folder)
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
        try DamagedFolders.write(try DamagedFolders.written(), to: folder)
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
