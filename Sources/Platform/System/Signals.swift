internal import CLinux
internal import Glibc

/// Signals as events of the poller: SIGTERM, SIGINT and SIGHUP are blocked in every thread and read from a
/// descriptor, so that no code runs in a signal handler.
public struct Signals: Sendable {
    /// To be registered as readable with the poller.
    public let descriptor: Int32

    /// Must be made before any other thread, which inherits what is blocked.
    public init() throws(SystemError) {
        descriptor = hf_signal_descriptor()
        if descriptor < 0 { throw SystemError(call: "signalfd", path: "", errno: errno) }
    }

    /// The name of the next signal that came, or nil.
    public func next() -> String? {
        switch hf_next_signal(descriptor) {
        case 0: nil
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        case SIGHUP: "SIGHUP"
        case let number: "signal \(number)"
        }
    }
}

/// The process as a whole.
public enum ProcessControl {
    /// Goes on in the background, without a terminal; the caller of the program gets its prompt back. Must
    /// come before any thread is made.
    public static func daemonize() -> Bool { hf_daemonize() == 0 }
}
