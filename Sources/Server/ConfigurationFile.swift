internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// Where a configuration comes from; later parts win: file, standard input, command line.
public struct ConfigurationSource: Equatable, Sendable {
    /// Path of the file, as given.
    public var file: String?
    public var readsStandardInput = false
    /// The command line's options as lines of a file.
    public var options: [UInt8] = []

    public init() {}
}

/// Why a configuration can't be used. The server prints `message` to standard error, or to its
/// diagnostics if `isDiagnostic`, and exits with status 1.
public enum ConfigurationFileError: Error, Equatable, Sendable {
    /// A line that isn't right; `place` names its file or where else it stood.
    case line(place: String, number: Int, line: String, reason: String, hint: String?)
    /// The lines are right, but not together.
    case whole(reason: String)
    case unreadable(path: String, reason: String)

    /// Redis reports an unreadable file as a line of diagnostics.
    public var isDiagnostic: Bool {
        if case .unreadable = self { return true }
        return false
    }

    /// Redis's text, in which tools look for the line and the reason, with the file added.
    public var message: String {
        let head = "\n*** FATAL CONFIG FILE ERROR (Holdfast \(HoldfastVersion.product)) ***\n"
        switch self {
        case .line(let place, let number, let line, let reason, let hint):
            let advice = hint.map { "Did you mean '\($0)'?\n" } ?? ""
            return head + "Reading the configuration file, at line \(number) of \(place)\n"
                + ">>> '\(line)'\n\(reason)\n\(advice)"
        case .whole(let reason):
            return head + "\(reason)\n"
        case .unreadable(let path, let reason):
            return "Fatal error, can't open config file '\(path)': \(reason)"
        }
    }
}

extension Configuration {
    /// Reads a configuration: the file with all it includes, standard input, the options.
    ///
    /// - Parameters:
    ///   - folder: absolute path of the working folder.
    ///   - commandExists: whether a command (lower case) is known, for `rename-command`.
    ///   - standardInput: what `-` reads.
    public static func load(
        _ source: ConfigurationSource, folder: String,
        commandExists: (String) -> Bool = { _ in true },
        standardInput: () -> [UInt8] = Configuration.readStandardInput
    ) throws(ConfigurationFileError) -> Configuration {
        let configuration = Configuration(folder: folder)
        var reader = ConfigurationReader(configuration)
        if let file = source.file {
            let path = file.hasPrefix("/") ? file : "\(folder)/\(file)"
            reader.configuration.file = path
            try reader.readFile(path, commandExists)
        }
        if source.readsStandardInput {
            try reader.read(standardInput(), from: "standard input", commandExists)
        }
        try reader.read(source.options, from: "the command line's options", commandExists)
        try reader.checkTogether()
        return reader.configuration
    }

    /// All of standard input; nothing if it can't be read.
    public static func readStandardInput() -> [UInt8] {
        // Redis takes what it gets until the first error as well.
        (try? SmallFile.read(descriptor: 0, path: "standard input")) ?? []
    }
}

/// Applies lines to a configuration, in order.
private struct ConfigurationReader {
    var configuration: Configuration
    /// The first `save` line replaces the defaults, later ones add to it.
    private var hasSavePoints = false
    private var renamed: [String: Bool] = [:]
    private var includeDepth = 0

    init(_ configuration: Configuration) { self.configuration = configuration }

    /// Reads one file, or all that match when the path is a pattern (none is fine then).
    mutating func readFile(
        _ path: String, _ commandExists: (String) -> Bool
    ) throws(ConfigurationFileError) {
        let isPattern = path.contains { $0 == "*" || $0 == "?" || $0 == "[" }
        for found in isPattern ? SmallFile.paths(matching: path) : [path] {
            let bytes: [UInt8]
            do throws(SystemError) {
                bytes = try SmallFile.read(found)
            } catch {
                throw .unreadable(path: found, reason: error.reason)
            }
            try read(bytes, from: found, commandExists)
        }
    }

    mutating func read(
        _ bytes: [UInt8], from place: String, _ commandExists: (String) -> Bool
    ) throws(ConfigurationFileError) {
        let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        for (index, raw) in lines.enumerated() {
            let line = Array(ConfigurationLine.trimmed(raw))
            if line.isEmpty || line[0] == UInt8(ascii: "#") { continue }
            do throws(LineError) {
                guard let words = line.withSlice({ QuotedWords.split($0) }) else {
                    throw .refused("Unbalanced quotes in configuration line", hint: nil)
                }
                try apply(words, commandExists)
            } catch {
                switch error {
                case .refused(let reason, let hint):
                    throw .line(
                        place: place, number: index + 1,
                        line: String(decoding: line, as: UTF8.self), reason: reason, hint: hint)
                case .inside(let inner):
                    throw inner
                }
            }
        }
    }

    private enum LineError: Error {
        case refused(String, hint: String?)
        /// In an included file.
        case inside(ConfigurationFileError)
    }

    private mutating func apply(
        _ words: [[UInt8]], _ commandExists: (String) -> Bool
    ) throws(LineError) {
        guard let first = words.first else { return }
        let name = Directive.lowercase(first)
        if let setting = ConfigurationTable.find(name) {
            try set(setting, Array(words.dropFirst()))
        } else if ConfigurationTable.ignored.contains(name) && words.count == 2 {
            configuration.ignored.insert(name)
        } else {
            try applyFileOnly(name, words, commandExists)
        }
    }

    private mutating func set(_ setting: Setting, _ arguments: [[UInt8]]) throws(LineError) {
        var arguments = arguments
        if !setting.directive.traits.contains(.severalWords) {
            if arguments.count != 1 { throw .refused("wrong number of arguments", hint: nil) }
        } else if arguments.count == 1, !arguments[0].isEmpty {
            // `save "3600 1"` means the same as `save 3600 1`.
            guard let split = arguments[0].withSlice({ QuotedWords.split($0) }) else {
                throw .refused("Unbalanced quotes in configuration line", hint: nil)
            }
            arguments = split
        }
        do throws(ConfigurationRefusal) {
            try configuration.set(
                setting, to: arguments, accumulates: setting == .save && hasSavePoints)
            if setting == .save { hasSavePoints = true }
        } catch {
            throw .refused(error.reason, hint: nil)
        }
    }

    private mutating func applyFileOnly(
        _ name: String, _ words: [[UInt8]], _ commandExists: (String) -> Bool
    ) throws(LineError) {
        switch (name, words.count) {
        case ("include", 2):
            // Redis follows a file that includes itself until it falls over.
            if includeDepth >= 16 { throw .refused("Too many nested includes", hint: nil) }
            includeDepth += 1
            defer { includeDepth -= 1 }
            let path = String(decoding: words[1], as: UTF8.self)
            do throws(ConfigurationFileError) {
                try readFile(
                    path.hasPrefix("/") ? path : "\(configuration.dir)/\(path)", commandExists)
            } catch {
                throw .inside(error)
            }
        case ("rename-command", 3):
            try rename(words[1], to: words[2], commandExists)
        case ("user", 2...):
            configuration.users.append(Array(words.dropFirst()))
        case ("loadmodule", 2...):
            configuration.modules.append(Array(words.dropFirst()))
        case ("sentinel", 2...):
            throw .refused("sentinel directive while not in sentinel mode", hint: nil)
        case ("sentinel", _):
            throw .refused("this server has no sentinel mode", hint: nil)
        case _ where name.contains("."):
            if words.count < 2 {
                throw .refused("Module config specified without value", hint: nil)
            }
            configuration.moduleSettings.append(name)
        default:
            let isKnown = ConfigurationTable.fileOnly.contains(name)
            throw .refused(
                "Bad directive or wrong number of arguments",
                hint: isKnown ? nil : ConfigurationTable.nearest(to: name))
        }
    }

    private mutating func rename(
        _ old: [UInt8], to new: [UInt8], _ commandExists: (String) -> Bool
    ) throws(LineError) {
        let oldName = Directive.lowercase(old)
        let newName = Directive.lowercase(new)
        guard renamed[oldName] ?? commandExists(oldName) else {
            throw .refused("No such command in rename-command", hint: nil)
        }
        renamed[oldName] = false
        if !new.isEmpty {
            if renamed[newName] ?? commandExists(newName) {
                throw .refused("Target command name already exists", hint: nil)
            }
            renamed[newName] = true
        }
        configuration.renamedCommands.append(Configuration.RenamedCommand(old: old, new: new))
    }

    /// What only the whole shows.
    func checkTogether() throws(ConfigurationFileError) {
        let logfile = configuration.logfile
        if !logfile.isEmpty {
            let path = logfile.hasPrefix("/") ? logfile : "\(configuration.dir)/\(logfile)"
            do throws(SystemError) {
                try SmallFile.checkAppending(to: path)
            } catch {
                throw .whole(reason: "Can't open the log file: \(error.reason)")
            }
        }
        if configuration.flag(.clusterEnabled), configuration[.replicaof] != .primary(nil) {
            throw .whole(reason: "replicaof directive not allowed in cluster mode")
        }
    }
}

/// How a line of a configuration file is taken apart before its words are.
enum ConfigurationLine {
    static func trimmed(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank: (UInt8) -> Bool = { $0 == 32 || $0 == 9 || $0 == 13 || $0 == 10 }
        var rest = line.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return rest
    }
}
