import HoldfastPlatform
import Synchronization
import Testing

@Suite("Threads, random numbers, histograms")
struct ThreadTests {
    @Test("a worker runs its closure and can be joined")
    func worker() throws {
        let sum = Mutex(0)
        let threads = try (1...4).map { number in
            try WorkerThread(name: "test-\(number)") { sum.withLock { $0 += number } }
        }
        for thread in threads { thread.join() }
        #expect(sum.withLock { $0 } == 10)
    }

    @Test("a condition hands over, and a timed wait ends")
    func condition() throws {
        let monitor = Monitor()
        let news = Condition(of: monitor)
        let ball = Atomic(0)
        let other = try WorkerThread(name: "test") {
            monitor.withLock {
                while ball.load(ordering: .relaxed) != 1 { news.wait() }
                ball.store(2, ordering: .relaxed)
                news.signal()
            }
        }
        monitor.withLock {
            ball.store(1, ordering: .relaxed)
            news.signal()
            while ball.load(ordering: .relaxed) != 2 { news.wait() }
            news.wait(untilNanoseconds: SystemClock().monotonicNanoseconds)
        }
        other.join()
    }

    @Test("one seed gives one sequence, for ever")
    func sequence() {
        var random = PRNG(seed: 42)
        #expect(
            (0..<3).map { _ in random.next() } == [
                1_546_998_764_402_558_742, 6_990_951_692_964_543_102, 12_544_586_762_248_559_009,
            ])
        #expect((0..<1_000).allSatisfy { _ in (3...5).contains(random.within(3...5)) })
    }

    @Test("percentiles are exact below 32 and within a sixteenth above")
    func percentiles() {
        var histogram = Histogram()
        #expect(histogram.percentile(0.5) == 0)
        for value in 0..<32 as Range<UInt64> { histogram.record(value) }
        #expect(histogram.percentile(0.5) == 15)
        #expect(histogram.percentile(1) == 31)
        for value in [100, 5_000, 1 << 40, .max] as [UInt64] {
            var one = Histogram()
            one.record(value / 2)
            one.record(value)
            #expect(one.percentile(1) == value)
            let half = one.percentile(0.5)
            #expect(half >= value / 2 && half - value / 2 <= value / 2 / 16)
        }
        #expect(histogram.count == 32 && histogram.sum == 496)
    }
}
