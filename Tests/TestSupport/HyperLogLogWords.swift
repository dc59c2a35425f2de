internal import HoldfastPlatform

extension CommandGenerator {
    /// One command of the HyperLogLog family, or one that gives it something to work on.
    ///
    /// - Parameter spoils: strings are spoilt as well, and elements added one by one: when stock finds that it
    ///   can't go on, it has added those before.
    public mutating func hyperLogLogCommand(spoils: Bool) -> [[UInt8]] {
        let spoiling = ["setrange", "setbit", "append", "forge", "forge"]
        let name = pick(
            [
                "pfadd", "pfadd", "pfadd", "pfadd", "pfcount", "pfcount", "pfmerge", "pfdebug",
                "get", "set", "del",
            ] + (spoils ? spoiling : []))
        let head = Array(name.utf8)
        switch name {
        case "pfadd":
            // Now and then enough for the dense form.
            let count =
                spoils
                ? random.below(2) : random.oneIn(12) ? 400 + random.below(2000) : random.below(6)
            return [head, key()] + (0..<count).map { _ in element() }
        case "pfcount":
            return [head] + (0...random.below(random.oneIn(2) ? 1 : 5)).map { _ in key() }
        case "pfmerge": return [head] + (0...random.below(4)).map { _ in key() }
        case "pfdebug":
            let word = pick(["encoding", "decode", "decode", "todense", "getreg", "nothing"])
            return [head, self.word(word), key()]
        case "get", "del": return [head, key()]
        case "append": return [head, key(), spoilt(1)]
        case "setbit":
            let bit = random.below(128)
            return [head, key(), Array(String(bit).utf8), Array(String(random.below(2)).utf8)]
        case "setrange":
            let offset = random.oneIn(2) ? random.below(16) : 16 + random.below(300)
            return [head, key(), Array(String(offset).utf8), spoilt(random.oneIn(2) ? 1 : 8)]
        case "set": return [head, key(), value()]
        default:
            // An empty one with other bytes behind the header, or a dense one of random registers.
            let header = Array("HYLL".utf8) + [1] + bytes(11)
            if random.oneIn(3) {
                let registers = (0..<12_288).map { _ in UInt8(random.below(64)) }
                return [Array("set".utf8), key(), header[..<4] + [0] + header[5...] + registers]
            }
            let tails: [[UInt8]] = [
                [0x7F, 0xFF], [0x7F, 0xFE, 0x84], [0x80, 0x7F, 0xFE], [0x7F, 0xFC, 0xFF], [],
                [0x7F, 0xFF, 0x00], [0x7F, 0xFD, 0x88], Array(repeating: 0x3F, count: 256),
                [0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xEF], spoilt(random.below(300)),
            ]
            return [Array("set".utf8), key(), header + pick(tails)]
        }
    }

    /// Any bytes, but no long run cut in two at the end: there stock reads a byte beyond.
    private mutating func spoilt(_ count: Int) -> [UInt8] {
        var result = bytes(count)
        if let last = result.indices.last { result[last] |= 0x80 }
        return result
    }

    private mutating func element() -> [UInt8] {
        random.oneIn(3) ? bytes(random.below(20)) : Array(String(random.below(100_000)).utf8)
    }
}
