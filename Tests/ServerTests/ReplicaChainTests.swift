import Foundation
import HoldfastPlatform
import Synchronization
import TestSupport
import Testing

/// A primary, a replica and a replica of that, all ours: whoever is killed, nobody needs all data again.
@Suite("a chain of three", .serialized)
struct ReplicaChainTests {
    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    @Test("killed at random under load, each goes on where its log ends")
    func kills() throws {
        let seed = TestSeed.next("a chain that is killed")
        var random = PRNG(seed: seed)
        let first = try ServerProcess([
            "--repl-diskless-sync-delay", "0", "--wal-segment-size", "64kb",
        ])
        let one = try first.connect()
        try one.command("DEBUG", "POPULATE", "500", "old", "50")
        let second = try ServerProcess([
            "--replicaof", "127.0.0.1 \(first.port)", "--repl-diskless-sync-delay", "0",
        ])
        try second.connect().waitForLink()
        let third = try ServerProcess([
            "--replicaof", "127.0.0.1 \(second.port)", "--wal-segment-size", "64kb",
        ])
        try third.connect().waitForLink()
        let servers = [first, second, third]
        var written = 0
        for round in 0..<8 {
            let victims = servers.filter { _ in random.oneIn(2) }
            let connection = try first.connect()
            for _ in 0..<random.within(1...20) {
                _ = try connection.pipeline(
                    (0..<50).map { ["RPUSH", "l\($0 % 7)", "\(round) \($0)"] })
                written += 50
            }
            for server in victims { server.kill() }
            for server in victims { try server.start() }
        }
        let connections = try servers.map { try $0.connect() }
        try connections[1].waitToCatchUp(with: connections[0])
        try connections[2].waitToCatchUp(with: connections[1])
        let expected = try digest(connections[0])
        for connection in connections {
            try #expect(digest(connection) == expected, "seed \(seed)")
        }
        var total: Int64 = 0
        for index in 0..<7 {
            total += try connections[2].command("LLEN", "l\(index)").integer ?? 0
        }
        #expect(total == written)
        for server in servers.dropFirst() {
            let count = server.log.components(separatedBy: "Full resync from master").count - 1
            #expect(count == 1, "seed \(seed)\n\(server.log)")
        }
    }

    @Test("counting a HyperLogLog at a replica keeps no estimate there, as its primary has none")
    func counting() throws {
        let first = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let second = try ServerProcess(["--replicaof", "127.0.0.1 \(first.port)"])
        let (one, two) = (try first.connect(), try second.connect())
        try two.waitToCatchUp(with: one)
        try one.command("PFADD", "sparse", "a", "b", "c")
        try one.command("PFADD", "dense", "a", "b")
        try one.command("PFDEBUG", "TODENSE", "dense")
        try two.waitToCatchUp(with: one)
        for key in ["sparse", "dense"] {
            let count = try two.command("PFCOUNT", key)
            try #expect(digest(two) == digest(one))
            // Where it is primary it is kept, and that is told.
            try #expect(one.command("PFCOUNT", key) == count)
            try two.waitToCatchUp(with: one)
            try #expect(digest(two) == digest(one))
        }
    }

    private final class Gate: Sendable {
        private let state = Mutex(false)
        var isClosed: Bool { state.withLock { $0 } }
        func setClosed(_ isClosed: Bool) { state.withLock { $0 = isClosed } }
    }

    @Test("a replica that comes to a sibling which is behind it waits until that has caught up")
    func laggingSibling() throws {
        let first = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let one = try first.connect()
        try one.command("SET", "a", "1")
        let port = first.port
        let gate = Gate()
        let slow = try LoopbackListener { connection in
            connection.relay(to: port) { _ in
                while gate.isClosed { usleep(1_000) }
            }
        }
        let second = try ServerProcess(["--replicaof", "127.0.0.1 \(slow.port)"])
        let third = try ServerProcess(["--replicaof", "127.0.0.1 \(port)"])
        let (two, three) = (try second.connect(), try third.connect())
        try two.waitToCatchUp(with: one)
        try three.waitToCatchUp(with: one)
        gate.setClosed(true)
        defer { gate.setClosed(false) }
        try one.command("SET", "a", "2")
        try three.waitToCatchUp(with: one)
        try three.command("REPLICAOF", "127.0.0.1", "\(second.port)")
        try three.waitFor("a refusal") {
            third.log.contains("NOMASTERLINK Can't SYNC while behind")
        }
        try #expect(three.command("GET", "a") == .bulk("2"))
        gate.setClosed(false)
        try three.waitToCatchUp(with: one)
        try #expect(three.command("ROLE").items?[2] == .integer(Int64(second.port)))
        try #expect(two.info("sync_full") == "0", "\(second.log)")
        try #expect(one.info("sync_full") == "2")
    }

    @Test("one that was away across its primary's restart knows where the new history began")
    func forks() throws {
        let first = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let follows = ["--replicaof", "127.0.0.1 \(first.port)"]
        let second = try ServerProcess(follows)
        let third = try ServerProcess(follows)
        try first.connect().command("SET", "a", "1")
        for server in [second, third] { try server.connect().waitToCatchUp(with: first.connect()) }
        second.kill()
        try first.connect().command("SET", "only the third has got", "1")
        try third.connect().waitToCatchUp(with: first.connect())
        third.kill()
        first.kill()
        try first.start()
        try first.connect().command("SET", "of the new history", "1")
        try second.start()
        let two = try second.connect()
        try two.waitToCatchUp(with: first.connect())
        first.kill()
        try two.command("REPLICAOF", "NO", "ONE")
        try two.command("SET", "b", "1")
        try third.start()
        let three = try third.connect()
        try three.command("REPLICAOF", "127.0.0.1", "\(second.port)")
        try three.waitToCatchUp(with: two)
        try #expect(digest(three) == digest(two))
        try #expect(two.info("sync_full") == "0", "\(second.log)")
    }

    @Test(
        "a history without a record and a rewrite in it don't make a primary forget the one before")
    func rewrittenAtOnce() throws {
        let first = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let second = try ServerProcess(["--replicaof", "127.0.0.1 \(first.port)"])
        try first.connect().command("SET", "a", "1")
        try second.connect().waitToCatchUp(with: first.connect())
        second.kill()
        first.kill()
        try first.start()
        let again = try first.connect()
        try #expect(again.command("BGREWRITEAOF") != .null)
        try again.waitUntilSaved()
        first.kill()
        try first.start()
        let one = try first.connect()
        try one.command("SET", "b", "1")
        try second.start()
        try second.connect().waitToCatchUp(with: one)
        try #expect(one.info("sync_full") == "0", "\(first.log)")
    }

    @Test("a full resync in the middle of the chain reaches its end")
    func newData() throws {
        let first = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let second = try ServerProcess([
            "--replicaof", "127.0.0.1 \(first.port)", "--repl-diskless-sync-delay", "0",
        ])
        let third = try ServerProcess(["--replicaof", "127.0.0.1 \(second.port)"])
        let other = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let (two, three, four) = (
            try second.connect(), try third.connect(), try other.connect()
        )
        try first.connect().command("SET", "from", "first")
        try two.waitToCatchUp(with: try first.connect())
        try three.waitToCatchUp(with: two)
        try #expect(three.command("GET", "from") == .bulk("first"))
        try four.command("SET", "from", "other")
        try two.command("REPLICAOF", "127.0.0.1", "\(other.port)")
        try two.waitToCatchUp(with: four)
        try three.waitFor("the new data") { try three.command("GET", "from") == .bulk("other") }
        try four.command("SET", "more", "1")
        try three.waitFor("the stream") { try three.command("GET", "more") == .bulk("1") }
        try #expect(digest(three) == digest(four))
    }

    @Test("changed settings of the log, rewrites and saves on a replica leave it a replica")
    func upkeep() throws {
        let first = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let one = try first.connect()
        for index in 0..<100 { try one.command("SET", "k\(index)", "v") }
        let second = try ServerProcess(["--replicaof", "127.0.0.1 \(first.port)"])
        let two = try second.connect()
        try two.waitToCatchUp(with: one)
        try #expect(two.command("BGREWRITEAOF") != .null)
        try two.waitUntilSaved()
        try one.command("SET", "a", "1")
        try #expect(two.command("CONFIG", "SET", "appendonly", "no") == .ok)
        try one.command("SET", "b", "1")
        try two.waitToCatchUp(with: one)
        try #expect(two.command("CONFIG", "SET", "appendonly", "yes") == .ok)
        try one.command("SET", "c", "1")
        try two.waitToCatchUp(with: one)
        try #expect(two.command("BGSAVE") != .null)
        try two.waitUntilSaved()
        second.kill()
        try one.command("SET", "d", "1")
        try second.start()
        let again = try second.connect()
        try again.waitToCatchUp(with: one)
        try #expect(digest(again) == digest(one))
        try #expect(one.info("sync_full") == "1", "\(second.log)")
    }
}
