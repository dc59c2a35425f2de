internal import HoldfastBytes
internal import HoldfastRESP
public import Log
internal import Store

/// Applies the log's records to the keyspace: recovery's other half, the one that knows commands.
///
/// Records come in whole, each MULTI with its EXEC, so the marks of a transaction need no attention here: all
/// of it is applied or none was given.
public struct RecordReplayer: ~Copyable {
    private var batch = CommandBatch()
    private var decoder = CommandDecoder()
    /// Records applied so far, without SELECT, MULTI and EXEC.
    public private(set) var count: UInt64 = 0
    /// Records that failed as commands, with the first one's words; such a record changes nothing.
    public private(set) var failedCount: UInt64 = 0
    public private(set) var firstFailure: String?

    /// Such a record is a fault.
    private let endsAtFailure: Bool

    public init(endsAtFailure: Bool = false) { self.endsAtFailure = endsAtFailure }

    /// Applies a run of whole records.
    ///
    /// - Parameters:
    ///   - now: Unix ms, for records of plain files that hold relative times.
    /// - Throws: `RecordFault` for bytes that are no record or name no command on data, and if asked for, for a
    ///   command that fails.
    public mutating func apply(
        _ records: RecordBatch, to dispatcher: inout Dispatcher, now: Int64
    ) throws(RecordFault) {
        dispatcher.context.database = records.database
        var limits = RESPLimits()
        limits.bulkBytesMax = Int64(Int32.max)
        var used = 0
        while used < records.records.count {
            batch.removeAll()
            let rest = records.records.dropFirst(used)
            let step: Int
            do throws(ProtocolError) {
                step = try decoder.decode(rest, into: &batch, limits: limits)
            } catch {
                decoder.restart()
                throw RecordFault(offset: used, reason: error.reason)
            }
            guard step > 0 else {
                decoder.restart()
                throw RecordFault(offset: used, reason: "an unfinished record")
            }
            dispatcher.prepare(&batch, database: dispatcher.context.database)
            for index in 0..<batch.count {
                let start = used + (index > 0 ? batch[index - 1].end : 0)
                try applyCommand(index, at: start, to: &dispatcher, now: now)
            }
            used += step
        }
    }

    private mutating func applyCommand(
        _ index: Int, at offset: Int, to dispatcher: inout Dispatcher, now: Int64
    ) throws(RecordFault) {
        let arguments = batch.arguments(of: index)
        let command = batch[index]
        switch dispatcher.replay(
            row: Int(command.row), arguments, keyHash: command.keyHash, at: now)
        {
        case .applied:
            count += 1
        case .failed:
            failedCount += 1
            if firstFailure == nil { firstFailure = Self.text(arguments) }
            if endsAtFailure {
                throw RecordFault(
                    offset: offset,
                    reason: "a command that fails: \(Self.text(arguments)) "
                        + "(propagation-error-behavior panic)")
            }
        case .notOnData:
            try applyMark(arguments, at: offset, to: &dispatcher)
        }
    }

    /// SELECT, and what frames a transaction.
    private func applyMark(
        _ arguments: Arguments, at offset: Int, to dispatcher: inout Dispatcher
    ) throws(RecordFault) {
        let name = arguments[0]
        if name.equalsIgnoringCase("select"), arguments.count == 2 {
            guard let number = DecimalText.parse(arguments[1]), number >= 0,
                number < Int64(dispatcher.context.keyspace.databaseCount)
            else {
                throw RecordFault(
                    offset: offset,
                    reason: "database \(arguments[1].prefix(32).text) is not configured")
            }
            dispatcher.context.database = Int(number)
        } else if name.equalsIgnoringCase("multi") || name.equalsIgnoringCase("exec") {
            return
        } else if StreamMessage(name) != nil {
            return
        } else {
            throw RecordFault(
                offset: offset,
                reason: "unknown command '\(name.prefix(64).text)' or wrong number of arguments")
        }
    }

    private static func text(_ arguments: Arguments) -> String {
        (0..<min(arguments.count, 4)).map { arguments[$0].prefix(64).text }.joined(separator: " ")
    }
}
