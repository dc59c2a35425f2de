internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Snapshot
internal import Store

/// DEBUG: what tests need to look into a server and to make it do what doesn't happen by itself.
enum DebugCommands {
    @Sendable
    static func debug(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let name = arguments[1].prefix(64).text.lowercased()
        let count = arguments.count
        switch (name, count) {
        case ("help", 2): ReplyTree.help("DEBUG", helpLines).write(to: &state.reply)

        // Data
        case ("digest", 2): state.reply.simple(state.dispatcher.context.keyspace.digest().hex)
        case ("digest-value", 2...): digestValues(&state, session, arguments)
        case ("object", 3...4): try object(&state, session, arguments)
        case ("populate", 3...5): try populate(&state, session, arguments)
        case ("reload", 2...): try reload(&state, arguments)
        case ("loadaof", 2):
            try state.reloadLog()
            state.reply.ok()
        case ("htstats", 3...4): try tableStatistics(&state, arguments)
        case ("htstats-key", 3...4), ("listpack", 3), ("quicklist", 3...4), ("sdslen", 3):
            try structure(&state, session, arguments, name)

        case ("quicklist-packed-threshold", 3): try setThreshold(&state, arguments)

        // Time
        case ("sleep", 3): sleep(&state, arguments)
        case ("set-active-expire", 3):
            state.settings.isActiveExpireOn = integer(arguments[2]) != 0
            state.reply.ok()
        case ("pause-cron", 3):
            state.settings.isCronPaused = integer(arguments[2]) != 0
            state.reply.ok()

        // Protocol
        case ("protocol", 3): try DebugProtocol.reply(&state.reply, type: arguments[2])
        case ("error", 3): throw .bytes(arguments[2].copyToArray())
        case ("log", 3):
            state.diagnostics.warning("DEBUG LOG: \(arguments[2].text)")
            state.reply.ok()
        case ("set-skip-checksum-validation", 3):
            state.dispatcher.context.limits.skipsPayloadChecksums = integer(arguments[2]) != 0
            state.reply.ok()
        case ("stringmatch-len", 4):
            let text = [UInt8](
                repeating: UInt8(ascii: "a"), count: min(max(integer(arguments[2]), 0), 1 << 24))
            let isMatch = text.withSlice { Glob.matches(arguments[3], $0, ignoringCase: false) }
            state.reply.integer(isMatch ? 1 : 0)

        // Replication
        case ("change-repl-id", 2):
            state.diagnostics.notice("Changing replication IDs after receiving change-repl-id")
            state.beginHistory(Startup.randomHistory())
            state.replication.histories.forgetPrevious()
            state.reply.ok()

        // Accepted: what they tune or test doesn't exist here.
        case ("jmap", 2),
            ("set-disable-deny-scripts", 3), ("aof-flush-sleep", 3), ("dict-resizing", 3),
            ("drop-cluster-packet-filter", 3),
            ("replicate", 3...), ("leak", 3), ("stringmatch-test", 2):
            state.reply.ok()
        case ("replybuffer", 4)
        where arguments[2].equalsIgnoringCase("peak-reset-time")
            || arguments[2].equalsIgnoringCase("resizing"):
            state.reply.ok()
        case ("mallctl", 3...4), ("mallctl-str", 3...4):
            throw .text("ERR No such file or directory")
        case ("config-rewrite-force-all", 2):
            do throws(ConfigurationRewriteError) {
                try state.configuration.rewrite()
            } catch {
                throw .message("ERR CONFIG-REWRITE-FORCE-ALL failed: \(error.reply.dropFirst(4))")
            }
            state.reply.ok()

        // The end
        case ("segfault", 2):
            state.diagnostics.warning("DEBUG SEGFAULT")
            raise(SIGSEGV)
        case ("panic", 2), ("assert", 2), ("oom", 2):
            state.diagnostics.warning("DEBUG \(name.uppercased()): the process ends here")
            abort()
        case ("restart", 2...3), ("crash-and-recover", 2...3):
            let milliseconds = count == 3 ? integer(arguments[2]) : 0
            try state.restart(inOrder: name == "restart", afterMilliseconds: milliseconds)

        default:
            throw .bytes(
                Array("ERR unknown subcommand or wrong number of arguments for '".utf8)
                    + arguments[1].prefix(128).copyToArray() + Array("'. Try DEBUG HELP.".utf8))
        }
    }

    /// As C's `atoi`: what isn't a number counts as 0.
    private static func integer(_ word: ByteSlice) -> Int {
        Int(clamping: DecimalText.parse(word) ?? 0)
    }

    // MARK: Data

    private static func digestValues(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) {
        state.reply.array(arguments.count - 2)
        for index in 2..<arguments.count {
            let key = state.dispatcher.context.keyspace.hashed(arguments[index])
            let entry = state.dispatcher.context.keyspace.find(key, session.database)
            state.reply.simple(entry.map { DataDigest.ofValue($0).hex } ?? DataDigest().hex)
        }
    }

    private static func entry(
        _ state: borrowing ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) -> Entry {
        let key = state.dispatcher.context.keyspace.hashed(arguments[2])
        guard let entry = state.dispatcher.context.keyspace.find(key, session.database) else {
            throw .noSuchKey
        }
        return entry
    }

    private static func object(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let entry = try entry(state, session, arguments)
        let idle = (state.dispatcher.context.keyspace.accessNow &- entry.access) & 0xFF_FFFF
        let limits = state.dispatcher.context.limits
        let length = DumpPayload.valueBytes(
            of: entry, version: limits.payloadVersion, compresses: limits.compressesPayloads)
        let address = String(state.dispatcher.context.keyspace.hash(arguments[2]), radix: 16)
        state.reply.simple(
            "Value at:0x\(address) refcount:1 encoding:\(entry.encoding.name) serializedlength:\(length) "
                + "lru:\(entry.access) lru_seconds_idle:\(idle)"
                + (entry.encoding == .quicklist ? nodeFigures(ListValue(entry), state) : ""))
    }

    /// What DEBUG OBJECT adds for a list of several nodes. They are never compressed.
    private static func nodeFigures(
        _ list: ListValue, _ state: borrowing ServerState
    ) -> String {
        var bytes = 0
        list.forEachNode { part in
            switch part {
            case .packed(let elements): bytes += elements.byteCount
            case .single(let element): bytes += element.count
            }
        }
        let average = FixedText.text(Double(list.count) / Double(max(list.nodeCount, 1)), 2)
        let size = state.dispatcher.context.limits.encodings.listNodeSize
        return " ql_nodes:\(list.nodeCount) ql_avg_node:\(average) ql_listpack_max:\(size)"
            + " ql_compressed:0 ql_uncompressed_size:\(bytes)"
    }

    /// `DEBUG QUICKLIST-PACKED-THRESHOLD size`: from how many bytes on an element is a node by itself; 0 for what
    /// holds without it.
    private static func setThreshold(
        _ state: inout ServerState, _ arguments: Arguments
    ) throws(CommandError) {
        guard let bytes = Directive.memoryBytes(arguments[2].copyToArray()),
            bytes <= 1 << 32 - 1 << 20
        else {
            throw .text(
                "ERR argument must be a memory value bigger than 1 and smaller than 4gb")
        }
        // No packed list could take what goes beyond.
        let most = ListNodeLimit.singleBytesMin
        state.dispatcher.context.limits.encodings.listSingleBytesMin =
            bytes == 0 ? most : min(Int(bytes), most)
        state.reply.ok()
    }

    /// `DEBUG POPULATE count [prefix] [size]`: keys that don't exist yet. Each is logged as a SET, so the log
    /// and the memory stay equal.
    private static func populate(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let count = DecimalText.parse(arguments[2]), count >= 0 else {
            throw .mustBePositive
        }
        let prefix =
            arguments.count > 3 ? arguments[3].copyToArray() : Array("key".utf8)
        var size = 0
        if arguments.count > 4 {
            guard let number = DecimalText.parse(arguments[4]), number >= 0,
                number <= Int64(state.dispatcher.context.limits.stringBytesMax)
            else { throw .mustBePositive }
            size = Int(number)
        }
        let isInUnit = state.dispatcher.context.log.isUnitOpen
        for index in 0..<count {
            let key = prefix + Array(":\(index)".utf8)
            var value = Array("value:\(index)".utf8)
            if size > 0 {
                value = Array(value.prefix(size))
                value += [UInt8](repeating: 0, count: size - value.count)
            }
            if !isInUnit { state.dispatcher.beginUnit(at: state.now) }
            key.withSlice { key in
                value.withSlice { state.setIfMissing(key, session.database, to: $0) }
            }
            if !isInUnit { state.dispatcher.endUnit() }
        }
        state.reply.ok()
    }

    private static func reload(
        _ state: inout ServerState, _ arguments: Arguments
    ) throws(CommandError) {
        var options = ServerState.ReloadOptions()
        for index in 2..<arguments.count {
            let word = arguments[index]
            if word.equalsIgnoringCase("merge") {
                options.merges = true
            } else if word.equalsIgnoringCase("noflush") {
                options.flushes = false
            } else if word.equalsIgnoringCase("nosave") {
                options.saves = false
            } else {
                throw .text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
            }
        }
        try state.reloadSnapshot(options)
        state.reply.ok()
    }

    private static func tableStatistics(
        _ state: inout ServerState, _ arguments: Arguments
    ) throws(CommandError) {
        guard let number = DecimalText.parse(arguments[2]) else { throw .notAnInteger }
        let keyspace = state.dispatcher.context.keyspace.databaseCount
        guard number >= 0, number < Int64(keyspace) else {
            throw .text("ERR Out of range database")
        }
        let database = Int(number)
        let count = state.dispatcher.context.keyspace.count(database)
        let pages = state.dispatcher.context.keyspace.pageCount(database)
        let bytes = state.dispatcher.context.keyspace.tableBytes(database)
        let deadlines = state.dispatcher.context.keyspace.deadlineCount(database)
        state.reply.verbatim(
            """
            [Dictionary HT]
            Hash table 0 stats (main hash table):
             table size: \(pages * 504)
             number of elements: \(count)
             pages: \(pages)
             bytes: \(bytes)
            [Expires HT]
             number of elements: \(deadlines)

            """)
    }

    /// Refuses values that are not built in the way that each looks into; stock prints the others, which nobody
    /// reads here.
    private static func structure(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments, _ name: String
    ) throws(CommandError) {
        let entry = try entry(state, session, arguments)
        switch name {
        case "htstats-key":
            throw .text(
                "ERR The value stored at the specified key is not represented using an hash table")
        case "listpack":
            guard entry.encoding == .listpack else {
                throw .text("ERR Not a listpack encoded object.")
            }
            state.reply.simple("Listpack structure printed on stdout")
        case "quicklist":
            guard entry.encoding == .quicklist else {
                throw .text("ERR Not a quicklist encoded object.")
            }
            state.reply.simple("Quicklist structure printed on stdout")
        default:
            guard entry.isString, entry.integer == nil else {
                throw .text("ERR Not an sds encoded string.")
            }
            let zmalloc = entry.memoryBytes
            state.reply.simple(
                "key_sds_len:\(entry.keyCount), key_sds_avail:0, key_zmalloc: \(zmalloc), "
                    + "val_sds_len:\(entry.stringCount), val_sds_avail:0, val_zmalloc: \(zmalloc)")
        }
    }

    // MARK: Time

    private static func sleep(_ state: inout ServerState, _ arguments: Arguments) {
        let seconds = min(max(DoubleText.parse(arguments[2]) ?? 0, 0), 1e6)
        var time = timespec()
        time.tv_sec = Int(seconds)
        time.tv_nsec = Int((seconds - seconds.rounded(.down)) * 1e9)
        // SAFETY: the call reads one struct.
        unsafe _ = nanosleep(&time, nil)
        state.reply.ok()
    }

    static func register(_ rows: inout SessionRows) {
        rows.add("debug", -2, [.admin, .noScript, .loading, .stale, .protected], .server, debug)
    }

    private static let helpLines: [StaticString] = [
        "CHANGE-REPL-ID, JMAP, QUICKLIST-PACKED-THRESHOLD <size>, REPLYBUFFER <option> <value>,",
        "SET-DISABLE-DENY-SCRIPTS <0|1>, SET-SKIP-CHECKSUM-VALIDATION <0|1>",
        "    Accepted, without effect.",
        "CONFIG-REWRITE-FORCE-ALL",
        "    As CONFIG REWRITE.",
        "CRASH-AND-RECOVER [<milliseconds>]",
        "    Start the program anew without ending in order.",
        "DIGEST",
        "    Return a digest of all data.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    Return a digest of each key's value.",
        "ERROR <string>",
        "    Reply with this error.",
        "HTSTATS <dbid>",
        "    Describe the table of a database.",
        "HTSTATS-KEY <key>",
        "    Describe the table of a value.",
        "LISTPACK <key>",
        "    Describe a packed value.",
        "LOADAOF",
        "    Forget all data and load it from the log.",
        "LOG <message>",
        "    Write a line to the diagnostics.",
        "OBJECT <key>",
        "    Describe a key's value.",
        "PANIC, OOM, ASSERT, SEGFAULT",
        "    End the process at once, as the names say.",
        "PAUSE-CRON <0|1>",
        "    Stop periodic work.",
        "POPULATE <count> [<prefix>] [<size>]",
        "    Make <count> strings named key:<number> or <prefix>:<number>.",
        "PROTOCOL <type>",
        "    Reply with a value of this type: string, integer, double, bignum, null,",
        "    array, set, map, attrib, push, verbatim, true, false.",
        "RELOAD [option ...]",
        "    Save, forget all data and load it again. Options: NOSAVE, NOFLUSH, MERGE.",
        "RESTART [<milliseconds>]",
        "    End in order and start the program anew.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Whether expired keys are deleted before somebody asks for them.",
        "SLEEP <seconds>",
        "    Do nothing for so long. Decimals are allowed.",
        "STRINGMATCH-LEN <length> <pattern>",
        "    Match a pattern against that many letters a.",
    ]
}

/// The replies of DEBUG PROTOCOL: one of each type, as Redis gives them.
enum DebugProtocol {
    static func reply(_ reply: inout ReplyWriter, type: ByteSlice) throws(CommandError) {
        switch type.prefix(16).text.lowercased() {
        case "string": reply.bulk("Hello World")
        case "integer": reply.integer(12345)
        case "double": reply.double(text: "3.141")
        case "bignum":
            let digits: StaticString = "1234567999999999999999999999999999999"
            if reply.isRESP3 {
                reply.buffer.append("(")
                reply.buffer.append(digits)
                reply.buffer.append("\r\n")
            } else {
                reply.bulk(digits)
            }
        case "null": reply.null()
        case "array":
            reply.array(3)
            for number in 0..<3 { reply.integer(number) }
        case "set":
            reply.set(3)
            for number in 0..<3 { reply.integer(number) }
        case "map":
            reply.map(3)
            for number in 0..<3 {
                reply.integer(number)
                reply.boolean(number == 1)
            }
        case "attrib":
            if reply.isRESP3 {
                reply.buffer.append("|1\r\n")
                reply.bulk("key-popularity")
                reply.array(2)
                reply.bulk("key:123")
                reply.integer(90)
            }
            reply.bulk("Some real reply following the attribute")
        case "push":
            guard reply.isRESP3 else {
                throw .text("ERR RESP2 is not supported by this command")
            }
            reply.push(2)
            reply.bulk("server-cpu-usage")
            reply.integer(42)
            reply.bulk("Some real reply following the push reply")
        case "verbatim": reply.verbatim("This is a verbatim\nstring")
        case "true": reply.boolean(true)
        case "false": reply.boolean(false)
        default:
            throw .text(
                """
                ERR Wrong protocol type name. Please use one of the following: \
                string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false
                """)
        }
    }
}
