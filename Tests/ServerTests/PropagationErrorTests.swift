import Foundation
import TestSupport
import Testing

/// `propagation-error-behavior` and `replica-ignore-disk-write-errors`.
@Suite("a stream that can't be followed", .serialized)
struct PropagationErrorTests {
    /// A primary whose stream has a command that fails at the replica.
    private func primary() throws -> LoopbackListener {
        let stock = try StockServer()
        try stock.connect().command("SET", "k", "v")
        try #expect(stock.connect().command("SAVE") == .ok)
        let snapshot = Array(
            try Data(contentsOf: URL(fileURLWithPath: stock.folder.file("dump.rdb"))))
        return try LoopbackListener { connection in
            _ = connection.read(until: "PING")
            connection.write("+PONG\r\n")
            _ = connection.read(until: "holdfast-lz4")
            connection.write("+OK\r\n+OK\r\n")
            _ = connection.read(until: "PSYNC")
            connection.write(
                "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 0\r\n$\(snapshot.count)\r\n")
            connection.write(snapshot)
            _ = connection.read(until: "ACK")
            connection.write(
                "*3\r\n$5\r\nLPUSH\r\n$1\r\nk\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\nl\r\n$1\r\n1\r\n"
            )
            while connection.read() != nil {}
        }
    }

    @Test(
        "a command that fails ends a replica, if that is asked for",
        arguments: ["panic", "panic-on-replicas"])
    func panics(behavior: String) throws {
        let primary = try primary()
        let server = try ServerProcess(["--propagation-error-behavior", behavior])
        try server.connect().command("REPLICAOF", "127.0.0.1", "\(primary.port)")
        #expect(server.waitForEnd() == .exited(1), "\(server.log)")
        #expect(server.log.contains("This replica panicked sending an error to its master"))
        // Nothing of what it was about to apply is in its log.
        primary.stop()
        try server.start()
        try #expect(server.connect().command("MGET", "k", "l") == .array([.bulk("v"), .null]))
    }

    @Test("else it is counted and passed over; a start may refuse a log with it")
    func ignores() throws {
        let primary = try primary()
        let folder = try TemporaryFolder()
        let server = try ServerProcess(folder: folder)
        let connection = try server.connect()
        try connection.command("REPLICAOF", "127.0.0.1", "\(primary.port)")
        try connection.waitFor("the stream") { try connection.command("GET", "l") == .bulk("1") }
        try #expect(connection.info("unexpected_error_replies") == "1")
        server.terminate()
        let strict = try ServerProcess(
            ["--propagation-error-behavior", "panic"], folder: folder, waits: false)
        #expect(strict.waitForEnd() == .exited(1))
        #expect(strict.log.contains("a command that fails: LPUSH k a"), "\(strict.log)")
        let lenient = try ServerProcess(
            ["--propagation-error-behavior", "panic-on-replicas"], folder: folder)
        try #expect(lenient.connect().command("GET", "l") == .bulk("1"))
    }

    @Test(
        "a replica whose disk fails reads no further, or all, as it is told",
        .enabled(if: FaultInjector.obstacle == nil), arguments: ["no", "yes"])
    func failingDisk(ignores: String) throws {
        let primary = try ServerProcess(["--repl-diskless-sync-delay", "0"])
        let one = try primary.connect()
        let replica = try ServerProcess([
            "--replicaof", "127.0.0.1 \(primary.port)", "--max-unsynced-bytes", "1mb",
            "--replica-ignore-disk-write-errors", ignores,
        ])
        let two = try replica.connect()
        try two.waitToCatchUp(with: one)
        let injector = try FaultInjector(
            replica.processIdentifier, "fdatasync:error=EIO", "fsync:error=EIO")
        let value = String(repeating: "v", count: 10_000)
        for round in 0..<20 {
            _ = try one.pipeline((0..<50).map { ["SET", "key:\(round):\($0)", value] })
        }
        let end = try #require(try one.info("master_repl_offset").flatMap { Int($0) })
        if ignores == "yes" {
            try two.waitFor("all of it") {
                try two.info("slave_repl_offset").flatMap { Int($0) } ?? 0 >= end
            }
            try two.waitFor("the failure") { try two.info("aof_last_write_status") == "err" }
            // The next byte makes it say so.
            try one.command("SET", "last", "1")
            try two.waitFor("the line") {
                replica.log.contains("even though it is unable to write to disk")
            }
        } else {
            try two.waitFor("the pause") { try two.info("wal_writers_held") == "1" }
            try #expect(two.info("slave_repl_offset").flatMap { Int($0) } ?? 0 < end)
        }
        injector.end()
        try two.waitToCatchUp(with: one)
        try #expect(two.command("DEBUG", "DIGEST") == one.command("DEBUG", "DIGEST"))
        try #expect(one.info("sync_full") == "1")
    }
}
