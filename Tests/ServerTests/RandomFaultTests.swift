import Foundation
import HoldfastPlatform
import TestSupport
import Testing

/// Servers that replicate, under load, with random things happening to them.
@Suite("random faults", .serialized)
struct RandomFaultTests {
    /// `HOLDFAST_FAULT_RUNS` sets how many; the test's seed is the first one's.
    private static let runs =
        ProcessInfo.processInfo.environment["HOLDFAST_FAULT_RUNS"].flatMap { Int($0) } ?? 4

    @Test(
        "whatever happens to them, servers come to the same data, lose nothing that was promised, and nobody takes all data twice"
    )
    func anything() throws {
        let first = TestSeed.next("random faults")
        var counts: [String: Int] = [:]
        for run in 0..<Self.runs {
            let seed = first &+ UInt64(run)
            var random = PRNG(seed: seed &+ 1)
            let stage = try FaultStage(seed: seed)
            var wrong: [String] = []
            do {
                for _ in 0..<random.within(3...8) { try stage.happen() }
                wrong = try stage.judge()
            } catch { wrong = ["\(error)"] }
            let outcome =
                "\(stage.load.acknowledgedCount) acknowledged, \(stage.load.confirmedCount) confirmed"
            print("faults: SEED=\(seed): \(stage.story.joined(separator: ", ")): \(outcome)")
            for word in stage.story { counts[word, default: 0] += 1 }
            if !wrong.isEmpty {
                Issue.record(
                    "SEED=\(seed): \(stage.story)\n\(wrong.joined(separator: "\n"))\n\(stage.logs)")
            }
        }
        let faults = FaultStage.Fault.allCases.map { "\($0) \(counts[$0.rawValue] ?? 0)" }
        print("\(Self.runs) runs: \(faults.joined(separator: ", "))")
    }
}
