/// What a tool's exit status says.
public enum ExitCode: Int32, CaseIterable, Sendable {
    case sound = 0
    case damaged = 1
    case usage = 2
    case inputOutput = 3
    case foreign = 4
    case torn = 5
    case interrupted = 130

    public var meaning: String {
        switch self {
        case .sound: "sound, or sound now that it has been repaired"
        case .damaged: "damage was found and not repaired"
        case .usage: "the command line was wrong"
        case .inputOutput: "something could not be read or written"
        case .foreign: "the format is newer or not known; nothing is proven damaged"
        case .torn: "only the tail is torn: a start would cut it and go on"
        case .interrupted: "stopped by a signal; what was printed is a part"
        }
    }

    /// Of several files, what the program says: the worst.
    public static func worst(_ codes: [ExitCode]) -> ExitCode {
        let order: [ExitCode] = [
            .interrupted, .damaged, .inputOutput, .foreign, .torn, .usage, .sound,
        ]
        return order.first { codes.contains($0) } ?? .sound
    }
}

/// The first word of a result.
public enum Verdict: String, CaseIterable, Sendable {
    case ok = "OK"
    case torn = "TORN"
    case damaged = "DAMAGED"
    case foreign = "FOREIGN"
    case unreadable = "UNREADABLE"

    public var exitCode: ExitCode {
        switch self {
        case .ok: .sound
        case .torn: .torn
        case .damaged: .damaged
        case .foreign: .foreign
        case .unreadable: .inputOutput
        }
    }

    var color: String {
        switch self {
        case .ok: "32"
        case .torn: "33"
        case .damaged, .unreadable: "31"
        case .foreign: "35"
        }
    }
}
