internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// MEMORY: what the data and the server occupy.
enum MemoryCommands {
    /// A slot of the keyspace's table: eight bytes, filled to three quarters on average.
    private static let slotBytes = 11

    /// `MEMORY USAGE key [SAMPLES count]`
    @Sendable
    static func usage(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var index = 3
        while index < arguments.count {
            guard arguments[index].equalsIgnoringCase("samples"), index + 1 < arguments.count else {
                throw .syntax
            }
            guard let samples = DecimalText.parse(arguments[index + 1]) else { throw .notAnInteger }
            guard samples >= 0 else { throw .syntax }
            index += 2
        }
        let key = state.dispatcher.context.keyspace.hashed(arguments[2])
        guard
            let entry = state.dispatcher.context.keyspace.find(key, session.database),
            !entry.isExpired(at: state.now)
        else { return state.reply.null() }
        state.reply.integer(entry.memoryBytes + slotBytes)
    }

    @Sendable
    static func stats(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let memory = state.memoryReport()
        let databases = state.nonEmptyDatabases
        var pairs: [(String, MemoryFigure)] = [
            ("peak.allocated", .bytes(memory.peak)),
            ("total.allocated", .bytes(memory.used)),
            ("startup.allocated", .bytes(memory.start)),
            ("replication.backlog", .bytes(0)),
            ("clients.slaves", .bytes(0)),
            ("clients.normal", .bytes(memory.clients)),
            ("cluster.links", .bytes(0)),
            ("aof.buffer", .bytes(memory.logBuffer)),
            ("lua.caches", .bytes(0)),
            ("functions.caches", .bytes(0)),
        ]
        for database in databases {
            let tables = state.dispatcher.context.keyspace.tableBytes(database)
            let deadlines = state.dispatcher.context.keyspace.deadlineBytes(database)
            pairs.append(
                (
                    "db.\(database)",
                    .tables(main: tables, expires: deadlines)
                ))
        }
        pairs += [
            ("overhead.total", .bytes(memory.overhead)),
            ("keys.count", .bytes(memory.keys)),
            (
                "keys.bytes-per-key",
                .bytes(memory.keys > 0 ? max(memory.used - memory.start, 0) / memory.keys : 0)
            ),
            ("dataset.bytes", .bytes(memory.dataset)),
            ("dataset.percentage", .ratio(memory.datasetPercent)),
            ("peak.percentage", .ratio(memory.peakPercent)),
            ("allocator.allocated", .bytes(memory.used)),
            ("allocator.active", .bytes(memory.active)),
            ("allocator.resident", .bytes(memory.resident)),
            ("allocator-fragmentation.ratio", .ratio(memory.fragmentation)),
            ("allocator-fragmentation.bytes", .bytes(memory.active - memory.used)),
            ("allocator-rss.ratio", .ratio(memory.allocatorRSS)),
            ("allocator-rss.bytes", .bytes(memory.resident - memory.active)),
            ("rss-overhead.ratio", .ratio(memory.overheadRSS)),
            ("rss-overhead.bytes", .bytes(memory.processResident - memory.resident)),
            ("fragmentation", .ratio(memory.totalFragmentation)),
            ("fragmentation.bytes", .bytes(memory.processResident - memory.used)),
        ]
        state.reply.map(pairs.count)
        for (name, figure) in pairs {
            state.reply.bulk(name)
            switch figure {
            case .bytes(let value): state.reply.integer(value)
            case .ratio(let value): state.reply.double(text: DoubleText.text(value))
            case .tables(let main, let expires):
                state.reply.map(2)
                state.reply.bulk("overhead.hashtable.main")
                state.reply.integer(main)
                state.reply.bulk("overhead.hashtable.expires")
                state.reply.integer(expires)
            }
        }
    }

    private enum MemoryFigure {
        case bytes(Int)
        case ratio(Double)
        case tables(main: Int, expires: Int)
    }

    @Sendable
    static func doctor(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let memory = state.memoryReport()
        guard memory.used > 5 << 20 else {
            return state.reply.verbatim(
                "This server holds next to nothing: there is nothing to say about its memory.\n")
        }
        var findings: [String] = []
        if Double(memory.peak) > 1.5 * Double(memory.used) {
            findings.append(
                "Peak: it once used \(HumanBytes.text(memory.peak)), more than one and a half times of what it "
                    + "uses now; the allocator may still hold some of that. MEMORY PURGE gives it back."
            )
        }
        if memory.fragmentation > 1.4, memory.active - memory.used > 10 << 20 {
            findings.append(
                "Fragmentation: pages in use are \(FixedText.text(memory.fragmentation, 2)) times as large as "
                    + "what is allocated in them.")
        }
        if memory.allocatorRSS > 1.1, memory.resident - memory.active > 10 << 20 {
            findings.append(
                "Unused pages: the allocator holds \(HumanBytes.text(memory.resident - memory.active)) that it "
                    + "doesn't use. MEMORY PURGE gives them back.")
        }
        if memory.clients / max(state.sessions.count, 1) > 200 << 10 {
            findings.append("Clients: their buffers hold more than 200 KiB each on average.")
        }
        state.reply.verbatim(
            findings.isEmpty
                ? "No trouble with memory found.\n"
                : "Found:\n\n" + findings.map { " * \($0)\n" }.joined(separator: "\n"))
    }

    @Sendable
    static func mallocStats(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let figures = state.allocator.read()
        state.reply.bulk(
            "___ Begin \(state.allocator.name) statistics ___\n"
                + "Allocated: \(figures.allocated), active: \(figures.active), "
                + "resident: \(figures.resident), retained: \(figures.retained)\n"
                + "--- End \(state.allocator.name) statistics ---\n")
    }

    @Sendable
    static func purge(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.allocator.purge()
        state.reply.ok()
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("MEMORY", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "DOCTOR",
        "    Report trouble with memory, for people.",
        "MALLOC-STATS",
        "    Return the allocator's own figures.",
        "PURGE",
        "    Have the allocator give back what it doesn't use.",
        "STATS",
        "    Return what the server's parts occupy.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return the bytes that a key and its value occupy.",
    ]

    static func register(_ rows: inout SessionRows) {
        let tips: [CommandTip] = [.nondeterministicOutput, .requestAllShards, .responseSpecial]
        rows.addContainer("memory", -2, [], .server)
        rows.add("memory|doctor", 2, [], .server, tips: tips, doctor)
        rows.add("memory|help", 2, [.loading, .stale], .server, help)
        rows.add("memory|malloc-stats", 2, [], .server, tips: tips, mallocStats)
        rows.add(
            "memory|purge", 2, [], .server, tips: [.requestAllShards, .responseAllSucceeded], purge)
        rows.add("memory|stats", 2, [], .server, tips: tips, stats)
        rows.add("memory|usage", -3, [.readonly], .server, keys: [.at(2, .ro)], usage)
    }
}
