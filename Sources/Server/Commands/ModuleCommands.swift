internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// MODULE: there are none, and none can be loaded. Clients ask for the list when they connect.
enum ModuleCommands {
    @Sendable
    static func list(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.array(0)
    }

    @Sendable
    static func load(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.diagnostics.warning(
            "Module \(arguments[2].text) failed to load: this server has no modules")
        throw .text("ERR Error loading the extension. Please check the server logs.")
    }

    @Sendable
    static func unload(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        throw .text("ERR Error unloading module: no such module with that name")
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("MODULE", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "LIST",
        "    Return the modules that are loaded: none.",
        "LOAD <path> [<arg> ...]",
        "    Refused: this server has no modules.",
        "LOADEX <path> [[CONFIG NAME VALUE]...] [ARGS ...]",
        "    Refused: this server has no modules.",
        "UNLOAD <name>",
        "    Refused: this server has no modules.",
    ]

    static func register(_ rows: inout SessionRows) {
        let flags: CommandFlags = [.admin, .noScript, .noAsyncLoading, .protected]
        rows.addContainer("module", -2, [], .server)
        rows.add("module|help", 2, [.loading, .stale], .server, help)
        rows.add(
            "module|list", 2, [.admin, .noScript], .server, tips: [.nondeterministicOutputOrder],
            list)
        rows.add("module|load", -3, flags, .server, load)
        rows.add("module|loadex", -3, flags, .server, load)
        rows.add("module|unload", 3, flags, .server, unload)
    }
}
