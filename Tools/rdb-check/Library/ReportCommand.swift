internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import ToolKit

// rdb-check report: a summary for the terminal, and a page.

extension RDBCheckSession {
    func report() throws(WalkFailure) -> ExitCode {
        let longStrings = LongStrings()
        let selection = try Selection(arguments, longStrings)
        let new = arguments.has("output") ? try newFile() : nil
        let data = ReportData(
            separators: Set((arguments.value("separator") ?? ":/|").utf8), now: selection.now,
            longStrings)
        let visitor = MeasuringVisitor(selection, longStrings) { data.add($0, $1) }
        let file = try Self.opening { () throws(SystemError) in try InputFile(path) }
        let walk = try walk(path, visitor, longStrings: longStrings)
        try selection.check()
        var facts: [(name: String, value: String)] = [
            ("Keys", Quantities.count(data.all.keys)),
            ("RDB", "version \(walk.reader.version)"),
        ]
        if let bytes = file.bytes { facts.append(("File", Quantities.bytes(bytes))) }
        if walk.reader.isExpanded {
            facts.append(("Expanded", Quantities.bytes(walk.reader.offset)))
        }
        facts.append(("Memory (estimate)", Quantities.bytes(data.all.memory)))
        facts.append(("With a deadline", Quantities.count(data.withDeadline.keys)))
        facts.append(("Databases", "\(walk.tally.databases.count)"))
        if let writer = walk.reader.aux.redisVersion { facts.append(("Written by", writer)) }
        if let created = walk.reader.aux.createdSeconds, (0..<1 << 40).contains(created) {
            facts.append(("Created", Moments.text(created * 1000)))
        }
        facts.append(("Checksum", walk.reader.lacksChecksum ? "none" : "right"))
        if let new {
            let page = ReportPage(file: path, facts: facts, data: data).html()
            let buffer = SinkBuffer(new.sink)
            page.withSlice { buffer.write($0) }
            buffer.flush()
            if let failure = buffer.failure { throw WalkFailure(failure) }
            try new.finish()
        }
        if console.wantsJSON {
            write(data, new?.path)
        } else if !console.isQuiet {
            print(data, facts, new?.path)
        }
        return .sound
    }

    private func print(
        _ data: ReportData, _ facts: [(name: String, value: String)], _ page: String?
    ) {
        for fact in facts { console.say(Self.pad(fact.name, 20) + fact.value) }
        console.say()
        func row(_ name: String, _ sum: ReportData.Sum) {
            let share = data.all.bytes > 0 ? Double(sum.bytes) * 100 / Double(data.all.bytes) : 0
            console.say(
                Self.pad(String(name.prefix(34)), 36) + Self.padLeft(Quantities.count(sum.keys), 12)
                    + Self.padLeft(Quantities.bytes(sum.bytes), 12)
                    + Self.padLeft("\(Quantities.decimal(share, digits: 1)) %", 9))
        }
        console.say(
            Self.pad("type", 36) + Self.padLeft("keys", 12) + Self.padLeft("bytes", 12)
                + Self.padLeft("share", 9))
        for (name, sum) in data.types.sorted(by: { $0.value.bytes > $1.value.bytes }) {
            row(name, sum)
        }
        console.say()
        console.say("prefix")
        for node in data.root.sorted.prefix(12) {
            row(node.name, node.sum)
            for child in node.sorted.prefix(3) { row("  " + child.name, child.sum) }
        }
        console.say()
        console.say("largest keys")
        for key in data.ranking.sorted.prefix(5) {
            let name = key.key.withSlice { keyText.text($0, bytesMax: 60) }
            console.say("  \(Self.padLeft(Quantities.bytes(key.bytes), 10))  \(key.type)  \(name)")
        }
        for line in data.advice { console.say("note  \(line)") }
        if let page {
            console.say("page  \(page)")
        } else {
            console.say("next  rdb-check report -o report.html \(shellWord(path))")
        }
    }

    private func write(_ data: ReportData, _ page: String?) {
        let json = JSONWriter(console.output)
        func sum(_ name: String, _ sum: ReportData.Sum) {
            json.beginObject()
            json.value("name", name)
            json.value("keys", sum.keys)
            json.value("elements", sum.elements)
            json.value("bytes", sum.bytes)
            json.value("memory", sum.memory)
            json.endObject()
        }
        json.beginObject()
        json.value("format", 1)
        json.value("file", path)
        json.value("keys", data.all.keys)
        json.value("bytes", data.all.bytes)
        json.value("memory", data.all.memory)
        json.value("expires", data.withDeadline.keys)
        json.beginArray("types")
        for (name, value) in data.types.sorted(by: { $0.key < $1.key }) { sum(name, value) }
        json.endArray()
        json.beginArray("encodings")
        for (name, value) in data.encodings.sorted(by: { $0.key < $1.key }) { sum(name, value) }
        json.endArray()
        json.beginArray("sizes")
        for (power, value) in data.sizes.enumerated() where value.keys > 0 {
            sum("\(Int64(2) << Int64(power) - 1)", value)
        }
        json.endArray()
        json.beginArray("deadlines")
        for (index, value) in data.deadlines.enumerated() {
            sum(ReportData.lifetimes[index].name, value)
        }
        json.endArray()
        json.beginArray("prefixes")
        func prefixes(_ node: ReportData.Node, _ depth: Int) {
            for child in node.sorted.prefix(50) {
                sum(child.name, child.sum)
                if depth < 1 { prefixes(child, depth + 1) }
            }
        }
        prefixes(data.root, 0)
        json.endArray()
        json.beginArray("advice")
        for line in data.advice { json.value(nil, line) }
        json.endArray()
        if let page { json.value("page", page) }
        json.endObject()
        json.endDocument()
    }
}
