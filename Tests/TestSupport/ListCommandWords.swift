internal import HoldfastPlatform

/// Words of random commands on lists, with others among them that make keys of other types, or move keys.
public struct ListCommandGenerator {
    public var values: CommandGenerator

    public init(seed: UInt64) { values = CommandGenerator(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T { values.pick(choices) }
    private mutating func word(_ text: String) -> [UInt8] { values.word(text) }

    private mutating func key() -> [UInt8] {
        Array(
            values.random.oneIn(12) ? "string".utf8 : "list\(values.random.below(4))".utf8)
    }

    /// Few different ones, so that searches find something.
    private mutating func element() -> [UInt8] {
        switch values.random.below(10) {
        case 0...3: return Array(pick(["a", "b", "c", "d"]).utf8)
        case 4...6: return Array(pick(["0", "1", "-1", "127", "128", "4096", "-4097"]).utf8)
        case 7:
            return Array(
                pick(["2147483648", "9223372036854775807", "01", "", "-", "32768", "8388608"]).utf8)
        case 8: return Array(repeating: UInt8(ascii: "x"), count: pick([50, 63, 64, 300, 4096]))
        default: return values.value()
        }
    }

    private mutating func index() -> [UInt8] {
        values.random.oneIn(10)
            ? values.number() : Array(String(values.random.within(-12...12)).utf8)
    }

    private mutating func side() -> [UInt8] {
        word(values.random.oneIn(15) ? "middle" : pick(["left", "right"]))
    }

    /// How long to wait; nobody waits where these commands are run.
    private mutating func timeout() -> [UInt8] {
        Array(
            pick([
                "0", "0.1", "1", "-1", "x", "", "inf", "-inf", "nan", "1e400", "-1e400", "1e-400",
                "9223372036854776", "9223372036854775807", "1e18", "0x10",
                " 1", "0.0001", "-0.0001",
            ]).utf8)
    }

    private mutating func count() -> [UInt8] {
        values.random.oneIn(8)
            ? values.number() : Array(String(values.random.within(-1...5)).utf8)
    }

    public mutating func command() -> [[UInt8]] {
        let name = pick([
            "rpush", "rpush", "lpush", "lpush", "rpushx", "lpushx", "lpop", "rpop", "lpop", "rpop",
            "llen", "lindex", "lset", "lset", "linsert", "linsert", "lrange", "lrange", "ltrim",
            "lrem", "lpos", "lpos", "lmove", "rpoplpush", "lmpop", "blpop", "brpop", "blmove",
            "brpoplpush", "blmpop", "set", "del", "rename", "copy", "type", "exists", "expire",
        ])
        let head = word(name)
        var words: [[UInt8]]
        switch name {
        case "rpush", "lpush", "rpushx", "lpushx":
            let most = values.random.oneIn(12) ? 60 : 4
            words = [head, key()] + (0...values.random.below(most)).map { _ in element() }
        case "lpop", "rpop":
            words = [head, key()] + (values.random.oneIn(3) ? [count()] : [])
        case "llen", "del", "type", "exists": words = [head, key()]
        case "lindex": words = [head, key(), index()]
        case "lset": words = [head, key(), index(), element()]
        case "linsert":
            let place = values.random.oneIn(15) ? "beside" : pick(["before", "after"])
            words = [head, key(), word(place), element(), element()]
        case "lrange", "ltrim":
            // Mostly a look, or nothing would stay.
            let look = name == "ltrim" && values.random.oneIn(2) ? word("lrange") : head
            words = [look, key(), index(), index()]
        case "lrem": words = [head, key(), count(), element()]
        case "lpos":
            words = [head, key(), element()]
            for _ in 0..<values.random.below(3) {
                words += [
                    word(pick(["rank", "count", "maxlen", "rank", "count", "foo"])), count(),
                ]
            }
        case "lmove": words = [head, key(), key(), side(), side()]
        case "blmove": words = [head, key(), key(), side(), side(), timeout()]
        case "rpoplpush": words = [head, key(), key()]
        case "brpoplpush": words = [head, key(), key(), timeout()]
        case "lmpop": words = [head] + multiPop()
        case "blmpop": words = [head, timeout()] + multiPop()
        case "blpop", "brpop":
            words = [head] + (0...values.random.below(3)).map { _ in key() } + [timeout()]
        case "set": words = [head, Array("string".utf8), element()]
        case "rename": words = [head, key(), key()]
        case "copy": words = [head, key(), key(), word("replace")]
        default: words = [head, key(), Array("100000".utf8)]
        }
        if values.random.oneIn(40) { words.removeLast() }
        return words
    }

    private mutating func multiPop() -> [[UInt8]] {
        let keys = (0...values.random.below(3)).map { _ in key() }
        var words = [Array(String(keys.count).utf8)] + keys + [side()]
        if values.random.oneIn(10) { words[0] = count() }
        if values.random.oneIn(2) { words += [word("count"), count()] }
        if values.random.oneIn(15) { words.append(word("count")) }
        return words
    }
}
