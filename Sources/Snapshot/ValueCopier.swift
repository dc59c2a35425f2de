internal import HoldfastBytes
internal import Store

/// Why a key could not be copied from one RDB to another.
public enum SnapshotCopyError: Error, Sendable {
    case read(SnapshotReadError)
    case write(SnapshotWriteError)
}

/// Copies values from one RDB to another without putting them together: string by string, each compressed as the new
/// file is, in memory that doesn't depend on the value's length. Forms that the new version doesn't know are spelled out
/// in older ones.
struct ValueCopier {
    let version: Int

    /// What goes wrong on either side.
    enum Fault: Error {
        case read(ReadFault)
        case write(SnapshotWriteError)
    }

    /// The form that a value of `form` has in the new file.
    func form(of form: ValueForm) -> ValueForm {
        switch form {
        case .hashDeadlinesPreview: return version >= 12 ? .hashDeadlines : .hash
        case .hashListpackDeadlinesPreview, .hashListpackDeadlines:
            return version >= 12 ? .hashListpackDeadlines : .hash
        case .stream3 where version < 11: return version >= 10 ? .stream2 : .stream1
        default: break
        }
        guard form.version > version else { return form }
        switch form {
        case .hashListpack, .hashDeadlines: return .hash
        case .sortedSetListpack: return .sortedSet
        case .setListpack: return .set
        case .listOfListpacks: return .listOfZiplists
        case .stream2: return .stream1
        default: return form
        }
    }

    /// Whether copying drops something: deadlines of fields.
    func loses(_ form: ValueForm) -> Bool { form.version == 12 && version < 12 }

    func copy(
        _ form: ValueForm, _ input: inout SnapshotInput, to output: inout SnapshotOutput
    ) throws(Fault) {
        switch form {
        case .string, .hashZipmap, .listZiplist, .setIntset, .sortedSetZiplist, .hashZiplist:
            try string(&input, &output)
        case .hashListpack, .sortedSetListpack, .setListpack:
            if self.form(of: form) == form { return try string(&input, &output) }
            try spellOut(form, &input, &output)
        case .list, .set, .listOfZiplists: try strings(&input, &output, each: 1)
        case .hash: try strings(&input, &output, each: 2)
        case .sortedSetText: try textScores(&input, &output)
        case .sortedSet:
            for _ in 0..<(try count(&input, &output, bytesEach: 9)) {
                try string(&input, &output)
                try raw(&input, &output, 8)
            }
        case .listOfListpacks: try nodes(&input, &output)
        case .hashDeadlines, .hashDeadlinesPreview: try deadlines(form, &input, &output)
        case .hashListpackDeadlines, .hashListpackDeadlinesPreview:
            try packedDeadlines(form, &input, &output)
        case .stream1, .stream2, .stream3: try stream(form, &input, &output)
        case .module:
            _ = try length(&input, &output)
            try moduleData(&input, &output)
        case .modulePreview: throw .read(input.fault(.moduleValue))
        }
    }

    // MARK: Small parts

    private func reading<R>(
        _ body: () throws(ReadFault) -> R
    ) throws(Fault) -> R {
        do throws(ReadFault) { return try body() } catch { throw .read(error) }
    }

    private func writing(_ body: () throws(SnapshotWriteError) -> Void) throws(Fault) {
        do throws(SnapshotWriteError) { try body() } catch { throw .write(error) }
    }

    @discardableResult
    private func length(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) -> UInt64 {
        let value = try reading { () throws(ReadFault) in try input.length() }
        output.buffer.append(length: value)
        return value
    }

    private func count(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput, bytesEach: Int
    ) throws(Fault) -> Int {
        let value = try reading { () throws(ReadFault) in try input.count(bytesEach: bytesEach) }
        output.buffer.append(length: value)
        return value
    }

    /// Copies `bytes` bytes, at most 16 at a time.
    private func raw(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput, _ bytes: Int
    ) throws(Fault) {
        for at in stride(from: 0, to: bytes, by: 8) {
            let part = min(8, bytes - at)
            let value = try reading { () throws(ReadFault) in try input.littleEndian(part) }
            output.buffer.append(littleEndian: value, bytes: part)
        }
        try writing { () throws(SnapshotWriteError) in try output.flushIfDue() }
    }

    private func strings(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput, each: Int
    ) throws(Fault) {
        for _ in 0..<(try count(&input, &output, bytesEach: each)) {
            for _ in 0..<each { try string(&input, &output) }
        }
    }

    private func string(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        do throws(ReadFault) {
            try input.copyString(to: &output)
        } catch {
            if let failure = output.copyFailure { throw .write(failure) }
            throw .read(error)
        }
    }

    // MARK: Values

    private func textScores(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        for _ in 0..<(try count(&input, &output, bytesEach: 2)) {
            try string(&input, &output)
            let size = try reading { () throws(ReadFault) in try input.byte() }
            output.buffer.append(size)
            if size < 253 { try raw(&input, &output, Int(size)) }
        }
    }

    /// Reads a packed list that must be held to be taken apart.
    private func packed(
        _ input: inout SnapshotInput, _ slot: Slot = .second
    ) throws(Fault) -> PackedList {
        let start = input.offset
        return try reading { () throws(ReadFault) in
            try input.string(into: slot)
            guard input.longCount(slot) == nil else {
                throw ReadFault(reason: .tooLong, offset: start)
            }
            guard PackedList.isValid(input[slot], deep: true) else {
                throw ReadFault(reason: .badListpack, offset: start)
            }
            return PackedList(input[slot])
        }
    }

    /// Writes the elements of a packed set, hash or sorted set one by one.
    private func spellOut(
        _ form: ValueForm, _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        let start = input.offset
        let list = try packed(&input)
        let each = form == .setListpack ? 1 : 2
        guard list.count % each == 0 else {
            throw .read(ReadFault(reason: .oddCount, offset: start))
        }
        output.buffer.append(length: list.count / each)
        var index = 0
        var next = list.firstOffset
        while let offset = next {
            if form == .sortedSetListpack, index & 1 == 1 {
                let score: Double? =
                    switch list[offset] {
                    case .integer(let value): Double(value)
                    case .bytes(let text): DoubleText.parse(text)
                    }
                guard let score else {
                    throw .read(ReadFault(reason: .badScore, offset: start))
                }
                output.buffer.append(littleEndian: score.bitPattern, bytes: 8)
            } else {
                try write(list[offset], &output)
            }
            index += 1
            next = list.next(after: offset)
        }
    }

    private func write(
        _ element: PackedElement, _ output: inout SnapshotOutput
    ) throws(Fault) {
        switch element {
        case .integer(let value): output.write(string: value)
        case .bytes(let bytes):
            try writing { () throws(SnapshotWriteError) in try output.write(string: bytes) }
        }
    }

    private func nodes(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        let isOld = form(of: .listOfListpacks) != .listOfListpacks
        for _ in 0..<(try count(&input, &output, bytesEach: 2)) {
            guard isOld else {
                try length(&input, &output)
                try string(&input, &output)
                continue
            }
            let start = input.offset
            let kind = try reading { () throws(ReadFault) in try input.length() }
            var writer = OldListWriter()
            if kind == 1 {
                try reading { () throws(ReadFault) in
                    try input.string(into: .second)
                    guard input.longCount(.second) == nil else {
                        throw ReadFault(reason: .tooLong, offset: start)
                    }
                }
                writer.append(.bytes(input[.second]))
            } else {
                let list = try packed(&input)
                var next = list.firstOffset
                while let offset = next {
                    writer.append(list[offset])
                    next = list.next(after: offset)
                }
            }
            try writer.finish { (bytes) throws(Fault) in
                try writing { () throws(SnapshotWriteError) in try output.write(blob: bytes) }
            }
        }
    }

    private func deadlines(
        _ form: ValueForm, _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        let keeps = !loses(form)
        if form == .hashDeadlines {
            let base = try reading { () throws(ReadFault) in try input.littleEndian(8) }
            if keeps { output.buffer.append(littleEndian: base, bytes: 8) }
        } else if keeps {
            // Deadlines counted from 1 are as they stand in the older form.
            output.buffer.append(littleEndian: 1, bytes: 8)
        }
        for _ in 0..<(try count(&input, &output, bytesEach: 3)) {
            let deadline = try reading { () throws(ReadFault) in try input.length() }
            if keeps { output.buffer.append(length: deadline) }
            try string(&input, &output)
            try string(&input, &output)
        }
    }

    private func packedDeadlines(
        _ form: ValueForm, _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        var earliest: UInt64 = 0
        if form == .hashListpackDeadlines {
            earliest = try reading { () throws(ReadFault) in try input.littleEndian(8) }
            if !loses(form) {
                output.buffer.append(littleEndian: earliest, bytes: 8)
                return try string(&input, &output)
            }
        }
        let start = input.offset
        let list = try packed(&input)
        guard list.count % 3 == 0 else {
            throw .read(ReadFault(reason: .oddCount, offset: start))
        }
        let keeps = !loses(form)
        if !keeps { output.buffer.append(length: list.count / 3) }
        var index = 0
        var next = list.firstOffset
        while let offset = next {
            if index % 3 < 2 {
                if !keeps { try write(list[offset], &output) }
            } else if case .integer(let deadline) = list[offset], deadline > 0 {
                earliest = earliest == 0 ? UInt64(deadline) : min(earliest, UInt64(deadline))
            }
            index += 1
            next = list.next(after: offset)
        }
        if keeps {
            output.buffer.append(littleEndian: earliest, bytes: 8)
            try writing { () throws(SnapshotWriteError) in try output.write(blob: list.bytes) }
        }
    }

    private func stream(
        _ form: ValueForm, _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        let new = self.form(of: form)
        try strings(&input, &output, each: 2)
        for _ in 0..<3 { try length(&input, &output) }
        if form != .stream1 {
            for _ in 0..<5 { try lengthOrNothing(&input, &output, isKept: new != .stream1) }
        }
        for _ in 0..<(try count(&input, &output, bytesEach: 5)) {
            try string(&input, &output)
            for _ in 0..<2 { try length(&input, &output) }
            if form != .stream1 { try lengthOrNothing(&input, &output, isKept: new != .stream1) }
            for _ in 0..<(try count(&input, &output, bytesEach: 25)) {
                try raw(&input, &output, 24)
                try length(&input, &output)
            }
            for _ in 0..<(try count(&input, &output, bytesEach: 10)) {
                try string(&input, &output)
                try raw(&input, &output, 8)
                if form == .stream3 {
                    let active = try reading { () throws(ReadFault) in try input.littleEndian(8) }
                    if new == .stream3 { output.buffer.append(littleEndian: active, bytes: 8) }
                }
                for _ in 0..<(try count(&input, &output, bytesEach: 16)) {
                    try raw(&input, &output, 16)
                }
            }
        }
    }

    private func lengthOrNothing(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput, isKept: Bool
    ) throws(Fault) {
        let value = try reading { () throws(ReadFault) in try input.length() }
        if isKept { output.buffer.append(length: value) }
    }

    private func moduleData(
        _ input: inout SnapshotInput, _ output: inout SnapshotOutput
    ) throws(Fault) {
        while true {
            let start = input.offset
            switch try length(&input, &output) {
            case 0: return
            case 1, 2: try length(&input, &output)
            case 3: try raw(&input, &output, 4)
            case 4: try raw(&input, &output, 8)
            case 5: try string(&input, &output)
            default: throw .read(ReadFault(reason: .badModuleOpcode, offset: start))
            }
        }
    }
}

extension SnapshotInput {
    /// Copies a string, held or not.
    ///
    /// A failure to write ends as any fault; `copyFailure` of the output tells.
    mutating func copyString(to output: inout SnapshotOutput) throws(ReadFault) {
        let start = offset
        switch try lengthOrEncoding() {
        case .length(let length):
            guard let count = Int(exactly: length) else { throw fault(.endsEarly) }
            guard count > Self.copiedBytesMax else {
                try bytes(count, into: .second)
                return output.copy(self[.second])
            }
            output.buffer.append(length: count)
            try copyParts(count, to: &output)
        case .encoding(let encoding):
            switch LengthCoding.encodingMark | encoding {
            case StringCoding.int8:
                output.write(string: Int64(Int8(truncatingIfNeeded: try littleEndian(1))))
            case StringCoding.int16:
                output.write(string: Int64(Int16(truncatingIfNeeded: try littleEndian(2))))
            case StringCoding.int32:
                output.write(string: Int64(Int32(truncatingIfNeeded: try littleEndian(4))))
            case StringCoding.lzf: try copyCompressed(to: &output, start)
            default: throw ReadFault(reason: .badStringEncoding, offset: start)
            }
        }
        if output.copyFailure != nil { throw fault(.cancelled) }
    }

    /// Longer strings are copied in parts.
    private static let copiedBytesMax = 4 << 20

    private mutating func copyParts(
        _ count: Int, to output: inout SnapshotOutput
    ) throws(ReadFault) {
        var left = count
        while left > 0 {
            let step = min(left, Self.copiedBytesMax)
            try bytes(step, into: .second)
            output.copy(raw: self[.second])
            left -= step
        }
    }

    private mutating func copyCompressed(
        to output: inout SnapshotOutput, _ start: Int64
    ) throws(ReadFault) {
        let compressed = try length()
        let expanded = try length()
        guard let count = Int(exactly: compressed), let size = Int(exactly: expanded), count > 0
        else { throw ReadFault(reason: .badLZF, offset: start) }
        if output.compressesStrings {
            output.buffer.append(StringCoding.lzf)
            output.buffer.append(length: count)
            output.buffer.append(length: size)
            return try copyParts(count, to: &output)
        }
        guard size > Self.copiedBytesMax else {
            try expand(count, to: size, into: .second)
            return output.copy(self[.second])
        }
        output.buffer.append(length: size)
        var stream = LZFStream(countMax: UInt64(size))
        var left = count
        while left > 0 {
            let step = min(left, 64 << 10)
            try bytes(step, into: .second)
            let isGood = stream.append(self[.second]) { output.copy(raw: $0) }
            guard isGood else { throw ReadFault(reason: .badLZF, offset: start) }
            left -= step
        }
        guard stream.isComplete, stream.count == UInt64(size) else {
            throw ReadFault(reason: .badLZF, offset: start)
        }
    }
}

extension SnapshotOutput {
    /// Writes a string, and keeps the failure if there is one.
    fileprivate mutating func copy(_ bytes: ByteSlice) {
        do throws(SnapshotWriteError) { try write(string: bytes) } catch { copyFailure = error }
    }

    fileprivate mutating func copy(raw bytes: ByteSlice) {
        do throws(SnapshotWriteError) { try write(raw: bytes) } catch { copyFailure = error }
    }
}
