import HoldfastBytes
import Testing

@testable import Store

/// The bytes that hexadecimal digits spell; blanks don't count.
func hex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue ?? 0) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Every integer form's borders, and strings that look like integers but are none; made by Redis.
let goldenElements = [
    "-1", "127", "128", "-4096", "4095", "4096", "-32768", "32767", "32768", "8388607", "8388608",
    "-2147483648", "2147483647", "2147483648", "-9223372036854775808", "9223372036854775807",
    "9223372036854775808", "01", "-0", "",
]
let goldenBytes = hex(
    """
    7a000000 1400 dfff02 7f01 c08002 d00002 cfff02 f1001003 f1008003 f1ff7f03 f200800004
    f2ffff7f04 f30000800005 f30000008005 f3ffffff7f05 f4000000800000000009 f4000000000000008009
    f4ffffffffffffff7f09 9339323233333732303336383534373735383038 14 82303103 822d3003 8001 ff
    """)

extension PackedBlock {
    /// A block for tests; free it.
    static func listOf(_ elements: [[UInt8]]) -> PackedBlock {
        var block = PackedBlock.makeList(room: 0, epoch: 1)
        for element in elements { element.withSlice { block.append($0) } }
        return block
    }
}

extension PackedList {
    /// All elements, read forwards.
    var elements: [[UInt8]] {
        var elements: [[UInt8]] = []
        var offset = firstOffset
        while let here = offset {
            elements.append(self[here].copyToArray())
            offset = next(after: here)
        }
        return elements
    }

    /// All elements, read backwards and turned round.
    var elementsFromBehind: [[UInt8]] {
        var elements: [[UInt8]] = []
        var offset = lastOffset
        while let here = offset {
            elements.append(self[here].copyToArray())
            offset = previous(before: here)
        }
        return elements.reversed()
    }
}

@Suite("A packed list")
struct PackedListTests {
    @Test("is written as Redis writes it")
    func golden() {
        let block = PackedBlock.listOf(goldenElements.map { Array($0.utf8) })
        defer { block.free() }
        #expect(block.list.bytes.copyToArray() == goldenBytes)
        #expect(block.list.count == 20)
        #expect(block.list.elements == goldenElements.map { Array($0.utf8) })
        #expect(block.list.elementsFromBehind == block.list.elements)
        #expect(PackedList.isValid(block.list.bytes, deep: true))
    }
}
