import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// SAVE, BGSAVE, BGREWRITEAOF and what goes with them, on the built server.
@Suite("saving and rewriting", .serialized)
struct SavingTests {
    private static let inProgress = Reply.error("ERR Background save already in progress")
    private static let otherActive = Reply.error(
        "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE "
            + "in order to schedule a BGSAVE whenever possible.")

    private func fill(_ connection: RESPConnection, _ count: Int, bytes: Int = 10) throws {
        let value = String(repeating: "v", count: bytes)
        for start in stride(from: 0, to: count, by: 500) {
            _ = try connection.pipeline(
                (start..<min(start + 500, count)).map { ["SET", "key:\($0)", value + "\($0)"] })
        }
    }

    private func bytes(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

    private func leftovers(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            $0.hasPrefix("temp-")
        }
    }

    // MARK: Replies

    @Test("what is asked for while a save or a rewrite runs is refused or waits, as in Redis")
    func whileOneRuns() throws {
        let server = try ServerProcess(["--save", ""])
        let connection = try server.connect()
        try fill(connection, 300)
        #expect(try connection.command("BGSAVE", "now") == .error("ERR syntax error"))
        #expect(try connection.command("BGSAVE", "schedule", "x") == .error("ERR syntax error"))

        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "2000")
        #expect(
            try connection.command("BGSAVE") == .simple("Background saving started"))
        #expect(try connection.command("BGSAVE") == Self.inProgress)
        #expect(try connection.command("BGSAVE", "SCHEDULE") == Self.inProgress)
        #expect(try connection.command("SAVE") == Self.inProgress)
        #expect(
            try connection.command("BGREWRITEAOF")
                == .simple("Background append only file rewriting scheduled"))
        try connection.waitFor("rdb_bgsave_in_progress", "1")
        #expect(try connection.persistence("aof_rewrite_scheduled") == "1")
        #expect(try connection.persistence("current_save_keys_total") == "300")
        #expect(try connection.persistence("current_save_phase") == "write")
        // What was scheduled begins when that has ended.
        try connection.waitFor("aof_rewrite_in_progress", "1")
        #expect(try connection.persistence("rdb_last_bgsave_status") == "ok")
        #expect(
            try connection.command("BGREWRITEAOF")
                == .error("ERR Background append only file rewriting already in progress"))
        #expect(try connection.command("BGSAVE") == Self.otherActive)
        #expect(
            try connection.command("BGSAVE", "SCHEDULE")
                == .simple("Background saving scheduled"))
        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "0")
        try connection.waitFor("rdb_saves", "2")
        try connection.waitFor("aof_rewrites", "1")
        #expect(try connection.persistence("aof_last_bgrewrite_status") == "ok")
        #expect(try connection.command("MULTI") == .ok)
        #expect(try connection.command("BGSAVE") == .queued)
        #expect(
            try connection.command("EXEC") == .array([.simple("Background saving scheduled")]))
        try connection.waitFor("rdb_saves", "3")
        #expect(try leftovers(server.folder.path) == [])
        #expect(try leftovers(server.logFolder) == [])
        #expect(server.terminate() == .exited(0))
        try server.start()
        #expect(try server.connect().command("DBSIZE") == .integer(300))
    }

    @Test("without a log a rewrite leaves one behind; SAVE, BGSAVE and LASTSAVE go together")
    func withoutLog() throws {
        let server = try ServerProcess(["--appendonly", "no", "--save", ""])
        let connection = try server.connect()
        try fill(connection, 20)
        #expect(
            try connection.command("BGREWRITEAOF")
                == .simple("Background append only file rewriting started"))
        try connection.waitFor("aof_rewrites", "1")
        #expect(try connection.persistence("aof_enabled") == "0")
        #expect(try connection.command("SET", "not", "rewritten") == .ok)
        #expect(try connection.command("DEBUG", "LOADAOF") == .ok)
        #expect(try connection.command("DBSIZE") == .integer(20))
        #expect(try connection.persistence("rdb_changes_since_last_save") == "0")
        try fill(connection, 20)
        #expect(try connection.persistence("rdb_changes_since_last_save") == "20")
        let before = try #require(try connection.command("LASTSAVE").integer)
        #expect(try connection.command("SAVE") == .ok)
        #expect(try connection.persistence("rdb_changes_since_last_save") == "0")
        let after = try #require(try connection.command("LASTSAVE").integer)
        #expect(after >= before)
        #expect(try connection.persistence("rdb_last_save_time") == "\(after)")
        server.kill()
        try server.start()
        #expect(try server.connect().command("DBSIZE") == .integer(20))
    }

    @Test("a save point saves by itself")
    func savePoint() throws {
        let server = try ServerProcess(["--appendonly", "no", "--save", "1 5"])
        let connection = try server.connect()
        try fill(connection, 5)
        try connection.waitFor("rdb_saves", "1")
        #expect(try connection.persistence("rdb_changes_since_last_save") == "0")
        #expect(server.log.contains("5 changes in 1 seconds. Saving..."))
        server.kill()
        try server.start()
        #expect(try server.connect().command("DBSIZE") == .integer(5))
    }

    @Test("a log that has grown is rewritten by itself")
    func automaticRewrite() throws {
        let server = try ServerProcess([
            "--save", "", "--auto-aof-rewrite-min-size", "20kb",
            "--auto-aof-rewrite-percentage", "100", "--wal-retain-size", "0",
        ])
        let connection = try server.connect()
        for _ in 0..<20 { try fill(connection, 200) }
        try connection.waitFor("a rewrite") {
            try connection.persistence("aof_rewrites") != "0"
        }
        #expect(server.log.contains("Starting automatic rewriting of AOF on"))
        try connection.waitUntilSaved()
        server.kill()
        try server.start()
        #expect(try server.connect().command("DBSIZE") == .integer(200))
    }

    // MARK: Stops

    @Test(
        "SHUTDOWN saves if told to, or by its save points",
        arguments: [
            ("", "SAVE", true), ("", "NOSAVE", false), ("", "", false),
            ("3600 1", "", true), ("3600 1", "NOSAVE", false),
        ])
    func shutdown(points: String, word: String, saves: Bool) throws {
        let server = try ServerProcess(["--appendonly", "no", "--save", points])
        let connection = try server.connect()
        try fill(connection, 10)
        // A save that runs is ended.
        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "100000000")
        try connection.command("BGSAVE")
        try connection.waitFor("current_save_phase", "write")
        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "0")
        try connection.send(Request.encode(["SHUTDOWN"] + (word.isEmpty ? [] : [word])))
        #expect(server.waitForEnd() == .exited(0))
        #expect(try leftovers(server.folder.path) == [])
        #expect((bytes(server.folder.file("dump.rdb")) != nil) == saves)
        try server.start()
        #expect(try server.connect().command("DBSIZE") == .integer(saves ? 10 : 0))
    }

    // MARK: Failures

    @Test("a save that fails is shown, stops writes if there are save points, and is made good")
    func failing() throws {
        let server = try ServerProcess(["--appendonly", "no", "--save", ""])
        let connection = try server.connect()
        try fill(connection, 10)
        let last = try connection.command("LASTSAVE")
        // Nothing can take the name of a folder.
        let obstacle = server.folder.file("dump.rdb")
        try FileManager.default.createDirectory(
            atPath: obstacle, withIntermediateDirectories: false)
        #expect(try connection.command("BGSAVE") == .simple("Background saving started"))
        try connection.waitFor("rdb_last_bgsave_status", "err")
        #expect(try leftovers(server.folder.path) == [])
        #expect(try connection.command("LASTSAVE") == last)
        #expect(try connection.persistence("rdb_changes_since_last_save") == "10")
        #expect(try connection.command("SAVE") == .error("ERR"))
        // Without save points nobody relies on them.
        #expect(try connection.command("SET", "k", "v") == .ok)
        #expect(try connection.command("CONFIG", "SET", "save", "3600 1") == .ok)
        try connection.waitFor("a refusal") {
            try connection.command("SET", "k", "w").text?
                .hasPrefix("MISCONF Redis is configured to save RDB snapshots, but it's") == true
        }
        #expect(try connection.command("GET", "k") == .bulk("v"))
        #expect(
            try connection.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") == .ok)
        try connection.waitFor("a write") { try connection.command("SET", "k", "x") == .ok }
        #expect(
            try connection.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes") == .ok)
        try connection.waitFor("a refusal") { try connection.command("SET", "k", "y").isError }
        #expect(
            try connection.command("SHUTDOWN")
                == .error("ERR Errors trying to SHUTDOWN. Check logs."))

        try FileManager.default.removeItem(atPath: obstacle)
        #expect(try connection.command("BGSAVE") == .simple("Background saving started"))
        try connection.waitFor("rdb_last_bgsave_status", "ok")
        try connection.waitFor("a write") { try connection.command("SET", "k", "z") == .ok }
        #expect(server.terminate() == .exited(0))
        try server.start()
        #expect(try server.connect().command("GET", "k") == .bulk("z"))
    }

    @Test("a disk that is too small for a save keeps the old file, and the log goes on")
    func fullDisk() throws {
        let disk = try TemporaryFolder()
        let mount = try Subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "holdfast-test", disk.path])
        guard mount.status == 0 else {
            return print("not run, a tmpfs can't be mounted here: \(mount.output)")
        }
        let server = try ServerProcess([
            "--dir", disk.path, "--save", "", "--wal-segment-size", "1mb", "--wal-reserve", "1mb",
            "--rdb-compression", "no", "--aof-base-compression", "no", "--wal-retain-size", "0",
        ])
        defer {
            server.kill()
            _ = try? Subprocess.run(["umount", "-l", disk.path])
        }
        let connection = try server.connect()
        try fill(connection, 1_000, bytes: 4_000)
        #expect(try connection.command("SAVE") == .ok)
        let old = try #require(bytes(disk.file("dump.rdb")))
        let free =
            try FileManager.default.attributesOfFileSystem(forPath: disk.path)[
                .systemFreeSize] as? Int
        let filler = disk.file("filler")
        // Room for half of a snapshot beside what the log keeps free.
        try Data(count: try #require(free) - (3 << 20) - (512 << 10)).write(
            to: URL(fileURLWithPath: filler))

        #expect(try connection.command("BGSAVE") == .simple("Background saving started"))
        try connection.waitFor("rdb_last_bgsave_status", "err")
        #expect(try leftovers(disk.path) == [])
        #expect(bytes(disk.file("dump.rdb")) == old)
        #expect(
            try connection.command("BGREWRITEAOF")
                == .simple("Background append only file rewriting started"))
        try connection.waitFor("aof_last_bgrewrite_status", "err")
        #expect(try leftovers(disk.file("appendonlydir")) == [])
        // The log may have met the full disk as well, and heals.
        try connection.waitFor("a write") {
            try connection.command("SET", "after", "the failures") == .ok
        }

        try FileManager.default.removeItem(atPath: filler)
        // The log may still be healing when the first attempt begins.
        try connection.waitFor("a rewrite that succeeds") {
            _ = try connection.command("BGREWRITEAOF")
            try connection.waitUntilSaved()
            return try connection.persistence("aof_last_bgrewrite_status") == "ok"
        }
        #expect(try connection.command("SAVE") == .ok)
        server.kill()
        try server.start()
        let again = try server.connect()
        #expect(try again.command("GET", "after") == .bulk("the failures"))
        #expect(try again.command("DBSIZE") == .integer(1_001))
    }

    // MARK: kill -9

    @Test(
        "a kill in the middle of a save or a rewrite loses nothing that was acknowledged",
        arguments: ["BGSAVE", "BGREWRITEAOF"], ["1000", "0"])
    func killed(command: String, delay: String) throws {
        let seed = TestSeed.next("\(command) killed, delay \(delay)")
        var random = PRNG(seed: seed)
        let server = try ServerProcess([
            "--save", "", "--rdb-key-save-delay", delay, "--wal-segment-size", "64kb",
            "--wal-retain-size", "0",
        ])
        var connection = try server.connect()
        try fill(connection, 400)
        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "0")
        #expect(try connection.command("SAVE") == .ok)
        let old = bytes(server.folder.file("dump.rdb"))
        var last = 0
        for round in 1...(delay == "0" ? 8 : 3) {
            try connection.command("CONFIG", "SET", "rdb-key-save-delay", delay)
            #expect(try connection.command(command).isError == false)
            if delay != "0" { try connection.waitFor("current_save_phase", "write") }
            // With no delay the kill meets any step of it.
            for _ in 0..<random.below(60) {
                let numbers = last + 1...last + 20
                let replies = try connection.pipeline(
                    numbers.map { ["SET", "w:\($0)", "\($0)"] } + [["INCRBY", "sum", "20"]])
                #expect(replies.dropLast().allSatisfy { $0 == .ok })
                last += 20
            }
            server.kill()
            if command == "BGSAVE", delay != "0" {
                #expect(bytes(server.folder.file("dump.rdb")) == old, "round \(round)")
            }
            try server.start()
            connection = try server.connect()
            #expect(try leftovers(server.logFolder) == [], "round \(round)")
            #expect(
                try connection.command("DBSIZE")
                    == .integer(Int64(400 + last + (last > 0 ? 1 : 0))),
                "round \(round), seed \(seed)")
            if last > 0 {
                #expect(try connection.command("GET", "sum") == .bulk("\(last)"))
                #expect(try connection.command("GET", "w:\(last)") == .bulk("\(last)"))
            }
        }
        #expect(server.terminate() == .exited(0))
    }

    @Test("a call that fails during a save or a rewrite, whichever it is, loses nothing")
    func failingCalls() throws {
        if let obstacle = FaultInjector.obstacle { return print("not run: \(obstacle)") }
        let server = try ServerProcess([
            "--save", "", "--wal-segment-size", "256kb", "--wal-retain-size", "0",
        ])
        var connection = try server.connect()
        try fill(connection, 300)
        var last = 0
        var faults = 0
        for fault in [
            "pwritev:error=EIO", "fdatasync:error=EIO", "fsync:error=EIO", "rename:error=ENOSPC",
            "openat:error=EMFILE",
        ] {
            for number in 1...3 {
                let injector = try FaultInjector(
                    server.processIdentifier, "\(fault):when=\(number)")
                for command in ["BGREWRITEAOF", "BGSAVE"] {
                    try connection.waitFor("\(command) begun") {
                        try connection.command(command).isError == false
                    }
                    // The log may be the one that met the fault; then it heals.
                    try connection.waitFor("a write, \(fault), \(number)") {
                        try connection.command("SET", "w:\(last + 1)", "x") == .ok
                    }
                    last += 1
                    try connection.waitUntilSaved()
                }
                injector.end()
                faults += injector.faultCount
                #expect(server.isRunning)
                #expect(try leftovers(server.folder.path) == [], "\(fault), \(number)")
                #expect(try leftovers(server.logFolder) == [], "\(fault), \(number)")
            }
            server.kill()
            try server.start()
            connection = try server.connect()
            #expect(try connection.command("DBSIZE") == .integer(Int64(300 + last)), "\(fault)")
        }
        #expect(faults > 8)
        #expect(try connection.command("BGREWRITEAOF").isError == false)
        try connection.waitUntilSaved()
        #expect(try connection.persistence("aof_last_bgrewrite_status") == "ok")
        #expect(try connection.command("SAVE") == .ok)
        #expect(server.terminate() == .exited(0))
    }

    // MARK: FLUSHALL

    @Test(
        "FLUSHALL ends a save that runs; with save points it leaves an empty dump",
        arguments: ["", "3600 1"])
    func flushAll(points: String) throws {
        let server = try ServerProcess(["--appendonly", "no", "--save", points])
        let connection = try server.connect()
        let dump = server.folder.file("dump.rdb")
        try fill(connection, 200)
        #expect(try connection.command("SAVE") == .ok)
        let full = try #require(bytes(dump))
        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "1000000")
        try fill(connection, 300)
        try connection.command("BGSAVE")
        try connection.waitFor("current_save_keys_total", "300")
        #expect(try connection.command("FLUSHDB") == .ok)
        #expect(try connection.persistence("rdb_bgsave_in_progress") == "1")
        #expect(try connection.command("FLUSHALL") == .ok)
        #expect(try connection.persistence("rdb_bgsave_in_progress") == "0")
        #expect(try connection.persistence("rdb_last_bgsave_status") == "ok")
        let after = try #require(bytes(dump))
        #expect((after == full) == points.isEmpty)
        #expect(after.count < full.count || points.isEmpty)
        #expect(try connection.persistence("rdb_changes_since_last_save") == "0" || points.isEmpty)
        #expect(try leftovers(server.folder.path) == [])
        server.kill()
        try server.start()
        #expect(
            try server.connect().command("DBSIZE") == .integer(points.isEmpty ? 200 : 0))
    }

    @Test("a rewrite goes on beside a FLUSHALL, and a start finds what came after it")
    func flushDuringRewrite() throws {
        let server = try ServerProcess(["--save", ""])
        let connection = try server.connect()
        try fill(connection, 200)
        try connection.command("CONFIG", "SET", "rdb-key-save-delay", "1000")
        try connection.command("BGREWRITEAOF")
        try connection.waitFor("aof_rewrite_in_progress", "1")
        #expect(try connection.command("FLUSHALL") == .ok)
        #expect(try connection.command("SET", "after", "1") == .ok)
        try connection.waitFor("aof_rewrites", "1")
        server.kill()
        try server.start()
        #expect(try server.connect().command("KEYS", "*") == .array([.bulk("after")]))
    }

    // MARK: CONFIG SET appendonly

    @Test("the log is turned on, off and on again while the server runs; a kill finds everything")
    func logSwitch() throws {
        let server = try ServerProcess(["--appendonly", "no", "--save", ""])
        var connection = try server.connect()
        func set(_ value: String) throws {
            #expect(try connection.command("CONFIG", "SET", "appendonly", value) == .ok)
            #expect(try connection.persistence("aof_enabled") == (value == "yes" ? "1" : "0"))
        }
        func restart(_ appendonly: String, _ expected: Int64) throws {
            server.kill()
            // What was set is gone with the process.
            let next = try ServerProcess(
                ["--appendonly", appendonly, "--save", ""], folder: server.folder)
            #expect(try next.connect().command("DBSIZE") == .integer(expected))
            next.kill()
        }
        try fill(connection, 50)
        try set("yes")
        #expect(try connection.command("SET", "on", "1") == .ok)
        try restart("yes", 51)

        try server.start()
        connection = try server.connect()
        #expect(try connection.command("DBSIZE") == .integer(0))
        // An old log lies there: what is in memory takes its place.
        try fill(connection, 30)
        try set("yes")
        #expect(try connection.command("SET", "on", "1") == .ok)
        try set("no")
        #expect(try connection.command("SET", "off", "1") == .ok)
        try set("yes")
        #expect(try connection.command("SET", "on", "2") == .ok)
        try restart("yes", 32)
    }

    // MARK: Damage

    @Test(
        "a bit flipped anywhere in a snapshot stops the start, which says where",
        arguments: [["lz4"], ["no"], ["lzf", "base"]])
    func flippedBits(form: [String]) throws {
        let isBase = form.count > 1
        let arguments = ["--appendonly", isBase ? "yes" : "no", "--save", ""]
        let server = try ServerProcess(
            arguments + ["--rdb-compression", form[0], "--aof-base-compression", form[0]])
        let connection = try server.connect()
        try ValueMakers.fillSmall(connection)
        var path = server.folder.file("dump.rdb")
        if isBase {
            #expect(try connection.command("BGREWRITEAOF").isError == false)
            try connection.waitFor("aof_rewrites", "1")
            path = server.logFolder + "/appendonly.aof.1.base.rdb"
        } else {
            #expect(try connection.command("SAVE") == .ok)
        }
        server.kill()
        let whole = Array(try #require(bytes(path)))
        var random = PRNG(seed: 4)
        let offsets =
            [0, 6, 9, whole.count - 1] + (0..<10).map { _ in random.below(whole.count) }
        for offset in offsets {
            var spoilt = whole
            spoilt[offset] ^= 1 << UInt8(random.below(8))
            try Data(spoilt).write(to: URL(fileURLWithPath: path))
            let start = try ServerProcess(arguments, folder: server.folder, waits: false)
            #expect(start.waitForEnd() == .exited(1), "offset \(offset)")
            let lines = start.log.split(separator: "\n")
            #expect(
                lines.contains { $0.contains("dump.rdb") && $0.contains(" offset ") }
                    || lines.contains { $0.contains("base.rdb") && $0.contains(" offset ") },
                "offset \(offset): \(start.log)")
            #expect(bytes(path) == Data(spoilt))
            try FileManager.default.removeItem(atPath: start.folder.file("server.log"))
        }
        try Data(whole).write(to: URL(fileURLWithPath: path))
        try server.start()
        #expect(try server.connect().command("DBSIZE").integer ?? 0 > 10)
    }
}
