internal import HoldfastPlatform

/// Random steps of several clients over all families of commands, with transactions, protocol changes and
/// mistakes among them.
public struct MixedCommandGenerator {
    /// What one client does next.
    public enum Step {
        case command(client: Int, [[UInt8]])
        /// A whole walk with SCAN, with these words behind the cursor.
        case walk(client: Int, [[UInt8]])
    }

    private var values: CommandGenerator
    private var keys: KeyCommandGenerator
    private var lists: ListCommandGenerator
    private var streams: StreamCommandWords
    private let clientCount: Int
    private var isInTransaction: [Bool]
    private var number = 0

    public init(seed: UInt64, clients: Int) {
        values = CommandGenerator(seed: seed)
        keys = KeyCommandGenerator(seed: seed &+ 1)
        lists = ListCommandGenerator(seed: seed &+ 2)
        streams = StreamCommandWords(seed: seed &+ 3)
        clientCount = clients
        isInTransaction = Array(repeating: false, count: clients)
    }

    public mutating func next() -> Step {
        number += 1
        let client = values.random.below(clientCount)
        if !isInTransaction[client], values.random.oneIn(60) {
            return .walk(client: client, walkOptions())
        }
        var words = command(client)
        if values.random.oneIn(25) { words = spoiled(words) }
        words = words.map { spread($0) }
        let name = String(decoding: words[0], as: UTF8.self).lowercased()
        if name == "multi", words.count == 1 { isInTransaction[client] = true }
        if ["exec", "discard", "reset"].contains(name), words.count == 1 {
            isInTransaction[client] = false
        }
        return .command(client: client, words)
    }

    private mutating func command(_ client: Int) -> [[UInt8]] {
        switch values.random.below(100) {
        case 0..<24: return values.stringCommand()
        case 24..<33: return values.bitmapCommand()
        case 33..<45: return hurried(lists.command())
        case 45..<54: return streamCommand()
        case 54..<72: return keys.command()
        case 72..<88: return transactionCommand(isInTransaction[client])
        case 88..<96: return connectionCommand()
        default: return unknownCommand()
        }
    }

    /// With a time to wait that is short: nobody will serve who waits.
    private func hurried(_ words: [[UInt8]]) -> [[UInt8]] {
        let name = String(decoding: words[0], as: UTF8.self).lowercased()
        guard name.hasPrefix("b"), words.count > 1 else { return words }
        let place = name == "blmpop" ? 1 : words.count - 1
        var words = words
        // What is out of range is another error in 7.0.
        let isWrong = ["-1", "x", "", "nan"].contains { words[place] == Array($0.utf8) }
        if !isWrong { words[place] = Array("0.002".utf8) }
        return words
    }

    /// Without consumer groups, where 7.2 differs from 7.0 in much.
    private mutating func streamCommand() -> [[UInt8]] {
        while true {
            let words = streams.command()
            let name = String(decoding: words[0], as: UTF8.self).lowercased()
            if ["xadd", "xlen", "xrange", "xrevrange", "xdel", "xtrim", "xread"].contains(name) {
                return words
            }
        }
    }

    private mutating func words(_ text: String) -> [[UInt8]] {
        text.split(separator: " ").map { Array($0.utf8) }
    }

    private mutating func transactionCommand(_ isInside: Bool) -> [[UInt8]] {
        if isInside {
            // Mostly it ends; the rest belongs to no transaction, or is queued.
            return words(
                values.pick([
                    "exec", "exec", "exec", "exec", "EXEC", "discard", "multi", "watch key1",
                    "unwatch", "exec now",
                ]))
        }
        switch values.random.below(10) {
        case 0..<4: return words("multi")
        case 4..<7: return words("watch") + (0...values.random.below(2)).map { _ in values.key() }
        case 7: return words("unwatch")
        default: return words(values.pick(["exec", "discard", "multi x", "watch"]))
        }
    }

    private mutating func connectionCommand() -> [[UInt8]] {
        words(
            values.pick([
                "ping", "ping there", "ping a b", "echo x", "echo", "hello 2", "hello 3", "hello",
                "hello 4", "hello x", "hello 3 setname me", "hello 2 foo", "hello 3 auth",
                "hello 2 setname", "select 0", "select 1", "select 2", "select 16", "select x",
                "select -1", "reset", "auth secret", "auth nobody secret", "auth a b c",
                "hello 3 auth nobody secret", "hello 3 auth default secret",
            ]))
    }

    private mutating func unknownCommand() -> [[UInt8]] {
        let long = Array(repeating: UInt8(ascii: "n"), count: values.pick([127, 128, 129, 300]))
        var made: [[UInt8]] = [
            values.pick([
                Array("foo".utf8), [], Array("get\r\nset".utf8), Array("GETX".utf8), long,
                Array("'".utf8), Array("%s%n".utf8), [0xFF, 0, 1],
            ])
        ]
        for _ in 0..<values.random.below(5) {
            switch values.random.below(4) {
            case 0: made.append(values.bytes(values.random.below(200)))
            case 1: made.append(Array(repeating: UInt8(ascii: "a"), count: 126))
            default: made.append(values.value())
            }
        }
        return made
    }

    /// The command with a word missing, added or replaced.
    private mutating func spoiled(_ words: [[UInt8]]) -> [[UInt8]] {
        var words = words
        switch values.random.below(4) {
        case 0: words = Array(words.prefix(1))
        case 1: words = Array(words.prefix(1 + values.random.below(words.count)))
        case 2: words.append(values.letters())
        default:
            if words.count > 1 {
                words[1 + values.random.below(words.count - 1)] = values.letters()
            }
        }
        return words
    }

    /// Makes times from now on differ by more than two servers' clocks can, so that GT and LT decide alike.
    private func spread(_ word: [UInt8]) -> [UInt8] {
        switch String(decoding: word, as: UTF8.self) {
        case "100000", "200000":
            Array(String((Int(String(decoding: word, as: UTF8.self)) ?? 0) + 10 * number).utf8)
        case "100000000", "200000000":
            Array(String((Int(String(decoding: word, as: UTF8.self)) ?? 0) + 10_000 * number).utf8)
        default: word
        }
    }

    private mutating func walkOptions() -> [[UInt8]] {
        words(
            values.pick([
                "", "COUNT 1", "COUNT 3", "COUNT 1000", "MATCH key*", "MATCH *2 COUNT 2",
                "TYPE string", "TYPE list",
            ]))
    }
}
