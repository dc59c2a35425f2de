internal import Foundation
internal import HoldfastPlatform

/// Why a measurement could not be made.
struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A program that was started, with its output in a file. Used by one thread.
final class ChildProcess {
    let identifier: pid_t
    private let name: String
    private let outputPath: String
    private var status: Int32?

    /// - Parameter words: the program, looked up in PATH, and its arguments.
    init(_ words: [String], outputPath: String) throws {
        name = words[0]
        self.outputPath = outputPath
        let started = try Leftovers.shared.start {
            try ChildProcess.spawn(words, outputPath: outputPath)
        }
        guard let started else { throw BenchError("stopped") }
        identifier = started
    }

    deinit { end(by: SIGKILL) }

    private static func spawn(_ words: [String], outputPath: String) throws -> pid_t {
        var start = ProgramStart(words)
        start.outputPath = outputPath
        start.truncatesOutput = true
        var process: pid_t = 0
        let result = start.start(&process)
        if result != 0 { throw BenchError("can't start \(words[0]): errno \(result)") }
        return process
    }

    /// What it has printed so far.
    var output: String {
        String(
            decoding: FileManager.default.contents(atPath: outputPath) ?? Data(), as: UTF8.self)
    }

    // MARK: End

    var isRunning: Bool { !reap(waits: false) }

    /// Waits for its own end; kills it when that takes longer than `seconds`.
    /// - Returns: whether it ended by itself with exit status 0.
    @discardableResult
    func waitForEnd(seconds: Double) -> Bool {
        let clock = Stopwatch()
        while isRunning {
            if clock.seconds > seconds {
                end(by: SIGKILL)
                return false
            }
            // A child's end can be waited for, but not with a time limit.
            usleep(2_000)
        }
        return status == 0
    }

    /// Sends a signal and waits for the end, with SIGKILL after a minute.
    func end(by signal: Int32) {
        guard isRunning else { return }
        kill(identifier, signal)
        if signal == SIGKILL {
            _ = reap(waits: true)
        } else {
            waitForEnd(seconds: 60)
        }
    }

    private func reap(waits: Bool) -> Bool {
        if status != nil { return true }
        var status: Int32 = 0
        // SAFETY: the call fills the status.
        let result = unsafe waitpid(identifier, &status, waits ? 0 : WNOHANG)
        if result == 0 { return false }
        self.status = result == identifier ? status : -1
        Leftovers.shared.ended(identifier)
        return true
    }

    // MARK: What the kernel counts

    /// User and system time of all its threads, living and ended, in microseconds; a tick is 10,000.
    var cpuMicroseconds: Double {
        get throws {
            // The name, in brackets, may hold spaces: utime and stime are fields 12 and 13 behind it.
            let text = try contents("stat")
            guard let close = text.lastIndex(of: ")") else { throw BenchError("\(name) has ended") }
            let fields = text[close...].split(separator: " ")
            guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13])
            else { throw BenchError("unreadable: /proc/\(identifier)/stat") }
            return (user + system) * 1_000_000 / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    /// Resident memory in bytes.
    var residentBytes: Double {
        get throws {
            let line = try contents("status").split(separator: "\n")
                .first { $0.hasPrefix("VmRSS:") }
            guard
                let kib = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst()
                    .first.flatMap({ Double($0) })
            else { throw BenchError("\(name) has ended") }
            return kib * 1024
        }
    }

    /// What it and its children take of memory, in bytes; a page that several share counts once.
    var memoryWithChildren: Double {
        get throws {
            let children = try contents("task/\(identifier)/children").split(separator: " ")
            var bytes = 0.0
            for process in ["\(identifier)"] + children.map(String.init) {
                // A child may have ended since.
                let text = try? String(
                    contentsOfFile: "/proc/\(process)/smaps_rollup", encoding: .utf8)
                let line = text?.split(separator: "\n").first { $0.hasPrefix("Pss:") }
                bytes += line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
            }
            return bytes * 1024
        }
    }

    private func contents(_ file: String) throws -> String {
        try String(contentsOfFile: "/proc/\(identifier)/\(file)", encoding: .utf8)
    }
}
