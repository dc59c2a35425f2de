import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// A replica that dies or whose disk fails while new data takes the place of the old: one or the other is there, whole.
@Suite("full resyncs that are interrupted", .serialized)
struct FullResyncCrashTests {
    /// A stock primary with data, and a server with other data, ready to be copied.
    private final class Stage {
        let stock: StockServer
        let pristine: TemporaryFolder
        let old: Reply
        let new: Reply

        init() throws {
            stock = try StockServer(["--repl-diskless-sync-delay", "0"], listensOnTCP: true)
            let primary = try stock.connect()
            try primary.command("DEBUG", "POPULATE", "3000", "new", "100")
            try primary.command("ZADD", "z", "1", "a")
            new = try primary.command("DEBUG", "DIGEST")
            pristine = try TemporaryFolder()
            let server = try ServerProcess([], folder: pristine)
            let connection = try server.connect()
            for index in 0..<300 { try connection.command("SET", "old\(index)", "value") }
            try connection.command("BGREWRITEAOF")
            try connection.waitUntilSaved()
            try connection.command("RPUSH", "l", "1", "2")
            old = try connection.command("DEBUG", "DIGEST")
            _ = server.terminate()
        }

        func copy() throws -> TemporaryFolder {
            let folder = try TemporaryFolder()
            try FileManager.default.copyItem(
                atPath: pristine.file("appendonlydir"), toPath: folder.file("appendonlydir"))
            return folder
        }
    }

    private func digest(_ connection: RESPConnection) throws -> Reply {
        try connection.command("DEBUG", "DIGEST")
    }

    @Test("killed at any moment, a start finds the old data or the new")
    func kills() throws {
        let seed = TestSeed.next("kills during a full resync")
        var random = PRNG(seed: seed)
        let stage = try Stage()
        var outcomes = [0, 0]
        for _ in 0..<12 {
            let server = try ServerProcess(["--appendfsync", "always"], folder: try stage.copy())
            let connection = try server.connect()
            try connection.command("REPLICAOF", "127.0.0.1", "\(stage.stock.port)")
            // A moment somewhere in a resync of about that length.
            usleep(UInt32(random.within(0...400_000)))
            server.kill()
            try server.start()
            let found = try digest(try server.connect())
            #expect(found == stage.old || found == stage.new, "seed \(seed)\n\(server.log)")
            outcomes[found == stage.new ? 1 : 0] += 1
        }
        print("old data after \(outcomes[0]) kills, new data after \(outcomes[1])")
    }

    @Test(
        "killed before any of its calls to the disk, too",
        .enabled(if: FaultInjector.obstacle == nil),
        arguments: ["rename", "fsync", "unlink"])
    func killsAtCalls(call: String) throws {
        let stage = try Stage()
        for number in 1...5 {
            let server = try ServerProcess(["--appendfsync", "always"], folder: try stage.copy())
            let connection = try server.connect()
            let injector = try FaultInjector(
                server.processIdentifier, "\(call):signal=KILL:when=\(number)")
            try connection.command("REPLICAOF", "127.0.0.1", "\(stage.stock.port)")
            var isWhole = false
            try? connection.waitFor("the link or the end") {
                isWhole = try connection.info("master_link_status") == "up"
                return isWhole || !server.isRunning
            }
            injector.end()
            server.kill()
            try server.start()
            let found = try digest(try server.connect())
            #expect(
                found == stage.new || (found == stage.old && !isWhole),
                "\(call) \(number)\n\(server.log)")
            if isWhole { return }
        }
    }

    @Test(
        "a call that fails leaves the old data in service, and the next attempt succeeds",
        .enabled(if: FaultInjector.obstacle == nil),
        arguments: ["rename", "fsync", "fdatasync"])
    func faults(call: String) throws {
        let stage = try Stage()
        for number in 1...3 {
            let server = try ServerProcess(["--appendfsync", "everysec"], folder: try stage.copy())
            let connection = try server.connect()
            let injector = try FaultInjector(
                server.processIdentifier, "\(call):error=EIO:when=\(number)")
            try connection.command("REPLICAOF", "127.0.0.1", "\(stage.stock.port)")
            try connection.waitFor("the fault or the link") {
                try injector.faultCount > 0
                    || connection.info("master_link_status") == "up"
            }
            let count = injector.faultCount
            injector.end()
            #expect([stage.old, stage.new].contains(try digest(connection)))
            try connection.waitForLink()
            #expect(try digest(connection) == stage.new, "\(call) \(number)\n\(server.log)")
            server.kill()
            try server.start()
            #expect(
                try digest(try server.connect()) == stage.new, "\(call) \(number)\n\(server.log)")
            if count == 0 { return }
        }
    }

    @Test(
        "what has arrived is read back from the disk before it counts",
        .enabled(if: FaultInjector.obstacle == nil))
    func readBack() throws {
        let stage = try Stage()
        let server = try ServerProcess([], folder: try stage.copy())
        let connection = try server.connect()
        let injector = try FaultInjector(server.processIdentifier, "pread64:error=EIO:when=1")
        try connection.command("REPLICAOF", "127.0.0.1", "\(stage.stock.port)")
        try connection.waitFor("a failure") { server.log.contains("sync failed: pread") }
        injector.end()
        #expect([stage.old, stage.new].contains(try digest(connection)))
        try connection.waitForLink()
        #expect(try digest(connection) == stage.new)
    }

    @Test(
        "when neither the new log nor the old one can be written, reads are served and no write is taken",
        .enabled(if: FaultInjector.obstacle == nil), arguments: [true, false])
    func lostLog(mendsByRewrite: Bool) throws {
        let stage = try Stage()
        let server = try ServerProcess([], folder: try stage.copy())
        let connection = try server.connect()
        let injector = try FaultInjector(server.processIdentifier, "rename:error=EIO")
        try connection.command("REPLICAOF", "127.0.0.1", "\(stage.stock.port)")
        try connection.waitFor("the loss") { server.log.contains("can't be gone on with") }
        #expect(try digest(connection) == stage.old)
        // As Sentinel would: it has the data, but nothing that it takes would be safe.
        try #expect(connection.command("REPLICAOF", "NO", "ONE") == .ok)
        let refused = try connection.command("SET", "k", "v")
        #expect(refused.isError && refused.text?.hasPrefix("MISCONF") == true, "\(refused)")
        try #expect(connection.command("EXISTS", "k") == .integer(0))
        injector.end()
        try #expect(connection.command("SET", "k", "v").isError)
        if mendsByRewrite {
            try connection.command("BGREWRITEAOF")
            try connection.waitUntilSaved()
        } else {
            try #expect(connection.command("CONFIG", "SET", "appendonly", "no") == .ok)
            try #expect(connection.command("CONFIG", "SET", "appendonly", "yes") == .ok)
        }
        try #expect(connection.command("SET", "k", "v") == .ok)
        let expected = try digest(connection)
        server.kill()
        try server.start()
        #expect(try digest(try server.connect()) == expected, "\(server.log)")
    }

    @Test(
        "a replica that has lost its log gets it back by a full resync",
        .enabled(if: FaultInjector.obstacle == nil))
    func lostLogOfReplica() throws {
        let stage = try Stage()
        let server = try ServerProcess([], folder: try stage.copy())
        let connection = try server.connect()
        let injector = try FaultInjector(server.processIdentifier, "rename:error=EIO")
        try connection.command("REPLICAOF", "127.0.0.1", "\(stage.stock.port)")
        try connection.waitFor("the loss") { server.log.contains("can't be gone on with") }
        injector.end()
        try connection.waitForLink()
        #expect(try digest(connection) == stage.new)
        try #expect(connection.info("aof_enabled") == "1")
        server.kill()
        try server.start()
        #expect(try digest(try server.connect()) == stage.new, "\(server.log)")
    }
}
