internal import Glibc
internal import HoldfastPlatform
internal import Synchronization

/// Stands between a replica and its primary on the loopback interface, so that a test can cut the link.
public final class LinkProxy: Sendable {
    public struct Failed: Error {}

    public let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private let state = Mutex(State())

    private struct State {
        var isOpen = true
        var isStopped = false
        var links: [Int32] = []
        var count = 0
    }

    /// Listens, and connects whoever comes with the loopback port `target`.
    public init(to target: UInt16) throws {
        self.target = target
        listener = try Socket.listen(address: "127.0.0.1", port: 0, backlog: 16)
        port = UInt16(Socket.port(of: listener))
        _ = try WorkerThread(name: "proxy") { [listener, self] in
            while !self.state.withLock({ $0.isStopped }) {
                var request = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                // SAFETY: one request, as said.
                unsafe _ = poll(&request, 1, 100)
                guard let (descriptor, _) = (try? Socket.accept(listener)) ?? nil else { continue }
                self.take(descriptor)
            }
            Socket.close(listener)
        }
    }

    /// How many links there were.
    public var count: Int { state.withLock { $0.count } }

    /// Ends all links; new ones are made.
    public func cut() { state.withLock { for link in $0.links { Socket.shutDown(link) } } }

    /// While closed, links end and new ones fail.
    public func setOpen(_ isOpen: Bool) {
        state.withLock { $0.isOpen = isOpen }
        if !isOpen { cut() }
    }

    /// Ends everything; call at the end of a test.
    public func stop() {
        state.withLock { $0.isStopped = true }
        setOpen(false)
    }

    private func take(_ client: Int32) {
        guard state.withLock({ $0.isOpen }), let server = connectToTarget() else {
            return Socket.close(client)
        }
        state.withLock {
            $0.links += [client, server]
            $0.count += 1
        }
        _ = try? WorkerThread(name: "link") { [self] in
            carry(client, server)
            state.withLock { state in
                state.links.removeAll { $0 == client || $0 == server }
                Socket.close(client)
                Socket.close(server)
            }
        }
    }

    private func connectToTarget() -> Int32? {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = target.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        // SAFETY: the address is a sockaddr_in of the size given.
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if result != 0 {
            Socket.close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Copies in both directions until one end has closed.
    private func carry(_ client: Int32, _ server: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            var requests = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            // SAFETY: two requests, as said; reads and writes stay inside the buffer.
            unsafe _ = poll(&requests, 2, -1)
            for (from, to, request) in [
                (client, server, requests[0]), (server, client, requests[1]),
            ]
            where request.revents != 0 {
                let count = unsafe read(from, &buffer, buffer.count)
                if count < 0 && errno == EAGAIN { continue }
                if count <= 0 { return }
                var sent = 0
                while sent < count {
                    let step = unsafe buffer.withUnsafeBytes { bytes in
                        unsafe send(
                            to, bytes.baseAddress.unsafelyUnwrapped + sent, count - sent,
                            Int32(MSG_NOSIGNAL))
                    }
                    if step < 0, errno == EAGAIN {
                        Socket.waitWritable(to, milliseconds: 100)
                        if state.withLock({ !$0.links.contains(to) }) { return }
                        continue
                    }
                    if step <= 0 { return }
                    sent += step
                }
            }
        }
    }
}
