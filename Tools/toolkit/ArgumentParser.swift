internal import Glibc

/// What a command line asks for.
public enum Invocation {
    case run(ParsedArguments)
    /// Help, version and the like: print it and be done.
    case print(String)
}

/// A command line that can't be carried out; `description` is for standard error.
public struct UsageError: Error, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}

/// A command with its options and operands, all checked against the table.
public struct ParsedArguments {
    public let command: String
    public let operands: [String]
    let options: [String: [String]]

    public init(command: String, operands: [String], options: [String: [String]] = [:]) {
        self.command = command
        self.operands = operands
        self.options = options
    }

    public func has(_ option: String) -> Bool { options[option] != nil }

    /// The value given last.
    public func value(_ option: String) -> String? { options[option]?.last }

    public func values(_ option: String) -> [String] { options[option] ?? [] }
}

extension OptionTable {
    /// Reads the words after the program's name.
    ///
    /// Options and operands may stand in any order; `--` ends the options, `-` is an operand. The command is
    /// the first operand if it names one.
    public func parse(_ words: [String]) throws(UsageError) -> Invocation {
        var operands: [String] = []
        var given: [(option: ToolOption, value: String)] = []
        var index = 0
        var isPlain = false
        while index < words.count {
            let word = words[index]
            index += 1
            if isPlain || word == "-" || !word.hasPrefix("-") {
                operands.append(word)
                continue
            }
            if word == "--" {
                isPlain = true
                continue
            }
            let (option, attached) = try find(word)
            guard option.takesValue else {
                if attached != nil { throw usage("--\(option.name) takes no value") }
                given.append((option, ""))
                continue
            }
            if let attached {
                given.append((option, attached))
            } else {
                guard index < words.count else {
                    throw usage("--\(option.name) needs a value: \(option.placeholder)")
                }
                given.append((option, words[index]))
                index += 1
            }
        }
        return try settle(operands, given)
    }

    /// `message` with the way to help.
    public func usage(_ message: String, command: String? = nil) -> UsageError {
        let of = command.map { " \($0)" } ?? ""
        return UsageError("\(program): \(message)\nTry: \(program)\(of) --help")
    }

    private func find(_ word: String) throws(UsageError) -> (ToolOption, attached: String?) {
        guard word.hasPrefix("--") else {
            let letter = word.dropFirst().first
            guard let option = allOptions.first(where: { $0.letter != nil && $0.letter == letter })
            else { throw usage("unknown option \(word)\(hint(word))") }
            let rest = word.dropFirst(2)
            if rest.isEmpty { return (option, nil) }
            guard option.takesValue else { throw usage("unknown option \(word)\(hint(word))") }
            return (option, String(rest))
        }
        let name = word.dropFirst(2).prefix { $0 != "=" }
        guard let option = allOptions.first(where: { $0.name == name }) else {
            throw usage("unknown option --\(name)\(hint("--\(name)"))")
        }
        let rest = word.dropFirst(2 + name.count)
        return (option, rest.isEmpty ? nil : String(rest.dropFirst()))
    }

    private func hint(_ word: String) -> String {
        let near = NearestName.of(word, among: allOptions.map { "--\($0.name)" })
        return near.map { "; did you mean \($0)?" } ?? ""
    }

    private func settle(_ operands: [String], _ given: [(option: ToolOption, value: String)])
        throws(UsageError) -> Invocation
    {
        var operands = operands
        var chosen = commands[0]
        var isNamed = false
        if let first = operands.first, let command = command(named: first) {
            chosen = command
            isNamed = true
            operands.removeFirst()
        }
        if given.contains(where: { $0.option.name == "help" }) {
            return .print(isNamed ? help(for: chosen) : help())
        }
        if given.contains(where: { $0.option.name == "version" }) {
            return .print("\(program) \(ToolVersion.product)\n")
        }
        if given.contains(where: { $0.option.name == "man" }) { return .print(manualPage()) }
        if !isNamed, let first = operands.first { try checkForTypingError(first) }

        let known = Set(self.options(of: chosen).map(\.name))
        var options: [String: [String]] = [:]
        for (option, value) in given {
            guard known.contains(option.name) else {
                throw usage("\(chosen.name) has no option --\(option.name)", command: chosen.name)
            }
            if case .words(let words) = option.value, !words.contains(value) {
                let near = NearestName.of(value, among: words).map { "; did you mean \($0)?" } ?? ""
                throw usage(
                    "--\(option.name) is one of \(words.joined(separator: ", ")), not \(value)\(near)"
                )
            }
            options[option.name, default: []].append(value)
        }
        if let shell = options["completions"]?.last { return .print(completions(for: shell)) }
        guard chosen.operandCount.contains(operands.count) else {
            let what = operands.isEmpty ? "nothing to work on" : "\(operands.count) operands"
            throw usage(
                "\(what); usage: \(usageLine(chosen, isNamed: isNamed))", command: chosen.name)
        }
        return .run(ParsedArguments(command: chosen.name, operands: operands, options: options))
    }

    /// A word that names no file and looks like a command is a mistyped command.
    private func checkForTypingError(_ word: String) throws(UsageError) {
        guard let near = NearestName.of(word, among: commands.map(\.name)) else { return }
        // SAFETY: the path is passed as a terminated string for the length of the call.
        if unsafe access(word, F_OK) == 0 { return }
        throw usage("\(word) is neither a file nor a command; did you mean \(near)?")
    }
}

/// The version that the tools report.
public enum ToolVersion {
    public static let product = "0.1.0"
}
