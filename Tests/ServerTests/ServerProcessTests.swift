import TestSupport
import Testing

@Suite("Server process")
struct ServerProcessTests {
    @Test("a server starts, answers, ends at SIGTERM with status 0, and finds its data again")
    func lives() throws {
        let server = try ServerProcess()
        #expect(try server.connect().command("SET", "k", "v") == .ok)
        #expect(server.terminate() == .exited(0))
        #expect(server.log.contains("bye bye"))
        try server.start()
        #expect(try server.connectUnix().command("GET", "k") == .bulk("v"))
        server.kill()
        #expect(!server.isRunning)
        try server.start()
        #expect(try server.connect(version: 3).command("GET", "k") == .bulk("v"))
    }
}
