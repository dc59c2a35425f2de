import Engine
import Foundation
import HoldfastBytes
import Testing

/// The table that the tests look at, and how they name commands.
enum TestedTable {
    static let rows: [[CommandSpec]] = CommandFamilies.data + [front, CommandsToCome.table]

    /// Rows of commands about sessions and the server, which this module doesn't build.
    private static let front = {
        let data = Set(CommandFamilies.data.joined().map(\.name))
        return BuiltRows.table.filter { !data.contains($0.name) }
    }()
    static let table = CommandTable(families: rows)

    static func lookup(_ name: String) -> CommandSpec? {
        name.withSlice { table.lookup(fullName: $0) }.map { table.spec(at: $0) }
    }
}

@Suite("Command table")
struct CommandTableTests {
    /// A line of the fact sheet, by column name.
    typealias Fact = [String: String]

    /// What the fact sheet says of the versions up to 7.2, without what only the sentinel mode has.
    static let facts: [Fact] = {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../Goldens/commands.tsv")
        guard let text = try? String(contentsOf: path, encoding: .utf8) else { return [] }
        let lines = text.split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        return lines.dropFirst().map { Fact(uniqueKeysWithValues: zip(lines[0], $0)) }
            .filter {
                ($0["since_ge_7.4"] == "" || $0["group"] == "hash") && $0["group"] != "sentinel"
            }
    }()

    static let specs = (0..<TestedTable.table.count).map { TestedTable.table.spec(at: $0) }

    @Test("every command of the fact sheet has a row, and every row a fact")
    func sameNames() {
        #expect(Self.facts.count == 379)
        let facts = Set(Self.facts.compactMap { $0["name"] })
        let rows = Set(Self.specs.map(\.name))
        #expect(rows.subtracting(facts) == [])
        #expect(facts.subtracting(rows) == [])
    }

    @Test("every row says what the fact sheet says", arguments: specs.indices)
    func sameFacts(index: Int) throws {
        let spec = Self.specs[index]
        let fact = try #require(Self.facts.first { $0["name"] == spec.name })
        func list(_ column: String) -> Set<String> {
            Set((fact[column] ?? "").split(separator: ",").map(String.init))
        }
        #expect(fact["arity"] == "\(spec.arity)")
        #expect(list("flags") == Set(spec.flags.names.map { "\($0)" }))
        #expect(list("hidden_flags") == Set(spec.flags.namesHidden.map { "\($0)" }))
        #expect(list("acl_categories") == Set(spec.categories.names.map { "@\($0)" }))
        #expect(list("tips") == Set(spec.tips.map(\.rawValue)))
        #expect(fact["group"] == spec.group.rawValue.replacingOccurrences(of: "-", with: "_"))
        #expect(fact["first"] == "\(spec.legacyKeys.first)")
        #expect(fact["last"] == "\(spec.legacyKeys.last)")
        #expect(fact["step"] == "\(spec.legacyKeys.step)")
        let keys = (fact["key_specs"] ?? "").components(separatedBy: " ; ").filter { $0 != "" }
        #expect(keys.count == spec.keys.count)
        for (written, key) in zip(keys, spec.keys) {
            let colon = try #require(written.lastIndex(of: ":"))
            #expect(String(written[..<colon]) == Self.notation(key))
            let flags = written[written.index(after: colon)...].split(separator: "+")
            #expect(Set(flags.map(String.init)) == Set(key.flags.names.map { "\($0)" }))
        }
        let isContainer = fact["container"] == "y"
        #expect(isContainer == !TestedTable.table.allSubcommands(of: spec).isEmpty)
    }

    /// As the fact sheet writes where a key stands.
    private static func notation(_ key: KeySpec) -> String {
        let begin =
            switch key.begin {
            case .index(let index): "idx\(index)"
            case .keyword(let keyword, let from): "kw:\(keyword)@\(from)"
            case .unknown: "unknown"
            }
        let find =
            switch key.find {
            case .range(let last, let step, let limit): "range(\(last),\(step),\(limit))"
            case .counted(let number, let first, let step): "keynum(\(number),\(first),\(step))"
            case .unknown: "unknown"
            }
        return "\(begin)/\(find)"
    }

    @Test("each built name is found in any case, and nothing near it")
    func lookup() {
        let table = TestedTable.table
        for index in 0..<table.count where !table.spec(at: index).handler.isToCome {
            let name = table.spec(at: index).name
            for written in [name, name.uppercased(), name.capitalized] {
                #expect(written.withSlice { table.lookup(fullName: $0) } == index)
            }
            for wrong in [name + "q", name + "\0", "q" + name, String(name.dropLast()) + "\u{1}"] {
                let found = wrong.withSlice { table.lookup(fullName: $0) }
                #expect(found == nil, "\(wrong)")
            }
        }
        // `@` and `[` border on the capital letters: folding must leave them alone.
        for wrong in ["", "@", "G@T", "GE\u{54}\u{0}", "config|", "|get", "|", "G\u{C5}T"] {
            let found = wrong.withSlice { table.lookup(fullName: $0) }
            #expect(found == nil, "\(wrong)")
        }
    }

    @Test("commands to come are not found and not listed")
    func toCome() {
        let table = TestedTable.table
        for spec in CommandsToCome.table {
            #expect(TestedTable.lookup(spec.name) == nil)
        }
        #expect(!table.commands.contains { table.spec(at: $0).handler.isToCome })
    }

    @Test("a subcommand is found in its container only")
    func subcommands() throws {
        let table = TestedTable.table
        let config = try #require("CONFIG".withSlice { table.lookup($0) })
        let get = try #require("Get".withSlice { table.lookup($0, in: config) })
        #expect(table.spec(at: get).name == "config|get")
        #expect(table.facts(at: get).container == Int16(config))
        #expect(table.facts(at: config).hasSubcommands)
        #expect("usage".withSlice { table.lookup($0, in: config) } == nil)
        #expect("resetstat".withSlice { table.lookup($0) } == nil)
    }

    @Test("a command with enough words has its first key")
    func firstKeyIsThere() {
        let table = TestedTable.table
        for index in 0..<table.count {
            let facts = table.facts(at: index)
            #expect(facts.firstKey < abs(facts.arity), "\(table.spec(at: index).name)")
        }
        let shard = Self.specs.firstIndex { $0.name == "ssubscribe" }
        #expect(shard.map { table.facts(at: $0).firstKey } == 0, "a channel is no key")
    }

    @Test("a renamed command answers to its new name only")
    func rename() throws {
        var table = TestedTable.table
        func rename(_ old: String, _ new: String) throws {
            try old.withSlice { old throws(CommandTable.RenameError) in
                try new.withSlice { new throws(CommandTable.RenameError) in
                    try table.rename(old, to: new)
                }
            }
        }
        func name(_ written: String) -> String? {
            written.withSlice { table.lookup($0) }.map { table.spec(at: $0).name }
        }
        let long = "b840fc02d524045429941cc15f59e41cb7be6c52"
        try rename("CONFIG", long)
        #expect(name("config") == nil)
        #expect(name(long.uppercased()) == "config")
        #expect("\(long)|get".withSlice { table.lookup(fullName: $0) } != nil)
        try rename(long, "cfg")
        #expect(name("cfg") == "config")
        #expect(name(long) == nil)
        let countBefore = table.commands.count
        try rename("flushall", "")
        #expect(name("flushall") == nil)
        #expect(table.commands.count == countBefore - 1)
        try rename("flushdb", "flushall")
        #expect(name("flushall") == "flushdb")
        try rename("get", "GET")
        #expect(name("get") == "get")
        #expect(throws: CommandTable.RenameError.noSuchCommand) { try rename("nosuch", "x") }
        #expect(throws: CommandTable.RenameError.nameTaken) { try rename("set", "GET") }
        #expect(throws: Never.self) { try rename("MIGRATE", "") }
    }
}

extension CommandTable {
    /// With those to come.
    func allSubcommands(of spec: CommandSpec) -> [String] {
        (0..<count).map { self.spec(at: $0).name }.filter { $0.hasPrefix(spec.name + "|") }
    }
}
