import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// The program as a process: signals, pipes, and a log that grows.
@Suite("aof-check as a process")
struct AOFProcessTests {
    private static var program: String? {
        let server = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        var place = server.deletingLastPathComponent()
        while place.path.count > 1 {
            for path in ["aof-check", ".build/debug/aof-check"] {
                let candidate = place.appendingPathComponent(path).path
                if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
            }
            place.deleteLastPathComponent()
        }
        return nil
    }

    @Test("cat --follow shows what a server logs, over a rewrite, and ends with 130 on SIGINT")
    func follow() throws {
        let program = try #require(Self.program)
        let server = try ServerProcess(["--appendonly", "yes", "--save", ""])
        let connection = try server.connect()
        _ = try connection.command("SET", "first", "1")
        let process = try Subprocess([
            program, "cat", "--follow", server.folder.file("appendonlydir"),
        ])
        try process.waitForOutput("SET first 1")
        _ = try connection.command("SET", "second", "2")
        try process.waitForOutput("SET second 2")
        _ = try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        _ = try connection.command("SET", "third", "3")
        try process.waitForOutput("SET third 3")
        process.signal(SIGINT)
        #expect(try process.wait() == 130)
    }

    @Test("output that nobody takes ends it with 3")
    func lostOutput() throws {
        let program = try #require(Self.program)
        let folder = try TemporaryFolder()
        let path = folder.file("x.aof")
        let record = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"
        try Data(String(repeating: record, count: 20_000).utf8).write(to: URL(filePath: path))
        let closed = try Subprocess.run([
            "bash", "-c", "set -o pipefail; '\(program)' cat '\(path)' | true",
        ])
        #expect(closed.status == 3)
        #expect(closed.output.isEmpty)
        let full = try Subprocess.run(["bash", "-c", "'\(program)' cat '\(path)' >/dev/full"])
        #expect(full.status == 3)
        #expect(full.output.contains("No space left on device"))
        #expect(try Subprocess.run([program, path]).status == 0)
    }

    @Test("replay sends a log to another server")
    func replay() throws {
        let program = try #require(Self.program)
        let folder = try TemporaryFolder()
        try FixedFolder(isDurable: true).write(to: folder.path)
        let server = try ServerProcess(["--appendonly", "no", "--save", ""])
        let run = try Subprocess.run([
            program, "replay", "--to", "127.0.0.1:\(server.port)", folder.path,
        ])
        #expect(run.status == 0, "\(run.output)")
        let connection = try server.connect()
        _ = try connection.command("SELECT", "3")
        #expect(try connection.command("GET", "z") == .bulk("9"))
        #expect(try connection.command("DBSIZE") == .integer(1))
        // Nobody listens there.
        let nobody = try Subprocess.run([
            program, "replay", "--to", "127.0.0.1:1", folder.path,
        ])
        #expect(nobody.status == 3)
    }

    @Test("replay makes the same data elsewhere: a base, long commands, transactions anywhere")
    func replayAll() throws {
        let program = try #require(Self.program)
        let source = try ServerProcess(["--appendonly", "yes", "--save", ""])
        let connection = try source.connect()
        try ValueMakers.fill(connection)
        try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        let long = String(repeating: "0123456789abcdef", count: 400_000)
        try connection.command("SET", "long", long)
        try connection.command("SELECT", "3")
        try connection.command("MULTI")
        try connection.command("SET", "a", "1")
        try connection.command("RPUSH", "b", long, "2")
        try connection.command("EXEC")
        try connection.command("SELECT", "5")
        try connection.command("SET", "c", "3")
        let digest = try connection.command("DEBUG", "DIGEST")
        source.terminate()
        let target = try ServerProcess(["--appendonly", "no", "--save", ""])
        let address = "127.0.0.1:\(target.port)"
        let run = try Subprocess.run([
            program, "replay", "--json", "--to", address, source.logFolder,
        ])
        #expect(run.status == 0, "\(run.output)")
        #expect(try target.connect().command("DEBUG", "DIGEST") == digest)
        // From the middle of the transaction on there is only what came after it.
        try target.connect().command("FLUSHALL")
        let cat = try Subprocess.run([
            program, "cat", "--cmd", "RPUSH", "--db", "3", source.logFolder,
        ]).output
        let lsn = try #require(cat.split(separator: " ").dropFirst(1).first)
        let rest = try Subprocess.run([
            program, "replay", "--to", address, "--lsn", "\(lsn)..", source.logFolder,
        ])
        #expect(rest.status == 0, "\(rest.output)")
        let left = try target.connect()
        #expect(try left.command("DBSIZE") == .integer(0))
        try left.command("SELECT", "5")
        #expect(try left.command("DBSIZE") == .integer(1))
        // What a server refuses is told.
        let refused = try Subprocess.run([
            program, "replay", "--to", address, "--lsn", "\(lsn)..", source.logFolder,
            "--password", "/dev/null",
        ])
        #expect(refused.status == 1)
    }

    @Test("memory stays bounded whatever a length says")
    func memory() throws {
        let program = try #require(Self.program)
        let folder = try TemporaryFolder()
        let path = folder.file("x.aof")
        // A value of 200 MiB, mostly a hole.
        let size = 200 << 20
        let head = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$\(size)\r\n"
        try Data(head.utf8).write(to: URL(filePath: path))
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        try file.seek(toOffset: UInt64(head.utf8.count + size))
        try file.write(contentsOf: Data("\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$500000000\r\nx".utf8))
        try file.close()
        for command in ["verify", "cat", "stats", "ls", "points"] {
            let run = try Subprocess.run([
                "bash", "-c", "ulimit -v 400000; '\(program)' \(command) '\(path)'",
            ])
            #expect(run.status == 5, "\(command): \(run.output)")
        }
    }
}
