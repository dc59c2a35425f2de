import Foundation
import TestSupport
import Testing

/// `wal-archive-command` on the built server.
@Suite("archiving", .serialized)
struct ArchiveTests {
    private let archive: TemporaryFolder

    init() throws { archive = try TemporaryFolder() }

    /// As docs/durability.md advises: copy under another name, sync, rename. What went is noted.
    private var copying: String {
        let path = archive.path
        return #"cp "%p" "\#(path)/.%f.new" && sync "\#(path)/.%f.new" "#
            + #"&& mv "\#(path)/.%f.new" "\#(path)/%f" && echo %f >> "\#(path)/.order""#
    }

    private func server(_ command: String, _ more: String...) throws -> ServerProcess {
        try ServerProcess(
            [
                "--save", "", "--wal-segment-size", "65536", "--wal-archive-command", command,
                "--enable-protected-configs", "yes",
            ] + more)
    }

    private func fill(_ connection: RESPConnection, _ range: Range<Int>) throws {
        let value = String(repeating: "v", count: 1000)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 50) {
            _ = try connection.pipeline(
                (start..<min(start + 50, range.upperBound)).map {
                    ["SET", "key:\($0)", value + "\($0)"]
                })
        }
    }

    private func bytes(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

    private func archived() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: archive.path))
            .filter { !$0.hasPrefix(".") }
    }

    private func order() -> [Substring] {
        String(decoding: bytes(archive.file(".order")) ?? Data(), as: UTF8.self)
            .split(separator: "\n").filter { !$0.hasSuffix(".manifest") }
    }

    /// Starts a server on a copy of the archive.
    private func restored() throws -> ServerProcess {
        let folder = try TemporaryFolder()
        let log = folder.file("appendonlydir")
        try FileManager.default.createDirectory(atPath: log, withIntermediateDirectories: false)
        for name in try archived() {
            try FileManager.default.copyItem(
                atPath: archive.file(name), toPath: log + "/" + name)
        }
        return try ServerProcess(["--save", ""], folder: folder)
    }

    @Test("sealed segments and bases go byte for byte and in order; the archive is a log by itself")
    func everything() throws {
        let server = try server(copying)
        let connection = try server.connect()
        try fill(connection, 0..<500)
        try connection.waitFor("wal_archive_pending", "0")
        #expect(try connection.persistence("wal_archive_failures") == "0")
        #expect(order().count >= 3)
        let early = try restored()
        #expect(try #require(try early.connect().command("DBSIZE").integer) > 400)

        try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        try fill(connection, 400..<900)
        try connection.command("DEL", "key:7")
        try connection.waitFor("wal_archive_pending", "0")
        #expect(order().contains("appendonly.aof.1.base.rdb"))
        let last = try #require(try connection.persistence("wal_archive_last_name"))
        #expect(order().last.map(String.init) == last)
        for name in try archived() where !name.hasSuffix(".manifest") {
            #expect(bytes(archive.file(name)) == bytes(server.logFolder + "/" + name), "\(name)")
        }
        // A start seals what was open.
        let digest = try connection.command("DEBUG", "DIGEST")
        #expect(server.terminate() == .exited(0))
        let before = order()
        try server.start()
        let again = try server.connect()
        try again.waitFor("wal_archive_pending", "0")
        let copy = try restored()
        #expect(try copy.connect().command("DEBUG", "DIGEST") == digest)
        // Nothing went twice, and no number is missing.
        let names = order().filter { $0.hasSuffix(".incr.aof") }
        #expect(names == (1...names.count).map { "appendonly.aof.\($0).incr.aof" })
        #expect(order().count == before.count + 1)
        // A stock server loads it as well.
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: archive.path, toPath: folder.file("appendonlydir"))
        let stock = try StockServer(["--appendonly", "yes"], folder: folder)
        #expect(try stock.connect().command("DEBUG", "DIGEST") == digest)
    }

    @Test("a command that fails is tried until it succeeds, and what it hasn't got stays")
    func failing() throws {
        let gate = archive.file(".open")
        let server = try server("test -e \(gate) && " + copying, "--wal-retain-size", "0")
        let connection = try server.connect()
        try fill(connection, 0..<200)
        try connection.waitFor("failures") {
            try #require(Int(try connection.persistence("wal_archive_failures") ?? "")) > 2
        }
        #expect(try connection.persistence("wal_archive_last_error") == "exit status 1")
        #expect(server.log.contains("wal-archive-command failed and is tried again: exit status 1"))
        try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        let first = server.logFolder + "/appendonly.aof.1.incr.aof"
        let content = try #require(bytes(first))
        _ = FileManager.default.createFile(atPath: gate, contents: nil)
        // Not left to the growing pauses: a changed command is tried at once.
        try connection.command("CONFIG", "SET", "wal-archive-command", copying)
        try connection.waitFor("wal_archive_pending", "0")
        #expect(try connection.persistence("wal_archive_last_error") == "")
        #expect(bytes(archive.file("appendonly.aof.1.incr.aof")) == content)
        #expect(try archived().contains("appendonly.aof.1.base.rdb"))
        try connection.waitFor("the old segment's end") { bytes(first) == nil }
    }

    @Test("killed while a command runs, the next start goes on with the same file")
    func killed() throws {
        let gate = archive.file(".open")
        let started = archive.file(".started")
        // The first run never ends; the group of the server's child is ended by the test.
        let server = try server(
            "if test -e \(gate); then \(copying); else echo $$ > \(started).new && "
                + "mv \(started).new \(started) && exec sleep 1000; fi")
        let connection = try server.connect()
        try fill(connection, 0..<200)
        try connection.waitFor("the command") { bytes(started) != nil }
        #expect(try connection.persistence("wal_archive_last_name") == "")
        server.kill()
        let text = String(decoding: try #require(bytes(started)), as: UTF8.self)
        let orphan = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        kill(orphan, SIGKILL)
        _ = FileManager.default.createFile(atPath: gate, contents: nil)
        try server.start()
        let again = try server.connect()
        try again.waitFor("wal_archive_pending", "0")
        let names = order().filter { $0.hasSuffix(".incr.aof") }
        #expect(names == (1...names.count).map { "appendonly.aof.\($0).incr.aof" })
        let digest = try again.command("DEBUG", "DIGEST")
        let copy = try restored()
        #expect(try copy.connect().command("DEBUG", "DIGEST") == digest)
    }

    @Test(
        "a stop doesn't wait for a command that doesn't end; turned on later, it gets all there is")
    func turnedOn() throws {
        let server = try server("")
        let connection = try server.connect()
        try fill(connection, 0..<200)
        #expect(try connection.persistence("wal_archive_pending") == "0")
        try connection.command(
            "CONFIG", "SET", "wal-archive-command",
            "touch \(archive.file(".started")); exec sleep 1000")
        try connection.waitFor("the command") { bytes(archive.file(".started")) != nil }
        #expect(try connection.persistence("wal_archive_pending") != "0")
        #expect(server.terminate() == .exited(0))
        try server.start()
        let again = try server.connect()
        try again.command("CONFIG", "SET", "wal-archive-command", copying)
        try again.waitFor("wal_archive_pending", "0")
        #expect(order().first == "appendonly.aof.1.incr.aof")
    }
}
