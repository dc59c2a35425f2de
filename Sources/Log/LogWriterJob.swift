internal import HoldfastBytes
internal import HoldfastPlatform

// The log writer's I/O, one class per kind of work. `LogWriterCore` makes a job under the writer's lock,
// some thread runs it without the lock, and the core takes the outcome under the lock again. A job touches
// nothing but what it was given.

enum LogJob {
    case write(WriteJob)
    case sync(SyncJob)
    case zero(ZeroJob)
    case roll(RollJob)
    case heal(HealJob)
    case rebase(RebaseJob)
    case retire(RetireJob)
    case close(CloseJob)
    case probe(ProbeJob)

    func run(_ world: LogWorld) {
        switch self {
        case .write(let job): job.run(world)
        case .sync(let job): job.run(world)
        case .zero(let job): job.run(world)
        case .roll(let job): job.run(world)
        case .heal(let job): job.run(world)
        case .rebase(let job): job.run(world)
        case .retire(let job): job.run(world)
        case .close(let job): job.run(world)
        case .probe(let job): job.run(world)
        }
    }
}

extension LogJob {
    /// Makes a new segment that holds `batches`; its bytes and its name are durable at return, as they
    /// must be before a manifest names it. After an error nothing is left of it, so that a full disk
    /// doesn't fill further with each attempt.
    static func fill(
        _ opening: SegmentWriter.Opening, with batches: [Batch], _ world: LogWorld
    ) throws(SystemError) -> SegmentWriter {
        var result: SegmentWriter?
        try world.withReserve { () throws(SystemError) in
            let made: SegmentWriter
            do throws(SystemError) {
                made = try SegmentWriter.create(opening, in: world.folder, on: world.fileSystem)
                do throws(SystemError) {
                    try made.append(batches, durable: opening.firstLSN)
                    try made.sync()
                    try world.fileSystem.syncFolder(world.folder.path)
                } catch {
                    made.close()
                    throw error
                }
            } catch {
                do throws(SystemError) {
                    try world.fileSystem.remove(world.folder.path(of: opening.name))
                } catch {}
                throw error
            }
            result = made
        }
        guard let result else { preconditionFailure("a segment was neither made nor refused") }
        return result
    }
}

/// What every job works on.
struct LogWorld: Sendable {
    let fileSystem: any FileSystem
    let clock: any Clock
    let folder: LogFolder
    let reserve: DiskReserve

    func now() -> UInt64 { clock.monotonicNanoseconds }

    /// Removes files that no manifest names any more. One that stays is only litter.
    func remove(_ names: [String]) {
        for name in names {
            do throws(SystemError) { try fileSystem.remove(folder.path(of: name)) } catch {}
        }
    }

    /// Runs `body`; if the disk is full gives the reserve back to it and tries once more.
    func withReserve(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        do throws(SystemError) {
            try body()
        } catch {
            guard error.meansDiskFull, reserve.release(on: fileSystem) else { throw error }
            try body()
        }
    }
}

extension SystemError {
    /// No room: the same bytes may go to the same place once there is some.
    var meansDiskFull: Bool { errno == Self.noSpace || errno == Self.overQuota }
}

/// Writes batches to the open segment, and syncs them if asked to.
final class WriteJob {
    let segment: SegmentWriter
    let batches: [Batch]
    let durable: LSN
    let syncsAfter: Bool
    private(set) var isWritten = false
    private(set) var isSynced = false
    private(set) var error: SystemError?
    private(set) var startedAt: UInt64 = 0
    private(set) var writtenAt: UInt64 = 0
    private(set) var finishedAt: UInt64 = 0

    init(segment: SegmentWriter, batches: [Batch], durable: LSN, syncsAfter: Bool) {
        self.segment = segment
        self.batches = batches
        self.durable = durable
        self.syncsAfter = syncsAfter
    }

    func run(_ world: LogWorld) {
        startedAt = world.now()
        defer { finishedAt = syncsAfter ? world.now() : writtenAt }
        do throws(SystemError) {
            try world.withReserve { () throws(SystemError) in
                try segment.append(batches, durable: durable)
            }
            isWritten = true
            writtenAt = world.now()
            if syncsAfter {
                try segment.sync()
                isSynced = true
            }
        } catch {
            if !isWritten { writtenAt = world.now() }
            self.error = error
        }
    }
}

/// Syncs what was written to the open segment when the job was made.
final class SyncJob {
    let segment: SegmentWriter
    let end: LSN
    let startedAt: UInt64
    private(set) var finishedAt: UInt64 = 0
    private(set) var error: SystemError?

    init(segment: SegmentWriter, end: LSN, startedAt: UInt64) {
        self.segment = segment
        self.end = end
        self.startedAt = startedAt
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) { try segment.sync() } catch { self.error = error }
        finishedAt = world.now()
    }
}

/// Zeroes a range of the open segment ahead of the writing.
final class ZeroJob {
    let segment: SegmentWriter
    let range: Range<Int64>
    private(set) var error: SystemError?

    init(segment: SegmentWriter, range: Range<Int64>) {
        self.segment = segment
        self.range = range
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) {
            let handle = try world.fileSystem.open(segment.file.path, .readWrite)
            defer { handle.close() }
            try SegmentWriter.zeroAhead(range, through: handle)
        } catch {
            self.error = error
        }
    }
}

/// Seals the open segment and goes on in a new one. The manifest names the new segment before any batch
/// goes into it, and the old one is stable and exact before the manifest says that it isn't the newest.
final class RollJob {
    let old: SegmentWriter
    let opening: SegmentWriter.Opening
    var manifest: Manifest
    private(set) var isOldSealed = false
    private(set) var isSwitchUnknown = false
    private(set) var segment: SegmentWriter?
    private(set) var error: SystemError?

    init(old: SegmentWriter, opening: SegmentWriter.Opening, manifest: Manifest) {
        self.old = old
        self.opening = opening
        self.manifest = manifest
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) {
            try old.seal()
            isOldSealed = true
            let made = try LogJob.fill(opening, with: [], world)
            isSwitchUnknown = true
            do throws(SystemError) {
                try world.withReserve { () throws(SystemError) in
                    try manifest.swap(into: world.folder, on: world.fileSystem)
                }
            } catch {
                made.close()
                throw error
            }
            segment = made
            old.close()
        } catch {
            self.error = error
        }
    }
}

/// Goes on in a new segment after a failed write or sync. Everything that isn't durable is written to
/// a new file and synced; then the manifest ends the poisoned segment at the last durable LSN and names the
/// new one. Nothing that happened to the poisoned file after its last good sync matters from then on.
///
/// The new file has a name of its own kind (`*.heal.incr.aof`), because it holds batches before the
/// manifest names it; see LogFormat.swift.
final class HealJob {
    let old: SegmentWriter
    /// Where the poisoned file's durable part ends; nil if it was sealed before.
    let oldDurableOffset: Int64?
    let opening: SegmentWriter.Opening
    let batches: [Batch]
    var manifest: Manifest
    /// Files of attempts that failed before: removed once a manifest without them is durable.
    let abandoned: [String]
    private(set) var isSwitchUnknown = false
    private(set) var segment: SegmentWriter?
    private(set) var error: SystemError?

    init(
        old: SegmentWriter, oldDurableOffset: Int64?, opening: SegmentWriter.Opening,
        batches: [Batch], manifest: Manifest, abandoned: [String]
    ) {
        self.old = old
        self.oldDurableOffset = oldDurableOffset
        self.opening = opening
        self.batches = batches
        self.manifest = manifest
        self.abandoned = abandoned
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) {
            try attempt(world)
        } catch {
            self.error = error
            return
        }
        // Best effort, as nothing of ours reads beyond the end that the manifest gives: a stock server
        // that loads this folder would.
        if let oldDurableOffset {
            do throws(SystemError) {
                try old.file.truncate(to: oldDurableOffset)
                try old.file.sync()
            } catch {}
        }
        old.close()
        world.remove(abandoned)
    }

    private func attempt(_ world: LogWorld) throws(SystemError) {
        let made = try LogJob.fill(opening, with: batches, world)
        isSwitchUnknown = true
        do throws(SystemError) {
            try world.withReserve { () throws(SystemError) in
                try manifest.swap(into: world.folder, on: world.fileSystem)
            }
        } catch {
            made.close()
            throw error
        }
        segment = made
    }
}

/// Puts a base in force, then removes the files that it supersedes for good.
final class RebaseJob {
    let base: LogBase
    var manifest: Manifest
    let names: [String]
    private(set) var error: SystemError?

    init(base: LogBase, manifest: Manifest, names: [String]) {
        self.base = base
        self.manifest = manifest
        self.names = names
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) {
            try world.withReserve { () throws(SystemError) in
                try manifest.swap(into: world.folder, on: world.fileSystem)
            }
        } catch {
            self.error = error
            return
        }
        world.remove(names)
    }
}

/// Drops segments from the manifest, then from the folder.
final class RetireJob {
    var manifest: Manifest
    let names: [String]
    private(set) var error: SystemError?

    init(manifest: Manifest, names: [String]) {
        self.manifest = manifest
        self.names = names
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) {
            try manifest.swap(into: world.folder, on: world.fileSystem)
        } catch {
            self.error = error
            return
        }
        world.remove(names)
    }
}

/// The clean stop: cuts the open segment exactly, syncs it, and notes in the manifest that all is durable.
final class CloseJob {
    let segment: SegmentWriter
    var manifest: Manifest
    private(set) var isSealed = false
    private(set) var error: SystemError?

    init(segment: SegmentWriter, manifest: Manifest) {
        self.segment = segment
        self.manifest = manifest
    }

    func run(_ world: LogWorld) {
        do throws(SystemError) {
            try segment.seal()
            isSealed = true
            segment.close()
            try manifest.swap(into: world.folder, on: world.fileSystem)
        } catch {
            self.error = error
        }
    }
}

/// Looks how much room is left, and takes the reserve back when there is plenty.
final class ProbeJob {
    private(set) var freeBytes: Int64?

    func run(_ world: LogWorld) {
        freeBytes = world.reserve.probe(world.folder.path, on: world.fileSystem)
    }
}
