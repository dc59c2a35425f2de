internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// LATENCY: what took long lately, and how long commands usually take.
enum LatencyCommands {
    @Sendable
    static func latest(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let events = state.latency.events.sorted { $0.key < $1.key }
        state.reply.array(events.count)
        for (name, event) in events {
            let last = event.samples.last
            state.reply.array(4)
            state.reply.bulk(name)
            state.reply.integer(last?.unixSeconds ?? 0)
            state.reply.integer(last?.milliseconds ?? 0)
            state.reply.integer(event.maximum)
        }
    }

    @Sendable
    static func history(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let samples = state.latency.events[arguments[2].text]?.samples ?? []
        state.reply.array(samples.count)
        for sample in samples {
            state.reply.array(2)
            state.reply.integer(sample.unixSeconds)
            state.reply.integer(sample.milliseconds)
        }
    }

    @Sendable
    static func reset(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(
            state.latency.reset((2..<arguments.count).map { arguments[$0].text }))
    }

    @Sendable
    static func graph(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let name = arguments[2].text
        guard let event = state.latency.events[name], !event.samples.isEmpty else {
            throw .bytes(
                Array("ERR No samples available for event '".utf8) + arguments[2].copyToArray()
                    + [UInt8(ascii: "'")])
        }
        state.reply.verbatim(LatencyGraph.text(name, event, unixSeconds: state.now / 1000))
    }

    @Sendable
    static func doctor(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard state.latency.threshold > 0 else {
            return state.reply.verbatim(
                "Latency monitoring is off. Say CONFIG SET latency-monitor-threshold <milliseconds> to "
                    + "turn it on.\n")
        }
        let events = state.latency.events.sorted { $0.key < $1.key }
        guard !events.isEmpty else {
            return state.reply.verbatim(
                "Nothing took \(state.latency.threshold) ms or more so far.\n")
        }
        var text = "What took \(state.latency.threshold) ms or more:\n\n"
        for (name, event) in events {
            let total = event.samples.reduce(0) { $0 + $1.milliseconds }
            text +=
                "\(name): \(event.samples.count) latency spikes, \(total / Int64(max(event.samples.count, 1))) "
                + "ms on average, worst all time event \(event.maximum) ms\n"
        }
        text += "\nSLOWLOG GET shows single commands, INFO persistence the latencies of the disk.\n"
        state.reply.verbatim(text)
    }

    /// The distribution of each command's times, cumulative, in steps that double.
    @Sendable
    static func histogram(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let table = state.dispatcher.table
        var rows: [Int] = []
        if arguments.count == 2 {
            rows = Array(0..<table.count)
        } else {
            for index in 2..<arguments.count {
                guard let row = table.lookup(fullName: arguments[index]) else { continue }
                let subcommands = table.subcommands(of: row)
                rows += subcommands.isEmpty || table.spec(at: row).handler.isRunnable ? [row] : []
                rows += subcommands
            }
        }
        let found = rows.map { ($0, state.dispatcher.counters.latencySteps($0)) }
            .filter { !$0.1.isEmpty }
        state.reply.map(found.count)
        for (row, steps) in found {
            let calls = steps.reduce(0) { $0 + $1.count }
            let scale = state.tickScale
            let buckets = LatencyBuckets.cumulative(
                steps.map { (scale.microseconds($0.ticks), $0.count) })
            state.reply.bulk(table.spec(at: row).name)
            state.reply.map(2)
            state.reply.bulk("calls")
            state.reply.integer(Int64(clamping: calls))
            state.reply.bulk("histogram_usec")
            state.reply.map(buckets.count)
            for (microseconds, count) in buckets {
                state.reply.integer(Int64(clamping: microseconds))
                state.reply.integer(Int64(clamping: count))
            }
        }
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("LATENCY", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "DOCTOR",
        "    Explain what took long, for people.",
        "GRAPH <event>",
        "    Draw the times of an event.",
        "HISTORY <event>",
        "    Return the times of an event.",
        "LATEST",
        "    Return the newest time of each event, and its worst.",
        "RESET [<event> ...]",
        "    Forget these events, or all.",
        "HISTOGRAM [COMMAND ...]",
        "    Return how often these commands, or all, took how long.",
    ]

    static func register(_ rows: inout SessionRows) {
        let flags: CommandFlags = [.admin, .noScript, .loading, .stale]
        let tips: [CommandTip] = [.nondeterministicOutput, .requestAllNodes, .responseSpecial]
        rows.addContainer("latency", -2, [], .server)
        rows.add("latency|doctor", 2, flags, .server, tips: tips, doctor)
        rows.add("latency|graph", 3, flags, .server, tips: tips, graph)
        rows.add("latency|help", 2, [.loading, .stale], .server, help)
        rows.add("latency|histogram", -2, flags, .server, tips: tips, histogram)
        rows.add("latency|history", 3, flags, .server, tips: tips, history)
        rows.add("latency|latest", 2, flags, .server, tips: tips, latest)
        rows.add(
            "latency|reset", -2, flags, .server, tips: [.requestAllNodes, .responseAggregateSum],
            reset)
    }
}

extension CommandHandler {
    /// Can be called by its own name, not only through subcommands.
    fileprivate var isRunnable: Bool {
        if case .container = self { return false }
        return true
    }
}
