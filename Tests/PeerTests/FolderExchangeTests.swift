import Foundation
import TestSupport
import Testing

/// Log folders go from the built server to redis-server 7 and back.
@Suite("log folders of the server and of redis-server", .serialized)
struct FolderExchangeTests {
    private static let appendOnly = ["--appendonly", "yes", "--appendfsync", "no"]

    /// Random writes in several databases; returns the data.
    private func fill(_ connection: RESPConnection, seed: UInt64) throws -> DataSet {
        var generator = MixedCommandGenerator(seed: seed, clients: 1)
        for _ in 0..<1_500 {
            if case .command(_, let words) = generator.next() {
                // Nothing that ends all that was written before, nor leaves an expired key to each server's
                // own time.
                let name = String(decoding: words[0], as: UTF8.self).lowercased()
                if ["flushall", "flushdb", "quit"].contains(name) { continue }
                _ = try connection.command(words)
            }
        }
        try connection.command("RESET")
        for number in 0..<500 { try connection.command("SET", "more:\(number)", "v\(number)") }
        return try DataSet(of: connection)
    }

    private func check(_ folder: String) throws -> (status: Int32, output: String) {
        try Subprocess.run(["redis-check-aof", folder + "/appendonly.aof.manifest"])
    }

    // MARK: From ours

    @Test(
        "a folder of ours is valid for redis-check-aof and loads in redis-server with the same data",
        arguments: [true, false])
    func oursThere(stopsInOrder: Bool) throws {
        let folder = try TemporaryFolder()
        let ours = try ServerProcess(
            ["--appendfsync", "always", "--wal-segment-size", "64kb"]
                + (stopsInOrder ? [] : ["--wal-preallocate", "no"]), folder: folder)
        let connection = try ours.connect()
        let data = try fill(connection, seed: 71)
        let digest = try connection.command("DEBUG", "DIGEST")
        if stopsInOrder {
            #expect(ours.terminate() == .exited(0))
        } else {
            ours.kill()
        }
        let result = try check(ours.logFolder)
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("All AOF files and manifest are valid"), "\(result.output)")

        let stock = try StockServer(Self.appendOnly, folder: folder)
        let there = try stock.connect()
        let loaded = try DataSet(of: there)
        // Encodings may differ where stock's own change when it loads a log.
        #expect(loaded.differences(from: data, encodings: false) == [])
        #expect(try there.command("DEBUG", "DIGEST") == digest)
        #expect(loaded.keyCount > 500)

        // It writes on in that folder, and we load that again.
        #expect(try there.command("SELECT", "5") == .ok)
        #expect(try there.command("SET", "written there", "yes") == .ok)
        let after = try DataSet(of: there)
        stock.stop()
        try ours.start()
        #expect(try DataSet(of: ours.connect()).differences(from: after, encodings: false) == [])
        #expect(ours.terminate() == .exited(0))
        #expect(try check(ours.logFolder).status == 0)
    }

    // MARK: From redis-server

    @Test(
        "a folder of redis-server loads with the same data",
        arguments: [["--aof-use-rdb-preamble", "no"], ["--aof-timestamp-enabled", "yes"], []])
    func theirsHere(arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let stock = try StockServer(Self.appendOnly + arguments, folder: folder)
        let connection = try stock.connect()
        var data = try fill(connection, seed: 72)
        if arguments.first == "--aof-use-rdb-preamble" {
            // A base of commands, and more behind it.
            try connection.command("BGREWRITEAOF")
            while try connection.command("INFO", "persistence").text?
                .contains("aof_rewrite_in_progress:0") != true
            {}
            try connection.command("SELECT", "2")
            try connection.command("SET", "after", "the base")
            data = try DataSet(of: connection)
        }
        let digest = try connection.command("DEBUG", "DIGEST")
        stock.stop()

        let ours = try ServerProcess(["--appendfsync", "always"], folder: folder)
        let here = try ours.connect()
        #expect(try DataSet(of: here).differences(from: data, encodings: false) == [])
        #expect(try here.command("DEBUG", "DIGEST") == digest)
        #expect(try here.command("SET", "written here", "yes") == .ok)
        ours.kill()
        try ours.start()
        #expect(try ours.connect().command("GET", "written here") == .bulk("yes"))
        #expect(try ours.connect().command("GET", "more:499") == .bulk("v499"))
        #expect(ours.terminate() == .exited(0))
        #expect(try check(ours.logFolder).status == 0)
        let again = try StockServer(Self.appendOnly, folder: folder)
        #expect(try again.connect().command("GET", "written here") == .bulk("yes"))
    }

    @Test("an old single appendonly.aof loads")
    func singleFile() throws {
        let folder = try TemporaryFolder()
        var bytes: [UInt8] = []
        for words in [
            ["SELECT", "0"], ["SET", "k", "v"], ["SET", "e", "v", "PXAT", "33177117420000"],
            ["MULTI"], ["INCR", "n"], ["INCR", "n"], ["EXEC"], ["SELECT", "3"], ["SET", "k", "3"],
        ] { bytes += Request.encode(words) }
        try Data(bytes).write(to: URL(fileURLWithPath: folder.file("appendonly.aof")))
        let ours = try ServerProcess([], folder: folder)
        let data = try DataSet(of: ours.connect())
        #expect(data.keyCount == 4)
        #expect(data[0, "n"] == Array("2".utf8))
        #expect(data[3, "k"] == Array("3".utf8))
        #expect(data.databases[0]?[Array("e".utf8)]?.deadline == 33_177_117_420_000)
        ours.kill()
        try ours.start()
        #expect(try DataSet(of: ours.connect()) == data)
    }

    // MARK: Bases

    @Test(
        "a folder with a base of ours, of all types, is valid for redis-check-aof and loads in redis-server",
        arguments: ["lzf", "no"])
    func ourBase(compression: String) throws {
        let folder = try TemporaryFolder()
        let ours = try ServerProcess(
            ["--appendfsync", "always", "--save", "", "--aof-base-compression", compression],
            folder: folder)
        let connection = try ours.connect()
        try ValueMakers.fill(connection)
        #expect(try connection.command("BGREWRITEAOF").isError == false)
        try connection.waitFor("aof_rewrites", "1")
        try connection.command("SELECT", "1")
        try connection.command("RPUSH", "after", "the", "base")
        let digest = try connection.command("DEBUG", "DIGEST")
        ours.kill()
        let names = try FileManager.default.contentsOfDirectory(atPath: ours.logFolder)
        #expect(names.contains("appendonly.aof.1.base.rdb"), "\(names)")

        try ours.start()
        #expect(try ours.connect().command("DEBUG", "DIGEST") == digest)
        #expect(ours.terminate() == .exited(0))
        let result = try check(ours.logFolder)
        #expect(result.status == 0, "\(result.output)")
        let stock = try StockServer(Self.appendOnly, folder: folder)
        let there = try stock.connect()
        #expect(try there.command("DEBUG", "DIGEST") == digest)

        // It rewrites that in its own way, goes on, and we load that again.
        try there.command("BGREWRITEAOF")
        try there.waitFor("aof_rewrite_in_progress", "0")
        try there.command("ZADD", "there", "1", "one", "2", "two")
        let after = try there.command("DEBUG", "DIGEST")
        stock.stop()
        try ours.start()
        #expect(try ours.connect().command("DEBUG", "DIGEST") == after)
        ours.kill()
        try ours.start()
        #expect(try ours.connect().command("DEBUG", "DIGEST") == after)
    }

    @Test("a folder with a base of redis-server, of all types, loads and can be rewritten")
    func theirBase() throws {
        let folder = try TemporaryFolder()
        let stock = try StockServer(Self.appendOnly, folder: folder)
        let connection = try stock.connect()
        try ValueMakers.fill(connection)
        try connection.command("BGREWRITEAOF")
        try connection.waitFor("aof_rewrite_in_progress", "0")
        try connection.command("SADD", "after", "the", "base")
        let digest = try connection.command("DEBUG", "DIGEST")
        stock.stop()

        let ours = try ServerProcess(["--save", ""], folder: folder)
        var here = try ours.connect()
        #expect(try here.command("DEBUG", "DIGEST") == digest)
        #expect(try here.command("BGREWRITEAOF").isError == false)
        try here.waitFor("aof_rewrites", "1")
        #expect(try here.command("DEBUG", "DIGEST") == digest)
        ours.kill()
        try ours.start()
        here = try ours.connect()
        #expect(try here.command("DEBUG", "DIGEST") == digest)
        ours.kill()
        let again = try StockServer(Self.appendOnly, folder: folder)
        #expect(try again.connect().command("DEBUG", "DIGEST") == digest)
    }

    @Test("a dump.rdb beside an empty log becomes the log's base before anything else")
    func dumpBecomesBase() throws {
        let stock = try StockServer()
        let source = try stock.connect()
        try ValueMakers.fill(source)
        let digest = try source.command("DEBUG", "DIGEST")
        try source.command("SAVE")
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: stock.folder.file("dump.rdb"), toPath: folder.file("dump.rdb"))
        let ours = try ServerProcess(["--save", ""], folder: folder)
        ours.kill()
        try FileManager.default.removeItem(atPath: folder.file("dump.rdb"))
        try ours.start()
        let connection = try ours.connect()
        #expect(try connection.command("DEBUG", "DIGEST") == digest)
        #expect(try connection.command("SET", "more", "x") == .ok)
        let after = try connection.command("DEBUG", "DIGEST")
        ours.kill()
        // A dump that turns up later is none of the log's.
        try FileManager.default.copyItem(
            atPath: stock.folder.file("dump.rdb"), toPath: folder.file("dump.rdb"))
        try ours.start()
        #expect(try ours.connect().command("DEBUG", "DIGEST") == after)
        ours.kill()
        let there = try StockServer(Self.appendOnly, folder: folder)
        #expect(try there.connect().command("DEBUG", "DIGEST") == after)
    }
}
