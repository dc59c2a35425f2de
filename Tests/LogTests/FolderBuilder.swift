import HoldfastBytes
import HoldfastPlatform

@testable import Log

let testHistory = HistoryID(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0xdead_beef)
let freshHistory = HistoryID(1, 2, 3)
let testFolder = LogFolder(directory: "/d")

/// The canonical record of some words.
func record(_ words: String...) -> [UInt8] {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    return bytes
}

/// Builds a log folder byte by byte, and remembers what is in it.
struct FolderBuilder {
    struct Batch: Equatable {
        var file: String
        /// Where its annotation begins in the file.
        var offset: Int
        var firstLSN: UInt64
        var endLSN: UInt64
        var durable: UInt64
        var records: [UInt8]
    }

    var contents = MemoryDisk.Contents()
    var manifest = Manifest(history: testHistory)
    var batches: [Batch] = []
    var lsn: UInt64
    var milliseconds: Int64 = 1_700_000_000_000
    private var file = ""

    init(lsn: UInt64 = 0) {
        self.lsn = lsn
        contents.folders.insert(testFolder.path)
    }

    /// Begins segment `number`, listed in the manifest unless said otherwise.
    mutating func segment(_ number: UInt64, database: Int = 0, isListed: Bool = true) {
        let name = testFolder.segmentName(number)
        if isListed {
            manifest.lines.append(
                .init(name: name, sequence: number, type: .incremental, firstLSN: LSN(lsn)))
        }
        file = testFolder.path(of: name)
        var buffer = ByteBuffer()
        BatchEncoder.openingLine(
            into: &buffer, segment: number, firstLSN: LSN(lsn), history: testHistory,
            milliseconds: milliseconds, database: database)
        contents.files[file] = buffer.copyToArray()
    }

    mutating func batch(durable: UInt64? = nil, _ records: [UInt8]...) {
        let all = Array(records.joined())
        milliseconds += 10
        var buffer = ByteBuffer()
        all.withSlice { slice in
            BatchEncoder.annotation(
                into: &buffer, firstLSN: LSN(lsn), records: slice, milliseconds: milliseconds,
                durable: LSN(durable ?? lsn))
        }
        batches.append(
            Batch(
                file: file, offset: contents.files[file]?.count ?? 0, firstLSN: lsn,
                endLSN: lsn + UInt64(all.count), durable: durable ?? lsn, records: all))
        contents.files[file]? += buffer.copyToArray() + all
        lsn += UInt64(all.count)
    }

    mutating func raw(_ bytes: [UInt8]) { contents.files[file]? += bytes }

    mutating func plainFile(_ name: String, _ bytes: [UInt8]) {
        contents.files[testFolder.path(of: name)] = bytes
    }

    /// Writes the manifest as it stands.
    mutating func writeManifest() {
        var buffer = ByteBuffer()
        manifest.append(to: &buffer)
        contents.files[testFolder.manifestPath] = buffer.copyToArray()
    }

    mutating func writeManifest(text: String) {
        contents.files[testFolder.manifestPath] = Array(text.utf8)
    }

    var records: [UInt8] { Array(batches.map(\.records).joined()) }
}

/// What a recovery gave out.
struct Loaded {
    var records: [UInt8] = []
    var databases: [Int] = []
    var firstLSNs: [UInt64] = []
    var beginnings: [Bool] = []
    var log: RecoveredLog
}

func settings(loadsTruncated: Bool = true, mayStartEmpty: Bool = false) -> RecoverySettings {
    var settings = RecoverySettings(folder: testFolder, freshHistory: freshHistory)
    settings.loadsTruncated = loadsTruncated
    settings.mayStartEmpty = mayStartEmpty
    return settings
}

/// Recovers from `disk` and, like a process that ends, gives the lock back.
func recover(
    _ disk: MemoryDisk, _ settings: RecoverySettings = settings(), inspects: Bool = false,
    apply: (RecordBatch) throws -> Void = { _ in }
) throws(LogReadError) -> Loaded {
    var loaded = Loaded(
        log: RecoveredLog(
            manifest: Manifest(), histories: Histories(freshHistory, from: .zero)))
    func take(_ batch: RecordBatch) throws {
        loaded.records += batch.records.copyToArray()
        loaded.databases.append(batch.database)
        loaded.firstLSNs.append(batch.firstLSN.value)
        loaded.beginnings.append(batch.beginsFile)
        try apply(batch)
    }
    let log =
        inspects
        ? try LogReader.inspect(settings, on: disk, apply: take)
        : try LogReader.recover(settings, on: disk, apply: take)
    loaded.log = log
    log.lock?.close()
    return loaded
}
