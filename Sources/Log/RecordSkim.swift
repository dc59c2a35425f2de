internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP

/// Goes over records in a file without holding them: headers and line ends are read, and of the arguments the
/// first bytes of the first few. The rules are RecordScanner's, the memory is bounded whatever a header says.
struct RecordSkim {
    enum Verdict: Equatable {
        case whole(end: Int64)
        /// The records end inside one.
        case incomplete
        case invalid(offset: Int64, reason: String)
    }

    /// One argument: its length, and as many of its first bytes as are kept.
    struct Argument {
        var count: Int64
        var kept: [UInt8]
    }

    /// Where the records end.
    let end: Int64
    /// How many bytes are kept of each argument, and of how many.
    var keptBytesMax = 32
    var keptArgumentsMax = 2

    /// Of the record scanned last.
    private(set) var arguments: [Argument] = []
    private(set) var argumentCount = 0

    init(end: Int64) { self.end = end }

    /// Scans the record that begins at `start`.
    mutating func scan(_ window: inout FileWindow, from start: Int64) throws(SystemError) -> Verdict
    {
        arguments.removeAll(keepingCapacity: true)
        var position = start
        switch RecordScanner.commandHeader(try head(&window, position)) {
        case .incomplete: return .incomplete
        case .invalid(let at, let reason):
            return .invalid(offset: start + Int64(at), reason: reason)
        case .value(let count, let lineEnd):
            argumentCount = count
            position += Int64(lineEnd)
        }
        for _ in 0..<argumentCount {
            let size: Int64
            switch RecordScanner.argumentHeader(try head(&window, position)) {
            case .incomplete: return .incomplete
            case .invalid(let at, let reason):
                return .invalid(offset: position + Int64(at), reason: reason)
            case .value(let bytes, let lineEnd):
                size = Int64(bytes)
                position += Int64(lineEnd)
            }
            if arguments.count < keptArgumentsMax {
                let kept = min(size, Int64(keptBytesMax), end - position)
                let bytes = try window.bytes(from: position, atLeast: kept).prefix(Int(kept))
                arguments.append(Argument(count: size, kept: bytes.copyToArray()))
            }
            position += size
            let ending = try window.bytes(from: min(position, end), atLeast: 2)
                .prefix(Int(max(0, min(2, end - position))))
            if ending.count < 2 {
                return ending.isEmpty || ending[0] == 0x0d
                    ? .incomplete
                    : .invalid(offset: position, reason: RecordScanner.noLineEndReason)
            }
            if ending[0] != 0x0d || ending[1] != 0x0a {
                return .invalid(offset: position, reason: RecordScanner.noLineEndReason)
            }
            position += 2
        }
        return .whole(end: position)
    }

    /// The bytes in which a header line must end.
    private func head(_ window: inout FileWindow, _ position: Int64) throws(SystemError)
        -> ByteSlice
    {
        let wanted = min(Int64(RecordScanner.headerBytesMax + 1), end - position)
        return try window.bytes(from: position, atLeast: wanted).prefix(Int(max(0, wanted)))
    }
}
