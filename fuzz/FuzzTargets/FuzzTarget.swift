/// What can be fuzzed: bytes go in, and either everything holds or there is a failure.
///
/// The fuzzers call these functions, and so do the tests, with every file in `fuzz/corpus` and
/// `fuzz/regressions`. A trap is a finding as well, of course.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case resp, segment, manifest, config, commands, listpack, intset, ziplist, rdb, restore
    case stream
    case aofCheck = "aof-check"
    case rdbCheck = "rdb-check"
    /// Fails on purpose, to show that the machinery finds something.
    case canary

    public func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        switch self {
        case .resp: try RESPTarget.run(bytes)
        case .segment: try SegmentTarget.run(bytes)
        case .manifest: try ManifestTarget.run(bytes)
        case .config: try ConfigTarget.run(bytes)
        case .commands: try CommandsTarget.run(bytes)
        case .listpack: try ListpackTarget.run(bytes)
        case .intset: try IntsetTarget.run(bytes)
        case .ziplist: try ZiplistTarget.run(bytes)
        case .rdb: try RDBTarget.run(bytes)
        case .restore: try RestoreTarget.run(bytes)
        case .stream: try StreamTarget.run(bytes)
        case .aofCheck: try AOFCheckTarget.run(bytes)
        case .rdbCheck: try RDBCheckTarget.run(bytes)
        case .canary: try CanaryTarget.run(bytes)
        }
    }
}

/// A promise that an input breaks.
public struct FuzzFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Throws if `condition` doesn't hold.
func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws(FuzzFailure) {
    if !condition { throw FuzzFailure(message()) }
}

/// Takes an input apart: small numbers and runs of bytes, zero or empty at its end.
struct InputCursor {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func byte() -> Int {
        guard position < bytes.count else { return 0 }
        position += 1
        return Int(bytes[position - 1])
    }

    mutating func number16() -> Int { byte() << 8 | byte() }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + count)
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func rest() -> [UInt8] { bytes(bytes.count) }
}
