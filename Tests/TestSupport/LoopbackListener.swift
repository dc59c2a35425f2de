internal import Foundation

/// Something that listens on a loopback port and hands each connection to a closure, on a thread of its own: a
/// proxy between two servers, or what pretends to be one of them.
public final class LoopbackListener: Sendable {
    public let port: UInt16
    private let descriptor: Int32
    private let state = State()

    /// Shared with the threads, which don't keep the listener alive.
    private final class State: @unchecked Sendable {
        // Sendable because everything is touched with the lock held.
        private let lock = NSLock()
        private var open: Set<Int32> = []
        private var isStopped = false
        private var total = 0

        var count: Int { lock.withLock { total } }

        func begin(_ accepted: Int32) -> Bool {
            lock.withLock {
                total += 1
                if isStopped { return false }
                open.insert(accepted)
                return true
            }
        }

        func end(_ accepted: Int32) {
            lock.withLock {
                if open.remove(accepted) != nil { close(accepted) }
            }
        }

        func cut(stops: Bool) {
            lock.withLock {
                if stops { isStopped = true }
                for connection in open { shutdown(connection, Int32(SHUT_RDWR)) }
            }
        }

        func goOn() { lock.withLock { isStopped = false } }
    }

    /// How many connections have come.
    public var connectionCount: Int { state.count }

    public init(
        _ serve: @escaping @Sendable (LoopbackConnection) -> Void
    ) throws(RESPConnection.Failure) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = descriptor
        // SAFETY: the address is as long as said.
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(listener, $0, size) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, $0, &size) == 0
            }
        }
        guard isBound else { throw .io("bind", errno: errno) }
        port = UInt16(bigEndian: address.sin_port)
        let state = state
        Thread {
            while true {
                let accepted = accept(listener, nil, nil)
                guard accepted >= 0 else { return }
                guard state.begin(accepted) else {
                    close(accepted)
                    continue
                }
                Thread {
                    serve(LoopbackConnection(accepted))
                    state.end(accepted)
                }.start()
            }
        }.start()
    }

    /// Breaks all connections there are; new ones may come.
    public func cut() { state.cut(stops: false) }

    /// Breaks all connections, and ends those that come from now on.
    public func stop() { state.cut(stops: true) }

    /// Lets connections come again.
    public func goOn() { state.goOn() }

    deinit {
        stop()
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

/// One connection of a `LoopbackListener`; it is closed when its closure returns.
public struct LoopbackConnection: Sendable {
    fileprivate let descriptor: Int32

    fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// What has come, waited for; nil when the other end is gone.
    public func read() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        // SAFETY: at most as many bytes as there is room for.
        let got = unsafe Foundation.read(descriptor, &bytes, bytes.count)
        return got > 0 ? Array(bytes.prefix(got)) : nil
    }

    /// Reads until `text` has come.
    public func read(until text: String) -> Bool {
        var all = ""
        while !all.contains(text) {
            guard let bytes = read() else { return false }
            all += String(decoding: bytes, as: UTF8.self)
        }
        return true
    }

    /// False when the other end is gone.
    @discardableResult
    public func write(_ bytes: [UInt8]) -> Bool {
        var at = 0
        while at < bytes.count {
            // SAFETY: the kernel reads no more than what is left.
            let sent = unsafe bytes[at...].withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent <= 0 { return false }
            at += sent
        }
        return true
    }

    @discardableResult
    public func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    public func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Passes all bytes on between this connection and a new one to `port`, until one of them ends.
    ///
    /// - Parameter pause: called with each piece that comes from `port`, before it is passed on.
    public func relay(to port: UInt16, pause: (@Sendable (Int) -> Void)? = nil) {
        let other = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Foundation.close(other) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        // SAFETY: the address is as long as said.
        let connected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(other, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { return }
        let target = LoopbackConnection(other)
        let done = DispatchSemaphore(value: 0)
        Thread {
            while let bytes = self.read(), target.write(bytes) {}
            shutdown(other, Int32(SHUT_RDWR))
            done.signal()
        }.start()
        while let bytes = target.read() {
            pause?(bytes.count)
            if !write(bytes) { break }
        }
        shutdown(descriptor, Int32(SHUT_RDWR))
        shutdown(other, Int32(SHUT_RDWR))
        done.wait()
    }
}
