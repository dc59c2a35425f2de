/// Rows of the commands that later work brings: the table is complete from the start, and the test against
/// the fact sheet covers every row. A row moves into its family's file together with its handler.
///
/// None of them is found by name, so clients get the unknown-command error, and COMMAND doesn't show
/// them.
public enum CommandsToCome {
    public static let table: [CommandSpec] =
        scripting
        + cluster

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
