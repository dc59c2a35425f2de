internal import HoldfastBytes
internal import Store

/// Packed lists. Input that passes as one reads the same from both ends and says the same when it is written anew;
/// and a list that is edited stays valid and does what a plain array does. The first byte says which of the two.
enum ListpackTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        if input.byte() % 2 == 0 { try read(input.rest()) } else { try edit(&input) }
    }

    private static func read(_ bytes: [UInt8]) throws(FuzzFailure) {
        try bytes.withSlice { (slice) throws(FuzzFailure) in
            guard PackedList.isValid(slice, deep: true) else { return }
            let list = PackedList(slice)
            let elements = try checkedElements(of: list)
            var copy = PackedBlock.scratch()
            defer { copy.free() }
            copy.setEmptyList()
            for element in elements { element.withSlice { copy.append($0) } }
            try expect(try checkedElements(of: copy.list) == elements, "written anew, it differs")
            try expect(copy.list.byteCount <= list.byteCount, "written anew, it is longer")
        }
    }

    private static func edit(_ input: inout InputCursor) throws(FuzzFailure) {
        var model: [[UInt8]] = []
        var block = PackedBlock.scratch()
        defer { block.free() }
        block.setEmptyList()
        while !input.isAtEnd {
            let operation = input.byte()
            let place = model.isEmpty ? 0 : input.byte() % model.count
            let offset = block.list.offset(ofIndex: place - model.count)
            let element = element(&input)
            element.withSlice { bytes in
                switch (operation % 6, offset) {
                case (0, let offset?):
                    block.insert(bytes, before: offset)
                    model.insert(element, at: place)
                case (1, let offset?):
                    block.insert(bytes, after: offset)
                    model.insert(element, at: place + 1)
                case (2, let offset?):
                    block.replace(at: offset, with: bytes)
                    model[place] = element
                case (3, let offset?):
                    let count = operation / 6 % 4
                    block.delete(at: offset, elements: count)
                    model.removeSubrange(place..<min(place + count, model.count))
                case (4, _):
                    block.prepend(bytes)
                    model.insert(element, at: 0)
                default:
                    block.append(bytes)
                    model.append(element)
                }
            }
            try expect(try checkedElements(of: block.list) == model, "edited to something else")
        }
    }

    /// A number, a few bytes, or many.
    private static func element(_ input: inout InputCursor) -> [UInt8] {
        let kind = input.byte()
        switch kind % 4 {
        case 0:
            let magnitude = Int64(input.number16()) << (kind / 8)
            return Array(String(kind & 4 == 0 ? magnitude : 0 &- magnitude).utf8)
        case 1: return Array(repeating: UInt8(kind), count: input.number16())
        default: return input.bytes(kind / 4)
        }
    }

    /// The elements, after asking for them in every way.
    private static func checkedElements(of list: PackedList) throws(FuzzFailure) -> [[UInt8]] {
        try expect(PackedList.isValid(list.bytes, deep: true), "not valid")
        var elements: [[UInt8]] = []
        var offsets: [Int] = []
        var next = list.firstOffset
        while let offset = next {
            elements.append(list[offset].copyToArray())
            offsets.append(offset)
            next = list.next(after: offset)
        }
        try expect(list.count == elements.count, "counts \(list.count) of \(elements.count)")
        var previous = list.lastOffset
        for offset in offsets.reversed() {
            try expect(previous == offset, "backwards to \(previous ?? 0), not \(offset)")
            previous = list.previous(before: offset)
        }
        try expect(previous == nil, "backwards beyond the first")
        // Not for all of a long list, which would take the square of its length.
        for (index, offset) in offsets.enumerated().prefix(50) {
            try expect(list.offset(ofIndex: index) == offset, "index \(index)")
            try expect(list.offset(ofIndex: index - offsets.count) == offset, "from the end")
            let found = elements[index].withSlice { list.find($0) }
            let first = elements.firstIndex(of: elements[index]) ?? index
            try expect(found == offsets[first], "element \(index) found at \(found ?? 0)")
        }
        return elements
    }
}
