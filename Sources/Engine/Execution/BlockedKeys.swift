internal import HoldfastBytes
internal import HoldfastRESP
public import Store

/// What a command asks for that can't be served now: to be run again when one of its keys has changed.
///
/// A handler makes one with `CommandContext.block` and returns without a reply.
public struct BlockRequest {
    /// The keys, as positions among the command's words.
    public var keys: [Int]
    /// What a key must hold to be worth another try.
    public var type: ValueType
    /// How long to wait, in milliseconds; 0 means for ever. What counts is the first request of a command: being
    /// run again doesn't prolong the wait.
    public var milliseconds: Int64
    /// Any change of a key is worth another try, also that it is deleted or holds another type now.
    public var wakesOnAnyChange = false
    /// The words to run the command with from now on, if they differ: what depended on the time of the first try
    /// has been settled. `keys` are positions among them too.
    public var replacement: [[UInt8]]?

    public init(
        keys: [Int], type: ValueType, milliseconds: Int64, wakesOnAnyChange: Bool = false,
        replacement: [[UInt8]]? = nil
    ) {
        self.keys = keys
        self.type = type
        self.milliseconds = milliseconds
        self.wakesOnAnyChange = wakesOnAnyChange
        self.replacement = replacement
    }
}

/// Who waits for which keys, in the order in which they began to wait, and which of those keys have changed.
///
/// Keys are known by their touch mark (a 64-bit hash of database and key), so whatever changes a key wakes those
/// who wait for it: pushes, RENAME, SWAPDB, a transaction. A waiter that is tried in vain keeps its place.
public struct BlockedKeys: ~Copyable {
    /// One waiting command. Its owner holds it.
    public final class Waiter {
        /// Whose command it is; means something to the owner only.
        public let owner: UInt64
        let type: ValueType
        let wakesOnAnyChange: Bool
        let database: Int
        let keys: [[UInt8]]
        public let marks: [UInt64]
        /// Its place: lower numbers began to wait earlier.
        fileprivate(set) var place: UInt64 = 0
        public fileprivate(set) var isWaiting = false

        init(
            owner: UInt64, type: ValueType, wakesOnAnyChange: Bool, database: Int,
            keys: [[UInt8]], marks: [UInt64]
        ) {
            self.owner = owner
            self.type = type
            self.wakesOnAnyChange = wakesOnAnyChange
            self.database = database
            self.keys = keys
            self.marks = marks
        }
    }

    /// Those who wait for each key, ascending by place.
    private var queues: [UInt64: [Waiter]] = [:]
    private var nextPlace: UInt64 = 0
    /// Changed keys that somebody waits for, in the order of their changes, each once.
    private var ready: [UInt64] = []
    private var readyTaken = 0
    private var isReady: Set<UInt64> = []
    /// Whether any are left.
    public private(set) var hasReady = false

    public init() {}

    public var isEmpty: Bool { queues.isEmpty }
    /// The number of keys that somebody waits for.
    public var count: Int { queues.count }
    /// The number of those where somebody wants to know of a deletion.
    public var countWakingOnAnyChange: Int {
        queues.values.count { $0.contains { $0.wakesOnAnyChange } }
    }
    /// The marks of all keys that somebody waits for.
    var marks: [UInt64] { Array(queues.keys) }

    // MARK: Waiting

    /// Puts `waiter` behind all who wait already.
    mutating func add(_ waiter: Waiter) {
        precondition(!waiter.isWaiting, "waits already")
        waiter.isWaiting = true
        waiter.place = nextPlace
        nextPlace += 1
        for mark in waiter.marks { queues[mark, default: []].append(waiter) }
    }

    public mutating func remove(_ waiter: Waiter) {
        guard waiter.isWaiting else { return }
        waiter.isWaiting = false
        for mark in waiter.marks {
            guard let index = queues[mark].map({ Self.index($0, from: waiter.place) }) else {
                continue
            }
            queues[mark]?.remove(at: index)
            if queues[mark]?.isEmpty == true { queues[mark] = nil }
        }
    }

    /// Where in a queue the first waiter stands whose place is at least `place`.
    private static func index(_ queue: [Waiter], from place: UInt64) -> Int {
        var low = 0
        var high = queue.count
        while low < high {
            let middle = (low + high) / 2
            if queue[middle].place < place { low = middle + 1 } else { high = middle }
        }
        return low
    }

    // MARK: Changes

    /// A key was changed: those who wait for it may try again.
    mutating func touch(_ mark: UInt64) {
        guard !queues.isEmpty, queues[mark] != nil else { return }
        signal(mark)
    }

    /// Lets those who wait for a key try again although it hasn't changed.
    public mutating func signal(_ mark: UInt64) {
        guard isReady.insert(mark).inserted else { return }
        ready.append(mark)
        hasReady = true
    }

    /// A round of trying: all who wait for one changed key at its beginning.
    public struct Round {
        public let mark: UInt64
        fileprivate var place: UInt64
        fileprivate let end: UInt64
    }

    /// Begins a round with the key that changed first; nil if there is none.
    public mutating func nextRound() -> Round? {
        guard hasReady else { return nil }
        let mark = ready[readyTaken]
        readyTaken += 1
        isReady.remove(mark)
        if readyTaken == ready.count {
            ready.removeAll(keepingCapacity: true)
            readyTaken = 0
            hasReady = false
        }
        return Round(mark: mark, place: 0, end: nextPlace)
    }

    /// The next one to try in a round.
    public func next(_ round: inout Round) -> Waiter? {
        guard let queue = queues[round.mark] else { return nil }
        let index = Self.index(queue, from: round.place)
        guard index < queue.count, queue[index].place < round.end else { return nil }
        round.place = queue[index].place + 1
        return queue[index]
    }
}

extension CommandContext {
    /// Asks for the command to be run again when one of its keys has changed. The handler returns without a reply,
    /// and with nothing changed.
    ///
    /// - Returns: false where nobody may wait (in a transaction, in a script, at replay): the handler then replies
    ///   as if the time had run out.
    public mutating func block(_ request: @autoclosure () -> BlockRequest) -> Bool {
        guard allowsBlocking, !isReplaying else { return false }
        blockRequest = request()
        return true
    }

    /// Argument `index` as how long to wait, in milliseconds, as Redis reads it: seconds with a fraction, 0 for
    /// ever.
    public func timeoutSeconds(at index: Int) throws(CommandError) -> Int64 {
        let milliseconds: Int64
        do throws(DoubleText.MillisecondsError) {
            milliseconds = try DoubleText.milliseconds(ofSeconds: arguments[index])
        } catch {
            switch error {
            case .invalid: throw .text("ERR timeout is not a float or out of range")
            case .negative: throw Self.negativeTimeout
            case .tooLarge: throw Self.timeoutOutOfRange
            }
        }
        return try checkedTimeout(milliseconds)
    }

    /// Argument `index` as how long to wait, in whole milliseconds, 0 for ever.
    public func timeoutMilliseconds(at index: Int) throws(CommandError) -> Int64 {
        guard let value = DecimalText.parse(arguments[index]) else {
            throw .text("ERR timeout is not an integer or out of range")
        }
        if value < 0 { throw Self.negativeTimeout }
        return try checkedTimeout(value)
    }

    private func checkedTimeout(_ milliseconds: Int64) throws(CommandError) -> Int64 {
        if milliseconds > Int64.max - max(now, 0) { throw Self.timeoutOutOfRange }
        return milliseconds
    }

    private static var negativeTimeout: CommandError { .text("ERR timeout is negative") }
    private static var timeoutOutOfRange: CommandError { .text("ERR timeout is out of range") }
}

extension Dispatcher {
    /// Takes over the request that the last command left, in the name of `owner`.
    ///
    /// - Parameter words: the command's, after any replacement.
    public mutating func beginWait(
        _ request: BlockRequest, words: [[UInt8]], database: Int, owner: UInt64
    ) -> BlockedKeys.Waiter {
        var keys: [[UInt8]] = []
        var marks: [UInt64] = []
        for index in request.keys {
            let mark = Keyspace.touchMark(
                words[index].withSlice { context.keyspace.hash($0) }, database: database)
            if marks.contains(mark) { continue }
            marks.append(mark)
            keys.append(words[index])
        }
        let waiter = BlockedKeys.Waiter(
            owner: owner, type: request.type, wakesOnAnyChange: request.wakesOnAnyChange,
            database: database, keys: keys, marks: marks)
        blocked.add(waiter)
        updateRecording()
        return waiter
    }

    /// Ends a wait.
    public mutating func endWait(_ waiter: BlockedKeys.Waiter) {
        blocked.remove(waiter)
        updateRecording()
    }

    /// Whether what stands at a key now makes it worth to run the waiter's command again.
    public func isWorthTrying(_ waiter: BlockedKeys.Waiter, _ mark: UInt64, at now: Int64) -> Bool {
        if waiter.wakesOnAnyChange { return true }
        guard let index = waiter.marks.firstIndex(of: mark) else { return false }
        return waiter.keys[index].withSlice { bytes in
            let key = context.keyspace.hashed(bytes)
            guard let entry = context.keyspace.find(key, waiter.database) else { return false }
            return entry.type == waiter.type && !entry.isExpired(at: now)
        }
    }
}
