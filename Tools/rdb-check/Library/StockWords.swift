internal import HoldfastBytes
public import HoldfastPlatform
public import Snapshot
internal import Store
public import ToolKit

/// What redis-check-rdb prints, for scripts that look for its words.
public struct StockWords {
    private let console: Console
    private let program: String

    public init(program: String, _ console: Console) {
        self.program = program
        self.console = console
    }

    private struct Visitor: PlainVisitor {
        mutating func begin(_ key: KeyFacts) -> Bool { true }
        mutating func end(_ key: KeyFacts) {}
    }

    /// - Parameter arguments: without the program's name.
    public func run(_ arguments: [String]) -> ExitCode {
        if arguments.first == "-v" || arguments.first == "--version" {
            console.say("\(program) 7.0.15 (Holdfast \(ToolVersion.product))")
            return .sound
        }
        guard arguments.count == 1, let path = arguments.first else {
            console.complain("Usage: \(program) <rdb-file-name>")
            return .damaged
        }
        return check(path)
    }

    private func check(_ path: String) -> ExitCode {
        do throws(SystemError) {
            let end = try check(try InputSource(path), named: path)
            return end != nil ? .sound : console.isInterrupted ? .interrupted : .damaged
        } catch {
            if error.isInterruption { return .interrupted }
            console.complain("Cannot open file \(path): \(error)")
            return .damaged
        }
    }

    /// Checks RDB content, and prints how that went.
    ///
    /// - Returns: where it ends and whether it was in an LZ4 frame; nil if something is wrong.
    public func check(
        _ source: any SnapshotSource, named name: String
    ) throws(SystemError) -> (end: Int64, isExpanded: Bool)? {
        var walk = try Walk(source, Visitor(), longStrings: LongStrings())
        say(0, "Checking RDB file \(name)")
        do throws(WalkFailure) {
            try print(&walk)
        } catch {
            try fail(error, &walk)
            return nil
        }
        if walk.reader.version >= 5, walk.reader.lacksChecksum {
            say(
                walk.reader.offset,
                "RDB file was saved with checksum disabled: no check performed.")
        } else if walk.reader.version >= 5 {
            say(walk.reader.offset, "Checksum OK")
        }
        say(walk.reader.offset, "\\o/ RDB looks OK! \\o/")
        counts(walk.tally)
        return (walk.reader.offset, walk.reader.isExpanded)
    }

    /// Walks to the end and prints what the file says of itself.
    private func print(_ walk: inout Walk<Visitor>) throws(WalkFailure) {
        while true {
            let before = walk.reader.offset
            let goesOn = try walk.step()
            if let (name, value) = walk.aux {
                say(walk.reader.offset, "AUX FIELD \(name.text) = '\(value.text)'")
            }
            if walk.hasSelected {
                say(walk.reader.offset, "Selecting DB ID \(walk.reader.database)")
            }
            if !goesOn { return }
            if before >> 20 != walk.reader.offset >> 20, !console.mayGoOn { throw .interrupted }
        }
    }

    private func fail(_ failure: WalkFailure, _ walk: inout Walk<Visitor>) throws(SystemError) {
        guard case .read(let error) = failure else {
            if case .system(let error) = failure { throw error }
            return
        }
        if let system = error.system { throw system }
        console.say("--- RDB ERROR DETECTED ---")
        // The stock program has read the checksum when it says that it is wrong.
        say(error.offset + (error.reason == .checksum ? 8 : 0), Self.message(error))
        console.say("[additional info] While doing: \(error.step.name)")
        if let key = error.key {
            console.say("[additional info] Reading key '\(key.withSlice { $0.text })'")
        }
        if let form = error.form {
            let name = ValueForm(rawValue: form).map { "\($0.name)" } ?? "unknown"
            console.say("[additional info] Reading type \(form) (\(name))")
        }
        walk.tally.keep()
        // The key at hand counts as read.
        if error.key != nil { walk.tally.keys += 1 }
        counts(walk.tally)
    }

    private static func message(_ error: SnapshotReadError) -> String {
        switch error.reason {
        case .noMagic: "Wrong signature trying to load DB from file"
        case .newerVersion, .badVersion: "Can't handle RDB format version \(error.detail)"
        case .badForm: "Invalid object type: \(error.detail)"
        case .endsEarly, .emptyValue: "Unexpected EOF reading RDB file"
        case .checksum: "RDB CRC error"
        case .badStringEncoding:
            "Internal error in RDB reading offset \(error.offset): Unknown RDB string encoding type \(error.detail)"
        case .badLZF:
            "Internal error in RDB reading offset \(error.offset): Invalid LZF compressed string"
        case .badListpack:
            "Internal error in RDB reading offset \(error.offset): Listpack integrity check failed."
        case .badZiplist:
            "Internal error in RDB reading offset \(error.offset): Ziplist integrity check failed."
        case .badIntset:
            "Internal error in RDB reading offset \(error.offset): Intset integrity check failed."
        case .badZipmap:
            "Internal error in RDB reading offset \(error.offset): Zipmap integrity check failed."
        default: "Internal error in RDB reading offset \(error.offset): \(error.message)"
        }
    }

    private func counts(_ tally: Tally) {
        console.say("[info] \(tally.keys) keys read")
        console.say("[info] \(tally.deadlines) expires")
        console.say("[info] \(tally.expired) already expired")
    }

    private func say(_ offset: Int64, _ text: String) { console.say("[offset \(offset)] \(text)") }
}
