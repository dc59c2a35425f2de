import Foundation
import HoldfastPlatform
import TestSupport
import Testing

private let shape =
    #"^\d+:[MSCX] \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] .*$"#

@Test("lines have Redis's form, keep the threshold and are appended by several writers")
func diagnosticsLines() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("server.log")
    let first = Diagnostics(path: path)
    let second = Diagnostics(level: .debug, role: .primary, path: path)
    first.notice("one")
    first.verbose("not written")
    second.debug("two")
    second.role = .replica
    second.warning("three")
    first.level = .nothing
    first.warning("silent")
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 3)
    for line in lines {
        #expect(line.range(of: shape, options: .regularExpression) != nil, "\(line)")
    }
    #expect(lines[0].contains(":C ") && lines[0].hasSuffix(" * one"))
    #expect(lines[1].contains(":M ") && lines[1].hasSuffix(" . two"))
    #expect(lines[2].contains(":S ") && lines[2].hasSuffix(" # three"))
}

@Test("lines of many threads never mix")
func diagnosticsThreads() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("server.log")
    let diagnostics = Diagnostics(path: path)
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
        for round in 0..<50 {
            diagnostics.notice(
                "worker \(worker) round \(round) " + String(repeating: "x", count: 200))
        }
    }
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 400)
    #expect(Set(lines.map { $0.drop { $0 != "*" } }).count == 400)
}

@Test("a file is replaced whole, with its mode, and nothing is left behind on failure")
func smallFileReplace() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("conf")
    try SmallFile.replace(path, with: Array("one".utf8))
    try SmallFile.replace(path, with: Array("two".utf8))
    #expect(try SmallFile.read(path) == Array("two".utf8))
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode.map { $0 & 0o600 } == 0o600)
    #expect(throws: SystemError.self) {
        try SmallFile.replace(folder.path + "/missing/conf", with: [1])
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["conf"])
}
