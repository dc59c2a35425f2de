import HoldfastPlatform
import Testing

@testable import Store

@Suite("The index of deadlines")
struct DeadlineIndexTests {
    @Test("agrees with a sorted list, equal pairs included", arguments: [1, 2, 3] as [UInt64])
    func model(seed: UInt64) {
        var random = PRNG(seed: seed)
        var index = DeadlineIndex()
        var model: [DeadlineIndex.Pair] = []
        for phase in 0..<6 {
            let spread = [5, 300, 1_000_000][random.below(3)]
            for _ in 0..<1500 {
                if random.below(8) < (phase % 2 == 0 ? 6 : 2) || model.isEmpty {
                    let pair = DeadlineIndex.Pair(
                        deadline: Int64(random.below(spread)) - Int64(spread / 2),
                        hash: UInt64(random.below(3)))
                    index.insert(deadline: pair.deadline, hash: pair.hash)
                    let at = model.firstIndex { pair < $0 } ?? model.count
                    model.insert(pair, at: at)
                } else {
                    let pair = model.remove(at: random.below(model.count))
                    index.remove(deadline: pair.deadline, hash: pair.hash)
                }
                #expect(index.first == model.first)
                #expect(index.count == model.count)
            }
            index.checkInvariants()
            #expect(index.pairs == model)
        }
    }

    @Test("holds the ends of Int64")
    func ends() {
        var index = DeadlineIndex()
        for deadline in [0, Int64.max, Int64.min, -1] {
            index.insert(deadline: deadline, hash: .max)
        }
        #expect(index.pairs.map(\.deadline) == [Int64.min, -1, 0, Int64.max])
        index.remove(deadline: .min, hash: .max)
        #expect(index.first?.deadline == -1)
    }

    @Test(
        "gives memory back when it is thinned out, from either end or at random", arguments: 0..<3)
    func thinning(way: Int) {
        var random = PRNG(seed: 4)
        var index = DeadlineIndex()
        for deadline in 0..<50_000 { index.insert(deadline: Int64(deadline), hash: 1) }
        #expect(index.memoryBytes < 50_000 * 20, "rising deadlines fill their chunks")
        var left = Array(0..<50_000)
        if way == 1 { left.reverse() }
        if way == 2 {
            for at in left.indices { left.swapAt(at, random.below(left.count)) }
        }
        for deadline in left.dropLast(500) { index.remove(deadline: Int64(deadline), hash: 1) }
        index.checkInvariants()
        #expect(index.count == 500)
        #expect(index.memoryBytes < 500 * 16 * 10)
    }
}
