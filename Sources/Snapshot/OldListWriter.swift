internal import HoldfastBytes
internal import Store

/// Makes ziplists, for files of versions that know no other packed list; the picture is at `OldPackedList`.
struct OldListWriter: ~Copyable {
    private var entries = ByteBuffer()
    private var count = 0
    private var lastBytes = 0

    init() {}

    mutating func append(_ element: PackedElement) {
        let start = entries.count
        if lastBytes < 254 {
            entries.append(UInt8(lastBytes))
        } else {
            entries.append(254)
            entries.append(littleEndian: UInt64(lastBytes), bytes: 4)
        }
        switch element {
        case .integer(let value): append(value)
        case .bytes(let bytes):
            // Redis writes a number's text as a number, and looks for it so.
            if bytes.count <= 20, let value = DecimalText.parse(bytes) {
                append(value)
            } else {
                append(bytes)
            }
        }
        lastBytes = entries.count - start
        count += 1
    }

    private mutating func append(_ bytes: ByteSlice) {
        let size = bytes.count
        if size < 1 << 6 {
            entries.append(UInt8(size))
        } else if size < 1 << 14 {
            entries.append(0x40 | UInt8(size >> 8))
            entries.append(UInt8(size & 0xff))
        } else {
            entries.append(0x80)
            entries.append(bigEndian: UInt64(size), bytes: 4)
        }
        entries.append(bytes)
    }

    private mutating func append(_ value: Int64) {
        if 0...12 ~= value { return entries.append(0xf1 + UInt8(value)) }
        let (mark, bytes): (UInt8, Int)
        if Int8(exactly: value) != nil {
            (mark, bytes) = (0xfe, 1)
        } else if Int16(exactly: value) != nil {
            (mark, bytes) = (0xc0, 2)
        } else if -(1 << 23)..<(1 << 23) ~= value {
            (mark, bytes) = (0xf0, 3)
        } else if Int32(exactly: value) != nil {
            (mark, bytes) = (0xd0, 4)
        } else {
            (mark, bytes) = (0xe0, 8)
        }
        entries.append(mark)
        entries.append(littleEndian: UInt64(bitPattern: value), bytes: bytes)
    }

    /// Gives the whole list to `body`.
    consuming func finish<E: Error>(_ body: (ByteSlice) throws(E) -> Void) throws(E) {
        var whole = ByteBuffer()
        let header = 10
        whole.append(littleEndian: UInt64(header + entries.count + 1), bytes: 4)
        whole.append(littleEndian: UInt64(header + entries.count - lastBytes), bytes: 4)
        whole.append(littleEndian: UInt64(min(count, 0xffff)), bytes: 2)
        whole.append(entries.slice)
        whole.append(0xff)
        try body(whole.slice)
    }
}
