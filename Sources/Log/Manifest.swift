public import HoldfastBytes
public import HoldfastPlatform
internal import HoldfastRESP

/// The file that names base and segments in force. Redis's grammar; our additions are described in
/// LogFormat.swift.
public struct Manifest: Equatable, Sendable {
    public enum FileType: Sendable { case base, history, incremental }

    /// One file.
    public struct Line: Equatable, Sendable {
        public var name: String
        public var sequence: UInt64
        public var type: FileType
        /// A segment of ours: its first LSN. A base: the LSN it stands for. Nil for a plain AOF file.
        public var firstLSN: LSN?
        /// The bytes of the file that count; nil for all of them.
        public var bytes: Int64?
        /// The history that the file is of, unless it is the manifest's.
        public var history: HistoryID?

        public init(
            name: String, sequence: UInt64, type: FileType, firstLSN: LSN? = nil,
            bytes: Int64? = nil, history: HistoryID? = nil
        ) {
            self.name = name
            self.sequence = sequence
            self.type = type
            self.firstLSN = firstLSN
            self.bytes = bytes
            self.history = history
        }
    }

    /// The one in force; nil when Redis wrote the manifest.
    public var history: HistoryID?
    /// What was on stable storage when the manifest was written.
    public var durable: LSN
    /// Every file in the order of the text.
    public var lines: [Line]

    public init(history: HistoryID? = nil, durable: LSN = .zero, lines: [Line] = []) {
        self.history = history
        self.durable = durable
        self.lines = lines
    }

    public var base: Line? { lines.first { $0.type == .base } }

    /// The files to load, in order: the base first, wherever its line stands.
    public var loaded: [Line] {
        lines.filter { $0.type == .base } + lines.filter { $0.type == .incremental }
    }

    /// The highest number of any incremental file, retired ones included; 0 without any.
    public var sequenceMax: UInt64 {
        lines.lazy.filter { $0.type != .base }.map(\.sequence).max() ?? 0
    }

    /// No manifest of ours or Redis's comes near; what is longer is refused unread.
    public static let bytesMax = 4 << 20
    /// A line without its end; Redis reads 1,024 bytes at a time.
    static let lineBytesMax = 1023
    /// The longest that a line can be without its file name.
    static let fieldsBytesMax =
        "file  seq  type i lsn  bytes  history \n".utf8.count + 3 * 20
        + HistoryID.textBytes
}

/// What is wrong with a manifest. `reason` has Redis's words where Redis refuses the same.
public struct ManifestError: Error, Equatable, Sendable {
    public var lineNumber: Int
    public var line: String
    public var reason: String
}

// MARK: - Reading

extension Manifest {
    /// Reads the bytes of a manifest.
    public init(parsing bytes: ByteSlice) throws(ManifestError) {
        self.init()
        if bytes.isEmpty {
            throw ManifestError(lineNumber: 0, line: "", reason: "Found an empty AOF manifest")
        }
        let seal = try Self.seal(bytes)
        var offset = 0
        var number = 0
        while offset < bytes.count {
            let text = Self.line(bytes, at: offset)
            offset += text.count
            number += 1
            if text[0] == 0x23 { continue }
            do throws(LineFault) {
                try add(try Self.parse(text))
            } catch {
                throw ManifestError(
                    lineNumber: number, line: Self.trimmed(text).text, reason: error.reason)
            }
        }
        if let seal {
            history = seal.history
            durable = seal.durable
        } else if let ours = lines.first(where: { $0.firstLSN != nil || $0.bytes != nil }) {
            throw ManifestError(
                lineNumber: 1, line: Self.trimmed(Self.line(bytes, at: 0)).text,
                reason: "\(ours.name) has an LSN, but the manifest's first line isn't ours")
        }
    }

    private struct LineFault: Error { var reason: String }

    private static let wrongFormat = "Invalid AOF manifest file format"

    /// The first line of a manifest of ours, checked against all the rest; nil for any other first line.
    private static func seal(_ bytes: ByteSlice) throws(ManifestError) -> (
        history: HistoryID, durable: LSN
    )? {
        let tag = ByteSlice(LogFormat.manifestTag)
        guard bytes.prefix(3) == tag.prefix(3) else { return nil }
        let line = line(bytes, at: 0)
        func damaged(_ reason: String) -> ManifestError {
            ManifestError(lineNumber: 1, line: trimmed(line).text, reason: reason)
        }
        guard line.prefix(tag.count) == tag, line.count > tag.count + LogFormat.crcFieldBytes,
            line[line.count - 1] == 0x0a
        else { throw damaged("the manifest's first line is damaged") }
        var fields = FieldCursor(line.slice(tag.count..<line.count - 1))
        guard let version = fields.number() else {
            throw damaged("the manifest's first line is damaged")
        }
        guard version == LogFormat.version else {
            throw damaged(LogFormat.unknownVersion(version))
        }
        guard let history = fields.history(), let durable = fields.number(),
            let crc = fields.checksum(), fields.isAtEnd
        else { throw damaged("the manifest's first line is damaged") }
        let text = line.prefix(line.count - 1 - LogFormat.crcFieldBytes)
        guard CRC32C.update(CRC32C.of(text), bytes.dropFirst(line.count)) == crc else {
            throw damaged("the manifest fails its checksum")
        }
        return (history, LSN(UInt64(durable)))
    }

    /// The line at `offset` with its end, as `fgets` of 1,024 bytes would give it.
    private static func line(_ bytes: ByteSlice, at offset: Int) -> ByteSlice {
        var end = offset
        let limit = min(bytes.count, offset + lineBytesMax + 1)
        while end < limit {
            end += 1
            if bytes[end - 1] == 0x0a { break }
        }
        return bytes.slice(offset..<end)
    }

    private static func trimmed(_ line: ByteSlice) -> ByteSlice {
        func isBlank(_ byte: UInt8) -> Bool {
            byte == 0x20 || byte == 0x09 || byte == 0x0d || byte == 0x0a
        }
        var start = 0
        var end = line.count
        while start < end && isBlank(line[start]) { start += 1 }
        while end > start && isBlank(line[end - 1]) { end -= 1 }
        return line.slice(start..<end)
    }

    private static func parse(_ text: ByteSlice) throws(LineFault) -> Line {
        // A zero byte would end the line for Redis, too, before its newline.
        for index in 0..<text.count where text[index] == 0 {
            throw LineFault(reason: "The AOF manifest file contains too long line")
        }
        guard text[text.count - 1] == 0x0a else {
            throw LineFault(reason: "The AOF manifest file contains too long line")
        }
        guard let words = QuotedWords.split(trimmed(text)), words.count >= 6, words.count % 2 == 0
        else { throw LineFault(reason: wrongFormat) }
        var name: String?
        var sequence: UInt64?
        var type: UInt8?
        var firstLSN: LSN?
        var bytes: Int64?
        var history: HistoryID?
        for index in stride(from: 0, to: words.count, by: 2) {
            let value = words[index + 1]
            switch String(decoding: words[index], as: UTF8.self).lowercased() {
            case "file":
                if value.contains(0x2f) || value.contains(0x5c) {
                    throw LineFault(reason: "File can't be a path, just a filename")
                }
                guard let text = String(validating: value, as: UTF8.self), !value.contains(0),
                    text != "", text != ".", text != ".."
                else { throw LineFault(reason: wrongFormat) }
                name = text
            case "seq":
                guard let number = value.withSlice({ FieldCursor.digits($0) }), number > 0 else {
                    throw LineFault(reason: wrongFormat)
                }
                sequence = UInt64(number)
            case "type": type = value.first
            case "lsn":
                guard let number = value.withSlice({ FieldCursor.digits($0) }) else {
                    throw LineFault(reason: wrongFormat)
                }
                firstLSN = LSN(UInt64(number))
            case "bytes":
                guard let number = value.withSlice({ FieldCursor.digits($0) }) else {
                    throw LineFault(reason: wrongFormat)
                }
                bytes = number
            case "history":
                guard let id = value.withSlice({ HistoryID($0) }) else {
                    throw LineFault(reason: wrongFormat)
                }
                history = id
            default: break
            }
        }
        guard let name, let sequence, let type else { throw LineFault(reason: wrongFormat) }
        // Quoted, a name can be four times as long; what couldn't be read back must not be taken over.
        var quoted = ByteBuffer()
        name.withSlice { append(name: $0, to: &quoted) }
        guard quoted.count <= lineBytesMax - fieldsBytesMax else {
            throw LineFault(reason: "The AOF manifest file contains too long line")
        }
        let fileType: FileType? =
            switch type {
            case 0x62: .base
            case 0x68: .history
            case 0x69: .incremental
            default: nil
            }
        guard let fileType else { throw LineFault(reason: "Unknown AOF file type") }
        return Line(
            name: name, sequence: sequence, type: fileType, firstLSN: firstLSN, bytes: bytes,
            history: history)
    }

    private mutating func add(_ line: Line) throws(LineFault) {
        switch line.type {
        case .base where base != nil:
            throw LineFault(reason: "Found duplicate base file information")
        // They rise, so the last one is the highest.
        case .incremental
        where lines.last { $0.type == .incremental }?.sequence ?? 0 >= line.sequence:
            throw LineFault(reason: "Found a non-monotonic sequence number")
        default: lines.append(line)
        }
    }
}

// MARK: - Histories

extension Manifest {
    /// Lets `id` be in force: all files that are listed by now are of what was in force before.
    mutating func begin(_ id: HistoryID) {
        guard let before = history, before != id else {
            history = id
            return
        }
        for index in lines.indices {
            let own = lines[index].history ?? before
            lines[index].history = own == id || lines[index].firstLSN == nil ? nil : own
        }
        history = id
    }

    /// What the listed files tell of histories; nil unless the manifest is ours.
    var histories: Histories? {
        guard let history else { return nil }
        // Where a base and a segment stand for the same LSN, the base is of what was before.
        let files = lines.compactMap { line in
            line.firstLSN.map { ($0, line.isBase ? 0 : line.sequence, line.history ?? history) }
        }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }
        var result = Histories(files.first?.2 ?? history, from: files.first?.0 ?? .zero)
        for (lsn, _, id) in files.dropFirst() { result.begin(id, at: lsn) }
        result.begin(history, at: max(durable, files.last?.0 ?? .zero))
        return result
    }
}

extension Manifest.Line {
    /// Also one that was superseded.
    fileprivate var isBase: Bool {
        type == .base || name.hasSuffix(".base.rdb") || name.hasSuffix(".base.aof")
    }
}

// MARK: - Writing

extension Manifest {
    /// Appends the manifest's text: base, history and incremental files, as Redis orders them.
    public func append(to buffer: inout ByteBuffer) {
        var rest = ByteBuffer()
        for type in [FileType.base, .history, .incremental] {
            for line in lines where line.type == type { Self.append(line, to: &rest) }
        }
        if let history {
            let start = buffer.count
            buffer.append(LogFormat.manifestTag)
            buffer.append(decimal: LogFormat.version)
            buffer.append(" ")
            history.append(to: &buffer)
            buffer.append(" ")
            buffer.append(durable)
            let crc = CRC32C.update(CRC32C.of(buffer.slice.dropFirst(start)), rest.slice)
            buffer.append(" ")
            HexText.append(UInt64(crc), digits: 8, to: &buffer)
            buffer.append("\n")
        }
        buffer.append(rest.slice)
    }

    /// In quotes only if it couldn't stand without.
    private static func append(name: ByteSlice, to buffer: inout ByteBuffer) {
        for index in 0..<name.count {
            let byte = name[index]
            if byte <= 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x27 || byte == 0x5c {
                buffer.append(quoted: name)
                return
            }
        }
        buffer.append(name)
    }

    private static func append(_ line: Line, to buffer: inout ByteBuffer) {
        buffer.append("file ")
        line.name.withSlice { append(name: $0, to: &buffer) }
        buffer.append(" seq ")
        buffer.append(LSN(line.sequence))
        switch line.type {
        case .base: buffer.append(" type b")
        case .history: buffer.append(" type h")
        case .incremental: buffer.append(" type i")
        }
        if let lsn = line.firstLSN {
            buffer.append(" lsn ")
            buffer.append(lsn)
        }
        if let bytes = line.bytes {
            buffer.append(" bytes ")
            buffer.append(decimal: bytes)
        }
        if let history = line.history {
            buffer.append(" history ")
            history.append(to: &buffer)
        }
        buffer.append("\n")
    }

    /// Puts this manifest in force, atomically; durable at return. For errors see
    /// `AtomicReplace.replace`.
    public func swap(into folder: LogFolder, on fileSystem: any FileSystem) throws(SystemError) {
        var text = ByteBuffer()
        append(to: &text)
        try AtomicReplace.replace(
            folder.manifestName, in: folder.path, temporary: folder.temporaryManifestName,
            with: text.slice, on: fileSystem)
    }
}
