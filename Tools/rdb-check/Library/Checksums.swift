internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot

/// The checksum that stands in the last eight bytes of a plain file, and that of all bytes before.
struct PlainChecksum {
    var computed: UInt64
    var stored: UInt64

    /// Nil if the file is too short, or nobody wants it any more.
    static func read(
        _ path: String, bytes: Int64, _ goOn: (Int64) -> Bool
    ) throws(SystemError) -> PlainChecksum? {
        guard bytes > 8 else { return nil }
        let source = try InputSource(path)
        var buffer = ByteBuffer()
        var left = bytes - 8
        var sum: UInt64 = 0
        var asked: Int64 = 0
        while left > 0 {
            buffer.removeAll()
            try unsafe buffer.appendInPlace(Int(min(left, 256 << 10))) {
                (target) throws(SystemError) in try unsafe source.read(into: target)
            }
            if buffer.isEmpty { return nil }
            sum = CRC64.update(sum, buffer.slice)
            left -= Int64(buffer.count)
            asked += Int64(buffer.count)
            if asked >= 1 << 20 {
                asked = 0
                guard goOn(source.bytesRead) else { return nil }
            }
        }
        buffer.removeAll()
        while buffer.count < 8 {
            let before = buffer.count
            try unsafe buffer.appendInPlace(8 - before) { (target) throws(SystemError) in
                try unsafe source.read(into: target)
            }
            if buffer.count == before { return nil }
        }
        return PlainChecksum(computed: sum, stored: buffer.slice.load64(at: 0))
    }
}

/// The same of an RDB in whatever wrapping, with its first bytes.
struct ExpandedChecksum {
    var head: [UInt8] = []
    var computed: UInt64 = 0
    var stored: UInt64 = 0
    var bytes: Int64 = 0
    var isExpanded = false
    var isInterrupted = false
    var failure: SnapshotReadError?

    private static let headBytes = 64 << 10

    static func read(
        _ source: any SnapshotSource, _ goOn: (Int64) -> Bool
    ) throws(SystemError) -> ExpandedChecksum {
        var result = ExpandedChecksum()
        var feed = try SnapshotBytes(source)
        // What was read and not summed up yet: the last eight bytes at least, if there are as many.
        var waiting = ByteBuffer()
        var asked: Int64 = 0
        do throws(SnapshotReadError) {
            while let part = try feed.next() {
                result.bytes += Int64(part.count)
                if result.head.count < headBytes {
                    result.head += part.prefix(headBytes - result.head.count).copyToArray()
                    // What is no RDB has no checksum, and perhaps no end.
                    if result.head.count >= 5, !result.head.starts(with: Array("REDIS".utf8)) {
                        break
                    }
                }
                waiting.append(part)
                if waiting.count > 8 {
                    let summed = waiting.count - 8
                    result.computed = CRC64.update(
                        result.computed, waiting.slice.prefix(summed))
                    waiting.consume(summed)
                }
                asked += Int64(part.count)
                if asked >= 1 << 20 {
                    asked = 0
                    if !goOn(source.bytesRead) {
                        result.isInterrupted = true
                        return result
                    }
                }
            }
        } catch { result.failure = error }
        result.isExpanded = feed.isExpanded
        if waiting.count == 8 { result.stored = waiting.slice.load64(at: 0) }
        return result
    }
}
