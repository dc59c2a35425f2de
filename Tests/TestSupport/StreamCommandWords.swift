internal import HoldfastPlatform

/// Words of random commands on streams. IDs lie close together, so that commands meet; nothing depends on what
/// time it is.
public struct StreamCommandWords {
    private var base: CommandGenerator
    private var milliseconds = 1

    public init(seed: UInt64) { base = CommandGenerator(seed: seed) }

    private mutating func key() -> [UInt8] {
        Array((base.random.oneIn(25) ? "text" : "s\(base.random.below(3))").utf8)
    }

    private mutating func group() -> [UInt8] {
        Array((base.random.oneIn(15) ? "nobody" : "g\(base.random.below(3))").utf8)
    }

    private mutating func consumer() -> [UInt8] { Array("c\(base.random.below(4))".utf8) }

    private mutating func pick(_ words: String...) -> [UInt8] {
        base.word(words[base.random.below(words.count)])
    }

    private mutating func some(_ words: String...) -> [[UInt8]] {
        base.random.oneIn(3) ? words.map { base.word($0) } : []
    }

    /// An ID among those that were given, or a wrong one.
    private mutating func id() -> [UInt8] {
        let text: String =
            switch base.random.below(24) {
            case 0:
                base.pick([
                    "", "-", "+", "x", "1-", "-1", "1-x", "18446744073709551616", "1-1-1", " 1-1",
                    "01-2", "+3-0", "(1-0", "0-0", "0", "18446744073709551615-18446744073709551615",
                    "18446744073709551615", "5-18446744073709551615",
                ])
            case 1..<5: "\(base.random.below(milliseconds + 3))"
            default: "\(base.random.below(milliseconds + 2))-\(base.random.below(4))"
            }
        return Array(text.utf8)
    }

    private mutating func edge(_ whole: String) -> [UInt8] {
        switch base.random.below(6) {
        case 0, 1: return Array(whole.utf8)
        case 2: return Array("(".utf8) + id()
        default: return id()
        }
    }

    private mutating func ids() -> [[UInt8]] { (0...base.random.below(4)).map { _ in id() } }

    private mutating func number() -> [UInt8] {
        base.random.oneIn(12) ? base.number() : Array("\(base.random.below(40))".utf8)
    }

    private mutating func count() -> [[UInt8]] {
        base.random.oneIn(2) ? [pick("count"), number()] : []
    }

    /// How long something shall have been idle: what is new never was so long, and what was given an old time
    /// always.
    private mutating func idle() -> [UInt8] {
        base.random.oneIn(20)
            ? pick("x", "", "1.5", "-9223372036854775808", "9223372036854775807")
            : pick("0", "0", "0", "-1", "100000000", "1000000000")
    }

    private mutating func trim() -> [[UInt8]] {
        var words = [pick("maxlen", "maxlen", "minid")]
        if base.random.oneIn(2) { words.append(pick("~", "~", "=")) }
        words.append(
            words[0].first == UInt8(ascii: "m") && words[0].count == 5 || words[0].count == 5
                ? id() : number())
        if base.random.oneIn(4) { words += [pick("limit"), number()] }
        return words
    }

    private mutating func add() -> [[UInt8]] {
        var words = [pick("xadd"), key()]
        if base.random.oneIn(12) { words.append(pick("nomkstream")) }
        if base.random.oneIn(6) { words += trim() }
        switch base.random.below(12) {
        case 0: words.append(id())
        case 1..<4:
            words.append(Array("\(milliseconds)-*".utf8))
        case 4: words.append(Array("\(milliseconds)-\(base.random.below(6))".utf8))
        default:
            milliseconds += 1
            words.append(Array("\(milliseconds)-\(base.random.below(3))".utf8))
        }
        if base.random.oneIn(2) {
            words += [Array("name".utf8), value(), Array("5".utf8), value()]
        } else {
            for _ in 0..<(1 + base.random.below(3)) { words += [value(), value()] }
        }
        if base.random.oneIn(40) { words.removeLast() }
        return words
    }

    private mutating func value() -> [UInt8] {
        switch base.random.below(5) {
        case 0: base.value()
        case 1: Array("\(base.random.below(10_000_000_000) - 5_000_000_000)".utf8)
        case 2: base.bytes(base.random.below(100))
        default: base.letters()
        }
    }

    private mutating func streams(_ ids: String...) -> [[UInt8]] {
        let count = 1 + base.random.below(2)
        var words = [pick("streams")]
        for _ in 0..<count { words.append(key()) }
        for _ in 0..<count {
            words.append(
                base.random.oneIn(2)
                    ? Array(ids[base.random.below(ids.count)].utf8) : id())
        }
        if base.random.oneIn(30) { words.removeLast() }
        return words
    }

    public mutating func command() -> [[UInt8]] {
        switch base.random.below(100) {
        case 0..<30: return add()
        case 30..<35: return [pick("xdel"), key()] + ids()
        case 35..<38: return [pick("xtrim"), key()] + trim() + some("limit", "0")
        case 38..<43:
            return [pick("xrange"), key(), edge("-"), edge("+")] + count()
        case 43..<48:
            return [pick("xrevrange"), key(), edge("+"), edge("-")] + count()
        case 48: return [pick("xlen"), key()]
        case 49: return set()
        case 50..<58: return groupCommand()
        case 58..<62:
            return [pick("xread")] + count() + streams("0", "$", "0-0", "1-1", ">")
        case 62..<77:
            var words = [pick("xreadgroup"), pick("group"), group(), consumer()] + count()
            if base.random.oneIn(8) { words.append(pick("noack")) }
            return words + streams(">", ">", ">", "0", "$")
        case 77..<82: return [pick("xack"), key(), group()] + ids()
        case 82..<86: return pending()
        case 86..<90: return claim()
        case 90..<93:
            return [pick("xautoclaim"), key(), group(), consumer(), idle(), edge("0-0")] + count()
                + some("justid")
        case 93: return [Array("set".utf8), Array("text".utf8), Array("x".utf8)]
        case 94: return base.random.oneIn(6) ? [Array("del".utf8), key()] : [pick("xlen"), key()]
        default: return info()
        }
    }

    private mutating func set() -> [[UInt8]] {
        var words = [pick("xsetid"), key(), id()]
        if base.random.oneIn(2) { words += [pick("entriesadded"), number()] }
        if base.random.oneIn(3) { words += [pick("maxdeletedid"), id()] }
        return words
    }

    private mutating func groupCommand() -> [[UInt8]] {
        let head = pick("xgroup")
        switch base.random.below(12) {
        case 0..<5:
            return [
                head, pick("create"), key(), group(), base.random.oneIn(3) ? id() : pick("$", "0"),
            ]
                + some("mkstream") + (base.random.oneIn(4) ? [pick("entriesread"), number()] : [])
        case 5, 6:
            return [
                head, pick("setid"), key(), group(), base.random.oneIn(2) ? id() : pick("$", "0"),
            ]
                + (base.random.oneIn(3) ? [pick("entriesread"), number()] : [])
        case 7: return [head, pick("destroy"), key(), group()]
        case 8, 9, 10: return [head, pick("createconsumer"), key(), group(), consumer()]
        default: return [head, pick("delconsumer"), key(), group(), consumer()]
        }
    }

    private mutating func pending() -> [[UInt8]] {
        var words = [pick("xpending"), key(), group()]
        if base.random.oneIn(3) { return words }
        if base.random.oneIn(3) { words += [pick("idle"), idle()] }
        words += [edge("-"), edge("+"), number()]
        if base.random.oneIn(3) { words.append(consumer()) }
        if base.random.oneIn(20) { words.removeLast() }
        return words
    }

    private mutating func claim() -> [[UInt8]] {
        var words = [pick("xclaim"), key(), group(), consumer(), idle()] + ids()
        if base.random.oneIn(3) { words.append(pick("force")) }
        if base.random.oneIn(3) { words.append(pick("justid")) }
        if base.random.oneIn(4) { words += [pick("time"), pick("1000", "2000", "-5", "x")] }
        if base.random.oneIn(6) { words += [pick("idle"), pick("2000000000", "0", "x")] }
        if base.random.oneIn(4) { words += [pick("retrycount"), number()] }
        if base.random.oneIn(6) { words += [pick("lastid"), id()] }
        if base.random.oneIn(40) { words.append(pick("what")) }
        return words
    }

    private mutating func info() -> [[UInt8]] {
        switch base.random.below(8) {
        case 0, 1: return [pick("xinfo"), pick("groups"), key()]
        case 2: return [pick("xinfo"), pick("consumers"), key(), group()]
        case 3, 4: return [pick("xinfo"), pick("stream"), key()]
        default:
            return [pick("xinfo"), pick("stream"), key(), pick("full")]
                + (base.random.oneIn(2) ? [pick("count"), number()] : [])
        }
    }
}
