internal import CLinux
internal import Glibc

/// Readiness of many descriptors, level triggered (epoll). One thread uses it.
@safe
public struct Poller: ~Copyable {
    /// One report: what was registered with the descriptor, and what it is ready for.
    public struct Event {
        public let token: UInt64
        private let bits: UInt32

        fileprivate init(_ event: hf_event) {
            token = event.token
            bits = event.events
        }

        public var isReadable: Bool { bits & UInt32(HF_READABLE) != 0 }
        public var isWritable: Bool { bits & UInt32(HF_WRITABLE) != 0 }
        /// The connection is broken; reading tells how.
        public var isBroken: Bool {
            bits & UInt32(HF_ERROR | HF_HANGUP) != 0
        }
    }

    /// What to be told of.
    public struct Interest: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let readable = Interest(rawValue: UInt32(HF_READABLE))
        public static let writable = Interest(rawValue: UInt32(HF_WRITABLE))
    }

    private static let capacity = 512
    private let descriptor: Int32
    private let events: UnsafeMutablePointer<hf_event>

    public init() throws(SystemError) {
        descriptor = hf_epoll_create()
        unsafe events = .allocate(capacity: Self.capacity)
        if descriptor < 0 {
            throw SystemError(call: "epoll_create1", path: "", errno: errno)
        }
    }

    deinit {
        _ = Glibc.close(descriptor)
        unsafe events.deallocate()
    }

    public func add(_ fd: Int32, token: UInt64, _ interest: Interest) throws(SystemError) {
        try control(1, fd, token, interest)
    }

    public func change(_ fd: Int32, token: UInt64, _ interest: Interest) throws(SystemError) {
        try control(3, fd, token, interest)
    }

    /// Forgets a descriptor; must come before it is closed.
    public func remove(_ fd: Int32) { _ = hf_epoll_control(descriptor, 2, fd, 0, 0) }

    private func control(
        _ operation: Int32, _ fd: Int32, _ token: UInt64, _ interest: Interest
    ) throws(SystemError) {
        if hf_epoll_control(descriptor, operation, fd, interest.rawValue, token) != 0 {
            throw SystemError(call: "epoll_ctl", path: "fd \(fd)", errno: errno)
        }
    }

    /// Waits until something is ready or `milliseconds` have passed (0: don't wait, -1: without end).
    ///
    /// - Returns: how many events `event(at:)` gives; 0 also when a signal came.
    public func wait(milliseconds: Int32) -> Int {
        let count = unsafe hf_epoll_wait(descriptor, events, Int32(Self.capacity), milliseconds)
        return max(Int(count), 0)
    }

    public func event(at index: Int) -> Event {
        precondition(index >= 0 && index < Self.capacity)
        // SAFETY: in bounds; the last `wait` filled the events that callers ask for.
        return unsafe Event(events[index])
    }
}
