internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// `aof-check points`: what the log can be cut to, minute by minute, and what one might want to cut away.
final class Points {
    private let tour: Tour
    private let range: LogRange
    private let json: JSONWriter?
    private var minute: Int64?
    private var first = LSN.zero
    private var commands = 0
    private var bytes: Int64 = 0
    private var removals: [String] = []

    private static let manyKeys = 100

    init(
        _ arguments: ParsedArguments, _ target: LogTarget, _ console: Console,
        _ disk: any FileSystem, now: Int64
    ) throws(UsageError) {
        range = try LogRange(arguments, now: now)
        var tour = Tour(target: target, console: console, disk: disk)
        tour.limits.argumentsMax = 2
        tour.limits.argumentBytesMax = 64
        self.tour = tour
        json = console.wantsJSON ? JSONWriter(console.output) : nil
    }

    func run() -> ExitCode {
        json?.beginArray()
        if json == nil { tour.console.say("TIME                      LSN") }
        let inspection = tour.run("reading", range: range) { record, milliseconds in
            self.see(record, milliseconds)
        }
        endMinute()
        if case .recovered(let log) = inspection.outcome {
            if let json {
                json.beginObject()
                json.value("kind", "end")
                json.value("ms", log.lastMilliseconds)
                json.value("lsn", log.end.value)
                json.endObject()
            } else {
                tour.console.say("\(time(log.lastMilliseconds))  \(log.end)  end of the log")
            }
        }
        json?.endArray()
        json?.endDocument()
        return tour.end(inspection, failure: nil)
    }

    private func see(_ record: RecordGlance, _ milliseconds: Int64) {
        let current = milliseconds / 60_000
        if current != minute {
            endMinute()
            minute = current
            first = record.lsn
        }
        commands += 1
        bytes += record.byteCount
        if let name = removal(record) {
            if let json {
                json.beginObject()
                json.value("kind", "removal")
                json.value("ms", milliseconds)
                json.value("lsn", record.lsn.value)
                json.value("command", name)
                json.value("arguments", record.argumentCount - 1)
                json.endObject()
            } else {
                let target = shellWord(tour.target.path)
                // Below the line of their minute, and not without end.
                guard removals.count < 1000 else { return }
                removals.append(
                    "\(time(milliseconds))  \(record.lsn)  \(name), database \(record.database); "
                        + "all before it: aof-check cut --to-lsn \(record.lsn) -o DIR \(target)")
            }
        }
    }

    /// The name of a command that removes much.
    private func removal(_ record: RecordGlance) -> String? {
        guard let name = record.arguments.first?.kept, name.count >= 3, name.count <= 8 else {
            return nil
        }
        if name.equalsIgnoringCase("flushall") { return "FLUSHALL" }
        if name.equalsIgnoringCase("flushdb") { return "FLUSHDB" }
        if name.equalsIgnoringCase("swapdb") { return "SWAPDB" }
        let keys = record.argumentCount - 1
        guard keys >= Self.manyKeys else { return nil }
        if name.equalsIgnoringCase("del") { return "DEL of \(keys) keys" }
        if name.equalsIgnoringCase("unlink") { return "UNLINK of \(keys) keys" }
        return nil
    }

    private func endMinute() {
        guard let minute, commands > 0 else { return }
        if let json {
            json.beginObject()
            json.value("kind", "minute")
            json.value("ms", minute * 60_000)
            json.value("lsn", first.value)
            json.value("commands", commands)
            json.value("bytes", bytes)
            json.endObject()
        } else {
            tour.console.say(
                "\(time(minute * 60_000))  \(first)  \(Quantities.count(commands)) commands, "
                    + Quantities.bytes(bytes))
        }
        for line in removals { tour.console.say(line) }
        removals = []
        self.minute = nil
        commands = 0
        bytes = 0
    }

    private func time(_ milliseconds: Int64) -> String {
        milliseconds > 0 ? Moments.text(milliseconds) : "no time                 "
    }
}
