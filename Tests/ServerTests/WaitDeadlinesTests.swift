import HoldfastPlatform
import Testing

@testable import Server

@Suite("When waits time out")
struct WaitDeadlinesTests {
    @Test("random waits end at their time, the earliest first, and those that were ended never")
    func model() throws {
        var random = PRNG(seed: 5)
        for _ in 0..<100 {
            var deadlines = WaitDeadlines()
            var model: [UInt64: UInt64] = [:]
            var number: UInt64 = 0
            var now: UInt64 = 0
            for _ in 0..<300 {
                switch random.below(5) {
                case 0, 1, 2:
                    number += 1
                    let at = now + UInt64(random.below(5_000_000))
                    model[number] = at
                    deadlines.add(number, of: number * 7, at: at)
                case 3:
                    guard let ended = model.keys.sorted().first(where: { _ in random.oneIn(3) })
                    else { continue }
                    model[ended] = nil
                    deadlines.remove(ended)
                default:
                    now += UInt64(random.below(2_000_000))
                    var last: UInt64 = 0
                    while let (token, found) = deadlines.nextOverdue(at: now) {
                        let removed = model.removeValue(forKey: found)
                        let due = try #require(removed)
                        #expect(token == found * 7 && due <= now && due >= last)
                        last = due
                    }
                    #expect(model.values.allSatisfy { $0 > now })
                }
                #expect(deadlines.isEmpty == model.isEmpty)
                // It may be early, for a wait that has ended, and is never late.
                let left = deadlines.millisecondsLeft(at: now)
                #expect((left == nil) == model.isEmpty)
                if let left, let first = model.values.min() {
                    #expect(first <= now || UInt64(left) <= (first - now) / 1_000_000 + 1)
                }
            }
        }
    }
}
