internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP

/// CLIENT: who is connected, and how each wants to be treated.
enum ClientCommands {
    @Sendable
    static func id(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(session.id)
    }

    static func register(_ rows: inout SessionRows) {
        rows.addContainer("client", -2, [.sentinel], .connection, acl: [])
        rows.add("client|id", 2, [.noScript, .loading, .stale, .sentinel], .connection, id)
    }
}
