public import HoldfastBytes
public import HoldfastPlatform

/// A file read front to back in bounded memory: a window that moves, and grows only for one item that
/// is larger. Offsets beyond the size at opening don't exist, whatever a length field claims.
public struct FileWindow: ~Copyable {
    public let size: Int64
    private let file: any File
    private let bytesStep: Int
    private var buffer = ByteBuffer()
    private var start: Int64 = 0

    /// - Parameter bytes: where the file ends for us; nil for its size.
    public init(_ file: any File, bytes: Int64? = nil, step: Int = 1 << 20) throws(SystemError) {
        self.file = file
        let actual = try file.size()
        size = min(actual, bytes ?? actual)
        bytesStep = step
    }

    /// The bytes from `offset` on: at least `count` of them, or all that the file has. Valid until the
    /// next call.
    public mutating func bytes(from offset: Int64, atLeast count: Int64) throws(SystemError)
        -> ByteSlice
    {
        if offset >= size { return ByteSlice() }
        let held = start + Int64(buffer.count)
        if offset < start || offset > held {
            buffer.removeAll()
            start = offset
        } else {
            buffer.consume(Int(offset - start))
            start = offset
        }
        let wanted = min(count, size - offset)
        if Int64(buffer.count) < wanted {
            let missing = Int(min(max(wanted, Int64(bytesStep)), size - offset)) - buffer.count
            let from = start + Int64(buffer.count)
            let got = try file.readAll(at: from, count: missing, into: &buffer)
            // The file got shorter while we read it.
            if got < missing { throw SystemError(call: "read", path: file.path, errno: 5) }
        }
        return buffer.slice
    }

    /// The bytes from `offset` on, at least one window of them or all that the file has.
    public mutating func bytes(from offset: Int64) throws(SystemError) -> ByteSlice {
        try bytes(from: offset, atLeast: Int64(bytesStep))
    }

    /// The offset after the last byte at or after `offset` that isn't zero; `offset` if all are.
    public mutating func endOfData(from offset: Int64) throws(SystemError) -> Int64 {
        var end = offset
        var position = offset
        while position < size {
            let part = try bytes(from: position)
            if let last = part.lastNonZero { end = position + Int64(last) + 1 }
            position += Int64(part.count)
        }
        return end
    }
}

extension ByteSlice {
    /// The index of the last byte that isn't zero.
    fileprivate var lastNonZero: Int? {
        var index = count
        while index >= 8 && load64(at: index - 8) == 0 { index -= 8 }
        while index > 0 {
            index -= 1
            if self[index] != 0 { return index }
        }
        return nil
    }
}
