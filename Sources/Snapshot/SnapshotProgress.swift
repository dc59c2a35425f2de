internal import Synchronization

/// How far a snapshot is: one thread writes it, any other may look and ask it to stop.
public final class SnapshotProgress: Sendable {
    private let keyCount = Atomic<Int>(0)
    private let byteCount = Atomic<Int64>(0)
    private let cancelled = Atomic<Bool>(false)
    private let delay: Atomic<Int>

    /// - Parameter keyDelayMicroseconds: how long to sleep after each key (`rdb-key-save-delay`).
    public init(keyDelayMicroseconds: Int = 0) { delay = Atomic(keyDelayMicroseconds) }

    /// Keys written so far, in steps.
    public var keys: Int { keyCount.load(ordering: .relaxed) }
    /// Bytes handed to the sink so far.
    public var bytes: Int64 { byteCount.load(ordering: .relaxed) }

    public var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Makes the writer stop soon, with the error `cancelled`.
    public func cancel() { cancelled.store(true, ordering: .relaxed) }

    /// How long the writer sleeps after each key; below 0, it sleeps 1 µs after so many keys.
    public var keyDelayMicroseconds: Int {
        get { delay.load(ordering: .relaxed) }
        set { delay.store(newValue, ordering: .relaxed) }
    }

    func report(keys: Int) { keyCount.store(keys, ordering: .relaxed) }
    func report(bytes: Int64) { byteCount.store(bytes, ordering: .relaxed) }
}
