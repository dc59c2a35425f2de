public import HoldfastBytes

/// How a primary says where the snapshot that it sends ends.
public enum PayloadForm: Equatable, Sendable {
    /// `$<length>`
    case length(Int64)
    /// `$EOF:<40 bytes>`: the same bytes follow the snapshot.
    case mark([UInt8])

    static let markBytes = 40

    /// Nil if `line` is no header.
    init?(_ line: ByteSlice) {
        guard line.count > 1, line[0] == UInt8(ascii: "$") else { return nil }
        let rest = line.dropFirst(1)
        if rest.count == 4 + Self.markBytes, rest.prefix(4) == ByteSlice("EOF:") {
            self = .mark(rest.dropFirst(4).copyToArray())
        } else if let length = DecimalText.parse(rest), length > 0,
            length <= LinkHandshake.offsetMax
        {
            self = .length(length)
        } else {
            return nil
        }
    }
}

/// Tells the bytes of a snapshot from what ends them, as they come in pieces of any size.
///
/// With a mark the last bytes are held back, since they may be the beginning of it. A primary that uses a mark sends
/// nothing behind it until the replica has answered, so the mark is looked for at the end of what has come only.
public struct PayloadReader: Sendable {
    private let form: PayloadForm
    /// Bytes of the snapshot so far.
    public private(set) var count: Int64 = 0
    public private(set) var isAtEnd = false
    /// With a mark: the last bytes that came, up to the mark's length.
    private var held: [UInt8] = []

    public init(_ form: PayloadForm) { self.form = form }

    public var totalBytes: Int64? {
        if case .length(let length) = form { return length }
        return nil
    }

    /// How many bytes may be read next.
    public func room(upTo limit: Int) -> Int {
        guard case .length(let length) = form else { return limit }
        return Int(min(Int64(limit), length - count))
    }

    /// Takes bytes that came, and gives those that are known to be of the snapshot to `body`, in order.
    public mutating func take<E: Error>(
        _ bytes: ByteSlice, _ body: (ByteSlice) throws(E) -> Void
    ) throws(E) {
        switch form {
        case .length(let length):
            try body(bytes)
            count += Int64(bytes.count)
            isAtEnd = count >= length
        case .mark(let mark):
            // Of what is held and what came, all but the last bytes are certain.
            let certain = max(held.count + bytes.count - mark.count, 0)
            let old = min(certain, held.count)
            if old > 0 {
                let gone = Array(held[..<old])
                held.removeFirst(old)
                try gone.withSlice { (slice) throws(E) in try body(slice) }
            }
            if certain > old { try body(bytes.prefix(certain - old)) }
            held += bytes.dropFirst(certain - old).copyToArray()
            count += Int64(certain)
            isAtEnd = held == mark
        }
    }
}
