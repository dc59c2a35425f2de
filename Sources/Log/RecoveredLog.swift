public import HoldfastPlatform

/// One file as it was loaded.
public struct LoadedFile: Equatable, Sendable {
    public enum Kind: Sendable { case segment, plain }
    public var name: String
    public var kind: Kind
    public var firstLSN: LSN
    public var endLSN: LSN
    /// Its bytes that count, without what was cut.
    public var bytes: Int64
    public var batches: Int
    /// The time of its first and last batch, 0 without any.
    public var firstMilliseconds: Int64
    public var lastMilliseconds: Int64
    /// A segment behind whose last batch redis-server has written plain commands.
    var hasPlainTail = false
}

/// A torn tail that was cut, or, by an inspection, would be.
public struct CutTail: Equatable, Sendable {
    public var file: String
    /// Where the file ends now.
    public var offset: Int64
    /// The bytes cut, zeros at the end of the file not counted.
    public var bytes: Int64
    /// The end of the last whole batch: the log goes on here.
    public var lsn: LSN
    public var reason: String
    /// Where the cut bytes are kept, in the log folder; nil if there were only zeros.
    public var sideFile: String?
}

/// A log as it was found: all that a writer needs to go on.
///
/// At return from `LogReader.recover` everything before `end` is on stable storage, each file ends
/// exactly with its last whole batch, and the writer goes on in a new segment `nextSegment` that begins
/// at `end`, selects `database`, and is added to `manifest`.
public struct RecoveredLog: Sendable {
    /// What is in force, as it is to be written with the new segment's line added. Not yet on disk.
    public var manifest: Manifest
    /// The history in force, and what is known of those before.
    public var histories: Histories
    public var end: LSN = .zero
    /// The database selected after the last record.
    public var database = 0
    /// A file of this number may exist; it holds no batch and is to be emptied.
    public var nextSegment: UInt64 = 1
    /// The time of the last batch; the next one's must not be below.
    public var lastMilliseconds: Int64 = 0
    public var files: [LoadedFile] = []
    public var cut: CutTail?
    /// Lines for the diagnostics.
    public var notices: [String] = []
    /// No log was there.
    public var isFresh = false
    /// The log holds nothing, and an RDB file from elsewhere was loaded instead: its data must become a base
    /// before anything else is logged.
    public var hasImportedDump = false
    /// Files of an older log in the folder that this one takes the place of: removed once its manifest is in force.
    public var replacedFiles: [String] = []
    /// The highest number that a base in the folder has.
    var baseSequenceMax: UInt64 = 0
    /// Held until closed; nil after an inspection.
    public var lock: (any File)?

    /// The number that a new base gets, and its name in the folder.
    public var nextBaseSequence: UInt64 {
        let listed = manifest.lines.filter { $0.type != .incremental }.map(\.sequence).max() ?? 0
        return max(listed, baseSequenceMax) + 1
    }

    /// Unless a manifest is in force it is a name that means nothing to a start that finds it unlisted.
    public func nextBaseName(in folder: LogFolder) -> String {
        isFresh && !replacedFiles.contains(folder.importedBaseName)
            ? folder.importedBaseName : folder.baseName(nextBaseSequence)
    }

    /// Lets the log begin with `base`, whose file is durable. For a log that holds nothing.
    public mutating func adopt(_ base: LogBase) {
        precondition(base.lsn == end && manifest.base == nil, "a first base for a log in use")
        var line = base.line
        line.history = base.history ?? history
        manifest.lines.insert(line, at: 0)
        files.insert(
            LoadedFile(
                name: base.name, kind: .plain, firstLSN: base.lsn, endLSN: base.lsn,
                bytes: base.bytes, batches: 0, firstMilliseconds: 0, lastMilliseconds: 0), at: 0)
    }

    /// The bytes of all loaded files.
    public var totalBytes: Int64 { files.reduce(0) { $0 + $1.bytes } }

    public var history: HistoryID { histories.current }

    /// Lets the writer go on in a history of its own, as a primary does after each start: what a crash took from
    /// the log may live on in a replica, under the old id.
    public mutating func beginHistory(_ id: HistoryID) { histories.begin(id, at: end) }
}
