internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Replication

/// REPLICAOF and SLAVEOF: whom this server follows.
enum ReplicaCommands {
    @Sendable
    static func replicaOf(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if state.configuration.flag(.clusterEnabled) {
            throw .text("ERR REPLICAOF not allowed in cluster mode.")
        }
        let user = state.describe(session)
        if arguments[1].equalsIgnoringCase("no"), arguments[2].equalsIgnoringCase("one") {
            if state.primaryLink != nil {
                state.promote()
                state.diagnostics.notice("MASTER MODE enabled (user request from '\(user)')")
            }
            return state.reply.ok()
        }
        guard let port = DecimalText.parse(arguments[2]), (0...65535).contains(port) else {
            throw .text("ERR Invalid master port")
        }
        let address = PrimaryAddress(host: arguments[1].text, port: Int(port))
        if let link = state.primaryLink, link.port == address.port,
            link.host.lowercased() == address.host.lowercased()
        {
            state.diagnostics.notice(
                "REPLICAOF would result into synchronization with the master we are already connected with. "
                    + "No operation performed.")
            return state.reply.simple("OK Already connected to specified master")
        }
        state.follow(address)
        state.diagnostics.notice(
            "REPLICAOF \(address.host):\(address.port) enabled (user request from '\(user)')")
        state.reply.ok()
    }

    static func register(_ rows: inout SessionRows) {
        let flags: CommandFlags = [.admin, .noScript, .stale, .noAsyncLoading]
        rows.add("replicaof", 3, flags, .server, replicaOf)
        rows.add("slaveof", 3, flags, .server, replicaOf)
    }
}
