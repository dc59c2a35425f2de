internal import Foundation
internal import HoldfastPlatform

/// A program that a test runs: its output is kept, its end can be waited for.
///
/// Not Foundation's `Process`: the threads that tests run on block signals, a child would inherit that, and
/// the end of one that another thread started can be missed.
public final class Subprocess {
    public struct Failed: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) { self.description = description }
    }

    public let processIdentifier: Int32
    private let words: [String]
    private let folder: TemporaryFolder
    private var status: Int32?

    /// Starts `words`; the program is looked for in the search path.
    ///
    /// - Parameters:
    ///   - input: what it reads from its standard input.
    ///   - environment: `NAME=value` lines beside those of this process.
    public init(_ words: [String], input: [UInt8] = [], environment: [String] = []) throws {
        self.words = words
        folder = try TemporaryFolder()
        let inputPath = folder.file("in")
        try Data(input).write(to: URL(fileURLWithPath: inputPath))
        var start = ProgramStart(words)
        start.inputPath = inputPath
        start.outputPath = folder.file("out")
        start.environment =
            ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" } + environment
        var process: pid_t = 0
        let result = start.start(&process)
        guard result == 0 else {
            throw Failed(description: "can't start \(words[0]): errno \(result)")
        }
        processIdentifier = process
    }

    deinit {
        if isRunning {
            signal(SIGKILL)
            var ignored: Int32 = 0
            // SAFETY: the call fills the status.
            unsafe _ = waitpid(processIdentifier, &ignored, 0)
        }
    }

    /// What it has printed so far, on both of its outputs.
    public var output: String {
        String(
            decoding: FileManager.default.contents(atPath: folder.file("out")) ?? Data(),
            as: UTF8.self)
    }

    public var isRunning: Bool {
        if status != nil { return false }
        var found: Int32 = 0
        // SAFETY: the call fills the status.
        if unsafe waitpid(processIdentifier, &found, WNOHANG) == processIdentifier {
            status = found
        }
        return status == nil
    }

    public func signal(_ number: Int32) {
        if isRunning { kill(processIdentifier, number) }
    }

    /// Waits for its end: the exit status, or 128 and the signal's number, as a shell has it.
    public func wait(seconds: Double = 60) throws -> Int32 {
        let start = Date()
        while isRunning {
            if Date().timeIntervalSince(start) > seconds {
                signal(SIGKILL)
                throw Failed(description: "\(words) did not end in \(seconds) s:\n\(output)")
            }
            // A child's end can be waited for, but not with a time limit.
            usleep(1_000)
        }
        let status = status ?? 0
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
    }

    /// Waits until it has printed `text`.
    public func waitForOutput(_ text: String, seconds: Double = 20) throws {
        let start = Date()
        while !output.contains(text) {
            guard isRunning, Date().timeIntervalSince(start) < seconds else {
                throw Failed(description: "\(words) did not print \(text):\n\(output)")
            }
            usleep(1_000)
        }
    }

    /// Runs a program to its end.
    public static func run(
        _ words: [String], input: [UInt8] = [], environment: [String] = [], seconds: Double = 60
    ) throws -> (status: Int32, output: String) {
        let process = try Subprocess(words, input: input, environment: environment)
        let status = try process.wait(seconds: seconds)
        return (status, process.output)
    }

    /// Whether the search path has the program.
    public static func isInstalled(_ program: String) -> Bool {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").contains {
            FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
        }
    }
}
