internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on strings that estimate how many different elements were added to them.
public enum HyperLogLogCommands {
    private static let corrupt = CommandError.text("INVALIDOBJ Corrupted HLL object detected")

    /// An entry's bytes, if it is a string that holds a HyperLogLog.
    private static func bytes(of entry: Entry) throws(CommandError) -> ByteSlice {
        if !entry.isString { throw .wrongType }
        guard entry.integer == nil, HyperLogLog.isOne(entry.bytes) else {
            throw .text("WRONGTYPE Key is not a valid HyperLogLog string value.")
        }
        return entry.bytes
    }

    // MARK: PFADD

    @Sendable
    static func pfadd(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        var isUpdated = false
        if let entry = context.lookupForWrite(key) {
            let bytes = try bytes(of: entry)
            if HyperLogLog.isSparse(bytes) {
                isUpdated = try addToSparse(&context, key, bytes)
            } else {
                isUpdated = addToDense(&context, key, bytes)
            }
        } else {
            var draft = HyperLogLogDraft(sparseBytesMax: context.limits.hllSparseBytesMax)
            try addAll(context, to: &draft, from: 2)
            draft.invalidateEstimate()
            store(&context, key, draft)
            isUpdated = true
        }
        if isUpdated { context.notify(.string, "pfadd", key) }
        context.reply.integer(isUpdated ? 1 : 0)
    }

    /// Adds elements in place.
    private static func addToDense(
        _ context: inout CommandContext, _ key: HashedKey, _ bytes: ByteSlice
    ) -> Bool {
        let isNews = (2..<context.arguments.count).contains { index in
            let place = HyperLogLog.place(of: context.arguments[index])
            return HyperLogLog.denseValue(bytes, place.register) < place.value
        }
        guard isNews else { return false }
        let arguments = context.arguments
        context.keyspace.editString(key, context.database, growTo: 0) { string in
            for index in 2..<arguments.count {
                let place = HyperLogLog.place(of: arguments[index])
                let old = HyperLogLog.denseValue(string.bytes, place.register)
                if old >= place.value { continue }
                let change = HyperLogLog.DenseChange(place.register, from: old, to: place.value)
                string[change.offset] ^= change.low
                if change.high != 0 { string[change.offset + 1] ^= change.high }
            }
            string[15] |= 0x80
        }
        return true
    }

    private static func addToSparse(
        _ context: inout CommandContext, _ key: HashedKey, _ bytes: ByteSlice
    ) throws(CommandError) -> Bool {
        var draft = HyperLogLogDraft(bytes, sparseBytesMax: context.limits.hllSparseBytesMax)
        guard try addAll(context, to: &draft, from: 2) else { return false }
        draft.invalidateEstimate()
        store(&context, key, draft)
        return true
    }

    /// Adds the arguments from `first` on as elements.
    ///
    /// - Returns: whether any made a difference.
    @discardableResult
    private static func addAll(
        _ context: borrowing CommandContext, to draft: inout HyperLogLogDraft, from first: Int
    ) throws(CommandError) -> Bool {
        var isUpdated = false
        for index in first..<max(context.arguments.count, first) {
            let place = HyperLogLog.place(of: context.arguments[index])
            if draft.raise(place.register, to: place.value) { isUpdated = true }
            if draft.isCorrupt { throw corrupt }
        }
        return isUpdated
    }

    private static func store(
        _ context: inout CommandContext, _ key: HashedKey, _ draft: HyperLogLogDraft
    ) {
        draft.bytes.withSlice { bytes in
            context.keyspace.setBytes(
                key, context.database, to: bytes, encoding: .raw, deadline: .keep)
        }
    }

    // MARK: PFCOUNT

    /// Counting one key keeps the estimate in the string: the command writes although its row says that it reads.
    @Sendable
    static func pfcount(_ context: inout CommandContext) throws(CommandError) {
        guard context.arguments.count == 2 else { return try countUnion(&context) }
        let key = context.key(at: 1)
        guard let entry = context.lookup(key) else {
            context.reply.integer(0)
            return
        }
        let bytes = try bytes(of: entry)
        if let estimate = HyperLogLog.cachedEstimate(bytes) {
            context.reply.integer(Int64(bitPattern: estimate))
            return
        }
        guard let estimate = HyperLogLog.estimate(bytes) else { throw corrupt }
        context.reply.integer(Int64(bitPattern: estimate))
        // Kept where it is logged: a replica's data is what its primary says.
        if context.holdsExpiry, !context.isReplaying { return }
        if HyperLogLog.isSparse(bytes) {
            var draft = HyperLogLogDraft(bytes, sparseBytesMax: 0)
            draft.setEstimate(estimate)
            store(&context, key, draft)
        } else {
            context.keyspace.editString(key, context.database, growTo: 0) { string in
                for index in 0..<8 {
                    string[8 + index] = UInt8(truncatingIfNeeded: estimate >> UInt64(8 * index))
                }
            }
        }
    }

    private static func countUnion(_ context: inout CommandContext) throws(CommandError) {
        var registers = [UInt8](repeating: 0, count: HyperLogLog.registerCount)
        for index in 1..<context.arguments.count {
            guard let entry = context.lookup(context.key(at: index)) else { continue }
            guard HyperLogLog.merge(try bytes(of: entry), into: &registers) else { throw corrupt }
        }
        context.reply.integer(Int64(bitPattern: HyperLogLog.estimate(registers)))
    }

    // MARK: PFMERGE

    @Sendable
    static func pfmerge(_ context: inout CommandContext) throws(CommandError) {
        var registers = [UInt8](repeating: 0, count: HyperLogLog.registerCount)
        var isDense = false
        for index in 1..<context.arguments.count {
            guard let entry = context.lookup(context.key(at: index)) else { continue }
            let bytes = try bytes(of: entry)
            if !HyperLogLog.isSparse(bytes) { isDense = true }
            guard HyperLogLog.merge(bytes, into: &registers) else { throw corrupt }
        }
        let key = context.key(at: 1)
        let bytesMax = context.limits.hllSparseBytesMax
        var draft = HyperLogLogDraft(sparseBytesMax: bytesMax)
        if let entry = context.lookupForWrite(key) {
            draft = HyperLogLogDraft(try bytes(of: entry), sparseBytesMax: bytesMax)
        }
        if isDense { draft.makeDense() }
        for (register, value) in registers.enumerated() where value > 0 {
            if draft.isCorrupt { throw corrupt }
            _ = draft.raise(register, to: value)
        }
        if draft.isCorrupt { throw corrupt }
        draft.invalidateEstimate()
        store(&context, key, draft)
        // The same event as for adding, as in Redis.
        context.notify(.string, "pfadd", key)
        context.reply.ok()
    }

    // MARK: For debugging

    @Sendable
    static func pfdebug(_ context: inout CommandContext) throws(CommandError) {
        let word = context.arguments[1]
        let key = context.key(at: 2)
        guard let entry = context.lookupForWrite(key) else {
            throw .text("ERR The specified key does not exist")
        }
        let bytes = try bytes(of: entry)
        let isSparse = HyperLogLog.isSparse(bytes)
        if word.equalsIgnoringCase("getreg") {
            if isSparse { try makeDense(&context, key, bytes) }
            guard let dense = context.keyspace.find(key, context.database)?.bytes else { return }
            context.reply.array(HyperLogLog.registerCount)
            for register in 0..<HyperLogLog.registerCount {
                context.reply.integer(Int64(HyperLogLog.denseValue(dense, register)))
            }
        } else if word.equalsIgnoringCase("decode") {
            guard isSparse else { throw .text("ERR HLL encoding is not sparse") }
            HyperLogLog.describe(bytes).withSlice { context.reply.bulk($0) }
        } else if word.equalsIgnoringCase("encoding") {
            context.reply.simple(isSparse ? "sparse" : "dense")
        } else if word.equalsIgnoringCase("todense") {
            if isSparse { try makeDense(&context, key, bytes) }
            context.reply.integer(isSparse ? 1 : 0)
        } else {
            throw .bytes(
                Array("ERR Unknown PFDEBUG subcommand '".utf8) + word.copyToArray()
                    + Array("'".utf8))
        }
    }

    private static func makeDense(
        _ context: inout CommandContext, _ key: HashedKey, _ bytes: ByteSlice
    ) throws(CommandError) {
        var draft = HyperLogLogDraft(bytes, sparseBytesMax: 0)
        draft.makeDense()
        if draft.isCorrupt { throw corrupt }
        store(&context, key, draft)
    }

    /// Whether registers keep what is put into them, sparse and dense alike, and estimates are near the truth.
    @Sendable
    static func pfselftest(_ context: inout CommandContext) throws(CommandError) {
        var sparse = HyperLogLogDraft(sparseBytesMax: .max)
        var dense = HyperLogLogDraft(sparseBytesMax: .max)
        dense.makeDense()
        var number: UInt64 = 0
        for step in [100, 1_000, 10_000, 100_000] as [UInt64] {
            while number < step {
                let place = withDigits(of: number) { HyperLogLog.place(of: $0) }
                let changed = dense.raise(place.register, to: place.value)
                if step <= 1_000, sparse.raise(place.register, to: place.value) != changed {
                    throw .text("TESTFAILED sparse and dense registers differ")
                }
                number += 1
            }
            let estimate = dense.bytes.withSlice { HyperLogLog.estimate($0) } ?? 0
            // Six times the standard error.
            let error = Double(estimate) - Double(step)
            if error.magnitude > Double(step) * 6 * 1.04 / 128 + 10 {
                throw .message("TESTFAILED estimate \(estimate) of \(step) elements")
            }
            if step == 1_000, sparse.bytes.withSlice({ HyperLogLog.estimate($0) }) != estimate {
                throw .text("TESTFAILED sparse and dense estimates differ")
            }
        }
        context.reply.ok()
    }

    /// Runs `body` with a number's digits.
    private static func withDigits<R>(of number: UInt64, _ body: (ByteSlice) -> R) -> R {
        String(number).withSlice { body($0) }
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "pfadd", -2, [.write, .denyOOM, .fast], .hyperloglog, keys: [.first(.rw, [.insert])],
            .data(pfadd)),
        CommandSpec(
            "pfcount", -2, [.readonly, .mayReplicate], .hyperloglog,
            keys: [.from(1, .rw, [.access])], .data(pfcount)),
        CommandSpec(
            "pfdebug", 3, [.write, .denyOOM, .admin], .hyperloglog, keys: [.at(2, .rw, [.access])],
            .data(pfdebug)),
        CommandSpec(
            "pfmerge", -2, [.write, .denyOOM], .hyperloglog,
            keys: [.first(.rw, [.access, .insert]), .from(2, .ro, [.access])], .data(pfmerge)),
        CommandSpec("pfselftest", 1, [.admin], .hyperloglog, .data(pfselftest)),
    ]
}
