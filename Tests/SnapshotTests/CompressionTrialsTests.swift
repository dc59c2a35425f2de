import HoldfastBytes
import Testing

@testable import Snapshot

@Suite("compression trials")
struct CompressionTrialsTests {
    /// How many of `attempts` strings of `count` bytes are tried, if none gets shorter.
    private func tried(_ trials: inout CompressionTrials, _ attempts: Int, _ count: Int) -> Int {
        (0..<attempts).reduce(0) { sum, _ in
            guard trials.isDue(count) else { return sum }
            trials.note(count, gotShorter: false)
            return sum + 1
        }
    }

    @Test("after 64 failures in a row one of sixteen is tried, until one gets shorter")
    func failures() {
        var trials = CompressionTrials()
        let first = tried(&trials, 64, 100)
        #expect(first == 64)
        let later = tried(&trials, 160, 100)
        #expect(later == 10)
        while !trials.isDue(100) {}
        trials.note(100, gotShorter: true)
        let again = tried(&trials, 64, 100)
        #expect(again == 64)
    }

    @Test("a success now and then keeps all of them tried")
    func successes() {
        var trials = CompressionTrials()
        for _ in 0..<100 {
            let all = tried(&trials, 63, 100)
            #expect(all == 63)
            let isDue = trials.isDue(100)
            #expect(isDue)
            trials.note(100, gotShorter: true)
        }
    }

    @Test("strings of other sizes are tried all the same")
    func sizes() {
        var trials = CompressionTrials()
        _ = tried(&trials, 1000, 100)
        for count in [21, 63, 128, 5000, Int.max] {
            let isDue = trials.isDue(count)
            #expect(isDue)
        }
        for count in [64, 127] {
            let few = tried(&trials, 16, count)
            #expect(few == 1)
        }
    }
}
