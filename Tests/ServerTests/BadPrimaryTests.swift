import Foundation
import TestSupport
import Testing

/// A primary that sends what no primary should: the link ends, the data stays, nothing grows.
@Suite("a primary that can't be trusted", .serialized)
struct BadPrimaryTests {
    private static let id = "0123456789abcdef0123456789abcdef01234567"
    private static let mark = "ffffffffffffffffffffffffffffffffffffffff"

    /// A server with one key that is to stay.
    private func server(_ arguments: [String] = []) throws -> (ServerProcess, RESPConnection) {
        let server = try ServerProcess(["--repl-timeout", "2"] + arguments)
        let connection = try server.connect()
        try #expect(connection.command("SET", "k", "v") == .ok)
        return (server, connection)
    }

    /// Answers the first lines up to PSYNC.
    private static func greet(_ connection: LoopbackConnection) {
        _ = connection.read(until: "PING")
        connection.write("+PONG\r\n")
        _ = connection.read(until: "holdfast-lz4")
        connection.write("+OK\r\n+OK\r\n")
        _ = connection.read(until: "PSYNC")
    }

    private static func flood(_ connection: LoopbackConnection, _ text: String) {
        flood(connection, Array(text.utf8))
    }

    private static func flood(_ connection: LoopbackConnection, _ piece: [UInt8]) {
        let bytes = [[UInt8]](repeating: piece, count: (64 << 10) / piece.count).flatMap { $0 }
        var left = 64 << 20
        while left > 0, connection.write(bytes) { left -= bytes.count }
        // Whoever waits for the end gets none.
        while connection.read() != nil {}
    }

    private func snapshot() throws -> [UInt8] {
        let stock = try StockServer()
        let connection = try stock.connect()
        for index in 0..<100 { try connection.command("SET", "new\(index)", "value") }
        try #expect(connection.command("SAVE") == .ok)
        return Array(try Data(contentsOf: URL(fileURLWithPath: stock.folder.file("dump.rdb"))))
    }

    private func follow(
        _ serve: @escaping @Sendable (LoopbackConnection) -> Void,
        until condition: (ServerProcess, LoopbackListener) -> Bool
    ) throws {
        let primary = try LoopbackListener(serve)
        let (server, connection) = try server()
        let before = Int(try connection.info("used_memory") ?? "") ?? 0
        try #expect(connection.command("REPLICAOF", "127.0.0.1", "\(primary.port)") == .ok)
        var most = 0
        try connection.waitFor("what is to happen") {
            most = max(most, Int(try connection.info("used_memory") ?? "") ?? 0)
            return condition(server, primary)
        }
        #expect(most - before < 24 << 20, "\(most - before) bytes more in use")
        #expect(try connection.command("GET", "k") == .bulk("v"), "\(server.log)")
        #expect(try connection.command("DBSIZE") == .integer(1))
        #expect(try connection.info("master_link_status") == "down")
        server.kill()
        try server.start()
        let again = try server.connect()
        #expect(try again.command("GET", "k") == .bulk("v"), "\(server.log)")
        let names = try FileManager.default.contentsOfDirectory(atPath: server.logFolder)
        #expect(!names.contains { $0.hasPrefix("temp-") }, "\(names)")
    }

    @Test(
        "whatever it answers first, it is tried again and the data stays",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n\r\n", "-ERR go away\r\n", "\0\0\0\0\r\n",
            "$5\r\nhello\r\n",
            "",
        ])
    func greetings(answer: String) throws {
        try follow {
            $0.write(answer)
        } until: {
            $1.connectionCount >= 2
        }
    }

    @Test("an endless line ends the link")
    func endlessLine() throws {
        try follow {
            Self.flood($0, "x")
        } until: {
            $1.connectionCount >= 2
        }
    }

    @Test("an answer to PSYNC that says nothing")
    func answers() throws {
        try follow {
            Self.greet($0)
            $0.write("+FULLRESYNC \(Self.id) 12345678901234567890\r\n")
        } until: { server, _ in
            server.log.contains("wrong +FULLRESYNC")
        }
    }

    @Test("a snapshot that ends early")
    func torn() throws {
        let bytes = try snapshot()
        try follow {
            Self.greet($0)
            $0.write("+FULLRESYNC \(Self.id) 0\r\n$\(bytes.count)\r\n")
            $0.write(Array(bytes.dropLast(20)))
        } until: { server, _ in
            server.log.contains("sync failed: I/O error")
        }
    }

    @Test("a snapshot that stops in the middle and never goes on")
    func stuck() throws {
        let bytes = try snapshot()
        try follow {
            Self.greet($0)
            $0.write("+FULLRESYNC \(Self.id) 0\r\n$EOF:\(Self.mark)\r\n")
            $0.write(Array(bytes.dropLast(20)))
            while $0.read() != nil {}
        } until: { server, _ in
            server.log.contains("Timeout receiving bulk data")
        }
    }

    @Test(
        "an endless one, and one of a length that nothing has",
        arguments: ["EOF:\(mark)", "1152921504606846975", "9223372036854775807"])
    func endless(header: String) throws {
        try follow {
            Self.greet($0)
            $0.write("+FULLRESYNC \(Self.id) 0\r\n$\(header)\r\n")
            Self.flood($0, "garbage")
        } until: {
            $1.connectionCount >= 2
        }
    }

    @Test("an endless one in which nothing is wrong yet")
    func endlessFields() throws {
        try follow {
            Self.greet($0)
            $0.write("+FULLRESYNC \(Self.id) 0\r\n$EOF:\(Self.mark)\r\n")
            $0.write("REDIS0010")
            // A field of information about the file, again and again.
            Self.flood($0, [0xFA, 1, 0x61, 1, 0x62])
        } until: {
            $1.connectionCount >= 2
        }
    }

    @Test("an endless tail behind a good one")
    func tail() throws {
        let bytes = try snapshot()
        try follow {
            Self.greet($0)
            $0.write("+FULLRESYNC \(Self.id) 0\r\n$EOF:\(Self.mark)\r\n")
            $0.write(bytes)
            Self.flood($0, "garbage")
        } until: { server, _ in
            server.log.contains("sync failed")
        }
    }

    @Test("a snapshot with a flipped bit, anywhere")
    func flipped() throws {
        let bytes = try snapshot()
        for place in stride(from: 3, to: bytes.count, by: bytes.count / 3) {
            var wrong = bytes
            wrong[place] ^= 4
            let sent = wrong
            try follow {
                Self.greet($0)
                $0.write("+FULLRESYNC \(Self.id) 0\r\n$\(sent.count)\r\n")
                $0.write(sent)
                while $0.read() != nil {}
            } until: { server, _ in
                server.log.contains("sync failed")
            }
        }
    }

    @Test(
        "a stream of garbage ends the link; what stands before it is there and stays",
        arguments: [
            "garbage\r\n", "\r\n", "*1\r\n$99999999999\r\n",
            "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-5\r\n",
            "*1\r\n$7\r\nNONSUCH\r\n", "*2\r\n$3\r\nGET\r\n$1\r\na\r\nxx",
            "*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n",
            "*1\r\n$4\r\nEXEC\r\n", "*1\r\n$4\r\nAUTH\r\n", "*2\r\n$3\r\nSET\r\n$1\r\nx\r\n",
        ])
    func streams(garbage: String) throws {
        let bytes = try snapshot()
        let good = "*3\r\n$3\r\nSET\r\n$4\r\nlast\r\n$1\r\n1\r\n"
        let primary = try LoopbackListener { connection in
            Self.greet(connection)
            connection.write("+FULLRESYNC \(Self.id) 100\r\n$\(bytes.count)\r\n")
            connection.write(bytes)
            connection.write(good + garbage)
            while connection.read() != nil {}
        }
        let (server, connection) = try server()
        try #expect(connection.command("REPLICAOF", "127.0.0.1", "\(primary.port)") == .ok)
        try connection.waitFor("the end of the link") {
            server.log.contains("Protocol error from master")
        }
        // Before the next attempt comes with all data anew.
        primary.stop()
        #expect(try connection.command("GET", "last") == .bulk("1"), "\(server.log)")
        server.kill()
        try server.start()
        let again = try server.connect()
        #expect(try again.command("GET", "last") == .bulk("1"), "\(server.log)")
        #expect(try again.command("GET", "new99") == .bulk("value"))
    }

    @Test("a snapshot in an LZ4 frame is taken, and is a base that a start reads")
    func compressed() throws {
        let folder = try TemporaryFolder()
        try Data(try snapshot()).write(to: URL(fileURLWithPath: folder.file("plain")))
        try #expect(
            Subprocess.run(["lz4", folder.file("plain"), folder.file("packed")]).status == 0)
        let bytes = Array(
            try Data(contentsOf: URL(fileURLWithPath: folder.file("packed"))))
        let primary = try LoopbackListener { connection in
            Self.greet(connection)
            connection.write("+FULLRESYNC \(Self.id) 77\r\n\n$EOF:\(Self.mark)\r\n")
            for start in stride(from: 0, to: bytes.count, by: 100) {
                connection.write(Array(bytes[start..<min(start + 100, bytes.count)]))
            }
            connection.write(Self.mark)
            _ = connection.read(until: "ACK")
            connection.write("*3\r\n$3\r\nSET\r\n$4\r\nlast\r\n$1\r\n1\r\n")
            while connection.read() != nil {}
        }
        let (server, connection) = try server()
        try #expect(connection.command("REPLICAOF", "127.0.0.1", "\(primary.port)") == .ok)
        try connection.waitFor("the stream") { try connection.command("GET", "last") == .bulk("1") }
        #expect(try connection.command("DBSIZE") == .integer(101))
        primary.stop()
        server.kill()
        try server.start()
        let again = try server.connect()
        #expect(try again.command("DBSIZE") == .integer(101), "\(server.log)")
        #expect(try again.command("MGET", "new7", "last") == .array([.bulk("value"), .bulk("1")]))
    }

    @Test("half a transaction is nothing")
    func halfTransaction() throws {
        let bytes = try snapshot()
        let set = "*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1\r\n1\r\n"
        let primary = try LoopbackListener { connection in
            Self.greet(connection)
            connection.write("+FULLRESYNC \(Self.id) 0\r\n$\(bytes.count)\r\n")
            connection.write(bytes)
            connection.write("*1\r\n$4\r\nPING\r\n*1\r\n$5\r\nMULTI\r\n" + set + set)
            while connection.read() != nil {}
        }
        let (server, connection) = try server()
        try #expect(connection.command("REPLICAOF", "127.0.0.1", "\(primary.port)") == .ok)
        try connection.waitFor("the PING") { try connection.info("slave_repl_offset") == "14" }
        #expect(try connection.info("slave_read_repl_offset") != "14")
        #expect(try connection.command("EXISTS", "half") == .integer(0))
        primary.stop()
        #expect(try connection.command("REPLICAOF", "NO", "ONE") == .ok)
        #expect(try connection.command("SET", "own", "1") == .ok)
        server.kill()
        try server.start()
        let again = try server.connect()
        #expect(try again.command("MGET", "half", "own") == .array([.null, .bulk("1")]))
    }
}
