internal import HoldfastBytes
internal import Store

/// Reads values of all forms: of snapshots, and of payloads of RESTORE.
///
/// Packed values are always looked at from the first byte to the last, since memory is to be safe whatever is in a
/// file. `sanitizes` adds the search for duplicates in packed hashes and sorted sets.
struct ValueReader {
    let sanitizes: Bool
    let hasher: ByteHash

    // MARK: Passing over

    /// Passes over a value.
    func skip(_ form: ValueForm, _ input: inout SnapshotInput) throws(ReadFault) {
        switch form {
        case .string, .hashZipmap, .listZiplist, .setIntset, .sortedSetZiplist, .hashZiplist,
            .hashListpack, .sortedSetListpack, .setListpack, .hashListpackDeadlinesPreview:
            try input.skipString()
        case .hashListpackDeadlines:
            try input.skip(8)
            try input.skipString()
        case .list, .set, .listOfZiplists: try skip(&input, strings: 1)
        case .hash: try skip(&input, strings: 2)
        case .sortedSetText:
            for _ in 0..<(try input.count(bytesEach: 2)) {
                try input.skipString()
                _ = try textScore(&input)
            }
        case .sortedSet:
            for _ in 0..<(try input.count(bytesEach: 9)) {
                try input.skipString()
                try input.skip(8)
            }
        case .listOfListpacks:
            for _ in 0..<(try input.count(bytesEach: 2)) {
                _ = try input.length()
                try input.skipString()
            }
        case .hashDeadlines, .hashDeadlinesPreview:
            if form == .hashDeadlines { try input.skip(8) }
            for _ in 0..<(try input.count(bytesEach: 3)) {
                _ = try input.length()
                try input.skipString()
                try input.skipString()
            }
        case .module:
            _ = try input.length()
            try input.skipModuleData()
        case .stream1, .stream2, .stream3: try skipStream(form, &input)
        case .modulePreview: throw input.fault(.moduleValue)
        }
    }

    private func skip(_ input: inout SnapshotInput, strings: Int) throws(ReadFault) {
        for _ in 0..<(try input.count(bytesEach: strings)) {
            for _ in 0..<strings { try input.skipString() }
        }
    }

    private func skipStream(_ form: ValueForm, _ input: inout SnapshotInput) throws(ReadFault) {
        try skip(&input, strings: 2)
        for _ in 0..<(form == .stream1 ? 3 : 8) { _ = try input.length() }
        for _ in 0..<(try input.count(bytesEach: 5)) {
            try input.skipString()
            for _ in 0..<(form == .stream1 ? 2 : 3) { _ = try input.length() }
            for _ in 0..<(try input.count(bytesEach: 25)) {
                try input.skip(24)
                _ = try input.length()
            }
            for _ in 0..<(try input.count(bytesEach: 10)) {
                try input.skipString()
                try input.skip(form == .stream3 ? 16 : 8)
                try input.skip(16 * (try input.count(bytesEach: 16)))
            }
        }
    }

    // MARK: Reading

    func read(
        _ form: ValueForm, _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        switch form {
        case .string:
            if let integer = try input.stringOrInteger(into: .second) {
                sink.integer(integer)
            } else {
                sink.string(input[.second])
            }
        case .list: try readList(&input, into: &sink)
        case .listOfListpacks: try readNodes(&input, into: &sink)
        case .set: try readSet(&input, into: &sink)
        case .setIntset:
            let start = input.offset
            var long = LongIntegerSet()
            let isHeld = try input.string(into: .second) { long.take($0, $1, into: &sink) }
            guard isHeld ? IntegerSet.isValid(input[.second]) : long.isWhole else {
                throw ReadFault(reason: .badIntset, offset: start)
            }
            if isHeld { try unique(sink.set(IntegerSet(input[.second])), at: start) }
        case .setListpack:
            let start = input.offset
            // A set may be written member by member, and then nobody would read it with one of them twice.
            guard let members = try packed(&input, for: &sink, as: .members, isUnique: true) else {
                break
            }
            try unique(sink.set(members), at: start)
        case .sortedSetText, .sortedSet: try readSortedSet(form, &input, into: &sink)
        case .sortedSetListpack:
            let start = input.offset
            guard let (pairs, isOrdered) = try packedScores(&input, for: &sink) else { break }
            try unique(sink.sortedSet(pairs, isOrdered: isOrdered), at: start)
        case .hash: try readHash(&input, into: &sink)
        case .hashListpack:
            let start = input.offset
            guard let pairs = try packed(&input, for: &sink, as: .fields) else { break }
            try unique(sink.hash(pairs), at: start)
        case .hashDeadlines, .hashDeadlinesPreview:
            try readHashDeadlines(form, &input, into: &sink)
        case .hashListpackDeadlines, .hashListpackDeadlinesPreview:
            try readPackedDeadlines(form, &input, into: &sink)
        case .listZiplist: try readOldList(&input, into: &sink)
        case .listOfZiplists: try readOldNodes(&input, into: &sink)
        case .hashZipmap: try readOldMap(&input, into: &sink)
        case .hashZiplist: try readOldHash(&input, into: &sink)
        case .sortedSetZiplist: try readOldSortedSet(&input, into: &sink)
        case .stream1, .stream2, .stream3: try readStream(form, &input, into: &sink)
        case .module, .modulePreview: throw input.fault(.moduleValue)
        }
        do throws(StreamFault) { try sink.end() } catch { throw input.fault(.badStream) }
    }

    @inline(__always)
    private func unique(_ isNew: Bool, at start: Int64) throws(ReadFault) {
        if _slowPath(!isNew) { throw ReadFault(reason: .duplicateMember, offset: start) }
    }

    /// Reads a packed value of an old form into the second slot.
    ///
    /// - Returns: false if it is too long to hold; the sink was told.
    private func isHeld(
        _ input: inout SnapshotInput, for sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) -> Bool {
        try input.string(into: .second)
        guard let bytes = input.longCount(.second) else { return true }
        sink.passedOver(bytes: bytes)
        return false
    }

    /// Reads a packed list into the second slot, or, if it is too long to hold, gives the sink its elements at once.
    ///
    /// - Returns: whether the slot has it.
    @inline(__always)
    func isHeld(
        _ input: inout SnapshotInput, for sink: inout some ValueSink & ~Copyable,
        as shape: LongPackedValue.Shape
    ) throws(ReadFault) -> Bool {
        let start = input.offset
        var value = LongPackedValue(shape)
        if try input.string(into: .second, orParts: { value.take($0, $1, into: &sink) }) {
            return true
        }
        if let reason = value.finish(into: &sink) { throw ReadFault(reason: reason, offset: start) }
        return false
    }

    private func readList(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let count = try filledCount(&input, bytesEach: 1)
        sink.beginList()
        for _ in 0..<count {
            try input.string(into: .second)
            sink.element(input[.second])
        }
    }

    /// How many elements come; a value without any is an error.
    private func filledCount(
        _ input: inout SnapshotInput, bytesEach: Int
    ) throws(ReadFault) -> Int {
        let start = input.offset
        let count = try input.count(bytesEach: bytesEach)
        guard count > 0 else { throw ReadFault(reason: .emptyValue, offset: start) }
        return count
    }

    /// A list as nodes: each a packed list, or one long element.
    private func readNodes(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let count = try filledCount(&input, bytesEach: 2)
        sink.beginList()
        var isEmpty = true
        for _ in 0..<count {
            let start = input.offset
            switch try input.length() {
            case 1:
                try input.string(into: .second)
                sink.element(input[.second])
                isEmpty = false
            case 2:
                if try !isHeld(&input, for: &sink, as: .elements) {
                    isEmpty = false
                    continue
                }
                guard PackedList.walk(input[.second], { _ in true }) else {
                    throw ReadFault(reason: .badListpack, offset: start)
                }
                let list = PackedList(input[.second])
                if list.isEmpty { continue }
                sink.node(list)
                isEmpty = false
            default: throw ReadFault(reason: .badContainer, offset: start)
            }
        }
        if isEmpty { throw input.fault(.emptyValue) }
    }

    private func readSet(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let count = try filledCount(&input, bytesEach: 1)
        sink.beginSet(count: count)
        for _ in 0..<count {
            let start = input.offset
            try input.string(into: .second)
            try unique(sink.member(input[.second]), at: start)
        }
    }

    private func readHash(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let count = try filledCount(&input, bytesEach: 2)
        sink.beginHash(count: count)
        for _ in 0..<count {
            let start = input.offset
            try input.string(into: .first)
            try input.string(into: .second)
            try unique(sink.field(input[.first], input[.second], deadline: nil), at: start)
        }
    }

    // MARK: Scores

    private func readSortedSet(
        _ form: ValueForm, _ input: inout SnapshotInput,
        into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let count = try filledCount(&input, bytesEach: form == .sortedSet ? 9 : 2)
        sink.beginSortedSet(count: count)
        for _ in 0..<count {
            let start = input.offset
            try input.string(into: .first)
            let score: Double
            if form == .sortedSet {
                score = Double(bitPattern: try input.littleEndian(8))
            } else {
                score = try textScore(&input)
            }
            guard !score.isNaN else { throw ReadFault(reason: .notANumber, offset: start) }
            try unique(sink.member(input[.first], score: score), at: start)
        }
    }

    /// A length and the text of a number, or a byte that stands for one.
    private func textScore(_ input: inout SnapshotInput) throws(ReadFault) -> Double {
        let start = input.offset
        switch try input.byte() {
        case 253: return .nan
        case 254: return .infinity
        case 255: return -.infinity
        case let count:
            try input.bytes(Int(count), into: .second)
            guard let score = DoubleText.parse(input[.second]) else {
                throw ReadFault(reason: .badScore, offset: start)
            }
            return score
        }
    }

    // MARK: Packed values

    /// Reads a packed list of members, of whose elements the first may not come twice.
    ///
    /// - Parameter isUnique: that is made sure of even if nothing else is sanitized.
    /// - Returns: nil if it is too long to hold; the sink has its elements.
    private func packed(
        _ input: inout SnapshotInput, for sink: inout some ValueSink & ~Copyable,
        as shape: LongPackedValue.Shape, isUnique: Bool = false
    ) throws(ReadFault) -> PackedList? {
        let start = input.offset
        let elements = shape.groupCount
        if try !isHeld(&input, for: &sink, as: shape) { return nil }
        let bytes = input[.second]
        var count = 0
        guard
            PackedList.walk(
                bytes,
                { _ in
                    count += 1; return true
                })
        else {
            throw ReadFault(reason: .badListpack, offset: start)
        }
        guard count > 0 else { throw ReadFault(reason: .emptyValue, offset: start) }
        guard count % elements == 0 else { throw ReadFault(reason: .oddCount, offset: start) }
        let list = PackedList(bytes)
        if sanitizes || isUnique {
            var finder = DuplicateFinder(hasher, count: count / elements)
            guard !finder.hasDuplicates(list, elements: elements) else {
                throw ReadFault(reason: .duplicateMember, offset: start)
            }
        }
        return list
    }

    /// Reads a packed list of members and scores; all scores are numbers.
    ///
    /// - Returns: also whether they come by score, and by name where scores are equal; nil as in `packed`.
    private func packedScores(
        _ input: inout SnapshotInput, for sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) -> (PackedList, isOrdered: Bool)? {
        let start = input.offset
        guard let list = try packed(&input, for: &sink, as: .scores) else { return nil }
        var isOrdered = true
        var last: (offset: Int, score: Double)?
        var next = list.firstOffset
        while let offset = next, let place = list.next(after: offset) {
            guard let score = Self.score(list[place]) else {
                throw ReadFault(reason: .badScore, offset: start)
            }
            if let last, isOrdered {
                isOrdered =
                    last.score < score
                    || (last.score == score && Self.isBefore(list[last.offset], list[offset]))
            }
            last = (offset, score)
            next = list.next(after: place)
        }
        return (list, isOrdered)
    }

    private static func isBefore(_ left: PackedElement, _ right: PackedElement) -> Bool {
        left.withBytes { left in right.withBytes { left.compare($0) < 0 } }
    }

    // MARK: Packed values of older versions

    /// Reads a ziplist whose elements come in groups of so many.
    ///
    /// - Returns: nil as `packed`.
    private func oldPacked(
        _ input: inout SnapshotInput, for sink: inout some ValueSink & ~Copyable, elements: Int
    ) throws(ReadFault) -> OldPackedList? {
        let start = input.offset
        if try !isHeld(&input, for: &sink) { return nil }
        guard let list = OldPackedList(input[.second]) else {
            throw ReadFault(reason: .badZiplist, offset: start)
        }
        guard list.count > 0 else { throw ReadFault(reason: .emptyValue, offset: start) }
        guard list.count % elements == 0 else { throw ReadFault(reason: .oddCount, offset: start) }
        return list
    }

    private func readOldList(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        guard let list = try oldPacked(&input, for: &sink, elements: 1) else { return }
        sink.beginList()
        list.forEach { element in element.withBytes { sink.element($0) } }
    }

    private func readOldNodes(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let count = try filledCount(&input, bytesEach: 1)
        sink.beginList()
        var isEmpty = true
        for _ in 0..<count {
            let start = input.offset
            if try !isHeld(&input, for: &sink) {
                isEmpty = false
                continue
            }
            guard let list = OldPackedList(input[.second]) else {
                throw ReadFault(reason: .badZiplist, offset: start)
            }
            list.forEach { element in element.withBytes { sink.element($0) } }
            if list.count > 0 { isEmpty = false }
        }
        if isEmpty { throw input.fault(.emptyValue) }
    }

    private func readOldMap(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let start = input.offset
        if try !isHeld(&input, for: &sink) { return }
        guard let map = OldPackedMap(input[.second]) else {
            throw ReadFault(reason: .badZipmap, offset: start)
        }
        sink.beginHash(count: map.count)
        try map.forEach { (name, value) throws(ReadFault) in
            try unique(sink.field(name, value, deadline: nil), at: start)
        }
    }

    private func readOldHash(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let start = input.offset
        guard let list = try oldPacked(&input, for: &sink, elements: 2) else { return }
        sink.beginHash(count: list.count / 2)
        var name: PackedElement?
        try list.forEach { (element) throws(ReadFault) in
            guard let known = name.take() else {
                name = element
                return
            }
            let isNew = known.withBytes { name in
                element.withBytes { sink.field(name, $0, deadline: nil) }
            }
            try unique(isNew, at: start)
        }
    }

    private func readOldSortedSet(
        _ input: inout SnapshotInput, into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let start = input.offset
        guard let list = try oldPacked(&input, for: &sink, elements: 2) else { return }
        sink.beginSortedSet(count: list.count / 2)
        var member: PackedElement?
        try list.forEach { (element) throws(ReadFault) in
            guard let known = member.take() else {
                member = element
                return
            }
            guard let score = Self.score(element) else {
                throw ReadFault(reason: .badScore, offset: start)
            }
            try unique(known.withBytes { sink.member($0, score: score) }, at: start)
        }
    }

    /// The score that an element is; nil if it is none.
    private static func score(_ element: PackedElement) -> Double? {
        switch element {
        case .integer(let value): Double(value)
        case .bytes(let text): DoubleText.parse(text).flatMap { $0.isNaN ? nil : $0 }
        }
    }

    // MARK: Fields with deadlines

    static let deadlineMax: Int64 = 1 << 48 - 1

    private func readHashDeadlines(
        _ form: ValueForm, _ input: inout SnapshotInput,
        into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let base = form == .hashDeadlines ? try input.littleEndian(8) : 0
        let count = try filledCount(&input, bytesEach: 3)
        sink.beginHash(count: count)
        for _ in 0..<count {
            let start = input.offset
            let number = try input.length()
            var deadline: Int64?
            if number > 0 {
                // The earliest is 1 behind itself, since 0 stands for none.
                let (sum, overflows) = base.addingReportingOverflow(
                    form == .hashDeadlines ? number - 1 : number)
                guard !overflows, sum <= UInt64(Self.deadlineMax) else {
                    throw ReadFault(reason: .badDeadline, offset: start)
                }
                deadline = Int64(sum)
            }
            try input.string(into: .first)
            try input.string(into: .second)
            try unique(sink.field(input[.first], input[.second], deadline: deadline), at: start)
        }
    }

    /// A packed list of fields, values and deadlines, 0 for none.
    private func readPackedDeadlines(
        _ form: ValueForm, _ input: inout SnapshotInput,
        into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        if form == .hashListpackDeadlines { try input.skip(8) }
        let start = input.offset
        guard let list = try packed(&input, for: &sink, as: .fieldsWithDeadlines) else { return }
        sink.beginHash(count: list.count / 3)
        var offset = list.firstOffset
        while let name = offset, let value = list.next(after: name),
            let last = list.next(after: value)
        {
            guard case .integer(let deadline) = list[last], 0...Self.deadlineMax ~= deadline else {
                throw ReadFault(reason: .badDeadline, offset: start)
            }
            let isNew = list[name].withBytes { name in
                list[value].withBytes { value in
                    sink.field(name, value, deadline: deadline > 0 ? deadline : nil)
                }
            }
            guard isNew else { throw ReadFault(reason: .duplicateMember, offset: start) }
            offset = list.next(after: last)
        }
    }
}

/// Finds members that are in a packed list twice.
struct DuplicateFinder {
    private let hasher: ByteHash
    /// Offsets of members, by their hash; 0 is empty.
    private var slots: [UInt32]

    init(_ hasher: ByteHash, count: Int) {
        self.hasher = hasher
        var size = 16
        while size < count * 2 { size *= 2 }
        slots = [UInt32](repeating: 0, count: size)
    }

    /// - Parameter elements: how many elements a member has, of which the first is compared.
    mutating func hasDuplicates(_ list: PackedList, elements: Int) -> Bool {
        var next = list.firstOffset
        while let offset = next {
            if !add(offset, of: list) { return true }
            next = offset
            for _ in 0..<elements { next = next.flatMap { list.next(after: $0) } }
        }
        return false
    }

    private mutating func add(_ offset: Int, of list: PackedList) -> Bool {
        list[offset].withBytes { bytes in
            var slot = Int(truncatingIfNeeded: hasher.hash(bytes)) & (slots.count - 1)
            while slots[slot] != 0 {
                if list[Int(slots[slot])].equals(bytes) { return false }
                slot = (slot + 1) & (slots.count - 1)
            }
            slots[slot] = UInt32(offset)
            return true
        }
    }
}
