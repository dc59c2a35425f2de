import Foundation
import TestSupport
import Testing

/// A server that can't start says so in one line that names the thing, ends with status 1, and changes nothing.
@Suite("a start that fails", .serialized)
struct StartFailureTests {
    // MARK: Folders

    /// A folder with a log of several segments, as a killed server leaves it.
    private static func writtenFolder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let server = try ServerProcess(
            ["--appendfsync", "always", "--wal-segment-size", "64kb", "--wal-preallocate", "no"],
            folder: folder)
        let connection = try server.connect()
        for number in 0..<300 {
            try connection.command(
                "SET", "key:\(number)", String(repeating: "v", count: 1_000) + String(number))
        }
        server.kill()
        return folder
    }

    /// All files below a folder with their bytes, but for what the server prints and its socket.
    private static func contents(_ folder: String) throws -> [String: Data] {
        var found: [String: Data] = [:]
        let names = FileManager.default.enumerator(atPath: folder)
        while let name = names?.nextObject() as? String {
            if name.hasPrefix("server.") { continue }
            found[name] = FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data()
        }
        return found
    }

    /// Starts the server, which must end by itself with status 1; what it printed in this run.
    private func failedStart(
        _ arguments: [String], in folder: TemporaryFolder, saying words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = try Self.contents(folder.path)
        try? FileManager.default.removeItem(atPath: folder.file("server.log"))
        let server = try ServerProcess(arguments, folder: folder, waits: false)
        let end = server.waitForEnd(seconds: 20)
        let log = server.log
        #expect(end == .exited(1), "\(log)", sourceLocation: sourceLocation)
        server.kill()
        for word in words {
            // One line that names the thing.
            #expect(
                log.split(separator: "\n").contains { $0.contains(word) },
                "no line says \(word):\n\(log)", sourceLocation: sourceLocation)
        }
        #expect(
            !log.contains("Fatal error") && !log.contains("Ready to accept"), "\(log)",
            sourceLocation: sourceLocation)
        let after = try Self.contents(folder.path)
        let changed = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
        #expect(changed.isEmpty, "changed on disk: \(changed)", sourceLocation: sourceLocation)
    }

    private func write(_ data: Data, _ path: String) throws {
        try data.write(to: URL(fileURLWithPath: path))
    }

    // MARK: Log

    @Test("a damaged segment, a missing one and a bad manifest stop the start")
    func damagedLog() throws {
        let folder = try Self.writtenFolder()
        let log = folder.file("appendonlydir")
        let manifest = "\(log)/appendonly.aof.manifest"
        let names = try FileManager.default.contentsOfDirectory(atPath: log).sorted()
        let segments = names.filter { $0.hasSuffix(".incr.aof") }
        #expect(segments.count > 3, "\(names)")
        let second = "\(log)/\(segments[1])"
        let good = try #require(FileManager.default.contents(atPath: second))
        let goodManifest = try #require(FileManager.default.contents(atPath: manifest))

        var bad = good
        bad[bad.count / 2] ^= 0x10
        try write(bad, second)
        try failedStart([], in: folder, saying: segments[1], "aof-check")
        try write(Data(good.dropLast(100)), second)
        try failedStart([], in: folder, saying: segments[1])
        try write(Data(), second)
        try failedStart([], in: folder, saying: segments[1])
        try FileManager.default.removeItem(atPath: second)
        try failedStart([], in: folder, saying: segments[1])
        try FileManager.default.createDirectory(
            atPath: second, withIntermediateDirectories: false)
        try failedStart([], in: folder, saying: segments[1])
        try FileManager.default.removeItem(atPath: second)
        try write(good, second)

        for text in [
            "", "nonsense\n", "file \(segments[0]) seq x type i\n", "file a/b seq 1 type i\n",
            String(decoding: goodManifest, as: UTF8.self) + "file",
            String(decoding: goodManifest, as: UTF8.self) + "\n",
        ] {
            try write(Data(text.utf8), manifest)
            try failedStart([], in: folder, saying: "manifest")
        }
        try FileManager.default.removeItem(atPath: manifest)
        try failedStart([], in: folder, saying: "manifest")
        try write(goodManifest, manifest)

        // And all is well again.
        let server = try ServerProcess(["--wal-segment-size", "64kb"], folder: folder)
        #expect(try server.connect().command("DBSIZE") == .integer(300))
    }

    @Test("a file in the folder's place, and a folder in the manifest's place, stop the start")
    func wrongKinds() throws {
        let folder = try TemporaryFolder()
        try write(Data("x".utf8), folder.file("appendonlydir"))
        try failedStart([], in: folder, saying: "appendonlydir")
        let other = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: other.file("appendonlydir/appendonly.aof.manifest"),
            withIntermediateDirectories: true)
        try failedStart([], in: other, saying: "appendonly.aof.manifest")
        try failedStart(["--dir", folder.file("nowhere")], in: folder, saying: "nowhere")
        try failedStart(
            ["--dir", folder.file("appendonlydir")], in: folder, saying: "appendonlydir")
    }

    @Test("a dump.rdb without a log stops the start, instead of an empty one over it")
    func dumpBeside() throws {
        let folder = try TemporaryFolder()
        try write(Data("REDIS0010\u{FF}".utf8), folder.file("dump.rdb"))
        try failedStart([], in: folder, saying: "dump.rdb")
        let server = try ServerProcess(["--allow-empty-start", "yes"], folder: folder)
        #expect(try server.connect().command("DBSIZE") == .integer(0))
        #expect(server.terminate() == .exited(0))
    }

    @Test("a folder that can't be written to stops the start")
    func readOnlyFolder() throws {
        let folder = try Self.writtenFolder()
        let mount = try Subprocess.run(["mount", "--bind", folder.path, folder.path])
        guard mount.status == 0 else {
            return print("not run, no read-only mount can be made: \(mount.output)")
        }
        defer { _ = try? Subprocess.run(["umount", "-l", folder.path]) }
        _ = try Subprocess.run(["mount", "-o", "remount,ro,bind", folder.path])
        // What the server prints needs a place that can be written to.
        let elsewhere = try TemporaryFolder()
        let before = try Self.contents(folder.path)
        let server = try ServerProcess(["--dir", folder.path], folder: elsewhere, waits: false)
        #expect(server.waitForEnd(seconds: 20) == .exited(1), "\(server.log)")
        #expect(
            server.log.contains(folder.path) && server.log.contains("ead-only"), "\(server.log)")
        #expect(try Self.contents(folder.path) == before)
    }

    @Test("a log that can't be read stops the start")
    func unreadableLog() throws {
        if let obstacle = FaultInjector.obstacle { return print("not run: \(obstacle)") }
        let folder = try Self.writtenFolder()
        let log = folder.file("appendonlydir")
        let names = try FileManager.default.contentsOfDirectory(atPath: log).sorted()
        for (name, fault) in [
            (names[1], "openat:error=EACCES"), (names[1], "pread64:error=EIO"),
            ("appendonly.aof.manifest", "openat:error=EACCES"),
            ("appendonly.aof.manifest", "pread64:error=EIO"),
        ] {
            let before = try Self.contents(folder.path)
            let call = String(fault.prefix { $0 != ":" })
            let server = try ServerProcess(
                [], folder: folder,
                wrapper: [
                    "strace", "-f", "-qq", "-o", "/dev/null", "-P", "\(log)/\(name)", "-e",
                    "trace=\(call)", "-e", "inject=\(fault)",
                ], waits: false)
            #expect(server.waitForEnd(seconds: 30) == .exited(1), "\(name), \(fault)")
            let lines = server.log.split(separator: "\n")
            #expect(lines.contains { $0.contains(name) }, "\(fault): \(server.log)")
            server.kill()
            #expect(try Self.contents(folder.path) == before, "\(name), \(fault)")
        }
    }

    @Test("a full disk stops the start of an empty server, and not that of one with data")
    func noSpace() throws {
        let disk = try TemporaryFolder()
        let mount = try Subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "holdfast-test", disk.path])
        guard mount.status == 0 else {
            return print("not run, a tmpfs can't be mounted here: \(mount.output)")
        }
        defer { _ = try? Subprocess.run(["umount", "-l", disk.path]) }
        let filler = disk.file("filler")
        let elsewhere = try TemporaryFolder()
        let arguments = ["--dir", disk.path, "--wal-reserve", "0"]
        func fill() throws {
            _ = try Subprocess.run(["dd", "if=/dev/zero", "of=\(filler)", "bs=4096"])
        }
        try fill()
        let server = try ServerProcess(arguments, folder: elsewhere, waits: false)
        #expect(server.waitForEnd(seconds: 20) == .exited(1))
        #expect(
            server.log.split(separator: "\n").contains {
                $0.contains(disk.path) && $0.contains("No space left on device")
            }, "\(server.log)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path) == ["filler"])
        try FileManager.default.removeItem(atPath: filler)
        try server.start()
        try server.connect().command("SET", "k", "v")
        server.kill()
        try fill()
        // It may refuse or serve, but the data stay.
        try server.start(waits: false)
        if (try? server.waitUntilItAnswers(seconds: 5)) != nil {
            #expect(try server.connect().command("GET", "k") == .bulk("v"))
        }
        server.kill()
        try FileManager.default.removeItem(atPath: filler)
        try server.start()
        #expect(try server.connect().command("GET", "k") == .bulk("v"))
        server.kill()
    }

    @Test("two servers can't use one folder")
    func sameFolderTwice() throws {
        let folder = try TemporaryFolder()
        let first = try ServerProcess(["--appendfsync", "no"], folder: folder)
        try first.connect().command("SET", "k", "v")
        let elsewhere = try TemporaryFolder()
        let second = try ServerProcess(["--dir", folder.path], folder: elsewhere, waits: false)
        #expect(second.waitForEnd(seconds: 20) == .exited(1))
        #expect(
            second.log.split(separator: "\n").contains { $0.contains(folder.path) }, "\(second.log)"
        )
        #expect(try first.connect().command("GET", "k") == .bulk("v"))
        // A third, when the first has been killed, finds the folder free.
        first.kill()
        let third = try ServerProcess(["--dir", folder.path], folder: elsewhere)
        #expect(try third.connect().command("GET", "k") == .bulk("v"))
    }

    // MARK: Configuration and addresses

    @Test("a wrong directive stops the start with its file, line number and text")
    func wrongDirectives() throws {
        let folder = try TemporaryFolder()
        for (line, words) in [
            ("no-such-directive 1", ["no-such-directive 1"]),
            ("port abc", ["port abc"]), ("port", ["port"]),
            ("appendfsync sometimes", ["appendfsync sometimes"]),
            ("maxclients -1", ["maxclients -1"]), ("save \"1", ["save"]),
            ("wal-segment-size lots", ["wal-segment-size lots"]),
        ] {
            let file = folder.file("test.conf")
            try write(Data("# a comment\n\n\(line)\n".utf8), file)
            let before = try Self.contents(folder.path)
            let program = try #require(ServerProcess.program)
            let run = try Subprocess.run(
                [program, file, "--dir", folder.path, "--port", "0"], seconds: 20)
            #expect(run.status == 1, "\(line): \(run.output)")
            for word in words + ["3"] { #expect(run.output.contains(word), "\(run.output)") }
            #expect(try Self.contents(folder.path) == before)
        }
        let program = try #require(ServerProcess.program)
        for words in [
            ["--no-such-directive", "1"], ["--port"], ["--dir", "/nowhere/at/all", "--port", "0"],
            [folder.file("missing.conf")], ["--port", "0"], ["--loadmodule", "/x.so"],
        ] {
            let run = try Subprocess.run([program] + words, seconds: 20)
            #expect(run.status == 1, "\(words): \(run.output)")
            #expect(!run.output.isEmpty)
        }
    }

    @Test("a busy port and a busy or impossible address stop the start")
    func busyPort() throws {
        let first = try ServerProcess(["--appendfsync", "no"])
        let folder = try TemporaryFolder()
        try failedStart(
            ["--port", String(first.port)], in: folder,
            saying: "Failed listening on port \(first.port)")
        try failedStart(["--bind", "192.0.2.1"], in: folder, saying: "192.0.2.1")
        try failedStart(
            ["--unixsocket", folder.file("no/such/folder.sock")], in: folder, saying: "folder.sock")
        #expect(try first.connect().command("PING") == .simple("PONG"))
    }
}
