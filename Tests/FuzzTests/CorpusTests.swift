import Foundation
import FuzzTargets
import Testing

/// The files that the fuzzers start from, and those that once made one fail.
private func files(_ kind: String, _ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])]
{
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let folder = root.appending(path: "fuzz/\(kind)/\(target.rawValue)")
    let found = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    return try found.filter { !$0.hasPrefix(".") }.map { name in
        (name, Array(try Data(contentsOf: folder.appending(path: name))))
    }
}

@Suite struct CorpusTests {
    @Test("every seed of the fuzzers holds", arguments: FuzzTarget.allCases)
    func corpus(target: FuzzTarget) throws {
        let seeds = try files("corpus", target)
        #expect(!seeds.isEmpty)
        for seed in seeds {
            #expect(throws: Never.self, "\(target) \(seed.name)") { try target.run(seed.bytes) }
        }
    }

    @Test(
        "every input that once failed holds",
        arguments: FuzzTarget.allCases.filter { $0 != .canary })
    func regressions(target: FuzzTarget) throws {
        for input in try files("regressions", target) {
            #expect(throws: Never.self, "\(target) \(input.name)") { try target.run(input.bytes) }
        }
    }

    @Test("seeds cut anywhere hold as well", arguments: FuzzTarget.allCases)
    func cut(target: FuzzTarget) throws {
        for seed in try files("corpus", target) {
            for count in stride(from: 0, to: seed.bytes.count, by: 7) {
                let part = Array(seed.bytes[..<count])
                #expect(throws: Never.self, "\(seed.name) cut at \(count)") { try target.run(part) }
            }
        }
    }

    @Test("the canary fails where it should")
    func canary() throws {
        let inputs = try files("regressions", .canary)
        #expect(!inputs.isEmpty)
        for input in inputs {
            #expect(throws: FuzzFailure.self) { try FuzzTarget.canary.run(input.bytes) }
        }
    }
}
