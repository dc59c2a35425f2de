import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// Under the old name, beside the program that has it: the same words and the same status.
@Suite("aof-check as redis-check-aof")
struct RedisCheckAOFTests {
    private static let set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"
    private static let multi = "*1\r\n$5\r\nMULTI\r\n"
    private static let exec = "*1\r\n$4\r\nEXEC\r\n"

    private func compare(_ words: [String], input: String = "", in folder: TemporaryFolder) throws {
        let stock = try Subprocess.run(["redis-check-aof"] + words, input: Array(input.utf8))
        let ours = ToolRun(words, calledAs: "redis-check-aof", on: LinuxFileSystem())
        // Of a line that is too short, the old program shows a byte that it never read.
        let unread = /got: 00../
        #expect(
            ours.output.replacing(unread, with: "got: 0000")
                == stock.output.replacing(unread, with: "got: 0000"), "\(words)")
        #expect(ours.status == stock.status, "\(words)")
    }

    @Test("files cut, damaged or whole are judged alike")
    func files() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("x.aof")
        let whole = Self.set + Self.multi + Self.set + Self.exec + "#TS:1700000000\r\n" + Self.set
        var texts = (0...whole.utf8.count).map {
            String(decoding: whole.utf8.prefix($0), as: UTF8.self)
        }
        texts += [
            "garbage\r\n", Self.set + "garbage\r\n" + Self.set, Self.exec, Self.multi + Self.multi,
            "*3\r\n$3\r\nSET\r\nX1\r\na", "*3X\n", "*3\r\n$-1\r\nSET\r\n", "*3\n$3\nSET\n",
            "*1\r\n$999999999999\r\nx", "*99999999999999999999\r\n$1\r\nx\r\n", "\r\n", "#\r\n",
        ]
        for text in texts {
            try Data(text.utf8).write(to: URL(filePath: path))
            try compare([path], in: folder)
        }
    }

    @Test("command lines are judged alike")
    func commandLines() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("x.aof")
        try Data((Self.set + "#TS:1700000000\r\n" + Self.set).utf8).write(to: URL(filePath: path))
        for words in [
            [], ["--fix"], ["--fix", path], ["--foo", path], [folder.path], [folder.file("none")],
            ["--truncate-to-timestamp", "x", path],
            ["--truncate-to-timestamp", "1800000000", path],
        ] {
            try compare(words, in: folder)
        }
    }

    @Test("a folder of redis-server's is judged alike, whole and torn")
    func folders() throws {
        let server = try StockServer(["--appendonly", "yes", "--aof-timestamp-enabled", "yes"])
        let connection = try server.connect()
        _ = try connection.command("SET", "a", "1")
        _ = try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        for index in 0..<10 { _ = try connection.command("SET", "key \(index)", "value") }
        _ = try connection.command("EXPIRE", "a", "1000")
        server.stop()
        let folder = server.folder
        let inside = folder.file("appendonlydir")
        let manifest = inside + "/appendonly.aof.manifest"
        try compare([manifest], in: folder)
        let names = try FileManager.default.contentsOfDirectory(atPath: inside)
        let newest = try #require(names.first { $0.hasSuffix(".incr.aof") })
        let file = URL(filePath: inside + "/" + newest)
        let bytes = try Data(contentsOf: file)
        for count in stride(from: 0, to: bytes.count, by: 5) {
            try bytes.prefix(count).write(to: file)
            try compare([manifest], in: folder)
        }
        try bytes.prefix(bytes.count - 3).write(to: file)
        let stock = try StockServer(["--appendonly", "yes"], folder: folder)
        #expect(try stock.connect().command("GET", "key 9").isError == false)
    }

    @Test("a folder of ours is sound to both")
    func ours() throws {
        let folder = try TemporaryFolder()
        try FixedFolder(isDurable: true).write(to: folder.path)
        try compare([folder.file("appendonlydir/appendonly.aof.manifest")], in: folder)
    }
}
