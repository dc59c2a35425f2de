import HoldfastBytes
import HoldfastPlatform
import Synchronization
import Testing

@testable import Store

@Suite("A frozen view")
struct EpochTests {
    @Test(
        "shows exactly the old state whatever is changed meanwhile",
        arguments: [1, 2, 3, 4] as [UInt64])
    func exact(seed: UInt64) {
        var keyspace = Keyspace(databases: 3, seed: seed)
        var driver = KeyspaceDriver(seed: seed, databases: 3)
        driver.universe = [20, 300, 3000][Int(seed % 3)]
        for round in 0..<5 {
            for _ in 0..<2000 { driver.step(&keyspace) }
            let before = driver.model
            let digest = keyspace.digest()
            let epoch: UInt32
            do {
                let view = keyspace.freeze()
                epoch = view.epoch
                #expect(view.digest() == digest)
                for _ in 0..<2000 {
                    driver.step(&keyspace)
                    keyspace.freeRetired(limit: 10)
                }
                #expect(KeyspaceModel(view, databases: 3) == before, "seed \(seed), round \(round)")
                #expect(view.digest() == digest)
                for database in 0..<3 {
                    #expect(view.count(database) == before.databases[database].count)
                }
            }
            keyspace.thaw(epoch)
            keyspace.checkInvariants()
            #expect(KeyspaceModel(keyspace) == driver.model)
            // Some rounds begin the next snapshot while blocks of the last still wait.
            if round % 2 == 0 {
                keyspace.freeRetired(limit: .max)
                #expect(keyspace.retiredCount == 0)
            }
        }
    }

    @Test("every door leaves the frozen value alone", arguments: 0..<10)
    func everyDoor(door: Int) {
        var keyspace = Keyspace(databases: 2, seed: 1)
        let values = [
            "12", "text", String(repeating: "r", count: 100), String(repeating: "b", count: 3000),
        ]
        for (index, value) in values.enumerated() {
            for deadline in [DeadlineChange.clear, .set(77)] {
                let name = "k\(index)" + (deadline.isSet ? "d" : "")
                name.withSlice { key in
                    value.withSlice {
                        keyspace.setString(keyspace.hashed(key), 0, to: $0, deadline: deadline)
                    }
                }
            }
        }
        let before = KeyspaceModel(keyspace)
        let epoch: UInt32
        do {
            let view = keyspace.freeze()
            epoch = view.epoch
            for index in values.indices {
                for name in ["k\(index)", "k\(index)d"] {
                    let other = "k\((index + 1) % values.count)"
                    name.withSlice { name in
                        other.withSlice { other in
                            let key = keyspace.hashed(name)
                            let target = keyspace.hashed(other)
                            // Twice: the second time finds what the first made.
                            for _ in 0..<2 {
                                Self.pass(door, &keyspace, key, target, values[index])
                            }
                        }
                    }
                }
            }
            #expect(KeyspaceModel(view, databases: 2) == before)
        }
        keyspace.thaw(epoch)
        keyspace.checkInvariants()
        keyspace.freeRetired(limit: .max)
        #expect(keyspace.retiredCount == 0)
    }

    private static func pass(
        _ door: Int, _ keyspace: inout Keyspace, _ key: HashedKey, _ target: HashedKey,
        _ value: String
    ) {
        switch door {
        case 0:
            // The same length, so that it could be overwritten in place.
            String(value.reversed()).withSlice {
                keyspace.setString(key, 0, to: $0, deadline: .keep)
            }
            String(repeating: "z", count: value.utf8.count).withSlice {
                keyspace.setString(key, 0, to: $0, deadline: .keep)
            }
        case 1: keyspace.setInteger(key, 0, to: 99, deadline: .keep)
        case 2:
            guard let entry = keyspace.find(key, 0) else { return }
            "more".withSlice { _ = keyspace.appendString(key, 0, over: entry, $0) }
        case 3: keyspace.editString(key, 0, growTo: 10) { $0[0] = 0 }
        case 4: keyspace.remove(key, 0)
        case 5: if keyspace.find(key, 0) != nil { keyspace.setDeadline(key, 0, to: 5) }
        case 6: if keyspace.find(key, 0) != nil { keyspace.setDeadline(key, 0, to: nil) }
        case 7: if keyspace.find(key, 0) != nil { keyspace.move(key, 0, to: target, 1) }
        case 8: keyspace.copy(key, 0, to: target, 1)
        default:
            keyspace.removeAll(0)
            keyspace.swapDatabases(0, 1, now: 0)
        }
    }

    @Test(
        "may be read by another thread while the keyspace changes", arguments: [1, 2] as [UInt64])
    func concurrent(seed: UInt64) throws {
        var keyspace = Keyspace(databases: 3, seed: seed)
        var driver = KeyspaceDriver(seed: seed, databases: 3)
        driver.universe = 3000
        for _ in 0..<6000 { driver.step(&keyspace) }
        for _ in 0..<3 {
            let expected = keyspace.digest()
            let view = keyspace.freeze()
            let epoch = view.epoch
            let reader = Reader(view)
            let thread = try WorkerThread(name: "reader") { reader.run() }
            while !reader.isDone.load(ordering: .acquiring) {
                for _ in 0..<50 { driver.step(&keyspace) }
                keyspace.freeRetired(limit: 100)
            }
            thread.join()
            #expect(reader.digests.count == 3)
            #expect(reader.digests.allSatisfy { $0 == expected })
            reader.drop()
            keyspace.thaw(epoch)
            keyspace.freeRetired(limit: .max)
            #expect(keyspace.retiredCount == 0)
            #expect(KeyspaceModel(keyspace) == driver.model)
        }
    }

    /// What the reading thread is given and gives back.
    private final class Reader: @unchecked Sendable {
        // Sendable: the view and the digests belong to the thread until `isDone`, to its owner after.
        private var view: FrozenView?
        var digests: [DataDigest] = []
        let isDone = Atomic(false)

        init(_ view: consuming FrozenView) { self.view = consume view }

        func run() {
            for _ in 0..<3 {
                if let digest = view?.digest() { digests.append(digest) }
            }
            isDone.store(true, ordering: .releasing)
        }

        func drop() { view = nil }
    }

    @Test(
        "what was emptied before a snapshot is freed during it, what was emptied during it afterwards"
    )
    func emptiedAndFrozen() {
        var keyspace = Keyspace(databases: 2, seed: 4)
        func fill(_ database: Int) {
            for number in 0..<20_000 {
                "key:\(number)".withSlice { key in
                    keyspace.setInteger(keyspace.hashed(key), database, to: 1, deadline: .clear)
                }
            }
        }
        fill(0)
        fill(1)
        keyspace.removeAll(0)
        #expect(keyspace.retiredCount > 10_000)
        let epoch: UInt32
        do {
            let view = keyspace.freeze()
            epoch = view.epoch
            keyspace.freeRetired(limit: .max)
            #expect(keyspace.retiredCount == 0)
            keyspace.removeAll(1)
            keyspace.freeRetired(limit: .max)
            #expect(keyspace.retiredCount >= 20_000)
            var seen = 0
            view.forEach(1) { _ in seen += 1 }
            #expect(seen == 20_000)
        }
        keyspace.thaw(epoch)
        keyspace.freeRetired(limit: .max)
        #expect(keyspace.retiredCount == 0)
    }
}

extension DeadlineChange {
    fileprivate var isSet: Bool {
        if case .set = self { return true }
        return false
    }
}
