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
        info.field("master_failover_state", failover?.name ?? "no-failover")
        info.field("master_replid", histories.current.description)
        info.field(
            "master_replid2",
            histories.previous?.id.description ?? String(repeating: "0", count: 40))
        info.field("master_repl_offset", dispatcher.context.log.appended.value)
        info.field(
            "second_repl_offset", histories.previous.map { Int64(clamping: $0.end.value) + 1 } ?? -1
        )
        let backlog = replicas.backlog
        let isKept = backlog != nil
        info.field("repl_backlog_active", isKept)
        info.field("repl_backlog_size", configuration.number(.replBacklogSize))
        info.field("repl_backlog_first_byte_offset", backlog.map { $0.first.value + 1 } ?? 0)
        info.field("repl_backlog_histlen", backlog.map { $0.count } ?? 0)
    }

    private func addReplicas(to info: inout InfoText) {
        info.field("connected_slaves", replicas.sessions.count)
        let lagMax = configuration.number(.minReplicasMaxLag)
        if configuration.number(.minReplicasToWrite) > 0, lagMax > 0 {
            info.field(
                "min_slaves_good_slaves",
                replicas.feeds.goodCount(now: monotonicSeconds, lagMax: Int64(lagMax)))
        }
        for (index, session) in replicas.sessions.enumerated() {
            guard let feed = session.replica else { continue }
            let host = feed.announcedAddress
            let lag = feed.isOnline ? max(monotonicSeconds - feed.heardAt, 0) : 0
            info.field(
                "slave\(index)",
                "ip=\(host.isEmpty ? session.address.host : host),port=\(feed.listeningPort),"
                    + "state=\(feed.stateName),offset=\(feed.acknowledged),lag=\(lag)")
        }
    }

    private func addLink(_ link: PrimaryLink, to info: inout InfoText) {
        info.field("role", "slave")
        info.field("master_host", link.host)
        info.field("master_port", link.port)
        info.field("master_link_status", link.isUp ? "up" : "down")
        let now = monotonicSeconds
        let isInTouch = link.isUp || link.state == .sync
        info.field(
            "master_last_io_seconds_ago",
            isInTouch ? link.lastByteAt.map { max(now - $0, 0) } ?? 0 : -1)
        info.field("master_sync_in_progress", link.transfer == nil ? 0 : 1)
        let applied = dispatcher.context.log.appended
        info.field(
            "slave_read_repl_offset", max(link.isUp ? link.received : applied, applied).value)
        info.field("slave_repl_offset", applied.value)
        if let transfer = link.transfer {
            let total = transfer.totalBytes ?? 0
            info.field("master_sync_total_bytes", total)
            info.field("master_sync_read_bytes", transfer.readBytes)
            info.field("master_sync_left_bytes", total - transfer.readBytes)
            let percent = total > 0 ? Double(transfer.readBytes) / Double(total) * 100 : 0
            info.field("master_sync_perc", percent, decimals: 2)
            info.field("master_sync_last_io_seconds_ago", max(now - transfer.lastByteAt, 0))
        }
        if !link.isUp {
            info.field(
                "master_link_down_since_seconds", link.downSince.map { max(now - $0, 0) } ?? -1)
        }
        info.field("slave_priority", configuration.number(.replicaPriority))
        info.field("slave_read_only", configuration.flag(.replicaReadOnly) ? 1 : 0)
        info.field("replica_announced", configuration.flag(.replicaAnnounced) ? 1 : 0)
    }
}
