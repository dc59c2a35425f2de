internal import Engine
internal import HoldfastRESP

/// COMMAND and its subcommands: what the server can do, told from its table.
enum CommandCommands {
    @Sendable
    static func command(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        CommandReplies(state.dispatcher.table).reply(to: arguments).write(to: &state.reply)
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "command", -1, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutputOrder], acl: [.connection], command)
        rows.add(
            "command|count", 2, [.loading, .stale, .sentinel], .server, acl: [.connection], command)
        rows.add(
            "command|docs", -2, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutputOrder], acl: [.connection], command)
        rows.add(
            "command|getkeys", -3, [.loading, .stale, .sentinel], .server, acl: [.connection],
            command)
        rows.add(
            "command|getkeysandflags", -3, [.loading, .stale, .sentinel], .server,
            acl: [.connection], command)
        rows.add(
            "command|help", 2, [.loading, .stale, .sentinel], .server, acl: [.connection], command)
        rows.add(
            "command|info", -2, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutputOrder], acl: [.connection], command)
        rows.add(
            "command|list", -2, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutputOrder], acl: [.connection], command)
    }
}
