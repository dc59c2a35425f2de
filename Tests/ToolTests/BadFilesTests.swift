import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// Both programs, as processes, on what is no file of theirs: each ends by itself, with a status that means something, in
/// bounded memory.
@Suite("tools on bad files")
struct BadFilesTests {
    private let folder: TemporaryFolder
    private let rdb: String
    private let aof: String

    init() throws {
        folder = try TemporaryFolder()
        rdb = try RDBFiles.program()
        aof = URL(filePath: rdb).deletingLastPathComponent().appending(path: "aof-check").path
    }

    /// Runs a command line with an address space that leaves no room for lengths that are believed.
    private func run(_ words: [String]) throws -> (status: Int32, output: String) {
        let run = try Subprocess.run(["bash", "-c", "ulimit -v 600000; exec \"$@\"", "-"] + words)
        return (run.status, run.output)
    }

    private static let rdbCommands: [[String]] = [
        ["verify"], ["verify", "--quick"], ["info"], ["keys"], ["dump"], ["top"], ["report"],
        ["digest"],
    ]
    private static let aofCommands: [[String]] = [
        ["verify"], ["ls"], ["cat"], ["points"], ["stats"], ["fix", "--yes"],
        ["replay", "--to", "127.0.0.1:1"],
    ]

    private func check(_ path: String, rdbStatus: Set<Int32>, aofStatus: Set<Int32>) throws {
        for (program, commands, expected) in [
            (rdb, Self.rdbCommands, rdbStatus), (aof, Self.aofCommands, aofStatus),
        ] {
            for words in commands {
                let run = try run([program] + words + [path])
                // Nobody listens where it would replay to.
                let allowed = words[0] == "replay" ? expected.union([3]) : expected
                #expect(allowed.contains(run.status), "\(words) \(path): \(run)")
                #expect(!run.output.contains("Fatal error"), "\(words) \(path): \(run)")
            }
        }
        for old in ["redis-check-rdb", "redis-check-aof"] {
            let link = folder.file(old)
            if !FileManager.default.fileExists(atPath: link) {
                try FileManager.default.createSymbolicLink(
                    atPath: link, withDestinationPath: old.hasSuffix("rdb") ? rdb : aof)
            }
            let run = try run([link, path])
            #expect([0, 1].contains(run.status), "\(old) \(path): \(run)")
        }
    }

    @Test("folders, devices and names that lead nowhere")
    func noFiles() throws {
        let missing = folder.file("missing")
        try check(missing, rdbStatus: [3], aofStatus: [3])
        try check("/dev/null", rdbStatus: [4, 5], aofStatus: [3])
        try check("/dev/zero", rdbStatus: [4], aofStatus: [3])
        try check(folder.path, rdbStatus: [3], aofStatus: [2])
        let loop = folder.file("loop")
        try FileManager.default.createSymbolicLink(atPath: loop, withDestinationPath: loop)
        try check(loop, rdbStatus: [3], aofStatus: [3])
        try check(folder.file(String(repeating: "x", count: 300)), rdbStatus: [3], aofStatus: [3])
    }

    @Test("files that are empty, unreadable, too short, or of another kind")
    func otherFiles() throws {
        let path = folder.file("file")
        try RDBFiles.write([], to: path)
        try check(path, rdbStatus: [5], aofStatus: [0])
        for text in ["R", "REDIS", "*", "#HFS", "\u{1f}", "garbage", "\u{7f}ELF\u{2}\u{1}\u{1}"] {
            try RDBFiles.write(Array(text.utf8), to: path)
            try check(path, rdbStatus: [1, 4, 5], aofStatus: [0, 1, 3, 4, 5])
        }
        try RDBFiles.write([UInt8](repeating: 0, count: 100_000), to: path)
        try check(path, rdbStatus: [1, 4], aofStatus: [0, 1, 4, 5])
        // The superuser reads everything.
        if geteuid() != 0 {
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
            try check(path, rdbStatus: [3], aofStatus: [3])
        }
    }

    @Test("frames that are torn, damaged, or stand for very much")
    func frames() throws {
        let plain = folder.file("plain.rdb")
        try RDBFiles.write(RDBFiles.small, to: plain)
        let bomb = folder.file("bomb")
        // A string of 40 MB of one letter, which each of them makes small.
        try RDBFiles.write(
            Array("REDIS0010".utf8) + [0xfe, 0, 0, 1, 0x6b, 0x80, 0x02, 0x62, 0x5a, 0], to: bomb)
        let file = try FileHandle(forWritingTo: URL(filePath: bomb))
        try file.truncate(atOffset: 19 + 40_000_000)
        try file.seekToEnd()
        try file.write(contentsOf: Data([0xff] + [UInt8](repeating: 0, count: 8)))
        try file.close()
        for (name, words) in [
            ("gz", "gzip -1 -c"), ("zst", "zstd -q -c"), ("lz4", "lz4 -q -c"),
            ("long.zst", "zstd -q --long=31 --zstd=wlog=31 -c"),
        ] {
            let packed = folder.file("packed.\(name)")
            _ = try Subprocess.run(["sh", "-c", "\(words) '\(bomb)' > '\(packed)'"])
            for words in [["verify"], ["verify", "--quick"], ["digest"], ["info"]] {
                let run = try run([rdb] + words + [packed])
                // Of a window of 2 GiB it says that it is too much.
                let expected: [Int32] = name == "long.zst" ? [0, 1, 3] : [0]
                #expect(expected.contains(run.status), "\(words) \(packed): \(run)")
            }
            _ = try Subprocess.run(["sh", "-c", "\(words) '\(plain)' > '\(packed)'"])
            var bytes = try RDBFiles.read(packed)
            for place in stride(from: 4, to: bytes.count, by: 23) {
                bytes[place] ^= 0x55
                try RDBFiles.write(bytes, to: packed)
                let run = try run([rdb, "-q", packed])
                #expect([0, 1, 3, 4, 5].contains(run.status), "\(name) \(place): \(run)")
                bytes[place] ^= 0x55
            }
        }
    }

    @Test("Ctrl-C ends a program that waits for a pipe", arguments: ["verify", "info", "salvage"])
    func waiting(command: String) throws {
        let fifo = folder.file("fifo")
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        let process = try Subprocess(
            [rdb, command] + (command == "salvage" ? ["-o", folder.file("new")] : []) + [fifo])
        // It takes signals as soon as it blocks them.
        let status = "/proc/\(process.processIdentifier)/status"
        while process.isRunning {
            let text = (try? String(contentsOfFile: status, encoding: .utf8)) ?? ""
            let blocked = text.split(separator: "\n").first { $0.hasPrefix("SigBlk:") }
            if let blocked,
                blocked.hasSuffix("2") || blocked.hasSuffix("3") || blocked.hasSuffix("7")
            {
                break
            }
            // Polls a process that is starting; there is nothing to be woken by.
            usleep(2_000)
        }
        process.signal(SIGINT)
        #expect(try process.wait() == 130)
        #expect(!FileManager.default.fileExists(atPath: folder.file("new")))
    }
}
