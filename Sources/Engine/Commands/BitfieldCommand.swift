internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// BITFIELD: reads and changes numbers of 1 to 64 bits at any bit of a string.
///
/// All operations are understood before the first is carried out; then they run in order, each seeing what
/// those before it did.
extension BitmapCommands {
    /// `i1` to `i64`, `u1` to `u63`.
    private struct NumberType {
        let isSigned: Bool
        let width: Int

        init(_ text: ByteSlice) throws(CommandError) {
            guard !text.isEmpty, text[0] == UInt8(ascii: "i") || text[0] == UInt8(ascii: "u"),
                let width = DecimalText.parse(text.dropFirst(1)), width >= 1,
                width <= (text[0] == UInt8(ascii: "i") ? 64 : 63)
            else {
                throw .text(
                    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."
                )
            }
            isSigned = text[0] == UInt8(ascii: "i")
            self.width = Int(width)
        }
    }

    private enum Overflow {
        case wrap
        case saturate
        case fail
    }

    private enum Action {
        case get
        case set
        case increment
    }

    private struct FieldOperation {
        let action: Action
        let type: NumberType
        let offset: Int
        let operand: Int64
        let overflow: Overflow
    }

    @Sendable
    static func bitfield(_ context: inout CommandContext) throws(CommandError) {
        let operations = try fieldOperations(context)
        // How far writes reach, in bytes.
        var reach = 0
        for operation in operations where operation.action != .get {
            reach = max(reach, (operation.offset + operation.type.width + 7) >> 3)
        }
        if reach == 0 {
            try replyFields(&context, operations)
        } else {
            try changeFields(&context, operations, reach: reach)
        }
    }

    @Sendable
    static func bitfieldRo(_ context: inout CommandContext) throws(CommandError) {
        let operations = try fieldOperations(context)
        guard operations.allSatisfy({ $0.action == .get }) else {
            throw .text("ERR BITFIELD_RO only supports the GET subcommand")
        }
        try replyFields(&context, operations)
    }

    private static func fieldOperations(
        _ context: borrowing CommandContext
    ) throws(CommandError) -> [FieldOperation] {
        var operations: [FieldOperation] = []
        var overflow = Overflow.wrap
        var index = 2
        while index < context.arguments.count {
            let word = context.arguments[index]
            let following = context.arguments.count - index - 1
            let action: Action
            if word.equalsIgnoringCase("get"), following >= 2 {
                action = .get
            } else if word.equalsIgnoringCase("set"), following >= 3 {
                action = .set
            } else if word.equalsIgnoringCase("incrby"), following >= 3 {
                action = .increment
            } else if word.equalsIgnoringCase("overflow"), following >= 1 {
                overflow = try Self.overflow(context.arguments[index + 1])
                index += 2
                continue
            } else {
                throw .syntax
            }
            let type = try NumberType(context.arguments[index + 1])
            let offset = try context.bitOffset(at: index + 2, width: type.width)
            let operand = action == .get ? 0 : try context.integer(at: index + 3)
            operations.append(
                FieldOperation(
                    action: action, type: type, offset: offset, operand: operand,
                    overflow: overflow))
            index += action == .get ? 3 : 4
        }
        return operations
    }

    private static func overflow(_ word: ByteSlice) throws(CommandError) -> Overflow {
        if word.equalsIgnoringCase("wrap") { return .wrap }
        if word.equalsIgnoringCase("sat") { return .saturate }
        if word.equalsIgnoringCase("fail") { return .fail }
        throw .text("ERR Invalid OVERFLOW type specified")
    }

    // MARK: Running

    private static func replyFields(
        _ context: inout CommandContext, _ operations: [FieldOperation]
    ) throws(CommandError) {
        let entry = try context.lookupString(context.key(at: 1))
        context.reply.array(operations.count)
        for operation in operations {
            let value = entry?.withBytes { number(operation, in: $0) } ?? 0
            context.reply.integer(value)
        }
    }

    private static func number(_ operation: FieldOperation, in bytes: ByteSlice) -> Int64 {
        let width = operation.type.width
        if operation.type.isSigned {
            return BitField.signedNumber(bytes, at: operation.offset, width: width)
        }
        return Int64(bitPattern: BitField.number(bytes, at: operation.offset, width: width))
    }

    private static func changeFields(
        _ context: inout CommandContext, _ operations: [FieldOperation], reach: Int
    ) throws(CommandError) {
        let key = context.key(at: 1)
        let old = try context.lookupStringForWrite(key)
        context.reply.array(operations.count)
        // Growing is a change in itself, even if an overflow is refused then: clients see the new length.
        let grows = old.map { $0.stringCount < reach } ?? true
        if !grows, let old, !old.withBytes({ changesAny(operations, $0) }) {
            old.withBytes { bytes in
                for operation in operations { reply(&context, result(operation, bytes)) }
            }
            return
        }
        var results: [FieldResult] = []
        results.reserveCapacity(operations.count)
        context.keyspace.editString(key, context.database, growTo: reach) { string in
            for operation in operations {
                let result = result(operation, string.bytes)
                if let stored = result.stored {
                    string.setNumber(
                        UInt64(bitPattern: stored), at: operation.offset,
                        width: operation.type.width)
                }
                results.append(result)
            }
        }
        context.notify(.string, "setbit", key)
        for result in results { reply(&context, result) }
    }

    /// Whether the operations change a string that is long enough for all of them. As long as none has
    /// changed it, each still sees the string as it is.
    private static func changesAny(_ operations: [FieldOperation], _ bytes: ByteSlice) -> Bool {
        operations.contains { operation in
            guard let stored = result(operation, bytes).stored else { return false }
            return stored != number(operation, in: bytes)
        }
    }

    private static func reply(_ context: inout CommandContext, _ result: FieldResult) {
        if let reply = result.reply { context.reply.integer(reply) } else { context.reply.null() }
    }

    /// What an operation answers, nil for a null, and the number it stores, if any.
    private struct FieldResult {
        var reply: Int64?
        var stored: Int64?
    }

    private static func result(
        _ operation: FieldOperation, _ bytes: ByteSlice
    ) -> FieldResult {
        let old = number(operation, in: bytes)
        let value: Int64?
        switch operation.action {
        case .get: return FieldResult(reply: old, stored: nil)
        case .set: value = fitted(operation.operand, plus: 0, operation)
        case .increment: value = fitted(old, plus: operation.operand, operation)
        }
        // A refused overflow stores nothing and answers null.
        guard let value else { return FieldResult(reply: nil, stored: nil) }
        return FieldResult(reply: operation.action == .set ? old : value, stored: value)
    }

    // MARK: Overflow

    /// `value + amount` as the operation's type can hold it, or nil if it overflows and must not.
    private static func fitted(
        _ value: Int64, plus amount: Int64, _ operation: FieldOperation
    ) -> Int64? {
        let type = operation.type
        let direction =
            type.isSigned
            ? signedOverflow(value, amount, type.width)
            : unsignedOverflow(UInt64(bitPattern: value), amount, type.width)
        guard direction != 0 else { return value &+ amount }
        switch operation.overflow {
        case .fail: return nil
        case .saturate:
            let most = Int64.max >> Int64(type.isSigned ? 64 - type.width : 63 - type.width)
            if direction > 0 { return most }
            return type.isSigned ? -most - 1 : 0
        case .wrap:
            let unused = Int64(64 - type.width)
            let shifted = (value &+ amount) << unused
            if type.isSigned { return shifted >> unused }
            return Int64(bitPattern: UInt64(bitPattern: shifted) >> UInt64(unused))
        }
    }

    /// 1 if the sum is too large, -1 if too small, 0 if it fits. Differences wrap around as in Redis, so that
    /// the same overflows go the same way.
    private static func signedOverflow(_ value: Int64, _ amount: Int64, _ width: Int) -> Int {
        let most = Int64.max >> Int64(64 - width)
        let least = -most - 1
        let roomAbove = most &- value
        let roomBelow = least &- value
        let isNarrow = width != 64
        if value > most || (isNarrow && amount > roomAbove)
            || (value >= 0 && amount > 0 && amount > roomAbove)
        {
            return 1
        }
        if value < least || (isNarrow && amount < roomBelow)
            || (value < 0 && amount < 0 && amount < roomBelow)
        {
            return -1
        }
        return 0
    }

    private static func unsignedOverflow(_ value: UInt64, _ amount: Int64, _ width: Int) -> Int {
        let most = UInt64.max >> UInt64(64 - width)
        if value > most || (amount > 0 && UInt64(amount) > most - value) { return 1 }
        if amount < 0 && amount.magnitude > value { return -1 }
        return 0
    }
}
