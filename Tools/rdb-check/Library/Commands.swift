public import ToolKit

/// What rdb-check understands.
public enum RDBCheckOptions {
    private static let output = ToolOption(
        "output", letter: "o", .file("FILE"), "where the new file goes; it must not exist")
    private static let force = ToolOption("force", "replace the new file if it exists")

    public static let table = OptionTable(
        program: "rdb-check",
        summary: "verify, show, compare, convert and salvage RDB snapshots",
        description: [
            "Reads RDB files of versions 1 to 12, as they are or in an LZ4 frame, gzip or zstd, which is found out from their content; - is standard input. It is the server's own reader, with memory bounded to 64 MiB whatever the file: what it calls OK a server loads.",
            "Called as redis-check-rdb it takes that program's arguments and prints its words.",
        ],
        commands: [
            ToolCommand(
                "verify", operands: "FILE...", count: 1...100_000,
                summary: "check every byte and every value",
                description: [
                    "One line for each file, its verdict first: OK, TORN (it ends early), DAMAGED, FOREIGN (newer, or no RDB) or UNREADABLE. Behind it, where something is wrong, what and where. If up to two bytes of a plain file were changed the checksum tells which, and what they were."
                ],
                options: [ToolOption("quick", "compare the checksums only")],
                examples: ["rdb-check dump.rdb", "ssh host cat dump.rdb | rdb-check -"]),
            ToolCommand(
                "info", operands: "FILE", count: 1...1,
                summary: "what a file says of itself, and what is in it"),
            ToolCommand(
                "keys", operands: "FILE", count: 1...1, summary: "list the keys",
                options: CommonOptions.filters,
                examples: ["rdb-check keys --match 'user:*' --ttl 0..1h dump.rdb"]),
            ToolCommand(
                "get", operands: "FILE KEY", count: 2...2, summary: "show one key",
                options: [
                    ToolOption("db", .text("N"), "in this database; else in the first that has it"),
                    ToolOption("raw", "a string's bytes and nothing else"),
                ]),
            ToolCommand(
                "dump", operands: "FILE", count: 1...1, summary: "print keys and values",
                options: [
                    ToolOption(
                        "as", .words(["jsonl", "json", "csv", "resp"]),
                        "JSON lines (default), one JSON document, CSV, or commands for redis-cli --pipe"
                    )
                ] + CommonOptions.filters),
            ToolCommand(
                "top", operands: "FILE", count: 1...1, summary: "list the largest keys",
                options: [
                    ToolOption("count", letter: "n", .text("N"), "how many (20)"),
                    ToolOption(
                        "by", .words(["bytes", "elements", "memory", "ttl", "freq", "idle"]),
                        "what counts: bytes in the file (default), elements, estimated memory, nearest deadline, LFU counter, idle time"
                    ),
                ] + CommonOptions.filters),
            ToolCommand(
                "report", operands: "FILE", count: 1...1,
                summary: "where the bytes are: prefixes, types, sizes, deadlines",
                options: [
                    ToolOption(
                        "output", letter: "o", .file("FILE"),
                        "also write one HTML page that needs nothing else"),
                    force,
                    ToolOption("separator", .text("CHARS"), "what ends a prefix (:/|)"),
                ] + CommonOptions.filters),
            ToolCommand(
                "diff", operands: "FILE FILE", count: 2...2,
                summary: "compare the data of two files, whatever their order and encoding",
                description: [
                    "Exit status 1 if they differ. Beyond some MiB the keys go to temporary files in TMPDIR."
                ],
                options: [
                    ToolOption("keys", "compare names only"),
                    ToolOption(
                        "count", letter: "n", .text("N"), "how many differences to show (20)"),
                ] + CommonOptions.filters.filter { $0.name != "size" && $0.name != "ttl" }),
            ToolCommand(
                "convert", operands: "FILE", count: 1...1,
                summary: "write the same data in another form",
                options: [
                    output, force,
                    ToolOption(
                        "to", .text("rdb[:N]|aof"),
                        "an RDB of version 9 to 12, or commands; else as the file"),
                    ToolOption(
                        "compression", .words(["lz4", "lzf", "none"]),
                        "an LZ4 frame, single strings as redis-server does, or nothing; else as the file"
                    ),
                ] + CommonOptions.filters,
                examples: ["rdb-check convert --to rdb:9 --compression lzf -o old.rdb dump.rdb"]),
            ToolCommand(
                "salvage", operands: "FILE", count: 1...1,
                summary: "copy everything that is readable, and list what is lost",
                options: [
                    output, force,
                    ToolOption(
                        "compression", .words(["lz4", "lzf", "none"]),
                        "as of convert"),
                ]),
            ToolCommand(
                "digest", operands: "FILE", count: 1...1,
                summary: "the digest that DEBUG DIGEST of a server with this data shows"),
        ],
        common: [
            CommonOptions.json, CommonOptions.quiet, CommonOptions.progress, CommonOptions.color,
            CommonOptions.escape,
        ])
}
