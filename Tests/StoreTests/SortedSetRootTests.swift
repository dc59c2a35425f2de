import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("A large sorted set")
struct SortedSetRootTests {
    struct Rig: ~Copyable {
        var root: SortedSetRoot
        var model: [[UInt8]: Double] = [:]
        var epochs = EpochClock()
        let hasher: ByteHash
        var random: PRNG
        /// What snapshots see.
        var frozen: [(root: SortedSetRoot, model: [[UInt8]: Double], epoch: UInt32)] = []

        init(seed: UInt64) {
            random = PRNG(seed: seed)
            hasher = ByteHash(seed: seed)
            root = SortedSetRoot.make(epoch: epochs.current)
        }

        deinit {
            var epochs = EpochClock()
            root.release(&epochs)
        }

        mutating func set(_ member: [UInt8], _ score: Double) {
            member.withSlice { bytes in
                let hash = hasher.hash(bytes)
                if let item = root.find(hash, bytes) {
                    #expect(item.score == model[member])
                    root.update(hash, item, to: score, &epochs)
                } else {
                    #expect(model[member] == nil)
                    root.insert(hash, bytes, score, &epochs, hasher)
                }
            }
            model[member] = score
        }

        mutating func remove(_ member: [UInt8]) {
            member.withSlice { bytes in
                let hash = hasher.hash(bytes)
                let item = root.find(hash, bytes)
                #expect((item == nil) == (model[member] == nil))
                if let item { root.remove(hash, item, &epochs) }
            }
            model[member] = nil
        }

        mutating func remove(ranks: Range<Int>) {
            let sorted = Self.sorted(model)
            root.remove(ranks: ranks, &epochs, hasher)
            for (member, _) in sorted[ranks] { model[member] = nil }
        }

        static func sorted(_ model: [[UInt8]: Double]) -> [(key: [UInt8], value: Double)] {
            model.sorted {
                $0.value < $1.value
                    || ($0.value == $1.value && $0.key.lexicographicallyPrecedes($1.key))
            }
        }

        static func check(_ root: SortedSetRoot, _ model: [[UInt8]: Double], _ comment: String) {
            let expected = sorted(model)
            var index = 0
            root.tree.forEach { item, _ in
                let isEqual =
                    index < expected.count && item.key.copyToArray() == expected[index].key
                    && item.score == expected[index].value
                if !isEqual { Issue.record("\(comment), rank \(index)") }
                index += 1
            }
            #expect(index == expected.count && root.count == index, "\(comment)")
        }

        func check(_ comment: String) {
            root.checkInvariants(epochs, hasher)
            Self.check(root, model, comment)
        }

        mutating func freezeOrThaw() {
            if frozen.count == 2 || (!frozen.isEmpty && random.oneIn(2)) {
                let old = frozen.remove(at: random.below(frozen.count))
                Self.check(old.root, old.model, "as frozen")
                old.root.checkInvariants(epochs, hasher)
                epochs.thaw(old.epoch)
                epochs.freeSome(.max)
                if frozen.isEmpty { #expect(epochs.retiredCount == 0) }
            } else {
                frozen.append((root, model, epochs.freeze()))
            }
        }
    }

    @Test("agrees with a dictionary, before, during and after snapshots", arguments: [1, 2, 3, 4])
    func model(seed: UInt64) {
        var rig = Rig(seed: seed)
        let universe = [40, 700, 5000][Int(seed % 3)]
        for phase in 0..<6 {
            let setsOf8 = phase % 2 == 0 ? 7 : 2
            for _ in 0..<3000 {
                let number = rig.random.below(universe)
                var member = Array("member:\(number)".utf8)
                if number % 97 == 0 { member += [UInt8](repeating: 0, count: 240 + number % 30) }
                if rig.random.below(8) < setsOf8 {
                    // Few different scores, so that members decide the order, or a small step.
                    let step = (rig.model[member] ?? 0) + 1
                    let score = [Double(rig.random.below(5)), step, -0.0, -step]
                    rig.set(member, score[rig.random.below(4)])
                } else {
                    rig.remove(member)
                }
                if rig.random.oneIn(500) { rig.freezeOrThaw() }
                if rig.random.oneIn(500), !rig.model.isEmpty {
                    let low = rig.random.below(rig.model.count)
                    let high = min(low + rig.random.below(300), rig.model.count)
                    rig.remove(ranks: low..<high)
                }
            }
            rig.check("seed \(seed), phase \(phase)")
        }
        while !rig.frozen.isEmpty { rig.freezeOrThaw() }
        for member in rig.model.keys { rig.remove(member) }
        rig.check("emptied")
        #expect(rig.root.memoryBytes <= 64)
        rig.epochs.freeSome(.max)
        #expect(rig.epochs.retiredCount == 0)
    }

    @Test("of members of 20 bytes takes less than 60 bytes for each")
    func memory() {
        var rig = Rig(seed: 1)
        let count = 100_000
        for _ in 0..<count {
            let member = (0..<20).map { _ in UInt8(rig.random.below(256)) }
            member.withSlice { bytes in
                let hash = rig.hasher.hash(bytes)
                let score = Double(rig.random.below(1_000_000))
                rig.root.insert(hash, bytes, score, &rig.epochs, rig.hasher)
            }
        }
        rig.root.checkInvariants(rig.epochs, rig.hasher)
        let each = Double(rig.root.memoryBytes) / Double(count)
        print("\(each) bytes for each member")
        #expect(each < 60)
    }

    @Test("a scan gives every member that stays, whatever comes and goes")
    func scan() {
        for seed in 1...6 as ClosedRange<UInt64> {
            var rig = Rig(seed: seed)
            for number in 0..<2000 { rig.set(Array("stays:\(number)".utf8), 1) }
            for number in 0..<3000 { rig.set(Array("goes:\(number)".utf8), 1) }
            var seen: Set<[UInt8]> = []
            var cursor: UInt64 = 0
            var step = 0
            repeat {
                cursor = rig.root.scan(from: cursor, wanted: 10) {
                    seen.insert($0.key.copyToArray())
                }
                for _ in 0..<20 {
                    rig.remove(Array("goes:\(rig.random.below(3000))".utf8))
                    if seed % 2 == 0 { rig.set(Array("comes:\(step)".utf8), 2) }
                    step += 1
                }
                if step == 400 { rig.freezeOrThaw() }
            } while cursor != 0
            for number in 0..<2000 { #expect(seen.contains(Array("stays:\(number)".utf8))) }
            while !rig.frozen.isEmpty { rig.freezeOrThaw() }
            // Any cursor is some place.
            for _ in 0..<100 {
                _ = rig.root.scan(from: rig.random.next(), wanted: 5) { _ in }
            }
        }
    }
}

@Suite("Sorted sets in the keyspace")
struct KeyspaceSortedSetTests {
    /// Any change to a key's sorted set that commands can make.
    static func change(_ keyspace: inout Keyspace, _ random: inout PRNG) {
        let limits = SortedSetLimits(packedMembersMax: 10, packedMemberBytesMax: 20)
        "key\(random.below(4))".withSlice { name in
            let key = keyspace.hashed(name)
            let entry = keyspace.find(key, 0)
            switch random.below(20) {
            case 0: keyspace.remove(key, 0)
            case 1:
                guard let entry else { return }
                let count = SortedSetView(entry).count
                let low = random.below(count)
                keyspace.removeSortedSetMembers(
                    key, 0, entry, ranks: low..<min(count, low + random.below(4)))
            case 2:
                if entry != nil {
                    "copy".withSlice { keyspace.copy(key, 0, to: keyspace.hashed($0), 0) }
                }
            case 3: if entry != nil { keyspace.setDeadline(key, 0, to: 1_000_000) }
            case 4:
                var members = ScoredMembers()
                for number in 0..<random.below(30) {
                    "m\(number)".withSlice { members.append($0, Double(random.below(3))) }
                }
                members.sort()
                keyspace.setSortedSet(key, 0, to: members, limits)
            default:
                var update = SortedSetUpdate()
                update.increments = random.oneIn(3)
                let score = Double(random.below(8)) / 2
                "m\(random.below(40))".withSlice { member in
                    keyspace.updateSortedSet(
                        key, 0, entry, &update, count: 1, longest: member.count, limits
                    ) { _ in (member, score) }
                }
            }
        }
    }

    @Test("stay in each snapshot as they were", arguments: 1...8 as ClosedRange<UInt64>)
    func snapshots(seed: UInt64) {
        var keyspace = Keyspace(databases: 1, seed: seed)
        var random = PRNG(seed: seed)
        for _ in 0..<6 {
            for _ in 0..<300 { Self.change(&keyspace, &random) }
            let first = keyspace.digest()
            let view = keyspace.freeze()
            for _ in 0..<300 { Self.change(&keyspace, &random) }
            let second = keyspace.digest()
            let epoch: UInt32
            do {
                let later = keyspace.freeze()
                epoch = later.epoch
                for _ in 0..<300 {
                    Self.change(&keyspace, &random)
                    keyspace.freeRetired(limit: 10)
                }
                #expect(view.digest() == first, "seed \(seed)")
                #expect(later.digest() == second, "seed \(seed)")
            }
            keyspace.checkInvariants()
            keyspace.thaw(view.epoch)
            keyspace.thaw(epoch)
            keyspace.freeRetired(limit: .max)
            #expect(keyspace.retiredCount == 0)
            keyspace.checkInvariants()
        }
    }
}

@Suite("A page of an item table")
struct ItemPageTests {
    @Test("gives up its items in every order, wherever their homes are")
    func everyLayout() {
        // Six slots, four items.
        for layout in 0..<6 * 6 * 6 * 6 {
            let homes = [layout % 6, layout / 6 % 6, layout / 36 % 6, layout / 216]
            for order in permutations([0, 1, 2, 3]) {
                let page = ItemPage.make(items: 1, localDepth: 0, epoch: 1)
                let values = homes.enumerated().map { index, home in
                    page.firstTag(home) << 48 | UInt64(index + 1)
                }
                for value in values {
                    page.place(value)
                    page.used += 1
                }
                for (step, index) in order.enumerated() {
                    let slot = (0..<page.room).first { page[$0] == values[index] }
                    guard let slot else {
                        Issue.record("lost \(index) of \(homes)")
                        return
                    }
                    page.clear(slot)
                    for left in order[(step + 1)...] {
                        var place = page.home(values[left] >> 48)
                        while page[place] != values[left], page[place] != 0 {
                            place = page.next(place)
                        }
                        if page[place] == 0 {
                            Issue.record("\(homes), \(order), \(step)")
                            return
                        }
                    }
                }
                var epochs = EpochClock()
                page.release(&epochs)
            }
        }
    }
}
