import TestSupport

extension DifferentialRun {
    /// A round per seed, each of `commandCount` random commands on empty data; says what it did.
    mutating func rounds(
        seeds: ClosedRange<UInt64>, commandCount: Int,
        _ make: (inout CommandGenerator) -> [[UInt8]]
    ) throws {
        for seed in seeds {
            var generator = CommandGenerator(seed: seed)
            let commands = (0..<commandCount).map { _ in make(&generator) }
            try round(seed: seed, commands: commands)
        }
        print("\(replies) replies equal stock's, \(errors) of them errors, seeds \(seeds)")
    }
}
