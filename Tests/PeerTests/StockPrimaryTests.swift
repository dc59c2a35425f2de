import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// Our server as the replica of a stock one.
@Suite("a replica of a stock primary", .serialized)
struct StockPrimaryTests {
    private static let primaryArguments = ["--repl-diskless-sync-delay", "0"]

    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    private func follow(_ port: UInt16, _ arguments: [String] = []) throws -> ServerProcess {
        try ServerProcess(["--replicaof", "127.0.0.1 \(port)"] + arguments)
    }

    @Test(
        "it takes all there is, of every type, and keeps it over a restart",
        arguments: [["--repl-diskless-sync", "yes"], ["--repl-diskless-sync", "no"]],
        [["--appendonly", "yes"], ["--appendonly", "no", "--save", ""]])
    func fullResync(stockArguments: [String], arguments: [String]) throws {
        let stock = try StockServer(Self.primaryArguments + stockArguments, listensOnTCP: true)
        let primary = try stock.connect()
        try ValueMakers.fill(primary)
        let server = try follow(stock.port, arguments)
        var replica = try server.connect()
        try replica.waitToCatchUp(with: primary)
        #expect(try digest(replica) == digest(primary), "\(server.log)")
        #expect(try primary.resyncs() == ["1", "0", "0"])
        #expect(try primary.command("SET", "more", "1") == .ok)
        #expect(try primary.command("WAIT", "1", "5000") == .integer(1))
        #expect(try digest(replica) == digest(primary))
        guard arguments.contains("yes") else { return }

        server.kill()
        #expect(try primary.command("SET", "meanwhile", "2") == .ok)
        try server.start()
        replica = try server.connect()
        try replica.waitToCatchUp(with: primary)
        #expect(try digest(replica) == digest(primary), "\(server.log)")
        #expect(try primary.resyncs() == ["1", "1", "0"])
        // As a primary of its own it has the same.
        #expect(try replica.command("REPLICAOF", "NO", "ONE") == .ok)
        #expect(try digest(replica) == digest(primary))
        #expect(try replica.command("SET", "own", "1") == .ok)
        #expect(server.terminate() == .exited(0))
    }

    @Test(
        "what the primary does while it loads and afterwards is done here, whatever cuts the link")
    func streamWithCuts() throws {
        let seed = TestSeed.next("a stream with cuts")
        var random = PRNG(seed: seed)
        let stock = try StockServer(
            Self.primaryArguments + ["--repl-backlog-size", "64mb"], listensOnTCP: true)
        let primary = try stock.connect()
        let port = stock.port
        let proxy = try LoopbackListener { $0.relay(to: port) }
        let server = try follow(proxy.port)
        let replica = try server.connect()
        var generator = AllTypesGenerator(seed: seed)
        let databases = 3
        try replica.waitForLink()
        for _ in 0..<12 {
            for _ in 0..<10 {
                try primary.command("SELECT", "\(random.below(databases))")
                var commands: [[[UInt8]]] = []
                while commands.count < 30 {
                    let words = generator.command()
                    if !Self.mayWait(words) { commands += Self.oneByOne(words) }
                }
                if random.oneIn(3) {
                    commands = [[Array("MULTI".utf8)]] + commands + [[Array("EXEC".utf8)]]
                }
                _ = try primary.pipeline(commands)
            }
            proxy.cut()
        }
        try replica.waitToCatchUp(with: primary)
        let resyncs = try primary.resyncs()
        #expect(resyncs[0] == "1" && resyncs[2] == "0", "\(resyncs) \(server.log)")
        #expect(Int(resyncs[1]) ?? 0 > 0)
        let failures = server.log.split(separator: "\n").filter { $0.contains("CRITICAL") }
        #expect(failures.isEmpty, "seed \(seed): \(failures)")
        // Keys expire between the two digests.
        try replica.waitFor("the same data, seed \(seed)") {
            try digest(replica) == digest(primary)
        }

        // The log says the same.
        server.kill()
        stock.stop()
        try server.start()
        let again = try server.connect()
        #expect(try again.info("master_link_status") == "down")
        #expect(try again.command("DBSIZE").integer != nil)
    }

    /// A PFADD that fails half-way has changed the value at a stock primary, and no replica hears of it; one that adds a
    /// single element can't.
    private static func oneByOne(_ words: [[UInt8]]) -> [[[UInt8]]] {
        guard String(decoding: words[0], as: UTF8.self).lowercased() == "pfadd", words.count > 3
        else { return [words] }
        return words.dropFirst(2).map { [words[0], words[1], $0] }
    }

    @Test("of a PFADD that failed half-way at its primary it has what a stock replica has: nothing")
    func halfAnAddition() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let sibling = try StockServer(["--replicaof", "127.0.0.1 \(stock.port)"])
        let server = try follow(stock.port)
        let (primary, other, ours) = (
            try stock.connect(), try sibling.connect(), try server.connect()
        )
        try other.waitForLink()
        try ours.waitForLink()
        // Runs for half of the registers: some elements can be added.
        let broken = Array("HYLL".utf8) + [1] + [UInt8](repeating: 0, count: 11) + [0x5F, 0x7F]
        try #expect(primary.command([Array("SET".utf8), Array("h".utf8), broken]) == .ok)
        let words = ["PFADD", "h"] + (0..<50).map { "e\($0)" }
        try #expect(
            primary.command(words) == .error("INVALIDOBJ Corrupted HLL object detected"))
        try primary.command("SET", "after", "it")
        try #expect(primary.command("WAIT", "2", "10000") == .integer(2))
        try #expect(primary.command("GET", "h") != .bulk(broken))
        try #expect(other.command("GET", "h") == .bulk(broken))
        try #expect(ours.command("GET", "h") == .bulk(broken))
    }

    private static func mayWait(_ words: [[UInt8]]) -> Bool {
        let text = words.map { String(decoding: $0, as: UTF8.self).lowercased() }
        return ["bl", "br", "bz", "wait"].contains { text[0].hasPrefix($0) }
            || text.contains("block")
    }

    @Test("killed again and again under load it goes on where its log ends")
    func kills() throws {
        let seed = TestSeed.next("a replica that is killed")
        var random = PRNG(seed: seed)
        let stock = try StockServer(
            Self.primaryArguments + ["--repl-backlog-size", "64mb"], listensOnTCP: true)
        let primary = try stock.connect()
        let server = try follow(stock.port, ["--wal-segment-size", "64kb"])
        var replica = try server.connect()
        try replica.waitForLink()
        for round in 0..<5 {
            let end = random.within(500...3_000)
            for start in stride(from: 0, to: end, by: 50) {
                _ = try primary.pipeline(
                    (start..<start + 50).map { ["INCRBY", "n\($0 % 97)", "\(round + $0)"] })
            }
            server.kill()
            _ = try primary.pipeline((0..<100).map { ["RPUSH", "l\(round)", "\($0)"] })
            try server.start()
            replica = try server.connect()
        }
        try replica.waitToCatchUp(with: primary)
        #expect(try digest(replica) == digest(primary), "seed \(seed)")
        #expect(try primary.resyncs() == ["1", "5", "0"], "seed \(seed)\n\(server.log)")
    }

    @Test("promoted and sent back it takes the primary's data again, and nothing of its own stays")
    func thereAndBack() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let primary = try stock.connect()
        try primary.command("SET", "k", "v")
        let server = try follow(stock.port)
        let replica = try server.connect()
        try replica.waitToCatchUp(with: primary)
        let id = try primary.info("master_replid")
        #expect(
            try replica.command("SET", "a", "b")
                == .error("READONLY You can't write against a read only replica."))
        #expect(
            try replica.command("REPLICAOF", "127.0.0.1", "\(stock.port)")
                == .simple("OK Already connected to specified master"))
        #expect(try replica.command("REPLICAOF", "no", "one") == .ok)
        #expect(try replica.info("role") == "master")
        #expect(try replica.info("master_replid2") == id)
        #expect(try replica.info("master_replid") != id)
        #expect(try replica.command("SET", "a", "b") == .ok)
        #expect(try replica.command("REPLICAOF", "127.0.0.1", "\(stock.port)") == .ok)
        try replica.waitToCatchUp(with: primary)
        #expect(try digest(replica) == digest(primary))
        #expect(try replica.command("EXISTS", "a", "k") == .integer(1))
        // Nothing was written this time: the stream goes on.
        let full = try primary.info("sync_full")
        #expect(try replica.command("REPLICAOF", "no", "one") == .ok)
        try primary.command("SET", "k2", "v")
        #expect(try replica.command("SLAVEOF", "127.0.0.1", "\(stock.port)") == .ok)
        try replica.waitToCatchUp(with: primary)
        #expect(try primary.info("sync_full") == full)
        #expect(try replica.command("GET", "k2") == .bulk("v"))
    }

    @Test("an expired key is absent here and stays until the primary deletes it")
    func expiry() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let primary = try stock.connect()
        let server = try follow(stock.port)
        let replica = try server.connect()
        try replica.waitToCatchUp(with: primary)
        try primary.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        try primary.command("SET", "k", "v", "PX", "30")
        try primary.command("RPUSH", "l", "a")
        try primary.command("PEXPIRE", "l", "30")
        try replica.waitToCatchUp(with: primary)
        try replica.waitFor("the deadline") { try replica.command("GET", "k") == .null }
        try replica.waitFor("the deadline") { try replica.command("EXISTS", "l") == .integer(0) }
        #expect(try replica.command("DBSIZE") == .integer(2))
        #expect(try replica.command("TTL", "k") == .integer(-2))
        #expect(try replica.command("KEYS", "*") == .array([]))
        // A look of the primary's client deletes it there, and so here.
        #expect(try primary.command("GET", "k") == .null)
        try replica.waitFor("the deletion") { try replica.command("DBSIZE") == .integer(1) }
        #expect(try primary.command("RPUSH", "l", "b") == .integer(1))
        try replica.waitToCatchUp(with: primary)
        #expect(try replica.command("LRANGE", "l", "0", "-1") == .array([.bulk("b")]))
    }

    @Test("who listens here hears of what the primary does")
    func listeners() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let primary = try stock.connect()
        let server = try follow(stock.port, ["--notify-keyspace-events", "KEA"])
        let replica = try server.connect()
        try replica.waitToCatchUp(with: primary)
        let subscriber = try server.connect()
        #expect(try subscriber.command("PSUBSCRIBE", "*") != .null)
        let waiter = try server.connect()
        try waiter.send("XREAD BLOCK 0 STREAMS s $\r\n")
        let cache = try server.connect(version: 3)
        try cache.command("CLIENT", "TRACKING", "on")
        try cache.command("GET", "k")
        let monitor = try server.connect()
        #expect(try monitor.command("MONITOR") == .ok)
        let watcher = try server.connect()
        try watcher.command("WATCH", "k")

        try primary.command("PUBLISH", "ch", "hello")
        #expect(
            try subscriber.receive()
                == .array([.bulk("pmessage"), .bulk("*"), .bulk("ch"), .bulk("hello")]))
        try primary.command("SET", "k", "v")
        #expect(try subscriber.receive().items?.last == .bulk("set"))
        #expect(try cache.receive() == .push([.bulk("invalidate"), .array([.bulk("k")])]))
        try primary.command("XADD", "s", "1-1", "f", "v")
        #expect(try waiter.receive().items?.count == 1)
        var lines = ""
        while !lines.contains("xadd") && !lines.contains("XADD") {
            lines += try monitor.receive().text ?? ""
        }
        #expect(lines.contains("\"SET\" \"k\" \"v\"") && lines.contains("127.0.0.1:\(stock.port)"))
        try watcher.command("MULTI")
        try watcher.command("GET", "k")
        #expect(try watcher.command("EXEC") == .nullArray)
    }

    @Test("stale data is served or not, as it is configured, and writes may be let in")
    func settings() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let primary = try stock.connect()
        try primary.command("CONFIG", "SET", "requirepass", "secret")
        let server = try follow(stock.port)
        let replica = try server.connect()
        try replica.command("CONFIG", "SET", "replica-serve-stale-data", "no")
        try replica.waitFor("a refusal of the password") {
            server.log.contains("NOAUTH")
        }
        #expect(
            try replica.command("GET", "k")
                == .error(
                    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
                ))
        try replica.command("CONFIG", "SET", "masterauth", "wrong")
        try replica.waitFor("a refusal of the password") { server.log.contains("Unable to AUTH") }
        try replica.command("CONFIG", "SET", "masterauth", "secret")
        try replica.waitToCatchUp(with: primary)
        #expect(try replica.command("GET", "k") == .null)
        #expect(try replica.command("CONFIG", "SET", "replica-read-only", "no") == .ok)
        #expect(try replica.command("SET", "local", "1") == .ok)
        #expect(try primary.command("SET", "k", "v") == .ok)
        try replica.waitToCatchUp(with: primary)
        #expect(try replica.command("MGET", "local", "k") == .array([.bulk("1"), .bulk("v")]))
        #expect(try replica.command("CONFIG", "SET", "replica-read-only", "yes") == .ok)
        #expect(try replica.command("MULTI") == .ok)
        #expect(try replica.command("SET", "a", "b").isError)
        #expect(try replica.command("EXEC").isError)
    }

    @Test("a primary that falls silent is given up, and gone on with when it speaks again")
    func silence() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let primary = try stock.connect()
        try primary.command("SET", "k", "v")
        let server = try follow(stock.port, ["--repl-timeout", "1"])
        let replica = try server.connect()
        try replica.waitToCatchUp(with: primary)
        kill(stock.processIdentifier, SIGSTOP)
        defer { kill(stock.processIdentifier, SIGCONT) }
        try replica.waitFor("the end of patience") {
            server.log.contains("MASTER timeout") && server.log.contains("PING")
        }
        #expect(try replica.command("GET", "k") == .bulk("v"))
        kill(stock.processIdentifier, SIGCONT)
        try primary.command("CONFIG", "SET", "repl-ping-replica-period", "1")
        try replica.command("CONFIG", "SET", "repl-timeout", "60")
        try primary.command("SET", "k", "w")
        try replica.waitToCatchUp(with: primary)
        #expect(try replica.command("GET", "k") == .bulk("w"))
        #expect(try primary.info("sync_full") == "1", "\(server.log)")
    }

    @Test("a primary without PSYNC is followed by SYNC")
    func oldPrimary() throws {
        let stock = try StockServer(
            Self.primaryArguments + ["--rename-command", "PSYNC", ""], listensOnTCP: true)
        let primary = try stock.connect()
        try ValueMakers.fill(primary)
        let server = try follow(stock.port)
        let replica = try server.connect()
        try replica.waitForLink()
        try primary.command("SET", "k", "v")
        try replica.waitFor("the stream") { try replica.command("GET", "k") == .bulk("v") }
        #expect(try digest(replica) == digest(primary))
    }

    @Test("what Sentinel sends makes it a primary, and its file says so")
    func sentinelsWords() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let primary = try stock.connect()
        let folder = try TemporaryFolder()
        let file = folder.file("server.conf")
        try "replicaof 127.0.0.1 \(stock.port)\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        let server = try ServerProcess(["--appendonly", "yes"], folder: folder, file: file)
        let sentinel = try server.connect()
        let client = try server.connect()
        try sentinel.waitToCatchUp(with: primary)
        let replies = try sentinel.pipeline([
            ["MULTI"], ["SLAVEOF", "NO", "ONE"], ["CONFIG", "REWRITE"],
            ["CLIENT", "KILL", "TYPE", "normal"], ["EXEC"],
        ])
        #expect(replies.last == .array([.ok, .ok, .integer(1)]))
        #expect(client.isClosed(within: 5))
        #expect(try sentinel.info("role") == "master")
        #expect(try !String(contentsOfFile: file, encoding: .utf8).contains("replicaof"))
        _ = try sentinel.pipeline([
            ["MULTI"], ["SLAVEOF", "127.0.0.1", "\(stock.port)"], ["CONFIG", "REWRITE"], ["EXEC"],
        ])
        try sentinel.waitToCatchUp(with: primary)
        #expect(
            try String(contentsOfFile: file, encoding: .utf8)
                .contains("replicaof 127.0.0.1 \(stock.port)"))
    }

    @Test("an empty primary that nobody knows doesn't empty it, unless told to")
    func emptyPrimary() throws {
        let stock = try StockServer(Self.primaryArguments, listensOnTCP: true)
        let server = try ServerProcess()
        let replica = try server.connect()
        try replica.command("SET", "k", "v")
        try replica.command("REPLICAOF", "127.0.0.1", "\(stock.port)")
        try replica.waitFor("a refusal") { server.log.contains("Full resync refused") }
        #expect(try replica.command("GET", "k") == .bulk("v"))
        server.kill()
        try server.start()
        let again = try server.connect()
        #expect(try again.command("GET", "k") == .bulk("v"))
        try again.command("CONFIG", "SET", "replica-allow-empty-full-sync", "yes")
        try again.command("REPLICAOF", "127.0.0.1", "\(stock.port)")
        try again.waitForLink()
        #expect(try again.command("DBSIZE") == .integer(0))
        // Known by now, it may be empty.
        let primary = try stock.connect()
        try primary.command("SET", "a", "b")
        try again.command("CONFIG", "SET", "replica-allow-empty-full-sync", "no")
        try again.waitToCatchUp(with: primary)
        try primary.command("FLUSHALL")
        try again.waitToCatchUp(with: primary)
        #expect(try again.command("DBSIZE") == .integer(0))
    }
}

extension Reply {
    fileprivate var isError: Bool {
        if case .error = self { return true }
        return false
    }
}
