internal import HoldfastPlatform

extension CommandGenerator {
    /// One command of the sorted set family, or one that gives it something to work on.
    public mutating func sortedSetCommand() -> [[UInt8]] {
        let name = pick([
            "zadd", "zadd", "zadd", "zadd", "zadd", "zadd", "zincrby", "zcard", "zscore", "zmscore",
            "zrank", "zrevrank", "zrem", "zrem", "zpopmin", "zpopmax", "zmpop", "zrange", "zrange",
            "zrange", "zrangestore", "zrevrange", "zrangebyscore", "zrevrangebyscore",
            "zrangebylex", "zrevrangebylex", "zcount", "zlexcount", "zremrangebyrank",
            "zremrangebyscore", "zremrangebylex", "zunion", "zinter", "zdiff", "zunionstore",
            "zinterstore", "zdiffstore", "zintercard", "zrandmember", "zscan", "set", "del",
            "expire", "copy", "rename", "sadd", "sadd",
        ])
        let head = word(name)
        switch name {
        case "set": return random.oneIn(3) ? [head, key(), value()] : [word("zcard"), key()]
        case "del": return random.oneIn(3) ? [head, key()] : [word("zcard"), key()]
        case "sadd":
            // Sets of all forms: numbers, a few words, long words.
            let key = Array("set\(random.below(3))".utf8)
            return [head, key] + (0...random.below(3)).map { _ in sortedSetMember() }
        case "expire": return [head, key(), Array("100000".utf8)]
        case "copy", "rename": return [head, key(), key()]
        case "zadd":
            if random.oneIn(4) {
                return [head, uniformKey()]
                    + (0...random.below(3)).flatMap { _ in [zero, sortedSetMember()] }
            }
            return [head, key()] + addition()
        case "zincrby": return [head, key(), score(), sortedSetMember()]
        case "zcard": return [head, key()]
        case "zscore": return [head, key(), sortedSetMember()]
        case "zrank", "zrevrank":
            return [head, key(), sortedSetMember()]
        case "zmscore", "zrem":
            return [head, key()] + (0...random.below(4)).map { _ in sortedSetMember() }
        case "zpopmin", "zpopmax":
            return [head, key()] + (0..<random.below(3)).map { _ in count() }.prefix(2)
        case "zmpop": return [head] + keys() + popOptions()
        case "zrange", "zrangestore": return rangeCommand(head, stores: name == "zrangestore")
        case "zrevrange": return [head, key(), rank(), rank()] + withScores()
        case "zrangebyscore", "zrevrangebyscore":
            return [head, key(), scoreBound(), scoreBound()] + withScores() + limit()
        case "zrangebylex", "zrevrangebylex":
            return [head, uniformKey(), memberBound(), memberBound()] + limit()
        case "zcount", "zremrangebyscore": return [head, key(), scoreBound(), scoreBound()]
        case "zlexcount", "zremrangebylex":
            return [head, uniformKey(), memberBound(), memberBound()]
        case "zremrangebyrank": return [head, key(), rank(), rank()]
        case "zunion", "zinter", "zdiff": return [head] + keys() + combineOptions()
        case "zunionstore", "zinterstore", "zdiffstore":
            return [head, key()] + keys() + combineOptions()
        case "zintercard":
            return [head] + keys() + (random.oneIn(2) ? [word("limit"), count()] : [])
        case "zrandmember": return [head, key()] + randomOptions()
        default:
            let pattern = random.oneIn(3) ? [word("match"), Array("*1*".utf8)] : []
            let start = Array((random.oneIn(20) ? pick(["x", "1x", ""]) : "0").utf8)
            return [head, key(), start] + pattern + [word("count"), Array("1000".utf8)]
        }
    }

    /// A member of sorted sets; none looks like a fraction.
    public mutating func sortedSetMember() -> [UInt8] {
        switch random.below(20) {
        case 0: return []
        case 1: return Array(repeating: UInt8(ascii: "m"), count: pick([11, 12, 13, 64, 65, 300]))
        case 2, 3: return Array(String(random.within(-70_000...70_000)).utf8)
        case 4: return [0xFF, 0, UInt8(random.below(3))]
        case 5: return Array("m1\0".utf8)
        default: return Array("m\(random.below(25))".utf8)
        }
    }

    private var zero: [UInt8] { Array("0".utf8) }

    /// A key whose members all have the score 0: ranges of members mean something there only.
    private mutating func uniformKey() -> [UInt8] { Array("lex\(random.below(3))".utf8) }

    private mutating func score() -> [UInt8] {
        let text: String =
            switch random.below(24) {
            case 0: pick(["inf", "-inf", "+inf", "Infinity", "-INF"])
            case 1: pick(["nan", "", " 1", "1 ", "abc", "1e400", "--1", "1e-400", "0x"])
            case 2: pick(["9007199254740993", "1e17", "1e20", "-1e300", "4611686018427387905"])
            case 3: pick(["0.1", "-0.3", "1e-5", "3.14159265358979", "1e-20"])
            case 4: pick(["0x10", "1.5e3", "+5", "007", "5.", ".5"])
            case 5: pick(["9223372036854775807", "-9223372036854775808", "9223372036854775808"])
            case 6, 7: String(Double(random.within(-40...40)) / 4)
            case 8..<12: "0"
            default: String(random.within(-9...9))
            }
        return Array(text.utf8)
    }

    private mutating func addition() -> [[UInt8]] {
        var words: [[UInt8]] = []
        if random.oneIn(3) {
            for _ in 0...random.below(3) {
                words.append(word(pick(["nx", "xx", "gt", "lt", "ch", "incr", "xx", "ch"])))
            }
        }
        let pairs = random.oneIn(20) ? 0 : 1 + random.below(random.oneIn(3) ? 8 : 2)
        for _ in 0..<pairs { words += [score(), sortedSetMember()] }
        if random.oneIn(40) { words.append(sortedSetMember()) }
        return words.count < 2 ? words + [score(), sortedSetMember()] : words
    }

    private mutating func count() -> [UInt8] {
        let text: String =
            switch random.below(10) {
            case 0: pick(["0", "-1", "x", "", "9223372036854775807", "9223372036854775808"])
            case 1: String(random.within(20...200))
            default: String(1 + random.below(6))
            }
        return Array(text.utf8)
    }

    private mutating func rank() -> [UInt8] {
        random.oneIn(12) ? number() : Array(String(random.within(-14...14)).utf8)
    }

    private mutating func scoreBound() -> [UInt8] {
        let open = random.oneIn(3) ? "(" : ""
        switch random.below(12) {
        case 0: return Array((open + pick(["x", "", "nan", "1 ", " 1", "((1", "1e400"])).utf8)
        case 1, 2: return Array((open + pick(["-inf", "+inf", "inf"])).utf8)
        case 3: return Array((open + String(Double(random.within(-40...40)) / 4)).utf8)
        default: return Array((open + String(random.within(-10...10))).utf8)
        }
    }

    private mutating func memberBound() -> [UInt8] {
        switch random.below(12) {
        case 0: return Array(pick(["", "x", "m1", "+1", "-x", "++"]).utf8)
        case 1, 2, 3: return Array(pick(["-", "+"]).utf8)
        default: return Array(pick(["[", "("]).utf8) + sortedSetMember()
        }
    }

    private mutating func withScores() -> [[UInt8]] {
        switch random.below(5) {
        case 0, 1: [word("withscores")]
        case 2: random.oneIn(10) ? [word("withscore")] : []
        default: []
        }
    }

    private mutating func limit() -> [[UInt8]] {
        guard random.oneIn(3) else { return [] }
        return [word("limit"), rank(), rank()].dropLast(random.oneIn(15) ? 1 : 0)
    }

    private mutating func rangeCommand(_ head: [UInt8], stores: Bool) -> [[UInt8]] {
        var words = stores ? [head, key(), key()] : [head, key()]
        switch random.below(4) {
        case 0, 1: words += [rank(), rank()]
        case 2: words += [scoreBound(), scoreBound(), word("byscore")]
        default:
            words[words.count - 1] = uniformKey()
            words += [memberBound(), memberBound(), word("bylex")]
        }
        if random.oneIn(3) { words.append(word("rev")) }
        if random.oneIn(20) { words.append(word(pick(["byscore", "rev", "x"]))) }
        return words + limit() + withScores()
    }

    /// A number of keys and the keys, now and then not in agreement.
    private mutating func keys() -> [[UInt8]] {
        let count = 1 + random.below(3)
        let told = random.oneIn(20) ? pick([0, -1, count + 1, 1000]) : count
        return [Array(String(told).utf8)]
            + (0..<count).map { _ in
                random.oneIn(4) ? Array("set\(random.below(3))".utf8) : key()
            }
    }

    private mutating func popOptions() -> [[UInt8]] {
        var words = [word(random.oneIn(20) ? "mid" : pick(["min", "max"]))]
        if random.oneIn(2) { words += [word("count"), count()] }
        if random.oneIn(30) { words += [word("count"), count()] }
        return words
    }

    private mutating func combineOptions() -> [[UInt8]] {
        var words: [[UInt8]] = []
        if random.oneIn(3) {
            words.append(word("weights"))
            for _ in 0...random.below(3) { words.append(score()) }
        }
        if random.oneIn(3) {
            words += [word("aggregate"), word(pick(["sum", "min", "max", "min", "max", "avg"]))]
        }
        return words + withScores()
    }

    private mutating func randomOptions() -> [[UInt8]] {
        switch random.below(4) {
        case 0: return []
        case 1:
            // A count that is as low as can be keeps a stock server busy for ever, but for these two.
            if random.oneIn(4) {
                return [Array("-9223372036854775807".utf8), word("withscores")]
            }
            let edge = pick(["-9223372036854775808", "9223372036854775807", "0", "x"])
            return [Array(edge.utf8)] + (random.oneIn(2) ? [word("withscores")] : [])
        default:
            return [Array(String(random.within(-12...12)).utf8)] + withScores()
        }
    }

    // MARK: Places

    /// One command on places.
    public mutating func geoCommand() -> [[UInt8]] {
        let name = pick([
            "geoadd", "geoadd", "geoadd", "geopos", "geohash", "geodist", "georadius",
            "georadius_ro", "georadiusbymember", "georadiusbymember_ro", "geosearch", "geosearch",
            "geosearch", "geosearchstore", "zadd", "zrem",
        ])
        let head = word(name)
        switch name {
        case "zadd":
            return random.oneIn(4) ? [head, key(), score(), place()] : [word("zcard"), key()]
        case "zrem": return [head, key(), place()]
        case "geoadd":
            var words = [head, key()]
            if random.oneIn(4) {
                for _ in 0...random.below(2) { words.append(word(pick(["nx", "xx", "ch"]))) }
            }
            for _ in 0...random.below(4) { words += coordinates() + [place()] }
            return words.dropLast(random.oneIn(30) ? 1 : 0)
        case "geopos", "geohash": return [head, key()] + (0..<random.below(4)).map { _ in place() }
        case "geodist":
            return [head, key(), place(), place()] + (random.oneIn(2) ? [unit()] : [])
        case "georadius", "georadius_ro":
            return [head, key()] + coordinates() + radius() + searchOptions(mayStore: true)
        case "georadiusbymember", "georadiusbymember_ro":
            return [head, key(), place()] + radius() + searchOptions(mayStore: true)
        default:
            var words = name == "geosearch" ? [head, key()] : [head, key(), key()]
            if !random.oneIn(20) {
                words +=
                    random.oneIn(2)
                    ? [word("frommember"), place()] : [word("fromlonlat")] + coordinates()
            }
            if !random.oneIn(20) {
                words +=
                    random.oneIn(2)
                    ? [word("byradius")] + radius() : [word("bybox"), length()] + radius()
            }
            words += searchOptions(mayStore: false)
            if name == "geosearchstore", random.oneIn(3) { words.append(word("storedist")) }
            return words
        }
    }

    private mutating func place() -> [UInt8] { Array("p\(random.below(40))".utf8) }

    private mutating func coordinates() -> [[UInt8]] {
        let pair: [String] =
            switch random.below(14) {
            case 0:
                pick([["181", "0"], ["0", "86"], ["x", "1"], ["1", ""], ["-180.1", "-90"]])
            case 1: pick([["180", "85.05112878"], ["-180", "-85.05112878"], ["0", "0"]])
            case 2: pick([["179.9", "0.1"], ["-179.9", "70"], ["13.361389", "38.115556"]])
            case 3..<9:
                [
                    String(Double(random.within(1000...1600)) / 100),
                    String(Double(random.within(3500...4000)) / 100),
                ]
            default:
                [
                    String(Double(random.within(-180_000...180_000)) / 1000),
                    String(Double(random.within(-85_000...85_000)) / 1000),
                ]
            }
        return pair.map { Array($0.utf8) }
    }

    private mutating func unit() -> [UInt8] {
        word(random.oneIn(20) ? "league" : pick(["m", "km", "ft", "mi"]))
    }

    private mutating func length() -> [UInt8] {
        let text =
            switch random.below(12) {
            case 0: pick(["-1", "x", "0", "0.001", "1e9"])
            case 1: pick(["6000", "12000", "25000"])
            default: String(random.within(1...900))
            }
        return Array(text.utf8)
    }

    private mutating func radius() -> [[UInt8]] {
        [length(), random.oneIn(3) ? unit() : word("km")]
    }

    private mutating func searchOptions(mayStore: Bool) -> [[UInt8]] {
        var words: [[UInt8]] = []
        for option in ["withdist", "withcoord", "withhash"] where random.oneIn(3) {
            words.append(word(option))
        }
        if random.oneIn(2) { words.append(word(pick(["asc", "desc"]))) }
        if random.oneIn(3) {
            words += [word("count"), count()]
            if random.oneIn(3) { words.append(word("any")) }
        }
        if mayStore, random.oneIn(4) {
            let option = [word(pick(["store", "storedist"])), key()]
            words = random.oneIn(5) ? words + option : option
        }
        if random.oneIn(40) { words.append(word(pick(["any", "bogus", "storedist"]))) }
        return words
    }
}
