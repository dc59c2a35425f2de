internal import HoldfastBytes

/// Checks the structure of a packed list that comes in parts and isn't held: that every element is whole, has its length
/// behind it, and that there are as many as the list says. The picture is at `PackedList`.
struct PackedListStream {
    private enum State {
        case head
        case kind
        /// The rest of an element's length in front of its data, of so many bytes.
        case size(left: Int, value: Int, kind: UInt8)
        case data(left: Int, whole: Int)
        /// The length behind an element: the next byte's index, of so many.
        case backwards(index: Int, count: Int, whole: Int)
        case end
        case wrong
    }

    private var state = State.head
    private var head: [UInt8] = []
    private var total: UInt64 = 0
    private var offset: UInt64 = 0
    private(set) var count: UInt64 = 0

    init(total: UInt64) { self.total = total }

    /// Whether what came is a list, complete.
    var isWhole: Bool {
        guard case .end = state, offset == total else { return false }
        let told = UInt64(head[4]) | UInt64(head[5]) << 8
        return told == 0xffff || told == count
    }

    mutating func append(_ bytes: ByteSlice) {
        var position = 0
        while position < bytes.count {
            if case .wrong = state { return }
            if case .data(let left, let whole) = state {
                let step = min(left, bytes.count - position)
                position += step
                offset += UInt64(step)
                state = left == step ? Self.behind(whole) : .data(left: left - step, whole: whole)
                continue
            }
            take(bytes[position])
            position += 1
            offset += 1
        }
    }

    private static func behind(_ whole: Int) -> State {
        let count =
            whole <= 127
            ? 1 : whole < 16_383 ? 2 : whole < 2_097_151 ? 3 : whole < 268_435_455 ? 4 : 5
        return .backwards(index: 0, count: count, whole: whole)
    }

    private mutating func take(_ byte: UInt8) {
        switch state {
        case .head:
            head.append(byte)
            guard head.count == 6 else { return }
            let told = (0..<4).reduce(UInt64(0)) { $0 | UInt64(head[$1]) << UInt64(8 * $1) }
            state = told == total ? .kind : .wrong
        case .kind: takeKind(byte)
        case .size(let left, let value, let kind):
            let next =
                kind == 0xf0 ? value | Int(byte) << (8 * (4 - left)) : value << 8 | Int(byte)
            if left > 1 {
                state = .size(left: left - 1, value: next, kind: kind)
            } else {
                let header = kind == 0xf0 ? 5 : 2
                let whole = header + (kind == 0xf0 || kind >= 0xe0 ? next : 0)
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
                state = .kind
            } else {
                state = .backwards(index: index + 1, count: count, whole: whole)
            }
        case .data, .end, .wrong: state = .wrong
        }
    }

    private mutating func takeKind(_ byte: UInt8) {
        switch byte {
        case 0..<0x80: state = Self.behind(1)
        case 0x80..<0xc0:
            let size = Int(byte & 0x3f)
            state = size == 0 ? Self.behind(1) : .data(left: size, whole: 1 + size)
        case 0xc0..<0xe0: state = .data(left: 1, whole: 2)
        case 0xe0..<0xf0: state = .size(left: 1, value: Int(byte & 0x0f), kind: byte)
        case 0xf0: state = .size(left: 4, value: 0, kind: byte)
        case 0xf1: state = .data(left: 2, whole: 3)
        case 0xf2: state = .data(left: 3, whole: 4)
        case 0xf3: state = .data(left: 4, whole: 5)
        case 0xf4: state = .data(left: 8, whole: 9)
        case 0xff: state = .end
        default: state = .wrong
        }
    }
}
