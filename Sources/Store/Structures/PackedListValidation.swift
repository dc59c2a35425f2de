public import HoldfastBytes

// Reading a packed list that nobody vouches for.

extension PackedList {
    /// Whether `bytes` are a packed list.
    ///
    /// - Parameter deep: looks at every element; without it only at the header and the end mark, which is not
    ///   enough to read the list.
    public static func isValid(_ bytes: ByteSlice, deep: Bool) -> Bool {
        guard bytes.count > headerBytes, bytes.count <= PackedBlock.payloadBytesMax,
            number(bytes, 0, 4) == bytes.count, bytes[bytes.count - 1] == end
        else { return false }
        return !deep || walk(bytes) { _ in true }
    }

    /// Checks `bytes` from the first to the last and shows each element to `body`.
    ///
    /// - Parameter body: may end the walk by returning false.
    /// - Returns: whether all is as it should be and `body` always said true.
    public static func walk(_ bytes: ByteSlice, _ body: (PackedElement) -> Bool) -> Bool {
        guard isValid(bytes, deep: false) else { return false }
        let list = PackedList(bytes)
        let end = list.endOffset
        var offset = headerBytes
        var count = 0
        while offset < end {
            guard let data = dataBytes(bytes, at: offset, before: end) else { return false }
            let next = offset + data + lengthBytes(data)
            guard next <= end, isLength(data, bytes, before: next) else { return false }
            guard body(list[offset]) else { return false }
            offset = next
            count += 1
        }
        let told = number(bytes, 4, 2)
        return told == unknownCount || told == count
    }

    /// The bytes of the data that begins at `offset`; nil if its kind is unknown or it reaches `end`, where at
    /// least its length would have to begin.
    private static func dataBytes(_ bytes: ByteSlice, at offset: Int, before end: Int) -> Int? {
        let first = bytes[offset]
        let data: Int
        switch first {
        case 0..<0x80: data = 1
        case 0x80..<0xC0: data = 1 + Int(first & 0x3F)
        case 0xC0..<0xE0: data = 2
        case 0xE0..<0xF0:
            guard offset + 1 < end else { return nil }
            data = 2 + (Int(first & 0x0F) << 8 | Int(bytes[offset + 1]))
        case 0xF0:
            guard offset + 4 < end else { return nil }
            data = 5 + number(bytes, offset + 1, 4)
        case 0xF1: data = 3
        case 0xF2: data = 4
        case 0xF3: data = 5
        case 0xF4: data = 9
        default: return nil
        }
        return offset + data < end ? data : nil
    }

    /// Whether the bytes before `next` are the length `data` as the writer writes it.
    private static func isLength(_ data: Int, _ bytes: ByteSlice, before next: Int) -> Bool {
        var position = next
        var left = data
        for index in (0..<lengthBytes(data)).reversed() {
            position -= 1
            let wanted = UInt8(left & 0x7F) | (index == 0 ? 0 : 0x80)
            if bytes[position] != wanted { return false }
            left >>= 7
        }
        return true
    }

    /// A little-endian number of `count` bytes, which must lie inside.
    private static func number(_ bytes: ByteSlice, _ offset: Int, _ count: Int) -> Int {
        var number = 0
        for index in (0..<count).reversed() { number = number << 8 | Int(bytes[offset + index]) }
        return number
    }
}
