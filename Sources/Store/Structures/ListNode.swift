internal import CLinux
internal import HoldfastBytes

/// How much one node of a list may hold: `list-max-listpack-size` and what goes with it. A list that fits into one
/// node is a packed value; a longer one is `ListNodes`.
public struct ListNodeLimit: Equatable, Sendable {
    /// Bytes of a packed list; what goes beyond is a list of several nodes, or another node.
    let bytesMax: Int
    let elementsMax: Int
    /// An element of so many bytes is a node by itself.
    public var singleBytesMin: Int

    /// What an element must have to stand alone, unless DEBUG says otherwise: it would hardly fit into a packed list.
    public static let singleBytesMin = 1 << 29
    /// With a limit by count, the greatest length in bytes nevertheless.
    private static let countedBytesMax = 8192
    private static let sizes = [4096, 8192, 16384, 32768, 65536]

    /// - Parameter setting: the greatest number of elements, or -1 to -5 for 4 to 64 KiB.
    public init(setting: Int = -2, singleBytesMin: Int = ListNodeLimit.singleBytesMin) {
        self.singleBytesMin = singleBytesMin
        if setting >= 0 {
            bytesMax = Self.countedBytesMax
            elementsMax = max(setting, 1)
        } else {
            bytesMax = Self.sizes[min(max(-setting, 1), Self.sizes.count) - 1]
            elementsMax = .max
        }
    }

    /// Whether so much is too much for a packed value.
    public func isExceeded(bytes: Int, elements: Int) -> Bool {
        bytes > bytesMax || elements > elementsMax
    }

    /// Whether a list of several nodes that came down to this may be a packed value again: only at half of the
    /// limit, lest it change back and forth.
    func isWellBelow(bytes: Int, elements: Int) -> Bool {
        if elementsMax == .max { return bytes <= bytesMax / 2 }
        return elements <= elementsMax / 2
    }

    /// Payload bytes of a node that is filled by single elements; with the block's header they are what the allocator
    /// gives.
    private var nodeBytesMax: Int { bytesMax - PackedBlock.headerBytes }

    /// Whether a node may get `bytes` as one more element.
    @inline(__always)
    func fits(_ bytes: ByteSlice, into list: PackedList) -> Bool {
        if _slowPath(bytes.count >= singleBytesMin) { return false }
        let size = list.byteCount &+ bytes.count
        // No element takes 11 bytes more than its text.
        if _slowPath(size &+ 11 > nodeBytesMax) {
            guard list.byteCount + PackedList.encodedSize(of: bytes) <= nodeBytesMax else {
                return false
            }
        }
        return elementsMax == .max || list.count < elementsMax
    }

    /// Whether a node that has been edited is still of a good size.
    func allows(bytes: Int, elements: Int) -> Bool {
        bytes <= nodeBytesMax && elements <= elementsMax
    }
}

/// A node of a long list, known by the address of a packed block; with the lowest bit set, by that of a blob that
/// is a single large element.
struct ListNode: TreeElement {
    let word: UInt64

    static var isWeighted: Bool { true }

    @inline(__always) init(word: UInt64) { self.word = word }
    @inline(__always) init(_ block: PackedBlock) { word = block.address }
    init(_ blob: Blob) { word = blob.address | 1 }

    /// A node with one element.
    static func make(_ bytes: ByteSlice, _ limit: ListNodeLimit, epoch: UInt32) -> ListNode {
        if bytes.count >= limit.singleBytesMin {
            let blob = Blob.make(room: bytes.count, epoch: epoch)
            blob.write(bytes, at: 0)
            blob.count = bytes.count
            return ListNode(blob)
        }
        var block = PackedBlock.makeList(
            room: PackedList.empty.byteCount + PackedList.encodedSize(of: bytes), epoch: epoch)
        block.append(bytes)
        return ListNode(block)
    }

    @inline(__always) var isSingle: Bool { word & 1 != 0 }

    /// The block of a node that isn't a single element.
    @inline(__always)
    var block: PackedBlock {
        assert(!isSingle)
        // SAFETY: only words of living nodes get here, and those are not 0.
        return unsafe PackedBlock(
            UnsafeMutableRawPointer(bitPattern: UInt(word)).unsafelyUnwrapped)
    }

    var blob: Blob {
        assert(isSingle)
        // SAFETY: as above.
        return unsafe Blob(UnsafeMutableRawPointer(bitPattern: UInt(word & ~1)).unsafelyUnwrapped)
    }

    @inline(__always) var list: PackedList { block.list }
    @inline(__always) var count: Int { isSingle ? 1 : list.count }

    /// The elements' bytes, with those that a packed list adds.
    var byteCount: Int { isSingle ? blob.count : list.byteCount }

    /// The same content as a node that may be changed.
    @inline(__always)
    func writableBlock(_ epochs: inout EpochClock) -> PackedBlock {
        var block = block
        block.makeWritable(byteCount: block.list.byteCount, &epochs)
        return block
    }

    func copy(epoch: UInt32) -> ListNode {
        if isSingle {
            let twin = Blob.make(room: blob.count, epoch: epoch)
            twin.write(blob.bytes, at: 0)
            twin.count = blob.count
            return ListNode(twin)
        }
        return ListNode(block.copy(byteCount: list.byteCount, epoch: epoch))
    }

    func release(_ epochs: inout EpochClock) {
        if isSingle {
            unsafe epochs.release(blob.raw, bornIn: blob.epoch)
        } else {
            block.release(&epochs)
        }
    }

    var memoryBytes: Int { isSingle ? unsafe hf_allocated_bytes(blob.raw) : block.memoryBytes }

    /// The element at `offset`, which counts for nothing in a node of one.
    @inline(__always)
    func element(at offset: Int) -> PackedElement {
        isSingle ? .bytes(blob.bytes) : list[offset]
    }

    /// The offset of the element with this index, counted from 0, or from -1 backwards.
    @inline(__always)
    func offset(ofIndex index: Int) -> Int {
        if isSingle { return 0 }
        guard let offset = list.offset(ofIndex: index) else {
            preconditionFailure("no element \(index) in a node of \(count)")
        }
        return offset
    }
}
