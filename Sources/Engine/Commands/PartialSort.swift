/// Brings the items that belong into the first `wanted` places of a sorted array there, in order.
///
/// It is Bentley and McIlroy's quicksort ("Engineering a Sort Function", 1993), which goes down only into parts that
/// reach into the wanted ones. Which of several equal items come first depends on each step of it, and clients see
/// that: Redis sorts so where it has more results than it was asked for.
///
/// - Parameter compare: below zero if the first comes before the second, zero if they are equal.
func partialSort<Item>(
    _ items: inout [Item], wanted: Int, _ compare: (Item, Item) -> Int
) {
    func median(_ first: Int, _ second: Int, _ third: Int) -> Int {
        if compare(items[first], items[second]) < 0 {
            if compare(items[second], items[third]) < 0 { return second }
            return compare(items[first], items[third]) < 0 ? third : first
        }
        if compare(items[second], items[third]) > 0 { return second }
        return compare(items[first], items[third]) < 0 ? first : third
    }
    func exchange(_ first: Int, _ second: Int, count: Int) {
        for offset in 0..<count { items.swapAt(first + offset, second + offset) }
    }

    // Parts to be sorted. Each lies apart from the others, so their order is of no account.
    var parts = [0..<items.count]
    while let part = parts.popLast() {
        let start = part.lowerBound
        let count = part.count
        if count < 7 {
            for index in part.dropFirst() {
                var place = index
                while place > start, compare(items[place - 1], items[place]) > 0 {
                    items.swapAt(place, place - 1)
                    place -= 1
                }
            }
            continue
        }
        // The pivot: the middle, the median of three, or the median of three such medians.
        var middle = start + count / 2
        if count > 7 {
            var low = start
            var high = part.upperBound - 1
            if count > 40 {
                let step = count / 8
                low = median(low, low + step, low + 2 * step)
                middle = median(middle - step, middle, middle + step)
                high = median(high - 2 * step, high - step, high)
            }
            middle = median(low, middle, high)
        }
        items.swapAt(start, middle)
        // Equal items gather at both ends, and move to the middle at last.
        var equalLow = start + 1
        var low = start + 1
        var high = part.upperBound - 1
        var equalHigh = high
        while true {
            while low <= high {
                let order = compare(items[low], items[start])
                if order > 0 { break }
                if order == 0 {
                    items.swapAt(equalLow, low)
                    equalLow += 1
                }
                low += 1
            }
            while low <= high {
                let order = compare(items[high], items[start])
                if order < 0 { break }
                if order == 0 {
                    items.swapAt(high, equalHigh)
                    equalHigh -= 1
                }
                high -= 1
            }
            if low > high { break }
            items.swapAt(low, high)
            low += 1
            high -= 1
        }
        let before = min(equalLow - start, low - equalLow)
        exchange(start, low - before, count: before)
        let behind = min(equalHigh - high, part.upperBound - equalHigh - 1)
        exchange(low, part.upperBound - behind, count: behind)
        let lesser = low - equalLow
        if lesser > 1 { parts.append(start..<start + lesser) }
        let greater = part.upperBound - (equalHigh - high)
        if equalHigh - high > 1, greater < wanted { parts.append(greater..<part.upperBound) }
    }
}
