internal import HoldfastPlatform

extension CommandGenerator {
    /// One command of the bitmap family, or one that gives it something to work on.
    public mutating func bitmapCommand() -> [[UInt8]] {
        let name = pick([
            "bitcount", "bitfield", "bitfield", "bitfield_ro", "bitop", "bitpos", "getbit",
            "setbit",
            "setbit", "set", "append", "getdel",
        ])
        let head = Array(name.utf8)
        switch name {
        case "set", "append": return [head, key(), value()]
        case "getdel": return [head, key()]
        case "getbit": return [head, key(), bitOffset()]
        case "setbit":
            let bit = random.oneIn(8) ? number() : Array(String(random.below(2)).utf8)
            return [head, key(), bitOffset(), bit]
        case "bitcount": return [head, key()] + range()
        case "bitpos":
            let bit = random.oneIn(10) ? number() : Array(String(random.below(2)).utf8)
            let words = range()
            return [head, key(), bit] + (random.oneIn(4) ? Array(words.prefix(1)) : words)
        case "bitop":
            let operation = random.oneIn(20) ? "nand" : pick(["and", "or", "xor", "not"])
            let count = operation == "not" && !random.oneIn(5) ? 1 : 1 + random.below(4)
            return [head, word(operation), key()] + (0..<count).map { _ in key() }
        default:
            var words = [head, key()]
            for _ in 0..<random.below(6) { words += fieldOperation(isReadOnly: name != "bitfield") }
            if random.oneIn(15) { words.removeLast() }
            return words.count < 2 ? [head, key()] : words
        }
    }

    /// The position of a bit; one that would make a string of many megabytes is refused instead.
    private mutating func bitOffset() -> [UInt8] {
        let wrong = ["-1", "4294967296", "9223372036854775807", "x", "", "1.5", "#1", "#", "01"]
        return switch random.below(12) {
        case 0: Array(pick(wrong).utf8)
        case 1: Array(String(random.below(20_000)).utf8)
        default: Array(String(random.below(300)).utf8)
        }
    }

    private mutating func range() -> [[UInt8]] {
        switch random.below(6) {
        case 0: []
        case 1: [index()]
        case 2, 3: [index(), index()]
        case 4: [index(), index(), word(pick(["bit", "byte", "bits"]))]
        default: [index(), index(), word("bit"), index()].dropLast(random.oneIn(6) ? 0 : 1)
        }
    }

    private mutating func fieldOperation(isReadOnly: Bool) -> [[UInt8]] {
        if random.oneIn(5) {
            return [word("overflow"), word(pick(["wrap", "sat", "fail", "fail", "sat", "none"]))]
        }
        let width = random.oneIn(3) ? random.within(60...65) : random.within(1...33)
        let text = random.oneIn(20) ? pick(["u0", "i", "", "x8", "u64", "i65", "u08"]) : ""
        let type = Array((text.isEmpty ? pick(["u", "i"]) + String(width) : text).utf8)
        var position = random.oneIn(15) ? bitOffset() : Array(String(random.below(200)).utf8)
        if random.oneIn(4) { position = Array("#\(random.below(12))".utf8) }
        if random.oneIn(2) && !(isReadOnly && random.oneIn(6)) || (isReadOnly && !random.oneIn(8)) {
            return [word("get"), type, position]
        }
        let operand =
            random.oneIn(3) ? number() : Array(String(random.within(-300_000...300_000)).utf8)
        return [word(pick(["set", "incrby"])), type, position, operand]
    }
}
