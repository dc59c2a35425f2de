public import HoldfastBytes
public import Store

/// What a snapshot says of itself in its auxiliary fields, and the libraries that go with the data.
public struct SnapshotHeader: Sendable {
    public var redisVersion = "7.2.0"
    /// Unix seconds.
    public var createdSeconds: Int64 = 0
    public var usedMemoryBytes: Int64 = 0
    /// It is the base of a log folder.
    public var isBase = false
    /// Which log the snapshot is a state of, where in it, and when (Unix ms): mixed-up files are found out.
    public var history: String?
    public var lsn: UInt64?
    public var milliseconds: Int64?
    /// `repl-stream-db`: the database that the stream has selected, for a replica.
    public var streamDatabase: Int?
    /// `repl-id` and `repl-offset`, for the same.
    public var replicationID: String?
    public var replicationOffset: UInt64?
    /// Sources of function libraries.
    public var functions: [[UInt8]] = []

    public init() {}
}

public struct SnapshotSettings: Sendable {
    /// The version in the file's head; nil for the lowest that holds everything and that redis-server 7.0
    /// reads if possible.
    public var version: Int?
    public var compression = SnapshotCompression.lz4
    public var compressionLevel = 0
    /// `rdbchecksum`.
    public var hasChecksum = true
    public var pieceBytes = 1 << 20

    public init() {}
}

/// What was written.
public struct SnapshotSummary: Sendable {
    public var keys = 0
    /// Of the RDB, and of the file, which may be an LZ4 frame.
    public var plainBytes: Int64 = 0
    public var bytes: Int64 = 0
}

/// Writes an RDB.
public struct SnapshotWriter: ~Copyable {
    var output: SnapshotOutput
    private let values: ValueWriter
    private let progress: SnapshotProgress
    var version: Int { values.version }
    private var summary = SnapshotSummary()

    /// Writes all that `view` sees. Any thread may call it, one that has nothing else to do.
    ///
    /// Neither syncs nor closes the sink. A snapshot that ended in an error is no snapshot: remove it.
    @discardableResult
    public static func write(
        _ view: borrowing FrozenView, header: SnapshotHeader, settings: SnapshotSettings,
        to sink: any SnapshotSink, progress: SnapshotProgress
    ) throws(SnapshotWriteError) -> SnapshotSummary {
        let lowest =
            view.hasFieldDeadlines
            ? ValueForm.hashDeadlines.version : SnapshotVersion.lowestWritten
        let version = settings.version ?? lowest
        var writer = try SnapshotWriter(
            to: sink, version: version, settings: settings, progress: progress)
        try writer.begin(header)
        for database in view.databases {
            try writer.begin(
                database: database, keys: view.count(database),
                deadlines: view.deadlineCount(database))
            try view.forEach(database) { (entry) throws(SnapshotWriteError) in
                try writer.write(entry)
            }
        }
        return try writer.finish()
    }

    public init(
        to sink: any SnapshotSink, version: Int, settings: SnapshotSettings,
        progress: SnapshotProgress
    ) throws(SnapshotWriteError) {
        precondition(SnapshotVersion.writable.contains(version), "no version to write: \(version)")
        output = try SnapshotOutput(
            to: sink, compression: settings.compression, level: settings.compressionLevel,
            sums: settings.hasChecksum, pieceBytes: settings.pieceBytes)
        values = ValueWriter(version: version)
        self.progress = progress
    }

    /// Writes the head; call first.
    public mutating func begin(_ header: SnapshotHeader) throws(SnapshotWriteError) {
        output.buffer.append(SnapshotFormat.magic)
        output.buffer.append(text: values.version < 10 ? "000" : "00")
        output.buffer.append(decimal: Int64(values.version))
        try write(aux: "redis-ver", header.redisVersion)
        try write(aux: "redis-bits", "64")
        try write(aux: "ctime", "\(header.createdSeconds)")
        try write(aux: "used-mem", "\(header.usedMemoryBytes)")
        if let database = header.streamDatabase { try write(aux: "repl-stream-db", "\(database)") }
        if let id = header.replicationID { try write(aux: "repl-id", id) }
        if let offset = header.replicationOffset { try write(aux: "repl-offset", "\(offset)") }
        try write(aux: "aof-base", header.isBase ? "1" : "0")
        if let history = header.history { try write(aux: SnapshotAux.historyName, history) }
        if let lsn = header.lsn { try write(aux: SnapshotAux.lsnName, "\(lsn)") }
        if let time = header.milliseconds { try write(aux: SnapshotAux.timeName, "\(time)") }
        for source in header.functions { try write(function: source) }
    }

    /// Writes the head of a copy, whose auxiliary fields are copied one by one; call first, in place of `begin`.
    public mutating func beginCopy() {
        output.buffer.append(SnapshotFormat.magic)
        output.buffer.append(text: values.version < 10 ? "000" : "00")
        output.buffer.append(decimal: Int64(values.version))
    }

    /// Copies an auxiliary field.
    public mutating func write(
        aux name: ByteSlice, _ value: ByteSlice
    ) throws(SnapshotWriteError) {
        output.buffer.append(Opcode.aux.rawValue)
        try output.write(string: name)
        try output.write(string: value)
    }

    public mutating func write(aux name: String, _ value: String) throws(SnapshotWriteError) {
        output.buffer.append(Opcode.aux.rawValue)
        try name.withSlice { (name) throws(SnapshotWriteError) in try output.write(string: name) }
        try value.withSlice { (value) throws(SnapshotWriteError) in
            try output.write(string: value)
        }
    }

    public mutating func write(function source: [UInt8]) throws(SnapshotWriteError) {
        output.buffer.append(Opcode.function.rawValue)
        try source.withSlice { (source) throws(SnapshotWriteError) in
            try output.write(string: source)
        }
    }

    /// Begins a database that holds keys.
    public mutating func begin(
        database: Int, keys: Int, deadlines: Int
    ) throws(SnapshotWriteError) {
        output.buffer.append(Opcode.select.rawValue)
        output.buffer.append(length: database)
        output.buffer.append(Opcode.resize.rawValue)
        output.buffer.append(length: keys)
        output.buffer.append(length: deadlines)
    }

    /// Writes a key with its value and deadline.
    public mutating func write(_ entry: Entry) throws(SnapshotWriteError) {
        if let deadline = entry.deadline {
            output.buffer.append(Opcode.deadlineMilliseconds.rawValue)
            output.buffer.append(littleEndian: UInt64(bitPattern: deadline), bytes: 8)
        }
        output.buffer.append(values.form(of: entry).rawValue)
        try output.write(string: entry.key)
        try values.write(entry, to: &output)
        try output.flushIfDue()
        try countKey()
        let delay = progress.keyDelayMicroseconds
        if _slowPath(delay != 0) {
            try report()
            Pause.afterKey(delay, count: summary.keys) { progress.isCancelled }
        }
    }

    @inline(__always)
    mutating func countKey() throws(SnapshotWriteError) {
        summary.keys += 1
        if summary.keys & 255 == 0 { try report() }
    }

    private func report() throws(SnapshotWriteError) {
        progress.report(keys: summary.keys)
        progress.report(bytes: output.sinkBytes)
        if progress.isCancelled { throw .cancelled }
    }

    /// Writes the end; call last.
    public mutating func finish() throws(SnapshotWriteError) -> SnapshotSummary {
        output.buffer.append(Opcode.end.rawValue)
        try output.finish()
        try report()
        summary.plainBytes = output.plainBytes
        summary.bytes = output.sinkBytes
        return summary
    }
}
