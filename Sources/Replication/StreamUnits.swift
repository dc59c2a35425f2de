public import HoldfastBytes
public import HoldfastRESP

/// Finds what of a primary's stream can be applied: units, each a command or a whole transaction.
///
/// A replica's log holds the very bytes of its primary's, so only what a log may hold passes: canonical records, and
/// of these only such as the owner's judge accepts.
public struct StreamUnits: ~Copyable {
    public struct Fault: Error, Equatable, Sendable {
        /// In the bytes that were given.
        public let offset: Int
        public let reason: String
    }

    private var decoder = CommandDecoder()
    /// Whole records were found up to here.
    private var scanned = 0
    /// How many bytes of what was scanned are whole units.
    public private(set) var whole = 0
    /// The database that is selected behind the whole units.
    public private(set) var database: Int
    /// The same behind the whole records.
    private var selected: Int
    private var isInTransaction = false

    /// - Parameter database: selected where the stream goes on.
    public init(database: Int) {
        self.database = database
        selected = database
    }

    /// - Parameters:
    ///   - input: all that was not applied yet; it goes on where the last call ended.
    ///   - batch: to decode into; it is emptied first.
    ///   - judge: what is wrong with a record, or nil. Called once for each, in order.
    /// - Returns: `whole`.
    /// - Throws: for bytes that are no stream of records. What is `whole` may still be applied, and nothing more.
    public mutating func scan(
        _ input: ByteSlice, into batch: inout CommandBatch, judge: (Arguments) -> String?
    ) throws(Fault) -> Int {
        var limits = RESPLimits()
        // What a log may hold.
        limits.bulkBytesMax = Int64(RecordScanner.argumentBytesMax)
        while scanned < input.count {
            batch.removeAll()
            let rest = input.dropFirst(scanned)
            let used: Int
            do throws(ProtocolError) {
                used = try decoder.decode(rest, into: &batch, limits: limits)
            } catch {
                try passed(&batch, rest, judge)
                throw Fault(offset: scanned, reason: "no record: \(error.reason)")
            }
            let count = try passed(&batch, rest, judge)
            if used > count {
                throw Fault(offset: scanned, reason: "an empty line where a record is due")
            }
            if used == 0 {
                // Its line may never end.
                if input[scanned] != UInt8(ascii: "*") {
                    throw Fault(offset: scanned, reason: "an inline command")
                }
                break
            }
        }
        return whole
    }

    /// Goes over the commands of a batch.
    ///
    /// - Returns: where in `rest` the last one ends.
    @discardableResult
    private mutating func passed(
        _ batch: inout CommandBatch, _ rest: ByteSlice, _ judge: (Arguments) -> String?
    ) throws(Fault) -> Int {
        let base = scanned
        var end = 0
        for index in 0..<batch.count {
            let command = batch[index]
            guard command.canonical.count == command.end - end else {
                throw Fault(
                    offset: base + end,
                    reason: rest[end] == UInt8(ascii: "*")
                        ? "a record that isn't canonical" : "an inline command")
            }
            let arguments = batch.arguments(of: index)
            if let reason = note(arguments) ?? judge(arguments) {
                throw Fault(offset: base + end, reason: reason)
            }
            end = command.end
            scanned = base + end
            if !isInTransaction {
                whole = scanned
                database = selected
            }
        }
        return end
    }

    private mutating func note(_ arguments: Arguments) -> String? {
        let name = arguments[0]
        if name.equalsIgnoringCase("multi") {
            if isInTransaction { return "MULTI inside a transaction" }
            isInTransaction = true
        } else if name.equalsIgnoringCase("exec") {
            if !isInTransaction { return "EXEC without MULTI" }
            isInTransaction = false
        } else if name.equalsIgnoringCase("select"), arguments.count == 2,
            let number = DecimalText.parse(arguments[1]), let database = Int(exactly: number)
        {
            selected = database
        }
        return nil
    }

    /// The first `count` bytes have been applied and taken away.
    public mutating func applied(_ count: Int) {
        precondition(count <= whole, "applied \(count) bytes where \(whole) are whole")
        scanned -= count
        whole -= count
    }
}
