import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("The table of members")
struct MemberTableTests {
    typealias Field = MemberTableRig.Field

    /// A length near the borders that the record's form knows.
    private static func length(_ random: inout PRNG, largest: Int) -> Int {
        switch random.below(12) {
        case 0: 62 + random.below(4)
        case 1: 126 + random.below(4)
        case 2: min(largest, 254 + random.below(6))
        case 3: min(largest, random.below(2000))
        default: random.below(24)
        }
    }

    private static func bytes(_ random: inout PRNG, _ count: Int) -> [UInt8] {
        let first = UInt8(truncatingIfNeeded: random.next())
        return (0..<count).map { first &+ UInt8(truncatingIfNeeded: $0) }
    }

    @Test(
        "agrees with a dictionary while it grows and shrinks, and snapshots stay as they were",
        arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func model(seed: UInt64) {
        var random = PRNG(seed: seed)
        let hasValues = seed % 2 == 0
        let rig = MemberTableRig(seed: seed, hasValues: hasValues)
        var model: [[UInt8]: Field] = [:]
        let largest = [300, 100, 2000][random.below(3)]
        for phase in 0..<8 {
            let universe = [50, 1000, 5000][random.below(3)]
            let insertsOf8 = phase % 2 == 0 ? 6 : 1
            for step in 0..<3000 {
                let number = random.below(universe)
                var lengths = PRNG(seed: UInt64(number))
                var member = Array("\(number):".utf8)
                member += Self.bytes(&lengths, Self.length(&lengths, largest: largest))
                if random.below(8) < insertsOf8 {
                    if hasValues {
                        let value = Self.bytes(
                            &random, Self.length(&random, largest: largest))
                        let deadline = random.oneIn(4) ? Int64(random.below(1000)) : nil
                        #expect(
                            rig.set(member, value, deadline: deadline) == (model[member] == nil))
                        model[member] = Field(value: value, deadline: deadline)
                    } else {
                        #expect(rig.insert(member) == (model[member] == nil))
                        model[member] = Field(value: [], deadline: nil)
                    }
                } else if hasValues, random.oneIn(3) {
                    let deadline = random.oneIn(2) ? Int64(random.below(1000)) : nil
                    #expect(rig.setDeadline(member, deadline) == (model[member] != nil))
                    model[member]?.deadline = deadline
                } else {
                    #expect(rig.remove(member) == (model.removeValue(forKey: member) != nil))
                }
                #expect(rig.field(member) == model[member])
                if random.oneIn(800), rig.snapshots.count < 3 { rig.freeze() }
                if random.oneIn(1200), !rig.snapshots.isEmpty {
                    #expect(rig.thaw(random.below(rig.snapshots.count)))
                }
                if step % 500 == 0 { rig.checkInvariants() }
            }
            if hasValues, phase % 3 == 2 {
                let now = Int64(random.below(1000))
                var due: [[UInt8]] = []
                var removed = 0
                repeat {
                    removed = rig.table.removeDue(at: now, limit: 50, &rig.epochs) {
                        due.append($0.member.copyToArray())
                    }
                    rig.checkInvariants()
                } while removed == 50
                let expected = model.filter { ($0.value.deadline ?? Int64.max) < now }
                #expect(Set(due) == Set(expected.keys) && due.count == expected.count)
                for member in due { model[member] = nil }
                #expect(
                    rig.table.deadlineMin
                        == model.values.compactMap(\.deadline).min() ?? Int64.max)
            }
            rig.checkInvariants()
            #expect(rig.content == model)
            let twin = rig.table.copy(rig.epochs.current)
            twin.checkInvariants(rig.hasher)
            #expect(MemberTableRig.content(twin) == model)
            rig.release(twin)
        }
        for member in model.keys { #expect(rig.remove(member)) }
        rig.checkInvariants()
        #expect(rig.table.count == 0)
        #expect(rig.table.pageCount == 1, "an emptied table joins down to one page")
        #expect(rig.table.memoryBytes < 200)
        while !rig.snapshots.isEmpty { #expect(rig.thaw(0)) }
        #expect(rig.epochs.retiredCount == 0)
    }

    @Test("any order of adding and removing four members ends in the same content")
    func everyOrder() {
        let members: [[UInt8]] = [
            [], [7], Array(repeating: 1, count: 70), Array(repeating: 2, count: 300),
        ]
        // Each step toggles one member; all sequences of six steps, with a snapshot before each step.
        var sequence = 0
        while sequence < 4096 {
            let rig = MemberTableRig(seed: 3, hasValues: false)
            var model: Set<[UInt8]> = []
            for step in 0..<6 {
                let member = members[(sequence >> (2 * step)) & 3]
                if step == sequence % 7 { rig.freeze() }
                if model.contains(member) {
                    #expect(rig.remove(member))
                    model.remove(member)
                } else {
                    #expect(rig.insert(member))
                    model.insert(member)
                }
                rig.checkInvariants()
            }
            #expect(Set(rig.content.keys) == model)
            while !rig.snapshots.isEmpty { #expect(rig.thaw(0)) }
            sequence += 1
        }
    }

    @Test("a value of any length replaces one of any length, also under a snapshot")
    func replacing() {
        let lengths = [0, 1, 63, 64, 127, 128, 200, 255, 256, 257, 1000]
        for old in lengths {
            for new in lengths {
                for isFrozen in [false, true] {
                    for deadline in [nil, 5] as [Int64?] {
                        let rig = MemberTableRig(seed: 9, hasValues: true)
                        for number in 0..<20 { rig.set([UInt8(number)], [1, 2, 3]) }
                        let member = Array("field".utf8)
                        rig.set(member, Array(repeating: 1, count: old), deadline: deadline)
                        if isFrozen { rig.freeze() }
                        let value = Array(repeating: 2 as UInt8, count: new)
                        #expect(!rig.set(member, value, deadline: deadline))
                        rig.checkInvariants()
                        #expect(rig.field(member) == Field(value: value, deadline: deadline))
                        #expect(rig.table.count == 21)
                        if isFrozen { #expect(rig.thaw(0)) }
                    }
                }
            }
        }
    }

    @Test("a million short members take at most 30 bytes each, at any time of growing")
    func memory() {
        let rig = MemberTableRig(seed: 11, hasValues: false)
        let hash = MemberTableRig(seed: 11, hasValues: true)
        let value = Array(repeating: 120 as UInt8, count: 20)
        for number in 0..<200_000 {
            let text = Array(String(number).utf8)
            let member = Array(repeating: 48 as UInt8, count: 20 - text.count) + text
            rig.insert(member)
            hash.set(member, value)
            if number > 1000, number & (number >> 3) == number >> 3 {
                #expect(rig.table.memoryBytes < number * 30)
                #expect(hash.table.memoryBytes < number * 54)
            }
        }
        rig.checkInvariants()
        hash.checkInvariants()
        // Removing gives memory back, a page at a time.
        for number in 0..<190_000 {
            let text = Array(String(number).utf8)
            rig.remove(Array(repeating: 48 as UInt8, count: 20 - text.count) + text)
        }
        rig.checkInvariants()
        #expect(rig.table.memoryBytes < 10_000 * 36)
    }

    @Test("every member has the same chance", arguments: [1, 10, 1000, 5000])
    func uniform(count: Int) {
        let rig = MemberTableRig(seed: 5, hasValues: false)
        var random = PRNG(seed: 77)
        // More than needed, and of differing lengths, so that pages differ too.
        for number in 0..<count * 2 {
            rig.insert(Array("\(number)".utf8) + Self.bytes(&random, random.below(60)))
        }
        for member in rig.content.keys.sorted(by: { $0.lexicographicallyPrecedes($1) })
            .prefix(count)
        {
            rig.remove(member)
        }
        rig.checkInvariants()
        let draws = count * 40
        var counts: [[UInt8]: Int] = [:]
        for _ in 0..<draws {
            guard let record = rig.table.random({ random.next() }) else {
                Issue.record("no member")
                return
            }
            counts[record.member.copyToArray(), default: 0] += 1
        }
        let square = rig.content.keys.reduce(0.0) { sum, member in
            let difference = Double(counts[member] ?? 0) - 40
            return sum + difference * difference / 40
        }
        // Chi-square with count - 1 degrees of freedom: six standard deviations.
        let freedom = Double(count - 1)
        #expect(abs(square - freedom) <= 6 * (2 * freedom).squareRoot(), "\(square) for \(freedom)")
    }

    @Test("a table from which all but neighbours were removed still gives fair random members")
    func neighbours() {
        let rig = MemberTableRig(seed: 5, hasValues: false)
        for number in 0..<50_000 { rig.insert(Array("member:\(number)".utf8)) }
        let kept = Set(
            (0..<50_000).map { Array("member:\($0)".utf8) }
                .filter { rig.hash($0) >> 54 == 513 || rig.hash($0) >> 54 == 3 })
        for number in 0..<50_000 {
            let member = Array("member:\(number)".utf8)
            if !kept.contains(member) { rig.remove(member) }
        }
        rig.checkInvariants()
        var random = PRNG(seed: 3)
        var seen: Set<[UInt8]> = []
        for _ in 0..<kept.count * 20 {
            if let record = rig.table.random({ random.next() }) {
                seen.insert(record.member.copyToArray())
            }
        }
        #expect(seen == kept)
    }

    @Test(
        "a scan gives every member that is there all the time, whatever else happens",
        arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func scan(seed: UInt64) {
        var random = PRNG(seed: seed)
        let rig = MemberTableRig(seed: seed, hasValues: false)
        let stable = (0..<[3, 300, 4000][random.below(3)]).map { Array("stable:\($0)".utf8) }
        for member in stable { rig.insert(member) }
        let others = (0..<[10, 20_000][random.below(2)]).map { Array("other:\($0)".utf8) }
        if random.oneIn(2) { for member in others { rig.insert(member) } }
        var seen: Set<[UInt8]> = []
        var cursor: UInt64 = 0
        var steps = 0
        let wanted = 1 + random.below(30)
        repeat {
            cursor = rig.table.scan(from: cursor, wanted: wanted) {
                seen.insert($0.member.copyToArray())
            }
            steps += 1
            let isAdding = (steps / 40) % 2 == 0
            for _ in 0..<random.below(200) {
                let member = others[random.below(others.count)]
                if isAdding { rig.insert(member) } else { rig.remove(member) }
            }
            if steps > 100_000 { break }
        } while cursor != 0
        rig.checkInvariants()
        #expect(steps <= 100_000)
        #expect(seen.isSuperset(of: stable))
    }

    @Test("a scan of a table at rest gives each member once; any cursor is taken")
    func scanAtRest() {
        let rig = MemberTableRig(seed: 1, hasValues: false)
        for number in 0..<5000 { rig.insert(Array("\(number)".utf8)) }
        var seen: [[UInt8]] = []
        var cursor: UInt64 = 0
        repeat {
            cursor = rig.table.scan(from: cursor, wanted: 7) {
                seen.append($0.member.copyToArray())
            }
        } while cursor != 0
        #expect(seen.count == 5000 && Set(seen).count == 5000)
        var random = PRNG(seed: 1)
        for _ in 0..<10_000 {
            _ = rig.table.scan(from: random.next() >> UInt64(random.below(64)), wanted: 3) { _ in }
        }
    }
}
