internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Store

/// The steps of a start that touch the world outside of the process.
enum Startup {
    /// Refuses what this server can't do, and goes to the folder it is to work in.
    static func check(_ configuration: Configuration) throws(StartError) {
        if let module = configuration.modules.first {
            let path = module.first.map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw StartError(
                message:
                    "Can't load module from \(path): this server has no modules; remove the line")
        }
        if let name = configuration.moduleSettings.first {
            throw StartError(
                message:
                    "Module Configuration detected without loadmodule directive or no ApplyConfig "
                    + "call: aborting (\(name))")
        }
        if configuration.port == 0, configuration.unixsocket.isEmpty {
            throw StartError(message: "Configured to not listen anywhere, exiting.")
        }
        let folder = configuration.dir
        // SAFETY: the paths are passed as terminated strings for the length of the calls.
        guard unsafe chdir(folder) == 0 else {
            throw StartError(
                message:
                    "Can't chdir to '\(folder)': \(SystemError(call: "chdir", path: folder, errno: errno).reason)"
            )
        }
        if configuration.appendonly, unsafe access(folder, W_OK | X_OK) != 0 {
            let reason = SystemError(call: "access", path: folder, errno: errno).reason
            throw StartError(message: "The folder '\(folder)' can't be written to: \(reason)")
        }
    }

    /// Descriptors besides those of clients: listeners, the log, the poller.
    private static let reservedFiles = 32

    /// Sees to it that as many files may be open as clients may come, or lets fewer clients come.
    static func limitFiles(
        _ configuration: Configuration, _ diagnostics: Diagnostics
    ) throws(StartError) -> Configuration {
        let wanted = configuration.maxclients + reservedFiles
        let before = ProcessControl.raiseFileLimit(to: 0)
        let limit = ProcessControl.raiseFileLimit(to: wanted)
        if limit >= wanted {
            if limit > before {
                diagnostics.notice(
                    "Increased maximum number of open files to \(limit) "
                        + "(it was originally set to \(before)).")
            }
            return configuration
        }
        guard limit > reservedFiles else {
            throw StartError(
                message:
                    "Your current 'ulimit -n' of \(limit) is not enough for the server to start. "
                    + "Please increase your open file limit to at least \(wanted). Exiting.")
        }
        let clients = limit - reservedFiles
        diagnostics.warning(
            "You requested maxclients of \(configuration.maxclients) requiring at least \(wanted) max file "
                + "descriptors.")
        diagnostics.warning(
            "Server can't set maximum open files to \(wanted) because of OS error: Operation not permitted."
        )
        diagnostics.warning(
            "Current maximum open files is \(limit). maxclients has been reduced to \(clients) to compensate "
                + "for low ulimit. If you need higher maxclients increase 'ulimit -n'.")
        var configuration = configuration
        do throws(ConfigurationRefusal) {
            try configuration.set(
                .maxclients, to: [Array("\(clients)".utf8)], accumulates: false)
        } catch {
            throw StartError(message: "maxclients \(clients): \(error.reason)")
        }
        return configuration
    }

    /// Whether so many clients can have a descriptor each, after the limit was raised for them.
    static func canServe(clients: Int) -> Bool {
        ProcessControl.raiseFileLimit(to: clients + reservedFiles) >= clients + reservedFiles
    }

    /// Shows in `ps` what `proc-title-template` says.
    ///
    /// - Returns: false if the template names a variable that doesn't exist.
    @discardableResult
    static func setTitle(_ configuration: Configuration) -> Bool {
        guard let title = title(configuration) else { return false }
        if configuration.flag(.setProcTitle) { ProcessControl.setTitle(title) }
        return true
    }

    private static func title(_ configuration: Configuration) -> String? {
        let address = configuration.addresses.first.map {
            $0.hasPrefix("-") ? String($0.dropFirst()) : $0
        }
        let place =
            configuration.port > 0
            ? "\(address ?? "*"):\(configuration.port)" : configuration.unixsocket
        let variables = [
            "title": CommandLine.arguments.first ?? "holdfast-server", "listen-addr": place,
            "port": "\(configuration.port)", "tls-port": "\(configuration.number(.tlsPort))",
            "server-mode": "", "unixsocket": configuration.unixsocket,
            "config-file": configuration.file ?? "",
        ]
        var title = ""
        var rest = configuration.text(.procTitleTemplate)[...]
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}"),
                let value = variables[String(rest[rest.index(after: open)..<close])]
            else { return nil }
            title += rest[..<open] + value
            rest = rest[rest.index(after: close)...]
        }
        title += rest
        while title.last == " " { title.removeLast() }
        return title
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
        var state = ServerState(
            dispatcher: Dispatcher(table: table, context: context),
            configuration: configuration, users: UserTable(table), diagnostics: diagnostics,
            clock: clock,
            guardedClock: GuardedClock(
                clock, jumpLimit: Int64(configuration.clockJumpLimitMilliseconds)),
            tickScale: Ticks.Scale(clock),
            durability: Durability(writer: nil, policy: SyncPolicy(configuration.appendfsync)),
            handlers: handlers,
            identity: ServerIdentity(
                runID: randomHistory().description, processID: getpid(),
                startedAt: clock.wallMilliseconds / 1000, executable: executablePath(),
                configurationFile: configuration.file ?? ""),
            allocator: allocator,
            replication: ReplicationState(histories: Histories(randomHistory(), from: .zero)))
        state.statistics.startMemory = allocator.read().allocated
        return state
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
    static func writePIDFile(_ configuration: Configuration, _ diagnostics: Diagnostics) -> String?
    {
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
                "Failed to write PID file: \(SystemError(call: "open", path: path, errno: errno).reason)"
            )
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
