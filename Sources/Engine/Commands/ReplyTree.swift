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
}
