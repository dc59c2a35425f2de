internal import Glibc
internal import RDBCheck
internal import ToolKit

// rdb-check: verifies, shows, compares, converts and salvages RDB files. The work is Snapshot's and RDBCheck's; here is
// what the program is called as.

/// The last part of the path that the program was called by.
func calledAs() -> String {
    let path = CommandLine.arguments.first ?? "rdb-check"
    return path.split(separator: "/").last.map(String.init) ?? path
}

func runStock(_ program: String) -> Int32 {
    let console = Console(
        program: program, arguments: ParsedArguments(command: "verify", operands: []))
    let code = StockWords(program: program, console).run(
        Array(CommandLine.arguments.dropFirst()))
    // The stock program knows 0 and 1 only.
    let final = console.output.finish(code, program: program)
    return final == .sound || final == .interrupted ? final.rawValue : 1
}

func runOurs() -> Int32 {
    let table = RDBCheckOptions.table
    do throws(UsageError) {
        switch try table.parse(Array(CommandLine.arguments.dropFirst())) {
        case .print(let text):
            let output = Output()
            output.write(text)
            return output.finish(.sound, program: table.program).rawValue
        case .run(let arguments):
            let console = Console(program: table.program, arguments: arguments)
            let code = RDBCheckSession(arguments, console).run()
            return console.output.finish(code, program: table.program).rawValue
        }
    } catch {
        StandardError.write("\(error)\n")
        return ExitCode.usage.rawValue
    }
}

let program = calledAs()
exit(program.hasPrefix("redis-check-rdb") ? runStock(program) : runOurs())
