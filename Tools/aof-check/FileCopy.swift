internal import HoldfastBytes
internal import HoldfastPlatform
internal import ToolKit

/// Copies a part of a file; what it makes is durable at return, its name once the folder is synced.
enum FileCopy {
    static func copy(
        _ source: String, _ range: Range<Int64>, to target: String,
        adding tail: ByteSlice = ByteSlice(),
        on disk: any FileSystem, console: Console
    ) throws {
        let from = try disk.open(source, .read)
        defer { from.close() }
        let to = try disk.open(target, .createNew)
        defer { to.close() }
        let bar = console.progress("copying", totalBytes: Int64(range.count))
        defer { bar.finish() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            if console.isInterrupted { throw Interrupted() }
            var buffer = ByteBuffer()
            let wanted = Int(min(1 << 20, range.upperBound - offset))
            let got = try from.readAll(at: offset, count: wanted, into: &buffer)
            if got < wanted { throw SystemError(call: "read", path: source, errno: 5) }
            try to.writeAll(buffer.slice, at: offset - range.lowerBound)
            offset += Int64(got)
            bar.update(offset - range.lowerBound)
        }
        if !tail.isEmpty { try to.writeAll(tail, at: Int64(range.count)) }
        try to.sync()
    }
}
