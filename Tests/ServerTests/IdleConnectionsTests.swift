import Foundation
import TestSupport
import Testing

@Suite("many connections", .serialized)
struct IdleConnectionsTests {
    @Test("ten thousand idle connections at once are all answered")
    func idleConnections() throws {
        var wanted = 10_000
        var limit = rlimit()
        // SAFETY: both calls use one limit, which is ours.
        unsafe _ = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // Both ends and some more are open in two processes with the same limit.
        let room = Int(limit.rlim_cur) - 200
        if room < wanted {
            print("only \(room) connections: that many files may be open here")
            wanted = room
        }
        let ours = try ServerProcess(["--appendfsync", "no", "--maxclients", String(wanted + 10)])
        var connections: [RESPConnection] = []
        connections.reserveCapacity(wanted)
        for _ in 0..<wanted { connections.append(try ours.connectUnix()) }
        let ping = Request.encode(["PING"])
        for connection in connections { try connection.send(ping) }
        var answered = 0
        for connection in connections where try connection.receive() == .simple("PONG") {
            answered += 1
        }
        #expect(answered == wanted)
        #expect(try ours.connect().command("PING") == .simple("PONG"))
    }
}
