internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// One change that a repair makes. Each leaves what it takes away somewhere else, on stable storage, first.
enum FixStep {
    /// Keeps what follows `offset` in a file beside, then cuts it off.
    case cut(path: String, offset: Int64, size: Int64, side: String)
    /// Moves a file out of the way.
    case quarantine(name: String, why: String)
    /// Puts a manifest in force; the old one, if there is one, is kept in the quarantine.
    case manifest(Manifest)

    var text: String {
        switch self {
        case .cut(let path, let offset, let size, let side):
            "cut \(path) at offset \(Quantities.count(offset)): \(Quantities.count(size - offset)) "
                + "bytes go to \(side)"
        case .quarantine(let name, let why): "move \(name) to quarantine/: \(why)"
        case .manifest(let manifest):
            "write a manifest that lists " + manifest.loaded.map(\.name).joined(separator: ", ")
        }
    }
}

/// What a repair would do, or why there is none.
enum FixPlan {
    case nothing
    case steps([FixStep])
    case impossible(String)
}

/// From a refused or torn log to the steps that make it start again: keep all that is whole before the damage.
struct FixPlanner {
    let inspection: Inspection
    let disk: any FileSystem
    let console: Console

    func plan() throws -> FixPlan {
        switch inspection.outcome {
        case .interrupted, .stopped: return .nothing
        case .recovered(let log):
            guard let cut = log.cut else { return .nothing }
            return .steps([
                try cutStep(inspection.path(of: cut.file, on: disk), cut.offset, lsn: cut.lsn)
            ])
        case .refused(let error): return try plan(for: error)
        }
    }

    private func plan(for error: LogReadError) throws -> FixPlan {
        switch error {
        case .system(let error): throw error
        case .locked(let folder):
            return .impossible("\(folder) is in use by a server; stop it first")
        case .manifest, .unlisted:
            guard case .folder(let folder) = inspection.target else { return .nothing }
            return try ManifestRebuild(folder: folder, disk: disk, console: console).plan()
        case .missing(let path): return try endBefore(path)
        case .corrupt(_, let path, _, _, _), .unfinished(let path, _, _, _):
            return try endInside(path)
        case .snapshotBase(let path), .strayDump(let path):
            return .impossible("\(path) can't be mended here")
        }
    }

    private func cutStep(_ path: String, _ offset: Int64, lsn: LSN) throws -> FixStep {
        let file = try disk.open(path, .read)
        defer { file.close() }
        return .cut(
            path: path, offset: offset, size: try file.size(), side: "\(path).cut-\(lsn)")
    }

    /// The log ends behind the last whole batch of the damaged file.
    private func endInside(_ path: String) throws -> FixPlan {
        let name = LogTarget.split(path).name
        guard let tally = inspection.tallies.last, tally.name == name else {
            return try endBefore(path)
        }
        let cut = try cutStep(path, tally.endOffset, lsn: tally.endLSN)
        guard case .folder(let folder) = inspection.target,
            let manifest = try? Retained.manifest(folder, on: disk)
        else { return .steps([cut]) }
        let (steps, shorter) = drop(manifest, after: name, end: tally.endLSN)
        return .steps([cut] + steps + (shorter == manifest ? [] : [.manifest(shorter)]))
    }

    /// The log ends where the damaged or missing file would begin: nothing of it can be read.
    private func endBefore(_ path: String) throws -> FixPlan {
        let name = LogTarget.split(path).name
        guard case .folder(let folder) = inspection.target,
            let manifest = try? Retained.manifest(folder, on: disk)
        else {
            if inspection.baseError != nil { return Self.baseIsLost(path) }
            return .steps([try cutStep(path, 0, lsn: .zero)])
        }
        let loaded = manifest.loaded
        guard let index = loaded.firstIndex(where: { $0.name == name }) else {
            return .impossible("\(path) is not in the manifest")
        }
        if loaded[index].type == .base { return Self.baseIsLost(path) }
        guard index > 0 else {
            return .impossible(
                "\(path) is the first file, and nothing of it can be read; restore a backup")
        }
        let end = loaded[index].firstLSN ?? inspection.end
        let (steps, shorter) = drop(manifest, after: loaded[index - 1].name, end: end)
        return .steps(steps + [.manifest(shorter)])
    }

    private static func baseIsLost(_ path: String) -> FixPlan {
        .impossible(
            "\(path) holds the data that all the rest builds on: restore it from a backup, or see "
                + "what can be saved of it: rdb-check salvage \(shellWord(path)) -o OUT")
    }

    /// The manifest without what comes after `name`, and those files out of the way.
    private func drop(_ manifest: Manifest, after name: String, end: LSN) -> ([FixStep], Manifest) {
        var shorter = manifest
        var steps: [FixStep] = []
        var isBehind = false
        for line in manifest.loaded {
            if isBehind {
                shorter.lines.removeAll { $0.name == line.name }
                let isThere =
                    ((try? disk.kind(of: inspection.path(of: line.name, on: disk))) ?? nil) != nil
                if isThere {
                    steps.append(
                        .quarantine(name: line.name, why: "it comes after what can't be read"))
                }
            }
            if line.name == name { isBehind = true }
        }
        for index in shorter.lines.indices where shorter.lines[index].name == name {
            if shorter.lines[index].type == .incremental { shorter.lines[index].bytes = nil }
        }
        if shorter.history != nil { shorter.durable = min(shorter.durable, end) }
        return (steps, shorter)
    }
}
