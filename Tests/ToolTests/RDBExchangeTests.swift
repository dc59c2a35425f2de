import Foundation
import HoldfastPlatform
import RDBCheck
import TestSupport
import Testing
import ToolKit

/// What rdb-check writes and says, beside real servers and the stock program.
@Suite("rdb-check beside servers", .serialized)
struct RDBExchangeTests {
    private func digest(_ connection: RESPConnection) throws -> String {
        let reply = try connection.command("DEBUG", "DIGEST")
        return String(decoding: reply.bytes ?? Array("\(reply)".utf8), as: UTF8.self)
    }

    /// The digest that a stock server shows when it has loaded a file.
    private func stockDigest(_ file: String, name: String = "dump.rdb") throws -> String {
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: file, toPath: folder.file(name))
        let server = try StockServer(
            name == "dump.rdb" ? [] : ["--appendonly", "yes"], folder: folder)
        return try digest(try server.connect())
    }

    private func ourDigest(_ file: String) throws -> String {
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: file, toPath: folder.file("dump.rdb"))
        let server = try ServerProcess(["--appendonly", "no", "--save", ""], folder: folder)
        defer { _ = server.terminate() }
        return try digest(try server.connect())
    }

    @Test("every conversion holds the same data for our server and for a stock one")
    func conversions() throws {
        let stock = try StockServer()
        let source = try stock.connect()
        try ValueMakers.fill(source)
        let expected = try digest(source)
        #expect(try source.command("SAVE") == .ok)
        let file = stock.folder.file("dump.rdb")
        #expect(RDBFiles.run("digest", file).text == expected + "\n")
        let folder = try TemporaryFolder()
        for (version, compression) in [
            (9, "none"), (9, "lzf"), (10, "lzf"), (11, "none"), (12, "lz4"),
        ] {
            let new = folder.file("\(version)-\(compression).rdb")
            let run = RDBFiles.run(
                "convert", "--to", "rdb:\(version)", "--compression", compression, "-o", new, file)
            #expect(run.code == .sound, "\(run.text)")
            #expect(RDBFiles.run("digest", new).text == expected + "\n")
            #expect(try ourDigest(new) == expected, "\(version) \(compression)")
            if version <= 10 {
                #expect(try stockDigest(new) == expected, "\(version) \(compression)")
                let check = try Subprocess.run(["redis-check-rdb", new])
                #expect(check.status == 0, "\(check.output)")
            }
        }
        let commands = folder.file("appendonly.aof")
        #expect(RDBFiles.run("convert", "--to", "aof", "-o", commands, file).code == .sound)
        #expect(try stockDigest(commands, name: "appendonly.aof") == expected)
    }

    @Test("our server's files have its digest, and a salvaged one loads everywhere")
    func salvaged() throws {
        let folder = try TemporaryFolder()
        let server = try ServerProcess(
            ["--appendonly", "no", "--save", "", "--rdb-compression", "lzf"], folder: folder)
        let connection = try server.connect()
        for index in 0..<200 {
            try connection.command("SET", "key:\(index)", "value \(index)")
            try connection.command("HSET", "hash:\(index)", "a", "\(index)", "b", "text \(index)")
        }
        #expect(try connection.command("SAVE") == .ok)
        let expected = try digest(connection)
        _ = server.terminate()
        let file = folder.file("dump.rdb")
        #expect(RDBFiles.run("digest", file).text == expected + "\n")

        // Holes of zeros and of noise, which no checksum can undo.
        let whole = try RDBFiles.read(file)
        var random = PRNG(seed: TestSeed.next("salvaged files"))
        var keptInAll = 0
        for round in 0..<12 {
            var bytes = whole
            let place = Int.random(in: 200..<whole.count - 300, using: &random)
            for index in place..<place + 100 {
                bytes[index] = round % 2 == 0 ? 0 : .random(in: 0...255, using: &random)
            }
            let broken = folder.file("broken.rdb")
            try RDBFiles.write(bytes, to: broken)
            // A length read out of the hole may reach beyond the end, which looks torn.
            #expect(try [.damaged, .torn].contains(RDBFiles.verify(broken).code))
            let new = folder.file("new.rdb")
            let (code, report) = try RDBFiles.json(["salvage", "--force", "-o", new, broken])
            #expect(code == .sound)
            let kept = report["keys"] as? Int ?? 0
            #expect(kept < 402, "round \(round): \(report)")
            keptInAll += kept
            let salvaged = RDBFiles.run("digest", new).text
            #expect(try ourDigest(new) + "\n" == salvaged, "round \(round)")
            #expect(try stockDigest(new) + "\n" == salvaged, "round \(round)")
        }
        // Rarely a length out of the hole takes in much of what follows it; 380 and more are left as a rule.
        #expect(keptInAll > 12 * 300)
    }

    @Test("called as redis-check-rdb it prints what that prints, and ends as it does")
    func stockWords() throws {
        let stock = try StockServer()
        let source = try stock.connect()
        try ValueMakers.fill(source)
        try source.command("SET", "past", "x", "PXAT", "1")
        #expect(try source.command("SAVE") == .ok)
        let folder = try TemporaryFolder()
        let file = stock.folder.file("dump.rdb")
        let link = folder.file("redis-check-rdb")
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: try RDBFiles.program())
        let ours = try Subprocess.run([link, file])
        let theirs = try Subprocess.run(["redis-check-rdb", file])
        #expect(ours.status == 0 && theirs.status == 0)
        #expect(ours.output == theirs.output)

        // Damaged in many ways: the same verdict, and the same key.
        var bytes = try RDBFiles.read(file)
        let broken = folder.file("broken.rdb")
        for round in 0..<24 {
            let place = 100 + round * (bytes.count - 200) / 24
            bytes[place] ^= 0x40
            let cut = round % 3 == 2
            try RDBFiles.write(cut ? Array(bytes[..<place]) : bytes, to: broken)
            bytes[place] ^= 0x40
            let ours = try Subprocess.run([link, broken])
            let theirs = try Subprocess.run(["redis-check-rdb", broken])
            #expect(ours.status == theirs.status, "\(place): \(ours.output)\n\(theirs.output)")
            #expect(ours.output.contains("--- RDB ERROR DETECTED ---"))
            if cut {
                let key = { (text: String) in
                    text.split(separator: "\n").first { $0.contains("Reading key") }
                }
                #expect(key(ours.output) == key(theirs.output))
            }
        }
        #expect(try Subprocess.run([link, folder.file("none")]).status == 1)
        #expect(try Subprocess.run([link]).status == 1)
    }
}
