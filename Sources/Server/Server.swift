internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// Puts the parts together in the order of the module graph, and takes them apart again; no logic of its own.
public enum HoldfastServer {
    /// Does what a command line asks: runs the server until it is told to stop, or prints what was asked for.
    ///
    /// - Parameter arguments: without the program's name.
    /// - Returns: the process's exit status.
    public static func run(_ arguments: [String], allocator: any AllocatorStatistics) -> Int32 {
        switch StartRequest(arguments: arguments) {
        case .run(let source):
            return serve(source, commands(), allocator)
        case .printVersion:
            print(HoldfastVersion.line)
        case .printHelp:
            print(StartRequest.help, terminator: "")
        case .testMemory:
            print(
                "Memory tests are better left to a tool made for them, such as memtest86 or memtester."
            )
            return 1
        case .checkSystem:
            return 0
        case .checkConfiguration(let source):
            guard load(source, commands().0, Diagnostics()) != nil else { return 1 }
            print("The configuration is right.")
        case .printConfiguration(let source):
            guard let configuration = load(source, commands().0, Diagnostics()) else { return 1 }
            print(configuration.sampleFile(), terminator: "")
        }
        return 0
    }

    /// All commands, and the functions behind those about sessions and the server.
    private static func commands() -> (CommandTable, [SessionHandler]) {
        var rows = SessionRows()
        ConnectionCommands.register(&rows)
        TransactionCommands.register(&rows)
        CommandCommands.register(&rows)
        ClientCommands.register(&rows)
        TrackingCommands.register(&rows)
        PubSubCommands.register(&rows)
        MonitorCommand.register(&rows)
        WaitCommands.register(&rows)
        AccessCommands.register(&rows)
        ConfigCommands.register(&rows)
        ServerCommands.register(&rows)
        PersistenceCommands.register(&rows)
        MigrateCommand.register(&rows)
        ReplicationCommands.register(&rows)
        SlowLogCommands.register(&rows)
        LatencyCommands.register(&rows)
        MemoryCommands.register(&rows)
        ModuleCommands.register(&rows)
        DebugCommands.register(&rows)
        ReplicaCommands.register(&rows)
        let table = CommandTable(
            families: CommandFamilies.data + [rows.specs, CommandsToCome.table])
        return (table, rows.handlers)
    }

    private static func load(
        _ source: ConfigurationSource, _ table: CommandTable, _ diagnostics: Diagnostics
    ) -> Configuration? {
        do throws(ConfigurationFileError) {
            return try Configuration.load(
                source, folder: workingFolder(),
                commandExists: { name in
                    name.withSlice { table.lookup($0) } != nil
                        || CommandsToCome.table.contains { $0.name == name }
                })
        } catch {
            if error.isDiagnostic {
                diagnostics.warning(error.message)
            } else {
                complain(error.message)
            }
            return nil
        }
    }

    private static func workingFolder() -> String {
        // SAFETY: getcwd allocates the string, which is copied and freed here.
        guard let path = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    /// Writes to standard error.
    private static func complain(_ text: String) {
        let bytes = Array(text.utf8)
        bytes.withSlice { slice in
            // SAFETY: the kernel reads exactly the slice.
            unsafe _ = write(2, slice.pointer, slice.count)
        }
    }

    // MARK: Serving

    private static func serve(
        _ source: ConfigurationSource, _ commands: (CommandTable, [SessionHandler]),
        _ allocator: any AllocatorStatistics
    ) -> Int32 {
        let diagnostics = Diagnostics()
        guard let configuration = load(source, commands.0, diagnostics) else { return 1 }
        diagnostics.level = configuration.loglevel
        diagnostics.path = configuration.logfile
        if configuration.flag(.daemonize), !ProcessControl.daemonize() {
            diagnostics.warning("Can't go into the background: fork failed")
            return 1
        }
        do {
            try serve(configuration, commands, diagnostics, allocator)
        } catch let error as StartError {
            diagnostics.warning(error.message)
        } catch let error as LogReadError {
            diagnostics.warning("Can't load the log: \(error)")
        } catch let error as SystemError {
            diagnostics.warning("Fatal error: \(error)")
        } catch {
            diagnostics.warning("Fatal error: \(error)")
        }
        return 1
    }

    /// Starts, serves, stops, and ends the process.
    private static func serve(
        _ configuration: Configuration, _ commands: (CommandTable, [SessionHandler]),
        _ diagnostics: Diagnostics, _ allocator: any AllocatorStatistics
    ) throws -> Never {
        StartReport.begin(configuration, diagnostics, allocator)
        try Startup.check(configuration)
        let configuration = try Startup.limitFiles(configuration, diagnostics)
        let signals = try Signals()
        let wakeUp = try WakeUp()
        let poller = try Poller()
        let listeners = try Startup.listen(configuration)
        defer { for listener in listeners where listener.isUnix { listener.close() } }
        diagnostics.role = .primary
        diagnostics.notice("Running mode=standalone, port=\(configuration.port).")
        let pidFile = Startup.writePIDFile(configuration, diagnostics)
        defer { Startup.removePIDFile(pidFile, diagnostics) }
        diagnostics.notice("Server initialized")

        var (table, handlers) = commands
        try Startup.rename(configuration.renamedCommands, in: &table)
        var state = Startup.makeState(configuration, diagnostics, table, handlers, allocator)
        if let rejection = state.apply(configuration, changed: nil) {
            throw StartError(message: rejection.reason)
        }
        state.dispatcher.context.allowsBlocking = true
        state.takeConfiguredRole()
        try state.loadUsersAtStart()
        state.wake = { wakeUp.signal() }
        var loop = CommandLoop(
            poller: poller, listeners: listeners, wakeUp: wakeUp, signals: signals, state: state)
        try loop.register()
        if configuration.appendonly {
            try loop.openLog()
        } else {
            try loop.loadDump()
        }
        loop.state.beginSaving()
        loop.state.beginFollowing()
        Startup.setTitle(loop.state.configuration)
        StartReport.ready(listeners, diagnostics)
        WorkerThread.favourLatency()
        loop.run()
        try loop.shutDown()
        Startup.removePIDFile(pidFile, diagnostics)
        // At once: giving back the memory of millions of keys one by one would help nobody.
        exit(0)
    }
}

/// The server can't start; the message names the thing and what to do.
struct StartError: Error {
    let message: String
}
