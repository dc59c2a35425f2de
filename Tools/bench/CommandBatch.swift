/// The bytes of some commands in a row that differ only in the number in their key: `key:` and twelve digits,
/// as redis-benchmark names its keys.
struct CommandBatch {
    private(set) var bytes: [UInt8] = []
    let count: Int
    private let stride: Int
    private let digits: Int

    private static let keyStart = "$16\r\nkey:"

    static func set(valueBytes: Int, count: Int) -> CommandBatch {
        let value = String(repeating: "x", count: valueBytes)
        return CommandBatch(
            head: "*3\r\n$3\r\nSET\r\n", tail: "\r\n$\(valueBytes)\r\n\(value)\r\n", count: count)
    }

    static func get() -> CommandBatch {
        CommandBatch(head: "*2\r\n$3\r\nGET\r\n", tail: "\r\n", count: 1)
    }

    private init(head: String, tail: String, count: Int) {
        let one = Array((head + Self.keyStart + "000000000000" + tail).utf8)
        self.count = count
        stride = one.count
        digits = head.utf8.count + Self.keyStart.utf8.count
        for _ in 0..<count { bytes += one }
    }

    /// Gives the command at `index` the key of `number` (0..<10¹²).
    mutating func setKey(_ number: Int, at index: Int = 0) {
        var rest = number
        let first = index * stride + digits
        for place in (first..<first + 12).reversed() {
            bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }
}

/// SETs the keys of `numbers` in pipelines of `batch`, each after the replies to the one before.
func load(
    _ connection: Connection, keys numbers: Range<Int>, valueBytes: Int, batch batchSize: Int = 512
) throws {
    var batch = CommandBatch.set(valueBytes: valueBytes, count: batchSize)
    var next = numbers.lowerBound
    while next < numbers.upperBound {
        let count = min(batchSize, numbers.upperBound - next)
        if count < batch.count { batch = .set(valueBytes: valueBytes, count: count) }
        for index in 0..<count { batch.setKey(next + index, at: index) }
        try connection.send(batch.bytes)
        try connection.receiveLines(count)
        next += count
    }
}
