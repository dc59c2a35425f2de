internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// `aof-check replay`: sends commands to a running server and reads what it says to them.
final class Replay {
    private let tour: Tour
    private let range: LogRange
    private let connection: ServerConnection
    private var database = 0
    private var sent = 0
    private var problem: (any Error)?

    init(
        _ arguments: ParsedArguments, _ target: LogTarget, _ console: Console,
        _ disk: any FileSystem, now: Int64
    ) throws {
        guard let address = arguments.value("to") else {
            throw UsageError("say with --to HOST:PORT where to send")
        }
        range = try LogRange(arguments, now: now)
        var tour = Tour(target: target, console: console, disk: disk)
        tour.limits.argumentsMax = 1
        self.tour = tour
        connection = try ServerConnection(address)
        if let path = arguments.value("password") {
            let text = try disk.readWhole(path, bytesMax: 4096)
            let password = text.prefix { $0 != 0x0a && $0 != 0x0d }
            try connection.send(words: [Array("AUTH".utf8), Array(password)])
        }
    }

    func run() throws -> ExitCode {
        let inspection = tour.run("sending", range: range) { record, _ in
            guard self.range.contains(lsn: record.lsn.value) else { return }
            do {
                try self.send(record)
            } catch {
                self.problem = error
                throw EnoughRead()
            }
        }
        if let problem { throw problem }
        try connection.finish()
        let console = tour.console
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("sent", sent)
            json.value("errors", connection.errorCount)
            json.endObject()
            json.endDocument()
        } else {
            console.say(
                "\(Quantities.count(sent)) commands sent, \(Quantities.count(connection.errorCount)) "
                    + "answered with an error")
            for error in connection.firstErrors { console.say("  \(error)") }
        }
        let code = tour.end(inspection, failure: nil)
        return code == .sound && connection.errorCount > 0 ? .damaged : code
    }

    private func send(_ record: RecordGlance) throws {
        guard !record.bytes.isEmpty else {
            throw UsageError(
                "the unit at LSN \(record.lsn) is over \(Quantities.bytes(Inspection.heldBytesMax)) "
                    + "and can't be sent; stop before it with --lsn")
        }
        if record.database != database, !record.isInTransaction {
            database = record.database
            try connection.send(words: [Array("SELECT".utf8), Array(String(database).utf8)])
        }
        try connection.send(record.bytes)
        sent += 1
    }
}

/// A blocking connection that sends much and keeps few of the replies.
final class ServerConnection {
    private let fd: Int32
    private var output = ByteBuffer()
    private var input = ByteBuffer()
    private var awaited = 0
    private(set) var errorCount = 0
    private(set) var firstErrors: [String] = []

    private static let outputBytesMax = 256 << 10
    private static let awaitedMax = 1000

    /// - Parameter address: `host:port`.
    init(_ address: String) throws {
        guard let colon = address.lastIndex(of: ":"), colon > address.startIndex else {
            throw UsageError("--to wants HOST:PORT, not \(address)")
        }
        let host = String(address[..<colon])
        let port = String(address[address.index(after: colon)...])
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        // SAFETY: the list is ours until freeaddrinfo, and nothing of it is used after that.
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, port, &hints, &list) == 0, let first = unsafe list else {
            throw UsageError("\(address) isn't the address of anything")
        }
        defer { unsafe freeaddrinfo(first) }
        var connected: Int32 = -1
        var code: Int32 = 0
        var next: UnsafeMutablePointer<addrinfo>? = unsafe first
        while let entry = unsafe next {
            let info = unsafe entry.pointee
            let fd = unsafe socket(info.ai_family, info.ai_socktype, info.ai_protocol)
            if fd >= 0 {
                if unsafe connect(fd, info.ai_addr, info.ai_addrlen) == 0 {
                    connected = fd
                    break
                }
                code = errno
                close(fd)
            }
            unsafe next = info.ai_next
        }
        guard connected >= 0 else {
            throw SystemError(call: "connect", path: address, errno: code)
        }
        fd = connected
    }

    deinit { close(fd) }

    func send(words: [[UInt8]]) throws {
        var bytes = ByteBuffer()
        bytes.append(text: "*\(words.count)\r\n")
        for word in words {
            bytes.append(text: "$\(word.count)\r\n")
            bytes.append(word)
            bytes.append("\r\n")
        }
        try send(bytes.slice)
    }

    /// Sends one command; its reply is read some time later.
    func send(_ command: ByteSlice) throws {
        output.append(command)
        awaited += 1
        if output.count > Self.outputBytesMax || awaited > Self.awaitedMax { try finish() }
    }

    /// Sends what is left and waits for all replies.
    func finish() throws {
        while !output.isEmpty || awaited > 0 {
            var waiting = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
            if !output.isEmpty { waiting.events |= Int16(POLLOUT) }
            // SAFETY: one entry, ours for the call.
            if unsafe poll(&waiting, 1, 60_000) == 0 { throw failure("poll", ETIMEDOUT) }
            if waiting.revents & Int16(POLLOUT) != 0, !output.isEmpty { try write() }
            if waiting.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { try read() }
        }
    }

    private func failure(_ call: String, _ code: Int32) -> SystemError {
        SystemError(call: call, path: "connection", errno: code)
    }

    private func write() throws {
        let part = output.slice
        // SAFETY: the kernel reads exactly the slice.
        let count = unsafe Glibc.send(
            fd, part.pointer, part.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        let code = errno
        if count >= 0 {
            output.consume(count)
        } else if code != EAGAIN && code != EINTR {
            throw failure("send", code)
        }
    }

    private func read() throws {
        switch Socket.read(fd, into: &input, room: 64 << 10) {
        case .moved, .wouldBlock: break
        case .closed: throw failure("recv", ECONNRESET)
        }
        while awaited > 0, let end = ReplySkip.end(input.slice, 0) {
            let reply = input.slice.prefix(end)
            if reply[0] == UInt8(ascii: "-") {
                errorCount += 1
                if firstErrors.count < 10 {
                    firstErrors.append(reply.prefix(min(end - 2, 200)).text)
                }
            }
            input.consume(end)
            awaited -= 1
        }
    }
}

/// Finds where a reply ends (RESP2).
enum ReplySkip {
    /// The offset behind the reply at `start`; nil if it isn't all there.
    static func end(_ bytes: ByteSlice, _ start: Int, depth: Int = 0) -> Int? {
        guard start < bytes.count else { return nil }
        var lineEnd = start
        while lineEnd < bytes.count, bytes[lineEnd] != 0x0a { lineEnd += 1 }
        guard lineEnd < bytes.count else { return nil }
        lineEnd += 1
        let number = DecimalText.parse(bytes.slice(start + 1..<max(start + 1, lineEnd - 2))) ?? 0
        switch bytes[start] {
        case UInt8(ascii: "$") where number >= 0:
            let end = lineEnd + Int(min(number, 1 << 40)) + 2
            return end <= bytes.count ? end : nil
        case UInt8(ascii: "*") where number > 0 && depth < 32:
            var position = lineEnd
            for _ in 0..<number {
                guard let end = end(bytes, position, depth: depth + 1) else { return nil }
                position = end
            }
            return position
        default: return lineEnd
        }
    }
}
