internal import HoldfastBytes
internal import Store

/// Takes a packed list apart while its bytes come, holding one element at a time, and checks its structure: that every
/// element is whole, has its length behind it, and that there are as many as the list says. The picture is at `PackedList`.
struct PackedListStream {
    private enum State {
        case head
        case kind
        /// The rest of an element's length in front of its data, of so many bytes.
        case size(left: Int, value: Int)
        case data(left: Int, whole: Int)
        /// The length behind an element: the next byte's index, of so many.
        case backwards(index: Int, count: Int, whole: Int)
        case end
        case wrong
    }

    private var state = State.head
    private var head: [UInt8] = []
    private let total: UInt64
    private var offset: UInt64 = 0
    private var count: UInt64 = 0
    /// The first byte of the element at hand, and its data as far as they are held.
    private var kind: UInt8 = 0
    private var data: [UInt8] = []
    private let elementBytesMax: Int

    /// - Parameter elementBytesMax: longer elements are not held.
    init(total: UInt64, elementBytesMax: Int) {
        self.total = total
        self.elementBytesMax = elementBytesMax
    }

    /// Whether what came is a list, complete.
    var isWhole: Bool {
        guard case .end = state, offset == total else { return false }
        return toldCount == 0xffff || toldCount == Int(clamping: count)
    }

    /// The number of elements, as the list says it; 65535 for so many or more.
    private var toldCount: Int { head.count < 6 ? 0 : Int(head[4]) | Int(head[5]) << 8 }

    /// - Parameter body: is given each element when it is complete, nil for one that is too long to hold; and how many
    ///   elements the list says it has, 65535 for so many or more.
    mutating func append(_ bytes: ByteSlice, _ body: (PackedElement?, _ toldCount: Int) -> Void) {
        var position = 0
        while position < bytes.count {
            if case .wrong = state { return }
            if case .data(let left, let whole) = state {
                let step = min(left, bytes.count - position)
                if whole <= elementBytesMax {
                    data += bytes.slice(position..<position + step).copyToArray()
                }
                position += step
                offset += UInt64(step)
                state = left == step ? Self.behind(whole) : .data(left: left - step, whole: whole)
                continue
            }
            take(bytes[position], body)
            position += 1
            offset += 1
        }
    }

    private func give(isHeld: Bool, _ body: (PackedElement?, _ toldCount: Int) -> Void) {
        switch kind {
        case 0..<0x80: body(.integer(Int64(kind)), toldCount)
        case 0xc0..<0xe0: body(.integer(signed([data[0], kind & 0x1f], bits: 13)), toldCount)
        case 0xf1...0xf4: body(.integer(signed(data, bits: data.count * 8)), toldCount)
        case _ where isHeld: data.withSlice { body(.bytes($0), toldCount) }
        default: body(nil, toldCount)
        }
    }

    /// A number of so many bits, the lowest byte first.
    private func signed(_ bytes: [UInt8], bits: Int) -> Int64 {
        var value: UInt64 = 0
        for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
        return Int64(bitPattern: value << UInt64(64 - bits)) >> Int64(64 - bits)
    }

    private static func behind(_ whole: Int) -> State {
        let count =
            whole <= 127
            ? 1 : whole < 16_383 ? 2 : whole < 2_097_151 ? 3 : whole < 268_435_455 ? 4 : 5
        return .backwards(index: 0, count: count, whole: whole)
    }

    private mutating func take(_ byte: UInt8, _ body: (PackedElement?, _ toldCount: Int) -> Void) {
        switch state {
        case .head:
            head.append(byte)
            guard head.count == 6 else { return }
            let told = (0..<4).reduce(UInt64(0)) { $0 | UInt64(head[$1]) << UInt64(8 * $1) }
            state = told == total ? .kind : .wrong
        case .kind: takeKind(byte)
        case .size(let left, let value):
            let next =
                kind == 0xf0 ? value | Int(byte) << (8 * (4 - left)) : value << 8 | Int(byte)
            if left > 1 {
                state = .size(left: left - 1, value: next)
            } else {
                let header = kind == 0xf0 ? 5 : 2
                let whole = header + next
                state =
                    whole == header ? Self.behind(whole) : .data(left: whole - header, whole: whole)
            }
        case .backwards(let index, let count, let whole):
            let wanted =
                UInt8(whole >> (7 * (count - 1 - index)) & 0x7f) | (index == 0 ? 0 : 0x80)
            guard byte == wanted else {
                state = .wrong
                return
            }
            if index + 1 == count {
                self.count += 1
                give(isHeld: whole <= elementBytesMax, body)
                state = .kind
            } else {
                state = .backwards(index: index + 1, count: count, whole: whole)
            }
        case .data, .end, .wrong: state = .wrong
        }
    }

    private mutating func takeKind(_ byte: UInt8) {
        kind = byte
        data.removeAll(keepingCapacity: true)
        switch byte {
        case 0..<0x80: state = Self.behind(1)
        case 0x80..<0xc0:
            let size = Int(byte & 0x3f)
            state = size == 0 ? Self.behind(1) : .data(left: size, whole: 1 + size)
        case 0xc0..<0xe0: state = .data(left: 1, whole: 2)
        case 0xe0..<0xf0: state = .size(left: 1, value: Int(byte & 0x0f))
        case 0xf0: state = .size(left: 4, value: 0)
        case 0xf1: state = .data(left: 2, whole: 3)
        case 0xf2: state = .data(left: 3, whole: 4)
        case 0xf3: state = .data(left: 4, whole: 5)
        case 0xf4: state = .data(left: 8, whole: 9)
        case 0xff: state = .end
        default: state = .wrong
        }
    }
}
