internal import Engine
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot

/// A shutdown that waits.
struct DelayedShutdown {
    var request: ShutdownRequest
    /// Nanoseconds of the monotonic clock.
    var deadline: UInt64
}

/// How a wish to stop becomes the end: replicas first get what they lack, then a snapshot is made if one is wanted.
extension ServerState {
    /// Stops the server after this turn; or, if replicas lag, as soon as they have got everything, at the latest
    /// after `shutdown-timeout`. Until then writes wait.
    ///
    /// - Returns: false if the snapshot failed, and the server goes on.
    mutating func requestShutdown(_ request: ShutdownRequest) -> Bool {
        let seconds = configuration.number(.shutdownTimeout)
        guard !request.isNow, seconds > 0, delayedShutdown == nil, !laggingReplicas.isEmpty
        else { return stop(request) }
        diagnostics.notice("Waiting for replicas before shutting down.")
        delayedShutdown = DelayedShutdown(
            request: request,
            deadline: clock.monotonicNanoseconds + UInt64(seconds) * 1_000_000_000)
        condition.pausedUntil = .max
        condition.pausesWritesOnly = true
        dispatcher.context.holdsExpiry = true
        replicas.wantsAcks = true
        return true
    }

    /// Ends a shutdown that waits.
    mutating func abortShutdown() -> Bool {
        guard delayedShutdown != nil else { return false }
        delayedShutdown = nil
        endPause()
        diagnostics.notice("Shutdown manually aborted.")
        return true
    }

    /// Looks whether a shutdown needn't wait any longer.
    mutating func tendShutdown() {
        guard let delayed = delayedShutdown else { return }
        let lagging = laggingReplicas
        guard lagging.isEmpty || clock.monotonicNanoseconds >= delayed.deadline else { return }
        for session in lagging {
            let offset = session.replica?.acknowledged ?? .zero
            diagnostics.warning(
                "Lagging replica \(replicaName(session)) reported offset "
                    + "\(dispatcher.context.log.appended.value - offset.value) behind master.")
        }
        let count = replicas.sessions.count
        diagnostics.notice(
            "\(count - lagging.count) of \(count) replicas are in sync when shutting down.")
        delayedShutdown = nil
        endPause()
        _ = stop(delayed.request)
    }

    private var laggingReplicas: [Session] {
        let end = dispatcher.context.log.appended
        return replicas.sessions.filter { session in
            guard let replica = session.replica else { return false }
            return replica.isOnline && !replica.isSilent && replica.acknowledged < end
        }
    }

    private mutating func stop(_ request: ShutdownRequest) -> Bool {
        cancelSnapshots()
        if request.saves ?? !saving.points.points.isEmpty, !condition.isLoading {
            diagnostics.notice("Saving the final RDB snapshot before exiting.")
            do throws(SnapshotWriteError) {
                try saveNow()
            } catch {
                guard request.isForced else {
                    diagnostics.warning("Error trying to save the DB, can't exit.")
                    return false
                }
            }
        }
        shutdown = request
        return true
    }
}
