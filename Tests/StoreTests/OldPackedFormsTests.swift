import HoldfastBytes
import Testing

@testable import Store

/// A ziplist of entries whose encoding and data are given.
private func oldList(_ entries: [[UInt8]], count: Int? = nil) -> [UInt8] {
    var body: [UInt8] = []
    var last = 10
    var previous = 0
    for entry in entries {
        last = 10 + body.count
        var whole = entry
        if previous < 254 {
            whole.insert(UInt8(previous), at: 0)
        } else {
            whole = [254] + packedLittle(previous, 4) + entry
        }
        body += whole
        previous = whole.count
    }
    return packedLittle(11 + body.count, 4) + packedLittle(last, 4)
        + packedLittle(count ?? entries.count, 2) + body
        + [255]
}

func packedLittle(_ number: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
}

private func elements(_ bytes: [UInt8]) -> [String]? {
    withExactCopy(of: bytes) { slice in
        guard let list = OldPackedList(slice) else { return nil }
        var elements: [String] = []
        list.forEach { elements.append($0.withBytes { $0.text }) }
        #expect(elements.count == list.count)
        return elements
    }
}

private func pairs(_ bytes: [UInt8]) -> [[String]]? {
    withExactCopy(of: bytes) { slice in
        guard let map = OldPackedMap(slice) else { return nil }
        var pairs: [[String]] = []
        map.forEach { pairs.append([$0.text, $1.text]) }
        #expect(pairs.count == map.count)
        return pairs
    }
}

@Suite("An old packed list")
struct OldPackedListTests {
    static let everyKind: [[UInt8]] = [
        [3, 97, 98, 99], [0], [0x41, 0x2C] + Array(repeating: 120, count: 300),
        [0x80, 0, 0, 0, 5] + Array("hello".utf8), [0xC0, 0xFE, 0xFF], [0xD0, 0, 0, 0, 0x80],
        [0xE0, 0, 0, 0, 0, 0, 0, 0, 0x80], [0xF0, 0xFF, 0xFF, 0x7F], [0xFE, 0x9C], [0xF1], [0xFD],
    ]

    @Test("is read as Redis wrote it")
    func golden() {
        #expect(elements(packedHex("0f000000 0c000000 0200 00f3 02f6 ff")) == ["2", "5"])
        #expect(elements(oldList([])) == [])
    }

    @Test("may hold every kind of entry")
    func kinds() {
        let wanted = [
            "abc", "", String(repeating: "x", count: 300), "hello", "-2", "-2147483648",
            "-9223372036854775808", "8388607", "-100", "0", "12",
        ]
        #expect(elements(oldList(Self.everyKind)) == wanted)
        #expect(elements(oldList(Self.everyKind, count: 0xFFFF)) == wanted)
    }

    @Test("is refused with a wrong count, tail, length before, kind or end")
    func wrong() {
        let good = oldList([[1, 97], [1, 98]])
        #expect(elements(good) == ["a", "b"])
        for (offset, byte) in [(8, 3), (8, 1), (4, 10), (4, 14), (13, 2), (14, 0xC1), (14, 2)] {
            var bad = good
            bad[offset] = UInt8(byte)
            #expect(elements(bad) == nil, "byte \(offset)")
        }
        #expect(elements(good + [255]) == nil)
        #expect(elements([]) == nil)
    }

    @Test("cut anywhere is refused, and with any bit changed is refused or read within its bounds")
    func damaged() {
        let good = oldList(Self.everyKind)
        for count in 0..<good.count {
            #expect(elements(Array(good[..<count])) == nil, "cut at \(count)")
            // With the header and the end as they would be.
            if count > 10, count < good.count - 1 {
                let cut = packedLittle(count + 1, 4) + good[4..<count] + [255]
                #expect(elements(cut) == nil, "mended at \(count)")
            }
        }
        for bit in 0..<good.count * 8 {
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            _ = elements(bad)
        }
    }
}

@Suite("An old packed map")
struct OldPackedMapTests {
    static let golden = packedHex("02 03 666f6f 03 00 626172 05 68656c6c6f 05 00 776f726c64 ff")

    @Test("is read as Redis wrote it")
    func readable() {
        #expect(pairs(Self.golden) == [["foo", "bar"], ["hello", "world"]])
    }

    @Test("may have unused bytes and long lengths, and many pairs that are not counted")
    func forms() {
        let long = Array(repeating: UInt8(121), count: 300)
        var bytes: [UInt8] = [1, 254] + packedLittle(300, 4) + long
        bytes += [254] + packedLittle(2, 4) + [3, 97, 98, 1, 2, 3, 255]
        #expect(pairs(bytes) == [[String(repeating: "y", count: 300), "ab"]])
        var many: [UInt8] = [254]
        for _ in 0..<300 { many += [1, 97, 0, 0] }
        many.append(255)
        #expect(pairs(many)?.count == 300)
        #expect(pairs([0, 255]) == nil)
        #expect(pairs([3] + Self.golden.dropFirst()) == nil)
    }

    @Test("cut anywhere is refused, and with any bit changed is refused or read within its bounds")
    func damaged() {
        let good = Self.golden
        for count in 0..<good.count {
            #expect(pairs(Array(good[..<count])) == nil, "cut at \(count)")
        }
        for bit in 0..<good.count * 8 {
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            _ = pairs(bad)
        }
    }
}
