internal import CLinux
internal import Glibc

/// A named system thread that runs one closure and can be joined.
@safe
public final class WorkerThread: @unchecked Sendable {
    // Sendable because `handle` is set once before the object is shared, and `join` is called once.
    private var handle: pthread_t = 0
    private var isJoined = false

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts the thread. All signals are blocked in it, so that they reach the command thread.
    /// - Parameter name: at most 15 bytes are shown by the system.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Start(name: String(name.prefix(15)), body: body)
        // SAFETY: the retained object is taken back by the new thread, or here if there is none.
        let argument = unsafe Unmanaged.passRetained(start).toOpaque()
        var blocked = sigset_t()
        var before = sigset_t()
        unsafe sigfillset(&blocked)
        unsafe pthread_sigmask(SIG_SETMASK, &blocked, &before)
        let result = unsafe pthread_create(
            &handle, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                unsafe hf_name_thread(start.name)
                start.body()
                return nil
            }, argument)
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        if result != 0 {
            unsafe Unmanaged<Start>.fromOpaque(argument).release()
            throw SystemError(call: "pthread_create", path: name, errno: result)
        }
    }

    /// Lets the calling thread give way to others: for work in the background that may take its time.
    public static func lowerPriority() { hf_lower_priority() }

    /// Lets the calling thread run soon after it wakes, where the kernel knows how (Linux 6.12): for the one that everybody waits for.
    public static func favourLatency() { hf_favour_latency() }

    /// Waits until the closure has returned. Call once, from one thread.
    public func join() {
        precondition(!isJoined, "a thread is joined once")
        isJoined = true
        _ = pthread_join(handle, nil)
    }
}
