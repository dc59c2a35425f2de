import Foundation
import TestSupport
import Testing

/// Full resyncs that are sent the log's base as it is, and then the stream from the files.
@Suite("full resyncs from the log's base", .serialized)
struct BaseResyncTests {
    private func primary(_ arguments: [String] = []) throws -> ServerProcess {
        try ServerProcess(["--repl-diskless-sync-delay", "0", "--save", ""] + arguments)
    }

    private func stock(of port: UInt16) throws -> StockServer {
        try StockServer(["--replicaof", "127.0.0.1 \(port)"], listensOnTCP: true)
    }

    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    private func expectSame(_ one: RESPConnection, _ other: RESPConnection) throws {
        var digests: (Reply, Reply)?
        for _ in 0..<5 {
            try other.waitToCatchUp(with: one)
            // A key may expire between the two looks.
            let found = (try digest(one), try digest(other))
            if found.0 == found.1 { return }
            digests = found
        }
        Issue.record("the data differ: \(String(describing: digests))")
    }

    /// Strings of some 500 bytes that can't be compressed much.
    private func fill(_ connection: RESPConnection, keys: Range<Int>) throws {
        for start in stride(from: keys.lowerBound, to: keys.upperBound, by: 200) {
            _ = try connection.pipeline(
                (start..<min(start + 200, keys.upperBound)).map { index in
                    let value = (0..<28).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36)
                    }
                    return ["SET", "key:\(index)", value.joined()]
                })
        }
    }

    /// Data of all types in three databases, a base of it, and then some more in the database that was selected last.
    private func fill(_ connection: RESPConnection) throws {
        try ValueMakers.fill(connection)
        try fill(connection, keys: 0..<3_000)
        try connection.command("SELECT", "3")
        try connection.command("SET", "gone soon", "1", "PX", "1")
        try connection.command("SELECT", "5")
        try connection.command("RPUSH", "list", "1", "2", "3")
        try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        // No SELECT comes before it.
        try connection.command("RPUSH", "list", "4")
        try connection.command("MULTI")
        try connection.command("INCR", "count")
        try connection.command("INCR", "count")
        try connection.command("EXEC")
    }

    private func baseName(_ server: ServerProcess) throws -> String {
        try #require(
            try FileManager.default.contentsOfDirectory(atPath: server.logFolder).first {
                $0.hasSuffix(".base.rdb")
            })
    }

    /// Writes until it is told to stop; the caller waits for `end`.
    private final class Writer: @unchecked Sendable {
        private let lock = NSLock()
        private var isStopped = false
        private let done = DispatchSemaphore(value: 0)
        private let server: ServerProcess

        init(_ server: ServerProcess) {
            self.server = server
            Thread { self.run() }.start()
        }

        private func run() {
            defer { done.signal() }
            guard let connection = try? server.connect() else { return }
            var number = 0
            while !lock.withLock({ isStopped }) {
                let words = (0..<4).map { ["HSET", "h\($0)", "f\(number)", "\(number)"] }
                guard (try? connection.pipeline(words)) != nil else { return }
                number += 1
                // Not so much that a snapshot would be cheaper.
                usleep(4_000)
            }
        }

        func end() {
            lock.withLock { isStopped = true }
            done.wait()
        }
    }

    @Test("a stock replica gets the base, and the stream goes on in the right database")
    func stockReplica() throws {
        let server = try primary()
        let ours = try server.connect()
        try fill(ours)
        let writer = Writer(server)
        let stock = try stock(of: server.port)
        let other = try stock.connect()
        try other.waitForLink()
        writer.end()
        try expectSame(ours, other)
        try #expect(other.command("SELECT", "5") == .ok)
        try #expect(other.command("LLEN", "list") == .integer(4))
        try #expect(other.command("GET", "count") == .bulk("2"))
        try #expect(ours.resyncs() == ["1", "0", "0"])
        try #expect(ours.info("sync_full_from_base") == "1")
        #expect(!server.log.contains("Starting BGSAVE for SYNC"))
        // It says so each second; from then on the base is taken for good.
        let again = try self.stock(of: server.port)
        try again.connect().waitForLink()
        try #expect(ours.info("sync_full_from_base") == "2", "\(server.log)")
    }

    @Test("a replica of ours gets it in the form that it has", arguments: ["lzf", "lz4"])
    func ownReplica(compression: String) throws {
        let server = try primary(["--aof-base-compression", compression])
        let ours = try server.connect()
        try fill(ours)
        let writer = Writer(server)
        let replica = try ServerProcess(["--replicaof", "127.0.0.1 \(server.port)"])
        var other = try replica.connect()
        try other.waitForLink()
        writer.end()
        try expectSame(ours, other)
        try #expect(ours.info("sync_full_from_base") == "1")
        // A stock one gets a snapshot where it can't read the base.
        let stock = try stock(of: server.port)
        try expectSame(ours, try stock.connect())
        try #expect(ours.info("sync_full_from_base") == (compression == "lz4" ? "1" : "2"))
        // What it was sent is its log now.
        replica.kill()
        try ours.command("SET", "meanwhile", "1")
        try replica.start()
        other = try replica.connect()
        try expectSame(ours, other)
        try #expect(ours.info("sync_full") == "2")
    }

    @Test("after a restart the base is of an earlier history, and replicas go on in the new one")
    func earlierHistory() throws {
        let server = try primary()
        try fill(try server.connect())
        server.kill()
        try server.start()
        let ours = try server.connect()
        try ours.command("SET", "new", "1")
        let proxy = try LinkProxy(to: server.port)
        defer { proxy.stop() }
        let stock = try stock(of: proxy.port)
        let replica = try ServerProcess(["--replicaof", "127.0.0.1 \(proxy.port)"])
        var others = [try stock.connect(), try replica.connect()]
        for other in others { try other.waitForLink() }
        try #expect(ours.info("sync_full_from_base") == "2", "\(server.log)")
        for other in others {
            try expectSame(ours, other)
            try #expect(other.info("master_replid") == ours.info("master_replid"))
        }
        proxy.cut()
        try ours.command("SET", "newer", "1")
        replica.kill()
        try replica.start()
        others[1] = try replica.connect()
        for other in others { try expectSame(ours, other) }
        // As a primary it serves what it was sent.
        server.kill()
        try #expect(others[1].command("REPLICAOF", "NO", "ONE") == .ok)
        try #expect(others[1].command("SET", "own", "1") == .ok)
        let next = try self.stock(of: replica.port)
        try expectSame(others[1], try next.connect())
    }

    @Test("a replica that has just got all data serves its own from the base it was sent")
    func chain() throws {
        let first = try primary()
        let one = try first.connect()
        try one.command("DEBUG", "POPULATE", "3000", "key", "100")
        let second = try primary(["--replicaof", "127.0.0.1 \(first.port)"])
        let two = try second.connect()
        try two.waitToCatchUp(with: one)
        let third = try ServerProcess(["--replicaof", "127.0.0.1 \(second.port)"])
        let stock = try stock(of: second.port)
        try one.command("SET", "more", "1")
        for other in [try third.connect(), try stock.connect()] { try expectSame(one, other) }
        try #expect(one.info("sync_full") == "1")
        try #expect(two.info("sync_full") == "2")
    }

    @Test("a snapshot is sent where it is cheaper: after many writes, and after a FLUSHALL")
    func dearBase() throws {
        let server = try primary(["--aof-base-compression", "no"])
        let ours = try server.connect()
        try ours.command("DEBUG", "POPULATE", "10000", "key", "2000")
        try ours.command("BGREWRITEAOF")
        try ours.waitUntilSaved()
        try ours.command("DEBUG", "POPULATE", "8000", "more", "2000")
        let stock = try stock(of: server.port)
        let other = try stock.connect()
        try other.waitToCatchUp(with: ours)
        try #expect(other.command("DBSIZE") == .integer(18_000))
        try #expect(ours.info("sync_full_from_base") == "0")
        try ours.command("BGREWRITEAOF")
        try ours.waitUntilSaved()
        try ours.command("FLUSHALL")
        try ours.waitFor("the memory") {
            try ours.info("lazyfree_pending_objects") == "0"
                && Int(ours.info("used_memory") ?? "") ?? .max < 16 << 20
        }
        let next = try self.stock(of: server.port)
        try next.connect().waitToCatchUp(with: ours)
        try #expect(ours.info("sync_full_from_base") == "0")
    }

    // MARK: What may happen on the way

    /// Holds a transfer up after some bytes until it is told to go on.
    private final class Gate: @unchecked Sendable {
        private let lock = NSCondition()
        private var count = 0
        private var isOpen = false

        func pass(_ bytes: Int) {
            lock.withLock {
                count += bytes
                while count > 1 << 20, !isOpen { lock.wait() }
            }
        }

        var isReached: Bool { lock.withLock { count > 1 << 20 } }

        func open() {
            lock.withLock {
                isOpen = true
                lock.broadcast()
            }
        }
    }

    /// More than what sockets hold, so that the transfer is at its beginning while the gate is closed.
    private func fillMuch(_ connection: RESPConnection) throws {
        try connection.command("CONFIG", "SET", "aof-base-compression", "no")
        try connection.command("DEBUG", "POPULATE", "1500", "key", "10000")
        try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
    }

    @Test("a rewrite meanwhile takes the base's name, not the base", arguments: [true, false])
    func rewriteMeanwhile(isStock: Bool) throws {
        let server = try primary(["--wal-retain-size", "0", "--wal-segment-size", "64kb"])
        let ours = try server.connect()
        try fillMuch(ours)
        let base = try baseName(server)
        let gate = Gate()
        let port = server.port
        let proxy = try LoopbackListener { $0.relay(to: port) { gate.pass($0) } }
        defer { gate.open() }
        let stock = isStock ? try stock(of: proxy.port) : nil
        let replica =
            isStock ? nil : try ServerProcess(["--replicaof", "127.0.0.1 \(proxy.port)"])
        try ours.waitFor("the transfer") { gate.isReached }
        // What is opened stays, also if its name goes.
        try FileManager.default.removeItem(atPath: "\(server.logFolder)/\(base)")
        if let replica {
            let other = try replica.connect()
            try #expect(other.info("async_loading") == "1")
            try #expect(other.info("loading") == "0")
            let bytes = try #require(try other.info("loading_total_bytes").flatMap { Int($0) })
            #expect(bytes > 1 << 20)
            try #expect(other.info("loading_eta_seconds") != nil)
        }
        for round in 0..<3 {
            _ = try ours.pipeline((0..<500).map { ["SET", "new:\($0)", "\(round)"] })
            try ours.command("BGREWRITEAOF")
            try ours.waitUntilSaved()
        }
        gate.open()
        let other = try stock?.connect() ?? replica?.connect()
        try expectSame(ours, try #require(other))
        try #expect(other?.info("async_loading") == "0")
        try #expect(ours.resyncs() == ["1", "0", "0"], "\(server.log)")
        try #expect(ours.info("sync_full_from_base") == "1")
        // Nobody needs the old segments any more.
        try ours.waitFor("the old segments to go") { try ours.info("wal_retained_bytes") == "0" }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: server.logFolder).count {
                $0.hasSuffix(".incr.aof")
            } == 1)
    }

    @Test(
        "a link that is cut in the middle is made again, and gets a snapshot",
        arguments: [true, false])
    func cutMeanwhile(isStock: Bool) throws {
        let server = try primary()
        let ours = try server.connect()
        try fillMuch(ours)
        let gate = Gate()
        let port = server.port
        let proxy = try LoopbackListener { $0.relay(to: port) { gate.pass($0) } }
        defer { gate.open() }
        let stock = isStock ? try stock(of: proxy.port) : nil
        let replica =
            isStock ? nil : try ServerProcess(["--replicaof", "127.0.0.1 \(proxy.port)"])
        try ours.waitFor("the transfer") { gate.isReached }
        proxy.cut()
        gate.open()
        try expectSame(ours, try #require(try stock?.connect() ?? replica?.connect()))
        try #expect(ours.info("sync_full") == "2")
        try #expect(ours.info("sync_full_from_base") == "0")
        #expect(server.log.contains("has not confirmed the base"))
    }

    @Test(
        "a base that is damaged on disk never leaves whole; a snapshot does, and a rewrite mends it",
        arguments: [(true, 0.0), (true, 0.5), (true, 1.0), (false, 0.5)])
    func damagedBase(isStock: Bool, place: Double) throws {
        let server = try primary()
        let ours = try server.connect()
        try fill(ours)
        let base = try baseName(server)
        let path = "\(server.logFolder)/\(base)"
        let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let size = try handle.seekToEnd()
        let offset = UInt64(Double(size - 1) * place)
        try handle.seek(toOffset: offset)
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data([byte ^ 4]))
        try handle.close()
        let stock = isStock ? try stock(of: server.port) : nil
        let replica =
            isStock ? nil : try ServerProcess(["--replicaof", "127.0.0.1 \(server.port)"])
        try expectSame(ours, try #require(try stock?.connect() ?? replica?.connect()))
        #expect(server.log.contains("The log's base is damaged"))
        try ours.waitFor("another base") { try baseName(server) != base }
        try ours.waitUntilSaved()
        let expected = try digest(ours)
        server.kill()
        try server.start()
        try #expect(digest(try server.connect()) == expected)
    }
}
