import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

/// A list with the clock it needs, beside an array that has been changed in the same way.
private final class ListRig {
    struct Snapshot {
        var epoch: UInt32
        var nodes: ListNodes
        var content: [[UInt8]]
    }

    var epochs = EpochClock()
    var nodes: ListNodes
    var model: [[UInt8]] = []
    var snapshots: [Snapshot] = []
    var limit: ListNodeLimit

    init(_ limit: ListNodeLimit) {
        self.limit = limit
        nodes = ListNodes.make(epoch: epochs.current)
    }

    deinit {
        for snapshot in snapshots { epochs.thaw(snapshot.epoch) }
        var stack = ReleaseStack()
        unsafe stack.push(nodes.raw, .list)
        stack.releaseSome(.max, &epochs)
    }

    func append(_ bytes: [UInt8]) {
        bytes.withSlice { nodes.append($0, limit, &epochs) }
        model.append(bytes)
    }

    func prepend(_ bytes: [UInt8]) {
        bytes.withSlice { nodes.prepend($0, limit, &epochs) }
        model.insert(bytes, at: 0)
    }

    func removeFirst(_ count: Int) {
        if count == 1 { nodes.removeFirst(&epochs) } else { nodes.removeFirst(count, &epochs) }
        model.removeFirst(count)
    }

    func removeLast(_ count: Int) {
        if count == 1 { nodes.removeLast(&epochs) } else { nodes.removeLast(count, &epochs) }
        model.removeLast(count)
    }

    func insert(_ bytes: [UInt8], beside pivot: [UInt8], isBehind: Bool) {
        let done = bytes.withSlice { bytes in
            pivot.withSlice { nodes.insert(bytes, beside: $0, isBehind: isBehind, limit, &epochs) }
        }
        let index = model.firstIndex(of: pivot)
        #expect(done == (index != nil))
        if let index { model.insert(bytes, at: isBehind ? index + 1 : index) }
    }

    func set(_ index: Int, _ bytes: [UInt8]) {
        bytes.withSlice { nodes.set(index, to: $0, limit, &epochs) }
        model[index] = bytes
    }

    func removeEqual(to bytes: [UInt8], most: Int, fromEnd: Bool) {
        let removed = bytes.withSlice {
            nodes.removeEqual(to: $0, most: most, fromEnd: fromEnd, &epochs)
        }
        let all = model.indices.filter { model[$0] == bytes }
        let gone = Set(fromEnd ? all.suffix(most) : all.prefix(most))
        #expect(removed == gone.count)
        model = model.indices.filter { !gone.contains($0) }.map { model[$0] }
    }

    func freeze() {
        snapshots.append(Snapshot(epoch: epochs.freeze(), nodes: nodes, content: model))
    }

    func thaw(_ index: Int) {
        let snapshot = snapshots.remove(at: index)
        #expect(Self.content(snapshot.nodes) == snapshot.content)
        epochs.thaw(snapshot.epoch)
        epochs.freeSome(.max)
    }

    static func content(_ nodes: ListNodes) -> [[UInt8]] {
        var result: [[UInt8]] = []
        nodes.forEach(from: 0, count: .max) { result.append($0.copyToArray()) }
        return result
    }

    func check() {
        nodes.checkInvariants(epochs)
        #expect(nodes.count == model.count)
        #expect(Self.content(nodes) == model)
    }

    /// All ways to read agree.
    func checkReading() {
        for index in model.indices {
            #expect(nodes[index].copyToArray() == model[index])
        }
        var backwards: [[UInt8]] = []
        nodes.forEachBackwards(from: model.count - 1) {
            backwards.append($0.copyToArray())
            return true
        }
        #expect(backwards == model.reversed())
        guard !model.isEmpty else { return }
        #expect(nodes.firstElement.copyToArray() == model[0])
        #expect(nodes.lastElement.copyToArray() == model[model.count - 1])
        for start in [0, model.count / 3, model.count - 1] {
            for count in [1, 2, model.count / 2, model.count] {
                var part: [[UInt8]] = []
                nodes.forEach(from: start, count: count) { part.append($0.copyToArray()) }
                #expect(part == Array(model[start...].prefix(count)))
            }
        }
        var joined: [[UInt8]] = []
        nodes.forEachNode { part in
            switch part {
            case .single(let bytes): joined.append(bytes.copyToArray())
            case .packed(let list):
                var offset = list.firstOffset
                while let here = offset {
                    joined.append(list[here].copyToArray())
                    offset = list.next(after: here)
                }
            }
        }
        #expect(joined == model)
    }
}

@Suite("Lists of many nodes")
struct ListNodesTests {
    /// Few different elements, so that searches find them: numbers, short words, now and then long ones.
    private static func element(_ random: inout PRNG) -> [UInt8] {
        switch random.below(8) {
        case 0...2: return Array("\(random.below(12))".utf8)
        case 3...5: return Array("word\(random.below(8))".utf8)
        case 6: return Array(repeating: UInt8(97 + random.below(3)), count: random.below(60))
        default: return Array(repeating: UInt8(97 + random.below(3)), count: 90)
        }
    }

    @Test(
        "behaves as an array under any changes, and snapshots stay as they were",
        arguments: [
            (ListNodeLimit(setting: 1), 1), (ListNodeLimit(setting: 2), 2),
            (ListNodeLimit(setting: 5), 3), (ListNodeLimit(setting: 3, singleBytesMin: 50), 4),
            (ListNodeLimit(setting: -1, singleBytesMin: 80), 5),
            (ListNodeLimit(setting: 40, singleBytesMin: 2), 6), (ListNodeLimit(setting: -2), 7),
        ])
    func randomChanges(_ limit: ListNodeLimit, _ seed: Int) {
        print("seed \(seed)")
        var random = PRNG(seed: UInt64(seed))
        let rig = ListRig(limit)
        for round in 0..<3000 {
            let element = Self.element(&random)
            let count = rig.model.count
            // Grows at first, then shrinks, and again.
            let grows = round / 700 % 2 == 0
            switch random.below(grows ? 11 : 14) {
            case 0...2: rig.append(element)
            case 3...5: rig.prepend(element)
            case 6...7:
                let pivot =
                    count > 0 && random.below(4) > 0
                    ? rig.model[random.below(count)] : Self.element(&random)
                rig.insert(element, beside: pivot, isBehind: random.below(2) == 0)
            case 8 where count > 0: rig.set(random.below(count), element)
            case 9 where count > 0: rig.set(random.below(count), element)
            case 10 where count > 0:
                if random.below(2) == 0 { rig.removeFirst(1) } else { rig.removeLast(1) }
            case 11 where count > 0:
                let dropped = random.below(min(count, 40)) + 1
                if random.below(2) == 0 {
                    rig.removeFirst(dropped)
                } else {
                    rig.removeLast(dropped)
                }
            default:
                rig.removeEqual(
                    to: element, most: random.below(6) + 1, fromEnd: random.below(2) == 0)
            }
            switch random.below(60) {
            case 0 where rig.snapshots.count < 3: rig.freeze()
            case 1 where !rig.snapshots.isEmpty:
                rig.thaw(random.below(rig.snapshots.count))
            case 2: rig.check()
            case 3: rig.checkReading()
            default: break
            }
        }
        rig.check()
        while !rig.snapshots.isEmpty { rig.thaw(0) }
    }

    @Test("elements go at both ends of a list of any number of nodes")
    func dropAnyNumber() {
        for count in [1, 2, 3, 4, 5, 7, 63, 64, 65, 70, 200] {
            for setting in [1, 2, 3] {
                for dropped in Set([0, 1, 2, 3, count / 2, count - 1, count])
                where dropped >= 0 && dropped <= count {
                    for atEnd in [false, true] {
                        let rig = ListRig(ListNodeLimit(setting: setting))
                        for index in 0..<count { rig.append(Array("\(index)".utf8)) }
                        if atEnd {
                            rig.nodes.removeLast(dropped, &rig.epochs)
                            rig.model.removeLast(dropped)
                        } else {
                            rig.nodes.removeFirst(dropped, &rig.epochs)
                            rig.model.removeFirst(dropped)
                        }
                        rig.check()
                        rig.append(Array("x".utf8))
                        rig.prepend(Array("y".utf8))
                        rig.check()
                    }
                }
            }
        }
    }

    @Test("a copy shares nothing with its original")
    func copies() {
        let rig = ListRig(ListNodeLimit(setting: 3, singleBytesMin: 50))
        var random = PRNG(seed: 9)
        for _ in 0..<300 { rig.append(Self.element(&random)) }
        let twin = ListRig(rig.limit)
        var stack = ReleaseStack()
        unsafe stack.push(twin.nodes.raw, .list)
        stack.releaseSome(.max, &twin.epochs)
        twin.nodes = rig.nodes.copy(&rig.epochs)
        twin.model = rig.model
        for index in 0..<300 { rig.set(index, Array("changed".utf8)) }
        twin.check()
        rig.check()
        #expect(twin.nodes.nodeCount > 100)
    }

    @Test("a packed list loses equal elements in one pass, from either side")
    func removeEqual() {
        for pattern in 0..<64 {
            for skipped in 0..<4 {
                for most in 1..<5 {
                    var block = PackedBlock.makeList(room: 16, epoch: 1)
                    var model: [String] = []
                    for index in 0..<6 {
                        let word = pattern >> index & 1 == 1 ? "7" : "other\(index)"
                        word.withSlice { block.append($0) }
                        model.append(word)
                    }
                    let all = model.indices.filter { model[$0] == "7" }
                    let gone = Set(all.dropFirst(skipped).prefix(most))
                    let removed = "7".withSlice {
                        block.removeEqual(to: $0, skipping: skipped, most: most)
                    }
                    #expect(removed == gone.count)
                    #expect(PackedList.isValid(block.list.bytes, deep: true))
                    var left: [String] = []
                    var offset = block.list.firstOffset
                    while let here = offset {
                        left.append(
                            String(decoding: block.list[here].copyToArray(), as: UTF8.self))
                        offset = block.list.next(after: here)
                    }
                    #expect(left == model.indices.filter { !gone.contains($0) }.map { model[$0] })
                    block.free()
                }
            }
        }
    }
}
