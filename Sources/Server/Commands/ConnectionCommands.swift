internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands by which a client says who it is and how it wants to be spoken to.
enum ConnectionCommands {
    @Sendable
    static func ping(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard arguments.count <= 2 else { throw .wrongArity("ping") }
        if session.version == 2, session.subscriptions != nil {
            state.reply.array(2)
            state.reply.bulk("pong")
            state.reply.bulk(arguments.count == 2 ? arguments[1] : ByteSlice())
            return
        }
        if arguments.count == 2 {
            state.reply.bulk(arguments[1])
        } else {
            state.reply.simple("PONG")
        }
    }

    @Sendable
    static func echo(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.bulk(arguments[1])
    }

    @Sendable
    static func select(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let number = DecimalText.parse(arguments[1]) else { throw .notAnInteger }
        guard Int32(exactly: number) != nil else {
            throw .text(
                "ERR value is out of range, value must between -2147483648 and 2147483647")
        }
        guard number >= 0, number < Int64(state.dispatcher.context.keyspace.databaseCount) else {
            throw .databaseOutOfRange
        }
        session.database = Int(number)
        state.dispatcher.context.database = session.database
        state.reply.ok()
    }

    @Sendable
    static func quit(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.ok()
        session.closesAfterReply = true
    }

    @Sendable
    static func auth(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard arguments.count <= 3 else { throw .syntax }
        if arguments.count == 2, state.users.standard.rules.needsNoPassword {
            throw .text(
                """
                ERR AUTH <password> called without any password configured for the default user. Are \
                you sure your configuration is correct?
                """)
        }
        let user = arguments.count == 3 ? arguments[1] : ByteSlice("default")
        try state.authenticate(
            session, user: user, password: arguments[arguments.count - 1], command: arguments[0])
        state.reply.ok()
    }

    /// `HELLO [2|3 [AUTH user password] [SETNAME name]]`: the version is switched before the reply.
    @Sendable
    static func hello(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var version = session.version
        if arguments.count > 1 {
            guard let wanted = DecimalText.parse(arguments[1]) else {
                throw .text("ERR Protocol version is not an integer or out of range")
            }
            guard wanted == 2 || wanted == 3 else {
                throw .text("NOPROTO unsupported protocol version")
            }
            version = Int(wanted)
        }
        var name: ByteSlice?
        var credentials: (user: ByteSlice, password: ByteSlice)?
        var index = 2
        while index < arguments.count {
            let left = arguments.count - index - 1
            if arguments[index].equalsIgnoringCase("auth"), left >= 2 {
                credentials = (arguments[index + 1], arguments[index + 2])
                index += 3
            } else if arguments[index].equalsIgnoringCase("setname"), left >= 1 {
                name = arguments[index + 1]
                index += 2
            } else {
                throw .bytes(
                    Array("ERR Syntax error in HELLO option '".utf8)
                        + arguments[index].copyToArray() + [UInt8(ascii: "'")])
            }
        }
        if let name { try state.checkName(name) }
        if let credentials {
            try state.authenticate(
                session, user: credentials.user, password: credentials.password,
                command: arguments[0])
        }
        guard session.isAuthenticated else {
            throw .text(
                """
                NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
                <proto> AUTH <user> <pass> option can be used to authenticate the client and select \
                the RESP protocol version at the same time
                """)
        }
        if let name { session.name = name.copyToArray() }
        session.version = version
        session.updateRestrictions()
        state.reply.version = version
        state.reply.map(7)
        state.reply.bulk("server")
        state.reply.bulk("redis")
        state.reply.bulk("version")
        state.reply.bulk(HoldfastVersion.redis)
        state.reply.bulk("proto")
        state.reply.integer(version)
        state.reply.bulk("id")
        state.reply.integer(session.id)
        state.reply.bulk("mode")
        state.reply.bulk("standalone")
        state.reply.bulk("role")
        state.reply.bulk("master")
        state.reply.bulk("modules")
        state.reply.array(0)
    }

    @Sendable
    static func reset(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.dropTransaction(session)
        state.leavePubSub(session)
        state.disableTracking(session)
        state.leaveMonitor(session)
        session.database = 0
        session.version = 2
        session.name = []
        session.replyMode = .on
        session.hasNoEvict = false
        session.hasNoTouch = false
        state.assignStandardUser(session)
        state.reply.version = 2
        state.reply.simple("RESET")
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "auth", -2, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy, .sentinel],
            .connection, auth)
        rows.add("echo", 2, [.loading, .stale, .fast], .connection, echo)
        rows.add(
            "hello", -1, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy, .sentinel],
            .connection, hello)
        rows.add(
            "ping", -1, [.fast, .sentinel], .connection,
            tips: [.requestAllShards, .responseAllSucceeded], ping)
        rows.add(
            "quit", -1, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy], .connection, quit
        )
        rows.add(
            "reset", 1, [.noScript, .loading, .stale, .fast, .noAuth, .allowBusy], .connection,
            reset)
        rows.add("select", 2, [.loading, .stale, .fast], .connection, select)
    }
}

extension ServerState {
    /// A client's name is printable and without blanks, since CLIENT LIST separates fields by blanks.
    func checkName(_ name: ByteSlice) throws(CommandError) {
        for index in 0..<name.count where name[index] < 33 || name[index] > 126 {
            throw .text(
                "ERR Client names cannot contain spaces, newlines or special characters.")
        }
    }
}
