public import HoldfastBytes
public import Store

/// What kind of event it is, in the letters of `notify-keyspace-events`; the bits `keyspace` and `keyevent`
/// choose the channels and are no kind.
public struct KeyEventKinds: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `K`: messages in `__keyspace@<db>__:<key>`.
    public static let keyspace = KeyEventKinds(rawValue: 1 << 0)
    /// `E`: messages in `__keyevent@<db>__:<event>`.
    public static let keyevent = KeyEventKinds(rawValue: 1 << 1)
    public static let generic = KeyEventKinds(rawValue: 1 << 2)
    public static let string = KeyEventKinds(rawValue: 1 << 3)
    public static let list = KeyEventKinds(rawValue: 1 << 4)
    public static let set = KeyEventKinds(rawValue: 1 << 5)
    public static let hash = KeyEventKinds(rawValue: 1 << 6)
    public static let sortedSet = KeyEventKinds(rawValue: 1 << 7)
    public static let expired = KeyEventKinds(rawValue: 1 << 8)
    public static let evicted = KeyEventKinds(rawValue: 1 << 9)
    public static let stream = KeyEventKinds(rawValue: 1 << 10)
    /// `m`: a read of a key that isn't there. Not part of `A`.
    public static let miss = KeyEventKinds(rawValue: 1 << 11)
    public static let module = KeyEventKinds(rawValue: 1 << 12)
    /// `n`: a key that wasn't there before. Not part of `A`.
    public static let new = KeyEventKinds(rawValue: 1 << 13)

    /// `A`
    public static let all: KeyEventKinds = [
        .generic, .string, .list, .set, .hash, .sortedSet, .expired, .evicted, .stream, .module,
    ]

    static let channels: KeyEventKinds = [.keyspace, .keyevent]
}

/// Keyspace events that commands have told of and nobody has published yet.
///
/// Handlers tell through `CommandContext.notify`, which costs one test of a bit as long as nobody wants to
/// know. The front end takes the events when the unit is over, so that they follow its reply.
public struct KeyEventQueue: ~Copyable {
    /// The kinds that somebody may hear of; empty unless the configuration asks for them and there are
    /// subscribers.
    public internal(set) var wanted: KeyEventKinds = []

    public struct Event {
        public let name: StaticString
        public let database: Int
        fileprivate let keyStart: Int
        fileprivate let keyCount: Int
    }

    public private(set) var events: [Event] = []
    private var keys = ByteBuffer()

    init() {}

    public var isEmpty: Bool { events.isEmpty }

    /// Valid until the events are forgotten or another one comes.
    public func key(of event: Event) -> ByteSlice {
        keys.slice.slice(event.keyStart..<event.keyStart + event.keyCount)
    }

    mutating func add(_ name: StaticString, _ key: ByteSlice, _ database: Int) {
        events.append(
            Event(name: name, database: database, keyStart: keys.count, keyCount: key.count))
        keys.append(key)
    }

    public mutating func forgetAll() {
        events.removeAll(keepingCapacity: true)
        keys.removeAll()
    }
}

extension CommandContext {
    /// Tells subscribers that something happened to a key of the database in use.
    ///
    /// Call it after the change, once for each event that Redis has, in its order. A command that throws tells of
    /// nothing but what expired on its way.
    @inline(__always)
    public mutating func notify(_ kind: KeyEventKinds, _ event: StaticString, _ key: ByteSlice) {
        if _slowPath(!keyEvents.wanted.isDisjoint(with: kind)) {
            addEvent(event, key, database)
        }
    }

    @inline(__always)
    public mutating func notify(_ kind: KeyEventKinds, _ event: StaticString, _ key: HashedKey) {
        notify(kind, event, key.bytes)
    }

    /// As above, for a key of another database.
    @inline(__always)
    public mutating func notify(
        _ kind: KeyEventKinds, _ event: StaticString, _ key: ByteSlice, in database: Int
    ) {
        if _slowPath(!keyEvents.wanted.isDisjoint(with: kind)) {
            addEvent(event, key, database)
        }
    }

    @inline(never)
    private mutating func addEvent(_ event: StaticString, _ key: ByteSlice, _ database: Int) {
        if isReplaying, !tellsOfReplay { return }
        addNewKeys()
        keyEvents.add(event, key, database)
    }

    /// Turns keys that the keyspace saw come into being into `new` events; they precede what the handler
    /// tells of the same change.
    mutating func addNewKeys() {
        for made in keyspace.newKeys {
            keyEvents.add("new", keyspace.newKeyBytes(made), made.database)
        }
        keyspace.forgetNewKeys()
    }
}
