import Foundation
import TestSupport
import Testing

/// Two network namespaces of this machine, joined by a pair of devices. They end with the processes that hold them,
/// so nothing is left behind whatever becomes of the test.
private final class TwoNetworks {
    /// Why there can be none here; nil if there can.
    static let obstacle: Comment? = {
        for program in ["ip", "unshare", "nsenter"] where !Subprocess.isInstalled(program) {
            return "\(program) is not installed"
        }
        do {
            _ = try TwoNetworks()
            return nil
        } catch { return "network namespaces can't be made here: \(error)" }
    }()

    static let addresses = ["10.213.77.1", "10.213.77.2"]
    private static let device = "holdfast0"
    private let holders: [Subprocess]

    init() throws {
        holders = try (0..<2).map { _ in try Subprocess(["unshare", "--net", "sleep", "600"]) }
        let own = try Self.network(of: "self")
        let start = Date()
        while try holders.contains(where: {
            try Self.network(of: "\($0.processIdentifier)") == own
        }) {
            guard Date().timeIntervalSince(start) < 10, holders.allSatisfy(\.isRunning) else {
                throw Subprocess.Failed(description: holders.map(\.output).joined())
            }
            // Another process calls the kernel; there is nothing to be woken by.
            usleep(1_000)
        }
        let (one, two) = ("\(holders[0].processIdentifier)", "\(holders[1].processIdentifier)")
        try Self.run([
            "ip", "link", "add", Self.device, "netns", one, "type", "veth", "peer", "name",
            Self.device, "netns", two,
        ])
        for side in 0..<2 {
            let address = "\(Self.addresses[side])/24"
            try run(side, ["ip", "address", "add", address, "dev", Self.device])
            try run(side, ["ip", "link", "set", "lo", "up"])
        }
        try setLink(true)
    }

    private static func network(of process: String) throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/net")
    }

    private static func run(_ words: [String]) throws {
        let (status, output) = try Subprocess.run(words)
        guard status == 0 else {
            throw Subprocess.Failed(description: "\(words.joined(separator: " ")): \(output)")
        }
    }

    /// In front of a program's words: it runs in that namespace.
    func entrance(_ side: Int) -> [String] {
        ["nsenter", "-t", "\(holders[side].processIdentifier)", "-n"]
    }

    private func run(_ side: Int, _ words: [String]) throws {
        try Self.run(entrance(side) + words)
    }

    /// While the link is down packets vanish, and nobody is told.
    func setLink(_ isUp: Bool) throws {
        for side in 0..<2 {
            try run(side, ["ip", "link", "set", Self.device, isUp ? "up" : "down"])
        }
    }
}

@Suite("partitions of the network", .serialized)
struct PartitionTests {
    /// A server in one of the networks; it is talked to through its unix socket.
    private func server(
        _ networks: TwoNetworks, _ side: Int, _ arguments: [String] = []
    ) throws -> (ServerProcess, RESPConnection) {
        let server = try ServerProcess(
            [
                "--bind", "\(TwoNetworks.addresses[side]) 127.0.0.1", "--protected-mode", "no",
                "--save", "", "--repl-diskless-sync-delay", "0", "--repl-timeout", "3",
                "--repl-ping-replica-period", "1",
            ] + arguments, wrapper: networks.entrance(side), waits: false)
        let start = Date()
        while true {
            if let connection = try? server.connectUnix(),
                try connection.command("PING") == .simple("PONG")
            {
                return (server, connection)
            }
            guard server.isRunning, Date().timeIntervalSince(start) < 30 else {
                throw Subprocess.Failed(description: server.log)
            }
            // Polls a process that is starting; there is nothing to be woken by.
            usleep(2_000)
        }
    }

    @Test(
        "a link that falls silent is noticed on both sides, and the stream goes on when it speaks again",
        .enabled(if: TwoNetworks.obstacle == nil, TwoNetworks.obstacle))
    func silence() throws {
        let networks = try TwoNetworks()
        let (first, primary) = try server(networks, 0)
        let (second, replica) = try server(
            networks, 1, ["--replicaof", "\(TwoNetworks.addresses[0]) \(first.port)"])
        try primary.command("DEBUG", "POPULATE", "1000", "old", "100")
        try replica.waitForLink()
        for round in 0..<2 {
            try replica.waitToCatchUp(with: primary)
            try networks.setLink(false)
            for index in 0..<2_000 {
                try primary.command("SET", "k\(index)", "\(round) \(index)")
            }
            try replica.waitFor("the replica to notice") {
                second.log.components(separatedBy: "MASTER timeout").count == round + 2
            }
            try #expect(replica.info("master_link_status") == "down")
            try primary.waitFor("the primary to notice") {
                try primary.info("connected_slaves") == "0"
            }
            try #expect(primary.command("WAIT", "1", "50") == .integer(0))
            try primary.command("RPUSH", "rounds", "\(round)")
            try networks.setLink(true)
            try replica.waitToCatchUp(with: primary)
            try #expect(
                replica.command("DEBUG", "DIGEST") == primary.command("DEBUG", "DIGEST"))
        }
        let resyncs = try primary.resyncs()
        #expect(resyncs[0] == "1" && resyncs[2] == "0", "\(resyncs) \(first.log)")
        #expect(Int(resyncs[1]) ?? 0 >= 2)
    }

    @Test(
        "a primary that is cut off takes no more writes when it is told to want a replica, and follows its successor afterwards",
        .enabled(if: TwoNetworks.obstacle == nil, TwoNetworks.obstacle))
    func successor() throws {
        let networks = try TwoNetworks()
        let (first, primary) = try server(
            networks, 0, ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"])
        let (second, replica) = try server(
            networks, 1, ["--replicaof", "\(TwoNetworks.addresses[0]) \(first.port)"])
        try primary.waitFor("a write to be taken") {
            try primary.command("SET", "a", "1") == .ok
        }
        try replica.waitToCatchUp(with: primary)
        try networks.setLink(false)
        try primary.waitFor("writes to be refused") {
            try primary.command("SET", "a", "2")
                == .error("NOREPLICAS Not enough good replicas to write.")
        }
        try replica.command("REPLICAOF", "NO", "ONE")
        try replica.command("CONFIG", "SET", "min-replicas-to-write", "0")
        try replica.command("SET", "b", "1")
        try networks.setLink(true)
        try primary.command("REPLICAOF", TwoNetworks.addresses[1], "\(second.port)")
        try primary.waitToCatchUp(with: replica)
        try #expect(primary.command("MGET", "a", "b") == .array([.bulk("1"), .bulk("1")]))
    }
}
