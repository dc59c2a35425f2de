import HoldfastBytes
import Snapshot
import Store
import Testing

/// Streams as stock servers dump them: 1-1 f=v, 1-2 f=w, 2-0 g=v, and what was done to them.
@Suite("payloads of streams")
struct StreamPayloadTests {
    struct Golden: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let hex: String
        /// The version that makes us write the same bytes; nil if the file lacks what we know.
        var version: Int?
    }

    static let goldens: [Golden] = [
        Golden(
            testDescription: "7.0 (type 19)",
            hex:
                "130110000000000000000100000000000000013939000000160003010001010181660200010201000100018176020401020100010101817702040100010101dfff0201018167028176020601ff0302000101000003000a0092f5951c19db18fa",
            version: 10),
        Golden(
            testDescription: "7.0 after XDEL 1-2",
            hex:
                "130110000000000000000100000000000000013939000000160002010101010181660200010201000100018176020401030100010101817702040100010101dfff0201018167028176020601ff0202000101010203000a00c40335ffc46294a9",
            version: 10),
        Golden(
            testDescription: "+ group g, consumer c read 1-1",
            hex:
                "130110000000000000000100000000000000013939000000160002010101010181660200010201000100018176020401030100010101817702040100010101dfff0201018167028176020601ff0202000101010203010167010181ffffffffffffffff01000000000000000100000000000000015392fcfca1010000010101635392fcfca101000001000000000000000100000000000000010a0015124c1add3ea1ce",
            version: 10),
        Golden(
            testDescription: "7.0 empty stream, group g at $",
            hex:
                "13000000000000000000010167000081ffffffffffffffff00000a00a01a953dfb9cddde",
            version: 10),
        Golden(
            testDescription: "7.2 (type 21), as first row",
            hex:
                "150110000000000000000100000000000000013939000000160003010001010181660200010201000100018176020401020100010101817702040100010101dfff0201018167028176020601ff0302000101000003000b0027fdaa36304bede0",
            version: 11),
        Golden(
            testDescription: "7.2 group+consumer, as third row",
            hex:
                "150110000000000000000100000000000000013939000000160002010101010181660200010201000100018176020401030100010101817702040100010101dfff0201018167028176020601ff0202000101010203010167010181ffffffffffffffff0100000000000000010000000000000001f6bd03fda101000001010163f6bd03fda1010000f6bd03fda101000001000000000000000100000000000000010b0084dd653e5f16ef6d",
            version: 11),
        Golden(
            testDescription: "type 15, as first row (accepted by 7.0)",
            hex:
                "0f0110000000000000000100000000000000013939000000160003010001010181660200010201000100018176020401020100010101817702040100010101dfff0201018167028176020601ff030200000a00a6b51ba19994b28a",
            version: 9),
    ]
    // The footer of the oldest form names version 10, since 7.0 accepted it so.
    @Test("a stream that was restored is dumped as the same bytes", arguments: goldens)
    func roundTrip(_ golden: Golden) throws {
        let payload = Fixture.bytes(hex: golden.hex)
        #expect(payload.withSlice { DumpPayload.isIntact($0) })
        let again = try DumpPayloadTests.restored(payload, version: golden.version)
        #expect(
            try DumpPayloadTests.described(again) == DumpPayloadTests.described(payload))
        #expect(Fixture.hex(again.dropLast(10)) == Fixture.hex(payload.dropLast(10)))
        for version in 9...12 {
            let other = try DumpPayloadTests.restored(payload, version: version)
            let back = try DumpPayloadTests.restored(other, version: version)
            #expect(other == back)
        }
    }

    @Test("without the checksum a damaged stream is refused or is some stream", arguments: goldens)
    func damagedUnchecked(_ golden: Golden) {
        let payload = Fixture.bytes(hex: golden.hex)
        for kept in 10..<payload.count {
            _ = try? DumpPayloadTests.restored(Array(payload[..<kept]))
        }
        for index in 0..<payload.count {
            for byte: UInt8 in [0, 1, 127, 128, 254, 255, payload[index] &+ 1, payload[index] &- 1]
            {
                var changed = payload
                changed[index] = byte
                _ = try? DumpPayloadTests.restored(changed)
            }
        }
    }
}
