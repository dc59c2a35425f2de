public import HoldfastBytes
public import Log

/// The newest bytes of the stream in memory: where replicas that keep up are served from.
///
/// Bytes stand in blocks that are filled once and dropped whole, so nothing is moved and no replica has a copy. It
/// lives on the command thread.
public struct Backlog {
    private struct Part {
        let block: ByteBlock
        let first: LSN
        var end: LSN { first.advanced(by: block.count) }
    }

    private var parts: [Part] = []
    public private(set) var end: LSN
    /// So many bytes are kept (`repl-backlog-size`), as soon as there are as many.
    public var bytesWanted: Int

    private static let blockBytesMin = 16 << 10
    private static let blockBytesMax = 1 << 20

    /// An empty one at `start`, where the stream goes on.
    public init(at start: LSN, bytesWanted: Int) {
        end = start
        self.bytesWanted = bytesWanted
    }

    /// The first LSN that it holds.
    public var first: LSN { parts.first?.first ?? end }
    public var count: Int { Int(end.value - first.value) }
    /// Memory held.
    public var capacity: Int { parts.reduce(0) { $0 + $1.block.capacity } }

    /// Takes the bytes of the stream that follow.
    public mutating func append(_ bytes: ByteSlice) {
        var rest = bytes
        while !rest.isEmpty {
            if parts.isEmpty || parts[parts.count - 1].block.isFull { addBlock() }
            let block = parts[parts.count - 1].block
            let size = min(rest.count, block.capacity - block.count)
            guard block.append(rest.prefix(size)) != nil else {
                preconditionFailure("a block with room for \(size) bytes took none")
            }
            end = end.advanced(by: size)
            rest = rest.dropFirst(size)
        }
    }

    private mutating func addBlock() {
        let size = min(max(bytesWanted / 8, Self.blockBytesMin), Self.blockBytesMax)
        parts.append(Part(block: ByteBlock(capacity: size), first: end))
    }

    /// Drops the oldest bytes beyond those wanted.
    ///
    /// - Parameter needed: what must stay whatever the size.
    public mutating func trim(keeping needed: LSN? = nil) {
        var count = 0
        while count + 1 < parts.count {
            let next = parts[count + 1].first
            guard end.value - next.value >= UInt64(max(bytesWanted, 0)) else { break }
            if let needed, needed < next { break }
            count += 1
        }
        if count > 0 { parts.removeFirst(count) }
    }

    /// Bytes from `lsn` on that stand together: all up to the end of their block, at most up to `limit`. Empty if
    /// there are none, or they are gone. Valid until the next change.
    public func slice(from lsn: LSN, upTo limit: LSN) -> ByteSlice {
        let until = min(limit, end)
        guard lsn >= first, lsn < until else { return ByteSlice() }
        var low = 0
        var high = parts.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if parts[middle].first <= lsn { low = middle } else { high = middle - 1 }
        }
        let part = parts[low]
        let start = Int(lsn.value - part.first.value)
        let stop = Int(min(until, part.end).value - part.first.value)
        return part.block.slice(start..<stop)
    }
}

extension ByteBlock {
    fileprivate var isFull: Bool { count == capacity }
}
