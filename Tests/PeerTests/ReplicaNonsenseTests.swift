import TestSupport
import Testing

/// What calls itself a replica and isn't a good one.
@Suite("nonsense from replicas")
struct ReplicaNonsenseTests {
    private func server(_ arguments: [String] = []) throws -> ServerProcess {
        try ServerProcess(
            ["--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0"] + arguments)
    }

    /// Reads up to the end of the line.
    private func line(_ connection: RESPConnection) throws -> String {
        var bytes: [UInt8] = []
        while bytes.last != 10 || bytes.count < 2 {
            if bytes == [10] { bytes = [] }
            bytes += try connection.receive(count: 1)
        }
        return String(decoding: bytes.dropLast(2), as: UTF8.self)
    }

    /// Goes through a full resync with a mark; the stream follows once an ACK is sent.
    private func takeSnapshot(_ connection: RESPConnection) throws -> (id: String, offset: Int) {
        try #expect(connection.command("REPLCONF", "capa", "eof", "capa", "psync2") == .ok)
        try connection.send(Request.encode(["PSYNC", "?", "-1"]))
        let words = try line(connection).split(separator: " ")
        #expect(words.first == "+FULLRESYNC")
        let head = try line(connection)
        #expect(head.hasPrefix("$EOF:"))
        let mark = Array(head.dropFirst(5).utf8)
        var tail = try connection.receive(count: 40)
        while tail.suffix(40) != mark[...] { tail += try connection.receive(count: 1) }
        #expect(tail.starts(with: Array("REDIS".utf8)))
        return (String(words[1]), Int(words[2]) ?? -1)
    }

    @Test("requests that no replica makes are refused, and the server goes on")
    func badRequests() throws {
        let server = try server()
        let connection = try server.connect()
        let zeros = String(repeating: "0", count: 40)
        let cases: [([String], String)] = [
            (["PSYNC", "?", "x"], "ERR value is not an integer or out of range"),
            (["PSYNC", "?"], "ERR wrong number of arguments for 'psync' command"),
            (["SYNC", "x"], "ERR wrong number of arguments for 'sync' command"),
            (["REPLCONF", "ack"], "ERR syntax error"),
            (["REPLCONF", "listening-port", "x"], "ERR value is not an integer or out of range"),
            (["REPLCONF", "sunshine", "1"], "ERR Unrecognized REPLCONF option: sunshine"),
            (
                ["REPLCONF", "rdb-only", "2"],
                "ERR value is out of range, value must between 0 and 1"
            ),
            (
                ["REPLCONF", "rdb-filter-only", "keys"],
                "ERR Unsupported rdb-filter-only option: keys"
            ),
        ]
        for (words, expected) in cases {
            try #expect(server.connect().command(words) == .error(expected), "\(words)")
        }
        let filtered = try server.connect()
        try #expect(filtered.command("REPLCONF", "rdb-filter-only", "functions") == .ok)
        try #expect(
            filtered.command("SYNC") == .error("ERR Filtered replica requires EOF capability"))
        let inMulti = try server.connect()
        _ = try inMulti.command("MULTI")
        try #expect(inMulti.command("PSYNC", zeros, "1").isError)
        // Not a replica: there is nothing to confirm, and nothing is said.
        let stranger = try server.connect()
        try stranger.send(Request.encode(["REPLCONF", "ACK", "100"]))
        try #expect(stranger.command("PING") == .simple("PONG"))
        try #expect(connection.command("PING") == .simple("PONG"))
        try #expect(connection.info("connected_slaves") == "0")
    }

    @Test("ids and offsets that this log can't have had get everything")
    func strangeOffsets() throws {
        let server = try server()
        let control = try server.connect()
        try control.command("SET", "a", "b")
        let id = try #require(try control.info("master_replid"))
        let zeros = String(repeating: "0", count: 40)
        for (id, offset) in [
            (id, "0"), (id, "-5"), (id, "9223372036854775807"), (id, "1000"), (zeros, "1"),
            ("short", "1"), (String(repeating: "g", count: 40), "1"),
        ] {
            let connection = try server.connect()
            try connection.send(Request.encode(["PSYNC", id, offset]))
            try #expect(line(connection).hasPrefix("+FULLRESYNC "), "\(id) \(offset)")
        }
        try #expect(control.info("sync_partial_err") == "7")
        try #expect(control.info("sync_partial_ok") == "0")
    }

    @Test("an id in upper case is the same id")
    func upperCase() throws {
        let server = try server()
        let control = try server.connect()
        try control.command("SET", "a", "b")
        let id = try #require(try control.info("master_replid"))
        let connection = try server.connect()
        try connection.send(Request.encode(["PSYNC", id.uppercased(), "1"]))
        try #expect(line(connection) == "+CONTINUE")
        // What was logged before anybody followed comes from the file.
        try #expect(connection.receive() == .array([.bulk("SET"), .bulk("a"), .bulk("b")]))
    }

    @Test("a confirmation of what was never sent ends the link")
    func acknowledgesTheFuture() throws {
        let server = try server()
        let control = try server.connect()
        let connection = try server.connect()
        let (_, offset) = try takeSnapshot(connection)
        try connection.send(Request.encode(["REPLCONF", "ACK", "\(offset)"]))
        try connection.send(Request.encode(["REPLCONF", "ACK", "-7"]))
        try connection.send(Request.encode(["REPLCONF", "ACK", "none"]))
        try control.command("SET", "a", "b")
        try #expect(connection.receive() == .array([.bulk("SELECT"), .bulk("0")]))
        try #expect(connection.receive() == .array([.bulk("SET"), .bulk("a"), .bulk("b")]))
        try #expect(control.command("WAIT", "1", "50").integer == 0)
        try connection.send(Request.encode(["REPLCONF", "ACK", "\(offset + 100_000)"]))
        _ = try connection.receiveUntilClosed()
        try #expect(control.command("WAIT", "1", "50").integer == 0)
        try #expect(control.info("connected_slaves") == "0")
    }

    @Test("nothing that a replica says is answered into its stream")
    func chattering() throws {
        let server = try server()
        let control = try server.connect()
        let connection = try server.connect()
        let (_, offset) = try takeSnapshot(connection)
        for words in [
            ["PING"], ["SET", "x", "y"], ["GET", "a"], ["NONSENSE"], ["PSYNC", "?", "-1"],
            ["SUBSCRIBE", "c"], ["REPLCONF", "ACK", "\(offset)"], ["INFO"], ["MULTI"],
        ] {
            try connection.send(Request.encode(words))
        }
        _ = try control.command("PUBLISH", "c", "d")
        try control.command("SET", "a", "b")
        try #expect(connection.receive().items?.first == .bulk("SELECT"))
        try #expect(connection.receive() == .array([.bulk("PUBLISH"), .bulk("c"), .bulk("d")]))
        try #expect(connection.receive() == .array([.bulk("SET"), .bulk("a"), .bulk("b")]))
        try #expect(control.command("EXISTS", "x").integer == 0)
    }

    @Test("a replica that goes in the middle of its snapshot leaves nothing behind")
    func leavesEarly() throws {
        let server = try server()
        let control = try server.connect()
        let value = String(repeating: "x", count: 100_000)
        for index in 0..<300 { try control.command("SET", "key:\(index)", value + "\(index)") }
        for _ in 0..<20 {
            let connection = try server.connect()
            try connection.send(Request.encode(["PSYNC", "?", "-1"]))
            _ = try connection.receive(count: 100)
            connection.close()
        }
        try control.waitFor("the replicas' end") { try control.info("connected_slaves") == "0" }
        // Nothing is frozen any more: a write copies no node, and the server stops in order.
        try control.command("SET", "key:0", "short")
        #expect(server.terminate() == .exited(0))
    }

    @Test("a replica that never reads costs no memory, and its time runs out")
    func neverReads() throws {
        // Otherwise what isn't synced yet stands in memory as well.
        let server = try server(["--appendfsync", "always"])
        let control = try server.connect()
        let connection = try server.connect()
        let (_, offset) = try takeSnapshot(connection)
        try connection.send(Request.encode(["REPLCONF", "ACK", "\(offset)"]))
        let most = try memoryDuringWrites(control)
        #expect(most < 32 << 20, "\(most) bytes")
        try #expect(control.info("connected_slaves") == "1")
        try control.command("CONFIG", "SET", "repl-timeout", "1")
        try control.waitFor("the link's end") { try control.info("connected_slaves") == "0" }
    }

    @Test("without a log it costs what client-output-buffer-limit says, and is closed then")
    func neverReadsUnlogged() throws {
        let server = try server([
            "--appendonly", "no", "--client-output-buffer-limit", "replica 16mb 0 0",
        ])
        let control = try server.connect()
        let connection = try server.connect()
        let (_, offset) = try takeSnapshot(connection)
        try connection.send(Request.encode(["REPLCONF", "ACK", "\(offset)"]))
        let most = try memoryDuringWrites(control)
        #expect(most < 48 << 20, "\(most) bytes")
        try control.waitFor("the link's end") { try control.info("connected_slaves") == "0" }
    }

    /// Writes 128 MB over a few keys.
    ///
    /// - Returns: the most that was in use meanwhile.
    private func memoryDuringWrites(_ control: RESPConnection) throws -> Int {
        let value = String(repeating: "x", count: 10_000)
        var most = 0
        for _ in 0..<128 {
            _ = try control.pipeline((0..<100).map { ["SET", "key:\($0 % 10)", value] })
            most = max(most, Int(try control.info("used_memory") ?? "") ?? .max)
        }
        return most
    }

    @Test("one that knows no mark gets the snapshot with its length")
    func knownLength() throws {
        let server = try server()
        let control = try server.connect()
        try control.command("SET", "a", "b")
        let connection = try server.connect()
        try connection.send("SYNC\r\n")
        let head = try line(connection)
        let count = try #require(Int(head.dropFirst()))
        let file = try connection.receive(count: count)
        #expect(file.starts(with: Array("REDIS0010".utf8)))
        try control.command("SET", "c", "d")
        try #expect(connection.receive().items?.first == .bulk("SELECT"))
        try #expect(connection.receive() == .array([.bulk("SET"), .bulk("c"), .bulk("d")]))
    }
}
