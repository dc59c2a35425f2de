import HoldfastBytes
import HoldfastPlatform
import Snapshot
import Store
import Testing

@Suite("payloads of DUMP")
struct DumpPayloadTests {
    /// A payload that a stock server made (or took, for the oldest forms).
    struct Golden: CustomTestStringConvertible, Sendable {
        let value: String
        let hex: String
        /// The version that makes us write the same bytes, where any does.
        var version: Int? = 10
        /// What our own payload of the lowest version begins with.
        var testDescription: String { value }
    }

    static let goldens: [Golden] = [
        Golden(value: "string hello", hex: "000568656c6c6f0a006372df766534200a"),
        Golden(value: "string -5", hex: "00c0fb0a0049c4c6f4d7263f68"),
        Golden(value: "string 1000", hex: "00c1e8030a0089d1478ebac4b764"),
        Golden(value: "string -100000", hex: "00c26079feff0a00a1ca8470cc216d9d"),
        Golden(value: "string 12345678901", hex: "000b31323334353637383930310a00304e52d727176510"),
        Golden(
            value: "string " + String(repeating: "a", count: 40),
            hex: "00c30928016161e01b000161610a00cf092faaae25831d"),
        Golden(
            value: "string " + String(repeating: "abcdefghij", count: 6),
            hex: "00c3123c0a6162636465666768696a61e0260901696a0a0067f6366851dc7db7"),
        Golden(
            value: "list a 1 -300 40000",
            hex: "120102141400000004008161020101ded402f2409c0004ff0a0068be8ba134890f4f"),
        Golden(
            value: "list a b",
            hex: "1202020a0a0000000100816102ff020a0a0000000100816202ff0a00aa4ac1805e293d2e",
            version: nil),
        Golden(
            value: "list ab abcd 1",
            hex:
                "1203020b0b000000010082616203ff01046162636402090900000001000101ff0a00cd9df2b8c2abd214",
            version: nil),
        Golden(value: "set -2 1 3", hex: "0b0e0200000003000000feff010003000a001b18460ee16f04bb"),
        Golden(
            value: "set 1 100000", hex: "0b10040000000200000001000000a08601000a00d7b548c007796515"),
        Golden(
            value: "set 1 5000000000",
            hex: "0b180800000002000000010000000000000000f2052a010000000a0054f5a26ae707b5fc"),
        Golden(value: "set a", hex: "020101610a006296e97e44d21a6d"),
        Golden(value: "set a", hex: "140a0a0000000100816102ff0b00f7df7fdb99ef7b74", version: 11),
        Golden(
            value: "set 1 300 a", hex: "140f0f00000003000101816102c12c02ff0b00693dc7cfd0e1504b",
            version: 11),
        Golden(
            value: "hash f=v n=5",
            hex: "1012120000000400816602817602816e020501ff0a008490939f57b4f3c2"),
        Golden(
            value: "hash f=v g=w", hex: "040201660176016701770a00bc76c6208426f9f2", version: nil),
        Golden(
            value: "zset a:1 b:2.5 c:-inf",
            hex:
                "111d1d0000000600816302842d696e6605816102010181620283322e3504ff0a003992339be11f323d"
        ),
        Golden(
            value: "zset a:1 b:2.5",
            hex: "0502016200000000000004400161000000000000f03f0a00f46eb73919767291", version: nil),
        Golden(
            value: "string HYLL\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\128q\\166\\132NW",
            hex: "001548594c4c01000000000000000000008071a6844e570a006631ff02368d3234", version: nil),
        Golden(
            value: "hash a=1@4102444800000 b=2",
            hex:
                "1900d8c32cbb0300001d1d00000006008161020101f400d8c32cbb0300000981620202010001ff0c0045a4795c939a9c04",
            version: nil),
        Golden(
            value: "hash a=1@4102444800000 b=2@4102444801000 c=3",
            hex: "1800d8c32cbb0300000343e90162c002000163c003010161c0010c006316bd555e432aa9",
            version: nil),
        Golden(value: "list a 5", hex: "01020161c0050a0047a37789f0cfbb97", version: nil),
        Golden(
            value: "zset a:1.5 b:inf c:-inf",
            hex: "0303016103312e350162fe0163ff0a0006d6b5d11bd0084f",
            version: nil),
        Golden(
            value: "hash foo=bar hello=world",
            hex: "09180203666f6f03006261720568656c6c6f0500776f726c64ff0a00b15bbf067ccdbf26",
            version: nil),
        Golden(
            value: "list 2 5", hex: "0a0f0f0000000c000000020000f302f6ff0a00d564b36efafe6776",
            version: nil),
        Golden(
            value: "zset 2:5", hex: "0c0f0f0000000c000000020000f302f6ff0a00b2b2e57e9388be29",
            version: nil),
        Golden(
            value: "hash 2=5", hex: "0d0f0f0000000c000000020000f302f6ff0a0030d3c56298907e40",
            version: nil),
        Golden(
            value: "list 2 5", hex: "0e010f0f0000000c000000020000f302f6ff0a00cc9a2a58260aeeeb",
            version: nil),
    ]

    static func described(_ payload: [UInt8]) throws(SnapshotReadError) -> String {
        var sink = DescribingSink()
        return try payload.withSlice { (bytes) throws(SnapshotReadError) in
            try DumpPayload.read(
                bytes, sanitizes: true, hasher: ByteHash(seed: 1), into: &sink
            ) { $0.text }
        }
    }

    /// Puts a payload's value into a keyspace, and gives its payload there.
    static func restored(
        _ payload: [UInt8], limits: EncodingLimits = .init(), version: Int? = nil
    ) throws(SnapshotReadError) -> [UInt8] {
        var keyspace = Fixture.keyspace()
        var builder = ValueBuilder(limits: limits, hasher: keyspace.hasher)
        builder.begin(epoch: keyspace.epochs.current)
        let hasher = keyspace.hasher
        var dump = ByteBuffer()
        try payload.withSlice { (bytes) throws(SnapshotReadError) in
            let key = keyspace.hashed(ByteSlice("k"))
            try DumpPayload.read(
                bytes, sanitizes: true, hasher: hasher, into: &builder
            ) { builder in
                keyspace.setValue(key, 0, from: &builder, deadline: nil)
            }
            guard let entry = keyspace.find(key, 0) else { return }
            DumpPayload.append(entry, version: version, to: &dump)
        }
        keyspace.checkInvariants()
        return dump.copyToArray()
    }

    @Test("what stock servers dump is read", arguments: goldens)
    func read(_ golden: Golden) throws {
        let payload = Fixture.bytes(hex: golden.hex)
        #expect(payload.withSlice { DumpPayload.isIntact($0) })
        #expect(try Self.described(payload) == golden.value)
    }

    @Test("a value that was restored is dumped as the same value", arguments: goldens)
    func written(_ golden: Golden) throws {
        let payload = Fixture.bytes(hex: golden.hex)
        let again = try Self.restored(payload, version: golden.version)
        #expect(again.withSlice { DumpPayload.isIntact($0) })
        #expect(try Self.described(again) == golden.value)
        if golden.version != nil { #expect(Fixture.hex(again) == golden.hex) }
        // The same out of structures.
        var limits = EncodingLimits()
        limits.hashEntriesMax = 0
        limits.setEntriesMax = 0
        limits.setIntegersMax = 0
        limits.sortedSetEntriesMax = 0
        let large = try Self.restored(payload, limits: limits)
        #expect(try Self.described(large) == golden.value)
    }

    @Test("a payload that is cut anywhere or has one bit changed is refused", arguments: goldens)
    func damaged(_ golden: Golden) {
        let payload = Fixture.bytes(hex: golden.hex)
        for kept in 0..<payload.count {
            #expect(!payload[..<kept].withContiguous { DumpPayload.isIntact($0) }, "cut to \(kept)")
        }
        for bit in 0..<payload.count * 8 {
            var changed = payload
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!changed.withSlice { DumpPayload.isIntact($0) }, "bit \(bit)")
        }
    }

    @Test(
        "without the checksum a damaged payload is refused or gives some value, and nothing else",
        arguments: goldens)
    func damagedUnchecked(_ golden: Golden) {
        let payload = Fixture.bytes(hex: golden.hex)
        for kept in 10..<payload.count { _ = try? Self.restored(Array(payload[..<kept])) }
        for index in 0..<payload.count {
            for byte: UInt8 in [0, 1, 127, 128, 254, 255, payload[index] &+ 1, payload[index] &- 1]
            {
                var changed = payload
                changed[index] = byte
                _ = try? Self.restored(changed)
            }
        }
    }

    /// Payloads whose lengths and counts are lies.
    @Test(
        "counts and lengths beyond the payload are refused at once",
        arguments: [
            "00", "01", "02", "03", "04", "05", "0a", "0b", "0e", "0f", "10", "11", "12", "13",
            "14",
            "15", "18", "19",
        ],
        [
            "80ffffffff", "8080000000", "81ffffffffffffffff", "817fffffffffffffff",
            "810000000100000000", "bf", "c380ffffffff80ffffffff", "c30181ffffffffffffffff61",
            "c305807fffffff6161616161",
        ])
    func impossible(form: String, length: String) {
        for rest in ["", "00", "0161", "00000000000000000000"] {
            let head = form == "18" || form == "19" ? form + "0000000000000000" : form
            let payload = Fixture.bytes(hex: head + length + rest + "00000000000000000000")
            #expect(throws: SnapshotReadError.self) { try Self.restored(payload) }
        }
    }
}

extension ArraySlice<UInt8> {
    func withContiguous<R>(_ body: (ByteSlice) -> R) -> R { Array(self).withSlice(body) }
}
