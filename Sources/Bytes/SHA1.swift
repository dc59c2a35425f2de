/// SHA-1 as FIPS 180-4 has it, for digests that other programs compare with theirs (DEBUG DIGEST, script
/// names). Not for security.
///
/// Our own, because the memory rooms may import nothing that isn't ground.
public enum SHA1 {
    /// The 160 bits, as five big-endian words.
    public struct Digest: Equatable, Sendable {
        var a: UInt32 = 0
        var b: UInt32 = 0
        var c: UInt32 = 0
        var d: UInt32 = 0
        var e: UInt32 = 0

        /// All zeros.
        public init() {}

        public static func ^ (left: Digest, right: Digest) -> Digest {
            var result = left
            result.a ^= right.a
            result.b ^= right.b
            result.c ^= right.c
            result.d ^= right.d
            result.e ^= right.e
            return result
        }

        /// The first 128 bits.
        public var halves: (UInt64, UInt64) {
            (UInt64(a) << 32 | UInt64(b), UInt64(c) << 32 | UInt64(d))
        }

        /// Forty hexadecimal digits in lower case.
        public var hex: String {
            let digits = Array("0123456789abcdef".utf8)
            var text: [UInt8] = []
            for word in [a, b, c, d, e] {
                for shift in stride(from: UInt32(28), through: 0, by: -4) {
                    text.append(digits[Int((word >> shift) & 15)])
                }
            }
            return String(decoding: text, as: UTF8.self)
        }
    }

    private typealias Block = InlineArray<16, UInt32>

    /// The digest of `bytes`.
    public static func hash(_ bytes: ByteSlice) -> Digest {
        var state = start
        var block = Block(repeating: 0)
        var offset = 0
        while bytes.count - offset >= 64 {
            for index in 0..<8 {
                let pair = bytes.load64(at: offset + index * 8).byteSwapped
                block[index * 2] = UInt32(truncatingIfNeeded: pair >> 32)
                block[index * 2 + 1] = UInt32(truncatingIfNeeded: pair)
            }
            compress(&state, &block)
            offset += 64
        }
        block = Block(repeating: 0)
        let rest = bytes.count - offset
        for index in 0..<rest {
            block[index / 4] |= UInt32(bytes[offset + index]) << UInt32(24 - index % 4 * 8)
        }
        block[rest / 4] |= 0x80 << UInt32(24 - rest % 4 * 8)
        if rest >= 56 {
            compress(&state, &block)
            block = Block(repeating: 0)
        }
        let bits = UInt64(bytes.count) &* 8
        block[14] = UInt32(truncatingIfNeeded: bits >> 32)
        block[15] = UInt32(truncatingIfNeeded: bits)
        compress(&state, &block)
        return state
    }

    /// The digest of a digest's 20 bytes.
    public static func hash(_ digest: Digest) -> Digest {
        var block = Block(repeating: 0)
        block[0] = digest.a
        block[1] = digest.b
        block[2] = digest.c
        block[3] = digest.d
        block[4] = digest.e
        block[5] = 0x8000_0000
        block[15] = 160
        var state = start
        compress(&state, &block)
        return state
    }

    /// The digest of a number's four bytes, the highest first.
    public static func hash(bigEndian number: UInt32) -> Digest {
        var block = Block(repeating: 0)
        block[0] = number
        block[1] = 0x8000_0000
        block[15] = 32
        var state = start
        compress(&state, &block)
        return state
    }

    /// The digest of bytes that come in parts.
    public struct Running: Sendable {
        private var state = SHA1.start
        private var waiting = InlineArray<64, UInt8>(repeating: 0)
        private var waitingCount = 0
        /// How many bytes came.
        public private(set) var count: UInt64 = 0

        public init() {}

        public mutating func append(_ bytes: ByteSlice) {
            count &+= UInt64(bytes.count)
            var rest = bytes
            if waitingCount > 0 {
                let taken = rest.prefix(64 - waitingCount)
                keep(taken)
                rest = rest.dropFirst(taken.count)
                guard waitingCount == 64 else { return }
                compressWaiting()
            }
            while rest.count >= 64 {
                var block = Block(repeating: 0)
                SHA1.fill(&block, from: rest)
                SHA1.compress(&state, &block)
                rest = rest.dropFirst(64)
            }
            keep(rest)
        }

        /// The digest of all that came so far.
        public var digest: Digest {
            var end = self
            end.pad()
            return end.state
        }

        private mutating func keep(_ bytes: ByteSlice) {
            for index in 0..<bytes.count { waiting[waitingCount + index] = bytes[index] }
            waitingCount += bytes.count
        }

        private mutating func compressWaiting() {
            var block = Block(repeating: 0)
            for index in 0..<64 {
                block[index / 4] |= UInt32(waiting[index]) << UInt32(24 - index % 4 * 8)
            }
            SHA1.compress(&state, &block)
            waitingCount = 0
        }

        private mutating func pad() {
            let bits = count &* 8
            waiting[waitingCount] = 0x80
            waitingCount += 1
            if waitingCount > 56 {
                for index in waitingCount..<64 { waiting[index] = 0 }
                compressWaiting()
            }
            for index in waitingCount..<56 { waiting[index] = 0 }
            for index in 0..<8 {
                waiting[56 + index] = UInt8(truncatingIfNeeded: bits >> UInt64(56 - index * 8))
            }
            compressWaiting()
        }
    }

    /// Fills a block with the first 64 of `bytes`.
    private static func fill(_ block: inout Block, from bytes: ByteSlice) {
        for index in 0..<8 {
            let pair = bytes.load64(at: index * 8).byteSwapped
            block[index * 2] = UInt32(truncatingIfNeeded: pair >> 32)
            block[index * 2 + 1] = UInt32(truncatingIfNeeded: pair)
        }
    }

    private static var start: Digest {
        var state = Digest()
        state.a = 0x6745_2301
        state.b = 0xefcd_ab89
        state.c = 0x98ba_dcfe
        state.d = 0x1032_5476
        state.e = 0xc3d2_e1f0
        return state
    }

    /// One block of 16 words; the schedule of 80 rolls through it, so the block is used up.
    private static func compress(_ state: inout Digest, _ block: inout Block) {
        var work = state
        for round in 0..<80 {
            let at = round & 15
            if round >= 16 {
                let mixed =
                    block[(round + 13) & 15] ^ block[(round + 8) & 15] ^ block[(round + 2) & 15]
                    ^ block[at]
                block[at] = mixed << 1 | mixed >> 31
            }
            let chosen: UInt32
            let constant: UInt32
            switch round {
            case 0..<20:
                chosen = (work.b & work.c) | (~work.b & work.d)
                constant = 0x5a82_7999
            case 20..<40:
                chosen = work.b ^ work.c ^ work.d
                constant = 0x6ed9_eba1
            case 40..<60:
                chosen = (work.b & work.c) | (work.b & work.d) | (work.c & work.d)
                constant = 0x8f1b_bcdc
            default:
                chosen = work.b ^ work.c ^ work.d
                constant = 0xca62_c1d6
            }
            let next =
                (work.a << 5 | work.a >> 27) &+ chosen &+ work.e &+ constant &+ block[at]
            work.e = work.d
            work.d = work.c
            work.c = work.b << 30 | work.b >> 2
            work.b = work.a
            work.a = next
        }
        state.a &+= work.a
        state.b &+= work.b
        state.c &+= work.c
        state.d &+= work.d
        state.e &+= work.e
    }
}
