internal import Glibc

/// A small blocking client for tests: TCP or unix socket, RESP2 and RESP3, pipelines, raw bytes, and a time
/// limit on every wait. For one thread at a time.
public final class RESPConnection {
    public enum Address: Sendable, CustomStringConvertible {
        case unix(String)
        /// An IPv4 address in numbers.
        case tcp(String, UInt16)

        public var description: String {
            switch self {
            case .unix(let path): path
            case .tcp(let host, let port): "\(host):\(port)"
            }
        }
    }

    public enum Failure: Error, CustomStringConvertible {
        case connect(Address, errno: Int32)
        case io(String, errno: Int32)
        case timedOut(String)
        /// The peer closed the connection.
        case closed
        case malformed(String)

        public var description: String {
            switch self {
            case .connect(let address, let code): "can't connect to \(address): errno \(code)"
            case .io(let call, let code): "\(call): errno \(code)"
            case .timedOut(let what): "timed out: \(what)"
            case .closed: "closed by the peer"
            case .malformed(let text): "malformed reply: \(text)"
            }
        }
    }

    public let address: Address
    /// How long one wait for the peer may take.
    public var timeoutSeconds: Double
    private var descriptor: Int32
    /// Received and not taken yet.
    private var received: [UInt8] = []
    private var taken = 0

    /// - Parameter version: 3 sends HELLO 3 and drops its reply.
    public init(
        _ address: Address, version: Int = 2, timeoutSeconds: Double = 10
    ) throws(Failure) {
        self.address = address
        self.timeoutSeconds = timeoutSeconds
        descriptor = try Self.open(address)
        if version == 3 { _ = try command("HELLO", "3") }
    }

    deinit { close() }

    public func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    private static func open(_ address: Address) throws(Failure) -> Int32 {
        let (family, bytes) = socketAddress(address)
        // A server that another test starts at this moment must not inherit the connection.
        let descriptor = socket(
            family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .connect(address, errno: errno) }
        let result = unsafe bytes.withUnsafeBytes { raw in
            // SAFETY: the bytes are a socket address of their length; the call copies it.
            unsafe connect(
                descriptor, raw.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(raw.count))
        }
        let code = errno
        guard result == 0 else {
            Glibc.close(descriptor)
            throw .connect(address, errno: code)
        }
        if case .tcp = address {
            var one: Int32 = 1
            // SAFETY: the option is one Int32.
            unsafe _ = setsockopt(
                descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one,
                socklen_t(MemoryLayout<Int32>.size))
        }
        return descriptor
    }

    /// The bytes of a `sockaddr_un` or `sockaddr_in`.
    private static func socketAddress(_ address: Address) -> (Int32, [UInt8]) {
        func family(_ value: Int32) -> [UInt8] {
            [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
        }
        switch address {
        case .unix(let path):
            precondition(path.utf8.count < 108, "too long for a unix socket: \(path)")
            return (AF_UNIX, family(AF_UNIX) + Array(path.utf8) + [0])
        case .tcp(let host, let port):
            let numbers = host.split(separator: ".").compactMap { UInt8($0) }
            precondition(numbers.count == 4, "not an IPv4 address: \(host)")
            let bytes =
                family(AF_INET) + [UInt8(port >> 8), UInt8(port & 255)] + numbers
                + [UInt8](repeating: 0, count: 8)
            return (AF_INET, bytes)
        }
    }

    // MARK: Commands

    /// Sends one command and waits for its reply.
    public func command(_ words: [[UInt8]]) throws(Failure) -> Reply {
        try send(Request.encode(words))
        return try receive()
    }

    public func command(_ words: [String]) throws(Failure) -> Reply {
        try command(words.map { Array($0.utf8) })
    }

    @discardableResult
    public func command(_ words: String...) throws(Failure) -> Reply { try command(words) }

    /// Sends all commands at once and waits for as many replies.
    public func pipeline(_ commands: [[[UInt8]]]) throws(Failure) -> [Reply] {
        try send(commands.flatMap { Request.encode($0) })
        var replies: [Reply] = []
        for _ in commands { replies.append(try receive()) }
        return replies
    }

    public func pipeline(_ commands: [[String]]) throws(Failure) -> [Reply] {
        try pipeline(commands.map { $0.map { Array($0.utf8) } })
    }

    // MARK: Bytes

    /// Sends bytes as they are.
    public func send(_ bytes: [UInt8]) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            try wait(for: Int16(POLLOUT), "sending")
            let count = unsafe bytes.withUnsafeBytes { raw in
                // SAFETY: sends at most what lies behind `sent`.
                unsafe Glibc.send(
                    descriptor, raw.baseAddress?.advanced(by: sent), raw.count - sent,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            let code = errno
            if count < 0 && (code == EAGAIN || code == EINTR) { continue }
            if count < 0 && (code == EPIPE || code == ECONNRESET) { throw .closed }
            guard count >= 0 else { throw .io("send", errno: code) }
            sent += count
        }
    }

    public func send(_ text: String) throws(Failure) { try send(Array(text.utf8)) }

    /// Sends bytes unless the peer has closed the connection before it took them all; false if so.
    @discardableResult
    public func sendUnlessClosed(_ bytes: [UInt8]) throws(Failure) -> Bool {
        do throws(Failure) {
            try send(bytes)
            return true
        } catch {
            guard case .closed = error else { throw error }
            return false
        }
    }

    /// The next reply (or push).
    public func receive() throws(Failure) -> Reply { try receiveBoth().reply }

    /// The next reply's bytes as they came.
    public func receiveRaw() throws(Failure) -> [UInt8] { try receiveBoth().raw }

    private func receiveBoth() throws(Failure) -> (reply: Reply, raw: [UInt8]) {
        var tried = -1
        while true {
            // A big reply arrives in many pieces: look again when it has grown by half, or ends as one does.
            let held = received.count - taken
            if held > tried || received.suffix(2) == [13, 10] {
                let found: (reply: Reply, end: Int)?
                do throws(ReplyParser.Malformed) {
                    found = try ReplyParser.parse(received, from: taken)
                } catch { throw .malformed(error.description) }
                if let found {
                    let raw = Array(received[taken..<found.end])
                    taken = found.end
                    if taken == received.count {
                        received.removeAll(keepingCapacity: true)
                        taken = 0
                    }
                    return (found.reply, raw)
                }
                tried = held > 1 << 16 ? held + held / 2 : held
            }
            try fill()
        }
    }

    /// The next `count` bytes, whatever they are.
    public func receive(count: Int) throws(Failure) -> [UInt8] {
        while received.count - taken < count { try fill() }
        defer { taken += count }
        return Array(received[taken..<taken + count])
    }

    /// All that comes until the peer closes the connection.
    public func receiveUntilClosed() throws(Failure) -> [UInt8] {
        while true {
            do throws(Failure) {
                try fill()
            } catch {
                guard case .closed = error else { throw error }
                defer { taken = received.count }
                return Array(received[taken...])
            }
        }
    }

    /// Whether something has come that wasn't taken yet; waits for it up to `seconds`.
    public func hasReply(within seconds: Double) throws(Failure) -> Bool {
        if taken < received.count { return true }
        let usual = timeoutSeconds
        timeoutSeconds = seconds
        defer { timeoutSeconds = usual }
        do throws(Failure) {
            try fill()
            return true
        } catch {
            if case .timedOut = error { return false }
            throw error
        }
    }

    /// Whether the peer has closed the connection; waits for it up to `seconds`.
    public func isClosed(within seconds: Double) -> Bool {
        let usual = timeoutSeconds
        timeoutSeconds = seconds
        defer { timeoutSeconds = usual }
        do throws(Failure) {
            while true { try fill() }
        } catch {
            if case .closed = error { return true }
            return false
        }
    }

    /// No more requests will come; replies still can.
    public func finishSending() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    private func fill() throws(Failure) {
        try wait(for: Int16(POLLIN), "waiting for a reply")
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe chunk.withUnsafeMutableBytes { raw in
            // SAFETY: receives at most as many bytes as the chunk has.
            unsafe recv(descriptor, raw.baseAddress, raw.count, Int32(MSG_DONTWAIT))
        }
        let code = errno
        if count < 0 && (code == EAGAIN || code == EINTR) { return }
        if count == 0 || (count < 0 && code == ECONNRESET) { throw .closed }
        guard count > 0 else { throw .io("recv", errno: code) }
        received += chunk[..<count]
    }

    private func wait(for events: Int16, _ what: String) throws(Failure) {
        guard descriptor >= 0 else { throw .closed }
        var entry = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            // SAFETY: one entry, as counted.
            let ready = unsafe poll(&entry, 1, Int32(timeoutSeconds * 1000))
            let code = errno
            if ready > 0 { return }
            if ready == 0 { throw .timedOut("\(what) (\(address))") }
            guard code == EINTR else { throw .io("poll", errno: code) }
        }
    }
}
