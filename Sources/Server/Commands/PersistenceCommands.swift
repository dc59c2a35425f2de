internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Snapshot

/// SAVE, BGSAVE, BGREWRITEAOF and LASTSAVE.
enum PersistenceCommands {
    @Sendable
    static func save(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if state.saving.isSaving { throw .text("ERR Background save already in progress") }
        do throws(SnapshotWriteError) {
            try state.saveNow()
        } catch {
            state.updateCondition()
            // Redis says no more; the reason is in the diagnostics.
            throw .text("ERR")
        }
        state.updateCondition()
        state.reply.ok()
    }

    /// `BGSAVE [SCHEDULE]`. The state that is saved is that at the end of this turn of the loop.
    @Sendable
    static func backgroundSave(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var mayWait = false
        if arguments.count > 1 {
            guard arguments.count == 2, arguments[1].equalsIgnoringCase("schedule") else {
                throw .syntax
            }
            mayWait = true
        }
        if state.saving.isSaving { throw .text("ERR Background save already in progress") }
        let isInTransaction = state.dispatcher.context.log.isUnitOpen
        if state.saving.isActive || isInTransaction {
            guard mayWait || isInTransaction else {
                throw .text(
                    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
                )
            }
            state.saving.isSaveScheduled = true
            state.reply.simple("Background saving scheduled")
            return
        }
        state.saving.isSaveDue = true
        state.reply.simple("Background saving started")
    }

    @Sendable
    static func rewriteLog(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if state.saving.isRewriting {
            throw .text("ERR Background append only file rewriting already in progress")
        }
        if state.saving.isActive || state.dispatcher.context.log.isUnitOpen {
            state.saving.isRewriteScheduled = true
            state.reply.simple("Background append only file rewriting scheduled")
            return
        }
        state.saving.isRewriteDue = true
        state.reply.simple("Background append only file rewriting started")
    }

    @Sendable
    static func lastSave(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(state.saving.savedAt)
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "bgrewriteaof", 1, [.admin, .noScript, .noAsyncLoading], .server, rewriteLog)
        rows.add("bgsave", -1, [.admin, .noScript, .noAsyncLoading], .server, backgroundSave)
        rows.add(
            "lastsave", 1, [.loading, .stale, .fast], .server, tips: [.nondeterministicOutput],
            acl: [.admin, .dangerous], lastSave)
        rows.add("save", 1, [.admin, .noScript, .noAsyncLoading, .noMulti], .server, save)
    }
}
