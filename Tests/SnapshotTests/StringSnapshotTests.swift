import HoldfastBytes
import HoldfastPlatform
import Snapshot
import Store
import Testing

@Suite("snapshots of strings")
struct StringSnapshotTests {
    /// Values at every border between the forms of strings and lengths.
    static let values: [[UInt8]] = {
        var values: [[UInt8]] = []
        for number in [
            0, 1, -1, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 2_147_483_647,
            2_147_483_648, -2_147_483_648, -2_147_483_649, Int.max, Int.min,
        ] {
            values.append(Array("\(number)".utf8))
        }
        for text in ["", "a", "01", "-0", "+1", " 1", "9223372036854775808"] {
            values.append(Array(text.utf8))
        }
        var random = PRNG(seed: 1)
        for count in [20, 21, 63, 64, 1000, 1024, 1025, 16383, 16384, 70000, 300_000] {
            values.append([UInt8](repeating: 97, count: count))
            values.append((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            values.append((0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) })
        }
        return values
    }()

    private static func filled() -> Keyspace {
        var keyspace = Fixture.keyspace()
        for (index, value) in values.enumerated() {
            Fixture.set(
                "key\(index)", to: value, database: index % 3,
                deadline: index % 4 == 0 ? 4_102_444_800_000 + Int64(index) : nil, in: &keyspace)
        }
        Fixture.set(String(repeating: "k", count: 70000), to: [1], in: &keyspace)
        Fixture.set("12345", to: [1], in: &keyspace)
        return keyspace
    }

    @Test(
        "what is written is what is read, however it is compressed and wherever blocks end",
        arguments: [SnapshotCompression.lz4, .lzf, .none], [1, 7, 64, 4096, 256 << 10])
    func roundTrip(_ compression: SnapshotCompression, _ blockBytes: Int) throws {
        var keyspace = Self.filled()
        var settings = SnapshotSettings()
        settings.compression = compression
        settings.pieceBytes = 1 << 14
        let file = try Fixture.save(&keyspace, settings)
        let digest = keyspace.digest()
        for isThreaded in blockBytes < 64 ? [false] : [false, true] {
            try Fixture.load(file, blockBytes: blockBytes, isThreaded: isThreaded) {
                loaded, loader in
                #expect(loaded.digest() == digest)
                for database in 0..<3 {
                    #expect(loaded.count(database) == keyspace.count(database))
                    #expect(loaded.deadlineCount(database) == keyspace.deadlineCount(database))
                }
                let isExpanded = loader.isExpanded
                #expect(isExpanded == (compression == .lz4))
                let lacksChecksum = loader.lacksChecksum
                #expect(!lacksChecksum)
            }
        }
    }

    @Test("the auxiliary fields come back")
    func auxiliaryFields() throws {
        var keyspace = Fixture.keyspace()
        var header = SnapshotHeader()
        header.createdSeconds = 1_700_000_000
        header.usedMemoryBytes = 5_000_000_000
        header.isBase = true
        header.history = String(repeating: "ab", count: 20)
        header.lsn = UInt64(Int64.max)
        header.milliseconds = 1_700_000_000_123
        header.functions = [Array("#!lua name=m\nredis.register_function('f', 1)".utf8)]
        let file = try Fixture.save(&keyspace, header: header)
        try Fixture.load(file) { _, loader in
            let aux = loader.aux
            #expect(aux.redisVersion == header.redisVersion)
            #expect(aux.createdSeconds == 1_700_000_000)
            #expect(aux.usedMemoryBytes == 5_000_000_000)
            #expect(aux.isBase)
            #expect(aux.history == header.history)
            #expect(aux.lsn == header.lsn)
            #expect(aux.milliseconds == header.milliseconds)
            let functions = loader.functions
            #expect(functions == header.functions)
        }
    }

    @Test("expired keys are dropped and named if asked")
    func expired() throws {
        var keyspace = Fixture.keyspace()
        Fixture.set("old", to: [1], deadline: 999, in: &keyspace)
        Fixture.set("new", to: [1], deadline: 1000, in: &keyspace)
        let file = try Fixture.save(&keyspace)
        var settings = SnapshotLoaderSettings()
        settings.dropsExpiredAt = 1000
        var loaded = Fixture.keyspace()
        var loader = try SnapshotLoader(MemorySource(file), settings: settings)
        var dropped: [String] = []
        while try loader.step(
            into: &loaded, bytes: 1, dropped: { _, key in dropped.append(key.text) })
        {}
        #expect(dropped == ["old"])
        let counts = (loader.keysExpired, loader.keysLoaded)
        #expect(counts == (1, 1))
        #expect(loaded.count(0) == 1)
    }

    @Test(
        "whole files of stock servers are read",
        arguments: [
            "524544495330303130ffa9fd37fe89a77eeb", "524544495330303131ffc0228a8d74389762",
            "524544495330303132ff10d0db4120bef4d3",
            "524544495330303130fe00fb01000001610162ff95635a2325984865",
            "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c2ad47016bfa08757365642d6d656dc210b50e00fa08616f662d62617365c000fe00fb0100000172c001ff4cc736cd7a11d2ab",
            "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c2b24e016bfa08757365642d6d656dc238d90f00fa08616f662d62617365c000f5404123216c7561206e616d653d6d0a72656469732e72656769737465725f66756e6374696f6e282766272c66756e6374696f6e28292072657475726e203120656e6429fe00fb0101fc00d8c32cbb030000f905000161c001fe01fb0100f9050001620178ff3daca468b5697b0b",
            "524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa056374696d65c2b24e016bfa08757365642d6d656dc2c8160f00fa08616f662d62617365c000fe00fb0101fc00d8c32cbb030000f800000161c001fe01fb0100f8000001620178ff2b8cc55483a2b85a",
        ])
    func stockFiles(hex: String) throws {
        let file = Fixture.bytes(hex: hex)
        try Fixture.load(file) { keyspace, loader in
            let lacksChecksum = loader.lacksChecksum
            #expect(!lacksChecksum)
            let offset = loader.offset
            #expect(offset == Int64(file.count))
            if hex.contains("6162") { #expect(keyspace.count(0) > 0) }
        }
        // Cut anywhere, or with any one bit changed, it is refused, and the place lies in the file.
        for kept in 0..<file.count {
            let fault = Fixture.fault(Array(file[..<kept]))
            #expect(fault != nil, "cut to \(kept)")
            if let fault { #expect(0...Int64(kept) ~= fault.offset, "cut to \(kept)") }
        }
        for bit in 0..<file.count * 8 {
            var changed = file
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let fault = Fixture.fault(changed)
            #expect(fault != nil, "bit \(bit)")
            if let fault { #expect(0...Int64(file.count) ~= fault.offset, "bit \(bit)") }
        }
    }

    @Test("an LZ4 frame that is cut anywhere or has one bit changed is refused")
    func damagedFrames() throws {
        var keyspace = Fixture.keyspace()
        for index in 0..<8 {
            Fixture.set("key\(index)", to: [UInt8](repeating: 97, count: 40), in: &keyspace)
        }
        let file = try Fixture.save(&keyspace)
        for kept in 0..<file.count {
            #expect(Fixture.fault(Array(file[..<kept])) != nil, "cut to \(kept)")
        }
        for bit in 0..<file.count * 8 {
            var changed = file
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(Fixture.fault(changed) != nil, "bit \(bit)")
        }
    }
}
