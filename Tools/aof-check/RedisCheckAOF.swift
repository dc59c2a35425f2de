internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import RDBCheck
internal import Snapshot
internal import ToolKit

/// The program under its old name: redis-check-aof's arguments, words and exit statuses, with this reader's
/// checks of what is ours added.
struct RedisCheckAOF {
    let console: Console
    let disk: any FileSystem
    private var fixes = false
    private var untilSeconds: Int64 = 0
    /// Counted over all files.
    private let line = Box<Int64>(1)

    private static let program = "redis-check-aof"

    init(output: Output, disk: any FileSystem, takesSignals: Bool) {
        let arguments = ParsedArguments(command: "verify", operands: [])
        console = Console(
            program: Self.program, arguments: arguments, output: output, takesSignals: takesSignals)
        self.disk = disk
    }

    /// Ends the program with a message, as the old one does wherever it is.
    private struct Stop: Error {
        var message: String
    }

    mutating func run(_ words: [String], calledAs name: String) -> Int32 {
        let usage =
            "Usage: \(name) [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
        var path: String?
        switch words.count {
        case 1: path = words[0]
        case 2 where words[0] == "--fix":
            fixes = true
            path = words[1]
        case 3 where words[0] == "--truncate-to-timestamp":
            guard let seconds = Int64(words[1]), seconds > 0 else {
                console.say("Invalid timestamp, aborting...")
                return finish(1)
            }
            untilSeconds = seconds
            path = words[2]
        default: break
        }
        guard let path else {
            console.say(usage)
            return finish(1)
        }
        if words == ["-v"] || words == ["--version"] {
            console.say("\(Self.program) \(ToolVersion.product)")
            return finish(0)
        }
        do {
            try check(path)
            return finish(0)
        } catch let stop as Stop {
            if !stop.message.isEmpty { console.say(stop.message) }
        } catch let error as SystemError {
            console.say("Cannot open file \(error.path): \(error.reason)")
        } catch is Interrupted {
            return finish(ExitCode.interrupted.rawValue)
        } catch { console.say("\(error)") }
        return finish(1)
    }

    private func finish(_ status: Int32) -> Int32 {
        let code = console.output.finish(.sound, program: Self.program)
        return code == .sound ? status : code.rawValue
    }

    private func check(_ path: String) throws {
        switch try disk.kind(of: path) {
        case nil: throw SystemError(call: "open", path: path, errno: 2)
        case .folder, .other: throw Stop(message: "Cannot read file: \(path)")
        case .file: break
        }
        if try isManifest(path) {
            console.say("Start checking Multi Part AOF")
            try checkFolder(path)
        } else {
            console.say("Start checking Old-Style AOF")
            let result = try checkFile(path, named: path, isLast: true)
            console.say(text(result, "AOF", path))
            if result == .notValid { throw Stop(message: "") }
        }
    }

    /// The first line that is no comment begins with `file`.
    private func isManifest(_ path: String) throws -> Bool {
        let file = try disk.open(path, .read)
        defer { file.close() }
        var head = ByteBuffer()
        try file.readAll(at: 0, count: 4096, into: &head)
        var rest = head.slice
        while !rest.isEmpty, rest[0] == UInt8(ascii: "#") {
            var end = 0
            while end < rest.count, rest[end] != 0x0a { end += 1 }
            rest = rest.dropFirst(end + 1)
        }
        return rest.prefix(4).equalsIgnoringCase("file")
    }

    // MARK: - A folder

    private func checkFolder(_ path: String) throws {
        let (directory, name) = LogTarget.split(path)
        let bytes = try disk.readWhole(path, bytesMax: Manifest.bytesMax)
        let manifest: Manifest
        do {
            manifest = try bytes.withSlice { try Manifest(parsing: $0) }
        } catch let error as ManifestError {
            throw Stop(
                message: "\n*** FATAL AOF MANIFEST FILE ERROR ***\n\n"
                    + "Reading the manifest file, at line \(error.lineNumber)\n\n"
                    + ">>> '\(error.line)'\n\n\(error.reason)\n")
        }
        let lines = manifest.loaded
        if let base = manifest.base {
            let file = "\(directory)/\(base.name)"
            guard try disk.kind(of: file) != nil else { throw missing(file) }
            let kind = try isSnapshot(file) ? "RDB" : "RESP"
            console.say("Start to check BASE AOF (\(kind) format).")
            try report(
                try checkFile(file, named: base.name, isLast: lines.count == 1), "BASE AOF",
                base.name)
        }
        let segments = lines.filter { $0.type == .incremental }
        if !segments.isEmpty { console.say("Start to check INCR files.") }
        for (index, line) in segments.enumerated() {
            let file = "\(directory)/\(line.name)"
            guard try disk.kind(of: file) != nil else { throw missing(file) }
            let isLast = index == segments.count - 1
            try report(try checkFile(file, named: line.name, isLast: isLast), "INCR AOF", line.name)
        }
        try checkAsStart(name, path)
        console.say("All AOF files and manifest are valid")
    }

    private func missing(_ path: String) -> Stop {
        Stop(message: "Cannot open file \(path): No such file or directory, aborting...")
    }

    private func report(_ result: Result, _ kind: String, _ name: String) throws {
        console.say(text(result, kind, name))
        if result == .notValid { throw Stop(message: "") }
    }

    /// What the old program doesn't look at: sums, LSNs from file to file, the manifest's own seal.
    private func checkAsStart(_ name: String, _ path: String) throws {
        let target = try LogTarget.find(path, on: disk)
        let inspection = Inspection.run(target, on: disk, console: console, label: "checking")
        guard let finding = inspection.finding(on: disk) else { throw Interrupted() }
        if finding.verdict == .ok || fixes && finding.verdict == .torn { return }
        let place = finding.offset.map { ", at offset \($0)" } ?? ""
        throw Stop(
            message: "AOF \(finding.file ?? name) is not valid: \(finding.reason)\(place). "
                + "Use the aof-check program to see what can be saved.")
    }

    // MARK: - A file

    private enum Result { case valid, empty, notValid, truncated, truncatedToTime }

    private func text(_ result: Result, _ kind: String, _ name: String) -> String {
        switch result {
        case .valid: "\(kind) \(name) is valid"
        case .empty: "\(kind) \(name) is empty"
        case .notValid: "AOF \(name) is not valid. Use the --fix option to try fixing it."
        case .truncated: "Successfully truncated AOF \(name)"
        case .truncatedToTime:
            "Successfully truncated AOF \(name) to timestamp \(untilSeconds)"
        }
    }

    private func isSnapshot(_ path: String) throws -> Bool {
        let file = try disk.open(path, .read)
        defer { file.close() }
        var head = ByteBuffer()
        try file.readAll(at: 0, count: 5, into: &head)
        return head.slice == ByteSlice("REDIS")
            || head.slice.prefix(4) == ByteSlice("\u{04}\"M\u{18}")
    }

    private func checkFile(_ path: String, named name: String, isLast: Bool) throws -> Result {
        let file = try disk.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        if size == 0 { return .empty }
        let start = try isSnapshot(path) ? checkSnapshot(file, named: name) : 0
        var scan = try StockScan(
            file, name: name, from: start, line: line.value, untilSeconds: untilSeconds)
        try scan.run(mayGoOn: { console.mayGoOn })
        if !console.mayGoOn { throw Interrupted() }
        line.value = scan.line
        if scan.hasFormatError { console.say("AOF \(name) format error") }
        if let offset = scan.cutOffset {
            return try cutToTime(path, named: name, offset, size, isLast)
        }
        if let failure = scan.failure { console.say(failure) }
        var whole = scan.wholeBytes
        if let (offset, reason) = try ownDamage(path, isLast), offset < whole || reason != nil {
            if let reason {
                console.say("0x\(HexWindow.hex(UInt64(offset), digits: 16)): \(reason)")
            }
            whole = min(whole, offset)
        } else if try endsInZeros(file, whole) {
            whole = size
        }
        let difference = size - whole
        if difference == 0 && untilSeconds > 0 {
            console.say("Truncate nothing in AOF \(name) to timestamp \(untilSeconds)")
            return .valid
        }
        console.say(
            "AOF analyzed: filename=\(name), size=\(size), ok_up_to=\(whole), "
                + "ok_up_to_line=\(scan.line), diff=\(difference)")
        if difference <= 0 { return .valid }
        guard fixes else { return .notValid }
        guard isLast else {
            throw Stop(
                message: "Failed to truncate AOF \(name) because it is not the last file")
        }
        console.say(
            "This will shrink the AOF \(name) from \(size) bytes, with \(difference) bytes, to "
                + "\(whole) bytes")
        guard console.ask("Continue? [y/N]: ", accepting: ["y", "yes"]) else {
            throw Stop(message: "Aborting...")
        }
        try truncate(path, to: whole, size)
        return .truncated
    }

    /// Zeros behind the last batch of a segment of ours are room, not damage.
    private func endsInZeros(_ file: any File, _ offset: Int64) throws -> Bool {
        var head = ByteBuffer()
        try file.readAll(at: 0, count: 5, into: &head)
        guard head.slice == ByteSlice("#HFS ") else { return false }
        var window = try FileWindow(file)
        return offset < window.size ? try window.endOfData(from: offset) == offset : false
    }

    /// Where a segment of ours stops being whole, and why; nil if it is, or isn't ours.
    private func ownDamage(_ path: String, _ isLast: Bool) throws -> (Int64, String?)? {
        let file = try disk.open(path, .read)
        defer { file.close() }
        var head = ByteBuffer()
        try file.readAll(at: 0, count: 5, into: &head)
        guard head.slice == ByteSlice("#HFS ") else { return nil }
        let inspection = Inspection.run(
            .file(path), on: disk, console: console, label: "checking")
        switch inspection.outcome {
        case .interrupted, .stopped: throw Interrupted()
        case .recovered(let log): return log.cut.map { ($0.offset, $0.reason) }
        case .refused(.corrupt(_, _, let offset, _, let reason)): return (offset, reason)
        case .refused(.unfinished(_, let offset, _, let reason)): return (offset, reason)
        case .refused(let error): throw error
        }
    }

    private func cutToTime(
        _ path: String, named name: String, _ offset: Int64, _ size: Int64, _ isLast: Bool
    ) throws -> Result {
        if offset == 0 {
            throw Stop(
                message: "AOF \(path) has nothing before timestamp \(untilSeconds), aborting...")
        }
        guard isLast else {
            throw Stop(
                message: "Failed to truncate AOF \(path) to timestamp \(untilSeconds) to offset "
                    + "\(offset) because it is not the last file.\nIf you insist, please delete all "
                    + "files after this file according to the manifest file and delete the "
                    + "corresponding records in manifest file manually. Then re-run redis-check-aof."
            )
        }
        try truncate(path, to: offset, size)
        return .truncatedToTime
    }

    /// Cuts; what is cut is kept beside, which the old program doesn't do.
    private func truncate(_ path: String, to offset: Int64, _ size: Int64) throws {
        var side = "\(path).cut-\(offset)"
        var number = 1
        while try disk.kind(of: side) != nil {
            number += 1
            side = "\(path).cut-\(offset).\(number)"
        }
        try FileCopy.copy(path, offset..<size, to: side, on: disk, console: console)
        let file = try disk.open(path, .readWrite)
        defer { file.close() }
        try file.truncate(to: offset)
        try file.sync()
    }

    // MARK: - RDB content

    private func checkSnapshot(_ file: any File, named name: String) throws -> Int64 {
        let words = StockWords(program: Self.program, console)
        guard let place = try words.check(try FileSource(file), named: name) else {
            if console.isInterrupted { throw Interrupted() }
            throw Stop(message: "RDB preamble of AOF file is not sane, aborting.")
        }
        console.say("RDB preamble is OK, proceeding with AOF tail...")
        return place.isExpanded ? try file.size() : place.end
    }
}
