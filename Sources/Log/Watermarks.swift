internal import Synchronization

/// appended ≥ written ≥ durable: exclusive ends in the effect stream, readable from any thread.
///
/// *Appended* is in the log's memory, *written* was handed to the kernel (survives the process),
/// *durable* is on stable storage (survives a power cut). None ever goes back. Each is exact when
/// read; two reads are not one instant, so read `durable` first when you compare them.
public final class Watermarks: Sendable {
    private let appendedEnd: Atomic<UInt64>
    private let writtenEnd: Atomic<UInt64>
    private let durableEnd: Atomic<UInt64>

    public init(start: LSN) {
        appendedEnd = Atomic(start.value)
        writtenEnd = Atomic(start.value)
        durableEnd = Atomic(start.value)
    }

    public var appended: LSN { LSN(appendedEnd.load(ordering: .acquiring)) }
    public var written: LSN { LSN(writtenEnd.load(ordering: .acquiring)) }
    public var durable: LSN { LSN(durableEnd.load(ordering: .acquiring)) }

    /// Each setter is called under the log writer's lock only, so that no mark can overtake another.
    func advance(appended end: LSN) {
        let before = appended
        precondition(end >= before, "appended went back: \(end) < \(before)")
        appendedEnd.store(end.value, ordering: .releasing)
    }

    func advance(written end: LSN) {
        let bound = appended
        precondition(end <= bound, "written past what was appended: \(end) > \(bound)")
        if end > written { writtenEnd.store(end.value, ordering: .releasing) }
    }

    func advance(durable end: LSN) {
        let bound = written
        precondition(end <= bound, "synced past what was written: \(end) > \(bound)")
        if end > durable { durableEnd.store(end.value, ordering: .releasing) }
    }
}
