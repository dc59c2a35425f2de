internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// One recovery, top-down: look, decide, load each file, judge the newest one's tail, settle the disk.
struct Recovery {
    private let settings: RecoverySettings
    private let disk: any FileSystem
    private let isInspection: Bool
    private var folder: LogFolder { settings.folder }

    private var manifest = Manifest()
    private var log: RecoveredLog
    var lock: (any File)?
    private var importsSingleFile = false
    private var loadedBytes: Int64 = 0
    private var bytesToLoad: Int64 = 0
    private var reportedBytes: Int64 = 0
    private var recordBytes: UInt64 = 0

    init(_ settings: RecoverySettings, _ disk: any FileSystem, isInspection: Bool) {
        self.settings = settings
        self.disk = disk
        self.isInspection = isInspection
        log = RecoveredLog(
            manifest: Manifest(history: settings.freshHistory),
            histories: Histories(settings.freshHistory, from: .zero))
    }

    mutating func run(
        _ apply: LogReader.Apply, _ snapshot: LogReader.LoadSnapshot,
        _ progress: LogReader.Progress
    ) throws(LogReadError) -> RecoveredLog {
        let hasFolder = try onDisk(try disk.kind(of: folder.path) != nil)
        if hasFolder { try takeLock() }
        switch StartDecision(try look(hasFolder: hasFolder)) {
        case .refuseUnlisted(let name): throw .unlisted(path: folder.path(of: name))
        case .importDump:
            try importDump(snapshot)
            log.isFresh = true
            if !hasFolder && !isInspection { try makeFolder() }
        case .fresh:
            log.isFresh = true
            if !hasFolder && !isInspection { try makeFolder() }
        case .load:
            try load(apply, snapshot, progress)
            try settle()
        case .importSingleFile:
            importsSingleFile = true
            manifest = Manifest(
                lines: [.init(name: folder.fileName, sequence: 1, type: .base)])
            log.notices.append("\(folder.singleFilePath) is moved into \(folder.path)")
            try load(apply, snapshot, progress)
            if !hasFolder && !isInspection { try makeFolder() }
            try settle()
        }
        log.lock = lock
        return log
    }

    mutating func inspect(
        _ listing: Manifest, _ apply: LogReader.Apply, _ snapshot: LogReader.LoadSnapshot,
        _ progress: LogReader.Progress
    ) throws(LogReadError) -> RecoveredLog {
        manifest = listing
        if let histories = manifest.histories { log.histories = histories }
        try load(apply, snapshot, progress)
        return log
    }

    mutating func inspectFile(
        _ apply: LogReader.Apply, _ snapshot: LogReader.LoadSnapshot,
        _ progress: LogReader.Progress
    ) throws(LogReadError) -> RecoveredLog {
        importsSingleFile = true
        var line = Manifest.Line(name: folder.fileName, sequence: 1, type: .base)
        if let number = try onDisk(try segmentNumber(folder.singleFilePath)) {
            line.type = .incremental
            line.sequence = number
        }
        return try inspect(Manifest(lines: [line]), apply, snapshot, progress)
    }

    /// The number that a segment's own opening line gives; 1 if it begins like a segment and can't be read, nil
    /// for any other file.
    private func segmentNumber(_ path: String) throws(SystemError) -> UInt64? {
        guard try disk.kind(of: path) != nil else { return nil }
        let file = try disk.open(path, .read)
        defer { file.close() }
        guard try beginning(of: file) == .segment else { return nil }
        var reader = try SegmentReader(file)
        if case .line(let opening) = try reader.readOpening() { return opening.segment }
        return 1
    }

    mutating func beginAnew(at lsn: LSN) throws(LogReadError) -> RecoveredLog {
        if try onDisk(try disk.kind(of: folder.path) != nil) {
            try takeLock()
        } else {
            try makeFolder()
        }
        for name in try onDisk(try disk.list(folder.path)) {
            let number = folder.segment(of: name)
            guard number != nil || folder.isHealingSegment(name) || folder.isBase(name) else {
                continue
            }
            log.replacedFiles.append(name)
            if let number { log.nextSegment = max(log.nextSegment, number + 1) }
            if let number = folder.baseNumber(of: name) {
                log.baseSequenceMax = max(log.baseSequenceMax, number)
            }
        }
        log.isFresh = true
        log.end = lsn
        log.histories = Histories(settings.freshHistory, from: lsn)
        log.lock = lock
        return log
    }

    // MARK: - Look

    private var dumpPath: String { "\(folder.directory)/\(settings.dumpName)" }

    private mutating func look(hasFolder: Bool) throws(LogReadError) -> StartFacts {
        var facts = StartFacts(manifest: .absent)
        facts.mayStartEmpty = settings.mayStartEmpty
        facts.hasSingleFile = try kind(folder.singleFilePath) == .file
        facts.hasDump = try kind(dumpPath) == .file
        guard hasFolder else { return facts }
        if try kind(folder.manifestPath) != nil {
            manifest = try readManifest()
            facts.manifest = manifest.loaded.isEmpty ? .empty : .lists
            if let histories = manifest.histories { log.histories = histories }
            if let only = manifest.lines.first, manifest.lines.count == 1, only.type == .base,
                only.name == folder.fileName
            {
                facts.importWasInterrupted = try kind(folder.path(of: only.name)) == nil
            }
        }
        let listed = Set(manifest.lines.map(\.name))
        let names = try onDisk(try disk.list(folder.path))
        log.nextSegment = manifest.sequenceMax + 1
        for name in names.sorted() where !listed.contains(name) {
            guard try lookAtUnlisted(name, isListing: facts.manifest == .lists) else { continue }
            facts.unlistedData = facts.unlistedData ?? name
            // Should the operator insist on an empty log, nothing of the old one is overwritten.
            if let number = folder.segment(of: name) {
                log.nextSegment = max(log.nextSegment, number + 1)
            }
        }
        return facts
    }

    private func readManifest() throws(LogReadError) -> Manifest {
        let path = folder.manifestPath
        let bytes = try onDisk(
            try disk.readWhole(path, bytesMax: Manifest.bytesMax))
        do throws(ManifestError) {
            return try bytes.withSlice { (text) throws(ManifestError) in
                try Manifest(parsing: text)
            }
        } catch { throw .manifest(path: path, error) }
    }

    /// Whether a file that no manifest names holds data that a start would leave out.
    private mutating func lookAtUnlisted(_ name: String, isListing: Bool) throws(LogReadError)
        -> Bool
    {
        if let number = folder.segment(of: name) {
            // A retired segment whose removal a crash prevented.
            if isListing && number <= manifest.sequenceMax {
                log.notices.append("\(name) isn't in the manifest (retired), ignored")
                return false
            }
            if try onDisk(try holdsData(name)) { return true }
            log.notices.append("\(name) isn't in the manifest and holds no batch, ignored")
        } else if folder.isHealingSegment(name) {
            log.notices.append("\(name) isn't in the manifest (healing was interrupted), ignored")
        } else if folder.isBase(name) {
            if !isListing, name != folder.importedBaseName {
                return try onDisk(try holdsData(name))
            }
            log.notices.append("\(name) isn't in the manifest, ignored")
        }
        return false
    }

    /// A new segment enters the manifest before it gets its first batch, so what a crash leaves
    /// unlisted holds an opening line at most.
    private func holdsData(_ name: String) throws(SystemError) -> Bool {
        let file = try disk.open(folder.path(of: name), .read)
        defer { file.close() }
        var reader = try SegmentReader(file, heldBytesMax: settings.heldBytesMax)
        switch try reader.readOpening() {
        case .incomplete: return false
        case .invalid:
            // A crash may also leave the line in pieces, the rest of it zeros.
            let first = try reader.window.bytes(from: 0)[0]
            let lineBytesMax = Int64(LogFormat.openingBytesMax + LogFormat.selectBytesMax)
            if first != 0 && first != 0x23 { return true }
            return try reader.window.endOfData(from: 0) > lineBytesMax
        case .line: break
        }
        switch try reader.next() {
        case .end, .zeros: return false
        case .batch, .largeBatch, .plain, .nonsense: return true
        case .bad: return try reader.durableAfterBad() != nil
        }
    }

    // MARK: - Load

    private func path(of line: Manifest.Line) -> String {
        importsSingleFile ? folder.singleFilePath : folder.path(of: line.name)
    }

    private mutating func load(
        _ apply: LogReader.Apply, _ snapshot: LogReader.LoadSnapshot,
        _ progress: LogReader.Progress
    ) throws(LogReadError) {
        let lines = manifest.loaded
        // All are looked for before the first record is applied.
        var files: [any File] = []
        defer { for file in files { file.close() } }
        for line in lines {
            let path = path(of: line)
            if try kind(path) == nil { throw .missing(path: path) }
            let file = try onDisk(try disk.open(path, .read))
            files.append(file)
            bytesToLoad += try onDisk(try file.size())
        }
        log.manifest = manifest
        for (index, line) in lines.enumerated() {
            let isNewest = index == lines.count - 1
            let before = loadedBytes
            let start = try onDisk(try beginning(of: files[index]))
            if start == .segment || (line.firstLSN != nil && line.type == .incremental) {
                try loadSegment(line, files[index], isNewest, apply, progress)
            } else {
                if start == .snapshot { try loadSnapshot(line, files[index], snapshot) }
                if start == .other, line.type == .base, manifest.history != nil,
                    line.name.hasSuffix(".rdb")
                {
                    // Without this an emptied base would pass for a plain file without commands.
                    throw corrupt(line, 0, "the base holds no RDB", lsn: line.firstLSN)
                }
                try loadPlain(line, files[index], isNewest, apply, progress)
            }
            loadedBytes = before + (try onDisk(try files[index].size()))
            progress(loadedBytes, bytesToLoad)
        }
        if let last = lines.last, log.end < manifest.durable {
            throw corrupt(
                last, loadedBytes, "the log ends before LSN \(manifest.durable), which was durable")
        }
        log.manifest.history = log.history
        for index in log.manifest.lines.indices
        where log.manifest.lines[index].history == log.history {
            log.manifest.lines[index].history = nil
        }
        log.manifest.durable = log.end
        if recordBytes == 0, log.end == .zero, !settings.mayStartEmpty, manifest.base == nil,
            try kind(dumpPath) == .file
        {
            try importDump(snapshot)
        }
    }

    /// Loads the RDB file of a server without a log, which stands beside a log that holds nothing.
    private mutating func importDump(
        _ snapshot: LogReader.LoadSnapshot
    ) throws(LogReadError) {
        let file = try onDisk(try disk.open(dumpPath, .read))
        defer { file.close() }
        bytesToLoad += try onDisk(try file.size())
        let place = LogSnapshot(
            file: file, path: dumpPath, history: log.history, lsn: nil, isBase: false,
            loadedBytes: loadedBytes, totalBytes: bytesToLoad)
        if try read(place, snapshot) != nil {
            log.hasImportedDump = true
            log.notices.append("\(dumpPath) is loaded: the log holds nothing")
        }
    }

    private enum Beginning { case segment, snapshot, other }

    private func beginning(of file: any File) throws(SystemError) -> Beginning {
        var head = ByteBuffer()
        try file.readAll(at: 0, count: LogFormat.openingTag.utf8CodeUnitCount, into: &head)
        if head.slice == ByteSlice(LogFormat.openingTag) { return .segment }
        if head.slice == ByteSlice(EmptySnapshot.magic) { return .snapshot }
        // One LZ4 frame around an RDB.
        if head.slice.prefix(4) == ByteSlice("\u{04}\"M\u{18}") { return .snapshot }
        return .other
    }

    private var snapshotBytes = 0

    private mutating func loadSnapshot(
        _ line: Manifest.Line, _ file: any File, _ snapshot: LogReader.LoadSnapshot
    ) throws(LogReadError) {
        let place = LogSnapshot(
            file: file, path: path(of: line),
            history: line.firstLSN == nil ? nil : line.history ?? manifest.history,
            lsn: line.firstLSN,
            isBase: true, loadedBytes: loadedBytes, totalBytes: bytesToLoad)
        guard let end = try read(place, snapshot) else {
            return try checkIsEmptySnapshot(line, file)
        }
        snapshotBytes = Int(end)
    }

    /// Has RDB content loaded; what is wrong with it names the place.
    private mutating func read(
        _ place: LogSnapshot, _ snapshot: LogReader.LoadSnapshot
    ) throws(LogReadError) -> Int64? {
        do {
            return try snapshot(place)
        } catch is SnapshotsUnread {
            if !place.isBase { throw .strayDump(path: place.path) }
            return nil
        } catch {
            let fault = error as? RecordFault
            throw .corrupt(
                folder: folder.path, file: place.path, offset: Int64(fault?.offset ?? 0),
                lsn: place.lsn ?? log.end, reason: fault?.reason ?? String(describing: error))
        }
    }

    /// For readers that don't know RDB content: only a base without data can be passed over.
    private mutating func checkIsEmptySnapshot(_ line: Manifest.Line, _ file: any File)
        throws(LogReadError)
    {
        var head = ByteBuffer()
        // An empty one takes some hundred bytes.
        _ = try onDisk(try file.readAll(at: 0, count: 1 << 16, into: &head))
        guard let end = EmptySnapshot.end(in: head.slice) else {
            throw .snapshotBase(path: path(of: line))
        }
        snapshotBytes = end
    }

    private mutating func loadSegment(
        _ line: Manifest.Line, _ file: any File, _ isNewest: Bool, _ apply: LogReader.Apply,
        _ progress: LogReader.Progress
    ) throws(LogReadError) {
        var reader = try onDisk(
            try SegmentReader(
                file, bytes: line.bytes, after: log.lastMilliseconds,
                heldBytesMax: settings.heldBytesMax))
        try noteBytesAfterEnd(line, file, reader.size)
        var loaded = LoadedFile(
            name: line.name, kind: .segment, firstLSN: log.end, endLSN: log.end, bytes: 0,
            batches: 0, firstMilliseconds: 0,
            lastMilliseconds: 0)
        if log.files.isEmpty, let first = line.firstLSN { log.end = first }
        if let first = line.firstLSN, first != log.end {
            throw corrupt(line, 0, "it should begin at LSN \(log.end), the manifest says \(first)")
        }
        reader.expect(log.end)
        var stop: ReadStop
        switch try onDisk(try reader.readOpening()) {
        case .incomplete: stop = .bad("opening line is cut off at the end of the file")
        case .invalid(let reason): stop = .bad(reason)
        case .line(let opening):
            try check(opening, line)
            loaded.firstLSN = opening.firstLSN
            log.end = opening.firstLSN
            log.database = opening.database
            stop = .end
            var hasBegun = false
            reading: while true {
                let database = reader.database
                let offset = reader.offset
                let step = try onDisk(try reader.next())
                switch step {
                case .batch(let annotation, _), .largeBatch(let annotation):
                    var records = ByteSlice()
                    if case .batch(_, let held) = step { records = held }
                    try give(
                        RecordBatch(
                            records: records, firstLSN: annotation.firstLSN,
                            milliseconds: annotation.milliseconds, database: database,
                            beginsFile: !hasBegun,
                            place: RecordBatch.Place(
                                name: line.name, file: file, range: offset..<reader.offset,
                                recordsOffset: offset + Int64(annotation.lineBytes)),
                            recordBytes: annotation.recordBytes),
                        from: line, apply)
                    hasBegun = true
                    loaded.note(annotation.milliseconds)
                    report(reader.offset - offset, progress)
                case .end: break reading
                case .zeros:
                    stop = .zeros
                    break reading
                case .bad(let reason):
                    stop = .bad(reason)
                    break reading
                case .nonsense(let reason):
                    stop = .garbage(reason)
                    break reading
                case .plain:
                    log.end = reader.lsn
                    log.lastMilliseconds = reader.milliseconds
                    log.database = reader.database
                    try loadForeignTail(
                        line, file, isNewest, from: reader.offset, &loaded, apply, progress)
                    return
                }
            }
            log.end = reader.lsn
            log.lastMilliseconds = reader.milliseconds
            log.database = reader.database
        }
        var durable = manifest.durable
        if case .bad = stop, isNewest {
            let later = try onDisk(try reader.durableAfterBad())
            durable = max(durable, later ?? .zero)
        }
        loaded.endLSN = log.end
        loaded.bytes = reader.offset
        try judge(
            line, file, loaded,
            TailFacts(
                isNewest: isNewest, isSegment: true, stop: stop, stopLSN: log.end,
                durable: durable, loadsTruncated: settings.loadsTruncated))
    }

    /// The opening line must say what the manifest and the files before say.
    private mutating func check(_ opening: SegmentOpening, _ line: Manifest.Line)
        throws(LogReadError)
    {
        // The first file of a manifest begins where it says; any other where the one before ended.
        let due = log.files.isEmpty ? line.firstLSN ?? opening.firstLSN : log.end
        guard opening.firstLSN == due else {
            throw corrupt(
                line, 0, "segment begins at LSN \(opening.firstLSN) where \(due) is due")
        }
        guard opening.segment == line.sequence else {
            throw corrupt(
                line, 0, "segment \(opening.segment) where the manifest has \(line.sequence)")
        }
        let isFirst = !log.files.contains { $0.kind == .segment }
        if let history = line.history ?? manifest.history {
            guard opening.history == history else {
                throw corrupt(line, 0, "segment of another history, \(opening.history)")
            }
        } else if isFirst {
            log.histories = Histories(opening.history, from: opening.firstLSN)
        } else {
            log.histories.begin(opening.history, at: opening.firstLSN)
        }
        guard opening.milliseconds >= log.lastMilliseconds else {
            throw corrupt(line, 0, "segment is older than the batch before it")
        }
        note(opening, in: line)
    }

    /// A manifest that Redis rewrote has lost what it said about segments of ours.
    private mutating func note(_ opening: SegmentOpening, in line: Manifest.Line) {
        for index in log.manifest.lines.indices where log.manifest.lines[index].name == line.name {
            log.manifest.lines[index].firstLSN = opening.firstLSN
            if manifest.history == nil { log.manifest.lines[index].history = opening.history }
        }
    }

    private mutating func noteBytesAfterEnd(
        _ line: Manifest.Line, _ file: any File, _ size: Int64
    ) throws(LogReadError) {
        guard let bytes = line.bytes else { return }
        if size < bytes {
            throw corrupt(line, size, "the file ends here, the manifest says at \(bytes)")
        }
        let actual = try onDisk(try file.size())
        if actual > bytes {
            log.notices.append(
                "\(line.name): \(actual - bytes) bytes after its sealed end are ignored")
        }
    }

    private mutating func loadForeignTail(
        _ line: Manifest.Line, _ file: any File, _ isNewest: Bool, from offset: Int64,
        _ loaded: inout LoadedFile, _ apply: LogReader.Apply, _ progress: LogReader.Progress
    ) throws(LogReadError) {
        let first = log.end
        loaded.hasPlainTail = true
        log.notices.append(
            "\(line.name): plain commands after the last batch, at LSN \(first), are loaded")
        try readPlain(
            line, file, isNewest, from: offset, isSegment: true, beginsFile: loaded.batches == 0,
            &loaded, apply, progress)
    }

    private mutating func loadPlain(
        _ line: Manifest.Line, _ file: any File, _ isNewest: Bool, _ apply: LogReader.Apply,
        _ progress: LogReader.Progress
    ) throws(LogReadError) {
        var loaded = LoadedFile(
            name: line.name, kind: .plain, firstLSN: log.end, endLSN: log.end, bytes: 0,
            batches: 0, firstMilliseconds: 0, lastMilliseconds: 0)
        let start = Int64(snapshotBytes)
        snapshotBytes = 0
        log.database = 0
        try readPlain(
            line, file, isNewest, from: start, isSegment: false, beginsFile: true, &loaded, apply,
            progress)
        // A base stands for an LSN, which its commands don't count up to.
        if line.type == .base, let lsn = line.firstLSN { log.end = lsn }
    }

    private mutating func readPlain(
        _ line: Manifest.Line, _ file: any File, _ isNewest: Bool, from offset: Int64,
        isSegment: Bool, beginsFile: Bool, _ loaded: inout LoadedFile, _ apply: LogReader.Apply,
        _ progress: LogReader.Progress
    ) throws(LogReadError) {
        var reader = try onDisk(
            try PlainReader(
                file, bytes: line.bytes, from: offset, lsn: log.end,
                milliseconds: log.lastMilliseconds, database: log.database,
                heldBytesMax: settings.heldBytesMax))
        var hasBegun = !beginsFile
        var stop = ReadStop.end
        reading: while true {
            let database = reader.database
            let step = try onDisk(try reader.next())
            switch step {
            case .records(_, let at, let first), .largeUnit(let at, let first, _):
                var records = ByteSlice()
                if case .records(let held, _, _) = step { records = held }
                try give(
                    RecordBatch(
                        records: records, firstLSN: first, milliseconds: reader.milliseconds,
                        database: database, beginsFile: !hasBegun,
                        place: RecordBatch.Place(
                            name: line.name, file: file, range: at..<reader.offset,
                            recordsOffset: at, gaps: reader.gaps),
                        recordBytes: Int64(reader.lsn.value - first.value)),
                    from: line, apply)
                hasBegun = true
                loaded.note(reader.milliseconds)
                report(reader.offset - at, progress)
            case .end:
                stop = isSegment ? .foreignEnd : .end
                break reading
            case .zeros:
                stop = .zeros
                break reading
            case .unfinished:
                stop = .unfinished
                break reading
            case .garbage(let reason, let at):
                throw corrupt(line, at, reason)
            }
        }
        log.end = reader.lsn
        log.database = reader.database
        log.lastMilliseconds = reader.milliseconds
        loaded.endLSN = reader.lsn
        loaded.bytes = stop == .end || stop == .foreignEnd ? reader.window.size : reader.offset
        let durable = line.type == .base && line.firstLSN != nil ? LSN.zero : manifest.durable
        try judge(
            line, file, loaded,
            TailFacts(
                isNewest: isNewest, isSegment: isSegment, stop: stop, stopLSN: reader.lsn,
                durable: durable, loadsTruncated: settings.loadsTruncated))
    }

    private mutating func give(
        _ batch: RecordBatch, from line: Manifest.Line, _ apply: LogReader.Apply
    ) throws(LogReadError) {
        recordBytes += UInt64(batch.recordBytes)
        do {
            try apply(batch)
        } catch {
            let fault = error as? RecordFault
            let inside = max(0, fault?.offset ?? 0)
            throw .corrupt(
                folder: folder.path, file: path(of: line),
                offset: (batch.place?.recordsOffset ?? 0) + Int64(inside),
                lsn: batch.firstLSN.advanced(by: inside),
                reason: fault?.reason ?? String(describing: error))
        }
    }

    private mutating func report(_ bytes: Int64, _ progress: LogReader.Progress) {
        loadedBytes += bytes
        if loadedBytes - reportedBytes >= 1 << 20 {
            reportedBytes = loadedBytes
            progress(loadedBytes, bytesToLoad)
        }
    }

    // MARK: - Judge

    private mutating func judge(
        _ line: Manifest.Line, _ file: any File, _ loaded: LoadedFile, _ facts: TailFacts
    ) throws(LogReadError) {
        switch TailVerdict(facts) {
        case .clean: break
        case .trimZeros: log.notices.append("\(line.name): preallocated zeros are taken off")
        case .cut:
            var window = try onDisk(try FileWindow(file, bytes: line.bytes))
            let bytes = try onDisk(try window.endOfData(from: loaded.bytes)) - loaded.bytes
            let reason =
                switch facts.stop {
                case .bad(let reason): reason
                case .zeros: "zeros"
                default: "an unfinished command or transaction"
                }
            log.cut = CutTail(
                file: line.name, offset: loaded.bytes, bytes: bytes, lsn: facts.stopLSN,
                reason: reason,
                sideFile: bytes > 0 ? folder.sideFileName(line.name, cutAt: facts.stopLSN) : nil)
        case .refuseUnfinished(let reason):
            throw .unfinished(
                file: path(of: line), offset: loaded.bytes, lsn: facts.stopLSN, reason: reason)
        case .corruption(let reason):
            throw corrupt(line, loaded.bytes, reason, lsn: facts.stopLSN)
        }
        log.files.append(loaded)
    }

    private func corrupt(
        _ line: Manifest.Line, _ offset: Int64, _ reason: String, lsn: LSN? = nil
    ) -> LogReadError {
        .corrupt(
            folder: folder.path, file: path(of: line), offset: offset, lsn: lsn ?? log.end,
            reason: reason)
    }

    // MARK: - Settle

    /// Brings the disk to what was recovered: the cut bytes aside first, then each file that may be
    /// unsynced exact and durable. A crash in between leaves what the next recovery cuts again.
    private mutating func settle() throws(LogReadError) {
        if !isInspection {
            try onDisk(try keepAside())
            try onDisk(try makeExact())
            if importsSingleFile { try onDisk(try moveSingleFile()) }
        }
        log.nextSegment = max(log.nextSegment, manifest.sequenceMax + 1)
        // A segment without its opening line is as if it had not been begun: it is begun again.
        if let newest = log.files.last, newest.kind == .segment, newest.bytes == 0,
            let line = manifest.loaded.last
        {
            log.manifest.lines.removeAll { $0.name == newest.name }
            log.files.removeLast()
            if line.name == folder.segmentName(line.sequence) { log.nextSegment = line.sequence }
        }
    }

    private func keepAside() throws(SystemError) {
        guard let cut = log.cut, let sideFile = cut.sideFile else { return }
        let name = importsSingleFile ? folder.singleFilePath : folder.path(of: cut.file)
        let from = try disk.open(name, .read)
        defer { from.close() }
        let to = try disk.open(folder.path(of: sideFile), .createOrTruncate)
        defer { to.close() }
        var window = try FileWindow(from, bytes: cut.offset + cut.bytes)
        var offset = cut.offset
        while offset < window.size {
            let part = try window.bytes(from: offset)
            try to.writeAll(part, at: offset - cut.offset)
            offset += Int64(part.count)
        }
        try to.sync()
        try disk.syncFolder(folder.path)
    }

    private func makeExact() throws(SystemError) {
        for (index, loaded) in log.files.enumerated() {
            let isNewest = index == log.files.count - 1
            // Sealing synced our older segments; nobody knows what Redis synced.
            if !isNewest && loaded.kind == .segment { continue }
            let name = importsSingleFile ? folder.singleFilePath : folder.path(of: loaded.name)
            let file = try disk.open(name, .readWrite)
            defer { file.close() }
            if isNewest {
                if loaded.kind == .segment {
                    try UnsyncedTail.rewrite(
                        file, durable: manifest.durable, upTo: loaded.bytes)
                } else if try file.size() > loaded.bytes {
                    try file.truncate(to: loaded.bytes)
                }
            }
            try file.sync()
        }
        // The names, too, may be younger than the last sync of the folder.
        try disk.syncFolder(folder.path)
    }

    /// As Redis does it: the manifest first, so that a crash between the two steps is seen.
    private func moveSingleFile() throws(SystemError) {
        try log.manifest.swap(into: folder, on: disk)
        try disk.rename(folder.singleFilePath, to: folder.path(of: folder.fileName))
        try disk.syncFolder(folder.path)
        try disk.syncFolder(folder.directory)
    }

    // MARK: - Disk

    private mutating func takeLock() throws(LogReadError) {
        if isInspection || lock != nil { return }
        do throws(SystemError) {
            lock = try disk.lock(folder.path)
        } catch {
            // EWOULDBLOCK
            if error.errno == 11 { throw .locked(folder: folder.path) }
            throw .system(error)
        }
    }

    private mutating func makeFolder() throws(LogReadError) {
        try onDisk(try disk.createFolder(folder.path))
        try onDisk(try disk.syncFolder(folder.directory))
        try takeLock()
    }

    private func kind(_ path: String) throws(LogReadError) -> FileKind? {
        try onDisk(try disk.kind(of: path))
    }

    private func onDisk<T: ~Copyable>(_ call: @autoclosure () throws(SystemError) -> T)
        throws(LogReadError) -> T
    {
        do throws(SystemError) { return try call() } catch { throw .system(error) }
    }
}

extension LoadedFile {
    fileprivate mutating func note(_ milliseconds: Int64) {
        if batches == 0 { firstMilliseconds = milliseconds }
        lastMilliseconds = milliseconds
        batches += 1
    }
}
