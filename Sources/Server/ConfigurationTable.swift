private let intMax = Int64(Int32.max)
private let intMin = Int64(Int32.min)
private let uintMax = Int64(UInt32.max)
private let longMax = Int64.max

/// All directives of Redis 7.2 and our own, in the order of the sample file.
///
/// Names, aliases, types, bounds and mutability are Redis's. Defaults are too, with two exceptions: the
/// log is on (`appendonly yes`), and only the loopback interfaces listen.
public enum ConfigurationTable {
    /// The rows by heading.
    public static let groups: [(title: String, directives: [Directive])] = [
        ("Network", network),
        ("General", general),
        ("Log", log),
        ("Snapshots", snapshots),
        ("Replication", replication),
        ("Security", security),
        ("Clients", clients),
        ("Memory", memory),
        ("Encodings", encodings),
        ("Watching", watching),
        ("System", system),
        ("TLS", tls),
        ("Cluster", cluster),
        ("For tests", hidden),
    ]

    /// The rows in the order of `Setting.rawValue`.
    public static let directives: [Directive] = {
        let rows = groups.flatMap { $0.directives }.sorted {
            $0.setting.rawValue < $1.setting.rawValue
        }
        precondition(
            rows.map(\.setting) == Setting.allCases, "each setting has exactly one directive")
        return rows
    }()

    private static let byName: [String: (setting: Setting, isAlias: Bool)] = {
        var names: [String: (setting: Setting, isAlias: Bool)] = [:]
        for directive in directives {
            names[directive.name] = (directive.setting, false)
            if let alias = directive.alias { names[alias] = (directive.setting, true) }
        }
        return names
    }()

    /// Directives of older versions that may stand in a file and do nothing, always with one word.
    static let ignored: Set<String> = [
        "list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands",
    ]

    /// Directives that stand in files only and are not settings.
    static let fileOnly: Set<String> = [
        "include", "rename-command", "user", "loadmodule", "sentinel",
    ]

    static func directive(of setting: Setting) -> Directive { directives[setting.rawValue] }

    /// The setting that `name` (any case) or an alias of it means.
    public static func find(_ name: some StringProtocol) -> Setting? {
        byName[name.lowercased()]?.setting
    }

    /// All names CONFIG knows, aliases too.
    static var names: [String] { Array(byName.keys) }

    /// The known name that differs from `name` by the fewest edits, if it could be what was meant.
    static func nearest(to name: String) -> String? {
        let wanted = Array(name.lowercased().utf8.prefix(64))
        var best: (name: String, distance: Int)?
        for candidate in names.sorted() {
            let distance = editDistance(wanted, Array(candidate.utf8))
            if distance < best?.distance ?? Int.max { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(2, wanted.count / 4) else { return nil }
        return best.name
    }

    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                current.append(
                    min(
                        previous[column + 1] + 1, current[column] + 1,
                        previous[column] + (byte == other ? 0 : 1)))
            }
            previous = current
        }
        return previous[right.count]
    }

    // MARK: Rows

    private static let network: [Directive] = [
        Directive(
            .bind, "bind", .addresses("127.0.0.1 -::1"), traits: [.severalWords],
            "Addresses to listen on; a leading - forgives one that is not available."),
        Directive(
            .port, "port", .number(6379, .plain, .range(0, 65535)),
            "TCP port; 0 listens on no TCP socket."),
        Directive(
            .tcpBacklog, "tcp-backlog", .number(511, .plain, .range(0, intMax)),
            traits: [.immutable],
            "Length of the queue of connections not yet accepted."),
        Directive(
            .unixsocket, "unixsocket", .text("", .free), traits: [.immutable],
            "Path of a unix socket to listen on as well; empty for none."),
        Directive(
            .unixsocketperm, "unixsocketperm", .number(0, .octal, .range(0, 0o777)),
            traits: [.immutable],
            "Permissions of the unix socket, octal; 0 leaves them to the umask."),
        Directive(
            .timeout, "timeout", .number(0, .plain, .range(0, intMax)),
            "Seconds after which an idle client is disconnected; 0 for never."),
        Directive(
            .tcpKeepalive, "tcp-keepalive", .number(300, .plain, .range(0, intMax)),
            "Seconds between probes of silent connections; 0 for none."),
        Directive(
            .protectedMode, "protected-mode", .flag(true),
            "Without password and bind, answer loopback clients only."),
        Directive(
            .maxclients, "maxclients", .number(10000, .plain, .range(1, uintMax)),
            "Most clients connected at once."),
        Directive(
            .bindSourceAddr, "bind-source-addr", .text("", .free),
            "Address outgoing connections come from."),
        Directive(
            .socketMarkId, "socket-mark-id", .number(0, .plain, .range(0, uintMax)),
            traits: [.immutable, .idle],
            "Mark set on all sockets, for packet filters."),
    ]

    private static let general: [Directive] = [
        Directive(
            .daemonize, "daemonize", .flag(false), traits: [.immutable],
            "Run in the background."),
        Directive(
            .supervised, "supervised", .choice(.names(["upstart", "systemd", "auto", "no"]), 3),
            traits: [.immutable, .idle],
            "How readiness is told to a service manager."),
        Directive(
            .pidfile, "pidfile", .text("", .free), traits: [.immutable],
            "File that holds the process id while the server runs."),
        Directive(
            .loglevel, "loglevel",
            .choice(.names(["debug", "verbose", "notice", "warning", "nothing"]), 2),
            "Least important diagnostics to write."),
        Directive(
            .logfile, "logfile", .text("", .free), traits: [.immutable],
            "File for diagnostics; empty for standard output."),
        Directive(
            .logFormat, "log-format", .choice(.names(["text"]), 0),
            "Form of the diagnostics."),
        Directive(
            .databases, "databases", .number(16, .plain, .range(1, intMax)), traits: [.immutable],
            "Number of databases."),
        Directive(
            .dir, "dir", .folder, traits: [.protected, .refusedWhileLoading],
            "Working folder; all data lies in it."),
        Directive(
            .alwaysShowLogo, "always-show-logo", .flag(false), traits: [.immutable],
            "Print the start-up banner also when diagnostics go to a file."),
        Directive(
            .setProcTitle, "set-proc-title", .flag(true), traits: [.immutable, .idle],
            "Show state in the process title."),
        Directive(
            .procTitleTemplate, "proc-title-template",
            .text("{title} {listen-addr} {server-mode}", .titleTemplate), traits: [.idle],
            "Form of the process title."),
        Directive(
            .hz, "hz", .number(10, .plain, .range(0, intMax)),
            "Background tasks per second."),
        Directive(
            .dynamicHz, "dynamic-hz", .flag(true), traits: [.idle],
            "Raise hz with the number of clients."),
        Directive(
            .syslogEnabled, "syslog-enabled", .flag(false), traits: [.immutable, .idle],
            "Also write diagnostics to the system log."),
        Directive(
            .syslogIdent, "syslog-ident", .text("redis", .free), traits: [.immutable, .idle],
            "Name used in the system log."),
        Directive(
            .syslogFacility, "syslog-facility",
            .choice(
                .names([
                    "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
                    "local7",
                ]), 1), traits: [.immutable, .idle],
            "Facility used in the system log."),
        Directive(
            .crashLogEnabled, "crash-log-enabled", .flag(true), traits: [.idle],
            "Write a report when the program fails."),
        Directive(
            .crashMemcheckEnabled, "crash-memcheck-enabled", .flag(true), traits: [.idle],
            "Check memory when the program fails."),
        Directive(
            .shutdownTimeout, "shutdown-timeout", .number(10, .plain, .range(0, intMax)),
            "Seconds a shutdown waits for replicas."),
        Directive(
            .shutdownOnSigint, "shutdown-on-sigint", .choice(.shutdown, 0), traits: [.severalWords],
            "What SIGINT does beside stopping."),
        Directive(
            .shutdownOnSigterm, "shutdown-on-sigterm", .choice(.shutdown, 0),
            traits: [.severalWords],
            "What SIGTERM does beside stopping."),
        Directive(
            .enableProtectedConfigs, "enable-protected-configs", .choice(.permission, 0),
            traits: [.immutable],
            "Who may change protected settings."),
        Directive(
            .enableDebugCommand, "enable-debug-command", .choice(.permission, 0),
            traits: [.immutable],
            "Who may use DEBUG."),
        Directive(
            .enableModuleCommand, "enable-module-command", .choice(.permission, 0),
            traits: [.immutable, .idle],
            "Who may use MODULE."),
        Directive(
            .localeCollate, "locale-collate", .text("", .free), traits: [.idle],
            "Locale that SORT ALPHA compares in."),
        Directive(
            .ignoreWarnings, "ignore-warnings", .text("", .free), traits: [.idle],
            "Start-up warnings to leave out."),
    ]

    private static let log: [Directive] = [
        Directive(
            .appendonly, "appendonly", .flag(true), traits: [.refusedWhileLoading],
            "Keep a log of all changes; the log is the database."),
        Directive(
            .appendfsync, "appendfsync", .choice(.names(["everysec", "always", "no"]), 0),
            "When a write is durable: always (before its reply), everysec, or no (left to the system)."
        ),
        Directive(
            .appenddirname, "appenddirname", .text("appendonlydir", .nonEmptyFolderName),
            traits: [.immutable],
            "Folder of the log, inside dir."),
        Directive(
            .appendfilename, "appendfilename", .text("appendonly.aof", .nonEmptyFileName),
            traits: [.immutable],
            "First part of the names of the log's files."),
        Directive(
            .noAppendfsyncOnRewrite, "no-appendfsync-on-rewrite", .flag(false), traits: [.idle],
            "Do not sync while a snapshot or rewrite is being written."),
        Directive(
            .autoAofRewritePercentage, "auto-aof-rewrite-percentage",
            .number(100, .plain, .range(0, intMax)),
            "Growth since the last rewrite that starts another; 0 for never."),
        Directive(
            .autoAofRewriteMinSize, "auto-aof-rewrite-min-size",
            .number(67_108_864, .memory, .range(0, longMax)),
            "Least size of a log that is rewritten by itself."),
        Directive(
            .aofLoadTruncated, "aof-load-truncated", .flag(true),
            "Cut a torn tail at start; no refuses to start."),
        Directive(
            .aofUseRdbPreamble, "aof-use-rdb-preamble", .flag(true), traits: [.idle],
            "Write bases as snapshots."),
        Directive(
            .aofTimestampEnabled, "aof-timestamp-enabled", .flag(false), traits: [.idle],
            "Accepted: every batch of the log bears its time anyway."),
        Directive(
            .aofRewriteIncrementalFsync, "aof-rewrite-incremental-fsync", .flag(true),
            traits: [.idle],
            "Sync a rewrite in steps."),
        Directive(
            .walSegmentSize, "wal-segment-size",
            .number(67_108_864, .memory, .range(65_536, longMax)),
            "Size at which a log file is sealed and the next one begun."),
        Directive(
            .walPreallocate, "wal-preallocate", .flag(true),
            "Reserve room for the open segment ahead, so that syncs are short."),
        Directive(
            .walRetainSize, "wal-retain-size", .number(268_435_456, .memory, .range(0, longMax)),
            "Bytes of old segments to keep beyond the newest base."),
        Directive(
            .walRetainReplicaSize, "wal-retain-replica-size",
            .number(4 << 30, .memory, .range(0, longMax)),
            "Bytes of superseded segments that are kept for connected replicas that lag."),
        Directive(
            .walRetainTime, "wal-retain-time", .number(0, .plain, .range(0, longMax)),
            "Seconds to keep old segments beyond the newest base."),
        Directive(
            .walArchiveCommand, "wal-archive-command", .text("", .free),
            traits: [.protected],
            "Shell command that copies a finished file of the log elsewhere (%p path, %f name)."),
        Directive(
            .walReserve, "wal-reserve", .number(67_108_864, .memory, .range(0, longMax)),
            "Bytes kept free for the log, so that it can go on when the disk is full."),
        Directive(
            .maxUnsyncedMs, "max-unsynced-ms", .number(1000, .plain, .range(1, intMax)),
            "With everysec: oldest age of changes that are not yet on stable storage."),
        Directive(
            .maxUnsyncedBytes, "max-unsynced-bytes",
            .number(67_108_864, .memory, .range(65_536, longMax)),
            "With everysec: most bytes of changes that are not yet on stable storage."),
        Directive(
            .clockJumpLimit, "clock-jump-limit", .number(60000, .plain, .range(0, longMax)),
            "Milliseconds the clock may jump forward before expiry is held back; 0 takes any jump."),
        Directive(
            .allowEmptyStart, "allow-empty-start", .flag(false),
            "Start empty although files of a history lie beside."),
        Directive(
            .readVisibility, "read-visibility", .choice(.names(["gated", "immediate"]), 0),
            "Whether a reply that shows a change waits until it is durable (gated) or not (immediate)."
        ),
    ]

    private static let snapshots: [Directive] = [
        Directive(
            .save, "save", .savePoints("3600 1 300 100 60 10000"), traits: [.severalWords],
            "Snapshot after so many seconds if so many changes were made; pairs."),
        Directive(
            .saveVerify, "save-verify", .flag(true),
            "Read a snapshot back and compare checksums before it takes the old one's place."),
        Directive(
            .dbfilename, "dbfilename", .text("dump.rdb", .fileName), traits: [.protected],
            "Name of the snapshot file, inside dir."),
        Directive(
            .rdbcompression, "rdbcompression", .flag(true),
            "Compress strings in snapshots."),
        Directive(
            .rdbCompression, "rdb-compression", .choice(.names(["lz4", "lzf", "no"]), 0),
            "Compression of snapshot files."),
        Directive(
            .aofBaseCompression, "aof-base-compression", .choice(.names(["lz4", "lzf", "no"]), 1),
            "Compression of the log's bases."),
        Directive(
            .rdbchecksum, "rdbchecksum", .flag(true), traits: [.immutable],
            "End snapshots with a checksum."),
        Directive(
            .rdbDelSyncFiles, "rdb-del-sync-files", .flag(false), traits: [.idle],
            "Remove snapshots made for replicas."),
        Directive(
            .rdbSaveIncrementalFsync, "rdb-save-incremental-fsync", .flag(true), traits: [.idle],
            "Sync a snapshot in steps."),
        Directive(
            .stopWritesOnBgsaveError, "stop-writes-on-bgsave-error", .flag(true),
            "Refuse writes after a snapshot failed."),
        Directive(
            .sanitizeDumpPayload, "sanitize-dump-payload",
            .choice(.names(["no", "yes", "clients"]), 0),
            "Look for duplicates in packed hashes and sorted sets of snapshots as well: yes."),
        Directive(
            .rdbVersion, "rdb-version",
            .choice(.names(["lowest", "9", "10", "11", "12"]), 0),
            "Version of RDB files and DUMP payloads: the lowest, from 10 on, that holds everything, or this."
        ),
    ]

    private static let replication: [Directive] = [
        Directive(
            .replicaof, "replicaof", alias: "slaveof", .primary,
            traits: [.immutable, .severalWords],
            "Host and port of the primary to follow."),
        Directive(
            .masterauth, "masterauth", .text("", .binary), traits: [.sensitive],
            "Password sent to the primary."),
        Directive(
            .masteruser, "masteruser", .text("", .free), traits: [.sensitive],
            "User name sent to the primary."),
        Directive(
            .replicaServeStaleData, "replica-serve-stale-data", alias: "slave-serve-stale-data",
            .flag(true),
            "Answer reads while not in touch with the primary."),
        Directive(
            .replicaReadOnly, "replica-read-only", alias: "slave-read-only", .flag(true),
            "Refuse writes from clients on a replica."),
        Directive(
            .replicaPriority, "replica-priority", alias: "slave-priority",
            .number(100, .plain, .range(0, intMax)),
            "Rank in promotion by Sentinel; 0 for never."),
        Directive(
            .replicaAnnounced, "replica-announced", .flag(true),
            "Let Sentinel report this replica."),
        Directive(
            .replicaAnnounceIp, "replica-announce-ip", alias: "slave-announce-ip", .text("", .free),
            "Address reported to the primary."),
        Directive(
            .replicaAnnouncePort, "replica-announce-port", alias: "slave-announce-port",
            .number(0, .plain, .range(0, 65535)),
            "Port reported to the primary; 0 for the real one."),
        Directive(
            .replicaIgnoreMaxmemory, "replica-ignore-maxmemory", alias: "slave-ignore-maxmemory",
            .flag(true),
            "Leave eviction to the primary."),
        Directive(
            .replicaIgnoreDiskWriteErrors, "replica-ignore-disk-write-errors", .flag(false),
            "Apply the primary's stream although the log can't be written, keeping it in memory."),
        Directive(
            .replicaAllowEmptyFullSync, "replica-allow-empty-full-sync", .flag(false),
            "Let an empty primary of an unknown history empty this replica."),
        Directive(
            .replicaLazyFlush, "replica-lazy-flush", alias: "slave-lazy-flush", .flag(false),
            "Free the old data in the background at a full resync."),
        Directive(
            .replDisklessSync, "repl-diskless-sync", .flag(true),
            "Send a full resync without a file."),
        Directive(
            .replDisklessSyncDelay, "repl-diskless-sync-delay",
            .number(5, .plain, .range(0, intMax)),
            "Seconds to wait for more replicas before a full resync."),
        Directive(
            .replDisklessSyncMaxReplicas, "repl-diskless-sync-max-replicas",
            .number(0, .plain, .range(0, intMax)),
            "Number of replicas that ends the wait; 0 for none."),
        Directive(
            .replDisklessLoad, "repl-diskless-load",
            .choice(.names(["disabled", "on-empty-db", "swapdb"]), 0),
            traits: [.refusedWhileLoading],
            "How Redis loads a full resync; here always beside the old data, and with a log also to a file."
        ),
        Directive(
            .replPingReplicaPeriod, "repl-ping-replica-period", alias: "repl-ping-slave-period",
            .number(10, .plain, .range(1, intMax)),
            "Seconds between pings to replicas."),
        Directive(
            .replTimeout, "repl-timeout", .number(60, .plain, .range(1, intMax)),
            "Seconds of silence after which the link is given up."),
        Directive(
            .replDisableTcpNodelay, "repl-disable-tcp-nodelay", .flag(false),
            "Send to replicas in larger packets."),
        Directive(
            .replBacklogSize, "repl-backlog-size", .number(1_048_576, .memory, .range(1, longMax)),
            "Bytes of the log kept in memory for replicas."),
        Directive(
            .replBacklogTtl, "repl-backlog-ttl", .number(3600, .plain, .range(0, longMax)),
            "Seconds the backlog outlives the last replica."),
        Directive(
            .minReplicasToWrite, "min-replicas-to-write", alias: "min-slaves-to-write",
            .number(0, .plain, .range(0, intMax)),
            "Refuse writes with fewer replicas in touch."),
        Directive(
            .minReplicasMaxLag, "min-replicas-max-lag", alias: "min-slaves-max-lag",
            .number(10, .plain, .range(0, intMax)),
            "Seconds of silence after which a replica does not count."),
        Directive(
            .propagationErrorBehavior, "propagation-error-behavior",
            .choice(.names(["ignore", "panic", "panic-on-replicas"]), 0),
            "What a replica does, and with panic a start, when a command of the stream or the log fails."
        ),
    ]

    private static let security: [Directive] = [
        Directive(
            .requirepass, "requirepass", .text("", .binary), traits: [.sensitive],
            "Password of the default user; empty for none."),
        Directive(
            .aclfile, "aclfile", .text("", .free), traits: [.immutable],
            "File with the users' rules."),
        Directive(
            .aclPubsubDefault, "acl-pubsub-default",
            .choice(.names(["allchannels", "resetchannels"]), 1),
            "Channels that a new user may use."),
        Directive(
            .acllogMaxLen, "acllog-max-len", .number(128, .plain, .range(0, longMax)),
            "Entries of ACL LOG."),
    ]

    private static let clients: [Directive] = [
        Directive(
            .clientOutputBufferLimit, "client-output-buffer-limit", .bufferLimits,
            traits: [.severalWords],
            "Per class: bytes at once, bytes for so many seconds, seconds; 0 for no limit."),
        Directive(
            .clientQueryBufferLimit, "client-query-buffer-limit",
            .number(1_073_741_824, .memory, .range(1_048_576, longMax)),
            "Bytes of one client's unanswered requests."),
        Directive(
            .protoMaxBulkLen, "proto-max-bulk-len",
            .number(536_870_912, .memory, .range(1_048_576, longMax)),
            "Bytes of one argument."),
        Directive(
            .maxmemoryClients, "maxmemory-clients",
            .number(0, .memoryOrPercent, .range(-100, longMax)), traits: [.idle],
            "Bytes of all clients' buffers, or a share of maxmemory; 0 for no limit."),
        Directive(
            .trackingTableMaxKeys, "tracking-table-max-keys",
            .number(1_000_000, .plain, .range(0, longMax)),
            "Keys remembered for client tracking."),
        Directive(
            .gatherPauseUs, "gather-pause-us", .number(5, .plain, .range(0, 1000)),
            "Microseconds to look for more requests before sleeping."),
    ]

    private static let memory: [Directive] = [
        Directive(
            .maxmemory, "maxmemory", .number(0, .memory, .unsigned),
            "Bytes of memory for data; 0 for no limit."),
        Directive(
            .maxmemoryPolicy, "maxmemory-policy",
            .choice(
                .names([
                    "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
                    "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction",
                ]), 7), traits: [.idle],
            "What is evicted when maxmemory is reached."),
        Directive(
            .maxmemorySamples, "maxmemory-samples", .number(5, .plain, .range(1, intMax)),
            traits: [.idle],
            "Keys looked at per eviction."),
        Directive(
            .maxmemoryEvictionTenacity, "maxmemory-eviction-tenacity",
            .number(10, .plain, .range(0, 100)), traits: [.idle],
            "Effort of eviction."),
        Directive(
            .activeExpireEffort, "active-expire-effort", .number(1, .plain, .range(1, 10)),
            traits: [.idle],
            "Effort of finding expired keys."),
        Directive(
            .lfuLogFactor, "lfu-log-factor", .number(10, .plain, .range(0, intMax)),
            traits: [.idle],
            "How fast the access frequency counter saturates."),
        Directive(
            .lfuDecayTime, "lfu-decay-time", .number(1, .plain, .range(0, intMax)), traits: [.idle],
            "Minutes in which the access frequency counter falls by one."),
        Directive(
            .lazyfreeLazyEviction, "lazyfree-lazy-eviction", .flag(false), traits: [.idle],
            "Free evicted values in the background."),
        Directive(
            .lazyfreeLazyExpire, "lazyfree-lazy-expire", .flag(false), traits: [.idle],
            "Free expired values in the background."),
        Directive(
            .lazyfreeLazyServerDel, "lazyfree-lazy-server-del", .flag(false),
            "Free overwritten values in the background."),
        Directive(
            .lazyfreeLazyUserDel, "lazyfree-lazy-user-del", .flag(false), traits: [.idle],
            "DEL frees in the background."),
        Directive(
            .lazyfreeLazyUserFlush, "lazyfree-lazy-user-flush", .flag(false), traits: [.idle],
            "FLUSHALL and FLUSHDB free in the background."),
        Directive(
            .activerehashing, "activerehashing", .flag(true), traits: [.idle],
            "Spend idle time on rehashing."),
        Directive(
            .activedefrag, "activedefrag", .flag(false), traits: [.idle],
            "Move values to defragment memory."),
        Directive(
            .activeDefragIgnoreBytes, "active-defrag-ignore-bytes",
            .number(104_857_600, .memory, .range(1, longMax)), traits: [.idle],
            "Least waste that starts it."),
        Directive(
            .activeDefragThresholdLower, "active-defrag-threshold-lower",
            .number(10, .plain, .range(0, 1000)), traits: [.idle],
            "Percentage of waste that starts it."),
        Directive(
            .activeDefragThresholdUpper, "active-defrag-threshold-upper",
            .number(100, .plain, .range(0, 1000)), traits: [.idle],
            "Percentage of waste at which it works hardest."),
        Directive(
            .activeDefragCycleMin, "active-defrag-cycle-min", .number(1, .plain, .range(1, 99)),
            traits: [.idle],
            "Least percentage of time spent on it."),
        Directive(
            .activeDefragCycleMax, "active-defrag-cycle-max", .number(25, .plain, .range(1, 99)),
            traits: [.idle],
            "Most percentage of time spent on it."),
        Directive(
            .activeDefragMaxScanFields, "active-defrag-max-scan-fields",
            .number(1000, .plain, .range(1, longMax)), traits: [.idle],
            "Elements visited at once."),
        Directive(
            .jemallocBgThread, "jemalloc-bg-thread", .flag(true), traits: [.idle],
            "Let the allocator purge in the background."),
    ]

    private static let encodings: [Directive] = [
        Directive(
            .hashMaxListpackEntries, "hash-max-listpack-entries", alias: "hash-max-ziplist-entries",
            .number(512, .plain, .range(0, longMax)),
            "Most fields of a hash kept packed."),
        Directive(
            .hashMaxListpackValue, "hash-max-listpack-value", alias: "hash-max-ziplist-value",
            .number(64, .memory, .range(0, longMax)),
            "Longest field or value of a hash kept packed."),
        Directive(
            .listMaxListpackSize, "list-max-listpack-size", alias: "list-max-ziplist-size",
            .number(-2, .plain, .range(intMin, intMax)), traits: [.idle],
            "Elements per node of a list; negative: -1 to -5 for 4 to 64 kb."),
        Directive(
            .listCompressDepth, "list-compress-depth", .number(0, .plain, .range(0, intMax)),
            traits: [.idle],
            "Nodes at each end of a list left uncompressed; 0 compresses none."),
        Directive(
            .setMaxIntsetEntries, "set-max-intset-entries",
            .number(512, .plain, .range(0, longMax)),
            "Most elements of a set of integers kept packed."),
        Directive(
            .setMaxListpackEntries, "set-max-listpack-entries",
            .number(128, .plain, .range(0, longMax)),
            "Most elements of a set kept packed."),
        Directive(
            .setMaxListpackValue, "set-max-listpack-value", .number(64, .plain, .range(0, longMax)),
            "Longest element of a set kept packed."),
        Directive(
            .zsetMaxListpackEntries, "zset-max-listpack-entries", alias: "zset-max-ziplist-entries",
            .number(128, .plain, .range(0, longMax)),
            "Most elements of a sorted set kept packed."),
        Directive(
            .zsetMaxListpackValue, "zset-max-listpack-value", alias: "zset-max-ziplist-value",
            .number(64, .memory, .range(0, longMax)),
            "Longest element of a sorted set kept packed."),
        Directive(
            .hllSparseMaxBytes, "hll-sparse-max-bytes", .number(3000, .memory, .range(0, longMax)),
            traits: [.idle],
            "Most bytes of a sparse HyperLogLog."),
        Directive(
            .streamNodeMaxBytes, "stream-node-max-bytes",
            .number(4096, .memory, .range(0, longMax)),
            "Bytes per node of a stream; 0 for no limit."),
        Directive(
            .streamNodeMaxEntries, "stream-node-max-entries",
            .number(100, .plain, .range(0, longMax)),
            "Entries per node of a stream; 0 for no limit."),
    ]

    private static let watching: [Directive] = [
        Directive(
            .slowlogLogSlowerThan, "slowlog-log-slower-than",
            .number(10000, .plain, .range(-1, longMax)),
            "Microseconds above which a command is noted; -1 for none."),
        Directive(
            .slowlogMaxLen, "slowlog-max-len", .number(128, .plain, .range(0, longMax)),
            "Entries of the slow log."),
        Directive(
            .latencyMonitorThreshold, "latency-monitor-threshold",
            .number(0, .plain, .range(0, longMax)),
            "Milliseconds above which an event is noted; 0 for none."),
        Directive(
            .latencyTracking, "latency-tracking", .flag(true),
            "Keep percentiles of each command's time."),
        Directive(
            .latencyTrackingInfoPercentiles, "latency-tracking-info-percentiles",
            .percentiles("50 99 99.9"), traits: [.severalWords],
            "Percentiles that INFO shows."),
        Directive(
            .notifyKeyspaceEvents, "notify-keyspace-events", .keyEvents,
            "Classes of key events that are published."),
        Directive(
            .busyReplyThreshold, "busy-reply-threshold", alias: "lua-time-limit",
            .number(5000, .plain, .range(0, longMax)), traits: [.idle],
            "Milliseconds after which a script makes others get BUSY."),
    ]

    private static let system: [Directive] = [
        Directive(
            .ioThreads, "io-threads", .number(1, .plain, .range(1, 128)),
            traits: [.immutable, .idle],
            "Accepted: commands run on one thread."),
        Directive(
            .ioThreadsDoReads, "io-threads-do-reads", .flag(false), traits: [.immutable, .idle],
            "Accepted: commands run on one thread."),
        Directive(
            .oomScoreAdj, "oom-score-adj",
            .choice(.names(["no", "yes", "relative", "absolute"]), 0), traits: [.idle],
            "Set the kernel's out-of-memory score."),
        Directive(
            .oomScoreAdjValues, "oom-score-adj-values", .scores("0 200 800"),
            traits: [.severalWords, .idle],
            "Scores for primary, replica and background children."),
        Directive(
            .disableThp, "disable-thp", .flag(true), traits: [.immutable, .idle],
            "Turn transparent huge pages off."),
        Directive(
            .serverCpulist, "server_cpulist", .text("", .free), traits: [.immutable, .idle],
            "Processors for the command thread."),
        Directive(
            .bioCpulist, "bio_cpulist", .text("", .free), traits: [.immutable, .idle],
            "Processors for background threads."),
        Directive(
            .aofRewriteCpulist, "aof_rewrite_cpulist", .text("", .free),
            traits: [.immutable, .idle],
            "Processors for rewrites."),
        Directive(
            .bgsaveCpulist, "bgsave_cpulist", .text("", .free), traits: [.immutable, .idle],
            "Processors for snapshots."),
    ]

    private static let tls: [Directive] = [
        Directive(
            .tlsPort, "tls-port", .number(0, .plain, .range(0, 65535)), traits: [.idle],
            "TCP port for TLS; 0 for none."),
        Directive(
            .tlsCertFile, "tls-cert-file", .text("", .free), traits: [.appliedUnchanged, .idle],
            "Certificate of the server."),
        Directive(
            .tlsKeyFile, "tls-key-file", .text("", .free), traits: [.appliedUnchanged, .idle],
            "Private key of the server."),
        Directive(
            .tlsKeyFilePass, "tls-key-file-pass", .text("", .free), traits: [.idle],
            "Password of the private key."),
        Directive(
            .tlsClientCertFile, "tls-client-cert-file", .text("", .free),
            traits: [.appliedUnchanged, .idle],
            "Certificate shown to other servers."),
        Directive(
            .tlsClientKeyFile, "tls-client-key-file", .text("", .free),
            traits: [.appliedUnchanged, .idle],
            "Private key for it."),
        Directive(
            .tlsClientKeyFilePass, "tls-client-key-file-pass", .text("", .free), traits: [.idle],
            "Password of that key."),
        Directive(
            .tlsDhParamsFile, "tls-dh-params-file", .text("", .free),
            traits: [.appliedUnchanged, .idle],
            "Diffie-Hellman parameters."),
        Directive(
            .tlsCaCertFile, "tls-ca-cert-file", .text("", .free),
            traits: [.appliedUnchanged, .idle],
            "Certificates trusted."),
        Directive(
            .tlsCaCertDir, "tls-ca-cert-dir", .text("", .free), traits: [.appliedUnchanged, .idle],
            "Folder of certificates trusted."),
        Directive(
            .tlsAuthClients, "tls-auth-clients", .choice(.names(["no", "yes", "optional"]), 1),
            traits: [.idle],
            "Whether clients must show a certificate."),
        Directive(
            .tlsReplication, "tls-replication", .flag(false), traits: [.idle],
            "Use TLS towards the primary."),
        Directive(
            .tlsCluster, "tls-cluster", .flag(false), traits: [.idle],
            "Use TLS on the cluster bus."),
        Directive(
            .tlsProtocols, "tls-protocols", .text("", .free), traits: [.idle],
            "Protocol versions allowed."),
        Directive(
            .tlsCiphers, "tls-ciphers", .text("", .free), traits: [.idle],
            "Ciphers up to TLS 1.2."),
        Directive(
            .tlsCiphersuites, "tls-ciphersuites", .text("", .free), traits: [.idle],
            "Ciphers of TLS 1.3."),
        Directive(
            .tlsPreferServerCiphers, "tls-prefer-server-ciphers", .flag(false), traits: [.idle],
            "The server chooses the cipher."),
        Directive(
            .tlsSessionCaching, "tls-session-caching", .flag(true), traits: [.idle],
            "Resume sessions."),
        Directive(
            .tlsSessionCacheSize, "tls-session-cache-size",
            .number(20480, .plain, .range(0, intMax)), traits: [.idle],
            "Sessions remembered."),
        Directive(
            .tlsSessionCacheTimeout, "tls-session-cache-timeout",
            .number(300, .plain, .range(0, intMax)), traits: [.idle],
            "Seconds a session is remembered."),
    ]

    private static let cluster: [Directive] = [
        Directive(
            .clusterEnabled, "cluster-enabled", .flag(false), traits: [.immutable, .idle],
            "Be a node of a cluster."),
        Directive(
            .clusterConfigFile, "cluster-config-file", .text("nodes.conf", .free),
            traits: [.immutable, .idle],
            "File in which the node keeps its state."),
        Directive(
            .clusterNodeTimeout, "cluster-node-timeout", .number(15000, .plain, .range(0, longMax)),
            traits: [.idle],
            "Milliseconds of silence after which a node counts as failing."),
        Directive(
            .clusterPort, "cluster-port", .number(0, .plain, .range(0, 65535)),
            traits: [.immutable, .idle],
            "Port of the cluster bus; 0 for port + 10000."),
        Directive(
            .clusterAnnounceIp, "cluster-announce-ip", .text("", .free), traits: [.idle],
            "Address told to other nodes."),
        Directive(
            .clusterAnnouncePort, "cluster-announce-port", .number(0, .plain, .range(0, 65535)),
            traits: [.idle],
            "Port told to other nodes."),
        Directive(
            .clusterAnnounceTlsPort, "cluster-announce-tls-port",
            .number(0, .plain, .range(0, 65535)), traits: [.idle],
            "TLS port told to other nodes."),
        Directive(
            .clusterAnnounceBusPort, "cluster-announce-bus-port",
            .number(0, .plain, .range(0, 65535)), traits: [.idle],
            "Bus port told to other nodes."),
        Directive(
            .clusterAnnounceHostname, "cluster-announce-hostname", .text("", .hostName),
            traits: [.idle],
            "Host name told to other nodes."),
        Directive(
            .clusterAnnounceHumanNodename, "cluster-announce-human-nodename", .text("", .nodeName),
            traits: [.idle],
            "Name shown in diagnostics."),
        Directive(
            .clusterPreferredEndpointType, "cluster-preferred-endpoint-type",
            .choice(.names(["ip", "hostname", "unknown-endpoint"]), 0), traits: [.idle],
            "What redirections name."),
        Directive(
            .clusterRequireFullCoverage, "cluster-require-full-coverage", .flag(true),
            traits: [.idle],
            "Refuse all when a slot is not served."),
        Directive(
            .clusterAllowReadsWhenDown, "cluster-allow-reads-when-down", .flag(false),
            traits: [.idle],
            "Serve reads while the cluster is down."),
        Directive(
            .clusterAllowPubsubshardWhenDown, "cluster-allow-pubsubshard-when-down", .flag(true),
            traits: [.idle],
            "Serve sharded channels while the cluster is down."),
        Directive(
            .clusterAllowReplicaMigration, "cluster-allow-replica-migration", .flag(true),
            traits: [.idle],
            "Let replicas move to primaries without one."),
        Directive(
            .clusterMigrationBarrier, "cluster-migration-barrier",
            .number(1, .plain, .range(0, intMax)), traits: [.idle],
            "Replicas a primary keeps before one moves away."),
        Directive(
            .clusterReplicaNoFailover, "cluster-replica-no-failover",
            alias: "cluster-slave-no-failover", .flag(false), traits: [.idle],
            "Never promote this replica."),
        Directive(
            .clusterReplicaValidityFactor, "cluster-replica-validity-factor",
            alias: "cluster-slave-validity-factor", .number(10, .plain, .range(0, intMax)),
            traits: [.idle],
            "How stale a replica may be to be promoted."),
        Directive(
            .clusterLinkSendbufLimit, "cluster-link-sendbuf-limit", .number(0, .memory, .unsigned),
            traits: [.idle],
            "Bytes waiting on one link of the bus; 0 for no limit."),
    ]

    private static let hidden: [Directive] = [
        Directive(
            .aofDisableAutoGc, "aof-disable-auto-gc", .flag(false), traits: [.hidden, .idle],
            "Keep replaced files of the log."),
        Directive(
            .clusterPingInterval, "cluster-ping-interval", .number(0, .plain, .range(0, longMax)),
            traits: [.hidden, .idle],
            "Milliseconds between pings on the bus; 0 for the usual."),
        Directive(
            .keyLoadDelay, "key-load-delay", .number(0, .plain, .range(intMin, intMax)),
            traits: [.hidden],
            "Microseconds of sleep per key loaded."),
        Directive(
            .rdbKeySaveDelay, "rdb-key-save-delay", .number(0, .plain, .range(intMin, intMax)),
            traits: [.hidden],
            "Microseconds of sleep per key saved."),
        Directive(
            .loadingProcessEventsIntervalBytes, "loading-process-events-interval-bytes",
            .number(2_097_152, .plain, .range(1024, intMax)), traits: [.hidden, .idle],
            "Bytes loaded between two looks at clients."),
        Directive(
            .useExitOnPanic, "use-exit-on-panic", .flag(false), traits: [.hidden, .idle],
            "Exit instead of aborting."),
        Directive(
            .watchdogPeriod, "watchdog-period", .number(0, .plain, .range(0, intMax)),
            traits: [.hidden, .idle],
            "Accepted: there is no software watchdog."),
    ]
}
