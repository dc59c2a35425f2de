internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Snapshot
internal import ToolKit

/// What is wrong, and where: all that a report says of it.
struct Finding {
    var verdict: Verdict
    /// The path of the file that it is in.
    var file: String?
    var offset: Int64?
    var lsn: LSN?
    var reason: String
    /// What a start of the server would do.
    var start: String
    /// The command at the place, as far as it can be read.
    var command: String?
    /// Bytes that a start would cut.
    var cutBytes: Int64?
    /// Command lines that go on from here.
    var next: [String] = []
}

extension Inspection {
    /// The verdict with its place.
    func finding(on disk: any FileSystem) -> Finding? {
        let target = shellWord(target.path)
        switch outcome {
        case .interrupted, .stopped: return nil
        case .recovered(let log):
            guard let cut = log.cut else {
                return Finding(verdict: .ok, reason: "", start: start(of: log))
            }
            var finding = Finding(
                verdict: .torn, file: path(of: cut.file, on: disk), offset: cut.offset,
                lsn: cut.lsn,
                reason: cut.reason, start: start(of: log),
                command: CommandAtPlace.text(path(of: cut.file, on: disk), cut.offset, disk),
                cutBytes: cut.bytes)
            finding.next = [
                "aof-check fix \(target)    # the same cut now; the bytes are kept",
                "holdfast-server …    # or just start: it cuts, keeps the bytes and says so",
            ]
            if case .file = self.target { finding.next.removeLast() }
            return finding
        case .refused(let error): return finding(of: error, target, disk)
        }
    }

    /// The path of a file that the log names.
    func path(of name: String, on disk: any FileSystem) -> String {
        switch target {
        case .folder(let folder):
            let inside = folder.path(of: name)
            let isOutside = (try? disk.kind(of: inside)) ?? nil == nil
            return isOutside && name == folder.fileName ? folder.singleFilePath : inside
        case .file(let path): return path
        }
    }

    private func start(of log: RecoveredLog) -> String {
        if log.isFresh {
            return log.hasImportedDump
                ? "a start would load the RDB file beside the folder and begin a log with it"
                : "a start would begin an empty log"
        }
        guard let cut = log.cut else { return "a start would load all of it" }
        let bytes = Quantities.count(cut.bytes)
        let kept = cut.sideFile.map { ", keep them in \($0)" } ?? ""
        let cuts = "a start would cut \(bytes) bytes\(kept), and go on"
        guard log.files.last?.kind == .segment else { return cuts }
        return "\(cuts); nothing that was acknowledged under appendfsync always is among them"
    }

    private func finding(of error: LogReadError, _ target: String, _ disk: any FileSystem)
        -> Finding
    {
        let refuses = "a start would refuse, and change nothing"
        let plan = "aof-check fix --dry-run \(target)    # what could be saved, changing nothing"
        switch error {
        case .system(let error):
            return Finding(
                verdict: .unreadable, file: error.path, reason: error.description, start: refuses)
        case .locked(let folder):
            return Finding(
                verdict: .unreadable, file: folder, reason: "in use by a server", start: refuses)
        case .manifest(let path, let error):
            let isNewer = LogFormat.isUnknownVersion(error.reason)
            let place = error.lineNumber > 0 ? ", at line \(error.lineNumber): \(error.line)" : ""
            return Finding(
                verdict: isNewer ? .foreign : .damaged, file: path, offset: 0,
                reason: error.reason + place, start: refuses, next: isNewer ? [] : [plan])
        case .missing(let path):
            return Finding(
                verdict: .damaged, file: path, reason: "the manifest lists it, and it isn't there",
                start: refuses, next: ["restore \(shellWord(path)) from a backup", plan])
        case .unlisted(let path):
            return Finding(
                verdict: .damaged, file: path, reason: "it holds data, and no manifest lists it",
                start: refuses, next: [plan])
        case .strayDump(let path), .snapshotBase(let path):
            return Finding(
                verdict: .damaged, file: path, reason: error.description, start: refuses)
        case .unfinished(let file, let offset, let lsn, let reason):
            return Finding(
                verdict: .damaged, file: file, offset: offset, lsn: lsn, reason: reason,
                start: refuses, command: CommandAtPlace.text(file, offset, disk), next: [plan])
        case .corrupt(_, let file, let offset, let lsn, let reason):
            if let base = baseError as? SnapshotReadError {
                return finding(of: base, in: file, refuses)
            }
            let isForeign =
                LogFormat.isUnknownVersion(reason) || isForeignFile(file, offset, disk)
            return Finding(
                verdict: isForeign ? .foreign : .damaged, file: file, offset: offset,
                lsn: max(lsn, end), reason: reason, start: refuses,
                command: CommandAtPlace.text(file, offset, disk), next: isForeign ? [] : [plan])
        }
    }

    private func finding(of error: SnapshotReadError, in file: String, _ start: String) -> Finding {
        if let system = error.system {
            return Finding(
                verdict: .unreadable, file: file, reason: system.description, start: start)
        }
        let isNewer: Bool =
            switch error.reason {
            case .newerVersion, .moduleValue, .previewFunction: true
            default: false
            }
        var finding = Finding(
            verdict: isNewer ? .foreign : .damaged, file: file, offset: error.offset,
            reason: "in its RDB content: \(error.message) (while doing \(error.step.name))",
            start: isOverlooked(error) ? Self.looseStart : start)
        if let key = error.key {
            let name = key.withSlice { KeyText.utf8.text($0, bytesMax: 128) }
            finding.command = "key \(name) of database \(error.database)"
        }
        finding.next = ["rdb-check \(shellWord(file))    # more about the RDB"]
        return finding
    }

    /// Servers look for this only with `sanitize-dump-payload yes`.
    private func isOverlooked(_ error: SnapshotReadError) -> Bool {
        guard error.reason == .duplicateMember else { return false }
        return error.form == ValueForm.hashListpack.rawValue
            || error.form == ValueForm.sortedSetListpack.rawValue
    }

    private static let looseStart =
        "a start may load it as it is; with sanitize-dump-payload yes it would refuse, and change nothing"

    /// A file given alone that never was an AOF: no command stands in its first bytes.
    private func isForeignFile(_ file: String, _ offset: Int64, _ disk: any FileSystem) -> Bool {
        guard case .file = target, offset == 0, let opened = try? disk.open(file, .read) else {
            return false
        }
        defer { opened.close() }
        var head = ByteBuffer()
        guard (try? opened.readAll(at: 0, count: 4096, into: &head)) != nil else { return false }
        let bytes = head.copyToArray()
        if bytes.starts(with: Array("#HF".utf8)) { return false }
        for index in 0..<max(0, bytes.count - 3)
        where bytes[index] == 0x0d && bytes[index + 1] == 0x0a {
            let next = bytes[index + 2]
            if next == 0x24 || next == 0x2a || next == 0x23 { return false }
        }
        return true
    }
}

/// Reads as much of the command at a place as there is, for people.
enum CommandAtPlace {
    static func text(_ path: String, _ offset: Int64, _ disk: any FileSystem) -> String? {
        guard let file = try? disk.open(path, .read) else { return nil }
        defer { file.close() }
        var buffer = ByteBuffer()
        // A report does without it if it can't be read.
        guard (try? file.readAll(at: offset, count: 4096, into: &buffer)) != nil else { return nil }
        return text(buffer.slice)
    }

    static func text(_ bytes: ByteSlice) -> String? {
        var position = 0
        if !bytes.isEmpty, bytes[0] == 0x23 {
            // The annotation before it.
            while position < min(bytes.count, 1024), bytes[position] != 0x0a { position += 1 }
            position += 1
        }
        guard
            case .value(let count, let lineEnd) = RecordScanner.commandHeader(
                bytes.dropFirst(position))
        else { return nil }
        position += lineEnd
        var words: [String] = []
        while words.count < min(count, 3),
            case .value(let size, let end) = RecordScanner.argumentHeader(bytes.dropFirst(position))
        {
            position += end
            let there = min(size, max(0, bytes.count - position))
            words.append(KeyText.utf8.text(bytes.dropFirst(position).prefix(there), bytesMax: 64))
            position += size + 2
            if position > bytes.count { break }
        }
        if words.isEmpty { return nil }
        return words.joined(separator: " ") + (count > words.count ? " …" : "")
    }
}
