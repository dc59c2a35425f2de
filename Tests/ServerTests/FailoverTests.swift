import TestSupport
import Testing

/// FAILOVER between servers of ours, and with a stock one.
@Suite("failover", .serialized)
struct FailoverTests {
    private func server(_ arguments: [String] = []) throws -> ServerProcess {
        try ServerProcess(
            ["--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0"] + arguments)
    }

    @Test("what stands against a failover is told in Redis's words")
    func refusals() throws {
        let primary = try server()
        let connection = try primary.connect()
        let cases: [([String], String)] = [
            (["FAILOVER"], "ERR FAILOVER requires connected replicas."),
            (["FAILOVER", "ABORT"], "ERR No failover in progress."),
            (["FAILOVER", "TIMEOUT", "0"], "ERR FAILOVER timeout must be greater than 0"),
            (["FAILOVER", "TIMEOUT", "x"], "ERR value is not an integer or out of range"),
            (["FAILOVER", "NOW"], "ERR syntax error"),
            (["FAILOVER", "FORCE"], "ERR syntax error"),
        ]
        for (words, expected) in cases {
            try #expect(connection.command(words) == .error(expected), "\(words)")
        }
        let replica = try server(["--replicaof", "127.0.0.1 \(primary.port)"])
        try replica.connect().waitForLink()
        try #expect(
            connection.command("FAILOVER", "TO", "127.0.0.1", "1")
                == .error("ERR FAILOVER target HOST and PORT is not a replica."))
        try #expect(
            connection.command("FAILOVER", "TO", "127.0.0.1", "\(replica.port)", "FORCE")
                == .error(
                    "ERR FAILOVER with force option requires both a timeout and target HOST and IP."
                ))
        try #expect(
            replica.connect().command("FAILOVER")
                == .error("ERR FAILOVER is not valid when server is a replica."))
    }

    @Test("primary and replica change places, and back, without a full resync or a lost write")
    func changingPlaces() throws {
        let servers = [try server(), try server()]
        let connections = try servers.map { try $0.connect() }
        try connections[1].command("REPLICAOF", "127.0.0.1", "\(servers[0].port)")
        try connections[1].waitForLink()
        try #expect(connections[0].info("sync_full") == "1")
        var keys = 0
        for round in 0..<4 {
            let (old, new) = (round % 2, (round + 1) % 2)
            for _ in 0..<200 {
                try connections[old].command("SET", "key:\(keys)", "v")
                keys += 1
            }
            let target = ["TO", "127.0.0.1", "\(servers[new].port)"]
            try #expect(
                connections[old].command(["FAILOVER"] + (round == 0 ? [] : target)) == .ok)
            try connections[new].waitFor("the promotion") {
                try connections[new].info("role") == "master"
            }
            try connections[old].waitToCatchUp(with: connections[new])
            try #expect(connections[old].info("master_failover_state") == "no-failover")
            try #expect(connections[new].command("DBSIZE").integer == Int64(keys))
            try #expect(connections[old].command("DBSIZE").integer == Int64(keys))
        }
        let counts = try connections.map { try $0.info("sync_full") ?? "" }
        #expect(counts == ["1", "0"])
    }

    @Test("writes wait during a failover that can't come to an end, and go on when it is aborted")
    func aborting() throws {
        let primary = try server()
        let connection = try primary.connect()
        let replica = try server(["--replicaof", "127.0.0.1 \(primary.port)"])
        try replica.connect().waitForLink()
        replica.signal(19)
        try connection.command("SET", "a", "1")
        try #expect(connection.command("FAILOVER") == .ok)
        try #expect(connection.info("master_failover_state") == "waiting-for-sync")
        try #expect(connection.command("FAILOVER") == .error("ERR FAILOVER already in progress."))
        let writer = try primary.connect()
        try writer.send(Request.encode(["SET", "a", "2"]))
        try #expect(!writer.hasReply(within: 0.1))
        try #expect(connection.command("FAILOVER", "ABORT") == .ok)
        try #expect(writer.receive() == .ok)
        try #expect(connection.command("FAILOVER", "TIMEOUT", "50") == .ok)
        try connection.waitFor("the time to be over") {
            try connection.info("master_failover_state") == "no-failover"
        }
        try #expect(connection.command("SET", "a", "3") == .ok)
        replica.signal(18)
    }

    @Test("a stock replica takes over from ours")
    func stockTarget() throws {
        let primary = try server()
        let ours = try primary.connect()
        let stock = try StockServer(
            ["--replicaof", "127.0.0.1 \(primary.port)"], listensOnTCP: true)
        let other = try stock.connect()
        try other.waitForLink()
        for index in 0..<500 { try ours.command("SET", "key:\(index)", "v") }
        try #expect(
            ours.command("FAILOVER", "TO", "127.0.0.1", "\(stock.port)", "TIMEOUT", "20000") == .ok)
        try other.waitFor("the promotion") { try other.info("role") == "master" }
        try ours.waitToCatchUp(with: other)
        try #expect(other.command("DBSIZE").integer == 500)
        try other.command("SET", "after", "it")
        try ours.waitToCatchUp(with: other)
        try #expect(ours.command("GET", "after") == .bulk("it"))
        try #expect(other.info("sync_full") == "0")
    }
}
