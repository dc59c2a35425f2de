internal import HoldfastBytes
internal import HoldfastRESP
internal import Log
internal import Store

/// What SSCAN, HSCAN and ZSCAN have in common: `SCAN`'s options but TYPE, and the shape of the reply.
struct CollectionScan {
    private(set) var wanted = 10
    private(set) var hidesValues = false
    private var pattern: ByteSlice?

    /// Reads the options, from the fourth word on.
    init(_ context: inout CommandContext, takesNoValues: Bool = false) throws(CommandError) {
        let arguments = context.arguments
        var index = 3
        while index < arguments.count {
            let word = arguments[index]
            if takesNoValues, word.equalsIgnoringCase("novalues") {
                hidesValues = true
                index += 1
                continue
            }
            guard index + 1 < arguments.count else { throw .syntax }
            if word.equalsIgnoringCase("count") {
                let count = try context.integer(at: index + 1)
                if count < 1 { throw .syntax }
                wanted = Int(count)
            } else if word.equalsIgnoringCase("match") {
                let value = arguments[index + 1]
                let matchesAll = value.count == 1 && value[0] == UInt8(ascii: "*")
                pattern = matchesAll ? nil : value
            } else {
                throw .syntax
            }
            index += 2
        }
    }

    @inline(__always)
    func accepts(_ element: PackedElement) -> Bool {
        guard let pattern else { return true }
        return element.withBytes { Glob.matches(pattern, $0) }
    }

    /// Replies with the cursor to go on with, and `count` elements that were written to `elements`.
    static func reply(
        _ context: inout CommandContext, next: UInt64, count: Int, _ elements: borrowing ReplyWriter
    ) {
        context.reply.array(2)
        var text = ByteBuffer()
        text.append(unsigned: next)
        context.reply.bulk(text.slice)
        context.reply.array(count)
        context.reply.buffer.append(elements.buffer.slice)
    }

    /// The reply where there is no such key.
    static func replyEmpty(_ context: inout CommandContext) {
        context.reply.array(2)
        context.reply.bulk(ByteSlice("0"))
        context.reply.array(0)
    }
}

extension ReplyWriter {
    /// An element of a packed value as a bulk string.
    @inline(__always)
    mutating func bulk(_ element: PackedElement) {
        switch element {
        case .integer(let value): bulk(decimal: value)
        case .bytes(let bytes): bulk(bytes)
        }
    }
}

extension CommandContext {
    /// Argument `index` as a number of elements wanted, from -Int64.max on: negative ones ask for as many, with
    /// repetitions.
    func elementCount(at index: Int) throws(CommandError) -> Int {
        let count = try integer(at: index)
        guard count != Int64.min else {
            throw .text(
                "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
            )
        }
        return Int(count)
    }

    /// The longest reply with repetitions, about; Redis would try to give one of any length.
    static let repetitionBytesMax = 1 << 30

    /// Refuses a reply of `-count` elements with repetitions that would be too long, where all `size` elements that
    /// there are take `bytes` bytes.
    static func checkRepetitions(
        _ count: Int, of size: Int, bytes: Int
    ) throws(CommandError) {
        let each = bytes / max(size, 1) + 16
        if -count > repetitionBytesMax / each { throw .text("ERR value is out of range") }
    }

    /// Begins an effect of `count` words that takes the place of the command in the log.
    ///
    /// - Returns: whether to append the words behind the name: nobody may read them.
    mutating func beginEffect(_ name: StaticString, count: Int) -> Bool {
        isLogged = true
        guard logsEffects, !isReplaying else { return false }
        log.beginRecord(database: database, argumentCount: count)
        log.append(argument: name)
        return true
    }

    /// Runs `body` with the source of chance.
    @inline(__always)
    mutating func withRandom<R>(_ body: (inout CommandContext, () -> UInt64) -> R) -> R {
        var random = random
        let result = body(&self) { random.next() }
        self.random = random
        return result
    }
}
