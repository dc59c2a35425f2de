import Foundation
import TestSupport
import Testing

/// Snapshot files between stock servers, their tools, and ours.
@Suite("snapshot files of stock servers and ours", .serialized)
struct SnapshotExchangeTests {
    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    private func words(_ text: String...) -> [[UInt8]] { text.map { Array($0.utf8) } }

    /// Makes our server hold what a stock one holds, key by key.
    private func copy(_ stock: RESPConnection, to ours: RESPConnection) throws {
        for database in 0..<3 {
            for connection in [stock, ours] { try connection.command("SELECT", "\(database)") }
            for key in try stock.command("KEYS", "*").items?.compactMap(\.bytes) ?? [] {
                let payload = try #require(try stock.command(words("DUMP") + [key]).bytes)
                let deadline = try stock.command(words("PEXPIRETIME") + [key]).integer ?? -1
                let restore = words("RESTORE") + [key] + words("\(max(deadline, 0))")
                try #expect(ours.command(restore + [payload] + words("ABSTTL")) == .ok)
            }
        }
    }

    @Test(
        "a file of ours is what redis-check-rdb passes and redis-server loads",
        arguments: ["lz4", "lzf", "no"])
    func ours(compression: String) throws {
        let stock = try StockServer()
        let source = try stock.connect()
        try ValueMakers.fill(source)
        let expected = try digest(source)
        let server = try ServerProcess([
            "--appendonly", "no", "--save", "", "--rdb-compression", compression,
        ])
        let connection = try server.connect()
        try copy(source, to: connection)
        #expect(try digest(connection) == expected)
        #expect(try connection.command("SAVE") == .ok)

        var file = server.folder.file("dump.rdb")
        if compression == "lz4" {
            let plain = server.folder.file("plain.rdb")
            let run = try Subprocess.run(["lz4", "-d", file, plain])
            #expect(run.status == 0, "\(run.output)")
            file = plain
        }
        let check = try Subprocess.run(["redis-check-rdb", file])
        #expect(check.status == 0 && check.output.contains("RDB looks OK"), "\(check.output)")
        #expect(check.output.contains("Checksum OK"), "\(check.output)")

        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: file, toPath: folder.file("dump.rdb"))
        let reader = try StockServer(folder: folder)
        #expect(try digest(try reader.connect()) == expected, "\(reader.log)")

        // And by us, at a start.
        _ = server.terminate()
        try server.start()
        #expect(try digest(try server.connect()) == expected)
    }

    @Test(
        "a file of a stock server is loaded at a start",
        arguments: [
            [], ["--rdbcompression", "no"], ["--rdbchecksum", "no"],
            ["--maxmemory-policy", "allkeys-lfu"], ["--maxmemory-policy", "allkeys-lru"],
            [
                "--hash-max-listpack-entries", "0", "--zset-max-listpack-entries", "0",
                "--set-max-intset-entries", "0", "--list-max-listpack-size", "1",
            ],
        ])
    func stocks(arguments: [String]) throws {
        let stock = try StockServer(arguments)
        let source = try stock.connect()
        try ValueMakers.fill(source)
        let library = "#!lua name=m\nredis.register_function('f', function() return 1 end)"
        try source.command("FUNCTION", "LOAD", library)
        let expected = try digest(source)
        #expect(try source.command("SAVE") == .ok)
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: stock.folder.file("dump.rdb"), toPath: folder.file("dump.rdb"))
        for isThere in ["no", "yes"] {
            let server = try ServerProcess(
                ["--appendonly", isThere, "--sanitize-dump-payload", isThere], folder: folder)
            #expect(try digest(try server.connect()) == expected)
        }
    }
}
