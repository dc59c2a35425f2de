internal import HoldfastBytes
internal import HoldfastPlatform

/// Finds where a file was damaged from its checksum alone.
///
/// A CRC is linear: what is stored xor what is computed depends only on which bits changed and how many bytes follow
/// them. So it is turned back byte by byte until what is left fits into two adjacent bytes: those changed, and so.
/// Chance finds a place in a sound file's neighbour once in 2⁴⁸ bytes.
struct BitLocator {
    /// What is at `offset` xor what was written there.
    struct Finding: Equatable {
        var offset: Int64
        var change: [UInt8]
        /// The checksum itself was damaged; all it covers is as it was written.
        var isInChecksum = false
    }

    private struct Tables {
        var forward: [UInt64] = []
        /// The index in `forward` for each highest byte, which are all different.
        var inverse = [UInt8](repeating: 0, count: 256)

        init() {
            // The reflected polynomial of CRC64.
            let polynomial: UInt64 = 0x95ac_9329_ac4b_c9b5
            for byte in 0..<256 {
                var value = UInt64(byte)
                for _ in 0..<8 { value = value & 1 != 0 ? value >> 1 ^ polynomial : value >> 1 }
                forward.append(value)
                inverse[Int(value >> 56)] = UInt8(byte)
            }
        }
    }

    private static let tables = Tables()

    /// - Parameters:
    ///   - computed: the checksum of the first `count` bytes of a file.
    ///   - stored: what stands behind them.
    func find(computed: UInt64, stored: UInt64, count: Int64, mayGoOn: () -> Bool = { true })
        -> Finding?
    {
        let difference = computed ^ stored
        guard difference != 0 else { return nil }
        for index in 0..<8 where difference & ~(0xff << UInt64(index * 8)) == 0 {
            return Finding(
                offset: count + Int64(index),
                change: [UInt8(truncatingIfNeeded: difference >> UInt64(index * 8))],
                isInChecksum: true)
        }
        let (table, inverse) = (Self.tables.forward, Self.tables.inverse)
        var state = difference
        var behind: Int64 = 0
        while behind < count {
            let index = inverse[Int(state >> 56)]
            state = (state ^ table[Int(index)]) << 8 | UInt64(index)
            behind += 1
            if state < 0x1_0000 {
                let first = UInt8(truncatingIfNeeded: state)
                let second = UInt8(truncatingIfNeeded: state >> 8)
                let offset = count - behind
                if second == 0 { return Finding(offset: offset, change: [first]) }
                // Its second byte may be the last one before the checksum, no further.
                if behind > 1 { return Finding(offset: offset, change: [first, second]) }
            }
            if behind & 0xff_ffff == 0, !mayGoOn() { return nil }
        }
        return nil
    }
}
