internal import Glibc

/// A mutex. Hold it for queue pushes and decisions, never during I/O.
@safe
public final class Monitor: @unchecked Sendable {
    // Sendable because a mutex is made for use by several threads and never moves.
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    public init() {
        // SAFETY: allocated and initialised here, destroyed in `deinit` only.
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        // SAFETY: nobody can hold it any more, since nobody refers to this object.
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    public func lock() { unsafe _ = pthread_mutex_lock(mutex) }

    public func unlock() { unsafe _ = pthread_mutex_unlock(mutex) }

    /// Runs `body` with the mutex held.
    public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// Something that threads wait for with a monitor held. Timed waits use the monotonic clock.
@safe
public final class Condition: @unchecked Sendable {
    // Sendable because a condition is made for use by several threads and never moves.
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let monitor: Monitor

    public init(of monitor: Monitor) {
        self.monitor = monitor
        // SAFETY: allocated and initialised here, destroyed in `deinit` only.
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        // SAFETY: nobody can wait on it any more, since nobody refers to this object.
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
    }

    /// Wakes every waiting thread; the monitor may be held or not.
    public func signal() { unsafe _ = pthread_cond_broadcast(condition) }

    /// Waits for a signal; call with the monitor held and check what you wait for afterwards, since a
    /// wait may end without a reason.
    public func wait() { unsafe _ = pthread_cond_wait(condition, monitor.mutex) }

    /// Waits for a signal until the monotonic clock shows `deadline` (ns); monitor held, as above.
    public func wait(untilNanoseconds deadline: UInt64) {
        var time = timespec(
            tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        unsafe _ = pthread_cond_timedwait(condition, monitor.mutex, &time)
    }
}
