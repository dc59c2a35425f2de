internal import HoldfastBytes
internal import HoldfastPlatform

/// The end of a recovered segment that nothing proves durable.
///
/// Reading a byte back doesn't prove that it is on the medium: a process that was killed after a failed
/// sync leaves pages that look clean and were never written, and a sync by the next process has nothing to
/// say about them. So what no annotation and no manifest records as durable is written once more
/// in its place before the sync that makes the recovered log durable. The size likewise: cutting a file
/// that already looks cut would change nothing, so it is made longer first.
enum UnsyncedTail {
    private static let stepBytes = 1 << 20

    /// Leaves `file` to end at `end`, ready to be synced.
    ///
    /// - Parameters:
    ///   - durable: what the manifest records; the file's own annotations may know more.
    ///   - end: where the file's last whole batch ends.
    static func rewrite(
        _ file: any File, durable: LSN, upTo end: Int64
    ) throws(SystemError) {
        try file.truncate(to: max(try file.size(), end + 1))
        try file.truncate(to: end)
        var at = try offset(in: file, durable: durable, upTo: end)
        var buffer = ByteBuffer()
        while at < end {
            buffer.removeAll()
            let size = Int(min(Int64(stepBytes), end - at))
            let got = try file.readAll(at: at, count: size, into: &buffer)
            if got == 0 { break }
            try file.writeAll(buffer.slice, at: at)
            at += Int64(got)
        }
    }

    /// Where the first batch begins that isn't known to be durable; 0 if that can't be told.
    private static func offset(
        in file: any File, durable: LSN, upTo end: Int64
    ) throws(SystemError) -> Int64 {
        var window = ByteBuffer()
        var windowStart: Int64 = 0
        func fill(_ at: Int64) throws(SystemError) -> ByteSlice {
            let wanted = min(at + Int64(LogFormat.lineBytesMax * 2), end)
            if at < windowStart || wanted > windowStart + Int64(window.count) {
                window.removeAll()
                windowStart = at
                let size = Int(min(Int64(stepBytes), max(0, end - at)))
                try file.readAll(at: at, count: size, into: &window)
            }
            return window.slice.dropFirst(Int(at - windowStart))
        }
        guard case .line(let opening) = BatchDecoder.opening(try fill(0)) else { return 0 }
        var at = Int64(opening.totalBytes)
        var known = durable
        // Batches beyond `known`, oldest first; `known` grows as later annotations are read.
        var open: [(end: LSN, offset: Int64)] = []
        var first = 0
        while at < end, case .line(let batch) = BatchDecoder.annotation(try fill(at)) {
            known = max(known, batch.durable)
            open.append((batch.endLSN, at))
            while first < open.count, open[first].end <= known { first += 1 }
            if first == open.count {
                open.removeAll(keepingCapacity: true)
                first = 0
            }
            at += Int64(batch.lineBytes) + batch.recordBytes
        }
        return first < open.count ? open[first].offset : at
    }
}
