internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// What becomes of a command before it runs.
enum Admission {
    case run(Int)
    /// Part of a transaction: to be kept until EXEC.
    case queue(Int)
    /// Not now; the command is tried again.
    case wait
    case refuse(row: Int?, CommandError)
}

extension ServerState {
    /// Decides about a command, in Redis's order of checks, which clients and test suites rely on.
    ///
    /// - Parameter named: the row of the command's name, if there is one.
    mutating func admit(_ named: Int?, _ arguments: Arguments, _ session: Session) -> Admission {
        // 1 unknown command or subcommand, 2 arity
        guard let named else { return .refuse(row: nil, Self.unknownCommand(arguments)) }
        let table = dispatcher.table
        var row = named
        if table.facts(at: named).hasSubcommands, arguments.count > 1 {
            guard let found = table.lookup(arguments[1], in: named) else {
                return .refuse(row: nil, unknownSubcommand(named, arguments))
            }
            row = found
        }
        let facts = table.facts(at: row)
        guard facts.accepts(arguments.count) else {
            return .refuse(row: row, .wrongArity(table.spec(at: row).name))
        }
        let flags = facts.flags
        // 3 not enabled
        if flags.contains(.protected), let refusal = protection(row, session) {
            return .refuse(row: row, refusal)
        }
        // 4 authentication
        if !session.isAuthenticated, users.requiresAuthentication, !flags.contains(.noAuth) {
            return .refuse(row: row, .text("NOAUTH Authentication required."))
        }
        // 5 not in MULTI
        if session.transaction != nil, flags.contains(.noMulti) {
            return .refuse(row: row, .text("ERR Command not allowed inside a transaction"))
        }
        // 6 may the user do this
        if session.restrictions.contains(.limited), let user = session.user,
            let denial = denial(row, arguments, session, isInTransaction: false)
        {
            let text = denial.text(user, table.spec(at: row), arguments)
            return .refuse(row: row, .bytes(Array("NOPERM ".utf8) + text))
        }
        if session.isReplica, !isForReplicas(row) {
            return .refuse(row: row, .text("ERR Replica can't interact with the keyspace"))
        }
        if let refusal = refusal(flags, row, session) { return .refuse(row: row, refusal) }
        // 18 paused, or writers have to wait for the disk
        if mustWait(flags, row, session) { return .wait }
        if session.transaction != nil, !runsInsideTransaction(row) { return .queue(row) }
        return .run(row)
    }

    /// Checks 9 to 15: memory, disk, loading. EXEC counts as what it will run.
    private func refusal(_ flags: CommandFlags, _ row: Int, _ session: Session) -> CommandError? {
        if !condition.isPlain, let refusal = resourceRefusal(flags, row, session) { return refusal }
        if condition.isReadOnly, writes(flags, row, session) {
            return .text("READONLY You can't write against a read only replica.")
        }
        if session.restrictions.contains(.subscribed), !isForSubscribers(row) {
            return .message(
                "ERR Can't execute '\(table(row))': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                    + "QUIT / RESET are allowed in this context")
        }
        if condition.isStale, !flags.contains(.stale) {
            return .text(
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
        }
        if condition.isLoading, !dispatcher.table.facts(at: row).flags.contains(.loading) {
            return .text("LOADING Redis is loading the dataset in memory")
        }
        if session.isMonitor,
            !flags.isDisjoint(with: [.write, .readonly, .mayReplicate])
        {
            // Redis treats those who monitor like replicas.
            return .text("ERR Replica can't interact with the keyspace")
        }
        return nil
    }

    /// What a session that gets the stream may still say; nothing of it is answered.
    private func isForReplicas(_ row: Int) -> Bool {
        switch table(row) {
        case "replconf", "psync", "sync", "ping", "quit": true
        default: false
        }
    }

    /// Whether a command writes; EXEC does if a command of its transaction does.
    private func writes(_ flags: CommandFlags, _ row: Int, _ session: Session) -> Bool {
        if flags.contains(.write) { return true }
        guard let transaction = session.transaction, table(row) == "exec" else { return false }
        return transaction.queued.contains { isWrite($0.row) }
    }

    /// What a session in RESP2 may still say when it listens to channels.
    private func isForSubscribers(_ row: Int) -> Bool {
        switch table(row) {
        case "ping", "subscribe", "unsubscribe", "psubscribe", "punsubscribe", "ssubscribe",
            "sunsubscribe", "quit", "reset":
            true
        default: false
        }
    }

    private func resourceRefusal(
        _ flags: CommandFlags, _ row: Int, _ session: Session
    ) -> CommandError? {
        var flags = flags
        if let transaction = session.transaction {
            if table(row) == "exec" {
                for queued in transaction.queued {
                    flags.formUnion(dispatcher.table.facts(at: queued.row).flags)
                }
            } else if condition.isOutOfMemory, !runsInsideTransaction(row) {
                // A transaction that can't be run as a whole had better fail early.
                return Self.outOfMemory
            }
        }
        if condition.isOutOfMemory, flags.contains(.denyOOM) { return Self.outOfMemory }
        if flags.contains(.write),
            let reason = condition.writeRefusal ?? condition.snapshotRefusal
        {
            return .message(reason)
        }
        if flags.contains(.write), condition.lacksReplicas, !session.isReplica {
            return .text("NOREPLICAS Not enough good replicas to write.")
        }
        if flags.contains(.denyOOM), let reason = condition.growthRefusal {
            return .message(reason)
        }
        return nil
    }

    private static let outOfMemory: CommandError = .text(
        "OOM command not allowed when used memory > 'maxmemory'.")

    private func table(_ row: Int) -> String { dispatcher.table.spec(at: row).name }

    private func isWrite(_ row: Int) -> Bool {
        dispatcher.table.facts(at: row).flags.contains(.write)
    }

    private func mustWait(_ flags: CommandFlags, _ row: Int, _ session: Session) -> Bool {
        guard condition.holdsWriters || condition.pausedUntil > 0, !session.isReplica else {
            return false
        }
        var writes = flags.contains(.write) || flags.contains(.mayReplicate)
        if session.transaction != nil {
            // Queueing changes nothing; EXEC counts as what it will run.
            guard table(row) == "exec" else { return false }
            writes = session.transaction?.queued.contains { isWrite($0.row) } == true
        }
        if writes && condition.holdsWriters { return true }
        if condition.pausedUntil > 0 {
            return condition.pausesWritesOnly ? writes : !table(row).hasPrefix("client|")
        }
        return false
    }

    /// Commands that act on the transaction instead of becoming part of it.
    private func runsInsideTransaction(_ row: Int) -> Bool {
        switch table(row) {
        case "exec", "discard", "multi", "watch", "quit", "reset": true
        default: false
        }
    }

    /// Why this session may not run a protected command: one of DEBUG or MODULE.
    private func protection(_ row: Int, _ session: Session) -> CommandError? {
        let isModule = dispatcher.table.spec(at: row).containerName == "module"
        let permission = isModule ? settings.moduleCommand : settings.debugCommand
        if permission.allows(isLocal: session.address.isLocal) { return nil }
        return isModule ? Self.moduleNotAllowed : Self.debugNotAllowed
    }

    private static let debugNotAllowed: CommandError = .text(
        """
        ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can \
        run it from a local connection, otherwise you need to set this option in the configuration \
        file, and then restart the server.
        """)
    private static let moduleNotAllowed: CommandError = .text(
        """
        ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can \
        run it from a local connection, otherwise you need to set this option in the configuration \
        file, and then restart the server.
        """)

    /// The name, cut to 128 bytes, and about 128 bytes of arguments.
    static func unknownCommand(_ arguments: Arguments) -> CommandError {
        var text = Array("ERR unknown command '".utf8)
        text += shown(arguments[0], most: 128)
        text += Array("', with args beginning with: ".utf8)
        var list: [UInt8] = []
        for index in 1..<max(arguments.count, 1) {
            guard list.count < 128 else { break }
            list.append(UInt8(ascii: "'"))
            list += Self.shown(arguments[index], most: 128 - list.count + 1)
            list += Array("' ".utf8)
        }
        return .bytes(text + list)
    }

    /// A client's word as Redis quotes it: cut at `most` bytes, and at a NUL.
    private static func shown(_ word: ByteSlice, most: Int) -> [UInt8] {
        Array(word.prefix(most).copyToArray().prefix { $0 != 0 })
    }

    private func unknownSubcommand(_ container: Int, _ arguments: Arguments) -> CommandError {
        var text = Array("ERR unknown subcommand '".utf8)
        text += Self.shown(arguments[1], most: 128)
        text += Array("'. Try \(table(container).uppercased()) HELP.".utf8)
        return .bytes(text)
    }
}
