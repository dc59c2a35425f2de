internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import ToolKit

/// A blocking connection that sends much, in parts of commands if need be, and keeps few of the replies.
final class ServerConnection {
    private let fd: Int32
    private var output = ByteBuffer()
    private var input = ByteBuffer()
    private var replies = ReplyStream()
    private var awaited = 0
    var errorCount: Int { replies.errorCount }
    var firstErrors: [String] { replies.firstErrors }

    private static let outputBytesMax = 256 << 10
    private static let awaitedMax = 1000
    /// How long the server may say nothing.
    private static let secondsMax = 60

    private let mayGoOn: () -> Bool

    /// - Parameters:
    ///   - address: `host:port`.
    ///   - mayGoOn: asked now and then while the server is waited for.
    init(_ address: String, mayGoOn: @escaping () -> Bool) throws {
        self.mayGoOn = mayGoOn
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
                var limit = timeval(tv_sec: Self.secondsMax, tv_usec: 0)
                // SAFETY: the kernel reads `limit`, which is ours for the call.
                _ = unsafe setsockopt(
                    fd, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
                if unsafe connect(fd, info.ai_addr, info.ai_addrlen) == 0 {
                    connected = fd
                    break
                }
                code = errno == EINPROGRESS ? ETIMEDOUT : errno
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
        try beginCommand()
        try send(bytes.slice)
    }

    /// Another command comes; all of the one before was sent.
    func beginCommand() throws {
        if awaited > Self.awaitedMax { try finish() }
        awaited += 1
    }

    /// Sends a part of a command; its reply is read some time later.
    func send(_ part: ByteSlice) throws {
        output.append(part)
        if output.count > Self.outputBytesMax { try exchange { output.isEmpty } }
    }

    /// Sends what is left and waits for all replies.
    func finish() throws { try exchange { output.isEmpty && awaited == 0 } }

    private func exchange(until isDone: () -> Bool) throws {
        var silentSeconds = 0
        while !isDone() {
            if !mayGoOn() { throw Interrupted() }
            var waiting = pollfd(fd: fd, events: Int16(POLLIN), revents: 0)
            if !output.isEmpty { waiting.events |= Int16(POLLOUT) }
            // SAFETY: one entry, ours for the call.
            if unsafe poll(&waiting, 1, 1000) == 0 {
                silentSeconds += 1
                if silentSeconds == Self.secondsMax { throw failure("poll", ETIMEDOUT) }
                continue
            }
            silentSeconds = 0
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
        let before = replies.count
        replies.take(input.slice)
        input.removeAll()
        awaited -= replies.count - before
    }
}

/// Passes over replies (RESP2) as their bytes come, in memory that doesn't depend on them, and counts the errors.
struct ReplyStream {
    /// Whole replies so far.
    private(set) var count = 0
    /// Errors in them, inside of arrays too.
    private(set) var errorCount = 0
    private(set) var firstErrors: [String] = []
    /// Elements still to come of the arrays that are open.
    private var elementsLeft: Int64 = 0
    /// Bytes still to come of a string, with its line end.
    private var bytesLeft: Int64 = 0
    /// The line at hand, as far as it is kept.
    private var line: [UInt8] = []

    private static let lineBytesMax = 200
    private static let errorsMax = 10

    mutating func take(_ bytes: ByteSlice) {
        var position = 0
        while position < bytes.count {
            if bytesLeft > 0 {
                let step = Int(min(bytesLeft, Int64(bytes.count - position)))
                position += step
                bytesLeft -= Int64(step)
                if bytesLeft == 0 { endElement() }
                continue
            }
            let byte = bytes[position]
            position += 1
            if byte == 0x0a {
                endLine()
            } else if line.count < Self.lineBytesMax {
                line.append(byte)
            }
        }
    }

    private mutating func endLine() {
        if line.last == 0x0d { line.removeLast() }
        let number = line.withSlice { DecimalText.parse($0.dropFirst(1)) } ?? 0
        let kind = line.first
        if kind == UInt8(ascii: "-") {
            errorCount += 1
            if firstErrors.count < Self.errorsMax {
                firstErrors.append(String(decoding: line, as: UTF8.self))
            }
        }
        line.removeAll(keepingCapacity: true)
        switch kind {
        case UInt8(ascii: "$") where number >= 0: bytesLeft = min(number, 1 << 40) + 2
        case UInt8(ascii: "*") where number > 0:
            // The array itself is one element of what is around it.
            elementsLeft = max(elementsLeft, 1) &+ min(number, 1 << 40) &- 1
        default: endElement()
        }
    }

    private mutating func endElement() {
        elementsLeft = max(0, elementsLeft - 1)
        if elementsLeft == 0 { count += 1 }
    }
}
