internal import HoldfastPlatform

/// Words of random commands on keys and databases.
public struct KeyCommandGenerator {
    public var values: CommandGenerator

    public init(seed: UInt64) { values = CommandGenerator(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T { values.pick(choices) }
    private mutating func word(_ text: String) -> [UInt8] { values.word(text) }
    private mutating func key() -> [UInt8] { values.key() }

    /// The number of a database; three are in use.
    private mutating func database() -> [UInt8] {
        let text =
            values.random.oneIn(8)
            ? pick(["-1", "16", "99", "", "x", "1.0", "2147483648", "-2147483649", "99999999999"])
            : String(values.random.below(3))
        return Array(text.utf8)
    }

    public mutating func command() -> [[UInt8]] {
        let name = pick([
            "set", "set", "set", "set", "get", "select", "copy", "copy", "del", "exists", "expire",
            "expireat", "expiretime", "keys", "move", "move", "object", "persist", "pexpire",
            "pexpireat", "pexpiretime", "pttl", "randomkey", "rename", "renamenx", "scan", "touch",
            "ttl", "type", "unlink", "dbsize", "flushall", "flushdb", "swapdb", "debug",
        ])
        let head = word(name)
        switch name {
        case "set": return [head, key(), values.value()] + deadlineOption()
        case "get", "expiretime", "persist", "pexpiretime", "pttl", "ttl", "type":
            return [head, key()]
        case "select": return [head, database()]
        case "del", "exists", "touch", "unlink":
            return [head] + (0...values.random.below(3)).map { _ in key() }
        case "copy":
            var words = [head, key(), key()]
            for _ in 0..<values.random.below(3) {
                switch values.random.below(5) {
                case 0, 1: words += [word("db"), database()]
                case 2, 3: words.append(word("replace"))
                default: words.append(word(pick(["db", "foo", ""])))
                }
            }
            return words
        case "expire", "pexpire", "expireat", "pexpireat":
            return [head, key(), time(name)]
                + (0..<values.random.below(3)).map { _ in
                    word(pick(["nx", "xx", "gt", "lt", "nx", "xx", "gt", "lt", "foo"]))
                }
        case "keys": return [head, pattern()]
        case "move": return [head, key(), database()]
        case "object":
            let subcommand = pick(["encoding", "freq", "refcount", "help", "encoding"])
            return [head, word(subcommand)] + (subcommand == "help" ? [] : [key()])
        case "rename", "renamenx": return [head, key(), key()]
        case "scan": return scan(head)
        case "flushall", "flushdb":
            // Mostly a look at how many there are, or nothing would ever be there.
            if !values.random.oneIn(4) { return [Array("dbsize".utf8)] }
            return values.random.oneIn(2) ? [head] : [head, word(pick(["sync", "async", "foo"]))]
        case "swapdb": return [head, database(), database()]
        default: return [Array("dbsize".utf8)]
        }
    }

    private mutating func deadlineOption() -> [[UInt8]] {
        switch values.random.below(4) {
        case 0:
            return [word("pxat"), Array(pick(["33177117420000", "33177117430000", "1000"]).utf8)]
        case 1: return [word("keepttl")]
        default: return []
        }
    }

    private mutating func time(_ name: String) -> [UInt8] {
        if values.random.oneIn(6) {
            let number = values.number()
            // Nothing that runs out while the test runs.
            let isShort = (1...1_000_000).contains(
                Int(String(decoding: number, as: UTF8.self)) ?? 0)
            if !isShort { return number }
        }
        let text: String =
            switch name {
            case "expire": pick(["100000", "200000", "-1", "0"])
            case "pexpire": pick(["100000000", "200000000", "-1", "0"])
            case "expireat": pick(["33177117420", "33177117430", "1000"])
            default: pick(["33177117420000", "33177117430000", "33177117420001", "1000"])
            }
        return Array(text.utf8)
    }

    private mutating func pattern() -> [UInt8] {
        Array(
            pick([
                "*", "**", "key*", "key?", "key[0-2]", "key[^0-2]", "*3", "k\\ey1", "key", "", "[",
                "key1",
            ]).utf8)
    }

    private mutating func scan(_ head: [UInt8]) -> [[UInt8]] {
        // More than there are, so that one step gives everything whatever the table looks like.
        var words = [head, Array("0".utf8), word("count"), Array("1000".utf8)]
        if values.random.oneIn(8) {
            words[1] = Array(pick(["x", "-", "1x", "18446744073709551616", "0x1"]).utf8)
        }
        for _ in 0..<values.random.below(3) {
            switch values.random.below(6) {
            case 0, 1: words += [word("match"), pattern()]
            case 2: words += [word("type"), word(pick(["string", "list", "foo", "zset"]))]
            case 3:
                let count = pick(["0", "-1", "x", "5000", "9223372036854775808"])
                words += [word("count"), Array(count.utf8)]
            case 4: words.append(word(pick(["match", "count", "type", "foo"])))
            default: break
            }
        }
        return words
    }
}
