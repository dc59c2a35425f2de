internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

// rdb-check convert: the same data in another form.

/// Copies an RDB, or parts of several, into a new one.
struct RDBCopy: ~Copyable {
    var writer: SnapshotWriter
    private var database = -1
    private var sizes: (keys: UInt64, deadlines: UInt64) = (0, 0)
    private var hasSizes = false
    private(set) var keys: UInt64 = 0
    /// Keys that lost deadlines of fields.
    private(set) var reduced: UInt64 = 0
    private let keepsPosition: Bool

    /// - Parameter keepsPosition: it will be the state that the source says it is, so it says so too.
    init(
        to sink: any SnapshotSink, version: Int, compression: SnapshotCompression,
        keepsPosition: Bool
    ) throws(WalkFailure) {
        var settings = SnapshotSettings()
        settings.compression = compression
        self.keepsPosition = keepsPosition
        do throws(SnapshotWriteError) {
            writer = try SnapshotWriter(
                to: sink, version: version, settings: settings, progress: SnapshotProgress())
        } catch { throw WalkFailure(error) }
        writer.beginCopy()
    }

    /// Copies items up to `end`, or to the end of the RDB.
    ///
    /// - Parameters:
    ///   - wants: asked about each key.
    mutating func copy(
        _ reader: inout SnapshotReader, upTo end: Int64 = .max,
        wants: (KeyFacts) -> Bool, goOn: () -> Bool
    ) throws(WalkFailure) {
        var asked = reader.offset
        while reader.offset < end {
            let item: SnapshotReader.Item
            do throws(SnapshotReadError) { item = try reader.next() } catch { throw .read(error) }
            switch item {
            case .key(let head): try copy(head, &reader, wants)
            case .aux, .function: try copyHead(item, &reader)
            case .sizes(let keys, let deadlines): sizes = (keys, deadlines)
            case .database: sizes = (0, 0)
            case .passedOver: break
            case .end: return
            }
            if reader.offset - asked >= 1 << 20 {
                asked = reader.offset
                guard goOn() else { throw .interrupted }
            }
        }
    }

    private mutating func copy(
        _ head: SnapshotReader.KeyHead, _ reader: inout SnapshotReader, _ wants: (KeyFacts) -> Bool
    ) throws(WalkFailure) {
        let facts = KeyFacts(key: reader.key, database: reader.database, head: head)
        guard wants(facts) else {
            do throws(SnapshotReadError) {
                return try reader.skipValue(head)
            } catch { throw .read(error) }
        }
        if reader.database != database {
            database = reader.database
            do throws(SnapshotWriteError) {
                try writer.begin(
                    database: database, keys: Int(clamping: sizes.keys),
                    deadlines: Int(clamping: sizes.deadlines))
            } catch { throw WalkFailure(error) }
        }
        do throws(SnapshotCopyError) {
            if try !writer.copy(head, from: &reader) { reduced += 1 }
        } catch { throw WalkFailure(error) }
        keys += 1
    }

    private mutating func copyHead(
        _ item: SnapshotReader.Item, _ reader: inout SnapshotReader
    ) throws(WalkFailure) {
        do throws(SnapshotWriteError) {
            if case .function = item {
                return try writer.write(function: reader.text.copyToArray())
            }
            let name = reader.name
            let isPosition =
                name.prefix(9).equalsIgnoringCase("holdfast-")
                || name.prefix(5).equalsIgnoringCase("repl-")
            if keepsPosition || !isPosition { try writer.write(aux: name, reader.text) }
        } catch { throw WalkFailure(error) }
    }

    /// Writes the end.
    consuming func finish() throws(WalkFailure) -> SnapshotSummary {
        do throws(SnapshotWriteError) { return try writer.finish() } catch {
            throw WalkFailure(error)
        }
    }
}

extension RDBCheckSession {
    func convert() throws(WalkFailure) -> ExitCode {
        let longStrings = LongStrings()
        let target = try self.target()
        let file = try Self.opening { () throws(SystemError) in try InputFile(path) }
        let new = try newFile()
        if file.isRegular, let code = try refuseDamaged(path) { return code }
        let (selection, wants) = try wanted(longStrings)
        let progress = console.progress(path, totalBytes: file.bytes ?? 0)
        defer { progress.finish() }
        let source = try Self.opening { () throws(SystemError) in try InputSource(path) }
        let goOn = {
            progress.update(source.bytesRead)
            return console.mayGoOn
        }
        let keys: UInt64
        var notes: [String] = []
        var leftOut: [String] = []
        switch target {
        case .commands:
            let buffer = SinkBuffer(new.sink)
            let visitor = CommandVisitor(longStrings, wants: wants) { buffer.write($0) }
            var walk = try Self.opening { () throws(SystemError) in
                try Walk(source, visitor, longStrings: longStrings)
            }
            try walk.run { _ in buffer.failure == nil && goOn() }
            buffer.flush()
            if let failure = buffer.failure { throw WalkFailure(failure) }
            keys = walk.sink.visitor.count
            leftOut = walk.sink.visitor.leftOut
        case .rdb(let wanted):
            var settings = SnapshotReaderSettings()
            settings.isThreaded = isThreaded
            var reader = try Self.opening { () throws(SystemError) in
                try SnapshotReader(source, settings: settings, longStrings: longStrings)
            }
            do throws(SnapshotReadError) { try reader.begin() } catch { throw .read(error) }
            let version =
                wanted
                ?? min(
                    max(reader.version, SnapshotVersion.writable.lowerBound),
                    SnapshotVersion.newest)
            var copy = try RDBCopy(
                to: new.sink, version: version,
                compression: compression(isFramed: reader.isExpanded),
                keepsPosition: selection.acceptsAll)
            try copy.copy(&reader, wants: wants, goOn: goOn)
            if copy.reduced > 0 {
                notes.append(
                    "\(copy.reduced) hashes lost the deadlines of their fields, which RDB \(version) can't hold"
                )
            }
            keys = copy.keys
            _ = try copy.finish()
        }
        try selection.check()
        try new.finish()
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("format", 1)
            json.value("file", path)
            json.value("output", new.path)
            json.value("keys", keys)
            json.value("bytes", new.sink.bytesWritten)
            json.beginArray("notes")
            for note in notes { json.value(nil, note) }
            json.endArray()
            json.endObject()
            json.endDocument()
        } else if !console.isQuiet {
            console.say(
                "\(new.path): \(Quantities.count(keys)) keys, \(Quantities.bytes(new.sink.bytesWritten))"
            )
            for note in notes { console.say("  note  \(note)") }
        }
        return finish(leftOut, path)
    }

    private enum Target {
        case rdb(Int?)
        case commands
    }

    private func target() throws(WalkFailure) -> Target {
        let text = arguments.value("to") ?? "rdb"
        if text == "aof" { return .commands }
        if text == "rdb" { return .rdb(nil) }
        guard text.hasPrefix("rdb:"), let version = Int(text.dropFirst(4)),
            SnapshotVersion.writable.contains(version)
        else {
            throw .usage(UsageError("--to is rdb, rdb:9 to rdb:12, or aof, not \(text)"))
        }
        return .rdb(version)
    }

    /// What is not whole is for `salvage`.
    private func refuseDamaged(_ path: String) throws(WalkFailure) -> ExitCode? {
        let bytes = (try? InputFile(path))?.bytes ?? 0
        let progress = console.progress("\(path) (verify)", totalBytes: bytes)
        defer { progress.finish() }
        var check = FileCheck()
        check.isThreaded = isThreaded
        check.goOn = { done in
            progress.update(done)
            return console.mayGoOn
        }
        let result = check.run(path)
        if result.isInterrupted { throw .interrupted }
        guard result.verdict != .ok else { return nil }
        complain(
            "\(path) is \(result.verdict.rawValue): \(result.damage?.message ?? "")\nNext: rdb-check salvage -o \(shellWord(arguments.value("output") ?? "NEW")) \(shellWord(path))"
        )
        return result.exitCode
    }
}
