internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Snapshot
internal import Store

/// MIGRATE: values go to another server as RESTOREs, and what that has confirmed is deleted here.
///
/// As in Redis everybody waits meanwhile, at most the given time for each step: no command may change a value
/// between its leaving and its deletion. Only the deletion is logged, after the confirmation, so a crash in
/// between leaves the key on both servers and never on none.
enum MigrateCommand {
    @Sendable
    static func migrate(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let request = try Request(arguments)
        // Time stands still for a unit, so a key that is there now doesn't expire before it is deleted.
        let opensUnit = !state.dispatcher.context.log.isUnitOpen
        if opensUnit { state.dispatcher.beginUnit(at: state.now) }
        defer { if opensUnit { state.dispatcher.endUnit() } }
        let keys = request.keys.filter { index in
            let key = state.dispatcher.context.keyspace.hashed(arguments[index])
            return state.dispatcher.context.lookup(key) != nil
        }
        if keys.isEmpty { return state.reply.simple("NOKEY") }

        let outcome: Dialogue.Outcome
        do throws(Dialogue.Failure) {
            outcome = try state.move(keys, of: arguments, request)
        } catch {
            throw .text(error.text)
        }
        if !request.copies, !outcome.confirmed.isEmpty {
            state.delete(outcome.confirmed, of: arguments)
        }
        if let failure = outcome.failure { throw .text(failure.text) }
        if let error = outcome.error {
            throw .bytes(Array("ERR Target instance replied with error: ".utf8) + error)
        }
        state.reply.ok()
    }

    /// What the words ask for.
    fileprivate struct Request {
        let target: MigrationLinks.Target
        let database: Int64
        let milliseconds: Int64
        var copies = false
        var replaces = false
        var user: Int?
        var password: Int?
        /// Where the keys are among the words.
        var keys = 3..<4

        init(_ arguments: Arguments) throws(CommandError) {
            var index = 6
            while index < arguments.count {
                let word = arguments[index]
                let left = arguments.count - index - 1
                if word.equalsIgnoringCase("copy") {
                    copies = true
                } else if word.equalsIgnoringCase("replace") {
                    replaces = true
                } else if word.equalsIgnoringCase("auth"), left >= 1 {
                    user = nil
                    password = index + 1
                    index += 1
                } else if word.equalsIgnoringCase("auth2"), left >= 2 {
                    user = index + 1
                    password = index + 2
                    index += 2
                } else if word.equalsIgnoringCase("keys") {
                    guard arguments[3].isEmpty else {
                        throw .text(
                            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
                        )
                    }
                    keys = index + 1..<arguments.count
                    break
                } else {
                    throw .syntax
                }
                index += 1
            }
            guard let timeout = DecimalText.parse(arguments[5]),
                let database = DecimalText.parse(arguments[4])
            else { throw .notAnInteger }
            self.database = database
            milliseconds = timeout > 0 ? timeout : 1000
            // A port that is none is one where nobody listens.
            let port = DecimalText.parse(arguments[2]).flatMap { UInt16(exactly: $0) } ?? 0
            target = MigrationLinks.Target(host: arguments[1].text, port: port)
        }
    }

    /// Where passwords are among the words.
    static func secretWords(_ arguments: Arguments) -> Set<Int> {
        var words: Set<Int> = []
        var index = 6
        while index < arguments.count, !arguments[index].equalsIgnoringCase("keys") {
            let count =
                arguments[index].equalsIgnoringCase("auth")
                ? 1 : arguments[index].equalsIgnoringCase("auth2") ? 2 : 0
            for secret in 0..<count { words.insert(index + 1 + secret) }
            index += 1 + count
        }
        return words.filter { $0 < arguments.count }
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "migrate", -6, [.write], .generic,
            keys: [
                .at(3, .rw, [.access, .delete]),
                .after("KEYS", from: -2, to: -1, .rw, [.access, .delete, .incomplete]),
            ], tips: [.nondeterministicOutput], acl: [.keyspace, .dangerous], migrate)
    }
}

/// What is said to the target, and what it answers.
private struct Dialogue: ~Copyable {
    enum Failure: Error {
        case connecting
        case writing
        case reading

        var text: StaticString {
            switch self {
            case .connecting: "IOERR error or timeout connecting to the client"
            case .writing: "IOERR error or timeout writing to target instance"
            case .reading: "IOERR error or timeout reading to target instance"
            }
        }
    }

    struct Outcome {
        /// Keys that the target has, by their place among the words.
        var confirmed: [Int] = []
        /// The first error that the target answered, without its minus sign.
        var error: [UInt8]?
        /// The connection broke when some answers had been read.
        var failure: Failure?
    }

    /// Redis reads as much of a line.
    static let lineBytesMax = 1023
    static let chunkBytes = 64 << 10

    let link: MigrationLink
    let milliseconds: Int64
    private var output = ByteBuffer()

    init(_ link: MigrationLink, milliseconds: Int64) {
        self.link = link
        self.milliseconds = milliseconds
    }

    mutating func begin(_ name: StaticString, count: Int) {
        output.append(UInt8(ascii: "*"))
        output.append(decimal: Int64(count))
        output.append("\r\n")
        add(ByteSlice(name))
    }

    mutating func add(_ word: ByteSlice) {
        output.append(UInt8(ascii: "$"))
        output.append(decimal: Int64(word.count))
        output.append("\r\n")
        output.append(word)
        output.append("\r\n")
    }

    mutating func add(decimal: Int64) {
        var text = ByteBuffer()
        text.append(decimal: decimal)
        add(text.slice)
        extendLifetime(text)
    }

    /// Sends what has been said, in parts of which each may take the whole time.
    mutating func send() throws(TimedConnection.Failure) {
        var rest = output.slice
        while !rest.isEmpty {
            let part = rest.prefix(Self.chunkBytes)
            try link.connection.write(part, milliseconds: milliseconds)
            rest = rest.dropFirst(part.count)
        }
        output.removeAll()
    }

    mutating func sendIfMuch() throws(TimedConnection.Failure) {
        if output.count >= Self.chunkBytes { try send() }
    }

    /// One answer: the text of an error, or nil.
    func readError() throws(TimedConnection.Failure) -> [UInt8]? {
        let line = try link.connection.readLine(
            bytesMax: Self.lineBytesMax, milliseconds: milliseconds)
        guard line.first == UInt8(ascii: "-") else { return nil }
        return Array(line.dropFirst())
    }
}

extension ServerState {
    /// Has the target restore the keys.
    ///
    /// It isn't uncommon that the target has closed a connection that rested, so a first attempt that breaks
    /// before any answer is made again over a new one, unless it took its whole time.
    fileprivate mutating func move(
        _ keys: [Int], of arguments: Arguments, _ request: MigrateCommand.Request
    ) throws(Dialogue.Failure) -> Dialogue.Outcome {
        do throws(Attempt) {
            return try attempt(keys, of: arguments, request)
        } catch {
            migrations.close(request.target)
            guard error.mayBeRepeated else { throw error.failure }
        }
        do throws(Attempt) {
            return try attempt(keys, of: arguments, request)
        } catch {
            migrations.close(request.target)
            throw error.failure
        }
    }

    private struct Attempt: Error {
        var failure: Dialogue.Failure
        var mayBeRepeated: Bool
    }

    private mutating func attempt(
        _ keys: [Int], of arguments: Arguments, _ request: MigrateCommand.Request
    ) throws(Attempt) -> Dialogue.Outcome {
        let link: MigrationLink
        do throws(TimedConnection.Failure) {
            link = try migrations.link(
                to: request.target, milliseconds: request.milliseconds, at: monotonicSeconds)
        } catch {
            // Redis notices at its first write that nobody takes the connection.
            throw Attempt(
                failure: error == .unknownHost ? .connecting : .writing, mayBeRepeated: false)
        }
        var dialogue = Dialogue(link, milliseconds: request.milliseconds)
        let selects = link.database != request.database
        // Until the target has confirmed it, what is selected there is unknown.
        link.database = nil
        do throws(TimedConnection.Failure) {
            try send(keys, of: arguments, request, selects: selects, &dialogue)
        } catch { throw Attempt(failure: .writing, mayBeRepeated: error != .timedOut) }

        var outcome = Dialogue.Outcome()
        var answers = 0
        do throws(TimedConnection.Failure) {
            var opening: [UInt8]?
            if request.password != nil { opening = try dialogue.readError() }
            if selects, let error = try dialogue.readError() { opening = opening ?? error }
            for key in keys {
                let error = try dialogue.readError()
                answers += 1
                if let error = opening ?? error {
                    outcome.error = outcome.error ?? error
                } else {
                    outcome.confirmed.append(key)
                }
            }
        } catch {
            guard answers > 0 else {
                throw Attempt(failure: .reading, mayBeRepeated: error != .timedOut)
            }
            migrations.close(request.target)
            if outcome.error == nil { outcome.failure = .reading }
            return outcome
        }
        if outcome.error == nil { link.database = request.database }
        return outcome
    }

    private func send(
        _ keys: [Int], of arguments: Arguments, _ request: MigrateCommand.Request, selects: Bool,
        _ dialogue: inout Dialogue
    ) throws(TimedConnection.Failure) {
        if let password = request.password {
            dialogue.begin("AUTH", count: request.user == nil ? 2 : 3)
            if let user = request.user { dialogue.add(arguments[user]) }
            dialogue.add(arguments[password])
        }
        if selects {
            dialogue.begin("SELECT", count: 2)
            dialogue.add(decimal: request.database)
        }
        var payload = ByteBuffer()
        for index in keys {
            let key = dispatcher.context.keyspace.hashed(arguments[index])
            guard let entry = dispatcher.context.keyspace.find(key, dispatcher.context.database)
            else { preconditionFailure("a key has gone while it was migrated") }
            payload.removeAll()
            DumpPayload.append(
                entry, version: dispatcher.context.limits.payloadVersion,
                compresses: dispatcher.context.limits.compressesPayloads, to: &payload)
            dialogue.begin("RESTORE", count: request.replaces ? 5 : 4)
            dialogue.add(arguments[index])
            dialogue.add(
                decimal: entry.deadline.map { max($0 - dispatcher.context.now, 1) } ?? 0)
            dialogue.add(payload.slice)
            if request.replaces { dialogue.add(ByteSlice("REPLACE")) }
            try dialogue.sendIfMuch()
        }
        try dialogue.send()
    }

    /// Runs a DEL of keys that the target has; it is what the log gets of MIGRATE.
    fileprivate mutating func delete(_ keys: [Int], of arguments: Arguments) {
        // By its own name, whatever it has been renamed to.
        let row = (0..<dispatcher.table.count).first { dispatcher.table.spec(at: $0).name == "del" }
        guard let row else { preconditionFailure("there is no DEL") }
        var batch = CommandBatch()
        batch.appendCommand([Array("DEL".utf8)] + keys.map { arguments[$0].copyToArray() })
        let mark = reply.buffer.count
        dispatcher.run(row: row, batch.arguments(of: 0), keyHash: 0, canonical: ByteSlice())
        reply.buffer.truncate(to: mark)
    }
}
