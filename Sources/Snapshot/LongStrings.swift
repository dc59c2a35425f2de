public import HoldfastBytes

/// Strings too long to be held: they are read in parts, and a token stands for each where the string would.
///
/// A reader with such an object holds no string of more than `heldBytesMax` bytes. Whoever takes a string asks whether
/// it is a token. Values packed into one such string are passed over (`ValueSink.passedOver`).
public final class LongStrings {
    /// One string that was passed over.
    public struct Item: Sendable {
        public let count: UInt64
        public let digest: SHA1.Digest
        /// The string's first bytes.
        public let prefix: [UInt8]
    }

    /// Longer strings are not held.
    public let heldBytesMax: Int
    /// Is given all parts of a string that is too long, in order; `total` is the string's length.
    public var onPart: ((_ part: ByteSlice, _ total: UInt64) -> Void)?

    // Nobody who makes a file knows them, so no string of a file is taken for a token.
    private let nonce = (UInt64.random(in: 0 ... .max), UInt64.random(in: 0 ... .max))
    private var running = SHA1.Running()
    private var total: UInt64 = 0
    private var prefix: [UInt8] = []
    /// The latest ones: not more are alive in one element.
    private var items: [Item] = []
    private var made: UInt64 = 0
    private static let itemsMax = 4
    private static let prefixBytes = 1024
    static let tokenBytes = 24

    public init(heldBytesMax: Int = 16 << 20) { self.heldBytesMax = heldBytesMax }

    /// What a string that a reader gave stands for; nil if for itself.
    @inline(__always)
    public func item(_ bytes: ByteSlice) -> Item? {
        if made == 0 || bytes.count != Self.tokenBytes { return nil }
        return find(bytes)
    }

    private func find(_ bytes: ByteSlice) -> Item? {
        guard bytes.load64(at: 0) == nonce.0, bytes.load64(at: 8) == nonce.1 else { return nil }
        let number = bytes.load64(at: 16)
        guard number < made, made - number <= UInt64(items.count) else { return nil }
        return items[items.count - Int(made - number)]
    }

    /// The SHA-1 of a string, held or not.
    @inline(__always)
    public func digest(_ bytes: ByteSlice) -> SHA1.Digest {
        item(bytes)?.digest ?? SHA1.hash(bytes)
    }

    /// The length of a string, held or not.
    @inline(__always)
    public func count(_ bytes: ByteSlice) -> UInt64 { item(bytes)?.count ?? UInt64(bytes.count) }

    func begin(total: UInt64) {
        self.total = total
        running = SHA1.Running()
        prefix = []
    }

    func append(_ part: ByteSlice) {
        running.append(part)
        if prefix.count < Self.prefixBytes {
            prefix += part.prefix(Self.prefixBytes - prefix.count).copyToArray()
        }
        onPart?(part, total)
    }

    /// Ends a string and appends the token that stands for it.
    func end(token buffer: inout ByteBuffer) {
        if items.count == Self.itemsMax { items.removeFirst() }
        items.append(
            Item(count: running.count, digest: running.digest, prefix: prefix))
        buffer.append(littleEndian: nonce.0, bytes: 8)
        buffer.append(littleEndian: nonce.1, bytes: 8)
        buffer.append(littleEndian: made, bytes: 8)
        made += 1
    }
}
