internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// From replies that were made to bytes that have left: step 4 of a turn, and the reply gate.
///
/// Replies of a turn stand in one buffer, a range of it for each session, and mostly leave straight from
/// there. What can't leave yet, because the log has not got far enough or the peer does not read, is copied
/// to the session.
extension CommandLoop {
    /// Notes that the reply buffer from `start` on belongs to `session`.
    mutating func noteReplies(_ session: Session, from start: Int) {
        let end = state.reply.buffer.count
        guard end > start || session.closesAfterReply, !session.isClosed else { return }
        session.producedBytes += end - start
        if let range = session.turnRange {
            if range.upperBound == start {
                session.turnRange = range.lowerBound..<end
            } else {
                session.output.append(state.reply.buffer.slice.slice(range))
                session.output.append(state.reply.buffer.slice.slice(start..<end))
                session.turnRange = start..<start
            }
        } else if session.output.isEmpty {
            session.turnRange = start..<end
            replied.append(session)
        } else {
            session.output.append(state.reply.buffer.slice.slice(start..<end))
            session.turnRange = start..<start
            replied.append(session)
        }
    }

    /// As `noteReplies`, in the middle of another session's replies: what is there from `start` on is moved out of
    /// their way.
    mutating func noteReplyApart(_ session: Session, from start: Int) {
        let end = state.reply.buffer.count
        guard end > start, !session.isClosed else { return }
        session.producedBytes += end - start
        if let range = session.turnRange {
            session.output.append(state.reply.buffer.slice.slice(range))
        } else {
            replied.append(session)
        }
        session.output.append(state.reply.buffer.slice.slice(start..<end))
        session.turnRange = start..<start
        state.reply.buffer.truncate(to: start)
    }

    mutating func sendReplies() {
        let acknowledged = state.durability.acknowledged
        state.dispatcher.undurable.acknowledged(upTo: acknowledged)
        if !gated.isEmpty {
            let waiting = gated
            gated = []
            for session in waiting {
                session.isGated = false
                if !session.isClosed { flush(session) }
            }
        }
        for session in replied {
            let range = session.turnRange ?? 0..<0
            session.turnRange = nil
            if session.isClosed { continue }
            let bytes = state.reply.buffer.slice.slice(range)
            if bytes.isEmpty, session.output.isEmpty, !session.closesAfterReply { continue }
            if session.output.isEmpty,
                session.gates.isEmpty
                    || session.gates.limit(acknowledged: acknowledged) >= session.producedBytes
            {
                sendDirectly(session, bytes)
            } else {
                session.output.append(bytes)
                flush(session)
            }
        }
        replied.removeAll(keepingCapacity: true)
        if state.reply.buffer.capacity > 8 << 20 {
            state.reply.buffer.reset()
        } else {
            state.reply.buffer.removeAll()
        }
    }

    /// Sends replies straight from the loop's buffer; what the socket doesn't take is kept.
    @inline(__always)
    mutating func sendDirectly(_ session: Session, _ bytes: ByteSlice) {
        switch Socket.write(session.descriptor, bytes) {
        case .moved(let count):
            session.sentBytes += count
            state.statistics.outputBytes &+= UInt64(count)
            state.statistics.writesProcessed &+= 1
            if count < bytes.count {
                session.output.append(bytes.dropFirst(count))
                waitWritable(session)
            } else if session.closesAfterReply {
                close(session)
            }
        case .wouldBlock:
            session.output.append(bytes)
            waitWritable(session)
        case .closed:
            close(session)
        }
    }

    /// Sends what is kept of a session's replies, as far as its gates and its socket allow.
    mutating func flush(_ session: Session) {
        let limit = session.gates.limit(acknowledged: state.durability.acknowledged)
        let allowed = min(session.output.count, max(limit &- session.sentBytes, 0))
        if allowed < session.output.count, !session.isGated {
            session.isGated = true
            gated.append(session)
            if closeIfOverOutputLimit(session) { return }
        }
        if allowed > 0 {
            switch Socket.write(session.descriptor, session.output.slice.prefix(allowed)) {
            case .moved(let count):
                session.sentBytes += count
                state.statistics.outputBytes &+= UInt64(count)
                state.statistics.writesProcessed &+= 1
                session.output.consume(count)
                if count < allowed { return waitWritable(session) }
            case .wouldBlock:
                return waitWritable(session)
            case .closed:
                return close(session)
            }
        }
        if session.wantsWritable {
            session.wantsWritable = false
            session.softLimitSince = 0
            updateInterest(session)
        }
        if session.output.isEmpty {
            session.output.reset()
            if session.closesAfterReply { close(session) }
        }
    }

    mutating func waitWritable(_ session: Session) {
        if closeIfOverOutputLimit(session) { return }
        if !session.wantsWritable {
            session.wantsWritable = true
            updateInterest(session)
        }
    }

    mutating func closeIfOverOutputLimit(_ session: Session) -> Bool {
        guard isOverOutputLimit(session) else { return false }
        closeForOutput(session)
        return true
    }

    mutating func closeForOutput(_ session: Session) {
        state.statistics.outputBufferDisconnections += 1
        state.diagnostics.warning(
            "Client \(state.describe(session)) scheduled to be closed ASAP for overcoming of "
                + "output buffer limits.")
        close(session)
    }

    func outputLimits(of session: Session) -> ServerSettings.OutputLimits {
        session.subscriptions == nil
            ? state.settings.outputLimits : state.settings.pubSubOutputLimits
    }

    func isOverOutputLimit(_ session: Session) -> Bool {
        if session.isReplica { return false }
        let limits = outputLimits(of: session)
        let size = session.output.count
        if limits.hard > 0 && size >= limits.hard { return true }
        guard limits.soft > 0, size >= limits.soft else {
            session.softLimitSince = 0
            return false
        }
        if session.softLimitSince == 0 { session.softLimitSince = cron.second }
        return cron.second - session.softLimitSince > Int64(limits.softSeconds)
    }
}
