internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import RDBCheck
internal import ToolKit

/// `aof-check verify`: reads everything as a start would, and reports.
struct Verify {
    let console: Console
    let disk: any FileSystem

    func run(_ operands: [String]) throws -> ExitCode {
        var codes: [ExitCode] = []
        let json = console.wantsJSON ? JSONWriter(console.output) : nil
        if operands.count > 1 { json?.beginArray() }
        for operand in operands where console.mayGoOn {
            codes.append(try verify(operand, json))
        }
        if operands.count > 1 { json?.endArray() }
        json?.endDocument()
        return console.isInterrupted ? .interrupted : ExitCode.worst(codes)
    }

    private func verify(_ operand: String, _ json: JSONWriter?) throws -> ExitCode {
        let target: LogTarget
        do {
            target = try LogTarget.find(operand, on: disk)
        } catch let error as SystemError {
            let finding = Finding(
                verdict: .unreadable, file: error.path, reason: error.description,
                start: "nothing was read")
            if let json {
                write(finding, operand, nil, [], to: json)
            } else {
                console.say("\(console.word(.unreadable)) \(operand): \(error.reason)")
            }
            return finding.verdict.exitCode
        }
        let inspection = Inspection.run(target, on: disk, console: console, label: "checking")
        guard let finding = inspection.finding(on: disk) else {
            console.say("interrupted at LSN \(inspection.end); whole up to there: \(target.path)")
            return .interrupted
        }
        let orphans = Orphans.list(target, inspection, on: disk)
        if let json {
            write(finding, target.path, inspection, orphans, to: json)
        } else {
            VerdictText(console: console, disk: disk).write(finding, target)
            if !console.isQuiet { describe(inspection, orphans) }
        }
        return finding.verdict.exitCode
    }

    // MARK: - Text

    private func describe(_ inspection: Inspection, _ orphans: [Orphan]) {
        if let history = inspection.history { console.say("  history  \(history)") }
        for base in inspection.bases {
            let found = base.summary
            var text = "RDB version \(found.version), \(Quantities.count(found.keys)) keys"
            if found.deadlines > 0 {
                text += ", \(Quantities.count(found.deadlines)) with a deadline"
            }
            if found.isExpanded { text += ", in an LZ4 frame" }
            if found.lacksChecksum { text += ", without a checksum" }
            console.say("  base     \(base.name): \(text)")
        }
        if !inspection.tallies.isEmpty {
            var table = TextTable([
                ("FILE", .left), ("FIRST LSN", .right), ("END LSN", .right), ("BATCHES", .right),
                ("BYTES", .right), ("FROM", .left), ("TO", .left),
            ])
            for file in inspection.tallies {
                table.add([
                    file.name, "\(file.firstLSN)", "\(file.endLSN)",
                    Quantities.count(file.batches), Quantities.count(file.endOffset),
                    file.firstMilliseconds > 0 ? Moments.text(file.firstMilliseconds) : "-",
                    file.lastMilliseconds > 0 ? Moments.text(file.lastMilliseconds) : "-",
                ])
            }
            for line in table.lines() { console.say(line) }
        }
        if case .recovered(let log) = inspection.outcome {
            for notice in log.notices { console.say("  note     \(notice)") }
        }
        for orphan in orphans { console.say("  unlisted \(orphan.name): \(orphan.meaning)") }
    }

    // MARK: - JSON

    private func write(
        _ finding: Finding, _ target: String, _ inspection: Inspection?, _ orphans: [Orphan],
        to json: JSONWriter
    ) {
        json.beginObject()
        json.value("target", target)
        json.value("verdict", finding.verdict.rawValue)
        json.value("exit", Int64(finding.verdict.exitCode.rawValue))
        json.value("start", finding.start)
        if let history = inspection?.history {
            json.value("history", history.description)
        } else {
            json.null("history")
        }
        json.value("end_lsn", inspection?.end.value ?? 0)
        json.beginArray("bases")
        for base in inspection?.bases ?? [] {
            json.beginObject()
            json.value("name", base.name)
            json.value("rdb_version", base.summary.version)
            json.value("keys", base.summary.keys)
            json.value("deadlines", base.summary.deadlines)
            json.value("lz4", base.summary.isExpanded)
            json.value("checksum", !base.summary.lacksChecksum)
            json.endObject()
        }
        json.endArray()
        json.beginArray("files")
        for file in inspection?.tallies ?? [] {
            json.beginObject()
            json.value("name", file.name)
            json.value("first_lsn", file.firstLSN.value)
            json.value("end_lsn", file.endLSN.value)
            json.value("batches", file.batches)
            json.value("whole_bytes", file.endOffset)
            json.value("first_ms", file.firstMilliseconds)
            json.value("last_ms", file.lastMilliseconds)
            json.endObject()
        }
        json.endArray()
        if finding.verdict == .ok {
            json.null("damage")
        } else {
            json.beginObject("damage")
            json.value("reason", finding.reason)
            if let file = finding.file { json.value("file", file) } else { json.null("file") }
            if let offset = finding.offset {
                json.value("offset", offset)
            } else {
                json.null("offset")
            }
            if let lsn = finding.lsn { json.value("lsn", lsn.value) } else { json.null("lsn") }
            if let command = finding.command {
                json.value("command", command)
            } else {
                json.null("command")
            }
            if let bytes = finding.cutBytes { json.value("cut_bytes", bytes) }
            json.beginArray("next")
            for line in finding.next { json.value(nil, line) }
            json.endArray()
            json.endObject()
        }
        json.beginArray("notes")
        if case .recovered(let log)? = inspection?.outcome {
            for notice in log.notices { json.value(nil, notice) }
        }
        json.endArray()
        json.beginArray("unlisted")
        for orphan in orphans {
            json.beginObject()
            json.value("name", orphan.name)
            json.value("meaning", orphan.meaning)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}

/// A verdict with its damage block.
struct VerdictText {
    let console: Console
    let disk: any FileSystem

    func write(_ finding: Finding, _ target: LogTarget) {
        let word = console.word(finding.verdict)
        if finding.verdict == .ok {
            console.say("\(word) \(target.path): \(finding.start)")
            return
        }
        console.say("\(word) \(target.path): \(finding.reason)")
        if console.isQuiet { return }
        if let file = finding.file { console.say("  file     \(file)") }
        if let offset = finding.offset {
            console.say("  offset   \(Quantities.count(offset)) (0x\(String(offset, radix: 16)))")
        }
        if let lsn = finding.lsn { console.say("  LSN      \(lsn)") }
        if let command = finding.command { console.say("  there    \(command)") }
        console.say("  start    \(finding.start)")
        if let path = finding.file, let offset = finding.offset { writeHex(path, offset) }
        for (index, line) in finding.next.enumerated() {
            console.say((index == 0 ? "  next     " : "           ") + line)
        }
    }

    private func writeHex(_ path: String, _ offset: Int64) {
        // A window that can't be read is left out: the verdict says why already.
        guard let file = try? disk.open(path, .read) else { return }
        defer { file.close() }
        guard let lines = try? HexWindow.lines(of: file, around: offset) else { return }
        for line in lines { console.say("    " + line) }
    }
}
