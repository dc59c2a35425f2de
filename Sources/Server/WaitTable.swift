internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log

/// A command that waits: parked with its session, to be run again or to be answered when its time runs out.
struct ParkedCommand {
    let row: Int
    /// The words to run it with.
    let words: [[UInt8]]
    /// Its place among those who wait for keys; nil if it waits for something else.
    let waiter: BlockedKeys.Waiter?
    /// When its time runs out, in nanoseconds of the monotonic clock; nil for never.
    let deadline: UInt64?
    /// Tells it from other waits of the same session.
    let number: UInt64
    /// Writes the reply when the time has run out.
    let timeoutReply: TimeoutReply
    /// CLIENT UNBLOCK has spoken; the loop is about to end the wait.
    var isReleased = false

    typealias TimeoutReply = @Sendable (inout ServerState, Session) -> Void
}

/// How a wait ends other than by success.
enum WaitEnd {
    case timeout
    case error(CommandError)
}

/// What the loop has to know about all parked commands.
struct WaitTable {
    var deadlines = WaitDeadlines()
    private var lastNumber: UInt64 = 0
    /// The last command to run has been parked, or stays so.
    var didPark = false
    /// Waits that CLIENT UNBLOCK ends when the command is done.
    var released: [(Session, WaitEnd)] = []
    /// Sessions whose wait is over, with input behind it.
    var resumed: [Session] = []
    /// Keys whose waiters must try again when writers may go on.
    var postponed: [UInt64] = []

    /// Sessions that wait until disks, here or at replicas, have what they wrote.
    var forSafety: [Session] = []
    /// A replica has said how far it is.
    var replicasHaveMoved = false
    /// One of them has just begun to wait: the log is to be synced when this turn's records are with it.
    var wantsSync = false

    /// Whether there is anything to look after in a turn.
    var hasWork: Bool {
        !deadlines.isEmpty || !resumed.isEmpty || !postponed.isEmpty || !forSafety.isEmpty
    }

    mutating func makeNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }
}

/// When waits time out: a binary heap with the earliest on top.
///
/// What ends sooner stays in the heap until it comes up, or until such entries have become the majority.
struct WaitDeadlines {
    private struct Entry {
        var deadline: UInt64
        var token: UInt64
        var number: UInt64
    }

    private var heap: [Entry] = []
    /// The waits that are still on.
    private var live: Set<UInt64> = []

    var isEmpty: Bool { live.isEmpty }

    mutating func add(_ number: UInt64, of token: UInt64, at deadline: UInt64) {
        if heap.count > 2 * live.count + 64 {
            heap = heap.filter { live.contains($0.number) }.sorted { $0.deadline < $1.deadline }
        }
        live.insert(number)
        heap.append(Entry(deadline: deadline, token: token, number: number))
        var index = heap.count - 1
        while index > 0, heap[(index - 1) / 2].deadline > heap[index].deadline {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    mutating func remove(_ number: UInt64) {
        live.remove(number)
        if live.isEmpty { heap.removeAll(keepingCapacity: true) }
    }

    /// The session of a wait that should be over by now, and forgets that wait.
    mutating func nextOverdue(at now: UInt64) -> (token: UInt64, number: UInt64)? {
        while let first = heap.first, first.deadline <= now || !live.contains(first.number) {
            removeFirst()
            if live.remove(first.number) != nil { return (first.token, first.number) }
        }
        return nil
    }

    private mutating func removeFirst() {
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
        var index = 0
        while true {
            var child = 2 * index + 1
            if child >= heap.count { return }
            if child + 1 < heap.count, heap[child + 1].deadline < heap[child].deadline {
                child += 1
            }
            if heap[index].deadline <= heap[child].deadline { return }
            heap.swapAt(index, child)
            index = child
        }
    }

    /// Until the first of them, rounded up; nil if there is none.
    func millisecondsLeft(at now: UInt64) -> Int64? {
        guard !live.isEmpty, let first = heap.first else { return nil }
        return first.deadline <= now ? 0 : Int64((first.deadline - now) / 1_000_000) + 1
    }
}

extension ServerState {
    /// Parks the data command that has just asked to wait; if it was parked already and tried in vain, it stays as
    /// it is.
    mutating func parkForKeys(_ row: Int, _ arguments: Arguments, _ session: Session) {
        guard let request = dispatcher.context.blockRequest else { return }
        dispatcher.context.blockRequest = nil
        waits.didPark = true
        session.lastRow = row
        if session.parked != nil { return }
        let words = request.replacement ?? arguments.copied
        let waiter = dispatcher.beginWait(
            request, words: words, database: session.database, owner: session.token)
        park(session, row, words, waiter: waiter, milliseconds: request.milliseconds) {
            (state, _) in state.reply.nullArray()
        }
    }

    /// Parks a command: nothing else of the session runs until the loop has run it again with a reply, or has
    /// ended the wait. A command that is being run again stays parked as it was.
    ///
    /// - Parameters:
    ///   - words: to run the command with again.
    ///   - milliseconds: when `timeoutReply` is sent instead; 0 for never.
    mutating func park(
        _ session: Session, _ row: Int, _ words: [[UInt8]], waiter: BlockedKeys.Waiter? = nil,
        milliseconds: Int64, timeoutReply: @escaping ParkedCommand.TimeoutReply
    ) {
        waits.didPark = true
        if session.parked != nil { return }
        let number = waits.makeNumber()
        var deadline: UInt64?
        if milliseconds > 0 {
            let (wait, isTooLong) = UInt64(milliseconds).multipliedReportingOverflow(by: 1_000_000)
            let (end, overflows) = clock.monotonicNanoseconds.addingReportingOverflow(wait)
            // Three hundred years or more are for ever.
            if !isTooLong && !overflows && end < UInt64.max / 2 { deadline = end }
        }
        if let deadline { waits.deadlines.add(number, of: session.token, at: deadline) }
        session.parked = ParkedCommand(
            row: row, words: words, waiter: waiter, deadline: deadline, number: number,
            timeoutReply: timeoutReply)
    }

    /// Forgets what the session waits for; nothing is replied.
    mutating func endWait(_ session: Session) {
        guard let parked = session.parked else { return }
        session.parked = nil
        session.awaited = nil
        if let waiter = parked.waiter { dispatcher.endWait(waiter) }
        waits.deadlines.remove(parked.number)
    }
}

extension Arguments {
    /// The words as copies that outlive the input they stand in.
    var copied: [[UInt8]] { (0..<count).map { self[$0].copyToArray() } }
}
