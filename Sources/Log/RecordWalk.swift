internal import HoldfastBytes
internal import HoldfastPlatform
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
        note(
            name: bytes.slice(name), count: count,
            second: RecordScanner.secondArgument(bytes, name: name, end: end))
    }

    /// As the other, from the parts of a record: its first argument, how many it has, and the second one if
    /// it has two.
    @discardableResult
    mutating func note(
        name: ByteSlice, count: Int, second: @autoclosure () -> ByteSlice
    ) -> String? {
        switch name.count {
        case 6 where count == 2 && name.equalsIgnoringCase("select"):
            guard let number = DecimalText.parse(second()), number >= 0, number < 1 << 31 else {
                return "SELECT of no database"
            }
            database = Int(number)
        case 5 where name.equalsIgnoringCase("multi"):
            if isInTransaction { return "MULTI inside a MULTI" }
            isInTransaction = true
        case 4 where name.equalsIgnoringCase("exec"):
            if !isInTransaction { return "EXEC without a MULTI" }
            isInTransaction = false
        default: break
        }
        return nil
    }

    /// As `check`, over records that stay in the file: for batches too large to hold.
    mutating func check(_ window: inout FileWindow, _ range: Range<Int64>) throws(SystemError) -> (
        offset: Int64, reason: String
    )? {
        var skim = RecordSkim(end: range.upperBound)
        var offset = range.lowerBound
        while offset < range.upperBound {
            switch try skim.scan(&window, from: offset) {
            case .incomplete:
                return (offset - range.lowerBound, "the batch's last record isn't whole")
            case .invalid(let at, let reason): return (at - range.lowerBound, reason)
            case .whole(let end):
                if let fault = note(skim) { return (offset - range.lowerBound, fault) }
                offset = end
            }
        }
        return isInTransaction
            ? (offset - range.lowerBound, "the batch leaves a MULTI open") : nil
    }

    /// Takes notice of the record that `skim` has just found.
    @discardableResult
    mutating func note(_ skim: RecordSkim) -> String? {
        guard let first = skim.arguments.first, first.count == Int64(first.kept.count) else {
            return nil
        }
        return first.kept.withSlice { name in
            let isPair = skim.argumentCount == 2 && skim.arguments.count == 2
            let second = isPair ? skim.arguments[1] : nil
            // A number fits into what is kept.
            let isWhole = second.map { $0.count == Int64($0.kept.count) } ?? false
            return (isWhole ? second?.kept ?? [] : []).withSlice { number in
                note(name: name, count: skim.argumentCount, second: number)
            }
        }
    }
}
