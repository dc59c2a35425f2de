internal import HoldfastBytes

/// Expands LZF bit by bit, in memory that doesn't depend on the string's length.
///
///     000LLLLL               L + 1 literal bytes follow
///     LLLooooo o             L + 2 bytes from ooooo·256 + o + 1 bytes back, L from 1 to 6
///     111ooooo L o           L + 9 bytes from there
struct LZFStream: ~Copyable {
    private static let windowBytes = 1 << 13
    private static let outputBytes = 64 << 10

    /// What was expanded and not handed out yet, behind the last `windowBytes` of what was.
    private var output: [UInt8] = []
    private var handed = 0
    private var state = State.control
    /// Bytes of the string so far.
    private(set) var count: UInt64 = 0
    private let countMax: UInt64

    private enum State {
        case control
        case literal(Int)
        case length(high: Int)
        case distance(high: Int, length: Int)
    }

    init(countMax: UInt64) {
        self.countMax = countMax
        output.reserveCapacity(Self.windowBytes + Self.outputBytes + 512)
    }

    /// Whether the bytes so far end where a stream may end.
    var isComplete: Bool {
        if case .control = state { true } else { false }
    }

    /// Takes more of the stream and gives what it stands for to `body`, in parts.
    ///
    /// - Returns: false if this is no LZF, or more than `countMax` bytes.
    mutating func append(_ input: ByteSlice, _ body: (ByteSlice) -> Void) -> Bool {
        var position = 0
        while position < input.count {
            let byte = Int(input[position])
            switch state {
            case .control:
                position += 1
                let length = byte >> 5
                switch length {
                case 0: state = .literal(byte + 1)
                case 7: state = .length(high: byte & 31)
                default: state = .distance(high: byte & 31, length: length + 2)
                }
            case .literal(let left):
                let step = min(left, input.count - position)
                for index in 0..<step { output.append(input[position + index]) }
                count &+= UInt64(step)
                position += step
                state = step == left ? .control : .literal(left - step)
            case .length(let high):
                position += 1
                state = .distance(high: high, length: byte + 9)
            case .distance(let high, let length):
                position += 1
                let distance = high << 8 + byte + 1
                guard distance <= output.count else { return false }
                for _ in 0..<length { output.append(output[output.count - distance]) }
                count &+= UInt64(length)
                state = .control
            }
            guard count <= countMax else { return false }
            if output.count - handed >= Self.outputBytes { hand(body) }
        }
        hand(body)
        return true
    }

    private mutating func hand(_ body: (ByteSlice) -> Void) {
        output.withSlice { body($0.dropFirst(handed)) }
        if output.count > Self.windowBytes {
            output.removeFirst(output.count - Self.windowBytes)
        }
        handed = output.count
    }
}
