internal import HoldfastPlatform
internal import Log
internal import RDBCheck
internal import ToolKit

/// `aof-check ls`: the files with what they hold.
struct List {
    let target: LogTarget
    let console: Console
    let disk: any FileSystem

    private struct Row {
        var tally: Inspection.FileTally
        var commands = 0
        var recordBytes: Int64 = 0
    }

    func run() throws -> ExitCode {
        var rows: [Row] = []
        var limits = RecordGlance.Limits()
        limits.argumentsMax = 1
        let inspection = Inspection.run(target, on: disk, console: console, label: "reading") {
            batch in
            var tallies = rows.suffix(1).map(\.tally)
            let count = tallies.count
            tallies.note(batch)
            guard let tally = tallies.last else { return }
            if tallies.count > count { rows.append(Row(tally: tally)) }
            rows[rows.count - 1].tally = tally
            rows[rows.count - 1].recordBytes += batch.recordBytes
            batch.forEachRecord(limits) { _ in rows[rows.count - 1].commands += 1 }
        }
        if console.isInterrupted { return .interrupted }
        let lines = manifestLines()
        if console.wantsJSON {
            writeJSON(rows, lines, inspection)
        } else {
            writeText(rows, lines, inspection)
        }
        return Tour(target: target, console: console, disk: disk).end(inspection, failure: nil)
    }

    private func manifestLines() -> [Manifest.Line] {
        guard case .folder(let folder) = target,
            let manifest = try? Retained.manifest(folder, on: disk)
        else { return [] }
        return manifest.lines
    }

    private func state(_ line: Manifest.Line, _ lines: [Manifest.Line]) -> String {
        switch line.type {
        case .base: return "base"
        case .history: return "kept"
        case .incremental:
            if line.bytes != nil { return "poisoned" }
            return line == lines.last { $0.type == .incremental } ? "newest" : "sealed"
        }
    }

    private func size(_ line: Manifest.Line) -> Int64? {
        guard case .folder(let folder) = target,
            let file = try? disk.open(folder.path(of: line.name), .read)
        else { return nil }
        defer { file.close() }
        return try? file.size()
    }

    private func writeText(_ rows: [Row], _ lines: [Manifest.Line], _ inspection: Inspection) {
        var table = TextTable([
            ("FILE", .left), ("STATE", .left), ("BYTES", .right), ("FIRST LSN", .right),
            ("END LSN", .right), ("BATCHES", .right), ("COMMANDS", .right), ("RATIO", .right),
            ("FROM", .left), ("TO", .left),
        ])
        var shown: Set<String> = []
        for line in lines {
            shown.insert(line.name)
            let bytes = size(line).map { Quantities.count($0) } ?? "missing"
            let state = state(line, lines)
            if let row = rows.first(where: { $0.tally.name == line.name }) {
                table.add([line.name, state, bytes] + cells(row))
            } else {
                let keys = inspection.bases.first { $0.name == line.name }
                    .map { "\(Quantities.count($0.summary.keys)) keys" }
                let lsn = line.firstLSN.map { "\($0)" } ?? "-"
                table.add([line.name, state, bytes, lsn, "-", "-", keys ?? "-", "-", "-", "-"])
            }
        }
        for row in rows where !shown.contains(row.tally.name) {
            table.add([row.tally.name, "file", Quantities.count(row.tally.endOffset)] + cells(row))
        }
        for line in table.lines(indent: 0) { console.say(line) }
    }

    private func cells(_ row: Row) -> [String] {
        let tally = row.tally
        let ratio = Double(tally.endOffset) / Double(max(row.recordBytes, 1))
        return [
            "\(tally.firstLSN)", "\(tally.endLSN)", Quantities.count(tally.batches),
            Quantities.count(row.commands), Quantities.decimal(ratio, digits: 2),
            tally.firstMilliseconds > 0 ? Moments.text(tally.firstMilliseconds) : "-",
            tally.lastMilliseconds > 0 ? Moments.text(tally.lastMilliseconds) : "-",
        ]
    }

    private func writeJSON(_ rows: [Row], _ lines: [Manifest.Line], _ inspection: Inspection) {
        let json = JSONWriter(console.output)
        json.beginArray()
        var shown: Set<String> = []
        func row(_ row: Row?) {
            guard let row else { return }
            json.value("end_lsn", row.tally.endLSN.value)
            json.value("batches", row.tally.batches)
            json.value("commands", row.commands)
            json.value("record_bytes", row.recordBytes)
            json.value("first_ms", row.tally.firstMilliseconds)
            json.value("last_ms", row.tally.lastMilliseconds)
        }
        for line in lines {
            shown.insert(line.name)
            json.beginObject()
            json.value("name", line.name)
            json.value("state", state(line, lines))
            if let bytes = size(line) { json.value("bytes", bytes) } else { json.null("bytes") }
            if let lsn = line.firstLSN { json.value("first_lsn", lsn.value) }
            row(rows.first { $0.tally.name == line.name })
            if let base = inspection.bases.first(where: { $0.name == line.name }) {
                json.value("keys", base.summary.keys)
            }
            json.endObject()
        }
        for item in rows where !shown.contains(item.tally.name) {
            json.beginObject()
            json.value("name", item.tally.name)
            json.value("state", "file")
            json.value("bytes", item.tally.endOffset)
            json.value("first_lsn", item.tally.firstLSN.value)
            row(item)
            json.endObject()
        }
        json.endArray()
        json.endDocument()
    }
}
