internal import Foundation

/// Where a random test takes its seed from.
public enum TestSeed {
    /// The seed of the test that is called `name`, which is printed: the number in the environment variable `SEED`, a new one with `SEED=random`, and else
    /// one that is the test's own and always the same, so that a commit that has passed passes again.
    public static func next(_ name: String) -> UInt64 {
        let given = ProcessInfo.processInfo.environment["SEED"] ?? ""
        let seed =
            UInt64(given) ?? (given == "random" ? .random(in: 1..<1 << 40) : fixed(name))
        print("\(name): SEED=\(seed)")
        return seed
    }

    private static func fixed(_ name: String) -> UInt64 {
        // FNV-1a, and a few bits that are easy to copy.
        let hash = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        return hash >> 40
    }
}
