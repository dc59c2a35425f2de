internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on lists that wait until there is an element. In the log they are what they did.
public enum BlockingListCommands {
    @Sendable
    static func blpop(_ context: inout CommandContext) throws(CommandError) {
        try pop(&context, at: .head)
    }

    @Sendable
    static func brpop(_ context: inout CommandContext) throws(CommandError) {
        try pop(&context, at: .tail)
    }

    /// `BLPOP key … timeout`
    private static func pop(_ context: inout CommandContext, at end: ListEnd) throws(CommandError) {
        let last = context.arguments.count - 1
        let timeout = try context.timeoutSeconds(at: last)
        for index in 1..<last {
            let key = context.key(at: index)
            guard let entry = try context.lookupListForWrite(key) else { continue }
            context.reply.array(2)
            context.reply.bulk(key.bytes)
            context.popOne(key, entry, at: end)
            return context.logInstead(end == .head ? "LPOP" : "RPOP", key.bytes)
        }
        if !context.block(
            BlockRequest(keys: Array(1..<last), type: .list, milliseconds: timeout))
        {
            context.reply.nullArray()
        }
    }

    /// `BLMPOP timeout numkeys key … LEFT|RIGHT [COUNT count]`
    @Sendable
    static func blmpop(_ context: inout CommandContext) throws(CommandError) {
        let request = try MultiPop(context, from: 2)
        let timeout = try context.timeoutSeconds(at: 1)
        if try request.run(&context) { return }
        let keys = request.firstKey..<request.firstKey + request.keyCount
        if !context.block(BlockRequest(keys: Array(keys), type: .list, milliseconds: timeout)) {
            context.reply.nullArray()
        }
    }

    /// `BLMOVE source target LEFT|RIGHT LEFT|RIGHT timeout`
    @Sendable
    static func blmove(_ context: inout CommandContext) throws(CommandError) {
        let source = try ListCommands.end(context.arguments[3])
        let target = try ListCommands.end(context.arguments[4])
        let timeout = try context.timeoutSeconds(at: 5)
        guard try ListCommands.move(&context, from: source, to: target) else {
            return wait(&context, timeout)
        }
        context.logInstead("LMOVE", words: (1..<5).map { context.arguments[$0] })
    }

    /// `BRPOPLPUSH source target timeout`
    @Sendable
    static func brpoplpush(_ context: inout CommandContext) throws(CommandError) {
        let timeout = try context.timeoutSeconds(at: 3)
        guard try ListCommands.move(&context, from: .tail, to: .head) else {
            return wait(&context, timeout)
        }
        context.logInstead("RPOPLPUSH", words: [context.arguments[1], context.arguments[2]])
    }

    private static func wait(_ context: inout CommandContext, _ timeout: Int64) {
        if !context.block(BlockRequest(keys: [1], type: .list, milliseconds: timeout)) {
            context.reply.null()
        }
    }

    public static let table: [CommandSpec] = [
        CommandSpec(
            "blmove", 6, [.write, .denyOOM, .blocking], .list,
            keys: [.first(.rw, [.access, .delete]), .at(2, .rw, [.insert])], .data(blmove)),
        CommandSpec(
            "blmpop", -5, [.write, .blocking], .list,
            keys: [.counted(at: 2, .rw, [.access, .delete])], .data(blmpop)),
        CommandSpec(
            "blpop", -3, [.write, .blocking], .list,
            keys: [.from(1, to: -2, .rw, [.access, .delete])], .data(blpop)),
        CommandSpec(
            "brpop", -3, [.write, .blocking], .list,
            keys: [.from(1, to: -2, .rw, [.access, .delete])], .data(brpop)),
        CommandSpec(
            "brpoplpush", 4, [.write, .denyOOM, .blocking], .list,
            keys: [.first(.rw, [.access, .delete]), .at(2, .rw, [.insert])], .data(brpoplpush)),
    ]
}
