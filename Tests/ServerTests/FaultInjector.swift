import Foundation
import TestSupport

/// Makes system calls of a running process fail, by strace, until `end` is called.
final class FaultInjector {
    private let strace: Subprocess

    /// Why faults can't be injected here; nil if they can.
    static let obstacle: String? = {
        guard Subprocess.isInstalled("strace") else { return "strace is not installed" }
        do {
            let sleeper = try Subprocess(["sleep", "60"])
            let injector = try FaultInjector(sleeper.processIdentifier, "fdatasync:error=EIO")
            injector.end()
            return nil
        } catch {
            return "strace can't attach to a process: \(error)"
        }
    }()

    /// - Parameter faults: expressions of strace's `--inject`.
    init(_ process: Int32, _ faults: String...) throws {
        let calls = faults.map { $0.split(separator: ":").first.map(String.init) ?? "" }
        strace = try Subprocess(
            ["strace", "-f", "-qq", "-p", String(process), "-e", "signal=none"]
                + ["-e", "trace=" + calls.joined(separator: ",")]
                + faults.flatMap { ["-e", "inject=" + $0] } + ["-o", "/dev/stdout"])
        // With -qq it doesn't say when it has attached, but the kernel does.
        let start = Date()
        while !Self.isTraced(process) {
            guard strace.isRunning, Date().timeIntervalSince(start) < 20 else {
                throw Subprocess.Failed(description: strace.output)
            }
            usleep(1_000)
        }
    }

    /// Whether every thread of the process has a tracer.
    private static func isTraced(_ process: Int32) -> Bool {
        let threads = "/proc/\(process)/task"
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: threads),
            !names.isEmpty
        else { return false }
        return names.allSatisfy { name in
            let status = try? String(contentsOfFile: "\(threads)/\(name)/status", encoding: .utf8)
            return status?.split(separator: "\n").contains {
                $0.hasPrefix("TracerPid:") && !$0.hasSuffix("\t0")
            } ?? true
        }
    }

    /// How many calls have failed so far.
    var faultCount: Int { strace.output.components(separatedBy: "(INJECTED)").count - 1 }

    func waitForFaults(_ count: Int = 1, seconds: Double = 20) throws {
        let start = Date()
        while faultCount < count {
            guard strace.isRunning, Date().timeIntervalSince(start) < seconds else {
                throw Subprocess.Failed(description: "no fault came:\n" + strace.output)
            }
            usleep(1_000)
        }
    }

    /// Lets calls succeed again.
    func end() {
        strace.signal(SIGTERM)
        _ = try? strace.wait(seconds: 20)
    }
}
