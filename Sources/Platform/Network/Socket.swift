internal import CLinux
internal import Glibc
public import HoldfastBytes

/// System calls on non-blocking stream sockets. Every call reads errno before anything else can run.
public enum Socket {
    /// What a read or write came to.
    public enum Transfer {
        case moved(Int)
        /// Nothing now; wait for readiness.
        case wouldBlock
        /// The other end has closed (reads), or the connection is broken.
        case closed
    }

    // MARK: Listening

    /// Opens a TCP socket that listens on a numeric address.
    public static func listen(
        address: String, port: UInt16, backlog: Int32
    ) throws(SystemError) -> Int32 {
        let isV6 = address.contains(":")
        let fd = socket(isV6 ? AF_INET6 : AF_INET, streamType, 0)
        if fd < 0 { throw SystemError(call: "socket", path: address, errno: errno) }
        setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        if isV6 { setOption(fd, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        let bound: Int32
        if isV6 {
            var storage = sockaddr_in6()
            storage.sin6_family = sa_family_t(AF_INET6)
            storage.sin6_port = port.bigEndian
            // SAFETY: both calls get a whole address struct and its size.
            let parsed = unsafe inet_pton(
                AF_INET6, address == "*" ? "::" : address, &storage.sin6_addr)
            bound = parsed == 1 ? bindTo(fd, &storage) : -1
            if parsed != 1 { errno = EADDRNOTAVAIL }
        } else {
            var storage = sockaddr_in()
            storage.sin_family = sa_family_t(AF_INET)
            storage.sin_port = port.bigEndian
            let parsed = unsafe inet_pton(
                AF_INET, address == "*" ? "0.0.0.0" : address, &storage.sin_addr)
            bound = parsed == 1 ? bindTo(fd, &storage) : -1
            if parsed != 1 { errno = EADDRNOTAVAIL }
        }
        if bound != 0 || Glibc.listen(fd, backlog) != 0 {
            let reason = errno
            close(fd)
            throw SystemError(call: "bind", path: "\(address):\(port)", errno: reason)
        }
        return fd
    }

    private static func bindTo<A>(_ fd: Int32, _ address: inout A) -> Int32 {
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(fd, $0, socklen_t(MemoryLayout<A>.size))
            }
        }
    }

    /// Opens a unix socket that listens at `path`, replacing what is left there of an earlier run.
    public static func listen(
        unixPath path: String, permissions: UInt32, backlog: Int32
    ) throws(SystemError) -> Int32 {
        var storage = sockaddr_un()
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: storage.sun_path)
        guard bytes.count < room else {
            throw SystemError(call: "bind", path: path, errno: ENAMETOOLONG)
        }
        storage.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: the path is shorter than its field, checked above.
        unsafe withUnsafeMutableBytes(of: &storage.sun_path) { target in
            unsafe target.copyBytes(from: bytes)
        }
        // SAFETY: the path is passed as a terminated string for the length of the call.
        unsafe _ = unlink(path)
        let fd = socket(AF_UNIX, streamType, 0)
        if fd < 0 { throw SystemError(call: "socket", path: path, errno: errno) }
        if bindTo(fd, &storage) != 0 || Glibc.listen(fd, backlog) != 0 {
            let reason = errno
            close(fd)
            throw SystemError(call: "bind", path: path, errno: reason)
        }
        if permissions != 0 { unsafe _ = chmod(path, permissions) }
        return fd
    }

    static var streamType: Int32 {
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    }

    // MARK: Connections

    /// The next waiting connection, or nil if none waits; throws when accepting fails for another reason.
    public static func accept(_ listener: Int32) throws(SystemError) -> (Int32, PeerAddress)? {
        var storage = sockaddr_storage()
        var length = UInt32(MemoryLayout<sockaddr_storage>.size)
        // SAFETY: the storage is as long as said and large enough for any address.
        let fd = unsafe hf_accept(listener, &storage, &length)
        if fd < 0 {
            let reason = errno
            if reason == EAGAIN || reason == EINTR || reason == ECONNABORTED { return nil }
            throw SystemError(call: "accept", path: "", errno: reason)
        }
        return (fd, PeerAddress(storage))
    }

    /// The address that a connection reached us at.
    public static func localAddress(_ fd: Int32) -> PeerAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // SAFETY: as in `accept`.
        unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe _ = getsockname(fd, $0, &length)
            }
        }
        return PeerAddress(storage)
    }

    /// The port a listener got when it asked for port 0.
    public static func port(of fd: Int32) -> Int {
        let text = localAddress(fd).text
        return text.lastIndex(of: ":").flatMap { Int(text[text.index(after: $0)...]) } ?? 0
    }

    /// No delay for small replies, and probes that find dead peers.
    public static func prepare(_ fd: Int32, keepAliveSeconds: Int) {
        setOption(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        setKeepAlive(fd, seconds: keepAliveSeconds)
    }

    /// Probes a silent peer after `seconds`, then three times within as long again; 0 turns it off.
    public static func setKeepAlive(_ fd: Int32, seconds: Int) {
        guard seconds > 0 else { return }
        setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        setOption(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, Int32(clamping: seconds))
        setOption(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, Int32(clamping: max(seconds / 3, 1)))
        setOption(fd, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
    }

    static func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        // SAFETY: the option is an int, of which the size is given.
        unsafe _ = setsockopt(fd, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Reads what has arrived, up to `room` bytes, to the end of `buffer`.
    @inline(__always)
    public static func read(_ fd: Int32, into buffer: inout ByteBuffer, room: Int) -> Transfer {
        var result = Transfer.wouldBlock
        unsafe buffer.appendInPlace(room) { target in
            // SAFETY: the kernel writes at most the buffer's length.
            let count = unsafe Glibc.read(fd, target.baseAddress, target.count)
            if count > 0 {
                result = .moved(count)
                return count
            }
            if count == 0 {
                result = .closed
                return 0
            }
            let reason = errno
            result = reason == EAGAIN || reason == EINTR ? .wouldBlock : .closed
            return 0
        }
        return result
    }

    @inline(__always)
    public static func write(_ fd: Int32, _ bytes: ByteSlice) -> Transfer {
        // SAFETY: the kernel reads exactly the slice. MSG_NOSIGNAL: a broken pipe is an error, no signal.
        let count = unsafe send(fd, bytes.pointer, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .moved(count) }
        let reason = errno
        return reason == EAGAIN || reason == EINTR ? .wouldBlock : .closed
    }

    /// Waits until the socket takes bytes, or is broken, at most for `milliseconds`.
    public static func waitWritable(_ fd: Int32, milliseconds: Int32) {
        var request = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one request, as said.
        unsafe _ = poll(&request, 1, milliseconds)
    }

    /// Ends the connection in both directions and keeps the descriptor: whoever uses it on another thread finds it
    /// broken.
    public static func shutDown(_ fd: Int32) { _ = Glibc.shutdown(fd, Int32(SHUT_RDWR)) }

    /// Whether small packets leave at once.
    public static func setNoDelay(_ fd: Int32, _ isOn: Bool) {
        setOption(fd, Int32(IPPROTO_TCP), TCP_NODELAY, isOn ? 1 : 0)
    }

    public static func close(_ fd: Int32) { _ = Glibc.close(fd) }
}
