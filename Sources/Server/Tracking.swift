internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// How a session that caches values on its side wants to hear what became invalid.
final class Tracking {
    struct Options: OptionSet {
        let rawValue: UInt8
        static let broadcast = Options(rawValue: 1 << 0)
        static let optIn = Options(rawValue: 1 << 1)
        static let optOut = Options(rawValue: 1 << 2)
        static let noLoop = Options(rawValue: 1 << 3)
    }

    var options: Options
    /// The session that gets the messages; 0 for the own one.
    var redirection: Int64
    /// That session is gone.
    var isRedirectionBroken = false
    /// CLIENT CACHING was given: the next command is treated the other way than usual.
    var hasCachingWord = false
    /// In broadcast mode; the empty prefix fits all keys.
    var prefixes: [[UInt8]] = []

    init(_ options: Options, redirection: Int64) {
        self.options = options
        self.redirection = redirection
    }

    /// Whether what the next command reads is to be remembered.
    var remembers: Bool {
        if options.contains(.broadcast) { return false }
        if options.contains(.optIn) { return hasCachingWord }
        return !(options.contains(.optOut) && hasCachingWord)
    }
}

/// Which keys may be cached by which sessions.
///
/// Keys are known by hash, whatever their database, with the name kept for the message. Should two names
/// ever share a hash, somebody drops a value that was still good.
struct TrackingTable {
    private struct Tracked {
        var name: [UInt8]
        var sessions: [Int64]
    }

    private struct Prefix {
        var name: [UInt8]
        var sessions: [Session]
        /// Keys changed in this turn, each with the session that changed it last.
        var changed: [[UInt8]: Int64] = [:]
    }

    private var keys: [UInt64: Tracked] = [:]
    private(set) var itemCount = 0
    private var prefixes: [Prefix] = []
    /// Sessions with tracking on.
    private(set) var sessions: [Session] = []
    private(set) var hasBroadcasts = false

    var keyCount: Int { keys.count }
    var prefixCount: Int { prefixes.count }

    // MARK: Sessions

    mutating func add(_ session: Session, _ tracking: Tracking) {
        if !sessions.contains(where: { $0 === session }) { sessions.append(session) }
        for name in tracking.prefixes {
            if let place = prefixes.firstIndex(where: { $0.name == name }) {
                if !prefixes[place].sessions.contains(where: { $0 === session }) {
                    prefixes[place].sessions.append(session)
                }
            } else {
                prefixes.append(Prefix(name: name, sessions: [session]))
            }
        }
    }

    mutating func remove(_ session: Session) {
        sessions.removeAll { $0 === session }
        for place in prefixes.indices { prefixes[place].sessions.removeAll { $0 === session } }
        prefixes.removeAll { $0.sessions.isEmpty }
    }

    // MARK: Keys

    mutating func remember(_ name: ByteSlice, _ hash: UInt64, _ session: Int64) {
        if let sessions = keys[hash]?.sessions {
            if sessions.contains(session) { return }
            keys[hash]?.sessions.append(session)
        } else {
            keys[hash] = Tracked(name: name.copyToArray(), sessions: [session])
        }
        itemCount += 1
    }

    /// Forgets a key, and says who has to hear of it.
    mutating func forget(_ hash: UInt64) -> (name: [UInt8], sessions: [Int64])? {
        guard !keys.isEmpty, let tracked = keys.removeValue(forKey: hash) else { return nil }
        itemCount -= tracked.sessions.count
        return (tracked.name, tracked.sessions)
    }

    mutating func forgetAll() {
        keys = [:]
        itemCount = 0
    }

    /// Some key, for when there are too many.
    var someKey: UInt64? { keys.first?.key }

    // MARK: Broadcasting

    /// - Parameter session: whose command changed the key; 0 if nobody's.
    mutating func noteForBroadcast(_ name: ByteSlice, _ session: Int64) {
        for place in prefixes.indices {
            let prefix = prefixes[place].name
            guard name.count >= prefix.count,
                prefix.withSlice({ name.prefix(prefix.count) == $0 })
            else { continue }
            prefixes[place].changed[name.copyToArray()] = session
            hasBroadcasts = true
        }
    }

    /// What to tell whom, one message for each prefix and session.
    mutating func takeBroadcasts() -> [(session: Session, keys: [[UInt8]])] {
        var result: [(session: Session, keys: [[UInt8]])] = []
        for place in prefixes.indices where !prefixes[place].changed.isEmpty {
            let changed = prefixes[place].changed.sorted {
                $0.key.lexicographicallyPrecedes($1.key)
            }
            prefixes[place].changed = [:]
            for session in prefixes[place].sessions {
                let isDeaf = session.tracking?.options.contains(.noLoop) == true
                let names = changed.filter { !isDeaf || $0.value != session.id }.map { $0.key }
                if !names.isEmpty { result.append((session, names)) }
            }
        }
        hasBroadcasts = false
        return result
    }
}

extension ServerState {
    mutating func enableTracking(_ session: Session, _ tracking: Tracking) {
        if let before = session.tracking {
            // Prefixes are only ever added to.
            tracking.prefixes = before.prefixes + tracking.prefixes
        }
        session.tracking = tracking
        session.updateRestrictions()
        self.tracking.add(session, tracking)
        dispatcher.setTracking(true)
    }

    mutating func disableTracking(_ session: Session) {
        guard session.tracking != nil else { return }
        session.tracking = nil
        session.updateRestrictions()
        tracking.remove(session)
        // What nobody tracks needn't be remembered.
        if tracking.sessions.isEmpty { tracking.forgetAll() }
        dispatcher.setTracking(!tracking.sessions.isEmpty)
    }

    /// Remembers the keys of a command that read them for a tracking session.
    mutating func rememberRead(_ session: Session, _ row: Int, _ arguments: Arguments) {
        guard let own = session.tracking, own.remembers,
            dispatcher.table.facts(at: row).flags.contains(.readonly)
        else { return }
        let spec = dispatcher.table.spec(at: row)
        if spec.group == .scripting { return }
        let positions = spec.findKeys(count: arguments.count, word: { arguments[$0] }) ?? []
        for position in positions {
            let name = arguments[position.index]
            tracking.remember(name, dispatcher.context.keyspace.hash(name), session.id)
        }
        // A few at a time are enough: no command remembers many more than it lets go.
        var left = max(positions.count, 1) * 2 + 100
        while settings.trackedKeysMax > 0, tracking.keyCount > settings.trackedKeysMax, left > 0,
            let key = tracking.someKey
        {
            tellInvalid(key, author: nil)
            left -= 1
        }
    }

    // MARK: Telling

    /// Tells those who cache what has changed since the last time.
    mutating func tellChanges(_ author: Session?) {
        for change in dispatcher.context.changedKeys.changes {
            if tracking.prefixCount > 0, let name = dispatcher.context.changedKeys.name(of: change)
            {
                tracking.noteForBroadcast(name, change.isUnattributed ? 0 : author?.id ?? 0)
            }
            tellInvalid(change.hash, author: author)
        }
        if dispatcher.context.changedKeys.hasFlushed {
            for session in tracking.sessions { tellInvalid(session, nil) }
            tracking.forgetAll()
        }
        dispatcher.context.changedKeys.forgetAll()
    }

    private mutating func tellInvalid(_ hash: UInt64, author: Session?) {
        guard let (name, ids) = tracking.forget(hash) else { return }
        for id in ids {
            guard let session = sessions.session(id: id), let own = session.tracking,
                !own.options.contains(.broadcast),
                !(own.options.contains(.noLoop) && session === author)
            else { continue }
            tellInvalid(session, [name])
        }
    }

    /// Tells the sessions in broadcast mode what this turn has changed.
    mutating func broadcastChanges() {
        for (session, keys) in tracking.takeBroadcasts() { tellInvalid(session, keys) }
    }

    /// - Parameter names: nil for all keys.
    private mutating func tellInvalid(_ session: Session, _ names: [[UInt8]]?) {
        guard let own = session.tracking else { return }
        var target = session
        if own.redirection != 0 {
            guard let other = sessions.session(id: own.redirection) else {
                own.isRedirectionBroken = true
                guard session.version == 3 else { return }
                let range = outbox.write(version: 3) { writer in
                    writer.push(2)
                    writer.bulk("tracking-redir-broken")
                    writer.integer(own.redirection)
                }
                return outbox.add(range, to: session)
            }
            target = other
        }
        let isPush = target.version == 3
        guard isPush || (target !== session && target.subscriptions != nil) else { return }
        let range = outbox.write(version: target.version) { writer in
            if isPush {
                writer.push(2)
                writer.bulk("invalidate")
            } else {
                writer.push(3)
                writer.bulk("message")
                writer.bulk("__redis__:invalidate")
            }
            guard let names else { return writer.null() }
            writer.array(names.count)
            for name in names { writer.bulk(name) }
        }
        outbox.add(range, to: target)
    }
}
