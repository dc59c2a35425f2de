import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("The paged hash table")
struct TableTests {
    @Test(
        "agrees with a dictionary while it grows and shrinks", arguments: [1, 2, 3, 4] as [UInt64])
    func model(seed: UInt64) {
        var random = PRNG(seed: seed)
        let rig = TableRig(seed: seed)
        var model: [[UInt8]: Int] = [:]
        // Each phase leans to one side, so pages split and join again and again.
        for phase in 0..<6 {
            let universe = [50, 3000, 20_000][random.below(3)]
            let insertsOf8 = phase % 2 == 0 ? 7 : 1
            for step in 0..<8000 {
                let key = Array("k\(random.below(universe))".utf8)
                if random.below(8) < insertsOf8 {
                    rig.set(key, step)
                    model[key] = step
                } else {
                    #expect(rig.remove(key) == (model.removeValue(forKey: key) != nil))
                }
                if step % 97 == 0 {
                    let other = Array("k\(random.below(universe))".utf8)
                    #expect(rig.value(other) == model[other])
                }
            }
            rig.checkInvariants()
            #expect(rig.content == model)
        }
        for key in model.keys { #expect(rig.remove(key)) }
        rig.checkInvariants()
        #expect(rig.table.count == 0)
        #expect(rig.table.pageCount == 1, "an emptied table joins down to one page")
    }

    @Test("holds 200,000 keys, each once, and gives all of them back")
    func many() {
        let rig = TableRig(seed: 7)
        let count = 200_000
        for number in 0..<count { rig.set(Array("key:\(number)".utf8), number) }
        rig.checkInvariants()
        #expect(rig.table.count == count)
        // Splitting in halves keeps pages between 40 and 81 % full on average.
        #expect(rig.table.memoryBytes < count * 24)
        for number in stride(from: 0, to: count, by: 61) {
            #expect(rig.value(Array("key:\(number)".utf8)) == number)
        }
        #expect(rig.value(Array("key:\(count)".utf8)) == nil)
        for number in 0..<count { rig.remove(Array("key:\(number)".utf8)) }
        rig.checkInvariants()
        #expect(rig.table.count == 0)
    }

    @Test("takes keys of any length, and tells a key from its prefixes")
    func lengths() {
        let rig = TableRig(seed: 11)
        let lengths = Array(0...300) + Array(65_530...65_545) + [70_000, 1_000_003]
        for length in lengths { rig.set([UInt8](repeating: 97, count: length), length) }
        rig.checkInvariants()
        for length in lengths {
            #expect(rig.value([UInt8](repeating: 97, count: length)) == length)
        }
        #expect(rig.value([UInt8](repeating: 97, count: 301)) == nil)
        for length in lengths { #expect(rig.remove([UInt8](repeating: 97, count: length))) }
        #expect(rig.table.count == 0)
    }

    @Test(
        "every order of adding and removing keys whose homes lie around a page's end",
        arguments: 0..<4)
    func runsAtTheEnd(seed: Int) {
        let probe = TableRig(seed: UInt64(seed))
        // Homes 502, 503, 0 and 1: runs that wrap, and keys that stand far from home.
        let wanted = [
            [503, 503, 0, 0, 1], [502, 503, 503, 0, 1], [503, 503, 503, 0, 0],
            [502, 502, 503, 1, 0],
        ][seed]
        var chosen: [[UInt8]] = []
        for home in wanted {
            let more = keys(chosen.count + 1) { key in
                !chosen.contains(key) && Table.home(Table.tag(probe.hash(key))) == home
            }
            chosen.append(more[0])
        }
        let orders = permutations(Array(0..<chosen.count))
        for adding in orders {
            for removing in orders {
                let rig = TableRig(seed: UInt64(seed))
                for index in adding { rig.set(chosen[index], index) }
                for (step, index) in removing.enumerated() {
                    let isRemoved = rig.remove(chosen[index])
                    let left = removing[(step + 1)...].allSatisfy { rig.value(chosen[$0]) == $0 }
                    if !isRemoved || !left || rig.value(chosen[index]) != nil {
                        Issue.record("adding \(adding), removing \(removing), step \(step)")
                        return
                    }
                }
            }
        }
    }

    @Test("keys with one tag and one page are told apart by their bytes")
    func equalTags() {
        let rig = TableRig(seed: 5)
        let chosen = keys(40) { Table.tag(rig.hash($0)) >> 4 == 0xABC }
        for (index, key) in chosen.enumerated() { rig.set(key, index) }
        rig.checkInvariants()
        for (index, key) in chosen.enumerated() where index % 2 == 0 { #expect(rig.remove(key)) }
        rig.checkInvariants()
        for (index, key) in chosen.enumerated() {
            #expect(rig.value(key) == (index % 2 == 0 ? nil : index))
        }
    }

    @Test("a page splits as deep as it must when all keys fall into one part of the hashes")
    func deepSplits() {
        let rig = TableRig(seed: 6)
        let chosen = keys(500) { rig.hash($0) >> 56 == 0x5A }
        for (index, key) in chosen.enumerated() { rig.set(key, index) }
        rig.checkInvariants()
        #expect(rig.table.pageCount >= 9)
        for (index, key) in chosen.enumerated() { #expect(rig.value(key) == index) }
        for key in chosen { rig.remove(key) }
        rig.checkInvariants()
        #expect(rig.table.pageCount == 1)
    }

    @Test("a random entry comes from everywhere, and quickly from an almost empty table")
    func random() {
        var random = PRNG(seed: 3)
        let rig = TableRig(seed: 3)
        #expect(rig.table.random { random.next() } == nil)
        for number in 0..<1000 { rig.set(Array("key:\(number)".utf8), number) }
        var seen: Set<Int> = []
        for _ in 0..<20_000 {
            if let entry = rig.table.random({ random.next() }) {
                seen.insert(TableRig.number(entry))
            }
        }
        #expect(seen.count > 990)

        // Removed while frozen, pages stay as many as they were.
        for number in 1000..<50_000 { rig.set(Array("key:\(number)".utf8), number) }
        let frozen = rig.table.freeze()
        _ = rig.epochs.freeze()
        for number in 1..<50_000 { rig.remove(Array("key:\(number)".utf8)) }
        #expect(frozen.count == 50_000)
        var calls = 0
        for _ in 0..<10 {
            let entry = rig.table.random {
                calls += 1
                return random.next()
            }
            #expect(entry.map { TableRig.number($0) } == 0)
        }
        #expect(calls < 10_000)
        rig.checkInvariants()
    }
}

func permutations(_ items: [Int]) -> [[Int]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index -> [[Int]] in
        var rest = items
        let first = rest.remove(at: index)
        return permutations(rest).map { [first] + $0 }
    }
}
