internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// A user as rules describe it. Sessions hold the one object there is for each name; its content changes.
final class User {
    let name: [UInt8]
    private(set) var rules: UserRules {
        didSet { isUnlimited = rules.isUnlimited }
    }
    /// May do everything with everything: nothing needs to be checked.
    private(set) var isUnlimited: Bool

    init(_ name: [UInt8], _ rules: UserRules) {
        self.name = name
        self.rules = rules
        isUnlimited = rules.isUnlimited
    }

    var nameText: String { String(decoding: name, as: UTF8.self) }

    func replaceRules(_ rules: UserRules) { self.rules = rules }
}

/// Whether a user may come in, and what it may do then.
struct UserRules {
    private(set) var isOn = false
    private(set) var needsNoPassword = false
    private(set) var skipsSanitizing = false
    /// SHA-256 in hexadecimal digits, in the order of their coming.
    private(set) var passwords: [[UInt8]] = []
    private(set) var root: Selector
    private(set) var others: [Selector] = []

    /// What a new user has: nothing, but for channels if `acl-pubsub-default` says so.
    init(_ table: CommandTable, allChannels: Bool) {
        root = Selector(table, allChannels: allChannels)
    }

    /// The user that new sessions have: it may do everything.
    static func unlimited(_ table: CommandTable) -> UserRules {
        var rules = UserRules(table, allChannels: true)
        rules.isOn = true
        rules.needsNoPassword = true
        for word in ["~*", "+@all"] { try? rules.root.apply(Array(word.utf8), table) }
        return rules
    }

    var selectors: [Selector] { [root] + others }

    var isUnlimited: Bool { root.isUnlimited }

    /// Lets the user in with this password.
    func accepts(_ password: ByteSlice) -> Bool {
        guard isOn else { return false }
        if needsNoPassword { return true }
        let hash = SHA256.hexadecimal(password)
        var matches = false
        for known in passwords {
            // Takes as long for any wrong password.
            var difference: UInt8 = 0
            for index in 0..<min(known.count, hash.count) {
                difference |= known[index] ^ hash[index]
            }
            if difference == 0, known.count == hash.count { matches = true }
        }
        return matches
    }

    // MARK: Rules

    mutating func apply(
        _ rule: [UInt8], _ table: CommandTable, allChannels: Bool
    ) throws(RuleError) {
        switch String(decoding: rule, as: UTF8.self).lowercased() {
        case "on": isOn = true
        case "off": isOn = false
        case "nopass":
            needsNoPassword = true
            passwords = []
        case "resetpass":
            needsNoPassword = false
            passwords = []
        case "skip-sanitize-payload": skipsSanitizing = true
        case "sanitize-payload": skipsSanitizing = false
        case "clearselectors": others = []
        case "reset": self = UserRules(table, allChannels: allChannels)
        default:
            switch rule.first {
            case UInt8(ascii: ">"):
                add(Array(rule.dropFirst()).withSlice { SHA256.hexadecimal($0) })
            case UInt8(ascii: "#"): add(try Self.hash(rule))
            case UInt8(ascii: "<"):
                try remove(Array(rule.dropFirst()).withSlice { SHA256.hexadecimal($0) })
            case UInt8(ascii: "!"): try remove(try Self.hash(rule))
            case UInt8(ascii: "(") where rule.last == UInt8(ascii: ")"):
                var selector = Selector(table, allChannels: allChannels)
                guard
                    let words = Array(rule.dropFirst().dropLast()).withSlice({
                        QuotedWords.split($0)
                    })
                else { throw .syntax }
                for word in words { try selector.apply(word, table) }
                others.append(selector)
            default: try root.apply(rule, table)
            }
        }
    }

    private static func hash(_ rule: [UInt8]) throws(RuleError) -> [UInt8] {
        let hash = Array(rule.dropFirst())
        let isHash = hash.allSatisfy {
            ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f"))
        }
        guard hash.count == 64, isHash else { throw .badHash }
        return hash
    }

    private mutating func add(_ hash: [UInt8]) {
        if !passwords.contains(hash) { passwords.append(hash) }
        needsNoPassword = false
    }

    private mutating func remove(_ hash: [UInt8]) throws(RuleError) {
        guard let place = passwords.firstIndex(of: hash) else { throw .noSuchPassword }
        passwords.remove(at: place)
    }

    /// `requirepass`: one password, or none needed if it is empty.
    mutating func setOnlyPassword(_ password: [UInt8]) {
        passwords = []
        needsNoPassword = password.isEmpty
        if !password.isEmpty { add(password.withSlice { SHA256.hexadecimal($0) }) }
    }

    /// Puts words that belong to one selector, `(` to `)`, together.
    static func joined(_ words: [[UInt8]]) throws(RuleError) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var open: [UInt8]?
        var start: [UInt8] = []
        for word in words {
            if let begun = open {
                open = begun + [32] + word
            } else if word.first == UInt8(ascii: "("), word.last != UInt8(ascii: ")") {
                open = word
                start = word
            } else {
                result.append(word)
                continue
            }
            if word.last == UInt8(ascii: ")"), let whole = open {
                result.append(whole)
                open = nil
            }
        }
        if open != nil { throw .unmatchedParenthesis(start) }
        return result
    }

    // MARK: Text

    /// As ACL GETUSER tells.
    var flags: [String] {
        var names = [isOn ? "on" : "off"]
        if needsNoPassword { names.append("nopass") }
        names.append(skipsSanitizing ? "skip-sanitize-payload" : "sanitize-payload")
        return names
    }

    /// The rules that make this user, to be read again.
    var text: [UInt8] {
        var words = flags.map { Array($0.utf8) }
        words += passwords.map { [UInt8(ascii: "#")] + $0 }
        words.append(root.text)
        words += others.map { [UInt8(ascii: "(")] + $0.text + [UInt8(ascii: ")")] }
        return Array(words.joined(separator: [32]))
    }
}
