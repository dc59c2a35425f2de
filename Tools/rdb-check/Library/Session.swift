internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
public import ToolKit

/// One run of the program.
public struct RDBCheckSession {
    let arguments: ParsedArguments
    let console: Console
    /// The file that could not be read.
    private let failedPath = FailedPath()

    private final class FailedPath {
        var path: String?
    }

    /// Another thread reads ahead.
    let isThreaded: Bool

    public init(_ arguments: ParsedArguments, _ console: Console, isThreaded: Bool = true) {
        self.arguments = arguments
        self.console = console
        self.isThreaded = isThreaded
        isProcess = true
    }

    private init(inProcess arguments: ParsedArguments, _ console: Console, isThreaded: Bool) {
        self.arguments = arguments
        self.console = console
        self.isThreaded = isThreaded
        isProcess = false
    }

    /// It has a standard error of its own.
    private let isProcess: Bool

    /// Says what went wrong: on standard error, or among the rest where there is none.
    func complain(_ message: String) {
        if isProcess {
            console.complain(message)
        } else {
            console.say("\(console.program): \(message)")
        }
    }

    /// Does what `words` say, the program's name left out, and prints to `output`: the whole program but for its
    /// process.
    public static func run(_ words: [String], output: Output, isThreaded: Bool = false) -> ExitCode
    {
        let table = RDBCheckOptions.table
        do throws(UsageError) {
            switch try table.parse(words) {
            case .print(let text):
                output.write(text)
                return .sound
            case .run(let arguments):
                let console = Console(
                    program: table.program, arguments: arguments, output: output,
                    takesSignals: false)
                return RDBCheckSession(inProcess: arguments, console, isThreaded: isThreaded).run()
            }
        } catch { return .usage }
    }

    var keyText: KeyText { KeyText(arguments) }
    var path: String { arguments.operands.first ?? "-" }

    /// Does what the command line asks for.
    public func run() -> ExitCode {
        do throws(WalkFailure) {
            switch arguments.command {
            case "info": return try info()
            case "keys": return try keys()
            case "get": return try get()
            case "dump": return try dump()
            case "top": return try top()
            case "report": return try report()
            case "diff": return try diff()
            case "convert": return try convert()
            case "salvage": return try salvage()
            case "digest": return try digest()
            default: return verify()
            }
        } catch {
            return complain(error)
        }
    }

    /// Says why a command ended early.
    func complain(_ failure: WalkFailure) -> ExitCode {
        switch failure {
        case .read(let error):
            if let system = error.system { return complain(.system(system)) }
            let path = failedPath.path ?? path
            complain("\(path): \(error)\nNext: rdb-check verify \(shellWord(path))")
            let bytes = (try? InputFile(path))?.bytes ?? .max
            return FileCheck.verdict(error, bytes: bytes).exitCode
        case .wrapping(let message, let verdict):
            complain("\(failedPath.path ?? path): \(message)")
            return verdict.exitCode
        case .system(let error):
            if error.isInterruption { return .interrupted }
            complain("\(error)")
            return .inputOutput
        case .interrupted: return .interrupted
        case .usage(let error):
            complain("\(error)")
            return .usage
        }
    }

    /// Walks through a file with a progress bar.
    func walk<Visitor: KeyVisitor>(
        _ path: String, _ visitor: Visitor, longStrings: LongStrings = LongStrings(),
        label: String? = nil
    ) throws(WalkFailure) -> Walk<Visitor> {
        let file = try Self.opening { () throws(SystemError) in try InputFile(path) }
        let source = try Self.opening { () throws(SystemError) in try InputSource(path) }
        var walk: Walk<Visitor>
        var settings = WalkSettings()
        settings.isThreaded = isThreaded
        do throws(SystemError) {
            walk = try Walk(source, visitor, longStrings: longStrings, settings: settings)
        } catch { throw .system(error) }
        let progress = console.progress(label ?? path, totalBytes: file.bytes ?? 0)
        defer { progress.finish() }
        failedPath.path = path
        do throws(WalkFailure) {
            try walk.run { done in
                progress.update(done)
                return console.mayGoOn
            }
        } catch {
            // Who reads what comes out sees only that it ends.
            if case .read = error, let (message, verdict) = source.wrapperDamage {
                throw .wrapping(message: message, verdict)
            }
            throw error
        }
        failedPath.path = nil
        return walk
    }

    static func opening<R: ~Copyable>(
        _ body: () throws(SystemError) -> R
    ) throws(WalkFailure) -> R {
        do throws(SystemError) { return try body() } catch { throw .system(error) }
    }
}

/// Chooses keys by the filters of the command line.
final class Selection {
    private let filter: KeyFilter
    let acceptsAll: Bool
    /// Lengths of values matter.
    let hasSizes: Bool
    private let longStrings: LongStrings
    /// The file's own moment, from which times to live are counted: now, as a server would.
    let now: Int64
    private(set) var failure: UsageError?

    init(_ arguments: ParsedArguments, _ longStrings: LongStrings) throws(WalkFailure) {
        do throws(UsageError) {
            filter = try KeyFilter(arguments)
        } catch { throw .usage(error) }
        acceptsAll = filter.acceptsAll
        hasSizes = arguments.has("size")
        self.longStrings = longStrings
        now = SystemClock().wallMilliseconds
    }

    /// Whether a key is meant as far as can be told before its value was read: all but its length.
    func mayAccept(_ key: KeyFacts) -> Bool {
        if acceptsAll { return true }
        do throws(UsageError) {
            if let name = longStrings.item(key.key)?.prefix {
                let isNamed = try name.withSlice { (name) throws(UsageError) in
                    try filter.accepts(key: name, database: key.database)
                }
                if !isNamed { return false }
            } else if try !filter.accepts(key: key.key, database: key.database) {
                return false
            }
        } catch {
            failure = error
            return false
        }
        return hasSizes || accepts(key)
    }

    /// Whether its value is meant, when its length is known.
    func accepts(_ key: KeyFacts) -> Bool {
        acceptsAll
            || filter.accepts(
                type: key.typeName, size: key.recordBytes,
                lifetime: key.head.deadline.map { $0 &- now })
    }

    func check() throws(WalkFailure) {
        if let failure { throw .usage(failure) }
    }
}

/// Which keys of a file are long enough, by their number: a value can't be printed and only then be measured.
struct SizedKeys: PlainVisitor {
    let selection: Selection
    private(set) var bits: [UInt64] = []
    private var count = 0
    private var isNext = false

    init(_ selection: Selection) { self.selection = selection }

    mutating func begin(_ key: KeyFacts) -> Bool {
        if count & 63 == 0 { bits.append(0) }
        count += 1
        return selection.mayAccept(key)
    }

    mutating func end(_ key: KeyFacts) {
        if selection.accepts(key) { bits[(count - 1) >> 6] |= 1 << UInt64((count - 1) & 63) }
    }

    func contains(_ index: Int) -> Bool {
        index >> 6 < bits.count && bits[index >> 6] >> UInt64(index & 63) & 1 != 0
    }
}
