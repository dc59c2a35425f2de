internal import Glibc

/// An operator's command, which `/bin/sh` runs beside the server: nothing in, output to where ours goes, and a
/// process group of its own.
public final class ShellCommand: @unchecked Sendable {
    // Sendable because `process` and `isStopped` are used with `monitor` held only.
    public enum End: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
        /// It couldn't be started, for this errno.
        case notStarted(Int32)

        public var isSuccess: Bool { self == .exited(0) }
    }

    /// For `stop`: to end in order, or at once.
    public static let terminate = SIGTERM
    public static let kill = SIGKILL

    private let text: String
    private let monitor = Monitor()
    /// While it runs, or has ended and hasn't been asked how.
    private var process: pid_t?
    private var isStopped = false

    public init(_ text: String) { self.text = text }

    /// Starts it and waits until it has ended. Call once.
    public func run() -> End {
        var status: Int32 = 0
        monitor.lock()
        if isStopped {
            monitor.unlock()
            return .signalled(SIGTERM)
        }
        var started: pid_t = 0
        var start = ProgramStart(["/bin/sh", "-c", text])
        start.hasOwnGroup = true
        let reason = start.start(&started)
        process = reason == 0 ? started : nil
        monitor.unlock()
        if reason != 0 { return .notStarted(reason) }
        // Its number stays its own until `waitpid`, so `stop` can't meet another process.
        var information = unsafe siginfo_t()
        // SAFETY: the calls fill what they are given.
        while unsafe waitid(P_PID, id_t(started), &information, WEXITED | WNOWAIT) != 0,
            errno == EINTR
        {}
        monitor.lock()
        while unsafe waitpid(started, &status, 0) < 0, errno == EINTR {}
        process = nil
        monitor.unlock()
        let signal = status & 0x7F
        return signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }

    /// Sends `signal` to the command and its children, or keeps it from starting. From any thread.
    public func stop(by signal: Int32) {
        monitor.withLock {
            isStopped = true
            if let process { _ = Glibc.kill(-process, signal) }
        }
    }
}
