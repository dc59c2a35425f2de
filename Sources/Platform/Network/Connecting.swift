internal import Glibc

/// Connections that this server makes, for use off the command thread: names are looked up and answers waited for.
extension Socket {
    /// Connects to a host by name or numeric address; the socket is non-blocking.
    ///
    /// - Parameters:
    ///   - source: the numeric address to connect from; nil for whatever fits.
    ///   - milliseconds: how long each address of the host may take.
    public static func connect(
        host: String, port: UInt16, from source: String? = nil, milliseconds: Int
    ) throws(SystemError) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // SAFETY: strings live for the call; the list is freed below.
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else {
            throw SystemError(call: "getaddrinfo", path: host, errno: EHOSTUNREACH)
        }
        defer { unsafe freeaddrinfo(list) }
        var failure = SystemError(call: "connect", path: "\(host):\(port)", errno: EHOSTUNREACH)
        var next = unsafe list
        // SAFETY: the list's members point to each other and to whole addresses until it is freed.
        while let place = unsafe next {
            unsafe next = place.pointee.ai_next
            let fd = unsafe socket(place.pointee.ai_family, streamType, 0)
            if fd < 0 {
                failure = SystemError(call: "socket", path: host, errno: errno)
                continue
            }
            let reason = unsafe connect(fd, place.pointee, from: source, milliseconds)
            if reason == 0 { return fd }
            failure = SystemError(call: "connect", path: "\(host):\(port)", errno: reason)
            close(fd)
        }
        throw failure
    }

    /// - Returns: 0, or why it failed.
    private static func connect(
        _ fd: Int32, _ place: addrinfo, from source: String?, _ milliseconds: Int
    ) -> Int32 {
        if let source {
            var hints = unsafe addrinfo()
            unsafe hints.ai_family = place.ai_family
            unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            unsafe hints.ai_flags = AI_NUMERICHOST
            var list: UnsafeMutablePointer<addrinfo>?
            // SAFETY: as in the caller.
            guard unsafe getaddrinfo(source, nil, &hints, &list) == 0, let own = unsafe list else {
                return EADDRNOTAVAIL
            }
            defer { unsafe freeaddrinfo(list) }
            setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
            if unsafe bind(fd, own.pointee.ai_addr, own.pointee.ai_addrlen) != 0 { return errno }
        }
        // SAFETY: the address is as long as said.
        if unsafe Glibc.connect(fd, place.ai_addr, place.ai_addrlen) == 0 { return 0 }
        if errno != EINPROGRESS { return errno }
        guard wait(fd, forWriting: true, milliseconds: milliseconds) else { return ETIMEDOUT }
        var reason: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        // SAFETY: the option is an int, of which the size is given.
        if unsafe getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) != 0 { return errno }
        return reason
    }

    /// Waits until a read or write wouldn't block; false if that took too long.
    public static func wait(_ fd: Int32, forWriting: Bool = false, milliseconds: Int) -> Bool {
        var entry = pollfd(fd: fd, events: Int16(forWriting ? POLLOUT : POLLIN), revents: 0)
        // SAFETY: one entry, as the count says.
        return unsafe poll(&entry, 1, Int32(clamping: milliseconds)) > 0
    }
}
