/// What a program understands, told once: parsing, help, the man page and shell completions are made of it.
///
/// The first command is the one that is meant when none is named.
public struct OptionTable: Sendable {
    public let program: String
    /// One line, without a full stop.
    public let summary: String
    /// Paragraphs for `--help` and the man page.
    public let description: [String]
    public let commands: [ToolCommand]
    /// Options that every command takes. `CommonOptions` adds its own.
    public let common: [ToolOption]

    public init(
        program: String, summary: String, description: [String], commands: [ToolCommand],
        common: [ToolOption]
    ) {
        precondition(!commands.isEmpty, "a program without a command")
        self.program = program
        self.summary = summary
        self.description = description
        self.commands = commands
        self.common = common
    }

    public func command(named name: String) -> ToolCommand? { commands.first { $0.name == name } }

    /// What `command` takes, its own options first.
    public func options(of command: ToolCommand) -> [ToolOption] {
        command.options + common + CommonOptions.informing
    }

    /// Every option there is, each name once.
    public var allOptions: [ToolOption] {
        var seen: Set<String> = []
        return (commands.flatMap(\.options) + common + CommonOptions.informing)
            .filter { seen.insert($0.name).inserted }
    }
}

/// One thing that a program does: `aof-check fix`.
public struct ToolCommand: Sendable {
    public let name: String
    /// As shown in the usage line: `FOLDER|MANIFEST|FILE`.
    public let operands: String
    public let operandCount: ClosedRange<Int>
    /// One line, without a full stop.
    public let summary: String
    public let description: [String]
    public let options: [ToolOption]
    /// Whole command lines.
    public let examples: [String]

    public init(
        _ name: String, operands: String, count: ClosedRange<Int>, summary: String,
        description: [String] = [], options: [ToolOption] = [], examples: [String] = []
    ) {
        self.name = name
        self.operands = operands
        self.operandCount = count
        self.summary = summary
        self.description = description
        self.options = options
        self.examples = examples
    }
}

/// One option: `--name` or `--name VALUE`.
public struct ToolOption: Sendable {
    public enum Value: Sendable, Equatable {
        /// A switch.
        case none
        /// Any text; the word stands for it in help.
        case text(String)
        /// One of these words.
        case words([String])
        case file(String)
        case folder(String)
    }

    /// Without the dashes.
    public let name: String
    /// The short form.
    public let letter: Character?
    public let value: Value
    /// One or two lines for help, without a full stop.
    public let help: String

    public init(_ name: String, letter: Character? = nil, _ value: Value, _ help: String) {
        self.name = name
        self.letter = letter
        self.value = value
        self.help = help
    }

    /// A switch.
    public init(_ name: String, letter: Character? = nil, _ help: String) {
        self.init(name, letter: letter, .none, help)
    }

    public var takesValue: Bool { value != .none }

    /// The word for the value in help.
    var placeholder: String {
        switch value {
        case .none: ""
        case .text(let word), .file(let word), .folder(let word): word
        case .words(let words): words.joined(separator: "|")
        }
    }

    /// `-n, --tail N`, as help shows it.
    var usage: String {
        let short = letter.map { "-\($0), " } ?? ""
        return takesValue ? "\(short)--\(name) \(placeholder)" : "\(short)--\(name)"
    }
}

/// Options that mean the same in every tool.
public enum CommonOptions {
    public static let json = ToolOption("json", "print one JSON document instead of text")
    public static let quiet = ToolOption("quiet", letter: "q", "print verdicts only")
    public static let progress = ToolOption(
        "progress", .words(["auto", "never"]), "whether to show progress on standard error")
    public static let color = ToolOption(
        "color", .words(["auto", "always", "never"]), "whether to colour the verdict")
    public static let escape = ToolOption(
        "escape", .words(["utf8", "hex", "base64"]), "how keys and values are printed")

    /// Filters of keys; `KeyFilter` reads them.
    public static let filters = [
        ToolOption("match", .text("GLOB"), "only keys that match; may be given more than once"),
        ToolOption("regex", .text("PATTERN"), "only keys in which the PCRE2 pattern is found"),
        ToolOption(
            "type", .words(["string", "list", "set", "zset", "hash", "stream"]),
            "only values of this type"),
        ToolOption("db", .text("N"), "only this database"),
        ToolOption("size", .text("RANGE"), "only values of so many bytes, as 1kb..10mb"),
        ToolOption(
            "ttl", .text("RANGE"), "only keys that live so long, as 0..1h; none: without a deadline"
        ),
    ]

    /// What the parser itself answers.
    static let informing = [
        ToolOption("help", letter: "h", "show this help"),
        ToolOption("version", "show the version"),
        ToolOption("man", "print the manual page (roff)"),
        ToolOption(
            "completions", .words(["bash", "zsh", "fish"]), "print a completion script"),
    ]
}
