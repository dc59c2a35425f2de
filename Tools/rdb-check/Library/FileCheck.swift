internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store
internal import ToolKit

/// Verifies one file: every value is taken apart as a loading server would, duplicates are looked for, and the checksums
/// are compared. Where something is wrong the checksum is asked which bytes were changed.
struct FileCheck {
    var isQuick = false
    /// Looks for keys that are there twice.
    var looksForRepeatedKeys = true
    var isThreaded = true
    /// Asked about once a MiB with the bytes read; false ends it.
    var goOn: (Int64) -> Bool = { _ in true }

    private struct Visitor: PlainVisitor {
        let repeated: RepeatedKeys?
        var passedOver: UInt64 = 0

        mutating func begin(_ key: KeyFacts) -> Bool {
            repeated?.add(key.key, key.database)
            return true
        }
        mutating func end(_ key: KeyFacts) {}
        mutating func passedOver(bytes: UInt64) { passedOver += 1 }
    }

    func run(_ path: String) -> CheckedFile {
        let clock = SystemClock()
        let start = clock.monotonicNanoseconds
        var result = CheckedFile(path: path)
        do throws(SystemError) {
            let file = try InputFile(path)
            result.fileBytes = file.bytes
            let source = try InputSource(path)
            result.wrapping = source.wrappingName
            if isQuick {
                try sumUp(source, file, &result)
            } else {
                try walk(source, file, &result)
            }
            if result.fileBytes == nil { result.fileBytes = source.bytesRead }
        } catch {
            if error.isInterruption {
                result.isInterrupted = true
            } else {
                result.verdict = .unreadable
                result.damage = Damage("\(error)")
            }
        }
        result.nanoseconds = clock.monotonicNanoseconds &- start
        return result
    }

    private func walk(
        _ source: InputSource, _ file: InputFile, _ result: inout CheckedFile
    ) throws(SystemError) {
        let longStrings = LongStrings()
        let repeated = looksForRepeatedKeys ? RepeatedKeys() : nil
        let settings = WalkSettings(sourceBytes: file.bytes, isThreaded: isThreaded)
        var walk = try Walk(
            source, Visitor(repeated: repeated), longStrings: longStrings, settings: settings)
        var failure: WalkFailure?
        do throws(WalkFailure) {
            try walk.run(goOn)
            // The wrapping has a checksum of its own at its end.
            if source.wrappingName != "plain" { try walk.drain() }
        } catch { failure = error }
        if failure == nil, source.wrapperTrouble != .none {
            failure = .read(walk.endsEarly)
        }
        walk.tally.keep()
        result.tally = walk.tally
        result.version = walk.reader.version
        result.aux = walk.reader.aux
        result.plainBytes = walk.reader.offset
        if walk.reader.isExpanded {
            result.wrapping = result.wrapping == "plain" ? "lz4" : "lz4 in \(result.wrapping)"
        }
        let passedOver = walk.sink.visitor.passedOver
        let record = walk.recordOffset
        let lacksChecksum = walk.reader.lacksChecksum
        switch failure {
        case nil:
            result.checksum = lacksChecksum ? .absent : .right
            takeNotes(&result, passedOver: passedOver, file: file)
            if let repeated { try look(repeated, file, &result) }
        case .read(let error):
            try judge(error, source, file, record: record, &result)
        case .system(let error): throw error
        case .interrupted, .usage, .wrapping: result.isInterrupted = true
        }
    }

    private func takeNotes(_ result: inout CheckedFile, passedOver: UInt64, file: InputFile) {
        if passedOver > 0 {
            result.notes.append(
                "\(passedOver) packed values over 16 MiB, of streams or of versions before 7 or with elements over 4 MiB, were not taken apart wholly"
            )
        }
        if result.tally.moduleValues > 0 {
            result.notes.append(
                "\(result.tally.moduleValues) values belong to modules: a server without them refuses the file"
            )
        }
        if result.tally.emptyValues > 0 {
            result.notes.append(
                "\(result.tally.emptyValues) keys have empty values, which a server leaves out")
        }
        if let bytes = file.bytes, result.wrapping == "plain", bytes > result.plainBytes {
            result.notes.append(
                "\(bytes - result.plainBytes) bytes follow the end of the RDB; in a log's base they are commands, which aof-check reads"
            )
        }
    }

    // MARK: What is wrong

    private func judge(
        _ error: SnapshotReadError, _ source: InputSource, _ file: InputFile, record: Int64,
        _ result: inout CheckedFile
    ) throws(SystemError) {
        if let system = error.system { throw system }
        var damage = Damage(error)
        if error.key != nil || error.form != nil { damage.recordOffset = record }
        if let (message, verdict) = source.wrapperDamage {
            damage.message = message
            result.verdict = verdict
            result.damage = damage
            return
        }
        if error.reason == .checksum { result.checksum = .wrong }
        result.verdict = Self.verdict(error, bytes: result.plainBytes)
        result.damage = damage
        if let bytes = file.bytes, result.wrapping == "plain" {
            try locate(bytes, file, &result)
        }
    }

    /// - Parameter bytes: how many there are in all, as far as is known.
    static func verdict(_ error: SnapshotReadError, bytes: Int64) -> Verdict {
        switch error.reason {
        case .endsEarly, .lz4EndsEarly: .torn
        // Shorter than a head: nothing says that it was not to become one.
        case .noMagic: bytes < 9 ? .torn : .foreign
        case .newerVersion where error.detail > 0: .foreign
        case .previewFunction, .moduleValue: .foreign
        case .system: .unreadable
        default: .damaged
        }
    }

    /// Asks the checksum at the file's end for the bytes that were changed.
    private func locate(
        _ bytes: Int64, _ file: InputFile, _ result: inout CheckedFile
    ) throws(SystemError) {
        let reading = try PlainChecksum.read(file.path, bytes: bytes, goOn)
        guard let reading, reading.stored != 0 else { return }
        if reading.computed == reading.stored {
            if bytes > 17 {
                result.damage?.isAsWritten = true
                // What is whole by its checksum was not torn.
                if result.verdict == .torn { result.verdict = .damaged }
            }
            return
        }
        let finding = BitLocator().find(
            computed: reading.computed, stored: reading.stored, count: bytes - 8,
            mayGoOn: { goOn(bytes) })
        guard let finding else { return }
        guard try confirm(finding, bytes, file, &result) else { return }
        result.verdict = .damaged
        result.damage?.finding = finding
    }

    /// Whether the file is whole with the bytes as they were; names the key that has them.
    private func confirm(
        _ finding: BitLocator.Finding, _ bytes: Int64, _ file: InputFile,
        _ result: inout CheckedFile
    ) throws(SystemError) -> Bool {
        let patch = InputSource.Patch(offset: finding.offset, change: finding.change)
        let source = try InputSource(file.path, patch: patch)
        let longStrings = LongStrings()
        let settings = WalkSettings(sourceBytes: file.bytes, isThreaded: isThreaded)
        var walk = try Walk(
            source, PlaceVisitor(longStrings, finding.offset), longStrings: longStrings,
            settings: settings)
        do throws(WalkFailure) { try walk.run(goOn) } catch { return false }
        let place = walk.sink.visitor.place
        result.damage?.key = place?.key
        result.damage?.database = place?.database ?? 0
        result.damage?.form = place?.form
        result.damage?.recordOffset = place?.offset
        return true
    }

    /// Keeps the record that has a place in it.
    private struct PlaceVisitor: PlainVisitor {
        let longStrings: LongStrings
        let offset: Int64
        var place: (key: [UInt8], database: Int, form: UInt8, offset: Int64)?

        init(_ longStrings: LongStrings, _ offset: Int64) {
            self.longStrings = longStrings
            self.offset = offset
        }

        mutating func begin(_ key: KeyFacts) -> Bool { true }
        mutating func end(_ key: KeyFacts) {
            let start = key.head.offset
            guard start <= offset, offset < start + key.recordBytes else { return }
            let name =
                longStrings.item(key.key)?.prefix ?? key.key.prefix(1024).copyToArray()
            place = (name, key.database, key.head.form.rawValue, start)
        }
    }

    // MARK: Keys that are there twice

    private func look(
        _ repeated: RepeatedKeys, _ file: InputFile, _ result: inout CheckedFile
    ) throws(SystemError) {
        let hashes = repeated.find()
        if let failure = repeated.failure {
            result.notes.append("keys that are there twice were not looked for: \(failure)")
        }
        guard !hashes.isEmpty else { return }
        guard file.isRegular else {
            result.verdict = .damaged
            result.damage = Damage(
                "the same key twice (\(hashes.count) of them); name a file to see which")
            return
        }
        let finding: RepeatedKeys.Finding?
        do throws(WalkFailure) {
            let source = try RDBCheckSession.opening { () throws(SystemError) in
                try InputSource(file.path)
            }
            finding = try repeated.locate(hashes, in: source, goOn)
        } catch {
            switch error {
            case .system(let error): throw error
            case .interrupted, .usage, .wrapping: result.isInterrupted = true
            // It was read a moment ago.
            case .read: break
            }
            return
        }
        guard let finding else { return }
        result.verdict = .damaged
        var damage = Damage("the same key twice")
        if finding.count > 1 { damage.message += " (\(finding.count) keys)" }
        damage.offset = finding.offset
        damage.recordOffset = finding.offset
        damage.key = finding.key
        damage.database = finding.database
        damage.step = "read-key"
        damage.isAsWritten = result.checksum == .right
        result.damage = damage
    }

    // MARK: Checksums only

    private func sumUp(
        _ source: InputSource, _ file: InputFile, _ result: inout CheckedFile
    ) throws(SystemError) {
        let sum = try ExpandedChecksum.read(source, goOn)
        result.plainBytes = sum.bytes
        if sum.isExpanded {
            result.wrapping = result.wrapping == "plain" ? "lz4" : "lz4 in \(result.wrapping)"
        }
        if sum.isInterrupted {
            result.isInterrupted = true
            return
        }
        if let error = sum.failure {
            return try judge(error, source, file, record: 0, &result)
        }
        var reader = try SnapshotReader(MemorySource(sum.head))
        do throws(SnapshotReadError) {
            loop: while true {
                switch try reader.next() {
                case .aux: continue
                default: break loop
                }
            }
        } catch {
            // The head alone ends early, of course.
            if reader.version == 0 {
                result.version = 0
                return try judge(error, source, file, record: 0, &result)
            }
        }
        result.version = reader.version
        result.aux = reader.aux
        if result.version < 5 {
            result.checksum = .absent
        } else if sum.bytes < 18 {
            result.verdict = .torn
            result.damage = Damage("unexpected end")
            result.damage?.offset = sum.bytes
        } else if sum.stored == 0 {
            result.checksum = .absent
        } else if sum.stored == sum.computed {
            result.checksum = .right
        } else {
            result.checksum = .wrong
            result.verdict = .damaged
            result.damage = Damage("wrong checksum: damaged, cut short, or followed by other bytes")
            result.damage?.offset = max(0, sum.bytes - 8)
            if let bytes = file.bytes, result.wrapping == "plain" {
                try locate(bytes, file, &result)
            }
        }
    }
}
