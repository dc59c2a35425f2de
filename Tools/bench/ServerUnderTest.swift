internal import Foundation

/// Which of the two servers.
enum Side: CaseIterable {
    case ours, stock
    var name: String { self == .ours ? "holdfast" : "redis" }
}

/// How a server keeps its data; the same words for both sides.
enum LogPolicy: String {
    case none = "no log"
    case everysec, always

    fileprivate var arguments: [String] {
        self == .none
            ? ["--appendonly", "no"] : ["--appendonly", "yes", "--appendfsync", rawValue]
    }
}

/// One server process with a folder and a loopback port of its own. It is killed, and its folder removed, when
/// the last reference goes.
final class ServerUnderTest {
    let side: Side
    private(set) var port: UInt16 = 0
    private let program: String
    private let policy: LogPolicy
    /// Where its files are.
    let folder: String
    /// For the next start, behind the arguments that both sides have, over which they win.
    var extraArguments: [String] = []
    private var child: ChildProcess?

    /// Makes the folder; `start` starts the process.
    init(_ side: Side, _ policy: LogPolicy, _ options: Options) throws {
        self.side = side
        self.policy = policy
        program = side == .ours ? options.server : options.stock
        folder = try Leftovers.shared.makeFolder()
    }

    deinit {
        child?.end(by: SIGKILL)
        Leftovers.shared.removeFolder(folder)
    }

    /// A server that answers.
    static func started(
        _ side: Side, _ policy: LogPolicy, _ options: Options, extraArguments: [String] = []
    ) throws -> ServerUnderTest {
        let server = try ServerUnderTest(side, policy, options)
        server.extraArguments = extraArguments
        try server.start()
        return server
    }

    /// Starts the process on what its folder holds, and tries every `pollMicroseconds` until it answers
    /// PING with PONG.
    /// - Returns: the seconds from before the process was made to the answer.
    @discardableResult
    func start(pollMicroseconds: UInt32 = 2_000, onSamePort: Bool = false) throws -> Double {
        if !onSamePort { port = try FreePort.find() }
        // Neither side rewrites its log by itself, so that both hold and replay plain commands.
        let words =
            [
                program, "--port", String(port), "--bind", "127.0.0.1", "--dir", folder,
                "--logfile", folder + "/server.log", "--save", "", "--maxclients", "11000",
                "--auto-aof-rewrite-percentage", "0", "--aof-use-rdb-preamble", "no",
            ] + policy.arguments + extraArguments
        let clock = Stopwatch()
        let child = try ChildProcess(words, outputPath: folder + "/output")
        self.child = child
        while clock.seconds < 120 {
            // Until it listens, every attempt fails, and while it loads, the answer is an error.
            if (try? Connection(port: port).command("PING")) == "+PONG\r\n" { return clock.seconds }
            if !child.isRunning { break }
            usleep(pollMicroseconds)
        }
        let log = try? String(contentsOfFile: folder + "/server.log", encoding: .utf8)
        throw BenchError("\(program) does not answer:\n\(child.output)\(log ?? "")")
    }

    /// The running process.
    var process: ChildProcess {
        get throws {
            guard let child, child.isRunning else { throw BenchError("\(program) has ended") }
            return child
        }
    }

    /// Stops the process in order; its data stay for the next start.
    func stop() throws { try process.end(by: SIGTERM) }

    /// Waits, at most ten seconds, until what it frees and writes in the background is done.
    func settle() throws {
        var before = try process.cpuMicroseconds
        for _ in 0..<100 {
            usleep(100_000)
            let now = try process.cpuMicroseconds
            // One tick.
            if now - before <= 10_000 { return }
            before = now
        }
    }

    func connect() throws -> Connection { try Connection(port: port) }

    /// How many keys it holds.
    func keyCount() throws -> Int {
        let reply = try connect().command("DBSIZE")
        // The line end is one character.
        guard reply.hasPrefix(":"), let count = Int(reply.dropFirst().dropLast()) else {
            throw BenchError("DBSIZE: \(reply)")
        }
        return count
    }
}

/// Runs `body` with a started server of each side, ours first; both are gone afterwards.
func withBothServers<R>(
    _ policy: LogPolicy, _ options: Options, _ body: (Pair<ServerUnderTest>) throws -> R
) throws -> R {
    try body(Pair { side in try ServerUnderTest.started(side, policy, options) })
}

private enum FreePort {
    /// A loopback port that nobody listens on.
    static func find() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if descriptor < 0 { throw BenchError("socket: errno \(errno)") }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the address is a sockaddr_in of `length` bytes for both calls.
        let isFound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                unsafe bind(descriptor, raw, length) == 0
                    && getsockname(descriptor, raw, &length) == 0
            }
        }
        if !isFound { throw BenchError("no free port: errno \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
