internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// Users and sessions.
extension ServerState {
    /// Makes the session's commands those of `user`.
    func assign(_ session: Session, _ user: User) {
        session.user = user
        session.updateRestrictions()
    }

    /// The user of a session that has not said who it is, which may have to.
    func assignStandardUser(_ session: Session) {
        assign(session, users.standard)
        session.isAuthenticated = !users.requiresAuthentication
    }

    /// Lets the session in if user and password are right.
    ///
    /// - Parameter command: as the client wrote it, for the log of denials.
    mutating func authenticate(
        _ session: Session, user name: ByteSlice, password: ByteSlice, command: ByteSlice
    ) throws(CommandError) {
        guard let user = users.find(name.copyToArray()), user.rules.accepts(password) else {
            noteDenial(
                .authentication, session, object: command.copyToArray(), user: name.copyToArray(),
                isInTransaction: false)
            throw .text("WRONGPASS invalid username-password pair or user is disabled.")
        }
        session.isAuthenticated = true
        assign(session, user)
    }

    // MARK: Denying

    /// Refuses what the session's user may not do, and makes a note of it.
    mutating func denial(
        _ row: Int, _ arguments: Arguments, _ session: Session, isInTransaction: Bool
    ) -> AccessDenial? {
        guard let user = session.user,
            let denial = user.rules.check(row, arguments, dispatcher.table)
        else { return nil }
        let object =
            denial.kind == .command
            ? Array(dispatcher.table.spec(at: row).name.utf8)
            : arguments[min(denial.position, arguments.count - 1)].copyToArray()
        session.lastRow = isInTransaction ? session.lastRow : row
        noteDenial(
            denial.kind, session, object: object, user: user.name,
            isInTransaction: isInTransaction || session.transaction != nil)
        return denial
    }

    /// Tells the command whether its user may read keys that it doesn't name.
    mutating func limitReading(_ session: Session, _ row: Int, _ arguments: Arguments) {
        dispatcher.context.limits.readsAnyKey =
            session.user?.rules.selectors.contains { selector in
                selector.readsAnyKey
                    && selector.allowsCommand(row, arguments, dispatcher.table)
            } ?? true
    }

    private mutating func noteDenial(
        _ kind: AccessDenial.Kind, _ session: Session, object: [UInt8], user: [UInt8],
        isInTransaction: Bool
    ) {
        switch kind {
        case .command: statistics.deniedCommands += 1
        case .key: statistics.deniedKeys += 1
        case .channel: statistics.deniedChannels += 1
        case .authentication: statistics.authenticationFailures += 1
        }
        accessLog.add(
            kind, context: isInTransaction ? "multi" : "toplevel", object: object, user: user,
            client: describe(session), now: now)
    }

    // MARK: Changing users

    /// Gives a user new rules, and ends sessions that listen to what it may no longer hear.
    mutating func putUser(_ name: [UInt8], _ rules: UserRules) {
        if let user = users.find(name) { endForbiddenListening(user, rules) }
        users.put(name, rules)
        for session in sessions.all { session.updateRestrictions() }
    }

    private mutating func endForbiddenListening(_ user: User, _ rules: UserRules) {
        let selectors = rules.selectors
        if selectors.contains(where: { $0.allowsAllChannels }) { return }
        for session in sessions.all where session.user === user {
            guard let own = session.subscriptions else { continue }
            let isAllowed = PubSub.Kind.allCases.allSatisfy { kind in
                own.names[kind.rawValue].allSatisfy { name in
                    name.withSlice { channel in
                        selectors.contains {
                            $0.allowsChannel(channel, isPattern: kind == .pattern)
                        }
                    }
                }
            }
            if !isAllowed { endSession(session) }
        }
    }

    /// Removes a user and ends its sessions; false if there is none.
    mutating func removeUser(_ name: [UInt8]) -> Bool {
        guard let user = users.remove(name) else { return false }
        for session in sessions.all where session.user === user { endSession(session) }
        return true
    }

    /// Takes the users of the file in place of those there are.
    mutating func loadUsers() throws(UserTable.LineError) {
        let loaded = try users.readFile(dispatcher.table)
        for user in users.all where !loaded.contains(where: { $0.name == user.name }) {
            _ = removeUser(user.name)
        }
        for (name, rules) in loaded { putUser(name, rules) }
    }

    /// Ends a session once the command that runs is done; the one that runs it still gets its reply.
    private mutating func endSession(_ session: Session) {
        if session === running { session.closesAfterReply = true } else { doomed.append(session) }
    }
}
