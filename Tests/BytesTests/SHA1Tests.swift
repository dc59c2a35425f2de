import HoldfastBytes
import Testing

@Test("SHA-1 gives the digests of FIPS 180-4's examples")
func sha1Examples() {
    let examples = [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    ]
    for (text, expected) in examples {
        #expect(text.withSlice { SHA1.hash($0).hex } == expected)
    }
}

@Test("SHA-1 pads every length around a block's end")
func sha1Lengths() {
    // SHA-1 over the concatenation of all those digests in hex, checked with coreutils' sha1sum.
    var all = ""
    for length in 0...200 {
        all += String(repeating: "x", count: length).withSlice { SHA1.hash($0).hex }
    }
    #expect(all.withSlice { SHA1.hash($0).hex } == "1f67da40a499e887e43c141418cc90ce5c8f9002")
}

@Test("SHA-1 of a number and of a digest are those of their bytes")
func sha1Words() {
    let number: [UInt8] = [0x01, 0x02, 0xfe, 0xff]
    #expect(SHA1.hash(bigEndian: 0x0102_feff) == number.withSlice { SHA1.hash($0) })
    let digest = "abc".withSlice { SHA1.hash($0) }
    #expect(SHA1.hash(digest).hex == "0d3ced9bec10a777aec23ccc353a8c08a633045e")
}

@Test("keys made of one of the hash's former public constants don't collide")
func hashMask() {
    let hasher = ByteHash(seed: 1)
    var hashes: Set<UInt64> = []
    // With a mask that is known, these 16-byte keys all had one hash.
    for number in 0..<1000 {
        var key: [UInt8] = [0xc9, 0xac, 0x2e, 0x96, 0x93, 0x4b, 0xb8, 0x8b]
        key += (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        hashes.insert(key.withSlice { hasher.hash($0) })
    }
    #expect(hashes.count == 1000)
}
