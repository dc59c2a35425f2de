public import HoldfastPlatform

/// The log writer without threads: whoever drives it decides which job is taken, run and finished next.
///
/// Exactly the decisions and the I/O of `LogWriter`, in any interleaving that its threads could
/// produce and some more; for simulation and tests.
public final class SteppedLogWriter {
    private struct Step {
        let job: LogJob
        var hasRun = false
    }

    private let core: LogWriterCore
    private let world: LogWorld
    private var steps: [Step] = []

    public let watermarks: Watermarks

    /// As `LogWriter.open`.
    public init(
        _ log: RecoveredLog, in folder: LogFolder, settings: LogWriterSettings,
        fileSystem: any FileSystem, clock: any Clock
    ) throws(SystemError) {
        world = LogWorld(log, folder, settings, fileSystem, clock)
        core = LogWriterCore(
            settings: settings, world: world, start: try LogWriterStart(log, world))
        watermarks = core.watermarks
    }

    /// As `LogWriter.submit`, but a write in the turn itself becomes a step like any other.
    public func submit(_ buffer: inout LogBuffer, inlineAllowed: Bool) {
        core.enqueue(&buffer, now: world.now())
        if let job = core.takeInlineJob(isSyncAllowed: inlineAllowed, now: world.now()) {
            steps.append(Step(job: job))
        }
    }

    /// As `LogWriter.beginHistory`.
    public func beginHistory(_ id: HistoryID) -> LSN { core.beginHistory(id) }

    /// As `LogWriter.extent`.
    public func extent(at lsn: LSN) -> LogExtent? { core.extent(at: lsn) }

    /// Takes what the WAL thread would do now; false if it would sleep.
    public func takeWrite() -> Bool { take(core.takeWriteJob(now: world.now())) }

    /// Takes what the sync thread would do now; false if it would sleep.
    public func takeSync() -> Bool { take(core.takeSyncJob(now: world.now())) }

    private func take(_ job: LogJob?) -> Bool {
        guard let job else { return false }
        steps.append(Step(job: job))
        return true
    }

    /// The steps taken and not finished.
    public var stepCount: Int { steps.count }

    /// Runs a step's I/O if that has not been done, else lets the writer take in its outcome.
    public func advance(step index: Int) {
        if steps[index].hasRun {
            core.finish(steps.remove(at: index).job)
        } else {
            steps[index].job.run(world)
            steps[index].hasRun = true
        }
    }

    /// Takes, runs and finishes until both threads would sleep.
    public func settle() {
        repeat {
            while !steps.isEmpty { advance(step: 0) }
        } while takeWrite() || takeSync()
    }

    public func beginClosing() { core.beginClosing() }
    public var isClosed: Bool { core.isClosed }
    public var isFailing: Bool { core.isFailing }
    public var lastError: SystemError? { core.lastError }
    public var shouldHoldWriters: Bool { core.mustHoldWriters(now: world.now()) }
    public var growthAllowed: Bool { world.reserve.growthAllowed }
    public var settings: LogWriterSettings {
        get { core.settings }
        set { core.settings = newValue }
    }
    public func syncNow() { core.requestSync() }
    public func retire() { core.retire() }
    public func rollHere() -> LSN { core.rollHere() }
    public func install(_ base: LogBase) { core.install(base) }
    /// As `LogWriter.holdBase`.
    public func holdBase(if isWanted: (LogBase) -> Bool) -> LogBase? { core.holdBase(if: isWanted) }
    /// As `LogWriter.retain`.
    public func retain(from lsn: LSN?) { core.replicaFloor = lsn }
    public func takeBaseOutcome() -> LogBaseOutcome? { core.takeBaseOutcome() }
    public var nextBaseSequence: UInt64 { core.nextBaseSequence }
    /// Archives the next file with success; its name, or nil if there is none.
    public func archiveNext() -> String? {
        guard let order = core.archiveOrder() else { return nil }
        do throws(SystemError) {
            switch order.task {
            case .segment(let name, _), .base(let name, _):
                try order.mark.write(world.folder, on: world.fileSystem)
                core.finishArchiving(order.task, failure: nil)
                return name
            case .manifest:
                core.finishArchiving(order.task, failure: nil)
                return world.folder.manifestName
            }
        } catch {
            core.finishArchiving(order.task, failure: error.reason)
            return nil
        }
    }
    public func report() -> LogWriterReport { core.report(now: world.now()) }
}
