import Foundation
import HoldfastBytes
import HoldfastRESP
import TestSupport
import Testing

@testable import Engine

/// COMMAND's replies beside those of a stock redis-server 7.0. What 7.2 changed, and what we say in words
/// of our own, is listed where it is left out.
@Suite("COMMAND beside redis-server", .serialized, .enabled(if: StockReplies.isInstalled))
struct StockCommandTests {
    static let table = TestedTable.table
    static let replies = CommandReplies(table)

    /// New in 7.2 or, on deadlines of fields, in 7.4; so unknown to the stock server.
    static let newCommands: Set<String> = [
        "client|no-touch", "client|setinfo", "waitaof", "hexpire", "hexpireat", "hexpiretime",
        "hpersist", "hpexpire", "hpexpireat", "hpexpiretime", "hpttl", "httl",
    ]

    /// They take more words since 7.2.
    static let widenedCommands: Set<String> = ["zrank", "zrevrank"]

    static let built: [CommandSpec] = (0..<table.count).filter { table.isFound(at: $0) }
        .map { table.spec(at: $0) }.filter { !newCommands.contains($0.name) }

    // MARK: COMMAND INFO

    @Test("COMMAND INFO says the same of every command that is built")
    func info() throws {
        let stock = try StockReplies.replies(to: Self.built.map { "COMMAND INFO \($0.name)" })
        var differing: [String] = []
        for (spec, line) in zip(Self.built, stock) {
            let expected = try Self.parsed(line)
            let own = [UInt8](spec.name.utf8).withSlice { name in
                Self.json(Self.replies.info([name]))
            }
            let left = Self.comparable(expected, in: spec.name)
            let right = Self.comparable(own, in: spec.name)
            if left != right {
                differing.append(spec.name)
                let isKnown = Self.knownInfoDifferences[spec.name] != nil
                #expect(isKnown, "\(spec.name)\nstock \(left)\nours  \(right)")
            }
        }
        #expect(Set(differing) == Set(Self.knownInfoDifferences.keys))
    }

    /// What 7.2 changed in its table.
    static let knownInfoDifferences: [String: String] = [
        "acl|deluser": "tips",
        "acl|save": "tips",
        "acl|setuser": "tips",
        "client|setname": "tips",
        "command|getkeys": "takes a command without arguments",
        "command|getkeysandflags": "takes a command without arguments",
        "config|resetstat": "tips",
        "config|rewrite": "tips",
        "latency|reset": "tips",
        "msetnx": "tips",
        "randomkey": "tips",
        "scan": "tips",
        "bzpopmax": "allowed in scripts",
        "bzpopmin": "allowed in scripts",
        "zrank": "takes WITHSCORE",
        "zrevrank": "takes WITHSCORE",
        "wait": "scripts may call it",
        "blmove": "scripts may call it",
        "blpop": "scripts may call it",
        "brpop": "scripts may call it",
        "brpoplpush": "scripts may call it",
    ]

    // MARK: COMMAND DOCS

    @Test("COMMAND DOCS has the same structure for every command that is built")
    func documentation() throws {
        let stock = try StockReplies.replies(to: Self.built.map { "COMMAND DOCS \($0.name)" })
        var differing: [String] = []
        for (spec, line) in zip(Self.built, stock) {
            let own = [UInt8](spec.name.utf8).withSlice { name in
                Self.json(Self.replies.documentation([name]))
            }
            let left = Self.comparable(try Self.parsed(line), in: spec.name)
            let right = Self.comparable(own, in: spec.name)
            if left != right {
                differing.append(spec.name)
                let isKnown = Self.knownDocumentationDifferences[spec.name] != nil
                #expect(isKnown, "\(spec.name)\nstock \(left)\nours  \(right)")
            }
        }
        #expect(Set(differing) == Set(Self.knownDocumentationDifferences.keys))
    }

    /// What 7.2 changed in its documentation, or ours leaves out.
    static let knownDocumentationDifferences: [String: String] = [
        "bitop": "the operations as tokens",
        "client|kill": "no deprecation of a single argument",
        "client|pause": "the first release that had it, not the development version",
        "command|getkeys": "arguments",
        "command|getkeysandflags": "arguments",
        "migrate": "names of arguments",
        "getset": "no documentation markup in what replaces it",
        "pfmerge": "sources may be left out",
        "psetex": "deprecated",
        "quit": "deprecated",
        "restore-asking": "no mark of system commands",
        "setex": "deprecated",
        "setnx": "deprecated",
        "sort": "names of arguments, and which patterns name keys",
        "sort_ro": "names of arguments, and which patterns name keys",
        "zrank": "takes WITHSCORE",
        "zrevrank": "takes WITHSCORE",
    ]

    @Test("every command that is built is documented, and its arguments name its keys")
    func documented() {
        for index in 0..<Self.table.count where Self.table.isFound(at: index) {
            let spec = Self.table.spec(at: index)
            guard let documentation = CommandDocumentation.all[spec.name] else {
                Issue.record("\(spec.name) is not documented")
                continue
            }
            var named: Set<Int> = []
            func visit(_ arguments: [CommandArgument]) {
                for argument in arguments {
                    if let index = argument.keySpecIndex { named.insert(index) }
                    visit(argument.arguments)
                }
            }
            visit(documentation.arguments)
            // Channels aren't keys, and SORT's patterns name keys without being any.
            if spec.name.hasPrefix("s"), spec.group == .pubsub || spec.name.hasPrefix("sort") {
                continue
            }
            #expect(named == Set(spec.keys.indices), "\(spec.name)")
        }
    }

    // MARK: COMMAND GETKEYS

    @Test("COMMAND GETKEYSANDFLAGS finds the same keys in random words")
    func keys() throws {
        let seed = TestSeed.next("key positions in random words")
        var random = SeededGenerator(state: seed)
        // Those to come as well: their rows have keys already.
        let all = (0..<Self.table.count).map { Self.table.spec(at: $0) }
            .filter { $0.hasKeys }
            .filter { !Self.newCommands.union(Self.widenedCommands).contains($0.name) }
        let vocabulary = [
            "a", "b", "c", "d", "0", "1", "2", "3", "-1", "store", "STOREDIST", "keys", "streams",
            "GET", "by", "limit", "set", "incrby", "overflow", "wrap", "auth", "auth2", "count",
            "copy", "u8", "''", "ch", "withdist",
        ]
        var requests: [(spec: CommandSpec, words: [String])] = []
        for spec in all {
            let least = abs(spec.arity)
            for _ in 0..<40 {
                let most = spec.arity > 0 ? least : least + Int.random(in: 0...8, using: &random)
                var words = spec.name.split(separator: "|").map(String.init)
                while words.count < most {
                    words.append(vocabulary[Int.random(in: 0..<vocabulary.count, using: &random)])
                }
                requests.append((spec, words))
            }
        }
        let stock = try StockReplies.replies(
            to: requests.map { "COMMAND GETKEYSANDFLAGS " + $0.words.joined(separator: " ") })
        for ((spec, words), line) in zip(requests, stock) {
            let batch = CommandWords(words.map { $0 == "''" ? "" : $0 })
            let own = Self.json(batch.with { Self.replies.keys(of: spec, $0, withFlags: true) })
            let expected = try Self.parsed(line)
            // No flags: the words don't fit the specification, and Redis guessed in an older way. We
            // answer that they are wrong.
            if line.contains(",[]]") { continue }
            #expect(
                Self.comparable(own, in: "") == Self.comparable(expected, in: ""),
                "seed \(seed): \(words.joined(separator: " "))")
        }
    }

    @Test("GETKEYS refuses what it can't tell, in Redis's words")
    func refusals() throws {
        let requests = [
            "nosuch a", "get a b", "ping", "ping a", "config get a", "object nosuch a", "config x",
            "set a", "mset a 1 b", "command getkeys get a", "object", "GET a",
        ]
        let stock = try StockReplies.replies(to: requests.map { "COMMAND GETKEYS \($0)" })
        for (request, line) in zip(requests, stock) where !line.contains("wrong number") {
            let words = CommandWords(request.split(separator: " ").map(String.init))
            let own = Self.json(words.with { Self.replies.keys($0, withFlags: false) })
            #expect(
                Self.comparable(own, in: "")
                    == Self.comparable(try Self.parsed(line), in: ""), "\(request)")
        }
    }

    // MARK: Requests

    @Test("each subcommand reaches its reply, in any case")
    func subcommands() {
        func reply(_ words: String...) -> ReplyTree {
            var batch = CommandBatch()
            batch.appendCommand(words.map { Array($0.utf8) })
            return Self.replies.reply(to: batch.arguments(of: 0))
        }
        #expect(reply("COMMAND") == Self.replies.all())
        #expect(reply("command", "COUNT") == .integer(Self.table.commands.count))
        #expect(reply("command", "getKeys", "get", "k") == .array([.bytes([107])]))
        #expect(
            reply("command", "getkeysandflags", "get", "k")
                == .array([
                    .array([.bytes([107]), .set([.simple("RO"), .simple("access")])])
                ]))
        #expect(reply("command", "info", "nosuch") == .array([.null]))
        #expect(reply("command", "docs", "nosuch") == .map([]))
        #expect(
            reply("command", "list", "filterby", "pattern", "GETD?L") == .array([.bulk("getdel")]))
        #expect(reply("command", "list", "x") == .error("ERR syntax error"))
        guard case .array(let lines) = reply("command", "help") else {
            Issue.record("HELP is no array")
            return
        }
        #expect(lines.last == .simple("    Print this help."))
    }

    // MARK: COMMAND LIST

    @Test("COMMAND LIST filters as Redis does")
    func list() throws {
        let filters = [
            "", "FILTERBY ACLCAT bitmap", "FILTERBY aclcat BITMAP", "FILTERBY ACLCAT dangerous",
            "FILTERBY ACLCAT nosuch", "FILTERBY PATTERN *SET*", "FILTERBY PATTERN config|*",
            "FILTERBY MODULE x", "FILTERBY x y", "FILTERBY PATTERN", "x",
        ]
        let names = Set(Self.built.map(\.name))
        let stock = try StockReplies.replies(to: filters.map { "COMMAND LIST \($0)" })
        for (filter, line) in zip(filters, stock) {
            let words = CommandWords(filter.split(separator: " ").map(String.init))
            let own = Self.json(words.with { Self.replies.list($0) })
            let expected = try Self.parsed(line)
            guard let own = own as? [String], let expected = expected as? [String] else {
                #expect(
                    Self.comparable(own, in: "") == Self.comparable(expected, in: ""),
                    "\(filter)")
                continue
            }
            let built = Set(own).subtracting(Self.newCommands)
            #expect(built == Set(expected).intersection(names), "\(filter)")
        }
    }

    // MARK: Comparing

    static func parsed(_ line: String) throws -> Any {
        if line.hasPrefix("error:") {
            let text = try JSONSerialization.jsonObject(
                with: Data(line.dropFirst(6).utf8), options: .fragmentsAllowed)
            return "error: \(text)"
        }
        return try JSONSerialization.jsonObject(with: Data(line.utf8), options: .fragmentsAllowed)
    }

    static func json(_ tree: ReplyTree) -> Any {
        switch tree {
        case .simple(let text), .bulk(let text): return text
        case .bytes(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .integer(let value): return value
        case .null: return NSNull()
        case .error(let text): return "error: \(text)"
        case .array(let items), .set(let items): return items.map(json)
        case .map(let pairs):
            return Dictionary(uniqueKeysWithValues: pairs.map { ($0.key, json($0.value)) })
        }
    }

    /// A text that is equal for equal replies: without the descriptive fields and subcommands, lists of
    /// flags in order.
    static func comparable(_ value: Any, in name: String) -> String {
        if let map = value as? [String: Any] {
            let left = ["notes", "summary", "complexity", "display_text", "subcommands"]
            var map = map
            map["history"] = versions(map["history"])
            return "{"
                + map.filter { !left.contains($0.key) }.sorted { $0.key < $1.key }
                .map { "\($0.key): \(comparable($0.value, in: name))" }.joined(separator: ", ")
                + "}"
        }
        if let list = value as? [Any] {
            // A command's own description ends with its subcommands, which are compared one by one.
            let isCommand = list.count == 10 && (list[0] as? String) == name
            return "["
                + (isCommand ? Array(list.dropLast()) : list).map { comparable($0, in: name) }
                .joined(separator: ", ") + "]"
        }
        return "\(value)"
    }

    /// Of a history the versions up to 7.0, nil for none.
    private static func versions(_ history: Any?) -> [String]? {
        let all = (history as? [[String]])?.compactMap(\.first).filter { $0 != "7.2.0" } ?? []
        return all.isEmpty ? nil : all
    }

    @Test("every history is one of a command that is built")
    func histories() {
        let names = Set((0..<Self.table.count).map { Self.table.spec(at: $0).name })
        #expect(CommandHistory.all.keys.allSatisfy { names.contains($0) })
        #expect(CommandHistory.all["zrank"]?.map(\.version) == ["7.2.0"])
        #expect(CommandHistory.all["slowlog|get"]?.count == 1)
    }
}

/// Words as the reply builders take them.
struct CommandWords {
    let words: [[UInt8]]

    init(_ words: [String]) { self.words = words.map { [UInt8]($0.utf8) } }

    func with<R>(_ body: ([ByteSlice]) -> R) -> R { next(0, [], body) }

    private func next<R>(
        _ index: Int, _ slices: [ByteSlice], _ body: ([ByteSlice]) -> R
    ) -> R {
        index == words.count
            ? body(slices) : words[index].withSlice { next(index + 1, slices + [$0], body) }
    }
}

/// xorshift64*: the same words for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
