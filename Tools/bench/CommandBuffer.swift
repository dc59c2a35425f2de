/// The bytes of any commands in a row, with how many lines their replies have together.
struct CommandBuffer {
    private(set) var bytes: [UInt8] = []
    private(set) var replyLines = 0

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        replyLines = 0
    }

    /// Begins a command of as many words; `word` must follow as often.
    /// - Parameter replyLines: 1 for a status or number, 2 for a string.
    mutating func command(_ name: String, words: Int, replyLines: Int = 1) {
        bytes += "*\(words + 1)\r\n".utf8
        self.replyLines += replyLines
        word(name)
    }

    mutating func word(_ text: String) {
        bytes += "$\(text.utf8.count)\r\n\(text)\r\n".utf8
    }

    /// `prefix` and `number`, which is not negative, in at least `digits` digits.
    mutating func word(_ prefix: String, _ number: Int, digits: Int = 1) {
        let text = String(number)
        word(prefix + String(repeating: "0", count: max(0, digits - text.utf8.count)) + text)
    }

    /// A text of 100 bytes that compresses about as well as what applications store; another for each number.
    mutating func record(_ number: Int) {
        let mixed = hash(number)
        let hex = String(mixed | 1 << 63, radix: 16)
        let text =
            #"{"id":\#(1_000_000_000 + number),"name":"user-\#(hex.prefix(8))","mail":"\#(hex)@example.com","on":true,"at":"#
        bytes += "$100\r\n".utf8
        let start = bytes.count
        bytes += text.utf8
        bytes += String(mixed % 10_000_000_000).utf8
        while bytes.count < start + 99 { bytes.append(UInt8(ascii: " ")) }
        bytes.removeLast(bytes.count - start - 99)
        bytes += "}\r\n".utf8
    }
}

/// Sends what `build` makes of each number, in pipelines, each after the replies to the one before.
func pipeline(
    _ connection: Connection, _ numbers: Range<Int>, batch: Int = 512,
    _ build: (inout CommandBuffer, Int) -> Void
) throws {
    var buffer = CommandBuffer()
    var next = numbers.lowerBound
    while next < numbers.upperBound {
        let end = min(next + batch, numbers.upperBound)
        buffer.removeAll()
        for number in next..<end { build(&buffer, number) }
        try connection.send(buffer.bytes)
        try connection.receiveLines(buffer.replyLines)
        next = end
    }
}

/// The numbers below `count` in another order, each once.
func scrambled(_ number: Int, below count: Int) -> Int {
    // A prime that divides no size used here.
    number &* 7_368_787 % count
}

/// A number that looks random.
private func hash(_ number: Int) -> UInt64 {
    let first = UInt64(truncatingIfNeeded: number &+ 1) &* 0x9e37_79b9_7f4a_7c15
    let second = (first ^ (first >> 30)) &* 0xbf58_476d_1ce4_e5b9
    return second ^ (second >> 27)
}
