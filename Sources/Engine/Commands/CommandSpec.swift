/// The row of a command: the only place that knows its name, arity, flags and keys.
///
/// A family lists its rows at the foot of its file, one a line, and `CommandTable` joins the families.
/// COMMAND, ACL categories, key extraction and the fuzz vocabulary read the rows; a test compares them
/// with the fact sheet `Tests/Goldens/commands.tsv`.
///
/// ```swift
/// CommandSpec("append", 3, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.insert])], .data(append)),
/// ```
public struct CommandSpec: Sendable {
    /// Lower case; a subcommand carries its container's name: `config|get`.
    public let name: String
    /// How many words the command takes with its name: exactly `arity`, or at least `-arity`.
    public let arity: Int
    public let flags: CommandFlags
    public let group: CommandGroup
    /// Flags, group and the row's explicit categories taken together.
    public let categories: ACLCategories
    public let keys: [KeySpec]
    public let tips: [CommandTip]
    public let handler: CommandHandler
    /// Empty unless the command is a container.
    public let subcommands: [CommandSpec]
    /// What COMMAND shows of the keys when they are one plain range.
    public let legacyKeys: LegacyKeyRange
    /// For the few commands whose key specifications don't tell everything.
    let searchByHand: KeySearchByHand?

    /// - Parameters:
    ///   - acl: categories in place of the one that the group stands for; flags add theirs either way.
    ///   - flags: without `movableKeys`, which follows from `keys`.
    public init(
        _ name: String, _ arity: Int, _ flags: CommandFlags, _ group: CommandGroup,
        keys: [KeySpec] = [], tips: [CommandTip] = [], acl: ACLCategories? = nil,
        _ handler: CommandHandler, subcommands: [CommandSpec] = []
    ) {
        let legacy = KeySpec.legacyRange(keys)
        let isContainer = !subcommands.isEmpty
        self.name = name
        self.arity = arity
        self.flags = legacy.isComplete ? flags : flags.union(.movableKeys)
        self.group = group
        let explicit = acl ?? (isContainer ? [] : group.category)
        self.categories = explicit.union(.implied(by: flags, isScripting: group == .scripting))
        self.keys = keys
        self.tips = tips
        self.handler = handler
        self.subcommands = subcommands
        self.legacyKeys = legacy
        self.searchByHand = KeySearchByHand(commandName: name)
    }

    /// The last part of the name: `get` of `config|get`.
    public var shortName: Substring {
        // Over bytes: over characters it would be most of what a start does.
        name.utf8.lastIndex(of: UInt8(ascii: "|")).map { name[name.utf8.index(after: $0)...] }
            ?? name[...]
    }

    /// The container's name: `config` of `config|get`; nil for a command of its own.
    public var containerName: Substring? {
        name.utf8.firstIndex(of: UInt8(ascii: "|")).map { name[..<$0] }
    }

    /// Whether `count` words, with the command's name, are as many as it takes.
    public func accepts(wordCount count: Int) -> Bool {
        arity >= 0 ? count == arity : count >= -arity
    }
}

/// What runs a command.
public enum CommandHandler: Sendable {
    /// Works on the keyspace and reaches nothing else.
    case data(DataHandler)
    /// Works on the session or the server: an index into the front end's own table of functions.
    case session(Int)
    /// Has subcommands and does nothing by itself.
    case container
    /// Known to the table so that it stays complete, but not built yet: answers as an unknown command.
    case toCome

    /// A front end's command, by a case of the front end's own enumeration.
    public static func session(_ command: some RawRepresentable<Int>) -> CommandHandler {
        .session(command.rawValue)
    }

    public var isData: Bool {
        if case .data = self { return true }
        return false
    }

    public var isToCome: Bool {
        if case .toCome = self { return true }
        return false
    }
}

/// A command on the keyspace: reads its arguments from the context, writes its reply and its effects there.
public typealias DataHandler = @Sendable (inout CommandContext) throws(CommandError) -> Void

/// What the dispatcher has to know about a command, with the names that COMMAND shows.
///
/// The bits stand in the order in which COMMAND lists them; those from `mayReplicate` on stay hidden.
public struct CommandFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let write = CommandFlags(rawValue: 1 << 0)
    public static let readonly = CommandFlags(rawValue: 1 << 1)
    public static let denyOOM = CommandFlags(rawValue: 1 << 2)
    public static let module = CommandFlags(rawValue: 1 << 3)
    public static let admin = CommandFlags(rawValue: 1 << 4)
    public static let pubsub = CommandFlags(rawValue: 1 << 5)
    public static let noScript = CommandFlags(rawValue: 1 << 6)
    public static let blocking = CommandFlags(rawValue: 1 << 7)
    public static let loading = CommandFlags(rawValue: 1 << 8)
    public static let stale = CommandFlags(rawValue: 1 << 9)
    public static let skipMonitor = CommandFlags(rawValue: 1 << 10)
    public static let skipSlowlog = CommandFlags(rawValue: 1 << 11)
    public static let asking = CommandFlags(rawValue: 1 << 12)
    public static let fast = CommandFlags(rawValue: 1 << 13)
    public static let noAuth = CommandFlags(rawValue: 1 << 14)
    public static let noMandatoryKeys = CommandFlags(rawValue: 1 << 15)
    public static let noAsyncLoading = CommandFlags(rawValue: 1 << 16)
    public static let noMulti = CommandFlags(rawValue: 1 << 17)
    public static let movableKeys = CommandFlags(rawValue: 1 << 18)
    public static let allowBusy = CommandFlags(rawValue: 1 << 19)

    /// Logs something although it changes no key.
    public static let mayReplicate = CommandFlags(rawValue: 1 << 20)
    /// Redis's sentinel mode has the command as well.
    public static let sentinel = CommandFlags(rawValue: 1 << 21)
    /// Off unless the configuration allows it (`enable-debug-command`, `enable-module-command`).
    public static let protected = CommandFlags(rawValue: 1 << 22)
    /// Reads keys that its arguments don't name.
    public static let touchesArbitraryKeys = CommandFlags(rawValue: 1 << 23)

    /// The names that COMMAND shows, in bit order.
    static let shownNames: [StaticString] = [
        "write", "readonly", "denyoom", "module", "admin", "pubsub", "noscript", "blocking",
        "loading", "stale", "skip_monitor", "skip_slowlog", "asking", "fast", "no_auth",
        "no_mandatory_keys", "no_async_loading", "no_multi", "movablekeys", "allow_busy",
    ]

    /// The names of the hidden flags, in bit order; for the test against the fact sheet.
    static let hiddenNames: [StaticString] = [
        "may_replicate", "sentinel", "protected", "touches_arbitrary_keys",
    ]

    /// The shown names of the flags that are set.
    public var names: [StaticString] { namesOfBits(rawValue, Self.shownNames) }
    public var namesHidden: [StaticString] {
        namesOfBits(rawValue >> UInt32(Self.shownNames.count), Self.hiddenNames)
    }
}

/// Redis's ACL categories; the bits stand in the order in which COMMAND lists them.
public struct ACLCategories: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let keyspace = ACLCategories(rawValue: 1 << 0)
    public static let read = ACLCategories(rawValue: 1 << 1)
    public static let write = ACLCategories(rawValue: 1 << 2)
    public static let set = ACLCategories(rawValue: 1 << 3)
    public static let sortedSet = ACLCategories(rawValue: 1 << 4)
    public static let list = ACLCategories(rawValue: 1 << 5)
    public static let hash = ACLCategories(rawValue: 1 << 6)
    public static let string = ACLCategories(rawValue: 1 << 7)
    public static let bitmap = ACLCategories(rawValue: 1 << 8)
    public static let hyperloglog = ACLCategories(rawValue: 1 << 9)
    public static let geo = ACLCategories(rawValue: 1 << 10)
    public static let stream = ACLCategories(rawValue: 1 << 11)
    public static let pubsub = ACLCategories(rawValue: 1 << 12)
    public static let admin = ACLCategories(rawValue: 1 << 13)
    public static let fast = ACLCategories(rawValue: 1 << 14)
    public static let slow = ACLCategories(rawValue: 1 << 15)
    public static let blocking = ACLCategories(rawValue: 1 << 16)
    public static let dangerous = ACLCategories(rawValue: 1 << 17)
    public static let connection = ACLCategories(rawValue: 1 << 18)
    public static let transaction = ACLCategories(rawValue: 1 << 19)
    public static let scripting = ACLCategories(rawValue: 1 << 20)

    /// All names, in bit order, without the `@`.
    public static let allNames: [StaticString] = [
        "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap",
        "hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous",
        "connection", "transaction", "scripting",
    ]

    public var names: [StaticString] { namesOfBits(rawValue, Self.allNames) }

    /// The categories that follow from the flags alone.
    static func implied(by flags: CommandFlags, isScripting: Bool) -> ACLCategories {
        var result: ACLCategories = flags.contains(.fast) ? .fast : .slow
        if flags.contains(.write) { result.insert(.write) }
        // A read-only script is no read command: what it calls counts.
        if flags.contains(.readonly) && !isScripting { result.insert(.read) }
        if flags.contains(.admin) { result.formUnion([.admin, .dangerous]) }
        if flags.contains(.pubsub) { result.insert(.pubsub) }
        if flags.contains(.blocking) { result.insert(.blocking) }
        return result
    }
}

private func namesOfBits(_ bits: UInt32, _ names: [StaticString]) -> [StaticString] {
    names.indices.filter { bits & (1 << UInt32($0)) != 0 }.map { names[$0] }
}

/// What a command belongs to in the documentation.
public enum CommandGroup: String, Sendable, CaseIterable {
    case generic
    case string
    case bitmap
    case list
    case set
    case sortedSet = "sorted-set"
    case hash
    case stream
    case geo
    case hyperloglog
    case pubsub
    case scripting
    case transactions
    case connection
    case server
    case cluster

    /// The ACL category that the group's commands are in, unless their row says otherwise.
    var category: ACLCategories {
        switch self {
        case .generic: .keyspace
        case .string: .string
        case .bitmap: .bitmap
        case .list: .list
        case .set: .set
        case .sortedSet: .sortedSet
        case .hash: .hash
        case .stream: .stream
        case .geo: .geo
        case .hyperloglog: .hyperloglog
        case .pubsub: .pubsub
        case .scripting: .scripting
        case .transactions: .transaction
        case .connection: .connection
        case .server, .cluster: []
        }
    }
}

/// Hints for clients and proxies, as COMMAND shows them.
public enum CommandTip: String, Sendable, CaseIterable {
    case nondeterministicOutput = "nondeterministic_output"
    case nondeterministicOutputOrder = "nondeterministic_output_order"
    case requestAllNodes = "request_policy:all_nodes"
    case requestAllShards = "request_policy:all_shards"
    case requestMultiShard = "request_policy:multi_shard"
    case requestSpecial = "request_policy:special"
    case responseAllSucceeded = "response_policy:all_succeeded"
    case responseOneSucceeded = "response_policy:one_succeeded"
    case responseAggregateSum = "response_policy:agg_sum"
    case responseAggregateMin = "response_policy:agg_min"
    case responseAggregateLogicalAnd = "response_policy:agg_logical_and"
    case responseSpecial = "response_policy:special"
}
