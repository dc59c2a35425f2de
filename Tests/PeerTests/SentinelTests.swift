import Foundation
import TestSupport
import Testing

/// redis-sentinel beside our server.
@Suite("sentinel", .serialized)
struct SentinelTests {
    /// One sentinel, as a process of its own.
    private final class Sentinel {
        let folder: TemporaryFolder
        let port: UInt16
        let process: Subprocess

        init(monitoring primary: UInt16) throws {
            folder = try TemporaryFolder()
            port = try FreePort.find()
            let file = folder.file("sentinel.conf")
            let text = """
                port \(port)
                bind 127.0.0.1
                dir \(folder.path)
                sentinel monitor ours 127.0.0.1 \(primary) 2
                sentinel down-after-milliseconds ours 1000
                sentinel failover-timeout ours 10000

                """
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            process = try Subprocess(["redis-server", file, "--sentinel"])
        }

        func connect() throws -> RESPConnection {
            let start = Date()
            while true {
                if let connection = try? RESPConnection(.tcp("127.0.0.1", port)) {
                    return connection
                }
                guard Date().timeIntervalSince(start) < 20 else {
                    throw Subprocess.Failed(description: process.output)
                }
                // Polls a process that is starting; there is nothing to be woken by.
                usleep(5_000)
            }
        }
    }

    private func field(_ connection: RESPConnection, _ name: String) throws -> String? {
        let items = try connection.command("SENTINEL", "MASTER", "ours").items ?? []
        let index = items.firstIndex { $0.text == name }
        return index.flatMap { $0 + 1 < items.count ? items[$0 + 1].text : nil }
    }

    @Test(
        "sentinels find each other and the replica through our primary, and replace it when it is killed"
    )
    func failover() throws {
        let server = try ServerProcess([
            "--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0",
        ])
        let stock = try StockServer(
            ["--replicaof", "127.0.0.1 \(server.port)"], listensOnTCP: true)
        let replica = try stock.connect()
        try replica.waitForLink()
        let ours = try server.connect()
        try ours.command("SET", "confirmed", "by wait")
        try #expect(ours.command("WAIT", "1", "10000").integer == 1)
        let sentinels = try (0..<3).map { _ in try Sentinel(monitoring: server.port) }
        let watchers = try sentinels.map { try $0.connect() }
        for watcher in watchers {
            try watcher.waitFor("all to be known", seconds: 30) {
                try field(watcher, "num-slaves") == "1"
                    && field(watcher, "num-other-sentinels") == "2"
                    && field(watcher, "flags") == "master"
            }
        }
        let runID = try ours.info("run_id")
        try #expect(field(watchers[0], "runid") == runID)
        server.kill()
        try watchers[0].waitFor("the replica's promotion", seconds: 40) {
            try replica.info("role") == "master"
        }
        try #expect(replica.command("GET", "confirmed") == .bulk("by wait"))
        try watchers[0].waitFor("the new address", seconds: 40) {
            try watchers[0].command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "ours").items?.last
                == .bulk("\(stock.port)")
        }
    }

    @Test(
        "with two of ours and a stock one, ours is promoted, the others follow, the killed one comes back as replica"
    )
    func rejoining() throws {
        let arguments = ["--save", "", "--repl-diskless-sync-delay", "0"]
        func ours(_ more: [String]) throws -> ServerProcess {
            let folder = try TemporaryFolder()
            let file = folder.file("server.conf")
            // CONFIG REWRITE keeps the role over a restart, unless the command line says otherwise.
            try (more.joined(separator: " ") + "\n").write(
                toFile: file, atomically: true, encoding: .utf8)
            return try ServerProcess(arguments, folder: folder, file: file)
        }
        let first = try ours(["appendonly", "yes"])
        let second = try ours(["replicaof", "127.0.0.1", "\(first.port)"])
        let stock = try StockServer(
            ["--replicaof", "127.0.0.1 \(first.port)"], listensOnTCP: true)
        let third = try stock.connect()
        var one = try first.connect()
        let two = try second.connect()
        try two.command("CONFIG", "SET", "replica-priority", "10")
        try two.waitToCatchUp(with: one)
        try third.waitToCatchUp(with: one)
        let sentinels = try (0..<3).map { _ in try Sentinel(monitoring: first.port) }
        let watchers = try sentinels.map { try $0.connect() }
        for watcher in watchers {
            try watcher.waitFor("all to be known", seconds: 30) {
                try field(watcher, "num-slaves") == "2"
                    && field(watcher, "num-other-sentinels") == "2"
            }
        }
        for index in 0..<200 { try one.command("RPUSH", "confirmed", "\(index)") }
        try #expect(one.command("WAIT", "2", "10000").integer == 2)
        first.kill()
        try two.waitFor("the promotion", seconds: 60) { try two.info("role") == "master" }
        try #expect(two.command("LLEN", "confirmed") == .integer(200))
        try third.waitFor("the stock replica to follow", seconds: 60) {
            try third.info("master_port") == "\(second.port)"
        }
        try two.command("SET", "after", "the failover")
        try first.start()
        one = try first.connect()
        try one.waitFor("the old primary to become a replica", seconds: 60) {
            try one.info("master_port") == "\(second.port)"
        }
        try one.waitToCatchUp(with: two)
        try third.waitToCatchUp(with: two)
        let digest = try two.command("DEBUG", "DIGEST")
        try #expect(one.command("DEBUG", "DIGEST") == digest)
        try #expect(third.command("DEBUG", "DIGEST") == digest)
        // Nobody needed all data again: the old primary had nothing that its successor hadn't.
        try #expect(two.info("sync_full") == "0")
    }
}
