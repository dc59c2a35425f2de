import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// Input that no client should send: the same answer as redis-server's, byte for byte, or a closed connection,
/// with bounded memory, while others are served.
@Suite("bad input", .serialized)
struct BadInputTests {
    // MARK: Beside redis-server

    /// What is sent, and whether the connection ends by it.
    private static let cases: [(name: String, bytes: [UInt8])] = {
        let kilobytes64 = [UInt8](repeating: UInt8(ascii: "a"), count: 65_537)
        func text(_ text: String) -> [UInt8] { Array(text.utf8) }
        return [
            ("an inline command", text("PING\r\n")),
            ("an inline command that ends in LF", text("PING\nECHO x\n")),
            ("empty lines", text("\r\n\r\n\n\nPING\r\n")),
            ("blanks only", text("   \r\nPING\r\n")),
            ("quoted words", text("SET \"a b\" 'c d'\r\nGET \"a\\x20b\"\r\n")),
            ("unbalanced double quotes", text("SET \"a b\r\nPING\r\n")),
            ("unbalanced single quotes", text("SET 'a\r\n")),
            ("text behind closing quotes", text("SET \"a\"b c\r\n")),
            ("a CR inside a line", text("ECHO a\rb\r\nPING\r\n")),
            ("an endless line", kilobytes64),
            ("a long line that ends", Array(kilobytes64.dropLast(9)) + text("\r\nPING\r\n")),
            ("an array of none", text("*0\r\nPING\r\n")),
            ("an array of minus one", text("*-1\r\nPING\r\n")),
            ("an array of minus many", text("*-2147483648\r\nPING\r\n")),
            ("a plus in a count", text("*+1\r\n$4\r\nPING\r\n")),
            ("a blank in a count", text("* 1\r\n$4\r\nPING\r\n")),
            ("a zero before a count", text("*01\r\n$4\r\nPING\r\n")),
            ("letters as a count", text("*abc\r\n$4\r\nPING\r\n")),
            ("no count", text("*\r\n$4\r\nPING\r\n")),
            ("a fraction as a count", text("*1.5\r\n$4\r\nPING\r\n")),
            ("a count past the limit", text("*2147483648\r\n")),
            ("a count past 64 bits", text("*99999999999999999999\r\n")),
            ("an endless count", text("*") + kilobytes64),
            ("an endless length", text("*1\r\n$") + kilobytes64),
            ("no dollar", text("*1\r\nPING\r\n")),
            ("a colon for a dollar", text("*1\r\n:4\r\n")),
            ("an array in an array", text("*1\r\n*1\r\n$4\r\nPING\r\n")),
            ("a byte above 127 for a dollar", text("*1\r\n") + [0xE9] + text("\r\n")),
            ("an empty line for a dollar", text("*1\r\n\r\n")),
            ("a negative length", text("*1\r\n$-1\r\n")),
            ("a plus in a length", text("*1\r\n$+4\r\nPING\r\n")),
            ("a zero before a length", text("*1\r\n$04\r\nPING\r\n")),
            ("letters as a length", text("*1\r\n$x\r\nPING\r\n")),
            ("no length", text("*1\r\n$\r\nPING\r\n")),
            ("a length past the limit", text("*2\r\n$3\r\nGET\r\n$536870913\r\n")),
            ("a length past 64 bits", text("*1\r\n$99999999999999999999\r\n")),
            (
                "other bytes than CR LF behind a bulk",
                text("*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n")
            ),
            ("an empty command name", text("*1\r\n$0\r\n\r\nPING\r\n")),
            ("a bulk longer than told", text("*1\r\n$3\r\nPINGxx\r\n")),
            (
                "a command before the error",
                text("*1\r\n$4\r\nPING\r\n*1\r\nx\r\n*1\r\n$4\r\nPING\r\n")
            ),
            ("QUIT before others", text("PING\r\nQUIT\r\nPING\r\n")),
            ("POST", text("POST / HTTP/1.1\r\nHost: here\r\n\r\n")),
            ("Host:", text("GET / HTTP/1.1\r\nHost: here\r\n\r\n")),
            ("a HELLO of old", text("HELLO 1\r\n")),
            ("a LF alone behind a count", text("*1\n$4\r\nPING\r\n")),
            ("MULTI with an error in it", text("MULTI\r\nFOO\r\nSET a b\r\nEXEC\r\n")),
            ("a protocol error in MULTI", text("MULTI\r\nSET a b\r\n*x\r\n")),
        ]
    }()

    private static func answer(_ connection: RESPConnection, _ bytes: [UInt8]) -> String {
        connection.timeoutSeconds = 10
        do {
            // It may close before it has read all.
            try connection.sendUnlessClosed(bytes)
            connection.finishSending()
            return shown(try connection.receiveUntilClosed())
        } catch {
            return "\(error)"
        }
    }

    /// Each byte as one character.
    private static func shown(_ bytes: [UInt8]) -> String {
        String(String.UnicodeScalarView(bytes.map { UnicodeScalar($0) }))
    }

    @Test("malformed requests get redis-server's answers")
    func malformed() throws {
        let stock = try StockServer(listensOnTCP: true)
        let ours = try ServerProcess(["--appendfsync", "no"])
        for (name, bytes) in Self.cases {
            let expected = Self.answer(try stock.connectTCP(), bytes)
            let actual = Self.answer(try ours.connect(), bytes)
            #expect(actual == expected, "\(name)")
        }
        try expectAlive(ours)
    }

    @Test("a NUL in a request is a byte like others, where redis-server waits for ever")
    func zeroBytes() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        for (text, expected) in [
            ("*1\r\n\0\r\n", "-ERR Protocol error: expected '$', got '\0'\r\n"),
            (
                "\u{16}\u{3}\u{1}\u{2}\n",
                "-ERR unknown command '\u{16}\u{3}\u{1}\u{2}', with args beginning with: \r\n"
            ),
        ] {
            #expect(
                Self.answer(try ours.connect(), Array(text.utf8))
                    == expected)
        }
    }

    /// Whether the server itself ends the connection: the client keeps its side open here.
    @Test("the server closes exactly the connections that redis-server closes")
    func closing() throws {
        let stock = try StockServer(listensOnTCP: true)
        let ours = try ServerProcess(["--appendfsync", "no"])
        var pairs: [(String, RESPConnection, RESPConnection)] = []
        for (name, bytes) in Self.cases {
            let pair = (try stock.connectTCP(), try ours.connect())
            for connection in [pair.0, pair.1] {
                try connection.sendUnlessClosed(bytes)
            }
            pairs.append((name, pair.0, pair.1))
        }
        // One more exchange on each server, so that all of the above has been read.
        for _ in 0..<3 {
            try stock.connectTCP().command("PING")
            try ours.connect().command("PING")
        }
        for (name, left, right) in pairs {
            let expected = left.isClosed(within: 0.05)
            #expect(right.isClosed(within: expected ? 5 : 0.05) == expected, "\(name)")
        }
    }

    @Test("a client that isn't let in yet may send little only, as in redis-server")
    func unauthenticated() throws {
        let stock = try StockServer(listensOnTCP: true)
        try stock.connect().command("CONFIG", "SET", "requirepass", "secret")
        let ours = try ServerProcess(["--requirepass", "secret"], waits: false)
        var connection: RESPConnection?
        for _ in 0..<5_000 where connection == nil {
            connection = try? ours.connect()
            if connection == nil { usleep(1_000) }
        }
        for text in [
            "*11\r\n", "*1\r\n$16385\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
            "PING\r\nFOO\r\nGET\r\n",
            "AUTH wrong\r\nAUTH secret\r\nPING\r\n*11\r\n", "HELLO 3\r\n", "QUIT\r\n", "RESET\r\n",
            "AUTH other secret\r\n", "AUTH default secret\r\nRESET\r\nPING\r\n",
            "MULTI\r\nEXEC\r\n",
        ] {
            var expected = Self.answer(try stock.connectTCP(), Array(text.utf8))
            // 7.2 says HELLO's arguments in other words.
            expected = expected.replacingOccurrences(
                of: "the HELLO AUTH", with: "the HELLO <proto> AUTH")
            #expect(Self.answer(try ours.connect(), Array(text.utf8)) == expected, "\(text)")
        }
    }

    @Test("a request in pieces of one byte is one request")
    func byteByByte() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        let connection = try ours.connect()
        let bytes = Request.encode(["SET", "k", "v\r\nw"]) + Array("GET k\r\n".utf8)
        for byte in bytes { try connection.send([byte]) }
        #expect(try connection.receive() == .ok)
        #expect(try connection.receive() == .bulk("v\r\nw"))
        // Another that never ends does no harm to those who come after it.
        for end in 1..<bytes.count - 7 {
            let other = try ours.connect()
            try other.send(Array(bytes[..<end]))
            other.close()
        }
        try expectAlive(ours)
    }

    @Test("a client that closes its side at once still gets the answer that waits for the disk")
    func halfClosed() throws {
        let ours = try ServerProcess(["--appendfsync", "always"])
        let reader = try ours.connect()
        for number in 0..<100 {
            let connection = try ours.connect()
            try connection.send("SET half:\(number) v\r\n")
            connection.finishSending()
            // With somebody else to serve, the sync is not done in the turn itself.
            try reader.command("GET", "other")
            #expect(try connection.receiveUntilClosed() == Array("+OK\r\n".utf8))
        }
    }

    // MARK: Memory

    /// Resident bytes of a process.
    private static func resident(_ process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }

    private func expectAlive(_ server: ServerProcess) throws {
        #expect(server.isRunning)
        #expect(try server.connect().command("PING") == .simple("PONG"))
    }

    @Test("what a client only announces costs no memory")
    func announcedLengths() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        try expectAlive(ours)
        let before = try Self.resident(ours.processIdentifier)
        var connections: [RESPConnection] = []
        for text in [
            "*2147483647\r\n", "*2147483647\r\n$3\r\nSET\r\n",
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n",
            "*1\r\n$536870912\r\n", "*1048576\r\n$1\r\na\r\n", "*1\r\n$536870912\r\nabc",
        ] {
            for _ in 0..<100 {
                let connection = try ours.connect()
                try connection.send(text)
                connections.append(connection)
            }
        }
        try expectAlive(ours)
        let grown = try Self.resident(ours.processIdentifier) - before
        #expect(grown < 64 << 20, "\(connections.count) connections, \(grown) bytes")
        connections.removeAll()
        try expectAlive(ours)
    }

    @Test("nesting, millions of tiny words and a large command's memory go away again")
    func largeCommands() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        let nested = [UInt8](repeating: UInt8(ascii: "*"), count: 60_000)
        let connection = try ours.connect()
        try connection.send(Array("*1\r\n".utf8) + nested)
        #expect(connection.isClosed(within: 10))
        let deep = try ours.connect()
        for _ in 0..<10_000 { try deep.sendUnlessClosed(Array("*1\r\n".utf8)) }
        #expect(deep.isClosed(within: 10))

        let before = try Self.resident(ours.processIdentifier)
        let many = try ours.connect()
        var bytes = Array("*500001\r\n$3\r\nDEL\r\n".utf8)
        for _ in 0..<500_000 { bytes += Array("$1\r\nx\r\n".utf8) }
        try many.send(bytes)
        #expect(try many.receive() == .integer(0))
        many.close()
        try expectAlive(ours)
        let grown = try Self.resident(ours.processIdentifier) - before
        #expect(grown < 128 << 20, "\(grown) bytes")
    }

    @Test("a client that never reads is closed at its output limit, and memory stays bounded")
    func slowReader() throws {
        let ours = try ServerProcess([
            "--appendfsync", "no", "--client-output-buffer-limit", "normal 1mb 512kb 1",
        ])
        let setter = try ours.connect()
        let big = [UInt8](repeating: UInt8(ascii: "b"), count: 1 << 20)
        #expect(try setter.command([Array("SET".utf8), Array("big".utf8), big]) == .ok)
        let before = try Self.resident(ours.processIdentifier)
        // Some 3,000 requests in one piece, which would make 3 GB of replies.
        let slow = try ours.connect()
        let requests = String(repeating: "GET big\r\n", count: 3_000)
        try slow.sendUnlessClosed(Array(requests.utf8))
        try expectAlive(ours)
        var most = 0
        for _ in 0..<200 where !slow.isClosed(within: 0.05) {
            most = max(most, try Self.resident(ours.processIdentifier) - before)
        }
        let peak = try Self.peak(ours.processIdentifier) - before
        #expect(peak < 256 << 20, "\(peak) bytes at most")
        try expectAlive(ours)

        // The soft limit: 600 KB for over a second.
        let soft = try ours.connect()
        #expect(
            try setter.command([Array("SET".utf8), Array("half".utf8), Array(big[..<600_000])])
                == .ok)
        for _ in 0..<20 { try soft.sendUnlessClosed(Array("GET half\r\n".utf8)) }
        #expect(try ours.log(contains: "scheduled to be closed ASAP", seconds: 10))
        try expectAlive(ours)
    }

    /// The most that was ever resident.
    private static func peak(_ process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
        let digits = line.filter { $0.isNumber }
        return (Int(digits) ?? 0) * 1024
    }

    @Test("input past the query buffer's limit closes the connection without an answer")
    func queryBufferLimit() throws {
        let ours = try ServerProcess(["--appendfsync", "no", "--client-query-buffer-limit", "1mb"])
        let connection = try ours.connect()
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
        try connection.send("*2\r\n$3\r\nGET\r\n$100000000\r\n")
        for _ in 0..<100 { try connection.sendUnlessClosed(chunk) }
        #expect(connection.isClosed(within: 10))
        try expectAlive(ours)
    }

    @Test("more clients than allowed are told so and closed")
    func tooManyClients() throws {
        let ours = try ServerProcess(["--appendfsync", "no", "--maxclients", "20"])
        var connections: [RESPConnection] = []
        var refusals = 0
        for _ in 0..<30 {
            let connection = try ours.connect()
            connections.append(connection)
            let reply = (try? connection.command("PING")) ?? .error("closed")
            if reply.isError { refusals += 1 }
        }
        #expect(refusals >= 10)
        let late = try ours.connect()
        let text = String(decoding: try late.receiveUntilClosed(), as: UTF8.self)
        #expect(text == "-ERR max number of clients reached\r\n")
        connections.removeAll()
        late.close()
        // It notices in its own time that they are gone.
        var served = false
        for _ in 0..<2_000 where !served {
            served = (try? ours.connect().command("PING")) == .simple("PONG")
            if !served { usleep(1_000) }
        }
        #expect(served)
    }

    // MARK: Fuzz

    @Test("random bytes on many connections leave the server up and its answers whole")
    func fuzz() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = TestSeed.next("random bytes on many connections")
        let count = environment["HOLDFAST_FUZZ"].flatMap { Int($0) } ?? 1_000
        var random = PRNG(seed: seed)
        var commands = MixedCommandGenerator(seed: seed, clients: 1)
        let ours = try ServerProcess(["--appendfsync", "no"])
        let witness = try ours.connect()
        for number in 0..<count {
            var bytes: [UInt8] = []
            for _ in 0...random.below(8) {
                if case .command(_, let words) = commands.next() { bytes += Request.encode(words) }
            }
            switch random.below(4) {
            case 0: bytes = (0..<random.below(400)).map { _ in UInt8(random.below(256)) }
            case 1:
                for _ in 0...random.below(6) where !bytes.isEmpty {
                    bytes[random.below(bytes.count)] = UInt8(random.below(256))
                }
            case 2:
                let alphabet = Array("*$0123456789-\r\n\"' abc".utf8)
                bytes = (0..<random.below(300)).map { _ in alphabet[random.below(alphabet.count)] }
            default:
                let start = random.below(bytes.count + 1)
                bytes.removeSubrange(start..<min(bytes.count, start + random.below(9)))
            }
            let connection = try ours.connect()
            do {
                for piece in Self.pieces(bytes, &random) { try connection.sendUnlessClosed(piece) }
                connection.finishSending()
                _ = try ReplyParser.all(try connection.receiveUntilClosed())
            } catch {
                Issue.record("connection \(number), seed \(seed): \(error)")
            }
            if number % 20 == 0 {
                #expect(try witness.command("ECHO", "there") == .bulk("there"), "seed \(seed)")
            }
            guard ours.isRunning else {
                Issue.record("the server ended at \(number), seed \(seed): \(ours.log)")
                return
            }
        }
        try expectAlive(ours)
        #expect(ours.terminate() == .exited(0))
    }

    private static func pieces(_ bytes: [UInt8], _ random: inout PRNG) -> [[UInt8]] {
        guard bytes.count > 1, random.oneIn(2) else { return [bytes] }
        let cut = 1 + random.below(bytes.count - 1)
        return [Array(bytes[..<cut]), Array(bytes[cut...])]
    }
}

extension ServerProcess {
    /// Waits until the log has `text`.
    fileprivate func log(contains text: String, seconds: Double) throws -> Bool {
        let start = Date()
        while !log.contains(text) {
            if Date().timeIntervalSince(start) > seconds { return false }
            usleep(10_000)
        }
        return true
    }
}
