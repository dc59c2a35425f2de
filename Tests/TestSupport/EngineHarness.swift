public import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
public import Store

/// The engine without a server: keyspace, log buffer and dispatcher behind a function that takes a command's
/// words and gives its reply. Commands go through the decoder, so that what is logged verbatim is what a
/// client sent.
public final class EngineHarness {
    private var dispatcher: Dispatcher
    private var decoder = CommandDecoder()
    private var batch = CommandBatch()
    private let families: [[CommandSpec]]
    private let databases: Int

    /// What commands take for the time, in Unix ms.
    public var now: Int64 = 1_700_000_000_000
    /// The database that commands run in.
    public var database = 0

    /// - Parameters:
    ///   - families: rows of commands on data. DEL, UNLINK, PEXPIREAT and PERSIST are added in a plain form if
    ///     missing, since other commands' effects use them.
    public init(
        _ families: [[CommandSpec]], databases: Int = 16, seed: UInt64 = 1,
        limits: EngineLimits = EngineLimits()
    ) {
        self.families = families
        self.databases = databases
        let names = Set(families.joined().map(\.name))
        let standIns = StandInCommands.table.filter { !names.contains($0.name) }
        let context = CommandContext(
            keyspace: Keyspace(databases: databases, seed: seed), log: LogBuffer(start: .zero),
            seed: seed)
        dispatcher = Dispatcher(
            table: CommandTable(families: families + [standIns]), context: context)
        dispatcher.context.limits = limits
    }

    public var limits: EngineLimits {
        get { dispatcher.context.limits }
        set { dispatcher.context.limits = newValue }
    }

    public var statistics: EngineStatistics { dispatcher.context.statistics }

    // MARK: Running

    /// Runs one command as a unit of its own and gives the reply's bytes.
    public func runRaw(_ words: [[UInt8]], version: Int = 2) -> [UInt8] {
        dispatcher.beginUnit(at: now)
        let reply = runInUnit(words, version: version)
        dispatcher.endUnit()
        return reply
    }

    @discardableResult
    public func run(_ words: [[UInt8]], version: Int = 2) -> Reply {
        parsed(runRaw(words, version: version))
    }

    @discardableResult
    public func run(_ words: [String], version: Int = 2) -> Reply {
        run(words.map { Array($0.utf8) }, version: version)
    }

    @discardableResult
    public func run(_ words: String..., version: Int = 2) -> Reply { run(words, version: version) }

    /// Runs several commands as one unit, as EXEC does.
    public func transaction(_ commands: [[String]], version: Int = 2) -> [Reply] {
        dispatcher.beginUnit(at: now)
        defer { dispatcher.endUnit() }
        return commands.map { words in
            parsed(runInUnit(words.map { Array($0.utf8) }, version: version))
        }
    }

    /// Deletes what is due at `now`, as the server does between commands.
    @discardableResult
    public func expireDue(limit: Int = .max) -> Int { dispatcher.expireDue(at: now, limit: limit) }

    private func parsed(_ bytes: [UInt8]) -> Reply {
        do throws(ReplyParser.Malformed) {
            let replies = try ReplyParser.all(bytes)
            guard replies.count == 1 else { return .error("\(replies.count) replies") }
            return replies[0]
        } catch { return .error(error.description) }
    }

    private func runInUnit(_ words: [[UInt8]], version: Int) -> [UInt8] {
        dispatcher.context.reply.version = version
        dispatcher.context.database = database
        dispatcher.context.keyspace.accessNow = AccessClock.now(
            milliseconds: now, dispatcher.context.limits)
        let request = Request.encode(words)
        request.withSlice { input in
            do throws(ProtocolError) {
                let used = try decoder.decode(input, into: &batch, limits: RESPLimits())
                precondition(used == input.count && batch.count == 1, "not one whole command")
            } catch { preconditionFailure("refused by the decoder: \(error.reason)") }
            dispatcher.prepare(&batch, database: database)
            runDecoded()
            batch.removeAll()
        }
        defer { dispatcher.context.reply.buffer.removeAll() }
        return dispatcher.context.reply.buffer.copyToArray()
    }

    private func runDecoded() {
        let command = batch[0]
        let arguments = batch.arguments(of: 0)
        var row = Int(command.row)
        guard row >= 0 else {
            dispatcher.context.reply.error("ERR unknown command '\(arguments[0].text)'")
            return
        }
        if dispatcher.table.facts(at: row).hasSubcommands, arguments.count > 1 {
            row = dispatcher.table.lookup(arguments[1], in: row) ?? row
        }
        let spec = dispatcher.table.spec(at: row)
        guard spec.handler.isData else {
            dispatcher.context.reply.error("ERR unknown subcommand of '\(spec.name)'")
            return
        }
        guard spec.accepts(wordCount: arguments.count) else {
            dispatcher.context.reply.error(.wrongArity(spec.name))
            return
        }
        dispatcher.run(
            row: row, arguments, keyHash: command.keyHash, canonical: command.canonical)
    }

    // MARK: The log

    /// The records logged so far, as they would stand in a segment.
    public var loggedBytes: [UInt8] { dispatcher.context.log.slice.copyToArray() }
    public var loggedCount: Int { dispatcher.context.log.count }

    /// The records logged since the log was `start` bytes long, as words.
    public func records(since start: Int = 0) -> [[String]] {
        Self.words(Array(loggedBytes[start...])).map { words in
            words.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// What running the commands logs, as words.
    public func effects(of commands: [String]...) -> [[String]] {
        let start = loggedCount
        for words in commands { run(words) }
        return records(since: start)
    }

    /// The records logged since `start`, as words.
    public func recordBytes(since start: Int) -> [[[UInt8]]] {
        Self.words(Array(loggedBytes[start...]))
    }

    private static func words(_ bytes: [UInt8]) -> [[[UInt8]]] {
        guard let replies = try? ReplyParser.all(bytes) else { return [] }
        return replies.map { $0.items?.compactMap(\.bytes) ?? [] }
    }

    public struct ReplayFailure: Error, CustomStringConvertible {
        public let description: String
    }

    /// A second engine that was fed with this one's log.
    public func replayed(at now: Int64? = nil) throws(ReplayFailure) -> EngineHarness {
        let twin = EngineHarness(families, databases: databases, seed: 2, limits: limits)
        twin.now = now ?? self.now
        try twin.replay(loggedBytes)
        return twin
    }

    /// Applies records of a log.
    public func replay(_ bytes: [UInt8]) throws(ReplayFailure) {
        dispatcher.context.database = 0
        for words in Self.words(bytes) {
            let name = String(decoding: words[0], as: UTF8.self).uppercased()
            if name == "MULTI" || name == "EXEC" { continue }
            if name == "SELECT" {
                let number = Int(String(decoding: words[1], as: UTF8.self))
                dispatcher.context.database = number ?? 0
                continue
            }
            batch.appendCommand(words)
            let arguments = batch.arguments(of: 0)
            let row = dispatcher.table.lookup(arguments[0]) ?? -1
            let succeeded = dispatcher.replay(row: row, arguments, keyHash: 0, at: now) == .applied
            batch.removeAll()
            guard succeeded else {
                throw ReplayFailure(description: "refused at replay: \(Request.shown(words))")
            }
        }
    }

    // MARK: State

    /// One key as far as clients could ever tell.
    public struct KeyState: Equatable, Sendable, CustomStringConvertible {
        public var type: String
        public var encoding: String
        public var deadline: Int64?
        /// A string's bytes; of any other value the digest.
        public var value: [UInt8]

        public var description: String {
            "\(type)/\(encoding) \(Reply.quoted(value))" + (deadline.map { " until \($0)" } ?? "")
        }
    }

    /// All keys of a database, expired or not.
    public func state(of database: Int = 0) -> [[UInt8]: KeyState] {
        var result: [[UInt8]: KeyState] = [:]
        dispatcher.context.keyspace.forEach(database) { entry in
            result[entry.key.copyToArray()] = KeyState(
                type: "\(entry.type.name)", encoding: "\(entry.encoding.name)",
                deadline: entry.deadline,
                value: entry.isString
                    ? entry.withBytes { $0.copyToArray() }
                    : Array(DataDigest.ofValue(entry).hex.utf8))
        }
        return result
    }

    /// The bytes of all nodes of a stream in the database in use.
    public func streamNodes(_ name: String) -> [[UInt8]] {
        var nodes: [[UInt8]] = []
        dispatcher.context.keyspace.forEach(database) { entry in
            guard entry.key.text == name, entry.type == .stream else { return }
            entry.root(StreamValue.self).forEachNode { nodes.append($1.copyToArray()) }
        }
        return nodes
    }

    /// Walks all data and stops the process at the first thing that does not agree.
    public func checkInvariants() { dispatcher.context.keyspace.checkInvariants() }

    /// All data as it is now; to be dropped before `thaw` is called with its epoch.
    public func freeze() -> FrozenView { dispatcher.context.keyspace.freeze() }

    public func thaw(_ epoch: UInt32) { dispatcher.context.keyspace.thaw(epoch) }

    /// What DEBUG DIGEST would show.
    public var digest: String { dispatcher.context.keyspace.digest().hex }

    public func key(_ name: String) -> KeyState? { state(of: database)[Array(name.utf8)] }

    /// All databases that hold keys.
    public var state: [Int: [[UInt8]: KeyState]] {
        var result: [Int: [[UInt8]: KeyState]] = [:]
        for database in 0..<databases {
            let keys = state(of: database)
            if !keys.isEmpty { result[database] = keys }
        }
        return result
    }

    /// Where two states differ, as lines for a message; empty if they don't.
    public static func differences(
        _ left: [Int: [[UInt8]: KeyState]], _ right: [Int: [[UInt8]: KeyState]]
    ) -> [String] {
        var lines: [String] = []
        for database in Set(left.keys).union(right.keys).sorted() {
            let mine = left[database] ?? [:]
            let other = right[database] ?? [:]
            for key in Set(mine.keys).union(other.keys) where mine[key] != other[key] {
                func shown(_ state: KeyState?) -> String { state?.description ?? "nothing" }
                lines.append(
                    "\(database):\(Reply.quoted(key)): \(shown(mine[key])) ≠ \(shown(other[key]))")
            }
        }
        return lines.sorted()
    }
}

/// Plain forms of the commands that other commands' effects use.
private enum StandInCommands {
    @Sendable
    static func del(_ context: inout CommandContext) throws(CommandError) {
        var removed = 0
        for index in 1..<context.arguments.count {
            let key = context.key(at: index)
            if context.lookupForWrite(key) != nil, context.keyspace.remove(key, context.database) {
                removed += 1
            }
        }
        context.reply.integer(removed)
    }

    @Sendable
    static func pexpireat(_ context: inout CommandContext) throws(CommandError) {
        let deadline = try context.integer(at: 2)
        let key = context.key(at: 1)
        let exists = context.lookupForWrite(key) != nil
        if exists { context.keyspace.setDeadline(key, context.database, to: deadline) }
        context.reply.integer(exists ? 1 : 0)
    }

    @Sendable
    static func persist(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let hasDeadline = context.lookupForWrite(key)?.hasDeadline ?? false
        if hasDeadline { context.keyspace.setDeadline(key, context.database, to: nil) }
        context.reply.integer(hasDeadline ? 1 : 0)
    }

    static let table: [CommandSpec] = [
        CommandSpec("del", -2, [.write], .generic, keys: [.from(1, .rm, [.delete])], .data(del)),
        CommandSpec("unlink", -2, [.write], .generic, keys: [.from(1, .rm, [.delete])], .data(del)),
        CommandSpec(
            "pexpireat", -3, [.write], .generic, keys: [.first(.rw, [.update])], .data(pexpireat)),
        CommandSpec(
            "persist", 2, [.write], .generic, keys: [.first(.rw, [.update])], .data(persist)),
    ]
}
