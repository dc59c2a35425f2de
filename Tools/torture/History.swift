internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import TestSupport

/// What a run has judged.
struct Tally {
    /// Crash states whose recovery was judged: the figure that counts.
    var states = 0
    var powerCuts = 0
    var kills = 0
    var cleanStops = 0
    var cutRecoveries = 0
    var tornTails = 0
    var heals = 0
    var rolls = 0
    var rewrites = 0
}

/// A promise that the log didn't keep.
struct BrokenInvariant: Error, CustomStringConvertible {
    let description: String
}

/// One seed's history: some lives of a server on one disk, each ended by a crash or a clean stop.
///
/// A life is: recover, open, then random turns, job steps in any interleaving, faults, time. The judge
/// knows every byte ever appended and every watermark that was shown, and asks of each recovery:
///
/// - I1 it succeeds: no crash of ours may look like corruption;
/// - I2 what it gives is an exact prefix of what was appended, and ends where a batch ends;
/// - I3 nothing below a durable watermark that was shown is missing (after a process kill: nothing below a
///   written one; after a clean stop: nothing at all);
/// - I4 it is idempotent: a second one, also after another power cut, gives the same, and an
///   inspection before says the same;
/// - I5 a power cut inside a recovery costs nothing;
/// - I6 each byte is of the history in which it was appended, and a base of the one that it was made in.
struct History {
    private var random: PRNG
    private let disk: SimDisk
    private let clock = SimClock()
    private let folder = LogFolder(directory: "data")
    private let say: ((String) -> Void)?
    private var settings = LogWriterSettings()

    /// Every byte of the stream; what a recovery dropped is dropped here.
    private var stream: [UInt8] = []
    /// Where batches end.
    private var borders: Set<Int> = [0]
    /// The least that must survive.
    private var floor = 0
    /// The least that must survive another power cut before a recovery has succeeded.
    private var durableFloor = 0
    private var isFirst = true
    /// Which history each byte was appended in: each begins at its LSN.
    private var owners: [Histories.Span] = []
    private var historyCount: UInt64 = 0
    private var baseHistories: [String: HistoryID] = [:]
    /// The base that is being made in this life.
    private var rewrite = Rewrite.none

    private enum Rewrite {
        case none
        /// To be written, for this LSN, in this history.
        case due(LSN, HistoryID)
        /// The writer has been asked to put it in force.
        case installing
    }

    init(seed: UInt64, say: ((String) -> Void)?) {
        random = PRNG(seed: seed)
        disk = SimDisk(seed: random.next())
        disk.installFolder("data")
        self.say = say
        if let say { disk.setTrace { say("    " + $0) } }
    }

    mutating func run(_ tally: inout Tally) throws {
        drawSettings()
        let lives = random.within(2...10)
        for life in 1...lives {
            say?("life \(life): stream \(stream.count), floor \(floor), \(settings.policy)")
            try live(&tally)
            if random.oneIn(4) { drawSettings() }
        }
    }

    private mutating func drawSettings() {
        settings.policy = [.always, .everysec, .no][random.below(3)]
        settings.segmentBytesMax = Int64([300, 1_000, 3_000, 20_000][random.below(4)])
        settings.preallocates = random.oneIn(2)
        settings.unsyncedBytesMax = [500, 5_000, 1 << 20][random.below(3)]
        settings.unsyncedMillisecondsMax = [10, 1_000][random.below(2)]
        settings.reserveBytes = random.oneIn(4) ? 10_000 : 0
        settings.retainBytes = Int64([0, 0, 700, 5_000, 1 << 20][random.below(5)])
        settings.retainMilliseconds = random.oneIn(3) ? Int64(random.below(2_000)) : 0
    }

    // MARK: A life

    private mutating func live(_ tally: inout Tally) throws {
        var log = try recover(&tally)
        if !log.isFresh, random.oneIn(2) {
            let id = newHistory()
            log.beginHistory(id)
            begin(id, at: log.end)
        }
        defer { log.lock?.close() }
        let mustOpen = !random.oneIn(4)
        if !mustOpen { drawDisaster() }
        let writer: SteppedLogWriter
        do {
            writer = try SteppedLogWriter(
                log, in: folder, settings: settings, fileSystem: disk, clock: clock)
        } catch {
            if mustOpen { throw BrokenInvariant(description: "the writer can't open: \(error)") }
            say?("didn't open: \(error)")
            crash(&tally, kills: random.oneIn(3))
            return
        }
        if mustOpen && !random.oneIn(6) { drawDisaster() }
        let pageDrops = disk.pageDrops
        rewrite = .none
        work(writer, from: log, &tally)
        let report = writer.report()
        tally.heals += report.figures.heals
        tally.rolls += report.figures.segmentsMade
        if !disk.isOff && random.oneIn(10) && closes(writer) {
            floor = stream.count
            durableFloor = floor
            tally.cleanStops += 1
            say?("clean stop at \(stream.count)")
            crash(&tally, kills: random.oneIn(2))
        } else {
            let kills = !disk.isOff && random.oneIn(4)
            durableFloor = Int(writer.watermarks.durable.value)
            // Nobody can read back what the kernel dropped after a failed sync.
            let keepsWritten = kills && disk.pageDrops == pageDrops
            floor = keepsWritten ? Int(writer.watermarks.written.value) : durableFloor
            crash(&tally, kills: kills)
        }
    }

    /// Draws what goes wrong in this life.
    private mutating func drawDisaster() {
        switch random.below(8) {
        case 0: disk.setFaultRate([50, 300, 2_000][random.below(3)])
        case 1:
            for _ in 0..<random.within(1...3) {
                disk.fail(call: disk.calls + random.within(1...40), fault())
            }
        case 2: disk.setQuota(random.within(4_000...30_000))
        default: break
        }
        if !random.oneIn(5) {
            disk.powerFails(atCall: disk.calls + random.within(1...random.within(2...80)))
        }
    }

    private mutating func fault() -> SimFault {
        switch random.below(4) {
        case 0: .short
        case 1: .error(ENOSPC)
        default: .error(EIO)
        }
    }

    private mutating func work(
        _ writer: SteppedLogWriter, from log: RecoveredLog, _ tally: inout Tally
    ) {
        var buffer = LogBuffer(start: log.end, database: log.database)
        for _ in 0..<random.within(1...60) {
            if disk.isOff { return }
            switch random.below(13) {
            case 12: goOnRewriting(writer, &tally)
            case 0...3:
                if writer.shouldHoldWriters { continue }
                fill(&buffer)
                buffer.slice.withSpan { span in
                    for index in 0..<span.byteCount {
                        stream.append(unsafe span.unsafeLoad(fromByteOffset: index, as: UInt8.self))
                    }
                }
                borders.insert(stream.count)
                writer.submit(&buffer, inlineAllowed: random.oneIn(2))
            case 4: _ = writer.takeWrite()
            case 5: _ = writer.takeSync()
            case 6...9:
                if writer.stepCount > 0 {
                    writer.advance(step: random.below(writer.stepCount))
                } else {
                    _ = writer.takeWrite() || writer.takeSync()
                }
            case 10:
                passTime()
                if random.oneIn(4) {
                    let id = newHistory()
                    begin(id, at: writer.beginHistory(id))
                }
            default: meddle(writer)
            }
        }
    }

    /// One step of a rewrite: the roll, the base's file, the switch.
    private mutating func goOnRewriting(_ writer: SteppedLogWriter, _ tally: inout Tally) {
        switch rewrite {
        case .none:
            if random.oneIn(4) { return writer.retire() }
            rewrite = .due(writer.rollHere(), owners.last?.id ?? Self.firstHistory)
        case .due(let lsn, let history):
            let name = folder.baseName(writer.nextBaseSequence)
            let content = Self.baseMagic + stream[..<Int(lsn.value)]
            do {
                try write(content, to: name)
                say?("base \(name) for LSN \(lsn)")
                writer.install(
                    LogBase(
                        name: name, sequence: writer.nextBaseSequence, lsn: lsn,
                        bytes: Int64(content.count), history: history))
                baseHistories[name] = history
                rewrite = .installing
            } catch {
                rewrite = .none
            }
        case .installing:
            guard let outcome = writer.takeBaseOutcome() else { return }
            if case .installed = outcome { tally.rewrites += 1 }
            rewrite = .none
        }
    }

    private static let firstHistory = HistoryID(1, 2, 3)

    private mutating func newHistory() -> HistoryID {
        historyCount += 1
        return HistoryID(historyCount, 0, 0)
    }

    private mutating func begin(_ id: HistoryID, at lsn: LSN) {
        say?("history \(id) at \(lsn)")
        owners.append(Histories.Span(id, from: lsn))
    }

    /// The history in which the byte at `lsn` was appended.
    private func owner(of lsn: LSN) -> HistoryID {
        owners.last { $0.first <= lsn }?.id ?? Self.firstHistory
    }

    /// What stands for an RDB header here; the stream up to the base's LSN follows.
    private static let baseMagic = Array("REDIS0011".utf8)

    /// As a snapshot writer does it: nothing has the name before it is whole and durable.
    private func write(_ content: [UInt8], to name: String) throws {
        let temporary = folder.path(of: "temp-" + name)
        let file = try disk.open(temporary, .createOrTruncate)
        defer { file.close() }
        try content.withSlice { try file.writeAll($0, at: 0) }
        try file.sync()
        try disk.rename(temporary, to: folder.path(of: name))
        try disk.syncFolder(folder.path)
    }

    private mutating func passTime() {
        clock.advance(milliseconds: random.within(1...600))
        if random.oneIn(20) {
            clock.jumpWall(to: 1_600_000_000_000 + Int64(random.below(1 << 40)))
        }
    }

    private mutating func meddle(_ writer: SteppedLogWriter) {
        switch random.below(8) {
        case 0: writer.syncNow()
        case 1:
            writer.settings.policy = [.always, .everysec, .no][random.below(3)]
            settings.policy = writer.settings.policy
        case 2: disk.setFaultRate(0)
        case 3: disk.setQuota(nil)
        case 4: disk.fail(call: disk.calls + random.within(1...6), fault())
        case 5:
            // As the threads would do it when nothing disturbs them.
            var rounds = 0
            while rounds < 20, writer.stepCount > 0 || writer.takeWrite() || writer.takeSync() {
                if writer.stepCount > 0 { writer.advance(step: 0) }
                rounds += 1
            }
        case 6:
            settings.archiveCommand = random.oneIn(4) ? "" : "archive"
            writer.settings.archiveCommand = settings.archiveCommand
        case 7: for _ in 0..<random.within(1...3) { _ = writer.archiveNext() }
        default: break
        }
    }

    private mutating func closes(_ writer: SteppedLogWriter) -> Bool {
        disk.clearFaults()
        disk.setFaultRate(0)
        disk.setQuota(nil)
        disk.powerFails(atCall: nil)
        writer.beginClosing()
        for _ in 0..<40 {
            writer.settle()
            if writer.isClosed { return writer.lastError == nil }
            clock.advance(milliseconds: 500)
        }
        return false
    }

    // MARK: Records

    private mutating func fill(_ buffer: inout LogBuffer) {
        for _ in 0..<random.within(1...3) {
            let database = random.oneIn(4) ? random.below(20) : buffer.database
            buffer.beginUnit()
            for _ in 0..<(random.oneIn(3) ? random.within(0...4) : 1) {
                buffer.beginRecord(database: database, argumentCount: 3)
                buffer.append(argument: "SET")
                buffer.append(decimal: Int64(random.below(1_000)))
                value().withSlice { buffer.append(argument: $0) }
            }
            buffer.endUnit()
        }
    }

    /// Among the values are such as look like the log's own lines, old batches and preallocated room.
    private mutating func value() -> [UInt8] {
        switch random.below(16) {
        case 0: return [UInt8](repeating: 0, count: random.below(1_500))
        case 1: return Array("\r\n#HFB \(stream.count) 31 1 0 00000000\r\n*1\r\n".utf8)
        case 2:
            if stream.isEmpty { return [] }
            let start = random.below(stream.count)
            return Array(stream[start..<min(stream.count, start + random.below(600))])
        case 3:
            return (0..<random.below(2_500)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        default: return Array("value:\(random.below(1_000_000))".utf8)
        }
    }

    // MARK: Crashes

    private mutating func crash(_ tally: inout Tally, kills: Bool) {
        if kills && !disk.isOff {
            say?("killed at call \(disk.calls), floor \(floor)")
            tally.kills += 1
            disk.processKill()
        } else {
            say?("power cut at call \(disk.calls), floor \(floor)")
            tally.powerCuts += 1
            disk.powerCut()
        }
        disk.setQuota(nil)
    }

    // MARK: The judge

    private mutating func recover(_ tally: inout Tally) throws -> RecoveredLog {
        // A power cut inside of the recovery, perhaps several times.
        while random.oneIn(4) {
            disk.powerFails(atCall: disk.calls + random.within(1...12))
            var isCut = false
            do {
                let log = try read(inspects: false).log
                log.lock?.close()
            } catch {
                if !disk.isOff { throw error }
                isCut = true
            }
            if !isCut { break }
            say?("power cut inside the recovery")
            tally.cutRecoveries += 1
            disk.powerCut()
            floor = durableFloor
        }
        disk.powerFails(atCall: nil)
        let inspected = random.oneIn(4) ? try read(inspects: true) : nil
        let (log, bytes) = try read(inspects: false)
        tally.states += 1
        if log.cut != nil { tally.tornTails += 1 }
        try judge(log, bytes)
        if let inspected, inspected.log.end != log.end || inspected.bytes != bytes {
            throw BrokenInvariant(
                description: "I4: an inspection ends at \(inspected.log.end), not at \(log.end)")
        }
        if random.oneIn(4) {
            log.lock?.close()
            if random.oneIn(2) { disk.powerCut() } else { disk.processKill() }
            let again = try read(inspects: false)
            tally.states += 1
            guard again.bytes == bytes, again.log.end == log.end,
                again.log.database == log.database, again.log.cut == nil
            else {
                throw BrokenInvariant(
                    description: "I4: a second recovery ends at \(again.log.end), not \(log.end)")
            }
            return again.log
        }
        return log
    }

    private func read(inspects: Bool) throws -> (log: RecoveredLog, bytes: [UInt8]) {
        let recovery = RecoverySettings(folder: folder, freshHistory: Self.firstHistory)
        var bytes: [UInt8] = []
        var next = LSN.zero
        var milliseconds: Int64 = 0
        func take(_ batch: RecordBatch) throws {
            guard batch.firstLSN == next, batch.milliseconds >= milliseconds else {
                throw BrokenInvariant(description: "I2: a batch of \(batch.firstLSN) after \(next)")
            }
            bytes += batch.records.copyToArray()
            next = batch.firstLSN.advanced(by: batch.records.count)
            milliseconds = batch.milliseconds
        }
        func load(_ snapshot: LogSnapshot) throws -> Int64? {
            guard let lsn = snapshot.lsn, next == .zero else {
                throw BrokenInvariant(description: "I2: a base without LSN, or not the first file")
            }
            var content = ByteBuffer()
            let size = Self.baseMagic.count + Int(lsn.value)
            guard try snapshot.file.readAll(at: 0, count: size, into: &content) == size else {
                throw RecordFault(offset: content.count, reason: "the base is cut off")
            }
            if let made = snapshot.path.split(separator: "/").last.flatMap({
                baseHistories[String($0)]
            }), snapshot.history != made {
                throw BrokenInvariant(description: "I6: a base of another history")
            }
            bytes = content.slice.dropFirst(Self.baseMagic.count).copyToArray()
            next = lsn
            return Int64(size)
        }
        let log =
            inspects
            ? try LogReader.inspect(recovery, on: disk, apply: take, snapshot: load)
            : try LogReader.recover(recovery, on: disk, apply: take, snapshot: load)
        return (log, bytes)
    }

    private mutating func judge(_ log: RecoveredLog, _ bytes: [UInt8]) throws {
        func broken(_ text: String) -> BrokenInvariant { BrokenInvariant(description: text) }
        let end = Int(log.end.value)
        guard end == bytes.count else { throw broken("I2: \(bytes.count) bytes up to LSN \(end)") }
        guard end <= stream.count, bytes[...] == stream[..<end] else {
            throw broken("I2: \(end) bytes that aren't a prefix of the \(stream.count) appended")
        }
        guard borders.contains(end) else { throw broken("I2: ends inside a batch, at \(end)") }
        guard end >= floor else {
            throw broken("I3: ends at \(end), but \(floor) was acknowledged")
        }
        let spans = log.histories.spans
        for (index, span) in spans.enumerated() {
            let last = index + 1 < spans.count ? spans[index + 1].first : log.end
            guard last > span.first else { continue }
            let inside = owners.contains { $0.first > span.first && $0.first < last }
            guard owner(of: span.first) == span.id, !inside else {
                throw broken(
                    "I6: bytes \(span.first)..<\(last) are not of \(span.id); known \(spans), begun \(owners)"
                )
            }
        }
        owners.removeAll { $0.first >= log.end }
        if owner(of: log.end) != log.history { begin(log.history, at: log.end) }
        stream.removeLast(stream.count - end)
        borders = borders.filter { $0 <= end }
        floor = end
        durableFloor = end
    }
}
