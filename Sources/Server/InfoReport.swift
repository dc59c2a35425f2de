internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Store

/// The sections of INFO, in the order in which they are shown.
enum InfoSection: String, CaseIterable {
    case server, clients, memory, persistence, stats, replication, cpu, modules, commandstats
    case errorstats, latencystats, cluster, keyspace, debug

    /// Only shown when asked for by name, or with `all` and `everything`.
    private var isLong: Bool { self == .commandstats || self == .latencystats }

    /// What a request for `names`, in lower case, shows; none means the usual ones.
    static func selected(by names: [String]) -> [InfoSection] {
        let names = names.isEmpty ? ["default"] : names
        return allCases.filter { section in
            names.contains { name in
                switch name {
                case "all", "everything": section != .debug
                case "default": section != .debug && !section.isLong
                default: name == section.rawValue
                }
            }
        }
    }
}

extension ServerState {
    mutating func infoText(_ sections: [InfoSection]) -> String {
        var info = InfoText()
        for section in sections {
            switch section {
            case .server: addServer(to: &info)
            case .clients: addClients(to: &info)
            case .memory: addMemory(to: &info)
            case .persistence: addPersistence(to: &info)
            case .stats: addStatistics(to: &info)
            case .replication: addReplication(to: &info)
            case .cpu: addProcessor(to: &info)
            case .modules: info.section("Modules")
            case .commandstats: addCommands(to: &info)
            case .errorstats: addErrors(to: &info)
            case .latencystats: addLatencies(to: &info)
            case .cluster:
                info.section("Cluster")
                info.field("cluster_enabled", 0)
            case .keyspace: addKeyspace(to: &info)
            case .debug: addDebug(to: &info)
            }
        }
        return info.text
    }

    // MARK: Server and clients

    private func addServer(to info: inout InfoText) {
        let wall = clock.wallMilliseconds
        let uptime = max(wall / 1000 - identity.startedAt, 0)
        info.section("Server")
        info.field("redis_version", HoldfastVersion.redis)
        info.field("redis_git_sha1", "00000000")
        info.field("redis_git_dirty", 0)
        info.field("redis_build_id", HoldfastVersion.build)
        info.field("redis_mode", "standalone")
        info.field("holdfast_version", HoldfastVersion.product)
        info.field("os", OperatingSystem.name())
        info.field("arch_bits", 64)
        info.field("monotonic_clock", "POSIX clock_gettime")
        info.field("multiplexing_api", "epoll")
        info.field("atomicvar_api", "c11-builtin")
        info.field("gcc_version", "0.0.0")
        info.field("process_id", identity.processID)
        info.field("process_supervised", "no")
        info.field("run_id", identity.runID)
        info.field("tcp_port", configuration.port)
        info.field("server_time_usec", wall * 1000)
        info.field("uptime_in_seconds", uptime)
        info.field("uptime_in_days", uptime / 86400)
        info.field("hz", settings.hz)
        info.field("configured_hz", configuration.hz)
        info.field("lru_clock", wall / 1000 & 0xFF_FFFF)
        info.field("executable", identity.executable)
        info.field("config_file", identity.configurationFile)
        info.field("io_threads_active", 0)
        var listeners: [String] = []
        if configuration.port > 0 {
            let addresses = configuration.addresses.map { ",bind=\($0)" }.joined()
            listeners.append("name=tcp\(addresses),port=\(configuration.port)")
        }
        if !configuration.unixsocket.isEmpty {
            listeners.append("name=unix,bind=\(configuration.unixsocket)")
        }
        for (index, listener) in listeners.enumerated() {
            info.field("listener\(index)", listener)
        }
    }

    private func addClients(to info: inout InfoText) {
        let all = sessions.all
        info.section("Clients")
        info.field("connected_clients", sessions.count)
        info.field("cluster_connections", 0)
        info.field("maxclients", settings.clientsMax)
        info.field("client_recent_max_input_buffer", all.map { $0.input.capacity }.max() ?? 0)
        info.field("client_recent_max_output_buffer", all.map { $0.output.capacity }.max() ?? 0)
        info.field("blocked_clients", all.count { $0.isHeld || $0.parked != nil })
        info.field("tracking_clients", tracking.sessions.count)
        info.field("clients_in_timeout_table", all.count { $0.parked?.deadline != nil })
        info.field("total_blocking_keys", dispatcher.blocked.count)
        info.field("total_blocking_keys_on_nokey", dispatcher.blocked.countWakingOnAnyChange)
    }

    // MARK: Memory

    private mutating func addMemory(to info: inout InfoText) {
        let memory = memoryReport()
        info.section("Memory")
        info.bytes("used_memory", memory.used)
        info.bytes("used_memory_rss", memory.processResident)
        info.bytes("used_memory_peak", memory.peak)
        info.field("used_memory_peak_perc", FixedText.text(memory.peakPercent, 2) + "%")
        info.field("used_memory_overhead", memory.overhead)
        info.field("used_memory_startup", memory.start)
        info.field("used_memory_dataset", memory.dataset)
        info.field("used_memory_dataset_perc", FixedText.text(memory.datasetPercent, 2) + "%")
        info.field("allocator_allocated", memory.used)
        info.field("allocator_active", memory.active)
        info.field("allocator_resident", memory.resident)
        info.bytes("total_system_memory", ProcessMemory.machineBytes())
        // No scripts yet.
        info.field("used_memory_lua", 0)
        info.field("used_memory_vm_eval", 0)
        info.field("used_memory_lua_human", "0B")
        info.field("used_memory_scripts_eval", 0)
        info.field("number_of_cached_scripts", 0)
        info.field("number_of_functions", 0)
        info.field("number_of_libraries", 0)
        info.field("used_memory_vm_functions", 0)
        info.bytes("used_memory_vm_total", 0)
        info.field("used_memory_functions", 0)
        info.bytes("used_memory_scripts", 0)
        info.bytes("maxmemory", settings.memoryMax)
        info.field("maxmemory_policy", configuration.choiceName(.maxmemoryPolicy))
        info.field("allocator_frag_ratio", memory.fragmentation, decimals: 2)
        info.field("allocator_frag_bytes", memory.active - memory.used)
        info.field("allocator_rss_ratio", memory.allocatorRSS, decimals: 2)
        info.field("allocator_rss_bytes", memory.resident - memory.active)
        info.field("rss_overhead_ratio", memory.overheadRSS, decimals: 2)
        info.field("rss_overhead_bytes", memory.processResident - memory.resident)
        info.field("mem_fragmentation_ratio", memory.totalFragmentation, decimals: 2)
        info.field("mem_fragmentation_bytes", memory.processResident - memory.used)
        info.field("mem_not_counted_for_evict", 0)
        info.field("mem_replication_backlog", replicas.backlog?.capacity ?? 0)
        info.field("mem_total_replication_buffers", 0)
        info.field("mem_clients_slaves", 0)
        info.field("mem_clients_normal", memory.clients)
        info.field("mem_cluster_links", 0)
        info.field("mem_aof_buffer", memory.logBuffer)
        info.field("mem_allocator", allocator.name)
        info.field("active_defrag_running", 0)
        info.field("lazyfree_pending_objects", dispatcher.context.keyspace.retiredCount)
        info.field("lazyfreed_objects", 0)
    }

    // MARK: Statistics

    private func addStatistics(to info: inout InfoText) {
        let engine = dispatcher.context.statistics
        let rates = statistics.instantaneous
        info.section("Stats")
        info.field("total_connections_received", statistics.connectionsReceived)
        info.field("total_commands_processed", statistics.commandsProcessed)
        info.field("instantaneous_ops_per_sec", Int(rates.rate(.commands)))
        info.field("total_net_input_bytes", statistics.inputBytes)
        info.field("total_net_output_bytes", statistics.outputBytes)
        info.field("total_net_repl_input_bytes", statistics.linkInputBytes)
        info.field("total_net_repl_output_bytes", replicas.sentBytes)
        info.field("instantaneous_input_kbps", rates.rate(.inputBytes) / 1024, decimals: 2)
        info.field("instantaneous_output_kbps", rates.rate(.outputBytes) / 1024, decimals: 2)
        info.field("instantaneous_input_repl_kbps", "0.00")
        info.field("instantaneous_output_repl_kbps", "0.00")
        info.field("rejected_connections", statistics.connectionsRejected)
        info.field("sync_full", replication.fullCount)
        info.field("sync_full_from_base", replication.baseCount)
        info.field("sync_partial_ok", replication.partialCount)
        info.field("sync_partial_err", replication.refusedPartialCount)
        info.field("expired_keys", engine.expiredKeys)
        info.field("expired_stale_perc", engine.expiredStalePercent, decimals: 2)
        info.field("expired_time_cap_reached_count", engine.expiredTimeCapReached)
        info.field(
            "expire_cycle_cpu_milliseconds", tickScale.microseconds(statistics.cronTicks) / 1000)
        info.field("evicted_keys", engine.evictedKeys)
        info.field("evicted_clients", 0)
        info.field("total_eviction_exceeded_time", 0)
        info.field("current_eviction_exceeded_time", 0)
        info.field("keyspace_hits", engine.keyspaceHits)
        info.field("keyspace_misses", engine.keyspaceMisses)
        let subscribed = pubSub.counts
        info.field("pubsub_channels", subscribed[PubSub.Kind.channel.rawValue])
        info.field("pubsub_patterns", subscribed[PubSub.Kind.pattern.rawValue])
        info.field("pubsubshard_channels", subscribed[PubSub.Kind.shard.rawValue])
        info.field("latest_fork_usec", 0)
        info.field("total_forks", 0)
        info.field("migrate_cached_sockets", migrations.count)
        for name in [
            "slave_expires_tracked_keys", "active_defrag_hits",
            "active_defrag_misses", "active_defrag_key_hits", "active_defrag_key_misses",
            "total_active_defrag_time", "current_active_defrag_time",
        ] {
            info.field(name, 0)
        }
        info.field("tracking_total_keys", tracking.keyCount)
        info.field("tracking_total_items", tracking.itemCount)
        info.field("tracking_total_prefixes", tracking.prefixCount)
        info.field("unexpected_error_replies", statistics.unexpectedErrorReplies)
        info.field("total_error_replies", statistics.errorReplies)
        info.field("dump_payload_sanitizations", 0)
        info.field("total_reads_processed", statistics.readsProcessed)
        info.field("total_writes_processed", statistics.writesProcessed)
        info.field("io_threaded_reads_processed", 0)
        info.field("io_threaded_writes_processed", 0)
        info.field("client_query_buffer_limit_disconnections", statistics.queryBufferDisconnections)
        info.field(
            "client_output_buffer_limit_disconnections", statistics.outputBufferDisconnections)
        info.field("reply_buffer_shrinks", 0)
        info.field("reply_buffer_expands", 0)
        info.field("eventloop_cycles", statistics.turns)
        info.field("eventloop_duration_sum", tickScale.microseconds(statistics.turnTicks))
        info.field("eventloop_duration_cmd_sum", tickScale.microseconds(statistics.commandTicks))
        info.field("instantaneous_eventloop_cycles_per_sec", Int(rates.rate(.turns)))
        info.field(
            "instantaneous_eventloop_duration_usec",
            tickScale.microseconds(statistics.turnTicks) / max(statistics.turns, 1))
        info.field("acl_access_denied_auth", statistics.authenticationFailures)
        info.field("acl_access_denied_cmd", statistics.deniedCommands)
        info.field("acl_access_denied_key", statistics.deniedKeys)
        info.field("acl_access_denied_channel", statistics.deniedChannels)
    }

    /// What only tests ask for.
    private func addDebug(to info: inout InfoText) {
        info.section("Debug")
        info.field("eventloop_duration_aof_sum", tickScale.microseconds(statistics.logTicks))
        info.field("eventloop_duration_cron_sum", tickScale.microseconds(statistics.cronTicks))
        info.field("eventloop_duration_max", tickScale.microseconds(statistics.longestTurnTicks))
        info.field("eventloop_cmd_per_cycle_max", statistics.commandsPerTurnMax)
    }

    // MARK: Processor

    private func addProcessor(to info: inout InfoText) {
        info.section("CPU")
        for (suffix, scope) in [
            ("", ProcessorTime.Scope.process), ("_children", .children), ("_main_thread", .thread),
        ] {
            let time = ProcessorTime.read(scope)
            info.field("used_cpu_sys\(suffix)", time.system, decimals: 6)
            info.field("used_cpu_user\(suffix)", time.user, decimals: 6)
        }
    }

    // MARK: Commands and keys

    private func addCommands(to info: inout InfoText) {
        info.section("Commandstats")
        for row in 0..<dispatcher.table.count {
            let counter = dispatcher.counters[row]
            guard counter.calls + counter.rejected + counter.failed > 0 else { continue }
            let microseconds = tickScale.microseconds(counter.ticks)
            let perCall =
                counter.calls > 0 ? Double(microseconds) / Double(counter.calls) : 0
            info.field(
                "cmdstat_\(dispatcher.table.spec(at: row).name)",
                "calls=\(counter.calls),usec=\(microseconds),"
                    + "usec_per_call=\(FixedText.text(perCall, 2)),"
                    + "rejected_calls=\(counter.rejected),failed_calls=\(counter.failed)")
        }
    }

    private func addErrors(to info: inout InfoText) {
        info.section("Errorstats")
        for (code, count) in errors.counts.sorted(by: { $0.key < $1.key }) {
            info.field("errorstat_\(code)", "count=\(count)")
        }
    }

    private func addLatencies(to info: inout InfoText) {
        info.section("Latencystats")
        let percentiles = configuration.latencyPercentiles
        guard !percentiles.isEmpty else { return }
        for row in 0..<dispatcher.table.count {
            let steps = dispatcher.counters.latencySteps(row)
            guard !steps.isEmpty else { continue }
            let total = Double(steps.reduce(0) { $0 + $1.count })
            let parts = percentiles.map { percentile -> String in
                var left = max((total * percentile / 100).rounded(.up), 1)
                let step = steps.first { step in
                    left -= Double(step.count)
                    return left <= 0
                }
                let ticks = step?.ticks ?? steps.last?.ticks ?? 0
                let microseconds = Double(ticks) / tickScale.ticksPerMicrosecond
                return "p\(DoubleText.text(percentile))=\(FixedText.text(microseconds, 3))"
            }
            info.field(
                "latency_percentiles_usec_\(dispatcher.table.spec(at: row).name)",
                parts.joined(separator: ","))
        }
    }

    private mutating func addKeyspace(to info: inout InfoText) {
        info.section("Keyspace")
        for database in nonEmptyDatabases {
            let keys = dispatcher.context.keyspace.count(database)
            let expires = dispatcher.context.keyspace.deadlineCount(database)
            let lifetime = expires > 0 ? averageLifetime(database) : 0
            info.field("db\(database)", "keys=\(keys),expires=\(expires),avg_ttl=\(lifetime)")
        }
    }

    /// How many ms keys with a deadline still have, from a few keys taken at random.
    private mutating func averageLifetime(_ database: Int) -> Int64 {
        var total: Int64 = 0
        var count: Int64 = 0
        var random = dispatcher.context.random
        for _ in 0..<32 {
            guard let entry = dispatcher.context.keyspace.random(database, { random.next() }),
                let deadline = entry.deadline
            else { continue }
            total += min(max(deadline - now, 0), 1 << 56)
            count += 1
        }
        dispatcher.context.random = random
        return count > 0 ? total / count : 0
    }
}
