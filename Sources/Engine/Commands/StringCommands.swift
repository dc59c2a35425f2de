internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on strings.
public enum StringCommands {
    // MARK: Reading

    @Sendable
    static func get(_ context: inout CommandContext) throws(CommandError) {
        if let entry = try context.lookupString(context.key(at: 1)) {
            context.replyString(entry)
        } else {
            context.reply.null()
        }
    }

    // MARK: SET

    /// The options that SET and GETEX take.
    struct SetOptions {
        var onlyIfAbsent = false
        var onlyIfPresent = false
        var returnsOld = false
        var keepsDeadline = false
        /// Unix ms.
        var deadline: Int64?
        /// The deadline came as a point in time in ms: the command can be logged as it is.
        var isAbsoluteMilliseconds = false
    }

    @Sendable
    static func set(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        let value = context.arguments[2]
        if _fastPath(context.arguments.count == 3) {
            context.keyspace.setString(key, context.database, to: value, deadline: .clear)
            context.reply.ok()
            return
        }
        let options = try setOptions(&context)
        let old = context.lookupForWrite(key)
        if options.returnsOld, let old, !old.isString { throw .wrongType }
        let isRefused =
            (options.onlyIfAbsent && old != nil) || (options.onlyIfPresent && old == nil)
        if options.returnsOld {
            if let old { context.replyString(old) } else { context.reply.null() }
        } else if isRefused {
            context.reply.null()
        } else {
            context.reply.ok()
        }
        if isRefused { return }
        var change = DeadlineChange.clear
        if options.keepsDeadline { change = .keep }
        if let deadline = options.deadline { change = .set(deadline) }
        context.keyspace.setString(key, context.database, to: value, deadline: change)
        logSet(&context, key.bytes, value, options)
    }

    /// The log gets the deadline as a point in time, and nothing that only concerns the reply.
    private static func logSet(
        _ context: inout CommandContext, _ key: ByteSlice, _ value: ByteSlice,
        _ options: SetOptions
    ) {
        if let deadline = options.deadline, !options.isAbsoluteMilliseconds {
            var text = ByteBuffer()
            text.append(decimal: deadline)
            context.logInstead("SET", words: [key, value, ByteSlice("PXAT"), text.slice])
        } else if options.returnsOld, options.deadline == nil {
            var words = [key, value]
            if options.onlyIfAbsent { words.append(ByteSlice("NX")) }
            if options.onlyIfPresent { words.append(ByteSlice("XX")) }
            if options.keepsDeadline { words.append(ByteSlice("KEEPTTL")) }
            context.logInstead("SET", words: words)
        }
    }

    private static func setOptions(
        _ context: inout CommandContext
    ) throws(CommandError) -> SetOptions {
        var options = SetOptions()
        var index = 3
        while index < context.arguments.count {
            let word = context.arguments[index]
            let hasNext = index + 1 < context.arguments.count
            let mayExpire = options.deadline == nil && !options.keepsDeadline
            if word.equalsIgnoringCase("nx"), !options.onlyIfPresent {
                options.onlyIfAbsent = true
            } else if word.equalsIgnoringCase("xx"), !options.onlyIfAbsent {
                options.onlyIfPresent = true
            } else if word.equalsIgnoringCase("get") {
                options.returnsOld = true
            } else if word.equalsIgnoringCase("keepttl"), mayExpire {
                options.keepsDeadline = true
            } else if let unit = TimeUnit(option: word), mayExpire, hasNext {
                options.deadline = try deadline(
                    &context, at: index + 1, unit, command: "set")
                options.isAbsoluteMilliseconds = unit == .pointInMilliseconds
                index += 1
            } else {
                throw .syntax
            }
            index += 1
        }
        return options
    }

    /// How an option gives a time.
    enum TimeUnit: Equatable {
        case seconds
        case milliseconds
        case pointInSeconds
        case pointInMilliseconds

        init?(option word: ByteSlice) {
            if word.equalsIgnoringCase("ex") {
                self = .seconds
            } else if word.equalsIgnoringCase("px") {
                self = .milliseconds
            } else if word.equalsIgnoringCase("exat") {
                self = .pointInSeconds
            } else if word.equalsIgnoringCase("pxat") {
                self = .pointInMilliseconds
            } else {
                return nil
            }
        }
    }

    /// Argument `index` as a deadline in Unix ms; it must be a positive time that fits.
    static func deadline(
        _ context: inout CommandContext, at index: Int, _ unit: TimeUnit, command: String
    ) throws(CommandError) -> Int64 {
        var value = try context.integer(at: index)
        guard value > 0 else { throw .invalidExpireTime(command) }
        if unit == .seconds || unit == .pointInSeconds {
            guard value <= Int64.max / 1000 else { throw .invalidExpireTime(command) }
            value *= 1000
        }
        if unit == .seconds || unit == .milliseconds {
            let (sum, isOver) = value.addingReportingOverflow(context.now)
            guard !isOver else { throw .invalidExpireTime(command) }
            value = sum
        }
        return value
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec("get", 2, [.readonly, .fast], .string, keys: [.first(.ro, [.access])], .data(get)),
        CommandSpec(
            "set", -3, [.write, .denyOOM], .string,
            keys: [.first(.rw, [.access, .update, .variableFlags])], .data(set)),
    ]
}
