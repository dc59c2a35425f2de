public import HoldfastBytes

// Two packed forms that Redis wrote before version 7, to be read from its files only. Nobody vouches for the bytes:
// every length is checked, the whole is checked before the first element is given out.

/// A ziplist: a sequence of byte strings and integers.
///
///     u32 length of the whole | u32 offset of the last entry | u16 number of entries, 65535 = count them
///     | entries | 0xFF
///
/// An entry begins with the length of the entry before it, 0 for the first: one byte below 254, or 254 and a u32.
/// Then, by the next byte:
///
///     00llllll              l bytes follow
///     01llllll l            l bytes follow, a 14-bit number, high bits first
///     10...... llll         l bytes follow, a u32, high byte first
///     C0 D0 E0 F0 FE        a signed integer of 2, 4, 8, 3, 1 bytes follows
///     F1 … FD               the integer 0 … 12
///
/// All numbers are little endian but where said otherwise.
public struct OldPackedList {
    private let bytes: ByteSlice
    /// The number of elements.
    public let count: Int

    private static let headerBytes = 10

    /// Nil if `bytes` are no ziplist.
    public init?(_ bytes: ByteSlice) {
        guard bytes.count > Self.headerBytes, bytes.little(0, 4) == bytes.count,
            bytes[bytes.count - 1] == 0xFF
        else { return nil }
        var offset = Self.headerBytes
        var previous = 0
        var count = 0
        while offset < bytes.count - 1 {
            guard let entry = Entry(bytes, offset), entry.previousBytes == previous else {
                return nil
            }
            previous = entry.end - offset
            offset = entry.end
            count += 1
        }
        let toldCount = bytes.little(8, 2)
        guard toldCount == 0xFFFF || toldCount == count,
            count == 0 || bytes.little(4, 4) == offset - previous
        else { return nil }
        self.bytes = bytes
        self.count = count
    }

    /// Runs `body` with each element, from the first to the last.
    public func forEach<E: Error>(_ body: (PackedElement) throws(E) -> Void) throws(E) {
        var offset = Self.headerBytes
        while offset < bytes.count - 1, let entry = Entry(bytes, offset) {
            try body(entry.element)
            offset = entry.end
        }
    }

    private struct Entry {
        var previousBytes: Int
        var element: PackedElement
        /// Where the entry behind this one begins.
        var end: Int

        /// The entry that begins at `offset`; nil if it isn't one or reaches the end mark.
        init?(_ bytes: ByteSlice, _ offset: Int) {
            let mark = bytes.count - 1
            var offset = offset
            guard offset < mark else { return nil }
            if bytes[offset] < 254 {
                previousBytes = Int(bytes[offset])
                offset += 1
            } else {
                guard bytes[offset] == 254, offset + 5 <= mark else { return nil }
                previousBytes = bytes.little(offset + 1, 4)
                offset += 5
            }
            guard offset < mark else { return nil }
            let kind = bytes[offset]
            offset += 1
            if kind < 0xC0 {
                let (count, start): (Int, Int)
                switch kind >> 6 {
                case 0: (count, start) = (Int(kind), offset)
                case 1:
                    guard offset + 1 <= mark else { return nil }
                    (count, start) = (Int(kind & 0x3F) << 8 | Int(bytes[offset]), offset + 1)
                default:
                    guard offset + 4 <= mark else { return nil }
                    (count, start) = (bytes.big32(offset), offset + 4)
                }
                guard count <= mark - start else { return nil }
                element = .bytes(bytes.slice(start..<start + count))
                end = start + count
                return
            }
            if kind > 0xF0, kind < 0xFE {
                element = .integer(Int64(kind & 0x0F) - 1)
                end = offset
                return
            }
            guard let width = Self.width(kind), offset + width <= mark else { return nil }
            // Through the top of a word and back for the sign.
            let shift = 64 - 8 * width
            element = .integer((Int64(bytes.little(offset, width)) << shift) >> shift)
            end = offset + width
        }

        private static func width(_ kind: UInt8) -> Int? {
            switch kind {
            case 0xC0: 2
            case 0xD0: 4
            case 0xE0: 8
            case 0xF0: 3
            case 0xFE: 1
            default: nil
            }
        }
    }
}

/// A zipmap: pairs of byte strings.
///
///     u8 number of pairs, 254 and 255 = count them | pairs | 0xFF
///
/// A pair is the field's length and bytes, the value's length, a byte that counts unused bytes, the value's bytes and
/// the unused bytes. A length is one byte below 254, or 254 and a little-endian u32.
public struct OldPackedMap {
    private let bytes: ByteSlice
    /// The number of pairs.
    public let count: Int

    /// Nil if `bytes` are no zipmap with at least one pair.
    public init?(_ bytes: ByteSlice) {
        guard bytes.count >= 2, bytes[bytes.count - 1] == 0xFF else { return nil }
        var offset = 1
        var count = 0
        while offset < bytes.count - 1 {
            guard let pair = Pair(bytes, offset) else { return nil }
            offset = pair.end
            count += 1
        }
        guard count > 0, bytes[0] >= 254 || Int(bytes[0]) == count else { return nil }
        self.bytes = bytes
        self.count = count
    }

    /// Runs `body` with the field and the value of each pair.
    public func forEach<E: Error>(_ body: (ByteSlice, ByteSlice) throws(E) -> Void) throws(E) {
        var offset = 1
        while offset < bytes.count - 1, let pair = Pair(bytes, offset) {
            try body(pair.field, pair.value)
            offset = pair.end
        }
    }

    private struct Pair {
        var field: ByteSlice
        var value: ByteSlice
        /// Where the pair behind this one begins.
        var end: Int

        /// The pair that begins at `offset`; nil if it isn't one or reaches the end mark.
        init?(_ bytes: ByteSlice, _ offset: Int) {
            let mark = bytes.count - 1
            guard let field = Self.length(bytes, offset), field.count <= mark - field.start else {
                return nil
            }
            self.field = bytes.slice(field.start..<field.start + field.count)
            guard let value = Self.length(bytes, field.start + field.count), value.start < mark
            else { return nil }
            let start = value.start + 1
            let unused = Int(bytes[value.start])
            guard value.count + unused <= mark - start else { return nil }
            self.value = bytes.slice(start..<start + value.count)
            end = start + value.count + unused
        }

        /// The length at `offset`, and where it ends.
        private static func length(_ bytes: ByteSlice, _ offset: Int) -> (count: Int, start: Int)? {
            let mark = bytes.count - 1
            guard offset < mark, bytes[offset] != 255 else { return nil }
            if bytes[offset] < 254 { return (Int(bytes[offset]), offset + 1) }
            guard offset + 5 <= mark else { return nil }
            return (bytes.little(offset + 1, 4), offset + 5)
        }
    }
}

extension ByteSlice {
    /// The little-endian number of `count` bytes at `offset`, which must lie inside.
    fileprivate func little(_ offset: Int, _ count: Int) -> Int {
        var number: UInt64 = 0
        for index in (0..<count).reversed() { number = number << 8 | UInt64(self[offset + index]) }
        return Int(truncatingIfNeeded: number)
    }

    /// The big-endian u32 at `offset`, which must lie inside.
    fileprivate func big32(_ offset: Int) -> Int {
        (0..<4).reduce(0) { $0 << 8 | Int(self[offset + $1]) }
    }
}
