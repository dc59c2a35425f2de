internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on strings as rows of bits.
public enum BitmapCommands {
    // MARK: One bit

    @Sendable
    static func getbit(_ context: inout CommandContext) throws(CommandError) {
        let offset = try context.bitOffset(at: 2)
        guard let entry = try context.lookupString(context.key(at: 1)) else {
            context.reply.integer(0)
            return
        }
        entry.withBytes { context.reply.integer(bit(offset, of: $0) ? 1 : 0) }
    }

    private static func bit(_ offset: Int, of bytes: ByteSlice) -> Bool {
        let index = offset >> 3
        return index < bytes.count && bytes[index] & (0x80 >> UInt8(offset & 7)) != 0
    }

    @Sendable
    static func setbit(_ context: inout CommandContext) throws(CommandError) {
        let offset = try context.bitOffset(at: 2)
        guard let value = DecimalText.parse(context.arguments[3]), value == 0 || value == 1 else {
            throw .text("ERR bit is not an integer or out of range")
        }
        let key = context.key(at: 1)
        let old = try context.lookupStringForWrite(key)
        let before = old?.withBytes { bit(offset, of: $0) } ?? false
        let count = offset >> 3 + 1
        if before != (value == 1) || old.map({ $0.stringCount < count }) ?? true {
            context.keyspace.editString(key, context.database, growTo: count) { string in
                let mask: UInt8 = 0x80 >> UInt8(offset & 7)
                let byte = string[count - 1]
                string[count - 1] = value == 1 ? byte | mask : byte & ~mask
            }
            context.notify(.string, "setbit", key)
        }
        context.reply.integer(before ? 1 : 0)
    }

    // MARK: Counting and searching

    @Sendable
    static func bitcount(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = try context.lookupString(context.key(at: 1)) else {
            // Before any look at the other arguments, as in Redis up to 7.2.
            context.reply.integer(0)
            return
        }
        switch context.arguments.count {
        case 2: context.reply.integer(entry.withBytes { BitField.count($0) })
        case 4, 5:
            let first = try context.integer(at: 2)
            let last = try context.integer(at: 3)
            if first < 0 && last < 0 && first > last {
                context.reply.integer(0)
                return
            }
            let range = bits(
                from: first, to: last, inBits: try isInBits(context, at: 4),
                count: entry.stringCount)
            context.reply.integer(entry.withBytes { BitField.count($0, bits: range) })
        default: throw .syntax
        }
    }

    @Sendable
    static func bitpos(_ context: inout CommandContext) throws(CommandError) {
        let wanted = try context.integer(at: 2)
        guard wanted == 0 || wanted == 1 else {
            throw .text("ERR The bit argument must be 1 or 0.")
        }
        guard let entry = try context.lookupString(context.key(at: 1)) else {
            context.reply.integer(wanted == 0 ? 0 : -1)
            return
        }
        let words = context.arguments.count
        guard words <= 6 else { throw .syntax }
        let first = words > 3 ? try context.integer(at: 3) : 0
        let inBits = try isInBits(context, at: 5)
        let last = words > 4 ? try context.integer(at: 4) : -1
        let count = entry.stringCount
        let range = bits(from: first, to: last, inBits: inBits, count: count)
        let found = entry.withBytes { BitField.firstBit(wanted == 1, in: $0, bits: range) }
        if let found {
            context.reply.integer(found)
        } else {
            // A string counts as followed by zeros unless the command says where to stop.
            let isOpen = wanted == 0 && words <= 4 && !range.isEmpty
            context.reply.integer(isOpen ? count << 3 : -1)
        }
    }

    /// Whether argument `index`, if there is one, asks for positions in bits instead of bytes.
    private static func isInBits(
        _ context: borrowing CommandContext, at index: Int
    ) throws(CommandError) -> Bool {
        guard index < context.arguments.count else { return false }
        let word = context.arguments[index]
        if word.equalsIgnoringCase("bit") { return true }
        guard word.equalsIgnoringCase("byte") else { throw .syntax }
        return false
    }

    /// The bits that `first` to `last` mean in a string of `count` bytes: both inclusive, in bytes or bits,
    /// negative ones from the end.
    private static func bits(
        from first: Int64, to last: Int64, inBits: Bool, count: Int
    ) -> Range<Int> {
        let size = Int64(inBits ? count << 3 : count)
        let lower = max(first < 0 ? first &+ size : first, 0)
        let upper = min(max(last < 0 ? last &+ size : last, 0), size - 1)
        if lower > upper { return 0..<0 }
        return inBits ? Int(lower)..<Int(upper) + 1 : Int(lower) << 3..<(Int(upper) + 1) << 3
    }

    // MARK: BITOP

    @Sendable
    static func bitop(_ context: inout CommandContext) throws(CommandError) {
        let name = context.arguments[1]
        // NOT starts from its only source and has no operation between two.
        let operation: BitField.Operation?
        if name.equalsIgnoringCase("and") {
            operation = .and
        } else if name.equalsIgnoringCase("or") {
            operation = .or
        } else if name.equalsIgnoringCase("xor") {
            operation = .xor
        } else if name.equalsIgnoringCase("not") {
            operation = nil
            guard context.arguments.count == 4 else {
                throw .text("ERR BITOP NOT must be called with a single source key.")
            }
        } else {
            throw .syntax
        }
        // An expired source is deleted when it is looked up, so look all of them up before keeping any.
        var count = 0
        for index in 3..<context.arguments.count {
            let entry = try context.lookupString(context.key(at: index))
            count = max(count, entry?.stringCount ?? 0)
        }
        let target = context.key(at: 2)
        context.reply.integer(count)
        guard count > 0 else {
            if context.lookupForWrite(target) != nil {
                context.keyspace.remove(target, context.database)
                context.notify(.generic, "del", target)
            }
            return
        }
        var sources: [Entry?] = []
        for index in 3..<context.arguments.count {
            sources.append(context.keyspace.find(context.key(at: index), context.database))
        }
        context.keyspace.buildString(target, context.database, count: count) { result in
            sources[0]?.withBytes { result.replace(at: 0, with: $0) }
            guard let operation else { return result.invert() }
            for source in sources.dropFirst() {
                if let source {
                    source.withBytes { result.combine(operation, with: $0) }
                } else {
                    result.combine(operation, with: ByteSlice())
                }
            }
        }
        context.notify(.string, "set", target)
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "bitcount", -2, [.readonly], .bitmap, keys: [.first(.ro, [.access])], .data(bitcount)),
        CommandSpec(
            "bitfield", -2, [.write, .denyOOM], .bitmap,
            keys: [.first(.rw, [.update, .access, .variableFlags])], .data(bitfield)),
        CommandSpec(
            "bitfield_ro", -2, [.readonly, .fast], .bitmap, keys: [.first(.ro, [.access])],
            .data(bitfieldRo)),
        CommandSpec(
            "bitop", -4, [.write, .denyOOM], .bitmap,
            keys: [.at(2, .ow, [.update]), .from(3, .ro, [.access])], .data(bitop)),
        CommandSpec(
            "bitpos", -3, [.readonly], .bitmap, keys: [.first(.ro, [.access])], .data(bitpos)),
        CommandSpec(
            "getbit", 3, [.readonly, .fast], .bitmap, keys: [.first(.ro, [.access])], .data(getbit)),
        CommandSpec(
            "setbit", 4, [.write, .denyOOM], .bitmap, keys: [.first(.rw, [.access, .update])],
            .data(setbit)),
    ]
}

extension CommandContext {
    /// Argument `index` as the position of a bit, which must lie inside the longest string allowed.
    ///
    /// - Parameter width: for `#n`, the n-th number of so many bits; nil where that form is not allowed.
    func bitOffset(at index: Int, width: Int? = nil) throws(CommandError) -> Int {
        var text = arguments[index]
        var scale: Int64 = 1
        if let width, !text.isEmpty, text[0] == UInt8(ascii: "#") {
            text = text.dropFirst(1)
            scale = Int64(width)
        }
        let offset = DecimalText.parse(text)?.multipliedReportingOverflow(by: scale)
        guard let offset, !offset.overflow, offset.partialValue >= 0,
            offset.partialValue >> 3 < Int64(stringBytesMaxNow)
        else { throw .text("ERR bit offset is not an integer or out of range") }
        return Int(offset.partialValue)
    }
}
