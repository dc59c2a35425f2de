internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP

/// Why a user may not run a command.
struct AccessDenial {
    /// In the order of their weight: of several selectors' reasons the heaviest is told.
    enum Kind: Int, CaseIterable {
        case command = 1
        case key = 2
        case authentication = 3
        case channel = 4

        /// As ACL LOG names it.
        var name: String {
            switch self {
            case .command: "command"
            case .key: "key"
            case .authentication: "auth"
            case .channel: "channel"
            }
        }
    }

    var kind: Kind
    /// The word that is to blame.
    var position: Int

    /// - Parameter isVerbose: names the key or channel, as ACL DRYRUN does.
    func text(
        _ user: User, _ spec: CommandSpec, _ arguments: Arguments, isVerbose: Bool = false
    ) -> [UInt8] {
        let word = arguments[min(position, arguments.count - 1)].copyToArray()
        let who = Array("User ".utf8) + user.name
        switch kind {
        case .command, .authentication:
            return who + Array(" has no permissions to run the '\(spec.name)' command".utf8)
        case .key:
            if !isVerbose { return Array("No permissions to access a key".utf8) }
            return who + Array(" has no permissions to access the '".utf8) + word
                + Array("' key".utf8)
        case .channel:
            if !isVerbose { return Array("No permissions to access a channel".utf8) }
            return who + Array(" has no permissions to access the '".utf8) + word
                + Array("' channel".utf8)
        }
    }

    /// What EXEC says of a command that was allowed when it was queued.
    var textInTransaction: String {
        let reason =
            switch kind {
            case .command: "no permission to execute the command or subcommand"
            case .key: "no permission to touch the specified keys"
            case .channel:
                "no permission to access one of the channels used as arguments to the command"
            case .authentication: "no permission"
            }
        return
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
            + "EXEC call. This command is no longer allowed for the following reason: \(reason)"
    }
}

extension UserRules {
    /// Nil if one of the selectors allows the command with all its keys and channels.
    func check(_ row: Int, _ arguments: Arguments, _ table: CommandTable) -> AccessDenial? {
        let spec = table.spec(at: row)
        var keys: [KeyPosition]?
        var worst = AccessDenial(kind: .command, position: 0)
        for selector in selectors {
            guard let denial = Self.check(selector, spec, row, arguments, table, &keys) else {
                return nil
            }
            if denial.kind.rawValue > worst.kind.rawValue
                || (denial.kind == worst.kind && denial.position > worst.position)
            {
                worst = denial
            }
        }
        return worst
    }

    private static func check(
        _ selector: Selector, _ spec: CommandSpec, _ row: Int, _ arguments: Arguments,
        _ table: CommandTable, _ keys: inout [KeyPosition]?
    ) -> AccessDenial? {
        guard selector.allowsCommand(row, arguments, table) else {
            return AccessDenial(kind: .command, position: 0)
        }
        if !selector.allowsAllKeys, spec.hasKeys {
            let positions =
                keys ?? spec.findKeys(count: arguments.count, word: { arguments[$0] }) ?? []
            keys = positions
            for key in positions where !selector.allowsKey(arguments[key.index], key.flags) {
                return AccessDenial(kind: .key, position: key.index)
            }
        }
        if !selector.allowsAllChannels, let channels = channels(spec, arguments.count) {
            let isPattern = spec.name == "psubscribe"
            for index in channels
            where !selector.allowsChannel(arguments[index], isPattern: isPattern) {
                return AccessDenial(kind: .channel, position: index)
            }
        }
        return nil
    }

    /// The words that are channels to listen to or to publish in.
    private static func channels(_ spec: CommandSpec, _ count: Int) -> Range<Int>? {
        guard spec.group == .pubsub else { return nil }
        switch spec.name {
        case "subscribe", "psubscribe", "ssubscribe": return 1..<max(count, 1)
        case "publish", "spublish": return count > 1 ? 1..<2 : nil
        default: return nil
        }
    }
}
