public import HoldfastPlatform

/// A file of the log that a newer base has superseded, or a sealed segment in force.
struct SealedSegment: Equatable {
    var name: String
    var sequence: UInt64
    var firstLSN: LSN
    var end: LSN
    var bytes: Int64
    /// Unix ms of its last batch, or later.
    var milliseconds: Int64
    /// A plain AOF file, which has no annotations.
    var isPlain = false
}

/// Which superseded segments stay: they serve replicas that lag and recovery to a moment.
struct Retention {
    /// All that stay together are no larger than this.
    var bytesMax: Int64
    /// None that stays is older; 0 for any age.
    var millisecondsMax: Int64
    /// What holds bytes from here on stays for replicas, as long as all that stay are no larger than `replicaBytesMax`.
    var floor: LSN?
    var replicaBytesMax: Int64 = 0

    /// The segments that stay, of `segments` in LSN order: always the newest ones, without a gap.
    func kept(_ segments: [SealedSegment], now: Int64) -> ArraySlice<SealedSegment> {
        var bytes: Int64 = 0
        var first = segments.count
        while first > 0 {
            let next = segments[first - 1]
            bytes += next.bytes
            let isYoung = millisecondsMax <= 0 || now - next.milliseconds <= millisecondsMax
            let isForReplica = floor.map { next.end > $0 } ?? false
            guard bytes <= bytesMax && isYoung || isForReplica && bytes <= replicaBytesMax else {
                break
            }
            if first < segments.count, segments[first].firstLSN != next.end { break }
            first -= 1
        }
        return segments[first...]
    }
}

/// A snapshot of all data at one LSN, as a file in the log folder: what recovery begins with.
public struct LogBase: Equatable, Sendable {
    public var name: String
    public var sequence: UInt64
    public var lsn: LSN
    public var bytes: Int64
    /// The history that it says it is of; nil for the one that the manifest is of.
    public var history: HistoryID?

    public init(
        name: String, sequence: UInt64, lsn: LSN, bytes: Int64, history: HistoryID? = nil
    ) {
        self.name = name
        self.sequence = sequence
        self.lsn = lsn
        self.bytes = bytes
        self.history = history
    }

    var line: Manifest.Line {
        Manifest.Line(
            name: name, sequence: sequence, type: .base, firstLSN: lsn, history: history)
    }
}

/// How putting a base in force ended.
public enum LogBaseOutcome: Sendable {
    case installed(LogBase)
    case failed(LogBase, SystemError)
}
