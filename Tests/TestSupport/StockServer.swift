internal import Foundation

/// A stock redis-server in a temporary folder, on a unix socket (and a free loopback port if asked): what the
/// differential tests compare with. It is killed when the last reference goes.
public final class StockServer {
    public struct NotStarted: Error, CustomStringConvertible {
        public let description: String
    }

    public let folder: TemporaryFolder
    public let socketPath: String
    /// 0 unless it listens on TCP.
    public let port: UInt16
    private let process: Process

    /// Starts the server and waits until it answers.
    ///
    /// - Parameters:
    ///   - arguments: behind those that turn persistence off and DEBUG on; the last of a kind counts.
    ///   - listensOnTCP: also on 127.0.0.1.
    ///   - folder: where it runs, if it shall find files there.
    public init(
        _ arguments: [String] = [], listensOnTCP: Bool = false, folder: TemporaryFolder? = nil
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        socketPath = folder.file("stock.sock")
        port = listensOnTCP ? try FreePort.find() : 0
        guard let program = Self.program else {
            throw NotStarted(description: "no redis-server found: install the package redis-server")
        }
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.arguments =
            [
                "--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socketPath,
                "--dir", folder.path, "--save", "", "--appendonly", "no",
                "--enable-debug-command", "yes", "--logfile", folder.file("stock.log"),
            ] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        try waitUntilItAnswers()
    }

    deinit { kill() }

    private static var program: String? {
        ["/usr/bin/redis-server", "/usr/local/bin/redis-server"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }

    private func waitUntilItAnswers() throws {
        let start = Date()
        while Date().timeIntervalSince(start) < 20 {
            guard process.isRunning else { break }
            if let connection = try? connect(), let reply = try? connection.command("PING") {
                if reply == .simple("PONG") { return }
            }
            // Polls a process that is starting; there is nothing to be woken by.
            usleep(2_000)
        }
        kill()
        throw NotStarted(description: "redis-server did not start:\n" + log)
    }

    /// What it has logged.
    public var log: String {
        (try? String(contentsOfFile: folder.file("stock.log"), encoding: .utf8)) ?? ""
    }

    public var processIdentifier: Int32 { process.processIdentifier }

    /// A new connection through the unix socket.
    public func connect(version: Int = 2) throws -> RESPConnection {
        try RESPConnection(.unix(socketPath), version: version)
    }

    /// A new connection through TCP; only if it listens there.
    public func connectTCP(version: Int = 2) throws -> RESPConnection {
        try RESPConnection(.tcp("127.0.0.1", port), version: version)
    }

    /// Ends the process at once and waits until it is gone.
    public func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        waitUntilGone(seconds: 10)
    }

    /// Lets the server shut down in order and waits until it is gone.
    ///
    /// By command, not SIGTERM: a child of a thread of Swift's pool may have inherited that signal as blocked.
    public func stop() {
        guard process.isRunning else { return }
        if let connection = try? connect() { try? connection.send(Request.encode(["SHUTDOWN"])) }
        waitUntilGone(seconds: 10)
        kill()
    }

    /// `waitUntilExit` may miss the end of a process that another thread started.
    private func waitUntilGone(seconds: Double) {
        let start = Date()
        while process.isRunning, Date().timeIntervalSince(start) < seconds { usleep(1_000) }
    }
}

/// A loopback port that nobody listens on.
public enum FreePort {
    public struct NotFound: Error {}

    public static func find() throws(NotFound) -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw NotFound() }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the address is a sockaddr_in of `length` bytes for both calls.
        let found = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { socketAddress in
                unsafe bind(descriptor, socketAddress, length) == 0
                    && getsockname(descriptor, socketAddress, &length) == 0
            }
        }
        guard found else { throw NotFound() }
        return UInt16(bigEndian: address.sin_port)
    }
}
