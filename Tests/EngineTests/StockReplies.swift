import Foundation

/// Asks a stock redis-server, started for the purpose on a unix socket in a temporary folder.
enum StockReplies {
    static let path = "/usr/bin/redis-server"
    static var isInstalled: Bool { FileManager.default.isExecutableFile(atPath: path) }

    struct Failure: Error { let what: String }

    /// The replies to `requests`, one line of JSON each (`error:"…"` for an error), in RESP3.
    ///
    /// - Parameter requests: in the syntax of redis-cli.
    static func replies(to requests: [String]) throws -> [String] {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("stock-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let socket = folder.appendingPathComponent("s").path

        let server = Process()
        server.executableURL = URL(fileURLWithPath: path)
        server.arguments = [
            "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder.path,
        ]
        let output = Pipe()
        server.standardOutput = output
        try server.run()
        // A child of a thread of Swift's pool may inherit SIGTERM as blocked, and `waitUntilExit` may miss
        // its end: so the strong signal, and the end is seen at the pipe.
        defer {
            kill(server.processIdentifier, SIGKILL)
            _ = try? output.fileHandleForReading.readToEnd()
        }
        var printed = ""
        while !printed.contains("ready to accept connections at") {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { throw Failure(what: "redis-server did not start: \(printed)") }
            printed += String(decoding: data, as: UTF8.self)
        }

        let script = folder.appendingPathComponent("requests")
        try Data((requests.joined(separator: "\n") + "\n").utf8).write(to: script)
        let client = Process()
        client.executableURL = URL(fileURLWithPath: "/usr/bin/redis-cli")
        client.arguments = ["-s", socket, "-3", "--json"]
        client.standardInput = try FileHandle(forReadingFrom: script)
        let replies = Pipe()
        client.standardOutput = replies
        try client.run()
        let data = replies.fileHandleForReading.readDataToEndOfFile()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
            .map(String.init).filter { !$0.isEmpty }
        guard lines.count == requests.count else {
            throw Failure(what: "\(lines.count) replies to \(requests.count) requests")
        }
        return lines
    }
}
