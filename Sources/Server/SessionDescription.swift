internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// What kind of peer a session serves.
enum SessionType {
    case normal, master, replica, pubsub

    init(_ name: ByteSlice) throws(CommandError) {
        if name.equalsIgnoringCase("normal") {
            self = .normal
        } else if name.equalsIgnoringCase("slave") || name.equalsIgnoringCase("replica") {
            self = .replica
        } else if name.equalsIgnoringCase("pubsub") {
            self = .pubsub
        } else if name.equalsIgnoringCase("master") {
            self = .master
        } else {
            throw .bytes(
                Array("ERR Unknown client type '".utf8) + name.copyToArray() + [UInt8(ascii: "'")])
        }
    }
}

/// Which sessions CLIENT KILL means: those that all given conditions fit.
struct SessionFilter {
    var id: Int64?
    var type: SessionType?
    var address: String?
    var localAddress: String?
    var user: [UInt8]?
    var skipsOwn = true

    /// Reads pairs of option and value from the third word on.
    ///
    /// - Parameter users: who may be named.
    mutating func read(_ arguments: Arguments, _ users: UserTable) throws(CommandError) {
        var index = 2
        while index < arguments.count {
            let option = arguments[index]
            guard index + 1 < arguments.count else { throw .syntax }
            let value = arguments[index + 1]
            if option.equalsIgnoringCase("id") {
                guard let number = DecimalText.parse(value), number > 0 else {
                    throw .text("ERR client-id should be greater than 0")
                }
                id = number
            } else if option.equalsIgnoringCase("type") {
                type = try SessionType(value)
            } else if option.equalsIgnoringCase("addr") {
                address = value.text
            } else if option.equalsIgnoringCase("laddr") {
                localAddress = value.text
            } else if option.equalsIgnoringCase("user") {
                guard users.find(value.copyToArray()) != nil else {
                    throw .bytes(
                        Array("ERR No such user '".utf8) + value.copyToArray()
                            + [UInt8(ascii: "'")])
                }
                user = value.copyToArray()
            } else if option.equalsIgnoringCase("skipme") {
                skipsOwn = value.equalsIgnoringCase("yes")
                guard skipsOwn || value.equalsIgnoringCase("no") else { throw .syntax }
            } else {
                throw .syntax
            }
            index += 2
        }
    }

    func matches(_ session: Session, own: Session) -> Bool {
        if skipsOwn, session === own { return false }
        if let id, session.id != id { return false }
        if let type, session.type != type { return false }
        if let address, session.address.text != address { return false }
        if let localAddress, session.localAddress.text != localAddress { return false }
        if let user, session.user?.name != user || !session.isAuthenticated { return false }
        return true
    }
}

extension Session {
    var type: SessionType {
        if isPrimary { return .master }
        return isReplica ? .replica : subscriptions == nil ? .normal : .pubsub
    }

    /// Roughly what the session occupies, buffers included.
    var memoryBytes: Int {
        1024 + input.capacity + output.capacity + (transaction?.bytes ?? 0)
    }

    /// One letter for each thing that is out of the ordinary, N for none.
    fileprivate var flagLetters: String {
        var letters = ""
        if isMonitor { letters += "O" } else if isReplica { letters += "S" }
        if isPrimary { letters += "M" }
        if subscriptions != nil { letters += "P" }
        if transaction != nil { letters += "x" }
        if isHeld || parked != nil { letters += "b" }
        if let tracking {
            letters += "t"
            if tracking.isRedirectionBroken { letters += "R" }
            if tracking.options.contains(.broadcast) { letters += "B" }
        }
        if watcher?.isDirty == true { letters += "d" }
        if closesAfterReply { letters += "c" }
        if isUnixSocket { letters += "U" }
        if hasNoEvict { letters += "e" }
        if hasNoTouch { letters += "T" }
        return letters.isEmpty ? "N" : letters
    }
}

extension ServerState {
    /// A session as CLIENT LIST shows it, without the line's end.
    func describe(_ session: Session) -> String {
        let seconds = monotonicSeconds
        let command =
            session.lastRow >= 0 ? dispatcher.table.spec(at: session.lastRow).name : "NULL"
        let queued = session.transaction?.queued.count ?? -1
        let output = session.output.capacity
        let fields: [(String, String)] = [
            ("id", "\(session.id)"),
            ("addr", session.address.text),
            ("laddr", session.localAddress.text),
            ("fd", "\(session.descriptor)"),
            ("name", String(decoding: session.name, as: UTF8.self)),
            ("age", "\(max(seconds - session.createdAt, 0))"),
            ("idle", "\(max(seconds - session.lastActiveAt, 0))"),
            ("flags", session.flagLetters),
            ("db", "\(session.database)"),
            ("sub", "\(session.subscriptions?.count(.channel) ?? 0)"),
            ("psub", "\(session.subscriptions?.count(.pattern) ?? 0)"),
            ("ssub", "\(session.subscriptions?.count(.shard) ?? 0)"),
            ("multi", "\(queued)"),
            ("qbuf", "\(session.input.count)"),
            ("qbuf-free", "\(session.input.capacity - session.input.count)"),
            ("argv-mem", "0"),
            ("multi-mem", "\(session.transaction?.bytes ?? 0)"),
            ("rbs", "\(output)"), ("rbp", "\(output)"),
            ("obl", "\(session.output.count)"),
            ("oll", "0"),
            ("omem", "\(output)"),
            ("tot-mem", "\(session.memoryBytes)"),
            ("events", session.wantsWritable ? "rw" : "r"),
            ("cmd", command),
            ("user", session.user?.nameText ?? "default"),
            ("redir", "\(session.tracking?.redirection ?? -1)"),
            ("resp", "\(session.version)"),
            ("lib-name", String(decoding: session.libraryName, as: UTF8.self)),
            ("lib-ver", String(decoding: session.libraryVersion, as: UTF8.self)),
        ]
        return fields.map { "\($0.0)=\($0.1)" }.joined(separator: " ")
    }
}
