/// A seeded 64-bit hash for keys: multiply-and-fold rounds over 16 bytes at a time.
///
/// The seed is drawn at start, so a client that chooses keys can't choose collisions. Both factors of every
/// multiplication are masked with secrets: with a mask that is known, input that equals it makes the product
/// zero whatever the other factor is, and as many colliding keys as one likes. Equal bytes give equal hashes
/// within a process only; nothing on disk depends on it.
public struct ByteHash: Sendable {
    @usableFromInline let seed: UInt64
    @usableFromInline let mask: UInt64

    public init(seed: UInt64) {
        var state = seed
        func draw() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
        self.seed = draw()
        mask = draw()
    }

    @inlinable
    static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    @inlinable
    public func hash(_ bytes: ByteSlice) -> UInt64 {
        let count = bytes.count
        // SAFETY: every load below lies inside `count` bytes, as its branch checks.
        let base = unsafe bytes.pointer
        var state = seed
        var first: UInt64
        var second: UInt64
        if count <= 16 {
            if count >= 8 {
                unsafe first = base.loadUnaligned(as: UInt64.self)
                unsafe second = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            } else if count >= 4 {
                unsafe first = UInt64(base.loadUnaligned(as: UInt32.self))
                unsafe second = UInt64(
                    base.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            } else if count > 0 {
                let low = unsafe UInt64(base.load(as: UInt8.self))
                let middle = unsafe UInt64(base.load(fromByteOffset: count >> 1, as: UInt8.self))
                let high = unsafe UInt64(base.load(fromByteOffset: count - 1, as: UInt8.self))
                first = low << 45 | high
                second = middle
            } else {
                first = 0
                second = 0
            }
        } else {
            var offset = 0
            while count - offset > 16 {
                unsafe state = Self.fold(
                    base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                        ^ mask,
                    base.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self) ^ state)
                offset += 16
            }
            unsafe first = base.loadUnaligned(fromByteOffset: count - 16, as: UInt64.self)
            unsafe second = base.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        }
        let mixed = (first ^ mask).multipliedFullWidth(by: second ^ state)
        return Self.fold(
            mixed.low ^ 0x4b33_a62e_d433_d4a3, mixed.high ^ UInt64(truncatingIfNeeded: count) ^ seed
        )
    }
}
