internal import Glibc
public import HoldfastBytes

// Changing a packed list. The block must be writable, and a source must not lie in the block itself. Callers that
// deal with long values check `canAdd` or their own limits first: beyond 1 GiB there is a trap.

extension PackedList {
    /// The bytes that an element takes up in a list; an integer's digits are recognised as such.
    public static func encodedSize(of bytes: ByteSlice) -> Int {
        ElementForm(bytes).elementBytes
    }

    /// The bytes that an integer takes up in a list.
    public static func encodedSize(of integer: Int64) -> Int { ElementForm(integer).elementBytes }

    /// Whether `bytes` more keep the list within the greatest length there is.
    public func canAdd(_ bytes: Int) -> Bool { byteCount + bytes <= PackedBlock.payloadBytesMax }
}

/// How an element is written.
@safe
struct ElementForm {
    private let integer: Int64
    /// The bytes, unless the element is an integer.
    private let bytes: ByteSlice
    /// The first byte, or its fixed bits.
    private let kind: UInt8
    private let dataBytes: Int

    @inline(__always)
    init(_ bytes: ByteSlice) {
        if bytes.count <= 20, let integer = DecimalText.parse(bytes) {
            self.init(integer)
        } else {
            self.init(text: bytes)
        }
    }

    @inline(__always)
    private init(text bytes: ByteSlice) {
        integer = 0
        self.bytes = bytes
        switch bytes.count {
        case ..<64:
            kind = 0x80
            dataBytes = 1 + bytes.count
        case ..<4096:
            kind = 0xE0
            dataBytes = 2 + bytes.count
        default:
            kind = 0xF0
            dataBytes = 5 + bytes.count
        }
    }

    @inline(__always)
    init(_ integer: Int64) {
        self.integer = integer
        bytes = ByteSlice()
        switch integer {
        case 0...127:
            kind = 0
            dataBytes = 1
        case -4096...4095:
            kind = 0xC0
            dataBytes = 2
        case -0x8000...0x7FFF:
            kind = 0xF1
            dataBytes = 3
        case -0x80_0000...0x7F_FFFF:
            kind = 0xF2
            dataBytes = 4
        case -0x8000_0000...0x7FFF_FFFF:
            kind = 0xF3
            dataBytes = 5
        default:
            kind = 0xF4
            dataBytes = 9
        }
    }

    @inline(__always)
    var elementBytes: Int { dataBytes + PackedList.lengthBytes(dataBytes) }

    /// Writes `elementBytes` bytes.
    @inline(__always)
    @unsafe
    func write(_ target: UnsafeMutableRawPointer) {
        // SAFETY: the caller has `elementBytes` bytes at `target`.
        switch kind {
        case 0: unsafe target.storeBytes(of: UInt8(truncatingIfNeeded: integer), as: UInt8.self)
        case 0x80:
            unsafe target.storeBytes(of: kind | UInt8(bytes.count), as: UInt8.self)
            unsafe (target + 1).copyMemory(from: bytes.pointer, byteCount: bytes.count)
        case 0xC0:
            let bits = (UInt16(truncatingIfNeeded: integer) & 0x1FFF) | 0xC000
            unsafe target.storeBytes(of: bits.bigEndian, as: UInt16.self)
        case 0xE0:
            let bits = UInt16(truncatingIfNeeded: bytes.count) | 0xE000
            unsafe target.storeBytes(of: bits.bigEndian, as: UInt16.self)
            unsafe (target + 2).copyMemory(from: bytes.pointer, byteCount: bytes.count)
        case 0xF0:
            unsafe target.storeBytes(of: kind, as: UInt8.self)
            unsafe target.storeBytes(
                of: UInt32(bytes.count), toByteOffset: 1, as: UInt32.self)
            unsafe (target + 5).copyMemory(from: bytes.pointer, byteCount: bytes.count)
        default:
            unsafe target.storeBytes(of: kind, as: UInt8.self)
            var left = integer
            for index in 1..<dataBytes {
                unsafe target.storeBytes(
                    of: UInt8(truncatingIfNeeded: left), toByteOffset: index, as: UInt8.self)
                left >>= 8
            }
        }
        unsafe writeLength(target + dataBytes)
    }

    @inline(__always)
    @unsafe
    private func writeLength(_ target: UnsafeMutableRawPointer) {
        // SAFETY: the caller has as many bytes at `target` as `lengthBytes` says.
        if dataBytes <= 127 {
            unsafe target.storeBytes(of: UInt8(dataBytes), as: UInt8.self)
            return
        }
        var left = dataBytes
        for index in (0..<PackedList.lengthBytes(dataBytes)).reversed() {
            let byte = UInt8(left & 0x7F) | (index == 0 ? 0 : 0x80)
            unsafe target.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
            left >>= 7
        }
    }
}

extension PackedBlock {
    /// A block with an empty list.
    ///
    /// - Parameter room: payload bytes that shall fit.
    static func makeList(room: Int, epoch: UInt32) -> PackedBlock {
        let empty = PackedList.empty.bytes
        return make(payload: empty, room: max(room, empty.count), epoch: epoch)
    }

    /// Makes the payload an empty list.
    public mutating func setEmptyList() { setPayload(PackedList.empty.bytes) }

    // MARK: Adding

    public mutating func append(_ bytes: ByteSlice) {
        insert(ElementForm(bytes), at: list.endOffset)
    }

    public mutating func append(integer: Int64) {
        insert(ElementForm(integer), at: list.endOffset)
    }

    public mutating func prepend(_ bytes: ByteSlice) {
        insert(ElementForm(bytes), at: PackedList.headerBytes)
    }

    public mutating func prepend(integer: Int64) {
        insert(ElementForm(integer), at: PackedList.headerBytes)
    }

    /// Inserts an element before the one at `offset`, whose offset the new one has then; at the end for the
    /// list's `endOffset`.
    public mutating func insert(_ bytes: ByteSlice, before offset: Int) {
        insert(ElementForm(bytes), at: offset)
    }

    public mutating func insert(integer: Int64, before offset: Int) {
        insert(ElementForm(integer), at: offset)
    }

    /// Inserts an element behind the one at `offset`.
    ///
    /// - Returns: the new element's offset.
    @discardableResult
    public mutating func insert(_ bytes: ByteSlice, after offset: Int) -> Int {
        let next = offset + list.elementBytes(at: offset)
        insert(ElementForm(bytes), at: next)
        return next
    }

    @inline(__always)
    private mutating func insert(_ form: ElementForm, at offset: Int) {
        put(form, at: offset, over: 0, addedCount: 1)
    }

    // MARK: Replacing

    /// Puts `bytes` in place of the element at `offset`, which stays its offset.
    public mutating func replace(at offset: Int, with bytes: ByteSlice) {
        put(ElementForm(bytes), at: offset, over: list.elementBytes(at: offset), addedCount: 0)
    }

    public mutating func replace(at offset: Int, with integer: Int64) {
        put(ElementForm(integer), at: offset, over: list.elementBytes(at: offset), addedCount: 0)
    }

    @inline(__always)
    private mutating func put(
        _ form: ElementForm, at offset: Int, over removed: Int, addedCount: Int
    ) {
        let byteCount = list.byteCount
        let added = form.elementBytes
        splice(at: offset, removing: removed, adding: added, of: byteCount)
        // SAFETY: `splice` made `added` bytes at `offset`.
        unsafe form.write(payloadPointer + offset)
        setHeader(byteCount: byteCount - removed + added, addedCount: addedCount)
    }

    // MARK: Removing

    /// Removes `count` elements from the one at `offset` on, or as many as there are.
    ///
    /// - Returns: where the element behind them is now, which is `offset`; nil if they were the last.
    @discardableResult
    public mutating func delete(at offset: Int, elements count: Int = 1) -> Int? {
        let list = list
        var end = offset
        var deleted = 0
        while deleted < count, end < list.endOffset {
            end += list.elementBytes(at: end)
            deleted += 1
        }
        cut(offset..<end, elements: deleted)
        return offset < self.list.endOffset ? offset : nil
    }

    /// Removes up to `count` elements from the one with `index` on, negative from the end.
    public mutating func deleteRange(index: Int, count: Int) {
        guard count > 0, let offset = list.offset(ofIndex: index) else { return }
        delete(at: offset, elements: count)
    }

    /// Removes the elements that lie in this range of offsets.
    private mutating func cut(_ range: Range<Int>, elements: Int) {
        guard !range.isEmpty else { return }
        let byteCount = list.byteCount
        splice(at: range.lowerBound, removing: range.count, adding: 0, of: byteCount)
        setHeader(byteCount: byteCount - range.count, addedCount: -elements)
    }

    // MARK: Parting and joining

    /// Keeps the elements before the one at `offset` and gives the others in a block of their own.
    ///
    /// - Parameter epoch: the new block's birth epoch.
    mutating func split(at offset: Int, epoch: UInt32) -> PackedBlock {
        let list = list
        let moved = list.bytes.slice(offset..<list.endOffset)
        var second = Self.makeList(room: moved.count + PackedList.headerBytes + 1, epoch: epoch)
        second.appendElements(moved, count: nil)
        cut(offset..<list.endOffset, elements: 0)
        recount()
        return second
    }

    /// Appends the elements of another list.
    public mutating func append(contentsOf other: PackedList) {
        appendElements(
            other.bytes.slice(PackedList.headerBytes..<other.endOffset), count: other.knownCount)
    }

    /// Puts the elements of another list before those here.
    public mutating func prepend(contentsOf other: PackedList) {
        insertElements(
            other.bytes.slice(PackedList.headerBytes..<other.endOffset), count: other.knownCount,
            at: PackedList.headerBytes)
    }

    private mutating func appendElements(_ elements: ByteSlice, count: Int?) {
        insertElements(elements, count: count, at: list.endOffset)
    }

    private mutating func insertElements(_ elements: ByteSlice, count: Int?, at offset: Int) {
        let byteCount = list.byteCount
        splice(at: offset, removing: 0, adding: elements.count, of: byteCount)
        // SAFETY: `splice` made room at `offset`.
        unsafe (payloadPointer + offset).copyMemory(
            from: elements.pointer, byteCount: elements.count)
        setHeader(byteCount: byteCount + elements.count, addedCount: count ?? 0)
        if count == nil { recount() }
    }

    // MARK: The header

    @inline(__always)
    func setHeader(byteCount: Int, addedCount: Int) {
        // SAFETY: the payload of a list is at least its header.
        unsafe payloadPointer.storeBytes(of: UInt32(byteCount), as: UInt32.self)
        if let count = list.knownCount {
            setCount(count + addedCount)
        } else if addedCount < 0, byteCount < 2 * PackedList.unknownCount + 7 {
            // Elements take at least 2 bytes, so they can be told again. Else counting would never stop.
            recount()
        }
    }

    private func recount() {
        setCount(PackedList.unknownCount)
        setCount(list.count)
    }

    @inline(__always)
    private func setCount(_ count: Int) {
        assert(count >= 0)
        unsafe payloadPointer.storeBytes(
            of: UInt16(min(count, PackedList.unknownCount)), toByteOffset: 4, as: UInt16.self)
    }
}
