internal import Foundation
internal import HoldfastPlatform
internal import Synchronization

/// SETs at a fixed rate, and a probe, each on a connection and thread of its own.
struct BackgroundLoad {
    static let setsPerMillisecond = 20

    var latencies: [Double] = []
    var sets = 0
    var seconds = 0.0
    private var problem: String?

    /// Runs both beside `body`.
    static func run(
        _ server: ServerUnderTest, keys: Int, _ body: () throws -> Void
    ) throws -> BackgroundLoad {
        let port = server.port
        let isRunning = Atomic(true)
        let result = Mutex(BackgroundLoad())
        let clock = Stopwatch()
        do {
            let writer = try WorkerThread(name: "writer") {
                do {
                    let sets = try write(port, keys: keys) { isRunning.load(ordering: .relaxed) }
                    result.withLock { $0.sets = sets }
                } catch {
                    result.withLock { $0.problem = "\(error)" }
                }
            }
            defer { writer.join() }
            let prober = try WorkerThread(name: "probe") {
                do {
                    let seen = try probe(port, keys: keys) { isRunning.load(ordering: .relaxed) }
                    result.withLock { $0.latencies = seen }
                } catch {
                    result.withLock { $0.problem = "\(error)" }
                }
            }
            defer { prober.join() }
            defer { isRunning.store(false, ordering: .relaxed) }
            try body()
        }
        var whole = result.withLock { $0 }
        whole.seconds = clock.seconds
        if let problem = whole.problem { throw BenchError(problem) }
        return whole
    }

    private static func write(
        _ port: UInt16, keys: Int, while isRunning: () -> Bool
    ) throws -> Int {
        let connection = try Connection(port: port)
        var random = PRNG(seed: 5)
        var buffer = CommandBuffer()
        var sets = 0
        var done = 0
        let clock = Stopwatch()
        while isRunning() {
            let now = Int(clock.nanoseconds / 1_000_000)
            if now == done {
                usleep(200)
                continue
            }
            // What a stall has held up is made up for in part only, not by a flood.
            let count = min(now - done, 5) * setsPerMillisecond
            done = now
            buffer.removeAll()
            for _ in 0..<count { buffer.set(random.below(keys), value: sets) }
            try connection.send(buffer.bytes)
            try connection.receiveLines(buffer.replyLines)
            sets += count
        }
        return sets
    }

    private static func probe(
        _ port: UInt16, keys: Int, while isRunning: () -> Bool
    ) throws -> [Double] {
        let connection = try Connection(port: port)
        var random = PRNG(seed: 6)
        var buffer = CommandBuffer()
        var latencies: [Double] = []
        while isRunning() {
            buffer.removeAll()
            if latencies.count % 2 == 0 {
                buffer.command("PING", words: 0)
            } else {
                buffer.command("GET", words: 1, replyLines: 2)
                buffer.word("key:", random.below(keys), digits: 12)
            }
            let one = Stopwatch()
            try connection.send(buffer.bytes)
            try connection.receiveLines(buffer.replyLines)
            let nanoseconds = one.nanoseconds
            latencies.append(Double(nanoseconds) / 1_000)
            if nanoseconds < 1_000_000 { usleep(UInt32(1_000 - nanoseconds / 1_000)) }
        }
        return latencies
    }
}

extension CommandBuffer {
    /// SET of a key to a text of 100 bytes.
    mutating func set(_ number: Int, value: Int? = nil) {
        command("SET", words: 2)
        word("key:", number, digits: 12)
        record(value ?? number)
    }
}
