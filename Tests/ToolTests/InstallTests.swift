import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// What Tools/install-tools puts into a folder.
@Suite("installed tools")
struct InstallTests {
    private let folder: TemporaryFolder
    private let prefix: String

    init() throws {
        folder = try TemporaryFolder()
        prefix = folder.file("usr")
    }

    private func install() throws -> (status: Int32, output: String) {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Tools/install-tools").path
        let built = URL(filePath: try RDBFiles.program()).deletingLastPathComponent().path
        let run = try Subprocess.run([script, "--built", built, prefix])
        return (run.status, run.output)
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: "\(prefix)/\(path)", encoding: .utf8)
    }

    @Test("programs, old names, manual pages and completions are there and work")
    func installed() throws {
        // A second time nothing is in the way.
        for _ in 0..<2 {
            let run = try install()
            #expect(run.status == 0, "\(run.output)")
        }
        for (program, old) in [("rdb-check", "redis-check-rdb"), ("aof-check", "redis-check-aof")] {
            let bin = "\(prefix)/bin/"
            #expect(try Subprocess.run([bin + program, "--version"]).output.hasPrefix(program))
            // Under its old name it has no commands and no such options.
            let usage = try Subprocess.run([bin + old])
            #expect(usage.status == 1)
            #expect(usage.output.contains("Usage: "), "\(usage.output)")
            #expect(try text("share/man/man1/\(program).1").contains("\n.SH SYNOPSIS\n"))
            #expect(try text("share/man/man1/\(old).1") == ".so man1/\(program).1\n")
            let bash = "share/bash-completion/completions/\(program)"
            #expect(try Subprocess.run(["bash", "-n", "\(prefix)/\(bash)"]).status == 0)
            #expect(try text("share/zsh/site-functions/_\(program)").hasPrefix("#compdef"))
            #expect(
                try text("share/fish/vendor_completions.d/\(program).fish").contains("complete -c"))
        }
        let file = folder.file("a.rdb")
        try RDBFiles.write(RDBFiles.file(version: 10, ["00 0161"]), to: file)
        let run = try Subprocess.run(["\(prefix)/bin/redis-check-rdb", file])
        #expect(run.status == 0)
        #expect(run.output.contains("\\o/ RDB looks OK! \\o/"))
    }

    @Test("another program of an old name stays, and then nothing is installed")
    func keepsOthers() throws {
        let bin = "\(prefix)/bin"
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(bin)/redis-check-aof", withDestinationPath: "redis-server")
        let run = try install()
        #expect(run.status == 1)
        #expect(run.output.contains("another program's"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: bin) == ["redis-check-aof"])
    }
}
