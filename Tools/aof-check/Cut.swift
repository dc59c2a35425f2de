internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// `aof-check cut`: the log up to a point, in a new folder. The source is only read.
struct Cut {
    let target: LogTarget
    let console: Console
    let disk: any FileSystem
    private let wish: CutWish
    private let directory: String

    init(
        _ arguments: ParsedArguments, _ target: LogTarget, _ console: Console,
        _ disk: any FileSystem, now: Int64
    ) throws(UsageError) {
        self.target = target
        self.console = console
        self.disk = disk
        wish = try CutWish(arguments, now: now)
        guard let directory = arguments.value("output") else {
            throw UsageError("say with -o DIR where to write")
        }
        self.directory = LogTarget.withoutSlashes(directory)
    }

    func run() throws -> ExitCode {
        if try disk.kind(of: directory) != nil, try !disk.list(directory).isEmpty {
            throw UsageError("\(directory) is there already and not empty")
        }
        let own = try ownManifest()
        let listing = Retained.listing(target, on: disk) ?? own
        let search = Box(CutSearch(wish))
        let inspection = Inspection.run(
            target, listing: Retained.listing(target, on: disk), on: disk, console: console,
            label: "reading"
        ) { try search.value.see($0) }
        switch inspection.outcome {
        case .interrupted: return .interrupted
        case .stopped: break
        case .recovered, .refused:
            // Damage after the place is no hindrance; damage before it was met first.
            if case .refused(let error) = inspection.outcome { console.complain("\(error)") }
        }
        let point = try chosen(search.value, inspection)
        let plan = try self.plan(listing, own, point)
        try write(plan, point)
        return try report(point)
    }

    /// What the target is as a manifest; of a single file, one that lists it.
    private func ownManifest() throws -> Manifest {
        switch target {
        case .folder(let folder): return try Retained.manifest(folder, on: disk)
        case .file(let path):
            let name = LogTarget.split(path).name
            return Manifest(lines: [.init(name: name, sequence: 1, type: .base)])
        }
    }

    private func chosen(_ search: CutSearch, _ inspection: Inspection) throws -> CutPoint {
        switch wish {
        case .command(let name):
            guard let found = search.found else {
                throw UsageError("there is no \(name.uppercased()) in \(target.path)")
            }
            return found
        case .time where !search.hasTimes:
            throw UsageError("\(target.path) has no times to cut at; use --to-lsn")
        case .time, .lsn:
            if case .refused(let error) = inspection.outcome { throw error }
            return search.point
        }
    }

    // MARK: - Planning

    private struct Copied {
        var line: Manifest.Line
        /// The name at the source.
        var source: String
        /// Where it ends; nil for the whole.
        var end: Int64?
    }

    /// The files that the new log is made of: the newest base at or before the point, and what follows.
    private func plan(_ listing: Manifest, _ own: Manifest, _ point: CutPoint) throws -> [Copied] {
        var lines = listing.lines
        if let base = own.base, let lsn = base.firstLSN, lsn <= point.end, point.file != nil {
            let isLater = lines.contains {
                $0.type == .incremental && $0.firstLSN.map { $0 >= lsn } ?? true
                    && $0.name == point.file
            }
            if isLater || lsn == point.end { lines = own.lines }
        }
        lines = lines.filter { $0.type != .history }
        if let base = lines.first(where: { $0.type == .base }), let lsn = base.firstLSN {
            if point.file == nil || point.end < lsn {
                throw UsageError(
                    "nothing is kept of before LSN \(lsn), where the base \(base.name) stands")
            }
        }
        var plan: [Copied] = []
        for line in lines {
            let isLast = line.name == point.file
            plan.append(
                Copied(line: line, source: line.name, end: isLast ? point.offset : line.bytes))
            if isLast { return plan }
        }
        // The point lies in the base's own LSN, before any batch.
        return plan.filter { $0.line.type == .base }
    }

    // MARK: - Writing

    private var folder: LogFolder {
        switch target {
        case .folder(let source):
            LogFolder(
                directory: directory, folderName: source.folderName, fileName: source.fileName)
        case .file: LogFolder(directory: directory)
        }
    }

    private func sourcePath(_ name: String) -> String {
        switch target {
        case .folder(let folder): folder.path(of: name)
        case .file(let path): path
        }
    }

    private func write(_ plan: [Copied], _ point: CutPoint) throws {
        if try disk.kind(of: directory) == nil { try disk.createFolder(directory) }
        try disk.createFolder(folder.path)
        let source = try history()
        var manifest = Manifest(history: source, durable: point.end)
        for item in plan {
            var line = item.line
            line.bytes = nil
            let path = sourcePath(item.source)
            if case .file = target { line = try aloneLine(line, path) }
            let file = try disk.open(path, .read)
            let size = try file.size()
            file.close()
            let end = min(item.end ?? size, size)
            let tail = try part(item, point)
            try FileCopy.copy(
                path, 0..<end, to: folder.path(of: line.name), adding: tail.slice, on: disk,
                console: console)
            if line.firstLSN != nil { line.history = line.history ?? source }
            manifest.lines.append(line)
        }
        manifest.settleHistories()
        try disk.syncFolder(folder.path)
        try manifest.swap(into: folder, on: disk)
        try disk.syncFolder(directory)
        let (parent, _) = LogTarget.split(directory)
        try disk.syncFolder(parent)
    }

    /// A single file gets the name that its kind has in a folder.
    private func aloneLine(_ line: Manifest.Line, _ source: String) throws -> Manifest.Line {
        var line = line
        let file = try disk.open(source, .read)
        defer { file.close() }
        var reader = try SegmentReader(file)
        if case .line(let opening) = try reader.readOpening() {
            line.type = .incremental
            line.sequence = opening.segment
            line.firstLSN = opening.firstLSN
            line.name = folder.segmentName(opening.segment)
        } else {
            line.name = "\(folder.fileName).1.base.aof"
        }
        return line
    }

    /// The history of segments; nil for a log of redis-server's, whose manifest has no line of ours.
    private func history() throws -> HistoryID? {
        switch target {
        case .folder(let folder): return try Retained.manifest(folder, on: disk).history
        case .file(let path):
            let file = try disk.open(path, .read)
            defer { file.close() }
            var reader = try SegmentReader(file)
            if case .line(let opening) = try reader.readOpening() { return opening.history }
            return nil
        }
    }

    /// The first units of the batch in which the point lies, as a batch of their own.
    private func part(_ item: Copied, _ point: CutPoint) throws -> ByteBuffer {
        var tail = ByteBuffer()
        guard let part = point.part, item.source == point.file else { return tail }
        let file = try disk.open(sourcePath(item.source), .read)
        defer { file.close() }
        var records = ByteBuffer()
        let got = try file.readAll(at: part.recordsOffset, count: part.bytes, into: &records)
        if got < part.bytes { throw SystemError(call: "read", path: file.path, errno: 5) }
        BatchEncoder.annotation(
            into: &tail, firstLSN: point.lsn, records: records.slice,
            milliseconds: part.milliseconds, durable: point.lsn)
        tail.append(records.slice)
        return tail
    }

    // MARK: - Reporting

    /// Reads what was written as a start would.
    private func report(_ point: CutPoint) throws -> ExitCode {
        let result = LogTarget.folder(folder)
        let inspection = Inspection.run(result, on: disk, console: console, label: "checking")
        guard let finding = inspection.finding(on: disk) else { return .interrupted }
        let time = point.milliseconds > 0 ? ", \(Moments.text(point.milliseconds))" : ""
        if console.wantsJSON {
            let json = JSONWriter(console.output)
            json.beginObject()
            json.value("verdict", finding.verdict.rawValue)
            json.value("folder", folder.path)
            json.value("end_lsn", inspection.end.value)
            json.value("last_ms", point.milliseconds)
            json.endObject()
            json.endDocument()
        } else if finding.verdict == .ok {
            console.say(
                "\(console.word(.ok)) \(folder.path): ends at LSN \(inspection.end)\(time); "
                    + "the source is as it was")
            var words = "holdfast-server --dir \(shellWord(directory)) --appendonly yes"
            if folder.folderName != LogFolder(directory: "").folderName {
                words += " --appenddirname \(shellWord(folder.folderName))"
            }
            if folder.fileName != LogFolder(directory: "").fileName {
                words += " --appendfilename \(shellWord(folder.fileName))"
            }
            console.say("  next     \(words)")
        } else {
            VerdictText(console: console, disk: disk).write(finding, result)
        }
        return finding.verdict.exitCode
    }
}
