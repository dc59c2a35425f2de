internal import Glibc
public import HoldfastBytes

/// One element of a packed list: integers are kept as such, everything else as it came.
public enum PackedElement {
    case integer(Int64)
    /// Valid as long as the list's bytes.
    case bytes(ByteSlice)

    /// Runs `body` with the element's bytes, the digits of an integer.
    @inline(__always)
    public func withBytes<R, E: Error>(_ body: (ByteSlice) throws(E) -> R) throws(E) -> R {
        switch self {
        case .bytes(let bytes): return try body(bytes)
        case .integer(let value):
            var digits = InlineArray<20, UInt8>(repeating: 0)
            let count = DecimalText.write(value, into: &digits)
            let span = digits.span
            // SAFETY: `digits` stays in place while its span is in use, and `count` is at most 20.
            return try unsafe span.withUnsafeBytes { (raw) throws(E) -> R in
                guard let base = raw.baseAddress else { return try body(ByteSlice()) }
                return try body(unsafe ByteSlice(base: base, count: count))
            }
        }
    }

    /// The element's length in bytes, the number of digits of an integer.
    public var count: Int {
        switch self {
        case .integer(let value): DecimalText.length(value)
        case .bytes(let bytes): bytes.count
        }
    }

    /// The integer that the element is or spells, or nil.
    public var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        case .bytes(let bytes): DecimalText.parse(bytes)
        }
    }

    /// Whether the element, written out, is `other`.
    public func equals(_ other: ByteSlice) -> Bool {
        switch self {
        case .integer(let value): DecimalText.parse(other) == value
        case .bytes(let bytes): bytes == other
        }
    }

    /// Appends the element's bytes, the digits of an integer.
    public func append(to buffer: inout ByteBuffer) {
        switch self {
        case .integer(let value): buffer.append(decimal: value)
        case .bytes(let bytes): buffer.append(bytes)
        }
    }

    public func copyToArray() -> [UInt8] { withBytes { $0.copyToArray() } }
}

/// A sequence of byte strings and integers in one run of bytes, Redis's listpack: a view that owns nothing.
///
///     u32 length of the whole in bytes | u16 number of elements, 65535 = count them | elements | 0xFF
///
/// An element is its data and, behind it, how long the data is, readable from the right: 7 bits per byte, the most
/// significant first, bit 7 set in all bytes but the first. The data by its first byte:
///
///     0xxxxxxx            the integer 0 … 127
///     10llllll            l bytes follow
///     110xxxxx x          a 13-bit signed integer, high bits first
///     1110llll l          l bytes follow, a 12-bit number, high bits first
///     F0 llll             l bytes follow, a u32
///     F1 F2 F3 F4         a signed integer of 2, 3, 4 or 8 bytes
///
/// All numbers are little endian but where said otherwise. An element is named by its offset from the start of the
/// bytes, which is good until the list is changed. The bytes are trusted: what comes from outside must have passed
/// `isValid` with `deep`.
@safe
public struct PackedList {
    public let bytes: ByteSlice

    static let headerBytes = 6
    static let unknownCount = 0xFFFF
    static let end: UInt8 = 0xFF

    // SAFETY: the bytes are written before anybody sees them, and never again.
    nonisolated(unsafe) private static let emptyBytes: ByteSlice = {
        guard let raw = unsafe malloc(8) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: UInt64(0x00FF_0000_0000_0007), as: UInt64.self)
        return unsafe ByteSlice(base: raw, count: headerBytes + 1)
    }()

    /// A list without elements.
    public static var empty: PackedList { unsafe PackedList(emptyBytes) }

    @inline(__always)
    public init(_ bytes: ByteSlice) { self.bytes = bytes }

    // SAFETY of all loads: the bytes are a valid list (the type's rule) and offsets those of elements, so all that
    // an element's first byte promises lies inside.

    @inline(__always)
    private var base: UnsafeRawPointer { unsafe bytes.pointer }

    @inline(__always)
    private func byte(_ offset: Int) -> UInt8 {
        assert(offset >= 0 && offset < bytes.count)
        return unsafe base.load(fromByteOffset: offset, as: UInt8.self)
    }

    /// The bytes of the whole list.
    public var byteCount: Int { bytes.count }

    /// Where the end mark lies: the offset behind the last element.
    public var endOffset: Int { bytes.count - 1 }

    public var isEmpty: Bool { bytes.count == Self.headerBytes + 1 }

    /// The number of elements that the header tells; nil if there may be too many for it.
    @inline(__always)
    var knownCount: Int? {
        let count = Int(unsafe base.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        return count == Self.unknownCount ? nil : count
    }

    /// The number of elements; counts them if they may be more than 65534.
    public var count: Int {
        if let knownCount { return knownCount }
        var count = 0
        var offset = Self.headerBytes
        while offset < endOffset {
            offset += elementBytes(at: offset)
            count += 1
        }
        return count
    }

    // MARK: Going through

    public var firstOffset: Int? { isEmpty ? nil : Self.headerBytes }

    public var lastOffset: Int? { previous(before: endOffset) }

    /// The element behind the one at `offset`.
    @inline(__always)
    public func next(after offset: Int) -> Int? {
        let next = offset + elementBytes(at: offset)
        return next < endOffset ? next : nil
    }

    /// The element before the one at `offset`, which may be `endOffset` as well.
    @inline(__always)
    public func previous(before offset: Int) -> Int? {
        guard offset > Self.headerBytes else { return nil }
        var position = offset - 1
        var length = Int(byte(position) & 0x7F)
        var shift = 7
        while byte(position) & 0x80 != 0 {
            position -= 1
            length |= Int(byte(position) & 0x7F) << shift
            shift += 7
        }
        return offset - length - Self.lengthBytes(length)
    }

    /// The element with this index, counted from 0, or from -1 backwards; nil if there is none.
    public func offset(ofIndex index: Int) -> Int? {
        var index = index
        if let count = knownCount {
            if index < -count || index >= count { return nil }
            // From the nearer end.
            if index >= 0, index > count / 2 {
                index -= count
            } else if index < 0, -index > count / 2 {
                index += count
            }
        }
        if index >= 0 {
            var offset = firstOffset
            while let here = offset, index > 0 {
                offset = next(after: here)
                index -= 1
            }
            return offset
        }
        var offset = lastOffset
        while let here = offset, index < -1 {
            offset = previous(before: here)
            index += 1
        }
        return offset
    }

    @inline(__always)
    public subscript(offset: Int) -> PackedElement {
        let first = byte(offset)
        if first < 0x80 { return .integer(Int64(first)) }
        if first < 0xC0 { return element(offset + 1, Int(first & 0x3F)) }
        if first < 0xE0 {
            let bits = Int64(first & 0x1F) << 8 | Int64(byte(offset + 1))
            return .integer(bits >= 1 << 12 ? bits - 1 << 13 : bits)
        }
        if first < 0xF0 {
            return element(offset + 2, Int(first & 0x0F) << 8 | Int(byte(offset + 1)))
        }
        return wideElement(offset, first)
    }

    @inline(__always)
    private func element(_ offset: Int, _ count: Int) -> PackedElement {
        assert(offset + count < bytes.count)
        return .bytes(unsafe ByteSlice(base: base + offset, count: count))
    }

    private func wideElement(_ offset: Int, _ first: UInt8) -> PackedElement {
        switch first {
        case 0xF0: return element(offset + 5, load32(offset + 1))
        case 0xF1:
            return .integer(
                Int64(unsafe base.loadUnaligned(fromByteOffset: offset + 1, as: Int16.self)))
        case 0xF2:
            let low = Int64(unsafe base.loadUnaligned(fromByteOffset: offset + 1, as: UInt16.self))
            let high = Int64(unsafe base.load(fromByteOffset: offset + 3, as: Int8.self))
            return .integer(high << 16 | low)
        case 0xF3:
            return .integer(
                Int64(unsafe base.loadUnaligned(fromByteOffset: offset + 1, as: Int32.self)))
        case 0xF4:
            return .integer(
                unsafe base.loadUnaligned(fromByteOffset: offset + 1, as: Int64.self))
        default: preconditionFailure("packed list element of kind \(first)")
        }
    }

    @inline(__always)
    private func load32(_ offset: Int) -> Int {
        Int(unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    // MARK: Sizes

    /// The bytes of the element at `offset` with all that belongs to it.
    @inline(__always)
    func elementBytes(at offset: Int) -> Int {
        let first = byte(offset)
        if first < 0x80 { return 2 }
        if first < 0xC0 { return 2 + Int(first & 0x3F) }
        if first < 0xE0 { return 3 }
        let data = longDataBytes(at: offset, first)
        return data + Self.lengthBytes(data)
    }

    private func longDataBytes(at offset: Int, _ first: UInt8) -> Int {
        switch first {
        case 0xE0..<0xF0: 2 + (Int(first & 0x0F) << 8 | Int(byte(offset + 1)))
        case 0xF0: 5 + load32(offset + 1)
        case 0xF1: 3
        case 0xF2: 4
        case 0xF3: 5
        case 0xF4: 9
        default: preconditionFailure("packed list element of kind \(first)")
        }
    }

    /// The bytes that the length `data` takes behind its element. The borders are Redis's, one early for all
    /// but the first.
    @inline(__always)
    static func lengthBytes(_ data: Int) -> Int {
        if data <= 127 { return 1 }
        if data < 16_383 { return 2 }
        if data < 2_097_151 { return 3 }
        return data < 268_435_455 ? 4 : 5
    }

    // MARK: Searching

    /// The first element equal to `wanted`, looking at the one at `offset` and then at every one after
    /// `skipped` others; nil if there is none.
    ///
    /// - Parameter offset: an element's, or nil for the first.
    public func find(
        _ wanted: ByteSlice, from offset: Int? = nil, skipping skipped: Int = 0
    ) -> Int? {
        let integer = DecimalText.parse(wanted)
        // Names that stand together tend to begin alike: their last bytes tell most of them apart.
        let last = wanted.isEmpty ? 0 : wanted[wanted.count - 1]
        let end = endOffset
        var offset = offset ?? Self.headerBytes
        var left = 0
        while offset < end {
            let first = byte(offset)
            if left > 0 {
                left -= 1
            } else {
                if first < 0x80 {
                    if let integer, integer == Int64(first) { return offset }
                } else if first < 0xC0 {
                    if Int(first & 0x3F) == wanted.count,
                        wanted.isEmpty || byte(offset + wanted.count) == last,
                        unsafe memcmp(base + offset + 1, wanted.pointer, wanted.count) == 0
                    {
                        return offset
                    }
                } else {
                    switch self[offset] {
                    case .integer(let value): if value == integer { return offset }
                    case .bytes(let bytes): if bytes == wanted { return offset }
                    }
                }
                left = skipped
            }
            offset += elementBytes(at: offset)
        }
        return nil
    }
}
