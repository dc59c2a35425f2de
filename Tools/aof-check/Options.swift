internal import ToolKit

/// The command line of aof-check.
enum Options {
    private static let range = [
        ToolOption(
            "since", .text("TIME"), "from this moment on (2026-11-21T16:13, Unix time, -10m)"),
        ToolOption("until", .text("TIME"), "up to this moment"),
        ToolOption("lsn", .text("A..B"), "records that begin at these LSNs"),
    ]
    private static let keys = CommonOptions.filters.filter {
        ["match", "regex", "db"].contains($0.name)
    }
    private static let commandName = ToolOption(
        "cmd", .text("NAME"), "only this command; may be given more than once")
    private static let operands = "FOLDER|MANIFEST|FILE"

    static let table = OptionTable(
        program: "aof-check",
        summary: "verify, mend, show and cut append only files",
        description: [
            "Reads the append only files of Holdfast and of redis-server: a folder, its manifest, or one "
                + "file. It reads with the server's own reader, so that it says what a start of the "
                + "server would do. Run it on a stopped server's folder or on a copy.",
            "The first word printed is the verdict: OK, TORN (only the tail, which a start cuts), "
                + "DAMAGED, FOREIGN (newer or unknown) or UNREADABLE.",
            "Called as redis-check-aof it takes that program's arguments and prints its words.",
        ],
        commands: [
            ToolCommand(
                "verify", operands: "\(operands)...", count: 1...10_000,
                summary: "check everything and say what a start would do",
                description: [
                    "Checks the manifest, every base, every batch with its checksum, the chain of LSNs "
                        + "from file to file, times, and transactions; names missing files and files "
                        + "that nothing lists. Nothing is changed."
                ],
                examples: [
                    "aof-check /var/lib/holdfast/appendonlydir", "aof-check --json appendonly.aof",
                ]),
            ToolCommand(
                "fix", operands: operands, count: 1...1,
                summary: "cut what is torn or damaged, rebuild the manifest",
                description: [
                    "Says what it would do, with the bytes that are lost, and asks. Whatever is cut is "
                        + "kept in a file beside, files that are no longer listed go to a folder "
                        + "named quarantine, and a manifest that is replaced is kept there, too. Stop the "
                        + "server first: a folder in use is refused."
                ],
                options: [
                    ToolOption("dry-run", letter: "n", "say what would be done, change nothing"),
                    ToolOption("yes", letter: "y", "don't ask"),
                ],
                examples: [
                    "aof-check fix --dry-run appendonlydir", "aof-check fix --yes appendonlydir",
                ]),
            ToolCommand(
                "ls", operands: operands, count: 1...1,
                summary: "list the files with their LSNs, times and sizes"),
            ToolCommand(
                "cat", operands: operands, count: 1...1,
                summary: "print the commands, one a line",
                description: [
                    "Each line has the time, the LSN, the database and the command. What the folder "
                        + "still keeps of before the base is printed as well."
                ],
                options: range + keys + [
                    commandName,
                    ToolOption("tail", letter: "n", .text("N"), "only the last N commands"),
                    ToolOption("follow", letter: "f", "go on as the log grows, until Ctrl-C"),
                    ToolOption("width", .text("BYTES"), "how much of each argument is shown (128)"),
                ],
                examples: [
                    "aof-check cat --since -10m --match 'user:*' appendonlydir",
                    "aof-check cat --cmd FLUSHALL appendonlydir",
                ]),
            ToolCommand(
                "points", operands: operands, count: 1...1,
                summary: "show the moments to which the log can be cut",
                description: [
                    "One line a minute with its first LSN, and one for each command that removes much: "
                        + "FLUSHALL, FLUSHDB, SWAPDB, and DEL or UNLINK of 100 keys or more."
                ], options: Array(range.prefix(2))),
            ToolCommand(
                "cut", operands: operands, count: 1...1,
                summary: "write the log up to a point into a new folder",
                description: [
                    "The source is only read. DIR is made, and gets a log folder that ends before the "
                        + "point: a server started on it has the data of that moment. Exactly one of the "
                        + "points must be given."
                ],
                options: [
                    ToolOption(
                        "to-time", .text("TIME"), "with everything logged at or before TIME"),
                    ToolOption("to-lsn", .text("N"), "with everything before LSN N"),
                    ToolOption(
                        "before-command", .text("NAME"),
                        "before the last unit with this command, as FLUSHALL"),
                    ToolOption("output", letter: "o", .folder("DIR"), "the folder to make"),
                ],
                examples: [
                    "aof-check cut --before-command FLUSHALL -o restored appendonlydir",
                    "aof-check cut --to-time '2026-11-21 16:00' -o restored appendonlydir",
                ]),
            ToolCommand(
                "stats", operands: operands, count: 1...1,
                summary: "count commands, bytes by prefix, and what a rewrite would free",
                options: range + keys),
            ToolCommand(
                "replay", operands: operands, count: 1...1,
                summary: "send base and commands to a running server",
                description: [
                    "What stands in the base is spelled out as commands and sent first; with --since or "
                        + "--lsn, which say where to begin, it is not. Errors are counted and the "
                        + "first ones shown, and end it with status 1."
                ],
                options: [
                    ToolOption("to", .text("HOST:PORT"), "the server"),
                    ToolOption("password", .file("FILE"), "a file with the password to AUTH with"),
                ] + range,
                examples: ["aof-check replay --to 127.0.0.1:6379 --lsn 4096.. appendonlydir"]),
        ],
        common: [
            CommonOptions.json, CommonOptions.quiet, CommonOptions.escape, CommonOptions.progress,
            CommonOptions.color,
        ])
}

/// A stretch of the log: `--since`, `--until`, `--lsn`.
struct LogRange {
    var since: Int64 = .min
    var until: Int64 = .max
    var lsns: ClosedRange<Int64> = 0...Int64.max

    init(_ arguments: ParsedArguments, now: Int64) throws(UsageError) {
        if let text = arguments.value("since") { since = try Self.moment(text, "since", now) }
        if let text = arguments.value("until") { until = try Self.moment(text, "until", now) }
        if let text = arguments.value("lsn") {
            guard let range = Quantities.range(text, { UInt64($0).flatMap { Int64(exactly: $0) } })
            else {
                throw UsageError("--lsn wants a range of LSNs as 0..4096, not \(text)")
            }
            lsns = range
        }
    }

    static func moment(_ text: String, _ option: String, _ now: Int64) throws(UsageError) -> Int64 {
        guard let moment = Moments.parse(text, now: now) else {
            throw UsageError(
                "--\(option) wants a moment as 2026-11-21T16:13, Unix time or -10m, not \(text)")
        }
        return moment
    }

    /// Nothing says where to begin.
    var isFromTheBeginning: Bool { since == .min && lsns.lowerBound == 0 }

    func contains(milliseconds: Int64) -> Bool { milliseconds >= since && milliseconds <= until }
    func contains(lsn: UInt64) -> Bool { lsns.contains(Int64(clamping: lsn)) }
}
