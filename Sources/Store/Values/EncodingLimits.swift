/// Up to where values are kept in packed encodings, as the settings of the same names say. The defaults are theirs.
public struct EncodingLimits: Sendable {
    /// `hash-max-listpack-entries`, in fields, and `hash-max-listpack-value`, in bytes of a field or value.
    public var hashEntriesMax = 512
    public var hashBytesMax = 64
    /// `set-max-intset-entries`.
    public var setIntegersMax = 512
    /// `set-max-listpack-entries` and `set-max-listpack-value`.
    public var setEntriesMax = 128
    public var setBytesMax = 64
    /// `zset-max-listpack-entries` and `zset-max-listpack-value`.
    public var sortedSetEntriesMax = 128
    public var sortedSetBytesMax = 64
    /// `list-max-listpack-size`: elements of a node, or -1 to -5 for 4 to 64 KiB.
    public var listNodeSize = -2 {
        didSet {
            listNodes = ListNodeLimit(
                setting: listNodeSize, singleBytesMin: listNodes.singleBytesMin)
        }
    }
    /// The same, as lists go by it.
    public private(set) var listNodes = ListNodeLimit()

    /// What DEBUG QUICKLIST-PACKED-THRESHOLD sets: an element of so many bytes is a node of its own.
    public var listSingleBytesMin: Int {
        get { listNodes.singleBytesMin }
        set { listNodes.singleBytesMin = newValue }
    }

    public init() {}

    /// The limits of sorted sets.
    @inline(__always)
    public var sortedSet: SortedSetLimits {
        get {
            SortedSetLimits(
                packedMembersMax: sortedSetEntriesMax, packedMemberBytesMax: sortedSetBytesMax)
        }
        set {
            sortedSetEntriesMax = newValue.packedMembersMax
            sortedSetBytesMax = newValue.packedMemberBytesMax
        }
    }
}
