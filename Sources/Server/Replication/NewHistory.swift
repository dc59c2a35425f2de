internal import Engine
internal import HoldfastBytes
internal import Log
internal import Replication
internal import Snapshot
internal import Store

/// Histories begin and end here: at a start as primary, at a promotion, when the primary that is followed begins one.
extension ServerState {
    /// Lets what is logged from now on be of history `id`; all before stays of those that were in force.
    ///
    /// Inside a transaction that has logged something already, its records still belong to the old one.
    mutating func beginHistory(_ id: HistoryID) {
        guard dispatcher.context.log.isWhole else {
            replication.dueHistory = id
            return
        }
        submitLog(inlineAllowed: false)
        _ = durability.writer?.beginHistory(id)
        replication.histories.begin(id, at: dispatcher.context.log.appended)
        // Redis begins so as well, and who reads the segment alone finds it at its head in any case.
        dispatcher.context.log.forgetDatabase()
    }

    /// Goes on where a snapshot from `dbfilename` says that it stands in the stream, for a server without a log: its
    /// replicas needn't begin anew.
    mutating func resumeHistory() {
        guard let aux = saving.loadedAux, let text = aux.replicationID,
            let id = text.withSlice({ HistoryID($0) }), let offset = aux.replicationOffset,
            (0..<1 << 62).contains(offset), durability.writer == nil
        else { return }
        let lsn = LSN(UInt64(offset))
        let database = aux.streamDatabase ?? 0
        dispatcher.context.log = LogBuffer(
            start: lsn,
            database: database >= 0 && database < dispatcher.context.keyspace.databaseCount
                ? database : 0)
        replication.histories = Histories(id, from: lsn)
        if replication.isPrimary { replication.histories.begin(Startup.randomHistory(), at: lsn) }
        dispatcher.context.log.forgetDatabase()
        startBacklog()
        replicas.emptySince = monotonicSeconds
    }

    /// Hands what is logged so far to the log.
    mutating func submitLog(inlineAllowed: Bool) {
        guard !dispatcher.context.log.isEmpty else { return }
        if replicas.backlog != nil {
            replicas.backlog?.append(dispatcher.context.log.slice)
            // With replicas it is trimmed when they have had their turn.
            if replicas.isEmpty { replicas.backlog?.trim() }
        }
        if durability.writer != nil {
            durability.submit(&dispatcher.context.log, inlineAllowed: inlineAllowed)
        } else {
            dispatcher.context.log.discard()
        }
    }
}
