internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// The steps of a start that touch the world outside of the process.
enum Startup {
    /// Refuses what this server can't do, and goes to the folder it is to work in.
    static func check(_ configuration: Configuration) throws(StartError) {
        if let module = configuration.modules.first {
            let path = module.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw StartError(
                message: "Can't load module from \(path): this server has no modules; remove the line")
        }
        if let name = configuration.moduleSettings.first {
            throw StartError(
                message: "Module Configuration detected without loadmodule directive or no ApplyConfig "
                    + "call: aborting (\(name))")
        }
        if configuration.port == 0, configuration.unixsocket.isEmpty {
            throw StartError(message: "Configured to not listen anywhere, exiting.")
        }
        let folder = configuration.dir
        // SAFETY: the paths are passed as terminated strings for the length of the calls.
        guard unsafe chdir(folder) == 0 else {
            throw StartError(
                message: "Can't chdir to '\(folder)': \(SystemError(call: "chdir", path: folder, errno: errno).reason)"
            )
        }
        if configuration.appendonly, unsafe access(folder, W_OK | X_OK) != 0 {
            let reason = SystemError(call: "access", path: folder, errno: errno).reason
            throw StartError(message: "The folder '\(folder)' can't be written to: \(reason)")
        }
    }

    static func listen(_ configuration: Configuration) throws(StartError) -> [Listener] {
        do throws(ListenError) {
            return try Listener.openAll(configuration, withUnix: true)
        } catch {
            var message = error.message
            if error.isPortBusy {
                message += "\nFailed listening on port \(configuration.port) (tcp), aborting."
            }
            throw StartError(message: message)
        }
    }

    static func rename(
        _ commands: [Configuration.RenamedCommand], in table: inout CommandTable
    ) throws(StartError) {
        for command in commands {
            let outcome = command.old.withSlice { old in
                command.new.withSlice { new -> String? in
                    do throws(CommandTable.RenameError) {
                        try table.rename(old, to: new)
                        return nil
                    } catch {
                        switch error {
                        case .noSuchCommand: return "No such command in rename-command"
                        case .nameTaken: return "Target command name already exists"
                        }
                    }
                }
            }
            if let outcome { throw StartError(message: outcome) }
        }
    }

    static func makeState(
        _ configuration: Configuration, _ diagnostics: Diagnostics, _ table: CommandTable,
        _ handlers: [SessionHandler], _ allocator: any AllocatorStatistics
    ) -> ServerState {
        var random = SystemRandomNumberGenerator()
        let clock = SystemClock()
        var context = CommandContext(
            keyspace: Keyspace(databases: configuration.databases, seed: random.next()),
            log: LogBuffer(start: .zero), seed: random.next())
        context.logsEffects = false
        return ServerState(
            dispatcher: Dispatcher(table: table, context: context),
            configuration: configuration, diagnostics: diagnostics, clock: clock,
            guardedClock: GuardedClock(
                clock, jumpLimit: Int64(configuration.clockJumpLimitMilliseconds)),
            tickScale: Ticks.Scale(clock),
            durability: Durability(writer: nil, policy: SyncPolicy(configuration.appendfsync)),
            handlers: handlers,
            identity: ServerIdentity(
                runID: randomHistory().description, processID: getpid(),
                startedAt: clock.wallMilliseconds / 1000, executable: executablePath(),
                configurationFile: configuration.file ?? ""),
            allocator: allocator)
    }

    static func randomHistory() -> HistoryID {
        var random = SystemRandomNumberGenerator()
        return HistoryID(
            random.next(), random.next(), UInt32(truncatingIfNeeded: random.next() as UInt64))
    }

    private static func executablePath() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        // SAFETY: the call writes at most as many bytes as it is given.
        let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : ""
    }

    // MARK: The pid file

    /// Writes the pid file, if one is asked for or the server runs in the background; its path.
    static func writePIDFile(_ configuration: Configuration, _ diagnostics: Diagnostics) -> String? {
        var path = configuration.text(.pidfile)
        if path.isEmpty {
            guard configuration.flag(.daemonize) else { return nil }
            path = "/var/run/redis.pid"
        }
        let text = Array("\(getpid())\n".utf8)
        // SAFETY: path and bytes are passed for the length of the calls.
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            diagnostics.warning(
                "Failed to write PID file: \(SystemError(call: "open", path: path, errno: errno).reason)")
            return nil
        }
        text.withSlice { unsafe _ = write(descriptor, $0.pointer, $0.count) }
        close(descriptor)
        return path
    }

    static func removePIDFile(_ path: String?, _ diagnostics: Diagnostics) {
        guard let path else { return }
        diagnostics.notice("Removing the pid file.")
        // SAFETY: the path is passed as a terminated string for the length of the call.
        unsafe _ = unlink(path)
    }
}
