internal import HoldfastBytes
internal import HoldfastPlatform

/// The RDB base that redis-server writes at its first start: header, auxiliary fields, end, checksum, and
/// no data. The only RDB content that this module reads.
enum EmptySnapshot {
    static let magic: StaticString = "REDIS"

    /// Where the RDB part at the start of `bytes` ends, or nil unless it is whole, intact and empty.
    static func end(in bytes: ByteSlice) -> Int? {
        guard bytes.count > 9, bytes.prefix(5) == ByteSlice(magic) else { return nil }
        var offset = 9
        while offset < bytes.count {
            let opcode = bytes[offset]
            offset += 1
            switch opcode {
            case 0xfa:
                guard let key = string(bytes, offset), let value = string(bytes, key) else {
                    return nil
                }
                offset = value
            case 0xff:
                guard offset + 8 <= bytes.count else { return nil }
                let sum = bytes.load64(at: offset)
                // Zero stands for "not computed".
                return sum == 0 || sum == CRC64.of(bytes.prefix(offset)) ? offset + 8 : nil
            default: return nil
            }
        }
        return nil
    }

    /// Where the string that begins at `offset` ends.
    private static func string(_ bytes: ByteSlice, _ offset: Int) -> Int? {
        guard offset < bytes.count else { return nil }
        let first = bytes[offset]
        let end: Int
        switch first {
        case 0x00...0x3f: end = offset + 1 + Int(first)
        case 0x40...0x7f:
            guard offset + 1 < bytes.count else { return nil }
            end = offset + 2 + Int(first & 0x3f) << 8 + Int(bytes[offset + 1])
        case 0xc0: end = offset + 2
        case 0xc1: end = offset + 3
        case 0xc2: end = offset + 5
        default: return nil
        }
        return end <= bytes.count ? end : nil
    }
}
