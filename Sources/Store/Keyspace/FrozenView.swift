/// What one snapshot sees: every database as it was when the keyspace was frozen.
///
/// Hand it to one other thread. It must be dropped before the keyspace is thawed.
public struct FrozenView: ~Copyable, Sendable {
    private var tables: [Int: Box] = [:]

    /// Tables don't copy, dictionaries do; a box stands between.
    private final class Box: Sendable {
        let table: Table.FrozenTable
        let deadlineCount: Int
        let fieldDeadlineCount: Int
        init(
            _ table: consuming Table.FrozenTable, deadlineCount: Int, fieldDeadlineCount: Int
        ) {
            self.table = table
            self.deadlineCount = deadlineCount
            self.fieldDeadlineCount = fieldDeadlineCount
        }
    }

    /// The epoch that the view shows: what ends it, given to `Keyspace.thaw`.
    public let epoch: UInt32

    init(epoch: UInt32) { self.epoch = epoch }

    mutating func add(
        _ database: Int, _ table: consuming Table.FrozenTable, deadlineCount: Int,
        fieldDeadlineCount: Int
    ) {
        tables[database] = Box(
            table, deadlineCount: deadlineCount, fieldDeadlineCount: fieldDeadlineCount)
    }

    /// The databases that hold keys, in order.
    public var databases: [Int] { tables.keys.sorted() }

    public func count(_ database: Int) -> Int { tables[database]?.table.count ?? 0 }

    /// How many of a database's keys have a deadline.
    public func deadlineCount(_ database: Int) -> Int { tables[database]?.deadlineCount ?? 0 }

    /// Whether there is a hash of which a field has a deadline.
    public var hasFieldDeadlines: Bool { tables.values.contains { $0.fieldDeadlineCount > 0 } }

    /// Calls `body` with every entry of a database.
    public func forEach<E: Error>(_ database: Int, _ body: (Entry) throws(E) -> Void) throws(E) {
        try tables[database]?.table.forEach(body)
    }
}
