public import HoldfastBytes

/// The records of one turn of the command loop. LSNs are assigned here and nowhere else.
///
/// What goes in:
///
///     unit of one record            [SELECT n] record
///     unit of two records or more   [SELECT n] MULTI record [SELECT n] record … EXEC
///
/// `SELECT n` is put in front of a record whose database isn't the one selected in the stream. A unit
/// lies within one batch, so a crash keeps all of it or nothing. MULTI is inserted in front of the
/// unit when its second record comes, so an LSN is final once `endUnit` has run (or the record was
/// appended outside of any unit, which makes it a unit of its own).
///
/// Lives on the command thread; `LogWriter.submit` takes the bytes at the end of the turn.
public struct LogBuffer: ~Copyable {
    @usableFromInline var bytes: ByteBuffer
    /// LSN of the first byte in the buffer.
    public internal(set) var first: LSN
    /// The database that is selected at the end of the stream.
    public internal(set) var database: Int
    /// The same, or -1 if the next record must begin with a SELECT whatever its database is.
    @usableFromInline var selected: Int
    /// The database that was selected before the first byte in the buffer.
    var databaseBefore: Int
    @usableFromInline var unitStart: Int
    @usableFromInline var unitRecords: Int
    @usableFromInline var isInUnit: Bool
    @usableFromInline var argumentsMissing: Int

    /// - Parameters:
    ///   - start: where the stream goes on (the end that recovery reports).
    ///   - database: the database selected there.
    public init(start: LSN, database: Int = 0) {
        bytes = ByteBuffer()
        first = start
        self.database = database
        selected = database
        databaseBefore = database
        unitStart = 0
        unitRecords = 0
        isInUnit = false
        argumentsMissing = 0
    }

    /// Exclusive end of everything appended; between units it is final.
    @inlinable public var appended: LSN { first.advanced(by: bytes.count) }
    @inlinable public var isEmpty: Bool { bytes.isEmpty }
    /// Between `beginUnit` and `endUnit`.
    @inlinable public var isUnitOpen: Bool { isInUnit }
    @inlinable public var count: Int { bytes.count }
    /// The records since the last hand-over; valid until the next change.
    @inlinable public var slice: ByteSlice { bytes.slice }

    // MARK: Units

    /// Opens a unit: all records up to `endUnit` are applied together or not at all.
    @inlinable
    public mutating func beginUnit() {
        precondition(!isInUnit, "units don't nest")
        isInUnit = true
        unitStart = bytes.count
        unitRecords = 0
    }

    /// Closes the unit; an empty one leaves nothing.
    @inlinable
    public mutating func endUnit() {
        precondition(isInUnit && argumentsMissing == 0, "no whole unit to end")
        isInUnit = false
        if unitRecords > 1 { bytes.append("*1\r\n$4\r\nEXEC\r\n") }
    }

    @inlinable
    mutating func startRecord(database wanted: Int) {
        precondition(argumentsMissing == 0, "the record before lacks arguments")
        if _slowPath(wanted != selected) {
            select(wanted)
            // It stands before the MULTI, as Redis has it.
            if isInUnit, unitRecords == 0 { unitStart = bytes.count }
        }
        if _slowPath(isInUnit) {
            unitRecords += 1
            if unitRecords == 2 { insertMulti() }
        }
    }

    @usableFromInline
    mutating func insertMulti() {
        bytes.insert(ByteSlice("*1\r\n$5\r\nMULTI\r\n"), at: unitStart)
    }

    @usableFromInline
    mutating func select(_ wanted: Int) {
        precondition(wanted >= 0, "no such database: \(wanted)")
        bytes.append("*2\r\n$6\r\nSELECT\r\n$")
        bytes.append(decimal: Int64(DecimalText.length(Int64(wanted))))
        bytes.append("\r\n")
        bytes.append(decimal: Int64(wanted))
        bytes.append("\r\n")
        database = wanted
        selected = wanted
    }

    /// Lets the next record begin with a SELECT: somebody who begins to read the stream here can't know the
    /// database.
    public mutating func forgetDatabase() { selected = -1 }

    /// Whether `LogWriter.submit` may take what is there: no unit is half done.
    public var isWhole: Bool { !isInUnit || unitRecords == 0 }

    // MARK: Records

    /// Appends one record that is canonical RESP already (a multibulk array, whole).
    @inlinable
    public mutating func append(database: Int, verbatim record: ByteSlice) {
        startRecord(database: database)
        bytes.append(record)
    }

    /// Begins a record of `argumentCount` arguments; exactly so many `append(argument:)` must follow.
    @inlinable
    public mutating func beginRecord(database: Int, argumentCount: Int) {
        precondition(argumentCount > 0, "a record has at least a name")
        startRecord(database: database)
        argumentsMissing = argumentCount
        bytes.append(42)
        bytes.append(decimal: Int64(argumentCount))
        bytes.append("\r\n")
    }

    @inlinable
    mutating func beginArgument(_ size: Int) {
        precondition(argumentsMissing > 0, "more arguments than announced")
        argumentsMissing -= 1
        bytes.append(36)
        bytes.append(decimal: Int64(size))
        bytes.append("\r\n")
    }

    @inlinable
    public mutating func append(argument: ByteSlice) {
        beginArgument(argument.count)
        bytes.append(argument)
        bytes.append("\r\n")
    }

    @inlinable
    public mutating func append(argument: StaticString) { append(argument: ByteSlice(argument)) }

    @inlinable
    public mutating func append(decimal value: Int64) {
        beginArgument(DecimalText.length(value))
        bytes.append(decimal: value)
        bytes.append("\r\n")
    }

    /// Appends whole units of a primary's stream as they are, each MULTI with its EXEC.
    ///
    /// - Parameter database: what is selected behind them.
    public mutating func append(stream units: ByteSlice, database: Int) {
        precondition(!isInUnit && argumentsMissing == 0, "a stream goes in between units")
        bytes.append(units)
        self.database = database
        selected = database
    }

    // MARK: Hand-over

    /// Memory beyond this isn't kept for the next turn.
    private static let keptBytesMax = 1 << 20

    /// Forgets what is there and goes on after it: for a server without a log.
    public mutating func discard() { taken() }

    /// Empties the buffer after its bytes were taken; the stream goes on after them.
    mutating func taken() {
        precondition(isWhole && argumentsMissing == 0, "a batch never ends inside a unit")
        first = appended
        unitStart = 0
        databaseBefore = database
        if bytes.capacity > Self.keptBytesMax { bytes.reset() } else { bytes.removeAll() }
    }
}
