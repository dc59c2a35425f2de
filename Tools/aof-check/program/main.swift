internal import AOFCheck
internal import Glibc

exit(
    AOFCheck.run(
        Array(CommandLine.arguments.dropFirst()), calledAs: CommandLine.arguments.first ?? ""))
