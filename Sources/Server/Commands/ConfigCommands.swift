internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// CONFIG: the configuration in force, read, changed and written back to its file.
enum ConfigCommands {
    @Sendable
    static func get(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let patterns = (2..<arguments.count).map { arguments[$0].copyToArray() }
        let found = state.configuration.get(patterns)
        state.reply.map(found.count)
        for (name, value) in found {
            state.reply.bulk(name)
            state.reply.bulk(value)
        }
    }

    @Sendable
    static func set(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard arguments.count.isMultiple(of: 2) else { throw .syntax }
        let pairs = stride(from: 2, to: arguments.count, by: 2).map {
            (name: arguments[$0].copyToArray(), value: arguments[$0 + 1].copyToArray())
        }
        var configuration = state.configuration
        let isAllowed = configuration.enableProtectedConfigs.allows(
            isLocal: session.address.isLocal)
        let isLoading = state.condition.isLoading
        do throws(ConfigurationSetError) {
            try configuration.set(pairs, allowsProtected: isAllowed, isLoading: isLoading) {
                state.apply($0, changed: $1)
            }
        } catch {
            throw .message(error.reply)
        }
        state.configuration = configuration
        state.reply.ok()
    }

    @Sendable
    static func resetStatistics(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var fresh = ServerStatistics()
        fresh.startMemory = state.statistics.startMemory
        fresh.peakMemory = state.allocator.read().allocated
        fresh.instantaneous = state.statistics.instantaneous
        state.statistics = fresh
        state.dispatcher.context.statistics = EngineStatistics()
        state.dispatcher.counters.reset()
        state.errors.reset()
        state.reply.ok()
    }

    @Sendable
    static func rewrite(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        do throws(ConfigurationRewriteError) {
            try state.configuration.rewrite(
                users: state.users.file.isEmpty ? state.users.lines : [])
        } catch {
            state.diagnostics.warning("CONFIG REWRITE failed: \(error.reply)")
            throw .message(error.reply)
        }
        state.diagnostics.notice("CONFIG REWRITE executed with success.")
        state.reply.ok()
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("CONFIG", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "GET <pattern> [<pattern> ...]",
        "    Return the settings whose names match, and their values.",
        "SET <directive> <value> [<directive> <value> ...]",
        "    Change settings: all of them or none.",
        "RESETSTAT",
        "    Begin the statistics of INFO anew.",
        "REWRITE",
        "    Write the configuration in force to its file.",
    ]

    static func register(_ rows: inout SessionRows) {
        let flags: CommandFlags = [.admin, .noScript, .loading, .stale]
        let toAll: [CommandTip] = [.requestAllNodes, .responseAllSucceeded]
        rows.addContainer("config", -2, [], .server)
        rows.add("config|get", -3, flags, .server, get)
        rows.add("config|help", 2, [.loading, .stale], .server, help)
        rows.add("config|resetstat", 2, flags, .server, tips: toAll, resetStatistics)
        rows.add("config|rewrite", 2, flags, .server, tips: toAll, rewrite)
        rows.add("config|set", -4, flags, .server, tips: toAll, set)
    }
}
