public import HoldfastPlatform
internal import Log
public import ToolKit

/// The program: from a command line to an exit status.
public enum AOFCheck {
    /// - Parameter name: what the program was called as.
    /// - Parameter output: where to print; nil for standard output, with signals taken as well.
    public static func run(
        _ words: [String], calledAs name: String, output: Output? = nil,
        on disk: any FileSystem = LinuxFileSystem()
    ) -> Int32 {
        if LogTarget.split(name).name == "redis-check-aof" {
            var old = RedisCheckAOF(
                output: output ?? Output(), disk: disk, takesSignals: output == nil)
            return old.run(words, calledAs: name)
        }
        let invocation: Invocation
        do throws(UsageError) {
            invocation = try Options.table.parse(words)
        } catch {
            StandardError.write("\(error)\n")
            return ExitCode.usage.rawValue
        }
        switch invocation {
        case .print(let text):
            let output = output ?? Output()
            output.write(text)
            return output.finish(.sound, program: Options.table.program).rawValue
        case .run(let arguments):
            let console = Console(
                program: Options.table.program, arguments: arguments, output: output ?? Output(),
                takesSignals: output == nil)
            let code = run(arguments, console, disk)
            return console.output.finish(code, program: Options.table.program).rawValue
        }
    }

    static func run(
        _ arguments: ParsedArguments, _ console: Console, _ disk: any FileSystem
    ) -> ExitCode {
        do {
            return try perform(arguments, console, disk)
        } catch let error as UsageError {
            console.complain("\(error)")
            return .usage
        } catch let error as SystemError {
            console.complain("\(error)")
            return .inputOutput
        } catch let error as ManifestError {
            console.complain("the manifest, line \(error.lineNumber): \(error.reason)")
            return LogFormat.isUnknownVersion(error.reason) ? .foreign : .damaged
        } catch is Interrupted {
            return .interrupted
        } catch {
            console.complain("\(error)")
            return .damaged
        }
    }

    private static func perform(
        _ arguments: ParsedArguments, _ console: Console, _ disk: any FileSystem
    ) throws -> ExitCode {
        if arguments.command == "verify" {
            return try Verify(console: console, disk: disk).run(arguments.operands)
        }
        let target = try LogTarget.find(arguments.operands.first ?? ".", on: disk)
        let now = SystemClock().wallMilliseconds
        switch arguments.command {
        case "fix":
            return try Fix(
                target: target, console: console, disk: disk,
                isDryRun: arguments.has("dry-run"), isSure: arguments.has("yes")
            ).run()
        case "ls": return try List(target: target, console: console, disk: disk).run()
        case "cat": return try Cat(arguments, target, console, disk, now: now).run()
        case "points": return try Points(arguments, target, console, disk, now: now).run()
        case "cut": return try Cut(arguments, target, console, disk, now: now).run()
        case "stats": return try Stats(arguments, target, console, disk, now: now).run()
        case "replay": return try Replay(arguments, target, console, disk, now: now).run()
        default: throw UsageError("no command \(arguments.command)")
        }
    }
}
