internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// ACL: who may do what.
enum AccessCommands {
    @Sendable
    static func setUser(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let name = arguments[2].copyToArray()
        if Selector.hasBlanks(name) {
            throw .text("ERR Usernames can't contain spaces or null characters")
        }
        let words = (3..<max(arguments.count, 3)).map { arguments[$0].copyToArray() }
        let before = state.users.find(name)?.rules
        let rules: UserRules
        do throws(UserTable.LineError) {
            let table = state.dispatcher.table
            rules = try state.users.rules(
                before ?? state.users.newRules(table), changedBy: words, table)
        } catch {
            throw .message("ERR \(error.reason)")
        }
        state.running = session
        state.putUser(name, rules)
        state.running = nil
        state.reply.ok()
    }

    @Sendable
    static func deleteUsers(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var removed = 0
        state.running = session
        defer { state.running = nil }
        for index in 2..<arguments.count {
            let name = arguments[index].copyToArray()
            if name == UserTable.standardName {
                throw .text("ERR The 'default' user cannot be removed")
            }
            if state.removeUser(name) { removed += 1 }
        }
        state.reply.integer(removed)
    }

    @Sendable
    static func getUser(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let user = state.users.find(arguments[2].copyToArray()) else {
            return state.reply.null()
        }
        func describe(_ selector: Selector) -> [ReplyTree.Pair] {
            [
                .init("commands", .bytes(selector.commandText)),
                .init("keys", .bytes(selector.keyText)),
                .init("channels", .bytes(selector.channelText)),
            ]
        }
        let rules = user.rules
        let head: [ReplyTree.Pair] = [
            .init("flags", .set(rules.flags.map { .bulk($0) })),
            .init("passwords", .array(rules.passwords.map { .bytes($0) })),
        ]
        let others = ReplyTree.array(rules.others.map { .map(describe($0)) })
        ReplyTree.map(head + describe(rules.root) + [.init("selectors", others)])
            .write(to: &state.reply)
    }

    @Sendable
    static func list(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let lines = state.users.lines
        state.reply.array(lines.count)
        for line in lines { state.reply.bulk(line) }
    }

    @Sendable
    static func users(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let all = state.users.all
        state.reply.array(all.count)
        for user in all { state.reply.bulk(user.name) }
    }

    @Sendable
    static func whoAmI(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.bulk(session.user?.name ?? UserTable.standardName)
    }

    @Sendable
    static func categories(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if arguments.count > 3 { throw .unknownSubcommand(arguments[1], of: "ACL") }
        guard arguments.count == 3 else {
            state.reply.array(ACLCategories.allNames.count)
            for name in ACLCategories.allNames { state.reply.bulk(name) }
            return
        }
        let name = arguments[2].text.lowercased()
        guard let bit = ACLCategories.allNames.firstIndex(where: { "\($0)" == name }) else {
            throw .bytes(
                Array("ERR Unknown category '".utf8) + arguments[2].prefix(128).copyToArray()
                    + [UInt8(ascii: "'")])
        }
        let category = ACLCategories(rawValue: 1 << UInt32(bit))
        let table = state.dispatcher.table
        let rows = (0..<table.count).filter {
            table.isFound(at: $0) && table.spec(at: $0).categories.contains(category)
        }
        state.reply.array(rows.count)
        for row in rows { state.reply.bulk(table.spec(at: row).name) }
    }

    @Sendable
    static func makePassword(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if arguments.count > 3 { throw .unknownSubcommand(arguments[1], of: "ACL") }
        var bits: Int64 = 256
        if arguments.count == 3 {
            guard let wanted = DecimalText.parse(arguments[2]) else { throw .notAnInteger }
            guard wanted > 0, wanted <= 4096 else {
                throw .text(
                    """
                    ERR ACL GENPASS argument must be the number of bits for the output password, a \
                    positive number up to 4096
                    """)
            }
            bits = wanted
        }
        var random = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        let password = (0..<(bits + 3) / 4).map { _ in
            digits[Int.random(in: 0..<16, using: &random)]
        }
        state.reply.bulk(password)
    }

    // MARK: The log

    @Sendable
    static func log(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if arguments.count > 3 { throw .unknownSubcommand(arguments[1], of: "ACL") }
        var count: Int64 = 10
        if arguments.count == 3 {
            if arguments[2].equalsIgnoringCase("reset") {
                state.accessLog.reset()
                return state.reply.ok()
            }
            guard let wanted = DecimalText.parse(arguments[2]) else { throw .notAnInteger }
            count = max(wanted, 0)
        }
        let entries = state.accessLog.entries.prefix(Int(count))
        let now = state.now
        state.reply.array(entries.count)
        for entry in entries {
            state.reply.map(10)
            state.reply.bulk("count")
            state.reply.integer(entry.count)
            state.reply.bulk("reason")
            state.reply.bulk(entry.kind.name)
            state.reply.bulk("context")
            state.reply.bulk(entry.context)
            state.reply.bulk("object")
            state.reply.bulk(entry.object)
            state.reply.bulk("username")
            state.reply.bulk(entry.user)
            state.reply.bulk("age-seconds")
            state.reply.double(text: DoubleText.text(Double(max(now - entry.updatedAt, 0)) / 1000))
            state.reply.bulk("client-info")
            state.reply.bulk(entry.client)
            state.reply.bulk("entry-id")
            state.reply.integer(entry.id)
            state.reply.bulk("timestamp-created")
            state.reply.integer(entry.createdAt)
            state.reply.bulk("timestamp-last-updated")
            state.reply.integer(entry.updatedAt)
        }
    }

    @Sendable
    static func dryRun(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let user = state.users.find(arguments[2].copyToArray()) else {
            throw .bytes(
                Array("ERR User '".utf8) + arguments[2].copyToArray() + Array("' not found".utf8))
        }
        let table = state.dispatcher.table
        let words = arguments.dropFirst(3)
        guard var row = table.lookup(words[0]) else { throw commandNotFound(words[0]) }
        if table.facts(at: row).hasSubcommands, words.count > 1 {
            guard let found = table.lookup(words[1], in: row) else {
                throw commandNotFound(words[0])
            }
            row = found
        }
        guard table.facts(at: row).accepts(words.count) else {
            throw .wrongArity(table.spec(at: row).name)
        }
        guard let denial = user.rules.check(row, words, table) else { return state.reply.ok() }
        state.reply.bulk(denial.text(user, table.spec(at: row), words, isVerbose: true))
    }

    private static func commandNotFound(_ name: ByteSlice) -> CommandError {
        .bytes(Array("ERR Command '".utf8) + name.copyToArray() + Array("' not found".utf8))
    }

    // MARK: The file

    private static func checkFile(_ state: borrowing ServerState) throws(CommandError) {
        guard state.users.file.isEmpty else { return }
        throw .text(
            """
            ERR This Redis instance is not configured to use an ACL file. You may want to specify users \
            via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
            configuration file set) in order to store users in the Redis configuration.
            """)
    }

    @Sendable
    static func load(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        try checkFile(state)
        state.running = session
        defer { state.running = nil }
        do throws(UserTable.LineError) {
            try state.loadUsers()
        } catch {
            throw .message("ERR \(error.reason)")
        }
        state.reply.ok()
    }

    @Sendable
    static func save(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        try checkFile(state)
        do throws(SystemError) {
            try state.users.save()
        } catch {
            state.diagnostics.warning("Saving ACLs to '\(state.users.file)': \(error.reason)")
            throw .text(
                "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
            )
        }
        state.reply.ok()
    }

    @Sendable
    static func help(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        ReplyTree.help("ACL", helpLines).write(to: &state.reply)
    }

    private static let helpLines: [StaticString] = [
        "CAT [<category>]",
        "    Return the categories, or the commands of one <category>.",
        "DELUSER <username> [<username> ...]",
        "    Remove users and end their connections.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Return whether the user could run the command, without running it.",
        "GETUSER <username>",
        "    Return the user's rules.",
        "GENPASS [<bits>]",
        "    Return a random password of 256 or <bits> bits.",
        "LIST",
        "    Return all users as lines of an ACL file.",
        "LOAD",
        "    Read the users from the ACL file again.",
        "LOG [<count> | RESET]",
        "    Return what was denied lately, or forget it.",
        "SAVE",
        "    Write the users to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Make or change a user.",
        "USERS",
        "    Return the names of all users.",
        "WHOAMI",
        "    Return the name of the connection's user.",
    ]

    static func register(_ rows: inout SessionRows) {
        let asking: CommandFlags = [.noScript, .loading, .stale, .sentinel]
        let ruling: CommandFlags = [.admin, .noScript, .loading, .stale, .sentinel]
        let toAll: [CommandTip] = [.requestAllNodes, .responseAllSucceeded]
        rows.addContainer("acl", -2, [.sentinel], .server)
        rows.add("acl|cat", -2, asking, .server, categories)
        rows.add("acl|deluser", -3, ruling, .server, tips: toAll, deleteUsers)
        rows.add("acl|dryrun", -4, ruling, .server, dryRun)
        rows.add("acl|genpass", -2, asking, .server, makePassword)
        rows.add("acl|getuser", 3, ruling, .server, getUser)
        rows.add("acl|help", 2, [.loading, .stale, .sentinel], .server, help)
        rows.add("acl|list", 2, ruling, .server, list)
        rows.add("acl|load", 2, ruling, .server, load)
        rows.add("acl|log", -2, ruling, .server, log)
        rows.add("acl|save", 2, ruling, .server, tips: toAll, save)
        rows.add("acl|setuser", -3, ruling, .server, tips: toAll, setUser)
        rows.add("acl|users", 2, ruling, .server, users)
        rows.add("acl|whoami", 2, asking, .server, whoAmI)
    }
}
