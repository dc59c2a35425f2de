/// Why a command was refused: the text of its error reply, code word first. The texts are Redis's, byte for
/// byte, because clients and test suites compare them.
public enum CommandError: Error {
    case text(StaticString)
    case message(String)
    /// A message that quotes what a client sent, which need not be UTF-8.
    case bytes([UInt8])

    public static let wrongType: CommandError = .text(
        "WRONGTYPE Operation against a key holding the wrong kind of value")
    public static let syntax: CommandError = .text("ERR syntax error")
    public static let notAnInteger: CommandError = .text(
        "ERR value is not an integer or out of range")
    public static let notAFloat: CommandError = .text("ERR value is not a valid float")
    public static let mustBePositive: CommandError = .text(
        "ERR value is out of range, must be positive")
    public static let noSuchKey: CommandError = .text("ERR no such key")
    public static let indexOutOfRange: CommandError = .text("ERR index out of range")
    public static let offsetOutOfRange: CommandError = .text("ERR offset is out of range")
    public static let databaseOutOfRange: CommandError = .text("ERR DB index is out of range")
    public static let sameObject: CommandError = .text(
        "ERR source and destination objects are the same")
    public static let overflow: CommandError = .text("ERR increment or decrement would overflow")
    public static let stringTooLong: CommandError = .text(
        "ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    public static let invalidCursor: CommandError = .text("ERR invalid cursor")

    public static func invalidExpireTime(_ command: String) -> CommandError {
        .message("ERR invalid expire time in '\(command)' command")
    }

    public static func wrongArity(_ fullName: String) -> CommandError {
        .message("ERR wrong number of arguments for '\(fullName)' command")
    }
}
