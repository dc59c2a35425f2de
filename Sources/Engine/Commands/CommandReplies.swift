internal import HoldfastBytes
public import HoldfastRESP

/// COMMAND and its subcommands, answered from the table alone.
public struct CommandReplies: Sendable {
    let table: CommandTable

    public init(_ table: CommandTable) { self.table = table }

    /// The reply to a COMMAND request with all its words, name first, whose arity was checked.
    public func reply(to arguments: Arguments) -> ReplyTree {
        guard arguments.count > 1 else { return all() }
        let words = (2..<arguments.count).map { arguments[$0] }
        let subcommand = arguments[1]
        if subcommand.equalsIgnoringCase("count") { return count() }
        if subcommand.equalsIgnoringCase("docs") { return documentation(words) }
        if subcommand.equalsIgnoringCase("getkeys") { return keys(words, withFlags: false) }
        if subcommand.equalsIgnoringCase("getkeysandflags") { return keys(words, withFlags: true) }
        if subcommand.equalsIgnoringCase("help") { return .help("COMMAND", Self.help) }
        if subcommand.equalsIgnoringCase("info") { return info(words) }
        return list(words)
    }

    // MARK: COMMAND, COMMAND COUNT, COMMAND INFO

    func count() -> ReplyTree { .integer(table.commands.count) }

    func all() -> ReplyTree { .array(table.commands.map(description(of:))) }

    /// - Parameter names: none means all commands.
    func info(_ names: [ByteSlice]) -> ReplyTree {
        if names.isEmpty { return all() }
        return .array(
            names.map { name in table.lookup(fullName: name).map(description(of:)) ?? .null })
    }

    private func description(of index: Int) -> ReplyTree {
        let spec = table.spec(at: index)
        return .array([
            .bulk(spec.name),
            .integer(spec.arity),
            .set(spec.flags.names.map { .simple("\($0)") }),
            .integer(spec.legacyKeys.first),
            .integer(spec.legacyKeys.last),
            .integer(spec.legacyKeys.step),
            .set(spec.categories.names.map { .simple("@\($0)") }),
            .set(spec.tips.map { .bulk($0.rawValue) }),
            .set(spec.keys.map(\.description)),
            .array(table.subcommands(of: index).map(description(of:))),
        ])
    }

    // MARK: COMMAND DOCS

    /// - Parameter names: none means all commands; unknown ones are left out.
    func documentation(_ names: [ByteSlice]) -> ReplyTree {
        let indices =
            names.isEmpty ? table.commands : names.compactMap { table.lookup(fullName: $0) }
        return .map(indices.map { .init(table.spec(at: $0).name, documentation(of: $0)) })
    }

    private func documentation(of index: Int) -> ReplyTree {
        let spec = table.spec(at: index)
        var pairs: [ReplyTree.Pair] = []
        let known = CommandDocumentation.all[spec.name]
        if let known {
            pairs.append(.init("summary", .bulk(known.summary)))
            pairs.append(.init("since", .bulk(known.since)))
        }
        pairs.append(.init("group", .bulk(spec.group.rawValue)))
        if let known {
            if !known.complexity.isEmpty {
                pairs.append(.init("complexity", .bulk(known.complexity)))
            }
            if known.deprecatedSince != nil || known.isInternal {
                let flag = known.isInternal ? "syscmd" : "deprecated"
                pairs.append(.init("doc_flags", .set([.simple(flag)])))
            }
            if let since = known.deprecatedSince {
                pairs.append(.init("deprecated_since", .bulk(since)))
            }
            if let replacement = known.replacedBy {
                pairs.append(.init("replaced_by", .bulk(replacement)))
            }
            if let history = CommandHistory.all[spec.name] {
                pairs.append(
                    .init(
                        "history",
                        .set(history.map { .array([.bulk($0.version), .bulk($0.text)]) })))
            }
            let arguments = known.arguments
            if !arguments.isEmpty {
                pairs.append(.init("arguments", .array(arguments.map(\.description))))
            }
        }
        let subcommands = table.subcommands(of: index)
        if !subcommands.isEmpty {
            pairs.append(
                .init(
                    "subcommands",
                    .map(
                        subcommands.map {
                            .init(table.spec(at: $0).name, documentation(of: $0))
                        })))
        }
        return .map(pairs)
    }

    // MARK: COMMAND LIST

    /// - Parameter filter: the words after LIST: none, or FILTERBY with a kind and a value.
    func list(_ filter: [ByteSlice]) -> ReplyTree {
        let syntaxError = ReplyTree.error("ERR syntax error")
        if filter.isEmpty { return names { _ in true } }
        guard filter.count == 3, filter[0].equalsIgnoringCase("filterby") else {
            return syntaxError
        }
        let value = filter[2]
        if filter[1].equalsIgnoringCase("module") { return .array([]) }
        if filter[1].equalsIgnoringCase("aclcat") {
            let bit = ACLCategories.allNames.firstIndex { value.equalsIgnoringCase($0) }
            guard let bit else { return .array([]) }
            let category = ACLCategories(rawValue: 1 << UInt32(bit))
            return names { $0.categories.contains(category) }
        }
        if filter[1].equalsIgnoringCase("pattern") {
            return names { spec in
                spec.name.withSlice { Glob.matches(value, $0, ignoringCase: true) }
            }
        }
        return syntaxError
    }

    private func names(where isWanted: (CommandSpec) -> Bool) -> ReplyTree {
        var result: [ReplyTree] = []
        for index in table.commands {
            for candidate in [index] + table.subcommands(of: index) {
                let spec = table.spec(at: candidate)
                if isWanted(spec) { result.append(.bulk(spec.name)) }
            }
        }
        return .array(result)
    }

    // MARK: COMMAND GETKEYS, COMMAND GETKEYSANDFLAGS

    /// - Parameter words: a whole command, at least one word.
    func keys(_ words: [ByteSlice], withFlags: Bool) -> ReplyTree {
        guard let name = words.first, var index = table.lookup(name) else {
            return .error("ERR Invalid command specified")
        }
        if table.facts(at: index).hasSubcommands, words.count > 1 {
            guard let subcommand = table.lookup(words[1], in: index) else {
                return .error("ERR Invalid command specified")
            }
            index = subcommand
        }
        return keys(of: table.spec(at: index), words, withFlags: withFlags)
    }

    func keys(of spec: CommandSpec, _ words: [ByteSlice], withFlags: Bool) -> ReplyTree {
        guard spec.hasKeys else { return .error("ERR The command has no key arguments") }
        guard spec.accepts(wordCount: words.count) else {
            return .error("ERR Invalid number of arguments specified for command")
        }
        let found = spec.findKeys(count: words.count) { words[$0] } ?? []
        if found.isEmpty && !spec.flags.contains(.noMandatoryKeys) {
            return .error("ERR Invalid arguments specified for command")
        }
        return .array(
            found.map { key in
                let bytes = ReplyTree.bytes(words[key.index].copyToArray())
                return withFlags ? .array([bytes, key.flags.description]) : bytes
            })
    }

    // MARK: COMMAND HELP

    static let help: [StaticString] = [
        "(no subcommand)",
        "    Describe all commands.",
        "COUNT",
        "    Return the number of commands.",
        "LIST [FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>]",
        "    Return the names of all commands, or of those that fit.",
        "INFO [<command-name> ...]",
        "    Describe these commands, or all if none is named.",
        "DOCS [<command-name> ...]",
        "    Return the documentation of these commands, or of all if none is named.",
        "GETKEYS <full-command>",
        "    Return the keys among the words of a command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys among the words of a command, and how it uses them.",
    ]
}

extension KeyFlags {
    fileprivate var description: ReplyTree { .set(names.map { .simple("\($0)") }) }
}

extension KeySpec {
    fileprivate var description: ReplyTree {
        let (beginType, beginSpec): (String, [ReplyTree.Pair]) =
            switch begin {
            case .index(let index): ("index", [.init("index", .integer(index))])
            case .keyword(let keyword, let from):
                (
                    "keyword",
                    [.init("keyword", .bulk(keyword)), .init("startfrom", .integer(from))]
                )
            case .unknown: ("unknown", [])
            }
        let (findType, findSpec): (String, [ReplyTree.Pair]) =
            switch find {
            case .range(let last, let step, let limit):
                (
                    "range",
                    [
                        .init("lastkey", .integer(last)), .init("keystep", .integer(step)),
                        .init("limit", .integer(limit)),
                    ]
                )
            case .counted(let numberAt, let firstAt, let step):
                (
                    "keynum",
                    [
                        .init("keynumidx", .integer(numberAt)),
                        .init("firstkey", .integer(firstAt)), .init("keystep", .integer(step)),
                    ]
                )
            case .unknown: ("unknown", [])
            }
        return .map([
            .init("flags", flags.description),
            .init(
                "begin_search",
                .map([.init("type", .bulk(beginType)), .init("spec", .map(beginSpec))])),
            .init(
                "find_keys",
                .map([.init("type", .bulk(findType)), .init("spec", .map(findSpec))])),
        ])
    }
}

extension CommandArgument {
    fileprivate var description: ReplyTree {
        var pairs: [ReplyTree.Pair] = [
            .init("name", .bulk(name)), .init("type", .bulk(kind.rawValue)),
        ]
        if kind != .oneOf && kind != .block {
            pairs.append(.init("display_text", .bulk(name)))
        }
        if let keySpecIndex { pairs.append(.init("key_spec_index", .integer(keySpecIndex))) }
        if let token { pairs.append(.init("token", .bulk(token))) }
        if let since { pairs.append(.init("since", .bulk(since))) }
        var flags: [ReplyTree] = []
        if isOptional { flags.append(.simple("optional")) }
        if isMultiple { flags.append(.simple("multiple")) }
        if repeatsToken { flags.append(.simple("multiple_token")) }
        if !flags.isEmpty { pairs.append(.init("flags", .set(flags))) }
        if !arguments.isEmpty {
            pairs.append(.init("arguments", .array(arguments.map(\.description))))
        }
        return .map(pairs)
    }
}
