internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP
internal import Log

/// Messages that a command has for sessions: published ones, invalidations, lines for MONITOR.
///
/// A message is written here once for each protocol version, whoever gets it, and leaves this place when the
/// command's own reply is complete (`CommandLoop.tellOthers`), so that no message ever stands inside a reply.
struct Outbox: ~Copyable {
    struct Item {
        let session: Session
        let range: Range<Int>
    }

    private(set) var items: [Item] = []
    /// The messages tell of changes, so they leave when these are as safe as a reply would need.
    var tellsOfChanges = false
    private var writer = ReplyWriter()

    var isEmpty: Bool { items.isEmpty }

    /// The bytes of a message; valid until the next one is written.
    func bytes(_ range: Range<Int>) -> ByteSlice { writer.buffer.slice.slice(range) }

    /// Writes a message and says where it is.
    mutating func write(version: Int, _ body: (inout ReplyWriter) -> Void) -> Range<Int> {
        let start = writer.buffer.count
        writer.version = version
        body(&writer)
        return start..<writer.buffer.count
    }

    mutating func add(_ range: Range<Int>, to session: Session) {
        if !session.isClosed { items.append(Item(session: session, range: range)) }
    }

    mutating func removeAll() {
        items.removeAll(keepingCapacity: true)
        tellsOfChanges = false
        if writer.buffer.capacity > 1 << 20 {
            writer.buffer.reset()
        } else {
            writer.buffer.removeAll()
        }
    }
}

/// A message in both protocols, written when it is first asked for.
struct TwoFormMessage {
    private var second: Range<Int>?
    private var third: Range<Int>?

    mutating func range(
        for session: Session, in outbox: inout Outbox, _ body: (inout ReplyWriter) -> Void
    ) -> Range<Int> {
        if session.version == 3 {
            if let third { return third }
            let range = outbox.write(version: 3, body)
            third = range
            return range
        }
        if let second { return second }
        let range = outbox.write(version: 2, body)
        second = range
        return range
    }
}

extension ServerState {
    /// Puts what a command has told of and changed into the outbox.
    mutating func collectMessages(_ author: Session?) {
        if !dispatcher.context.keyEvents.isEmpty {
            publishEvents()
            outbox.tellsOfChanges = true
        }
        if !dispatcher.context.changedKeys.isEmpty {
            tellChanges(author)
            outbox.tellsOfChanges = true
        }
    }
}

extension CommandLoop {
    /// Sends on what the command that just ended has for others, and for its own session after its reply.
    ///
    /// - Parameters:
    ///   - author: the session whose command it was; nil if it was the server's own doing.
    ///   - isGated: the command has changed something.
    @inline(never)
    mutating func tellOthers(_ author: Session?, replyStart: Int, isGated: Bool) {
        state.collectMessages(author)
        guard !state.outbox.isEmpty else { return }
        let lsn = state.dispatcher.context.log.appended
        let batchStart = state.dispatcher.context.log.first
        let waits = isGated || state.outbox.tellsOfChanges
        for item in state.outbox.items where !item.session.isClosed {
            let session = item.session
            let bytes = state.outbox.bytes(item.range)
            if session === author {
                if waits {
                    session.gates.add(
                        at: session.producedBytes + state.reply.buffer.count - replyStart, lsn,
                        batchStart: batchStart)
                }
                state.dispatcher.context.reply.buffer.append(bytes)
                continue
            }
            if waits { session.gates.add(at: session.producedBytes, lsn, batchStart: batchStart) }
            session.producedBytes += bytes.count
            if let range = session.turnRange {
                session.output.append(state.reply.buffer.slice.slice(range))
            } else {
                replied.append(session)
            }
            session.turnRange = 0..<0
            session.output.append(bytes)
        }
        state.outbox.removeAll()
    }

    /// As `tellOthers`, for what happened between commands.
    mutating func tellOthersOfOwn() {
        guard state.dispatcher.context.isListenedTo || !state.outbox.isEmpty else { return }
        tellOthers(nil, replyStart: 0, isGated: true)
    }
}
