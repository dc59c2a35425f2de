internal import Foundation

/// A load by redis-benchmark, which is a single thread.
struct RedisBenchmark {
    enum Test: String, CaseIterable {
        case set, get
        var name: String { rawValue.uppercased() }
    }

    struct Sample {
        var perSecond: Double
        /// Of the whole server, connecting included.
        var cpuMicroseconds: Double
        var errors: Int
    }

    var test = Test.set
    /// The words of another command in place of the test; `__rand_int__` in them is a number below `keys`.
    var command: [String] = []
    var clients: Int
    var pipeline = 1
    var keys: Int

    func words(port: UInt16, requests: Int, format: String) -> [String] {
        let words = [
            "redis-benchmark", "-p", String(port), "-c", String(clients), "-P", String(pipeline),
            "-r", String(keys), "-d", "64", "-n", String(requests), format,
        ]
        return words + (command.isEmpty ? ["-t", test.rawValue] : command)
    }

    private var title: String { command.isEmpty ? test.name : command.joined(separator: " ") }

    /// Sends `requests` requests and waits for the end.
    func run(_ server: ServerUnderTest, requests: Int) throws -> Sample {
        let folder = try Leftovers.shared.makeFolder()
        defer { Leftovers.shared.removeFolder(folder) }
        let process = try server.process
        let before = try process.cpuMicroseconds
        let child = try ChildProcess(
            words(port: server.port, requests: requests, format: "--csv"),
            outputPath: folder + "/output")
        let isWhole = child.waitForEnd(seconds: 120)
        let cpu = try process.cpuMicroseconds - before
        var sample = Sample(
            perSecond: .nan, cpuMicroseconds: cpu / Double(requests), errors: isWhole ? 0 : 1)
        for line in child.output.split(separator: "\n") {
            let fields = line.split(separator: ",")
            if fields.count > 1, fields[0] == "\"\(title)\"" {
                sample.perSecond = Double(fields[1].filter { $0 != "\"" }) ?? .nan
            } else if !line.hasPrefix("\"test\"") && !line.hasPrefix("WARNING: Could not fetch") {
                // Replies that are errors, and connections that failed.
                sample.errors += 1
            }
        }
        return sample
    }

    /// Drives both sides in turns.
    /// - Parameter requests: of one round; see `calibrate`.
    func compare(
        _ servers: Pair<ServerUnderTest>, requests: Pair<Int>, _ options: Options
    ) throws -> Pair<[Sample]> {
        try interleaved(rounds: options.rounds) { side in
            let whole = max(requests[side] / pipeline, clients) * pipeline
            return try run(servers[side], requests: whole)
        }
    }

    func compare(_ servers: Pair<ServerUnderTest>, _ options: Options) throws -> Pair<[Sample]> {
        try compare(servers, requests: calibrate(servers, options), options)
    }

    /// How many requests each side answers in `secondsPerRound`.
    func calibrate(_ servers: Pair<ServerUnderTest>, _ options: Options) throws -> Pair<Int> {
        try servers.map { server in
            // A short run tells the rate roughly, one of a fifth of the time well enough.
            var requests = max(clients, 1_000) * pipeline
            for share in [0.2, 1] {
                let rate = try run(server, requests: requests).perSecond
                if rate.isNaN { throw BenchError("redis-benchmark gave no rate of \(title)") }
                requests = max(requests, Int(min(rate * options.secondsPerRound * share, 1e8)))
            }
            return requests
        }
    }
}
