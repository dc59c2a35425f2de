internal import HoldfastBytes
internal import HoldfastRESP
internal import Snapshot
internal import Store

/// DUMP and RESTORE: values as the payloads that snapshots are made of.
public enum DumpCommands {
    @Sendable
    static func dump(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = context.lookup(context.key(at: 1)) else { return context.reply.null() }
        var payload = ByteBuffer()
        DumpPayload.append(
            entry, version: context.limits.payloadVersion,
            compresses: context.limits.compressesPayloads, to: &payload)
        context.reply.bulk(payload.slice)
    }

    // MARK: RESTORE

    private struct Options {
        var replaces = false
        var isAbsolute = false
        var idleSeconds: Int64 = -1
        var frequency: Int64 = -1
    }

    @Sendable
    static func restore(_ context: inout CommandContext) throws(CommandError) {
        let options = try options(context)
        let key = context.key(at: 1)
        let database = context.database
        let isThere = context.lookupForWrite(key) != nil
        if isThere, !options.replaces {
            throw .text("BUSYKEY Target key name already exists.")
        }
        var deadline = try context.integer(at: 2)
        guard deadline >= 0 else { throw .text("ERR Invalid TTL value, must be >= 0") }
        let payload = context.arguments[3]
        guard
            DumpPayload.isIntact(
                payload, verifiesChecksum: !context.limits.skipsPayloadChecksums)
        else { throw .text("ERR DUMP payload version or checksum are wrong") }
        if deadline > 0, !options.isAbsolute { deadline &+= context.now }
        let isPast = deadline != 0 && deadline <= context.now && !context.isReplaying

        let hasher = context.keyspace.hasher
        var builder = ValueBuilder(limits: context.limits.encodings, hasher: hasher)
        builder.begin(epoch: context.keyspace.epochs.current)
        // The log holds what was accepted once, perhaps by another server.
        let sanitizes = !context.isReplaying
        do throws(SnapshotReadError) {
            try DumpPayload.read(payload, sanitizes: sanitizes, hasher: hasher, into: &builder) {
                builder in
                if isPast { return }
                context.keyspace.setValue(
                    key, database, from: &builder, deadline: deadline > 0 ? deadline : nil)
            }
        } catch { throw .text("ERR Bad data format") }
        if isPast {
            removeInstead(key, isThere: isThere, &context)
        } else {
            noteAccess(options, key, context)
            if deadline > 0, !options.isAbsolute { logAbsolute(deadline, &context) }
        }
        context.reply.ok()
    }

    private static func options(_ context: borrowing CommandContext) throws(CommandError) -> Options
    {
        var options = Options()
        let count = context.arguments.count
        var index = 4
        while index < count {
            let word = context.arguments[index]
            if word.equalsIgnoringCase("replace") {
                options.replaces = true
            } else if word.equalsIgnoringCase("absttl") {
                options.isAbsolute = true
            } else if word.equalsIgnoringCase("idletime"), index + 1 < count, options.frequency < 0
            {
                index += 1
                options.idleSeconds = try context.integer(at: index)
                guard options.idleSeconds >= 0 else {
                    throw .text("ERR Invalid IDLETIME value, must be >= 0")
                }
            } else if word.equalsIgnoringCase("freq"), index + 1 < count, options.idleSeconds < 0 {
                index += 1
                options.frequency = try context.integer(at: index)
                guard 0...255 ~= options.frequency else {
                    throw .text("ERR Invalid FREQ value, must be >= 0 and <= 255")
                }
            } else {
                throw .syntax
            }
            index += 1
        }
        return options
    }

    /// A value whose deadline has passed isn't stored; one that it should replace goes all the same.
    private static func removeInstead(
        _ key: HashedKey, isThere: Bool, _ context: inout CommandContext
    ) {
        guard isThere else { return context.logNothing() }
        context.keyspace.remove(key, context.database)
        context.logInstead(context.limits.replacesLazily ? "UNLINK" : "DEL", key.bytes)
    }

    private static func noteAccess(
        _ options: Options, _ key: HashedKey, _ context: borrowing CommandContext
    ) {
        guard options.idleSeconds >= 0 || options.frequency >= 0,
            let entry = context.keyspace.find(key, context.database),
            let access = AccessClock.loaded(
                idleSeconds: options.idleSeconds >= 0 ? UInt64(options.idleSeconds) : nil,
                frequency: options.frequency >= 0 ? UInt8(options.frequency) : nil,
                milliseconds: context.now, context.limits)
        else { return }
        entry.access = access
    }

    /// The log gets the deadline itself: the same words with another third one, and ABSTTL at the end.
    private static func logAbsolute(_ deadline: Int64, _ context: inout CommandContext) {
        var text = ByteBuffer()
        text.append(decimal: deadline)
        var words = [context.arguments[1], text.slice]
        for index in 3..<context.arguments.count { words.append(context.arguments[index]) }
        words.append(ByteSlice("ABSTTL"))
        context.logInstead("RESTORE", words: words)
        extendLifetime(text)
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "dump", 2, [.readonly], .generic, keys: [.first(.ro, [.access])],
            tips: [.nondeterministicOutput], .data(dump)),
        CommandSpec(
            "restore", -4, [.write, .denyOOM], .generic, keys: [.first(.ow, [.update])],
            acl: [.keyspace, .dangerous], .data(restore)),
        CommandSpec(
            "restore-asking", -4, [.write, .denyOOM, .asking], .server,
            keys: [.first(.ow, [.update])], acl: [.keyspace, .dangerous], .data(restore)),
    ]
}
