internal import Engine
internal import HoldfastPlatform
internal import Log
internal import Replication

/// INFO's section about replication; Sentinel reads it, so names and order are Redis's.
extension ServerState {
    func addReplication(to info: inout InfoText) {
        info.section("Replication")
        switch replication.role {
        case .primary: info.field("role", "master")
        case .replica(let link): addLink(link, to: &info)
        }
        addReplicas(to: &info)
        let histories = replication.histories
        info.field("master_failover_state", "no-failover")
        info.field("master_replid", histories.current.description)
        info.field(
            "master_replid2",
            histories.previous?.id.description ?? String(repeating: "0", count: 40))
        info.field("master_repl_offset", dispatcher.context.log.appended.value)
        info.field(
            "second_repl_offset", histories.previous.map { Int64(clamping: $0.end.value) + 1 } ?? -1
        )
        info.field("repl_backlog_active", 0)
        info.field("repl_backlog_size", configuration.number(.replBacklogSize))
        info.field("repl_backlog_first_byte_offset", 0)
        info.field("repl_backlog_histlen", 0)
    }

    private func addReplicas(to info: inout InfoText) {
        info.field("connected_slaves", 0)
    }

    private func addLink(_ link: PrimaryLink, to info: inout InfoText) {
        info.field("role", "slave")
        info.field("master_host", link.host)
        info.field("master_port", link.port)
        info.field("master_link_status", link.isUp ? "up" : "down")
    }
}
