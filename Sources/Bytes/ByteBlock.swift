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
