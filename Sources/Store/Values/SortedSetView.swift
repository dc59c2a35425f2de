public import HoldfastBytes

/// A sorted set to be read, whichever form it has; valid until the key's next change.
///
/// Small sets are packed lists of member and score by turns, in order. A score that is a whole number is an
/// integer there, any other its shortest text.
public enum SortedSetView {
    case packed(PackedList)
    case large(SortedSetRoot)

    /// - Parameter entry: holds a sorted set.
    @inline(__always)
    public init(_ entry: Entry) {
        assert(entry.type == .sortedSet)
        self =
            entry.encoding == .listpack
            ? .packed(PackedList(entry.packed)) : .large(entry.root(SortedSetRoot.self))
    }

    /// The number of members.
    @inline(__always)
    public var count: Int {
        switch self {
        case .packed(let list): list.count / 2
        case .large(let root): root.count
        }
    }

    // MARK: One member

    /// The score of a member.
    @inline(__always)
    public func score(_ hash: UInt64, _ member: ByteSlice) -> Double? {
        switch self {
        case .packed(let list): list.findMember(member).map { list.score(of: $0) }
        case .large(let root): root.find(hash, member)?.score
        }
    }

    /// A member's score, and how many members come before it.
    public func rank(_ hash: UInt64, _ member: ByteSlice) -> (rank: Int, score: Double)? {
        switch self {
        case .packed(let list):
            guard let found = list.findMember(member) else { return nil }
            var rank = 0
            var offset = list.firstOffset
            while let here = offset, here < found {
                rank += 1
                offset = list.nextMember(after: here)
            }
            return (rank, list.score(of: found))
        case .large(let root):
            guard let item = root.find(hash, member) else { return nil }
            return (root.rank(item), item.score)
        }
    }

    // MARK: Ranges

    /// The ranks of the members whose scores fit.
    public func ranks(_ range: ScoreRange) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        let lower: Int
        let upper: Int
        switch self {
        case .packed(let list):
            lower = list.countWhile { range.isBelow($0) }
            upper = list.countWhile { range.reaches($0) }
        case .large(let root):
            let tree = root.tree
            lower =
                tree.lowerBound(hint: SortedSetItem.hint(range.min)) { range.isBelow($0.score) }
                .position
            upper =
                tree.lowerBound(hint: SortedSetItem.hint(range.max)) { range.reaches($0.score) }
                .position
        }
        return lower..<max(lower, upper)
    }

    /// The ranks of the members that fit, in a set whose scores are all the same, but for the first `skipped` of
    /// them.
    ///
    /// Where scores differ there is no meaning in it; a packed set then gives what Redis gives.
    ///
    /// - Parameter reversed: the search, and the skipping, begin with the last that fits.
    public func ranks(
        _ range: MemberRange, skipped: Int = 0, reversed: Bool = false
    ) -> Range<Int> {
        guard !range.isEmpty else { return 0..<0 }
        switch self {
        case .packed(let list):
            return list.ranks(range, skipped: skipped, reversed: reversed)
        case .large(let root):
            let tree = root.tree
            let first = tree.first().element
            // The ends tell whether anything can fit.
            guard range.reaches(first.key), !range.isBelow(tree.last().element.key) else {
                return 0..<0
            }
            let hint = first.hint
            let lower = tree.lowerBound(hint: hint) { range.isBelow($0.key) }.position
            let upper = tree.lowerBound(hint: hint) { range.reaches($0.key) }.position
            guard upper - lower > skipped else { return lower..<lower }
            return reversed ? lower..<upper - skipped : lower + skipped..<upper
        }
    }

    /// Calls `body` with the members whose ranks lie in `range`, which must lie in the set, and their scores.
    @inline(__always)
    public func forEach(
        _ range: Range<Int>, reversed: Bool = false, _ body: (PackedElement, Double) -> Void
    ) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "ranks out of bounds")
        guard !range.isEmpty else { return }
        var left = range.count
        switch self {
        case .packed(let list):
            let start = reversed ? range.upperBound - 1 : range.lowerBound
            var offset = list.offset(ofIndex: start * 2)
            while left > 0, let here = offset {
                body(list[here], list.score(of: here))
                offset = reversed ? list.previousMember(before: here) : list.nextMember(after: here)
                left -= 1
            }
        case .large(let root):
            if reversed {
                var cursor = root.tree.at(range.upperBound - 1).cursor
                while true {
                    let item = cursor.element
                    body(.bytes(item.key), item.score)
                    left -= 1
                    if left == 0 || !cursor.previous() { break }
                }
            } else {
                var cursor = root.tree.at(range.lowerBound).cursor
                while left > 0 {
                    let item = cursor.element
                    body(.bytes(item.key), item.score)
                    cursor.next()
                    left -= 1
                }
            }
        }
    }

    /// Calls `body` with all members of a packed set, lowest first, and their scores as the list holds them.
    public func forEachText(_ body: (PackedElement, PackedElement) -> Void) {
        guard case .packed(let list) = self else { preconditionFailure("not a packed set") }
        var offset = list.firstOffset
        while let here = offset, let score = list.next(after: here) {
            body(list[here], list[score])
            offset = list.next(after: score)
        }
    }

    /// Calls `body` with all members, lowest first.
    @inline(__always)
    public func forEach(_ body: (PackedElement, Double) -> Void) { forEach(0..<count, body) }
}

/// A packed list as a sorted set; members are named by their offsets.
extension PackedList {
    @inline(__always)
    func findMember(_ member: ByteSlice) -> Int? { find(member, skipping: 1) }

    @inline(__always)
    func nextMember(after offset: Int) -> Int? {
        guard let score = next(after: offset) else { return nil }
        return next(after: score)
    }

    @inline(__always)
    func previousMember(before offset: Int) -> Int? {
        guard let score = previous(before: offset) else { return nil }
        return previous(before: score)
    }

    /// The score behind the member at `offset`.
    @inline(__always)
    func score(of offset: Int) -> Double {
        guard let place = next(after: offset) else { return 0 }
        switch self[place] {
        case .integer(let value): return Double(value)
        case .bytes(let text): return DoubleText.parse(text) ?? 0
        }
    }

    /// How many members come before the first whose score doesn't satisfy `condition`.
    @inline(__always)
    func countWhile(_ condition: (Double) -> Bool) -> Int {
        var count = 0
        var offset = firstOffset
        while let here = offset, condition(score(of: here)) {
            count += 1
            offset = nextMember(after: here)
        }
        return count
    }

    /// As `SortedSetView.ranks`, member by member as Redis goes.
    func ranks(_ range: MemberRange, skipped: Int, reversed: Bool) -> Range<Int> {
        func isBelow(_ offset: Int) -> Bool { self[offset].withBytes { range.isBelow($0) } }
        func reaches(_ offset: Int) -> Bool { self[offset].withBytes { range.reaches($0) } }
        // The ends tell whether anything can fit.
        guard let first = firstOffset, let end = lastOffset,
            let last = previous(before: end), !isBelow(last), reaches(first)
        else { return 0..<0 }
        let members = count / 2
        var offset: Int? = reversed ? last : first
        var passed = 0
        func step() {
            guard let here = offset else { return }
            offset = reversed ? previousMember(before: here) : nextMember(after: here)
            passed += 1
        }
        while let here = offset, reversed ? !reaches(here) : isBelow(here) { step() }
        // The first that is high enough may be too high.
        guard let here = offset, reversed ? !isBelow(here) : reaches(here) else { return 0..<0 }
        guard skipped < members - passed else { return 0..<0 }
        for _ in 0..<skipped { step() }
        let start = passed
        while let here = offset, reversed ? !isBelow(here) : reaches(here) { step() }
        return reversed ? members - passed..<members - start : start..<passed
    }
}
