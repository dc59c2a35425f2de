import Foundation
import RDBCheck
import TestSupport
import Testing
import ToolKit

@Suite("rdb-check's commands")
struct RDBCommandTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("a.rdb")
        try RDBFiles.write(RDBFiles.small, to: path)
    }

    @Test("dump prints keys with their values")
    func dump() {
        let lines = RDBFiles.run("dump", path).text.split(separator: "\n").map(String.init)
        #expect(lines.count == 20)
        #expect(
            lines[0]
                == #"{"db":0,"key":"aa","type":"string","deadline":1099511627776,"value":"hello"}"#)
        #expect(lines[1] == #"{"db":0,"key":"ab","type":"string","value":"-5"}"#)
        #expect(lines[4] == #"{"db":0,"key":"ae","type":"list","value":["a","1","-300","40000"]}"#)
        #expect(
            lines[10]
                == #"{"db":0,"key":"ak","type":"zset","value":[["c","-inf"],["a",1],["b",2.5]]}"#)
        #expect(
            lines[12]
                == #"{"db":0,"key":"am","type":"hash","deadline":1099511627776,"value":{"a":"1","b":"2"},"field_deadlines":{"a":4102444800000}}"#
        )
        #expect(
            lines[14].contains(#""entries":[["1-1",["f","v"]],["2-0",["g","v"]]],"last_id":"2-0""#))
        #expect(lines[14].contains(#""consumers":[{"name":"c""#), "\(lines[14])")
    }

    @Test("the same as CSV, as commands, and one key at a time")
    func forms() throws {
        let csv = RDBFiles.run("dump", "--as", "csv", "--type", "zset", path).text
        #expect(csv.hasPrefix("db,key,type,deadline,field,value,score\n0,ak,zset,,,c,-inf\n"))
        let commands = RDBFiles.run("dump", "--as", "resp", "--match", "ab", path).text
        #expect(
            commands
                == "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$2\r\nab\r\n$2\r\n-5\r\n")
        #expect(RDBFiles.run("get", "--raw", path, "aa").text == "hello")
        #expect(RDBFiles.run("get", path, "nothing").code == .damaged)
        let json = RDBFiles.run("dump", "--as", "json", path).text
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect((object?["keys"] as? [Any])?.count == 20)
    }

    @Test("keys and filters")
    func filters() {
        #expect(RDBFiles.run("keys", "-q", "--type", "list", path).text == "ae\nap\nat\n")
        #expect(RDBFiles.run("keys", "-q", "--regex", "^a[bc]$", path).text == "ab\nac\n")
        #expect(
            RDBFiles.run("keys", "-q", "--ttl", "none", "--match", "a[a-d]", path).text
                == "ab\nac\n")
        #expect(RDBFiles.run("keys", "-q", "--size", "100..", path).text == "ao\n")
        #expect(
            RDBFiles.run("dump", "--size", "100..", path).text.hasPrefix(#"{"db":0,"key":"ao","#))
        #expect(RDBFiles.run("keys", "-q", "--db", "3", path).text == "")
        #expect(RDBFiles.run("keys", "--regex", "(", path).code == .usage)
    }

    @Test("info, top and report say how much there is")
    func sums() throws {
        let info = RDBFiles.run("info", path).text
        #expect(info.contains("version           RDB 12\n"))
        #expect(info.contains("  db 0            20 keys, 7 with a deadline, 7 past it\n"))
        let top = RDBFiles.run("top", "-n", "1", path).text
        #expect(top.split(separator: "\n").count == 2 && top.hasSuffix("  ao\n"), "\(top)")
        let elements = RDBFiles.run("top", "-n", "1", "--by", "elements", path).text
        #expect(elements.hasSuffix("  ae\n"), "\(elements)")
        let (code, report) = try RDBFiles.json(["report", path])
        #expect(code == .sound)
        #expect(report["keys"] as? Int == 20)
    }

    @Test("diff tells added, removed and changed keys, and those with another deadline")
    func diff() throws {
        let other = folder.file("b.rdb")
        #expect(
            RDBFiles.run("convert", "--to", "rdb:12", "--compression", "none", "-o", other, path)
                .code == .sound)
        #expect(
            RDBFiles.run("diff", path, other).text.hasPrefix(
                "SAME\n  equal                                   20\n"))
        try RDBFiles.write(
            RDBFiles.file(version: 11, ["00 0568656c6c6f", "00 0161"]), to: other)
        let (code, result) = try RDBFiles.json(["diff", path, other])
        #expect(code == .damaged)
        #expect(result["equal"] as? Int == 1)
        #expect(result["changed"] as? Int == 1)
        #expect(result["removed"] as? Int == 18)
        #expect(result["added"] as? Int == 0)
        let (reverse, back) = try RDBFiles.json(["diff", "--keys", other, path])
        #expect(reverse == .damaged)
        #expect(back["equal"] as? Int == 2)
        #expect(back["added"] as? Int == 18)
    }

    @Test("a deadline that moved is told from a value that changed")
    func deadlines() throws {
        var bytes = RDBFiles.file(version: 10, ["00 0161"], sums: false)
        try RDBFiles.write(bytes, to: path)
        let other = folder.file("b.rdb")
        let place = try #require(bytes.firstIndex(of: 0xfc))
        bytes[place + 1] = 7
        try RDBFiles.write(bytes, to: other)
        let (code, result) = try RDBFiles.json(["diff", path, other])
        #expect(code == .damaged)
        #expect(result["deadline"] as? Int == 1)
        #expect(result["changed"] as? Int == 0)
    }

    @Test("nothing is overwritten unless asked, and nothing half-made stays")
    func newFiles() throws {
        let new = folder.file("b.rdb")
        #expect(RDBFiles.run("convert", "-o", new, path).code == .sound)
        #expect(RDBFiles.run("convert", "-o", new, path).code == .inputOutput)
        #expect(RDBFiles.run("convert", "--force", "-o", new, path).code == .sound)
        try RDBFiles.write(Array(RDBFiles.small.dropLast(20)), to: path)
        #expect(RDBFiles.run("convert", "--force", "-o", folder.file("c.rdb"), path).code == .torn)
        #expect(RDBFiles.run("convert", path).code == .usage)
        #expect(RDBFiles.run("convert", "--to", "rdb:8", "-o", new, path).code != .sound)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["a.rdb", "b.rdb"])
    }

    @Test("as a process: standard input, many files, quiet, and help of all kinds")
    func process() throws {
        let program = try RDBFiles.program()
        let run = try Subprocess.run([program, "-"], input: RDBFiles.small)
        #expect(run.status == 0 && run.output.hasPrefix("OK -: RDB 12, "), "\(run.output)")
        let packed = folder.file("a.rdb.gz")
        _ = try Subprocess.run(["sh", "-c", "gzip -c \(path) > \(packed)"])
        let two = try Subprocess.run([program, "-q", path, packed])
        #expect(two.output == "OK \(path)\nOK \(packed)\n")
        let quick = try Subprocess.run([program, "--quick", "-q", path, packed])
        #expect(quick.output == two.output)
        for word in ["--help", "--man", "--version"] {
            #expect(try Subprocess.run([program, word]).status == 0)
        }
        let next = try Subprocess.run([program, folder.file("none")])
        #expect(next.status == 3)
    }

    @Test("the report's page opens in a browser, and has no need of anything else")
    func page() throws {
        let page = folder.file("report.html")
        #expect(RDBFiles.run("report", "-o", page, path).code == .sound)
        let text = String(decoding: try RDBFiles.read(page), as: UTF8.self)
        #expect(!text.contains("<script") && !text.contains("http"))
        let browser = try Subprocess.run([
            "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--user-data-dir=\(folder.file("profile"))", "--window-size=1200,900",
            "--screenshot=\(folder.file("page.png"))", "file://\(page)",
        ])
        #expect(browser.status == 0, "\(browser.output)")
        let picture = try RDBFiles.read(folder.file("page.png"))
        #expect(picture.count > 10_000 && Array(picture[1..<4]) == Array("PNG".utf8))
        let dumped = try Subprocess.run([
            "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--user-data-dir=\(folder.file("profile"))", "--dump-dom", "file://\(page)",
        ])
        #expect(dumped.output.contains("Where the bytes are"), "\(dumped.output.suffix(500))")
    }
}
