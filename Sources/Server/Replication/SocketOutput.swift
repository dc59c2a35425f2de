internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Synchronization

/// A replica's socket as a thread writes to it: waits while the replica doesn't read, for as long as is allowed.
final class SocketOutput: SnapshotSink, Sendable {
    private let descriptor: Int32
    private let peer: String
    private let patienceSeconds: Int
    private let cancelled = Atomic(false)
    private let sent = Atomic(0)

    /// - Parameter patienceSeconds: without a byte taken, after which it is given up.
    init(_ descriptor: Int32, peer: String, patienceSeconds: Int) {
        self.descriptor = descriptor
        self.peer = peer
        self.patienceSeconds = patienceSeconds
    }

    var bytesSent: Int { sent.load(ordering: .relaxed) }
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

    /// Makes the next call fail, and one that waits as well.
    func cancel() {
        cancelled.store(true, ordering: .relaxed)
        Socket.shutDown(descriptor)
    }

    /// Sends all of `bytes`.
    func write(_ bytes: ByteSlice) throws(SnapshotWriteError) {
        var rest = bytes
        var waited = 0
        while !rest.isEmpty {
            if isCancelled { throw .cancelled }
            switch Socket.write(descriptor, rest) {
            case .moved(let count):
                rest = rest.dropFirst(count)
                sent.add(count, ordering: .relaxed)
                waited = 0
            case .wouldBlock:
                if waited >= patienceSeconds * 1000 { throw error(ETIMEDOUT) }
                let step = 500
                let before = waited
                waited += Self.wait(descriptor, milliseconds: step)
                if waited == before { waited += 1 }
            case .closed:
                throw error(EPIPE)
            }
        }
    }

    func write(_ text: String) throws(SnapshotWriteError) {
        try text.withSlice { (slice) throws(SnapshotWriteError) in try write(slice) }
    }

    /// - Returns: how many milliseconds passed.
    private static func wait(_ descriptor: Int32, milliseconds: Int) -> Int {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        Socket.waitWritable(descriptor, milliseconds: Int32(milliseconds))
        return Int((clock.monotonicNanoseconds &- start) / 1_000_000)
    }

    private func error(_ errno: Int32) -> SnapshotWriteError {
        .system(SystemError(call: "send", path: peer, errno: errno))
    }
}
