internal import Glibc
internal import HoldfastPlatform

/// Waits for a descriptor that may have nothing to read for long, a pipe or a terminal, so that a signal which
/// `Console` takes ends the waiting: those are blocked, and would not end a call that reads.
public final class PatientInput {
    /// A descriptor of its own, which is only polled: who takes the signal is the console.
    private let signals: Signals?

    public init() {
        var blocked = sigset_t()
        // SAFETY: the calls read and write the set, which is ours.
        let isKnown = unsafe pthread_sigmask(SIG_BLOCK, nil, &blocked) == 0
        let isBlocked = unsafe sigismember(&blocked, SIGINT) == 1
        // Where nobody takes signals, one ends the process at once.
        signals = isKnown && isBlocked ? try? Signals() : nil
    }

    deinit { if let signals { _ = close(signals.descriptor) } }

    /// - Returns: false if a signal came first.
    public func wait(for descriptor: Int32) -> Bool {
        var waiting = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        // SAFETY: two entries, ours for the call.
        while unsafe poll(&waiting, 2, -1) < 0 {
            // What else can go wrong the reading itself will say.
            if errno != EINTR { return true }
        }
        return waiting[1].revents == 0
    }
}
