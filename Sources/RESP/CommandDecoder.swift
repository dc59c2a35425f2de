public import HoldfastBytes

/// Why a session's input can't be read on. The text follows `ERR Protocol error: ` and is Redis's.
public struct ProtocolError: Error, Equatable {
    /// As it is sent; it may quote a byte that is no UTF-8.
    public let bytes: [UInt8]

    public var reason: String { String(decoding: bytes, as: UTF8.self) }

    init(reason: String) { bytes = Array(reason.utf8) }

    init(unexpected byte: UInt8) {
        bytes = Array("expected '$', got '".utf8) + [byte, UInt8(ascii: "'")]
    }
}

/// Incremental decoding of requests, resumable at any byte.
///
/// A request is multibulk (`*3\r\n$3\r\nSET\r\n…`) if its first byte is `*`, else one inline line.
/// Whole commands go straight into a `CommandBatch`. When the input ends inside a command, what was
/// understood of it is kept here as offsets from the command's first byte, so that a request of a
/// million arguments that arrives in small pieces is still read only once.
public struct CommandDecoder: ~Copyable {
    /// Where an unfinished multibulk command stands; `position` 0 means: at its start.
    private var position = 0
    private var remaining: Int64 = 0
    private var bulkBytes: Int64 = -1
    private var isCanonical = true
    private var ranges: [Range<Int>] = []

    public init() {}

    /// Forgets an unfinished command; its input must be given again from its first byte.
    public mutating func restart() { self = CommandDecoder() }

    public var isInsideCommand: Bool { position > 0 }

    /// The declared length of the argument that is being received, or 0: a hint how much to read.
    public var missingBytesHint: Int { bulkBytes > 0 ? Int(bulkBytes) : 0 }

    /// Decodes commands from `input` until it ends, the batch is full, or an error is met.
    ///
    /// - Parameter input: starts at the first byte of a command, also of one begun in earlier calls.
    /// - Returns: how many bytes belong to whole commands; the rest must be in front of the next input.
    public mutating func decode(
        _ input: ByteSlice, into batch: inout CommandBatch, limits: RESPLimits
    ) throws(ProtocolError) -> Int {
        var start = 0
        while start < input.count, !batch.isFull {
            let rest = input.slice(start..<input.count)
            let found = batch.count
            let used: Int
            if position > 0 {
                used = try resume(rest, into: &batch, limits: limits)
            } else if rest[0] == UInt8(ascii: "*") {
                let whole = limits.isAuthenticated ? Self.whole(rest, into: &batch) : 0
                used = whole > 0 ? whole : try multibulk(rest, into: &batch, limits: limits)
            } else {
                used = try inline(rest, into: &batch)
            }
            if used == 0 { break }
            start += used
            if batch.count > found { batch.setEnd(start) }
        }
        return start
    }

    // MARK: Whole commands

    /// Reads a command of up to nine arguments of up to 999,999 bytes that is all there and canonical, which is
    /// nearly every request; a quarter of the instructions of the general way.
    ///
    /// - Returns: the bytes of the command, or 0 if the general way has to look.
    private static func whole(_ input: ByteSlice, into batch: inout CommandBatch) -> Int {
        let end = input.count
        guard end >= 8 else { return 0 }
        // SAFETY: every load below lies before `end`, as the comparison in front of it says.
        let base = unsafe input.pointer
        let head = unsafe base.loadUnaligned(as: UInt32.self).littleEndian
        guard head & 0xFFFF_00FF == 0x0A0D_002A else { return 0 }
        let count = ((head >> 8) & 0xFF) &- 48
        guard count >= 1 && count <= 9 else { return 0 }
        let first = batch.sliceCount
        var offset = 4
        for _ in 0..<count {
            guard offset + 6 <= end else { break }
            var size: Int
            let word = unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                .littleEndian
            if word & 0xFFFF_00FF == 0x0A0D_0024 {
                size = Int((word >> 8) & 0xFF) - 48
                guard size >= 0 && size <= 9 else { break }
                offset += 4
            } else {
                guard word & 0xFF == 0x24 else { break }
                size = Int((word >> 8) & 0xFF) - 48
                guard size >= 1 && size <= 9 else { break }
                var at = offset + 2
                let last = min(offset + 7, end)
                while at < last {
                    let digit = unsafe base.load(fromByteOffset: at, as: UInt8.self) &- 48
                    if digit > 9 { break }
                    size = size &* 10 &+ Int(digit)
                    at += 1
                }
                guard at + 2 <= end,
                    unsafe base.loadUnaligned(fromByteOffset: at, as: UInt16.self).littleEndian
                        == 0x0A0D
                else { break }
                offset = at + 2
            }
            guard end - offset >= size + 2,
                unsafe base.loadUnaligned(fromByteOffset: offset + size, as: UInt16.self)
                    .littleEndian == 0x0A0D
            else { break }
            unsafe batch.append(ByteSlice(base: base + offset, count: size))
            offset += size + 2
        }
        guard batch.sliceCount - first == Int(count) else {
            batch.dropArguments(from: first)
            return 0
        }
        batch.finishCommand(firstArgument: first, canonical: input.prefix(offset))
        return offset
    }

    // MARK: Multibulk

    /// A line's number and the offset behind its CR LF; nil when the CR has not come yet.
    private enum Header {
        case number(Int64, next: Int, endsInNewline: Bool)
        case malformed
        case incomplete
    }

    @inline(__always)
    private static func header(_ input: ByteSlice, at offset: Int) -> Header {
        // The shortest forms first: one digit, and two of which the first is not 0.
        if offset + 4 < input.count {
            let first = input[offset + 1] &- 48
            if input[offset + 2] == 13, first <= 9 {
                return .number(
                    Int64(first), next: offset + 4, endsInNewline: input[offset + 3] == 10)
            }
            let second = input[offset + 2] &- 48
            if input[offset + 3] == 13, first &- 1 < 9, second <= 9 {
                return .number(
                    Int64(first) &* 10 &+ Int64(second), next: offset + 5,
                    endsInNewline: input[offset + 4] == 10)
            }
        }
        return longHeader(input, at: offset)
    }

    private static func longHeader(_ input: ByteSlice, at offset: Int) -> Header {
        var end = offset + 1
        while end < input.count, input[end] != 13 { end += 1 }
        guard end + 1 < input.count else { return .incomplete }
        guard let value = DecimalText.parse(input.slice(offset + 1..<end)) else {
            return .malformed
        }
        return .number(value, next: end + 2, endsInNewline: input[end + 1] == 10)
    }

    /// The common case: the command is all there.
    private mutating func multibulk(
        _ input: ByteSlice, into batch: inout CommandBatch, limits: RESPLimits
    ) throws(ProtocolError) -> Int {
        let first = batch.sliceCount
        var offset = 0
        var canonical = true
        var left: Int64 = 0
        switch Self.header(input, at: 0) {
        case .number(let count, let next, let endsInNewline):
            try Self.check(count: count, limits)
            if count <= 0 { return next }
            left = count
            offset = next
            canonical = endsInNewline
        case .malformed:
            throw ProtocolError(reason: "invalid multibulk length")
        case .incomplete:
            try Self.checkLine(input, from: 0, "too big mbulk count string")
            return 0
        }
        while left > 0 {
            if offset >= input.count { break }
            guard input[offset] == UInt8(ascii: "$") else { throw Self.unexpected(input[offset]) }
            switch Self.header(input, at: offset) {
            case .number(let size, let next, let endsInNewline):
                try Self.check(bulk: size, limits)
                let bytes = Int(size)
                guard input.count - next >= bytes + 2 else {
                    bulkBytes = size
                    return save(
                        &batch, from: first, input: input, at: next, left: left,
                        canonical: canonical && endsInNewline)
                }
                batch.append(input.slice(next..<next + bytes))
                offset = next + bytes + 2
                canonical =
                    canonical && endsInNewline && input[offset - 2] == 13 && input[offset - 1] == 10
                left -= 1
            case .malformed:
                throw ProtocolError(reason: "invalid bulk length")
            case .incomplete:
                try Self.checkLine(input, from: offset, "too big bulk count string")
                return save(
                    &batch, from: first, input: input, at: offset, left: left, canonical: canonical)
            }
        }
        if left > 0 {
            return save(
                &batch, from: first, input: input, at: offset, left: left, canonical: canonical)
        }
        batch.finishCommand(
            firstArgument: first, canonical: canonical ? input.slice(0..<offset) : ByteSlice())
        return offset
    }

    /// Keeps what was understood of an unfinished command; always 0 bytes used.
    private mutating func save(
        _ batch: inout CommandBatch, from first: Int, input: ByteSlice, at offset: Int, left: Int64,
        canonical: Bool
    ) -> Int {
        for index in first..<batch.sliceCount {
            let slice = batch.slice(at: index)
            // SAFETY: both pointers are into the same input.
            let start = unsafe slice.pointer - input.pointer
            ranges.append(start..<start + slice.count)
        }
        batch.dropArguments(from: first)
        position = offset
        remaining = left
        isCanonical = canonical
        return 0
    }

    /// Goes on with a command that `save` kept.
    private mutating func resume(
        _ input: ByteSlice, into batch: inout CommandBatch, limits: RESPLimits
    ) throws(ProtocolError) -> Int {
        while remaining > 0 {
            if bulkBytes < 0 {
                guard position < input.count else { return 0 }
                guard input[position] == UInt8(ascii: "$") else {
                    throw Self.unexpected(input[position])
                }
                switch Self.header(input, at: position) {
                case .number(let size, let next, let endsInNewline):
                    try Self.check(bulk: size, limits)
                    bulkBytes = size
                    position = next
                    isCanonical = isCanonical && endsInNewline
                case .malformed:
                    throw ProtocolError(reason: "invalid bulk length")
                case .incomplete:
                    try Self.checkLine(input, from: position, "too big bulk count string")
                    return 0
                }
            }
            let end = position + Int(bulkBytes)
            guard input.count >= end + 2 else { return 0 }
            ranges.append(position..<end)
            isCanonical = isCanonical && input[end] == 13 && input[end + 1] == 10
            position = end + 2
            bulkBytes = -1
            remaining -= 1
        }
        let used = position
        let first = batch.sliceCount
        for range in ranges { batch.append(input.slice(range)) }
        batch.finishCommand(
            firstArgument: first, canonical: isCanonical ? input.slice(0..<used) : ByteSlice())
        position = 0
        ranges = []
        return used
    }

    private static func check(count: Int64, _ limits: RESPLimits) throws(ProtocolError) {
        if count > RESPLimits.argumentsMax {
            throw ProtocolError(reason: "invalid multibulk length")
        }
        if !limits.isAuthenticated && count > RESPLimits.unauthenticatedArgumentsMax {
            throw ProtocolError(reason: "unauthenticated multibulk length")
        }
    }

    @inline(__always)
    private static func check(bulk size: Int64, _ limits: RESPLimits) throws(ProtocolError) {
        // `proto-max-bulk-len` may be any number; sums of a length and an offset must not overflow.
        if size < 0 || size > min(limits.bulkBytesMax, 1 << 62) {
            throw ProtocolError(reason: "invalid bulk length")
        }
        if !limits.isAuthenticated && size > RESPLimits.unauthenticatedBulkBytesMax {
            throw ProtocolError(reason: "unauthenticated bulk length")
        }
    }

    private static func checkLine(
        _ input: ByteSlice, from offset: Int, _ reason: String
    ) throws(ProtocolError) {
        if input.count - offset > RESPLimits.lineBytesMax { throw ProtocolError(reason: reason) }
    }

    private static func unexpected(_ byte: UInt8) -> ProtocolError {
        // A line end inside the text would break the reply; Redis shows it as blanks as well.
        let shown = byte == 13 || byte == 10 ? UInt8(ascii: " ") : byte
        return ProtocolError(unexpected: shown)
    }

    // MARK: Inline

    private mutating func inline(
        _ input: ByteSlice, into batch: inout CommandBatch
    ) throws(ProtocolError) -> Int {
        var end = 0
        var isPlain = true
        while end < input.count, input[end] != 10 {
            switch input[end] {
            // Besides quotes the bytes that are blanks only between words, and the one that ends a line.
            case UInt8(ascii: "\""), UInt8(ascii: "'"), 11, 12, 0: isPlain = false
            default: break
            }
            end += 1
        }
        guard end < input.count else {
            if input.count > RESPLimits.lineBytesMax {
                throw ProtocolError(reason: "too big inline request")
            }
            return 0
        }
        var line = input.slice(0..<end)
        if line.count > 0, line[line.count - 1] == 13 { line = line.slice(0..<line.count - 1) }
        let first = batch.sliceCount
        if !isPlain {
            guard let words = QuotedWords.split(line) else {
                throw ProtocolError(reason: "unbalanced quotes in request")
            }
            if words.isEmpty { return end + 1 }
            batch.append(copying: words)
        } else {
            var offset = 0
            while offset < line.count {
                while offset < line.count, Self.isBlank(line[offset]) { offset += 1 }
                let wordStart = offset
                while offset < line.count, !Self.isBlank(line[offset]) { offset += 1 }
                if offset > wordStart { batch.append(line.slice(wordStart..<offset)) }
            }
            if batch.sliceCount == first { return end + 1 }
        }
        batch.finishCommand(firstArgument: first, canonical: ByteSlice())
        return end + 1
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 32 || byte == 9 || byte == 13
    }
}
