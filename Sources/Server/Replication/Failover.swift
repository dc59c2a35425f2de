internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication

/// FAILOVER: this primary changes places with one of its replicas without losing a write.
///
///     writes wait ─► the replica has everything ─► this server follows it, by PSYNC … FAILOVER, which makes it primary
struct Failover {
    enum Stage {
        /// Until a replica has everything.
        case waitingForSync
        /// This server is a replica already, and the other one is asked to take over.
        case inProgress
    }

    var stage = Stage.waitingForSync
    /// The replica that is to take over; nil for the first that has everything.
    var target: PrimaryAddress?
    /// When the time is over, the target takes over with what it has.
    var isForced = false
    /// Nanoseconds of the monotonic clock; nil for never.
    var deadline: UInt64?

    var name: String {
        switch stage {
        case .waitingForSync: "waiting-for-sync"
        case .inProgress: "failover-in-progress"
        }
    }
}

enum FailoverCommand {
    /// `FAILOVER [TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]`. The reply says that it has begun; INFO's
    /// `master_failover_state` tells how it goes.
    @Sendable
    static func failover(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if arguments.count == 2, arguments[1].equalsIgnoringCase("abort") {
            guard state.failover != nil else { throw .text("ERR No failover in progress.") }
            state.abortFailover("Failover manually aborted")
            return state.reply.ok()
        }
        var failover = Failover()
        var index = 1
        while index < arguments.count {
            let word = arguments[index]
            if word.equalsIgnoringCase("timeout"), index + 1 < arguments.count,
                failover.deadline == nil
            {
                guard let time = DecimalText.parse(arguments[index + 1]) else {
                    throw .notAnInteger
                }
                if time <= 0 { throw .text("ERR FAILOVER timeout must be greater than 0") }
                let (wait, isTooLong) = UInt64(time).multipliedReportingOverflow(by: 1_000_000)
                let now = state.clock.monotonicNanoseconds
                failover.deadline =
                    isTooLong ? .max : now.addingReportingOverflow(wait).partialValue
                index += 2
            } else if word.equalsIgnoringCase("to"), index + 2 < arguments.count,
                failover.target == nil
            {
                guard let port = DecimalText.parse(arguments[index + 2]) else {
                    throw .notAnInteger
                }
                failover.target = PrimaryAddress(
                    host: arguments[index + 1].text, port: Int(clamping: port))
                index += 3
            } else if word.equalsIgnoringCase("force"), failover.target != nil {
                failover.isForced = true
                index += 1
            } else {
                throw .syntax
            }
        }
        try state.beginFailover(failover)
        state.reply.ok()
    }
}

extension ServerState {
    fileprivate mutating func beginFailover(_ failover: Failover) throws(CommandError) {
        if self.failover != nil { throw .text("ERR FAILOVER already in progress.") }
        guard replication.isPrimary else {
            throw .text("ERR FAILOVER is not valid when server is a replica.")
        }
        if replicas.isEmpty { throw .text("ERR FAILOVER requires connected replicas.") }
        if failover.isForced, failover.deadline == nil {
            throw .text(
                "ERR FAILOVER with force option requires both a timeout and target HOST and IP.")
        }
        if let target = failover.target {
            guard let session = replicas.sessions.first(where: { address(of: $0) == target }) else {
                throw .text("ERR FAILOVER target HOST and PORT is not a replica.")
            }
            guard session.replica?.isOnline == true else {
                throw .text("ERR FAILOVER target replica is not online.")
            }
        }
        let name = failover.target.map { "\($0.host):\($0.port)" } ?? "any replica"
        diagnostics.notice("FAILOVER requested to \(name).")
        self.failover = failover
        condition.pausedUntil = .max
        condition.pausesWritesOnly = true
        dispatcher.context.holdsExpiry = true
        replicas.wantsAcks = true
    }

    /// The address under which a replica can be reached.
    private func address(of session: Session) -> PrimaryAddress {
        let host = session.replica?.announcedAddress ?? ""
        return PrimaryAddress(
            host: host.isEmpty ? session.address.host : host,
            port: session.replica?.listeningPort ?? 0)
    }

    /// Looks how far it is; each turn while there is one.
    mutating func tendFailover() {
        guard let failover else { return }
        let isOverdue = failover.deadline.map { clock.monotonicNanoseconds >= $0 } ?? false
        switch failover.stage {
        case .waitingForSync:
            let end = dispatcher.context.log.appended
            let ready = replicas.sessions.first { session in
                guard let replica = session.replica, replica.isOnline,
                    replica.acknowledged == end
                else { return false }
                return failover.target.map { address(of: session) == $0 } ?? true
            }
            if let ready {
                handOver(to: address(of: ready))
            } else if isOverdue, failover.isForced, let target = failover.target {
                diagnostics.notice(
                    "Failover to \(target.host):\(target.port) time out exceeded, failing over.")
                handOver(to: target)
            } else if isOverdue {
                abortFailover("Replica never caught up before timeout")
            }
        case .inProgress:
            if !following.isHandingOver {
                diagnostics.notice("Failover finished: this server is a replica now.")
                endFailover()
            } else if isOverdue {
                abortFailover("Failover target did not take over before timeout")
            }
        }
    }

    private mutating func handOver(to address: PrimaryAddress) {
        diagnostics.notice(
            "Failover target is \(address.host):\(address.port); failing over.")
        failover?.stage = .inProgress
        // All that was logged is with the log before the role changes.
        submitLog(inlineAllowed: false)
        follow(address, isHandingOver: true)
        dispatcher.context.holdsExpiry = true
    }

    /// Gives it up; this server is primary as before.
    mutating func abortFailover(_ reason: String) {
        guard let failover else { return }
        diagnostics.notice("\(reason). Aborting failover.")
        endFailover()
        if failover.stage == .inProgress { promote() }
    }

    private mutating func endFailover() {
        failover = nil
        endPause()
        updateRoleConditions()
    }
}
