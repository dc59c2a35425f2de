internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// A log as the server's own reader found it, with what is known of each file even if it refused.
struct Inspection {
    /// What was read of one file, up to where reading stopped.
    struct FileTally {
        var name: String
        var firstLSN: LSN
        var endLSN: LSN
        var batches = 0
        var firstMilliseconds: Int64
        var lastMilliseconds: Int64
        /// The end of its last whole batch.
        var endOffset: Int64
    }

    enum Outcome {
        /// A start would load it; perhaps after a cut.
        case recovered(RecoveredLog)
        case refused(LogReadError)
        case interrupted
        /// The visitor had seen enough.
        case stopped
    }

    let target: LogTarget
    var outcome: Outcome
    /// The files that hold batches, as far as they were read.
    var tallies: [FileTally]
    var bases: [Base]

    /// Memory for batches; what is larger is checked in parts.
    static let heldBytesMax: Int64 = 4 << 20

    static func settings(_ target: LogTarget) -> RecoverySettings {
        let folder: LogFolder =
            switch target {
            case .folder(let folder): folder
            case .file: LogFolder(directory: ".")
            }
        var settings = RecoverySettings(folder: folder, freshHistory: noHistory)
        settings.heldBytesMax = heldBytesMax
        return settings
    }

    /// Reads everything and judges.
    ///
    /// - Parameter listing: what to read instead of what the manifest says.
    /// - Parameter visit: sees every batch; may throw `EnoughRead` to end the reading before it.
    /// - Parameter visitBase: sees each base that was found sound, while its file is open.
    static func run(
        _ target: LogTarget, listing: Manifest? = nil, on disk: any FileSystem, console: Console,
        label: String, visit: (RecordBatch) throws -> Void = { _ in },
        visitBase: (Base) throws -> Void = { _ in }
    ) -> Inspection {
        let base = Box(BaseCheck())
        let tallies = Box<[FileTally]>([])
        let hasEnough = Box(false)
        var bar: Progress?
        var isStopped = false
        func look(_ loaded: Int64, _ total: Int64) {
            if bar == nil { bar = console.progress(label, totalBytes: total) }
            bar?.update(loaded)
            if !console.mayGoOn { isStopped = true }
        }
        func seeing(_ visit: () throws -> Void) throws {
            do { try visit() } catch {
                hasEnough.value = error is EnoughRead
                if error is Interrupted { isStopped = true }
                throw error
            }
        }
        let apply: LogReader.Apply = { batch in
            if isStopped { throw Interrupted() }
            try seeing { try visit(batch) }
            tallies.value.note(batch)
        }
        let snapshot: LogReader.LoadSnapshot = { place in
            let end = try base.value.check(place, mayGoOn: { !isStopped }) {
                look($0, place.totalBytes)
            }
            if let base = base.value.bases.last { try seeing { try visitBase(base) } }
            return end
        }
        let settings = settings(target)
        let outcome: Outcome
        do throws(LogReadError) {
            let log =
                switch target {
                case .folder:
                    try LogReader.inspect(
                        settings, listing: listing, on: disk, apply: apply, snapshot: snapshot,
                        progress: look)
                case .file(let path):
                    try LogReader.inspectFile(
                        path, settings, on: disk, apply: apply, snapshot: snapshot, progress: look)
                }
            outcome = isStopped ? .interrupted : .recovered(log)
        } catch {
            outcome =
                isStopped ? .interrupted : hasEnough.value ? .stopped : .refused(error)
        }
        bar?.finish()
        return Inspection(
            target: target, outcome: outcome, tallies: tallies.value,
            bases: base.value.bases, baseError: base.value.error)
    }

    /// What the RDB reader said, if it refused.
    let baseError: (any Error)?

    private init(
        target: LogTarget, outcome: Outcome, tallies: [FileTally], bases: [Base],
        baseError: (any Error)?
    ) {
        self.target = target
        self.outcome = outcome
        self.tallies = tallies
        self.bases = bases
        self.baseError = baseError
    }

    /// Nil where nothing of ours was found.
    var history: HistoryID? {
        guard case .recovered(let log) = outcome, log.history != Self.noHistory else { return nil }
        return log.history
    }

    private static let noHistory = HistoryID(0, 0, 0)

    /// The end of what was read: all of it, or up to the damage.
    var end: LSN {
        if case .recovered(let log) = outcome { return log.end }
        return tallies.last?.endLSN ?? .zero
    }
}

/// Thrown by a visitor that needs to see no more.
struct EnoughRead: Error {}

/// A value that several closures share.
final class Box<Value> {
    var value: Value
    init(_ value: Value) { self.value = value }
}

extension [Inspection.FileTally] {
    /// Counts a batch in its file.
    mutating func note(_ batch: RecordBatch) {
        guard let place = batch.place else { return }
        if batch.beginsFile || isEmpty {
            append(
                Inspection.FileTally(
                    name: place.name, firstLSN: batch.firstLSN, endLSN: batch.firstLSN,
                    firstMilliseconds: batch.milliseconds,
                    lastMilliseconds: batch.milliseconds, endOffset: 0))
        }
        let last = count - 1
        self[last].batches += 1
        self[last].endLSN = batch.endLSN
        self[last].lastMilliseconds = batch.milliseconds
        self[last].endOffset = place.range.upperBound
    }
}
