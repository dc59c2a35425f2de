internal import AOFCheck
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import TestSupport
internal import ToolKit

/// aof-check on anything: every command ends with a status that means something, its verdict is what a start
/// does, and what `fix` says it has mended is sound.
///
/// The first byte says what the input becomes: one file; a folder's base, manifest and segment, as they are; or
/// a folder made from batches, some of whose bytes are then changed.
enum AOFCheckTarget {
    private static let folder = LogFolder(directory: "/d")
    private static let history = HistoryID(1, 2, 3)

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        let disk = SimDisk()
        disk.installFolder("/d")
        let way = input.byte() % 3
        if way == 0 {
            disk.install("/d/file.aof", input.rest())
            try look(at: "/d/file.aof", disk)
            return
        }
        disk.installFolder(folder.path)
        if way == 1 {
            disk.install(folder.manifestPath, input.bytes(input.number16()))
            disk.install(folder.path(of: folder.segmentName(1)), input.bytes(input.number16()))
            disk.install(folder.path(of: folder.baseName(1)), input.rest())
        } else {
            make(&input, on: disk)
        }
        try look(at: folder.path, disk)
    }

    /// Two segments of some batches, then changed.
    private static func make(_ input: inout InputCursor, on disk: SimDisk) {
        var manifest = Manifest(history: history)
        var files: [(name: String, bytes: [UInt8])] = []
        var lsn: UInt64 = 0
        for number in UInt64(1)...2 {
            let name = folder.segmentName(number)
            manifest.lines.append(
                .init(name: name, sequence: number, type: .incremental, firstLSN: LSN(lsn)))
            var segment = ByteBuffer()
            BatchEncoder.openingLine(
                into: &segment, segment: number, firstLSN: LSN(lsn), history: history,
                milliseconds: 1, database: 0)
            for _ in 0..<input.byte() % 4 {
                let value = input.bytes(input.byte() % 32)
                var records = ByteBuffer()
                records.append("*2\r\n$6\r\nAPPEND\r\n$")
                records.append(decimal: Int64(value.count))
                records.append("\r\n")
                records.append(value)
                records.append("\r\n")
                BatchEncoder.annotation(
                    into: &segment, firstLSN: LSN(lsn), records: records.slice, milliseconds: 2,
                    durable: LSN(lsn))
                segment.append(records.slice)
                lsn += UInt64(records.count)
            }
            files.append((name, segment.copyToArray()))
        }
        if input.byte() % 2 == 1 { manifest.durable = LSN(lsn) }
        var text = ByteBuffer()
        manifest.append(to: &text)
        if input.byte() % 4 != 0 { files.append((folder.manifestName, text.copyToArray())) }
        while !input.isAtEnd {
            let index = input.byte() % files.count
            let position = input.number16()
            let change = UInt8(input.byte())
            if change == 0 {
                files[index].bytes = Array(files[index].bytes.prefix(position))
            } else if !files[index].bytes.isEmpty {
                files[index].bytes[position % files[index].bytes.count] ^= change
            }
        }
        for file in files { disk.install(folder.path(of: file.name), file.bytes) }
    }

    private static func look(at path: String, _ disk: SimDisk) throws(FuzzFailure) {
        let verdict = status(["--json", path], disk)
        // 2 is for a folder that holds nothing of a log.
        try expect([0, 1, 2, 3, 4, 5].contains(verdict), "verify ended with \(verdict)")
        for words in [
            ["ls"], ["cat", "--tail", "3"], ["points"], ["stats"],
            ["cut", "--to-lsn", "20", "-o", "/d/cut"],
        ] {
            let code = status(words + [path], disk)
            try expect([0, 1, 2, 3, 4, 5].contains(code), "\(words) ended with \(code)")
        }
        if path != folder.path {
            let old = status([path], disk, calledAs: "redis-check-aof")
            try expect(old == 0 || old == 1, "redis-check-aof ended with \(old)")
        } else if verdict != 2 {
            try compareWithStart(verdict, disk)
        }
        let fixed = status(["fix", "--yes", path], disk)
        try expect([0, 1, 2, 3, 4, 5].contains(fixed), "fix ended with \(fixed)")
        if fixed == 0 {
            let again = status([path], disk)
            try expect(again == 0, "after a fix, verify ended with \(again)")
        }
    }

    private static func compareWithStart(_ verdict: Int32, _ disk: SimDisk) throws(FuzzFailure) {
        // A base is the RDB target's affair; without one the two readings are the same.
        if disk.contents(folder.path(of: folder.baseName(1))) != nil { return }
        let settings = RecoverySettings(folder: folder, freshHistory: history)
        var error: LogReadError?
        do throws(LogReadError) {
            _ = try LogReader.inspect(settings, on: disk)
        } catch let found { error = found }
        let isAccepted = verdict == 0 || verdict == 5
        try expect(
            isAccepted == (error == nil),
            "verify ended with \(verdict), a start says \(error.map { "\($0)" } ?? "nothing")")
    }

    private static func status(
        _ words: [String], _ disk: SimDisk, calledAs name: String = "aof-check"
    ) -> Int32 {
        AOFCheck.run(words, calledAs: name, output: Output.kept(), on: disk)
    }
}
