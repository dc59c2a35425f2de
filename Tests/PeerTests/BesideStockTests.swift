import Foundation
import TestSupport
import Testing

/// What both servers must do alike, seen from outside.
@Suite("beside stock redis-server")
struct BesideStockTests {
    /// The same words to both; what comes back from each.
    private func pair(
        _ arguments: [String] = []
    ) throws -> (ServerProcess, StockServer, RESPConnection, RESPConnection) {
        let server = try ServerProcess(["--enable-debug-command", "yes", "--save", ""] + arguments)
        let stock = try StockServer(arguments)
        return (server, stock, try server.connect(), try stock.connect())
    }

    @Test("rdb_changes_since_last_save counts as redis-server's does")
    func changes() throws {
        let (server, stock, ours, theirs) = try pair()
        defer { withExtendedLifetime((server, stock)) {} }
        let lines = [
            "SET a 1", "APPEND a 2", "SETBIT b 100 1", "SETBIT b 100 1", "BITFIELD f SET i5 0 0",
            "MSET c 1 d 2", "LPUSH l 1 2 3 4", "LPUSHX l 5 6", "LTRIM l 0 3", "RPOP l 2",
            "LMPOP 1 l LEFT COUNT 2", "RPUSH l 1 2", "LMOVE l m LEFT LEFT", "RPOPLPUSH l m",
            "SADD s a b c d", "SADD s a", "SREM s a b x", "SPOP s 2", "HSET h a 1 b 2 c 3",
            "HSET h a 1", "HDEL h a b x", "ZADD z 1 a 2 b 3 c", "ZADD z 1 a 5 b 6 d",
            "ZINCRBY z 1 a", "ZREM z a x", "ZPOPMIN z 2", "ZADD z 1 a 2 b 3 c",
            "ZREMRANGEBYRANK z 0 1", "GEOADD g 1 1 a 2 2 b", "XADD x 1-1 f v", "XADD x 2-1 f v",
            "XDEL x 1-1 2-1", "RENAME c e", "COPY e c", "MOVE c 5", "EXPIRE a 100", "PERSIST a",
            "DEL a b x nothing", "SWAPDB 0 5", "SWAPDB 0 5", "FLUSHDB",
        ]
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            func change(_ connection: RESPConnection) throws -> Int {
                let name = "rdb_changes_since_last_save"
                let before = Int(try connection.info(name) ?? "") ?? -1
                _ = try connection.command(words)
                return (Int(try connection.info(name) ?? "") ?? -1) - before
            }
            #expect(try change(ours) == change(theirs), "\(line)")
        }
    }

    @Test("a key is there in the very millisecond of its deadline, with nothing left to live")
    func deadline() throws {
        let (server, stock, ours, theirs) = try pair()
        defer { withExtendedLifetime((server, stock)) {} }
        for connection in [ours, theirs] {
            // Until a look falls into that millisecond.
            try connection.waitFor("PTTL 0 at \(connection.address)") {
                _ = try connection.command("SET", "k", "v", "PX", "2")
                let looks = [[String]](repeating: ["PTTL", "k"], count: 500)
                var lives: [Reply] = []
                while lives.last != .integer(-2) { lives += try connection.pipeline(looks) }
                return lives.contains(.integer(0))
            }
        }
    }

    @Test("a reply beyond the hard output limit ends the session, a transaction with it is whole")
    func hardLimit() throws {
        let (server, stock, ours, theirs) = try pair()
        defer { withExtendedLifetime((server, stock)) {} }
        for (connection, again) in [(ours, try server.connect()), (theirs, try stock.connect())] {
            let value = String(repeating: "x", count: 100_000)
            for number in 0..<10 { _ = try connection.command("RPUSH", "big", "\(number)\(value)") }
            #expect(
                try connection.command(
                    "CONFIG", "SET", "client-output-buffer-limit", "normal 200000 0 0") == .ok)
            #expect(throws: (any Error).self) {
                _ = try connection.command("MULTI")
                _ = try connection.command("SET", "before", "1")
                _ = try connection.command("LRANGE", "big", "0", "-1")
                _ = try connection.command("SET", "after", "1")
                _ = try connection.command("EXEC")
            }
            let both = try again.command("MGET", "before", "after")
            #expect(both == .array([.bulk("1"), .bulk("1")]))
            #expect(try again.command("LLEN", "big") == .integer(10))
        }
    }

    @Test("SLOWLOG in a transaction, SWAPDB with stale keys that are watched, MODULE LIST")
    func smallThings() throws {
        let (server, stock, ours, theirs) = try pair()
        defer { withExtendedLifetime((server, stock)) {} }
        for connection in [ours, theirs] {
            _ = try connection.command("CONFIG", "SET", "slowlog-log-slower-than", "100000")
            _ = try connection.command("SLOWLOG", "RESET")
            _ = try connection.command("MULTI")
            _ = try connection.command("DEBUG", "SLEEP", "0.2")
            #expect(try connection.command("EXEC") == .array([.ok]))
            let entries = try connection.command("SLOWLOG", "GET").items ?? []
            #expect(entries.count == 1)
            #expect(
                entries.first?.items?[3] == .array([.bulk("DEBUG"), .bulk("SLEEP"), .bulk("0.2")]))

            _ = try connection.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
            _ = try connection.command("SET", "stale", "1", "PX", "1")
            // Reading the key would delete it.
            let time = try connection.command("TIME").items
            try connection.waitFor("the clock to move on") {
                let now = try connection.command("TIME").items
                let before = Int(time?.last?.text ?? "") ?? 0
                return now?.first != time?.first
                    || (Int(now?.last?.text ?? "") ?? 0) > before + 3_000
            }
            _ = try connection.command("SELECT", "1")
            _ = try connection.command("WATCH", "stale")
            _ = try connection.command("SWAPDB", "0", "1")
            _ = try connection.command("MULTI")
            _ = try connection.command("PING")
            #expect(try connection.command("EXEC") == .array([.simple("PONG")]))
            #expect(try connection.command("MODULE", "LIST") == .array([]))
        }
    }
}
