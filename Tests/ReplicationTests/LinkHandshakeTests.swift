import HoldfastBytes
import Log
import Replication
import Testing

@Suite("the first lines of a replica's link")
struct LinkHandshakeTests {
    private static let id = "0123456789abcdef0123456789abcdef01234567"

    private func request(knowsPlace: Bool = true) -> LinkHandshake.Request {
        var request = LinkHandshake.Request()
        request.port = 6380
        if knowsPlace {
            request.place = (Self.history, LSN(1087))
        }
        return request
    }

    private static var history: HistoryID {
        Array(id.utf8).withSlice { HistoryID($0)! }
    }

    /// Feeds text, in pieces of `size` bytes, and gives all that came out but waiting.
    private func feed(
        _ text: String, to handshake: inout LinkHandshake, size: Int = .max
    ) -> (actions: [LinkHandshake.Action], rest: Int) {
        var actions: [LinkHandshake.Action] = []
        var input: [UInt8] = []
        let bytes = Array(text.utf8)
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, size == .max ? .max : at + size)
            input += bytes[at..<end]
            at = end
            taking: while !input.isEmpty {
                let (used, action) = input.withSlice { handshake.take($0) }
                input.removeFirst(used)
                switch action {
                case .wait: if used == 0 { break taking }
                case .resume, .receive, .retry:
                    actions.append(action)
                    return (actions, input.count + bytes.count - at)
                case .send, .fullResync: actions.append(action)
                }
            }
        }
        return (actions, input.count)
    }

    private func text(_ action: LinkHandshake.Action?) -> String {
        guard case .send(let bytes)? = action else { return "\(String(describing: action))" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("a partial resync is asked for with the next offset", arguments: [1, 2, 7, .max])
    func partial(size: Int) {
        var handshake = LinkHandshake(request())
        #expect(String(decoding: handshake.opening, as: UTF8.self) == "*1\r\n$4\r\nPING\r\n")
        let (first, _) = feed("+PONG\r\n", to: &handshake, size: size)
        #expect(first.count == 1)
        #expect(text(first.first).contains("listening-port\r\n$4\r\n6380"))
        #expect(text(first.first).contains("psync2"))
        let (second, _) = feed("+OK\r\n+OK\r\n", to: &handshake, size: size)
        #expect(
            text(second.first) == "*3\r\n$5\r\nPSYNC\r\n$40\r\n\(Self.id)\r\n$4\r\n1088\r\n")
        let (third, rest) = feed("\n\n+CONTINUE \(Self.id)\r\n*1\r\n$4", to: &handshake, size: size)
        #expect(third == [.resume(Resumption(Self.history))])
        #expect(rest == 6, "the stream is left alone")
    }

    @Test("without a history a full resync is asked for, and its header is read to the byte")
    func full() {
        var handshake = LinkHandshake(request(knowsPlace: false))
        _ = feed("+PONG\r\n", to: &handshake)
        let (second, _) = feed("+OK\r\n-ERR Unrecognized REPLCONF option: capa\r\n", to: &handshake)
        #expect(text(second.first) == "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n")
        let (third, rest) = feed(
            "+FULLRESYNC \(Self.id.uppercased()) 27\r\n\n\n$5\r\nREDIS", to: &handshake)
        #expect(third == [.fullResync(Self.history, LSN(27)), .receive(.length(5))])
        #expect(rest == 5)
    }

    @Test("a password is sent in front, and refused it is the end")
    func password() {
        var request = request()
        request.password = Array("p".utf8)
        request.user = Array("u".utf8)
        request.address = Array("10.0.0.9".utf8)
        var handshake = LinkHandshake(request)
        let (first, _) = feed("-NOAUTH Authentication required.\r\n", to: &handshake)
        #expect(text(first.first).hasPrefix("*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n"))
        #expect(text(first.first).contains("ip-address\r\n$8\r\n10.0.0.9"))
        let (second, _) = feed("-WRONGPASS no\r\n", to: &handshake)
        #expect(second == [.retry("Unable to AUTH to MASTER: -WRONGPASS no")])
    }

    @Test("a primary that doesn't know PSYNC is asked for SYNC")
    func old() {
        var handshake = LinkHandshake(request())
        _ = feed("+PONG\r\n", to: &handshake)
        _ = feed("+OK\r\n+OK\r\n", to: &handshake)
        let (third, _) = feed("-ERR unknown command 'PSYNC'\r\n", to: &handshake)
        #expect(third == [.send(Array("SYNC\r\n".utf8))])
        #expect(handshake.isOldSync)
        let mark = String(repeating: "f", count: 40)
        let (last, _) = feed("$EOF:\(mark)\r\n", to: &handshake)
        #expect(last == [.receive(.mark(Array(mark.utf8)))])
    }

    @Test(
        "what makes no sense ends the attempt",
        arguments: [
            "+FULLRESYNC\r\n", "+FULLRESYNC \(id)\r\n", "+FULLRESYNC \(id) -1\r\n",
            "+FULLRESYNC \(id) 99999999999999999999\r\n",
            "+FULLRESYNC \(id) 9223372036854775807\r\n",
            "+FULLRESYNC xyz 0\r\n", "+FULLRESYNC \(id) 1 2\r\n", "+CONTINUE abc\r\n",
            "+CONTINUE \(id) \(id)\r\n", "+OK\r\n", "$5\r\n", "-LOADING wait\r\n",
            "-NOMASTERLINK no\r\n", String(repeating: "x", count: 2000),
            "+FULLRESYNC \(id) 0\r\nfoo\r\n", "+FULLRESYNC \(id) 0\r\n$-1\r\n",
            "+FULLRESYNC \(id) 0\r\n$0\r\n", "+FULLRESYNC \(id) 0\r\n$99999999999999999999\r\n",
            "+FULLRESYNC \(id) 0\r\n$EOF:short\r\n", "+FULLRESYNC \(id) 0\r\n-ERR no\r\n",
            "+FULLRESYNC \(id) 0\r\n$5x\r\n",
        ])
    func nonsense(answer: String) {
        var handshake = LinkHandshake(request())
        _ = feed("+PONG\r\n", to: &handshake)
        _ = feed("+OK\r\n+OK\r\n", to: &handshake)
        let (actions, _) = feed(answer, to: &handshake)
        guard case .retry? = actions.last else {
            Issue.record("\(answer) gave \(actions)")
            return
        }
    }

    @Test("a stream that wasn't asked for is refused")
    func unasked() {
        var handshake = LinkHandshake(request(knowsPlace: false))
        _ = feed("+PONG\r\n", to: &handshake)
        _ = feed("+OK\r\n+OK\r\n", to: &handshake)
        let (actions, _) = feed("+CONTINUE\r\n", to: &handshake)
        guard case .retry? = actions.last else {
            Issue.record("\(actions)")
            return
        }
    }
}

@Suite("snapshots on a link")
struct PayloadReaderTests {
    private let mark = Array("0123456789012345678901234567890123456789".utf8)

    private func read(_ bytes: [UInt8], _ form: PayloadForm, size: Int) -> ([UInt8], PayloadReader)
    {
        var reader = PayloadReader(form)
        var got: [UInt8] = []
        var at = 0
        while at < bytes.count, !reader.isAtEnd {
            let count = min(reader.room(upTo: size), bytes.count - at)
            Array(bytes[at..<at + count]).withSlice { slice in
                reader.take(slice) { got += $0.copyToArray() }
            }
            at += count
        }
        return (got, reader)
    }

    @Test("a mark is found however the bytes are cut", arguments: 1...100)
    func marks(size: Int) {
        // With beginnings of the mark inside.
        let snapshot =
            Array("REDIS0009".utf8) + mark.prefix(39) + mark.prefix(3) + [0, 255]
            + mark.prefix(40).dropLast()
        let (got, reader) = read(snapshot + mark, .mark(mark), size: size)
        #expect(got == snapshot)
        #expect(reader.isAtEnd && reader.count == snapshot.count && reader.totalBytes == nil)
    }

    @Test("with a length not one byte more is taken", arguments: [1, 3, 10, 64])
    func lengths(size: Int) {
        let bytes = Array("REDIS0009...*1\r\n$4\r\nPING\r\n".utf8)
        let (got, reader) = read(bytes, .length(12), size: size)
        #expect(got == Array(bytes.prefix(12)) && reader.isAtEnd && reader.totalBytes == 12)
    }

    @Test("without its end it isn't at its end")
    func torn() {
        let (_, marked) = read(Array("REDIS".utf8) + mark.dropLast(), .mark(mark), size: 9)
        #expect(!marked.isAtEnd)
        let (_, counted) = read(Array("REDIS".utf8), .length(6), size: 9)
        #expect(!counted.isAtEnd)
    }
}
