internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// Why a rule of a user was not understood.
enum RuleError: Error {
    case unknownCommand
    case syntax
    case patternAfterAllKeys
    case patternAfterAllChannels
    case firstArgumentOfSubcommand
    case noSuchPassword
    case badHash
    case unmatchedParenthesis([UInt8])

    var reason: String {
        switch self {
        case .unknownCommand: "Unknown command or category name in ACL"
        case .syntax: "Syntax error"
        case .patternAfterAllKeys:
            "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
                + "any effect. Try 'resetkeys' to start with an empty list of patterns"
        case .patternAfterAllChannels:
            "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
                + "have any effect. Try 'resetchannels' to start with an empty list of channels"
        case .firstArgumentOfSubcommand: "Allowing first-arg of a subcommand is not supported"
        case .noSuchPassword: "The password you are trying to remove from the user does not exist"
        case .badHash:
            "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
                + "characters"
        case .unmatchedParenthesis: "Unmatched parenthesis"
        }
    }
}

/// What one set of rules allows: commands, keys, channels. A user may do what any one of its selectors allows
/// as a whole.
struct Selector {
    struct KeyPattern {
        var pattern: [UInt8]
        var canRead: Bool
        var canWrite: Bool

        var text: [UInt8] {
            let prefix = canRead && canWrite ? "~" : canRead ? "%R~" : "%W~"
            return Array(prefix.utf8) + pattern
        }
    }

    private(set) var allowsAllCommands = false
    private(set) var allowsAllKeys = false
    private(set) var allowsAllChannels: Bool
    private(set) var keys: [KeyPattern] = []
    private(set) var channels: [[UInt8]] = []
    /// One bit for each row of the command table.
    private var commands: [UInt64]
    /// Commands that are not there yet are allowed.
    private var allowsFutureCommands = false
    /// Commands that are allowed with certain first words only.
    private var firstWords: [Int: [[UInt8]]] = [:]
    /// The rules about commands as they were given, without those that later ones replaced.
    private var rules: [[UInt8]] = []

    init(_ table: CommandTable, allChannels: Bool) {
        allowsAllChannels = allChannels
        commands = Array(repeating: 0, count: (table.count + 63) / 64)
    }

    var isUnlimited: Bool { allowsAllCommands && allowsAllKeys && allowsAllChannels }

    // MARK: Rules

    mutating func apply(_ rule: [UInt8], _ table: CommandTable) throws(RuleError) {
        let word = String(decoding: rule, as: UTF8.self).lowercased()
        switch word {
        case "allkeys", "~*":
            allowsAllKeys = true
            keys = []
        case "resetkeys":
            allowsAllKeys = false
            keys = []
        case "allchannels", "&*":
            allowsAllChannels = true
            channels = []
        case "resetchannels":
            allowsAllChannels = false
            channels = []
        case "allcommands", "+@all": setAll(true)
        case "nocommands", "-@all": setAll(false)
        default:
            switch rule.first {
            case UInt8(ascii: "~"), UInt8(ascii: "%"): try addKeys(rule)
            case UInt8(ascii: "&"): try addChannel(Array(rule.dropFirst()))
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                let allows = rule[0] == UInt8(ascii: "+")
                if rule.count > 1, rule[1] == UInt8(ascii: "@") {
                    try setCategory(String(word.dropFirst(2)), allows, table)
                } else {
                    try setCommand(Array(rule.dropFirst()), allows, table)
                }
            default: throw .syntax
            }
        }
    }

    private mutating func setAll(_ allows: Bool) {
        for index in commands.indices { commands[index] = allows ? .max : 0 }
        allowsAllCommands = allows
        allowsFutureCommands = allows
        firstWords = [:]
        rules = []
    }

    private mutating func addKeys(_ rule: [UInt8]) throws(RuleError) {
        if allowsAllKeys { throw .patternAfterAllKeys }
        var canRead = true
        var canWrite = true
        var start = 1
        if rule[0] == UInt8(ascii: "%") {
            canRead = false
            canWrite = false
            while start < rule.count, rule[start] != UInt8(ascii: "~") {
                switch rule[start] | 0x20 {
                case UInt8(ascii: "r") where !canRead: canRead = true
                case UInt8(ascii: "w") where !canWrite: canWrite = true
                default: throw .syntax
                }
                start += 1
            }
            start += 1
            guard start <= rule.count, canRead || canWrite else { throw .syntax }
        }
        let pattern = Array(rule[start...])
        if Self.hasBlanks(pattern) { throw .syntax }
        if let place = keys.firstIndex(where: { $0.pattern == pattern }) {
            keys[place].canRead = keys[place].canRead || canRead
            keys[place].canWrite = keys[place].canWrite || canWrite
        } else {
            keys.append(KeyPattern(pattern: pattern, canRead: canRead, canWrite: canWrite))
        }
    }

    private mutating func addChannel(_ pattern: [UInt8]) throws(RuleError) {
        if allowsAllChannels { throw .patternAfterAllChannels }
        if Self.hasBlanks(pattern) { throw .syntax }
        if !channels.contains(pattern) { channels.append(pattern) }
    }

    static func hasBlanks(_ text: [UInt8]) -> Bool {
        text.contains { $0 == 32 || ($0 >= 9 && $0 <= 13) || $0 == 0 }
    }

    private mutating func setCategory(
        _ name: String, _ allows: Bool, _ table: CommandTable
    ) throws(RuleError) {
        guard let bit = ACLCategories.allNames.firstIndex(where: { "\($0)" == name }) else {
            throw .unknownCommand
        }
        let category = ACLCategories(rawValue: 1 << UInt32(bit))
        note(rule: Array("@\(name)".utf8), allows)
        for row in 0..<table.count where table.spec(at: row).categories.contains(category) {
            set(row, allows, table)
        }
    }

    private mutating func setCommand(
        _ name: [UInt8], _ allows: Bool, _ table: CommandTable
    ) throws(RuleError) {
        if let row = name.withSlice({ table.lookup(fullName: $0) }) {
            set(row, allows, table)
            return note(rule: Array(table.spec(at: row).name.utf8), allows)
        }
        // `+select|0`: the command with this first word only. Old, but still taken.
        guard allows, let bar = name.lastIndex(of: UInt8(ascii: "|")),
            let row = Array(name[..<bar]).withSlice({ table.lookup(fullName: $0) })
        else { throw .unknownCommand }
        if table.facts(at: row).container >= 0 { throw .firstArgumentOfSubcommand }
        let word = Array(name[(bar + 1)...])
        if word.isEmpty { throw .syntax }
        if table.facts(at: row).hasSubcommands { throw .unknownCommand }
        if firstWords[row]?.contains(word) != true { firstWords[row, default: []].append(word) }
        note(rule: Directive.lowercase(name).utf8.map { $0 }, allows)
    }

    private mutating func set(_ row: Int, _ allows: Bool, _ table: CommandTable) {
        let bit: UInt64 = 1 << UInt64(row & 63)
        if allows {
            commands[row >> 6] |= bit
        } else {
            commands[row >> 6] &= ~bit
            allowsAllCommands = false
        }
        firstWords[row] = nil
        if table.facts(at: row).hasSubcommands {
            for other in 0..<table.count where table.facts(at: other).container == row {
                set(other, allows, table)
            }
        }
    }

    /// Adds a rule in place of those about the same command, category, or subcommands.
    private mutating func note(rule: [UInt8], _ allows: Bool) {
        let bar = rule + [UInt8(ascii: "|")]
        rules.removeAll { $0.dropFirst() == rule[...] || $0.dropFirst().starts(with: bar) }
        rules.append([UInt8(ascii: allows ? "+" : "-")] + rule)
    }

    // MARK: Text

    var commandText: [UInt8] {
        let first = Array((allowsFutureCommands ? "+@all" : "-@all").utf8)
        return Array(([first] + rules).joined(separator: [32]))
    }

    var keyText: [UInt8] {
        allowsAllKeys ? Array("~*".utf8) : Array(keys.map { $0.text }.joined(separator: [32]))
    }

    var channelText: [UInt8] {
        if allowsAllChannels { return Array("&*".utf8) }
        return Array(channels.map { [UInt8(ascii: "&")] + $0 }.joined(separator: [32]))
    }

    /// The rules that make this selector, to be read again.
    var text: [UInt8] {
        var words: [[UInt8]] = []
        if allowsAllKeys || !keys.isEmpty { words.append(keyText) }
        if !allowsAllChannels { words.append(Array("resetchannels".utf8)) }
        if allowsAllChannels || !channels.isEmpty { words.append(channelText) }
        words.append(commandText)
        return Array(words.joined(separator: [32]))
    }

    // MARK: Checking

    func allowsCommand(_ row: Int, _ arguments: Arguments, _ table: CommandTable) -> Bool {
        if allowsAllCommands || table.facts(at: row).flags.contains(.noAuth) { return true }
        if commands[row >> 6] & (1 << UInt64(row & 63)) != 0 { return true }
        guard arguments.count > 1, let words = firstWords[row] else { return false }
        let first = Directive.lowercase(arguments[1].copyToArray())
        return words.contains { Directive.lowercase($0) == first }
    }

    var readsAnyKey: Bool {
        allowsAllKeys || keys.contains { $0.canRead && $0.pattern == [UInt8(ascii: "*")] }
    }

    func allowsKey(_ key: ByteSlice, _ flags: KeyFlags) -> Bool {
        if allowsAllKeys { return true }
        let reads = flags.contains(.access)
        let writes = !flags.isDisjoint(with: [.insert, .delete, .update])
        return keys.contains { pattern in
            (pattern.canRead || !reads) && (pattern.canWrite || !writes)
                && pattern.pattern.withSlice { Glob.matches($0, key) }
        }
    }

    /// - Parameter isPattern: the channel is one, so it must be allowed literally.
    func allowsChannel(_ channel: ByteSlice, isPattern: Bool) -> Bool {
        if allowsAllChannels { return true }
        return channels.contains { allowed in
            allowed.withSlice { isPattern ? $0 == channel : Glob.matches($0, channel) }
        }
    }
}
