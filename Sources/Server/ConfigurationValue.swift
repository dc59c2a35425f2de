internal import HoldfastBytes
internal import HoldfastPlatform

/// What a setting holds. The case always fits the kind of its directive.
public enum ConfigurationValue: Equatable, Sendable {
    case flag(Bool)
    /// For unsigned settings the bit pattern; for percentages the negated percentage.
    case number(Int64)
    /// An index into the names, or for combining choices the sum of their flags.
    case choice(Int)
    case text([UInt8])
    case addresses([String])
    case savePoints([SavePoint])
    case bufferLimits(BufferLimits)
    case percentiles([Double])
    case scores([Int])
    case keyEvents(KeyEvents)
    case primary(PrimaryAddress?)
}

/// "Snapshot after `seconds` if at least `changes` were made."
public struct SavePoint: Equatable, Sendable {
    public var seconds: Int64
    public var changes: Int64
}

/// When a client that doesn't read its replies is disconnected.
public struct BufferLimit: Equatable, Sendable {
    /// Bytes above which it goes at once; 0 for no limit.
    public var hardBytes: UInt64
    /// Bytes above which it goes after `softSeconds`; 0 for no limit.
    public var softBytes: UInt64
    public var softSeconds: Int64
}

/// The limits per class of client.
public struct BufferLimits: Equatable, Sendable {
    public var normal = BufferLimit(hardBytes: 0, softBytes: 0, softSeconds: 0)
    public var replica = BufferLimit(hardBytes: 256 << 20, softBytes: 64 << 20, softSeconds: 60)
    public var pubsub = BufferLimit(hardBytes: 32 << 20, softBytes: 8 << 20, softSeconds: 60)
}

public struct PrimaryAddress: Equatable, Sendable {
    public var host: String
    public var port: Int
}

/// Classes of key events (`notify-keyspace-events`).
public struct KeyEvents: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The letters in the order in which they are printed; the bit is the index.
    private static let letters = Array("g$lshzxetdnKEm".utf8)

    private static func letter(_ scalar: Unicode.Scalar) -> KeyEvents {
        let index = letters.firstIndex(of: UInt8(ascii: scalar)) ?? 31
        return KeyEvents(rawValue: 1 << UInt32(index))
    }

    public static let generic = letter("g")
    public static let string = letter("$")
    public static let list = letter("l")
    public static let set = letter("s")
    public static let hash = letter("h")
    public static let sortedSet = letter("z")
    public static let expired = letter("x")
    public static let evicted = letter("e")
    public static let stream = letter("t")
    public static let module = letter("d")
    /// A key was made; not part of `all`.
    public static let new = letter("n")
    /// A key was asked for that isn't there; not part of `all`.
    public static let miss = letter("m")
    /// Publish on `__keyspace@<db>__:<key>`.
    public static let keyspaceChannel = letter("K")
    /// Publish on `__keyevent@<db>__:<event>`.
    public static let keyeventChannel = letter("E")
    /// What `A` stands for.
    public static let all = KeyEvents(rawValue: 0b11_1111_1111)

    init?(_ text: [UInt8]) {
        var events: KeyEvents = []
        for byte in text {
            if byte == UInt8(ascii: "A") {
                events.formUnion(.all)
            } else if let index = Self.letters.firstIndex(of: byte) {
                events.formUnion(KeyEvents(rawValue: 1 << UInt32(index)))
            } else {
                return nil
            }
        }
        self = events
    }

    var text: String {
        let hasAll = isSuperset(of: .all)
        var bytes: [UInt8] = hasAll ? [UInt8(ascii: "A")] : []
        for (index, byte) in Self.letters.enumerated()
        where contains(KeyEvents(rawValue: 1 << UInt32(index))) {
            // Redis doesn't show `n` beside `A`; kept, since tools compare.
            if hasAll && index <= 10 { continue }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

// MARK: Printing

extension Directive {
    /// The value as CONFIG GET shows it.
    func printed(_ value: ConfigurationValue) -> [UInt8] {
        if case .text(let bytes) = value { return bytes }
        return Array(printedText(value).utf8)
    }

    private func printedText(_ value: ConfigurationValue) -> String {
        switch value {
        case .flag(let isOn): isOn ? "yes" : "no"
        case .number(let number): printed(number: number)
        case .choice(let chosen): printed(choice: chosen)
        case .text(let bytes): String(decoding: bytes, as: UTF8.self)
        case .addresses(let addresses): addresses.joined(separator: " ")
        case .savePoints(let points):
            points.map { "\($0.seconds) \($0.changes)" }.joined(separator: " ")
        case .bufferLimits(let limits):
            [("normal", limits.normal), ("slave", limits.replica), ("pubsub", limits.pubsub)]
                .map { "\($0) \($1.hardBytes) \($1.softBytes) \($1.softSeconds)" }
                .joined(separator: " ")
        case .percentiles(let percentiles):
            percentiles.map(Self.printed(percentile:)).joined(separator: " ")
        case .scores(let scores): scores.map { String($0) }.joined(separator: " ")
        case .keyEvents(let events): events.text
        case .primary(let address): address.map { "\($0.host) \($0.port)" } ?? ""
        }
    }

    private func printed(number: Int64) -> String {
        guard case .number(_, let unit, _) = kind else { return String(number) }
        switch unit {
        case .plain: return String(number)
        case .memory: return String(UInt64(bitPattern: number))
        case .memoryOrPercent: return number < 0 ? "\(0 &- number)%" : String(number)
        case .octal: return String(number, radix: 8)
        }
    }

    /// The names of what is chosen; combined flags from the highest down, as Redis prints them.
    func printed(choice chosen: Int) -> String {
        guard case .choice(let choices, _) = kind else { return String(chosen) }
        let names = choices.names
        guard case .shutdown = choices else {
            return names.indices.contains(chosen) ? names[chosen] : "unknown"
        }
        if chosen == 0 { return names[0] }
        return names.indices.dropFirst().filter { chosen & (1 << ($0 - 1)) != 0 }
            .map { names[$0] }.joined(separator: " ")
    }

    /// Six decimals, trailing zeros cut.
    private static func printed(percentile: Double) -> String {
        let millionths = Int((percentile * 1_000_000).rounded(.toNearestOrEven))
        let (whole, rest) = millionths.quotientAndRemainder(dividingBy: 1_000_000)
        if rest == 0 { return String(whole) }
        var decimals = String(rest)
        decimals = String(repeating: "0", count: 6 - decimals.count) + decimals
        while decimals.last == "0" { decimals.removeLast() }
        return "\(whole).\(decimals)"
    }
}
