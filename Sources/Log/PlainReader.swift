internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// Reads plain commands as redis-server writes them: an AOF file of its own, or what it appended to a
/// segment of ours. `#` lines between commands are skipped and don't count in LSNs.
struct PlainReader: ~Copyable {
    enum Step {
        /// Whole commands, each MULTI with its EXEC; valid until the next call.
        case records(ByteSlice, at: Int64, firstLSN: LSN)
        /// A command or transaction too large to hold, which stays in the file from `at` to `offset`; with
        /// the bytes that count in LSNs.
        case largeUnit(at: Int64, firstLSN: LSN, recordBytes: Int64)
        case end
        case zeros
        /// The last command, or the last MULTI, isn't finished at the end of the file.
        case unfinished
        case garbage(String, at: Int64)
    }

    /// The end of the last whole command outside of a MULTI.
    private(set) var offset: Int64
    private(set) var lsn: LSN
    /// The time that the last `#TS:` line gave, never going back.
    private(set) var milliseconds: Int64
    var database: Int { walk.database }

    var window: FileWindow
    private var walk = RecordWalk()
    /// Records that had annotations between them, without those.
    private var joined = ByteBuffer()

    private let heldBytesMax: Int64
    /// The comments inside the records given last.
    private(set) var gaps: [Range<Int64>] = []

    /// Redis reads lines of up to 1,023 bytes with their end.
    private static let lineBytesMax = 1023

    init(
        _ file: any File, bytes: Int64?, from offset: Int64, lsn: LSN, milliseconds: Int64,
        database: Int, heldBytesMax: Int64 = .max
    ) throws(SystemError) {
        self.heldBytesMax = heldBytesMax
        window = try FileWindow(file, bytes: bytes)
        self.offset = offset
        self.lsn = lsn
        self.milliseconds = milliseconds
        walk.database = database
    }

    mutating func next() throws(SystemError) -> Step {
        var wanted: Int64 = 1 << 16
        while true {
            if offset >= window.size { return .end }
            let bytes = try window.bytes(from: offset, atLeast: wanted)
            let isLast = offset + Int64(bytes.count) == window.size
            if bytes[0] == 0x23 {
                switch line(bytes, at: 0, isLast: isLast) {
                case .whole(let end):
                    noteTime(bytes.prefix(end))
                    offset += Int64(end)
                    continue
                // An annotation that a crash tore holds no data.
                case .torn: return .end
                case .ours: return .garbage(Self.oursInside, at: offset)
                case .tooLong: return .garbage("a comment of over 1,023 bytes", at: offset)
                case .more:
                    wanted = Int64(bytes.count) * 2
                    continue
                }
            }
            let group = scan(bytes, isLast: isLast)
            if group.end > 0 { return deliver(bytes, group) }
            switch group.stop {
            case .garbage(let reason, let at):
                let position = offset + Int64(at)
                // `bytes` isn't touched any more: looking ahead moves the window.
                if bytes[at] == 0, try window.endOfData(from: position) == position {
                    return at == 0 ? .zeros : .unfinished
                }
                return .garbage(reason, at: position)
            case .incomplete where isLast: return .unfinished
            case .incomplete where Int64(bytes.count) > heldBytesMax: return try nextLarge()
            case .incomplete: wanted = Int64(bytes.count) * 2
            }
        }
    }

    private static let oursInside =
        "an annotation of ours in a file whose opening line is missing or damaged"

    // MARK: - Groups of whole commands

    private enum GroupStop {
        case incomplete
        case garbage(String, at: Int)
    }

    private struct Group {
        /// The end of the last command that leaves no MULTI open; 0 if there is none.
        var end = 0
        var walk: RecordWalk
        var annotations: [Range<Int>] = []
        var stop = GroupStop.incomplete
    }

    private func scan(_ bytes: ByteSlice, isLast: Bool) -> Group {
        var group = Group(walk: walk)
        var walked = walk
        var index = 0
        scanning: while index < bytes.count {
            if bytes[index] == 0x23 {
                // Between groups, annotations are dealt with one by one.
                if !walked.isInTransaction { break }
                switch line(bytes, at: index, isLast: isLast) {
                case .whole(let end):
                    group.annotations.append(index..<end)
                    index = end
                    continue
                case .torn, .more: break scanning
                case .ours:
                    group.stop = .garbage(Self.oursInside, at: index)
                    break scanning
                case .tooLong:
                    group.stop = .garbage("a comment of over 1,023 bytes", at: index)
                    break scanning
                }
            }
            switch RecordScanner.scan(bytes, from: index) {
            case .whole(let end, let count, let name):
                // What a batch of ours may not hold, Redis's own files do hold; it loads them.
                walked.note(bytes, name: name, count: count, end: end)
                index = end
                if !walked.isInTransaction {
                    group.end = end
                    group.walk = walked
                }
            case .incomplete: break scanning
            case .invalid(let at, let reason):
                group.stop = .garbage(reason, at: at)
                break scanning
            }
        }
        return group
    }

    private mutating func deliver(_ bytes: ByteSlice, _ group: Group) -> Step {
        let at = offset
        let first = lsn
        var records = bytes.prefix(group.end)
        let inside = group.annotations.filter { $0.upperBound <= group.end }
        if !gaps.isEmpty { gaps.removeAll() }
        if !inside.isEmpty {
            gaps = inside.map { at + Int64($0.lowerBound)..<at + Int64($0.upperBound) }
            joined.removeAll()
            var from = 0
            for annotation in inside {
                noteTime(bytes.slice(annotation))
                joined.append(bytes.slice(from..<annotation.lowerBound))
                from = annotation.upperBound
            }
            joined.append(bytes.slice(from..<group.end))
            records = joined.slice
        }
        offset += Int64(group.end)
        lsn = lsn.advanced(by: records.count)
        walk = group.walk
        return .records(records, at: at, firstLSN: first)
    }

    /// As `scan` and `deliver`, over one unit that stays in the file.
    private mutating func nextLarge() throws(SystemError) -> Step {
        gaps = []
        let at = offset
        let first = lsn
        var skim = RecordSkim(end: window.size)
        var walked = walk
        var position = offset
        var recordBytes: Int64 = 0
        while position < window.size {
            let bytes = try window.bytes(from: position, atLeast: Int64(Self.lineBytesMax) + 1)
            if bytes[0] == 0x23 {
                let isLast = position + Int64(bytes.count) == window.size
                switch line(bytes, at: 0, isLast: isLast) {
                case .whole(let end):
                    noteTime(bytes.prefix(end))
                    position += Int64(end)
                    continue
                case .torn, .more: return .unfinished
                case .ours: return .garbage(Self.oursInside, at: position)
                case .tooLong: return .garbage("a comment of over 1,023 bytes", at: position)
                }
            }
            switch try skim.scan(&window, from: position) {
            case .incomplete: return .unfinished
            case .invalid(let offset, let reason):
                let isZero = try window.bytes(from: offset, atLeast: 1).prefix(1) == ByteSlice("\0")
                if isZero, try window.endOfData(from: offset) == offset { return .unfinished }
                return .garbage(reason, at: offset)
            case .whole(let end):
                walked.note(skim)
                recordBytes += end - position
                position = end
            }
            if !walked.isInTransaction {
                offset = position
                lsn = LSN(first.value + UInt64(recordBytes))
                walk = walked
                return .largeUnit(at: at, firstLSN: first, recordBytes: recordBytes)
            }
        }
        return .unfinished
    }

    // MARK: - Lines that begin with #

    private enum CommentLine {
        case whole(end: Int)
        /// The file ends in it.
        case torn
        case more
        case tooLong
        case ours
    }

    private func line(_ bytes: ByteSlice, at start: Int, isLast: Bool) -> CommentLine {
        let common = ByteSlice(LogFormat.commonTag)
        if bytes.dropFirst(start).prefix(common.count) == common { return .ours }
        let limit = min(bytes.count, start + Self.lineBytesMax)
        for index in start..<limit where bytes[index] == 0x0a { return .whole(end: index + 1) }
        if limit - start == Self.lineBytesMax { return .tooLong }
        return isLast ? .torn : .more
    }

    /// Takes the time from `#TS:<seconds>\r\n`; other lines say nothing.
    private mutating func noteTime(_ line: ByteSlice) {
        guard line.prefix(4) == ByteSlice("#TS:"), line.count > 6,
            let seconds = DecimalText.parse(line.slice(4..<line.count - 2)), seconds > 0,
            seconds < 1 << 40
        else { return }
        milliseconds = max(milliseconds, seconds * 1000)
    }
}
