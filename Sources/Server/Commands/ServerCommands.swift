internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log

/// INFO and SHUTDOWN.
enum ServerCommands {
    @Sendable
    static func info(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        let names = (1..<arguments.count).map { arguments[$0].text.lowercased() }
        let text = state.infoText(InfoSection.selected(by: names))
        state.reply.verbatim(text)
    }

    /// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`: no reply when it works, the connection just ends.
    @Sendable
    static func shutdown(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var request = ShutdownRequest()
        var aborts = false
        for index in 1..<arguments.count {
            let word = arguments[index]
            if word.equalsIgnoringCase("nosave"), request.saves == nil {
                request.saves = false
            } else if word.equalsIgnoringCase("save"), request.saves == nil {
                request.saves = true
            } else if word.equalsIgnoringCase("now") {
                request.isNow = true
            } else if word.equalsIgnoringCase("force") {
                request.isForced = true
            } else if word.equalsIgnoringCase("abort") {
                aborts = true
            } else {
                throw .syntax
            }
        }
        if aborts {
            guard arguments.count == 2 else { throw .syntax }
            guard state.abortShutdown() else { throw .text("ERR No shutdown in progress.") }
            return state.reply.ok()
        }
        guard state.requestShutdown(request) else {
            throw .text("ERR Errors trying to SHUTDOWN. Check logs.")
        }
    }

    static func register(_ rows: inout SessionRows) {
        rows.add(
            "info", -1, [.loading, .stale, .sentinel], .server,
            tips: [.nondeterministicOutput, .requestAllShards, .responseSpecial],
            acl: [.dangerous], info)
        rows.add(
            "shutdown", -1,
            [.admin, .noScript, .loading, .stale, .noMulti, .allowBusy, .sentinel], .server,
            shutdown)
    }
}
