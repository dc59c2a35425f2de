internal import HoldfastBytes
internal import Store

// Streams in a file:
//
//     length: nodes, each a string of 16 bytes (ms, seq, the highest byte first), and a string: a listpack
//     length: live entries; last ID
//     [first ID, highest deleted ID, entries ever added]        from version 10 on
//     length: groups, each with
//         string: name; last ID delivered; [length: entries read, all ones for unknown]    from version 10 on
//         length: pending items, each 16 bytes as above, 8 bytes time of delivery, length: deliveries
//         length: consumers, each with
//             string: name; 8 bytes time seen; [8 bytes time active]    from version 11 on
//             length: items, each 16 bytes as above
//
// An ID where nothing else is said is two lengths. Times are Unix ms, the lowest byte first.

extension SnapshotInput {
    /// An ID as two lengths.
    fileprivate mutating func streamID() throws(ReadFault) -> StreamID {
        let milliseconds = try length()
        return StreamID(milliseconds, try length())
    }

    /// An ID as 16 bytes.
    fileprivate mutating func fixedStreamID() throws(ReadFault) -> StreamID {
        let milliseconds = try bigEndian(8)
        return StreamID(milliseconds, try bigEndian(8))
    }

    fileprivate mutating func time() throws(ReadFault) -> Int64 {
        Int64(bitPattern: try littleEndian(8))
    }
}

extension ValueReader {
    func readStream(
        _ form: ValueForm, _ input: inout SnapshotInput,
        into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        sink.beginStream()
        for _ in 0..<(try input.count(bytesEach: 2)) {
            let start = input.offset
            try input.string(into: .first)
            guard input[.first].count == 16 else {
                throw ReadFault(reason: .badStream, offset: start)
            }
            let master = StreamID(
                input[.first].load64(at: 0).byteSwapped, input[.first].load64(at: 8).byteSwapped)
            if try !isHeld(&input, for: &sink, as: .unread) { continue }
            try Self.checking(start) { () throws(StreamFault) in
                try sink.streamNode(master, input[.second])
            }
        }
        let start = input.offset
        let count = try input.length()
        let lastID = try input.streamID()
        var history: StreamBuilder.History?
        if form != .stream1 {
            let first = try input.streamID()
            let deleted = try input.streamID()
            history = .init(
                firstID: first, maxDeletedID: deleted, addedCount: try input.length())
        }
        try Self.checking(start) { () throws(StreamFault) in
            try sink.streamEntries(count: count, lastID: lastID, history: history)
        }
        for _ in 0..<(try input.count(bytesEach: 5)) { try readGroup(form, &input, into: &sink) }
    }

    @inline(__always)
    private static func checking(
        _ start: Int64, _ body: () throws(StreamFault) -> Void
    ) throws(ReadFault) {
        do throws(StreamFault) { try body() } catch {
            throw ReadFault(reason: .badStream, offset: start)
        }
    }

    private func readGroup(
        _ form: ValueForm, _ input: inout SnapshotInput,
        into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let start = input.offset
        try input.string(into: .second)
        let lastID = try input.streamID()
        let read = form == .stream1 ? nil : Int64(bitPattern: try input.length())
        try Self.checking(start) { () throws(StreamFault) in
            try sink.streamGroup(input[.second], lastID: lastID, entriesRead: read)
        }
        for _ in 0..<(try input.count(bytesEach: 25)) {
            let start = input.offset
            let id = try input.fixedStreamID()
            let time = try input.time()
            let count = try input.length()
            try Self.checking(start) { () throws(StreamFault) in
                try sink.streamPending(id, time: time, count: count)
            }
        }
        for _ in 0..<(try input.count(bytesEach: 10)) {
            try readConsumer(form, &input, into: &sink)
        }
    }

    private func readConsumer(
        _ form: ValueForm, _ input: inout SnapshotInput,
        into sink: inout some ValueSink & ~Copyable
    ) throws(ReadFault) {
        let start = input.offset
        try input.string(into: .second)
        let seen = try input.time()
        let active = form == .stream3 ? try input.time() : seen
        try Self.checking(start) { () throws(StreamFault) in
            try sink.streamConsumer(input[.second], seenTime: seen, activeTime: active)
        }
        for _ in 0..<(try input.count(bytesEach: 16)) {
            let start = input.offset
            let id = try input.fixedStreamID()
            try Self.checking(start) { () throws(StreamFault) in try sink.streamConsumerItem(id) }
        }
    }
}
