import HoldfastBytes
import HoldfastPlatform
import Testing

@Suite("checksums")
struct ChecksumTests {
    @Test("the check values of the standards come out")
    func checkValues() {
        #expect(CRC32C.of(ByteSlice("123456789")) == 0xe306_9283)
        #expect(CRC64.of(ByteSlice("123456789")) == 0xe9c6_d914_c4b8_d9ca)
        #expect(CRC32C.of(ByteSlice()) == 0)
        #expect(CRC64.of(ByteSlice()) == 0)
        [UInt8](repeating: 0, count: 32).withSlice { #expect(CRC32C.of($0) == 0x8a91_36aa) }
    }

    @Test("parts give what the whole gives, at every split")
    func everySplit() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ 3) }
        bytes.withSlice { whole in
            for cut in 0...whole.count {
                let head = whole.prefix(cut)
                let tail = whole.dropFirst(cut)
                #expect(CRC32C.update(CRC32C.of(head), tail) == CRC32C.of(whole))
                #expect(CRC64.update(CRC64.of(head), tail) == CRC64.of(whole))
            }
        }
    }
}
