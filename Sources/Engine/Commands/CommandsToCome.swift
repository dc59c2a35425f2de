/// Rows of the commands that later work brings: the table is complete from the start, and the test against
/// the fact sheet covers every row. A row moves into its family's file together with its handler.
///
/// None of them is found by name, so clients get the unknown-command error, and COMMAND doesn't show
/// them.
public enum CommandsToCome {
    public static let table: [CommandSpec] =
        generic
        + server
        + set
        + hash
        + stream
        + scripting
        + cluster

    private static let generic: [CommandSpec] = [
        CommandSpec(
            "migrate", -6, [.write], .generic,
            keys: [
                .at(3, .rw, [.access, .delete]),
                .after("KEYS", from: -2, to: -1, .rw, [.access, .delete, .incomplete]),
            ], tips: [.nondeterministicOutput], acl: [.keyspace, .dangerous], .toCome),
        CommandSpec(
            "sort", -2, [.write, .denyOOM], .generic,
            keys: [.first(.ro, [.access]), .unknown(.ro, [.access]), .unknown(.ow, [.update])],
            acl: [.set, .sortedSet, .list, .dangerous], .toCome),
        CommandSpec(
            "sort_ro", -2, [.readonly], .generic,
            keys: [.first(.ro, [.access]), .unknown(.ro, [.access])],
            acl: [.set, .sortedSet, .list, .dangerous], .toCome),
        CommandSpec(
            "wait", 3, [], .generic, tips: [.requestAllShards, .responseAggregateMin],
            acl: [.connection], .toCome),
        CommandSpec(
            "waitaof", 4, [.noScript], .generic, tips: [.requestAllShards, .responseAggregateMin],
            acl: [.connection], .toCome),
    ]

    private static let server: [CommandSpec] = [
        CommandSpec(
            "acl", -2, [.sentinel], .server, .toCome,
            subcommands: [
                CommandSpec(
                    "acl|cat", -2, [.noScript, .loading, .stale, .sentinel], .server, .toCome),
                CommandSpec(
                    "acl|deluser", -3, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .toCome),
                CommandSpec(
                    "acl|dryrun", -4, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .toCome),
                CommandSpec(
                    "acl|genpass", -2, [.noScript, .loading, .stale, .sentinel], .server, .toCome),
                CommandSpec(
                    "acl|getuser", 3, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .toCome),
                CommandSpec("acl|help", 2, [.loading, .stale, .sentinel], .server, .toCome),
                CommandSpec(
                    "acl|list", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .toCome),
                CommandSpec(
                    "acl|load", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .toCome),
                CommandSpec(
                    "acl|log", -2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .toCome),
                CommandSpec(
                    "acl|save", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .toCome),
                CommandSpec(
                    "acl|setuser", -3, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    tips: [.requestAllNodes, .responseAllSucceeded], .toCome),
                CommandSpec(
                    "acl|users", 2, [.admin, .noScript, .loading, .stale, .sentinel], .server,
                    .toCome),
                CommandSpec(
                    "acl|whoami", 2, [.noScript, .loading, .stale, .sentinel], .server, .toCome),
            ]),
        CommandSpec("failover", -1, [.admin, .noScript, .stale], .server, .toCome),
        CommandSpec(
            "module", -2, [], .server, .toCome,
            subcommands: [
                CommandSpec("module|help", 2, [.loading, .stale], .server, .toCome),
                CommandSpec(
                    "module|list", 2, [.admin, .noScript], .server,
                    tips: [.nondeterministicOutputOrder], .toCome),
                CommandSpec(
                    "module|load", -3, [.admin, .noScript, .noAsyncLoading, .protected], .server,
                    .toCome),
                CommandSpec(
                    "module|loadex", -3, [.admin, .noScript, .noAsyncLoading, .protected], .server,
                    .toCome),
                CommandSpec(
                    "module|unload", 3, [.admin, .noScript, .noAsyncLoading, .protected], .server,
                    .toCome),
            ]),
        CommandSpec("psync", -3, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, .toCome),
        CommandSpec(
            "replconf", -1, [.admin, .noScript, .loading, .stale, .allowBusy], .server, .toCome),
        CommandSpec(
            "replicaof", 3, [.admin, .noScript, .stale, .noAsyncLoading], .server, .toCome),
        CommandSpec("slaveof", 3, [.admin, .noScript, .stale, .noAsyncLoading], .server, .toCome),
        CommandSpec("sync", 1, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, .toCome),
    ]

    private static let set: [CommandSpec] = [
        CommandSpec(
            "sadd", -3, [.write, .denyOOM, .fast], .set, keys: [.first(.rw, [.insert])], .toCome),
        CommandSpec("scard", 2, [.readonly, .fast], .set, keys: [.first(.ro)], .toCome),
        CommandSpec(
            "sdiff", -2, [.readonly], .set, keys: [.from(1, .ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
        CommandSpec(
            "sdiffstore", -3, [.write, .denyOOM], .set,
            keys: [.first(.ow, [.update]), .from(2, .ro, [.access])], .toCome),
        CommandSpec(
            "sinter", -2, [.readonly], .set, keys: [.from(1, .ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
        CommandSpec(
            "sintercard", -3, [.readonly], .set, keys: [.counted(at: 1, .ro, [.access])], .toCome),
        CommandSpec(
            "sinterstore", -3, [.write, .denyOOM], .set,
            keys: [.first(.rw, [.update]), .from(2, .ro, [.access])], .toCome),
        CommandSpec("sismember", 3, [.readonly, .fast], .set, keys: [.first(.ro)], .toCome),
        CommandSpec(
            "smembers", 2, [.readonly], .set, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
        CommandSpec(
            "smismember", -3, [.readonly, .fast], .set, keys: [.first(.ro, [.access])], .toCome),
        CommandSpec(
            "smove", 4, [.write, .fast], .set,
            keys: [.first(.rw, [.access, .delete]), .at(2, .rw, [.insert])], .toCome),
        CommandSpec(
            "spop", -2, [.write, .fast], .set, keys: [.first(.rw, [.access, .delete])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec(
            "srandmember", -2, [.readonly], .set, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec("srem", -3, [.write, .fast], .set, keys: [.first(.rw, [.delete])], .toCome),
        CommandSpec(
            "sscan", -3, [.readonly], .set, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec(
            "sunion", -2, [.readonly], .set, keys: [.from(1, .ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
        CommandSpec(
            "sunionstore", -3, [.write, .denyOOM], .set,
            keys: [.first(.ow, [.update]), .from(2, .ro, [.access])], .toCome),
    ]

    private static let hash: [CommandSpec] = [
        CommandSpec("hdel", -3, [.write, .fast], .hash, keys: [.first(.rw, [.delete])], .toCome),
        CommandSpec("hexists", 3, [.readonly, .fast], .hash, keys: [.first(.ro)], .toCome),
        CommandSpec("hget", 3, [.readonly, .fast], .hash, keys: [.first(.ro, [.access])], .toCome),
        CommandSpec(
            "hgetall", 2, [.readonly], .hash, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
        CommandSpec(
            "hincrby", 4, [.write, .denyOOM, .fast], .hash,
            keys: [.first(.rw, [.access, .update])], .toCome),
        CommandSpec(
            "hincrbyfloat", 4, [.write, .denyOOM, .fast], .hash,
            keys: [.first(.rw, [.access, .update])], .toCome),
        CommandSpec(
            "hkeys", 2, [.readonly], .hash, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
        CommandSpec("hlen", 2, [.readonly, .fast], .hash, keys: [.first(.ro)], .toCome),
        CommandSpec(
            "hmget", -3, [.readonly, .fast], .hash, keys: [.first(.ro, [.access])], .toCome),
        CommandSpec(
            "hmset", -4, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.update])], .toCome),
        CommandSpec(
            "hrandfield", -2, [.readonly], .hash, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec(
            "hscan", -3, [.readonly], .hash, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec(
            "hset", -4, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.update])], .toCome),
        CommandSpec(
            "hsetnx", 4, [.write, .denyOOM, .fast], .hash, keys: [.first(.rw, [.insert])], .toCome),
        CommandSpec("hstrlen", 3, [.readonly, .fast], .hash, keys: [.first(.ro)], .toCome),
        CommandSpec(
            "hvals", 2, [.readonly], .hash, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutputOrder], .toCome),
    ]

    private static let stream: [CommandSpec] = [
        CommandSpec("xack", -4, [.write, .fast], .stream, keys: [.first(.rw, [.update])], .toCome),
        CommandSpec(
            "xadd", -5, [.write, .denyOOM, .fast], .stream, keys: [.first(.rw, [.update])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec(
            "xautoclaim", -6, [.write, .fast], .stream, keys: [.first(.rw, [.delete])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec(
            "xclaim", -6, [.write, .fast], .stream, keys: [.first(.rw, [.update])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec("xdel", -3, [.write, .fast], .stream, keys: [.first(.rw, [.delete])], .toCome),
        CommandSpec(
            "xgroup", -2, [], .stream, .toCome,
            subcommands: [
                CommandSpec(
                    "xgroup|create", -5, [.write, .denyOOM], .stream,
                    keys: [.at(2, .rw, [.insert])], .toCome),
                CommandSpec(
                    "xgroup|createconsumer", 5, [.write, .denyOOM], .stream,
                    keys: [.at(2, .rw, [.insert])], .toCome),
                CommandSpec(
                    "xgroup|delconsumer", 5, [.write], .stream, keys: [.at(2, .rw, [.delete])],
                    .toCome),
                CommandSpec(
                    "xgroup|destroy", 4, [.write], .stream, keys: [.at(2, .rw, [.delete])], .toCome),
                CommandSpec("xgroup|help", 2, [.loading, .stale], .stream, .toCome),
                CommandSpec(
                    "xgroup|setid", -5, [.write], .stream, keys: [.at(2, .rw, [.update])], .toCome),
            ]),
        CommandSpec(
            "xinfo", -2, [], .stream, .toCome,
            subcommands: [
                CommandSpec(
                    "xinfo|consumers", 4, [.readonly], .stream, keys: [.at(2, .ro, [.access])],
                    tips: [.nondeterministicOutput], .toCome),
                CommandSpec(
                    "xinfo|groups", 3, [.readonly], .stream, keys: [.at(2, .ro, [.access])], .toCome
                ),
                CommandSpec("xinfo|help", 2, [.loading, .stale], .stream, .toCome),
                CommandSpec(
                    "xinfo|stream", -3, [.readonly], .stream, keys: [.at(2, .ro, [.access])],
                    .toCome),
            ]),
        CommandSpec("xlen", 2, [.readonly, .fast], .stream, keys: [.first(.ro)], .toCome),
        CommandSpec(
            "xpending", -3, [.readonly], .stream, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .toCome),
        CommandSpec("xrange", -4, [.readonly], .stream, keys: [.first(.ro, [.access])], .toCome),
        CommandSpec(
            "xread", -4, [.readonly, .blocking], .stream,
            keys: [.after("STREAMS", from: 1, to: -1, limit: 2, .ro, [.access])], .toCome),
        CommandSpec(
            "xreadgroup", -7, [.write, .blocking], .stream,
            keys: [.after("STREAMS", from: 4, to: -1, limit: 2, .ro, [.access])], .toCome),
        CommandSpec("xrevrange", -4, [.readonly], .stream, keys: [.first(.ro, [.access])], .toCome),
        CommandSpec(
            "xsetid", -3, [.write, .denyOOM, .fast], .stream, keys: [.first(.rw, [.update])],
            .toCome),
        CommandSpec(
            "xtrim", -4, [.write], .stream, keys: [.first(.rw, [.delete])],
            tips: [.nondeterministicOutput], .toCome),
    ]

    private static let scripting: [CommandSpec] = [
        CommandSpec(
            "eval", -3, [.noScript, .stale, .skipMonitor, .noMandatoryKeys, .mayReplicate],
            .scripting, keys: [.counted(at: 2, .rw, [.access, .update])], .toCome),
        CommandSpec(
            "eval_ro", -3, [.readonly, .noScript, .stale, .skipMonitor, .noMandatoryKeys],
            .scripting, keys: [.counted(at: 2, .ro, [.access])], .toCome),
        CommandSpec(
            "evalsha", -3, [.noScript, .stale, .skipMonitor, .noMandatoryKeys, .mayReplicate],
            .scripting, keys: [.counted(at: 2, .rw, [.access, .update])], .toCome),
        CommandSpec(
            "evalsha_ro", -3, [.readonly, .noScript, .stale, .skipMonitor, .noMandatoryKeys],
            .scripting, keys: [.counted(at: 2, .ro, [.access])], .toCome),
        CommandSpec(
            "fcall", -3, [.noScript, .stale, .skipMonitor, .noMandatoryKeys, .mayReplicate],
            .scripting, keys: [.counted(at: 2, .rw, [.access, .update])], .toCome),
        CommandSpec(
            "fcall_ro", -3, [.readonly, .noScript, .stale, .skipMonitor, .noMandatoryKeys],
            .scripting, keys: [.counted(at: 2, .ro, [.access])], .toCome),
        CommandSpec(
            "function", -2, [], .scripting, .toCome,
            subcommands: [
                CommandSpec(
                    "function|delete", 3, [.write, .noScript], .scripting,
                    tips: [.requestAllShards, .responseAllSucceeded], .toCome),
                CommandSpec("function|dump", 2, [.noScript], .scripting, .toCome),
                CommandSpec(
                    "function|flush", -2, [.write, .noScript], .scripting,
                    tips: [.requestAllShards, .responseAllSucceeded], .toCome),
                CommandSpec("function|help", 2, [.loading, .stale], .scripting, .toCome),
                CommandSpec(
                    "function|kill", 2, [.noScript, .allowBusy], .scripting,
                    tips: [.requestAllShards, .responseOneSucceeded], .toCome),
                CommandSpec(
                    "function|list", -2, [.noScript], .scripting,
                    tips: [.nondeterministicOutputOrder], .toCome),
                CommandSpec(
                    "function|load", -3, [.write, .denyOOM, .noScript], .scripting,
                    tips: [.requestAllShards, .responseAllSucceeded], .toCome),
                CommandSpec(
                    "function|restore", -3, [.write, .denyOOM, .noScript], .scripting,
                    tips: [.requestAllShards, .responseAllSucceeded], .toCome),
                CommandSpec(
                    "function|stats", 2, [.noScript, .allowBusy], .scripting,
                    tips: [.nondeterministicOutput, .requestAllShards, .responseSpecial], .toCome),
            ]),
        CommandSpec(
            "script", -2, [], .scripting, .toCome,
            subcommands: [
                CommandSpec("script|debug", 3, [.noScript], .scripting, .toCome),
                CommandSpec(
                    "script|exists", -3, [.noScript], .scripting,
                    tips: [.requestAllShards, .responseAggregateLogicalAnd], .toCome),
                CommandSpec(
                    "script|flush", -2, [.noScript], .scripting,
                    tips: [.requestAllNodes, .responseAllSucceeded], .toCome),
                CommandSpec("script|help", 2, [.loading, .stale], .scripting, .toCome),
                CommandSpec(
                    "script|kill", 2, [.noScript, .allowBusy], .scripting,
                    tips: [.requestAllShards, .responseOneSucceeded], .toCome),
                CommandSpec(
                    "script|load", 3, [.noScript, .stale], .scripting,
                    tips: [.requestAllNodes, .responseAllSucceeded], .toCome),
            ]),
    ]

    private static let cluster: [CommandSpec] = [
        CommandSpec("asking", 1, [.fast], .cluster, acl: [.connection], .toCome),
        CommandSpec(
            "cluster", -2, [], .cluster, .toCome,
            subcommands: [
                CommandSpec(
                    "cluster|addslots", -3, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|addslotsrange", -4, [.admin, .stale, .noAsyncLoading], .cluster,
                    .toCome),
                CommandSpec(
                    "cluster|bumpepoch", 2, [.admin, .stale, .noAsyncLoading], .cluster,
                    tips: [.nondeterministicOutput], .toCome),
                CommandSpec(
                    "cluster|count-failure-reports", 3, [.admin, .stale], .cluster,
                    tips: [.nondeterministicOutput], .toCome),
                CommandSpec("cluster|countkeysinslot", 3, [.stale], .cluster, .toCome),
                CommandSpec(
                    "cluster|delslots", -3, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|delslotsrange", -4, [.admin, .stale, .noAsyncLoading], .cluster,
                    .toCome),
                CommandSpec(
                    "cluster|failover", -2, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|flushslots", 2, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|forget", 3, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|getkeysinslot", 4, [.stale], .cluster, tips: [.nondeterministicOutput],
                    .toCome),
                CommandSpec("cluster|help", 2, [.loading, .stale], .cluster, .toCome),
                CommandSpec(
                    "cluster|info", 2, [.stale], .cluster, tips: [.nondeterministicOutput], .toCome),
                CommandSpec("cluster|keyslot", 3, [.stale], .cluster, .toCome),
                CommandSpec(
                    "cluster|links", 2, [.stale], .cluster, tips: [.nondeterministicOutput], .toCome
                ),
                CommandSpec(
                    "cluster|meet", -4, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec("cluster|myid", 2, [.stale], .cluster, .toCome),
                CommandSpec(
                    "cluster|myshardid", 2, [.stale], .cluster, tips: [.nondeterministicOutput],
                    .toCome),
                CommandSpec(
                    "cluster|nodes", 2, [.stale], .cluster, tips: [.nondeterministicOutput], .toCome
                ),
                CommandSpec(
                    "cluster|replicas", 3, [.admin, .stale], .cluster,
                    tips: [.nondeterministicOutput], .toCome),
                CommandSpec(
                    "cluster|replicate", 3, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec("cluster|reset", -2, [.admin, .noScript, .stale], .cluster, .toCome),
                CommandSpec(
                    "cluster|saveconfig", 2, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|set-config-epoch", 3, [.admin, .stale, .noAsyncLoading], .cluster,
                    .toCome),
                CommandSpec(
                    "cluster|setslot", -4, [.admin, .stale, .noAsyncLoading], .cluster, .toCome),
                CommandSpec(
                    "cluster|shards", 2, [.loading, .stale], .cluster,
                    tips: [.nondeterministicOutput], .toCome),
                CommandSpec(
                    "cluster|slaves", 3, [.admin, .stale], .cluster,
                    tips: [.nondeterministicOutput], .toCome),
                CommandSpec(
                    "cluster|slots", 2, [.loading, .stale], .cluster,
                    tips: [.nondeterministicOutput], .toCome),
            ]),
        CommandSpec(
            "readonly", 1, [.loading, .stale, .fast], .cluster, acl: [.connection], .toCome),
        CommandSpec(
            "readwrite", 1, [.loading, .stale, .fast], .cluster, acl: [.connection], .toCome),
    ]
}
