internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import TestSupport

/// Segments: an inspection and a recovery agree, and a second start finds what the first one found, whatever
/// stands in the newest segment.
///
/// The first byte says how the segment is made: from the input alone; or by the writer, and then some of its
/// bytes are changed, or bytes are appended to it. The checksums would keep a fuzzer from getting far with
/// the first way.
enum SegmentTarget {
    private static let folder = LogFolder(directory: "/d")
    private static let history = HistoryID(1, 2, 3)

    private struct Made {
        var manifest: [UInt8]
        var segment: [UInt8]
        var records: [UInt8] = []
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        let way = input.byte() % 3
        if way == 0 {
            var manifest = Manifest(history: history)
            manifest.lines.append(
                .init(
                    name: folder.segmentName(1), sequence: 1, type: .incremental, firstLSN: .zero))
            var text = ByteBuffer()
            manifest.append(to: &text)
            _ = try start(Made(manifest: text.copyToArray(), segment: input.rest()))
            return
        }
        var made = try write(&input)
        if way == 1 {
            var changes = 0
            while !input.isAtEnd, !made.segment.isEmpty {
                let position = input.number16() % made.segment.count
                let change = UInt8(input.byte())
                made.segment[position] ^= change
                changes += change == 0 ? 0 : 1
            }
            let found = try start(made)
            // One changed byte can't forge a checksum.
            try expect(
                found == nil || changes > 1 || made.records.starts(with: found ?? []),
                "records that were never written")
        } else {
            made.segment += input.rest()
            let found = try start(made)
            try expect(
                found == nil || (found ?? []).starts(with: made.records), "records were lost")
        }
    }

    /// What the real writer makes of some records.
    private static func write(_ input: inout InputCursor) throws(FuzzFailure) -> Made {
        do {
            let disk = SimDisk()
            disk.installFolder("/d")
            let log = try LogReader.recover(
                RecoverySettings(folder: folder, freshHistory: history), on: disk, apply: { _ in })
            var settings = LogWriterSettings()
            settings.policy = .always
            settings.preallocates = false
            settings.reserveBytes = 0
            let writer = try SteppedLogWriter(
                log, in: folder, settings: settings, fileSystem: disk, clock: SimClock())
            var made = Made(manifest: [], segment: [])
            var buffer = LogBuffer(start: log.end, database: log.database)
            for _ in 0..<input.byte() % 8 {
                let kind = input.byte()
                buffer.beginUnit()
                for _ in 0...(kind >> 2) % 3 {
                    buffer.beginRecord(database: kind % 3, argumentCount: 3)
                    buffer.append(argument: "SET")
                    buffer.append(argument: "key")
                    input.bytes(input.byte()).withSlice { buffer.append(argument: $0) }
                }
                buffer.endUnit()
                made.records += buffer.slice.copyToArray()
                writer.submit(&buffer, inlineAllowed: true)
                writer.settle()
            }
            made.manifest = disk.contents(folder.manifestPath) ?? []
            made.segment = disk.contents(folder.path(of: folder.segmentName(1))) ?? []
            return made
        } catch { throw FuzzFailure("could not write: \(error)") }
    }

    /// The records that a start finds, or nil if it refuses.
    private static func start(_ made: Made) throws(FuzzFailure) -> [UInt8]? {
        let disk = SimDisk()
        disk.installFolder("/d")
        disk.installFolder(folder.path)
        disk.install(folder.manifestPath, made.manifest)
        disk.install(folder.path(of: folder.segmentName(1)), made.segment)
        let inspected = read(disk, inspects: true)
        let recovered = read(disk, inspects: false)
        disk.processKill()
        try expect(
            inspected.error == recovered.error,
            "an inspection says \(inspected.text), a start says \(recovered.text)")
        try expect(inspected.records == recovered.records, "inspection and start read differently")
        try expect(inspected.end == recovered.end, "inspection and start end differently")
        try checkRecords(recovered.records)
        if recovered.error != nil {
            try expect(
                disk.contents(folder.path(of: folder.segmentName(1))) == made.segment,
                "a start that refused has changed the segment")
            return nil
        }
        let again = read(disk, inspects: true)
        try expect(again.error == nil, "the second start says \(again.text)")
        try expect(again.records == recovered.records, "the second start reads differently")
        try expect(again.end == recovered.end, "the second start ends differently")
        // A segment that has no whole batch is left for the writer to empty.
        try expect(
            again.cut == nil || again.cut?.offset == 0, "the second start would cut again: \(again)"
        )
        return recovered.records
    }

    private struct Reading {
        var records: [UInt8] = []
        var end: LSN?
        var error: LogReadError?
        var cut: CutTail?
        var text: String { error.map { $0.description } ?? "nothing" }
    }

    private static func read(_ disk: SimDisk, inspects: Bool) -> Reading {
        let settings = RecoverySettings(folder: folder, freshHistory: history)
        var reading = Reading()
        let take: LogReader.Apply = { reading.records += $0.records.copyToArray() }
        do throws(LogReadError) {
            let log =
                inspects
                ? try LogReader.inspect(settings, on: disk, apply: take)
                : try LogReader.recover(settings, on: disk, apply: take)
            reading.end = log.end
            reading.cut = log.cut
            log.lock?.close()
        } catch { reading.error = error }
        return reading
    }

    private static func checkRecords(_ records: [UInt8]) throws(FuzzFailure) {
        let verdict = records.withSlice { slice in
            var offset = 0
            while offset < slice.count {
                guard case .whole(let end, _, _) = RecordScanner.scan(slice, from: offset) else {
                    return false
                }
                offset = end
            }
            return true
        }
        try expect(verdict, "what was given out are no whole records")
    }
}
