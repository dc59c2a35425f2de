internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// MONITOR: every command of everybody, as it is run.
enum MonitorCommand {
    @Sendable
    static func monitor(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        if state.isInTransaction {
            throw .text("ERR MONITOR isn't allowed for DENY BLOCKING client")
        }
        // Redis answers nothing to one that monitors already.
        if session.isMonitor { return }
        session.isMonitor = true
        session.updateRestrictions()
        state.monitors.append(session)
        state.reply.ok()
    }

    static func register(_ rows: inout SessionRows) {
        rows.add("monitor", 1, [.admin, .noScript, .loading, .stale], .server, monitor)
    }
}

extension ServerState {
    mutating func leaveMonitor(_ session: Session) {
        guard session.isMonitor else { return }
        session.isMonitor = false
        session.updateRestrictions()
        monitors.removeAll { $0 === session }
    }

    /// Shows a command that has just run to those who monitor. Administrative ones are nobody's business.
    mutating func showToMonitors(_ row: Int, _ arguments: Arguments, _ session: Session) {
        let flags = dispatcher.table.facts(at: row).flags
        guard flags.isDisjoint(with: [.skipMonitor, .admin]), !condition.isLoading else { return }
        let hidden = secretWords(row, arguments)
        let microseconds = clock.wallMicroseconds
        let fraction = String(microseconds % 1_000_000)
        let source =
            session.isUnixSocket ? "unix:\(configuration.unixsocket)" : session.address.text
        var line = ByteBuffer()
        line.append(UInt8(ascii: "+"))
        line.append(decimal: microseconds / 1_000_000)
        line.append(UInt8(ascii: "."))
        line.append(text: String(repeating: "0", count: 6 - fraction.count) + fraction)
        line.append(text: " [\(session.database) \(source)]")
        for index in 0..<arguments.count {
            line.append(UInt8(ascii: " "))
            line.append(
                quoted: hidden.contains(index) ? ByteSlice("(redacted)") : arguments[index])
        }
        line.append("\r\n")
        let range = outbox.write(version: 2) { $0.buffer.append(line.slice) }
        for monitor in monitors { outbox.add(range, to: monitor) }
    }
}
