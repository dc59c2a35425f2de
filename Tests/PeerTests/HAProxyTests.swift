import Foundation
import TestSupport
import Testing

/// HAProxy in front of our servers, with the configuration that the document shows.
@Suite("behind HAProxy", .serialized)
struct HAProxyTests {
    private static let program = [
        "/usr/sbin/haproxy", "/usr/local/sbin/haproxy", "/usr/bin/haproxy",
    ]
    .first { FileManager.default.isExecutableFile(atPath: $0) }
    private static let isInstalled = program != nil

    /// The documented text, with the ports of these servers.
    private func configuration(
        writes: UInt16, reads: UInt16, servers: [UInt16], hasUsers: Bool
    ) throws -> String {
        let page = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("docs/replication.md")
        let blocks = try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```\n")
        let block = try #require(blocks.first { $0.contains("frontend writes") })
        var lines: [String] = []
        var count = 0
        for line in block.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = String(line)
            if line.contains("# only with users"), !hasUsers { continue }
            line = line.replacing("bind :6379", with: "bind 127.0.0.1:\(writes)")
            line = line.replacing("bind :6380", with: "bind 127.0.0.1:\(reads)")
            // Sooner, but a busy machine may take its time to answer.
            line = line.replacing("inter 1s", with: "inter 200ms")
            line = line.replacing(
                "timeout connect 5s", with: "timeout connect 5s\n    timeout check 10s")
            if let match = line.firstMatch(of: /10\.0\.0\.([123]):6379/), let number = Int(match.1)
            {
                count += 1
                // Three are shown; what isn't there is down.
                let port = number <= servers.count ? servers[number - 1] : 1
                line = line.replacing(match.0, with: "127.0.0.1:\(port)")
            }
            lines.append(line)
        }
        #expect(count == 6)
        return lines.joined(separator: "\n") + "\n"
    }

    @Test(
        "clients come to the primary, whoever it is, and readers to replicas",
        .enabled(if: isInstalled, "haproxy is not installed"), arguments: [false, true])
    func failover(hasUsers: Bool) throws {
        let program = try #require(Self.program)
        let arguments = ["--save", "", "--repl-diskless-sync-delay", "0"]
        let servers = [try ServerProcess(arguments), try ServerProcess(arguments)]
        var connections = try servers.map { try $0.connect() }
        let probe = ["ACL", "SETUSER", "probe", "on", ">secret", "+role"]
        if hasUsers {
            for connection in connections { try #expect(connection.command(probe) == .ok) }
        }
        let (writes, reads) = (try FreePort.find(), try FreePort.find())
        let folder = try TemporaryFolder()
        let file = folder.file("haproxy.cfg")
        try configuration(
            writes: writes, reads: reads, servers: servers.map(\.port), hasUsers: hasUsers
        ).write(toFile: file, atomically: true, encoding: .utf8)
        let check = try Subprocess.run([program, "-c", "-f", file])
        try #require(check.status == 0, "\(check.output)")
        let proxy = try Subprocess([program, "-db", "-f", file])

        /// A connection through HAProxy that leads to this server.
        func connect(_ port: UInt16, to server: ServerProcess) throws -> RESPConnection {
            var found: RESPConnection?
            try connections.last?.waitFor("HAProxy to lead to \(server.port): \(proxy.output)") {
                found = try? RESPConnection(.tcp("127.0.0.1", port))
                let reply = try? found?.command("CONFIG", "GET", "port")
                return reply == .array([.bulk("port"), .bulk("\(server.port)")])
            }
            return try #require(found)
        }

        try connections[1].command("REPLICAOF", "127.0.0.1", "\(servers[0].port)")
        try connections[1].waitToCatchUp(with: connections[0])
        let writer = try connect(writes, to: servers[0])
        try #expect(writer.command("SET", "k", "v") == .ok)
        try #expect(writer.command("WAIT", "1", "10000") == .integer(1))
        try #expect(connect(reads, to: servers[1]).command("GET", "k") == .bulk("v"))

        // The primary dies and the replica takes over.
        servers[0].kill()
        #expect(writer.isClosed(within: 60))
        try connections[1].command("REPLICAOF", "NO", "ONE")
        let second = try connect(writes, to: servers[1])
        try #expect(second.command("GET", "k") == .bulk("v"))
        try #expect(second.command("SET", "k", "w") == .ok)

        // It comes back as a replica, and then the two change places.
        try servers[0].start()
        connections[0] = try servers[0].connect()
        if hasUsers { try #expect(connections[0].command(probe) == .ok) }
        try connections[0].command("REPLICAOF", "127.0.0.1", "\(servers[1].port)")
        try connections[0].waitToCatchUp(with: connections[1])
        try #expect(connect(reads, to: servers[0]).command("GET", "k") == .bulk("w"))
        // It was a primary for a moment: who came to it then is sent away as well.
        let third = try connect(writes, to: servers[1])
        try #expect(connections[1].command("FAILOVER") == .ok)
        #expect(third.isClosed(within: 60))
        let fourth = try connect(writes, to: servers[0])
        try #expect(fourth.command("SET", "k", "x") == .ok)
        proxy.signal(SIGTERM)
    }
}
