/// A command's arguments as COMMAND DOCS describes them, and the notation in which our documentation
/// table writes them.
///
/// ```text
/// key:key0 value condition:[NX|XX]@2.6.12 [GET@6.2.0] expiration:[EX=seconds:integer|KEEPTTL@6.0.0]
/// ```
///
/// | written | means |
/// | --- | --- |
/// | `value` | a string |
/// | `count:integer` | another type: integer, double, pattern, unix-time |
/// | `key:key0` | a key that key specification 0 finds |
/// | `NX`, `name!TOKEN` | a word that stands for itself, called by its lower case or by `name` |
/// | `EX=seconds:integer` | an argument after its token |
/// | `[…]` | optional |
/// | `name:(a\|b)`, `name:[a\|b]` | one of; the second form is optional |
/// | `name:(a b)`, `name:[a b]` | a block of arguments that stand together |
/// | `…*`, `…**` | repeats; with its token each time |
/// | `…@6.2.0` | since this version of Redis |
public struct CommandArgument: Equatable, Sendable {
    public var name: String
    public var kind: Kind
    public var keySpecIndex: Int?
    public var token: String?
    public var since: String?
    public var isOptional = false
    public var isMultiple = false
    public var repeatsToken = false
    /// What a block or a choice is made of.
    public var arguments: [CommandArgument] = []

    public enum Kind: String, Sendable {
        case string
        case integer
        case double
        case key
        case pattern
        case unixTime = "unix-time"
        case pureToken = "pure-token"
        case oneOf = "oneof"
        case block
    }

    /// Reads the notation. Only our own table is ever read, so a mistake ends the process (a test reads
    /// all of it).
    public static func parse(_ notation: String) -> [CommandArgument] {
        var parser = SyntaxParser(text: Array(notation.utf8))
        let (arguments, isChoice) = parser.sequence()
        precondition(parser.isAtEnd && !isChoice, "bad syntax: \(notation)")
        return arguments
    }
}

private struct SyntaxParser {
    let text: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == text.count }
    private var next: UInt8? { position < text.count ? text[position] : nil }

    private mutating func take(_ mark: Character) -> Bool {
        guard next == mark.asciiValue else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ mark: Character) {
        precondition(
            take(mark), "expected \(mark) at \(position): \(String(decoding: text, as: UTF8.self))")
    }

    /// Arguments up to a closing bracket or the end; whether they were separated by `|`.
    mutating func sequence() -> (arguments: [CommandArgument], isChoice: Bool) {
        var arguments: [CommandArgument] = []
        var isChoice = false
        while let byte = next, byte != UInt8(ascii: "]"), byte != UInt8(ascii: ")") {
            arguments.append(item())
            if take("|") { isChoice = true } else { _ = take(" ") }
        }
        return (arguments, isChoice)
    }

    private mutating func item() -> CommandArgument {
        if take("[") {
            var argument = item()
            argument.isOptional = true
            expect("]")
            return argument
        }
        var argument = core()
        if take("*") {
            argument.isMultiple = true
            argument.repeatsToken = take("*")
        }
        if take("@") { argument.since = word() }
        return argument
    }

    private mutating func core() -> CommandArgument {
        let first = word()
        if take("=") {
            var argument = core()
            argument.token = first
            return argument
        }
        if take("!") { return CommandArgument(name: first, kind: .pureToken, token: token()) }
        if take(":") {
            if next == UInt8(ascii: "(") || next == UInt8(ascii: "[") { return group(first) }
            let type = word()
            if let kind = CommandArgument.Kind(rawValue: type) {
                return CommandArgument(name: first, kind: kind)
            }
            if type.hasPrefix("key"), let index = Int(type.dropFirst(3)) {
                return CommandArgument(name: first, kind: .key, keySpecIndex: index)
            }
            // A name with a colon of its own: `ip:port`.
            return CommandArgument(name: "\(first):\(type)", kind: .string)
        }
        if first == first.uppercased() {
            return CommandArgument(name: first.lowercased(), kind: .pureToken, token: first)
        }
        return CommandArgument(name: first, kind: .string)
    }

    private mutating func group(_ name: String) -> CommandArgument {
        let isOptional = take("[")
        if !isOptional { expect("(") }
        let (arguments, isChoice) = sequence()
        expect(isOptional ? "]" : ")")
        return CommandArgument(
            name: name, kind: isChoice ? .oneOf : .block, isOptional: isOptional,
            arguments: arguments)
    }

    /// A token behind its name, which may be one of the marks itself.
    private mutating func token() -> String {
        let start = position
        while let byte = next, !" |[]()@".utf8.contains(byte) { position += 1 }
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    /// A name, token, type or version: everything but the marks.
    private mutating func word() -> String {
        let start = position
        while let byte = next, !" |[]()=!:*@".utf8.contains(byte) { position += 1 }
        return String(decoding: text[start..<position], as: UTF8.self)
    }
}
