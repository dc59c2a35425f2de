public import Glibc

/// A view of bytes that something else owns: an argument inside an input buffer, a key or value inside
/// the store. It is two words, copies freely and holds nothing alive.
///
/// The rule that makes it safe: a slice of a command's arguments is valid until the command's handler
/// returns; a slice of a stored key or value until the next change of that key. Whoever needs the bytes
/// for longer copies them (`copyToArray`, `ByteBuffer.append`).
@safe
public struct ByteSlice {
    @usableFromInline let base: UnsafeRawPointer
    public let count: Int

    /// - Parameter base: must stay valid for as long as the slice is used (see the type's rule).
    @inlinable
    @unsafe public init(base: UnsafeRawPointer, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    /// No bytes.
    @inlinable
    public init() {
        // SAFETY: never dereferenced, because the count is zero.
        unsafe self.base = UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        self.count = 0
    }

    /// The bytes of a literal, which live for ever.
    @inlinable
    public init(_ text: StaticString) {
        // SAFETY: a static string with a pointer representation lives as long as the process.
        unsafe self.init(base: UnsafeRawPointer(text.utf8Start), count: text.utf8CodeUnitCount)
    }

    @inlinable public var isEmpty: Bool { count == 0 }

    /// Where the bytes are; for C calls and the raw-memory folders only.
    @inlinable
    @unsafe public var pointer: UnsafeRawPointer { unsafe base }

    @inlinable
    public subscript(_ index: Int) -> UInt8 {
        precondition(index >= 0 && index < count, "byte index out of bounds")
        // SAFETY: in bounds by the check above, alive by the type's rule.
        return unsafe base.load(fromByteOffset: index, as: UInt8.self)
    }

    /// The bytes in `range`, which must lie inside.
    @inlinable
    public func slice(_ range: Range<Int>) -> ByteSlice {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "byte range out of bounds")
        // SAFETY: inside the slice by the check above.
        return unsafe ByteSlice(base: base + range.lowerBound, count: range.count)
    }

    @inlinable
    public func dropFirst(_ n: Int) -> ByteSlice { slice(min(n, count)..<count) }

    @inlinable
    public func prefix(_ n: Int) -> ByteSlice { slice(0..<min(n, count)) }

    /// Byte for byte equality.
    @inlinable
    public static func == (left: ByteSlice, right: ByteSlice) -> Bool {
        // SAFETY: both are `count` bytes long.
        unsafe left.count == right.count && memcmp(left.base, right.base, left.count) == 0
    }

    /// Equality with ASCII letters folded; `lowercase` must be lower case already.
    @inlinable
    public func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
        guard count == lowercase.utf8CodeUnitCount else { return false }
        // SAFETY: both are `count` bytes long, and a static string lives for ever.
        let other = unsafe lowercase.utf8Start
        for index in 0..<count {
            let byte = unsafe base.load(fromByteOffset: index, as: UInt8.self)
            let folded = byte &- 65 < 26 ? byte | 0x20 : byte
            if unsafe folded != other[index] { return false }
        }
        return true
    }

    /// Order as `memcmp`, the shorter first when one is the other's prefix: less than, equal to or
    /// greater than zero.
    public func compare(_ other: ByteSlice) -> Int {
        // SAFETY: compares as many bytes as the shorter one has.
        let order = unsafe memcmp(base, other.base, min(count, other.count))
        return order != 0 ? Int(order) : count - other.count
    }

    @inlinable
    public func copyToArray() -> [UInt8] {
        // SAFETY: `count` bytes from `base` are readable.
        unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: count))
    }

    /// The text, with invalid UTF-8 repaired; for messages, never for data.
    public var text: String {
        // SAFETY: `count` bytes from `base` are readable.
        unsafe String(decoding: UnsafeRawBufferPointer(start: base, count: count), as: UTF8.self)
    }

    /// The eight bytes at `offset`, little endian; they must lie inside.
    @inlinable
    public func load64(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && offset + 8 <= count, "load out of bounds")
        // SAFETY: in bounds by the check above; unaligned loads are allowed by `loadUnaligned`.
        return unsafe UInt64(
            littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Runs `body` with the bytes as a span.
    @inlinable
    public func withSpan<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        // SAFETY: the span does not outlive the call, the bytes do.
        let span = unsafe RawSpan(_unsafeStart: base, byteCount: count)
        return try body(span)
    }
}

extension [UInt8] {
    /// Runs `body` with a slice of the whole array.
    @inlinable
    public func withSlice<R, E: Error>(_ body: (ByteSlice) throws(E) -> R) throws(E) -> R {
        var result: Result<R, E>?
        unsafe self.withUnsafeBytes { bytes in
            let slice =
                unsafe bytes.baseAddress.map { unsafe ByteSlice(base: $0, count: bytes.count) }
                ?? ByteSlice()
            do throws(E) { result = .success(try body(slice)) } catch { result = .failure(error) }
        }
        guard let result else { preconditionFailure("closure did not run") }
        return try result.get()
    }
}

extension String {
    /// Runs `body` with the string's UTF-8 bytes.
    public func withSlice<R, E: Error>(_ body: (ByteSlice) throws(E) -> R) throws(E) -> R {
        try Array(utf8).withSlice(body)
    }
}
