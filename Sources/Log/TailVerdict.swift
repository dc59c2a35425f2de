// The decision table of recovery: from the facts about where reading a file stopped to what the start
// does. No I/O, no state, each row tested (TailVerdictTests).
//
// A file ends cleanly, or in what only a crash leaves (cut it and say so), or in what no crash leaves
// (refuse; skip nothing silently). What tells the last two apart is the highest LSN that anything valid
// on the disk calls durable: bytes below it were on stable storage, so a crash cannot have taken them.

/// Why reading a file stopped.
enum ReadStop: Equatable, Sendable {
    /// At the end of the file, after something whole.
    case end
    /// Zeros, and nothing else, from here to the end of the file.
    case zeros
    /// No valid batch where one is due, or no valid opening line.
    case bad(String)
    /// Plain commands after the last batch of a segment, whole up to the end: redis-server went on here.
    case foreignEnd
    /// Plain commands whose last one, or last MULTI, isn't finished at the end of the file.
    case unfinished
    /// No command where one is due, among plain commands.
    case garbage(String)
}

/// Everything that the verdict on one file depends on.
struct TailFacts: Equatable, Sendable {
    /// The last file of the manifest: the only one that a crash can have torn.
    var isNewest: Bool
    /// A segment of ours; else a plain AOF file.
    var isSegment: Bool
    var stop: ReadStop
    /// The end of the last whole batch or command.
    var stopLSN: LSN
    /// The highest LSN that the manifest or a valid annotation, wherever it stands, records as durable.
    var durable: LSN
    /// `aof-load-truncated`.
    var loadsTruncated: Bool
}

enum TailVerdict: Equatable, Sendable {
    /// Whole to the last byte.
    case clean
    /// Preallocated room follows the last batch: take it off, nothing is lost.
    case trimZeros
    /// What a crash leaves: cut at the end of the last whole batch or command, keep the rest aside.
    case cut
    /// A plain file that Redis would cut, where the configuration or its place in the manifest forbids.
    case refuseUnfinished(String)
    /// No crash does this.
    case corruption(String)

    init(_ facts: TailFacts) {
        let lost =
            "\(facts.stopLSN) is where the whole batches end, but \(facts.durable) was durable"
        switch facts.stop {
        case .end, .foreignEnd:
            // An older file's end is held against the next one's first LSN instead.
            self = facts.isNewest && facts.stopLSN < facts.durable ? .corruption(lost) : .clean
        case .zeros where !facts.isNewest:
            self = .corruption("zeros at the end of a file that isn't the newest")
        case .zeros where facts.stopLSN < facts.durable:
            self = .corruption(lost)
        case .zeros where facts.isSegment:
            self = .trimZeros
        case .zeros:
            // Redis preallocates nothing: here, too, a crash took bytes.
            self =
                facts.loadsTruncated
                ? .cut : .refuseUnfinished("ends in zeros and aof-load-truncated is no")
        case .bad(let reason) where !facts.isNewest:
            self = .corruption(reason)
        case .bad(let reason) where facts.stopLSN < facts.durable:
            self = .corruption("\(reason); \(lost)")
        case .bad:
            self = .cut
        case .garbage(let reason):
            self = .corruption(reason)
        case .unfinished where !facts.isNewest:
            self =
                facts.isSegment
                ? .corruption("an unfinished command in a file that isn't the newest")
                : .refuseUnfinished("ends inside a command and isn't the last file")
        case .unfinished where facts.stopLSN < facts.durable:
            self = .corruption(lost)
        case .unfinished:
            self =
                facts.loadsTruncated
                ? .cut
                : .refuseUnfinished("ends inside a command and aof-load-truncated is no")
        }
    }
}
