internal import HoldfastBytes
internal import Store

/// Writes values in the forms of one version: in snapshots, and in payloads of DUMP.
struct ValueWriter {
    let version: Int

    /// The version that a payload of this value must have to hold it whole, and at least the one that all write.
    static func lowestVersion(of entry: Entry) -> Int {
        if entry.type == .hash, entry.encoding == .hashtable,
            entry.root(MemberTable.self).deadlineCount > 0
        {
            return ValueForm.hashDeadlines.version
        }
        return SnapshotVersion.lowestWritten
    }

    func form(of entry: Entry) -> ValueForm {
        switch entry.type {
        case .string: return .string
        case .set:
            switch entry.encoding {
            case .intset: return .setIntset
            case .listpack where version >= ValueForm.setListpack.version: return .setListpack
            default: return .set
            }
        case .hash:
            if entry.encoding == .listpack {
                return version >= ValueForm.hashListpack.version ? .hashListpack : .hash
            }
            let hasDeadlines = entry.root(MemberTable.self).deadlineCount > 0
            return hasDeadlines && version >= ValueForm.hashDeadlines.version
                ? .hashDeadlines : .hash
        case .sortedSet:
            return entry.encoding == .listpack && version >= ValueForm.sortedSetListpack.version
                ? .sortedSetListpack : .sortedSet
        case .list: return version >= ValueForm.listOfListpacks.version ? .listOfListpacks : .list
        case .stream:
            if version >= ValueForm.stream3.version { return .stream3 }
            return version >= ValueForm.stream2.version ? .stream2 : .stream1
        }
    }

    /// Writes the value without the byte that names its form.
    func write(_ entry: Entry, to output: inout SnapshotOutput) throws(SnapshotWriteError) {
        switch form(of: entry) {
        case .string:
            if let integer = entry.integer { return output.write(string: integer) }
            try output.write(string: entry.bytes)
        case .setIntset, .setListpack, .hashListpack, .sortedSetListpack:
            try output.write(blob: entry.packed)
        case .listOfListpacks:
            try writeNodes(ListValue(entry), to: &output)
        case .list:
            let list = ListValue(entry)
            output.buffer.append(length: list.count)
            try list.forEach { (element) throws(SnapshotWriteError) in
                try write(element, to: &output)
            }
        case .set:
            if entry.encoding == .listpack {
                try write(elementsOf: PackedList(entry.packed), each: 1, to: &output)
            } else {
                try writeMembers(entry.root(MemberTable.self), to: &output)
            }
        case .hash:
            if entry.encoding == .listpack {
                try write(elementsOf: PackedList(entry.packed), each: 2, to: &output)
            } else {
                try writeFields(entry.root(MemberTable.self), to: &output)
            }
        case .hashDeadlines:
            try writeFieldsWithDeadlines(entry.root(MemberTable.self), to: &output)
        case .sortedSet:
            if entry.encoding == .listpack {
                try writeScores(of: PackedList(entry.packed), to: &output)
            } else {
                try writeScores(entry.root(SortedSetRoot.self), to: &output)
            }
        case .stream1, .stream2, .stream3:
            try write(entry.root(StreamValue.self), form(of: entry), to: &output)
        default: preconditionFailure("a form that isn't written")
        }
    }

    /// The kinds of nodes that a list has in a file: an element of its own, and a listpack.
    private static let plainNode = 1
    private static let packedNode = 2

    // MARK: Packed values spelled out

    private func write(
        elementsOf list: PackedList, each: Int, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: list.count / each)
        var next = list.firstOffset
        while let offset = next {
            try write(list[offset], to: &output)
            next = list.next(after: offset)
        }
    }

    private func write(
        _ element: PackedElement, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        switch element {
        case .integer(let value): output.write(string: value)
        case .bytes(let bytes): try output.write(string: bytes)
        }
    }

    private func writeScores(
        of list: PackedList, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: list.count / 2)
        var next = list.firstOffset
        while let offset = next, let place = list.next(after: offset) {
            try write(list[offset], to: &output)
            switch list[place] {
            case .integer(let value): write(score: Double(value), to: &output)
            case .bytes(let text): write(score: DoubleText.parse(text) ?? 0, to: &output)
            }
            next = list.next(after: place)
        }
    }

    // MARK: Structures

    private func writeNodes(
        _ list: ListValue, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: list.nodeCount)
        try list.forEachNode { (part) throws(SnapshotWriteError) in
            switch part {
            case .packed(let elements):
                output.buffer.append(length: Self.packedNode)
                try output.write(blob: elements.bytes)
            case .single(let bytes):
                output.buffer.append(length: Self.plainNode)
                try output.write(string: bytes)
            }
        }
    }

    private func writeMembers(
        _ table: MemberTable, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: table.count)
        try table.forEach { (record) throws(SnapshotWriteError) in
            try output.write(string: record.member)
        }
    }

    private func writeFields(
        _ table: MemberTable, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: table.count)
        try table.forEach { (record) throws(SnapshotWriteError) in
            try output.write(string: record.member)
            try output.write(string: record.value)
        }
    }

    /// The earliest deadline, then each field behind its own, counted from the earliest as 1; 0 for none.
    private func writeFieldsWithDeadlines(
        _ table: MemberTable, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        var earliest = Int64.max
        table.forEach { record in earliest = min(earliest, record.deadline ?? .max) }
        output.buffer.append(littleEndian: UInt64(bitPattern: earliest), bytes: 8)
        output.buffer.append(length: table.count)
        try table.forEach { (record) throws(SnapshotWriteError) in
            output.buffer.append(length: record.deadline.map { Int($0 - earliest) + 1 } ?? 0)
            try output.write(string: record.member)
            try output.write(string: record.value)
        }
    }

    /// The highest first, as redis-server does, which adds them at the end that costs least.
    private func writeScores(
        _ root: SortedSetRoot, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: root.count)
        try root.forEachDescending { (item) throws(SnapshotWriteError) in
            try output.write(string: item.key)
            write(score: item.score, to: &output)
        }
    }

    private func write(score: Double, to output: inout SnapshotOutput) {
        output.buffer.append(littleEndian: score.bitPattern, bytes: 8)
    }
}
