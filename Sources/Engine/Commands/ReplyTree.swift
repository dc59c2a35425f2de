public import HoldfastRESP

/// A reply as a value: for the long descriptive replies, where building it costs nothing that matters.
public indirect enum ReplyTree: Equatable, Sendable {
    case simple(String)
    case bulk(String)
    case bytes([UInt8])
    case integer(Int)
    case null
    /// Begins with its code word.
    case error(String)
    case array([ReplyTree])
    case set([ReplyTree])
    case map([Pair])

    public struct Pair: Equatable, Sendable {
        public var key: String
        public var value: ReplyTree
        public init(_ key: String, _ value: ReplyTree) {
            self.key = key
            self.value = value
        }
    }

    /// What a container's HELP subcommand answers: `lines` between the two ends that all of them share.
    ///
    /// - Parameter container: the command's name in capitals.
    public static func help(_ container: String, _ lines: [StaticString]) -> ReplyTree {
        let first = "\(container) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        let last = ["HELP", "    Print this help."]
        return .array(([first] + lines.map { "\($0)" } + last).map { .simple($0) })
    }

    public func write(to reply: inout ReplyWriter) {
        switch self {
        case .simple(let text): reply.simple(text)
        case .bulk(let text): reply.bulk(text)
        case .bytes(let bytes): reply.bulk(bytes)
        case .integer(let value): reply.integer(value)
        case .null: reply.null()
        case .error(let text): reply.error(text)
        case .array(let items):
            reply.array(items.count)
            for item in items { item.write(to: &reply) }
        case .set(let items):
            reply.set(items.count)
            for item in items { item.write(to: &reply) }
        case .map(let pairs):
            reply.map(pairs.count)
            for pair in pairs {
                reply.bulk(pair.key)
                pair.value.write(to: &reply)
            }
        }
    }
}
