import TestSupport
import Testing

@Suite("WAIT and WAITAOF")
struct WaitTests {
    @Test("without replicas WAIT answers 0 at once or when its time is over")
    func wait() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        let other = try server.connect()
        #expect(try connection.command("WAIT", "0", "0") == .integer(0))
        #expect(try connection.command("WAIT", "1", "10") == .integer(0))
        #expect(try connection.command("WAIT", "-1", "0") == .integer(0))
        #expect(
            try connection.command("WAIT", "1", "x")
                == .error("ERR timeout is not an integer or out of range"))
        #expect(try connection.command("WAIT", "1", "-1") == .error("ERR timeout is negative"))
        #expect(
            try connection.command("WAIT", "x", "1")
                == .error("ERR value is not an integer or out of range"))
        // In a transaction nobody waits.
        let replies = try connection.pipeline([["MULTI"], ["WAIT", "1", "0"], ["EXEC"]])
        #expect(replies[2] == .array([.integer(0)]))
        // What waits for ever can be let go, and what stands behind it runs then.
        let id = try #require(connection.command("CLIENT", "ID").integer)
        try connection.send(
            Request.encode(["WAIT", "1", "0"]) + Request.encode(["SET", "a", "1"]))
        while try other.command("CLIENT", "UNBLOCK", "\(id)") != .integer(1) {}
        #expect(try connection.receive() == .integer(0))
        #expect(try connection.receive() == .ok)
    }

    @Test("WAITAOF answers when the disk has the session's writes", arguments: ["everysec", "no"])
    func waitAOF(policy: String) throws {
        let server = try ServerProcess(["--appendfsync", policy])
        let connection = try server.connect()
        for round in 0..<20 {
            #expect(try connection.command("SET", "key", "\(round)") == .ok)
            #expect(
                try connection.command("WAITAOF", "1", "0", "0")
                    == .array([.integer(1), .integer(0)]))
        }
        let info = try #require(connection.command("INFO", "persistence").text)
        let fields = info.split(separator: "\r\n").filter { $0.contains("unsynced_bytes") }
        #expect(fields.allSatisfy { $0.hasSuffix(":0") }, "\(fields)")
        // A crash of the machine can't take back what was confirmed; one of the process neither.
        server.kill()
        try server.start()
        #expect(try server.connect().command("GET", "key") == .bulk("19"))
    }

    @Test("WAITAOF refuses what makes no sense, and waits for replicas until its time is over")
    func waitAOFLimits() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        let both = Reply.array([.integer(1), .integer(0)])
        #expect(try connection.command("WAITAOF", "0", "0", "0").items?.count == 2)
        #expect(try connection.command("WAITAOF", "1", "1", "20") == both)
        #expect(
            try connection.command("WAITAOF", "2", "0", "0")
                == .error("ERR value is out of range, value must between 0 and 1"))
        #expect(
            try connection.command("WAITAOF", "1", "-1", "0")
                == .error("ERR value is out of range, must be positive"))
        #expect(
            try connection.command("WAITAOF", "1", "0", "-1") == .error("ERR timeout is negative"))
        let unlogged = try ServerProcess(["--appendonly", "no"])
        let without = try unlogged.connect()
        #expect(
            try without.command("WAITAOF", "1", "0", "0")
                == .error(
                    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."))
        #expect(try without.command("WAITAOF", "0", "0", "0") == both)
    }

    @Test(
        "WAITAOF says that a sync failed instead of counting",
        .enabled(if: FaultInjector.obstacle == nil))
    func failedSync() throws {
        let server = try ServerProcess(["--appendonly", "yes", "--appendfsync", "no"])
        let connection = try server.connect()
        try connection.command("SET", "a", "1")
        try #expect(connection.command("WAITAOF", "1", "0", "10000").items?.first?.integer == 1)
        let injector = try FaultInjector(server.processIdentifier, "fdatasync:error=EIO")
        try connection.command("SET", "a", "2")
        let reply = try connection.command("WAITAOF", "1", "0", "20000")
        #expect(reply.text?.hasPrefix("MISCONF ") ?? false, "\(reply)")
        injector.end()
        try connection.waitFor("the log to heal") {
            try connection.command("WAITAOF", "1", "0", "10000").items?.first?.integer == 1
        }
    }
}
