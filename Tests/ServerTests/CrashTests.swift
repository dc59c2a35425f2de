import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// kill -9 while several clients write: what was acknowledged is there afterwards, and nothing else is.
@Suite("kill -9 under load", .serialized)
struct CrashTests {
    /// `HOLDFAST_CRASH_ROUNDS` takes the place of 10.
    private static let rounds =
        ProcessInfo.processInfo.environment["HOLDFAST_CRASH_ROUNDS"].flatMap { Int($0) } ?? 10

    @Test(
        "every acknowledged write is there after a kill, transactions are whole, nothing is made up",
        arguments: ["always", "everysec", "no"])
    func killUnderLoad(policy: String) throws {
        let seed = TestSeed.next("crash rounds with appendfsync \(policy)")
        var random = PRNG(seed: seed)
        let server = try ServerProcess(["--appendfsync", policy, "--wal-segment-size", "128kb"])
        let load = Load(server: server, clientCount: 6)
        for round in 1...Self.rounds {
            let writes = random.within(1...3_000)
            try load.runUntilKilled(afterWrites: writes, depth: random.within(1...20))
            try server.start()
            let problems = try load.check()
            #expect(problems == [], "round \(round), seed \(seed), \(policy)")
            if !problems.isEmpty { return }
        }
        print("\(load.acknowledgedTotal) acknowledged writes survived \(Self.rounds) kills")
        #expect(server.terminate() == .exited(0))
        try server.start()
        #expect(try load.check() == [])
    }

    @Test("a policy that changes under load keeps what was acknowledged")
    func changingPolicy() throws {
        let seed = TestSeed.next("crash rounds with changing policies")
        var random = PRNG(seed: seed)
        let server = try ServerProcess(["--appendfsync", "no", "--wal-segment-size", "64kb"])
        let load = Load(server: server, clientCount: 3)
        for round in 1...3 {
            load.changesPolicy = true
            try load.runUntilKilled(afterWrites: random.within(500...2_000), depth: 5)
            try server.start()
            #expect(try load.check() == [], "round \(round), seed \(seed)")
        }
    }
}

/// Clients that write numbered keys, counters and transactions, and know what was acknowledged to them.
private final class Load: @unchecked Sendable {
    // Sendable because `monitor` is held wherever several threads use what is in it, and each client's
    // record is its own thread's until that is joined.
    final class Client: @unchecked Sendable {
        let name: String
        /// Rounds of four writes each, sent and acknowledged.
        var sent = 0
        var acknowledged = 0
        var problem: String?

        init(name: String) { self.name = name }
    }

    private let server: ServerProcess
    private let clients: [Client]
    private let monitor = Monitor()
    private var writesLeft = 0
    private var processIdentifier: Int32 = 0
    private(set) var acknowledgedTotal = 0
    /// Whether one client sets another `appendfsync` before each of its rounds.
    var changesPolicy = false

    init(server: ServerProcess, clientCount: Int) {
        self.server = server
        clients = (0..<clientCount).map { Client(name: "c\($0)") }
    }

    /// The writes of one round: a key of its own, a counter, the counter of all, a transaction of two keys.
    private static func commands(_ name: String, _ number: Int) -> [[String]] {
        [
            ["SET", "\(name):\(number)", "value \(number) of \(name)"],
            ["INCR", "\(name):count"], ["INCR", "count"],
            ["MULTI"], ["SET", "\(name):left", String(number)],
            ["SET", "\(name):right", String(number)],
            ["EXEC"],
        ]
    }

    /// Lets all clients write until the one that gets the n-th acknowledgement kills the server.
    func runUntilKilled(afterWrites count: Int, depth: Int) throws {
        writesLeft = count
        processIdentifier = server.processIdentifier
        let connections = try clients.map { _ in try server.connect() }
        var threads: [WorkerThread] = []
        for (client, connection) in zip(clients, connections) {
            let held = Held(connection)
            threads.append(
                try WorkerThread(name: client.name) { [self] in
                    write(client, held.value, depth: depth)
                })
        }
        for thread in threads { thread.join() }
        server.kill()
    }

    private struct Held: @unchecked Sendable {
        // Sendable because only the thread that gets it uses it.
        let value: RESPConnection
        init(_ value: RESPConnection) { self.value = value }
    }

    private func write(_ client: Client, _ connection: RESPConnection, depth: Int) {
        while true {
            let first = client.sent + 1
            let requests = (first..<first + depth).flatMap { number in
                Self.commands(client.name, number).flatMap { Request.encode($0) }
            }
            do {
                // Counted before it is sent: from here on it may have happened.
                if changesPolicy, client.name == "c0" {
                    let policy = ["always", "everysec", "no"][client.sent % 3]
                    if try connection.command("CONFIG", "SET", "appendfsync", policy) != .ok {
                        client.problem = "appendfsync can't be set"
                    }
                }
                client.sent += depth
                try connection.send(requests)
                for number in first..<first + depth {
                    try readReplies(client, connection, number)
                    client.acknowledged = number
                    if noteWrite() { kill(processIdentifier, SIGKILL) }
                }
            } catch {
                return
            }
        }
    }

    private func readReplies(
        _ client: Client, _ connection: RESPConnection, _ number: Int
    ) throws {
        var replies: [Reply] = []
        for _ in 0..<7 { replies.append(try connection.receive()) }
        let isRight =
            replies[0] == .ok && replies[1].integer != nil && replies[2].integer != nil
            && replies[3] == .ok && replies[4] == .queued && replies[5] == .queued
            && replies[6] == .array([.ok, .ok])
        if !isRight { client.problem = "\(client.name) \(number): \(replies)" }
    }

    /// Whether this was the write to kill at.
    private func noteWrite() -> Bool {
        monitor.withLock {
            acknowledgedTotal += 1
            writesLeft -= 1
            return writesLeft == 0
        }
    }

    /// What is wrong with the data of a server that has recovered; also brings the clients' own counts in line
    /// with what was kept.
    func check() throws -> [String] {
        let connection = try server.connect()
        let data = try DataSet(of: connection, databaseCount: 2)
        var problems: [String] = []
        var countSum = 0
        var keyCount = 1
        func number(_ key: String) -> Int {
            data[0, key].flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
        }
        for client in clients {
            if let problem = client.problem { problems.append("wrong reply: \(problem)") }
            let range = client.acknowledged...client.sent
            var kept = 0
            while data[0, "\(client.name):\(kept + 1)"] != nil { kept += 1 }
            for index in 1...max(kept, 1) where kept > 0 {
                let expected = "value \(index) of \(client.name)"
                if data[0, "\(client.name):\(index)"] != Array(expected.utf8) {
                    problems.append("\(client.name):\(index) has another value")
                }
            }
            let count = number("\(client.name):count")
            let (left, right) = (number("\(client.name):left"), number("\(client.name):right"))
            if !range.contains(kept) { problems.append("\(client.name): \(kept) keys of \(range)") }
            if !range.contains(count) {
                problems.append("\(client.name): count \(count) of \(range)")
            }
            if !range.contains(left) { problems.append("\(client.name): pair \(left) of \(range)") }
            if left != right { problems.append("\(client.name): torn, \(left) and \(right)") }
            // One client's writes are a prefix of what it sent.
            if !(left...left + 1).contains(count) || !(count...count + 1).contains(kept) {
                problems.append("\(client.name): \(kept), \(count), \(left) are no prefix")
            }
            countSum += count
            keyCount += kept + (count > 0 ? 1 : 0) + (left > 0 ? 2 : 0)
        }
        let count = number("count")
        if !(countSum - clients.count...countSum).contains(count) {
            problems.append("the common count is \(count), the others' sum \(countSum)")
        }
        if data.keyCount != keyCount && data.keyCount > 0 {
            problems.append("\(data.keyCount) keys where there should be \(keyCount)")
        }
        try complete(connection, number)
        return problems
    }

    /// Does the rest of a round that was kept in part, so that the next one begins even.
    private func complete(_ connection: RESPConnection, _ number: (String) -> Int) throws {
        var sum = 0
        for client in clients {
            var last = number("\(client.name):left")
            if number("\(client.name):count") > last { last += 1 }
            let next = try connection.command("EXISTS", "\(client.name):\(last + 1)")
            if next == .integer(1) { last += 1 }
            client.sent = last
            client.acknowledged = last
            sum += last
            if last == 0 { continue }
            for words in [
                ["SET", "\(client.name):\(last)", "value \(last) of \(client.name)"],
                ["SET", "\(client.name):count", String(last)],
                [
                    "MSET", "\(client.name):left", String(last), "\(client.name):right",
                    String(last),
                ],
            ] { _ = try connection.command(words) }
        }
        if sum > 0 { try connection.command("SET", "count", String(sum)) }
    }
}
