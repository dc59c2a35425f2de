internal import CLinux
internal import Glibc
public import HoldfastBytes

/// A TCP connection to another server for a thread that waits for it: each call may take only so long.
///
/// After a call has thrown, the connection is of no more use.
public final class TimedConnection {
    public enum Failure: Error, Equatable {
        case timedOut
        /// The other end has closed, or can't be reached.
        case broken
        /// The name of the other end leads nowhere.
        case unknownHost
    }

    private let descriptor: Int32
    /// What has arrived behind the last line.
    private var input = ByteBuffer()

    /// Connects to the first address of `host` that takes the connection.
    ///
    /// - Parameters:
    ///   - host: a name or a numeric address. Looking a name up is not bounded by the time.
    ///   - milliseconds: for all addresses together.
    public init(host: String, port: UInt16, milliseconds: Int64) throws(Failure) {
        descriptor = try Self.connect(host: host, port: port, milliseconds: milliseconds)
        Socket.prepare(descriptor, keepAliveSeconds: 0)
    }

    deinit { Socket.close(descriptor) }

    private static func connect(
        host: String, port: UInt16, milliseconds: Int64
    ) throws(Failure) -> Int32 {
        let deadline = deadline(milliseconds)
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // SAFETY: the strings live for the call; the list is freed below, and each node is read before that.
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else {
            throw .unknownHost
        }
        defer { unsafe freeaddrinfo(list) }
        var failure = Failure.broken
        var next = unsafe list
        while let address = unsafe next {
            let fd = unsafe socket(address.pointee.ai_family, type, 0)
            unsafe next = address.pointee.ai_next
            if fd < 0 { continue }
            let result = unsafe Glibc.connect(
                fd, address.pointee.ai_addr, address.pointee.ai_addrlen)
            let reason = errno
            do throws(Failure) {
                if result != 0 {
                    guard reason == EINPROGRESS else { throw .broken }
                    try wait(fd, for: Int16(POLLOUT), until: deadline)
                    guard pendingError(fd) == 0 else { throw .broken }
                }
                return fd
            } catch {
                Socket.close(fd)
                failure = error
                if failure == .timedOut { break }
            }
        }
        throw failure
    }

    private static var type: Int32 {
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    }

    /// Gives all of `bytes` to the kernel.
    public func write(_ bytes: ByteSlice, milliseconds: Int64) throws(Failure) {
        let deadline = Self.deadline(milliseconds)
        var rest = bytes
        while !rest.isEmpty {
            switch Socket.write(descriptor, rest) {
            case .moved(let count): rest = rest.dropFirst(count)
            case .wouldBlock: try Self.wait(descriptor, for: Int16(POLLOUT), until: deadline)
            case .closed: throw .broken
            }
        }
    }

    /// The next line, without its end; of one that is longer than `bytesMax` the rest is left out.
    public func readLine(bytesMax: Int, milliseconds: Int64) throws(Failure) -> [UInt8] {
        let deadline = Self.deadline(milliseconds)
        var line: [UInt8] = []
        while true {
            let arrived = input.slice
            var end = 0
            while end < arrived.count, arrived[end] != UInt8(ascii: "\n") { end += 1 }
            line += arrived.prefix(min(end, max(bytesMax - line.count, 0))).copyToArray()
            if end < arrived.count {
                input.consume(end + 1)
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                return line
            }
            input.removeAll()
            switch Socket.read(descriptor, into: &input, room: 4096) {
            case .moved: break
            case .wouldBlock: try Self.wait(descriptor, for: Int16(POLLIN), until: deadline)
            case .closed: throw .broken
            }
        }
    }

    // MARK: Waiting

    /// On the monotonic clock, in ns.
    private static func deadline(_ milliseconds: Int64) -> UInt64 {
        let (span, overflow) = UInt64(max(milliseconds, 0)).multipliedReportingOverflow(
            by: 1_000_000)
        let (deadline, isLate) = SystemClock().monotonicNanoseconds.addingReportingOverflow(span)
        return overflow || isLate ? .max : deadline
    }

    private static func wait(
        _ fd: Int32, for events: Int16, until deadline: UInt64
    ) throws(Failure) {
        while true {
            let now = SystemClock().monotonicNanoseconds
            guard now < deadline else { throw .timedOut }
            let left = Int32(clamping: (deadline - now) / 1_000_000 + 1)
            var entry = pollfd(fd: fd, events: events, revents: 0)
            // SAFETY: one entry, for the length of the call.
            let ready = unsafe poll(&entry, 1, left)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw .broken }
        }
    }

    private static func pendingError(_ fd: Int32) -> Int32 {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: the option is an int, of which the size is given.
        return unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &length) == 0 ? value : errno
    }
}
