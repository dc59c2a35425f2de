internal import HoldfastBytes

/// What running a command needs of its row, side by side in memory of its own: an array inside the table
/// would cost a reference count per look.
@safe
public struct HotRows: ~Copyable {
    struct Row {
        var facts: CommandTable.CommandFacts
        var handler: DataHandler
    }

    private let rows: UnsafeMutablePointer<Row>
    private let count: Int
    /// Rows by the name as it was written, for the few names that make up nearly all requests.
    private let names: UnsafeMutablePointer<Name>

    private struct Name {
        var text: UInt64
        var row: Int32
    }

    private static let nameSlots = 64

    init(_ table: CommandTable) {
        count = table.count
        unsafe rows = .allocate(capacity: max(count, 1))
        for index in 0..<count {
            var handler: DataHandler = { (_) throws(CommandError) in
                preconditionFailure("row without a handler")
            }
            if case .data(let found) = table.spec(at: index).handler { handler = found }
            unsafe (rows + index).initialize(
                to: Row(facts: table.facts(at: index), handler: handler))
        }
        unsafe names = .allocate(capacity: Self.nameSlots)
        unsafe names.initialize(repeating: Name(text: 0, row: -1), count: Self.nameSlots)
    }

    deinit {
        unsafe rows.deinitialize(count: count)
        unsafe rows.deallocate()
        unsafe names.deallocate()
    }

    @inline(__always)
    public func facts(_ row: Int) -> CommandTable.CommandFacts {
        precondition(row >= 0 && row < count)
        // SAFETY: in bounds by the check; all rows were initialised.
        return unsafe rows[row].facts
    }

    @inline(__always)
    func call(_ row: Int, _ context: inout CommandContext) throws(CommandError) {
        precondition(row >= 0 && row < count)
        // SAFETY: as above.
        try unsafe rows[row].handler(&context)
    }

    /// The row of a name of up to eight bytes that was looked up before in the same letter case, or -1.
    @inline(__always)
    func cached(_ name: ByteSlice) -> Int32 {
        let text = Self.pack(name)
        if text == 0 { return -1 }
        // SAFETY: the slot number is below `nameSlots`.
        let entry = unsafe names[Self.slot(text)]
        return entry.text == text ? entry.row : -1
    }

    func remember(_ name: ByteSlice, _ row: Int32) {
        let text = Self.pack(name)
        // SAFETY: as above.
        if text != 0 { unsafe names[Self.slot(text)] = Name(text: text, row: row) }
    }

    @inline(__always)
    private static func slot(_ text: UInt64) -> Int {
        Int(truncatingIfNeeded: (text &* 0x9E37_79B9_7F4A_7C15) >> 58)
    }

    /// Three to seven bytes and their number in one word; 0 for other lengths.
    @inline(__always)
    private static func pack(_ name: ByteSlice) -> UInt64 {
        let count = name.count
        // SAFETY: the loads lie inside the name by the length each branch has.
        let base = unsafe name.pointer
        if count >= 4 && count <= 7 {
            let low = unsafe UInt64(base.loadUnaligned(as: UInt32.self))
            let high = unsafe UInt64(
                base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            return low | high << UInt64(truncatingIfNeeded: (count &- 4) &* 8)
                | UInt64(truncatingIfNeeded: count) << 56
        }
        if count == 3 {
            let low = unsafe UInt64(base.loadUnaligned(as: UInt16.self))
            let high = unsafe UInt64(base.load(fromByteOffset: 2, as: UInt8.self))
            return low | high << 16 | 3 << 56
        }
        return 0
    }
}
