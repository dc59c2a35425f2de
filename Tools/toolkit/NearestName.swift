/// Guesses what was meant by a mistyped name.
public enum NearestName {
    /// The candidate that takes the fewest edits, if they are few for a word of this length.
    public static func of(_ word: String, among candidates: [String]) -> String? {
        let typed = Array(word.utf8.prefix(64))
        var best: (name: String, edits: Int)?
        for name in candidates {
            let edits = distance(typed, Array(name.utf8))
            if edits < best?.edits ?? .max { best = (name, edits) }
        }
        guard let best else { return nil }
        let letters = typed.drop { $0 == 0x2d }.count
        return best.edits <= max(1, letters / 3) ? best.name : nil
    }

    /// Insertions, removals, replacements, and swaps of neighbours.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: right.count + 1)
        var last = Array(0...right.count)
        for (row, a) in left.enumerated() {
            var next = [row + 1]
            for (column, b) in right.enumerated() {
                var cost = min(last[column + 1], next[column]) + 1
                cost = min(cost, last[column] + (a == b ? 0 : 1))
                if row > 0, column > 0, a == right[column - 1], left[row - 1] == b {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                next.append(cost)
            }
            beforeLast = last
            last = next
        }
        return last[right.count]
    }
}
