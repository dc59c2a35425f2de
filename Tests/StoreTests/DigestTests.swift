import HoldfastBytes
import Testing

@testable import Store

@Suite("The digest of the data")
struct DigestTests {
    private func sample(seed: UInt64, databases: [Int]) -> Keyspace {
        var keyspace = Keyspace(databases: 16, seed: seed)
        func set(
            _ key: String, _ value: String, _ database: Int, _ deadline: DeadlineChange = .clear,
            in keyspace: inout Keyspace
        ) {
            key.withSlice { key in
                value.withSlice {
                    keyspace.setString(keyspace.hashed(key), database, to: $0, deadline: deadline)
                }
            }
        }
        if databases.contains(3) { set("text", "hello", 3, in: &keyspace) }
        set("int", "12345", 0, in: &keyspace)
        set("text", "hello", 0, in: &keyspace)
        set("empty", "", 0, in: &keyspace)
        set("long", String(repeating: "a", count: 96), 0, in: &keyspace)
        set("dying", "x", 0, .set(1_900_000_000_000), in: &keyspace)
        return keyspace
    }

    @Test("equals what redis-server 7.0.15 shows for the same data")
    func golden() {
        #expect(DataDigest().hex == String(repeating: "0", count: 40))
        #expect(Keyspace(databases: 16, seed: 1).digest() == DataDigest())
        #expect(
            sample(seed: 1, databases: [0, 3]).digest().hex
                == "87daa347e57f865b357910a8cbdafec657e5cd9d")
        let keyspace = sample(seed: 1, databases: [0])
        let values = [
            "text": "36b23a1456b2dce2c3ed252c456761301dba8060",
            "dying": "0745672cb1bf060476eedeb8a28f5ffe1ff5a2be",
            "int": "e1cf90774e995ae03de66e8109dc5cb9d9c2dc83",
            "empty": "8b3447c33a834b810e3e181b6fd6a2ee1020921c",
        ]
        for (key, expected) in values {
            let digest = key.withSlice { key in
                keyspace.find(keyspace.hashed(key), 0).map { DataDigest.ofValue($0).hex }
            }
            #expect(digest == expected)
        }
    }

    @Test("doesn't depend on the order in memory, nor on a deadline's time")
    func stable() {
        #expect(
            sample(seed: 1, databases: [0]).digest() == sample(seed: 99, databases: [0]).digest())
        var keyspace = sample(seed: 1, databases: [0])
        let before = keyspace.digest()
        "dying".withSlice { keyspace.setDeadline(keyspace.hashed($0), 0, to: 5) }
        #expect(keyspace.digest() == before)
        "dying".withSlice { keyspace.setDeadline(keyspace.hashed($0), 0, to: nil) }
        #expect(keyspace.digest() != before)
    }
}
