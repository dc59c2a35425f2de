internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication

/// The server's side of one connection: what it said last, what it is owed, and how it wants to be spoken to.
///
/// An idle session holds no buffer: input that ends with a whole command is executed from the loop's own
/// buffer, and replies leave from there. Only unfinished input and replies that can't leave yet are kept.
final class Session {
    let id: Int64
    let descriptor: Int32
    let address: PeerAddress
    let localAddress: PeerAddress
    let isUnixSocket: Bool
    /// Seconds of the monotonic clock.
    let createdAt: Int64
    var lastActiveAt: Int64

    // MARK: Input

    var decoder = CommandDecoder()
    /// Input that is not executed yet: the beginning of a command, or commands that are held back.
    var input = ByteBuffer()
    /// The command that waits, if one does: what comes behind it stays in `input` meanwhile.
    var parked: ParkedCommand?
    /// What it waits for with WAIT or WAITAOF.
    var awaited: Awaited?
    /// Its next command is a write that waits until the disk has caught up.
    var isHeld = false

    // MARK: Output

    /// Replies that could not leave in the turn they were made.
    var output = ByteBuffer()
    /// The replies of this turn, as a range of the loop's reply buffer.
    var turnRange: Range<Int>?
    /// Bytes of replies made, and bytes sent, since the connection began.
    var producedBytes = 0
    var sentBytes = 0
    var gates = ReplyGates()
    /// Is in the loop's list of sessions whose replies wait.
    var isGated = false
    /// The end of the newest record that it caused.
    var lastWrite = LSN.zero
    /// What the reply of EXEC has to wait for besides its own effects.
    var transactionGate: LSN?
    var wantsWritable = false
    var softLimitSince: Int64 = 0
    var replyMode = ReplyMode.on
    var closesAfterReply = false
    var isClosed = false

    enum ReplyMode { case on, off, skipNext, skipThis }

    // MARK: State

    var database = 0
    var version = 2
    /// Why its commands can't simply run; see `isPlain`.
    private(set) var restrictions: Restrictions = []
    /// Nil only before the session is in the server's table.
    var user: User?
    var name: [UInt8] = []
    var libraryName: [UInt8] = []
    var libraryVersion: [UInt8] = []
    var transaction: Transaction?
    var watcher: WatchTable.Watcher?
    /// Watched keys that will expire: doing so breaks the transaction, deleted by then or not.
    var watchedDeadlines: [WatchedKey] = []

    struct WatchedKey {
        var key: [UInt8]
        var database: Int
    }
    /// Stands for the link to a primary, where commands come from that this server follows.
    var isPrimary = false
    var hasNoEvict = false
    /// Nil unless it listens to a channel or a pattern.
    var subscriptions: Subscriptions?
    /// Nil unless it wants to hear which keys change.
    var tracking: Tracking?
    var isMonitor = false
    /// Nil unless it has said something that only replicas say.
    var replica: ReplicaFeed?
    var lastRow = -1
    var commandCount: UInt64 = 0
    var inputBytesTotal = 0

    init(
        id: Int64, descriptor: Int32, address: PeerAddress, localAddress: PeerAddress,
        isUnixSocket: Bool, now: Int64
    ) {
        self.id = id
        self.descriptor = descriptor
        self.address = address
        self.localAddress = localAddress
        self.isUnixSocket = isUnixSocket
        createdAt = now
        lastActiveAt = now
    }

    /// What makes a look at the session necessary before or after each of its commands.
    struct Restrictions: OptionSet {
        let rawValue: UInt8
        static let unauthenticated = Restrictions(rawValue: 1 << 0)
        /// CLIENT NO-TOUCH
        static let noTouch = Restrictions(rawValue: 1 << 1)
        static let tracking = Restrictions(rawValue: 1 << 2)
        /// It listens and speaks RESP2: only a few commands are allowed.
        static let subscribed = Restrictions(rawValue: 1 << 3)
        static let monitor = Restrictions(rawValue: 1 << 4)
        /// Its user may not do everything.
        static let limited = Restrictions(rawValue: 1 << 5)
        /// It gets the stream: nothing else may stand in between.
        static let replica = Restrictions(rawValue: 1 << 6)
    }

    /// Commands can run without a look at what the session is in the middle of.
    var isPlain: Bool {
        restrictions.isEmpty && transaction == nil && replyMode == .on && !closesAfterReply
    }

    var isAuthenticated: Bool {
        get { !restrictions.contains(.unauthenticated) }
        set { restrict(.unauthenticated, !newValue) }
    }

    var hasNoTouch: Bool {
        get { restrictions.contains(.noTouch) }
        set { restrict(.noTouch, newValue) }
    }

    private func restrict(_ restriction: Restrictions, _ isOn: Bool) {
        if isOn { restrictions.insert(restriction) } else { restrictions.remove(restriction) }
    }

    /// Call after a change of what restrictions follow from.
    func updateRestrictions() {
        restrict(.tracking, tracking != nil)
        restrict(.subscribed, subscriptions != nil && version == 2)
        restrict(.monitor, isMonitor)
        restrict(.replica, isReplica)
        restrict(.limited, user?.isUnlimited == false)
    }

    /// Adds a command to the transaction.
    func queue(_ row: Int, _ arguments: Arguments) {
        var words: [[UInt8]] = []
        words.reserveCapacity(arguments.count)
        for index in 0..<arguments.count { words.append(arguments[index].copyToArray()) }
        transaction?.bytes += words.reduce(0) { $0 + $1.count + 32 }
        transaction?.queued.append(Transaction.Queued(row: row, words: words))
    }

    /// Replies not sent yet, in bytes.
    var pendingBytes: Int { producedBytes - sentBytes }

    /// Identifies the session in the poller, also when its descriptor is used again.
    var token: UInt64 {
        UInt64(UInt32(bitPattern: descriptor)) | UInt64(truncatingIfNeeded: id) << 32
    }
}

/// Where the replies of one session wait for their log position.
///
/// Positions count the bytes of replies since the connection began. A gate at position *p* with LSN *x*: bytes
/// from *p* on may leave once everything before *x* is acknowledged. LSNs rise with positions.
struct ReplyGates {
    private var gates: [(position: Int, lsn: LSN)] = []

    var isEmpty: Bool { gates.isEmpty }

    /// - Parameter batchStart: gates beyond it are released together, so one of them is enough.
    mutating func add(at position: Int, _ lsn: LSN, batchStart: LSN) {
        if let last = gates.last, last.lsn > batchStart || last.lsn >= lsn { return }
        gates.append((position, lsn))
    }

    /// Up to which position bytes may leave, given what is acknowledged; forgets the gates passed.
    mutating func limit(acknowledged: LSN) -> Int {
        var passed = 0
        while passed < gates.count, gates[passed].lsn <= acknowledged { passed += 1 }
        if passed > 0 { gates.removeFirst(passed) }
        return gates.first?.position ?? Int.max
    }
}

/// What MULTI collects.
struct Transaction {
    struct Queued {
        var row: Int
        var words: [[UInt8]]
    }

    var queued: [Queued] = []
    /// A command was refused while queueing: EXEC will refuse all.
    var isBroken = false
    /// Bytes held by the queued words.
    var bytes = 0
}
