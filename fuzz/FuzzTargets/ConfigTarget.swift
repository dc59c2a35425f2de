internal import HoldfastRESP
internal import Server

/// Configurations: lines are taken or refused with a reason, and what CONFIG GET shows of a setting means the
/// same when it is read as a line. A line whose first byte is no ASCII names a setting by its number.
enum ConfigTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let lines = bytes.split(separator: 10).map { spelled($0) }.filter { !touchesFiles($0) }
        guard let configuration = load(Array(lines.joined(separator: [10]))) else { return }
        for setting in configuration.given.sorted(by: { $0.rawValue < $1.rawValue }) {
            let value = configuration.printed(setting)
            let quoted = QuotedWords.quotedRepresentation(value)
            guard let again = load(Array("\(setting.name) \(quoted)".utf8)) else {
                throw FuzzFailure("\(setting.name) \(quoted) is printed, but refused")
            }
            let printed = again.printed(setting)
            try expect(
                printed == value,
                "\(setting.name) \(quoted) became \(QuotedWords.quotedRepresentation(printed))")
        }
    }

    private static func spelled(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard let first = line.first, first >= 128 else { return line }
        let rest = line.dropFirst()
        let number = Int(first & 3) << 8 | Int(rest.first ?? 0)
        let setting = Setting.allCases[number % Setting.allCases.count]
        return Array("\(setting.name) ".utf8) + rest.dropFirst()
    }

    /// Lines that make the reader open files or folders, which may be any on this machine.
    private static func touchesFiles(_ line: ArraySlice<UInt8>) -> Bool {
        let text = String(decoding: line, as: UTF8.self).lowercased()
        return ["include", "logfile", "dir"].contains { text.contains($0) }
    }

    private static func load(_ text: [UInt8]) -> Configuration? {
        var source = ConfigurationSource()
        source.readsStandardInput = true
        do throws(ConfigurationFileError) {
            return try Configuration.load(source, folder: "/", standardInput: { text })
        } catch {
            return error.message.isEmpty ? Configuration(folder: "/") : nil
        }
    }
}
