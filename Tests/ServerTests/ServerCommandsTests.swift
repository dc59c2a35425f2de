import Foundation
import TestSupport
import Testing

/// What commands about sessions and the server do.
@Suite("Commands about sessions and the server")
struct ServerCommandsTests {
    private static func info(_ connection: RESPConnection, _ section: String = "everything") throws
        -> [String: String]
    {
        let text = try #require(connection.command("INFO", section).text)
        var fields: [String: String] = [:]
        for line in text.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[String(line[..<colon])] = String(line[line.index(after: colon)...])
        }
        return fields
    }

    // MARK: CLIENT

    @Test("CLIENT LIST has 7.2's fields in their order, and says who is who")
    func clientList() throws {
        let server = try ServerProcess()
        let first = try server.connect()
        _ = try first.command("CLIENT", "SETNAME", "me")
        _ = try first.command("CLIENT", "SETINFO", "LIB-NAME", "lib")
        _ = try first.command("CLIENT", "SETINFO", "lib-ver", "1.2")
        #expect(
            try first.command("CLIENT", "SETINFO", "lib-ver", "1 2")
                == .error("ERR lib-ver cannot contain spaces, newlines or special characters."))
        #expect(
            try first.command("CLIENT", "SETINFO", "foo", "x")
                == .error("ERR Unrecognized option 'foo'"))
        _ = try first.command("SELECT", "3")
        let line = try #require(first.command("CLIENT", "INFO").text)
        #expect(line.hasSuffix("\n"))
        let pairs = line.dropLast().split(separator: " ").map {
            $0.split(separator: "=", maxSplits: 1)
        }
        #expect(
            pairs.map { String($0[0]) } == [
                "id", "addr", "laddr", "fd", "name", "age", "idle", "flags", "db", "sub", "psub",
                "ssub", "multi", "qbuf", "qbuf-free", "argv-mem", "multi-mem", "rbs", "rbp", "obl",
                "oll", "omem", "tot-mem", "events", "cmd", "user", "redir", "resp", "lib-name",
                "lib-ver",
            ])
        for field in [
            "name=me", "db=3", "flags=N", "cmd=client|info", "lib-name=lib", "lib-ver=1.2",
        ] {
            #expect(line.contains(" \(field)"))
        }
        let unix = try server.connectUnix(version: 3)
        guard case .verbatim("txt", _) = try unix.command("CLIENT", "LIST") else {
            Issue.record("not verbatim in RESP3")
            return
        }
        let all = try #require(unix.command("CLIENT", "LIST").text)
        #expect(all.contains("flags=U"))
        #expect(all.contains("resp=3"))
    }

    @Test("CLIENT KILL closes whom its filters fit")
    func clientKill() throws {
        let server = try ServerProcess()
        let own = try server.connect()
        let other = try server.connect()
        let id = try #require(other.command("CLIENT", "ID").integer)
        #expect(try own.command("CLIENT", "KILL", "ID", "\(id)", "TYPE", "pubsub") == .integer(0))
        #expect(try own.command("CLIENT", "KILL", "ID", "\(id)", "USER", "default") == .integer(1))
        #expect(other.isClosed(within: 5))
        let third = try server.connect()
        #expect(try third.command("PING") == .simple("PONG"))
        let address = try #require(
            third.command("CLIENT", "INFO").text?.split(separator: " ").first {
                $0.hasPrefix("addr=")
            })
        #expect(try own.command("CLIENT", "KILL", String(address.dropFirst(5))) == .ok)
        #expect(third.isClosed(within: 5))
        let left = try own.command("CLIENT", "LIST").text ?? ""
        #expect(
            try own.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no") == .integer(1),
            "\(left)")
        #expect(own.isClosed(within: 5))
    }

    @Test("CLIENT REPLY OFF and SKIP keep replies back")
    func clientReply() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        try connection.send(Request.encode(["CLIENT", "REPLY", "SKIP"]))
        try connection.send(Request.encode(["SET", "a", "1"]))
        #expect(try connection.command("GET", "a") == .bulk("1"))
        try connection.send(Request.encode(["CLIENT", "REPLY", "OFF"]))
        try connection.send(Request.encode(["SET", "a", "2"]))
        try connection.send(Request.encode(["NOTHING"]))
        #expect(try connection.command("CLIENT", "REPLY", "ON") == .ok)
        #expect(try connection.command("GET", "a") == .bulk("2"))
    }

    @Test("a pause for writes holds writes and lets reads through, until it is ended")
    func clientPause() throws {
        let server = try ServerProcess()
        let own = try server.connect()
        let writer = try server.connect()
        #expect(try own.command("CLIENT", "PAUSE", "100000", "WRITE") == .ok)
        try writer.send(Request.encode(["SET", "a", "1"]) + Request.encode(["GET", "a"]))
        while try Self.info(own, "clients")["blocked_clients"] != "1" {}
        #expect(try own.command("GET", "a") == .null)
        #expect(try own.command("CLIENT", "UNPAUSE") == .ok)
        #expect(try writer.receive() == .ok)
        #expect(try writer.receive() == .bulk("1"))
        // By itself, and the longer and stricter one holds.
        #expect(try own.command("CLIENT", "PAUSE", "50", "ALL") == .ok)
        #expect(try own.command("CLIENT", "PAUSE", "1", "WRITE") == .ok)
        #expect(try writer.command("GET", "a") == .bulk("1"))
    }

    @Test("while writes are paused nothing expires in the log, and yet expired keys look gone")
    func pauseHoldsExpiry() throws {
        let server = try ServerProcess()
        let own = try server.connect()
        let replies = try own.pipeline([
            ["DEBUG", "SET-ACTIVE-EXPIRE", "0"], ["SET", "a", "1", "PX", "1"],
            ["CLIENT", "PAUSE", "100000", "WRITE"], ["DEBUG", "SLEEP", "0.01"],
        ])
        #expect(replies == [.ok, .ok, .ok, .ok])
        #expect(try own.command("GET", "a") == .null)
        #expect(try own.command("DBSIZE") == .integer(1))
        #expect(try own.command("RANDOMKEY") == .bulk("a"))
        #expect(try own.command("CLIENT", "UNPAUSE") == .ok)
        #expect(try own.command("GET", "a") == .null)
        #expect(try own.command("DBSIZE") == .integer(0))
    }

    // MARK: CONFIG and admission

    @Test("a password set at run time counts for new connections, and stays out of the slow log")
    func password() throws {
        let server = try ServerProcess(["--slowlog-log-slower-than", "0"])
        let own = try server.connect()
        _ = try own.command("CONFIG", "SET", "requirepass", "secret", "maxclients", "100")
        #expect(try own.command("PING") == .simple("PONG"))
        let other = try server.connect()
        #expect(try other.command("PING") == .error("NOAUTH Authentication required."))
        #expect(try other.command("AUTH", "secret") == .ok)
        let log = try other.command("SLOWLOG", "GET", "-1")
        #expect(!"\(log)".contains("secret"))
        let entries = try #require(log.items)
        let words = entries.compactMap { $0.items?[3].items?.compactMap(\.text) }
        #expect(
            words.contains(["CONFIG", "SET", "requirepass", "(redacted)", "maxclients", "100"]))
        #expect(words.contains(["AUTH", "(redacted)"]))
        #expect(entries.allSatisfy { $0.items?.count == 6 })
        #expect(try own.command("CONFIG", "SET", "requirepass", "") == .ok)
        #expect(try server.connect().command("PING") == .simple("PONG"))
    }

    @Test("beyond maxmemory what grows is refused and deletes go on")
    func maxmemory() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        _ = try connection.command("SET", "a", "1")
        #expect(try connection.command("CONFIG", "SET", "maxmemory", "1") == .ok)
        let oom = Reply.error("OOM command not allowed when used memory > 'maxmemory'.")
        #expect(try connection.command("SET", "a", "2") == oom)
        #expect(try connection.command("GET", "a") == .bulk("1"))
        #expect(try connection.command("MULTI") == .ok)
        #expect(try connection.command("GET", "a") == oom)
        #expect(try connection.command("EXEC").isError)
        #expect(try connection.command("DEL", "a") == .integer(1))
        #expect(try connection.command("CONFIG", "SET", "maxmemory", "0") == .ok)
        #expect(try connection.command("SET", "a", "2") == .ok)
    }

    @Test("CONFIG REWRITE writes what CONFIG SET changed to the file")
    func rewrite() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("server.conf")
        try "# mine\nhz 20\n".write(toFile: path, atomically: true, encoding: .utf8)
        let server = try ServerProcess(folder: folder, file: path)
        let connection = try server.connect()
        #expect(try connection.command("CONFIG", "GET", "hz")["hz"] == .bulk("20"))
        _ = try connection.command("CONFIG", "SET", "hz", "30")
        #expect(try connection.command("CONFIG", "REWRITE") == .ok)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.hasPrefix("# mine\nhz 30\n"))
    }

    @Test("statistics count commands, errors and latencies, and RESETSTAT forgets them")
    func statistics() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        _ = try connection.command("CONFIG", "RESETSTAT")
        for _ in 0..<3 { _ = try connection.command("SET", "k", "v") }
        _ = try connection.command("INCR", "k")
        _ = try connection.command("GET")
        _ = try connection.command("NOTHING")
        let info = try Self.info(connection)
        #expect(info["cmdstat_set"]?.hasPrefix("calls=3,") == true)
        #expect(info["cmdstat_set"]?.hasSuffix("rejected_calls=0,failed_calls=0") == true)
        #expect(info["cmdstat_incr"]?.hasSuffix("rejected_calls=0,failed_calls=1") == true)
        #expect(info["cmdstat_get"]?.hasSuffix("rejected_calls=1,failed_calls=0") == true)
        #expect(info["errorstat_ERR"] == "count=3")
        #expect(info["total_error_replies"] == "3")
        #expect(info["latency_percentiles_usec_set"]?.hasPrefix("p50=") == true)
        #expect(info["db0"]?.hasPrefix("keys=1,expires=0,avg_ttl=0") == true)
        let histogram = try connection.command("LATENCY", "HISTOGRAM", "set")
        #expect(histogram["set"]?["calls"] == .integer(3))
        #expect(histogram["set"]?["histogram_usec"]?.items?.last == .integer(3))
        _ = try connection.command("CONFIG", "RESETSTAT")
        #expect(try Self.info(connection)["cmdstat_set"] == nil)
        #expect(try connection.command("LATENCY", "HISTOGRAM", "set").items == [])
        _ = try connection.command("CONFIG", "SET", "latency-tracking", "no")
        _ = try connection.command("SET", "k", "v")
        #expect(try connection.command("LATENCY", "HISTOGRAM", "set").items == [])
    }

    @Test("slow commands stand in SLOWLOG and, with a threshold, in LATENCY")
    func slow() throws {
        let server = try ServerProcess(["--latency-monitor-threshold", "1"])
        let connection = try server.connect()
        _ = try connection.command("CLIENT", "SETNAME", "me")
        _ = try connection.command("DEBUG", "SLEEP", "0.02")
        let entry = try #require(connection.command("SLOWLOG", "GET").items?.first?.items)
        #expect(entry[3] == .array([.bulk("DEBUG"), .bulk("SLEEP"), .bulk("0.02")]))
        #expect(entry[5] == .bulk("me"))
        #expect((entry[2].integer ?? 0) >= 20_000)
        let latest = try #require(connection.command("LATENCY", "LATEST").items?.first?.items)
        #expect(latest[0] == .bulk("command"))
        #expect((latest[3].integer ?? 0) >= 20)
        #expect(try connection.command("LATENCY", "HISTORY", "command").items?.count == 1)
        let graph = try connection.command("LATENCY", "GRAPH", "command").text
        #expect(graph?.hasPrefix("command - high ") == true)
        #expect(try connection.command("LATENCY", "RESET") == .integer(1))
        #expect(try connection.command("LATENCY", "LATEST") == .array([]))
    }

    // MARK: DEBUG

    @Test("loading the log again gives the same data, with replies of the same turn kept")
    func loadAgain() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        _ = try connection.command("SELECT", "2")
        _ = try connection.command("DEBUG", "POPULATE", "1000", "p", "100")
        _ = try connection.command("SELECT", "0")
        let replies = try connection.pipeline([
            ["SET", "a", "1"], ["MULTI"], ["SET", "b", "2"], ["PEXPIRE", "b", "1000000"],
            ["DEBUG", "POPULATE", "3"], ["EXEC"], ["DEBUG", "DIGEST"], ["DEBUG", "LOADAOF"],
            ["DEBUG", "DIGEST"], ["GET", "a"], ["INCR", "a"], ["DEBUG", "RELOAD"], ["GET", "a"],
            ["DBSIZE"],
        ])
        #expect(replies[0] == .ok)
        #expect(replies[5] == .array([.ok, .integer(1), .ok]))
        #expect(replies[6] == replies[8])
        #expect(replies[7] == .ok)
        #expect(replies[9...] == [.bulk("1"), .integer(2), .ok, .bulk("2"), .integer(5)])
        #expect(
            try connection.pipeline([["MULTI"], ["DEBUG", "LOADAOF"], ["EXEC"]])[2]
                == .array([.error("ERR loading is not possible inside a transaction")]))
        let before = try connection.command("DEBUG", "DIGEST")
        server.kill()
        try server.start()
        #expect(try server.connect().command("DEBUG", "DIGEST") == before)
    }

    @Test("DEBUG RESTART and CRASH-AND-RECOVER start the same process anew, with its data")
    func restart() throws {
        let server = try ServerProcess()
        for word in ["RESTART", "CRASH-AND-RECOVER"] {
            let connection = try server.connect()
            _ = try connection.command("SET", word, "1")
            try connection.send(Request.encode(["DEBUG", word]))
            #expect(connection.isClosed(within: 20))
            try server.waitUntilItAnswers()
            #expect(try server.connect().command("GET", word) == .bulk("1"))
        }
    }

    @Test("SHUTDOWN ends the process with status 0 and no reply")
    func shutdown() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        try connection.send(Request.encode(["SET", "a", "1"]) + Request.encode(["SHUTDOWN"]))
        #expect(try connection.receiveUntilClosed() == Array("+OK\r\n".utf8))
        #expect(server.waitForEnd() == .exited(0))
        let unlogged = try ServerProcess(["--appendonly", "no", "--dbfilename", "taken.rdb"])
        let other = try unlogged.connect()
        // A folder in the file's place: the snapshot can't get its name.
        let taken = "\(unlogged.folder.path)/taken.rdb"
        try FileManager.default.createDirectory(
            atPath: taken, withIntermediateDirectories: false)
        #expect(
            try other.command("SHUTDOWN", "SAVE")
                == .error("ERR Errors trying to SHUTDOWN. Check logs."))
        try other.send(Request.encode(["SHUTDOWN", "NOSAVE", "NOW"]))
        #expect(try other.receiveUntilClosed() == [])
        #expect(unlogged.waitForEnd() == .exited(0))
    }

    @Test("the process is called as proc-title-template says")
    func title() throws {
        let server = try ServerProcess(["--proc-title-template", "TEST {title} {port}"])
        let path = "/proc/\(server.processIdentifier)/cmdline"
        func title() -> String {
            String(
                decoding: (FileManager.default.contents(atPath: path) ?? Data()).prefix { $0 != 0 },
                as: UTF8.self)
        }
        #expect(title().hasPrefix("TEST /"))
        #expect(title().hasSuffix(" \(server.port)"))
        _ = try server.connect().command(
            "CONFIG", "SET", "proc-title-template", "other {listen-addr}")
        #expect(title() == "other 127.0.0.1:\(server.port)")
    }

    @Test("INFO persistence shows positions in the log")
    func positions() throws {
        let server = try ServerProcess(["--appendfsync", "always"])
        let connection = try server.connect()
        _ = try connection.command("SET", "a", "1")
        let info = try Self.info(connection, "persistence")
        #expect(info["wal_lsn_appended"] == info["wal_lsn_durable"])
        #expect(info["wal_lsn_appended"] == info["wal_lsn_written"])
        #expect(info["wal_unsynced_bytes"] == "0")
        #expect(info["aof_enabled"] == "1")
        #expect(Int(info["wal_syncs"] ?? "") ?? 0 > 0)
        let replication = try Self.info(connection, "replication")
        #expect(replication["master_replid"] == info["wal_history"])
        #expect(replication["master_repl_offset"] == info["wal_lsn_appended"])
        #expect(
            try connection.command("ROLE").items?[1].integer.map { "\($0)" }
                == info["wal_lsn_appended"])
    }
}
