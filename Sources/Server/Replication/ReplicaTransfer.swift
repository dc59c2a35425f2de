internal import HoldfastPlatform
internal import Log
internal import Snapshot
internal import Store
internal import Synchronization

/// A thread that sends a replica what the command thread hasn't at hand: a snapshot, or the stream from the files.
///
/// While it runs, the command thread reads from the socket and writes nothing to it. Made, asked and ended on the
/// command thread.
final class ReplicaTransfer: @unchecked Sendable {
    // Sendable: `view` and `result` belong to the thread until `isDone`, to the owner after; `session` and
    // `isAbandoned` are the owner's.
    let session: Session
    let output: SocketOutput
    /// The frozen epoch that ends with it.
    let epoch: UInt32?
    let startedAt: UInt64
    /// A snapshot of which the replica finds the end by a mark.
    let endsByMark: Bool
    /// Its session is closed: the socket, too, is to be closed when it has ended.
    private(set) var isAbandoned = false
    private let wake: @Sendable () -> Void
    private var view: FrozenView?
    private var result: Result<LSN, TransferError>?
    private let isDone = Atomic(false)
    private var thread: WorkerThread?

    enum TransferError: Error {
        case output(SnapshotWriteError)
        case log(LogCursorError)
        case base(BaseFault)
    }

    /// What is to be done; it returns where the stream goes on after it.
    typealias Work = @Sendable (SocketOutput, borrowing FrozenView?) throws(TransferError) -> LSN

    init(
        _ session: Session, view: consuming FrozenView?, output: SocketOutput,
        endsByMark: Bool = false, now: UInt64, wake: @escaping @Sendable () -> Void
    ) {
        self.endsByMark = endsByMark
        self.session = session
        self.output = output
        self.wake = wake
        startedAt = now
        if let given = view.take() {
            epoch = given.epoch
            self.view = consume given
        } else {
            epoch = nil
        }
    }

    func start(_ work: @escaping Work) {
        do throws(SystemError) {
            thread = try WorkerThread(name: "holdfast-feed") { self.run(work) }
        } catch {
            end(.failure(.output(.system(error))))
        }
    }

    private func run(_ work: Work) {
        // On few cores it would otherwise take the command thread's time.
        WorkerThread.lowerPriority()
        do throws(TransferError) {
            end(.success(try work(output, view)))
        } catch {
            end(.failure(error))
        }
    }

    private func end(_ result: Result<LSN, TransferError>) {
        view = nil
        self.result = result
        isDone.store(true, ordering: .releasing)
        wake()
    }

    /// How it ended; nil while it runs.
    var outcome: Result<LSN, TransferError>? { isDone.load(ordering: .acquiring) ? result : nil }

    /// Makes it end soon, and leaves the socket to it.
    func abandon() {
        isAbandoned = true
        output.cancel()
    }

    /// Waits for its end.
    func join() {
        thread?.join()
        thread = nil
    }
}
