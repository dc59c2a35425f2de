// `--help`, for the program and for each command.

extension OptionTable {
    private static let width = 80

    public func help() -> String {
        var text = "\(program): \(summary)\n\nUsage:\n"
        for (index, command) in commands.enumerated() {
            text += "  \(usageLine(command, isNamed: index > 0))\n"
        }
        for paragraph in description { text += "\n" + Self.wrapped(paragraph, indent: 0) }
        text += "\nCommands:\n"
        for (index, command) in commands.enumerated() {
            let summary = index == 0 ? "\(command.summary) (default)" : command.summary
            text += Self.row(command.name, summary)
        }
        text += "\nOptions of all commands:\n"
        text += Self.rows(common + CommonOptions.informing)
        text += "\nExit status:\n"
        for code in ExitCode.allCases { text += Self.row("\(code.rawValue)", code.meaning) }
        return text + "\nMore: \(program) COMMAND --help\n"
    }

    public func help(for command: ToolCommand) -> String {
        var text = "\(program) \(command.name): \(command.summary)\n\nUsage:\n"
        text += "  \(usageLine(command, isNamed: true))\n"
        for paragraph in command.description { text += "\n" + Self.wrapped(paragraph, indent: 0) }
        if !command.options.isEmpty { text += "\nOptions:\n" + Self.rows(command.options) }
        text += "\nOptions of all commands:\n" + Self.rows(common + CommonOptions.informing)
        if !command.examples.isEmpty {
            text += "\nExamples:\n"
            for example in command.examples { text += "  \(example)\n" }
        }
        return text
    }

    func usageLine(_ command: ToolCommand, isNamed: Bool) -> String {
        let name = isNamed ? " \(command.name)" : ""
        return "\(program)\(name) [OPTION]... \(command.operands)"
    }

    private static func rows(_ options: [ToolOption]) -> String {
        options.map { row($0.usage, $0.help) }.joined()
    }

    /// A name and what it means, side by side where it fits.
    private static func row(_ name: String, _ meaning: String) -> String {
        let column = 28
        let text = wrapped(meaning, indent: column)
        guard name.count + 2 <= column - 2 else { return "  \(name)\n\(text)" }
        let padding = String(repeating: " ", count: column - 2 - name.count)
        return "  \(name)\(padding)\(text.dropFirst(column))"
    }

    static func wrapped(_ text: String, indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines = ""
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, indent + line.count + 1 + word.count > width {
                lines += "\(margin)\(line)\n"
                line = ""
            }
            line += line.isEmpty ? "\(word)" : " \(word)"
        }
        return lines + "\(margin)\(line)\n"
    }
}
