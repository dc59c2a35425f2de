internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// CONFIG REWRITE: the file in force, changed as little as the present values allow.
///
/// Comments and order stay. The first line of a setting gets the new value, further lines of it go,
/// settings that differ from their default and have no line yet are appended below a signature, and
/// lines nobody understands become comments. Runs of empty lines become one.
extension Configuration {
    /// Rewrites the file the server was started with.
    ///
    /// On return the new file is on stable storage; on failure the old one is untouched.
    ///
    /// - Parameter users: what stands behind `user` in a line for each user.
    public func rewrite(users: [[UInt8]] = []) throws(ConfigurationRewriteError) {
        guard let file else { throw .noFile }
        do throws(SystemError) {
            var old: [UInt8] = []
            do throws(SystemError) {
                old = try SmallFile.read(file)
            } catch {
                // A file that was removed meanwhile is written anew.
                if error.errno != ENOENT { throw error }
            }
            try SmallFile.replace(file, with: rewritten(old, users: users))
        } catch {
            throw .failed(error.reason)
        }
    }

    /// The file's new text.
    func rewritten(_ old: [UInt8], users: [[UInt8]] = []) -> [UInt8] {
        var text = RewrittenText(old)
        for user in users {
            text.set("user", String(decoding: user, as: UTF8.self), isForced: true)
        }
        if !users.isEmpty { text.finish("user") }
        for (_, directives) in ConfigurationTable.groups {
            for directive in directives { rewrite(directive, in: &text) }
        }
        return text.finished()
    }

    private func rewrite(_ directive: Directive, in text: inout RewrittenText) {
        let value = self[directive.setting]
        let isDefault = value == defaultValue(directive.setting)
        let name = directive.name
        switch value {
        case .savePoints(let points):
            // Always written, for without a line the defaults would come back.
            if points.isEmpty {
                text.set(name, "save \"\"", isForced: true)
            }
            for point in points {
                text.set(name, "save \(point.seconds) \(point.changes)", isForced: true)
            }
        case .bufferLimits(let limits):
            let defaults = BufferLimits()
            let classes: [(String, KeyPath<BufferLimits, BufferLimit>)] = [
                ("normal", \.normal), ("replica", \.replica), ("pubsub", \.pubsub),
            ]
            for (label, path) in classes {
                let limit = limits[keyPath: path]
                let hard = Self.memoryText(limit.hardBytes)
                let soft = Self.memoryText(limit.softBytes)
                text.set(
                    name, "\(name) \(label) \(hard) \(soft) \(limit.softSeconds)",
                    isForced: limit != defaults[keyPath: path])
            }
        case .text(let bytes):
            let keepsEmpty: Set<Setting> = [.logfile, .aclfile, .ignoreWarnings, .localeCollate]
            if bytes.isEmpty && isDefault && !keepsEmpty.contains(directive.setting) { break }
            // The working folder at the next start may be another one.
            text.set(name, line(directive), isForced: !isDefault || directive.setting == .dir)
        case .addresses, .primary:
            // Without a line the default holds.
            if !isDefault { text.set(name, line(directive), isForced: true) }
        default:
            text.set(name, line(directive), isForced: !isDefault)
        }
        text.finish(name)
    }

    /// The directive with its present value, as a line of a file.
    func line(_ directive: Directive) -> String {
        let printed = directive.printed(self[directive.setting])
        let value: String
        switch self[directive.setting] {
        case .text, .keyEvents:
            value = QuotedWords.quotedRepresentation(printed)
        case .number(let number):
            if case .number(_, .memory, _) = directive.kind {
                value = Self.memoryText(UInt64(bitPattern: number))
            } else if case .number(_, .memoryOrPercent, _) = directive.kind, number >= 0 {
                value = Self.memoryText(UInt64(number))
            } else {
                value = String(decoding: printed, as: UTF8.self)
            }
        default:
            value = printed.isEmpty ? "\"\"" : String(decoding: printed, as: UTF8.self)
        }
        return "\(directive.name) \(value)"
    }

    /// Bytes with the largest unit that leaves a whole number.
    private static func memoryText(_ bytes: UInt64) -> String {
        for (unit, shift) in [("gb", 30), ("mb", 20), ("kb", 10)]
        where bytes != 0 && bytes & ((1 << UInt64(shift)) - 1) == 0 {
            return "\(bytes >> UInt64(shift))\(unit)"
        }
        return String(bytes)
    }

    /// Every directive with its value and a line that explains it: a file that gives this same
    /// configuration when it is read.
    public func sampleFile() -> String {
        var text = "# Holdfast \(HoldfastVersion.product): every setting with its value.\n"
        for (title, directives) in ConfigurationTable.groups {
            text += "\n# ----- \(title)\n"
            for directive in directives {
                text += "\n# \(directive.summary)\n"
                if case .choice(let choices, _) = directive.kind {
                    text += "# One of: \(choices.names.joined(separator: ", ")).\n"
                }
                if directive.traits.contains(.idle) { text += "# (Without effect yet.)\n" }
                text += sampleLines(directive)
            }
        }
        return text
    }

    private func sampleLines(_ directive: Directive) -> String {
        switch self[directive.setting] {
        case .savePoints(let points) where !points.isEmpty:
            points.map { "save \($0.seconds) \($0.changes)\n" }.joined()
        case .primary(nil):
            "# \(directive.name) <host> <port>\n"
        default:
            line(directive) + "\n"
        }
    }
}

/// Why CONFIG REWRITE failed.
public enum ConfigurationRewriteError: Error, Equatable, Sendable {
    case noFile
    case failed(String)

    /// The reply, without the leading `-`.
    public var reply: String {
        switch self {
        case .noFile: "ERR The server is running without a config file"
        case .failed(let reason): "ERR Rewriting config file: \(reason)"
        }
    }
}

/// The lines of a file while its settings are replaced.
private struct RewrittenText {
    private static let signature = Array("# Generated by CONFIG REWRITE".utf8)

    private var lines: [[UInt8]] = []
    /// The lines of a setting that still hold an old value, first to last.
    private var reusable: [String: ArraySlice<Int>] = [:]
    private var hasSignature = false

    init(_ old: [UInt8]) {
        var text = old[...]
        if text.last == 10 { text.removeLast() }
        if text.isEmpty { return }
        for raw in text.split(separator: 10, omittingEmptySubsequences: false) {
            read(Array(ConfigurationLine.trimmed(raw)))
        }
    }

    private mutating func read(_ line: [UInt8]) {
        if line.isEmpty || line[0] == UInt8(ascii: "#") {
            if line == Self.signature { hasSignature = true }
            lines.append(line)
            return
        }
        let words = line.withSlice { QuotedWords.split($0) }
        let name = words?.first.map { Directive.lowercase($0) } ?? ""
        if name == "user" {
            reusable[name, default: []].append(lines.count)
        } else if let setting = ConfigurationTable.find(name) {
            reusable[setting.name, default: []].append(lines.count)
        } else if !ConfigurationTable.fileOnly.contains(name) {
            lines.append(Array("# ??? ".utf8) + line)
            return
        }
        lines.append(line)
    }

    /// Gives the setting `name` one more line: in place of an old one, or appended if `isForced`.
    mutating func set(_ name: String, _ line: String, isForced: Bool) {
        if let index = reusable[name]?.popFirst() {
            lines[index] = Array(line.utf8)
        } else if isForced {
            if !hasSignature {
                lines.append(Self.signature)
                hasSignature = true
            }
            lines.append(Array(line.utf8))
        }
    }

    /// Blanks the lines of the setting that were not used again.
    mutating func finish(_ name: String) {
        for index in reusable.removeValue(forKey: name) ?? [] { lines[index] = [] }
    }

    func finished() -> [UInt8] {
        var text: [UInt8] = []
        var wasEmpty = false
        for line in lines {
            if line.isEmpty && wasEmpty { continue }
            wasEmpty = line.isEmpty
            text += line + [10]
        }
        return text
    }
}
