internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// Which commands a tour shows.
struct CommandFilter {
    let range: LogRange
    let keys: KeyFilter
    /// Lower case.
    private let names: [String]

    init(_ arguments: ParsedArguments, now: Int64) throws(UsageError) {
        range = try LogRange(arguments, now: now)
        keys = try KeyFilter(arguments)
        names = arguments.values("cmd").map { $0.lowercased() }
    }

    /// Whether every record is meant.
    func accepts(_ record: RecordGlance) throws(UsageError) -> Bool {
        guard range.contains(lsn: record.lsn.value) else { return false }
        if !names.isEmpty {
            guard let name = record.arguments.first else { return false }
            let text = name.kept.text.lowercased()
            if !names.contains(text) { return false }
        }
        if keys.acceptsAll { return true }
        // The first argument after the name is the key of nearly every command that is logged.
        let key = record.arguments.count > 1 ? record.arguments[1].kept : ByteSlice()
        return try keys.accepts(key: key, database: record.database)
    }
}

/// Goes over the commands of a log, oldest first, with all that the folder still keeps.
struct Tour {
    let target: LogTarget
    let console: Console
    let disk: any FileSystem
    var limits = RecordGlance.Limits()

    /// - Parameter visit: sees a command, and the time of its batch.
    /// - Parameter visitBase: sees a base, before the commands behind it.
    func run(
        _ label: String, range: LogRange,
        visit: (RecordGlance, _ milliseconds: Int64) throws -> Void,
        visitBase: (Base) throws -> Void = { _ in }
    ) -> Inspection {
        Inspection.run(
            target, listing: Retained.listing(target, on: disk), on: disk, console: console,
            label: label,
            visit: { batch in
                if batch.milliseconds > range.until
                    || batch.firstLSN.value > UInt64(range.lsns.upperBound)
                {
                    throw EnoughRead()
                }
                guard range.contains(milliseconds: batch.milliseconds),
                    batch.endLSN.value > UInt64(range.lsns.lowerBound)
                else { return }
                try batch.forEachRecord(limits) { record in
                    if !console.mayGoOn { throw Interrupted() }
                    try visit(record, batch.milliseconds)
                }
            }, visitBase: visitBase)
    }

    /// The exit status of a tour, which says on standard error what kept it from the end.
    func end(_ inspection: Inspection, failure: UsageError?) -> ExitCode {
        if let failure {
            console.complain("\(failure)")
            return .usage
        }
        if console.isInterrupted { return .interrupted }
        guard let finding = inspection.finding(on: disk) else { return .sound }
        if finding.verdict != .ok {
            let place = finding.offset.map { " at offset \($0)" } ?? ""
            console.complain(
                "\(finding.verdict.rawValue) \(finding.file ?? target.path): \(finding.reason)\(place)"
            )
        }
        return finding.verdict.exitCode
    }
}
