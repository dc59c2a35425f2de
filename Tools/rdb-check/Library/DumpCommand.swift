internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check dump and get.

/// Prints keys with their values, as they are read.
struct JSONVisitor: KeyVisitor {
    let json: JSONWriter
    let longStrings: LongStrings
    let isLines: Bool
    let wants: (KeyFacts) -> Bool
    private var type = ""
    private var isStreamOpen = false
    private var isGroupOpen = false
    private var isListOpen = false
    private(set) var count: UInt64 = 0

    init(
        _ json: JSONWriter, _ longStrings: LongStrings, isLines: Bool,
        wants: @escaping (KeyFacts) -> Bool
    ) {
        self.json = json
        self.longStrings = longStrings
        self.isLines = isLines
        self.wants = wants
    }

    mutating func begin(_ key: KeyFacts) -> Bool {
        guard wants(key) else { return false }
        count += 1
        type = key.typeName
        json.beginObject()
        json.value("db", key.database)
        text("key", key.key)
        json.value("type", type)
        if let deadline = key.head.deadline { json.value("deadline", deadline) }
        if let idle = key.head.idleSeconds { json.value("idle", idle) }
        if let frequency = key.head.frequency { json.value("freq", Int(frequency)) }
        switch type {
        case "list", "set", "zset": json.beginArray("value")
        case "hash": json.beginObject("value")
        case "stream":
            json.beginObject("value")
            json.beginArray("entries")
            isStreamOpen = true
            isGroupOpen = false
            isListOpen = false
        default: break
        }
        deadlines = []
        return true
    }

    /// Those of a hash's fields, which follow it.
    private var deadlines: [(name: [UInt8], deadline: Int64)] = []

    /// A string, or the first bytes of one that is too long.
    private func text(_ name: String?, _ bytes: ByteSlice) {
        guard let item = longStrings.item(bytes) else { return json.value(name, bytes: bytes) }
        json.beginObject(name)
        json.value("bytes", item.count)
        json.value("sha1", item.digest.hex)
        item.prefix.withSlice { json.value("prefix", bytes: $0) }
        json.endObject()
    }

    mutating func string(_ bytes: ByteSlice) { text("value", bytes) }
    mutating func element(_ bytes: ByteSlice) { text(nil, bytes) }
    mutating func member(_ bytes: ByteSlice) { text(nil, bytes) }
    mutating func member(_ bytes: ByteSlice, score: Double) {
        json.beginArray()
        text(nil, bytes)
        if score.isFinite {
            json.value(nil, digits: DoubleText.text(score))
        } else {
            json.value(nil, DoubleText.text(score))
        }
        json.endArray()
    }
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {
        text(fieldName(name), value)
        if let deadline, deadlines.count < 1 << 16 {
            deadlines.append((name.copyToArray(), deadline))
        }
    }

    /// A name as JSON has it: what is no UTF-8 is spelled with `\xHH`.
    private func fieldName(_ name: ByteSlice) -> String {
        named(longStrings, name) { name in
            UTF8Check.isValid(name) ? name.text : KeyText.utf8.text(name)
        }
    }

    mutating func entry(_ entry: StreamEntry) {
        json.beginArray()
        json.value(nil, "\(entry.id)")
        json.beginArray()
        entry.forEachWord { word in word.withBytes { text(nil, $0) } }
        json.endArray()
        json.endArray()
    }

    mutating func streamState(count: UInt64, lastID: StreamID, history: StreamBuilder.History?) {
        json.endArray()
        json.value("last_id", "\(lastID)")
        if let history {
            json.value("first_id", "\(history.firstID)")
            json.value("max_deleted_id", "\(history.maxDeletedID)")
            json.value("entries_added", history.addedCount)
        }
        json.beginArray("groups")
    }

    mutating func group(_ name: ByteSlice, lastID: StreamID, entriesRead: Int64?) {
        closeGroup()
        json.beginObject()
        text("name", name)
        json.value("last_id", "\(lastID)")
        if let entriesRead, entriesRead >= 0 { json.value("entries_read", entriesRead) }
        json.beginArray("pending")
        isGroupOpen = true
        isInConsumers = false
    }

    private var isInConsumers = false
    private var isConsumerOpen = false

    mutating func pending(_ id: StreamID, time: Int64, count: UInt64) {
        json.beginArray()
        json.value(nil, "\(id)")
        json.value(nil, time)
        json.value(nil, count)
        json.endArray()
    }

    mutating func consumer(_ name: ByteSlice, seenTime: Int64, activeTime: Int64) {
        if isConsumerOpen { closeConsumer() }
        if !isInConsumers {
            json.endArray()
            json.beginArray("consumers")
            isInConsumers = true
        }
        json.beginObject()
        text("name", name)
        json.value("seen", seenTime)
        json.value("active", activeTime)
        json.beginArray("pending")
        isConsumerOpen = true
    }

    mutating func consumerItem(_ id: StreamID) { json.value(nil, "\(id)") }

    private mutating func closeConsumer() {
        json.endArray()
        json.endObject()
        isConsumerOpen = false
    }

    private mutating func closeGroup() {
        guard isGroupOpen else { return }
        if isConsumerOpen { closeConsumer() }
        json.endArray()
        json.endObject()
        isGroupOpen = false
    }

    mutating func passedOver(bytes: UInt64) {
        // What is too long to be taken apart is named where its elements would be.
        if type == "hash" {
            json.value("", "(\(bytes) bytes)")
        } else {
            json.value(nil, "(\(bytes) bytes)")
        }
    }

    mutating func end(_ key: KeyFacts) {
        switch type {
        case "list", "set", "zset": json.endArray()
        case "hash":
            json.endObject()
            if !deadlines.isEmpty {
                json.beginObject("field_deadlines")
                for (name, deadline) in deadlines {
                    json.value(name.withSlice { fieldName($0) }, deadline)
                }
                json.endObject()
            }
        case "stream":
            closeGroup()
            json.endArray()
            json.endObject()
        default: break
        }
        json.endObject()
        if isLines { json.endDocument() }
    }
}

/// One row for each element: db, key, type, deadline, then field or index, value, and score.
struct CSVVisitor: KeyVisitor {
    let output: Output
    let keyText: KeyText
    let longStrings: LongStrings
    let wants: (KeyFacts) -> Bool
    private var head = ""
    private var index = 0

    init(
        _ output: Output, _ keyText: KeyText, _ longStrings: LongStrings,
        wants: @escaping (KeyFacts) -> Bool
    ) {
        self.output = output
        self.keyText = keyText
        self.longStrings = longStrings
        self.wants = wants
    }

    static let header = "db,key,type,deadline,field,value,score"

    private func cell(_ bytes: ByteSlice) -> String {
        if let item = longStrings.item(bytes) { return "(\(item.count) bytes)" }
        if keyText != .utf8 { return keyText.text(bytes) }
        return UTF8Check.isValid(bytes) ? Self.quoted(bytes.text) : Self.quoted(keyText.text(bytes))
    }

    private static func quoted(_ text: String) -> String {
        let needsQuotes = text.utf8.contains {
            $0 == 0x22 || $0 == 0x2c || $0 == 0x0a || $0 == 0x0d
        }
        guard needsQuotes else { return text }
        return "\""
            + text.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }

    mutating func begin(_ key: KeyFacts) -> Bool {
        guard wants(key) else { return false }
        let deadline = key.head.deadline.map { "\($0)" } ?? ""
        head = "\(key.database),\(cell(key.key)),\(key.typeName),\(deadline),"
        index = 0
        return true
    }

    private func row(_ field: String, _ value: String, _ score: String = "") {
        output.write("\(head)\(field),\(value),\(score)\n")
    }

    mutating func string(_ bytes: ByteSlice) { row("", cell(bytes)) }
    mutating func element(_ bytes: ByteSlice) {
        row("\(index)", cell(bytes))
        index += 1
    }
    mutating func member(_ bytes: ByteSlice) { row("", cell(bytes)) }
    mutating func member(_ bytes: ByteSlice, score: Double) {
        row("", cell(bytes), DoubleText.text(score))
    }
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {
        row(cell(name), cell(value))
    }
    mutating func entry(_ entry: StreamEntry) {
        var name: String?
        entry.forEachWord { word in
            let text = word.withBytes { cell($0) }
            if let known = name.take() {
                row("\(entry.id) \(known)", text)
            } else {
                name = text
            }
        }
    }
    mutating func passedOver(bytes: UInt64) { row("", "(\(bytes) bytes)") }
    mutating func end(_ key: KeyFacts) {}
}

extension RDBCheckSession {
    /// Says of each key in the file's order whether it is wanted.
    func wanted(_ longStrings: LongStrings) throws(WalkFailure) -> (Selection, (KeyFacts) -> Bool) {
        let selection = try Selection(arguments, longStrings)
        guard selection.hasSizes else { return (selection, { selection.mayAccept($0) }) }
        let file = try Self.opening { () throws(SystemError) in try InputFile(path) }
        guard file.isRegular else {
            throw .usage(UsageError("--size needs a file that can be read twice"))
        }
        let sized = try walk(path, SizedKeys(selection), label: "\(path) (sizes)").sink.visitor
        var next = 0
        return (
            selection,
            { _ in
                defer { next += 1 }
                return sized.contains(next)
            }
        )
    }

    func dump() throws(WalkFailure) -> ExitCode {
        let longStrings = LongStrings()
        let (selection, wants) = try wanted(longStrings)
        let output = console.output
        switch arguments.value("as") ?? (console.wantsJSON ? "json" : "jsonl") {
        case "csv":
            output.writeLine(CSVVisitor.header)
            _ = try walk(
                path, CSVVisitor(output, keyText, longStrings, wants: wants),
                longStrings: longStrings)
        case "resp":
            let writer = CommandVisitor(longStrings, wants: wants) { output.write($0) }
            let walk = try walk(path, writer, longStrings: longStrings)
            try selection.check()
            return finish(walk.sink.visitor.leftOut, path)
        case "json":
            let json = JSONWriter(output)
            json.beginObject()
            json.value("format", 1)
            json.value("file", path)
            json.beginArray("keys")
            _ = try walk(
                path, JSONVisitor(json, longStrings, isLines: false, wants: wants),
                longStrings: longStrings)
            json.endArray()
            json.endObject()
            json.endDocument()
        default:
            let json = JSONWriter(output, isCompact: true)
            _ = try walk(
                path, JSONVisitor(json, longStrings, isLines: true, wants: wants),
                longStrings: longStrings)
        }
        try selection.check()
        return .sound
    }

    /// Tells what could not be put into commands.
    func finish(_ leftOut: [String], _ path: String) -> ExitCode {
        for line in leftOut.prefix(20) { complain("\(path): left out: \(line)") }
        if leftOut.count > 20 { complain("\(path): and \(leftOut.count - 20) more") }
        return leftOut.isEmpty ? .sound : .damaged
    }

    func get() throws(WalkFailure) -> ExitCode {
        let name = Array(arguments.operands[1].utf8)
        var database: Int?
        if let text = arguments.value("db") {
            guard let number = Int(text), number >= 0 else {
                throw .usage(UsageError("--db wants a number, not \(text)"))
            }
            database = number
        }
        let longStrings = LongStrings()
        let output = console.output
        let isRaw = arguments.has("raw")
        var isFound = false
        var isString = false
        let wants: (KeyFacts) -> Bool = { key in
            guard !isFound, database == nil || database == key.database,
                name.withSlice({ key.key == $0 })
            else { return false }
            isFound = true
            isString = key.head.form == .string
            return true
        }
        if isRaw {
            longStrings.onPart = { part, _ in if isFound { output.write(part) } }
            let visitor = RawVisitor(output: output, longStrings: longStrings, wants: wants)
            try walkUntil(visitor, longStrings) { isFound }
            if isFound, !isString {
                throw .usage(UsageError("--raw shows strings; this is a value of another type"))
            }
        } else {
            let json = JSONWriter(output)
            try walkUntil(
                JSONVisitor(json, longStrings, isLines: true, wants: wants), longStrings
            ) { isFound }
        }
        guard isFound else {
            complain("\(path) has no key \(arguments.operands[1])")
            return .damaged
        }
        return .sound
    }

    private struct RawVisitor: KeyVisitor {
        let output: Output
        let longStrings: LongStrings
        let wants: (KeyFacts) -> Bool

        mutating func begin(_ key: KeyFacts) -> Bool { wants(key) }
        mutating func string(_ bytes: ByteSlice) {
            // One that is too long has been written part by part.
            if longStrings.item(bytes) == nil { output.write(bytes) }
        }
        mutating func element(_ bytes: ByteSlice) {}
        mutating func member(_ bytes: ByteSlice) {}
        mutating func member(_ bytes: ByteSlice, score: Double) {}
        mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {}
        mutating func entry(_ entry: StreamEntry) {}
        mutating func passedOver(bytes: UInt64) {}
        mutating func end(_ key: KeyFacts) {}
    }

    /// Walks until `isDone`, or to the end.
    private func walkUntil(
        _ visitor: some KeyVisitor, _ longStrings: LongStrings, _ isDone: () -> Bool
    ) throws(WalkFailure) {
        let source = try Self.opening { () throws(SystemError) in try InputSource(path) }
        var walk = try Self.opening { () throws(SystemError) in
            try Walk(source, visitor, longStrings: longStrings)
        }
        var keys = 0
        while try walk.step() {
            if isDone() { return }
            keys += 1
            if keys & 0xfff == 0, !console.mayGoOn { throw .interrupted }
        }
    }
}
