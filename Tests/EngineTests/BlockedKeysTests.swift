import HoldfastPlatform
import Store
import Testing

@testable import Engine

@Suite("Who waits for which keys")
struct BlockedKeysTests {
    private func waiter(_ owner: UInt64, _ marks: [UInt64]) -> BlockedKeys.Waiter {
        BlockedKeys.Waiter(
            owner: owner, type: .list, wakesOnAnyChange: owner % 2 == 0, database: 0,
            keys: marks.map { Array("k\($0)".utf8) }, marks: marks)
    }

    /// Goes through all that is due; whom `serves` names stops waiting.
    private func rounds(
        _ blocked: inout BlockedKeys, _ all: [UInt64: BlockedKeys.Waiter],
        serves: (UInt64) -> Bool = { _ in false }
    ) -> [String] {
        var tried: [String] = []
        while var round = blocked.nextRound() {
            while let next = blocked.next(&round) {
                tried.append("\(round.mark):\(next.owner)")
                if serves(next.owner), let waiter = all[next.owner] { blocked.remove(waiter) }
            }
        }
        return tried
    }

    @Test("keys are gone through in the order of their changes, each by who waits longest")
    func order() {
        var blocked = BlockedKeys()
        let all: [UInt64: BlockedKeys.Waiter] = [
            1: waiter(1, [10, 20]), 2: waiter(2, [20]), 3: waiter(3, [10]),
        ]
        for owner in [1, 2, 3] as [UInt64] { all[owner].map { blocked.add($0) } }
        let (count, counting) = (blocked.count, blocked.countWakingOnAnyChange)
        #expect(count == 2 && counting == 1)
        for mark in [20, 30, 10, 20] as [UInt64] { blocked.touch(mark) }
        let tried = rounds(&blocked, all)
        #expect(tried == ["20:1", "20:2", "10:1", "10:3"])
        let hasReady = blocked.hasReady
        #expect(!hasReady)
        // Who is tried in vain keeps its place; who is served is gone from all its keys.
        blocked.touch(10)
        blocked.touch(20)
        let served = rounds(&blocked, all) { $0 == 1 }
        #expect(served == ["10:1", "10:3", "20:2"])
        let left = blocked.count
        #expect(left == 2)
    }

    @Test("who begins to wait during a round is not part of it")
    func laterWaiter() throws {
        var blocked = BlockedKeys()
        let first = waiter(1, [10])
        let later = waiter(3, [10])
        blocked.add(first)
        blocked.touch(10)
        let begun = blocked.nextRound()
        var round = try #require(begun)
        blocked.remove(first)
        blocked.add(later)
        let none = blocked.next(&round)
        #expect(none == nil)
        // A change meanwhile makes a round of its own.
        blocked.touch(10)
        let next = blocked.nextRound()
        var second = try #require(next)
        let tried = blocked.next(&second)
        #expect(tried?.owner == 3)
        blocked.remove(later)
        blocked.remove(later)
        let isEmpty = blocked.isEmpty
        #expect(isEmpty)
    }

    @Test("random waits and changes agree with a plain list")
    func model() {
        var random = PRNG(seed: 11)
        for _ in 0..<200 {
            var blocked = BlockedKeys()
            var all: [UInt64: BlockedKeys.Waiter] = [:]
            var order: [UInt64] = []
            var owner: UInt64 = 0
            for _ in 0..<60 {
                switch random.below(4) {
                case 0, 1:
                    owner += 1
                    var marks: [UInt64] = []
                    for mark in 0..<UInt64(5) where random.oneIn(2) { marks.append(mark) }
                    let made = waiter(owner, marks)
                    all[owner] = made
                    order.append(owner)
                    blocked.add(made)
                case 2:
                    guard !order.isEmpty else { continue }
                    let gone = order.remove(at: random.below(order.count))
                    all.removeValue(forKey: gone).map { blocked.remove($0) }
                default:
                    var touched: [UInt64] = []
                    for _ in 0...random.below(4) {
                        let mark = UInt64(random.below(6))
                        blocked.touch(mark)
                        if !touched.contains(mark) { touched.append(mark) }
                    }
                    let lucky = UInt64(random.below(3))
                    var expected: [String] = []
                    for mark in touched {
                        for waiting in order where all[waiting]?.marks.contains(mark) == true {
                            expected.append("\(mark):\(waiting)")
                        }
                        order.removeAll {
                            $0 % 3 == lucky && all[$0]?.marks.contains(mark) == true
                        }
                    }
                    let tried = rounds(&blocked, all) { $0 % 3 == lucky }
                    #expect(tried == expected)
                    for served in all.keys where !order.contains(served) { all[served] = nil }
                }
                let waited = Set(order.flatMap { all[$0]?.marks ?? [] })
                let count = blocked.count
                #expect(count == waited.count)
            }
        }
    }
}
