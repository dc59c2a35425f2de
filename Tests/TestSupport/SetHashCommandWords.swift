internal import HoldfastPlatform

/// Words of random commands on sets and hashes, with some of other families between them.
public struct SetHashCommandGenerator {
    public var values: CommandGenerator

    public init(seed: UInt64) { values = CommandGenerator(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T { values.pick(choices) }
    private mutating func word(_ text: String) -> [UInt8] { values.word(text) }

    /// A key that mostly holds the type in question.
    private mutating func key(_ type: String) -> [UInt8] {
        if values.random.oneIn(25) { return Array(pick(["set1", "hash1", "text", "none"]).utf8) }
        return Array("\(type)\(values.random.below(5))".utf8)
    }

    /// A member or field: few of them, integers and short texts, now and then a long one.
    private mutating func setMember() -> [UInt8] {
        switch values.random.below(20) {
        case 0: return values.number()
        case 1: return values.value()
        case 2: return Array(repeating: UInt8(ascii: "m"), count: pick([9, 10, 11, 64, 65, 300]))
        case 3..<12: return Array(String(values.random.below(14)).utf8)
        default: return Array("m\(values.random.below(14))".utf8)
        }
    }

    private mutating func members() -> [[UInt8]] {
        let most = values.random.oneIn(15) ? 20 : 3
        return (0...values.random.below(most)).map { _ in setMember() }
    }

    private mutating func keys(_ type: String) -> [[UInt8]] {
        (0...values.random.below(3)).map { _ in key(type) }
    }

    private mutating func count() -> [UInt8] {
        let text: String =
            switch values.random.below(10) {
            case 0: pick(["x", "", "1.0", "9223372036854775808", "-9223372036854775808"])
            case 1: pick(["9223372036854775807", "100", "0"])
            default: String(values.random.within(-6...12))
            }
        return Array(text.utf8)
    }

    private mutating func increment() -> [UInt8] {
        let text: String =
            switch values.random.below(8) {
            case 0: pick(["9223372036854775807", "-9223372036854775808", "x", "", "1e3", "inf"])
            case 1: pick(["0.1", "-1.5", "3.0e3", "nan", "1e4000", "0x10", " 1"])
            default: String(values.random.within(-100...100))
            }
        return Array(text.utf8)
    }

    public mutating func command() -> [[UInt8]] {
        var words = whole()
        if values.random.oneIn(40) {
            // A word missing, or one too many.
            if values.random.oneIn(2) { words.removeLast() } else { words.append(setMember()) }
        }
        return words
    }

    private mutating func whole() -> [[UInt8]] {
        switch values.random.below(20) {
        case 0: return keyCommand()
        case 1..<11: return setCommand()
        default: return hashCommand()
        }
    }

    private mutating func keyCommand() -> [[UInt8]] {
        let type = pick(["set", "hash"])
        switch values.random.below(8) {
        case 0: return [word("del"), key(type)]
        case 1: return [word("copy"), key(type), key(type), word("replace")]
        case 2: return [word("rename"), key(type), key(type)]
        case 3: return [word("set"), key("text"), values.value()]
        case 4: return [word("pexpireat"), key(type), Array("33177117420000".utf8)]
        case 5: return [word("persist"), key(type)]
        case 6: return [word("type"), key(type)]
        default: return [word("get"), key(type)]
        }
    }

    private mutating func setCommand() -> [[UInt8]] {
        let name = pick([
            "sadd", "sadd", "sadd", "sadd", "sadd", "srem", "srem", "smove", "scard", "sismember",
            "smismember", "smembers", "spop", "srandmember", "sscan", "sinter", "sintercard",
            "sinterstore", "sunion", "sunionstore", "sdiff", "sdiffstore",
        ])
        let head = word(name)
        switch name {
        case "sadd", "srem", "smismember": return [head, key("set")] + members()
        case "smove": return [head, key("set"), key("set"), setMember()]
        case "sismember": return [head, key("set"), setMember()]
        case "spop", "srandmember":
            return [head, key("set")] + (values.random.oneIn(2) ? [count()] : [])
        case "sscan": return [head, key("set")] + scan()
        case "sinter", "sunion", "sdiff": return [head] + keys("set")
        case "sinterstore", "sunionstore", "sdiffstore": return [head, key("set")] + keys("set")
        case "sintercard":
            let keys = keys("set")
            var words = [head, Array(String(keys.count).utf8)] + keys
            if values.random.oneIn(10) { words[1] = values.number() }
            if values.random.oneIn(2) { words += [word(pick(["limit", "limit", "x"])), count()] }
            return words
        default: return [head, key("set")]
        }
    }

    private mutating func hashCommand() -> [[UInt8]] {
        let name = pick([
            "hset", "hset", "hset", "hset", "hset", "hmset", "hsetnx", "hdel", "hdel", "hexists",
            "hget", "hgetall", "hincrby", "hincrby", "hincrbyfloat", "hkeys", "hlen", "hmget",
            "hrandfield", "hscan", "hstrlen", "hvals",
        ])
        let head = word(name)
        switch name {
        case "hset", "hmset":
            return [head, key("hash")] + members().flatMap { [$0, setMember()] }
        case "hsetnx": return [head, key("hash"), setMember(), setMember()]
        case "hdel", "hmget": return [head, key("hash")] + members()
        case "hexists", "hget", "hstrlen": return [head, key("hash"), setMember()]
        case "hincrby", "hincrbyfloat": return [head, key("hash"), setMember(), increment()]
        case "hrandfield":
            if values.random.oneIn(3) { return [head, key("hash")] }
            return [head, key("hash"), count()]
                + (values.random.oneIn(2) ? [word(pick(["withvalues", "withvalues", "x"]))] : [])
        case "hscan": return [head, key("hash")] + scan()
        default: return [head, key("hash")]
        }
    }

    private mutating func scan() -> [[UInt8]] {
        // More than there are, so that one step gives everything.
        var words = [Array("0".utf8), word("count"), Array("1000".utf8)]
        if values.random.oneIn(8) {
            words[0] = Array(pick(["x", "-", "1x", "18446744073709551616"]).utf8)
        }
        switch values.random.below(8) {
        case 0, 1: words += [word("match"), Array(pick(["*", "m*", "1?", "[0-3]", "", "["]).utf8)]
        case 2: words += [word("count"), Array(pick(["0", "-1", "x", "5000"]).utf8)]
        case 3: words.append(word(pick(["match", "count", "type", "foo"])))
        case 4: words += [word("type"), word("set")]
        default: break
        }
        return words
    }
}
