import Foundation
import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Log

/// A folder of its own and stock redis-server processes in it, which talk over a unix socket.
private final class RedisPeer {
    let directory: String
    let folder: LogFolder
    private var socket: String { directory + "/s" }

    init() throws {
        directory = "/tmp/hf-" + UUID().uuidString.prefix(8)
        folder = LogFolder(directory: directory)
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: false)
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Puts a built folder on the real disk.
    func write(_ contents: MemoryDisk.Contents) throws {
        try FileManager.default.createDirectory(
            atPath: folder.path, withIntermediateDirectories: true)
        for (path, bytes) in contents.files {
            let name = path.dropFirst(testFolder.path.count + 1)
            try Data(bytes).write(to: URL(fileURLWithPath: folder.path(of: String(name))))
        }
    }

    /// Starts redis-server in the background and returns once it answers.
    func start(_ arguments: String...) throws {
        let started = try run(
            "redis-server --port 0 --unixsocket \(socket) --dir \(directory) --save '' "
                + "--appendonly yes --daemonize yes --logfile \(directory)/server.txt "
                + arguments.joined(separator: " "))
        // Each try takes a process, so this ends after seconds at most.
        for _ in 0..<5_000 where started.status == 0 {
            if try cli("PING") == "PONG" { return }
        }
        let said = try? String(contentsOfFile: directory + "/server.txt", encoding: .utf8)
        throw PeerFailure(output: started.output + (said ?? ""))
    }

    /// Ends it as SHUTDOWN does, and waits until it has.
    func stop() {
        _ = try? cli("SHUTDOWN", "NOSAVE")
    }

    struct PeerFailure: Error { var output: String }

    func cli(_ words: String...) throws -> String {
        try run("redis-cli -s \(socket) " + words.joined(separator: " ")).output
    }

    func checkAOF() throws -> (status: Int32, output: String) {
        try run("redis-check-aof \(folder.manifestPath)")
    }

    /// Runs a shell command; `popen` because Foundation's `Process` waits on run loops, which hang in
    /// tests that run side by side.
    private func run(_ command: String) throws -> (status: Int32, output: String) {
        // SAFETY: the stream is read to its end and closed here only.
        guard let stream = unsafe popen(command + " 2>&1", "r") else {
            throw PeerFailure(output: command)
        }
        var output: [UInt8] = []
        while true {
            let byte = unsafe getc(stream)
            if byte == EOF { break }
            output.append(UInt8(truncatingIfNeeded: byte))
        }
        let status = unsafe pclose(stream)
        return (
            status, String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
        )
    }

    func recover() throws -> (log: RecoveredLog, records: [UInt8]) {
        var records: [UInt8] = []
        let log = try LogReader.recover(
            RecoverySettings(folder: folder, freshHistory: freshHistory), on: LinuxFileSystem(),
            apply: { records += $0.records.copyToArray() })
        log.lock?.close()
        return (log, records)
    }
}

@Suite("stock redis-server and redis-check-aof as peers", .serialized)
struct RedisPeerTests {
    private var folder: FolderBuilder {
        var folder = FolderBuilder(lsn: 77)
        folder.segment(1)
        folder.batch(record("SET", "a", "1"), record("SELECT", "3"), record("SET", "b", "2"))
        folder.segment(2, database: 3)
        folder.batch(record("MULTI"), record("INCR", "b"), record("INCR", "b"), record("EXEC"))
        folder.batch(record("RPUSH", "list", "x", "y\r\nz"))
        folder.segment(3, database: 3)
        folder.writeManifest()
        return folder
    }

    @Test("a folder of ours is valid for redis-check-aof and loads in redis-server")
    func ours() throws {
        let peer = try RedisPeer()
        try peer.write(folder.contents)
        let check = try peer.checkAOF()
        #expect(check.status == 0, "\(check.output)")
        #expect(check.output.contains("All AOF files and manifest are valid"))
        try peer.start()
        #expect(try peer.cli("GET", "a") == "1")
        #expect(try peer.cli("-n", "3", "GET", "b") == "4")
        #expect(try peer.cli("-n", "3", "LLEN", "list") == "2")
        #expect(try peer.cli("DBSIZE") == "1")
    }

    @Test("what redis-server appended to a folder of ours is loaded")
    func appended() throws {
        let peer = try RedisPeer()
        try peer.write(folder.contents)
        try peer.start()
        #expect(try peer.cli("SET", "later", "yes") == "OK")
        peer.stop()
        let (log, records) = try peer.recover()
        #expect(
            records == folder.records + record("SELECT", "0") + record("SET", "later", "yes"))
        #expect(log.notices.contains { $0.contains("plain commands") })
        #expect(log.history == testHistory)
        #expect(log.nextSegment == 4)
    }

    @Test("a folder of redis-server loads, its empty RDB base included")
    func theirs() throws {
        let peer = try RedisPeer()
        try peer.start("--aof-timestamp-enabled", "yes")
        #expect(try peer.cli("SET", "k", "v") == "OK")
        #expect(try peer.cli("-n", "2", "SET", "k", "v") == "OK")
        peer.stop()
        let (log, records) = try peer.recover()
        #expect(
            records == record("SELECT", "0") + record("SET", "k", "v") + record("SELECT", "2")
                + record("SET", "k", "v"))
        #expect(log.database == 2)
        #expect(log.lastMilliseconds > 1_600_000_000_000)
        #expect(log.manifest.lines.map(\.type) == [.base, .incremental])
        // A base with data is refused by name until snapshots are read.
        try peer.start()
        #expect(try peer.cli("BGREWRITEAOF").contains("started"))
        while try !peer.cli("INFO", "persistence").contains("aof_rewrite_in_progress:0") {}
        peer.stop()
        #expect(throws: LogReadError.self) { try peer.recover() }
    }

    @Test("a base of commands that redis-server rewrote loads")
    func commandBase() throws {
        let peer = try RedisPeer()
        try peer.start("--aof-use-rdb-preamble", "no")
        #expect(try peer.cli("SET", "k", "v") == "OK")
        #expect(try peer.cli("BGREWRITEAOF").contains("started"))
        while try !peer.cli("INFO", "persistence").contains("aof_rewrite_in_progress:0") {}
        #expect(try peer.cli("SET", "k2", "v2") == "OK")
        peer.stop()
        let (_, records) = try peer.recover()
        #expect(
            records == record("SELECT", "0") + record("SET", "k", "v") + record("SELECT", "0")
                + record("SET", "k2", "v2"))
    }
}
