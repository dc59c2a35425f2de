import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

@Suite("SCAN's cursor")
struct ScanTests {
    /// What happens to the table between two steps.
    enum Weather: CaseIterable {
        case still, growing, shrinking, stormy
    }

    @Test(
        "gives every key that is there from first step to last", arguments: Weather.allCases,
        [1, 2, 3] as [UInt64])
    func guarantee(weather: Weather, seed: UInt64) {
        var random = PRNG(seed: seed)
        let rig = TableRig(seed: seed)
        let stable = (0..<[0, 3, 400, 3000][random.below(4)]).map { Array("stable:\($0)".utf8) }
        for key in stable { rig.set(key, 1) }
        var next = 0
        var others: [[UInt8]] = []
        func grow(_ rig: TableRig, _ count: Int) {
            for _ in 0..<count {
                others.append(Array("other:\(next)".utf8))
                rig.set(others[others.count - 1], 2)
                next += 1
            }
        }
        func shrink(_ rig: TableRig, _ count: Int) {
            for _ in 0..<min(count, others.count) {
                rig.remove(others.remove(at: random.below(others.count)))
            }
        }
        grow(rig, weather == .shrinking ? 6000 : 1000)
        var seen: Set<[UInt8]> = []
        var cursor: UInt64 = 0
        var steps = 0
        repeat {
            let wanted = [1, 2, 10, 100, 1000, Int.max][random.below(6)]
            cursor = rig.table.scan(from: cursor, wanted: wanted) { entry in
                seen.insert(entry.key.copyToArray())
            }
            steps += 1
            if weather == .growing, next < 20_000 { grow(rig, random.below(200)) }
            if weather == .shrinking { shrink(rig, random.below(200)) }
            if weather == .stormy, next < 40_000 {
                if random.oneIn(2) {
                    grow(rig, random.below(500))
                } else {
                    shrink(rig, random.below(800))
                }
            }
        } while cursor != 0 && steps < 100_000
        #expect(cursor == 0, "the scan ends")
        #expect(stable.allSatisfy { seen.contains($0) })
        rig.checkInvariants()
    }

    @Test("gives each key exactly once while nothing changes", arguments: [1, 7, 64, 5000])
    func once(wanted: Int) {
        let rig = TableRig(seed: 9)
        for number in 0..<5000 { rig.set(Array("key:\(number)".utf8), number) }
        var given = 0
        var cursor: UInt64 = 0
        repeat {
            var inStep = 0
            cursor = rig.table.scan(from: cursor, wanted: wanted) { _ in inStep += 1 }
            #expect(inStep <= wanted + 20, "a step gives about as many as wanted")
            given += inStep
        } while cursor != 0
        #expect(given == 5000)
    }

    @Test("any number is a cursor from which the scan ends")
    func arbitrary() {
        var random = PRNG(seed: 21)
        let rig = TableRig(seed: 21)
        for size in [0, 1, 100, 3000] {
            for number in rig.table.count..<size { rig.set(Array("key:\(number)".utf8), number) }
            for round in 0..<400 {
                var cursor = random.next() >> UInt64(random.below(64))
                if round < 4 { cursor = [UInt64.max, 1, 63, 511 << 6][round] }
                var steps = 0
                repeat {
                    cursor = rig.table.scan(from: cursor, wanted: 50) { _ in }
                    steps += 1
                } while cursor != 0 && steps < 1000
                #expect(cursor == 0)
            }
        }
    }
}
