/// One reply as the protocol gives it; nothing is converted, so that two replies are equal only if their
/// bytes are (but for streamed forms, which no server here sends).
public indirect enum Reply: Equatable, Hashable, Sendable {
    case simple([UInt8])
    case error([UInt8])
    case integer(Int64)
    case bulk([UInt8])
    /// `$-1`, or `_` in RESP3.
    case null
    /// `*-1`, which only RESP2 has.
    case nullArray
    case array([Reply])
    case map([Pair])
    case set([Reply])
    case push([Reply])
    /// The number's text as sent.
    case double(String)
    case boolean(Bool)
    case bigNumber(String)
    case verbatim(format: String, [UInt8])
    /// An attribute (`|`) and the reply that it belongs to.
    case attributed([Pair], Reply)

    public struct Pair: Equatable, Hashable, Sendable {
        public let key: Reply
        public let value: Reply

        public init(_ key: Reply, _ value: Reply) {
            self.key = key
            self.value = value
        }
    }

    public static let ok = Reply.simple(Array("OK".utf8))
    public static let queued = Reply.simple(Array("QUEUED".utf8))
    public static func simple(_ text: String) -> Reply { .simple(Array(text.utf8)) }
    public static func error(_ text: String) -> Reply { .error(Array(text.utf8)) }
    public static func bulk(_ text: String) -> Reply { .bulk(Array(text.utf8)) }

    // MARK: Reading

    /// The bytes of a simple, bulk, verbatim or error reply, or of a double's text.
    public var bytes: [UInt8]? {
        switch self {
        case .simple(let bytes), .error(let bytes), .bulk(let bytes), .verbatim(_, let bytes): bytes
        case .double(let text), .bigNumber(let text): Array(text.utf8)
        default: nil
        }
    }

    /// The same as text.
    public var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    public var integer: Int64? {
        if case .integer(let value) = self { return value }
        return nil
    }

    public var isError: Bool {
        if case .error = self { return true }
        return false
    }

    public var isNull: Bool { self == .null || self == .nullArray }

    /// The items of an array, set or push, or keys and values of a map in turn.
    public var items: [Reply]? {
        switch self {
        case .array(let items), .set(let items), .push(let items): items
        case .map(let pairs): pairs.flatMap { [$0.key, $0.value] }
        default: nil
        }
    }

    /// The value under `key` in a map, or in a flat array of keys and values.
    public subscript(_ key: String) -> Reply? {
        guard let items else { return nil }
        for index in stride(from: 0, to: items.count - 1, by: 2) where items[index].text == key {
            return items[index + 1]
        }
        return nil
    }

    /// The reply with the items of every set, and the pairs of every map, in one fixed order.
    public var sorted: Reply {
        func order(_ left: Reply, _ right: Reply) -> Bool { left.description < right.description }
        switch self {
        case .array(let items): return .array(items.map(\.sorted))
        case .push(let items): return .push(items.map(\.sorted))
        case .set(let items): return .set(items.map(\.sorted).sorted(by: order))
        case .map(let pairs):
            return .map(
                pairs.map { Pair($0.key.sorted, $0.value.sorted) }.sorted {
                    order($0.key, $1.key)
                })
        default: return self
        }
    }

    /// An array with its own items in one fixed order, for replies like that of KEYS.
    public var unordered: Reply {
        guard case .array(let items) = self else { return sorted }
        return .array(items.map(\.sorted).sorted { $0.description < $1.description })
    }
}

extension Reply: CustomStringConvertible {
    public var description: String {
        switch self {
        case .simple(let bytes): "+" + Self.quoted(bytes)
        case .error(let bytes): "-" + Self.quoted(bytes)
        case .integer(let value): ":\(value)"
        case .bulk(let bytes): Self.quoted(bytes)
        case .null: "null"
        case .nullArray: "null array"
        case .array(let items): "[" + items.map(\.description).joined(separator: ", ") + "]"
        case .set(let items): "set[" + items.map(\.description).joined(separator: ", ") + "]"
        case .push(let items): "push[" + items.map(\.description).joined(separator: ", ") + "]"
        case .map(let pairs): "{" + Self.joined(pairs) + "}"
        case .double(let text): ",\(text)"
        case .boolean(let value): value ? "#t" : "#f"
        case .bigNumber(let text): "(\(text)"
        case .verbatim(let format, let bytes): "\(format):" + Self.quoted(bytes)
        case .attributed(let pairs, let reply): "|{" + Self.joined(pairs) + "} \(reply)"
        }
    }

    private static func joined(_ pairs: [Pair]) -> String {
        pairs.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    }

    /// Bytes as redis-cli shows them; long ones are cut.
    public static func quoted(_ bytes: [UInt8]) -> String {
        var text = "\""
        for byte in bytes.prefix(200) {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text += "\\" + String(UnicodeScalar(byte))
            case 32..<127: text += String(UnicodeScalar(byte))
            case 10: text += "\\n"
            case 13: text += "\\r"
            default:
                let digits = String(byte, radix: 16)
                text += "\\x" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return text + (bytes.count > 200 ? "\"… (\(bytes.count) bytes)" : "\"")
    }
}

/// Reads replies off bytes.
public struct ReplyParser {
    public struct Malformed: Error, CustomStringConvertible {
        public let description: String
    }

    private let bytes: [UInt8]
    private var position: Int

    /// The reply that begins at `start`, and where the next one begins; nil while it isn't whole.
    public static func parse(
        _ bytes: [UInt8], from start: Int = 0
    ) throws(Malformed) -> (reply: Reply, end: Int)? {
        var parser = ReplyParser(bytes: bytes, position: start)
        guard let reply = try parser.next() else { return nil }
        return (reply, parser.position)
    }

    /// All replies in `bytes`, which must end with the last one.
    public static func all(_ bytes: [UInt8]) throws(Malformed) -> [Reply] {
        var replies: [Reply] = []
        var position = 0
        while position < bytes.count {
            guard let (reply, end) = try parse(bytes, from: position) else {
                throw Malformed(
                    description: "cut short: " + Reply.quoted(Array(bytes[position...])))
            }
            replies.append(reply)
            position = end
        }
        return replies
    }

    private mutating func next() throws(Malformed) -> Reply? {
        guard let line = line() else { return nil }
        guard let mark = line.first else { throw Malformed(description: "an empty line") }
        let rest = Array(line.dropFirst())
        let text = String(decoding: rest, as: UTF8.self)
        switch mark {
        case UInt8(ascii: "+"): return .simple(rest)
        case UInt8(ascii: "-"): return .error(rest)
        case UInt8(ascii: ":"): return .integer(try number(text))
        case UInt8(ascii: ","): return .double(text)
        case UInt8(ascii: "("): return .bigNumber(text)
        case UInt8(ascii: "#"): return .boolean(text == "t")
        case UInt8(ascii: "_"): return .null
        case UInt8(ascii: "$"):
            if text == "-1" { return .null }
            return try blob(text).map { .bulk($0) }
        case UInt8(ascii: "="):
            guard let blob = try blob(text) else { return nil }
            guard blob.count >= 4 else { throw Malformed(description: "short verbatim") }
            return .verbatim(
                format: String(decoding: blob[..<3], as: UTF8.self), Array(blob[4...]))
        case UInt8(ascii: "*"):
            if text == "-1" { return .nullArray }
            return try items(text).map { .array($0) }
        case UInt8(ascii: "~"): return try items(text).map { .set($0) }
        case UInt8(ascii: ">"): return try items(text).map { .push($0) }
        case UInt8(ascii: "%"): return try pairs(text).map { .map($0) }
        case UInt8(ascii: "|"):
            guard let pairs = try pairs(text), let reply = try next() else { return nil }
            return .attributed(pairs, reply)
        default: throw Malformed(description: "not a reply: " + Reply.quoted(line))
        }
    }

    /// The bytes up to CR LF, without them.
    private mutating func line() -> [UInt8]? {
        var end = position
        while end + 1 < bytes.count {
            if bytes[end] == 13 && bytes[end + 1] == 10 {
                defer { position = end + 2 }
                return Array(bytes[position..<end])
            }
            end += 1
        }
        return nil
    }

    private func number(_ text: String) throws(Malformed) -> Int64 {
        guard let value = Int64(text) else { throw Malformed(description: "no number: \(text)") }
        return value
    }

    private mutating func blob(_ text: String) throws(Malformed) -> [UInt8]? {
        let count = Int(try number(text))
        guard count >= 0 else { throw Malformed(description: "negative length \(count)") }
        guard position + count + 2 <= bytes.count else { return nil }
        defer { position += count + 2 }
        guard bytes[position + count] == 13, bytes[position + count + 1] == 10 else {
            throw Malformed(description: "no line end behind a bulk")
        }
        return Array(bytes[position..<position + count])
    }

    private mutating func items(_ text: String) throws(Malformed) -> [Reply]? {
        var items: [Reply] = []
        for _ in 0..<(try number(text)) {
            guard let item = try next() else { return nil }
            items.append(item)
        }
        return items
    }

    private mutating func pairs(_ text: String) throws(Malformed) -> [Reply.Pair]? {
        var pairs: [Reply.Pair] = []
        for _ in 0..<(try number(text)) {
            guard let key = try next(), let value = try next() else { return nil }
            pairs.append(Reply.Pair(key, value))
        }
        return pairs
    }
}

/// Requests as clients send them.
public enum Request {
    /// A command as a multibulk array.
    public static func encode(_ words: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words {
            bytes += Array("$\(word.count)\r\n".utf8)
            bytes += word
            bytes += [13, 10]
        }
        return bytes
    }

    public static func encode(_ words: [String]) -> [UInt8] { encode(words.map { Array($0.utf8) }) }

    /// The words of a command for a message.
    public static func shown(_ words: [[UInt8]]) -> String {
        words.map { Reply.quoted($0) }.joined(separator: " ")
    }
}
