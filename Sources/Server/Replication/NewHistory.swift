internal import Engine
internal import Log
internal import Replication

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

    /// Hands what is logged so far to the log.
    mutating func submitLog(inlineAllowed: Bool) {
        guard !dispatcher.context.log.isEmpty else { return }
        if replicas.backlog != nil { replicas.backlog?.append(dispatcher.context.log.slice) }
        if durability.writer != nil {
            durability.submit(&dispatcher.context.log, inlineAllowed: inlineAllowed)
        } else {
            dispatcher.context.log.discard()
        }
    }
}
