public import HoldfastBytes
public import Log

/// The first lines of a replica's connection to its primary, up to where a snapshot or the stream begins.
///
/// Bytes that have come go in, what to do comes out; whoever has the socket does it.
///
///     PING                                        +PONG, or an error that AUTH will mend
///     AUTH, REPLCONF listening-port, ip-address,  one line each; only AUTH must succeed
///       capa eof psync2 …
///     PSYNC <id> <next offset>                    +CONTINUE … | +FULLRESYNC id offset | an error
///     SYNC, if PSYNC isn't known                  nothing
///                                                 $<length> or $EOF:<mark>, then the snapshot
public struct LinkHandshake: Sendable {
    /// What the replica says of itself and asks for.
    public struct Request: Sendable {
        /// `masteruser` and `masterauth`; no AUTH without a password.
        public var user: [UInt8] = []
        public var password: [UInt8] = []
        /// The port that others reach this server at.
        public var port = 0
        /// `replica-announce-ip`, or empty.
        public var address: [UInt8] = []
        /// What the replica's log holds: the end of this history. Nil to ask for a full resync.
        public var place: (history: HistoryID, end: LSN)?
        /// A primary that hands over asks its replica to become primary first.
        public var isFailover = false

        public init() {}
    }

    public enum Action: Equatable, Sendable {
        /// Nothing until more bytes come.
        case wait
        case send([UInt8])
        /// The stream follows, from where the replica's log ends.
        case resume(Resumption)
        /// A snapshot of this state follows its header. Nil: the primary is too old to say which.
        case fullResync(HistoryID, LSN)
        /// The snapshot's bytes follow.
        case receive(PayloadForm)
        /// Close, and try again in a while.
        case retry(String)
    }

    private enum Step { case pong, replies, psync, header }

    private let request: Request
    private var step = Step.pong
    /// Replies due to what was sent in one batch, and whether the first is AUTH's.
    private var repliesDue = 0
    private var firstIsAuth = false
    /// The primary knows no PSYNC: its stream has no offsets.
    public private(set) var isOldSync = false

    /// No line of a handshake is longer.
    public static let lineBytesMax = 1024

    public init(_ request: Request) { self.request = request }

    /// What to send as soon as the connection stands.
    public var opening: [UInt8] { Self.command(["PING"]) }

    /// Takes at most one line of what has come.
    ///
    /// - Returns: how many bytes of `input` are done with, and what to do. Call again while bytes are left, until it
    ///   says `wait`, `resume`, `receive` or `retry`.
    public mutating func take(_ input: ByteSlice) -> (used: Int, action: Action) {
        guard let end = Self.lineEnd(input) else {
            if input.count > Self.lineBytesMax { return (0, .retry("an endless line")) }
            return (0, .wait)
        }
        if end > Self.lineBytesMax { return (0, .retry("an endless line")) }
        var line = input.prefix(end)
        if line.last == 13 { line = line.prefix(end - 1) }
        return (end + 1, take(line: line))
    }

    private static func lineEnd(_ input: ByteSlice) -> Int? {
        for index in 0..<min(input.count, lineBytesMax + 2) where input[index] == 10 {
            return index
        }
        return nil
    }

    private mutating func take(line: ByteSlice) -> Action {
        // What a primary sends while it prepares a snapshot, so that nobody takes it for dead.
        if line.isEmpty { return .wait }
        switch step {
        case .pong: return takePong(line)
        case .replies: return takeReply(line)
        case .psync: return takeAnswer(line)
        case .header: return takeHeader(line)
        }
    }

    private mutating func takePong(_ line: ByteSlice) -> Action {
        let isRight =
            line[0] == UInt8(ascii: "+") || line.starts(with: "-NOAUTH")
            || line.starts(with: "-NOPERM") || line.starts(with: "-ERR operation not permitted")
        guard isRight else {
            return .retry("Error reply to PING from master: '\(Self.shown(line))'")
        }
        step = .replies
        var bytes: [UInt8] = []
        repliesDue = 2
        if !request.password.isEmpty {
            firstIsAuth = true
            repliesDue += 1
            let words = request.user.isEmpty ? [] : [request.user]
            bytes += Self.command([Array("AUTH".utf8)] + words + [request.password])
        }
        bytes += Self.command(["REPLCONF", "listening-port", String(request.port)])
        if !request.address.isEmpty {
            repliesDue += 1
            bytes += Self.command(
                [Array("REPLCONF".utf8), Array("ip-address".utf8), request.address])
        }
        bytes += Self.command(
            [
                "REPLCONF", "capa", "eof", "capa", "psync2", "capa", Self.lz4Capability, "capa",
                Resumption.capability,
            ])
        return .send(bytes)
    }

    /// What a replica announces that takes a snapshot inside an LZ4 frame.
    public static let lz4Capability = "holdfast-lz4"

    private mutating func takeReply(_ line: ByteSlice) -> Action {
        if firstIsAuth {
            firstIsAuth = false
            if line[0] == UInt8(ascii: "-") {
                return .retry("Unable to AUTH to MASTER: \(Self.shown(line))")
            }
        }
        // An older primary may not know some of the options; none of them is needed.
        repliesDue -= 1
        guard repliesDue == 0 else { return .wait }
        step = .psync
        var words = ["PSYNC", "?", "-1"]
        if let place = request.place {
            words = ["PSYNC", place.history.description, "\(place.end.value + 1)"]
            if request.isFailover { words.append("FAILOVER") }
        }
        return .send(Self.command(words))
    }

    private mutating func takeAnswer(_ line: ByteSlice) -> Action {
        if line.starts(with: "+FULLRESYNC") {
            let words = Self.words(line)
            guard words.count == 3, let history = Self.history(words[1]),
                let offset = DecimalText.parse(words[2]), offset >= 0, offset <= Self.offsetMax
            else {
                return .retry(
                    "Master replied with wrong +FULLRESYNC syntax: '\(Self.shown(line))'")
            }
            step = .header
            return .fullResync(history, LSN(UInt64(offset)))
        }
        if line.starts(with: "+CONTINUE") {
            let words = Self.words(line)
            guard let place = request.place else {
                return .retry("Master goes on with a stream that wasn't asked for")
            }
            guard let resumption = Resumption(words.dropFirst(), end: place.end) else {
                return .retry("Master replied with wrong +CONTINUE syntax: '\(Self.shown(line))'")
            }
            return .resume(resumption)
        }
        if line.starts(with: "-NOMASTERLINK") || line.starts(with: "-LOADING") {
            return .retry(
                "Master is currently unable to PSYNC but should be in the future: \(Self.shown(line))"
            )
        }
        if line.starts(with: "-NOAUTH") || line.starts(with: "-NOPERM") {
            return .retry("Master refuses PSYNC: \(Self.shown(line))")
        }
        guard line[0] == UInt8(ascii: "-"), !request.isFailover else {
            return .retry("Unexpected reply to PSYNC from master: \(Self.shown(line))")
        }
        step = .header
        isOldSync = true
        return .send(Array("SYNC\r\n".utf8))
    }

    private func takeHeader(_ line: ByteSlice) -> Action {
        if line[0] == UInt8(ascii: "-") {
            return .retry("MASTER aborted replication with an error: \(Self.shown(line))")
        }
        guard let form = PayloadForm(line) else {
            return .retry(
                "Bad protocol from MASTER, the first byte is not '$' (we received "
                    + "'\(Self.shown(line))'), are you sure the host and port are right?")
        }
        return .receive(form)
    }

    /// Far more than any log holds, and far from where sums of offsets and lengths could overflow.
    static let offsetMax = Int64(1) << 60

    // MARK: Lines

    private static func history(_ word: ByteSlice) -> HistoryID? {
        // Ids are compared without case; logs have them in lower case.
        let lower = word.copyToArray().map { (65...70).contains($0) ? $0 + 32 : $0 }
        return lower.withSlice { HistoryID($0) }
    }

    private static func words(_ line: ByteSlice) -> [ByteSlice] {
        var words: [ByteSlice] = []
        var start = 0
        for index in 0...line.count where index == line.count || line[index] == 32 {
            if index > start { words.append(line.slice(start..<index)) }
            start = index + 1
        }
        return words
    }

    /// For diagnostics: short, and in one line.
    static func shown(_ line: ByteSlice) -> String {
        let bytes = line.prefix(200).copyToArray().map { $0 >= 32 && $0 < 127 ? $0 : 63 }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A command as an array of bulk strings.
    public static func command(_ words: [String]) -> [UInt8] {
        command(words.map { Array($0.utf8) })
    }

    public static func command(_ words: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + [13, 10] }
        return bytes
    }
}

extension ByteSlice {
    fileprivate var last: UInt8? { isEmpty ? nil : self[count - 1] }

    fileprivate func starts(with text: StaticString) -> Bool {
        let other = ByteSlice(text)
        return count >= other.count && prefix(other.count) == other
    }
}
