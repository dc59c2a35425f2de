public import HoldfastBytes
public import HoldfastPlatform

/// The bytes of an RDB without what may be around them (an LZ4 frame), front to back, unread.
public struct SnapshotBytes: ~Copyable {
    private let feed: BlockFeed
    private var block: SnapshotBlock?
    /// Where the next part begins.
    public private(set) var offset: Int64 = 0
    /// The bytes come out of an LZ4 frame. Known once a part was read.
    public private(set) var isExpanded = false

    public init(_ source: any SnapshotSource) throws(SystemError) {
        feed = try BlockFeed(source, sums: false, isThreaded: true, blockBytes: 256 << 10)
    }

    /// The next part, valid until the next call; nil at the end.
    public mutating func next() throws(SnapshotReadError) -> ByteSlice? {
        do throws(FeedFailure) {
            block = try feed.next(after: block)
            guard let block else { return nil }
            isExpanded = block.isExpanded
            offset += Int64(block.bytes.count)
            return block.bytes.slice(0..<block.bytes.count)
        } catch {
            throw SnapshotReadError(
                reason: error.reason, offset: error.offset, step: .start, key: nil, database: 0,
                form: nil, detail: 0, system: error.system)
        }
    }
}
