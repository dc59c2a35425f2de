internal import Glibc
internal import HoldfastPlatform

/// One socket that accepts connections.
struct Listener {
    let descriptor: Int32
    let isUnix: Bool
    /// The path of a unix socket, or the address and port.
    let name: String
    let port: Int

    static func tcp(address: String, port: Int, backlog: Int) throws(SystemError) -> Listener {
        let descriptor = try Socket.listen(
            address: address, port: UInt16(clamping: port), backlog: Int32(clamping: backlog))
        return Listener(
            descriptor: descriptor, isUnix: false, name: "\(address):\(port)",
            port: port == 0 ? Socket.port(of: descriptor) : port)
    }

    static func unix(
        path: String, permissions: UInt32, backlog: Int
    ) throws(SystemError) -> Listener {
        let descriptor = try Socket.listen(
            unixPath: path, permissions: permissions, backlog: Int32(clamping: backlog))
        return Listener(descriptor: descriptor, isUnix: true, name: path, port: 0)
    }

    func close() {
        Socket.close(descriptor)
        // SAFETY: the path is passed as a terminated string for the length of the call.
        if isUnix { unsafe _ = unlink(name) }
    }
}
