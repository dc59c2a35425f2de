import Foundation
import TestSupport

extension DifferentialRun {
    /// A round per seed, each of `commandCount` random commands on empty data; says what it did.
    ///
    /// The environment variable `HOLDFAST_SEEDS` (`17`, or `1-5000`) takes the place of `seeds`.
    mutating func rounds(
        seeds: ClosedRange<UInt64>, commandCount: Int,
        _ make: (inout CommandGenerator) -> [[UInt8]]
    ) throws {
        let seeds = DifferentialSeeds.seeds(seeds)
        for seed in seeds {
            var generator = CommandGenerator(seed: seed)
            let commands = (0..<commandCount).map { _ in make(&generator) }
            try round(seed: seed, commands: commands)
        }
        print("\(replies) replies equal stock's, \(errors) of them errors, seeds \(seeds)")
    }

}

enum DifferentialSeeds {
    /// These seeds, or those that the environment variable `HOLDFAST_SEEDS` names.
    static func seeds(_ usual: ClosedRange<UInt64>) -> ClosedRange<UInt64> { askedFor ?? usual }

    private static var askedFor: ClosedRange<UInt64>? {
        let text = ProcessInfo.processInfo.environment["HOLDFAST_SEEDS"] ?? ""
        let numbers = text.split(separator: "-").compactMap { UInt64($0) }
        guard let first = numbers.first, let last = numbers.last, first <= last else { return nil }
        return first...last
    }
}
