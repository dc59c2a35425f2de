import Engine
import HoldfastPlatform
import TestSupport
import Testing

/// Seeds of random sequences: fixed ones, so that a failure can be repeated by the number it prints.
private let seeds: [UInt64] = Array(1...40)

@Suite("string commands")
struct StringCommandsTests {
    private static let families = [StringCommands.table, BitmapCommands.table]

    // MARK: Beside a stock server

    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        var run = try DifferentialRun(Self.families)
        run.freesEncoding = { words in
            // Stock keeps a sum as embstr until it restarts, when its own log makes an int of it. Here it is
            // what SET makes of it from the start.
            words[0].elementsEqual(Array("incrbyfloat".utf8))
        }
        var compared = 0
        for seed in seeds {
            var generator = CommandGenerator(seed: seed)
            compared += try run.round(
                seed: seed, commands: (0..<400).map { _ in generator.stringCommand() })
        }
        print("string commands: \(compared) replies equal, seeds \(seeds[0])…\(seeds.count)")
    }
}
