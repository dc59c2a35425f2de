import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("A stream")
struct StreamTests {
    // MARK: A model

    struct ModelEntry: Equatable {
        var id: StreamID
        var words: [[UInt8]]
    }

    struct ModelItem: Equatable {
        var time: Int64
        var count: UInt64
        var consumer: String
    }

    struct ModelGroup: Equatable {
        var lastID: StreamID
        var read: Int64?
        var pending: [StreamID: ModelItem] = [:]
        var consumers: [String: [Int64]] = [:]
    }

    struct Model: Equatable {
        var entries: [ModelEntry] = []
        var lastID = StreamID.zero
        var maxDeleted = StreamID.zero
        var added: UInt64 = 0
        var groups: [String: ModelGroup] = [:]

        init() {}

        /// What a stream holds.
        init(_ stream: StreamValue) {
            stream.forEach { entry in
                var words: [[UInt8]] = []
                entry.forEachWord { words.append($0.copyToArray()) }
                entries.append(ModelEntry(id: entry.id, words: words))
                return true
            }
            lastID = stream.lastID
            maxDeleted = stream.maxDeletedID
            added = stream.addedCount
            stream.forEachGroup { group in
                var model = ModelGroup(lastID: group.lastID, read: group.entriesRead)
                group.forEachPending { item in
                    model.pending[item.id] = ModelItem(
                        time: item.deliveryTime, count: item.deliveryCount,
                        consumer: item.consumerName.text)
                    return true
                }
                group.forEachConsumer { consumer in
                    model.consumers[consumer.name.text] = [consumer.seenTime, consumer.activeTime]
                }
                groups[group.name.text] = model
            }
        }
    }

    /// A stream beside a model that must hold the same.
    struct Rig: ~Copyable {
        var stream: StreamValue
        var epochs = EpochClock()
        var model = Model()
        var random: PRNG
        var limits: StreamLimits
        var frozen: (stream: StreamValue, model: Model, epoch: UInt32)?
        /// Values given up, as the keyspace would.
        var parts = ReleaseStack()
        var steps = 0

        init(seed: UInt64, limits: StreamLimits) {
            random = PRNG(seed: seed)
            self.limits = limits
            stream = StreamValue.make(epoch: epochs.current)
        }

        deinit {
            var parts = parts
            var epochs = EpochClock()
            unsafe parts.push(stream.raw, .stream)
            parts.releaseSome(.max, &epochs)
        }

        mutating func word() -> [UInt8] {
            switch random.below(6) {
            case 0: return Array("\(Int(random.below(100_000)) - 50_000)".utf8)
            case 1: return Array("f".utf8)
            case 2: return (0..<random.below(200)).map { _ in UInt8(random.below(256)) }
            case 3: return []
            default: return Array("field\(random.below(3))".utf8)
            }
        }

        mutating func append() {
            let last = model.lastID
            let id: StreamID
            switch random.below(10) {
            case 0:
                id = StreamID(
                    last.milliseconds + UInt64(random.below(1000)) + 1, UInt64(random.below(3)))
            case 1..<4: id = StreamID(last.milliseconds + 1, 0)
            default: id = StreamID(last.milliseconds, last.sequence + 1 + UInt64(random.below(2)))
            }
            var words: [[UInt8]] = []
            if random.below(3) > 0 {
                words = [Array("a".utf8), word(), Array("b".utf8), word()]
            } else {
                for _ in 0..<(1 + random.below(4)) { words += [word(), word()] }
            }
            let buffer = words.flatMap { $0 }
            buffer.withSlice { bytes in
                var ranges: [Range<Int>] = []
                var offset = 0
                for word in words {
                    ranges.append(offset..<offset + word.count)
                    offset += word.count
                }
                stream.append(
                    id, fieldCount: words.count / 2, payload: bytes.count, limits: limits, &epochs
                ) { bytes.slice(ranges[$0]) }
            }
            model.entries.append(ModelEntry(id: id, words: words))
            model.lastID = id
            model.added += 1
        }

        mutating func someID() -> StreamID {
            if !model.entries.isEmpty, !random.oneIn(10) {
                return model.entries[random.below(model.entries.count)].id
            }
            return StreamID(UInt64(random.below(Int(model.lastID.milliseconds) + 2)), 0)
        }

        mutating func delete() {
            let id = someID()
            let index = model.entries.firstIndex { $0.id == id }
            #expect(stream.delete(id, &epochs) == (index != nil))
            if let index {
                model.entries.remove(at: index)
                model.maxDeleted = max(model.maxDeleted, id)
            }
        }

        mutating func trim() {
            if random.oneIn(2) {
                let kept = max(0, model.entries.count - random.below(30))
                let deleted = stream.trim(.count(kept), wholeNodesOnly: false, limit: 0, &epochs)
                #expect(deleted == model.entries.count - kept)
                model.entries.removeFirst(model.entries.count - kept)
            } else {
                guard !model.entries.isEmpty else { return }
                let id = model.entries[random.below(min(30, model.entries.count))].id
                let deleted = stream.trim(.from(id), wholeNodesOnly: false, limit: 0, &epochs)
                #expect(deleted == model.entries.count { $0.id < id })
                model.entries.removeAll { $0.id < id }
            }
        }

        mutating func trimNodes() {
            let kept = max(0, model.entries.count - random.below(300))
            let limit = random.below(3) * 50
            let deleted = stream.trim(.count(kept), wholeNodesOnly: true, limit: limit, &epochs)
            #expect(model.entries.count - deleted >= kept)
            #expect(limit == 0 || deleted <= limit)
            model.entries.removeFirst(deleted)
        }

        mutating func groupStep() {
            let name = "group\(random.below(4))"
            let consumer = "consumer\(random.below(5))"
            let now = Int64(random.below(1000))
            let step = random.below(20)
            let id = someID()
            name.withSlice { nameBytes in
                consumer.withSlice { consumerBytes in
                    guard model.groups[name] != nil else {
                        #expect(stream.group(nameBytes) == nil)
                        stream.addGroup(nameBytes, lastID: id, entriesRead: nil, &epochs)
                        model.groups[name] = ModelGroup(lastID: id, read: nil)
                        return
                    }
                    guard let group = stream.writableGroup(nameBytes, &epochs) else {
                        Issue.record("no group")
                        return
                    }
                    switch step {
                    case 0:
                        group.lastID = id
                        group.entriesRead = now
                        model.groups[name]?.lastID = id
                        model.groups[name]?.read = now
                    case 1:
                        let pending = model.groups[name]?.pending.filter {
                            $0.value.consumer == consumer
                        }
                        let known = model.groups[name]?.consumers.removeValue(forKey: consumer)
                        #expect(
                            group.removeConsumer(consumerBytes, &epochs)
                                == (known == nil ? nil : pending?.count))
                        let others = model.groups[name]?.pending.filter {
                            $0.value.consumer != consumer
                        }
                        model.groups[name]?.pending = others ?? [:]
                    case 2..<8:
                        let isPending = model.groups[name]?.pending.removeValue(forKey: id) != nil
                        #expect(group.acknowledge(id, &epochs) == isPending)
                    default:
                        let reader =
                            group.writableConsumer(consumerBytes, &epochs)
                            ?? group.addConsumer(consumerBytes, seenTime: now, &epochs)
                        reader.seenTime = now
                        reader.activeTime = now + 1
                        group.assign(id, to: reader, time: now, count: UInt64(now), &epochs)
                        model.groups[name]?.consumers[consumer] = [now, now + 1]
                        model.groups[name]?.pending[id] = ModelItem(
                            time: now, count: UInt64(now), consumer: consumer)
                    }
                }
            }
        }

        mutating func freezeOrThaw() {
            if let frozen {
                #expect(Model(frozen.stream) == frozen.model)
                epochs.thaw(frozen.epoch)
                self.frozen = nil
                epochs.freeSome(.max)
                #expect(epochs.retiredCount == 0)
            } else {
                let epoch = epochs.freeze()
                frozen = (stream, model, epoch)
            }
        }

        mutating func step() {
            steps += 1
            switch random.below(100) {
            case 0..<45: append()
            case 45..<58: delete()
            case 58: trim()
            case 59: if random.oneIn(20) { trimNodes() }
            case 60: freezeOrThaw()
            default: groupStep()
            }
        }

        mutating func check() {
            stream.checkInvariants(epochs)
            #expect(Model(stream) == model)
            var backwards: [StreamID] = []
            stream.forEachBackwards {
                backwards.append($0.id)
                return true
            }
            #expect(backwards.reversed() == model.entries.map(\.id))
            #expect(stream.lastLiveID == model.entries.last?.id)
        }
    }

    @Test(
        "holds what a plain model holds, and a snapshot what it froze",
        arguments: [1, 2, 3, 4, 5, 6] as [UInt64],
        [
            StreamLimits(nodeBytes: 0, nodeEntries: 2),
            StreamLimits(nodeBytes: 200, nodeEntries: 0),
            StreamLimits(), StreamLimits(nodeBytes: 0, nodeEntries: 0),
        ])
    func model(seed: UInt64, limits: StreamLimits) {
        var rig = Rig(seed: seed, limits: limits)
        for _ in 0..<40 {
            for _ in 0..<60 { rig.step() }
            rig.check()
        }
        if rig.frozen != nil { rig.freezeOrThaw() }
        // A copy shares nothing.
        let twin = rig.stream.copied(epoch: rig.epochs.current)
        twin.checkInvariants(rig.epochs)
        #expect(Model(twin) == rig.model)
        unsafe rig.parts.push(twin.raw, .stream)
        rig.parts.releaseSome(.max, &rig.epochs)
        rig.check()
    }

    @Test("ranges are what a model gives, from both ends", arguments: [1, 2, 3] as [UInt64])
    func ranges(seed: UInt64) {
        var rig = Rig(seed: seed, limits: StreamLimits(nodeBytes: 0, nodeEntries: 3))
        for _ in 0..<300 { rig.append() }
        for _ in 0..<100 { rig.delete() }
        for _ in 0..<500 {
            let first = rig.someID()
            let last = rig.someID()
            let limit = 1 + rig.random.below(20)
            let inside = rig.model.entries.map(\.id).filter { $0 >= first && $0 <= last }
            var found: [StreamID] = []
            rig.stream.forEach(from: first, through: last, limit: limit) {
                found.append($0.id)
                return true
            }
            #expect(found == Array(inside.prefix(limit)))
            found = []
            rig.stream.forEachBackwards(from: first, through: last, limit: limit) {
                found.append($0.id)
                return true
            }
            #expect(found == Array(inside.reversed().prefix(limit)))
            #expect(rig.stream.contains(first) == rig.model.entries.contains { $0.id == first })
        }
    }

    // MARK: Parts

    @Test("a stream built from its own parts is the same", arguments: [1, 2, 3] as [UInt64])
    func rebuilt(seed: UInt64) throws {
        var rig = Rig(seed: seed, limits: StreamLimits(nodeBytes: 0, nodeEntries: 5))
        for _ in 0..<1500 { rig.step() }
        let stream = rig.stream
        var builder = StreamBuilder(epoch: 1)
        var nodes: [(StreamID, [UInt8])] = []
        stream.forEachNode { nodes.append(($0, $1.copyToArray())) }
        for (id, list) in nodes {
            try list.withSlice { bytes throws(StreamFault) in try builder.addNode(id, bytes) }
        }
        try builder.finishEntries(
            count: UInt64(stream.count), lastID: stream.lastID,
            history: .init(
                firstID: stream.firstID, maxDeletedID: stream.maxDeletedID,
                addedCount: stream.addedCount))
        for (name, group) in rig.model.groups {
            try name.withSlice { name throws(StreamFault) in
                try builder.addGroup(name, lastID: group.lastID, entriesRead: group.read ?? -1)
            }
            for (id, item) in group.pending {
                try builder.addPending(id, time: item.time, count: item.count)
            }
            for (name, times) in group.consumers {
                try name.withSlice { name throws(StreamFault) in
                    try builder.addConsumer(name, seenTime: times[0], activeTime: times[1])
                }
                for (id, item) in group.pending where item.consumer == name {
                    try builder.addConsumerItem(id)
                }
            }
        }
        let built = try builder.finish()
        built.checkInvariants(rig.epochs)
        #expect(Model(built) == rig.model)
        unsafe rig.parts.push(built.raw, .stream)
        rig.parts.releaseSome(.max, &rig.epochs)
    }

    @Test("parts that don't agree are refused")
    func refusedParts() throws {
        func fault(_ body: (inout StreamBuilder) throws(StreamFault) -> Void) -> StreamFault? {
            var builder = StreamBuilder(epoch: 1)
            do throws(StreamFault) {
                try body(&builder)
                let stream = try builder.finish()
                var parts = ReleaseStack()
                var clock = EpochClock()
                unsafe parts.push(stream.raw, .stream)
                parts.releaseSome(.max, &clock)
                return nil
            } catch { return error }
        }
        let id = StreamID(1, 1)
        let list = Self.vectors[0].list
        func with(_ body: (inout StreamBuilder) throws(StreamFault) -> Void) -> StreamFault? {
            fault { builder throws(StreamFault) in
                try list.withSlice { bytes throws(StreamFault) in try builder.addNode(id, bytes) }
                try body(&builder)
            }
        }
        #expect(with { _ in } == nil)
        #expect(
            with { builder throws(StreamFault) in
                try builder.finishEntries(count: 2, lastID: StreamID(2, 0), history: nil)
            } == .wrongCount)
        #expect(
            with { builder throws(StreamFault) in
                try builder.finishEntries(count: 3, lastID: id, history: nil)
            } == .wrongLastID)
        #expect(
            with { builder throws(StreamFault) in
                try list.withSlice { bytes throws(StreamFault) in try builder.addNode(id, bytes) }
            } == .repeatedNode)
        #expect(
            fault { builder throws(StreamFault) in
                try ByteSlice("g").check { name throws(StreamFault) in
                    try builder.addGroup(name, lastID: id, entriesRead: nil)
                    try builder.addPending(id, time: 1, count: 1)
                }
            } == .unownedPendingItem)
        #expect(
            fault { builder throws(StreamFault) in
                let name = ByteSlice("g")
                try builder.addGroup(name, lastID: id, entriesRead: nil)
                try builder.addPending(id, time: 1, count: 1)
                try builder.addPending(id, time: 1, count: 1)
            } == .repeatedPendingItem)
        #expect(
            fault { builder throws(StreamFault) in
                let name = ByteSlice("g")
                try builder.addGroup(name, lastID: id, entriesRead: nil)
                try builder.addPending(id, time: 1, count: 1)
                try builder.addConsumer(ByteSlice("c"), seenTime: 1, activeTime: 1)
                try builder.addConsumerItem(id)
                try builder.addConsumer(ByteSlice("d"), seenTime: 1, activeTime: 1)
                try builder.addConsumerItem(id)
            } == .strayPendingItem)
        #expect(
            fault { builder throws(StreamFault) in
                let name = ByteSlice("g")
                try builder.addGroup(name, lastID: id, entriesRead: nil)
                try builder.addGroup(name, lastID: id, entriesRead: nil)
            } == .repeatedGroup)
    }

    @Test(
        "every byte of a node's list changed, or cut off, is refused or leaves a list that can be read"
    )
    func damagedNodes() {
        let list = Self.vectors[1].list
        let id = StreamID(1, 1)
        func tryOut(_ bytes: [UInt8]) {
            bytes.withSlice { slice in
                guard let live = StreamNodeCheck(slice, master: id)?.liveCount else { return }
                let node = StreamNode.make(master: id, list: slice, epoch: 1)
                var found = 0
                node.forEachEntry { entry in
                    entry.forEachWord { _ = $0.count }
                    if !entry.isDeleted { found += 1 }
                    return true
                }
                #expect(found == live)
                _ = node.forEachEntryBackwards { _ in true }
                var clock = EpochClock()
                node.release(&clock)
            }
        }
        for index in list.indices {
            for value in 0...255 {
                var bytes = list
                bytes[index] = UInt8(value)
                tryOut(bytes)
            }
            tryOut(Array(list[..<index]))
        }
    }

    // MARK: Bytes

    struct Vector {
        var what: String
        var list: [UInt8]
    }

    /// Macro nodes out of DUMP payloads of redis-server 7.0.15: 1-1 f=v, 1-2 f=w, 2-0 g=v, and the same after
    /// 1-2 was deleted.
    static let vectors = [
        Vector(
            what: "three entries",
            list: bytes(
                "390000001600030100010101816602000102010001000181760204010201000101018177020401"
                    + "00010101dfff0201018167028176020601ff")),
        Vector(
            what: "one deleted",
            list: bytes(
                "390000001600020101010101816602000102010001000181760204010301000101018177020401"
                    + "00010101dfff0201018167028176020601ff")),
    ]

    static func bytes(_ hex: String) -> [UInt8] {
        let digits = Array(hex.utf8).map { $0 < 58 ? $0 - 48 : $0 - 87 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    @Test("nodes are, byte for byte, those of the other server")
    func nodeBytes() {
        var epochs = EpochClock()
        var stream = StreamValue.make(epoch: 1)
        let entries: [(StreamID, StaticString, StaticString)] = [
            (StreamID(1, 1), "f", "v"), (StreamID(1, 2), "f", "w"), (StreamID(2, 0), "g", "v"),
        ]
        for (id, name, value) in entries {
            stream.append(id, fieldCount: 1, payload: 2, limits: StreamLimits(), &epochs) {
                ByteSlice($0 == 0 ? name : value)
            }
        }
        func list() -> [UInt8] {
            var bytes: [UInt8] = []
            stream.forEachNode { bytes = $1.copyToArray() }
            return bytes
        }
        #expect(list() == Self.vectors[0].list)
        #expect(stream.delete(StreamID(1, 2), &epochs))
        #expect(list() == Self.vectors[1].list)
        var parts = ReleaseStack()
        unsafe parts.push(stream.raw, .stream)
        parts.releaseSome(.max, &epochs)
    }

    // MARK: IDs

    @Test(
        "texts mean the IDs that they mean to the other server",
        arguments: [
            ("1-2", StreamID(1, 2)), ("1", StreamID(1, 7)), ("0-0", .zero),
            ("18446744073709551615-18446744073709551615", .max), ("18446744073709551616", nil),
            ("", nil), ("-", nil), ("+", nil), ("1-", nil), ("-1", nil), ("1-2-3", nil),
            ("1-*", nil), (" 1-1", StreamID(1, 1)), ("01-1", StreamID(1, 1)),
            ("+1-1", StreamID(1, 1)),
            ("1 -1", nil), ("1--1", nil), ("1--01", StreamID(1, .max)), ("a", nil),
            ("1-1\0x", StreamID(1, 1)),
            ("9223372036854775808-1", StreamID(1 << 63, 1)),
        ] as [(String, StreamID?)])
    func texts(text: String, id: StreamID?) {
        text.withSlice { #expect(StreamID($0, missing: 7) == id) }
    }

    @Test("an ID's text is read back, and its neighbours are next to it")
    func text() {
        for id in [StreamID.zero, .max, StreamID(1, .max), StreamID(1_700_000_000_000, 12)] {
            let text = id.withText { $0.text }
            #expect(text == "\(id.milliseconds)-\(id.sequence)")
            text.withSlice { #expect(StreamID($0) == id) }
            if let next = id.next { #expect(next > id && next.previous == id) }
            if let previous = id.previous { #expect(previous < id && previous.next == id) }
        }
        #expect(StreamID.max.next == nil && StreamID.zero.previous == nil)
        #expect(StreamID.milliseconds(withAnySequence: ByteSlice("12-*")) == 12)
        #expect(StreamID.milliseconds(withAnySequence: ByteSlice("12-1")) == nil)
    }
}

extension ByteSlice {
    fileprivate func check(
        _ body: (ByteSlice) throws(StreamFault) -> Void
    ) throws(StreamFault) { try body(self) }
}
