internal import HoldfastBytes
internal import HoldfastRESP

/// Follows records one by one: which database is selected, whether a MULTI is open.
struct RecordWalk {
    var database = 0
    private(set) var isInTransaction = false

    /// Goes over records that must be whole and leave no MULTI open, as a batch's are.
    /// - Returns: nil if they do, else where and why not.
    mutating func check(_ records: ByteSlice) -> (offset: Int, reason: String)? {
        var offset = 0
        while offset < records.count {
            switch RecordScanner.scan(records, from: offset) {
            case .incomplete: return (offset, "the batch's last record isn't whole")
            case .invalid(let at, let reason): return (at, reason)
            case .whole(let end, let count, let name):
                if let fault = note(records, name: name, count: count, end: end) {
                    return (offset, fault)
                }
                offset = end
            }
        }
        return isInTransaction ? (offset, "the batch leaves a MULTI open") : nil
    }

    /// Takes notice of one whole record.
    /// - Returns: what is wrong with it in a batch of ours; a plain file may hold such.
    @discardableResult
    mutating func note(_ bytes: ByteSlice, name: Range<Int>, count: Int, end: Int) -> String? {
        switch name.count {
        case 6 where count == 2 && bytes.slice(name).equalsIgnoringCase("select"):
            let argument = RecordScanner.secondArgument(bytes, name: name, end: end)
            guard let number = DecimalText.parse(argument), number >= 0, number < 1 << 31 else {
                return "SELECT of no database"
            }
            database = Int(number)
        case 5 where bytes.slice(name).equalsIgnoringCase("multi"):
            if isInTransaction { return "MULTI inside a MULTI" }
            isInTransaction = true
        case 4 where bytes.slice(name).equalsIgnoringCase("exec"):
            if !isInTransaction { return "EXEC without a MULTI" }
            isInTransaction = false
        default: break
        }
        return nil
    }
}
