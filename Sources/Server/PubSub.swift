internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Store

/// Who listens to which channels and patterns.
struct PubSub {
    /// Three kinds of subscription, each with names of its own.
    enum Kind: Int, CaseIterable {
        case channel, pattern, shard

        var subscribed: StaticString {
            switch self {
            case .channel: "subscribe"
            case .pattern: "psubscribe"
            case .shard: "ssubscribe"
            }
        }

        var unsubscribed: StaticString {
            switch self {
            case .channel: "unsubscribe"
            case .pattern: "punsubscribe"
            case .shard: "sunsubscribe"
            }
        }
    }

    /// A channel or pattern that somebody listens to.
    final class Channel {
        let name: [UInt8]
        private(set) var subscribers: [Session] = []
        private var places: [Int64: Int] = [:]

        init(_ name: [UInt8]) { self.name = name }

        func add(_ session: Session) {
            places[session.id] = subscribers.count
            subscribers.append(session)
        }

        func remove(_ session: Session) {
            guard let place = places.removeValue(forKey: session.id) else { return }
            let last = subscribers.removeLast()
            guard last !== session else { return }
            subscribers[place] = last
            places[last.id] = place
        }
    }

    /// Channels by a hash of their name; two names with one hash stand side by side.
    private var byHash: [[UInt64: [Channel]]] = [[:], [:], [:]]
    private(set) var counts = [0, 0, 0]
    /// In the order in which they were first asked for.
    private(set) var patterns: [Channel] = []

    var isEmpty: Bool { counts[0] == 0 && counts[1] == 0 }

    func find(_ kind: Kind, _ name: ByteSlice, hash: UInt64) -> Channel? {
        guard counts[kind.rawValue] > 0, let found = byHash[kind.rawValue][hash] else {
            return nil
        }
        return found.first { channel in channel.name.withSlice { $0 == name } }
    }

    func all(_ kind: Kind) -> [Channel] { byHash[kind.rawValue].values.flatMap { $0 } }

    mutating func add(_ kind: Kind, _ name: [UInt8], hash: UInt64, _ session: Session) {
        if let channel = name.withSlice({ find(kind, $0, hash: hash) }) {
            return channel.add(session)
        }
        let channel = Channel(name)
        channel.add(session)
        byHash[kind.rawValue][hash, default: []].append(channel)
        counts[kind.rawValue] += 1
        if kind == .pattern { patterns.append(channel) }
    }

    mutating func remove(_ kind: Kind, _ name: [UInt8], hash: UInt64, _ session: Session) {
        guard let channel = name.withSlice({ find(kind, $0, hash: hash) }) else { return }
        channel.remove(session)
        guard channel.subscribers.isEmpty else { return }
        byHash[kind.rawValue][hash]?.removeAll { $0 === channel }
        if byHash[kind.rawValue][hash]?.isEmpty == true { byHash[kind.rawValue][hash] = nil }
        counts[kind.rawValue] -= 1
        if kind == .pattern { patterns.removeAll { $0 === channel } }
    }
}

/// What one session listens to; sessions that never subscribed have none.
final class Subscriptions {
    var names: [Set<[UInt8]>] = [[], [], []]

    func count(_ kind: PubSub.Kind) -> Int { names[kind.rawValue].count }
    /// Channels and patterns, which are counted together.
    var plainCount: Int { names[0].count + names[1].count }
    var isEmpty: Bool { plainCount == 0 && names[2].isEmpty }
}

extension ServerState {
    // MARK: Subscribing

    /// The number that a confirmation carries.
    private func confirmedCount(_ kind: PubSub.Kind, _ session: Session) -> Int {
        guard let own = session.subscriptions else { return 0 }
        return kind == .shard ? own.count(.shard) : own.plainCount
    }

    mutating func subscribe(_ session: Session, _ kind: PubSub.Kind, _ name: [UInt8]) {
        let own = session.subscriptions ?? Subscriptions()
        session.subscriptions = own
        if own.names[kind.rawValue].insert(name).inserted {
            let hash = name.withSlice { dispatcher.context.keyspace.hash($0) }
            pubSub.add(kind, name, hash: hash, session)
        }
        reply.push(3)
        reply.bulk(kind.subscribed)
        reply.bulk(name)
        reply.integer(confirmedCount(kind, session))
        subscriptionsChanged(session)
    }

    /// - Parameter replies: false when the session ends or begins anew.
    mutating func unsubscribe(
        _ session: Session, _ kind: PubSub.Kind, _ name: [UInt8], replies: Bool
    ) {
        if let own = session.subscriptions, own.names[kind.rawValue].remove(name) != nil {
            let hash = name.withSlice { dispatcher.context.keyspace.hash($0) }
            pubSub.remove(kind, name, hash: hash, session)
        }
        guard replies else { return }
        reply.push(3)
        reply.bulk(kind.unsubscribed)
        reply.bulk(name)
        reply.integer(confirmedCount(kind, session))
    }

    mutating func unsubscribeAll(_ session: Session, _ kind: PubSub.Kind, replies: Bool) {
        let names = session.subscriptions?.names[kind.rawValue] ?? []
        for name in names { unsubscribe(session, kind, name, replies: replies) }
        if names.isEmpty, replies {
            reply.push(3)
            reply.bulk(kind.unsubscribed)
            reply.null()
            reply.integer(confirmedCount(kind, session))
        }
    }

    /// Takes the session off all channels.
    mutating func leavePubSub(_ session: Session) {
        guard session.subscriptions != nil else { return }
        for kind in PubSub.Kind.allCases { unsubscribeAll(session, kind, replies: false) }
        subscriptionsChanged(session)
    }

    mutating func subscriptionsChanged(_ session: Session) {
        if session.subscriptions?.isEmpty == true { session.subscriptions = nil }
        session.updateRestrictions()
        updateWantedEvents()
    }

    // MARK: Publishing

    /// Hands a message to all who listen to the channel.
    ///
    /// - Returns: how many they are.
    mutating func publish(_ channel: ByteSlice, _ payload: ByteSlice) -> Int {
        var receivers = 0
        let hash = dispatcher.context.keyspace.hash(channel)
        if let found = pubSub.find(.channel, channel, hash: hash) {
            receivers += send(to: found.subscribers) { writer in
                writer.push(3)
                writer.bulk("message")
                writer.bulk(channel)
                writer.bulk(payload)
            }
        }
        for pattern in pubSub.patterns {
            pattern.name.withSlice { name in
                guard Glob.matches(name, channel) else { return }
                receivers += send(to: pattern.subscribers) { writer in
                    writer.push(4)
                    writer.bulk("pmessage")
                    writer.bulk(name)
                    writer.bulk(channel)
                    writer.bulk(payload)
                }
            }
        }
        return receivers
    }

    mutating func publishInShard(_ channel: ByteSlice, _ payload: ByteSlice) -> Int {
        let hash = dispatcher.context.keyspace.hash(channel)
        guard let found = pubSub.find(.shard, channel, hash: hash) else { return 0 }
        return send(to: found.subscribers) { writer in
            writer.push(3)
            writer.bulk("smessage")
            writer.bulk(channel)
            writer.bulk(payload)
        }
    }

    private mutating func send(
        to sessions: [Session], _ body: (inout ReplyWriter) -> Void
    ) -> Int {
        var message = TwoFormMessage()
        for session in sessions {
            let range = message.range(for: session, in: &outbox, body)
            outbox.add(range, to: session)
        }
        return sessions.count
    }

    // MARK: Keyspace events

    /// Works out which events may find a listener.
    mutating func updateWantedEvents() {
        var wanted: KeyEventKinds = []
        if !condition.isLoading, !pubSub.isEmpty,
            !settings.keyEvents.isDisjoint(with: [.keyspace, .keyevent])
        {
            wanted = settings.keyEvents
        }
        dispatcher.setWantedEvents(wanted)
    }

    /// Publishes what commands have told of since the last time.
    mutating func publishEvents() {
        let kinds = settings.keyEvents
        var channel = ByteBuffer()
        var copy = ByteBuffer()
        for event in dispatcher.context.keyEvents.events {
            copy.removeAll()
            copy.append(dispatcher.context.keyEvents.key(of: event))
            if kinds.contains(.keyspace) {
                channel.removeAll()
                channel.append("__keyspace@")
                channel.append(decimal: Int64(event.database))
                channel.append("__:")
                channel.append(copy.slice)
                _ = publish(channel.slice, ByteSlice(event.name))
            }
            if kinds.contains(.keyevent) {
                channel.removeAll()
                channel.append("__keyevent@")
                channel.append(decimal: Int64(event.database))
                channel.append("__:")
                channel.append(event.name)
                _ = publish(channel.slice, copy.slice)
            }
        }
        dispatcher.context.keyEvents.forgetAll()
    }
}
