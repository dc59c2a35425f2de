internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// `aof-check fix`: plans, shows, asks, and does; then reads again.
struct Fix {
    let target: LogTarget
    let console: Console
    let disk: any FileSystem
    let isDryRun: Bool
    let isSure: Bool

    /// A rebuilt manifest may show a torn tail, and so on; more rounds than this would mean no progress.
    private static let roundsMax = 4

    func run() throws -> ExitCode {
        let lock = try lockFolder()
        defer { lock?.close() }
        var hasChanged = false
        for _ in 0..<Self.roundsMax {
            let inspection = Inspection.run(target, on: disk, console: console, label: "checking")
            guard let finding = inspection.finding(on: disk) else { return .interrupted }
            if finding.verdict == .foreign || finding.verdict == .unreadable {
                VerdictText(console: console, disk: disk).write(finding, target)
                return finding.verdict.exitCode
            }
            switch try FixPlanner(inspection: inspection, disk: disk, console: console).plan() {
            case .nothing:
                let done = hasChanged ? "mended" : "nothing to mend"
                console.say("\(console.word(.ok)) \(target.path): \(done); \(finding.start)")
                return .sound
            case .impossible(let why):
                console.say("\(console.word(finding.verdict)) \(target.path): \(finding.reason)")
                console.say("  no repair: \(why)")
                return finding.verdict.exitCode
            case .steps(let steps):
                console.say("\(console.word(finding.verdict)) \(target.path): \(finding.reason)")
                if let end = end(inspection, steps) {
                    console.say("  the log would end at LSN \(end)")
                }
                for step in steps { console.say("  - \(step.text)") }
                if isDryRun {
                    console.say("  nothing was changed (--dry-run)")
                    return finding.verdict.exitCode
                }
                guard isAgreed() else {
                    return console.isInterrupted ? .interrupted : finding.verdict.exitCode
                }
                for step in steps { try perform(step) }
                hasChanged = true
            }
        }
        console.complain("\(target.path) is still damaged")
        return .damaged
    }

    /// Nil where only the next look will tell: nothing was read, as the manifest couldn't be.
    private func end(_ inspection: Inspection, _ steps: [FixStep]) -> LSN? {
        switch inspection.outcome {
        case .recovered(let log): return log.end
        case .refused(.manifest), .refused(.unlisted): return nil
        case .refused, .interrupted, .stopped: break
        }
        for case .manifest(let manifest) in steps where manifest.history != nil {
            return max(manifest.durable, inspection.end)
        }
        return inspection.end
    }

    private func isAgreed() -> Bool {
        if isSure { return true }
        guard console.canAsk else {
            console.say("  nothing was changed; to do it: add --yes")
            return false
        }
        return console.ask("Do this? [y/N]: ")
    }

    /// Nobody may write while we do.
    private func lockFolder() throws -> (any File)? {
        guard case .folder(let folder) = target, !isDryRun,
            try disk.kind(of: folder.path) == .folder
        else { return nil }
        do throws(SystemError) {
            return try disk.lock(folder.path)
        } catch {
            if error.errno == 11 {
                throw UsageError("\(folder.path) is in use by a server; stop it first")
            }
            throw error
        }
    }

    // MARK: - Doing

    private var folderPath: String {
        switch target {
        case .folder(let folder): folder.path
        case .file(let path): LogTarget.split(path).parent
        }
    }

    private func perform(_ step: FixStep) throws {
        switch step {
        case .cut(let path, let offset, let size, let side):
            let kept = try freeName(side)
            try FileCopy.copy(path, offset..<size, to: kept, on: disk, console: console)
            try disk.syncFolder(LogTarget.split(kept).parent)
            let file = try disk.open(path, .readWrite)
            defer { file.close() }
            try file.truncate(to: offset)
            try file.sync()
        case .quarantine(let name, _):
            let quarantine = try makeQuarantine()
            try disk.rename("\(folderPath)/\(name)", to: try freeName("\(quarantine)/\(name)"))
            try disk.syncFolder(quarantine)
            try disk.syncFolder(folderPath)
        case .manifest(let manifest):
            guard case .folder(let folder) = target else { return }
            if try disk.kind(of: folder.manifestPath) == .file {
                let old = try disk.open(folder.manifestPath, .read)
                let size = try old.size()
                old.close()
                let quarantine = try makeQuarantine()
                try FileCopy.copy(
                    folder.manifestPath, 0..<size,
                    to: try freeName("\(quarantine)/\(folder.manifestName)"), on: disk,
                    console: console)
                try disk.syncFolder(quarantine)
            }
            try manifest.swap(into: folder, on: disk)
        }
    }

    private func makeQuarantine() throws -> String {
        let path = "\(folderPath)/quarantine"
        if try disk.kind(of: path) == nil {
            try disk.createFolder(path)
            try disk.syncFolder(folderPath)
        }
        return path
    }

    /// `path`, or with a number behind it: nothing that was kept before is overwritten.
    private func freeName(_ path: String) throws -> String {
        var name = path
        var number = 1
        while try disk.kind(of: name) != nil {
            number += 1
            name = "\(path).\(number)"
        }
        return name
    }
}
