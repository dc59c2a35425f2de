internal import HoldfastBytes
internal import HoldfastPlatform

/// Some bytes of an RDB, expanded, with the checksum of all before them.
final class SnapshotBlock: @unchecked Sendable {
    // Sendable because a block belongs to the thread that fills it until it is handed over.
    let bytes: ByteBlock
    fileprivate(set) var checksumBefore: UInt64 = 0
    /// The bytes come out of an LZ4 frame.
    fileprivate(set) var isExpanded = false

    init(capacity: Int) { bytes = ByteBlock(capacity: capacity) }
}

/// Why there are no more blocks.
struct FeedFailure: Error {
    let reason: ReadReason
    /// In the expanded bytes.
    let offset: Int64
    var system: SystemError?
}

/// Turns a source into blocks: reads it, expands an LZ4 frame if it begins like one, and sums up.
struct BlockMaker: ~Copyable {
    private let source: any SnapshotSource
    private let sums: Bool
    /// Bytes of the source that wait to be expanded or handed out.
    private var raw: ByteBuffer
    private let rawBytes: Int
    private var expander: LZ4Expander?
    private var hasLooked = false
    private var checksum: UInt64 = 0
    private var offset: Int64 = 0

    init(_ source: any SnapshotSource, sums: Bool, rawBytes: Int = 256 << 10) {
        self.source = source
        self.sums = sums
        self.rawBytes = rawBytes
        raw = ByteBuffer()
    }

    /// Finds out what kind of bytes these are; the first step.
    mutating func look() throws(FeedFailure) {
        guard !hasLooked else { return }
        hasLooked = true
        while raw.count < LZ4Frame.magic.count {
            if try readRaw() == 0 { break }
        }
        if LZ4Frame.magic.withSlice({ raw.slice.prefix(4) == $0 }) { expander = LZ4Expander() }
    }

    /// Fills an empty block; it stays empty only at the end.
    mutating func fill(_ block: SnapshotBlock) throws(FeedFailure) {
        try look()
        block.checksumBefore = checksum
        block.isExpanded = expander != nil
        if expander != nil {
            try expand(into: block)
        } else if !raw.isEmpty {
            let count = min(raw.count, block.bytes.capacity)
            _ = block.bytes.append(raw.slice.prefix(count))
            raw.consume(count)
        } else {
            do throws(SystemError) {
                try unsafe block.bytes.append(upTo: .max) { (target) throws(SystemError) in
                    try unsafe source.read(into: target)
                }
            } catch { throw FeedFailure(reason: .system, offset: offset, system: error) }
        }
        let bytes = block.bytes.slice(0..<block.bytes.count)
        if sums { checksum = CRC64.update(checksum, bytes) }
        offset += Int64(bytes.count)
    }

    private mutating func expand(into block: SnapshotBlock) throws(FeedFailure) {
        while block.bytes.count < block.bytes.capacity {
            if expander?.isDone ?? true { return }
            if raw.isEmpty, try readRaw() == 0 {
                throw FeedFailure(
                    reason: .lz4EndsEarly, offset: offset + Int64(block.bytes.count))
            }
            let hadBegun = expander?.hasBegun ?? false
            var step: (read: Int, written: Int)?
            let input = raw.slice
            unsafe block.bytes.append(upTo: .max) { target in
                step = unsafe expander?.expand(input, into: target)
                return step?.written ?? 0
            }
            // A frame that neither takes nor gives would go on for ever.
            guard let step, step.read + step.written > 0 else {
                throw FeedFailure(
                    reason: hadBegun ? .lz4Block : .lz4Header,
                    offset: offset + Int64(block.bytes.count))
            }
            raw.consume(step.read)
        }
    }

    private mutating func readRaw() throws(FeedFailure) -> Int {
        let before = raw.count
        do throws(SystemError) {
            try unsafe raw.appendInPlace(rawBytes) { (target) throws(SystemError) in
                try unsafe source.read(into: target)
            }
        } catch { throw FeedFailure(reason: .system, offset: offset, system: error) }
        return raw.count - before
    }
}

/// Blocks of a source in order, made by a thread of their own while the last one is read, or in line.
final class BlockFeed {
    private let shared: Shared?
    private var thread: WorkerThread?
    private var maker: BlockMaker?
    private var only: SnapshotBlock?

    /// What the two threads share.
    private final class Shared: @unchecked Sendable {
        // Sendable because everything is touched with the monitor held, and a block by one thread at a time.
        let monitor = Monitor()
        let changed: Condition
        var ready: [SnapshotBlock] = []
        var free: [SnapshotBlock]
        var isDone = false
        var isCancelled = false
        var failure: FeedFailure?

        init(blocks: Int, bytes: Int) {
            changed = Condition(of: monitor)
            free = (0..<blocks).map { _ in SnapshotBlock(capacity: bytes) }
        }

        /// An empty block, or nil if nobody wants more.
        func takeFree() -> SnapshotBlock? {
            monitor.withLock {
                while free.isEmpty, !isCancelled { changed.wait() }
                return isCancelled ? nil : free.removeLast()
            }
        }

        func hand(_ block: SnapshotBlock) {
            monitor.withLock {
                ready.append(block)
                changed.signal()
            }
        }

        func finish(_ failure: FeedFailure?) {
            monitor.withLock {
                self.failure = failure
                isDone = true
                changed.signal()
            }
        }

        func cancel() {
            monitor.withLock {
                isCancelled = true
                changed.signal()
            }
        }

        func makeAll(_ maker: consuming BlockMaker) {
            var failure: FeedFailure?
            do throws(FeedFailure) {
                while let block = takeFree() {
                    block.bytes.empty()
                    try maker.fill(block)
                    if block.bytes.count == 0 { break }
                    hand(block)
                }
            } catch { failure = error }
            finish(failure)
        }
    }

    /// - Parameter isThreaded: whether another thread reads, expands and sums up.
    init(
        _ source: any SnapshotSource, sums: Bool, isThreaded: Bool, blockBytes: Int, blocks: Int = 4
    ) throws(SystemError) {
        if isThreaded {
            let shared = Shared(blocks: max(blocks, 2), bytes: blockBytes)
            self.shared = shared
            thread = try WorkerThread(name: "snapshot-read") {
                shared.makeAll(BlockMaker(source, sums: sums))
            }
        } else {
            shared = nil
            maker = BlockMaker(source, sums: sums, rawBytes: blockBytes)
            only = SnapshotBlock(capacity: blockBytes)
        }
    }

    deinit {
        shared?.cancel()
        thread?.join()
    }

    /// The next block, which belongs to the caller until the next call takes it back; nil at the end.
    func next(after last: SnapshotBlock?) throws(FeedFailure) -> SnapshotBlock? {
        guard let shared else {
            guard let only else { return nil }
            only.bytes.empty()
            try maker?.fill(only)
            return only.bytes.count > 0 ? only : nil
        }
        let outcome = shared.monitor.withLock { () -> Result<SnapshotBlock?, FeedFailure> in
            if let last {
                shared.free.append(last)
                shared.changed.signal()
            }
            while shared.ready.isEmpty, !shared.isDone { shared.changed.wait() }
            if !shared.ready.isEmpty { return .success(shared.ready.removeFirst()) }
            return shared.failure.map { .failure($0) } ?? .success(nil)
        }
        return try outcome.get()
    }
}
