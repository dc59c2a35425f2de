internal import HoldfastBytes
internal import HoldfastPlatform

/// Where an item's bytes are kept while others are read.
enum Slot: Int {
    case key, first, second
}

/// Reads an RDB front to back: the bytes of a block where they lie, and those that span blocks put together
/// in a buffer that grows as they arrive, whatever length was announced.
///
/// `self[slot]` is valid until the slot is read into again; a slice taken from it until anything is read.
@safe
struct SnapshotInput: ~Copyable {
    /// The window: a block, or all the bytes.
    private var window = ByteSlice()
    private var position = 0
    /// Where the window begins.
    private var windowStart: Int64 = 0
    private let feed: BlockFeed?
    private var block: SnapshotBlock?
    /// The length of the source, if it is known.
    private let sourceBytes: Int64?
    /// All bytes together are no more than this.
    private var bytesMax: Int64
    private var held: InlineArray<3, Held> = InlineArray<3, Held>(repeating: Held())
    private var key = ByteBuffer()
    private var first = ByteBuffer()
    private var second = ByteBuffer()
    private var compressed = ByteBuffer()
    /// Takes the strings that are too long to hold, if there is a bound.
    private let longStrings: LongStrings?
    let heldBytesMax: Int
    /// The system call that failed, if one did.
    private(set) var systemError: SystemError?

    /// A slot's bytes: in the window, or in the slot's buffer.
    private struct Held {
        var slice = ByteSlice()
        var isInWindow = false
    }

    /// Reads `bytes`, which must stay as they are meanwhile.
    init(_ bytes: ByteSlice) {
        window = bytes
        feed = nil
        sourceBytes = nil
        bytesMax = Int64(bytes.count)
        longStrings = nil
        heldBytesMax = .max
    }

    /// Reads what `feed` makes of a source of so many bytes; they bound all lengths.
    ///
    /// - Parameter longStrings: takes the strings that are too long to hold.
    init(_ feed: BlockFeed, sourceBytes: Int64?, longStrings: LongStrings? = nil) {
        self.feed = feed
        self.sourceBytes = sourceBytes
        bytesMax = .max
        self.longStrings = longStrings
        heldBytesMax = longStrings?.heldBytesMax ?? .max
    }

    /// How many bytes were read into `slot`, which holds a token for them; nil if it holds the bytes themselves.
    func longCount(_ slot: Slot) -> UInt64? { longStrings?.item(self[slot])?.count }

    /// The first bytes of what was read into `slot`, whether it is held or not.
    func begin(of slot: Slot, bytesMax: Int) -> [UInt8] {
        if let item = longStrings?.item(self[slot]) { return Array(item.prefix.prefix(bytesMax)) }
        return self[slot].prefix(bytesMax).copyToArray()
    }

    /// The offset of the next byte.
    var offset: Int64 { windowStart + Int64(position) }

    /// The bytes come out of an LZ4 frame. Known once one was read.
    private(set) var isExpanded = false

    /// At most so many bytes are left.
    var bytesLeftMax: Int64 { bytesMax - offset }

    /// The checksum of all bytes before `offset`.
    var checksum: UInt64 {
        CRC64.update(block?.checksumBefore ?? 0, window.slice(0..<position))
    }

    subscript(_ slot: Slot) -> ByteSlice { held[slot.rawValue].slice }

    func fault(_ reason: ReadReason, detail: Int64 = 0) -> ReadFault {
        ReadFault(reason: reason, offset: offset, detail: detail)
    }

    // MARK: The window

    /// Gets the next block; false at the end. Only when the window is used up.
    private mutating func refill() throws(ReadFault) -> Bool {
        guard let feed else { return false }
        for slot in [Slot.key, .first, .second] where held[slot.rawValue].isInWindow {
            moveOut(slot)
        }
        let count = window.count
        do throws(FeedFailure) {
            guard let next = try feed.next(after: block) else {
                // The block went back.
                block = nil
                window = ByteSlice()
                windowStart += Int64(count)
                position = 0
                return false
            }
            block = next
            window = next.bytes.slice(0..<next.bytes.count)
            isExpanded = next.isExpanded
            if let sourceBytes {
                // An LZ4 frame may hold more than its own length, but not without bound.
                bytesMax =
                    isExpanded ? (sourceBytes + 64) &* LZ4Frame.expansionMax : sourceBytes
            }
        } catch {
            systemError = error.system
            throw ReadFault(reason: error.reason, offset: error.offset)
        }
        windowStart += Int64(count)
        position = 0
        return true
    }

    /// Copies a slot's bytes out of the window.
    private mutating func moveOut(_ slot: Slot) {
        var buffer = takeBuffer(slot)
        buffer.append(held[slot.rawValue].slice)
        keep(buffer, in: slot)
    }

    /// A slot's buffer, emptied; `keep` puts it back.
    private mutating func takeBuffer(_ slot: Slot) -> ByteBuffer {
        var buffer = ByteBuffer()
        switch slot {
        case .key: swap(&buffer, &key)
        case .first: swap(&buffer, &first)
        case .second: swap(&buffer, &second)
        }
        buffer.removeAll()
        if buffer.capacity > Self.keptBytesMax { buffer.reset() }
        return buffer
    }

    private mutating func keep(_ buffer: consuming ByteBuffer, in slot: Slot) {
        held[slot.rawValue] = Held(slice: buffer.slice, isInWindow: false)
        switch slot {
        case .key: key = buffer
        case .first: first = buffer
        case .second: second = buffer
        }
    }

    /// The memory that a slot keeps from one item to the next.
    private static let keptBytesMax = 16 << 20

    // MARK: Bytes and numbers

    @inline(__always)
    mutating func byte() throws(ReadFault) -> UInt8 {
        if _slowPath(position == window.count) { try more() }
        // SAFETY: `position` is below the window's count.
        let byte = unsafe window.pointer.load(fromByteOffset: position, as: UInt8.self)
        position &+= 1
        return byte
    }

    @inline(never)
    private mutating func more() throws(ReadFault) {
        while position == window.count {
            if try !refill() { throw fault(.endsEarly) }
        }
    }

    /// Whether anything is left.
    mutating func isAtEnd() throws(ReadFault) -> Bool {
        while position == window.count {
            if try !refill() { return true }
        }
        return false
    }

    /// A number of `count` bytes, at most 8, the lowest first.
    @inline(__always)
    mutating func littleEndian(_ count: Int) throws(ReadFault) -> UInt64 {
        if _fastPath(count == 8 && window.count - position >= 8) {
            position &+= 8
            return window.load64(at: position &- 8)
        }
        var value: UInt64 = 0
        for shift in 0..<count { value |= UInt64(try byte()) << UInt64(shift &* 8) }
        return value
    }

    mutating func bigEndian(_ count: Int) throws(ReadFault) -> UInt64 {
        var value: UInt64 = 0
        for _ in 0..<count { value = value << 8 | UInt64(try byte()) }
        return value
    }

    /// Reads `count` bytes into a slot.
    @inline(__always)
    mutating func bytes(_ count: Int, into slot: Slot) throws(ReadFault) {
        if _fastPath(window.count &- position >= count) {
            let slice = window.slice(position..<position &+ count)
            held[slot.rawValue] = Held(slice: slice, isInWindow: feed != nil)
            position &+= count
            return
        }
        try assemble(count, into: slot)
    }

    @inline(never)
    private mutating func assemble(_ count: Int, into slot: Slot) throws(ReadFault) {
        held[slot.rawValue] = Held()
        var buffer = takeBuffer(slot)
        if let longStrings, count > heldBytesMax {
            longStrings.begin(total: UInt64(count))
            try forEachPart(count) { longStrings.append($0) }
            longStrings.end(token: &buffer)
        } else {
            try gather(count, into: &buffer)
        }
        keep(buffer, in: slot)
    }

    /// Calls `body` with the next `count` bytes as they come.
    mutating func forEachPart(
        _ count: Int, _ body: (ByteSlice) -> Void
    ) throws(ReadFault) {
        guard count >= 0, Int64(count) <= bytesLeftMax else { throw fault(.endsEarly) }
        var left = count
        while left > 0 {
            if position == window.count, try !refill() { throw fault(.endsEarly) }
            let step = min(left, window.count - position)
            body(window.slice(position..<position + step))
            position += step
            left -= step
        }
    }

    /// Appends the next `count` bytes as they come.
    private mutating func gather(_ count: Int, into buffer: inout ByteBuffer) throws(ReadFault) {
        var gathered = ByteBuffer()
        swap(&gathered, &buffer)
        defer { swap(&gathered, &buffer) }
        try forEachPart(count) { gathered.append($0) }
    }

    /// Passes over `count` bytes.
    mutating func skip(_ count: Int) throws(ReadFault) {
        try forEachPart(count) { _ in }
    }

    /// Puts the decimal digits of `value` into a slot.
    mutating func put(_ value: Int64, into slot: Slot) {
        var buffer = takeBuffer(slot)
        buffer.append(decimal: value)
        keep(buffer, in: slot)
    }

    /// Reads `count` bytes of LZF that stand for `expanded` bytes, and puts those into a slot.
    mutating func expand(_ count: Int, to expanded: Int, into slot: Slot) throws(ReadFault) {
        if let longStrings, expanded > heldBytesMax {
            longStrings.begin(total: UInt64(expanded))
            try expand(count, to: expanded) { longStrings.append($0) }
            var buffer = takeBuffer(slot)
            longStrings.end(token: &buffer)
            return keep(buffer, in: slot)
        }
        let start = offset
        try checkExpansion(count, expanded)
        var isGood: Bool
        var buffer = takeBuffer(slot)
        if window.count - position >= count {
            let bytes = window.slice(position..<position + count)
            position += count
            isGood = LZF.expand(bytes, count: expanded, into: &buffer)
        } else {
            var gathered = ByteBuffer()
            swap(&gathered, &compressed)
            gathered.removeAll()
            try gather(count, into: &gathered)
            isGood = LZF.expand(gathered.slice, count: expanded, into: &buffer)
            if gathered.capacity <= Self.keptBytesMax { swap(&gathered, &compressed) }
        }
        guard isGood else { throw ReadFault(reason: .badLZF, offset: start) }
        keep(buffer, in: slot)
    }

    /// The same, giving the bytes to `body` as they come.
    mutating func expand(
        _ count: Int, to expanded: Int, _ body: (ByteSlice) -> Void
    ) throws(ReadFault) {
        let start = offset
        try checkExpansion(count, expanded)
        var stream = LZFStream(countMax: UInt64(expanded))
        var isGood = true
        try forEachPart(count) { part in
            isGood = isGood && stream.append(part) { body($0) }
        }
        guard isGood, stream.isComplete, stream.count == UInt64(expanded) else {
            throw ReadFault(reason: .badLZF, offset: start)
        }
    }

    /// Never room for more than the bytes at hand can stand for; and a stream is never much longer than what it
    /// stands for.
    private func checkExpansion(_ count: Int, _ expanded: Int) throws(ReadFault) {
        guard expanded > 0, expanded / LZF.expansionMax <= count, count / 2 <= expanded else {
            throw fault(.badLZF)
        }
    }

    /// Reads to the end of the source, so that an LZ4 frame's checksum is verified.
    mutating func drain() throws(ReadFault) {
        position = window.count
        while try refill() { position = window.count }
    }
}
