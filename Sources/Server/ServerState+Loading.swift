internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Store

/// A start's way from files to data, as the operator sees it.
extension ServerState {
    mutating func beginLoading() {
        condition.isLoading = true
        dispatcher.isLoading = true
        updateWantedEvents()
        loading.begin(
            unixSeconds: clock.wallMilliseconds / 1000, nanoseconds: clock.monotonicNanoseconds)
    }

    mutating func advanceLoading(loaded: Int64, total: Int64) {
        let nanoseconds = clock.monotonicNanoseconds
        let isLineDue = loading.advance(loaded: loaded, total: total, nanoseconds: nanoseconds)
        if isLineDue, loaded < total {
            diagnostics.notice(
                "Loading: \(loading.percent) % of \(total) bytes, "
                    + "\(loading.secondsLeft(nanoseconds: nanoseconds)) s left")
        }
        ProgressBar.show(loaded: loaded, total: total)
    }

    mutating func endLoading(_ log: RecoveredLog, _ replayer: borrowing RecordReplayer) {
        condition.isLoading = false
        dispatcher.isLoading = false
        updateWantedEvents()
        ProgressBar.clear()
        for notice in log.notices { diagnostics.notice(notice) }
        if let cut = log.cut {
            let kept = cut.sideFile.map { "; they are kept in \($0)" } ?? ""
            diagnostics.warning(
                "The log ended in a torn tail (\(cut.reason)): cut \(cut.bytes) bytes after LSN \(cut.lsn) "
                    + "at offset \(cut.offset) of \(cut.file)\(kept). No record that was known to be durable is lost."
            )
        }
        if replayer.failedCount > 0 {
            diagnostics.warning(
                "== CRITICAL == \(replayer.failedCount) records of the log failed as commands and changed "
                    + "nothing; the first was: \(replayer.firstFailure ?? "")")
        }
        guard !log.isFresh else { return }
        let seconds = loading.secondsPassed(nanoseconds: clock.monotonicNanoseconds)
        let keys = (0..<dispatcher.context.keyspace.databaseCount)
            .reduce(0) { $0 + dispatcher.context.keyspace.count($1) }
        var text = ByteBuffer()
        text.append(decimal: Int64(seconds * 1000))
        diagnostics.notice(
            "DB loaded from append only file: \(text.slice.text) ms, \(replayer.count) records, \(keys) keys, "
                + "LSN \(log.end)")
    }

    /// From here on effects go to `writer`.
    mutating func attach(_ writer: LogWriter, _ log: RecoveredLog) {
        durability = Durability(writer: writer, policy: writer.settings.policy)
        durability.lock = log.lock
        replication.histories = log.histories
        following.claim.knowsHistory = !log.isFresh
        dispatcher.context.log = LogBuffer(start: log.end, database: log.database)
        dispatcher.context.logsEffects = replication.isPrimary
        guardedClock = GuardedClock(
            clock, jumpLimit: guardedClock.jumpLimit, notBefore: log.lastMilliseconds)
        dispatcher.undurable.isOn = durability.policy == .always && settings.readsAreGated
        dispatcher.updateRecording()
    }
}
