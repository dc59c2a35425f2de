internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Publish and subscribe.
enum PubSubCommands {
    private static func subscribeAll(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments, _ kind: PubSub.Kind
    ) {
        state.pushesReply = true
        for index in 1..<arguments.count {
            state.subscribe(session, kind, arguments[index].copyToArray())
        }
    }

    private static func unsubscribeAll(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments, _ kind: PubSub.Kind
    ) {
        state.pushesReply = true
        if arguments.count == 1 { state.unsubscribeAll(session, kind, replies: true) }
        for index in 1..<max(arguments.count, 1) {
            state.unsubscribe(session, kind, arguments[index].copyToArray(), replies: true)
        }
        state.subscriptionsChanged(session)
    }

    @Sendable
    static func subscribe(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { subscribeAll(&state, session, arguments, .channel) }

    @Sendable
    static func psubscribe(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { subscribeAll(&state, session, arguments, .pattern) }

    @Sendable
    static func ssubscribe(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { subscribeAll(&state, session, arguments, .shard) }

    @Sendable
    static func unsubscribe(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { unsubscribeAll(&state, session, arguments, .channel) }

    @Sendable
    static func punsubscribe(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { unsubscribeAll(&state, session, arguments, .pattern) }

    @Sendable
    static func sunsubscribe(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { unsubscribeAll(&state, session, arguments, .shard) }

    @Sendable
    static func publish(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let receivers = state.publish(arguments[1], arguments[2])
        state.replicatePublish(arguments)
        state.reply.integer(receivers)
    }

    @Sendable
    static func spublish(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let receivers = state.publishInShard(arguments[1], arguments[2])
        state.replicatePublish(arguments)
        state.reply.integer(receivers)
    }

    // MARK: PUBSUB

    private static func list(
        _ state: inout ServerState, _ arguments: Arguments, _ kind: PubSub.Kind
    ) throws(CommandError) {
        guard arguments.count <= 3 else { throw .unknownSubcommand(arguments[1], of: "PUBSUB") }
        var names = state.pubSub.all(kind).map { $0.name }
        if arguments.count == 3 {
            let pattern = arguments[2]
            names = names.filter { name in name.withSlice { Glob.matches(pattern, $0) } }
        }
        state.reply.array(names.count)
        for name in names { state.reply.bulk(name) }
    }

    private static func count(
        _ state: inout ServerState, _ arguments: Arguments, _ kind: PubSub.Kind
    ) {
        state.reply.array((arguments.count - 2) * 2)
        for index in 2..<max(arguments.count, 2) {
            let hash = state.dispatcher.context.keyspace.hash(arguments[index])
            let channel = state.pubSub.find(kind, arguments[index], hash: hash)
            state.reply.bulk(arguments[index])
            state.reply.integer(channel?.subscribers.count ?? 0)
        }
    }

    @Sendable
    static func channels(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { try list(&state, arguments, .channel) }

    @Sendable
    static func shardChannels(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { try list(&state, arguments, .shard) }

    @Sendable
    static func numSub(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { count(&state, arguments, .channel) }

    @Sendable
    static func shardNumSub(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) { count(&state, arguments, .shard) }

    @Sendable
    static func numPat(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(state.pubSub.counts[PubSub.Kind.pattern.rawValue])
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("PUBSUB", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "CHANNELS [<pattern>]",
        "    Return the channels that somebody listens to, or those that match a <pattern>.",
        "NUMPAT",
        "    Return how many patterns somebody listens to.",
        "NUMSUB [<channel> ...]",
        "    Return how many listen to each <channel>, not counting patterns.",
        "SHARDCHANNELS [<pattern>]",
        "    Return the shard channels that somebody listens to.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return how many listen to each <shardchannel>.",
    ]

    static func register(_ rows: inout SessionRows) {
        let listening: CommandFlags = [.pubsub, .noScript, .loading, .stale, .sentinel]
        let asking: CommandFlags = [.pubsub, .loading, .stale]
        rows.add("psubscribe", -2, listening, .pubsub, psubscribe)
        rows.add(
            "publish", 3, [.pubsub, .loading, .stale, .fast, .mayReplicate, .sentinel], .pubsub,
            publish)
        rows.addContainer("pubsub", -2, [], .pubsub)
        rows.add("pubsub|channels", -2, asking, .pubsub, channels)
        rows.add("pubsub|help", 2, [.loading, .stale], .pubsub, acl: [], help)
        rows.add("pubsub|numpat", 2, asking, .pubsub, numPat)
        rows.add("pubsub|numsub", -2, asking, .pubsub, numSub)
        rows.add("pubsub|shardchannels", -2, asking, .pubsub, shardChannels)
        rows.add("pubsub|shardnumsub", -2, asking, .pubsub, shardNumSub)
        rows.add("punsubscribe", -1, listening, .pubsub, punsubscribe)
        rows.add(
            "spublish", 3, [.pubsub, .loading, .stale, .fast, .mayReplicate], .pubsub,
            keys: [.first(.notKey)], spublish)
        rows.add(
            "ssubscribe", -2, [.pubsub, .noScript, .loading, .stale], .pubsub,
            keys: [.from(1, .notKey)], ssubscribe)
        rows.add("subscribe", -2, listening, .pubsub, subscribe)
        rows.add(
            "sunsubscribe", -1, [.pubsub, .noScript, .loading, .stale], .pubsub,
            keys: [.from(1, .notKey)], sunsubscribe)
        rows.add("unsubscribe", -1, listening, .pubsub, unsubscribe)
    }
}

extension CommandError {
    /// A subcommand with more words than it takes.
    static func unknownSubcommand(_ word: ByteSlice, of container: String) -> CommandError {
        .bytes(
            Array("ERR unknown subcommand or wrong number of arguments for '".utf8)
                + word.copyToArray() + Array("'. Try \(container) HELP.".utf8))
    }
}
