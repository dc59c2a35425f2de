import HoldfastBytes
import Testing

@testable import Store

extension IntegerSet {
    fileprivate var elements: [Int64] { (0..<count).map { element(at: $0) } }
}

@Suite("An integer set")
struct IntegerSetTests {
    private static let borders: [Int64] = [
        .min, -2_147_483_649, -2_147_483_648, -32_769, -32_768, -1, 0, 32_767, 32_768,
        2_147_483_647,
        2_147_483_648, .max,
    ]

    private func setOf(_ values: [Int64]) -> PackedBlock {
        var block = PackedBlock.makeIntegerSet(room: 0, epoch: 1)
        for value in values { _ = block.insertInteger(value) }
        return block
    }

    private func check(_ set: IntegerSet, _ model: Set<Int64>, _ note: String) {
        #expect(set.elements == model.sorted(), "\(note)")
        #expect(set.count == model.count && set.isEmpty == model.isEmpty, "\(note)")
        #expect(set.min == model.min() && set.max == model.max(), "\(note)")
        #expect(IntegerSet.isValid(set.bytes) == !model.isEmpty, "\(note)")
    }

    @Test("is written as Redis writes it")
    func golden() {
        for (values, text) in [
            ([3, -2, 1], "02000000 03000000 feff 0100 0300"),
            ([100_000, 1], "04000000 02000000 01000000 a0860100"),
            ([1, 5_000_000_000], "08000000 02000000 0100000000000000 00f2052a01000000"),
        ] as [([Int64], String)] {
            let block = setOf(values)
            defer { block.free() }
            #expect(block.integerSet.bytes.copyToArray() == packedHex(text))
        }
    }

    @Test("holds any few numbers in any order, at every width")
    func layouts() {
        let borders = Self.borders
        for first in borders {
            for second in borders {
                for third in borders {
                    var block = setOf([first, second, third])
                    defer { block.free() }
                    var model = Set([first, second, third])
                    check(block.integerSet, model, "\(first) \(second) \(third)")
                    for value in borders {
                        let (index, isFound) = block.integerSet.find(value)
                        #expect(isFound == model.contains(value))
                        #expect(index == model.filter { $0 < value }.count)
                    }
                    let removed = [block.removeInteger(second), block.removeInteger(second)]
                    #expect(removed == [true, false])
                    model.remove(second)
                    check(block.integerSet, model, "\(first) \(second) \(third)")
                }
            }
        }
    }

    @Test("does what a plain set does", arguments: 0..<4 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = PackedRandom(seed)
        var model: Set<Int64> = []
        var block = setOf([])
        defer { block.free() }
        let width = Int64([12, 20, 40, 63][Int(seed % 4)])
        for step in 0..<5_000 {
            let value = Int64(bitPattern: random.next()) >> (63 - width + Int64(random.below(8)))
            let known = model.randomElementBySeed(&random) ?? value
            switch random.below(4) {
            case 0, 1:
                let isNew = block.insertInteger(value)
                #expect(model.insert(value).inserted == isNew)
            case 2:
                let wasThere = block.removeInteger(known)
                #expect((model.remove(known) != nil) == wasThere)
            default: #expect(block.integerSet.contains(value) == model.contains(value))
            }
            if step % 50 == 0 { check(block.integerSet, model, "seed \(seed), step \(step)") }
        }
        check(block.integerSet, model, "seed \(seed)")
    }

    @Test(
        "from outside is refused when cut, unordered or of a strange width, and read within its bounds else"
    )
    func validation() {
        for values in [[1, 2, 3], [1, 100_000], [Int64.min, 0, .max]] as [[Int64]] {
            let block = setOf(values)
            defer { block.free() }
            let good = block.integerSet.bytes.copyToArray()
            #expect(withExactCopy(of: good) { IntegerSet.isValid($0) })
            for count in 0..<good.count {
                #expect(!withExactCopy(of: Array(good[..<count])) { IntegerSet.isValid($0) })
            }
            for bit in 0..<good.count * 8 {
                var bad = good
                bad[bit / 8] ^= 1 << UInt8(bit % 8)
                withExactCopy(of: bad) { slice in
                    guard IntegerSet.isValid(slice) else { return }
                    let elements = IntegerSet(slice).elements
                    #expect(elements == Set(elements).sorted())
                }
            }
        }
        for text in [
            "02000000 00000000", "02000000 02000000 0200 0100", "02000000 02000000 0100 0100",
            "03000000 01000000 010000", "00000000 01000000", "00000000 00000000 00",
        ] {
            #expect(!withExactCopy(of: packedHex(text)) { IntegerSet.isValid($0) }, "\(text)")
        }
    }
}

extension Set<Int64> {
    /// An element that depends on nothing but the elements and the random numbers.
    fileprivate func randomElementBySeed(_ random: inout PackedRandom) -> Int64? {
        isEmpty ? nil : sorted()[random.below(count)]
    }
}
