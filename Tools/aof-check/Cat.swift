internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// `aof-check cat`: the commands, one a line.
final class Cat {
    private let tour: Tour
    private let filter: CommandFilter
    private let escape: KeyText
    private let width: Int
    private let tail: Int?
    private let follows: Bool
    private var kept: [String] = []
    private var keptHead = 0
    private var keptBytes = 0
    private var failure: UsageError?

    /// What `--tail` keeps at most, whatever N is.
    private static let keptBytesMax = 16 << 20

    init(
        _ arguments: ParsedArguments, _ target: LogTarget, _ console: Console,
        _ disk: any FileSystem, now: Int64
    ) throws(UsageError) {
        func number(_ option: String, _ bounds: ClosedRange<Int>) throws(UsageError) -> Int? {
            guard let text = arguments.value(option) else { return nil }
            guard let number = Int(text), bounds.contains(number) else {
                throw UsageError(
                    "--\(option) wants a number from \(bounds.lowerBound) to \(bounds.upperBound), "
                        + "not \(text)")
            }
            return number
        }
        filter = try CommandFilter(arguments, now: now)
        escape = KeyText(arguments)
        width = try number("width", 1...65_536) ?? 128
        tail = try number("tail", 0...10_000_000)
        follows = arguments.has("follow")
        var tour = Tour(target: target, console: console, disk: disk)
        // A key is looked at whole as far as it is reasonable.
        tour.limits.argumentBytesMax = max(width, 1024)
        self.tour = tour
    }

    func run() throws -> ExitCode {
        let inspection = tour.run("reading", range: filter.range) { record, milliseconds in
            try self.show(record, milliseconds)
        }
        for index in 0..<(kept.count - keptHead) { tour.console.say(kept[keptHead + index]) }
        kept = []
        keptHead = 0
        if follows, failure == nil, case .recovered(let log) = inspection.outcome {
            return try follow(log)
        }
        return tour.end(inspection, failure: failure)
    }

    private func show(_ record: RecordGlance, _ milliseconds: Int64) throws {
        do throws(UsageError) {
            guard try filter.accepts(record) else { return }
        } catch {
            failure = error
            throw EnoughRead()
        }
        let line = tour.console.wantsJSON ? json(record, milliseconds) : text(record, milliseconds)
        guard let tail else { return tour.console.say(line) }
        if tail == 0 { return }
        kept.append(line)
        keptBytes += line.utf8.count
        while kept.count - keptHead > tail || keptBytes > Self.keptBytesMax, keptHead < kept.count {
            keptBytes -= kept[keptHead].utf8.count
            kept[keptHead] = ""
            keptHead += 1
        }
        if keptHead > 1024 && keptHead > kept.count / 2 {
            kept.removeFirst(keptHead)
            keptHead = 0
        }
    }

    private func text(_ record: RecordGlance, _ milliseconds: Int64) -> String {
        let time = milliseconds > 0 ? Moments.text(milliseconds) : "-"
        var line = "\(time) \(record.lsn) [\(record.database)]"
        if record.isInTransaction { line += " |" }
        for argument in record.arguments {
            line += " " + escape.text(argument.kept.prefix(width))
            if argument.count > Int64(width) { line += "... (\(argument.count) bytes)" }
        }
        if record.argumentCount > record.arguments.count {
            line += " ... (\(record.argumentCount) arguments)"
        }
        return line
    }

    private func json(_ record: RecordGlance, _ milliseconds: Int64) -> String {
        let output = Output.kept()
        let json = JSONWriter(output, isCompact: true)
        json.beginObject()
        json.value("ms", milliseconds)
        json.value("lsn", record.lsn.value)
        json.value("db", record.database)
        json.value("transaction", record.isInTransaction)
        json.beginArray("command")
        for argument in record.arguments { json.value(nil, bytes: argument.kept.prefix(width)) }
        json.endArray()
        let isCut =
            record.argumentCount > record.arguments.count
            || record.arguments.contains { $0.count > Int64(width) }
        json.value("cut", isCut)
        json.endObject()
        return output.keptText
    }

    // MARK: - Following

    private func follow(_ log: RecoveredLog) throws -> ExitCode {
        guard case .folder(let folder) = tour.target else {
            throw UsageError("--follow wants a folder or a manifest")
        }
        var follower = LogFollower(folder, after: log)
        while tour.console.mayGoOn {
            tour.console.output.flush()
            let isAtEnd = try follower.poll(on: tour.disk) { batch in
                try batch.forEachRecord(tour.limits) { record in
                    try self.show(record, batch.milliseconds)
                }
            }
            if let failure {
                tour.console.complain("\(failure)")
                return .usage
            }
            for line in kept[keptHead...] { tour.console.say(line) }
            kept = []
            keptHead = 0
            keptBytes = 0
            if isAtEnd { tour.console.rest(milliseconds: 100) }
        }
        return tour.console.isInterrupted ? .interrupted : .sound
    }
}
