import TestSupport
import Testing

@Suite("the tests' own client, on a stock server")
struct RESPConnectionTests {
    @Test("every reply type of both protocols is told apart")
    func replyTypes() throws {
        let stock = try StockServer()
        let two = try stock.connect(version: 2)
        let three = try stock.connect(version: 3)
        func debug(_ kind: String) throws -> (Reply, Reply) {
            (
                try two.command("DEBUG", "PROTOCOL", kind),
                try three.command("DEBUG", "PROTOCOL", kind)
            )
        }
        #expect(try debug("string") == (.bulk("Hello World"), .bulk("Hello World")))
        #expect(try debug("integer") == (.integer(12345), .integer(12345)))
        #expect(try debug("double").1 == .double("3.141"))
        #expect(try debug("null") == (.null, .null))
        #expect(try debug("true") == (.integer(1), .boolean(true)))
        #expect(try debug("false") == (.integer(0), .boolean(false)))
        #expect(
            try debug("verbatim").1
                == .verbatim(format: "txt", Array("This is a verbatim\nstring".utf8)))
        #expect(
            try debug("bignum").1 == .bigNumber("1234567999999999999999999999999999999"))
        let items: [Reply] = [.integer(0), .integer(1), .integer(2)]
        #expect(try debug("array") == (.array(items), .array(items)))
        #expect(try debug("set").1 == .set(items))
        guard case .map(let pairs) = try debug("map").1 else {
            Issue.record("not a map")
            return
        }
        #expect(pairs.count == 3)
        #expect(pairs[1] == Reply.Pair(.integer(1), .boolean(true)))
    }

    @Test("pipelines, raw bytes, big replies and a closed connection")
    func transport() throws {
        let stock = try StockServer(listensOnTCP: true)
        let connection = try stock.connectTCP()
        let big = [UInt8](repeating: UInt8(ascii: "b"), count: 3_000_000)
        let replies = try connection.pipeline([
            ["SET", "k", "v"].map { Array($0.utf8) },
            [Array("SET".utf8), Array("big".utf8), big],
            ["GET", "big"].map { Array($0.utf8) },
            ["INCR", "k"].map { Array($0.utf8) },
        ])
        #expect(replies[..<3] == [.ok, .ok, .bulk(big)])
        #expect(replies[3] == .error("ERR value is not an integer or out of range"))
        try connection.send("PING\r\nECHO x\r\n")
        #expect(try connection.receiveRaw() == Array("+PONG\r\n".utf8))
        #expect(try connection.receive() == .bulk("x"))
        try connection.send("QUIT\r\n")
        #expect(try connection.receiveUntilClosed() == Array("+OK\r\n".utf8))
        #expect(connection.isClosed(within: 1))
    }

    @Test("a reply cut anywhere is not whole, and any cut of several gives the same replies")
    func everyCut() throws {
        let bytes = Array("%1\r\n+a\r\n*2\r\n$3\r\nx\r\n\r\n_\r\n".utf8)
        let whole = try ReplyParser.all(bytes)
        #expect(whole.count == 1)
        for end in 0..<bytes.count {
            #expect(try ReplyParser.parse(Array(bytes[..<end])) == nil)
        }
    }
}
