internal import HoldfastBytes
internal import HoldfastPlatform

/// How the bytes of a snapshot are compressed: `rdb-compression`.
public enum SnapshotCompression: Sendable {
    /// One LZ4 frame around a plain RDB.
    case lz4
    /// String by string, as redis-server does.
    case lzf
    case none
}

/// Collects the bytes of an RDB, sums them up, and hands them to a sink in pieces.
struct SnapshotOutput: ~Copyable {
    /// What waits to be handed over. Whoever appends here calls `flushIfDue` soon.
    var buffer = ByteBuffer()
    /// For the coding of a string.
    var scratch = ByteBuffer()
    let compressesStrings: Bool
    /// Of a file; a single value is always tried.
    var trials: CompressionTrials?
    /// Why a copy of a string ended.
    var copyFailure: SnapshotWriteError?

    private let sink: (any SnapshotSink)?
    private let pieceBytes: Int
    private let sums: Bool
    private var checksum: UInt64 = 0
    private var frame: LZ4Compressor?
    private var framed = ByteBuffer()
    /// Bytes of the RDB handed over.
    private(set) var plainBytes: Int64 = 0
    /// Bytes given to the sink.
    private(set) var sinkBytes: Int64 = 0

    /// Collects everything in `buffer`.
    init(compressesStrings: Bool) {
        self.compressesStrings = compressesStrings
        sink = nil
        pieceBytes = .max
        sums = false
    }

    init(
        to sink: any SnapshotSink, compression: SnapshotCompression, level: Int, sums: Bool,
        pieceBytes: Int
    ) throws(SnapshotWriteError) {
        self.sink = sink
        self.sums = sums
        self.pieceBytes = pieceBytes
        compressesStrings = compression == .lzf
        trials = CompressionTrials()
        buffer.reserve(pieceBytes + 4096)
        guard compression == .lz4 else { return }
        var made = LZ4Compressor(level: level)
        made.begin(into: &framed)
        frame = consume made
    }

    /// Where the next byte will stand in the RDB.
    var offset: Int64 { plainBytes + Int64(buffer.count) }

    @inline(__always)
    mutating func flushIfDue() throws(SnapshotWriteError) {
        if _slowPath(buffer.count >= pieceBytes) { try flush() }
    }

    /// Writes bytes as they are.
    @inline(__always)
    mutating func write(raw bytes: ByteSlice) throws(SnapshotWriteError) {
        if _slowPath(bytes.count >= pieceBytes) {
            // Not worth a copy, and a value may be larger than what should be kept in memory.
            try flush()
            return try hand(bytes)
        }
        buffer.append(bytes)
        try flushIfDue()
    }

    mutating func flush() throws(SnapshotWriteError) {
        guard sink != nil, !buffer.isEmpty else { return }
        var full = ByteBuffer()
        swap(&full, &buffer)
        try hand(full.slice)
        full.removeAll()
        swap(&full, &buffer)
    }

    /// Sums up and hands over.
    private mutating func hand(_ bytes: ByteSlice) throws(SnapshotWriteError) {
        if sums { checksum = CRC64.update(checksum, bytes) }
        plainBytes += Int64(bytes.count)
        guard var made = frame.take() else { return try give(bytes) }
        // In steps, so that what comes out is bounded as well.
        var rest = bytes
        while !rest.isEmpty {
            made.append(rest.prefix(1 << 20), into: &framed)
            rest = rest.dropFirst(1 << 20)
            if framed.count >= pieceBytes {
                try give(framed.slice)
                framed.removeAll()
            }
        }
        frame = consume made
    }

    private mutating func give(_ bytes: ByteSlice) throws(SnapshotWriteError) {
        guard let sink else { return }
        try sink.write(bytes)
        sinkBytes += Int64(bytes.count)
    }

    /// Writes the checksum (0 if none was asked for), the end of the frame, and all that waits.
    mutating func finish() throws(SnapshotWriteError) {
        try flush()
        buffer.append(littleEndian: checksum, bytes: SnapshotFormat.checksumBytes)
        try flush()
        guard var made = frame.take() else { return }
        made.finish(into: &framed)
        try give(framed.slice)
        framed.removeAll()
    }
}
