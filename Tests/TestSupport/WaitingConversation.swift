/// Several connections that talk to one server by a script, some of which wait for others.
///
/// A line of a script is `who words…`; several commands of one line are parted by ` ;; ` and sent at once.
/// `who! words…` is for commands whose time runs out: the line is over when all is answered. `@who` is the
/// CLIENT ID of another connection, `who close` ends one. After each line it is noted what every connection has
/// heard that has been answered all its commands; who waits is asked of the server, so nothing sleeps for long. A
/// line must not leave its connection inside MULTI.
public struct WaitingConversation {
    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    private final class Speaker {
        let name: String
        let connection: RESPConnection
        let id: Int64
        /// Words that it will hear when it has been answered, in order.
        var tokens: [String] = []
        /// What it has heard since it was last answered everything.
        var heard: [String] = []

        init(_ name: String, _ connection: RESPConnection) throws {
            self.name = name
            self.connection = connection
            id = try connection.command("CLIENT", "ID").integer ?? -1
        }
    }

    private let connect: (String) throws -> RESPConnection
    private let control: RESPConnection
    private var speakers: [Speaker] = []
    private var round = 0
    private var transcript: [String] = []

    /// Runs a script and returns what was heard: a line for each line, with the replies behind it.
    ///
    /// - Parameter connect: makes the connection of the name that it is given.
    public static func run(
        _ script: String, connect: @escaping (String) throws -> RESPConnection
    ) throws -> [String] {
        var conversation = Self(connect: connect, control: try connect("control"))
        for line in script.split(separator: "\n") {
            let text = line.drop { $0 == " " }
            if text.isEmpty || text.hasPrefix("#") { continue }
            try conversation.say(String(text))
        }
        return conversation.transcript
    }

    private init(
        connect: @escaping (String) throws -> RESPConnection, control: RESPConnection
    ) {
        self.connect = connect
        self.control = control
    }

    private mutating func say(_ line: String) throws {
        round += 1
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw Failed(description: "no command in '\(line)'") }
        let isPatient = parts[0].hasSuffix("!")
        let own = try speaker(isPatient ? String(parts[0].dropLast()) : parts[0])
        transcript.append("> \(line)")
        if parts[1] == "close" {
            own.connection.close()
            speakers.removeAll { $0 === own }
            while try state(own) != nil {}
        } else {
            let token = "after\(round)"
            var bytes: [UInt8] = []
            for command in parts[1].split(separator: ";;") {
                bytes += Request.encode(try words(command))
            }
            bytes += Request.encode(["PING", token])
            own.tokens.append(token)
            try own.connection.send(bytes)
            try listen(own, isPatient: isPatient)
        }
        for other in speakers where other !== own && !other.tokens.isEmpty {
            try listen(other, isPatient: false)
        }
    }

    private mutating func speaker(_ name: String) throws -> Speaker {
        if let found = speakers.first(where: { $0.name == name }) { return found }
        let made = try Speaker(name, connect(name))
        speakers.append(made)
        return made
    }

    private mutating func words(_ command: Substring) throws -> [String] {
        try command.split(separator: " ").map { word in
            guard word.hasPrefix("@") else { return word == "''" ? "" : String(word) }
            return String(try speaker(String(word.dropFirst())).id)
        }
    }

    /// Whether the server lets it wait, and has all that it sent; nil if the server knows it no more.
    private func state(_ speaker: Speaker) throws -> Bool? {
        let list = try control.command("CLIENT", "LIST", "ID", String(speaker.id)).text ?? ""
        guard list.contains("id=\(speaker.id) ") else { return nil }
        var fields: [Substring: Substring] = [:]
        for field in list.split(separator: " ") {
            let parts = field.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        return fields["flags"]?.contains("b") == true && fields["qbuf"] != "0"
    }

    /// Notes all that a connection has heard, once it has heard everything; until then it waits.
    private mutating func listen(_ speaker: Speaker, isPatient: Bool) throws {
        while let token = speaker.tokens.first {
            let reply: Reply
            do {
                while try !speaker.connection.hasReply(within: isPatient ? 10 : 0.001) {
                    if try state(speaker) == true { return }
                }
                reply = try speaker.connection.receive()
            } catch RESPConnection.Failure.closed {
                return drop(speaker)
            }
            if reply == .bulk(token) {
                speaker.tokens.removeFirst()
            } else {
                speaker.heard.append("  \(speaker.name): \(reply)")
            }
        }
        transcript += speaker.heard
        speaker.heard = []
    }

    private mutating func drop(_ speaker: Speaker) {
        transcript += speaker.heard + ["  \(speaker.name) was closed"]
        speakers.removeAll { $0 === speaker }
    }
}
