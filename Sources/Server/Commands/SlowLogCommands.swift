internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP

/// SLOWLOG: the commands that took longest lately.
enum SlowLogCommands {
    @Sendable
    static func get(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard arguments.count <= 3 else {
            throw .bytes(
                Array("ERR unknown subcommand or wrong number of arguments for '".utf8)
                    + arguments[1].prefix(128).copyToArray() + Array("'. Try SLOWLOG HELP.".utf8))
        }
        var wanted: Int64 = 10
        if arguments.count == 3 {
            guard let number = DecimalText.parse(arguments[2]), number >= -1 else {
                throw .text("ERR count should be greater than or equal to -1")
            }
            wanted = number
        }
        let entries =
            wanted < 0 ? state.slowLog.entries[...] : state.slowLog.entries.prefix(Int(wanted))
        state.reply.array(entries.count)
        for entry in entries {
            state.reply.array(6)
            state.reply.integer(entry.id)
            state.reply.integer(entry.unixSeconds)
            state.reply.integer(entry.microseconds)
            state.reply.array(entry.words.count)
            for word in entry.words { state.reply.bulk(word) }
            state.reply.bulk(entry.address)
            state.reply.bulk(entry.name)
        }
    }

    @Sendable
    static func length(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(state.slowLog.entries.count)
    }

    @Sendable
    static func reset(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.slowLog.reset()
        state.reply.ok()
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("SLOWLOG", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "GET [<count>]",
        "    Return the newest <count> entries (default: 10, -1: all), each with",
        "    number, Unix time, microseconds, words, client address and client name.",
        "LEN",
        "    Return the number of entries.",
        "RESET",
        "    Forget all entries.",
    ]

    static func register(_ rows: inout SessionRows) {
        let flags: CommandFlags = [.admin, .loading, .stale]
        rows.addContainer("slowlog", -2, [], .server)
        rows.add(
            "slowlog|get", -2, flags, .server, tips: [.requestAllNodes, .nondeterministicOutput],
            get)
        rows.add("slowlog|help", 2, [.loading, .stale], .server, help)
        rows.add(
            "slowlog|len", 2, flags, .server,
            tips: [.requestAllNodes, .responseAggregateSum, .nondeterministicOutput], length)
        rows.add(
            "slowlog|reset", 2, flags, .server, tips: [.requestAllNodes, .responseAllSucceeded],
            reset)
    }
}
