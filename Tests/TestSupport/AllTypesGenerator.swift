internal import HoldfastPlatform

/// Random commands on values of every type: those of the families' own generators, and now and then one that
/// makes a value large, so that it has many nodes.
public struct AllTypesGenerator {
    private var values: CommandGenerator
    private var keys: KeyCommandGenerator
    private var lists: ListCommandGenerator
    private var sets: SetHashCommandGenerator
    private var streams: StreamCommandWords

    public init(seed: UInt64) {
        values = CommandGenerator(seed: seed)
        keys = KeyCommandGenerator(seed: seed &+ 1)
        lists = ListCommandGenerator(seed: seed &+ 2)
        sets = SetHashCommandGenerator(seed: seed &+ 3)
        streams = StreamCommandWords(seed: seed &+ 4)
    }

    public mutating func command() -> [[UInt8]] {
        switch values.random.below(16) {
        case 0: return values.stringCommand()
        case 1: return values.bitmapCommand()
        case 2: return values.hyperLogLogCommand(spoils: false)
        case 3:
            let words = keys.command()
            let name = String(decoding: words[0], as: UTF8.self).lowercased()
            // Rarely, or little would ever be there.
            if name.hasPrefix("flush"), !values.random.oneIn(8) { return largeCommand() }
            return words
        case 4, 5: return lists.command()
        case 6, 7: return sets.command()
        case 8, 9: return values.sortedSetCommand()
        case 10: return values.geoCommand()
        case 11, 12: return streams.command()
        case 13: return [Array("pexpire".utf8), values.key(), number(1...400)]
        default: return largeCommand()
        }
    }

    private mutating func number(_ range: ClosedRange<Int>) -> [UInt8] {
        Array(String(values.random.within(range)).utf8)
    }

    /// Adds to, changes or takes from one of a few values that grow large.
    private mutating func largeCommand() -> [[UInt8]] {
        func words(_ text: String...) -> [[UInt8]] { text.map { Array($0.utf8) } }
        let count = values.random.oneIn(4) ? 1 + values.random.below(200) : 1
        let owner = values.random.below(2)
        var made: [[UInt8]]
        switch values.random.below(12) {
        case 0: made = words(values.pick(["rpush", "lpush"]), "large:list\(owner)")
        case 1: return words("linsert", "large:list\(owner)", "after", "e7", "beside")
        case 2:
            return words("ltrim", "large:list\(owner)", "\(values.random.below(3))", "-2")
        case 3: made = words("sadd", "large:set\(owner)")
        case 4: made = words("srem", "large:set\(owner)")
        case 5, 6:
            made = words("hset", "large:hash\(owner)")
            for _ in 0..<count { made += [field(), values.value()] }
            return made
        case 7: made = words("hdel", "large:hash\(owner)")
        case 8:
            made = words("zadd", "large:zset\(owner)")
            for _ in 0..<count { made += [number(-500...500), field()] }
            return made
        case 9: made = words("zrem", "large:zset\(owner)")
        case 10:
            made = words("xadd", "large:stream\(owner)", "*")
            for _ in 0..<1 + values.random.below(4) { made += [field(), values.value()] }
            return made
        default:
            made = words("hpexpire", "large:hash\(owner)") + [number(1...600)]
            return made + words("fields", "1") + [field()]
        }
        for _ in 0..<count { made.append(field()) }
        return made
    }

    private mutating func field() -> [UInt8] { Array("e\(values.random.below(600))".utf8) }
}
