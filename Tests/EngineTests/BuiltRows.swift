import Engine

/// The rows of the commands that are built, while their families are on the way: lets the table be tested
/// as a whole.
enum BuiltRows {
    static let table: [CommandSpec] = [
        CommandSpec("bgrewriteaof", 1, [.admin, .noScript, .noAsyncLoading], .server, .session(0)),
        CommandSpec("bgsave", -1, [.admin, .noScript, .noAsyncLoading], .server, .session(0)),
        CommandSpec(
            "save", 1, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, .session(0)),
        CommandSpec(
            "dump", 2, [.readonly], .generic, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .session(0)),
        CommandSpec(
            "restore", -4, [.write, .denyOOM], .generic, keys: [.first(.ow, [.update])],
            acl: [.keyspace, .dangerous], .session(0)),
        CommandSpec(
            "restore-asking", -4, [.write, .denyOOM, .asking], .server,
            keys: [.first(.ow, [.update])], acl: [.keyspace, .dangerous], .session(0)),
        CommandSpec(
            "bitcount", -2, [.readonly], .bitmap, keys: [.first(.ro, [.access])], .session(0)),
        CommandSpec(
            "bitfield", -2, [.write, .denyOOM], .bitmap,
            keys: [.first(.rw, [.update, .access, .variableFlags])], .session(0)),
        CommandSpec(
            "bitfield_ro", -2, [.readonly, .fast], .bitmap, keys: [.first(.ro, [.access])],
            .session(0)),
        CommandSpec(
            "bitop", -4, [.write, .denyOOM], .bitmap,
            keys: [.at(2, .ow, [.update]), .from(3, .ro, [.access])], .session(0)),
        CommandSpec(
            "bitpos", -3, [.readonly], .bitmap, keys: [.first(.ro, [.access])], .session(0)),
        CommandSpec(
            "getbit", 3, [.readonly, .fast], .bitmap, keys: [.first(.ro, [.access])], .session(0)),
        CommandSpec(
            "setbit", 4, [.write, .denyOOM], .bitmap, keys: [.first(.rw, [.access, .update])],
            .session(0)),
        CommandSpec(
            "migrate", -6, [.write], .generic,
            keys: [
                .at(3, .rw, [.access, .delete]),
                .after("KEYS", from: -2, to: -1, .rw, [.access, .delete, .incomplete]),
            ], tips: [.nondeterministicOutput], acl: [.keyspace, .dangerous], .session(0)),
        CommandSpec(
            "wait", 3, [], .generic, tips: [.requestAllShards, .responseAggregateMin],
            acl: [.connection], .session(0)),
        CommandSpec(
            "waitaof", 4, [.noScript], .generic, tips: [.requestAllShards, .responseAggregateMin],
            acl: [.connection], .session(0)),
        CommandSpec("monitor", 1, [.admin, .noScript, .loading, .stale], .server, .session(0)),
        CommandSpec(
            "psubscribe", -2, [.pubsub, .noScript, .loading, .stale, .sentinel], .pubsub,
            .session(0)),
        CommandSpec(
            "publish", 3, [.pubsub, .loading, .stale, .fast, .mayReplicate, .sentinel], .pubsub,
            .session(0)),
        CommandSpec(
            "pubsub", -2, [], .pubsub, .container,
            subcommands: [
                CommandSpec(
                    "pubsub|channels", -2, [.pubsub, .loading, .stale], .pubsub, .session(0)),
                CommandSpec("pubsub|help", 2, [.loading, .stale], .pubsub, acl: [], .session(0)),
                CommandSpec("pubsub|numpat", 2, [.pubsub, .loading, .stale], .pubsub, .session(0)),
                CommandSpec(
                    "pubsub|numsub", -2, [.pubsub, .loading, .stale], .pubsub, .session(0)),
                CommandSpec(
                    "pubsub|shardchannels", -2, [.pubsub, .loading, .stale], .pubsub, .session(0)),
                CommandSpec(
                    "pubsub|shardnumsub", -2, [.pubsub, .loading, .stale], .pubsub, .session(0)),
            ]),
        CommandSpec(
            "punsubscribe", -1, [.pubsub, .noScript, .loading, .stale, .sentinel], .pubsub,
            .session(0)),
        CommandSpec(
            "spublish", 3, [.pubsub, .loading, .stale, .fast, .mayReplicate], .pubsub,
            keys: [.first(.notKey)], .session(0)),
        CommandSpec(
            "ssubscribe", -2, [.pubsub, .noScript, .loading, .stale], .pubsub,
            keys: [.from(1, .notKey)], .session(0)),
        CommandSpec(
            "subscribe", -2, [.pubsub, .noScript, .loading, .stale, .sentinel], .pubsub, .session(0)
        ),
        CommandSpec(
            "sunsubscribe", -1, [.pubsub, .noScript, .loading, .stale], .pubsub,
            keys: [.from(1, .notKey)], .session(0)),
        CommandSpec(
            "unsubscribe", -1, [.pubsub, .noScript, .loading, .stale, .sentinel], .pubsub,
            .session(0)),
        CommandSpec(
            "acl", -2, [.sentinel], .server, .container,
            subcommands: [
                CommandSpec(
                    "acl|cat", -2, [.noScript, .loading, .stale, .sentinel], .server, .session(0)),
                CommandSpec(
                    "acl|deluser", -3, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "acl|dryrun", -4, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec(
                    "acl|genpass", -2, [.noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec(
                    "acl|getuser", 3, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec("acl|help", 2, [.loading, .stale, .sentinel], .server, .session(0)),
                CommandSpec(
                    "acl|list", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec(
                    "acl|load", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec(
                    "acl|log", -2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec(
                    "acl|save", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "acl|setuser", -3, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "acl|users", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .session(0)),
                CommandSpec(
                    "acl|whoami", 2, [.noScript, .loading, .stale, .sentinel], .server, .session(0)),
            ]),
        CommandSpec(
            "client", -2, [.sentinel], .connection, .container,
            subcommands: [
                CommandSpec(
                    "client|caching", 3, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|getredir", 2, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|tracking", -3, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|trackinginfo", 2, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|getname", 2, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|help", 2, [.loading, .stale, .sentinel], .connection, .session(0)),
                CommandSpec(
                    "client|id", 2, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|info", 2, [.noScript, .loading, .stale, .sentinel], .connection,
                    tips: [.nondeterministicOutput], .session(0)),
                CommandSpec(
                    "client|kill", -3, [.admin, .noScript, .loading, .stale, .sentinel],
                    .connection, .session(0)),
                CommandSpec(
                    "client|list", -2, [.admin, .noScript, .loading, .stale, .sentinel],
                    .connection, tips: [.nondeterministicOutput], .session(0)),
                CommandSpec(
                    "client|no-evict", 3, [.admin, .noScript, .loading, .stale, .sentinel],
                    .connection, .session(0)),
                CommandSpec(
                    "client|no-touch", 3, [.noScript, .loading, .stale], .connection, .session(0)),
                CommandSpec(
                    "client|pause", -3, [.admin, .noScript, .loading, .stale, .sentinel],
                    .connection, .session(0)),
                CommandSpec(
                    "client|reply", 3, [.noScript, .loading, .stale, .sentinel], .connection,
                    .session(0)),
                CommandSpec(
                    "client|setinfo", 4, [.noScript, .loading, .stale, .sentinel], .connection,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "client|setname", 3, [.noScript, .loading, .stale, .sentinel], .connection,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "client|unblock", -3, [.admin, .noScript, .loading, .stale, .sentinel],
                    .connection, .session(0)),
                CommandSpec(
                    "client|unpause", 2, [.admin, .noScript, .loading, .stale, .sentinel],
                    .connection, .session(0)),
            ]),
        CommandSpec(
            "command", -1, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutputOrder], acl: [.connection], .session(0),
            subcommands: [
                CommandSpec(
                    "command|count", 2, [.loading, .stale, .sentinel], .server, acl: [.connection],
                    .session(0)),
                CommandSpec(
                    "command|docs", -2, [.loading, .stale, .sentinel], .server,
                    tips: [.nondeterministicOutputOrder], acl: [.connection], .session(0)),
                CommandSpec(
                    "command|getkeys", -3, [.loading, .stale, .sentinel], .server,
                    acl: [.connection], .session(0)),
                CommandSpec(
                    "command|getkeysandflags", -3, [.loading, .stale, .sentinel], .server,
                    acl: [.connection], .session(0)),
                CommandSpec(
                    "command|help", 2, [.loading, .stale, .sentinel], .server, acl: [.connection],
                    .session(0)),
                CommandSpec(
                    "command|info", -2, [.loading, .stale, .sentinel], .server,
                    tips: [.nondeterministicOutputOrder], acl: [.connection], .session(0)),
                CommandSpec(
                    "command|list", -2, [.loading, .stale, .sentinel], .server,
                    tips: [.nondeterministicOutputOrder], acl: [.connection], .session(0)),
            ]),
        CommandSpec(
            "config", -2, [], .server, .container,
            subcommands: [
                CommandSpec(
                    "config|get", -3, [.admin, .noScript, .loading, .stale], .server, .session(0)),
                CommandSpec("config|help", 2, [.loading, .stale], .server, .session(0)),
                CommandSpec(
                    "config|resetstat", 2, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "config|rewrite", 2, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "config|set", -4, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
            ]),
        CommandSpec(
            "auth", -2, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy, .sentinel],
            .connection, .session(0)),
        CommandSpec("echo", 2, [.loading, .stale, .fast], .connection, .session(0)),
        CommandSpec(
            "hello", -1, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy, .sentinel],
            .connection, .session(0)),
        CommandSpec(
            "ping", -1, [.fast, .sentinel], .connection,
            tips: [.requestAllShards, .responseAllSucceeded], .session(0)),
        CommandSpec(
            "quit", -1, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy], .connection,
            .session(0)),
        CommandSpec(
            "reset", 1, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy], .connection,
            .session(0)),
        CommandSpec("select", 2, [.loading, .stale, .fast], .connection, .session(0)),
        CommandSpec(
            "copy", -3, [.write, .denyOOM], .generic,
            keys: [.first(.ro, [.access]), .at(2, .ow, [.update])], .session(0)),
        CommandSpec(
            "del", -2, [.write], .generic, keys: [.from(1, .rm, [.delete])],
            tips: [.requestMultiShard, .responseAggregateSum], .session(0)),
        CommandSpec(
            "exists", -2, [.readonly, .fast], .generic, keys: [.from(1, .ro)],
            tips: [.requestMultiShard, .responseAggregateSum], .session(0)),
        CommandSpec(
            "expire", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .session(0)),
        CommandSpec(
            "expireat", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .session(0)),
        CommandSpec(
            "expiretime", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            .session(0)),
        CommandSpec(
            "keys", 2, [.readonly], .generic,
            tips: [.requestAllShards, .nondeterministicOutputOrder], acl: [.keyspace, .dangerous],
            .session(0)),
        CommandSpec(
            "move", 3, [.write, .fast], .generic, keys: [.first(.rw, [.access, .update])],
            .session(0)),
        CommandSpec(
            "object", -2, [], .generic, .container,
            subcommands: [
                CommandSpec(
                    "object|encoding", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .session(0)),
                CommandSpec(
                    "object|freq", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .session(0)),
                CommandSpec("object|help", 2, [.loading, .stale], .generic, .session(0)),
                CommandSpec(
                    "object|idletime", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .session(0)),
                CommandSpec(
                    "object|refcount", 3, [.readonly], .generic, keys: [.at(2, .ro)],
                    tips: [.nondeterministicOutput], .session(0)),
            ]),
        CommandSpec(
            "persist", 2, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .session(0)),
        CommandSpec(
            "pexpire", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .session(0)),
        CommandSpec(
            "pexpireat", -3, [.write, .fast], .generic, keys: [.first(.rw, [.update])], .session(0)),
        CommandSpec(
            "pexpiretime", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            .session(0)),
        CommandSpec(
            "pttl", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .session(0)),
        CommandSpec(
            "randomkey", 1, [.readonly, .touchesArbitraryKeys], .generic,
            tips: [.requestAllShards, .responseSpecial, .nondeterministicOutput], .session(0)),
        CommandSpec(
            "rename", 3, [.write], .generic,
            keys: [.first(.rw, [.access, .delete]), .at(2, .ow, [.update])], .session(0)),
        CommandSpec(
            "renamenx", 3, [.write, .fast], .generic,
            keys: [.first(.rw, [.access, .delete]), .at(2, .ow, [.insert])], .session(0)),
        CommandSpec(
            "scan", -2, [.readonly, .touchesArbitraryKeys], .generic,
            tips: [.nondeterministicOutput, .requestSpecial, .responseSpecial], .session(0)),
        CommandSpec(
            "touch", -2, [.readonly, .fast], .generic, keys: [.from(1, .ro)],
            tips: [.requestMultiShard, .responseAggregateSum], .session(0)),
        CommandSpec(
            "ttl", 2, [.readonly, .fast], .generic, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .session(0)),
        CommandSpec("type", 2, [.readonly, .fast], .generic, keys: [.first(.ro)], .session(0)),
        CommandSpec(
            "unlink", -2, [.write, .fast], .generic, keys: [.from(1, .rm, [.delete])],
            tips: [.requestMultiShard, .responseAggregateSum], .session(0)),
        CommandSpec(
            "module", -2, [], .server, .container,
            subcommands: [
                CommandSpec("module|help", 2, [.loading, .stale], .server, .session(0)),
                CommandSpec(
                    "module|list", 2, [.admin, .noScript], .server,
                    tips: [.nondeterministicOutputOrder], .session(0)),
                CommandSpec(
                    "module|load", -3, [.admin, .noScript, .noAsyncLoading, .protected], .server,
                    .session(0)),
                CommandSpec(
                    "module|loadex", -3, [.admin, .noScript, .noAsyncLoading, .protected], .server,
                    .session(0)),
                CommandSpec(
                    "module|unload", 3, [.admin, .noScript, .noAsyncLoading, .protected], .server,
                    .session(0)),
            ]),
        CommandSpec(
            "latency", -2, [], .server, .container,
            subcommands: [
                CommandSpec(
                    "latency|doctor", 2, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.nondeterministicOutput, .requestAllNodes, .responseSpecial], .session(0)
                ),
                CommandSpec(
                    "latency|graph", 3, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.nondeterministicOutput, .requestAllNodes, .responseSpecial], .session(0)
                ),
                CommandSpec("latency|help", 2, [.loading, .stale], .server, .session(0)),
                CommandSpec(
                    "latency|histogram", -2, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.nondeterministicOutput, .requestAllNodes, .responseSpecial], .session(0)
                ),
                CommandSpec(
                    "latency|history", 3, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.nondeterministicOutput, .requestAllNodes, .responseSpecial], .session(0)
                ),
                CommandSpec(
                    "latency|latest", 2, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.nondeterministicOutput, .requestAllNodes, .responseSpecial], .session(0)
                ),
                CommandSpec(
                    "latency|reset", -2, [.admin, .noScript, .loading, .stale], .server,
                    tips: [.requestAllNodes, .responseAggregateSum], .session(0)),
            ]),
        CommandSpec(
            "memory", -2, [], .server, .container,
            subcommands: [
                CommandSpec(
                    "memory|doctor", 2, [], .server,
                    tips: [.nondeterministicOutput, .requestAllShards, .responseSpecial],
                    .session(0)),
                CommandSpec("memory|help", 2, [.loading, .stale], .server, .session(0)),
                CommandSpec(
                    "memory|malloc-stats", 2, [], .server,
                    tips: [.nondeterministicOutput, .requestAllShards, .responseSpecial],
                    .session(0)),
                CommandSpec(
                    "memory|purge", 2, [], .server,
                    tips: [.requestAllShards, .responseAllSucceeded], .session(0)),
                CommandSpec(
                    "memory|stats", 2, [], .server,
                    tips: [.nondeterministicOutput, .requestAllShards, .responseSpecial],
                    .session(0)),
                CommandSpec(
                    "memory|usage", -3, [.readonly], .server, keys: [.at(2, .ro)], .session(0)),
            ]),
        CommandSpec(
            "dbsize", 1, [.readonly, .fast], .server,
            tips: [.requestAllShards, .responseAggregateSum], acl: [.keyspace], .session(0)),
        CommandSpec(
            "debug", -2, [.admin, .noScript, .loading, .stale, .protected], .server, .session(0)),
        CommandSpec(
            "flushall", -1, [.write], .server, tips: [.requestAllShards, .responseAllSucceeded],
            acl: [.keyspace, .dangerous], .session(0)),
        CommandSpec(
            "flushdb", -1, [.write], .server, tips: [.requestAllShards, .responseAllSucceeded],
            acl: [.keyspace, .dangerous], .session(0)),
        CommandSpec(
            "info", -1, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutput, .requestAllShards, .responseSpecial], acl: [.dangerous],
            .session(0)),
        CommandSpec(
            "lastsave", 1, [.loading, .stale, .fast], .server, tips: [.nondeterministicOutput],
            acl: [.admin, .dangerous], .session(0)),
        CommandSpec("failover", -1, [.admin, .noScript, .stale], .server, .session(0)),
        CommandSpec(
            "psync", -3, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, .session(0)),
        CommandSpec(
            "replconf", -1, [.admin, .noScript, .loading, .stale, .allowBusy], .server,
            .session(0)),
        CommandSpec(
            "replicaof", 3, [.admin, .noScript, .stale, .noAsyncLoading], .server, .session(0)),
        CommandSpec(
            "slaveof", 3, [.admin, .noScript, .stale, .noAsyncLoading], .server, .session(0)),
        CommandSpec(
            "sync", 1, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, .session(0)),
        CommandSpec("lolwut", -1, [.readonly, .fast], .server, .session(0)),
        CommandSpec(
            "role", 1, [.noScript, .loading, .stale, .fast, .sentinel], .server,
            acl: [.admin, .dangerous], .session(0)),
        CommandSpec(
            "shutdown", -1, [.admin, .noScript, .loading, .stale, .noMulti, .allowBusy, .sentinel],
            .server, .session(0)),
        CommandSpec(
            "swapdb", 3, [.write, .fast], .server, acl: [.keyspace, .dangerous], .session(0)),
        CommandSpec(
            "time", 1, [.loading, .stale, .fast], .server, tips: [.nondeterministicOutput],
            .session(0)),
        CommandSpec(
            "slowlog", -2, [], .server, .container,
            subcommands: [
                CommandSpec(
                    "slowlog|get", -2, [.admin, .loading, .stale], .server,
                    tips: [.requestAllNodes, .nondeterministicOutput], .session(0)),
                CommandSpec("slowlog|help", 2, [.loading, .stale], .server, .session(0)),
                CommandSpec(
                    "slowlog|len", 2, [.admin, .loading, .stale], .server,
                    tips: [.requestAllNodes, .responseAggregateSum, .nondeterministicOutput],
                    .session(0)),
                CommandSpec(
                    "slowlog|reset", 2, [.admin, .loading, .stale], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .session(0)),
            ]),
        CommandSpec(
            "append", 3, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.insert])],
            .session(0)),
        CommandSpec(
            "decr", 2, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.access, .update])],
            .session(0)),
        CommandSpec(
            "decrby", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .session(0)),
        CommandSpec(
            "get", 2, [.readonly, .fast], .string, keys: [.first(.ro, [.access])], .session(0)),
        CommandSpec(
            "getdel", 2, [.write, .fast], .string, keys: [.first(.rw, [.access, .delete])],
            .session(0)),
        CommandSpec(
            "getex", -2, [.write, .fast], .string, keys: [.first(.rw, [.access, .update])],
            .session(0)),
        CommandSpec(
            "getrange", 4, [.readonly], .string, keys: [.first(.ro, [.access])], .session(0)),
        CommandSpec(
            "getset", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .session(0)),
        CommandSpec(
            "incr", 2, [.write, .denyOOM, .fast], .string, keys: [.first(.rw, [.access, .update])],
            .session(0)),
        CommandSpec(
            "incrby", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .session(0)),
        CommandSpec(
            "incrbyfloat", 3, [.write, .denyOOM, .fast], .string,
            keys: [.first(.rw, [.access, .update])], .session(0)),
        CommandSpec(
            "lcs", -3, [.readonly], .string, keys: [.from(1, to: 1, .ro, [.access])], .session(0)),
        CommandSpec(
            "mget", -2, [.readonly, .fast], .string, keys: [.from(1, .ro, [.access])],
            tips: [.requestMultiShard], .session(0)),
        CommandSpec(
            "mset", -3, [.write, .denyOOM], .string, keys: [.from(1, step: 2, .ow, [.update])],
            tips: [.requestMultiShard, .responseAllSucceeded], .session(0)),
        CommandSpec(
            "msetnx", -3, [.write, .denyOOM], .string, keys: [.from(1, step: 2, .ow, [.insert])],
            .session(0)),
        CommandSpec(
            "psetex", 4, [.write, .denyOOM], .string, keys: [.first(.ow, [.update])], .session(0)),
        CommandSpec(
            "set", -3, [.write, .denyOOM], .string,
            keys: [.first(.rw, [.access, .update, .variableFlags])], .session(0)),
        CommandSpec(
            "setex", 4, [.write, .denyOOM], .string, keys: [.first(.ow, [.update])], .session(0)),
        CommandSpec(
            "setnx", 3, [.write, .denyOOM, .fast], .string, keys: [.first(.ow, [.insert])],
            .session(0)),
        CommandSpec(
            "setrange", 4, [.write, .denyOOM], .string, keys: [.first(.rw, [.update])], .session(0)),
        CommandSpec("strlen", 2, [.readonly, .fast], .string, keys: [.first(.ro)], .session(0)),
        CommandSpec("substr", 4, [.readonly], .string, keys: [.first(.ro, [.access])], .session(0)),
        CommandSpec(
            "discard", 1, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions,
            .session(0)),
        CommandSpec(
            "exec", 1, [.noScript, .loading, .stale, .skipSlowlog], .transactions, .session(0)),
        CommandSpec(
            "multi", 1, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions, .session(0)
        ),
        CommandSpec(
            "unwatch", 1, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions,
            .session(0)),
        CommandSpec(
            "watch", -2, [.noScript, .loading, .stale, .fast, .allowBusy], .transactions,
            keys: [.from(1, .ro)], .session(0)),
    ]
}
