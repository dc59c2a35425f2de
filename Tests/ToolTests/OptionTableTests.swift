import Foundation
import HoldfastBytes
import Testing
import ToolKit

@Suite("option table")
struct OptionTableTests {
    static let table = OptionTable(
        program: "try-it", summary: "tries things", description: ["Tries what it is given."],
        commands: [
            ToolCommand(
                "verify", operands: "FILE...", count: 1...9, summary: "read files",
                options: [ToolOption("deep", letter: "d", "look closer")]),
            ToolCommand(
                "cut", operands: "FILE", count: 1...1, summary: "write a part of a file",
                options: [
                    ToolOption("output", letter: "o", .folder("DIR"), "where to write"),
                    ToolOption("at", .text("TIME"), "where to cut"),
                ], examples: ["try-it cut --at -10m -o there file"]),
        ], common: [CommonOptions.json, CommonOptions.escape])

    private func parsed(_ words: String...) throws -> ParsedArguments {
        guard case .run(let arguments) = try Self.table.parse(words) else {
            throw UsageError("printed instead")
        }
        return arguments
    }

    private func refusal(_ words: String...) -> String {
        do {
            _ = try Self.table.parse(words)
            return "accepted"
        } catch { return error.description }
    }

    @Test("options may stand anywhere, with = or without, long or short")
    func anywhere() throws {
        let plain = try parsed("file")
        #expect(plain.command == "verify")
        #expect(plain.operands == ["file"])
        let cut = try parsed("--json", "cut", "file", "-o", "there", "--at=-10m")
        #expect(cut.command == "cut")
        #expect(cut.operands == ["file"])
        #expect(cut.value("output") == "there")
        #expect(cut.value("at") == "-10m")
        #expect(cut.has("json"))
        #expect(try parsed("cut", "-othere", "file").value("output") == "there")
        #expect(try parsed("--", "--json").operands == ["--json"])
        #expect(try parsed("-").operands == ["-"])
    }

    @Test("a wrong word is named, and the nearest right one with it")
    func hints() {
        #expect(refusal("--jsn", "file").contains("unknown option --jsn; did you mean --json?"))
        #expect(refusal("--quux", "file").contains("unknown option --quux\n"))
        #expect(refusal("ct", "file").contains("did you mean cut?"))
        #expect(refusal("verify", "--at", "1", "f").contains("verify has no option --at"))
        #expect(refusal("cut", "f", "--at").contains("--at needs a value: TIME"))
        #expect(refusal("--json=1", "f").contains("--json takes no value"))
        #expect(refusal("--escape", "hax", "f").contains("did you mean hex?"))
        #expect(refusal().contains("nothing to work on"))
        #expect(refusal("cut", "a", "b").contains("2 operands"))
        #expect(refusal("-x", "f").contains("unknown option -x"))
    }

    @Test("the tools report the server's version")
    func version() throws {
        let source = try String(
            contentsOf: URL(filePath: #filePath).deletingLastPathComponent()
                .deletingLastPathComponent().deletingLastPathComponent()
                .appending(path: "Sources/Server/Version.swift"), encoding: .utf8)
        #expect(source.contains("product = \"\(ToolVersion.product)\""))
    }

    @Test("help, manual page and completions name every command and option")
    func generated() throws {
        func printed(_ words: String...) throws -> String {
            guard case .print(let text) = try Self.table.parse(words) else { return "" }
            return text
        }
        let help = try printed("--help")
        for word in ["verify", "cut", "--json", "--escape", "130", "Exit status"] {
            #expect(help.contains(word))
        }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(try printed("cut", "--help").contains("-o, --output DIR"))
        #expect(try printed("--man").hasPrefix(".TH TRY\\-IT 1"))
        #expect(try printed("--version") == "try-it \(ToolVersion.product)\n")
        for shell in ["bash", "zsh", "fish"] {
            let script = try printed("--completions", shell)
            for word in ["verify", "cut", "json", "output", "base64"] {
                #expect(script.contains(word), "\(shell) \(word)")
            }
        }
    }
}
