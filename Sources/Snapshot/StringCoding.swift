internal import HoldfastBytes

/// RDB's strings:
///
///     length n, n bytes
///     0xC0, 1 byte; 0xC1, 2 bytes; 0xC2, 4 bytes      a signed number, the lowest byte first: its digits
///     0xC3, length c, length n, c bytes               n bytes compressed with LZF
///
/// Keys, members, auxiliary fields and packed values all go through it, and all forms are read everywhere.
enum StringCoding {
    static let int8: UInt8 = 0xc0
    static let int16: UInt8 = 0xc1
    static let int32: UInt8 = 0xc2
    static let lzf: UInt8 = 0xc3
    /// Longer ones spell no number of 32 bits.
    static let integerBytesMax = 11
}

extension SnapshotOutput {
    /// Writes a string: as a number if it spells one of 32 bits.
    @inline(__always)
    mutating func write(string bytes: ByteSlice) throws(SnapshotWriteError) {
        if bytes.count <= StringCoding.integerBytesMax, let value = DecimalText.parse(bytes),
            let small = Int32(exactly: value)
        {
            return write(encoded: small)
        }
        try write(blob: bytes)
    }

    /// Writes the digits of a number.
    mutating func write(string value: Int64) {
        if let small = Int32(exactly: value) { return write(encoded: small) }
        buffer.append(length: DecimalText.length(value))
        buffer.append(decimal: value)
    }

    private mutating func write(encoded value: Int32) {
        let bits = UInt64(UInt32(bitPattern: value))
        if Int8(exactly: value) != nil {
            buffer.append(StringCoding.int8)
            buffer.append(littleEndian: bits, bytes: 1)
        } else if Int16(exactly: value) != nil {
            buffer.append(StringCoding.int16)
            buffer.append(littleEndian: bits, bytes: 2)
        } else {
            buffer.append(StringCoding.int32)
            buffer.append(littleEndian: bits, bytes: 4)
        }
    }

    /// Writes bytes that never become a number: a packed value.
    @inline(__always)
    mutating func write(blob bytes: ByteSlice) throws(SnapshotWriteError) {
        if compressesStrings, bytes.count >= LZF.bytesMin, try writeCompressed(bytes) { return }
        buffer.append(length: bytes.count)
        try write(raw: bytes)
    }

    private mutating func writeCompressed(_ bytes: ByteSlice) throws(SnapshotWriteError) -> Bool {
        if trials?.isDue(bytes.count) == false { return false }
        scratch.removeAll()
        let size = LZF.compress(bytes, into: &scratch)
        trials?.note(bytes.count, gotShorter: size > 0)
        guard size > 0 else { return false }
        buffer.append(StringCoding.lzf)
        buffer.append(length: size)
        buffer.append(length: bytes.count)
        try write(raw: scratch.slice)
        return true
    }
}

extension SnapshotInput {
    /// Reads a string into a slot.
    @inline(__always)
    mutating func string(into slot: Slot) throws(ReadFault) {
        if let value = try stringOrInteger(into: slot) { put(value, into: slot) }
    }

    /// Reads a string into a slot, unless it is written as a number: then that is the result and the slot
    /// is left alone.
    @inline(__always)
    mutating func stringOrInteger(into slot: Slot) throws(ReadFault) -> Int64? {
        switch try lengthOrEncoding() {
        case .length(let length):
            guard let count = Int(exactly: length) else { throw fault(.endsEarly) }
            try bytes(count, into: slot)
            return nil
        case .encoding(let encoding):
            return try encodedString(encoding, into: slot)
        }
    }

    mutating func encodedString(
        _ encoding: UInt8, into slot: Slot
    ) throws(ReadFault) -> Int64? {
        switch LengthCoding.encodingMark | encoding {
        case StringCoding.int8:
            return Int64(Int8(truncatingIfNeeded: try littleEndian(1)))
        case StringCoding.int16:
            return Int64(Int16(truncatingIfNeeded: try littleEndian(2)))
        case StringCoding.int32:
            return Int64(Int32(truncatingIfNeeded: try littleEndian(4)))
        case StringCoding.lzf:
            let (compressed, expanded) = try compressedLengths()
            try expand(compressed, to: expanded, into: slot)
            return nil
        default:
            throw ReadFault(
                reason: .badStringEncoding, offset: offset - 1, detail: Int64(encoding))
        }
    }

    mutating func compressedLengths() throws(ReadFault) -> (Int, Int) {
        let start = offset
        let compressed = try length()
        let expanded = try length()
        guard let compressed = Int(exactly: compressed), let expanded = Int(exactly: expanded),
            compressed > 0, Int64(compressed) <= bytesLeftMax
        else { throw ReadFault(reason: .endsEarly, offset: start) }
        return (compressed, expanded)
    }

    /// Reads a string into a slot; if it is too long to hold, its bytes go to `part` as they come instead.
    ///
    /// - Parameter part: some of its bytes, and how many it has in all.
    /// - Returns: whether the slot has it.
    @inline(__always)
    mutating func string(
        into slot: Slot, orParts part: (ByteSlice, _ total: UInt64) -> Void
    ) throws(ReadFault) -> Bool {
        switch try lengthOrEncoding() {
        case .length(let length):
            guard let count = Int(exactly: length) else { throw fault(.endsEarly) }
            if _slowPath(count > heldBytesMax) {
                try forEachPart(count) { part($0, length) }
                return false
            }
            try bytes(count, into: slot)
        case .encoding(let encoding):
            guard LengthCoding.encodingMark | encoding == StringCoding.lzf else {
                if let value = try encodedString(encoding, into: slot) { put(value, into: slot) }
                return true
            }
            let (compressed, expanded) = try compressedLengths()
            if _slowPath(expanded > heldBytesMax) {
                try expand(compressed, to: expanded) { part($0, UInt64(expanded)) }
                return false
            }
            try expand(compressed, to: expanded, into: slot)
        }
        return true
    }

    /// Passes over a string without putting it together.
    mutating func skipString() throws(ReadFault) {
        switch try lengthOrEncoding() {
        case .length(let length):
            guard let count = Int(exactly: length) else { throw fault(.endsEarly) }
            try skip(count)
        case .encoding(let encoding):
            switch LengthCoding.encodingMark | encoding {
            case StringCoding.int8: try skip(1)
            case StringCoding.int16: try skip(2)
            case StringCoding.int32: try skip(4)
            case StringCoding.lzf: try skip(try compressedLengths().0)
            default:
                throw ReadFault(
                    reason: .badStringEncoding, offset: offset - 1, detail: Int64(encoding))
            }
        }
    }
}
