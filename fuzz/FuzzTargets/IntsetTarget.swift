internal import HoldfastBytes
internal import Store

/// Integer sets. Input that passes as one is in order and finds all its elements; and a set that is edited stays valid
/// and does what a plain set does. The first byte says which of the two.
enum IntsetTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        if input.byte() % 2 == 0 {
            try input.rest().withSlice { (slice) throws(FuzzFailure) in
                if IntegerSet.isValid(slice) { _ = try checkedElements(of: IntegerSet(slice)) }
            }
        } else {
            try edit(&input)
        }
    }

    private static func edit(_ input: inout InputCursor) throws(FuzzFailure) {
        var model: Set<Int64> = []
        var block = PackedBlock.scratch()
        defer { block.free() }
        block.setEmptyIntegerSet()
        while !input.isAtEnd {
            let operation = input.byte()
            let value = Int64(truncatingIfNeeded: input.number16() - 0x8000) << (operation / 4)
            if operation % 4 == 0 {
                let wasThere = block.removeInteger(value)
                try expect(wasThere == (model.remove(value) != nil), "removing \(value)")
            } else {
                let isNew = block.insertInteger(value)
                try expect(isNew == model.insert(value).inserted, "inserting \(value)")
            }
            let set = block.integerSet
            try expect(model.isEmpty || IntegerSet.isValid(set.bytes), "not valid")
            try expect(try checkedElements(of: set) == model.sorted(), "edited to something else")
        }
    }

    private static func checkedElements(of set: IntegerSet) throws(FuzzFailure) -> [Int64] {
        var elements: [Int64] = []
        for index in 0..<set.count {
            let element = set.element(at: index)
            try expect(elements.last.map { $0 < element } ?? true, "out of order at \(index)")
            try expect(set.find(element) == (index, true), "\(element) is not found")
            elements.append(element)
        }
        try expect(set.min == elements.first && set.max == elements.last, "least or greatest")
        return elements
    }
}
