import HoldfastBytes
import HoldfastPlatform
import Snapshot
import Store
import Testing

/// Files with a value of every form, whole and damaged.
@Suite("damaged snapshots")
struct DamagedFileTests {
    /// Each golden payload's value under a key of its own, as one file of RDB version 12.
    static let file: [UInt8] = {
        var bytes = Array("REDIS0012".utf8) + [0xfa, 1, 0x61, 1, 0x62, 0xfe, 0]
        let payloads = DumpPayloadTests.goldens.map(\.hex) + StreamPayloadTests.goldens.map(\.hex)
        for (index, hex) in payloads.enumerated() {
            let payload = Fixture.bytes(hex: hex)
            bytes += index % 3 == 0 ? [0xfc, 0, 0, 0, 0, 0, 1, 0, 0] : []
            bytes += index % 5 == 1 ? [0xf8, 0x41, 0x00] : index % 5 == 2 ? [0xf9, 7] : []
            bytes += [payload[0], 2, UInt8(65 + index / 26), UInt8(65 + index % 26)]
            bytes += payload.dropFirst().dropLast(10)
        }
        bytes.append(0xff)
        let sum = bytes.withSlice { CRC64.of($0) }
        return bytes + (0..<8).map { UInt8(truncatingIfNeeded: sum >> ($0 * 8)) }
    }()

    @Test("every form in one file is loaded, and its values come back from our own files")
    func whole() throws {
        try Fixture.load(Self.file) { keyspace, _ in
            let count = DumpPayloadTests.goldens.count + StreamPayloadTests.goldens.count
            #expect(keyspace.count(0) == count)
            let digest = keyspace.digest()
            for compression in [SnapshotCompression.none, .lzf, .lz4] {
                for version in 10...12 {
                    var settings = SnapshotSettings()
                    settings.compression = compression
                    settings.version = version
                    settings.pieceBytes = 100
                    let file = try Fixture.save(&keyspace, settings)
                    for blockBytes in [16, 1 << 16] {
                        try Fixture.load(file, blockBytes: blockBytes) { again, _ in
                            // Below 12 the fields' deadlines are lost, which the digest sees.
                            if version == 12 { #expect(again.digest() == digest) }
                            #expect(again.count(0) == count)
                        }
                    }
                }
            }
            // Without a wish: as low as the deadlines of fields allow.
            let file = try Fixture.save(
                &keyspace, header: SnapshotHeader(), compression: SnapshotCompression.none)
            #expect(Array(file[5..<9]) == Array("0012".utf8))
        }
    }

    @Test("cut anywhere it is refused, at a place inside", arguments: [16, 1 << 16])
    func cut(blockBytes: Int) {
        for kept in 0..<Self.file.count {
            let fault = Fixture.fault(Array(Self.file[..<kept]), blockBytes: blockBytes)
            #expect(fault != nil, "cut to \(kept)")
            if let fault { #expect(0...Int64(kept) ~= fault.offset, "cut to \(kept): \(fault)") }
        }
    }

    @Test("with any one bit changed it is refused, at a place inside")
    func flipped() {
        for bit in 0..<Self.file.count * 8 {
            var changed = Self.file
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let fault = Fixture.fault(changed, databases: 300)
            #expect(fault != nil, "bit \(bit)")
            if let fault {
                #expect(0...Int64(Self.file.count) ~= fault.offset, "bit \(bit): \(fault)")
            }
        }
    }

    @Test("what can be loaded can be passed over, to the same end")
    func passedOver() throws {
        var reader = try SnapshotReader(MemorySource(Self.file))
        var keys = 0
        loop: while true {
            switch try reader.next() {
            case .key(let head):
                try reader.skipValue(head)
                keys += 1
            case .end: break loop
            default: break
            }
        }
        #expect(keys == DumpPayloadTests.goldens.count + StreamPayloadTests.goldens.count)
        let end = reader.offset
        #expect(end == Int64(Self.file.count))
    }

    @Test("the same key twice is refused with its name, or replaced if asked")
    func duplicateKey() throws {
        let entry: [UInt8] = [0, 1, 0x6b, 1, 0x76]
        let head = Array("REDIS0009".utf8) + [0xfe, 0]
        let file = head + entry + entry + [0xff] + [UInt8](repeating: 0, count: 8)
        let fault = try #require(Fixture.fault(file))
        #expect(fault.reason == .duplicateKey)
        #expect(fault.key == [0x6b])
        #expect(fault.offset == Int64(head.count + entry.count))
        var settings = SnapshotLoaderSettings()
        settings.replacesKeys = true
        var keyspace = Fixture.keyspace()
        var loader = try SnapshotLoader(MemorySource(file), settings: settings)
        while try loader.step(into: &keyspace, bytes: 1 << 20) {}
        #expect(keyspace.count(0) == 1)
    }

    @Test(
        "what no server wrote is refused by name",
        arguments: [
            ("REDIS0000", "", "can't handle RDB format version 0"),
            ("REDIS0013", "ff", "can't handle RDB format version 13"),
            ("REDIS00x1", "ff", "no RDB version"), ("REDAS0010", "ff", "wrong signature"),
            ("REDIS0010", "fe4050fb0000ff", "there is no database 80"),
            ("REDIS0010", "08", "unknown type or opcode 8"),
            ("REDIS0010", "f4000000", "unknown type or opcode 244"),
            ("REDIS0010", "f60161", "a function library of a release candidate"),
            ("REDIS0010", "07016b00", "a value of a module that this server doesn't have"),
        ])
    func refused(head: String, hex: String, reason: String) throws {
        let file = Array(head.utf8) + Fixture.bytes(hex: hex)
        let fault = try #require(Fixture.fault(file))
        #expect(fault.description.hasPrefix(reason), "\(fault)")
    }

    @Test(
        "auxiliary fields of modules are passed over; keys with empty values are left out and counted"
    )
    func oddities() throws {
        // A module's field with every opcode, then an empty hash, then a key.
        let aux = "f7810102030405060708020201010202030000000004000000000000000005016100"
        let good =
            Array("REDIS0010".utf8) + Fixture.bytes(hex: aux + "fe00" + "04016800" + "00016b0176")
            + [0xff] + [UInt8](repeating: 0, count: 8)
        try Fixture.load(good) { keyspace, loader in
            #expect(keyspace.count(0) == 1)
            let counts = (loader.keysLoaded, loader.keysEmpty)
            #expect(counts == (1, 1))
        }
    }
}
