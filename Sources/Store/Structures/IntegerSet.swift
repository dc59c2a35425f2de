public import HoldfastBytes

/// A set of integers in one run of bytes, Redis's intset: a view that owns nothing.
///
///     u32 width of an element: 2, 4 or 8 | u32 number of elements | elements, signed, strictly ascending
///
/// All little endian. The width is that of the widest element there ever was. The bytes are trusted: what comes from
/// outside must have passed `isValid`.
@safe
public struct IntegerSet {
    public let bytes: ByteSlice

    static let headerBytes = 8

    @inline(__always)
    public init(_ bytes: ByteSlice) { self.bytes = bytes }

    // SAFETY of all loads: the bytes are a valid set (the type's rule) and indexes below its count.

    @inline(__always)
    var width: Int { Int(unsafe bytes.pointer.loadUnaligned(as: UInt32.self)) }

    /// The number of elements.
    @inline(__always)
    public var count: Int {
        Int(unsafe bytes.pointer.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    }

    public var byteCount: Int { bytes.count }
    public var isEmpty: Bool { count == 0 }
    public var min: Int64? { isEmpty ? nil : element(at: 0) }
    public var max: Int64? { isEmpty ? nil : element(at: count - 1) }

    /// The element with this rank, which must be below `count`.
    @inline(__always)
    public func element(at index: Int) -> Int64 {
        assert(index >= 0 && index < count)
        return unsafe Self.load(bytes.pointer + Self.headerBytes, index, width)
    }

    @inline(__always)
    @unsafe
    static func load(_ elements: UnsafeRawPointer, _ index: Int, _ width: Int) -> Int64 {
        switch width {
        case 2:
            Int64(unsafe elements.loadUnaligned(fromByteOffset: index &* 2, as: Int16.self))
        case 4:
            Int64(unsafe elements.loadUnaligned(fromByteOffset: index &* 4, as: Int32.self))
        default: unsafe elements.loadUnaligned(fromByteOffset: index &* 8, as: Int64.self)
        }
    }

    /// The width that an element needs.
    @inline(__always)
    static func width(of value: Int64) -> Int {
        Int16(exactly: value) != nil ? 2 : Int32(exactly: value) != nil ? 4 : 8
    }

    @inline(__always)
    public func contains(_ value: Int64) -> Bool { find(value).isFound }

    /// Where `value` is, or where it would be.
    @inline(__always)
    public func find(_ value: Int64) -> (index: Int, isFound: Bool) {
        let width = width
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) >> 1
            let found = unsafe Self.load(bytes.pointer + Self.headerBytes, middle, width)
            if found == value { return (middle, true) }
            if found < value { low = middle &+ 1 } else { high = middle }
        }
        return (low, false)
    }

    /// Whether `bytes` are an integer set, which is never empty in a file.
    ///
    /// - Parameter deep: checks the order of the elements as well. Without it a set is safe to read, but may be
    ///   none.
    public static func isValid(_ bytes: ByteSlice, deep: Bool = true) -> Bool {
        guard bytes.count > headerBytes else { return false }
        let set = IntegerSet(bytes)
        let width = set.width
        let (size, overflows) = set.count.multipliedReportingOverflow(by: width)
        guard width == 2 || width == 4 || width == 8, set.count > 0, !overflows,
            size == bytes.count - headerBytes, bytes.count <= PackedBlock.payloadBytesMax
        else { return false }
        if !deep { return true }
        for index in 1..<set.count where set.element(at: index - 1) >= set.element(at: index) {
            return false
        }
        return true
    }
}

// Changing an integer set. The block must be writable.

extension PackedBlock {
    /// Makes the payload a set without elements.
    public mutating func setEmptyIntegerSet() {
        reserve(IntegerSet.headerBytes)
        setIntegerHeader(width: 2, count: 0)
        shrink(IntegerSet.headerBytes)
    }

    /// A block with an empty set.
    static func makeIntegerSet(room: Int, epoch: UInt32) -> PackedBlock {
        var block = make(
            payload: ByteSlice(), room: Swift.max(room, IntegerSet.headerBytes), epoch: epoch)
        block.setEmptyIntegerSet()
        return block
    }

    private func setIntegerHeader(width: Int, count: Int) {
        // SAFETY: the payload of a set is at least its header.
        unsafe payloadPointer.storeBytes(of: UInt32(width), as: UInt32.self)
        unsafe payloadPointer.storeBytes(of: UInt32(count), toByteOffset: 4, as: UInt32.self)
    }

    @inline(__always)
    private func setInteger(_ value: Int64, at index: Int, width: Int) {
        let target = unsafe payloadPointer + IntegerSet.headerBytes
        // SAFETY: callers made room for the element.
        switch width {
        case 2:
            unsafe target.storeBytes(
                of: Int16(truncatingIfNeeded: value), toByteOffset: index &* 2, as: Int16.self)
        case 4:
            unsafe target.storeBytes(
                of: Int32(truncatingIfNeeded: value), toByteOffset: index &* 4, as: Int32.self)
        default: unsafe target.storeBytes(of: value, toByteOffset: index &* 8, as: Int64.self)
        }
    }

    /// Adds an element.
    ///
    /// - Returns: false if it was there.
    public mutating func insertInteger(_ value: Int64) -> Bool {
        let set = integerSet
        let needed = IntegerSet.width(of: value)
        if needed > set.width {
            widen(to: needed, adding: value)
            return true
        }
        let place = set.find(value)
        if place.isFound { return false }
        let width = set.width
        let count = set.count
        splice(
            at: IntegerSet.headerBytes + place.index * width, removing: 0, adding: width,
            of: set.byteCount)
        setInteger(value, at: place.index, width: width)
        setIntegerHeader(width: width, count: count + 1)
        return true
    }

    /// Gives all elements the greater width that `value` needs, and adds it: it is less or greater than all.
    private mutating func widen(to width: Int, adding value: Int64) {
        let oldWidth = integerSet.width
        let count = integerSet.count
        reserve(IntegerSet.headerBytes + (count + 1) * width)
        let shift = value < 0 ? 1 : 0
        // From the last on, for the elements move towards the end.
        for index in (0..<count).reversed() {
            // SAFETY: the old elements still lie where the old width puts them.
            let moved = unsafe IntegerSet.load(
                payloadPointer + IntegerSet.headerBytes, index, oldWidth)
            setInteger(moved, at: index + shift, width: width)
        }
        setInteger(value, at: shift == 1 ? 0 : count, width: width)
        setIntegerHeader(width: width, count: count + 1)
    }

    /// Removes an element.
    ///
    /// - Returns: false if it was not there.
    public mutating func removeInteger(_ value: Int64) -> Bool {
        let place = integerSet.find(value)
        if place.isFound { removeInteger(at: place.index) }
        return place.isFound
    }

    /// Removes the element with this rank.
    public mutating func removeInteger(at index: Int) {
        let set = integerSet
        let width = set.width
        let count = set.count
        precondition(index >= 0 && index < count, "no element at \(index) of \(count)")
        splice(
            at: IntegerSet.headerBytes + index * width, removing: width, adding: 0,
            of: set.byteCount)
        setIntegerHeader(width: width, count: count - 1)
    }
}
