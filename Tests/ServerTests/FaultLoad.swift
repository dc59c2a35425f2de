import Foundation
import HoldfastPlatform
import Synchronization
import TestSupport

/// Two clients that write while faults happen: one anything, one what can be looked for afterwards.
final class FaultLoad: Sendable {
    /// The second client's database; the first one's commands don't come here.
    private static let database = "5"
    private static let key = "written"

    private struct State {
        /// Where to write; nil for nowhere.
        var port: UInt16?
        var isStopped = false
        /// Which clients have seen that there is nowhere to write.
        var idle: Set<Int> = []
        /// Steps that were answered.
        var steps = 0
        /// Answered as done.
        var acknowledged: Set<Int> = []
        /// Confirmed by WAIT.
        var confirmed: Set<Int> = []
    }

    private let state = Mutex(State())
    private let threads = Mutex<[WorkerThread]>([])

    /// - Parameter names: the commands that all servers know; nil for all.
    init(seed: UInt64, names: Set<String>?) throws {
        let mixed = try WorkerThread(name: "mixed") { [self] in writeAnything(seed, names) }
        let counted = try WorkerThread(name: "counted") { [self] in writeEvidence() }
        threads.withLock { $0 = [mixed, counted] }
    }

    // MARK: For the test

    /// Lets the clients write to the server at this port.
    func write(to port: UInt16) {
        state.withLock {
            $0.port = port
            $0.idle = []
        }
    }

    /// Returns when no client writes any more.
    func pause() throws {
        state.withLock {
            $0.port = nil
            $0.idle = []
        }
        try waitFor("the clients to pause") { $0.idle.count == 2 }
    }

    /// Returns when some more steps have been answered.
    func waitForSteps(_ count: Int) throws {
        let end = state.withLock { $0.steps } + count
        try waitFor("\(count) steps") { $0.steps >= end }
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        for thread in threads.withLock({ exchange(&$0, with: []) }) { thread.join() }
    }

    /// From here on only what WAIT confirmed must be there: another server has taken over.
    func forgetUnconfirmed() { state.withLock { $0.acknowledged = $0.confirmed } }

    var confirmedCount: Int { state.withLock { $0.confirmed.count } }
    var acknowledgedCount: Int { state.withLock { $0.acknowledged.count } }

    /// Which acknowledged writes a server doesn't have.
    func missing(on connection: RESPConnection) throws -> [Int] {
        let numbers = state.withLock { $0.acknowledged }.sorted()
        try connection.command("SELECT", Self.database)
        var missing: [Int] = []
        for start in stride(from: 0, to: numbers.count, by: 1_000) {
            let part = numbers[start..<min(start + 1_000, numbers.count)]
            let replies =
                try connection.command(["SMISMEMBER", Self.key] + part.map(String.init)).items ?? []
            for (index, number) in part.enumerated()
            where index >= replies.count || replies[index] != .integer(1) {
                missing.append(number)
            }
        }
        try connection.command("SELECT", "0")
        return missing
    }

    private func waitFor(_ what: String, _ condition: (State) -> Bool) throws {
        let start = Date()
        while !state.withLock({ condition($0) }) {
            guard Date().timeIntervalSince(start) < 60 else {
                throw Subprocess.Failed(description: "never came: \(what)")
            }
            // The other threads wait for servers; there is nothing to be woken by.
            usleep(1_000)
        }
    }

    // MARK: The clients

    private func writeAnything(_ seed: UInt64, _ names: Set<String>?) {
        var generator = AllTypesGenerator(seed: seed)
        var random = PRNG(seed: seed &+ 77)
        serve(0) { connection in
            var commands: [[[UInt8]]] = []
            while commands.count < 20 {
                let words = generator.command()
                if Self.isWanted(words, names) { commands.append(words) }
            }
            if random.oneIn(3) {
                commands = [[Array("MULTI".utf8)]] + commands + [[Array("EXEC".utf8)]]
            }
            return try connection.pipeline(commands).contains { !$0.isError }
        }
    }

    private static func isWanted(_ words: [[UInt8]], _ names: Set<String>?) -> Bool {
        let text = words.map { String(decoding: $0, as: UTF8.self).lowercased() }
        let mayWait =
            ["bl", "br", "bz"].contains { text[0].hasPrefix($0) } || text.contains("block")
        return !mayWait && text[0] != "flushall" && names?.contains(text[0]) ?? true
    }

    private func writeEvidence() {
        var number = 0
        serve(1) { connection in
            let first = number
            number += 10
            let commands =
                [["SELECT", Self.database]]
                + (first..<number).map { ["SADD", Self.key, "\($0)"] } + [["WAIT", "1", "100"]]
            let replies = try connection.pipeline(commands)
            let taken = (first..<number).filter { replies[1 + $0 - first] == .integer(1) }
            let isConfirmed = replies.last?.integer ?? 0 > 0 && taken.count == number - first
            self.state.withLock {
                $0.acknowledged.formUnion(taken)
                if isConfirmed { $0.confirmed.formUnion(taken) }
            }
            return !taken.isEmpty
        }
    }

    /// Takes one step after the other on a connection that is made anew whenever it breaks.
    ///
    /// - Parameter step: false if the server took nothing.
    private func serve(_ client: Int, _ step: (RESPConnection) throws -> Bool) {
        var connection: (port: UInt16, link: RESPConnection)?
        while true {
            let (port, isStopped) = state.withLock { state in
                if state.port == nil { state.idle.insert(client) }
                return (state.port, state.isStopped)
            }
            if isStopped { return }
            if let port, connection?.port != port {
                connection = (try? RESPConnection(.tcp("127.0.0.1", port))).map {
                    (port: port, link: $0)
                }
            } else if port == nil {
                connection = nil
            }
            var succeeded = false
            if let link = connection?.link {
                do { succeeded = try step(link) } catch { connection = nil }
            }
            if succeeded { state.withLock { $0.steps += 1 } } else { usleep(2_000) }
        }
    }
}

private func exchange<T>(_ value: inout T, with new: T) -> T {
    let old = value
    value = new
    return old
}
