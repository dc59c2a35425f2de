// Completion scripts. Each knows the commands, then the options of the command that was typed.

extension OptionTable {
    public func completions(for shell: String) -> String {
        switch shell {
        case "zsh": zshCompletions()
        case "fish": fishCompletions()
        default: bashCompletions()
        }
    }

    private var identifier: String { String(program.map { $0 == "-" ? "_" : $0 }) }

    private func bashCompletions() -> String {
        var text = """
            # \(program) for bash: source this, or put it into /etc/bash_completion.d
            _\(identifier)() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
                local command=\(commands[0].name) word words=
                for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                    case "$word" in
                    \(commands.map(\.name).joined(separator: "|"))) command=$word; break ;;
                    esac
                done
                case "$previous" in

            """
        for option in allOptions {
            let names = option.letter.map { "--\(option.name)|-\($0)" } ?? "--\(option.name)"
            switch option.value {
            case .none: continue
            case .words(let words):
                let list = words.joined(separator: " ")
                text +=
                    "    \(names)) COMPREPLY=($(compgen -W '\(list)' -- \"$current\")); return ;;\n"
            case .folder:
                text += "    \(names)) COMPREPLY=($(compgen -d -- \"$current\")); return ;;\n"
            case .file:
                text += "    \(names)) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
            case .text: text += "    \(names)) COMPREPLY=(); return ;;\n"
            }
        }
        text += "    esac\n    case \"$command\" in\n"
        for command in commands {
            let names = options(of: command).map { "--\($0.name)" }.joined(separator: " ")
            text += "    \(command.name)) words='\(names)' ;;\n"
        }
        text += """
                esac
                if [[ $current == -* ]]; then
                    COMPREPLY=($(compgen -W "$words" -- "$current"))
                else
                    COMPREPLY=($(compgen -f -- "$current"))
                    if ((COMP_CWORD == 1)); then
                        COMPREPLY+=($(compgen -W '\(commands.map(\.name).joined(separator: " "))' -- "$current"))
                    fi
                fi
            }
            complete -o filenames -F _\(identifier) \(program)

            """
        return text
    }

    private func zshCompletions() -> String {
        var text = "#compdef \(program)\n\n_\(identifier)() {\n    local -a commands options\n"
        text += "    commands=(\n"
        for command in commands {
            text += "        \(Self.zshQuoted("\(command.name):\(command.summary)"))\n"
        }
        text += "    )\n    local command=\(commands[0].name) word\n"
        text += "    for word in ${words[2,CURRENT-1]}; do\n        case $word in\n"
        text += "        \(commands.map(\.name).joined(separator: "|"))) command=$word; break ;;\n"
        text += "        esac\n    done\n    case $command in\n"
        for command in commands {
            text += "    \(command.name)) options=(\n"
            for option in options(of: command) {
                text += "        \(Self.zshQuoted(Self.zshOption(option)))\n"
            }
            text += "        ) ;;\n"
        }
        text += "    esac\n"
        text += "    if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then\n"
        text += "        _describe command commands\n    fi\n"
        text += "    _arguments -S $options '*:file:_files'\n}\n\n_\(identifier) \"$@\"\n"
        return text
    }

    private static func zshOption(_ option: ToolOption) -> String {
        let help = String(option.help.map { "[]:".contains($0) ? " " : $0 })
        let action =
            switch option.value {
            case .none: ""
            case .words(let words): ":value:(\(words.joined(separator: " ")))"
            case .text(let word): ":\(word.lowercased()): "
            case .file(let word): ":\(word.lowercased()):_files"
            case .folder(let word): ":\(word.lowercased()):_files -/"
            }
        return "*--\(option.name)[\(help)]\(action)"
    }

    private static func zshQuoted(_ text: String) -> String {
        "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
    }

    private func fishCompletions() -> String {
        let names = commands.map(\.name).joined(separator: " ")
        var text =
            "# \(program) for fish: put this into ~/.config/fish/completions/\(program).fish\n"
        for command in commands {
            text += "complete -c \(program) -n 'not __fish_seen_subcommand_from \(names)' "
            text += "-a \(command.name) -d \(Self.fishQuoted(command.summary))\n"
        }
        for option in common + CommonOptions.informing {
            text += fishOption(option, condition: nil)
        }
        for (index, command) in commands.enumerated() {
            let condition =
                index == 0
                ? "not __fish_seen_subcommand_from \(names.dropFirst(command.name.count + 1))"
                : "__fish_seen_subcommand_from \(command.name)"
            for option in command.options { text += fishOption(option, condition: condition) }
        }
        return text
    }

    private func fishOption(_ option: ToolOption, condition: String?) -> String {
        var text = "complete -c \(program)"
        if let condition { text += " -n '\(condition)'" }
        text += " -l \(option.name)"
        if let letter = option.letter { text += " -s \(letter)" }
        switch option.value {
        case .none: break
        case .words(let words): text += " -x -a '\(words.joined(separator: " "))'"
        case .text: text += " -x"
        case .file, .folder: text += " -r"
        }
        return text + " -d \(Self.fishQuoted(option.help))\n"
    }

    private static func fishQuoted(_ text: String) -> String {
        var result = "'"
        for character in text {
            if character == "'" || character == "\\" { result += "\\" }
            result.append(character)
        }
        return result + "'"
    }
}
