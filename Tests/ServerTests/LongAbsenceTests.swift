import Foundation
import TestSupport
import Testing

/// Much is written while replicas are away: they get it from the log's files, and the primary's memory doesn't tell
/// that they do.
@Suite("long absences", .serialized)
struct LongAbsenceTests {
    /// `HOLDFAST_MISSED_MB` sets how much they miss; 1024 takes a while, and three times that on the disk.
    private static let missedMB =
        ProcessInfo.processInfo.environment["HOLDFAST_MISSED_MB"].flatMap { Int($0) } ?? 64

    /// What a process has of the machine's memory, in bytes.
    private func residentBytes(_ process: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return (Int(line.split(whereSeparator: \.isWhitespace).dropFirst().first ?? "") ?? 0) << 10
    }

    private func used(_ connection: RESPConnection) throws -> Int {
        Int(try connection.info("used_memory") ?? "") ?? .max
    }

    private func write(_ connection: RESPConnection, megabytes: Int) throws {
        let value = String(repeating: "v", count: 4_000)
        for start in stride(from: 0, to: megabytes * 250, by: 250) {
            _ = try connection.pipeline(
                (start..<start + 250).map { ["SET", "key:\($0 % 5_000)", "\($0)\(value)"] })
        }
    }

    @Test(
        "a replica that was killed and one that was cut off go on in their logs, at no cost in memory"
    )
    func absence() throws {
        let retained = "\(Self.missedMB * 2 + 64)mb"
        let server = try ServerProcess([
            "--save", "", "--repl-diskless-sync-delay", "0", "--wal-retain-size", retained,
            "--wal-segment-size", "16mb",
        ])
        let ours = try server.connect()
        ours.timeoutSeconds = 60
        let proxy = try LinkProxy(to: server.port)
        defer { proxy.stop() }
        try write(ours, megabytes: 20)
        let killed = try ServerProcess(["--save", "", "--replicaof", "127.0.0.1 \(server.port)"])
        let stock = try StockServer(["--replicaof", "127.0.0.1 \(proxy.port)"])
        try killed.connect().waitForLink()
        let other = try stock.connect()
        try other.waitForLink()

        killed.kill()
        proxy.setOpen(false)
        try ours.waitFor("both to be gone") { try ours.info("connected_slaves") == "0" }
        try write(ours, megabytes: Self.missedMB)
        // Superseded segments serve as well as others.
        try ours.command("BGREWRITEAOF")
        try ours.waitUntilSaved(seconds: 60)
        // What was frozen for the rewrite has been given back by then.
        var before = try used(ours)
        try ours.waitFor("memory to come to rest") {
            let now = try used(ours)
            defer { before = now }
            return now == before
        }
        let residentBefore = try residentBytes(server.processIdentifier)

        try killed.start()
        proxy.setOpen(true)
        let back = try killed.connect()
        var most = before
        var residentMost = residentBefore
        for replica in [back, other] {
            try replica.waitFor("the primary's offset", seconds: 300) {
                most = max(most, try used(ours))
                residentMost = max(residentMost, try residentBytes(server.processIdentifier))
                return try replica.info("master_link_status") == "up"
                    && replica.info("slave_repl_offset") == ours.info("master_repl_offset")
            }
        }
        print(
            "\(Self.missedMB) MB missed by two: \(before >> 10) KiB in use before, \((most - before) >> 10) more at most; "
                + "\(residentBefore >> 10) KiB resident, \((residentMost - residentBefore) >> 10) more at most"
        )
        let digest = try ours.command("DEBUG", "DIGEST")
        try #expect(back.command("DEBUG", "DIGEST") == digest)
        try #expect(other.command("DEBUG", "DIGEST") == digest)
        #expect(try ours.resyncs() == ["2", "2", "0"], "\(server.log)")
        // A MiB for each that lags, and what connections take.
        #expect(most - before < 3 << 20)
        #expect(residentMost - residentBefore < 16 << 20)
    }
}
