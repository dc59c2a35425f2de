public import HoldfastBytes

/// A HyperLogLog that is being changed, apart from the key that it is for.
///
/// The changes are made step by step as Redis makes them, so that the bytes come out the same; for the sparse form
/// depends on the order of the changes.
public struct HyperLogLogDraft {
    public private(set) var bytes: [UInt8]
    /// A run could not be read or written: the bytes were no HyperLogLog. Nothing more can be done.
    public private(set) var isCorrupt = false
    /// `hll-sparse-max-bytes`: the longest string, header included, that stays sparse when it grows.
    private let sparseBytesMax: Int

    /// An empty one, with an estimate of 0.
    public init(sparseBytesMax: Int) {
        bytes = Array("HYLL".utf8) + [1] + Array(repeating: 0, count: 11) + [0x7F, 0xFF]
        self.sparseBytesMax = sparseBytesMax
    }

    /// A copy of a string that `HyperLogLog.isOne`.
    public init(_ bytes: ByteSlice, sparseBytesMax: Int) {
        self.bytes = bytes.copyToArray()
        self.sparseBytesMax = sparseBytesMax
    }

    public var isSparse: Bool { bytes[4] == 1 }

    /// Marks the estimate as out of date.
    public mutating func invalidateEstimate() { bytes[15] |= 0x80 }

    /// Keeps the estimate, which is up to date then.
    public mutating func setEstimate(_ estimate: UInt64) {
        for index in 0..<8 {
            bytes[8 + index] = UInt8(truncatingIfNeeded: estimate >> UInt64(8 * index))
        }
    }

    /// Raises a register to `value` if it is less.
    ///
    /// - Returns: whether it was.
    public mutating func raise(_ register: Int, to value: UInt8) -> Bool {
        isSparse ? raiseSparse(register, to: value) : raiseDense(register, to: value)
    }

    // MARK: Dense

    private mutating func raiseDense(_ register: Int, to value: UInt8) -> Bool {
        let old = bytes.withSlice { HyperLogLog.denseValue($0, register) }
        if old >= value { return false }
        let change = HyperLogLog.DenseChange(register, from: old, to: value)
        bytes[change.offset] ^= change.low
        if change.high != 0 { bytes[change.offset + 1] ^= change.high }
        return true
    }

    /// Makes the registers dense; corrupt if the runs are wrong.
    public mutating func makeDense() {
        guard isSparse else { return }
        var dense = Self(dense: bytes)
        let isWhole = bytes.withSlice { bytes in
            HyperLogLog.forEachRun(bytes) { first, count, value in
                guard value > 0 else { return }
                for register in first..<first + count {
                    _ = dense.raiseDense(register, to: value)
                }
            }
        }
        guard isWhole else {
            isCorrupt = true
            return
        }
        bytes = dense.bytes
    }

    /// A dense one without elements, with the header of a sparse one.
    private init(dense sparse: [UInt8]) {
        bytes =
            sparse[..<HyperLogLog.headerBytes]
            + Array(repeating: 0, count: HyperLogLog.denseBytes - HyperLogLog.headerBytes)
        bytes[4] = 0
        sparseBytesMax = 0
    }

    // MARK: Sparse

    private mutating func raiseSparse(_ register: Int, to value: UInt8) -> Bool {
        if value > HyperLogLog.runValueMax { return promote(register, value) }
        guard let found = find(register) else {
            isCorrupt = true
            return false
        }
        let run = found.run
        if run.value >= value { return false }
        if run.count == 1 {
            bytes[found.offset] = Self.run(of: value, 1)
        } else {
            var parts: [UInt8] = []
            Self.append(run.value, register - found.first, to: &parts)
            parts.append(Self.run(of: value, 1))
            Self.append(run.value, found.first + run.count - 1 - register, to: &parts)
            let growth = parts.count - run.byteCount
            if growth > 0, bytes.count + growth > sparseBytesMax { return promote(register, value) }
            bytes.replaceSubrange(found.offset..<found.offset + run.byteCount, with: parts)
        }
        joinRuns(from: found.previous ?? HyperLogLog.headerBytes)
        invalidateEstimate()
        return true
    }

    private mutating func promote(_ register: Int, _ value: UInt8) -> Bool {
        makeDense()
        return isCorrupt ? false : raiseDense(register, to: value)
    }

    private struct Found {
        var run: HyperLogLog.Run
        var offset: Int
        /// The run's first register.
        var first: Int
        /// Where the run before it is.
        var previous: Int?
    }

    private func find(_ register: Int) -> Found? {
        bytes.withSlice { bytes in
            var offset = HyperLogLog.headerBytes
            var first = 0
            var previous: Int?
            while offset < bytes.count, let run = HyperLogLog.Run(bytes, offset) {
                if register < first + run.count {
                    return Found(run: run, offset: offset, first: first, previous: previous)
                }
                previous = offset
                offset += run.byteCount
                first += run.count
            }
            return nil
        }
    }

    /// Appends a run of `count` registers, if any.
    private static func append(_ value: UInt8, _ count: Int, to parts: inout [UInt8]) {
        if count == 0 { return }
        if value > 0 {
            parts.append(run(of: value, count))
        } else if count > 64 {
            parts.append(0x40 | UInt8(truncatingIfNeeded: (count - 1) >> 8))
            parts.append(UInt8(truncatingIfNeeded: count - 1))
        } else {
            parts.append(UInt8(count - 1))
        }
    }

    /// A run of up to 4 registers of a value up to 32.
    private static func run(of value: UInt8, _ count: Int) -> UInt8 {
        0x80 | (value - 1) << 2 | UInt8(count - 1)
    }

    /// Joins neighbours of the same value where they fit into one run; looks at five runs only, as Redis does.
    private mutating func joinRuns(from offset: Int) {
        var offset = offset
        for _ in 0..<5 where offset < bytes.count {
            let run = bytes[offset]
            if run & 0x80 == 0 {
                offset += run & 0x40 == 0 ? 1 : 2
                continue
            }
            if offset + 1 < bytes.count, bytes[offset + 1] & 0xFC == run & 0xFC {
                let count = Int(run & 3) + Int(bytes[offset + 1] & 3) + 2
                if count <= 4 {
                    bytes[offset + 1] = Self.run(of: run >> 2 & 31 + 1, count)
                    bytes.remove(at: offset)
                    continue
                }
            }
            offset += 1
        }
    }
}

extension HyperLogLog {
    /// What to flip in a dense one's bytes to give a register another value.
    public struct DenseChange {
        public let offset: Int
        public let low: UInt8
        /// For the byte behind; 0 if there is nothing to flip.
        public let high: UInt8

        public init(_ register: Int, from old: UInt8, to new: UInt8) {
            let bit = register * 6
            offset = HyperLogLog.headerBytes + bit >> 3
            let pair = UInt16(old ^ new) << UInt16(bit & 7)
            low = UInt8(truncatingIfNeeded: pair)
            high = UInt8(truncatingIfNeeded: pair >> 8)
        }
    }
}
