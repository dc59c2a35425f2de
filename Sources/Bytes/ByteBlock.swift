internal import Glibc

/// A block of memory of fixed size that is filled from the front and never moves.
///
/// One thread appends; others may read what was appended before they were told of it, also while more is
/// appended behind it.
@safe
public final class ByteBlock: @unchecked Sendable {
    // Sendable because a byte is written once, before its range is handed to anybody, until `empty`.
    private let base: UnsafeMutableRawPointer
    public let capacity: Int
    public private(set) var count: Int

    public init(capacity: Int) {
        precondition(capacity > 0, "a block has room for something")
        guard let memory = unsafe malloc(capacity) else { fatalError("out of memory") }
        unsafe base = memory
        self.capacity = capacity
        count = 0
    }

    deinit { unsafe free(base) }

    /// Copies `bytes` behind what is there; where they begin, or nil if there is no room.
    public func append(_ bytes: ByteSlice) -> Int? {
        guard capacity - count >= bytes.count else { return nil }
        let start = count
        // SAFETY: there is room for all of `bytes`, by the check above.
        unsafe _ = memcpy(base + start, bytes.pointer, bytes.count)
        count += bytes.count
        return start
    }

    /// Lets `body` write up to `size` bytes behind what is there; it returns how many it wrote.
    public func append<E: Error>(
        upTo size: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) {
        let room = min(size, capacity - count)
        precondition(room >= 0, "a block has no negative room")
        // SAFETY: `room` bytes behind `count` lie inside the allocation.
        let written = try unsafe body(
            UnsafeMutableRawBufferPointer(start: base + count, count: room))
        precondition(written >= 0 && written <= room, "wrote past the room of a block")
        count += written
    }

    /// Some of the appended bytes; valid until `empty`, while the block lives.
    public func slice(_ range: Range<Int>) -> ByteSlice {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= capacity, "byte range out of bounds")
        // SAFETY: inside the allocation by the check above; appended bytes are initialised.
        return unsafe ByteSlice(base: base + range.lowerBound, count: range.count)
    }

    /// Forgets all bytes. Nobody may hold a slice any more.
    public func empty() { count = 0 }
}
