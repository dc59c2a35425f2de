public import HoldfastPlatform
public import Snapshot
public import Store
internal import Synchronization

/// A snapshot that a thread of its own writes while commands go on.
///
/// Made, asked and ended on the command thread. The view belongs to the job until `outcome` is known; then the
/// keyspace may be thawed.
public final class SnapshotJob: @unchecked Sendable {
    // Sendable: `view` and `result` belong to the thread until `isDone`, to the owner after.

    /// What is to be done with the file when it is there.
    public enum Purpose: Sendable {
        /// `dbfilename`.
        case dump
        /// The base of the log, at this LSN.
        case base(sequence: UInt64, lsn: UInt64)
    }

    public let purpose: Purpose
    public let place: SnapshotPlace
    public let progress: SnapshotProgress
    /// The frozen epoch.
    public let epoch: UInt32
    public let keyCount: Int
    private let header: SnapshotHeader
    private let settings: SnapshotSettings
    private let fileSystem: any FileSystem
    private let wake: @Sendable () -> Void
    private var view: FrozenView?
    private var result: Result<SnapshotSummary, SnapshotWriteError>?
    private let isDone = Atomic(false)
    private var thread: WorkerThread?

    /// - Parameter wake: called on the job's thread when there is an outcome.
    public init(
        _ view: consuming FrozenView, purpose: Purpose, header: SnapshotHeader,
        settings: SnapshotSettings, place: SnapshotPlace, progress: SnapshotProgress,
        on fileSystem: any FileSystem, wake: @escaping @Sendable () -> Void
    ) {
        self.purpose = purpose
        self.header = header
        self.settings = settings
        self.place = place
        self.progress = progress
        self.fileSystem = fileSystem
        self.wake = wake
        epoch = view.epoch
        keyCount = view.databases.reduce(0) { $0 + view.count($1) }
        self.view = consume view
    }

    /// Begins to write. After an error the job is as if it had ended with it.
    public func start() {
        do throws(SystemError) {
            thread = try WorkerThread(name: "holdfast-save") { self.run() }
        } catch {
            end(.failure(.system(error)))
        }
    }

    private func run() {
        // On few cores a save would otherwise take the command thread's time.
        WorkerThread.lowerPriority()
        guard let view = view.take() else { preconditionFailure("a snapshot without a view") }
        do throws(SnapshotWriteError) {
            let summary = try SnapshotFile.write(
                view, header: header, settings: settings, to: place, on: fileSystem,
                progress: progress)
            _ = consume view
            end(.success(summary))
        } catch {
            _ = consume view
            end(.failure(error))
        }
    }

    private func end(_ result: Result<SnapshotSummary, SnapshotWriteError>) {
        view = nil
        self.result = result
        isDone.store(true, ordering: .releasing)
        wake()
    }

    /// How it ended; nil while it runs.
    public var outcome: Result<SnapshotSummary, SnapshotWriteError>? {
        isDone.load(ordering: .acquiring) ? result : nil
    }

    /// Makes it end soon and waits for that.
    public func cancel() {
        progress.cancel()
        join()
    }

    /// Waits for its end.
    public func join() {
        thread?.join()
        thread = nil
    }
}
