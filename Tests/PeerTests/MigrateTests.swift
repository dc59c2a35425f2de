import Foundation
import TestSupport
import Testing

/// MIGRATE between servers of ours, and between ours and stock ones.
@Suite("MIGRATE", .serialized)
struct MigrateTests {
    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    private func words(_ text: String...) -> [[UInt8]] { text.map { Array($0.utf8) } }

    /// `MIGRATE 127.0.0.1 port "" database timeout options KEYS …` of all keys in the selected database.
    private func moveAll(
        _ source: RESPConnection, to port: UInt16, database: Int, _ options: String...
    ) throws -> Reply {
        let keys = try source.command("KEYS", "*").items?.compactMap(\.bytes) ?? []
        return try source.command(
            words("MIGRATE", "127.0.0.1", "\(port)", "", "\(database)", "5000")
                + options.map { Array($0.utf8) } + words("KEYS") + keys)
    }

    private enum Peer: String, CaseIterable {
        case ours
        case stock
    }

    @Test("every type moves, also to and from a stock server", arguments: 0..<3)
    func everyType(way: Int) throws {
        let ours = try ServerProcess(["--appendfsync", "always"])
        let other = way == 0 ? try ServerProcess() : nil
        let stock = way == 0 ? nil : try StockServer(listensOnTCP: true)
        let otherPort = other?.port ?? stock?.port ?? 0
        let otherConnection = try other?.connect() ?? #require(stock).connectTCP()
        let ourConnection = try ours.connect()
        // Away from ours, but from the stock server to ours.
        let (source, target) =
            way == 2 ? (otherConnection, ourConnection) : (ourConnection, otherConnection)
        let port = way == 2 ? ours.port : otherPort
        try ValueMakers.fill(source)
        let before = try digest(source)
        let nothing = try digest(target)
        for database in 0..<16 {
            try source.command("SELECT", "\(database)")
            guard try source.command("DBSIZE") != .integer(0) else { continue }
            let untouched = try digest(source)
            try #expect(moveAll(source, to: port, database: database, "COPY") == .ok)
            try #expect(digest(source) == untouched)
            try #expect(moveAll(source, to: port, database: database, "REPLACE") == .ok)
            try #expect(source.command("DBSIZE") == .integer(0))
        }
        try #expect(digest(source) == nothing)
        try #expect(digest(target) == before)
        // The deletions and the values are in the log.
        ours.kill()
        try ours.start()
        try #expect(digest(try ours.connect()) == (way == 2 ? before : nothing))
    }

    @Test("a deadline goes along, and database numbers mean the target's")
    func deadline() throws {
        let source = try ServerProcess()
        let target = try ServerProcess()
        let connection = try source.connect()
        let other = try target.connect()
        try connection.command("SELECT", "3")
        try connection.command("SET", "k", "v", "EX", "1000")
        try #expect(
            connection.command("MIGRATE", "127.0.0.1", "\(target.port)", "k", "9", "1000") == .ok)
        try #expect(connection.command("EXISTS", "k") == .integer(0))
        try other.command("SELECT", "9")
        let left = try #require(try other.command("PTTL", "k").integer)
        #expect(left > 900_000 && left <= 1_000_000)
        // The connection is kept, and so is what it has selected.
        try connection.command("SET", "k2", "v")
        try #expect(
            connection.command("MIGRATE", "localhost", "\(target.port)", "k2", "9", "1000") == .ok)
        try connection.command("SET", "k3", "v")
        try #expect(
            connection.command("MIGRATE", "localhost", "\(target.port)", "k3", "9", "1000") == .ok)
        try #expect(other.command("DBSIZE") == .integer(3))
        let info = try #require(try connection.command("INFO", "stats").text)
        #expect(info.contains("migrate_cached_sockets:2\r\n"))
        // Closed by the target meanwhile, it is made anew.
        target.kill()
        try target.start()
        try connection.command("SET", "k4", "v")
        try #expect(
            connection.command("MIGRATE", "localhost", "\(target.port)", "k4", "9", "1000") == .ok)
        let again = try target.connect()
        try again.command("SELECT", "9")
        try #expect(again.command("DBSIZE") == .integer(4))
    }

    @Test("what goes wrong is answered as a stock server answers it, and keeps the keys")
    func errors() throws {
        let target = try StockServer(listensOnTCP: true)
        let locked = try StockServer(listensOnTCP: true)
        try locked.connect().command("CONFIG", "SET", "requirepass", "secret")
        let nobody = try FreePort.find()
        let requests: [[String]] = [
            ["127.0.0.1", "\(target.port)", "nosuch", "0", "1000"],
            ["127.0.0.1", "\(target.port)", "", "0", "1000", "KEYS", "nosuch", "nosuch2"],
            ["127.0.0.1", "\(target.port)", "a", "0", "1000", "KEYS", "a"],
            ["127.0.0.1", "\(target.port)", "a", "0", "1000", "NOSUCH"],
            ["127.0.0.1", "\(target.port)", "a", "0", "1000", "AUTH"],
            ["127.0.0.1", "\(target.port)", "a", "0", "1000", "AUTH2", "x"],
            ["127.0.0.1", "\(target.port)", "a", "x", "1000"],
            ["127.0.0.1", "\(target.port)", "a", "0", "x"],
            ["127.0.0.1", "\(target.port)", "a", "99", "1000"],
            ["127.0.0.1", "\(target.port)", "busy", "0", "1000"],
            ["127.0.0.1", "\(target.port)", "", "0", "1000", "KEYS", "busy", "b", "nosuch", "c"],
            ["127.0.0.1", "\(target.port)", "busy", "0", "1000", "replace", "copy"],
            ["127.0.0.1", "\(target.port)", "busy", "0", "0", "Replace"],
            ["127.0.0.1", "\(nobody)", "a", "0", "100"],
            ["127.0.0.1", "x", "a", "0", "100"],
            ["no such host", "6379", "a", "0", "100"],
            ["127.0.0.1", "\(locked.port)", "a", "0", "1000"],
            ["127.0.0.1", "\(locked.port)", "a", "0", "1000", "AUTH", "wrong"],
            ["127.0.0.1", "\(locked.port)", "a", "0", "1000", "AUTH2", "default", "wrong"],
            [
                "127.0.0.1", "\(locked.port)", "", "0", "1000", "AUTH2", "default", "secret",
                "KEYS", "a",
            ],
            ["127.0.0.1", "\(locked.port)", "d", "0", "1000", "AUTH", "secret"],
        ]
        var transcripts: [[Reply]] = []
        for peer in Peer.allCases {
            let ours = peer == .ours ? try ServerProcess() : nil
            let stock = peer == .stock ? try StockServer() : nil
            let connection = try ours?.connect() ?? #require(stock).connect()
            let there = try target.connect()
            try there.command("FLUSHALL")
            let lockedThere = try locked.connect()
            try lockedThere.command("AUTH", "secret")
            try lockedThere.command("FLUSHALL")
            try there.command("SET", "busy", "there")
            for key in ["a", "b", "c", "d", "busy"] { try connection.command("SET", key, "v") }
            var transcript: [Reply] = []
            for request in requests {
                try transcript.append(connection.command(["MIGRATE"] + request))
                for key in ["a", "b", "c", "d", "busy"] {
                    try transcript.append(connection.command("EXISTS", key))
                    try transcript.append(there.command("GET", key))
                }
            }
            transcripts.append(transcript)
        }
        for (index, (ours, stock)) in zip(transcripts[0], transcripts[1]).enumerated() {
            #expect(ours == stock, "\(requests[index / 11])")
        }
    }

    @Test("a target that doesn't answer costs the given time, and the key stays")
    func timeout() throws {
        let source = try ServerProcess()
        let target = try ServerProcess()
        let connection = try source.connect()
        let other = try target.connect()
        try connection.command("SET", "k", "v")
        target.signal(SIGSTOP)
        defer { target.signal(SIGCONT) }
        try #expect(
            connection.command("MIGRATE", "127.0.0.1", "\(target.port)", "k", "0", "100")
                == .error("IOERR error or timeout reading to target instance"))
        try #expect(connection.command("GET", "k") == .bulk("v"))
        target.signal(SIGCONT)
        try #expect(other.command("PING") == .simple("PONG"))
    }

    @Test("in a transaction, its deletion is part of it; who watches the key hears of it")
    func transaction() throws {
        let source = try ServerProcess(["--appendfsync", "always"])
        let target = try ServerProcess()
        let connection = try source.connect()
        let watcher = try source.connect()
        try connection.command("SET", "k", "v")
        try watcher.command("WATCH", "k")
        try connection.command("MULTI")
        try connection.command("SET", "other", "1")
        try connection.command("MIGRATE", "127.0.0.1", "\(target.port)", "k", "0", "1000")
        try connection.command("EXISTS", "k")
        try #expect(
            connection.command("EXEC") == .array([.ok, .ok, .integer(0)]))
        try watcher.command("MULTI")
        try #expect(watcher.command("EXEC") == .nullArray)
        source.kill()
        try source.start()
        let again = try source.connect()
        try #expect(again.command("KEYS", "*") == .array([.bulk("other")]))
        try #expect(target.connect().command("GET", "k") == .bulk("v"))
    }
}
