import Foundation
import TestSupport
import Testing

/// A stock redis-server as replica of ours.
@Suite("stock replicas", .serialized)
struct StockReplicaTests {
    private static let quick = ["--repl-diskless-sync-delay", "0", "--save", ""]

    private func primary(_ arguments: [String] = ["--appendonly", "yes"]) throws -> ServerProcess {
        try ServerProcess(Self.quick + arguments)
    }

    private func replica(of port: UInt16) throws -> StockServer {
        try StockServer(
            ["--replicaof", "127.0.0.1 \(port)", "--repl-timeout", "60"], listensOnTCP: true)
    }

    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    /// Waits until both hold the same, and says what differs if they don't come to that.
    private func expectSame(
        _ ours: RESPConnection, _ stock: RESPConnection, _ place: String = ""
    ) throws {
        for _ in 0..<5 {
            try stock.waitToCatchUp(with: ours)
            // A key may expire between the two looks.
            if try digest(ours) == digest(stock) { return }
        }
        Issue.record("\(place) differ: \(try differences(ours, stock))")
    }

    private func differences(
        _ ours: RESPConnection, _ stock: RESPConnection
    ) throws -> [String] {
        var found: [String] = []
        for database in 0..<16 {
            for connection in [ours, stock] { try connection.command("SELECT", "\(database)") }
            var keys: Set<[UInt8]> = []
            for connection in [ours, stock] {
                keys.formUnion(try connection.command("KEYS", "*").items?.compactMap(\.bytes) ?? [])
            }
            for key in keys {
                let words = ["DEBUG", "DIGEST-VALUE"].map { Array($0.utf8) } + [key]
                let values = (try ours.command(words), try stock.command(words))
                if values.0 != values.1 {
                    let sides = try [ours, stock].map { connection in
                        try ["TYPE", "PEXPIRETIME", "DUMP"].map {
                            try connection.command([Array($0.utf8), key]).description.prefix(80)
                        }
                    }
                    found.append("\(database) \(Reply.quoted(key)): \(sides)")
                }
            }
        }
        return found
    }

    private func write(_ connection: RESPConnection, _ range: Range<Int>, size: Int = 100) throws {
        let value = String(repeating: "v", count: size)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 200) {
            let end = min(start + 200, range.upperBound)
            _ = try connection.pipeline(
                (start..<end).map { ["SET", "key:\($0 % 5_000)", "\($0)\(value)"] })
        }
    }

    @Test(
        "a full resync gives all types, and the stream goes on after it", arguments: ["yes", "no"])
    func fullResync(appendonly: String) throws {
        let server = try primary(["--appendonly", appendonly])
        let ours = try server.connect()
        try ValueMakers.fill(ours)
        let stock = try replica(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        try expectSame(ours, other)
        var generator = AllTypesGenerator(seed: 11)
        // Not what came after 7.0: a stock server drops the transaction that it stands in.
        let names = Set(
            try other.command("COMMAND", "LIST").items?.compactMap { $0.text?.lowercased() } ?? [])
        func command() -> [[UInt8]] {
            while true {
                let words = generator.command()
                if names.contains(String(decoding: words[0], as: UTF8.self).lowercased()) {
                    return words
                }
            }
        }
        for _ in 0..<6 {
            // Inside a transaction nothing blocks.
            for _ in 0..<5 {
                let commands = (0..<30).map { _ in command() }
                _ = try ours.pipeline(
                    [[Array("MULTI".utf8)]] + commands + [[Array("EXEC".utf8)]])
            }
            try expectSame(ours, other)
        }
        try #expect(ours.info("sync_full") == "1")
        try #expect(ours.info("connected_slaves") == "1")
        let slave = try #require(try ours.info("slave0"))
        #expect(slave.hasPrefix("ip=127.0.0.1,port=\(stock.port),state=online,offset="))
        let role = try ours.command("ROLE")
        #expect(role.items?.first == .bulk("master"))
        #expect(role.items?.last?.items?.first?.items?[1] == .bulk("\(stock.port)"))
        let clients = try ours.command("CLIENT", "LIST", "TYPE", "replica").text ?? ""
        #expect(clients.contains(" flags=S "))
    }

    @Test("INFO replication has Redis's fields in Redis's order")
    func infoOrder() throws {
        let server = try primary()
        let stock = try StockServer()
        let names = { (connection: RESPConnection) in
            try (connection.command("INFO", "replication").text ?? "")
                .split(whereSeparator: \.isNewline).map { $0.split(separator: ":").first ?? "" }
        }
        try #expect(names(server.connect()) == names(stock.connect()))
        for connection in [try server.connect(), try stock.connect()] {
            try connection.command("CONFIG", "SET", "min-replicas-to-write", "1")
        }
        try #expect(names(server.connect()) == names(stock.connect()))
    }

    @Test("a link that is cut again and again under load never costs a full copy")
    func cutLinks() throws {
        let server = try primary()
        let ours = try server.connect()
        let proxy = try LinkProxy(to: server.port)
        defer { proxy.stop() }
        let stock = try replica(of: proxy.port)
        let other = try stock.connect()
        try other.waitForLink()
        for round in 0..<5 {
            try write(ours, round * 2_000..<round * 2_000 + 1_000)
            proxy.cut()
            try write(ours, round * 2_000 + 1_000..<round * 2_000 + 2_000)
            try other.waitForLink()
        }
        try expectSame(ours, other)
        try #expect(ours.info("sync_full") == "1")
        try #expect(ours.info("sync_partial_err") == "0")
        try #expect(Int(ours.info("sync_partial_ok") ?? "") ?? 0 >= 1)
    }

    @Test("64 MB missed while the link is down come from the log's files")
    func missed64MB() throws {
        let server = try primary()
        let ours = try server.connect()
        let proxy = try LinkProxy(to: server.port)
        defer { proxy.stop() }
        let stock = try replica(of: proxy.port)
        let other = try stock.connect()
        try other.waitForLink()
        proxy.setOpen(false)
        try write(ours, 0..<16_000, size: 4_000)
        // A rewrite meanwhile supersedes the segments; they stay for whoever lags.
        try ours.command("BGREWRITEAOF")
        try ours.waitUntilSaved()
        proxy.setOpen(true)
        try expectSame(ours, other)
        try #expect(ours.info("sync_full") == "1")
        try #expect(ours.info("sync_partial_ok") == "1")
    }

    @Test("a replica that is stopped while 64 MB are written goes on in its link")
    func stoppedReplica() throws {
        let server = try primary()
        let ours = try server.connect()
        let stock = try replica(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        kill(stock.processIdentifier, SIGSTOP)
        try write(ours, 0..<16_000, size: 4_000)
        // What is kept for all replicas together.
        let kept = Int(try ours.info("mem_replication_backlog") ?? "") ?? .max
        #expect(kept < 20 << 20)
        kill(stock.processIdentifier, SIGCONT)
        try expectSame(ours, other)
        try #expect(ours.info("sync_full") == "1")
        try #expect(ours.info("sync_partial_ok") == "0")
    }

    @Test(
        "after kill -9 of the primary its replica goes on where it was",
        arguments: ["always", "everysec"])
    func killedPrimary(policy: String) throws {
        let server = try primary(["--appendonly", "yes", "--appendfsync", policy])
        let stock = try replica(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        for round in 0..<3 {
            try write(try server.connect(), round * 1_000..<round * 1_000 + 1_000)
            server.kill()
            try server.start()
            let ours = try server.connect()
            let id = try ours.info("master_replid")
            try #expect(ours.info("master_replid2") != String(repeating: "0", count: 40))
            try write(ours, 0..<300)
            try expectSame(ours, other)
            try #expect(ours.info("sync_full") == "0", "round \(round)")
            try #expect(ours.info("sync_partial_ok") == "1", "round \(round)")
            try #expect(other.info("master_replid") == id)
        }
    }

    @Test("a replica that is ahead of the log is found out")
    func replicaAhead() throws {
        let server = try primary()
        let ours = try server.connect()
        let stock = try replica(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        try write(ours, 0..<100)
        try other.waitToCatchUp(with: ours)
        // The log loses its end, as by a power cut.
        server.kill()
        let folder = server.logFolder
        let segment = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder).filter {
                $0.hasSuffix(".incr.aof")
            }.sorted().last)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder)/\(segment)"))
        try handle.truncate(atOffset: try handle.seekToEnd() - 300)
        try handle.close()
        try server.start()
        let again = try server.connect()
        try write(again, 200..<210)
        try expectSame(again, other)
        try #expect(again.info("sync_partial_err") == "1")
        try #expect(again.info("sync_full") == "1")
    }

    @Test("WAIT, WAITAOF and min-replicas-to-write count stock replicas")
    func waiting() throws {
        let server = try primary()
        let ours = try server.connect()
        try ours.command("CONFIG", "SET", "min-replicas-to-write", "1")
        try #expect(
            ours.command("SET", "a", "1") == .error("NOREPLICAS Not enough good replicas to write.")
        )
        let stock = try replica(of: server.port)
        try stock.connect().waitForLink()
        try ours.waitFor("a good replica") {
            try ours.info("min_slaves_good_slaves") == "1" && ours.command("SET", "a", "1") == .ok
        }
        try #expect(ours.command("WAIT", "1", "10000").integer == 1)
        try #expect(ours.command("WAIT", "2", "50").integer == 1)
        try #expect(ours.command("WAITAOF", "1", "0", "10000").items?.first?.integer == 1)
        // A 7.0 replica says nothing of its disk.
        try #expect(ours.command("WAITAOF", "0", "1", "50").items?.last?.integer == 0)
        stock.kill()
        try ours.waitFor("writes to be refused") { try ours.command("SET", "a", "2").isError }
    }

    @Test("messages are published at replicas, and the log that holds them loads everywhere")
    func publishing() throws {
        let server = try primary(["--appendonly", "yes", "--repl-ping-replica-period", "1"])
        let ours = try server.connect()
        let stock = try replica(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        let listener = try stock.connect()
        _ = try listener.command("SUBSCRIBE", "news")
        try #expect(ours.command("PUBLISH", "news", "hello").integer == 0)
        try #expect(listener.receive().items?.last == .bulk("hello"))
        try #expect(ours.command("MULTI") == .ok)
        _ = try ours.command("SET", "a", "1")
        _ = try ours.command("PUBLISH", "news", "again")
        _ = try ours.command("EXEC")
        try #expect(listener.receive().items?.last == .bulk("again"))
        _ = try ours.command("WAIT", "2", "20")
        let before = try #require(try ours.info("master_repl_offset"))
        try ours.waitFor("a ping in the stream") { try ours.info("master_repl_offset") != before }
        try expectSame(ours, other)
        let expected = try digest(ours)
        server.terminate()

        let check = try Subprocess.run([
            "redis-check-aof", "\(server.logFolder)/appendonly.aof.manifest",
        ])
        #expect(check.status == 0, "\(check.output)")
        let copy = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: server.logFolder, toPath: copy.file("appendonlydir"))
        let reader = try StockServer(["--appendonly", "yes"], folder: copy)
        try #expect(digest(try reader.connect()) == expected, "\(reader.log)")
        try server.start()
        try #expect(digest(try server.connect()) == expected)
    }

    @Test("a shutdown waits until its replicas have everything")
    func shutdown() throws {
        let server = try primary()
        let ours = try server.connect()
        let stock = try replica(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        kill(stock.processIdentifier, SIGSTOP)
        try write(ours, 0..<2_000, size: 2_000)
        let end = try digest(ours)
        try ours.send(Request.encode(["SHUTDOWN"]))
        let second = try server.connect()
        try second.waitFor("the shutdown to wait") {
            server.log.contains("Waiting for replicas before shutting down")
        }
        kill(stock.processIdentifier, SIGCONT)
        #expect(server.waitForEnd() == .exited(0))
        #expect(server.log.contains("1 of 1 replicas are in sync"))
        try #expect(digest(other) == end)
    }

    @Test("redis-cli takes snapshots, functions and the stream")
    func redisCLI() throws {
        let server = try primary()
        let ours = try server.connect()
        try ValueMakers.fill(ours)
        let path = server.folder.file("taken.rdb")
        let run = try Subprocess.run(["redis-cli", "-p", "\(server.port)", "--rdb", path])
        #expect(run.status == 0, "\(run.output)")
        let check = try Subprocess.run(["redis-check-rdb", path])
        #expect(check.status == 0 && check.output.contains("Checksum OK"), "\(check.output)")
        let functions = try Subprocess.run([
            "redis-cli", "-p", "\(server.port)", "--functions-rdb", server.folder.file("f.rdb"),
        ])
        #expect(functions.status == 0, "\(functions.output)")
        let stream = try Subprocess(["redis-cli", "-p", "\(server.port)", "--replica"])
        try ours.waitFor("redis-cli as replica") { stream.output.contains("sending REPLCONF ACK") }
        try ours.command("SET", "seen", "by the stream")
        try ours.waitFor("the command to be printed") {
            stream.output.contains("\"seen\",\"by the stream\"")
        }
    }
}
