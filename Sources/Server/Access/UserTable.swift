internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// All users. The one named `default` is always there: it is the user of sessions that have not said who they
/// are.
struct UserTable {
    private var users: [[UInt8]: User] = [:]
    /// `acl-pubsub-default allchannels`: new users may use all channels.
    var newUsersHaveAllChannels = false
    /// `aclfile`; empty for none.
    var file = ""

    static let standardName = Array("default".utf8)

    init(_ table: CommandTable) {
        let standard = User(Self.standardName, .unlimited(table))
        users[standard.name] = standard
    }

    var standard: User {
        guard let user = users[Self.standardName] else { preconditionFailure("no default user") }
        return user
    }

    /// New sessions have to say who they are.
    var requiresAuthentication: Bool {
        !standard.rules.needsNoPassword || !standard.rules.isOn
    }

    /// By name.
    var all: [User] { users.values.sorted { $0.name.lexicographicallyPrecedes($1.name) } }

    func find(_ name: [UInt8]) -> User? { users[name] }

    func newRules(_ table: CommandTable) -> UserRules {
        UserRules(table, allChannels: newUsersHaveAllChannels)
    }

    mutating func put(_ name: [UInt8], _ rules: UserRules) {
        if let user = users[name] {
            user.replaceRules(rules)
        } else {
            users[name] = User(name, rules)
        }
    }

    mutating func remove(_ name: [UInt8]) -> User? { users.removeValue(forKey: name) }

    // MARK: Lines

    /// Why users could not be read.
    struct LineError: Error {
        let reason: String
    }

    /// Rules made of words, on top of `rules`.
    func rules(
        _ rules: UserRules, changedBy words: [[UInt8]], _ table: CommandTable
    ) throws(LineError) -> UserRules {
        var rules = rules
        let joined: [[UInt8]]
        do throws(RuleError) {
            joined = try UserRules.joined(words)
        } catch {
            guard case .unmatchedParenthesis(let start) = error else {
                throw LineError(reason: error.reason)
            }
            let text = String(decoding: start, as: UTF8.self)
            throw LineError(
                reason: "Unmatched parenthesis in acl selector starting at '\(text)'.")
        }
        for word in joined {
            do throws(RuleError) {
                try rules.apply(word, table, allChannels: newUsersHaveAllChannels)
            } catch {
                let text = String(decoding: word, as: UTF8.self)
                throw LineError(reason: "Error in ACL SETUSER modifier '\(text)': \(error.reason)")
            }
        }
        return rules
    }

    /// The `user` lines of a configuration file: name and rules.
    mutating func load(_ lines: [[[UInt8]]], _ table: CommandTable) throws(LineError) {
        var seen: Set<[UInt8]> = []
        for line in lines {
            guard let name = line.first else { continue }
            let text = String(decoding: name, as: UTF8.self)
            if !seen.insert(name).inserted {
                throw LineError(
                    reason:
                        "Duplicate user '\(text)' found. A user can only be defined once in config files"
                )
            }
            if Selector.hasBlanks(name) {
                throw LineError(reason: "Usernames can't contain spaces or null characters")
            }
            do throws(LineError) {
                put(name, try rules(newRules(table), changedBy: Array(line.dropFirst()), table))
            } catch {
                throw LineError(reason: "Error in user declaration '\(text)': \(error.reason)")
            }
        }
    }

    // MARK: The file

    /// All users as lines of a file.
    var lines: [[UInt8]] { all.map { Array("user ".utf8) + $0.name + [32] + $0.rules.text } }

    func save() throws(SystemError) {
        try SmallFile.replace(file, with: lines.flatMap { $0 + [10] })
    }

    /// The users that the file describes, and the default user if it doesn't; nothing changes here.
    func readFile(_ table: CommandTable) throws(LineError) -> [(name: [UInt8], rules: UserRules)] {
        let text: [UInt8]
        do throws(SystemError) {
            text = try SmallFile.read(file)
        } catch {
            throw LineError(reason: "Error loading ACLs, opening file '\(file)': \(error.reason)")
        }
        var result: [(name: [UInt8], rules: UserRules)] = []
        var errors = ""
        for (number, raw) in text.split(separator: 10, omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = ConfigurationLine.trimmed(raw)
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            let words = line.split(separator: 32).map { Array($0) }
            let place = "\(file):\(number + 1)"
            guard words.count > 1, words[0] == Array("user".utf8) else {
                errors += "\(place) should start with user keyword followed by the username. "
                continue
            }
            if result.contains(where: { $0.name == words[1] }) {
                let name = String(decoding: words[1], as: UTF8.self)
                errors += "WARNING: \(place): Duplicate user '\(name)' found. "
                continue
            }
            do throws(LineError) {
                let rules = try rules(newRules(table), changedBy: Array(words.dropFirst(2)), table)
                result.append((words[1], rules))
            } catch {
                errors += "\(place): \(error.reason). "
            }
        }
        if !errors.isEmpty {
            throw LineError(
                reason: errors
                    + "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
            )
        }
        if !result.contains(where: { $0.name == Self.standardName }) {
            result.append((Self.standardName, .unlimited(table)))
        }
        return result
    }
}
