internal import HoldfastPlatform

extension CommandGenerator {
    /// SORT, or a command that gives it something to work on.
    ///
    /// - Returns: also whether more than one answer is right: then only the number of elements can be compared.
    public mutating func sortCommand() -> (words: [[UInt8]], isAmbiguous: Bool) {
        switch random.below(16) {
        case 0:
            return words(
                ["rpush", sortSource("list")], (0...random.below(8)).map { _ in sortElement() })
        case 1:
            return words(
                ["sadd", sortSource("set")], (0...random.below(8)).map { _ in sortMember() })
        case 2: return words(["zadd", sortSource("zset"), String(random.below(9))], [sortMember()])
        case 3: return words(["set"], [Array("w_".utf8) + sortElement(), sortElement()])
        case 4:
            return words(["hset"], [Array("h_".utf8) + sortElement(), word("f"), sortElement()])
        case 5:
            let key = pick([sortSource("list"), sortSource("set"), "d0", "d1"])
            return random.oneIn(3)
                ? words(["del", key], []) : words(["lrange", "d0", "0", "-1"], [])
        case 6: return words(["del"], [Array(pick(["w_", "h_"]).utf8) + sortElement()])
        default: return sort()
        }
    }

    private func words(_ head: [String], _ tail: [[UInt8]]) -> ([[UInt8]], Bool) {
        (head.map { Array($0.utf8) } + tail, false)
    }

    private mutating func sortSource(_ kind: String) -> String { "\(kind)\(random.below(2))" }

    /// Mostly numbers, so that sorting by them is not always an error.
    private mutating func sortElement() -> [UInt8] {
        if random.oneIn(60) {
            return Array(pick(["", "x", "1 ", "nan", "a\0b", "a\0a", "a", "-", "zz\u{e9}"]).utf8)
        }
        return sortMember()
    }

    private mutating func sortMember() -> [UInt8] {
        let texts = [
            "0", "1", "-1", "3", "10", "100000", "-7000000000", "2.5", "-0", "1e3", "0x10", " 5",
            "inf",
            "9223372036854775807", "12345678901234567890", "02", "+2",
        ]
        return Array((random.oneIn(80) ? "word" : pick(texts)).utf8)
    }

    private mutating func sort() -> ([[UInt8]], Bool) {
        let kind = pick(["list", "list", "set", "zset", "w_"])
        let isReadOnly = random.oneIn(6)
        var words = [word(isReadOnly ? "sort_ro" : "sort")]
        words.append(Array((kind == "w_" ? pick(["w_1", "h_1", "none"]) : sortSource(kind)).utf8))
        var isUnsorted = false
        var hasPattern = false
        var isAlphabetic = false
        var hasLimit = false
        var stores = false
        for _ in 0..<random.below(5) {
            switch random.below(7) {
            case 0: words.append(word(pick(["asc", "desc", "desc"])))
            case 1, 2:
                isAlphabetic = true
                words.append(word("alpha"))
            case 3:
                hasLimit = true
                let wrong = random.oneIn(12)
                let first = wrong ? number() : Array(String(random.within(-2...8)).utf8)
                words += [word("limit"), first, Array(String(random.within(-2...8)).utf8)]
            case 4:
                let pattern = pick([
                    "w_*", "w_*", "h_*->f", "nosort", "nosort", "*", "w_*->", "#", "list*",
                ])
                if pattern.contains("*") { hasPattern = true } else { isUnsorted = true }
                words += [word("by"), Array(pattern.utf8)]
            case 5:
                let pattern = pick([
                    "#", "w_*", "h_*->f", "h_*->g", "none", "*", "w_*\0->f", "h_*->f\0",
                ])
                words += [word("get"), Array(pattern.utf8)]
            default:
                if isReadOnly && !random.oneIn(8) { continue }
                stores = true
                words += [word("store"), Array(pick(["d0", "d0", "d1", sortSource("list")]).utf8)]
            }
        }
        if random.oneIn(40) { words.append(word(pick(["limit", "get", "by", "store", "what"]))) }
        let hasTies = isAlphabetic && hasPattern && !isUnsorted && (hasLimit || kind != "list")
        let isAmbiguous = hasTies || isUnsorted && kind == "set" && !stores
        // What is stored has to be the same, so nothing ambiguous is.
        if isAmbiguous, stores { return ([word("sort"), Array("none".utf8)], false) }
        return (words, isAmbiguous)
    }
}
