internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check info and keys.

extension RDBCheckSession {
    private struct InfoVisitor: PlainVisitor {
        var types: [String: (keys: UInt64, elements: UInt64, bytes: Int64)] = [:]
        var encodings: [String: UInt64] = [:]
        var libraries: [String] = []
        private var form: ValueForm?
        private var count: (keys: UInt64, elements: UInt64, bytes: Int64) = (0, 0, 0)

        mutating func begin(_ key: KeyFacts) -> Bool { true }

        mutating func end(_ key: KeyFacts) {
            if key.head.form != form { flush(key.head.form) }
            count.keys += 1
            count.elements &+= key.elements
            count.bytes &+= key.recordBytes
        }

        /// Runs of one form are counted together: dictionaries are slow.
        mutating func flush(_ next: ValueForm?) {
            if let form, count.keys > 0 {
                var sum = types[form.typeName] ?? (0, 0, 0)
                sum.keys += count.keys
                sum.elements &+= count.elements
                sum.bytes &+= count.bytes
                types[form.typeName] = sum
                encodings["\(form.name)", default: 0] += count.keys
            }
            count = (0, 0, 0)
            form = next
        }

        mutating func function(_ source: ByteSlice) {
            // The first line is `#!lua name=…`.
            let line = source.prefix(200).text.prefix { $0 != "\n" }
            if libraries.count < 1000 { libraries.append(String(line)) }
        }
    }

    func info() throws(WalkFailure) -> ExitCode {
        let file = try Self.opening { () throws(SystemError) in try InputFile(path) }
        let walk = try walk(path, InfoVisitor())
        var visitor = walk.sink.visitor
        visitor.flush(nil)
        let aux = walk.reader.aux
        let tally = walk.tally
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("format", 1)
            json.value("file", path)
            json.value("version", walk.reader.version)
            if let writer = aux.redisVersion { json.value("writer", writer) }
            if let created = aux.createdSeconds { json.value("created_unix", created) }
            if let memory = aux.usedMemoryBytes { json.value("used_memory", memory) }
            json.value("is_base", aux.isBase)
            if let history = aux.history { json.value("history", history) }
            if let lsn = aux.lsn { json.value("lsn", lsn) }
            if let id = aux.replicationID { json.value("repl_id", id) }
            if let offset = aux.replicationOffset { json.value("repl_offset", offset) }
            if let bytes = file.bytes { json.value("bytes", bytes) }
            json.value("rdb_bytes", walk.reader.offset)
            json.value("lz4", walk.reader.isExpanded)
            json.value("keys", tally.keys)
            json.value("expires", tally.deadlines)
            json.value("expired", tally.expired)
            json.beginArray("databases")
            for (number, database) in tally.databases.sorted(by: { $0.key < $1.key }) {
                json.beginObject()
                json.value("db", number)
                json.value("keys", database.keys)
                json.value("expires", database.deadlines)
                json.value("expired", database.expired)
                json.endObject()
            }
            json.endArray()
            json.beginArray("types")
            for (name, sum) in visitor.types.sorted(by: { $0.key < $1.key }) {
                json.beginObject()
                json.value("type", name)
                json.value("keys", sum.keys)
                json.value("elements", sum.elements)
                json.value("bytes", sum.bytes)
                json.endObject()
            }
            json.endArray()
            json.beginObject("encodings")
            for (name, keys) in visitor.encodings.sorted(by: { $0.key < $1.key }) {
                json.value(name, keys)
            }
            json.endObject()
            json.beginArray("functions")
            for library in visitor.libraries { json.value(nil, library) }
            json.endArray()
            json.endObject()
            json.endDocument()
            return .sound
        }
        func row(_ name: String, _ value: String) {
            console.say(name + String(repeating: " ", count: max(1, 18 - name.count)) + value)
        }
        row("file", path)
        row("version", "RDB \(walk.reader.version)")
        if let writer = aux.redisVersion { row("writer", writer) }
        if let created = aux.createdSeconds, (0..<1 << 40).contains(created) {
            row("created", Moments.text(created * 1000))
        }
        if let bytes = file.bytes {
            var text = Quantities.bytes(bytes)
            if walk.reader.isExpanded {
                text += ", \(Quantities.bytes(walk.reader.offset)) expanded"
            }
            row("size", text)
        }
        if let memory = aux.usedMemoryBytes { row("memory then", Quantities.bytes(memory)) }
        row("checksum", walk.reader.lacksChecksum ? "none" : "right")
        if aux.isBase { row("base", "of a log folder") }
        if let history = aux.history, let lsn = aux.lsn {
            row("position", "\(history) at LSN \(lsn)")
        }
        if let id = aux.replicationID {
            row("replication", "\(id) at \(aux.replicationOffset ?? 0)")
        }
        for library in visitor.libraries { row("function", library) }
        row("keys", Quantities.count(tally.keys))
        for (number, database) in tally.databases.sorted(by: { $0.key < $1.key }) {
            var text = "\(Quantities.count(database.keys)) keys"
            if database.deadlines > 0 {
                text += ", \(Quantities.count(database.deadlines)) with a deadline"
            }
            if database.expired > 0 { text += ", \(Quantities.count(database.expired)) past it" }
            row("  db \(number)", text)
        }
        for (name, sum) in visitor.types.sorted(by: { $0.key < $1.key }) {
            var text = "\(Quantities.count(sum.keys)) keys, \(Quantities.bytes(sum.bytes))"
            if name != "string" { text += ", \(Quantities.count(sum.elements)) elements" }
            row("  \(name)", text)
        }
        for (name, keys) in visitor.encodings.sorted(by: { $0.key < $1.key }) {
            row("  as \(name)", "\(Quantities.count(keys))")
        }
        return .sound
    }

    private struct KeysVisitor: PlainVisitor {
        let selection: Selection
        let longStrings: LongStrings
        let print: (KeyFacts) -> Void

        mutating func begin(_ key: KeyFacts) -> Bool { selection.mayAccept(key) }
        mutating func end(_ key: KeyFacts) { if selection.accepts(key) { print(key) } }
    }

    func keys() throws(WalkFailure) -> ExitCode {
        let longStrings = LongStrings()
        let selection = try Selection(arguments, longStrings)
        let json = console.wantsJSON ? JSONWriter(console.output) : nil
        let keyText = keyText
        json?.beginObject()
        json?.value("format", 1)
        json?.value("file", path)
        json?.beginArray("keys")
        if json == nil, !console.isQuiet {
            console.say(Self.keyRow("db", "type", "bytes", "elements", "ttl", "key"))
        }
        let visitor = KeysVisitor(selection: selection, longStrings: longStrings) { key in
            if let json {
                json.beginObject()
                json.value("db", key.database)
                named(longStrings, key.key) { json.value("key", bytes: $0) }
                json.value("type", key.typeName)
                json.value("encoding", "\(key.head.form.name)")
                json.value("bytes", key.recordBytes)
                json.value("elements", key.elements)
                if let deadline = key.head.deadline { json.value("deadline", deadline) }
                if let idle = key.head.idleSeconds { json.value("idle", idle) }
                if let frequency = key.head.frequency { json.value("freq", Int(frequency)) }
                json.value("offset", key.head.offset)
                json.endObject()
                return
            }
            let name = named(longStrings, key.key) { keyText.text($0) }
            if console.isQuiet { return console.say(name) }
            let elements = key.typeName == "string" ? "-" : "\(key.elements)"
            console.say(
                Self.keyRow(
                    "\(key.database)", key.typeName, "\(key.recordBytes)", elements,
                    Self.lifetime(key.head.deadline, selection.now), name))
        }
        _ = try walk(path, visitor, longStrings: longStrings)
        try selection.check()
        json?.endArray()
        json?.endObject()
        json?.endDocument()
        return .sound
    }

    static func lifetime(_ deadline: Int64?, _ now: Int64) -> String {
        guard let deadline else { return "-" }
        let left = deadline.subtractingReportingOverflow(now)
        if left.overflow { return "-" }
        return left.partialValue <= 0
            ? "past" : Quantities.duration(milliseconds: left.partialValue)
    }

    private static func keyRow(
        _ database: String, _ type: String, _ bytes: String, _ elements: String, _ ttl: String,
        _ key: String
    ) -> String {
        padLeft(database, 3) + " " + pad(type, 6) + " " + padLeft(bytes, 12) + " "
            + padLeft(elements, 10) + " " + padLeft(ttl, 9) + "  " + key
    }

    static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    static func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

/// Runs `body` with a key, or the first bytes of one too long to hold.
func named<R>(_ longStrings: LongStrings, _ key: ByteSlice, _ body: (ByteSlice) -> R) -> R {
    if let prefix = longStrings.item(key)?.prefix { return prefix.withSlice(body) }
    return body(key)
}
