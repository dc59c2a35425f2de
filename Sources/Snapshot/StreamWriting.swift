internal import HoldfastBytes
internal import Store

// The picture is in StreamReading.swift.

extension ByteBuffer {
    /// An ID as two lengths.
    fileprivate mutating func append(_ id: StreamID) {
        append(length: id.milliseconds)
        append(length: id.sequence)
    }

    /// An ID as 16 bytes.
    fileprivate mutating func append(fixed id: StreamID) {
        append(bigEndian: id.milliseconds, bytes: 8)
        append(bigEndian: id.sequence, bytes: 8)
    }

    fileprivate mutating func append(time: Int64) {
        append(littleEndian: UInt64(bitPattern: time), bytes: 8)
    }
}

extension ValueWriter {
    func write(
        _ stream: StreamValue, _ form: ValueForm, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        output.buffer.append(length: stream.nodeCount)
        try stream.forEachNode { (master, list) throws(SnapshotWriteError) in
            output.buffer.append(length: 16)
            output.buffer.append(fixed: master)
            try output.write(blob: list)
        }
        output.buffer.append(length: stream.count)
        output.buffer.append(stream.lastID)
        if form != .stream1 {
            output.buffer.append(stream.firstID)
            output.buffer.append(stream.maxDeletedID)
            output.buffer.append(length: stream.addedCount)
        }
        output.buffer.append(length: stream.groupCount)
        var groups: [ConsumerGroup] = []
        stream.forEachGroup { groups.append($0) }
        for group in groups { try write(group, form, to: &output) }
    }

    private func write(
        _ group: ConsumerGroup, _ form: ValueForm, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        try output.write(string: group.name)
        output.buffer.append(group.lastID)
        if form != .stream1 {
            output.buffer.append(length: UInt64(bitPattern: group.entriesRead ?? -1))
        }
        output.buffer.append(length: group.pendingCount)
        try Self.inSteps(&output) { first, output in
            var next: StreamID?
            var left = Self.stepItems
            group.forEachPending(from: first) { item in
                guard left > 0 else {
                    next = item.id
                    return false
                }
                left -= 1
                output.buffer.append(fixed: item.id)
                output.buffer.append(time: item.deliveryTime)
                output.buffer.append(length: item.deliveryCount)
                return true
            }
            return next
        }
        output.buffer.append(length: group.consumerCount)
        var consumers: [StreamConsumer] = []
        group.forEachConsumer { consumers.append($0) }
        for consumer in consumers { try write(consumer, form, to: &output) }
    }

    private func write(
        _ consumer: StreamConsumer, _ form: ValueForm, to output: inout SnapshotOutput
    ) throws(SnapshotWriteError) {
        try output.write(string: consumer.name)
        output.buffer.append(time: consumer.seenTime)
        if form == .stream3 { output.buffer.append(time: consumer.activeTime) }
        output.buffer.append(length: consumer.pendingCount)
        try Self.inSteps(&output) { first, output in
            var next: StreamID?
            var left = Self.stepItems
            consumer.forEachPending(from: first) { item in
                guard left > 0 else {
                    next = item.id
                    return false
                }
                left -= 1
                output.buffer.append(fixed: item.id)
                return true
            }
            return next
        }
    }

    private static let stepItems = 4096

    /// Calls `body` with the ID to go on from, until it gives none, and hands on what is due in between: there may be
    /// more items than should wait in memory.
    private static func inSteps(
        _ output: inout SnapshotOutput, _ body: (StreamID, inout SnapshotOutput) -> StreamID?
    ) throws(SnapshotWriteError) {
        var next: StreamID? = .zero
        while let first = next {
            next = body(first, &output)
            try output.flushIfDue()
        }
    }
}
