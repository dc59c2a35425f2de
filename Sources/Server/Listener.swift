internal import Glibc
internal import HoldfastPlatform

/// Why the server can't listen: the line to show.
struct ListenError: Error {
    let message: String
    let isPortBusy: Bool
}

/// One socket that accepts connections.
struct Listener {
    let descriptor: Int32
    let isUnix: Bool
    /// The path of a unix socket, or the address.
    let name: String
    let port: Int

    /// All listeners that a configuration asks for; none is left open when one fails.
    ///
    /// An address with a minus in front may be missing on this machine, as in Redis.
    static func openAll(
        _ configuration: Configuration, withUnix: Bool
    ) throws(ListenError) -> [Listener] {
        var listeners: [Listener] = []
        do throws(ListenError) {
            if configuration.port > 0 {
                for address in configuration.addresses {
                    if let listener = try tcp(address, configuration) { listeners.append(listener) }
                }
                if listeners.isEmpty {
                    throw ListenError(
                        message: "Failed listening on port \(configuration.port) (tcp), aborting.",
                        isPortBusy: false)
                }
            }
            if withUnix, !configuration.unixsocket.isEmpty {
                listeners.append(try unix(configuration))
            }
        } catch {
            for listener in listeners { listener.close() }
            throw error
        }
        return listeners
    }

    private static func tcp(
        _ address: String, _ configuration: Configuration
    ) throws(ListenError) -> Listener? {
        let isOptional = address.hasPrefix("-")
        var host = isOptional ? String(address.dropFirst()) : address
        if host == "::*" { host = "::" }
        if host == "localhost" { host = "127.0.0.1" }
        do throws(SystemError) {
            let descriptor = try Socket.listen(
                address: host, port: UInt16(clamping: configuration.port),
                backlog: Int32(clamping: configuration.tcpBacklog))
            return Listener(
                descriptor: descriptor, isUnix: false, name: host, port: configuration.port)
        } catch {
            let isMissing =
                error.errno == EADDRNOTAVAIL || error.errno == EAFNOSUPPORT
                || error.errno == ENOPROTOOPT || error.errno == EPROTONOSUPPORT
            if isMissing, isOptional { return nil }
            throw ListenError(
                message: "Could not create server TCP listening socket \(host):"
                    + "\(configuration.port): bind: \(error.reason)",
                isPortBusy: error.errno == EADDRINUSE)
        }
    }

    private static func unix(_ configuration: Configuration) throws(ListenError) -> Listener {
        let path = configuration.unixsocket
        do throws(SystemError) {
            let descriptor = try Socket.listen(
                unixPath: path, permissions: UInt32(clamping: configuration.unixsocketperm),
                backlog: Int32(clamping: configuration.tcpBacklog))
            return Listener(descriptor: descriptor, isUnix: true, name: path, port: 0)
        } catch {
            throw ListenError(
                message: "Failed opening Unix socket: bind: \(error.reason) (\(path))",
                isPortBusy: false)
        }
    }

    func close() {
        Socket.close(descriptor)
        // SAFETY: the path is passed as a terminated string for the length of the call.
        if isUnix { unsafe _ = unlink(name) }
    }
}
