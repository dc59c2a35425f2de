import HoldfastBytes
import HoldfastRESP
import Log
import Testing

@testable import Server

@Suite struct ReplyGatesTests {
    @Test("without a gate everything may leave")
    func none() {
        var gates = ReplyGates()
        #expect(gates.isEmpty)
        #expect(gates.limit(acknowledged: .zero) == Int.max)
    }

    @Test("bytes leave up to the first gate whose LSN isn't acknowledged")
    func limits() {
        var gates = ReplyGates()
        gates.add(at: 0, LSN(10), batchStart: LSN(0))
        gates.add(at: 100, LSN(20), batchStart: LSN(10))
        gates.add(at: 200, LSN(30), batchStart: LSN(20))
        #expect(gates.limit(acknowledged: LSN(9)) == 0)
        #expect(gates.limit(acknowledged: LSN(10)) == 100)
        #expect(gates.limit(acknowledged: LSN(29)) == 200)
        #expect(!gates.isEmpty)
        #expect(gates.limit(acknowledged: LSN(30)) == Int.max)
        #expect(gates.isEmpty)
    }

    @Test("several gates of one batch are one, since they open together")
    func sameBatch() {
        var gates = ReplyGates()
        gates.add(at: 5, LSN(11), batchStart: LSN(10))
        gates.add(at: 50, LSN(12), batchStart: LSN(10))
        gates.add(at: 500, LSN(19), batchStart: LSN(10))
        #expect(gates.limit(acknowledged: LSN(10)) == 5)
        #expect(gates.limit(acknowledged: LSN(19)) == Int.max)
    }

    @Test("a reply that waits for less than the one before it needs no gate of its own")
    func olderLSN() {
        var gates = ReplyGates()
        gates.add(at: 5, LSN(20), batchStart: LSN(30))
        gates.add(at: 50, LSN(15), batchStart: LSN(30))
        gates.add(at: 60, LSN(20), batchStart: LSN(30))
        gates.add(at: 70, LSN(40), batchStart: LSN(30))
        #expect(gates.limit(acknowledged: LSN(19)) == 5)
        #expect(gates.limit(acknowledged: LSN(20)) == 70)
    }
}

@Suite struct SlowLogTests {
    private func add(
        _ log: inout SlowLog, _ words: [[UInt8]], hiding secrets: Set<Int> = []
    ) {
        var batch = CommandBatch()
        batch.appendCommand(words)
        log.add(
            batch.arguments(of: 0), hiding: secrets, microseconds: 5, unixSeconds: 7,
            address: "here", name: [])
    }

    private func texts(_ log: SlowLog) -> [[String]] {
        log.entries.map { $0.words.map { String(decoding: $0, as: UTF8.self) } }
    }

    @Test("the newest comes first, the oldest goes, numbers go on")
    func order() {
        var log = SlowLog()
        log.lengthMax = 2
        for number in 0..<3 { add(&log, [Array("c\(number)".utf8)]) }
        #expect(texts(log) == [["c2"], ["c1"]])
        #expect(log.entries.map(\.id) == [2, 1])
        log.lengthMax = 1
        #expect(texts(log) == [["c2"]])
        log.reset()
        #expect(log.entries.isEmpty)
        add(&log, [[65]])
        #expect(log.entries.map(\.id) == [3])
        log.lengthMax = 0
        add(&log, [[65]])
        #expect(log.entries.isEmpty)
    }

    @Test("of many words 31 are shown, of a long one 128 bytes, of a secret nothing")
    func shortened() {
        var log = SlowLog()
        add(&log, (0..<32).map { _ in [65] })
        #expect(texts(log)[0].count == 32)
        add(&log, (0..<33).map { _ in [65] })
        #expect(texts(log)[0].count == 32)
        #expect(texts(log)[0].last == "... (2 more arguments)")
        add(
            &log,
            [[UInt8](repeating: 97, count: 128), [UInt8](repeating: 97, count: 130), [66], []],
            hiding: [2])
        let a128 = String(repeating: "a", count: 128)
        #expect(texts(log)[0] == [a128, a128 + "... (2 more bytes)", "(redacted)", ""])
    }
}

@Suite struct LatencyMonitorTests {
    @Test("only what reaches the threshold is noted, and nothing while that is 0")
    func threshold() {
        var monitor = LatencyMonitor()
        monitor.add("command", milliseconds: 1_000, unixSeconds: 1)
        #expect(monitor.events.isEmpty)
        monitor.threshold = 10
        monitor.add("command", milliseconds: 9, unixSeconds: 1)
        #expect(monitor.events.isEmpty)
        monitor.add("command", milliseconds: 10, unixSeconds: 1)
        #expect(monitor.events["command"]?.maximum == 10)
    }

    @Test("one sample a second, the worst, for 160 seconds; the maximum stays")
    func samples() {
        var monitor = LatencyMonitor()
        monitor.threshold = 1
        monitor.add("fork", milliseconds: 500, unixSeconds: 0)
        for second in 1...200 {
            for milliseconds in [3, 7, 5] as [Int64] {
                monitor.add("fork", milliseconds: milliseconds, unixSeconds: Int64(second))
            }
        }
        let event = monitor.events["fork"]
        #expect(event?.samples.count == 160)
        #expect(event?.samples.allSatisfy { $0.milliseconds == 7 } == true)
        #expect(event?.samples.first?.unixSeconds == 41)
        #expect(event?.maximum == 500)
    }

    @Test("reset forgets the named events or all, and counts them")
    func reset() {
        var monitor = LatencyMonitor()
        monitor.threshold = 1
        for name in ["a", "b", "c"] { monitor.add(name, milliseconds: 1, unixSeconds: 1) }
        #expect(monitor.reset(["a", "nosuch", "a"]) == 1)
        #expect(monitor.reset([]) == 2)
        #expect(monitor.reset([]) == 0)
    }
}
