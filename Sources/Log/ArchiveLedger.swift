internal import HoldfastBytes
internal import HoldfastPlatform

/// How far the archive has come. It is kept in the log folder, so that a restart goes on where it was:
///
///     #HFA 1 <segment> <base> <crc>\n
///
/// All segments up to that number, and all bases up to that one, have been taken by the archive. The crc is that of
/// the text before the blank that precedes it. A mark that can't be read counts for nothing: everything
/// is then handed to the archive once more.
struct ArchiveMark: Equatable {
    static let name = "holdfast.archived"
    static let temporaryName = "temp-holdfast.archived"
    private static let tag: StaticString = "#HFA 1 "
    private static let bytesMax = 7 + 20 + 20 + 9 + 1

    var segment: UInt64 = 0
    var base: UInt64 = 0

    init() {}

    init?(parsing line: ByteSlice) {
        let tag = ByteSlice(Self.tag)
        guard line.count > tag.count + LogFormat.crcFieldBytes, line.prefix(tag.count) == tag,
            line[line.count - 1] == 0x0a
        else { return nil }
        var fields = FieldCursor(line.slice(tag.count..<line.count - 1))
        guard let segment = fields.number(), let base = fields.number(),
            let crc = fields.checksum(), fields.isAtEnd,
            CRC32C.of(line.prefix(line.count - 1 - LogFormat.crcFieldBytes)) == crc
        else { return nil }
        self.segment = UInt64(segment)
        self.base = UInt64(base)
    }

    static func read(_ folder: LogFolder, on fileSystem: any FileSystem) -> ArchiveMark {
        do throws(SystemError) {
            let path = folder.path(of: name)
            guard try fileSystem.kind(of: path) != nil else { return ArchiveMark() }
            let bytes = try fileSystem.readWhole(path, bytesMax: bytesMax)
            return bytes.withSlice { ArchiveMark(parsing: $0) } ?? ArchiveMark()
        } catch {
            return ArchiveMark()
        }
    }

    /// Durable at return.
    func write(_ folder: LogFolder, on fileSystem: any FileSystem) throws(SystemError) {
        var text = ByteBuffer()
        text.append(Self.tag)
        text.append(LSN(segment))
        text.append(" ")
        text.append(LSN(base))
        let crc = CRC32C.of(text.slice)
        text.append(" ")
        HexText.append(UInt64(crc), digits: 8, to: &text)
        text.append("\n")
        try AtomicReplace.replace(
            Self.name, in: folder.path, temporary: Self.temporaryName, with: text.slice,
            on: fileSystem)
    }

    /// The mark once `task` is done.
    func after(_ task: ArchiveTask) -> ArchiveMark {
        var next = self
        switch task {
        case .segment(_, let number): next.segment = number
        case .base(_, let number): next.base = number
        case .manifest: break
        }
        return next
    }
}

/// What the archive gets next.
enum ArchiveTask: Equatable {
    case segment(name: String, UInt64)
    case base(name: String, UInt64)
    /// The manifest of what the archive has: with it, the archive is a log folder by itself.
    case manifest(Manifest)
}

/// What the archive has, and what it lacks.
struct ArchiveLedger {
    private(set) var mark: ArchiveMark
    /// The manifest that it has, as far as is known since the start.
    private var shipped: Manifest?

    init(_ mark: ArchiveMark) { self.mark = mark }

    func has(_ segment: SealedSegment) -> Bool { segment.sequence <= mark.segment }

    func has(_ base: LogBase) -> Bool { base.sequence <= mark.base }

    mutating func note(_ task: ArchiveTask) {
        mark = mark.after(task)
        if case .manifest(let manifest) = task { shipped = manifest }
    }

    /// - Parameters:
    ///   - segments: sealed, in the order of LSNs; so are `bases`.
    ///   - manifest: see `manifest(of:base:sealed:)`.
    func next(segments: [SealedSegment], bases: [LogBase], manifest: Manifest?) -> ArchiveTask? {
        // First what makes use of the last file that went.
        if let manifest, manifest != shipped { return .manifest(manifest) }
        let segment = segments.first { !has($0) }
        if let base = bases.first(where: { !has($0) }),
            segment.map({ base.lsn <= $0.firstLSN }) ?? true
        {
            return .base(name: base.name, base.sequence)
        }
        return segment.map { .segment(name: $0.name, $0.sequence) }
    }

    /// How many files it lacks.
    func pending(segments: [SealedSegment], bases: [LogBase], manifest: Manifest?) -> Int {
        segments.count { !has($0) } + bases.count { !has($0) }
            + (manifest != nil && manifest != shipped ? 1 : 0)
    }

    /// The manifest of what the archive has of the files in force: a log that a start can load; nil if it lacks
    /// the base.
    func manifest(
        of manifest: Manifest, base: LogBase?, sealed: [SealedSegment]
    ) -> Manifest? {
        if let base, !has(base) { return nil }
        let whole = sealed.prefix { has($0) }
        guard let durable = whole.last?.end ?? base?.lsn else { return nil }
        let names = Set(whole.map(\.name) + [base?.name].compactMap { $0 })
        return Manifest(
            history: manifest.history, durable: durable,
            lines: manifest.lines.filter { $0.type != .history && names.contains($0.name) })
    }
}
