internal import HoldfastPlatform

extension CommandGenerator {
    /// One command of the string family.
    public mutating func stringCommand() -> [[UInt8]] {
        let name = pick([
            "append", "decr", "decrby", "get", "getdel", "getex", "getrange", "getset", "incr",
            "incrby", "incrbyfloat", "incrbyfloat", "lcs", "mget", "mset", "msetnx", "psetex",
            "set", "set",
            "set number", "setex", "setnx", "setrange", "strlen", "substr",
        ])
        let head = Array(name.utf8)
        switch name {
        case "append", "getset", "setnx": return [head, key(), value()]
        case "get", "getdel", "strlen": return [head, key()]
        case "decr", "incr": return [head, numericKey()]
        case "decrby", "incrby": return [head, numericKey(), number()]
        case "incrbyfloat": return [head, numericKey(), float()]
        case "set number":
            let value = random.oneIn(3) ? number() : random.oneIn(2) ? float() : index()
            return [Array("set".utf8), numericKey(), value]
        case "getrange", "substr": return [head, key(), index(), index()]
        case "setrange": return [head, key(), offset(), value()]
        case "mget": return [head] + (0...random.below(20)).map { _ in key() }
        case "mset", "msetnx":
            // Now and then a value short.
            let words = (0...random.below(4)).flatMap { _ in [key(), value()] }
            return [head] + (random.oneIn(10) ? words.dropLast() : words)
        case "setex": return [head, key(), time("ex"), value()]
        case "psetex": return [head, key(), time("px"), value()]
        case "set": return [head, key(), random.oneIn(5) ? letters() : value()] + setOptions()
        case "getex": return [head, key()] + expiringOptions(["persist"])
        default: return lcsCommand()
        }
    }

    private mutating func float() -> [UInt8] {
        switch random.below(4) {
        case 0: value()
        case 1:
            Array(pick(["0.1", "-0.1", "3", "1e17", "1e-17", "5.0e3", "-1e300", "1e4000"]).utf8)
        default: Array("\(Double(random.within(-1000...1000)) / 8)".utf8)
        }
    }

    private mutating func setOptions() -> [[UInt8]] {
        if random.oneIn(3) { return [] }
        return expiringOptions(["nx", "xx", "get", "keepttl", "get"])
    }

    private mutating func expiringOptions(_ others: [String]) -> [[UInt8]] {
        var words: [[UInt8]] = []
        for _ in 0..<random.below(4) {
            if random.oneIn(12) {
                words.append(word(pick(["ex", "px", "persist", "nx", "foo", "", "getx"])))
            } else if random.oneIn(2) {
                let unit = pick(["ex", "px", "exat", "pxat"])
                words += [word(unit), time(unit)]
            } else {
                words.append(word(pick(others)))
            }
        }
        return words
    }

    private mutating func lcsCommand() -> [[UInt8]] {
        var words = [Array("lcs".utf8), key(), key()]
        for _ in 0..<random.below(4) {
            switch random.below(8) {
            case 0: words.append(word("len"))
            case 1, 2: words.append(word("withmatchlen"))
            case 3: words += [word("minmatchlen"), index()]
            case 4: words.append(word(pick(["minmatchlen", "foo"])))
            default: words.append(word("idx"))
            }
        }
        return words
    }
}
