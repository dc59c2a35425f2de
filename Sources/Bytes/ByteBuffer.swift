internal import Glibc

/// A growable buffer of bytes with one owner: append at the end, consume from the front.
///
/// Appending is amortised O(1); consuming moves an index and gives the room back when all is consumed
/// or when growth would otherwise be needed. A failed allocation ends the process, as everywhere in
/// this program: there is no state in which going on would be safer.
@safe
public struct ByteBuffer: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer?
    @usableFromInline var head: Int
    @usableFromInline var tail: Int
    @usableFromInline var room: Int

    /// An empty buffer that owns no memory yet.
    @inlinable
    public init() {
        unsafe base = nil
        head = 0
        tail = 0
        room = 0
    }

    public init(capacity: Int) {
        self.init()
        reserve(capacity)
    }

    deinit { unsafe free(base) }

    /// The number of bytes that can be read.
    @inlinable public var count: Int { tail - head }
    @inlinable public var isEmpty: Bool { tail == head }
    /// The bytes of memory held.
    @inlinable public var capacity: Int { room }

    /// The readable bytes; valid until the buffer is next changed.
    @inlinable
    public var slice: ByteSlice {
        // SAFETY: head...tail lies inside the allocation.
        unsafe base.map { unsafe ByteSlice(base: $0 + head, count: tail - head) } ?? ByteSlice()
    }

    /// Makes room for `extra` more bytes.
    @inlinable
    public mutating func reserve(_ extra: Int) {
        if _fastPath(room - tail >= extra) { return }
        grow(extra)
    }

    @usableFromInline
    mutating func grow(_ extra: Int) {
        precondition(extra >= 0 && extra < 1 << 46, "unreasonable buffer growth: \(extra)")
        if head > 0, let held = unsafe base {
            // SAFETY: both ranges lie inside the allocation; memmove allows overlap.
            unsafe _ = memmove(held, held + head, tail - head)
            tail -= head
            head = 0
            if room - tail >= extra && tail <= room / 2 { return }
        }
        let wanted = max(tail + extra, min(room * 2, room + (64 << 20)), 64)
        guard let grown = unsafe realloc(base, wanted) else { fatalError("out of memory") }
        unsafe base = grown
        room = wanted
    }

    @inlinable
    public mutating func append(_ byte: UInt8) {
        reserve(1)
        // SAFETY: room was reserved.
        unsafe base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: tail, as: UInt8.self)
        tail += 1
    }

    @inlinable
    public mutating func append(_ bytes: ByteSlice) {
        let size = bytes.count
        if size == 0 { return }
        reserve(size)
        // SAFETY: `size` bytes were reserved; source and buffer don't overlap, since a slice of this
        // very buffer would be invalid once it grows and is never passed (the type's rule).
        unsafe base.unsafelyUnwrapped.advanced(by: tail).copyMemory(
            from: bytes.pointer, byteCount: size)
        tail += size
    }

    @inlinable
    public mutating func append(_ text: StaticString) { append(ByteSlice(text)) }

    public mutating func append(_ bytes: [UInt8]) {
        bytes.withSlice { slice in appendCopy(slice) }
    }

    @usableFromInline
    mutating func appendCopy(_ slice: ByteSlice) { append(slice) }

    public mutating func append(text: String) { append(Array(text.utf8)) }

    /// Appends `n` copies of `byte`.
    public mutating func append(repeating byte: UInt8, count n: Int) {
        reserve(n)
        guard n > 0, let held = unsafe base else { return }
        // SAFETY: `n` bytes were reserved.
        unsafe _ = memset(held + tail, Int32(byte), n)
        tail += n
    }

    /// Lets `body` write up to `size` bytes at the end; it returns how many it wrote.
    @inlinable
    public mutating func appendInPlace<E: Error>(
        _ size: Int, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> Int
    ) throws(E) {
        reserve(size)
        // SAFETY: `size` bytes were reserved.
        let target = unsafe UnsafeMutableRawBufferPointer(
            start: base.unsafelyUnwrapped + tail, count: size)
        let written = try unsafe body(target)
        precondition(written >= 0 && written <= size, "wrote past the reserved room")
        tail += written
    }

    /// Inserts bytes before position `offset` of the readable bytes.
    public mutating func insert(_ bytes: ByteSlice, at offset: Int) {
        precondition(offset >= 0 && offset <= count, "insert position out of bounds")
        reserve(bytes.count)
        guard let held = unsafe base, bytes.count > 0 else { return }
        let at = head + offset
        // SAFETY: room for the moved tail was reserved above.
        unsafe _ = memmove(held + at + bytes.count, held + at, tail - at)
        unsafe _ = memcpy(held + at, bytes.pointer, bytes.count)
        tail += bytes.count
    }

    /// Moves the last `size` bytes, 32 at most, before position `offset` of the readable bytes.
    public mutating func rotate(last size: Int, to offset: Int) {
        precondition(
            size >= 0 && size <= 32 && offset >= 0 && offset + size <= count,
            "rotated bytes out of bounds")
        guard size > 0, let held = unsafe base else { return }
        var kept = InlineArray<32, UInt8>(repeating: 0)
        let at = unsafe held + head + offset
        var span = kept.mutableSpan
        // SAFETY: all ranges lie inside the readable bytes, and `kept` holds `size` bytes.
        unsafe span.withUnsafeMutableBytes { kept in
            unsafe kept.baseAddress.unsafelyUnwrapped.copyMemory(
                from: held + (tail - size), byteCount: size)
            unsafe _ = memmove(at + size, at, count - size - offset)
            unsafe at.copyMemory(from: kept.baseAddress.unsafelyUnwrapped, byteCount: size)
        }
    }

    /// Drops the first `n` readable bytes.
    @inlinable
    public mutating func consume(_ n: Int) {
        precondition(n >= 0 && n <= count, "consumed more than there is")
        head += n
        if head == tail {
            head = 0
            tail = 0
        }
    }

    /// Drops bytes from the end so that `n` readable ones stay.
    public mutating func truncate(to n: Int) {
        precondition(n >= 0 && n <= count, "truncate would grow")
        tail = head + n
    }

    /// Drops all bytes and keeps the memory.
    @inlinable
    public mutating func removeAll() {
        head = 0
        tail = 0
    }

    /// Drops all bytes and the memory.
    public mutating func reset() {
        unsafe free(base)
        unsafe base = nil
        head = 0
        tail = 0
        room = 0
    }

    public func copyToArray() -> [UInt8] { slice.copyToArray() }
}
