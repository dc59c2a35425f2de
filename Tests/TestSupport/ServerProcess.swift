internal import Foundation
internal import HoldfastPlatform

/// The server that was built, as a process of its own, in a folder and on a loopback port of its own. It is
/// killed when the last reference goes.
///
/// The program is `HOLDFAST_SERVER` if the environment names one, else the one beside the test bundle.
public final class ServerProcess {
    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    /// How a process ended.
    public enum End: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    public let folder: TemporaryFolder
    public let port: UInt16
    /// The unix socket it listens on, inside the folder.
    public let socketPath: String
    public private(set) var processIdentifier: Int32 = 0
    private let arguments: [String]
    private let environment: [String]
    private let wrapper: [String]
    private var end: End?

    /// Starts the server and waits until it answers PING.
    ///
    /// - Parameters:
    ///   - arguments: behind those for port, folder and log file; the last of a kind counts.
    ///   - folder: where it runs, if it shall find files there.
    ///   - file: a configuration file.
    ///   - environment: `NAME=value` lines beside those of this process.
    ///   - wrapper: words in front of the program's path, for example strace with its options.
    ///   - waits: false to return at once; see `waitUntilItAnswers` and `waitForEnd`.
    public init(
        _ arguments: [String] = [], folder: TemporaryFolder? = nil, file: String? = nil,
        environment: [String] = [],
        wrapper: [String] = [], waits: Bool = true
    ) throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        self.environment = environment
        self.wrapper = wrapper
        port = try FreePort.find()
        socketPath = folder.file("server.sock")
        self.arguments =
            (file.map { [$0] } ?? []) + [
                "--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socketPath,
                "--dir", folder.path, "--enable-debug-command", "yes",
            ] + arguments
        try start(waits: waits)
    }

    deinit { kill() }

    // MARK: Start

    /// Starts the process again, with the same arguments, port and folder, after it has ended.
    public func start(waits: Bool = true) throws {
        guard end != nil || processIdentifier == 0 else {
            throw Failed(description: "the server runs already")
        }
        guard let program = Self.program else {
            throw Failed(
                description: "no holdfast-server beside the tests: build it, or set HOLDFAST_SERVER"
            )
        }
        end = nil
        processIdentifier = try spawn(wrapper + [program] + arguments)
        if waits { try waitUntilItAnswers() }
    }

    public static var program: String? {
        if let named = ProcessInfo.processInfo.environment["HOLDFAST_SERVER"] { return named }
        let bundle =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var place = URL(fileURLWithPath: bundle).deletingLastPathComponent()
        while place.path.count > 1 {
            for path in ["holdfast-server", ".build/debug/holdfast-server"] {
                let candidate = place.appendingPathComponent(path).path
                if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            }
            place.deleteLastPathComponent()
        }
        return nil
    }

    private func spawn(_ words: [String]) throws -> Int32 {
        var start = ProgramStart(words)
        start.outputPath = logPath
        start.environment =
            ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" } + environment
        var process: pid_t = 0
        let result = start.start(&process)
        guard result == 0 else {
            throw Failed(description: "can't start \(words[0]): errno \(result)")
        }
        return process
    }

    public func waitUntilItAnswers(seconds: Double = 30) throws {
        let start = Date()
        while Date().timeIntervalSince(start) < seconds {
            guard isRunning else { break }
            if let connection = try? connect(), let reply = try? connection.command("PING"),
                reply == .simple("PONG")
            {
                return
            }
            // Polls a process that is starting; there is nothing to be woken by.
            usleep(2_000)
        }
        let state = isRunning ? "did not answer" : "ended"
        kill()
        throw Failed(description: "the server \(state):\n" + log)
    }

    // MARK: While it runs

    /// A new connection through TCP.
    public func connect(version: Int = 2) throws -> RESPConnection {
        try RESPConnection(.tcp("127.0.0.1", port), version: version)
    }

    /// A new connection through the unix socket.
    public func connectUnix(version: Int = 2) throws -> RESPConnection {
        try RESPConnection(.unix(socketPath), version: version)
    }

    private var logPath: String { folder.file("server.log") }

    /// What it has printed, in all of its runs.
    public var log: String {
        String(decoding: FileManager.default.contents(atPath: logPath) ?? Data(), as: UTF8.self)
    }

    /// The folder of its log of records.
    public var logFolder: String { folder.file("appendonlydir") }

    public var isRunning: Bool {
        reap(waits: false)
        return end == nil
    }

    // MARK: End

    /// SIGKILL, and waits until it is gone.
    public func kill() { _ = end(by: SIGKILL, seconds: 20) }

    /// SIGTERM, and waits until it is gone; kills what doesn't go.
    @discardableResult
    public func terminate(seconds: Double = 20) -> End? { end(by: SIGTERM, seconds: seconds) }

    /// Sends a signal and returns at once.
    public func signal(_ number: Int32) {
        if isRunning { Foundation.kill(processIdentifier, number) }
    }

    private func end(by number: Int32, seconds: Double) -> End? {
        guard processIdentifier > 0 else { return nil }
        signal(number)
        if let end = waitForEnd(seconds: seconds) { return end }
        signal(SIGKILL)
        reap(waits: true)
        return nil
    }

    /// Waits until the process ends by itself; nil if it doesn't in time.
    public func waitForEnd(seconds: Double = 20) -> End? {
        let start = Date()
        while isRunning {
            if Date().timeIntervalSince(start) > seconds { return nil }
            // A child's end can be waited for, but not with a time limit.
            usleep(1_000)
        }
        return end
    }

    private func reap(waits: Bool) {
        guard end == nil, processIdentifier > 0 else { return }
        var status: Int32 = 0
        // SAFETY: the call fills the status.
        guard unsafe waitpid(processIdentifier, &status, waits ? 0 : WNOHANG) == processIdentifier
        else { return }
        let number = status & 0x7F
        end = number == 0 ? .exited((status >> 8) & 0xFF) : .signalled(number)
    }
}
