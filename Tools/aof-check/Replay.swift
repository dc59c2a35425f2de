internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import RDBCheck
internal import ToolKit

/// `aof-check replay`: sends the base and the commands behind it to a running server, and reads what it says to them.
final class Replay {
    private let tour: Tour
    private let range: LogRange
    private let connection: ServerConnection
    /// Which database the server is in; -1 for unknown.
    private var database = 0
    /// A MULTI was sent, and its EXEC wasn't yet.
    private var isInTransaction = false
    private var sent = 0
    private var baseKeys: UInt64 = 0
    private var leftOut: [String] = []
    private var problem: (any Error)?

    private static let partBytes: Int64 = 256 << 10

    init(
        _ arguments: ParsedArguments, _ target: LogTarget, _ console: Console,
        _ disk: any FileSystem, now: Int64
    ) throws {
        guard let address = arguments.value("to") else {
            throw UsageError("say with --to HOST:PORT where to send")
        }
        range = try LogRange(arguments, now: now)
        var tour = Tour(target: target, console: console, disk: disk)
        tour.limits.argumentsMax = 1
        self.tour = tour
        connection = try ServerConnection(address) { console.mayGoOn }
        if let path = arguments.value("password") {
            let text = try disk.readWhole(path, bytesMax: 4096)
            let password = text.prefix { $0 != 0x0a && $0 != 0x0d }
            try connection.send(words: [Array("AUTH".utf8), Array(password)])
        }
    }

    func run() throws -> ExitCode {
        let inspection = tour.run(
            "sending", range: range,
            visit: { record, _ in
                guard self.range.contains(lsn: record.lsn.value) else { return }
                try self.sending { try self.send(record) }
            }, visitBase: { base in try self.sending { try self.send(base) } })
        if let problem { throw problem }
        try connection.finish()
        report()
        let code = tour.end(inspection, failure: nil)
        let isWhole = connection.errorCount == 0 && leftOut.isEmpty
        return code == .sound && !isWhole ? .damaged : code
    }

    private func sending(_ body: () throws -> Void) throws {
        do { try body() } catch let error as Interrupted { throw error } catch {
            problem = error
            throw EnoughRead()
        }
    }

    // MARK: Sending

    /// The data that a log begins with, unless a place behind it was asked for.
    private func send(_ base: Base) throws {
        guard range.isFromTheBeginning else { return }
        var failure: (any Error)?
        func trying(_ body: () throws -> Void) {
            guard failure == nil else { return }
            do { try body() } catch { failure = error }
        }
        do throws(WalkFailure) {
            let (keys, leftOut) = try base.content.sendCommands(
                command: { trying { try self.connection.beginCommand() } },
                write: { part in trying { try self.connection.send(part) } },
                goOn: { _ in failure == nil && self.tour.console.mayGoOn })
            baseKeys += keys
            self.leftOut += leftOut
        } catch {
            if let failure { throw failure }
            switch error {
            case .read(let error): throw error
            case .system(let error): throw error
            case .usage(let error): throw error
            case .interrupted, .wrapping: throw Interrupted()
            }
        }
        if let failure { throw failure }
        database = -1
    }

    private func send(_ record: RecordGlance) throws {
        let name = record.arguments.first?.kept ?? ByteSlice()
        if record.isInTransaction {
            if name.equalsIgnoringCase("multi") {
                try select(record.database)
                isInTransaction = true
            }
            // Half a transaction is none: it began before the range does.
            guard isInTransaction else { return }
            if name.equalsIgnoringCase("exec") { isInTransaction = false }
        } else {
            try select(record.database)
        }
        try connection.beginCommand()
        if let place = record.place {
            try send(place.range, of: place.file)
        } else {
            try connection.send(record.bytes)
        }
        sent += 1
    }

    private func select(_ number: Int) throws {
        if number == database { return }
        database = number
        try connection.send(words: [Array("SELECT".utf8), Array(String(number).utf8)])
    }

    /// Sends a command that was too long to hold.
    private func send(_ range: Range<Int64>, of file: any File) throws {
        var offset = range.lowerBound
        while offset < range.upperBound {
            if !tour.console.mayGoOn { throw Interrupted() }
            var part = ByteBuffer()
            let wanted = Int(min(Self.partBytes, range.upperBound - offset))
            let got = try file.readAll(at: offset, count: wanted, into: &part)
            if got < wanted { throw SystemError(call: "read", path: file.path, errno: 5) }
            try connection.send(part.slice)
            offset += Int64(got)
        }
    }

    // MARK: Reporting

    private func report() {
        let console = tour.console
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("base_keys", baseKeys)
            json.value("sent", sent)
            json.value("errors", connection.errorCount)
            json.beginArray("left_out")
            for line in leftOut { json.value(nil, line) }
            json.endArray()
            json.endObject()
            json.endDocument()
            return
        }
        if baseKeys > 0 { console.say("\(Quantities.count(baseKeys)) keys of the base sent") }
        console.say(
            "\(Quantities.count(sent)) commands sent, \(Quantities.count(connection.errorCount)) "
                + "errors answered")
        for error in connection.firstErrors { console.say("  \(error)") }
        for line in leftOut.prefix(20) { console.say("  left out: \(line)") }
        if leftOut.count > 20 { console.say("  left out: \(leftOut.count - 20) more") }
    }
}
