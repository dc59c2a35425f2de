internal import Glibc

/// A blocking connection to a loopback port, for probes that send the same shape of command many times.
/// Used by one thread at a time. A peer that is silent for a minute is an error.
final class Connection {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { throw BenchError("socket: errno \(errno)") }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        // SAFETY: the address is a sockaddr_in of the length given; options are passed with their sizes.
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 { throw BenchError("connect to port \(port): errno \(errno)") }
        var one: Int32 = 1
        unsafe _ = setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        let patienceSize = socklen_t(MemoryLayout<timeval>.size)
        unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, patienceSize)
        unsafe _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, patienceSize)
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            // SAFETY: `sent` is below the count, so the rest lies inside the array.
            let count = unsafe bytes.withUnsafeBytes { source in
                unsafe Glibc.send(
                    descriptor, source.baseAddress.unsafelyUnwrapped + sent, source.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { throw BenchError("sending: errno \(errno)") }
            sent += count
        }
    }

    /// Reads until `count` line ends have come. An error in place of a reply is thrown.
    func receiveLines(_ count: Int) throws {
        var left = count
        var atLineStart = true
        while left > 0 {
            let got = try receive()
            for index in 0..<got {
                if atLineStart && buffer[index] == UInt8(ascii: "-") {
                    throw BenchError(
                        "the server says: " + String(decoding: buffer[index..<got], as: UTF8.self))
                }
                atLineStart = buffer[index] == UInt8(ascii: "\n")
                if atLineStart { left -= 1 }
            }
        }
    }

    /// Sends a command and gives what arrives first, which is the reply if it is short.
    func command(_ words: String...) throws -> String {
        var text = "*\(words.count)\r\n"
        for word in words { text += "$\(word.utf8.count)\r\n\(word)\r\n" }
        try send(Array(text.utf8))
        let got = try receive()
        return String(decoding: buffer[..<got], as: UTF8.self)
    }

    /// One field of INFO.
    func info(_ section: String, _ field: String) throws -> String {
        var text = try command("INFO", section)
        // "$123\r\n", so many bytes, and a line end, which is one character.
        let digits = text.dropFirst().prefix { $0.isNumber }
        guard let length = Int(digits) else { throw BenchError("INFO: \(text.prefix(80))") }
        while text.utf8.count < length + digits.utf8.count + 5 {
            let got = try receive()
            text += String(decoding: buffer[..<got], as: UTF8.self)
        }
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(field + ":") }
        guard let line else { throw BenchError("INFO \(section) has no \(field)") }
        return String(line.dropFirst(field.count + 1))
    }

    private func receive() throws -> Int {
        // SAFETY: receives at most as many bytes as the buffer has.
        let got = unsafe buffer.withUnsafeMutableBytes {
            unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
        }
        if got <= 0 { throw BenchError("no reply: \(got == 0 ? "closed" : "errno \(errno)")") }
        return got
    }
}
