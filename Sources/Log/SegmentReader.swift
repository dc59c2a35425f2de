public import HoldfastBytes
public import HoldfastPlatform

/// Reads one segment front to back: its opening line, then batch after batch, each checked before it is
/// given out. Memory is bounded by a window, or by the largest batch.
public struct SegmentReader: ~Copyable {
    /// What stands after the last batch that was read.
    public enum Step {
        /// A valid batch; the records are valid until the next call.
        case batch(BatchAnnotation, records: ByteSlice)
        /// A valid batch that is too large to hold; its records stay in the file.
        case largeBatch(BatchAnnotation)
        /// The end of the file.
        case end
        /// Only zeros to the end of the file.
        case zeros
        /// `*` or `#TS:`: perhaps plain commands that redis-server appended.
        case plain
        /// Anything else, with the reason for operators.
        case bad(String)
        /// A batch whose checksum fits and whose records make no sense: no crash does that.
        case nonsense(String)
    }

    /// The offset of the next line to read, which is the end of the last whole batch.
    public private(set) var offset: Int64 = 0
    /// The end of the last whole batch.
    public private(set) var lsn: LSN = .zero
    /// The time of the last batch.
    public private(set) var milliseconds: Int64
    /// The database selected after the last batch.
    public var database: Int { walk.database }

    var window: FileWindow
    private var walk = RecordWalk()
    private let heldBytesMax: Int64

    /// - Parameter bytes: where the file ends for us; nil for its size.
    /// - Parameter milliseconds: the time of the last batch before this segment.
    /// - Parameter heldBytesMax: batches above it are checked part by part.
    public init(
        _ file: any File, bytes: Int64? = nil, after milliseconds: Int64 = 0,
        heldBytesMax: Int64 = .max
    ) throws(SystemError) {
        window = try FileWindow(file, bytes: bytes)
        self.heldBytesMax = heldBytesMax
        self.milliseconds = milliseconds
    }

    /// The bytes of the file that count.
    public var size: Int64 { window.size }

    /// Reads the opening line; call first. Only `.line` moves on.
    public mutating func readOpening() throws(SystemError) -> LineVerdict<SegmentOpening> {
        let verdict = BatchDecoder.opening(try window.bytes(from: 0))
        if case .line(let opening) = verdict {
            offset = Int64(opening.totalBytes)
            lsn = opening.firstLSN
            milliseconds = max(milliseconds, opening.milliseconds)
            walk.database = opening.database
        }
        return verdict
    }

    /// Says where the segment begins, should its opening line be unreadable.
    mutating func expect(_ lsn: LSN) { self.lsn = lsn }

    /// Goes on after a batch that was read before, instead of reading the opening line.
    mutating func resume(at offset: Int64, lsn: LSN, database: Int) {
        self.offset = offset
        self.lsn = lsn
        walk.database = database
    }

    /// Reads the next batch. Only `.batch` moves on.
    public mutating func next() throws(SystemError) -> Step {
        if offset >= window.size { return .end }
        // One look serves most batches whole.
        var bytes = try window.bytes(from: offset, atLeast: Int64(LogFormat.annotationBytesMax))
        let annotation: BatchAnnotation
        switch BatchDecoder.annotation(bytes) {
        case .line(let line): annotation = line
        case .incomplete: return .bad("annotation is cut off at the end of the file")
        case .invalid(let reason): return try other(bytes[0], bytes, reason)
        }
        guard annotation.firstLSN == lsn else {
            return .bad("batch of LSN \(annotation.firstLSN) where \(lsn) is due")
        }
        guard annotation.milliseconds >= milliseconds else {
            return .bad("batch is older than the one before it")
        }
        let left = window.size - offset - Int64(annotation.lineBytes)
        guard annotation.recordBytes <= left else {
            return .bad("batch is cut off: \(left) of \(annotation.recordBytes) bytes are there")
        }
        if annotation.recordBytes > heldBytesMax { return try nextLarge(annotation) }
        let total = annotation.lineBytes + Int(annotation.recordBytes)
        if bytes.count < total { bytes = try window.bytes(from: offset, atLeast: Int64(total)) }
        let records = bytes.slice(annotation.lineBytes..<total)
        guard BatchDecoder.isIntact(annotation, line: bytes, records: records) else {
            return .bad("batch fails its checksum")
        }
        var walked = walk
        if let fault = walked.check(records) {
            return .nonsense("batch is intact, but at its byte \(fault.offset): \(fault.reason)")
        }
        walk = walked
        offset += Int64(total)
        lsn = annotation.endLSN
        milliseconds = annotation.milliseconds
        return .batch(annotation, records: records)
    }

    private mutating func nextLarge(_ annotation: BatchAnnotation) throws(SystemError) -> Step {
        guard try isIntact(annotation, at: offset) else { return .bad("batch fails its checksum") }
        let start = offset + Int64(annotation.lineBytes)
        var walked = walk
        if let fault = try walked.check(&window, start..<start + annotation.recordBytes) {
            return .nonsense("batch is intact, but at its byte \(fault.offset): \(fault.reason)")
        }
        walk = walked
        offset = start + annotation.recordBytes
        lsn = annotation.endLSN
        milliseconds = annotation.milliseconds
        return .largeBatch(annotation)
    }

    private mutating func other(_ first: UInt8, _ bytes: ByteSlice, _ reason: String)
        throws(SystemError) -> Step
    {
        switch first {
        case 0:
            return try window.endOfData(from: offset) == offset
                ? .zeros : .bad("zeros with data after them")
        case 0x2a: return .plain
        case 0x23 where bytes.prefix(4) == ByteSlice("#TS:"): return .plain
        default: return .bad(reason)
        }
    }

    /// The highest durable LSN that a valid batch after the bad one at `offset` records, or nil if
    /// none does. Unsynced writes reach a disk in any order, so valid batches may follow a bad one.
    ///
    /// Searches to the end of the file. A value may hold bytes that look like annotations: one counts
    /// only if its LSN could stand at its place and its checksum fits. Values made up to slow this down
    /// are met with a bound on the bytes checked; beyond it the answer is the highest LSN there is,
    /// which makes the start refuse.
    mutating func durableAfterBad() throws(SystemError) -> LSN? {
        let tag = ByteSlice(LogFormat.annotationTag)
        var found: LSN?
        var position = offset
        var budget = max(window.size, 1 << 20).multipliedReportingOverflow(by: 32).partialValue
        while position < window.size {
            let bytes = try window.bytes(
                from: position, atLeast: Int64(LogFormat.annotationBytesMax))
            guard let at = bytes.firstIndex(of: tag) else {
                // The tag may begin in the last bytes and end in the next window.
                let whole = position + Int64(bytes.count) == window.size
                position += Int64(whole ? bytes.count : bytes.count - (tag.count - 1))
                continue
            }
            position += Int64(at)
            guard budget > 0 else { return LSN(.max) }
            guard let annotation = try annotationAlone(at: position),
                annotation.firstLSN >= lsn,
                annotation.firstLSN.value - lsn.value <= UInt64(position - offset),
                annotation.recordBytes <= window.size - position - Int64(annotation.lineBytes)
            else {
                position += Int64(tag.count)
                continue
            }
            budget -= annotation.recordBytes
            if try isIntact(annotation, at: position) {
                found = max(found ?? .zero, annotation.durable)
                position += Int64(annotation.lineBytes) + annotation.recordBytes
            } else {
                position += Int64(tag.count)
            }
        }
        return found
    }

    private mutating func annotationAlone(at position: Int64) throws(SystemError)
        -> BatchAnnotation?
    {
        let bytes = try window.bytes(from: position, atLeast: Int64(LogFormat.annotationBytesMax))
        guard case .line(let annotation) = BatchDecoder.annotation(bytes) else { return nil }
        return annotation
    }

    /// Compares the checksum part by part, without holding the batch.
    private mutating func isIntact(_ annotation: BatchAnnotation, at position: Int64)
        throws(SystemError) -> Bool
    {
        let line = try window.bytes(from: position, atLeast: Int64(annotation.lineBytes))
        var crc = BatchDecoder.checksumOfText(annotation, line: line)
        var from = position + Int64(annotation.lineBytes)
        var left = annotation.recordBytes
        while left > 0 {
            let part = try window.bytes(from: from).prefix(Int(min(left, 1 << 20)))
            crc = CRC32C.update(crc, part)
            from += Int64(part.count)
            left -= Int64(part.count)
        }
        return crc == annotation.crc
    }
}

extension ByteSlice {
    /// Where `pattern` first stands.
    func firstIndex(of pattern: ByteSlice) -> Int? {
        guard pattern.count > 0, count >= pattern.count else { return nil }
        let first = pattern[0]
        for index in 0...(count - pattern.count)
        where self[index] == first && slice(index..<index + pattern.count) == pattern {
            return index
        }
        return nil
    }
}
