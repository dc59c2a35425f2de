internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Store

/// Commands on whole databases, and the two of the server group that need nothing but a clock and chance.
public enum DatabaseCommands {
    @Sendable
    static func dbsize(_ context: inout CommandContext) throws(CommandError) {
        context.reply.integer(context.keyspace.count(context.database))
    }

    // MARK: Emptying

    /// An emptied database's memory is given back bit by bit (`Keyspace.freeRetired`), so ASYNC is how it
    /// always goes; SYNC asks to have it back at once.
    private static func flush(
        _ context: inout CommandContext, _ databases: Range<Int>
    ) throws(CommandError) {
        let count = context.arguments.count
        let isSync = count == 2 && context.arguments[1].equalsIgnoringCase("sync")
        let isAsync = count == 2 && context.arguments[1].equalsIgnoringCase("async")
        guard count == 1 || isSync || isAsync else { throw .syntax }
        for database in databases {
            context.changeCount += context.keyspace.removeAll(database)
        }
        context.noteFlush()
        if isSync { context.keyspace.freeRetired(limit: .max) }
        // Whoever reads the log shall be empty afterwards as well, whatever it held.
        context.logVerbatim()
        context.reply.ok()
    }

    @Sendable
    static func flushdb(_ context: inout CommandContext) throws(CommandError) {
        try flush(&context, context.database..<context.database + 1)
    }

    @Sendable
    static func flushall(_ context: inout CommandContext) throws(CommandError) {
        try flush(&context, 0..<context.keyspace.databaseCount)
        context.hasFlushedAll = !context.isReplaying
    }

    @Sendable
    static func swapdb(_ context: inout CommandContext) throws(CommandError) {
        let limit = Int64(Int32.min)...Int64(Int32.max)
        guard let first = DecimalText.parse(context.arguments[1]), limit.contains(first) else {
            throw .text("ERR invalid first DB index")
        }
        guard let second = DecimalText.parse(context.arguments[2]), limit.contains(second) else {
            throw .text("ERR invalid second DB index")
        }
        let databases = 0..<Int64(context.keyspace.databaseCount)
        guard databases.contains(first), databases.contains(second) else {
            throw .databaseOutOfRange
        }
        context.keyspace.swapDatabases(Int(first), Int(second), now: context.now)
        context.logVerbatim()
        context.reply.ok()
    }

    // MARK: TIME and LOLWUT

    @Sendable
    static func time(_ context: inout CommandContext) throws(CommandError) {
        context.reply.array(2)
        context.reply.bulk(decimal: context.now / 1000)
        context.reply.bulk(decimal: context.now % 1000 * 1000 + context.microsecond)
    }

    /// What clients that look for it are told, the version whose behaviour we follow.
    static let redisVersion = "7.2.6"

    /// Kelp, which clings to its rock by an organ called holdfast. Takes VERSION and numbers as Redis's does:
    /// they must be numbers, the first two after the version are width and height.
    @Sendable
    static func lolwut(_ context: inout CommandContext) throws(CommandError) {
        var size: [Int] = []
        var index = 1
        if context.arguments.count >= 3, context.arguments[1].equalsIgnoringCase("version") {
            _ = try context.integer(at: 2)
            index = 3
        }
        while index < context.arguments.count, size.count < 2 {
            size.append(Int(min(max(try context.integer(at: index), 1), 200)))
            index += 1
        }
        let width = size.first ?? 40
        let height = size.count > 1 ? size[1] : 10
        var rows = [[UInt8]](
            repeating: [UInt8](repeating: UInt8(ascii: " "), count: width), count: height)
        for _ in 0..<max(width / 5, 1) {
            var column = context.random.below(width)
            for row in (context.random.below(height)..<height).reversed() {
                let turn = context.random.below(3)
                rows[row][column] = [UInt8(ascii: "("), UInt8(ascii: "|"), UInt8(ascii: ")")][turn]
                column = min(max(column + turn - 1, 0), width - 1)
            }
        }
        var text = ""
        for row in rows { text += String(decoding: row, as: UTF8.self) + "\n" }
        text +=
            String(repeating: "~", count: width) + "\n\nHolds fast. Redis ver. \(redisVersion)\n"
        context.reply.verbatim(text)
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "dbsize", 1, [.readonly, .fast], .server,
            tips: [.requestAllShards, .responseAggregateSum], acl: [.keyspace], .data(dbsize)),
        CommandSpec(
            "flushall", -1, [.write], .server, tips: [.requestAllShards, .responseAllSucceeded],
            acl: [.keyspace, .dangerous], .data(flushall)),
        CommandSpec(
            "flushdb", -1, [.write], .server, tips: [.requestAllShards, .responseAllSucceeded],
            acl: [.keyspace, .dangerous], .data(flushdb)),
        CommandSpec("lolwut", -1, [.readonly, .fast], .server, .data(lolwut)),
        CommandSpec(
            "swapdb", 3, [.write, .fast], .server, acl: [.keyspace, .dangerous], .data(swapdb)),
        CommandSpec(
            "time", 1, [.loading, .stale, .fast], .server, tips: [.nondeterministicOutput],
            .data(time)),
    ]
}
