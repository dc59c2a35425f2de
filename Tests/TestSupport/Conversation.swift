/// Several connections that talk to one server by a script, and all that each of them hears.
///
/// A line of a script is `who words…`; several commands of one line are parted by ` ;; ` and sent at once.
/// `''` is an empty word, and `@who` the CLIENT ID of another connection. After each line every connection asks
/// PING with a word of its own, so that what has arrived before the answer belongs to the line: nothing
/// sleeps. So a line must not leave its connection inside MULTI, nor silent by CLIENT REPLY.
public struct Conversation {
    public struct Failed: Error, CustomStringConvertible {
        public let description: String
    }

    private let connect: (String) throws -> RESPConnection
    private var connections: [(name: String, connection: RESPConnection)] = []
    private var round = 0
    public private(set) var transcript: [String] = []

    public init(connect: @escaping (String) throws -> RESPConnection) { self.connect = connect }

    /// Runs a script and returns what was heard: a line for each line, with the replies behind it.
    ///
    /// - Parameter connect: makes the connection of the name that it is given.
    public static func run(
        _ script: String, connect: @escaping (String) throws -> RESPConnection
    ) throws -> [String] {
        var conversation = Conversation(connect: connect)
        for line in script.split(separator: "\n") {
            let text = line.drop { $0 == " " }
            if text.isEmpty || text.hasPrefix("#") { continue }
            try conversation.say(String(text))
        }
        return conversation.transcript
    }

    public mutating func say(_ line: String) throws {
        round += 1
        let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { throw Failed(description: "no command in '\(line)'") }
        let own = try connection(parts[0])
        transcript.append("> \(line)")
        if parts[1] == "close" {
            own.close()
            connections.removeAll { $0.name == parts[0] }
        } else {
            var bytes: [UInt8] = []
            for command in parts[1].components(separatedBy: " ;; ") {
                bytes += Request.encode(try words(command))
            }
            try own.send(bytes)
            // Twice: what a server tells at the end of its turn may come behind the first answer.
            try listen(parts[0], own)
            try listen(parts[0], own)
        }
        for (name, other) in connections where name != parts[0] { try listen(name, other) }
    }

    private mutating func connection(_ name: String) throws -> RESPConnection {
        if let found = connections.first(where: { $0.name == name }) { return found.connection }
        let made = try connect(name)
        connections.append((name, made))
        return made
    }

    private mutating func words(_ command: String) throws -> [String] {
        try command.split(separator: " ").map { word in
            if word == "''" { return "" }
            guard word.hasPrefix("@") else { return String(word) }
            let reply = try connection(String(word.dropFirst())).command("CLIENT", "ID")
            return String(reply.integer ?? -1)
        }
    }

    private mutating func listen(_ name: String, _ connection: RESPConnection) throws {
        let token = "after\(round)"
        try connection.send(Request.encode(["PING", token]))
        while true {
            let reply = try connection.receive()
            if reply == .bulk(token) { return }
            if let items = reply.items, items.first == .bulk("pong"), items.last == .bulk(token) {
                return
            }
            transcript.append("  \(name): \(reply)")
        }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var result: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            result.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        result.append(String(rest))
        return result
    }
}
