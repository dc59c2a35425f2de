import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// System calls of the real server fail: it neither exits nor acknowledges what may be lost, serves what needs
/// no disk, and heals by itself.
@Suite("disk faults", .serialized)
struct DiskFaultTests {
    // MARK: Calls that fail until the disk is well again

    @Test(
        "while the disk fails nothing is acknowledged that a kill could take, and reads go on",
        arguments: [
            ("always", "fdatasync:error=EIO"), ("always", "pwritev:error=EIO"),
            ("always", "pwritev:error=ENOSPC"), ("everysec", "fdatasync:error=EIO"),
            ("everysec", "pwritev:error=EIO"), ("everysec", "pwritev:error=ENOSPC"),
            ("no", "pwritev:error=EIO"), ("no", "pwritev:error=ENOSPC"),
        ])
    func lastingFault(policy: String, fault: String) throws {
        if let obstacle = FaultInjector.obstacle { return print("not run: \(obstacle)") }
        for killsDuringFault in [false, true] {
            let server = try ServerProcess([
                "--appendfsync", policy, "--wal-segment-size", "256kb", "--max-unsynced-ms", "300",
            ])
            let writer = try Writer(server)
            for _ in 0..<50 { try writer.write() }
            #expect(writer.acknowledged.count == 50)

            let injector = try FaultInjector(server.processIdentifier, fault)
            writer.patienceSeconds = 0.3
            var outcomes: [Writer.Outcome] = []
            // Until a write is refused or waits, as it must in the end.
            while outcomes.count < 3_000 {
                outcomes.append(try writer.write())
                if outcomes.last != .acknowledged { break }
            }
            let refused = try #require(outcomes.last)
            #expect(refused != .acknowledged, "\(policy), \(fault)")
            try injector.waitForFaults()
            if policy == "always" || fault.hasPrefix("pwritev") {
                // What no call has put on the disk is never acknowledged.
                #expect(outcomes.count == 1, "\(policy), \(fault)")
            }
            try readsGoOn(server, writer)
            for _ in 0..<5 { #expect(try writer.write() != .acknowledged) }
            #expect(server.isRunning)

            if killsDuringFault {
                server.kill()
                injector.end()
                try server.start()
            } else {
                injector.end()
                try writer.waitUntilAcknowledged()
                try writer.collectLate()
                #expect(writer.stillWaiting == 0)
                writer.patienceSeconds = 10
                for _ in 0..<20 { #expect(try writer.write() == .acknowledged) }
                server.kill()
                try server.start()
            }
            #expect(try writer.problems() == [], "\(policy), \(fault)")
            #expect(server.terminate() == .exited(0))
        }
    }

    private func readsGoOn(_ server: ServerProcess, _ writer: Writer) throws {
        let connection = try server.connect()
        #expect(try connection.command("PING") == .simple("PONG"))
        #expect(try connection.command("GET", "w:1") == .bulk("1"))
        #expect(try connection.command("EXISTS", "w:2", "w:3") == .integer(2))
        #expect(try connection.command("MULTI") == .ok)
        #expect(try connection.command("GET", "w:4") == .queued)
        #expect(try connection.command("EXEC") == .array([.bulk("4")]))
    }

    // MARK: One call that fails

    @Test(
        "one failing call, whichever it is, loses nothing and is healed",
        arguments: ["always", "everysec"])
    func oneFault(policy: String) throws {
        if let obstacle = FaultInjector.obstacle { return print("not run: \(obstacle)") }
        let most =
            ProcessInfo.processInfo.environment["HOLDFAST_FAULTS"].flatMap { Int($0) } ?? 6
        let server = try ServerProcess([
            "--appendfsync", policy, "--wal-segment-size", "64kb", "--max-unsynced-ms", "100",
        ])
        let writer = try Writer(server, valueBytes: 2_000)
        writer.patienceSeconds = 0.3
        for fault in [
            "pwritev:error=EIO", "pwritev:error=ENOSPC", "fdatasync:error=EIO",
            "ftruncate:error=EIO", "fsync:error=EIO", "rename:error=EIO", "openat:error=ENOSPC",
            "openat:error=EMFILE",
        ] {
            for number in 1...most {
                let injector = try FaultInjector(
                    server.processIdentifier, "\(fault):when=\(number)")
                // Enough for two segments, in bursts, so that all kinds of calls come.
                for _ in 0..<8 { try writer.burst(10) }
                try writer.waitUntilAcknowledged()
                try writer.collectLate()
                #expect(server.isRunning)
                injector.end()
            }
            #expect(writer.stillWaiting == 0, "\(fault)")
            server.kill()
            try server.start()
            #expect(try writer.problems() == [], "\(policy), \(fault)")
        }
        print("\(writer.acknowledged.count) writes acknowledged around single faults, \(policy)")
        #expect(server.terminate() == .exited(0))
    }

    // MARK: A full disk

    @Test(
        "a disk that fills up refuses growing writes before the log fails, and serves again with room"
    )
    func fullDisk() throws {
        let disk = try TemporaryFolder()
        let mount = try Subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m", "holdfast-test", disk.path])
        guard mount.status == 0 else {
            return print("not run, a tmpfs can't be mounted here: \(mount.output)")
        }
        let server = try ServerProcess([
            "--appendfsync", "everysec", "--dir", disk.path, "--wal-segment-size", "1mb",
            "--wal-reserve", "1mb",
        ])
        defer {
            server.kill()
            _ = try? Subprocess.run(["umount", "-l", disk.path])
        }
        let filler = disk.file("filler")
        try Data(count: 10 << 20).write(to: URL(fileURLWithPath: filler))

        let writer = try Writer(server, valueBytes: 4_000)
        var refusal: Writer.Outcome?
        for _ in 0..<5_000 where refusal == nil {
            let outcome = try writer.write()
            if outcome != .acknowledged { refusal = outcome }
        }
        #expect(
            refusal == .refused("MISCONF Errors writing to the AOF file: No space left on device"))
        #expect(!server.log.contains("ENOSPC"))
        let connection = try server.connect()
        #expect(try connection.command("PING") == .simple("PONG"))
        #expect(try connection.command("STRLEN", "w:1") == .integer(4_000))
        #expect(try connection.command("SET", "small", "x").isError)
        #expect(try connection.command("DEL", "w:1", "w:2") == .integer(2))
        #expect(try connection.command("UNLINK", "w:3") == .integer(1))
        for number in 1...3 { writer.acknowledged[number] = nil }
        let info = try connection.command("INFO", "persistence").text ?? ""
        #expect(info.contains("aof_last_write_status:ok"))

        try FileManager.default.removeItem(atPath: filler)
        try writer.waitUntilAcknowledged()
        for _ in 0..<50 { #expect(try writer.write() == .acknowledged) }
        server.kill()
        try server.start()
        #expect(try writer.problems() == [])
        #expect(try server.connect().command("EXISTS", "w:1", "w:2", "w:3") == .integer(0))
    }

    @Test("a disk that somebody else fills to the last byte stops writes, not the server")
    func fullToTheLastByte() throws {
        let disk = try TemporaryFolder()
        let mount = try Subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "holdfast-test", disk.path])
        guard mount.status == 0 else {
            return print("not run, a tmpfs can't be mounted here: \(mount.output)")
        }
        let server = try ServerProcess([
            "--appendfsync", "always", "--dir", disk.path, "--wal-segment-size", "256kb",
        ])
        defer {
            server.kill()
            _ = try? Subprocess.run(["umount", "-l", disk.path])
        }
        let writer = try Writer(server, valueBytes: 4_000)
        for _ in 0..<20 { try writer.write() }
        let filler = disk.file("filler")
        _ = try Subprocess.run(["dd", "if=/dev/zero", "of=\(filler)", "bs=4096"])
        writer.patienceSeconds = 0.3
        var isRefused = false
        for _ in 0..<3_000 where !isRefused { isRefused = try writer.write() != .acknowledged }
        #expect(isRefused)
        let connection = try server.connect()
        #expect(try connection.command("PING") == .simple("PONG"))
        #expect(try connection.command("STRLEN", "w:1") == .integer(4_000))
        try FileManager.default.removeItem(atPath: filler)
        try writer.waitUntilAcknowledged()
        try writer.collectLate()
        #expect(writer.stillWaiting == 0)
        server.kill()
        try server.start()
        #expect(try writer.problems() == [])
    }
}

/// Writes numbered keys one after another and knows which were acknowledged.
private final class Writer {
    enum Outcome: Equatable {
        case acknowledged
        case refused(String)
        /// No answer in a while; it may come later.
        case waiting
    }

    private let server: ServerProcess
    private let valueBytes: Int
    private var connection: RESPConnection
    private var last = 0
    /// The size of the value under each number.
    var acknowledged: [Int: Int] = [:]
    private var refused: Set<Int> = []
    /// How long to wait for an answer.
    var patienceSeconds = 10.0
    private var late: [(connection: RESPConnection, numbers: [Int])] = []

    init(_ server: ServerProcess, valueBytes: Int = 0) throws {
        self.server = server
        self.valueBytes = valueBytes
        connection = try server.connect()
    }

    var stillWaiting: Int { late.count }

    private func value(_ number: Int) -> String {
        let text = String(number)
        return text + String(repeating: ".", count: max(0, valueBytes - text.utf8.count))
    }

    @discardableResult
    func write() throws -> Outcome { try burst(1) }

    /// Sends `count` writes at once; the outcome of the last.
    @discardableResult
    func burst(_ count: Int) throws -> Outcome {
        let numbers = Array(last + 1...last + count)
        last += count
        for number in numbers {
            try connection.send(Request.encode(["SET", "w:\(number)", value(number)]))
        }
        connection.timeoutSeconds = patienceSeconds
        var outcome = Outcome.waiting
        for (index, number) in numbers.enumerated() {
            do {
                outcome = try take(connection, number)
            } catch RESPConnection.Failure.timedOut {
                late.append((connection, Array(numbers[index...])))
                connection = try server.connect()
                return .waiting
            }
        }
        return outcome
    }

    private func take(_ connection: RESPConnection, _ number: Int) throws -> Outcome {
        let reply = try connection.receive()
        if reply == .ok {
            acknowledged[number] = value(number).utf8.count
            return .acknowledged
        }
        refused.insert(number)
        return .refused(reply.text ?? "\(reply)")
    }

    /// Writes until it works again.
    func waitUntilAcknowledged(seconds: Double = 10) throws {
        let start = Date()
        while try write() != .acknowledged {
            guard Date().timeIntervalSince(start) < seconds else {
                throw Subprocess.Failed(description: "writes are not served again:\n" + server.log)
            }
            usleep(5_000)
        }
    }

    /// Takes the answers that hadn't come in time, as far as they are there now.
    func collectLate() throws {
        let waiting = late
        late = []
        for (connection, numbers) in waiting {
            connection.timeoutSeconds = 3
            for (index, number) in numbers.enumerated() {
                do {
                    _ = try take(connection, number)
                } catch RESPConnection.Failure.timedOut {
                    late.append((connection, Array(numbers[index...])))
                    break
                }
            }
        }
    }

    /// What is wrong with what the server holds; it may have been restarted.
    func problems() throws -> [String] {
        connection = try server.connect()
        late = []
        let data = try DataSet(of: connection, databaseCount: 1)
        var lines: [String] = []
        for number in acknowledged.keys.sorted()
        where data[0, "w:\(number)"] != Array(value(number).utf8) {
            lines.append("w:\(number) was acknowledged and is lost or changed")
        }
        for number in refused.sorted() where data[0, "w:\(number)"] != nil {
            lines.append("w:\(number) was refused and is there")
        }
        if data.keyCount > last { lines.append("\(data.keyCount) keys of \(last) writes") }
        return Array(lines.prefix(10))
    }
}
