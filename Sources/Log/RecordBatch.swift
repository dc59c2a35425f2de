public import HoldfastBytes
public import HoldfastPlatform
internal import HoldfastRESP

/// Some whole records in log order.
public struct RecordBatch {
    /// Whole records, each MULTI with its EXEC. Valid until the receiver returns. Empty if not `isHeld`.
    public let records: ByteSlice
    public let firstLSN: LSN
    /// Unix time at which they were logged, never decreasing; 0 in a plain file without time stamps.
    public let milliseconds: Int64
    /// The database in which the first record is to be applied.
    public let database: Int
    /// The first batch of a file. `database` says what is selected: 0 in a plain file, in a segment what
    /// its opening line says.
    public let beginsFile: Bool
    /// Where the records are on disk, for reports; nil where nobody reads a file.
    public let place: Place?
    /// The bytes that count in LSNs.
    public let recordBytes: Int64

    public struct Place {
        /// The file's name in the manifest.
        public let name: String
        public let file: any File
        /// The batch with its annotation, from the end of what came before.
        public let range: Range<Int64>
        /// Where the first record begins.
        public let recordsOffset: Int64
        /// Comments between the records, which aren't among them: where they stand in the file.
        public var gaps: [Range<Int64>] = []

        /// The annotation before it is ours.
        public var isSegment: Bool { recordsOffset > range.lowerBound }

        /// Where in the file the record begins or ends that does so `bytes` into the records.
        public func fileOffset(_ bytes: Int64) -> Int64 {
            var offset = recordsOffset + bytes
            for gap in gaps where gap.lowerBound < offset { offset += Int64(gap.count) }
            return offset
        }
    }

    public init(
        records: ByteSlice, firstLSN: LSN, milliseconds: Int64, database: Int, beginsFile: Bool,
        place: Place? = nil, recordBytes: Int64? = nil
    ) {
        self.records = records
        self.firstLSN = firstLSN
        self.milliseconds = milliseconds
        self.database = database
        self.beginsFile = beginsFile
        self.place = place
        self.recordBytes = recordBytes ?? Int64(records.count)
    }

    /// False for what was too large for `RecoverySettings.heldBytesMax`.
    public var isHeld: Bool { !records.isEmpty }
    public var endLSN: LSN { LSN(firstLSN.value + UInt64(recordBytes)) }
}

/// One record as far as a reader of bounded memory looks at it.
public struct RecordGlance {
    /// One argument: its length, and its first bytes, valid until the receiver returns.
    public struct Argument {
        public let count: Int64
        public let kept: ByteSlice
        public var isWhole: Bool { Int64(kept.count) == count }
    }

    /// Where it begins in the stream of records.
    public let lsn: LSN
    /// The record's bytes.
    public let byteCount: Int64
    /// The bytes themselves, if the batch is held.
    public let bytes: ByteSlice
    /// Where the bytes are, if it isn't.
    public let place: (file: any File, range: Range<Int64>)?
    /// The database in which it is applied.
    public let database: Int
    /// Between a MULTI and its EXEC, or one of these two.
    public let isInTransaction: Bool
    public let argumentCount: Int
    /// The first arguments.
    public let arguments: [Argument]

    /// How much of a record is looked at.
    public struct Limits: Sendable {
        public var argumentsMax = 64
        public var argumentBytesMax = 256

        public init() {}
    }
}

extension RecordBatch {
    /// Shows every record of the batch in order.
    public func forEachRecord<E: Error>(
        _ limits: RecordGlance.Limits = .init(), _ body: (RecordGlance) throws(E) -> Void
    ) throws(E) {
        var walk = RecordWalk()
        walk.database = database
        guard isHeld else { return try forEachInFile(limits, &walk, body) }
        var arguments: [RecordGlance.Argument] = []
        var offset = 0
        while offset < records.count {
            guard
                case .whole(let end, let count, let name) = RecordScanner.scan(
                    records, from: offset)
            else { return }
            arguments.removeAll(keepingCapacity: true)
            var position = name.lowerBound
            var size = name.count
            // The scan has found every header whole.
            while arguments.count < min(count, limits.argumentsMax) {
                if !arguments.isEmpty {
                    let rest = records.dropFirst(position)
                    guard case .value(let bytes, let lineEnd) = RecordScanner.argumentHeader(rest)
                    else { break }
                    size = bytes
                    position += lineEnd
                }
                let bytes = records.slice(position..<position + min(size, limits.argumentBytesMax))
                arguments.append(.init(count: Int64(size), kept: bytes))
                position += size + 2
            }
            let before = walk
            walk.note(records, name: name, count: count, end: end)
            try body(
                RecordGlance(
                    lsn: firstLSN.advanced(by: offset), byteCount: Int64(end - offset),
                    bytes: records.slice(offset..<end), place: nil, database: before.database,
                    isInTransaction: before.isInTransaction || walk.isInTransaction,
                    argumentCount: count, arguments: arguments))
            offset = end
        }
    }

    private func forEachInFile<E: Error>(
        _ limits: RecordGlance.Limits, _ walk: inout RecordWalk,
        _ body: (RecordGlance) throws(E) -> Void
    ) throws(E) {
        // What fails now was read a moment ago; it ends the tour, and the reader itself reports it.
        guard let place, var window = try? FileWindow(place.file) else { return }
        var skim = RecordSkim(end: place.range.upperBound)
        skim.keptArgumentsMax = limits.argumentsMax
        skim.keptBytesMax = max(limits.argumentBytesMax, 32)
        var position = place.recordsOffset
        var lsn = firstLSN
        while position < skim.end {
            guard let bytes = try? window.bytes(from: position, atLeast: 1024), !bytes.isEmpty
            else {
                return
            }
            if bytes[0] == 0x23 {
                // A comment that redis-server wrote inside a transaction.
                guard let end = (0..<min(bytes.count, 1024)).first(where: { bytes[$0] == 0x0a })
                else { return }
                position += Int64(end) + 1
                continue
            }
            guard case .whole(let end)? = try? skim.scan(&window, from: position) else { return }
            let before = walk
            walk.note(skim)
            var kept = ByteBuffer()
            for argument in skim.arguments { kept.append(argument.kept) }
            // The slices below are of this buffer: it lives until the record was shown.
            defer { kept.reset() }
            var from = 0
            let arguments = skim.arguments.map { argument in
                defer { from += argument.kept.count }
                return RecordGlance.Argument(
                    count: argument.count, kept: kept.slice.slice(from..<from + argument.kept.count)
                )
            }
            try body(
                RecordGlance(
                    lsn: lsn, byteCount: end - position, bytes: ByteSlice(),
                    place: (place.file, position..<end), database: before.database,
                    isInTransaction: before.isInTransaction || walk.isInTransaction,
                    argumentCount: skim.argumentCount, arguments: arguments))
            lsn = LSN(lsn.value + UInt64(end - position))
            position = end
        }
    }
}
