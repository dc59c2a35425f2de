internal import Glibc
public import HoldfastBytes

/// Estimates of how many different elements were added, byte for byte as Redis keeps them in strings.
///
///     0    "HYLL"
///     4    1: sparse, 0: dense
///     5    unused
///     8    the estimate as of the last count, u64 little endian; bit 63: out of date
///     16   registers
///
/// An element's hash chooses one of 16384 registers with its low 14 bits; the register keeps the greatest number of
/// trailing zeros, plus one, of the other bits. Dense registers are 6 bits each, from the low bits of the first byte
/// on. Sparse ones are runs:
///
///     00llllll            l + 1 registers are 0
///     01llllll l          l + 1 registers are 0, a 14-bit number, high bits first
///     1vvvvvll            l + 1 registers are v + 1
///
/// A string that claims to be one may have any bytes; whatever is wrong with the runs is nil here.
public enum HyperLogLog {
    public static let headerBytes = 16
    public static let registerCount = 16_384
    public static let denseBytes = headerBytes + registerCount * 6 / 8
    /// The greatest value that a run can have; greater ones make the registers dense.
    static let runValueMax: UInt8 = 32
    private static let hashSeed: UInt64 = 0xADC8_3B19

    // MARK: The header

    /// Whether a string has the header and, if dense, the length of one.
    public static func isOne(_ bytes: ByteSlice) -> Bool {
        guard bytes.count >= headerBytes, bytes.prefix(4) == ByteSlice("HYLL"), bytes[4] <= 1 else {
            return false
        }
        return isSparse(bytes) || bytes.count == denseBytes
    }

    public static func isSparse(_ bytes: ByteSlice) -> Bool { bytes[4] == 1 }

    /// The estimate of the last count, unless something was added since.
    public static func cachedEstimate(_ bytes: ByteSlice) -> UInt64? {
        let number = bytes.load64(at: 8)
        return number >> 63 == 0 ? number : nil
    }

    // MARK: Elements

    /// The register that an element chooses, and the value that it must have at least.
    @inline(__always)
    public static func place(of element: ByteSlice) -> (register: Int, value: UInt8) {
        let hash = hash(element)
        // The bit set on top ends the zeros.
        let rest = hash >> 14 | 1 << 50
        return (
            Int(truncatingIfNeeded: hash) & (registerCount - 1),
            UInt8(truncatingIfNeeded: rest.trailingZeroBitCount) &+ 1
        )
    }

    /// MurmurHash64A.
    private static func hash(_ bytes: ByteSlice) -> UInt64 {
        let factor: UInt64 = 0xC6A4_A793_5BD1_E995
        var hash = hashSeed ^ UInt64(bytes.count) &* factor
        var offset = 0
        while offset &+ 8 <= bytes.count {
            var word = bytes.load64(at: offset) &* factor
            word ^= word >> 47
            hash = (hash ^ word &* factor) &* factor
            offset &+= 8
        }
        if offset < bytes.count {
            var word: UInt64 = 0
            for index in (offset..<bytes.count).reversed() {
                word = word << 8 | UInt64(bytes[index])
            }
            hash = (hash ^ word) &* factor
        }
        hash ^= hash >> 47
        hash = hash &* factor
        return hash ^ hash >> 47
    }

    // MARK: Registers

    /// A register of a dense one.
    @inline(__always)
    public static func denseValue(_ bytes: ByteSlice, _ register: Int) -> UInt8 {
        let bit = register &* 6
        let offset = headerBytes &+ bit >> 3
        var pair = UInt16(bytes[offset])
        // The last register ends with the last byte.
        if offset &+ 1 < bytes.count { pair |= UInt16(bytes[offset &+ 1]) << 8 }
        return UInt8(truncatingIfNeeded: pair >> UInt16(bit & 7)) & 63
    }

    /// A stretch of registers with the same value.
    struct Run {
        var value: UInt8
        var count: Int
        /// The bytes that it takes: 2 if it has the long form.
        var byteCount: Int

        /// The run at `offset`; nil if the string ends within it.
        @inline(__always)
        init?(_ bytes: ByteSlice, _ offset: Int) {
            let first = bytes[offset]
            if first & 0xC0 == 0 {
                (value, count, byteCount) = (0, Int(first & 63) + 1, 1)
            } else if first & 0x80 != 0 {
                (value, count, byteCount) = (first >> 2 & 31 + 1, Int(first & 3) + 1, 1)
            } else {
                guard offset + 1 < bytes.count else { return nil }
                value = 0
                count = (Int(first & 63) << 8 | Int(bytes[offset + 1])) + 1
                byteCount = 2
            }
        }
    }

    /// Runs `body` with each run of a sparse one: the first register, their number, their value.
    ///
    /// - Returns: false if they don't make up all registers exactly.
    static func forEachRun(_ bytes: ByteSlice, _ body: (Int, Int, UInt8) -> Void) -> Bool {
        var offset = headerBytes
        var register = 0
        while offset < bytes.count {
            guard let run = Run(bytes, offset), register + run.count <= registerCount else {
                return false
            }
            body(register, run.count, run.value)
            register += run.count
            offset += run.byteCount
        }
        return register == registerCount
    }

    /// Raises each of `registers` to what it is in `bytes`.
    ///
    /// - Returns: false if the runs are wrong; then some registers may have been raised.
    public static func merge(_ bytes: ByteSlice, into registers: inout [UInt8]) -> Bool {
        if isSparse(bytes) {
            return forEachRun(bytes) { first, count, value in
                guard value > 0 else { return }
                for register in first..<first + count where registers[register] < value {
                    registers[register] = value
                }
            }
        }
        for register in 0..<registerCount {
            registers[register] = max(registers[register], denseValue(bytes, register))
        }
        return true
    }

    /// The runs as text, as Redis shows them for debugging: `Z:` and `z:` for zeros, `v:value,count`.
    public static func describe(_ bytes: ByteSlice) -> String {
        var words: [String] = []
        var offset = headerBytes
        while offset < bytes.count, let run = Run(bytes, offset) {
            let zeros = run.byteCount == 2 ? "Z" : "z"
            words.append(run.value == 0 ? "\(zeros):\(run.count)" : "v:\(run.value),\(run.count)")
            offset += run.byteCount
        }
        return words.joined(separator: " ")
    }

    // MARK: The estimate

    /// How many registers have each value.
    private typealias Histogram = InlineArray<64, Int>

    /// The estimated number of different elements; nil if the runs are wrong.
    public static func estimate(_ bytes: ByteSlice) -> UInt64? {
        var histogram = Histogram(repeating: 0)
        if isSparse(bytes) {
            let isWhole = forEachRun(bytes) { _, count, value in histogram[Int(value)] += count }
            return isWhole ? estimate(histogram) : nil
        }
        // Eight registers are six bytes; the last ones can't be loaded as a word.
        var offset = headerBytes
        while offset + 8 <= bytes.count {
            var word = bytes.load64(at: offset)
            for _ in 0..<8 {
                histogram[Int(truncatingIfNeeded: word & 63)] &+= 1
                word >>= 6
            }
            offset += 6
        }
        for register in (offset - headerBytes) / 6 * 8..<registerCount {
            histogram[Int(denseValue(bytes, register))] += 1
        }
        return estimate(histogram)
    }

    /// The estimate for registers that `merge` raised.
    public static func estimate(_ registers: [UInt8]) -> UInt64 {
        var histogram = Histogram(repeating: 0)
        for value in registers { histogram[Int(value & 63)] += 1 }
        return estimate(histogram)
    }

    /// Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, algorithm 6. The
    /// operations stand in Redis's order: the last bit of the result depends on it.
    private static func estimate(_ histogram: Histogram) -> UInt64 {
        let count = Double(registerCount)
        var sum = count * tau((count - Double(histogram[51])) / count)
        for value in (1...50).reversed() {
            sum += Double(histogram[value])
            sum *= 0.5
        }
        sum += count * sigma(Double(histogram[0]) / count)
        let estimate = (0.721347520444481703680 * count * count / sum).rounded()
        // What a processor makes of a number that no integer can hold. Only forged registers come to that.
        return UInt64(exactly: estimate) ?? 1 << 63
    }

    private static func sigma(_ share: Double) -> Double {
        if share == 1 { return .infinity }
        var share = share
        var weight = 1.0
        var sum = share
        while true {
            share *= share
            let before = sum
            sum += share * weight
            weight += weight
            if sum == before { return sum }
        }
    }

    private static func tau(_ share: Double) -> Double {
        if share == 0 || share == 1 { return 0 }
        var share = share
        var weight = 1.0
        var sum = 1 - share
        while true {
            share = share.squareRoot()
            let before = sum
            weight *= 0.5
            sum -= (1 - share) * (1 - share) * weight
            if sum == before { return sum / 3 }
        }
    }
}
