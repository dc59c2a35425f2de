internal import CLinux
internal import Glibc

/// Lets any thread wake the one that waits in a `Poller` (eventfd).
public final class WakeUp: Sendable {
    /// To be registered as readable with the poller.
    public let descriptor: Int32

    public init() throws(SystemError) {
        descriptor = hf_eventfd()
        if descriptor < 0 { throw SystemError(call: "eventfd", path: "", errno: errno) }
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Wakes the waiting thread, now or at its next wait. Also allowed in a signal handler.
    public func signal() {
        var one: UInt64 = 1
        // SAFETY: an eventfd takes exactly eight bytes.
        unsafe _ = Glibc.write(descriptor, &one, 8)
    }

    /// Takes all signals so far.
    public func drain() {
        var count: UInt64 = 0
        // SAFETY: as above.
        unsafe _ = Glibc.read(descriptor, &count, 8)
    }
}
