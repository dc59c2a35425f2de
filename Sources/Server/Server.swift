internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Store

/// Puts the parts together in the order of the module graph, and takes them apart again; no logic of its own.
public enum HoldfastServer {
    /// Runs the server with a command line (without the program's name) until it is told to stop.
    ///
    /// - Returns: the process's exit status.
    public static func run(_ arguments: [String], allocator: any AllocatorStatistics) -> Int32 {
        let configuration = Configuration(arguments: arguments)
        let diagnostics = Diagnostics()
        do {
            let signals = try Signals()
            let wakeUp = try WakeUp()
            let poller = try Poller()
            let clock = SystemClock()
            let listener = try Listener.tcp(
                address: "127.0.0.1", port: configuration.int("port", 6379), backlog: 511)
            var durability = Durability(writer: nil, policy: .everysec)
            if configuration.string("appendonly", "yes") == "yes" {
                var settings = LogWriterSettings()
                switch configuration.string("appendfsync", "everysec") {
                case "always": settings.policy = .always
                case "no": settings.policy = .no
                default: settings.policy = .everysec
                }
                let folder = LogFolder(
                    directory: configuration.string("dir", "."), folderName: "appendonlydir",
                    fileName: "appendonly.aof")
                let opening = LogWriterOpening(
                    folder: folder, history: HistoryID(1, 2, 3))
                durability = Durability(
                    writer: try LogWriter.open(
                        opening, settings: settings, fileSystem: LinuxFileSystem(), clock: clock,
                        wake: { wakeUp.signal() }),
                    policy: settings.policy)
            }
            var state = makeState(
                configuration, diagnostics, clock, durability, allocator: allocator)
            state.dispatcher.context.logsEffects = durability.writer != nil
            state.dispatcher.undurable.isOn = durability.policy == .always && durability.writer != nil
            state.dispatcher.updateRecording()
            var loop = CommandLoop(
                poller: poller, listeners: [listener], wakeUp: wakeUp, signals: signals,
                state: state)
            try loop.register()
            diagnostics.notice("Ready to accept connections tcp")
            loop.run()
            try loop.state.durability.writer?.close()
            loop.finish()
            return 0
        } catch {
            diagnostics.warning("\(error)")
            return 1
        }
    }

    private static func makeState(
        _ configuration: Configuration, _ diagnostics: Diagnostics, _ clock: SystemClock,
        _ durability: Durability, allocator: any AllocatorStatistics
    ) -> ServerState {
        var rows = SessionRows()
        ConnectionCommands.register(&rows)
        TransactionCommands.register(&rows)
        let table = CommandTable(families: [
            StringCommands.table, rows.specs,
        ])
        var random = SystemRandomNumberGenerator()
        let context = CommandContext(
            keyspace: Keyspace(databases: 16, seed: random.next()),
            log: LogBuffer(start: .zero), seed: random.next())
        return ServerState(
            dispatcher: Dispatcher(table: table, context: context),
            configuration: configuration, diagnostics: diagnostics, clock: clock,
            guardedClock: GuardedClock(clock, jumpLimit: 60_000),
            tickScale: Ticks.Scale(clock), durability: durability, handlers: rows.handlers,
            identity: ServerIdentity(
                runID: "", processID: getpid(), startedAt: clock.wallMilliseconds / 1000,
                executable: "", configurationFile: ""),
            allocator: allocator)
    }
}
