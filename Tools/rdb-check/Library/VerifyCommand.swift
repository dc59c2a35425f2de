internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import ToolKit

// rdb-check verify: a line for each file, and behind it what is wrong and where.

extension RDBCheckSession {
    func verify() -> ExitCode {
        var codes: [ExitCode] = []
        let json = console.wantsJSON ? JSONWriter(console.output) : nil
        json?.beginObject()
        json?.value("format", 1)
        json?.beginArray("files")
        for path in arguments.operands {
            let result = check(path)
            codes.append(result.exitCode)
            if let json {
                write(result, json)
            } else {
                print(result)
            }
            if result.isInterrupted || !console.mayGoOn { break }
        }
        json?.endArray()
        json?.endObject()
        json?.endDocument()
        return ExitCode.worst(codes)
    }

    private func check(_ path: String) -> CheckedFile {
        let bytes = (try? InputFile(path))?.bytes ?? 0
        let progress = console.progress(path, totalBytes: bytes)
        defer { progress.finish() }
        var check = FileCheck()
        check.isQuick = arguments.has("quick")
        check.isThreaded = isThreaded
        check.goOn = { done in
            progress.update(done)
            return console.mayGoOn
        }
        return check.run(path)
    }

    // MARK: Text

    private func print(_ file: CheckedFile) {
        var facts: [String] = []
        if file.version > 0 { facts.append("RDB \(file.version)") }
        if let writer = file.writer { facts.append("by \(writer)") }
        if let created = file.aux.createdSeconds, (0..<1 << 40).contains(created) {
            facts.append(Moments.text(created * 1000))
        }
        if !arguments.has("quick") {
            facts.append("\(Quantities.count(file.tally.keys)) keys")
            if file.tally.deadlines > 0 {
                var text = "\(Quantities.count(file.tally.deadlines)) with a deadline"
                if file.tally.expired > 0 {
                    text += " (\(Quantities.count(file.tally.expired)) past)"
                }
                facts.append(text)
            }
        }
        if let bytes = file.fileBytes {
            let wrapping = file.wrapping == "plain" ? "" : " \(file.wrapping)"
            facts.append(Quantities.bytes(bytes) + wrapping)
        }
        switch file.checksum {
        case .right: facts.append("checksum right")
        case .absent: facts.append("no checksum")
        case .wrong: facts.append("checksum wrong")
        case .unread: break
        }
        let seconds = Double(file.nanoseconds) / 1e9
        facts.append("\(Quantities.decimal(seconds, digits: 2)) s")
        if let bytes = file.fileBytes, seconds > 0.01 {
            facts.append("\(Quantities.bytes(Int64(Double(bytes) / seconds)))/s")
        }
        if file.isInterrupted {
            console.say("INTERRUPTED \(file.path): \(facts.joined(separator: ", "))")
            return
        }
        let head = "\(console.word(file.verdict)) \(file.path)"
        if console.isQuiet {
            console.say(head)
            return
        }
        if let damage = file.damage {
            console.say("\(head): \(damage.message)\(place(damage))")
            show(damage, file)
            console.say("  read        \(facts.joined(separator: ", "))")
        } else {
            console.say("\(head): \(facts.joined(separator: ", "))")
        }
        for note in file.notes { console.say("  note        \(note)") }
        if file.damage != nil, let next = nextStep(file) { console.say("  next        \(next)") }
    }

    private func place(_ damage: Damage) -> String {
        if let finding = damage.finding { return "; found at offset \(finding.offset)" }
        return damage.offset.map { " at offset \($0)" } ?? ""
    }

    private func show(_ damage: Damage, _ file: CheckedFile) {
        if let finding = damage.finding {
            console.say("  bytes       \(text(finding, file))")
        }
        if let key = damage.key {
            let name = key.withSlice { keyText.text($0, bytesMax: 200) }
            var text = "\(name) in database \(damage.database)"
            if let type = damage.typeText { text += ", type \(type)" }
            if let offset = damage.recordOffset { text += ", its record begins at \(offset)" }
            console.say("  key         \(text)")
        } else if let type = damage.typeText {
            console.say("  type        \(type)")
        }
        if let offset = damage.offset {
            var text = "\(damage.step) at offset \(offset)"
            if file.wrapping != "plain" { text += " of the expanded RDB (\(file.wrapping))" }
            console.say("  reading     \(text)")
        }
        if damage.isAsWritten {
            console.say(
                "  checksum    right: nothing was changed since the file was written, so its writer was wrong"
            )
        }
        guard file.wrapping == "plain", file.path != "-",
            let offset = damage.finding?.offset ?? damage.offset
        else { return }
        for line in hexLines(file.path, offset) { console.say("    \(line)") }
    }

    /// The lines around a place; none if they can't be read again.
    func hexLines(_ path: String, _ offset: Int64) -> [String] {
        guard let opened = try? LinuxFileSystem().open(path, .read) else { return [] }
        defer { opened.close() }
        return (try? HexWindow.lines(of: opened, around: offset)) ?? []
    }

    private func text(_ finding: BitLocator.Finding, _ file: CheckedFile) -> String {
        let bits = finding.change.reduce(0) { $0 + $1.nonzeroBitCount }
        let what = bits == 1 ? "one bit was changed" : "\(bits) bits were changed"
        let change = finding.change.map { "0x" + HexWindow.hex(UInt64($0), digits: 2) }
            .joined(separator: " ")
        let place = finding.isInChecksum ? "the checksum itself, " : ""
        return
            "\(what) in \(place)offset \(finding.offset) (xor \(change)); with them changed back the file is whole"
    }

    private func nextStep(_ file: CheckedFile) -> String? {
        let path = shellWord(file.path)
        switch file.verdict {
        case .ok: return nil
        case .damaged, .torn:
            if file.path == "-" { return "rdb-check salvage -o NEW.rdb FILE" }
            return "rdb-check salvage -o \(shellWord(file.path + ".salvaged")) \(path)"
        case .foreign: return "file \(path)"
        case .unreadable: return "ls -l \(path)"
        }
    }

    // MARK: JSON

    func write(_ file: CheckedFile, _ json: JSONWriter) {
        json.beginObject()
        json.value("file", file.path)
        json.value("verdict", file.isInterrupted ? "INTERRUPTED" : file.verdict.rawValue)
        json.value("exit", Int(file.exitCode.rawValue))
        if file.version > 0 { json.value("version", file.version) }
        if let writer = file.writer { json.value("writer", writer) }
        if let created = file.aux.createdSeconds, (0..<1 << 40).contains(created) {
            json.value("created", Moments.text(created * 1000))
        }
        if let history = file.aux.history { json.value("history", history) }
        if let lsn = file.aux.lsn { json.value("lsn", lsn) }
        if let bytes = file.fileBytes { json.value("bytes", bytes) }
        json.value("rdb_bytes", file.plainBytes)
        json.value("wrapping", file.wrapping)
        json.value("checksum", file.checksum.rawValue)
        json.value("keys", file.tally.keys)
        json.value("expires", file.tally.deadlines)
        json.value("expired", file.tally.expired)
        json.value("elements", file.tally.elements)
        json.value("functions", file.tally.functions)
        json.beginArray("databases")
        for (number, database) in file.tally.databases.sorted(by: { $0.key < $1.key }) {
            json.beginObject()
            json.value("db", number)
            json.value("keys", database.keys)
            json.value("expires", database.deadlines)
            json.endObject()
        }
        json.endArray()
        json.value("seconds", Double(file.nanoseconds) / 1e9)
        json.beginArray("notes")
        for note in file.notes { json.value(nil, note) }
        json.endArray()
        if let damage = file.damage { write(damage, file, json) }
        json.endObject()
    }

    private func write(_ damage: Damage, _ file: CheckedFile, _ json: JSONWriter) {
        json.beginObject("damage")
        json.value("message", damage.message)
        json.value("while", damage.step)
        if let offset = damage.offset { json.value("offset", offset) }
        if let offset = damage.recordOffset { json.value("record_offset", offset) }
        if let key = damage.key {
            key.withSlice { json.value("key", bytes: $0) }
            json.value("db", damage.database)
        }
        if let type = damage.typeText { json.value("type", type) }
        json.value("as_written", damage.isAsWritten)
        if let finding = damage.finding {
            json.beginObject("changed")
            json.value("offset", finding.offset)
            json.value(
                "xor", finding.change.map { HexWindow.hex(UInt64($0), digits: 2) }.joined())
            json.value("in_checksum", finding.isInChecksum)
            json.endObject()
        }
        if let next = nextStep(file) { json.value("next", next) }
        json.endObject()
    }
}
