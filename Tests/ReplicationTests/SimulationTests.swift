import Foundation
import Simulation
import Testing

/// Whole clusters in one thread, with simulated disks, network and clock. What is promised stands at the top of
/// Tests/Simulation/Judge.swift. `SEED=17` repeats one run and tells it step by step; many more seeds run in
/// `Tools/dev/torture replication`.
@Suite("simulated clusters")
struct SimulationTests {
    private static let seeds: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["SEED"], let seed = UInt64(text) {
            return [seed]
        }
        return Array(1...12)
    }()

    @Test("two to four nodes keep what they promise, whatever goes wrong", arguments: seeds)
    func run(seed: UInt64) throws {
        let say: ((String) -> Void)? = Self.seeds.count == 1 ? { print($0) } : nil
        do {
            try Cluster(seed: seed, say: say).run()
        } catch {
            Issue.record("SEED=\(seed): \(error)")
        }
    }
}
