public import Engine
internal import HoldfastPlatform

/// Sends the same commands to a stock server and to an engine, in RESP2 and RESP3 by turns, and compares the
/// replies byte for byte, then the values, then the engine with the replay of its log.
public struct DifferentialRun {
    /// One command of a random sequence.
    public typealias Words = [[UInt8]]

    private let stock: StockServer
    private let connections: [Int: RESPConnection]
    private let families: [[CommandSpec]]
    /// Commands whose replies may differ, with the reason beside them in the test.
    public var mayDiffer: (Words, _ stock: Reply, _ ours: Reply) -> Bool = { _, _, _ in false }
    /// Whether the encoding of the command's keys may differ for the rest of the round.
    public var mayDifferInEncoding: (Words, _ isLogged: Bool) -> Bool = { _, _ in false }

    public init(_ families: [[CommandSpec]]) throws {
        self.families = families
        stock = try StockServer()
        connections = [2: try stock.connect(version: 2), 3: try stock.connect(version: 3)]
    }

    public struct Difference: Error, CustomStringConvertible {
        public let description: String
    }

    /// How many replies were equal, and how many of them were errors: too many, and the commands test little.
    public private(set) var replies = 0
    public private(set) var errors = 0

    /// One round on empty data.
    public mutating func round(seed: UInt64, commands: [Words]) throws {
        guard let plain = connections[2] else { return }
        let harness = EngineHarness(families)
        try plain.command("FLUSHALL")
        var random = PRNG(seed: seed)
        var freed: Set<[UInt8]> = []
        for (number, words) in commands.enumerated() {
            let version = random.oneIn(2) ? 3 : 2
            guard let connection = connections[version] else { continue }
            // Only deadlines far off or long gone are used, so a clock a moment apart makes no difference.
            harness.now = SystemClock().wallMilliseconds
            try connection.send(Request.encode(words))
            let expected = try connection.receiveRaw()
            let logged = harness.loggedCount
            let actual = harness.runRaw(words, version: version)
            if expected != actual {
                let (stock, ours) = (try one(expected), try one(actual))
                if !mayDiffer(words, stock, ours) {
                    throw Difference(
                        description: """
                            seed \(seed), command \(number), RESP\(version): \(Request.shown(words))
                            stock: \(stock)
                            ours:  \(ours)
                            """)
                }
            }
            replies += 1
            if actual.first == UInt8(ascii: "-") { errors += 1 }
            if mayDifferInEncoding(words, harness.loggedCount != logged) {
                freed.formUnion(words.dropFirst())
            }
        }
        try compareValues(harness, plain, freed, seed)
        try compareReplay(harness, seed)
    }

    private func one(_ bytes: [UInt8]) throws -> Reply {
        guard let reply = try ReplyParser.all(bytes).first else { return .null }
        return reply
    }

    private func compareValues(
        _ harness: EngineHarness, _ connection: RESPConnection, _ freed: Set<[UInt8]>,
        _ seed: UInt64
    ) throws {
        let mine = harness.state()
        let live = mine.filter { $0.value.deadline ?? .max > harness.now }
        let names = try connection.command("KEYS", "*").items?.compactMap(\.bytes) ?? []
        var found: [[UInt8]: EngineHarness.KeyState] = [:]
        for name in names {
            let get = Array("GET".utf8)
            let value = try connection.command([get, name]).bytes
            let deadline = try connection.command([Array("PEXPIRETIME".utf8), name]).integer ?? -2
            let encoding = try connection.command(
                ["OBJECT", "ENCODING"].map { Array($0.utf8) } + [name]
            ).text
            let isFree = freed.contains(name)
            found[name] = EngineHarness.KeyState(
                type: "string",
                encoding: isFree ? live[name]?.encoding ?? "" : encoding ?? "",
                deadline: deadline < 0 ? nil : deadline, value: value ?? [])
        }
        // Relative times were added to two clocks a moment apart.
        for (name, state) in live {
            if let deadline = state.deadline, let other = found[name]?.deadline,
                (deadline - other).magnitude < 1_000
            {
                found[name]?.deadline = deadline
            }
        }
        let lines = EngineHarness.differences([0: live], [0: found])
        if !lines.isEmpty {
            throw Difference(
                description: "seed \(seed): values differ, ours ≠ stock\n"
                    + lines.joined(separator: "\n"))
        }
    }

    private func compareReplay(_ harness: EngineHarness, _ seed: UInt64) throws {
        let lines = EngineHarness.differences(harness.state, try harness.replayed().state)
        if !lines.isEmpty {
            throw Difference(
                description: "seed \(seed): replay differs, memory ≠ replayed log\n"
                    + lines.joined(separator: "\n"))
        }
    }
}
