import Glibc
import HoldfastBytes
import Testing

@testable import Store

/// The bytes that hexadecimal digits spell; blanks don't count.
func packedHex(_ text: String) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.map { UInt8($0.hexDigitValue ?? 0) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Runs `body` with a copy that ends where its allocation ends, so that a sanitizer sees any read beyond.
func withExactCopy<R>(of bytes: [UInt8], _ body: (ByteSlice) -> R) -> R {
    guard let raw = unsafe malloc(bytes.count) else { fatalError("out of memory") }
    defer { unsafe free(raw) }
    bytes.withSlice { source in
        // SAFETY: as many bytes were allocated.
        unsafe raw.copyMemory(from: source.pointer, byteCount: source.count)
    }
    return body(unsafe ByteSlice(base: raw, count: bytes.count))
}

/// Every integer form's borders, and strings that look like integers but are none; made by Redis.
let goldenElements = [
    "-1", "127", "128", "-4096", "4095", "4096", "-32768", "32767", "32768", "8388607", "8388608",
    "-2147483648", "2147483647", "2147483648", "-9223372036854775808", "9223372036854775807",
    "9223372036854775808", "01", "-0", "",
].map { Array($0.utf8) }
let goldenBytes = packedHex(
    """
    7a000000 1400 dfff02 7f01 c08002 d00002 cfff02 f1001003 f1008003 f1ff7f03 f200800004
    f2ffff7f04 f30000800005 f30000008005 f3ffffff7f05 f4000000800000000009 f4000000000000008009
    f4ffffffffffffff7f09 9339323233333732303336383534373735383038 14 82303103 822d3003 8001 ff
    """)

/// Elements on both sides of every border of the format: of the integers, of the lengths of strings, and of the
/// lengths behind the elements.
let borderElements: [[UInt8]] = {
    let integers: [Int64] = [
        0, 1, 127, 128, -1, 4095, 4096, -4096, -4097, 32767, 32768, -32768, -32769, 8_388_607,
        8_388_608, -8_388_608, -8_388_609, 2_147_483_647, 2_147_483_648, -2_147_483_648,
        -2_147_483_649, .max, .min,
    ]
    let lengths = [
        1, 20, 21, 63, 64, 125, 126, 127, 4095, 4096, 16_377, 16_378,
    ]
    return integers.map { Array(String($0).utf8) }
        + ["", "-", "-0", "00", "+1", "1 ", "9223372036854775808", "-9223372036854775809"].map {
            Array($0.utf8)
        }
        + lengths.map { Array(repeating: UInt8(97 + $0 % 26), count: $0) }
}()

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

    /// Everything that can be asked says the same.
    func check(_ wanted: [[UInt8]], _ note: @autoclosure () -> String = "") {
        #expect(elements == wanted, "\(note())")
        #expect(elementsFromBehind == wanted, "\(note())")
        #expect(count == wanted.count, "\(note())")
        #expect(isEmpty == wanted.isEmpty, "\(note())")
        #expect(PackedList.isValid(bytes, deep: true), "\(note())")
    }
}

@Suite("A packed list")
struct PackedListTests {
    @Test("is written as Redis writes it")
    func golden() {
        let block = PackedBlock.listOf(goldenElements)
        defer { block.free() }
        #expect(block.list.bytes.copyToArray() == goldenBytes)
        block.list.check(goldenElements)
        PackedList.empty.check([])
        #expect(PackedList.empty.firstOffset == nil && PackedList.empty.lastOffset == nil)
    }

    @Test("has the size that was told before")
    func sizes() {
        for element in borderElements + [Array(repeating: 1, count: 2_097_146)] {
            let block = PackedBlock.listOf([element])
            defer { block.free() }
            let size = element.withSlice { PackedList.encodedSize(of: $0) }
            #expect(block.list.byteCount == 7 + size, "\(element.count)")
            block.list.check([element], "\(element.count)")
        }
    }

    @Test("is the same however its elements came to their places")
    func layouts() {
        for first in borderElements {
            for second in borderElements {
                let wanted = PackedBlock.listOf([first, second])
                defer { wanted.free() }
                let bytes = wanted.list.bytes.copyToArray()
                first.withSlice { first in
                    second.withSlice { second in
                        var block = PackedBlock.makeList(room: 0, epoch: 1)
                        defer { block.free() }
                        block.prepend(second)
                        block.prepend(first)
                        #expect(block.list.bytes.copyToArray() == bytes)
                        // Each in place of the other, and back.
                        block.replace(at: 6, with: second)
                        let next = block.list.next(after: 6) ?? 0
                        block.replace(at: next, with: first)
                        block.list.check([second.copyToArray(), first.copyToArray()])
                        #expect(block.delete(at: 6) == 6)
                        block.insert(second, after: 6)
                        #expect(block.list.bytes.copyToArray() == bytes)
                        block.insert(first, before: block.list.lastOffset ?? 0)
                        #expect(block.delete(at: block.list.lastOffset ?? 0) == nil)
                        block.list.check([first.copyToArray(), first.copyToArray()])
                    }
                }
            }
        }
    }

    @Test("finds an element only by all its bytes")
    func finding() {
        let block = PackedBlock.listOf(borderElements + goldenElements)
        defer { block.free() }
        let list = block.list
        var offset = list.firstOffset
        for element in borderElements {
            element.withSlice { wanted in
                #expect(list.find(wanted) == offset, "\(wanted.text.prefix(30))")
                #expect(list.find(wanted, from: offset) == offset)
            }
            (element + [32]).withSlice { #expect(list.find($0) == nil || $0.count < 4) }
            offset = offset.flatMap { list.next(after: $0) }
        }
        let pairs = PackedBlock.listOf(["a", "b", "b", "a", "1", "2"].map { Array($0.utf8) })
        defer { pairs.free() }
        #expect(pairs.list.find(ByteSlice("a"), skipping: 1) == 6)
        #expect(pairs.list.find(ByteSlice("b"), skipping: 1) == 12)
        #expect(pairs.list.find(ByteSlice("2"), skipping: 1) == nil)
        #expect(pairs.list.find(ByteSlice("2")) == 20)
        #expect(pairs.list.find(ByteSlice("a"), from: 9, skipping: 1) == 15)
        #expect(PackedList.empty.find(ByteSlice("a")) == nil)
    }

    @Test("counts beyond what its header can tell, and tells again when it is short enough")
    func many() {
        var block = PackedBlock.makeList(room: 0, epoch: 1)
        defer { block.free() }
        for number in 0..<65_540 {
            block.append(integer: Int64(number % 10))
            if number >= 65_530 { #expect(block.list.count == number + 1) }
        }
        #expect(block.list.knownCount == nil)
        #expect(PackedList.isValid(block.list.bytes, deep: true))
        #expect(block.list.offset(ofIndex: 65_539) == block.list.lastOffset)
        #expect(block.list.offset(ofIndex: 65_540) == nil)
        #expect(block.list.offset(ofIndex: -65_540) == 6)
        #expect(block.list.offset(ofIndex: -65_541) == nil)
        let half = block.copy(byteCount: block.list.byteCount, epoch: 1)
        block.deleteRange(index: 2, count: 7)
        #expect(block.list.knownCount == 65_533)
        block.append(contentsOf: PackedList.empty)
        #expect(block.list.knownCount == 65_533)
        block.append(contentsOf: half.list)
        #expect(block.list.count == 65_533 + 65_540)
        half.free()
        let second = block.split(at: 2 * 65_000 + 6, epoch: 1)
        defer { second.free() }
        #expect(block.list.knownCount == 65_000)
        #expect(second.list.count == 66_073)
    }

    @Test("gives room back when it becomes short")
    func room() {
        var block = PackedBlock.makeList(room: 0, epoch: 1)
        defer { block.free() }
        for number in 0..<10_000 { block.append(integer: Int64(number)) }
        #expect(block.room < block.list.byteCount * 5 / 4)
        block.deleteRange(index: 0, count: 9_990)
        #expect(block.room < 4096)
        block.trim(block.list.byteCount)
        #expect(block.room == PackedBlock.room(for: block.list.byteCount))
        #expect(PackedBlock.room(for: 8184) == 8184)
        #expect(PackedBlock.sizeClass(8193) == 10_240)
        for (bytes, size) in [(1, 16), (64, 64), (65, 80), (80, 80), (129, 160), (513, 640)] {
            #expect(PackedBlock.sizeClass(bytes) == size)
        }
    }

    @Test("does what a plain array does", arguments: 0..<4 as Range<UInt64>)
    func model(seed: UInt64) {
        var random = PackedRandom(seed)
        var model: [[UInt8]] = []
        var block = PackedBlock.makeList(room: 0, epoch: 1)
        defer { block.free() }
        for step in 0..<3_000 {
            let element = random.element()
            let place = random.below(model.count + 1)
            let offset = block.list.offset(ofIndex: place)
            element.withSlice { bytes in
                switch random.below(11) {
                case 0:
                    block.append(bytes)
                    model.append(element)
                case 1:
                    block.prepend(bytes)
                    model.insert(element, at: 0)
                case 2:
                    block.insert(bytes, before: offset ?? block.list.endOffset)
                    model.insert(element, at: place)
                case 3:
                    guard let offset else { return }
                    let new = block.insert(bytes, after: offset)
                    #expect(block.list[new].equals(bytes))
                    model.insert(element, at: place + 1)
                case 4, 5:
                    guard let offset else { return }
                    block.replace(at: offset, with: bytes)
                    model[place] = element
                case 6:
                    guard let offset else { return }
                    let count = random.below(4)
                    let next = block.delete(at: offset, elements: count)
                    model.removeSubrange(place..<min(place + count, model.count))
                    #expect((next == nil) == (place == model.count))
                case 7:
                    let count = random.below(20)
                    let index = place - model.count
                    block.deleteRange(index: index == 0 ? place : index, count: count)
                    model.removeSubrange(place..<min(place + count, model.count))
                case 8:
                    guard let offset else { return }
                    let second = block.split(at: offset, epoch: 1)
                    second.list.check(Array(model[place...]), "seed \(seed), step \(step)")
                    if random.below(2) == 0 {
                        block.append(contentsOf: second.list)
                    } else {
                        block.prepend(contentsOf: second.list)
                        model = Array(model[place...] + model[..<place])
                    }
                    second.free()
                case 9:
                    let integer = random.integer()
                    block.append(integer: integer)
                    model.append(Array(String(integer).utf8))
                default:
                    #expect(
                        block.list.find(bytes).map { block.list[$0].copyToArray() }
                            == model.first { $0 == element })
                }
            }
            if model.count > 60 {
                block.deleteRange(index: -50, count: 50)
                model.removeLast(50)
            }
            if step % 8 == 0 { block.list.check(model, "seed \(seed), step \(step)") }
            for index in [-model.count - 1, -model.count, -1, 0, model.count - 1, model.count] {
                let found = block.list.offset(ofIndex: index)
                let place = index < 0 ? index + model.count : index
                let wanted = model.indices.contains(place) ? model[place] : nil
                #expect(found.map { block.list[$0].copyToArray() } == wanted)
            }
        }
        block.list.check(model)
    }

    @Test("belongs to the snapshots that saw it as it was")
    func snapshots() {
        var epochs = EpochClock()
        var block = PackedBlock.makeList(room: 0, epoch: epochs.current)
        block.append(ByteSlice("a"))
        let same = block.address
        block.makeWritable(byteCount: block.list.byteCount, &epochs)
        #expect(block.address == same)
        let epoch = epochs.freeze()
        let frozen = block
        block.makeWritable(byteCount: block.list.byteCount, &epochs)
        #expect(block.address != same)
        block.append(ByteSlice("b"))
        frozen.list.check([[97]])
        block.list.check([[97], [98]])
        let again = block.address
        block.makeWritable(byteCount: block.list.byteCount, &epochs)
        #expect(block.address == again)
        epochs.thaw(epoch)
        #expect(epochs.freeSome(10) == 1)
        block.release(&epochs)
        #expect(epochs.retiredCount == 0)
    }
}

@Suite("A packed list from outside")
struct PackedListValidationTests {
    private func isValid(_ bytes: [UInt8]) -> Bool {
        withExactCopy(of: bytes) { slice in
            guard PackedList.isValid(slice, deep: true) else { return false }
            let list = PackedList(slice)
            #expect(list.elements == list.elementsFromBehind)
            #expect(list.elements.count == list.count)
            return true
        }
    }

    private let samples: [[UInt8]] = [
        goldenElements, [], [[97]],
        [Array(repeating: 98, count: 70), Array(repeating: 99, count: 130), [1]],
        [Array(repeating: 100, count: 4096), Array("12345".utf8)],
    ].map { elements in
        let block = PackedBlock.listOf(elements)
        defer { block.free() }
        return block.list.bytes.copyToArray()
    }

    @Test("is refused when it is cut anywhere, even with header and end mended")
    func truncated() {
        for sample in samples {
            #expect(isValid(sample))
            for count in 0..<sample.count {
                #expect(!isValid(Array(sample[..<count])))
                if count >= 6, count < sample.count - 1 {
                    let mended = packedLittle(count + 1, 4) + sample[4..<count] + [255]
                    #expect(!isValid(mended), "mended at \(count)")
                }
            }
        }
    }

    @Test("with any bit changed is refused or read within its bounds")
    func flipped() {
        for sample in samples {
            for bit in 0..<min(sample.count, 400) * 8 {
                var bad = sample
                bad[bit / 8] ^= 1 << UInt8(bit % 8)
                _ = isValid(bad)
            }
        }
    }

    @Test("must keep to the length borders, and may leave the count to the reader")
    func details() {
        var block = PackedBlock.listOf([Array(repeating: 120, count: 16_378)])
        defer { block.free() }
        let good = block.list.bytes.copyToArray()
        #expect(Array(good.suffix(4)) == [0, 255, 255, 255])
        #expect(isValid(good))
        // What an encoder makes that takes 2 bytes for 16383.
        let short = packedLittle(good.count - 1, 4) + good[4..<good.count - 4] + [127, 255, 255]
        #expect(!isValid(short))
        block.setEmptyList()
        block.append(ByteSlice("x"))
        var bytes = block.list.bytes.copyToArray()
        bytes[4] = 2
        #expect(!isValid(bytes))
        bytes[4] = 255
        bytes[5] = 255
        #expect(isValid(bytes))
        for kind in 0xF5...0xFF {
            bytes[6] = UInt8(kind)
            #expect(!isValid(bytes))
        }
        // A length behind the element that continues into the data.
        #expect(!isValid(packedHex("0b000000 0100 820085 83 ff")))
        #expect(!isValid(packedHex("0a000000 0100 810082 ff")))
        // A string that spells an integer is no mistake, and found as one.
        let text = packedHex("0a000000 0100 813502 ff")
        #expect(isValid(text))
        text.withSlice { #expect(PackedList($0).find(ByteSlice("5")) == 6) }
    }

    @Test("is walked until the caller has enough")
    func walking() {
        goldenBytes.withSlice { bytes in
            var seen: [[UInt8]] = []
            let all = PackedList.walk(bytes) {
                seen.append($0.copyToArray())
                return true
            }
            #expect(all && seen == goldenElements)
            var count = 0
            let some = PackedList.walk(bytes) { _ in
                count += 1
                return count < 3
            }
            #expect(!some && count == 3)
        }
    }
}

/// Numbers that look random and come again with the same seed.
struct PackedRandom {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }

    mutating func integer() -> Int64 {
        Int64(bitPattern: next()) >> Int64(below(64))
    }

    mutating func element() -> [UInt8] {
        switch below(4) {
        case 0: borderElements[below(borderElements.count)]
        case 1: Array(String(integer()).utf8)
        case 2: Array(String(below(50)).utf8)
        default: (0..<below(200)).map { _ in UInt8(truncatingIfNeeded: next()) }
        }
    }
}
