internal import Foundation
internal import HoldfastPlatform
internal import Synchronization

/// The processes and folders that must be gone when the program ends, however it ends.
final class Leftovers: Sendable {
    static let shared = Leftovers()

    private struct State {
        var processes: Set<pid_t> = []
        var folders: Set<String> = []
        var isEnding = false
    }

    private let state = Mutex(State())

    private init() {}

    /// Starts a child and notes it in one step, so that no signal comes between. Nil when the program ends.
    func start<E: Error>(_ spawn: () throws(E) -> pid_t) throws(E) -> pid_t? {
        try state.withLock { state throws(E) in
            if state.isEnding { return nil }
            let process = try spawn()
            state.processes.insert(process)
            return process
        }
    }

    /// Takes note that a child was waited for: its number may be another's from now on.
    func ended(_ process: pid_t) { state.withLock { _ = $0.processes.remove(process) } }

    /// A signal has come, or `clear` was called.
    var isEnding: Bool { state.withLock { $0.isEnding } }

    func makeFolder() throws -> String {
        let path = NSTemporaryDirectory() + "/holdfast-bench-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        state.withLock { _ = $0.folders.insert(path) }
        return path
    }

    func removeFolder(_ path: String) {
        // A folder that stays behind harms no measurement.
        try? FileManager.default.removeItem(atPath: path)
        state.withLock { _ = $0.folders.remove(path) }
    }

    /// Kills every child that is left and removes every folder. No child can be started afterwards.
    func clear() {
        let (processes, folders) = state.withLock { state in
            state.isEnding = true
            return (state.processes, state.folders)
        }
        for process in processes {
            kill(process, SIGKILL)
            var status: Int32 = 0
            // SAFETY: the call fills the status. It fails when another thread has waited already.
            unsafe _ = waitpid(process, &status, 0)
        }
        for folder in folders { removeFolder(folder) }
    }

    /// From now on SIGINT, SIGTERM and SIGHUP clear up and end the program. Call before any other thread runs.
    func clearOnSignals() throws {
        let signals = try Signals()
        _ = try WorkerThread(name: "signals") {
            var entry = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
            while true {
                // SAFETY: one entry, as counted.
                unsafe _ = poll(&entry, 1, -1)
                guard let name = signals.next() else { continue }
                say("bench: \(name), stopping")
                Leftovers.shared.clear()
                exit(130)
            }
        }
    }
}

/// Prints a line at once.
func say(_ line: String) {
    FileHandle.standardOutput.write(Data((line + "\n").utf8))
}
