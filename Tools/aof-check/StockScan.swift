internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log

/// One file as redis-check-aof goes over it: line by line, with that program's own messages. Nothing is held,
/// whatever a length says.
struct StockScan: ~Copyable {
    /// Where the last command ends that leaves no MULTI open.
    private(set) var wholeBytes: Int64
    /// Lines so far, as that program counts them: on from the file before, annotations not.
    private(set) var line: Int64
    /// Its message about what it found wrong.
    private(set) var failure: String?
    /// No command where one is due.
    private(set) var hasFormatError = false
    /// Where the file is to be cut, if it has records after the time asked for.
    private(set) var cutOffset: Int64?
    private(set) var bytes: Int64

    private let name: String
    /// Unix seconds; 0 for none.
    private let untilSeconds: Int64
    private var window: FileWindow
    private var position: Int64
    private var noted: Int64
    private var depth = 0

    init(_ file: any File, name: String, from offset: Int64, line: Int64, untilSeconds: Int64 = 0)
        throws(SystemError)
    {
        window = try FileWindow(file)
        bytes = window.size
        self.name = name
        self.line = line
        self.untilSeconds = untilSeconds
        position = offset
        wholeBytes = offset
        noted = 0
    }

    mutating func run(mayGoOn: () -> Bool = { true }) throws(SystemError) {
        var nextLook = position
        while true {
            if position >= nextLook {
                if !mayGoOn() { return }
                nextLook = position + 1 << 20
            }
            if depth == 0 { wholeBytes = position }
            guard position < bytes else { break }
            let first = try window.bytes(from: position, atLeast: 1)[0]
            if first == UInt8(ascii: "#") {
                guard try annotation() else { break }
            } else if first == UInt8(ascii: "*") {
                guard try command() else { break }
            } else if first == 0, try window.endOfData(from: position) == position {
                // Ours is zeroed ahead; what redis-server loads must not end so.
                break
            } else {
                hasFormatError = true
                break
            }
        }
        if position >= bytes, depth > 0, failure == nil {
            fail("Reached EOF before reading EXEC for MULTI")
        }
    }

    private mutating func fail(_ message: String) {
        let place = String(noted, radix: 16)
        let padding = String(repeating: " ", count: max(0, 16 - place.count))
        failure = "0x\(padding)\(place): \(message)"
    }

    /// Passes over a line that begins with `#`, or stops at one that is of a later time.
    private mutating func annotation() throws(SystemError) -> Bool {
        noted = position
        let bytes = try window.bytes(from: position, atLeast: 1024).prefix(1024)
        var end = 0
        while end < bytes.count, bytes[end] != 0x0a { end += 1 }
        end = min(end + 1, bytes.count)
        if untilSeconds > 0, let seconds = Self.seconds(bytes.prefix(end)), seconds > untilSeconds {
            cutOffset = position
            return false
        }
        position += Int64(end)
        return true
    }

    /// What `#TS:<seconds>` says, or the annotation of a batch of ours.
    private static func seconds(_ line: ByteSlice) -> Int64? {
        if line.prefix(4) == ByteSlice("#TS:") {
            var digits = 4
            while digits < line.count, line[digits] >= 0x30, line[digits] <= 0x39 { digits += 1 }
            return DecimalText.parse(line.slice(4..<digits))
        }
        if case .line(let annotation) = BatchDecoder.annotation(line) {
            return annotation.milliseconds / 1000
        }
        return nil
    }

    private mutating func command() throws(SystemError) -> Bool {
        guard let count = try number(UInt8(ascii: "*")) else { return false }
        var index: Int64 = 0
        while index < count {
            guard let size = try number(UInt8(ascii: "$")) else { return false }
            guard size >= 0, size < Int64.max - 2 else {
                fail(
                    "Expected to read string of \(size) bytes, which is not in the suitable range")
                return false
            }
            noted = position
            let left = bytes - position
            guard size + 2 <= left else {
                fail("Expected to read \(size + 2) bytes, got \(left) bytes")
                // That many bytes it has read.
                position = bytes
                return false
            }
            let end = try window.bytes(from: position + size, atLeast: 2).prefix(2)
            guard end[0] == 0x0d, end[1] == 0x0a else {
                fail("Expected \\r\\n, got: \(Self.hex(end[0]))\(Self.hex(end[1]))")
                return false
            }
            line += 1
            if index == 0, size == 4 || size == 5 {
                let word = try window.bytes(from: position, atLeast: size).prefix(Int(size))
                if word.equalsIgnoringCase("multi") {
                    depth += 1
                    if depth > 1 {
                        fail("Unexpected MULTI in AOF \(name)")
                        return false
                    }
                } else if word.equalsIgnoringCase("exec") {
                    depth -= 1
                    if depth != 0 {
                        fail("Unexpected EXEC in AOF \(name)")
                        return false
                    }
                }
            }
            position += size + 2
            index += 1
        }
        return true
    }

    /// A line of a prefix and a number.
    private mutating func number(_ prefix: UInt8) throws(SystemError) -> Int64? {
        noted = position
        guard position < bytes else { return nil }
        let line = try window.bytes(from: position, atLeast: 127).prefix(127)
        guard line[0] == prefix else {
            let expected = String(UnicodeScalar(prefix))
            let got = String(UnicodeScalar(line[0]))
            fail("Expected prefix '\(expected)', got: '\(got)'")
            return nil
        }
        var end = 1
        if end < line.count, line[end] == UInt8(ascii: "-") { end += 1 }
        while end < line.count, line[end] >= 0x30, line[end] <= 0x39 { end += 1 }
        let digits = line.slice(1..<end)
        // No number counts as 0, one too large as the largest.
        let largest = digits.count > 18 ? Int64.max : 0
        let value = DecimalText.parse(digits) ?? (digits.prefix(1) == ByteSlice("-") ? 0 : largest)
        // A line ends with its newline, and what isn't there counts as zero.
        let first = end < line.count ? line[end] : 0
        let second = first != 0x0a && end + 1 < line.count ? line[end + 1] : 0
        guard first == 0x0d, second == 0x0a else {
            fail("Expected \\r\\n, got: \(Self.hex(first))\(Self.hex(second))")
            return nil
        }
        self.line += 1
        position += Int64(end) + 2
        return value
    }

    private static func hex(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.count < 2 ? "0" + text : text
    }
}
