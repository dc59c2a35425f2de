internal import HoldfastBytes
internal import HoldfastPlatform

/// All decisions of the log writer: what to write, sync, roll, heal and when, without a thread and
/// without a system call of its own. `LogWriter` drives it with threads, the simulation without.
///
/// The caller holds one lock around every method (or has one thread). Work comes out as a `LogJob`,
/// is run without the lock by whoever took it, and goes back in through `finish`. What may run at
/// the same time:
///
///     write   one at a time     appends to the open segment, in `always` syncs after it
///     sync    one at a time     syncs the open segment beside the writing (everysec, no, on request);
///                               never beside a write that syncs: one file handle reports an error once
///     zero    one at a time     ahead of the writing, never inside of a range that may be written
///     roll, heal, retire, close exclusive of all others
///
/// What must stay true, and `checkInvariants` checks:
/// - `durable ≤ written ≤ appended`; the queue holds exactly the batches in `durable..<appended`;
///   its first `writtenCount` batches are those in the open segment.
/// - A poisoned segment never gets another byte, and nothing in it after `durable` counts.
final class LogWriterCore {
    enum Condition {
        case healthy
        /// The disk is full: the same bytes go to the same place again at `retryAt`.
        case full(SystemError)
        /// The open segment is poisoned: a new one takes over at `retryAt`.
        case poisoned(SystemError)
    }

    var settings: LogWriterSettings
    let watermarks: Watermarks
    let world: LogWorld

    private(set) var queue = BatchQueue()
    private(set) var writtenCount = 0
    private(set) var queuedBytes = 0
    private(set) var unsyncedBytes = 0

    private(set) var segment: SegmentWriter
    /// Where the last good sync of the open segment ends; never inside a batch.
    private var durableOffset: Int64
    /// Where its whole batches end, as known under the lock (a running write moves `segment.offset`).
    private var writtenOffset: Int64
    private var syncingOffset: Int64 = 0
    private var isSealed = false
    private(set) var manifest: Manifest
    private var nextNumber: UInt64
    /// Files of failed attempts that a manifest on disk may or may not name.
    private var abandoned: [String] = []

    private(set) var condition = Condition.healthy
    private(set) var retryAt: UInt64 = 0
    private var attempts = 0

    private var writing: WriteJob?
    private var syncing: SyncJob?
    private var zeroing: Range<Int64>?
    private var zeroedEnd: Int64
    private var mayZero = true
    private var isExclusive = false
    private var isProbing = false
    private var probedAt: UInt64 = 0
    private var hasWrittenSinceProbe = true
    /// Somebody waits for this to be durable.
    private var syncRequested = LSN.zero
    private var wasSlowBesideSync = false

    private var lastMilliseconds: Int64
    private var database: Int
    private(set) var isClosing = false
    private(set) var isClosed = false
    private var closeError: SystemError?

    private(set) var figures = LogWriterFigures()
    /// Sealed segments in force: the base, if any, ends where the first begins.
    private var sealed: [SealedSegment]
    /// Segments that a base has superseded, oldest first.
    private var superseded: [SealedSegment]
    /// The base in force, and older ones: that from which the superseded segments go on, and such as the archive
    /// lacks; in LSN order.
    private var base: LogBase?
    private var olderBases: [LogBase]
    private var archive: ArchiveLedger
    /// Where new segments are to begin, in order.
    private var rolls: [LSN] = []
    /// The history in force at the beginning of the open segment.
    private var history: HistoryID
    /// Those that begin later, each at one of `rolls`.
    private var newHistories: [Histories.Span] = []
    /// A base that is to be put in force.
    private var newBase: LogBase?
    /// What the manifest lists once the base that is being put in force is.
    private var filesAfterRebase: Files?
    private var baseOutcome: LogBaseOutcome?
    private var triedBaseSequence: UInt64 = 0

    private static let retryNanosecondsMin: UInt64 = 100_000_000
    private static let retryNanosecondsMax: UInt64 = 1_000_000_000
    private static let probeNanoseconds: UInt64 = 100_000_000
    private static let probeIdleNanoseconds: UInt64 = 1_000_000_000
    /// A sync that takes longer than this makes the command thread stop writing by itself: writes beside
    /// it were seen to block for hundreds of milliseconds, and readers with them.
    private static let stuckNanoseconds: UInt64 = 10_000_000
    /// A sync that takes longer than this counts as delayed, after as long as Redis lets writes wait for one.
    private static let delayedNanoseconds: UInt64 = 2_000_000_000
    private static let slowWriteNanoseconds: UInt64 = 5_000_000
    /// One write job takes at most so many bytes, so that a roll comes near its size.
    private static let writeBytesMax = 8 << 20

    /// Goes on at `start`: the segment is open, exact and durable up to its end.
    init(settings: LogWriterSettings, world: LogWorld, start: LogWriterStart) {
        self.settings = settings
        self.world = world
        segment = start.segment
        durableOffset = start.segment.offset
        writtenOffset = start.segment.offset
        zeroedEnd = start.segment.offset
        manifest = start.manifest
        history = start.history
        nextNumber = start.nextNumber
        lastMilliseconds = start.milliseconds
        database = start.database
        sealed = start.sealed
        superseded = start.superseded
        base = start.base
        olderBases = start.olderBases
        archive = ArchiveLedger(start.archived)
        watermarks = Watermarks(start: start.segment.end)
    }

    var appended: LSN { watermarks.appended }
    var written: LSN { watermarks.written }
    var durable: LSN { watermarks.durable }

    var isFailing: Bool {
        if case .healthy = condition { return false }
        return true
    }

    var lastError: SystemError? {
        switch condition {
        case .healthy: return closeError
        case .full(let error), .poisoned(let error): return error
        }
    }

    // MARK: Taking batches in

    /// Takes all records out of `buffer` as one batch.
    func enqueue(_ buffer: inout LogBuffer, now: UInt64) {
        precondition(!isClosing, "nothing is appended to a log that closes")
        if buffer.isEmpty { return }
        precondition(
            buffer.first == appended, "the buffer begins at \(buffer.first), not at \(appended)")
        // A wall clock that went back must not show in the log.
        lastMilliseconds = max(lastMilliseconds, world.clock.wallMilliseconds)
        let kept = queue.keep(buffer.slice)
        let batch = Batch(
            block: kept.block, range: kept.range, first: buffer.first,
            databaseBefore: buffer.databaseBefore, appendedAt: now,
            milliseconds: lastMilliseconds)
        buffer.taken()
        database = buffer.database
        queue.append(batch)
        queuedBytes += batch.count
        watermarks.advance(appended: batch.end)
    }

    // MARK: Handing work out

    /// Work for the command thread right after `enqueue`: only if it can't wait for another thread and
    /// the disk doesn't look stuck.
    func takeInlineJob(isSyncAllowed: Bool, now: UInt64) -> LogJob? {
        guard case .healthy = condition, queue.count == writtenCount + 1, !isRollDue, rolls.isEmpty
        else { return nil }
        switch settings.policy {
        case .always:
            guard isSyncAllowed, syncing == nil else { return nil }
        case .everysec, .no:
            if let syncing {
                if wasSlowBesideSync { return nil }
                if now > syncing.startedAt, now - syncing.startedAt > Self.stuckNanoseconds {
                    return nil
                }
            }
        }
        return takeBatches()
    }

    /// Work for the WAL thread, or nil until something happens or `nextWriteTime` comes.
    func takeWriteJob(now: UInt64) -> LogJob? {
        if isExclusive || isClosed || writing != nil { return nil }
        switch condition {
        case .poisoned: return now >= retryAt && isQuiet ? takeHeal() : nil
        case .full: return now >= retryAt && isQuiet ? takeBatches() : nil
        case .healthy:
            if isRollDue { return isQuiet ? takeRoll() : nil }
            if rolls.isEmpty, let newBase { return isQuiet ? takeRebase(newBase) : nil }
            if queue.count > writtenCount { return takeBatches() }
            if isClosing, isQuiet { return takeClose() }
            return isRetiring && isQuiet ? takeRetire() : nil
        }
    }

    /// When `takeWriteJob` should be asked again although nothing happened.
    var nextWriteTime: UInt64? {
        switch condition {
        case .healthy: return nil
        case .poisoned, .full: return isQuiet ? retryAt : nil
        }
    }

    /// Work for the sync thread.
    func takeSyncJob(now: UInt64) -> LogJob? {
        if isClosed { return nil }
        if !isProbing, now >= nextProbeTime {
            isProbing = true
            return .probe(ProbeJob())
        }
        if case .poisoned = condition { return nil }
        if isExclusive || isRollDue { return nil }
        if syncing == nil, writing?.syncsAfter != true,
            settings.schedule.decide(facts, now: now) == .syncNow
        {
            return takeSync(now: now)
        }
        return nextZeroRange.map(takeZero)
    }

    /// When `takeSyncJob` should be asked again although nothing happened; `now` or earlier if it
    /// would give work.
    func nextSyncTime(now: UInt64) -> UInt64 {
        if isClosed { return now &+ Self.probeIdleNanoseconds }
        var next = isProbing ? now &+ Self.probeIdleNanoseconds : nextProbeTime
        if case .poisoned = condition { return next }
        if isExclusive || isRollDue { return next }
        if nextZeroRange != nil { return now }
        if syncing == nil, writing?.syncsAfter != true {
            switch settings.schedule.decide(facts, now: now) {
            case .syncNow: next = min(next, now)
            case .wait(let until): next = min(next, until)
            case .idle: break
            }
        }
        return next
    }

    /// Whether the WAL thread should look for work.
    var hasWriteWork: Bool {
        queue.count > writtenCount || isRollDue || isFailing || isClosing || isRetiring
            || newBase != nil
    }

    private var nextProbeTime: UInt64 {
        let pause =
            hasWrittenSinceProbe || isFailing || !world.reserve.growthAllowed
            ? Self.probeNanoseconds : Self.probeIdleNanoseconds
        return probedAt &+ pause
    }

    /// Nothing but the caller uses the open segment.
    private var isQuiet: Bool { writing == nil && syncing == nil && zeroing == nil && !isExclusive }

    private var isRollDue: Bool {
        writtenOffset >= settings.segmentBytesMax || rolls.first == written
    }

    /// How many batches of the queue may go into a segment before the next one must begin.
    ///
    /// - Parameter lsn: borders up to here are kept already.
    private func countBeforeRoll(after lsn: LSN? = nil) -> Int {
        guard let border = rolls.first(where: { lsn == nil || $0 > lsn ?? .zero }) else {
            return queue.count
        }
        var count = queue.count
        while count > 0, queue[count - 1].first >= border { count -= 1 }
        return count
    }

    var facts: SyncSchedule.Facts {
        let oldest = queue.first?.appendedAt
        return SyncSchedule.Facts(
            queuedBytes: queuedBytes, unsyncedBytes: unsyncedBytes, oldestUnsyncedAt: oldest,
            oldestWrittenAt: writtenCount > 0 ? oldest : nil, isSyncRunning: syncing != nil,
            isSyncRequested: durable < syncRequested)
    }

    /// Whether new writes must wait; asked by the command thread each turn.
    func mustHoldWriters(now: UInt64) -> Bool {
        settings.schedule.mustHoldWriters(facts, now: now)
    }

    private func takeBatches() -> LogJob? {
        guard writing == nil, !isExclusive else { return nil }
        let syncs = settings.policy == .always
        if syncs && syncing != nil { return nil }
        var bytes = 0
        var taken = writtenCount
        let room = zeroing.map { Int($0.lowerBound - writtenOffset) } ?? Int.max
        let available = countBeforeRoll()
        while taken < available {
            let size = queue[taken].count + LogFormat.lineBytesMax
            if bytes > 0 && bytes + size > Self.writeBytesMax { break }
            if bytes > 0 && writtenOffset + Int64(bytes) >= settings.segmentBytesMax { break }
            if bytes + size > room { break }
            bytes += size
            taken += 1
        }
        if taken == writtenCount { return nil }
        let job = WriteJob(
            segment: segment, batches: queue.copy(writtenCount..<taken), durable: durable,
            syncsAfter: syncs)
        writing = job
        return .write(job)
    }

    private func takeSync(now: UInt64) -> LogJob {
        wasSlowBesideSync = false
        // `segment.end` may be moving in a running write; what was written counts.
        let job = SyncJob(segment: segment, end: written, startedAt: now)
        syncing = job
        syncingOffset = writtenOffset
        return .sync(job)
    }

    /// The range to zero next. It begins some way ahead of the writing, which goes on meanwhile.
    private var nextZeroRange: Range<Int64>? {
        guard settings.policy == .always, settings.preallocates, mayZero, zeroing == nil,
            writing == nil, case .healthy = condition
        else { return nil }
        let chunk = settings.zeroChunk
        let from = max(zeroedEnd, writtenOffset + chunk / 16)
        guard from - writtenOffset < chunk / 2, from < settings.segmentBytesMax else { return nil }
        return from..<from + chunk
    }

    private func takeZero(_ range: Range<Int64>) -> LogJob {
        zeroing = range
        return .zero(ZeroJob(segment: segment, range: range))
    }

    /// The opening of a segment that begins with `first`, or with what is appended next.
    private func nextOpening(at lsn: LSN, with first: Batch?, heals: Bool) -> SegmentWriter.Opening
    {
        let number = nextNumber
        nextNumber += 1
        let folder = world.folder
        let history = newHistories.last { $0.first <= lsn }?.id ?? history
        return SegmentWriter.Opening(
            number: number,
            name: heals ? folder.healingSegmentName(number) : folder.segmentName(number),
            firstLSN: lsn, history: history,
            milliseconds: first?.milliseconds ?? lastMilliseconds,
            database: first?.databaseBefore ?? database)
    }

    private func takeRoll() -> LogJob {
        isExclusive = true
        // Everything written becomes durable by the sealing, so the new one begins with the first batch
        // that is still queued.
        let pending = queue.count > writtenCount ? queue[writtenCount] : nil
        let opening = nextOpening(at: written, with: pending, heals: false)
        var next = manifest
        next.durable = written
        next.addSegment(opening)
        return .roll(RollJob(old: segment, opening: opening, manifest: next))
    }

    private func takeHeal() -> LogJob {
        isExclusive = true
        let opening = nextOpening(at: durable, with: queue.first, heals: true)
        // What belongs behind a roll stays queued, unless the roll is made right here.
        let count = countBeforeRoll(after: durable)
        var next = manifest
        next.durable = durable
        next.endSegment(segment.name, atByte: durableOffset)
        next.addSegment(opening)
        return .heal(
            HealJob(
                old: segment, oldDurableOffset: isSealed ? nil : durableOffset, opening: opening,
                batches: queue.copy(0..<count), manifest: next, abandoned: abandoned))
    }

    private func takeClose() -> LogJob {
        isExclusive = true
        var next = manifest
        next.durable = written
        return .close(CloseJob(segment: segment, manifest: next))
    }

    // MARK: Taking outcomes in

    /// Takes in what a job did. Returns whether anything changed that the command thread waits for.
    @discardableResult
    func finish(_ job: LogJob) -> Bool {
        defer { checkInvariants() }
        switch job {
        case .write(let job): finish(job)
        case .sync(let job): finish(job)
        case .zero(let job): finish(job)
        case .roll(let job): finish(job)
        case .heal(let job): finish(job)
        case .rebase(let job): finish(job)
        case .retire(let job): finish(job)
        case .close(let job): finish(job)
        case .probe: return finishProbe()
        }
        return true
    }

    private func finish(_ job: WriteJob) {
        writing = nil
        hasWrittenSinceProbe = true
        figures.writeMicroseconds.record((job.writtenAt &- job.startedAt) / 1_000)
        if job.isWritten {
            writtenOffset = segment.offset
            zeroedEnd = max(zeroedEnd, writtenOffset)
            markWritten(job.batches.count)
            if syncing != nil, job.writtenAt &- job.startedAt > Self.slowWriteNanoseconds {
                wasSlowBesideSync = true
            }
        }
        if job.isSynced {
            figures.syncMicroseconds.record((job.finishedAt &- job.writtenAt) / 1_000)
            durableOffset = writtenOffset
            markDurable(segment.end)
        }
        if let error = job.error {
            fail(error, mayRetryInPlace: !job.isWritten && error.meansDiskFull)
        } else if case .full = condition {
            heal()
        }
    }

    private func finish(_ job: SyncJob) {
        let offset = syncingOffset
        syncing = nil
        wasSlowBesideSync = false
        figures.syncMicroseconds.record((job.finishedAt &- job.startedAt) / 1_000)
        if job.finishedAt &- job.startedAt > Self.delayedNanoseconds { figures.delayedSyncs += 1 }
        if let error = job.error {
            fail(error, mayRetryInPlace: false)
            return
        }
        durableOffset = offset
        markDurable(job.end)
    }

    private func finish(_ job: ZeroJob) {
        zeroing = nil
        guard let error = job.error else {
            zeroedEnd = job.range.upperBound
            return
        }
        mayZero = false
        // Part of the range may be zeroed; the sealing cuts it off. A full disk only ends the zeroing.
        if !error.meansDiskFull { fail(error, mayRetryInPlace: false) }
    }

    private func finish(_ job: RollJob) {
        isExclusive = false
        if job.isOldSealed {
            durableOffset = writtenOffset
            markDurable(segment.end)
            isSealed = true
        }
        if let made = job.segment {
            take(made, job.opening, manifest: job.manifest)
        } else if let error = job.error {
            if job.isSwitchUnknown { abandoned.append(job.opening.name) }
            // The manifest may or may not name the new one, so the old one must not grow: heal.
            fail(error, mayRetryInPlace: false)
        }
    }

    private func finish(_ job: HealJob) {
        isExclusive = false
        guard let made = job.segment else {
            if job.isSwitchUnknown { abandoned.append(job.opening.name) }
            if let error = job.error { fail(error, mayRetryInPlace: false) }
            return
        }
        abandoned = []
        writtenCount = 0
        queuedBytes = 0
        unsyncedBytes = 0
        for index in 0..<queue.count { queuedBytes += queue[index].count }
        take(made, job.opening, manifest: job.manifest)
        markWritten(job.batches.count)
        markDurable(made.end)
        heal()
        figures.heals += 1
    }

    private func finish(_ job: CloseJob) {
        isExclusive = false
        if job.isSealed {
            durableOffset = writtenOffset
            isSealed = true
            markDurable(segment.end)
        }
        if let error = job.error {
            if job.isSealed {
                // All records are durable and exact; only the note of it in the manifest is missing.
                closeError = error
                isClosed = true
            } else {
                fail(error, mayRetryInPlace: false)
            }
        } else {
            manifest = job.manifest
            isClosed = true
        }
    }

    private func finishProbe() -> Bool {
        isProbing = false
        if !hasWrittenSinceProbe { queue.trim() }
        hasWrittenSinceProbe = false
        probedAt = world.now()
        let before = figures.growthWasAllowed
        figures.growthWasAllowed = world.reserve.growthAllowed
        return before != figures.growthWasAllowed
    }

    private func take(
        _ made: SegmentWriter, _ opening: SegmentWriter.Opening, manifest next: Manifest
    ) {
        sealed.append(
            SealedSegment(
                name: segment.name, sequence: segment.number, firstLSN: segment.firstLSN,
                end: made.firstLSN, bytes: durableOffset, milliseconds: lastMilliseconds))
        history = opening.history
        let begun = newHistories.last { $0.first <= made.firstLSN }
        newHistories.removeAll { $0.first <= made.firstLSN }
        if let begun, begun.id != history {
            // It was begun while this segment was being made: it needs another, at the same LSN.
            newHistories.insert(begun, at: 0)
            rolls.removeAll { $0 < made.firstLSN }
        } else {
            rolls.removeAll { $0 <= made.firstLSN }
        }
        segment = made
        manifest = next
        writtenOffset = made.offset
        durableOffset = made.offset
        zeroedEnd = made.offset
        mayZero = true
        isSealed = false
        figures.segmentsMade += 1
    }

    private func markWritten(_ count: Int) {
        for index in writtenCount..<writtenCount + count {
            queuedBytes -= queue[index].count
            unsyncedBytes += queue[index].count
        }
        writtenCount += count
        if writtenCount > 0 { watermarks.advance(written: queue[writtenCount - 1].end) }
    }

    private func markDurable(_ end: LSN) {
        let before = durable
        guard end > before else { return }
        watermarks.advance(durable: end)
        let dropped = queue.drop(upTo: end)
        writtenCount -= dropped
        unsyncedBytes -= Int(end.value - before.value)
    }

    private func fail(_ error: SystemError, mayRetryInPlace: Bool) {
        figures.failures += 1
        if case .poisoned = condition {
            condition = .poisoned(error)
        } else {
            condition = mayRetryInPlace ? .full(error) : .poisoned(error)
        }
        let pause = min(
            Self.retryNanosecondsMax, Self.retryNanosecondsMin << UInt64(min(attempts, 4)))
        // The first attempt to heal comes at once.
        retryAt = attempts == 0 && !mayRetryInPlace ? world.now() : world.now() &+ pause
        attempts += 1
    }

    private func heal() {
        condition = .healthy
        attempts = 0
    }

    // MARK: Requests

    /// Asks for a sync of all that is appended by now; `durable` tells when it has come.
    func requestSync() { syncRequested = appended }

    func beginClosing() { isClosing = true }

    // MARK: Bases

    /// Sees to it that a segment begins at the end of what is appended by now, which it returns: where a base
    /// can take the place of all before.
    func rollHere() -> LSN {
        if segment.firstLSN != appended || !rolls.isEmpty { roll(at: appended) }
        return appended
    }

    /// Sees to it that what is appended from now on stands in a segment of `id`.
    ///
    /// - Returns: where that history begins.
    func beginHistory(_ id: HistoryID) -> LSN {
        roll(at: appended)
        newHistories.append(Histories.Span(id, from: appended))
        return appended
    }

    private func roll(at lsn: LSN) {
        if rolls.last != lsn { rolls.append(lsn) }
    }

    /// Puts `base`, whose file is durable in the folder, in force. It must stand for an LSN that `rollHere`
    /// returned.
    func install(_ base: LogBase) {
        newBase = base
        triedBaseSequence = base.sequence
        baseOutcome = nil
    }

    /// How the last `install` ended, once.
    func takeBaseOutcome() -> LogBaseOutcome? {
        defer { baseOutcome = nil }
        return baseOutcome
    }

    /// The number for the next base's name.
    ///
    /// Never one that was tried before: that file may still have to be removed.
    var nextBaseSequence: UInt64 {
        max(base?.sequence ?? 0, olderBases.map(\.sequence).max() ?? 0, triedBaseSequence) + 1
    }

    private func takeRebase(_ base: LogBase) -> LogJob {
        precondition(
            base.lsn <= durable && segment.firstLSN >= base.lsn
                && !sealed.contains { $0.firstLSN < base.lsn && base.lsn < $0.end },
            "a base at LSN \(base.lsn), where no segment begins")
        isExclusive = true
        let files = files(after: base)
        filesAfterRebase = files
        return .rebase(
            RebaseJob(
                base: base, manifest: manifest(of: files), names: names(droppedBy: files)))
    }

    private func finish(_ job: RebaseJob) {
        isExclusive = false
        newBase = nil
        if let error = job.error {
            baseOutcome = .failed(job.base, error)
            // Which manifest is in force is unknown: go on in a new segment under a manifest of its own,
            // and only then drop the base.
            abandoned.append(job.base.name)
            fail(error, mayRetryInPlace: false)
            return
        }
        // What is kept may depend on time, and on what the archive has got meanwhile.
        if let files = filesAfterRebase { take(files, manifest: job.manifest) }
        baseOutcome = .installed(job.base)
    }

    // MARK: Retention

    /// What the manifest lists besides the open segment.
    private struct Files {
        var base: LogBase?
        var olderBases: [LogBase]
        var superseded: ArraySlice<SealedSegment>
        var sealed: [SealedSegment]
    }

    private func files(after newBase: LogBase?) -> Files {
        var history = superseded
        var inForce = sealed
        if let newBase {
            history += sealed.filter { $0.end <= newBase.lsn }
            inForce.removeAll { $0.end <= newBase.lsn }
        }
        let retention = Retention(
            bytesMax: settings.retainBytes, millisecondsMax: settings.retainMilliseconds,
            floor: replicaFloor, replicaBytesMax: settings.retainReplicaBytes)
        var kept = retention.kept(history, now: world.clock.wallMilliseconds)
        if isArchiving, let first = history.firstIndex(where: { !archive.has($0) }),
            first < kept.startIndex
        {
            kept = history[first...]
        }
        let older = olderBases + (newBase == nil ? [] : [base].compactMap { $0 })
        // Of the older bases one is of use: the oldest from which the kept segments lead on.
        let useful = older.first { older in
            kept.first.map { $0.firstLSN <= older.lsn } ?? false
        }
        return Files(
            base: newBase ?? base,
            olderBases: older.filter { $0 == useful || isArchiving && !archive.has($0) },
            superseded: kept, sealed: inForce)
    }

    private func manifest(of files: Files) -> Manifest {
        var next = manifest
        next.durable = durable
        let old = Dictionary(manifest.lines.map { ($0.name, $0) }) { first, _ in first }
        var lines: [Manifest.Line] = []
        if let base = files.base {
            var line = old[base.name] ?? base.line
            if line.history == next.history { line.history = nil }
            lines.append(line)
        }
        for older in files.olderBases {
            var line = old[older.name] ?? older.line
            line.type = .history
            lines.append(line)
        }
        for segment in files.superseded {
            var line =
                old[segment.name]
                ?? Manifest.Line(
                    name: segment.name, sequence: segment.sequence, type: .history,
                    firstLSN: segment.firstLSN)
            line.type = .history
            lines.append(line)
        }
        let gone = Set(manifest.lines.map(\.name)).subtracting(files.sealed.map(\.name))
            .subtracting([segment.name])
        lines += manifest.lines.filter { $0.type == .incremental && !gone.contains($0.name) }
        next.lines = lines
        return next
    }

    /// The files that are listed now and not any more by `files`.
    private func names(droppedBy files: Files) -> [String] {
        var kept = Set(files.superseded.map(\.name) + files.sealed.map(\.name))
        kept.insert(segment.name)
        if let base = files.base { kept.insert(base.name) }
        for older in files.olderBases { kept.insert(older.name) }
        return manifest.lines.map(\.name).filter { !kept.contains($0) }
    }

    private func take(_ files: Files, manifest next: Manifest) {
        base = files.base
        olderBases = files.olderBases
        superseded = Array(files.superseded)
        sealed = files.sealed
        manifest = next
    }

    private var isRetiring = false
    /// The lowest LSN that a connected replica may still ask for.
    var replicaFloor: LSN?

    /// The base in force if it `isWanted`, with the stream from its LSN on held for a replica as `replicaFloor` holds
    /// it. Nil as well while another base takes its place, since its segments may be on their way out.
    func holdBase(if isWanted: (LogBase) -> Bool) -> LogBase? {
        guard let base, newBase == nil, extent(at: base.lsn) != nil, isWanted(base) else {
            return nil
        }
        replicaFloor = min(replicaFloor ?? base.lsn, base.lsn)
        return base
    }

    /// The file that holds the stream at `lsn` and from which it goes on without a gap in files of ours; nil if
    /// there is none.
    func extent(at lsn: LSN) -> LogExtent? {
        func extent(_ name: String, _ first: LSN, _ end: LSN?) -> LogExtent {
            LogExtent(path: world.folder.path(of: name), first: first, end: end)
        }
        if lsn >= segment.firstLSN { return extent(segment.name, segment.firstLSN, nil) }
        var due = segment.firstLSN
        for file in (superseded + sealed).reversed() {
            if file.isPlain || file.end != due { return nil }
            if lsn >= file.firstLSN { return extent(file.name, file.firstLSN, file.end) }
            due = file.firstLSN
        }
        return nil
    }

    /// Lets go of superseded segments that the retention settings no longer keep; now and then.
    func retire() {
        guard manifest.lines.contains(where: { $0.type == .history }) else { return }
        isRetiring = !names(droppedBy: files(after: nil)).isEmpty
    }

    private func takeRetire() -> LogJob {
        isExclusive = true
        let files = files(after: nil)
        return .retire(
            RetireJob(manifest: manifest(of: files), names: names(droppedBy: files)))
    }

    private func finish(_ job: RetireJob) {
        isExclusive = false
        isRetiring = false
        if let error = job.error {
            // Which manifest is in force is unknown: go on in a new segment under a manifest of its own.
            fail(error, mayRetryInPlace: false)
            return
        }
        let dropped = Set(job.names)
        superseded.removeAll { dropped.contains($0.name) }
        olderBases.removeAll { dropped.contains($0.name) }
        manifest = job.manifest
    }

    // MARK: Archive

    private var isArchiving: Bool { !settings.archiveCommand.isEmpty }

    private var bases: [LogBase] { olderBases + [base].compactMap { $0 } }

    private var archiveManifest: Manifest? {
        archive.manifest(of: manifest, base: base, sealed: sealed)
    }

    /// The file that the archive gets next, or the manifest of what it has.
    func archiveOrder() -> LogArchiver.Order? {
        guard isArchiving else { return nil }
        let task = archive.next(
            segments: superseded + sealed, bases: bases, manifest: archiveManifest)
        return task.map {
            .init(task: $0, command: settings.archiveCommand, mark: archive.mark.after($0))
        }
    }

    /// Takes in what became of an order: nil, or why it failed.
    func finishArchiving(_ task: ArchiveTask, failure: String?) {
        figures.archiveError = failure
        guard failure == nil else {
            figures.archiveFailures += 1
            return
        }
        archive.note(task)
        switch task {
        case .segment(let name, _), .base(let name, _): figures.archivedName = name
        case .manifest: break
        }
    }

    // MARK: Figures

    func report(now: UInt64) -> LogWriterReport {
        var report = LogWriterReport()
        report.appended = appended
        report.written = written
        report.durable = durable
        report.queuedBytes = queuedBytes
        report.unsyncedBytes = queuedBytes + unsyncedBytes
        if let oldest = queue.first?.appendedAt, now > oldest {
            report.unsyncedMilliseconds = Int((now - oldest) / 1_000_000)
        }
        report.isSyncRunning = syncing != nil
        report.isFailing = isFailing
        report.lastError = lastError
        report.growthAllowed = world.reserve.growthAllowed
        report.baseBytes = base?.bytes ?? 0
        report.currentBytes = sealed.reduce(report.baseBytes + writtenOffset) { $0 + $1.bytes }
        report.retainedBytes = superseded.reduce(0) { $0 + $1.bytes }
        report.firstLSN = superseded.first?.firstLSN ?? sealed.first?.firstLSN ?? segment.firstLSN
        report.segment = segment.number
        report.segmentCount = sealed.count + 1
        if isArchiving {
            report.archivePending = archive.pending(
                segments: superseded + sealed, bases: bases, manifest: archiveManifest)
        }
        report.figures = figures
        return report
    }

    // MARK: Invariants

    private func checkInvariants() {
        precondition(
            writtenCount >= 0 && writtenCount <= queue.count && queuedBytes >= 0
                && unsyncedBytes >= 0, "the log writer's counts don't agree")
        precondition(
            UInt64(queuedBytes + unsyncedBytes) == appended.value - durable.value,
            "\(queuedBytes) + \(unsyncedBytes) bytes held for \(durable)..<\(appended)")
        assert(queue.first.map { $0.first == durable } ?? (durable == appended))
    }
}
