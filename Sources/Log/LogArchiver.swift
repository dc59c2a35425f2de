internal import HoldfastBytes
internal import HoldfastPlatform

/// Hands sealed segments and new bases to the operator's `wal-archive-command`, one at a time and in order, on a
/// thread of its own that begins with the first of them.
///
/// A command that fails is tried again, each time after twice as long a pause. Since a crash may come between the
/// command's success and the note of it, a command may get the same file twice.
final class LogArchiver: @unchecked Sendable {
    // Sendable because its state is used with `monitor` held only, and `take` and `done` lock for themselves.
    struct Order {
        var task: ArchiveTask
        /// With `%p`, `%f` and `%%`.
        var command: String
        /// To be kept once the task is done.
        var mark: ArchiveMark
    }

    static let temporaryManifestName = "temp-archive.manifest"
    private static let pauseNanosecondsMin: UInt64 = 100_000_000
    private static let pauseNanosecondsMax: UInt64 = 60_000_000_000
    /// How long a running command may take to end at a stop.
    private static let patienceNanoseconds: UInt64 = 2_000_000_000

    private let world: LogWorld
    private let take: @Sendable () -> Order?
    private let done: @Sendable (ArchiveTask, _ failure: String?) -> Void
    private let monitor = Monitor()
    private let news: Condition
    private let end: Condition
    private var thread: WorkerThread?
    private var hasNews = false
    private var isStopping = false
    private var hasEnded = false
    private var running: ShellCommand?
    private var pause: UInt64 = 0

    /// - Parameters:
    ///   - take: gives the next order, if there is one.
    ///   - done: takes in how it ended: nil, or why it failed. Both are called on the archiver's thread.
    init(
        _ world: LogWorld, take: @escaping @Sendable () -> Order?,
        done: @escaping @Sendable (ArchiveTask, String?) -> Void
    ) {
        self.world = world
        self.take = take
        self.done = done
        news = Condition(of: monitor)
        end = Condition(of: monitor)
    }

    /// There may be something to do.
    ///
    /// - Parameter restarts: what failed before may succeed now, so it is tried at once.
    func look(restarts: Bool = false) {
        monitor.withLock {
            guard !isStopping else { return }
            hasNews = true
            if restarts { pause = 0 }
            if thread == nil {
                do throws(SystemError) {
                    thread = try WorkerThread(name: "holdfast-arch") { self.work() }
                } catch {
                    // The next look tries again.
                }
            }
            news.signal()
        }
    }

    /// Ends a command that runs, and the thread; what was not done is left to the next start.
    func stop() {
        monitor.lock()
        isStopping = true
        news.signal()
        let thread = thread
        let deadline = world.now() &+ Self.patienceNanoseconds
        while thread != nil, !hasEnded {
            running?.stop(by: world.now() < deadline ? ShellCommand.terminate : ShellCommand.kill)
            end.wait(untilNanoseconds: world.now() &+ 50_000_000)
        }
        self.thread = nil
        monitor.unlock()
        thread?.join()
    }

    // MARK: The thread

    private func work() {
        // The command that it starts inherits this.
        WorkerThread.lowerPriority()
        monitor.lock()
        while !isStopping {
            guard hasNews else {
                news.wait()
                continue
            }
            hasNews = false
            monitor.unlock()
            let order = take()
            let hasFailed = order.map { !perform($0) } ?? false
            monitor.lock()
            if order != nil { hasNews = true }
            if hasFailed { rest() } else { pause = 0 }
        }
        hasEnded = true
        end.signal()
        monitor.unlock()
    }

    /// Waits before the next attempt, unless somebody says that it may succeed now.
    private func rest() {
        pause = min(max(pause * 2, Self.pauseNanosecondsMin), Self.pauseNanosecondsMax)
        let until = world.now() &+ pause
        while !isStopping, pause > 0, world.now() < until {
            news.wait(untilNanoseconds: until)
        }
    }

    private func perform(_ order: Order) -> Bool {
        let failure = attempt(order)
        done(order.task, failure)
        return failure == nil
    }

    /// Returns why it failed.
    private func attempt(_ order: Order) -> String? {
        let folder = world.folder
        do throws(SystemError) {
            switch order.task {
            case .segment(let name, _), .base(let name, _):
                if let failure = run(order.command, path: folder.path(of: name), name: name) {
                    return failure
                }
                try order.mark.write(folder, on: world.fileSystem)
                return nil
            case .manifest(let manifest):
                var text = ByteBuffer()
                manifest.append(to: &text)
                let path = folder.path(of: Self.temporaryManifestName)
                let file = try world.fileSystem.open(path, .createOrTruncate)
                defer { file.close() }
                try file.writeAll(text.slice, at: 0)
                return run(order.command, path: path, name: folder.manifestName)
            }
        } catch {
            return "\(error.call) \(error.path): \(error.reason)"
        }
    }

    private func run(_ command: String, path: String, name: String) -> String? {
        let shell = ShellCommand(Self.expand(command, path: path, name: name))
        monitor.withLock { running = shell }
        // A stop that came before sees it now, one that comes later ends it.
        if monitor.withLock({ isStopping }) { shell.stop(by: ShellCommand.terminate) }
        let end = shell.run()
        monitor.withLock { running = nil }
        switch end {
        case .exited(0): return nil
        case .exited(let status): return "exit status \(status)"
        case .signalled(let signal): return "ended by signal \(signal)"
        case .notStarted(let reason):
            return SystemError(call: "posix_spawn", path: "/bin/sh", errno: reason).reason
        }
    }

    /// `%p` is the path, `%f` the name, `%%` a per cent sign; anything else behind one stays as it is.
    static func expand(_ command: String, path: String, name: String) -> String {
        var result = ""
        var isEscaped = false
        for character in command {
            if !isEscaped {
                if character == "%" { isEscaped = true } else { result.append(character) }
                continue
            }
            isEscaped = false
            switch character {
            case "p": result += path
            case "f": result += name
            case "%": result += "%"
            default: result += "%\(character)"
            }
        }
        return isEscaped ? result + "%" : result
    }
}
