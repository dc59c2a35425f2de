internal import Glibc

/// A mutex with one condition, for hand-overs between threads. Hold it for queue pushes and
/// decisions, never during I/O. Timed waits use the monotonic clock.
@safe
public final class Monitor: @unchecked Sendable {
    // Sendable because both are made for use by several threads and never move.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    public init() {
        // SAFETY: both are allocated and initialised here, and destroyed in `deinit` only.
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        // SAFETY: nobody can hold or wait on them any more, since nobody refers to this object.
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
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

    /// Wakes every waiting thread; the mutex may be held or not.
    public func signalAll() { unsafe _ = pthread_cond_broadcast(condition) }

    /// Waits for a signal; call with the mutex held and check your condition again afterwards.
    public func wait() { unsafe _ = pthread_cond_wait(condition, mutex) }

    /// Waits for a signal until the monotonic clock shows `deadline` (ns); mutex held, as above.
    public func wait(untilNanoseconds deadline: UInt64) {
        var time = timespec(
            tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        unsafe _ = pthread_cond_timedwait(condition, mutex, &time)
    }
}
