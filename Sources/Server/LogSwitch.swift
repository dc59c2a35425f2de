internal import Engine
internal import HoldfastPlatform
internal import Log
internal import Replication

/// `CONFIG SET appendonly` while the server runs.
extension ServerState {
    /// Begins a log with all data as its base. Everybody waits while the base is written; on success all that is
    /// in memory is durable.
    ///
    /// - Returns: why it can't be.
    mutating func turnLogOn(_ configuration: Configuration) -> String? {
        guard durability.writer == nil else { return nil }
        if dispatcher.context.log.isUnitOpen { return "not inside a transaction" }
        var settings = RecoverySettings(
            folder: logFolder, freshHistory: replication.histories.current)
        settings.dumpName = configuration.text(.dbfilename)
        let fileSystem = LinuxFileSystem()
        let wasLost = durability.isLost
        do {
            var log = try LogReader.beginAnew(
                settings, at: dispatcher.context.log.appended, on: fileSystem)
            do {
                // The stream goes on in memory for replicas that are attached.
                log.database = dispatcher.context.log.database
                try writeFirstBase(of: &log)
                let writer = try LogWriter.open(
                    log, in: settings.folder, settings: LogWriterSettings(configuration),
                    fileSystem: fileSystem, clock: SystemClock(), wake: wake)
                attach(writer, log)
            } catch {
                log.lock?.close()
                throw error
            }
        } catch {
            diagnostics.warning("Can't begin the log: \(error)")
            return "the log can't be begun: \(error)"
        }
        durability.recovery = settings
        if wasLost {
            // The log holds what is in memory again, so a primary's stream may go on from there.
            following.claim.needsFullResync = false
            updateCondition()
        }
        saving.rule.succeeded(bytes: durability.writer?.report().currentBytes ?? 0)
        diagnostics.notice(
            "AOF turned on: the log begins at LSN \(dispatcher.context.log.appended) with a base of all data"
        )
        return nil
    }

    /// Makes durable what was logged and goes on without a log. Its files stay.
    ///
    /// - Returns: why it can't be.
    mutating func turnLogOff() -> String? {
        guard let writer = durability.writer else {
            durability.isLost = false
            updateCondition()
            return nil
        }
        if dispatcher.context.log.isUnitOpen { return "not inside a transaction" }
        if saving.isRewriting { cancelSnapshots() }
        // Who is served from the files can't be any more.
        doomed += replicas.sessions.filter { $0.replica?.phase == .catchingUp }
        submitLog(inlineAllowed: false)
        do throws(SystemError) {
            try writer.close()
        } catch {
            // Its threads have ended, so there is no way back; what is in memory is whole.
            diagnostics.warning("AOF turned off, but its last writes failed: \(error)")
        }
        durability.lock?.close()
        saving.installing = nil
        durability = Durability(writer: nil, policy: durability.policy)
        if replicas.backlog == nil { endBacklog() }
        dispatcher.undurable.isOn = false
        dispatcher.updateRecording()
        condition.writeRefusal = nil
        condition.growthRefusal = nil
        condition.holdsWriters = false
        diagnostics.notice("AOF turned off: changes are no longer logged")
        return nil
    }
}
