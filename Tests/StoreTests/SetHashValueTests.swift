import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("Sets and hashes in the keyspace")
struct SetHashValueTests {
    private static var limits: EncodingLimits {
        var limits = EncodingLimits()
        limits.setIntegersMax = 20
        limits.setEntriesMax = 12
        limits.hashEntriesMax = 12
        return limits
    }

    @Test(
        "snapshots show sets and hashes of all encodings as they were",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func snapshots(seed: UInt64) {
        var random = PRNG(seed: seed)
        var keyspace = Keyspace(databases: 1, seed: seed)
        let limits = Self.limits
        let universe = [8, 30, 3000][random.below(3)]
        func text(_ number: Int) -> [UInt8] {
            switch number % 7 {
            case 0, 1, 2: Array("\(number)".utf8)
            case 3: Array(repeating: UInt8(truncatingIfNeeded: number), count: 30 + number % 300)
            default: Array("word:\(number)".utf8)
            }
        }
        func change() {
            let number = random.below(6)
            let key = Array("key\(number)".utf8)
            let count = 1 + random.below(4)
            // Keys of integers only stay intsets for longer.
            let words = (0..<count).map { _ in
                number == 0 ? Array("\(random.below(universe))".utf8) : text(random.below(universe))
            }
            let isAdding = random.below(100) < 60
            key.withSlice { bytes in
                let key = keyspace.hashed(bytes)
                let entry = keyspace.find(key, 0)
                if random.oneIn(300), entry != nil {
                    keyspace.remove(key, 0)
                } else if number < 3 {
                    change(&keyspace, key, entry, words, isAdding, ofSet: true, &random)
                } else {
                    change(&keyspace, key, entry, words, isAdding, ofSet: false, &random)
                }
            }
        }
        func change(
            _ keyspace: inout Keyspace, _ key: HashedKey, _ entry: Entry?, _ words: [[UInt8]],
            _ isAdding: Bool, ofSet isSet: Bool, _ random: inout PRNG
        ) {
            var buffer = ByteBuffer()
            var ends: [Int] = []
            for word in words {
                buffer.append(word)
                ends.append(buffer.count)
            }
            let all = buffer.slice
            func word(_ index: Int) -> ByteSlice {
                all.slice((index == 0 ? 0 : ends[index - 1])..<ends[index])
            }
            var isEmpty = false
            switch (isSet, isAdding) {
            case (true, true):
                _ = keyspace.addMembers(key, 0, entry, count: words.count, limits) { word($0) }
            case (false, true):
                _ = keyspace.setFields(key, 0, entry, count: words.count, limits) {
                    FieldWords(word($0), word(words.count - 1 - $0))
                }
                if random.oneIn(4), let entry = keyspace.find(key, 0) {
                    keyspace.setFieldDeadlines(
                        key, 0, entry, [word(0)], to: Int64(random.below(1000)))
                }
            case (true, false):
                guard let entry else { return }
                isEmpty =
                    keyspace.removeMembers(key, 0, entry, count: words.count) {
                        .bytes(word($0))
                    }.isEmpty
            case (false, false):
                guard let entry else { return }
                isEmpty =
                    random.oneIn(10)
                    ? keyspace.removeDueFields(
                        key, 0, entry, at: Int64(random.below(1000)), limit: 5
                    ) { _ in }.isEmpty
                    : keyspace.removeFields(key, 0, entry, count: words.count) { word($0) }.isEmpty
            }
            if isEmpty { keyspace.remove(key, 0) }
        }
        for _ in 0..<12 {
            for _ in 0..<300 { change() }
            let before = keyspace.digest().hex
            let epoch: UInt32
            do {
                let view = keyspace.freeze()
                epoch = view.epoch
                for _ in 0..<random.below(600) { change() }
                keyspace.checkInvariants()
                #expect(view.digest().hex == before)
                for _ in 0..<random.below(300) { change() }
                #expect(view.digest().hex == before)
            }
            keyspace.thaw(epoch)
            keyspace.freeRetired(limit: 100_000)
            keyspace.checkInvariants()
            #expect(keyspace.retiredCount == 0)
        }
    }

    @Test("a builder hands over what it was given, and may be dropped half-way")
    func builders() {
        var keyspace = Keyspace(databases: 1, seed: 1)
        let limits = Self.limits
        for count in [1, 12, 13, 20, 21, 500] {
            for isInteger in [true, false] {
                var builder = SetBuilder(for: keyspace, limits)
                let dropped = SetBuilder(for: keyspace, limits, .hashtable)
                let droppedCount = dropped.count
                #expect(droppedCount == 0)
                for number in 0..<count {
                    Array((isInteger ? "\(number)" : "m\(number)").utf8).withSlice {
                        let isNew = builder.add(.bytes($0))
                        let isNewAgain = builder.add(.bytes($0))
                        #expect(isNew && !isNewAgain)
                    }
                }
                let builtCount = builder.count
                #expect(builtCount == count)
                Array("key".utf8).withSlice { name in
                    let key = keyspace.hashed(name)
                    keyspace.setSet(key, 0, from: &builder, deadline: .clear)
                    guard let entry = keyspace.find(key, 0) else {
                        Issue.record("no key")
                        return
                    }
                    #expect(SetValue(entry).count == count)
                    let expected: Encoding =
                        isInteger
                        ? count <= 20 ? .intset : .hashtable
                        : count <= 12 ? .listpack : .hashtable
                    #expect(entry.encoding == expected, "\(count) \(isInteger)")
                }
                keyspace.checkInvariants()
            }
        }
    }
}
