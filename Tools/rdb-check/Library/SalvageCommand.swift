internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check salvage: copies what is readable, and lists what is lost.

/// What a damaged file holds, found in one pass: runs of whole records, and what lies between them.
struct SalvagePlan {
    struct Run {
        var start: Int64
        var end: Int64
        var database: Int
    }

    struct Loss {
        var start: Int64
        var end: Int64
        var key: [UInt8]?
        var database: Int
        var type: String?
        var message: String
    }

    var version = 0
    var runs: [Run] = []
    var losses: [Loss] = []
    var keys: UInt64 = 0
    /// Beyond the bound only their number is kept.
    var lossCount = 0
    static let lossesMax = 10_000

    mutating func lose(_ loss: Loss) {
        lossCount += 1
        if losses.count < Self.lossesMax { losses.append(loss) }
    }
}

/// Makes the plan for a plain RDB that can be read anywhere.
struct SalvageScan {
    let path: String
    let bytes: Int64
    let patch: InputSource.Patch?
    /// Takes all keys.
    let repeated: RepeatedKeys
    let goOn: (Int64) -> Bool
    var isThreaded = true

    private struct Visitor: PlainVisitor {
        let repeated: RepeatedKeys
        mutating func begin(_ key: KeyFacts) -> Bool {
            repeated.add(key.key, key.database)
            return true
        }
        mutating func end(_ key: KeyFacts) {}
    }

    func run() throws(WalkFailure) -> SalvagePlan {
        var plan = SalvagePlan()
        var start: Int64 = 0
        var database = 0
        /// Work that may go into looking for records, so that no file takes for ever.
        var budget = 16 * bytes + (256 << 20)
        while true {
            guard let failure = try walk(from: start, &database, &plan) else { return plan }
            // Where the bytes end for good nothing comes after.
            guard failure.next < bytes else {
                plan.lose(failure.loss(to: bytes))
                return plan
            }
            if plan.version == 0 { plan.version = SnapshotVersion.newest }
            let next = try goOnBehind(failure, &budget)
            plan.lose(failure.loss(to: next ?? bytes))
            guard let next else { return plan }
            start = next
        }
    }

    /// Where a walk ended, and why.
    private struct Stop {
        var record: Int64
        var next: Int64
        /// Nil for an end mark with much behind it: misread bytes have those, too.
        var error: SnapshotReadError?

        func loss(to end: Int64) -> SalvagePlan.Loss {
            SalvagePlan.Loss(
                start: record, end: end, key: error?.key, database: error?.database ?? 0,
                type: error?.form.flatMap { ValueForm(rawValue: $0)?.typeName },
                message: error?.message ?? "an end mark before the end of the file")
        }
    }

    /// Walks through whole records from `start` on; nil if the end was reached.
    private func walk(
        from start: Int64, _ database: inout Int, _ plan: inout SalvagePlan
    ) throws(WalkFailure) -> Stop? {
        var settings = WalkSettings()
        settings.isThreaded = isThreaded
        // What the checksum says is known already.
        settings.verifiesChecksum = false
        if start > 0 { settings.resumed = (max(plan.version, 1), database) }
        let source = try RDBCheckSession.opening { () throws(SystemError) in
            try InputSource(path, from: start, patch: patch)
        }
        var walk = try RDBCheckSession.opening { () throws(SystemError) in
            try Walk(
                source, Visitor(repeated: repeated), longStrings: LongStrings(),
                settings: settings)
        }
        var good = start
        var asked = start
        let first = database
        var emptyBefore: UInt64 = 0
        var begin = start
        defer { plan.keys += walk.tally.keys }
        while true {
            do throws(WalkFailure) {
                let goesOn = try walk.step()
                if walk.tally.emptyValues > emptyBefore {
                    // A server leaves such a key out; so does the copy.
                    emptyBefore = walk.tally.emptyValues
                    add(&plan, begin, good, first)
                    begin = start + walk.reader.offset
                    let key = walk.reader.key.prefix(1024).copyToArray()
                    plan.lose(
                        SalvagePlan.Loss(
                            start: good, end: begin, key: key, database: walk.reader.database,
                            type: nil, message: "an empty value"))
                }
                let before = good
                good = start + walk.reader.offset
                database = walk.reader.database
                if !goesOn, !isEnd(good) {
                    add(&plan, begin, before, first)
                    return Stop(record: before, next: before + 1, error: nil)
                }
                if plan.version == 0 { plan.version = walk.reader.version }
                if !goesOn {
                    add(&plan, begin, good, first)
                    return nil
                }
                if good - asked >= 1 << 20 {
                    asked = good
                    guard goOn(good) else { throw .interrupted }
                }
            } catch {
                guard case .read(let error) = error, error.system == nil else { throw error }
                add(&plan, begin, good, first)
                database = walk.reader.database
                return Stop(record: good, next: good + 1, error: error)
            }
        }
    }

    /// Behind an end mark there is at most a checksum.
    private func isEnd(_ offset: Int64) -> Bool { bytes - offset <= 8 }

    private func add(_ plan: inout SalvagePlan, _ start: Int64, _ end: Int64, _ database: Int) {
        if end > start {
            plan.runs.append(SalvagePlan.Run(start: start, end: end, database: database))
        }
    }

    // MARK: Behind damage

    private static let windowBytes = 4 << 20
    /// What one try looks at, at most.
    private static let tryBytes = 128 << 10
    private static let recordsMax = 12

    /// Where the next whole record begins; nil if there is none.
    private func goOnBehind(
        _ stop: Stop, _ budget: inout Int64
    ) throws(WalkFailure) -> Int64? {
        // The value alone may be broken, and say its length rightly.
        if stop.error?.key != nil, let next = try passOver(stop) { return next }
        var window = ByteBuffer()
        var windowStart = stop.next
        while windowStart < bytes {
            try read(windowStart, &window)
            let isLast = windowStart + Int64(window.count) >= bytes
            let tries = isLast ? window.count : max(0, window.count - Self.tryBytes)
            for index in 0..<tries {
                let rest = window.slice.dropFirst(index).prefix(Self.tryBytes)
                let isWhole = isLast && window.count - index <= Self.tryBytes
                let found = SnapshotProbe.look(at: rest, recordsMax: Self.recordsMax)
                budget -= Int64(max(found.bytes, 1)) + (found.isCut ? Int64(rest.count) / 64 : 0)
                if budget < 0 { return nil }
                if Self.isConvincing(found, isWhole: isWhole) { return windowStart + Int64(index) }
            }
            guard goOn(windowStart) else { throw .interrupted }
            if isLast { return nil }
            windowStart += Int64(tries)
        }
        return nil
    }

    private static func isConvincing(_ found: SnapshotProbe.Finding, isWhole: Bool) -> Bool {
        // The end mark with nothing but a checksum behind it.
        if found.reachesEnd { return isWhole }
        // Zeros are empty keys with empty values, as many as one likes.
        guard found.namedKeys * 2 >= found.records else { return false }
        return found.records >= recordsMax || (found.isCut && found.namedKeys >= 3)
    }

    private func passOver(_ stop: Stop) throws(WalkFailure) -> Int64? {
        var settings = SnapshotReaderSettings()
        settings.verifiesChecksum = false
        settings.isThreaded = false
        let longStrings = LongStrings()
        let source = try RDBCheckSession.opening { () throws(SystemError) in
            try InputSource(path, from: stop.record, patch: patch)
        }
        var reader = try RDBCheckSession.opening { () throws(SystemError) in
            try SnapshotReader(
                source, settings: settings, longStrings: longStrings,
                version: SnapshotVersion.newest, database: 0)
        }
        var end: Int64?
        do throws(SnapshotReadError) {
            // Two records more must follow, or the end.
            for index in 0..<3 {
                switch try reader.next() {
                case .key(let head): try reader.skipValue(head)
                case .end:
                    guard index > 0, isEnd(stop.record + reader.offset) else { return nil }
                    return end.map { stop.record + $0 }
                default: break
                }
                if index == 0 { end = reader.offset }
            }
        } catch { return nil }
        return end.map { stop.record + $0 }
    }

    private func read(_ offset: Int64, _ window: inout ByteBuffer) throws(WalkFailure) {
        window.removeAll()
        do throws(SystemError) {
            let source = try InputSource(path, from: offset, patch: patch)
            while window.count < Self.windowBytes {
                let before = window.count
                try unsafe window.appendInPlace(Self.windowBytes - before) {
                    (target) throws(SystemError) in try unsafe source.read(into: target)
                }
                if window.count == before { break }
            }
        } catch { throw .system(error) }
    }
}

extension RDBCheckSession {
    func salvage() throws(WalkFailure) -> ExitCode {
        let new = try newFile()
        let label = "\(path) (salvage)"
        let file = try Self.opening { () throws(SystemError) in try InputFile(path) }
        let progress = console.progress(label, totalBytes: file.bytes ?? 0)
        defer { progress.finish() }
        let goOn: (Int64) -> Bool = { done in
            progress.update(done)
            return console.mayGoOn
        }
        // What is wrapped is unwrapped first, as far as that goes.
        let spilled = try unwrap(file, goOn)
        defer { if let spilled { _ = close(spilled.descriptor) } }
        let plain = spilled.map { "/proc/self/fd/\($0.descriptor)" } ?? path
        let bytes = spilled?.bytes ?? file.bytes ?? 0

        var check = FileCheck()
        check.isThreaded = isThreaded
        check.goOn = goOn
        let checked = check.run(plain)
        if checked.isInterrupted { throw .interrupted }
        if checked.verdict == .unreadable {
            complain("\(path): \(checked.damage?.message ?? "")")
            return .inputOutput
        }
        let finding = checked.damage?.finding
        let patch = finding.flatMap { finding in
            finding.isInChecksum
                ? nil : InputSource.Patch(offset: finding.offset, change: finding.change)
        }
        let repeated = RepeatedKeys()
        var plan = try SalvageScan(
            path: plain, bytes: bytes, patch: patch, repeated: repeated, goOn: goOn,
            isThreaded: isThreaded
        ).run()
        if plan.runs.isEmpty || (plan.keys == 0 && checked.verdict == .foreign) {
            complain("\(path): nothing in it can be read as an RDB of version 1 to 12")
            return .foreign
        }
        let suspects = repeated.find()
        var copy = try RDBCopy(
            to: new.sink, version: min(max(plan.version, 10), SnapshotVersion.newest),
            compression: compression(isFramed: spilled?.isFramed ?? false), keepsPosition: false)
        var seen = Set<RepeatedKey>()
        var twice = 0
        for run in plan.runs {
            try self.copy(run, plain, patch, plan.version, &copy, goOn) { key, long in
                if let long {
                    plan.lose(Self.loss(of: key, long, in: run))
                    return false
                }
                if suspects.isEmpty { return true }
                guard suspects.contains(repeated.hash(key.key, key.database) | 1) else {
                    return true
                }
                let name = RepeatedKey(database: key.database, key: key.key.copyToArray())
                if seen.insert(name).inserted { return true }
                twice += 1
                return false
            }
        }
        let keys = copy.keys
        _ = try copy.finish()
        try new.finish()
        try print(
            plan, keys: keys, twice: twice, checked: checked, unwrapped: spilled?.message, new)
        return .sound
    }

    private func copy(
        _ run: SalvagePlan.Run, _ path: String, _ patch: InputSource.Patch?, _ version: Int,
        _ copy: inout RDBCopy, _ goOn: (Int64) -> Bool,
        _ wants: (KeyFacts, LongStrings.Item?) -> Bool
    ) throws(WalkFailure) {
        var settings = SnapshotReaderSettings()
        settings.verifiesChecksum = false
        settings.isThreaded = isThreaded
        let longStrings = LongStrings()
        let source = try Self.opening { () throws(SystemError) in
            try InputSource(path, from: run.start, patch: patch)
        }
        var reader: SnapshotReader
        do throws(SystemError) {
            reader =
                run.start == 0
                ? try SnapshotReader(source, settings: settings, longStrings: longStrings)
                : try SnapshotReader(
                    source, settings: settings, longStrings: longStrings, version: version,
                    database: run.database)
        } catch { throw .system(error) }
        try copy.copy(
            &reader, upTo: run.end - run.start,
            wants: { key in wants(key, longStrings.item(key.key)) },
            goOn: { goOn(source.bytesRead) })
    }

    /// A key that is too long to be held, and so to be copied.
    private static func loss(
        of key: KeyFacts, _ name: LongStrings.Item, in run: SalvagePlan.Run
    ) -> SalvagePlan.Loss {
        let start = run.start + key.head.offset
        return SalvagePlan.Loss(
            start: start, end: start + Int64(clamping: name.count), key: name.prefix,
            database: key.database, type: key.typeName, message: "a key of \(name.count) bytes")
    }

    private struct RepeatedKey: Hashable {
        var database: Int
        var key: [UInt8]
    }

    // MARK: Wrapped files

    private struct Unwrapped {
        var descriptor: Int32
        var bytes: Int64
        var isFramed = false
        /// Why it ended early.
        var message: String?
    }

    /// Writes what a wrapped file or standard input stands for into a temporary file without a name; nil if the
    /// file is plain.
    private func unwrap(
        _ file: InputFile, _ goOn: (Int64) -> Bool
    ) throws(WalkFailure) -> Unwrapped? {
        let source = try Self.opening { () throws(SystemError) in try InputSource(path) }
        var feed = try Self.opening { () throws(SystemError) in try SnapshotBytes(source) }
        var result: Unwrapped?
        var isBeyond = false
        while !isBeyond {
            let part: ByteSlice?
            do throws(SnapshotReadError) { part = try feed.next() } catch {
                if let system = error.system { throw .system(system) }
                result?.message = error.message
                break
            }
            guard let part else { break }
            if result == nil {
                if file.isRegular, !feed.isExpanded, source.wrappingName == "plain" { return nil }
                result = Unwrapped(
                    descriptor: try Self.opening { () throws(SystemError) in
                        try Spill.temporaryFile()
                    }, bytes: 0)
            }
            guard let target = result?.descriptor else { break }
            try Self.opening { () throws(SystemError) in try Spill.write(part, to: target) }
            result?.bytes += Int64(part.count)
            result?.isFramed = feed.isExpanded
            if !goOn(source.bytesRead) { isBeyond = true }
        }
        if isBeyond {
            if let result { _ = close(result.descriptor) }
            throw .interrupted
        }
        if let (message, _) = source.wrapperDamage { result?.message = message }
        return result
    }

    // MARK: The summary

    private func print(
        _ plan: SalvagePlan, keys: UInt64, twice: Int, checked: CheckedFile, unwrapped: String?,
        _ new: NewFile
    ) throws(WalkFailure) {
        let lostBytes = plan.losses.reduce(Int64(0)) { $0 + $1.end - $1.start }
        let list = JSONWriter(console.output)
        if console.wantsJSON {
            write(plan, keys, twice, checked, unwrapped, new, list)
            return
        }
        console.say(
            "SALVAGED \(new.path): \(Quantities.count(keys)) keys, \(Quantities.bytes(new.sink.bytesWritten))"
        )
        if let finding = checked.damage?.finding {
            console.say(
                finding.isInChecksum
                    ? "  repaired  only the checksum was damaged"
                    : "  repaired  \(finding.change.count) byte at offset \(finding.offset), as the checksum tells"
            )
        }
        if let unwrapped { console.say("  wrapping  \(unwrapped): what came before it was read") }
        if twice > 0 {
            console.say("  dropped   \(twice) keys that were there twice; the first stays")
        }
        if plan.lossCount == 0 {
            console.say("  lost      nothing")
            return
        }
        console.say(
            "  lost      \(Quantities.count(plan.lossCount)) places, \(Quantities.bytes(lostBytes))"
        )
        for loss in plan.losses.prefix(console.isQuiet ? 0 : 50) {
            var text = "    offset \(loss.start) to \(loss.end): \(loss.message)"
            if let key = loss.key {
                text += ", key \(key.withSlice { keyText.text($0, bytesMax: 200) })"
                text += " in database \(loss.database)"
                if let type = loss.type { text += ", type \(type)" }
            }
            console.say(text)
        }
        if plan.lossCount > 50 {
            console.say("    and \(plan.lossCount - 50) more: --json lists them")
        }
    }

    private func write(
        _ plan: SalvagePlan, _ keys: UInt64, _ twice: Int, _ checked: CheckedFile,
        _ unwrapped: String?, _ new: NewFile, _ json: JSONWriter
    ) {
        json.beginObject()
        json.value("format", 1)
        json.value("file", path)
        json.value("output", new.path)
        json.value("verdict", checked.verdict.rawValue)
        json.value("keys", keys)
        json.value("bytes", new.sink.bytesWritten)
        json.value("repeated", twice)
        if let finding = checked.damage?.finding {
            json.beginObject("repaired")
            json.value("offset", finding.offset)
            json.value("bytes", finding.change.count)
            json.value("in_checksum", finding.isInChecksum)
            json.endObject()
        }
        if let unwrapped { json.value("wrapping", unwrapped) }
        json.value("places", plan.lossCount)
        json.beginArray("lost")
        for loss in plan.losses {
            json.beginObject()
            json.value("offset", loss.start)
            json.value("end", loss.end)
            json.value("message", loss.message)
            if let key = loss.key { key.withSlice { json.value("key", bytes: $0) } }
            json.value("db", loss.database)
            if let type = loss.type { json.value("type", type) }
            json.endObject()
        }
        json.endArray()
        json.endObject()
        json.endDocument()
    }
}
