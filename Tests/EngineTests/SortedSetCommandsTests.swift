import Engine
import Foundation
import HoldfastPlatform
import Store
import TestSupport
import Testing

private let families = [
    StringCommands.table, KeyCommands.table, SortedSetCommands.table, GeoCommands.table,
]

/// Runs the same commands here and on a stock server and compares.
private struct Comparison {
    let stock: StockServer
    let connections: [RESPConnection]
    var replies = 0
    var errors = 0
    /// Searches whose results came in another order.
    var reordered = 0

    init() throws {
        stock = try StockServer()
        connections = [try stock.connect(version: 2), try stock.connect(version: 3)]
    }

    /// One sequence on empty data.
    mutating func round(
        seed: UInt64, limits: SortedSetLimits, commands: Int,
        _ make: (inout CommandGenerator) -> [[UInt8]]
    ) throws {
        var generator = CommandGenerator(seed: seed)
        var choice = PRNG(seed: seed)
        var engineLimits = EngineLimits()
        engineLimits.encodings.sortedSet = limits
        let ours = EngineHarness(families, limits: engineLimits)
        let plain = connections[0]
        try plain.command("FLUSHALL")
        try plain.command(
            "CONFIG", "SET", "zset-max-listpack-entries", String(limits.packedMembersMax),
            "zset-max-listpack-value", String(limits.packedMemberBytesMax))
        for number in 0..<commands {
            let words = make(&generator)
            let shown = "seed \(seed), command \(number): \(Request.shown(words))"
            let version = choice.below(2)
            ours.now = SystemClock().wallMilliseconds
            let expected = try connections[version].command(words)
            let actual = ours.run(words, version: version + 2)
            replies += 1
            if actual.isError { errors += 1 }
            let name = String(decoding: words[0], as: UTF8.self).lowercased()
            if name == "zrandmember", !expected.isError {
                // What chance chose differs; how much of what kind doesn't.
                try #require(Self.shape(actual) == Self.shape(expected), "\(shown)")
            } else if name == "zscan", !expected.isError {
                try #require(Self.scanned(actual) == Self.scanned(expected), "\(shown)")
            } else if name.hasPrefix("geo"), actual != expected {
                try #require(Self.places(actual) == Self.places(expected), "\(shown)")
                reordered += 1
            } else {
                try #require(Self.modern(actual) == Self.modern(expected), "\(shown)")
            }
        }
        try #require(
            try plain.command("DEBUG", "DIGEST").text == ours.digest, "seed \(seed): digests")
        for name in try plain.command("KEYS", "*").items?.compactMap(\.bytes) ?? [] {
            let encoding = try plain.command(
                [Array("OBJECT".utf8), Array("ENCODING".utf8), name])
            let mine = ours.run([Array("OBJECT".utf8), Array("ENCODING".utf8), name])
            #expect(mine == encoding, "seed \(seed), \(Reply.quoted(name))")
        }
        ours.checkInvariants()
        let twin = try ours.replayed()
        #expect(twin.digest == ours.digest, "replay of seed \(seed)")
        #expect(EngineHarness.differences(ours.state, twin.state) == [], "replay of seed \(seed)")
    }

    /// Doubles as Redis prints them from 7.2 on, where 7.0 prints 17 digits.
    static func modern(_ reply: Reply) -> Reply {
        func modern(_ text: String) -> String? {
            guard text.contains(where: { $0 == "." || $0 == "e" }), text.count > 2,
                let value = Double(text), value.isFinite,
                String(format: "%.17g", value) == text
            else { return nil }
            var shortest = "\(value)"
            if shortest.hasSuffix(".0") { shortest.removeLast(2) }
            return "double " + shortest
        }
        switch reply {
        case .bulk(let bytes):
            let text = String(decoding: bytes, as: UTF8.self)
            // Ours too goes by what 17 digits of it would be.
            if let value = Double(text), value.isFinite, bytes.count > 2,
                let changed = modern(String(format: "%.17g", value)), Double(text) == value,
                text == String(format: "%.17g", value) || text.count < 24
            {
                return .bulk(changed)
            }
            return reply
        case .double(let text):
            return .double(
                Double(text).flatMap { modern(String(format: "%.17g", $0)) } ?? text)
        case .array(let items): return .array(items.map { Self.modern($0) })
        default: return reply
        }
    }

    private static func shape(_ reply: Reply) -> [String] {
        guard case .array(let items) = reply else { return ["\(reply.isNull) \(reply.isError)"] }
        return items.map { item in
            switch item {
            case .array(let parts): "pair of \(parts.count)"
            case .null: "null"
            default: "item"
            }
        }
    }

    private static func scanned(_ reply: Reply) -> [String] {
        guard let parts = reply.items, parts.count == 2, let items = parts[1].items else {
            return ["\(reply)"]
        }
        let pairs = stride(from: 0, to: items.count - 1, by: 2).map {
            "\(items[$0]) \(modern(items[$0 + 1]))"
        }
        return pairs.sorted() + ["\(items.count)", "\(parts[0])"]
    }

    /// Results of a search whose order nobody asked for.
    private static func places(_ reply: Reply) -> [String] {
        guard case .array(let items) = reply else { return ["\(reply)"] }
        return items.map(\.description).sorted()
    }
}

@Suite("sorted set commands")
struct SortedSetCommandsTests {
    private static let limits = [
        SortedSetLimits(packedMembersMax: 8, packedMemberBytesMax: 12),
        SortedSetLimits(packedMembersMax: 0, packedMemberBytesMax: 64),
        SortedSetLimits(packedMembersMax: 128, packedMemberBytesMax: 400),
    ]

    private static func seeds(_ count: UInt64) -> ClosedRange<UInt64> {
        let text = ProcessInfo.processInfo.environment["HOLDFAST_SEEDS"] ?? ""
        let numbers = text.split(separator: "-").compactMap { UInt64($0) }
        guard let first = numbers.first, let last = numbers.last, first <= last else {
            return 1...count
        }
        return first...last
    }

    @Test("random commands answer, store and replay as on a stock server")
    func randomCommands() throws {
        var comparison = try Comparison()
        let seeds = Self.seeds(150)
        for seed in seeds {
            try comparison.round(seed: seed, limits: Self.limits[Int(seed % 3)], commands: 200) {
                // Packed sets go by bytes even where scores differ, member by member.
                guard seed % 3 == 2 else { return $0.sortedSetCommand() }
                return $0.sortedSetCommand().map {
                    $0.starts(with: Array("lex".utf8)) ? Array("key".utf8) + $0.dropFirst(3) : $0
                }
            }
        }
        print("\(comparison.replies) replies equal, \(comparison.errors) of them errors")
    }

    @Test("random commands on places answer, store and replay as on a stock server")
    func randomPlaces() throws {
        var comparison = try Comparison()
        let seeds = Self.seeds(100)
        for seed in seeds {
            try comparison.round(seed: seed, limits: Self.limits[Int(seed % 3)], commands: 200) {
                $0.geoCommand()
            }
        }
        print("\(comparison.replies) replies equal, \(comparison.errors) of them errors")
        print("\(comparison.reordered) in another order")
    }
}
