internal import HoldfastBytes
internal import Store

/// The packed forms of older Redis. Whatever passes as one gives out as many elements as it counts, and all their bytes
/// lie inside the input. The first byte says which form.
enum ZiplistTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        let isMap = input.byte() % 2 == 1
        try input.rest().withSlice { (slice) throws(FuzzFailure) in
            var count = 0
            var total = 0
            if isMap {
                guard let map = OldPackedMap(slice) else { return }
                map.forEach { field, value in
                    count += 1
                    total += field.copyToArray().count + value.copyToArray().count
                }
                try expect(count == map.count, "\(count) pairs of \(map.count)")
            } else {
                guard let list = OldPackedList(slice) else { return }
                list.forEach { element in
                    count += 1
                    if case .bytes(let bytes) = element { total += bytes.copyToArray().count }
                }
                try expect(count == list.count, "\(count) elements of \(list.count)")
            }
            try expect(total < slice.count, "more bytes than there are")
        }
    }
}
