internal import HoldfastBytes
internal import Snapshot
internal import Store

/// Spells keys out as commands that make them: what an append only file holds.
///
/// Elements go in commands of at most 64. What a command can't hold is left out and listed.
struct CommandVisitor: KeyVisitor {
    private let longStrings: LongStrings
    private let wants: (KeyFacts) -> Bool
    private let command: () -> Void
    private let write: (ByteSlice) -> Void
    /// Keys that are not complete.
    private(set) var leftOut: [String] = []
    private(set) var count: UInt64 = 0

    private var database = 0
    private var key: [UInt8] = []
    private var deadline: Int64?
    /// The arguments of the command at hand, behind its name and key.
    private var words = ByteBufferCell()
    private var wordCount = 0
    private var verb: StaticString = ""
    private var problem: String?
    private var deadlines: [(name: [UInt8], deadline: Int64)] = []
    private var isEmptyStream = false
    private var group: [UInt8] = []
    private var consumer: [UInt8] = []
    private var pending: [StreamID: (time: Int64, count: UInt64)] = [:]
    private var isLongString = false

    private static let elementsMax = 64
    /// Commands that are not longer are put together before they are written.
    private static let gatheredBytesMax = 1 << 20
    private static let partBytes = 256 << 10
    private static let pendingMax = 1 << 18
    private static let deadlinesMax = 1 << 17

    /// Lets a struct that is copied have a buffer.
    private final class ByteBufferCell {
        var buffer = ByteBuffer()
    }

    /// - Parameters:
    ///   - command: called when a command begins.
    ///   - write: takes the commands' bytes, in parts.
    init(
        _ longStrings: LongStrings, wants: @escaping (KeyFacts) -> Bool,
        command: @escaping () -> Void = {}, write: @escaping (ByteSlice) -> Void
    ) {
        self.longStrings = longStrings
        self.wants = wants
        self.command = command
        self.write = write
    }

    // MARK: Words

    private func put(_ word: ByteSlice) {
        words.buffer.append(UInt8(ascii: "$"))
        words.buffer.append(decimal: Int64(word.count))
        words.buffer.append("\r\n")
        words.buffer.append(word)
        words.buffer.append("\r\n")
    }

    /// Adds an argument to the command at hand.
    private mutating func add(_ word: ByteSlice) {
        if let item = longStrings.item(word) {
            problem = "an element of \(item.count) bytes"
            return
        }
        put(word)
        wordCount += 1
    }

    private mutating func add(_ text: String) { text.withSlice { add($0) } }

    /// Writes the command at hand, if it has arguments.
    private mutating func flush() {
        guard wordCount > 0 else { return }
        var arguments = ByteBuffer()
        swap(&arguments, &words.buffer)
        begin(verb, arguments: wordCount + 1)
        wordCount = 0
        key.withSlice { put($0) }
        write(words.buffer.slice)
        writeParts(arguments.slice)
        words.buffer.removeAll()
    }

    @inline(__always)
    private func isLong(_ word: ByteSlice) -> Bool { word.count > Self.gatheredBytesMax }

    /// Writes a command with these arguments behind the key at once: too long to be gathered with others.
    private mutating func writeLong(_ arguments: ByteSlice...) {
        flush()
        begin(verb, arguments: arguments.count + 1)
        key.withSlice { put($0) }
        for argument in arguments {
            words.buffer.append("$")
            words.buffer.append(decimal: Int64(argument.count))
            words.buffer.append("\r\n")
            write(words.buffer.slice)
            words.buffer.removeAll()
            writeParts(argument)
            words.buffer.append("\r\n")
        }
        write(words.buffer.slice)
        words.buffer.removeAll()
    }

    private func writeParts(_ bytes: ByteSlice) {
        var rest = bytes
        while !rest.isEmpty {
            write(rest.prefix(Self.partBytes))
            rest = rest.dropFirst(min(Self.partBytes, rest.count))
        }
    }

    /// Puts the beginning of a command into `words`.
    private func begin(_ verb: StaticString, arguments: Int) {
        command()
        words.buffer.append("*")
        words.buffer.append(decimal: Int64(arguments + 1))
        words.buffer.append("\r\n")
        put(ByteSlice(verb))
    }

    /// Writes a whole command.
    private mutating func issue(_ verb: StaticString, _ arguments: [[UInt8]]) {
        begin(verb, arguments: arguments.count)
        for argument in arguments { argument.withSlice { put($0) } }
        write(words.buffer.slice)
        words.buffer.removeAll()
    }

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private mutating func flushIfFull(_ each: Int) {
        if wordCount >= Self.elementsMax * each || words.buffer.count > Self.gatheredBytesMax {
            flush()
        }
    }

    // MARK: Keys

    mutating func begin(_ key: KeyFacts) -> Bool {
        problem = nil
        guard wants(key) else { return false }
        guard longStrings.item(key.key) == nil else {
            leaveOut("a key of \(longStrings.count(key.key)) bytes")
            return false
        }
        if key.head.form.valueType == nil {
            leaveOut("\(key.key.prefix(200).text): a value of a module")
            return false
        }
        if key.database != database || count == 0 {
            database = key.database
            issue("SELECT", [Self.bytes("\(database)")])
        }
        count += 1
        self.key = key.key.copyToArray()
        deadline = key.head.deadline
        deadlines = []
        isEmptyStream = true
        verb =
            switch key.typeName {
            case "list": "RPUSH"
            case "set": "SADD"
            case "zset": "ZADD"
            case "hash": "HSET"
            case "stream": "XADD"
            default: "SET"
            }
        isLongString = key.typeName == "string"
        if isLongString { takeParts() }
        return true
    }

    /// A string too long to hold is written as it is read.
    private func takeParts() {
        let (key, command, write) = (key, command, write)
        var left: UInt64?
        longStrings.onPart = { part, total in
            var text = ByteBuffer()
            if left == nil {
                left = total
                command()
                text.append("*3\r\n$3\r\nSET\r\n$")
                text.append(decimal: Int64(key.count))
                text.append("\r\n")
                text.append(key)
                text.append("\r\n$")
                text.append(decimal: Int64(clamping: total))
                text.append("\r\n")
            }
            text.append(part)
            left? -= UInt64(part.count)
            if left == 0 { text.append("\r\n") }
            write(text.slice)
        }
    }

    mutating func string(_ bytes: ByteSlice) {
        longStrings.onPart = nil
        guard longStrings.item(bytes) == nil else { return }
        if isLong(bytes) { return writeLong(bytes) }
        add(bytes)
        flush()
    }

    mutating func element(_ bytes: ByteSlice) {
        if isLong(bytes) { return writeLong(bytes) }
        add(bytes)
        flushIfFull(1)
    }

    mutating func member(_ bytes: ByteSlice) {
        if isLong(bytes) { return writeLong(bytes) }
        add(bytes)
        flushIfFull(1)
    }

    mutating func member(_ bytes: ByteSlice, score: Double) {
        guard longStrings.item(bytes) == nil else { return add(bytes) }
        let text = DoubleText.text(score)
        if isLong(bytes) { return text.withSlice { writeLong($0, bytes) } }
        add(text)
        add(bytes)
        flushIfFull(2)
    }

    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {
        guard longStrings.item(name) == nil, longStrings.item(value) == nil else {
            return add(longStrings.item(name) == nil ? value : name)
        }
        if isLong(name) || isLong(value) {
            writeLong(name, value)
        } else {
            add(name)
            add(value)
            flushIfFull(2)
        }
        if let deadline {
            if deadlines.count < Self.deadlinesMax {
                deadlines.append((name.copyToArray(), deadline))
            } else {
                problem = "more deadlines of fields than can be held"
            }
        }
    }

    mutating func passedOver(bytes: UInt64) { problem = "a packed value of \(bytes) bytes" }

    // MARK: Streams

    mutating func entry(_ entry: StreamEntry) {
        isEmptyStream = false
        add("\(entry.id)")
        entry.forEachWord { word in
            word.withBytes { put($0) }
        }
        wordCount += 2 * entry.fieldCount
        flush()
    }

    mutating func streamState(count: UInt64, lastID: StreamID, history: StreamBuilder.History?) {
        if isEmptyStream {
            // An entry that is dropped at once makes the key.
            issue(
                "XADD",
                [
                    key, Self.bytes("MAXLEN"), Self.bytes("0"),
                    Self.bytes(lastID.isZero ? "0-1" : "\(lastID)"), Self.bytes("x"),
                    Self.bytes("y"),
                ])
        }
        var arguments = [key, Self.bytes("\(lastID)")]
        if let history {
            arguments += [
                Self.bytes("ENTRIESADDED"), Self.bytes("\(history.addedCount)"),
                Self.bytes("MAXDELETEDID"), Self.bytes("\(history.maxDeletedID)"),
            ]
        }
        issue("XSETID", arguments)
    }

    mutating func group(_ name: ByteSlice, lastID: StreamID, entriesRead: Int64?) {
        group = name.copyToArray()
        pending = [:]
        var arguments = [Self.bytes("CREATE"), key, group, Self.bytes("\(lastID)")]
        if let entriesRead, entriesRead >= 0 {
            arguments += [Self.bytes("ENTRIESREAD"), Self.bytes("\(entriesRead)")]
        }
        issue("XGROUP", arguments)
    }

    mutating func pending(_ id: StreamID, time: Int64, count: UInt64) {
        if pending.count < Self.pendingMax {
            pending[id] = (time, count)
        } else {
            problem = "more pending items than can be held"
        }
    }

    mutating func consumer(_ name: ByteSlice, seenTime: Int64, activeTime: Int64) {
        consumer = name.copyToArray()
        issue("XGROUP", [Self.bytes("CREATECONSUMER"), key, group, consumer])
    }

    mutating func consumerItem(_ id: StreamID) {
        guard let item = pending[id] else { return }
        issue(
            "XCLAIM",
            [
                key, group, consumer, Self.bytes("0"), Self.bytes("\(id)"), Self.bytes("TIME"),
                Self.bytes("\(item.time)"), Self.bytes("RETRYCOUNT"), Self.bytes("\(item.count)"),
                Self.bytes("JUSTID"), Self.bytes("FORCE"),
            ])
    }

    mutating func end(_ facts: KeyFacts) {
        longStrings.onPart = nil
        flush()
        for (name, deadline) in deadlines {
            issue(
                "HPEXPIREAT",
                [
                    key, Self.bytes("\(deadline)"), Self.bytes("FIELDS"), Self.bytes("1"), name,
                ])
        }
        if let deadline { issue("PEXPIREAT", [key, Self.bytes("\(deadline)")]) }
        if let problem { leaveOut("\(key.withSlice { $0.prefix(200).text }): \(problem)") }
    }

    private mutating func leaveOut(_ what: String) {
        if leftOut.count < 10_000 { leftOut.append(what) }
    }

    mutating func function(_ source: ByteSlice) {
        issue("FUNCTION", [Self.bytes("LOAD"), source.copyToArray()])
    }
}
