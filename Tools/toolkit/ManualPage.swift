// The manual page, as roff for man(7): `aof-check --man | man -l -`.

extension OptionTable {
    public func manualPage() -> String {
        var text = ".TH \(Self.escaped(program.uppercased())) 1 \"\" "
        text += "\"Holdfast \(ToolVersion.product)\" \"User Commands\"\n"
        text += ".SH NAME\n\(Self.escaped(program)) \\- \(Self.escaped(summary))\n.SH SYNOPSIS\n"
        for (index, command) in commands.enumerated() {
            if index > 0 { text += ".br\n" }
            let name = index > 0 ? " \(command.name)" : ""
            text += ".B \(Self.escaped(program + name))\n[OPTION]... "
            text += "\\fI\(Self.escaped(command.operands))\\fR\n"
        }
        text += ".SH DESCRIPTION\n"
        for paragraph in description { text += ".PP\n\(Self.escaped(paragraph))\n" }
        text += ".SH COMMANDS\n"
        for (index, command) in commands.enumerated() {
            let note = index == 0 ? " This is what is done when no command is named." : ""
            text += ".SS \"\(Self.escaped(command.name))\"\n"
            text += "\(Self.escaped(command.summary)).\(note)\n"
            for paragraph in command.description { text += ".PP\n\(Self.escaped(paragraph))\n" }
            text += Self.list(command.options)
        }
        text += ".SH OPTIONS\nThese are understood by every command.\n"
        text += Self.list(common + CommonOptions.informing)
        text += ".SH EXIT STATUS\n"
        for code in ExitCode.allCases {
            text += ".TP\n.B \(code.rawValue)\n\(Self.escaped(code.meaning))\n"
        }
        let examples = commands.flatMap(\.examples)
        if !examples.isEmpty {
            text += ".SH EXAMPLES\n.nf\n"
            for example in examples { text += "\(Self.escaped(example))\n" }
            text += ".fi\n"
        }
        return text
    }

    private static func list(_ options: [ToolOption]) -> String {
        options.map { ".TP\n\\fB\(escaped($0.usage))\\fR\n\(escaped($0.help))\n" }.joined()
    }

    /// Dashes that can be copied, and no line that roff would take for a request.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            default: result.append(character)
            }
        }
        return text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + result : result
    }
}
