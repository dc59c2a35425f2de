public import HoldfastBytes
public import HoldfastPlatform

/// A file that holds a part of the stream.
public struct LogExtent: Equatable, Sendable {
    public var path: String
    public var first: LSN
    /// Nil for the open segment, which ends where writing has got to.
    public var end: LSN?
}

public enum LogCursorError: Error, Equatable {
    /// No file holds the stream from here on any more.
    case gone(LSN)
    /// The bytes at this LSN are not what they were when they were written.
    case damaged(path: String, at: LSN, reason: String)
    case system(SystemError)
}

/// Reads the stream of records from any LSN that the log's files hold, beside the writer: what replicas that lag
/// are served from.
///
/// Only records come out, no annotation and no opening line. Each batch's checksum is compared before its first byte
/// is given out. One thread uses a cursor; its memory is a window of a quarter MiB whatever the batches' size.
///
/// Files may be sealed, retired or superseded by healing while they are read. So whenever a file doesn't go on as
/// expected, the writer is asked again where the stream is, and only if that is still the same place it is damage.
public final class LogCursor {
    /// The next byte to read.
    public private(set) var lsn: LSN
    private let fileSystem: any FileSystem
    private let find: (LSN) -> LogExtent?

    private var file: (any File)?
    private var extent: LogExtent?
    /// Where in the file the next annotation stands, or, inside a batch, the next record byte.
    private var offset: Int64 = 0
    /// The LSN at `offset`; before `lsn` while it is looked for.
    private var position = LSN.zero
    /// Bytes of the batch from `offset` on, 0 between batches.
    private var batchLeft: Int64 = 0
    private var window = ByteBuffer()
    private var windowStart: Int64 = 0

    private static let windowBytes = 256 << 10

    /// - Parameter find: the file that holds an LSN: `LogWriter.extent(at:)`.
    public init(
        from lsn: LSN, on fileSystem: any FileSystem, find: @escaping (LSN) -> LogExtent?
    ) {
        self.lsn = lsn
        self.fileSystem = fileSystem
        self.find = find
    }

    deinit { file?.close() }

    /// Appends what follows to `buffer`: up to `end`, which must have been written, and about `bytesMax` bytes.
    public func read(
        into buffer: inout ByteBuffer, upTo end: LSN, bytesMax: Int
    ) throws(LogCursorError) {
        // The open segment has grown since the window was read.
        window.removeAll()
        windowStart = offset
        var left = bytesMax
        while left > 0, lsn < end {
            if let extent, let last = extent.end, lsn >= last { close() }
            if file == nil { try open() }
            do throws(Fault) {
                let moved = try step(into: &buffer, upTo: end, bytesMax: left)
                left -= moved
            } catch {
                try recover(from: error)
            }
        }
    }

    /// What stands in the way of reading on in the file at hand.
    private enum Fault: Error {
        case unexpected(String)
        case system(SystemError)
    }

    private func recover(from fault: Fault) throws(LogCursorError) {
        let before = extent
        let path = before?.path ?? ""
        close()
        guard let now = find(lsn) else { throw .gone(lsn) }
        if now != before { return }
        switch fault {
        case .unexpected(let reason): throw .damaged(path: path, at: lsn, reason: reason)
        case .system(let error): throw .system(error)
        }
    }

    private func close() {
        file?.close()
        file = nil
        extent = nil
        window.removeAll()
        batchLeft = 0
        offset = 0
        windowStart = 0
    }

    private func open() throws(LogCursorError) {
        guard let found = find(lsn) else { throw .gone(lsn) }
        do throws(SystemError) {
            file = try fileSystem.open(found.path, .read)
        } catch {
            // Removed meanwhile, if the writer knows a different place now or none.
            guard let now = find(lsn) else { throw .gone(lsn) }
            if now == found { throw .system(error) }
            return
        }
        extent = found
        position = found.first
        // The opening line comes first.
        do throws(Fault) {
            let line = try bytes(atLeast: LogFormat.openingBytesMax + LogFormat.selectBytesMax)
            guard case .line(let opening) = BatchDecoder.opening(line) else {
                throw .unexpected("no opening line")
            }
            guard opening.firstLSN == found.first else {
                throw .unexpected("a segment of LSN \(opening.firstLSN)")
            }
            offset = Int64(opening.totalBytes)
        } catch {
            try recover(from: error)
        }
    }

    /// Goes on by an annotation, or by some bytes of a batch; how many bytes were given out.
    private func step(
        into buffer: inout ByteBuffer, upTo end: LSN, bytesMax: Int
    ) throws(Fault) -> Int {
        if batchLeft == 0 {
            try readAnnotation()
            return 0
        }
        if position < lsn {
            // Where this cursor begins lies inside of the batch.
            let skipped = min(Int64(lsn.value - position.value), batchLeft)
            advance(skipped)
            return 0
        }
        let part = try bytes(atLeast: 1)
        let count = min(
            part.count, Int(min(batchLeft, Int64(bytesMax))),
            Int(clamping: end.value - lsn.value))
        if count <= 0 { throw .unexpected("the file ends inside a batch") }
        buffer.append(part.prefix(count))
        lsn = lsn.advanced(by: count)
        advance(Int64(count))
        return count
    }

    private func advance(_ count: Int64) {
        offset += count
        batchLeft -= count
        position = LSN(position.value + UInt64(count))
    }

    private func readAnnotation() throws(Fault) {
        let line = try bytes(atLeast: LogFormat.annotationBytesMax)
        guard case .line(let annotation) = BatchDecoder.annotation(line),
            annotation.firstLSN == position
        else { throw .unexpected("no batch of LSN \(position) where it is due") }
        offset += Int64(annotation.lineBytes)
        if annotation.endLSN <= lsn {
            offset += annotation.recordBytes
            position = annotation.endLSN
            return
        }
        guard try isIntact(annotation, BatchDecoder.checksumOfText(annotation, line: line)) else {
            throw .unexpected("batch fails its checksum")
        }
        batchLeft = annotation.recordBytes
    }

    /// Compares the checksum of the batch whose records stand at `offset`.
    private func isIntact(_ annotation: BatchAnnotation, _ text: UInt32) throws(Fault) -> Bool {
        var crc = text
        var left = annotation.recordBytes
        let start = offset
        while left > 0 {
            let part = try bytes(atLeast: 1).prefix(Int(clamping: left))
            if part.isEmpty { throw .unexpected("the file ends inside a batch") }
            crc = CRC32C.update(crc, part)
            left -= Int64(part.count)
            offset += Int64(part.count)
        }
        offset = start
        return crc == annotation.crc
    }

    /// The bytes at `offset`: `count` at least unless the file ends before; valid until the next call.
    private func bytes(atLeast count: Int) throws(Fault) -> ByteSlice {
        let skip = Int(clamping: offset - windowStart)
        if offset >= windowStart, skip <= window.count, window.count - skip >= count {
            return window.slice.dropFirst(skip)
        }
        guard let file else { throw .unexpected("no file") }
        window.removeAll()
        windowStart = offset
        do throws(SystemError) {
            _ = try file.readAll(
                at: offset, count: max(Self.windowBytes, count), into: &window)
        } catch {
            throw .system(error)
        }
        return window.slice
    }
}
