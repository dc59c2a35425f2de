internal import Foundation

// bench: the figures of docs/benchmarks.md, ours beside a stock redis-server. See `Options.usage`.

let options: Options
do throws(Options.Wrong) {
    options = try Options(
        Array(CommandLine.arguments.dropFirst()),
        environment: ProcessInfo.processInfo.environment)
} catch {
    say("bench: \(error.problem)\n\(Options.usage)")
    exit(2)
}

if options.isHelp {
    say(Options.usage)
    exit(0)
}

/// As many descriptors as the machine lets us have: 10,000 clients need as many on both ends.
func raiseDescriptorLimit() {
    var limit = rlimit()
    // SAFETY: both calls get a whole struct.
    unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

func measure(_ figure: Options.Figure) throws -> [Table] {
    switch figure {
    case .throughput: try [throughputTable(options)]
    case .always: try [alwaysTable(options)]
    case .readers: try [readersTable(options)]
    case .memory: try [memoryTable(options)]
    case .recovery: try [recoveryTable(options)]
    case .growth: try growthTables(options)
    case .connections: try [connectionsTable(options)]
    case .start: try [startTable(options)]
    case .types: try [typesTable(options)]
    case .typeMemory: try [typeMemoryTable(options)]
    case .worstCommand: try [worstCommandTable(options)]
    case .snapshots: try snapshotTables(options)
    case .load: try loadTables(options)
    case .setCost: try [setCostTable(options)]
    case .replication: try replicationTables(options)
    }
}

var status: Int32 = 0
do {
    try Leftovers.shared.clearOnSignals()
    raiseDescriptorLimit()
    let run = RunDescription(options)
    say(run.lines.joined(separator: "\n"))
    var tables: [Table] = []
    for figure in options.figures {
        for table in try measure(figure) {
            say(table.text)
            tables.append(table)
            if let path = options.markdown {
                try run.markdown(tables).write(toFile: path, atomically: true, encoding: .utf8)
            }
        }
    }
    say("\n" + RunDescription.note)
} catch {
    // The thread that took the signal has killed what was measured, and ends the program.
    if Leftovers.shared.isEnding { while true { pause() } }
    say("bench: \(error)")
    status = 1
}
Leftovers.shared.clear()
exit(status)
