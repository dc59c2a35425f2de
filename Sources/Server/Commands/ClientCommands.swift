internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP

/// CLIENT: who is connected, and how each wants to be treated.
enum ClientCommands {
    // MARK: The own session

    @Sendable
    static func id(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(session.id)
    }

    @Sendable
    static func info(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.verbatim(state.describe(session) + "\n")
    }

    @Sendable
    static func getName(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if session.name.isEmpty { state.reply.null() } else { state.reply.bulk(session.name) }
    }

    @Sendable
    static func setName(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        try state.checkName(arguments[2])
        session.name = arguments[2].copyToArray()
        state.reply.ok()
    }

    /// What a client library says of itself; no more than a name is believed.
    @Sendable
    static func setInfo(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let value = arguments[3]
        let isName = arguments[2].equalsIgnoringCase("lib-name")
        guard isName || arguments[2].equalsIgnoringCase("lib-ver") else {
            throw .bytes(
                Array("ERR Unrecognized option '".utf8) + arguments[2].copyToArray()
                    + [UInt8(ascii: "'")])
        }
        for index in 0..<value.count where value[index] < 33 || value[index] > 126 {
            throw .message(
                "ERR \(isName ? "lib-name" : "lib-ver") cannot contain spaces, newlines or special characters."
            )
        }
        if isName {
            session.libraryName = value.copyToArray()
        } else {
            session.libraryVersion = value.copyToArray()
        }
        state.reply.ok()
    }

    /// `ON` or `OFF`.
    private static func isOn(_ word: ByteSlice) throws(CommandError) -> Bool {
        if word.equalsIgnoringCase("on") { return true }
        if word.equalsIgnoringCase("off") { return false }
        throw .syntax
    }

    @Sendable
    static func noEvict(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        session.hasNoEvict = try isOn(arguments[2])
        state.reply.ok()
    }

    @Sendable
    static func noTouch(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        session.hasNoTouch = try isOn(arguments[2])
        state.reply.ok()
    }

    @Sendable
    static func reply(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if arguments[2].equalsIgnoringCase("on") {
            session.replyMode = .on
            state.reply.ok()
        } else if arguments[2].equalsIgnoringCase("off") {
            session.replyMode = .off
        } else if arguments[2].equalsIgnoringCase("skip") {
            if session.replyMode != .off { session.replyMode = .skipNext }
        } else {
            throw .syntax
        }
    }

    // MARK: All sessions

    /// `CLIENT LIST [TYPE normal|master|replica|pubsub] [ID id …]`
    @Sendable
    static func list(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var sessions: [Session]
        if arguments.count == 2 {
            sessions = state.sessionsAndLink
        } else if arguments.count == 4, arguments[2].equalsIgnoringCase("type") {
            let type = try SessionType(arguments[3])
            sessions = state.sessionsAndLink.filter { $0.type == type }
        } else if arguments.count > 3, arguments[2].equalsIgnoringCase("id") {
            sessions = []
            for index in 3..<arguments.count {
                guard let id = DecimalText.parse(arguments[index]) else {
                    throw .text("ERR Invalid client ID")
                }
                if let found = state.sessions.session(id: id) { sessions.append(found) }
            }
        } else {
            throw .syntax
        }
        var text = ""
        for session in sessions { text += state.describe(session) + "\n" }
        state.reply.verbatim(text)
    }

    @Sendable
    static func kill(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var filter = SessionFilter()
        let isOldForm = arguments.count == 3
        if isOldForm {
            filter.address = arguments[2].text
            filter.skipsOwn = false
        } else {
            try filter.read(arguments, state.users)
        }
        var killed = 0
        for other in state.sessions.all where filter.matches(other, own: session) {
            // The own session still gets its reply.
            if other === session {
                session.closesAfterReply = true
            } else {
                state.doomed.append(other)
            }
            killed += 1
        }
        if let link = state.following.connection, filter.matches(link.session, own: session) {
            state.retryLink("The link to the primary is ended by CLIENT KILL", soon: true)
            killed += 1
        }
        if isOldForm {
            guard killed > 0 else { throw .text("ERR No such client") }
            state.reply.ok()
        } else {
            state.reply.integer(killed)
        }
    }

    /// Ends another session's wait, as if the time had run out or with an error. From a pause, and from waiting for
    /// the disk, nobody is let off.
    @Sendable
    static func unblock(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var end = WaitEnd.timeout
        if arguments.count == 4 {
            if arguments[3].equalsIgnoringCase("error") {
                end = .error(.text("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
            } else if !arguments[3].equalsIgnoringCase("timeout") {
                throw .text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
            }
        } else if arguments.count > 4 {
            throw .syntax
        }
        guard let id = DecimalText.parse(arguments[2]) else { throw .notAnInteger }
        guard let other = state.sessions.session(id: id), other.parked?.isReleased == false else {
            return state.reply.integer(0)
        }
        other.parked?.isReleased = true
        state.waits.released.append((other, end))
        state.reply.integer(1)
    }

    // MARK: Pausing

    /// A pause that runs is only made longer and stricter, never shorter or milder.
    @Sendable
    static func pause(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var isForWrites = false
        if arguments.count == 4 {
            isForWrites = arguments[3].equalsIgnoringCase("write")
            guard isForWrites || arguments[3].equalsIgnoringCase("all") else {
                throw .text("ERR CLIENT PAUSE mode must be WRITE or ALL")
            }
        } else if arguments.count > 4 {
            throw .syntax
        }
        guard let duration = DecimalText.parse(arguments[2]) else {
            throw .text("ERR timeout is not an integer or out of range")
        }
        if duration < 0 { throw .text("ERR timeout is negative") }
        let (end, overflows) = state.now.addingReportingOverflow(duration)
        if overflows { throw .text("ERR timeout is out of range") }
        let isPaused = state.condition.pausedUntil > state.now
        if isPaused, !state.condition.pausesWritesOnly { isForWrites = false }
        state.condition.pausesWritesOnly = isForWrites
        state.condition.pausedUntil = isPaused ? max(state.condition.pausedUntil, end) : end
        state.dispatcher.context.holdsExpiry = true
        state.reply.ok()
    }

    @Sendable
    static func unpause(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.endPause()
        state.reply.ok()
    }

    // MARK: HELP

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("CLIENT", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "GETNAME",
        "    Return the connection's name.",
        "ID",
        "    Return the connection's number.",
        "INFO",
        "    Describe the connection.",
        "KILL <ip:port>",
        "    Close the connection from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close the connections that all options fit. Options are:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      Made from this address",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      Made to this local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Of this type",
        "    * USER <username>",
        "      Authenticated as this user",
        "    * SKIPME (YES|NO)",
        "      Whether to leave the own connection out (default: yes)",
        "LIST [options ...]",
        "    Describe connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Only those of this type",
        "    * ID <id> [<id> ...]",
        "      Only those with these numbers",
        "NO-EVICT (ON|OFF)",
        "    Keep the connection when memory gets short.",
        "NO-TOUCH (ON|OFF)",
        "    Don't count the connection's commands as accesses to keys.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Let all commands, or those that write, wait for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Whether replies are sent to the connection.",
        "SETINFO <option> <value>",
        "    Tell LIB-NAME or LIB-VER of the client library.",
        "SETNAME <name>",
        "    Name the connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Let a blocked connection go on.",
        "UNPAUSE",
        "    End the pause.",
    ]

    static func register(_ rows: inout SessionRows) {
        let own: CommandFlags = [.noScript, .loading, .stale, .sentinel]
        let others: CommandFlags = [.admin, .noScript, .loading, .stale, .sentinel]
        let toAll: [CommandTip] = [.requestAllNodes, .responseAllSucceeded]
        rows.addContainer("client", -2, [.sentinel], .connection)
        rows.add("client|getname", 2, own, .connection, getName)
        rows.add("client|help", 2, [.loading, .stale, .sentinel], .connection, help)
        rows.add("client|id", 2, own, .connection, id)
        rows.add("client|info", 2, own, .connection, tips: [.nondeterministicOutput], info)
        rows.add("client|kill", -3, others, .connection, kill)
        rows.add("client|list", -2, others, .connection, tips: [.nondeterministicOutput], list)
        rows.add("client|no-evict", 3, others, .connection, noEvict)
        rows.add("client|no-touch", 3, [.noScript, .loading, .stale], .connection, noTouch)
        rows.add("client|pause", -3, others, .connection, pause)
        rows.add("client|reply", 3, own, .connection, reply)
        rows.add("client|setinfo", 4, own, .connection, tips: toAll, setInfo)
        rows.add("client|setname", 3, own, .connection, tips: toAll, setName)
        rows.add("client|unblock", -3, others, .connection, unblock)
        rows.add("client|unpause", 2, others, .connection, unpause)
    }
}

extension ServerState {
    /// All sessions by age, with the link to a primary, which isn't served as one.
    fileprivate var sessionsAndLink: [Session] {
        let all = sessions.all + [following.connection?.session].compactMap { $0 }
        return all.sorted { $0.id < $1.id }
    }
}
